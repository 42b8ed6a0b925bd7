# mutate_test.sh - every mutant of tests/mutants/ fits the code, and tools/mutate refuses what does not.
# (That all of them are caught is `make mutants`.)
. "$MOULT_SOURCE/tests/tools/lib.sh"

expect 0 "" "every mutant applies to this tree" "$MOULT_SOURCE/tools/mutate" --check
expect 0 "" "there are at least 25" test "$(ls "$MOULT_SOURCE/tests/mutants" | wc -l)" -ge 25

tree() { # a small tree with one mutant
    rm -rf "$scratch/tree"
    mkdir -p "$scratch/tree/tools" "$scratch/tree/device/src" "$scratch/tree/tests/mutants"
    cp "$MOULT_SOURCE/tools/mutate" "$scratch/tree/tools/"
    printf 'int a;\nint b;\nint c;\nint b;\n' > "$scratch/tree/device/src/x.c"
    cat > "$scratch/tree/tests/mutants/one.mutant"
}

check() {
    "$scratch/tree/tools/mutate" --check
}

tree <<'MUTANT'
One line goes.
Attacks: R1
Caught by: device/x
@@ device/src/x.c
 int a;
-int b;
MUTANT
expect 0 "" "lines that stand there once" check

tree <<'MUTANT'
Attacks: R1
Caught by: device/x
@@ device/src/x.c
-int b;
MUTANT
expect 1 "once in device/src/x.c, found more" "lines that stand there twice" check

tree <<'MUTANT'
Attacks: R1
Caught by: device/x
@@ device/src/x.c
-int gone;
MUTANT
expect 1 "once in device/src/x.c, found none" "lines that are gone" check

tree <<'MUTANT'
Attacks: R1
Caught by: device/x
@@ device/src/y.c
-int a;
MUTANT
expect 1 "no such file: device/src/y.c" "a file that is gone" check

tree <<'MUTANT'
Attacks: R1
Caught by: device/x
@@ device/src/x.c
 int a;
MUTANT
expect 1 "an edit of device/src/x.c that changes nothing" "an edit without a change" check

tree <<'MUTANT'
Attacks: R1
@@ device/src/x.c
-int a;
MUTANT
expect 1 "has no line \"Caught by:\"" "a mutant that no test is expected to catch" check

expect 2 "there is no tests/mutants/no-such-thing.mutant" "a name that is none" \
    "$MOULT_SOURCE/tools/mutate" no-such-thing

finish
