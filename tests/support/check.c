/* check.c - see check.h. */
#include "tests/support/check.h"
#include <stdio.h>
#include <string.h>

static struct {
    int passed, failed;
    bool test_failed;
    const char *row;
} run;

void check_print(const char *text)
{
    fputs(text, stdout);
    fflush(stdout);
}

static void report(const char *file, int line, const char *what, const char *more)
{
    char text[512];
    snprintf(text, sizeof text, "%s:%d: %s%s%s%s%s\n", file, line, what, more,
             run.row ? " [" : "", run.row ? run.row : "", run.row ? "]" : "");
    check_print(text);
    run.test_failed = true;
}

bool check_claim(bool holds, const char *file, int line, const char *expression)
{
    if (!holds) { report(file, line, "does not hold: ", expression); }
    return holds;
}

bool check_numbers(long long found, long long expected, const char *file, int line,
                   const char *expression)
{
    if (found == expected) { return true; }
    char more[300];
    snprintf(more, sizeof more, ": expected %lld, found %lld", expected, found);
    report(file, line, expression, more);
    return false;
}

bool check_memory(const void *found, const void *expected, size_t size, const char *file,
                  int line, const char *expression)
{
    const unsigned char *f = found, *e = expected;
    for (size_t i = 0; i < size; i++) {
        if (f[i] == e[i]) { continue; }
        char more[120];
        snprintf(more, sizeof more, " at byte %zu of %zu: expected %02x, found %02x", i,
                 size, e[i], f[i]);
        report(file, line, expression, more);
        return false;
    }
    return true;
}

void check_row(const char *name)
{
    run.row = name;
}

void check_run_named(void (*test)(void), const char *name)
{
    run.test_failed = false;
    run.row = NULL;
    test();
    if (run.test_failed) {
        run.failed++;
        printf("FAILED %s\n", name);
    } else {
        run.passed++;
    }
}

int check_report(void)
{
    printf("%d passed, %d failed\n", run.passed, run.failed);
    return run.failed ? 1 : 0;
}
