/* promise.h - what the tests of the kit share: findings, and small acts on the port.
 *
 * Layer    tests/conformance, private.
 */
#ifndef MOULT_TESTS_CONFORMANCE_PROMISE_H
#define MOULT_TESTS_CONFORMANCE_PROMISE_H

#include <string.h>
#include "formats/compiler.h"
#include "tests/conformance/conform.h"

/* Each notes the finding; BROKEN and SKIPPED are what they return. */
MOULT_PRINTF(2, 3)
enum conform_verdict conform_broken(struct conform *c, const char *format, ...);
MOULT_PRINTF(2, 3)
enum conform_verdict conform_skipped(struct conform *c, const char *format, ...);
bool conform_equal(struct conform *c, long long found, long long expected,
                   const char *what);
bool conform_same(struct conform *c, const uint8_t *found, const uint8_t *expected,
                  size_t size, const char *what);

/* "expected WHAT to be Y, found X" */
#define EXPECT_EQUAL(found, expected, what)                                                \
    do {                                                                                   \
        if (!conform_equal(c, (long long)(found), (long long)(expected), what)) {          \
            return CONFORM_BROKEN;                                                         \
        }                                                                                  \
    } while (0)
/* "expected WHAT, found byte N to be ..." */
#define EXPECT_BYTES(found, expected, size, what)                                          \
    do {                                                                                   \
        if (!conform_same(c, found, expected, size, what)) { return CONFORM_BROKEN; }      \
    } while (0)
/* "expected WHAT, found INSTEAD" */
#define EXPECT(claim, what, instead)                                                       \
    do {                                                                                   \
        if (!(claim)) {                                                                    \
            return conform_broken(c, "expected %s, found %s", what, instead);              \
        }                                                                                  \
    } while (0)
/* A helper that has noted its own finding. */
#define EXPECT_DONE(claim)                                                                 \
    do {                                                                                   \
        if (!(claim)) { return CONFORM_BROKEN; }                                           \
    } while (0)

/* An app slot that does not run, and the one that does (MOULT_SLOT_NONE: factory). False:
 * noted. */
bool conform_slots(struct conform *c, uint32_t *free_slot, uint32_t *running);

/* Bytes that no flash holds by chance: position and seed decide. */
void conform_fill(uint8_t *out, size_t size, uint32_t seed);

/* Erase, then write c->a filled by seed. False: noted. */
bool conform_write_sector(struct conform *c, uint32_t slot, uint32_t offset, uint32_t seed);
/* A sector holds what conform_write_sector() left. False: noted. */
bool conform_sector_holds(struct conform *c, uint32_t slot, uint32_t offset, uint32_t seed,
                          const char *what);

/* Arms cut `number`: every kind of cut at the first operation, then at the second ... Notes
 * must stand before it as they are to be after the cut: the act that follows may not
 * return.
 */
void conform_arm(struct conform *c, uint32_t number);

/* Whether the first of the optional parts is there; else the promise is skipped. */
#define NEEDS(part, why)                                                                   \
    do {                                                                                   \
        if (!(part)) { return conform_skipped(c, "%s", why); }                             \
    } while (0)

#endif
