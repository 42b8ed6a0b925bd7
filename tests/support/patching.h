/* patching.h - patches made and applied in memory, for tests.
 *
 * Use it   struct patching p; patching_make(&p, base, result, profile); then
 *          patching_apply(&p, &how) gives what the decoder said.
 *
 * Every request of the decoder is checked: what it reads must be there, what it emits must
 * come in order. A breach aborts the test.
 */
#ifndef MOULT_TESTS_SUPPORT_PATCHING_H
#define MOULT_TESTS_SUPPORT_PATCHING_H

#include "codec/decode/decoder.h"
#include "codec/encode/encoder.h"

enum { PATCHING_MARKS = 64 };

struct patching {
    struct moult_bytes base, result;
    struct moult_patch patch;
    uint8_t *workspace;
    uint8_t *output; /* of the newest apply */
    struct moult_decoder_mark marks[PATCHING_MARKS];
    unsigned mark_count;
    uint64_t steps; /* of the newest apply */
};

/* How to apply. All zero: whole patch, big pieces. */
struct patching_how {
    struct moult_bytes patch;              /* data NULL: the one that was made */
    size_t piece;                          /* bytes per feed; 0: as many as fit */
    const struct moult_decoder_mark *from; /* resume here; output before it is there */
};

/* MOULT_OK, or what moult_patch_create() said. Asserts that there is memory. */
enum moult_status patching_make(struct patching *p, struct moult_bytes base,
                                struct moult_bytes result, uint8_t profile);
void patching_free(struct patching *p);

/* MOULT_OK: DONE; else what the header or the decoder said; MOULT_E_TRUNCATED: it wanted
 * more input. */
enum moult_status patching_apply(struct patching *p, const struct patching_how *how);

#endif
