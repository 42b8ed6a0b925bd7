/* walker.h - goes over an image unit by unit, and predicts what each became.
 *
 * Layer    codec/decode, private to the codec.
 * Format   docs/spec/patch.md, "Walker". Every rule here is part of the format: a better
 *          one would be another format version.
 * Use it   a cover: moult_walker_seek() until it says true, then moult_walker_next() per
 *          unit. A relocating match: moult_walker_relocate(), then next.
 */
#ifndef MOULT_CODEC_DECODE_WALKER_H
#define MOULT_CODEC_DECODE_WALKER_H

#include "codec/decode/codec.h"

/* Walk the base from `old`, output going on at c->at: first a pre-roll, so that
 * instructions and registers are in step. */
void moult_walker_begin(struct moult_codec *c, uint32_t old);

/* At most 512 bytes of pre-roll. True: done, moult_walker_next() may be called. */
bool moult_walker_seek(struct moult_codec *c);

/* Walk the output from `from`, up to where it ends now. */
void moult_walker_relocate(struct moult_codec *c, uint32_t from);

/* The next unit into c->unit. room: bytes it may have; a longer one is cut and predicts
 * its old bytes (in a cover) or the first bytes of its prediction (relocating). */
void moult_walker_next(struct moult_codec *c, uint32_t room);

/* --- between the files of the walker --- */

/* What is known about the place of a unit. */
struct moult_place {
    const uint8_t *bytes; /* left bytes of the segment, at most 8 are there */
    uint32_t left;
    uint32_t at;
    uint32_t address;     /* of the unit where it is walked */
    uint32_t new_address; /* of where it goes; not known while dry */
    const struct moult_patch_segment *segment;
};

/* size <= 8 bytes at an offset of what is walked. is_ahead: beside the walk, so that its
 * window stays. */
void moult_walker_read(struct moult_codec *c, uint32_t offset, uint8_t *out, uint32_t size,
                       bool is_ahead);

/* Whether an address lies in a segment or close behind; in a code segment. */
bool moult_is_plausible(const struct moult_walker *w, uint32_t address);
bool moult_is_in_code(const struct moult_walker *w, uint32_t address);

/* The unit at a place in code. Fills type, size, key, target and prediction. */
void moult_walk_xtensa(struct moult_codec *c, const struct moult_place *place);
void moult_walk_riscv(struct moult_codec *c, const struct moult_place *place);

/* Whether a function of Xtensa's windowed calls begins with these three bytes. */
static inline bool moult_is_entry(const uint8_t *b)
{
    return b[0] == 0x36 && (b[1] & 15) == 1 && b[2] < 0x10;
}

static inline bool moult_is_riscv(const struct moult_codec *c)
{
    return c->header->isa == MOULT_PATCH_RISCV;
}

static inline bool moult_is_xtensa(const struct moult_codec *c)
{
    return c->header->isa == MOULT_PATCH_XTENSA ||
           c->header->isa == MOULT_PATCH_XTENSA_WIDE;
}

#endif
