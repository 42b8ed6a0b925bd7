/* check.h - a test library small enough to run on a chip: no heap, no stdio of its own.
 *
 * Use it   static void test_x(void) { check(1 + 1 == 2); check_equal(a, b); }
 *          int main(void) { check_run(test_x); return check_report(); }
 *
 * A failed check prints file:line and the expression, is counted, and leaves the test
 * function.
 * Output goes through check_print(), stdio on hosts; a board supplies its own. Host-only
 * tests
 * (server, cli) use cmocka instead.
 */
#ifndef MOULT_TESTS_SUPPORT_CHECK_H
#define MOULT_TESTS_SUPPORT_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

void check_print(const char *text);
bool check_claim(bool holds, const char *file, int line, const char *expression);
bool check_numbers(long long found, long long expected, const char *file, int line,
                   const char *expression);
bool check_memory(const void *found, const void *expected, size_t size, const char *file,
                  int line, const char *expression);
void check_run_named(void (*test)(void), const char *name);
/* Prints "N passed, N failed"; the exit status. */
int check_report(void);
/* Names the row of a table-driven test in later failures; NULL: none. Borrowed. */
void check_row(const char *name);

#define check(claim)                                                                       \
    do {                                                                                   \
        if (!check_claim((claim), __FILE__, __LINE__, #claim)) { return; }                 \
    } while (0)
#define check_equal(found, expected)                                                       \
    do {                                                                                   \
        if (!check_numbers((long long)(found), (long long)(expected), __FILE__, __LINE__,  \
                           #found " == " #expected)) {                                     \
            return;                                                                        \
        }                                                                                  \
    } while (0)
#define check_bytes(found, expected, size)                                                 \
    do {                                                                                   \
        if (!check_memory((found), (expected), (size), __FILE__, __LINE__, #found)) {      \
            return;                                                                        \
        }                                                                                  \
    } while (0)
#define check_run(test) check_run_named(test, #test)

#endif
