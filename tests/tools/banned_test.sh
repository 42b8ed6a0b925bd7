# banned_test.sh - each call of formats/banned*.h is a compile error that says why.
. "$MOULT_SOURCE/tests/tools/lib.sh"
cc=${CC:-cc}

# refuse HEADER CALL: the call does not compile, and the error has its name
refuse() {
    printf 'extern char *a, *b;\nvoid *f(void);\nvoid *f(void)\n{\n    return (void *)(long)(%s);\n}\n' "$2" \
        > "$scratch/case.c"
    expect 1 "banned_${2%%(*}_" "$2" "$cc" -std=c11 -D_GNU_SOURCE -I "$MOULT_SOURCE" \
        -include "formats/$1" -fsyntax-only "$scratch/case.c"
}

for call in 'strcpy(a, b)' 'strcat(a, b)' 'sprintf(a, b)' 'vsprintf(a, b, 0)' 'gets(a)' 'strtok(a, b)' \
    'atoi(a)' 'atol(a)' 'atof(a)' 'alloca(1)' 'rand()' 'srand(1)' 'gmtime(0)' 'localtime(0)' 'ctime(0)' \
    'asctime(0)'; do
    refuse banned.h "$call"
    refuse banned_heap.h "$call"
done
for call in 'malloc(1)' 'calloc(1, 1)' 'realloc(a, 1)' 'free(a)' 'strdup(a)' 'strndup(a, 1)' 'time(0)' \
    'clock()'; do
    refuse banned_heap.h "$call"
done

printf 'struct s { int (*free)(int); };\nint f(struct s s);\nint f(struct s s)\n{\n    return (s.free)(1);\n}\n' \
    > "$scratch/case.c"
expect 0 "" "a member of that name may be called in parentheses" "$cc" -std=c11 -I "$MOULT_SOURCE" \
    -include formats/banned_heap.h -fsyntax-only "$scratch/case.c"

finish
