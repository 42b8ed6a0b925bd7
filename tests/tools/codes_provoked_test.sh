# codes_provoked_test.sh - every detail code of the device's steps (E0001..E1999) that device/ or
# formats/ gives is named in a unit test or an e2e story.
#
# Being named is no proof of being provoked; those tests have rows "what is broken, which code comes",
# and a code without a row is what is easily forgotten.
. "$MOULT_SOURCE/tests/tools/lib.sh"

# Codes that cannot be provoked yet, and why.
cat > "$scratch/exempt" << 'END'
MOULT_D_ACTION           the parser knows no action above "keyset": E0405 comes first
END

# check TREE: says which codes are given and not named in a test, and which exemptions are stale
check() {
    awk -F '\t' '$1 ~ /^E[01]/ {print $2}' "$1/api/codes.tsv" | sort > "$scratch/steps"
    cat "$1"/device/src/*.[ch] "$1"/formats/*.c | grep -oE 'MOULT_D_[A-Z0-9_]+' | sort -u |
        comm -12 - "$scratch/steps" > "$scratch/given"
    {
        find "$1/tests/unit" "$1/tests/support" -name '*.[ch]' -exec cat {} + |
            grep -oE 'MOULT_D_[A-Z0-9_]+'
        find "$1/tests/e2e" -name '*.sh' -exec cat {} + | grep -oE '\bE[01][0-9]{3}\b' | sort -u |
            while read -r number; do
                awk -F '\t' -v n="$number" '$1 == n {print $2}' "$1/api/codes.tsv"
            done
    } | sort -u > "$scratch/named"
    awk '{print $1}' "$scratch/exempt" | sort > "$scratch/exempt.names"
    bad=0
    for code in $(comm -23 "$scratch/given" "$scratch/named" | comm -23 - "$scratch/exempt.names"); do
        echo "$code is given by device/ or formats/, and no test names it"
        bad=1
    done
    for code in $(comm -12 "$scratch/exempt.names" "$scratch/named"); do
        echo "$code is named in a test by now: take it off the list in codes_provoked_test.sh"
        bad=1
    done
    for code in $(comm -23 "$scratch/exempt.names" "$scratch/given"); do
        echo "$code is exempt but nothing gives it"
        bad=1
    done
    [ -s "$scratch/given" ] || { echo "no code is given at all"; bad=1; }
    return $bad
}

expect 0 "" "every code of this tree has a test" check "$MOULT_SOURCE"

# Planted mistakes.
mkdir -p "$scratch/tree/api" "$scratch/tree/device" "$scratch/tree/tests"
cp "$MOULT_SOURCE/api/codes.tsv" "$scratch/tree/api/"
cp -r "$MOULT_SOURCE/device/src" "$scratch/tree/device/"
cp -r "$MOULT_SOURCE/formats" "$scratch/tree/"
cp -r "$MOULT_SOURCE/tests/unit" "$MOULT_SOURCE/tests/support" "$MOULT_SOURCE/tests/e2e" "$scratch/tree/tests/"
expect 0 "" "a copy of the tree" check "$scratch/tree"
find "$scratch/tree/tests" -name '*.c' -exec sed -i 's/MOULT_D_RESULT_DIGEST/0/' {} +
expect 1 "MOULT_D_RESULT_DIGEST is given" "a test that is gone" check "$scratch/tree"
cp -r "$MOULT_SOURCE/tests/unit" "$MOULT_SOURCE/tests/support" "$scratch/tree/tests/"
untested=$(comm -23 "$scratch/steps" "$scratch/named" | grep -vxFf "$scratch/exempt.names" | head -1)
echo "return $untested;" >> "$scratch/tree/device/src/order.c"
expect 1 "$untested is given" "a new code without a test" check "$scratch/tree"
cp "$MOULT_SOURCE/device/src/order.c" "$scratch/tree/device/src/"
echo "MOULT_D_ACTION" >> "$scratch/tree/tests/unit/device/order_test.c"
expect 1 "take it off the list" "an exemption that is over" check "$scratch/tree"

finish
