/* spec.h - byte strings for tests: hex with comments, examples of docs/spec, seeded chance.
 *
 * Use it   uint8_t bytes[64];
 *          size_t size = hex_bytes("d8 62 84 ; tag, array", bytes, sizeof bytes);
 *          size = spec_example("checkin.md", "checkin", bytes, sizeof bytes);
 *
 * Every failure (no such page, an odd digit, too long) prints why and aborts: a test that
 * reads nothing would pass for the wrong reason.
 */
#ifndef MOULT_TESTS_SUPPORT_SPEC_H
#define MOULT_TESTS_SUPPORT_SPEC_H

#include <stddef.h>
#include <stdint.h>

/* Hex digits, blanks and "; comment" up to the end of a line. Returns the bytes read. */
size_t hex_bytes(const char *text, uint8_t *out, size_t capacity);

/* The block "```hex NAME" of a page of docs/spec. */
size_t spec_block(const char *path, const char *name, uint8_t *out, size_t capacity);
#define spec_example(page, name, out, capacity)                                            \
    spec_block(MOULT_SOURCE_DIR "/docs/spec/" page, name, out, capacity)

/* A small generator; equal seeds give equal tests. */
struct chance {
    uint64_t state;
};

/* Seed from the environment variable SEED (any base), else `standard`. Prints the line that
 * repeats the run. */
struct chance chance_start(const char *test, uint64_t standard);
uint64_t chance_next(struct chance *chance);
/* 0..limit - 1; limit >= 1. */
uint32_t chance_below(struct chance *chance, uint32_t limit);
void chance_fill(struct chance *chance, uint8_t *out, size_t size);

#endif
