# style_test.sh - every warning of tools/check-style is given for a planted case, and no other.
. "$MOULT_SOURCE/tests/tools/lib.sh"
check=$MOULT_SOURCE/tools/check-style
mkdir -p "$scratch/formats" "$scratch/server/http" "$scratch/server/base" "$scratch/cli"
STYLE_ROOT=$scratch
export STYLE_ROOT
planted=

body() { # FILE TEXT: a file with a good first comment
    printf '/* %s - a planted case. */\n%s\n' "${1##*/}" "$2" > "$scratch/$1"
}

# plant NAME FILE TEXT: exactly one warning, NAME
plant() {
    body "$2" "$3"
    planted="$planted $1"
    expect 1 ": $1: " "$1 is found" "$check" "$2"
    warnings=$("$check" "$2" | grep -cE '^[^ ]+:[0-9]+: ')
    expect 0 "" "$1 comes alone ($warnings warnings)" [ "$warnings" -eq 1 ]
    rm "$scratch/$2"
}

# clean NAME FILE TEXT: no warning
clean() {
    body "$2" "$3"
    expect 0 "" "$1" "$check" "$2"
    rm "$scratch/$2"
}

function_of() { # LINES
    printf 'void f(void)\n{\n'
    seq $(($1 - 2)) | sed 's/.*/    g(&);/'
    printf '}\n'
}

plant FUNC_LEN server/http/a.c "$(function_of 71)"
clean "70 lines are allowed" server/http/a.c "$(function_of 70)"
plant LINE_LEN server/http/a.c "$(printf 'int a; /*%083d*/' 0)"
clean "92 columns are allowed" server/http/a.c "$(printf 'int a; /*%081d*/' 0)"
plant ANGLE_INCLUDE server/http/a.c '#include <formats/bytes.h>'
plant RELATIVE_INCLUDE formats/a.c '#include "bytes.h"'
plant RELATIVE_INCLUDE server/http/a.c '#include "../formats/bytes.h"'
plant HEAP_IN_DEVICE formats/a.c 'void *f(void) { return malloc(4); }'
plant HEAP_DIRECT server/http/a.c 'void *f(void) { return malloc(4); }'
clean "mem.c may" server/base/mem.c 'void *f(void) { return malloc(4); }'
plant BANNED cli/a.c 'void f(char *a, const char *b) { strcpy(a, b); }'
plant CLOCK formats/a.c 'uint64_t f(void) { return (uint64_t)time(NULL); }'
plant GLOBAL_STATE formats/a.c 'static int count = 0;'
clean "constants are no state" formats/a.c 'static const int count = 0;'
plant IFDEF_IN_FUNC server/http/a.c 'void f(void)
{
#ifdef X
    g();
#endif
}'
plant TYPEDEF_STRUCT server/http/a.c 'typedef struct { int a; } b;'
plant TODO_ISSUE server/http/a.c '/* TO''DO later */'
clean "an issue is named" server/http/a.c '/* TO''DO(#7): later */'
plant VOID_CAST_WHY server/http/a.c 'void f(void)
{
    (void)g();
}'
clean "a reason is given" server/http/a.c 'void f(void)
{
    (void)g(); /* nobody is left to tell */
}'
plant GUARD server/http/a.h 'struct a {
    int b;
};'
plant PRIVATE_KEY server/http/a.c '-----BEGIN EC PRIVATE KEY-----'
plant ALLOW_REASON cli/a.c '/* style: allow BANNED */'
clean "an opt-out with a reason" cli/a.c '/* style: allow BANNED, the test needs it */
void f(char *a) { gets(a); }'
clean "words in comments and strings do not count" cli/a.c \
    '/* strcpy(a, b) in a comment */ const char *t = "strcpy(a, b)";'
echo 'int a;' > "$scratch/cli/a.c"
expect 1 ": CONTRACT: " "CONTRACT is found" "$check" cli/a.c
planted="$planted CONTRACT"

for name in $("$check" -l | sed 's/:.*//'); do
    case " $planted " in
    *" $name "*) ;;
    *) expect 0 "" "warning $name has a planted case" false ;;
    esac
    expect 0 "$name:" "$name is explained" "$check" -h "$name"
done
expect 2 "no warning" "an unknown name" "$check" -h NONSENSE

finish
