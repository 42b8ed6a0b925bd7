/* model.h - everything that the patch codec learns inside a block.
 *
 * Layer    codec/decode, shared by decoder and encoder.
 * Format   docs/spec/patch.md, "Model". Sizes of hashed arrays are part of the format, the
 *          layout of the others is not.
 * Memory   one struct, inside struct moult_codec. MOULT_CODEC_M8_ONLY leaves out what only
 *          profile M16 needs.
 */
#ifndef MOULT_CODEC_DECODE_MODEL_H
#define MOULT_CODEC_DECODE_MODEL_H

#include <stdint.h>
#include "codec/decode/range_coder.h"

/* How many counters each hashed array has, by profile; all powers of two. */
struct moult_profile {
    uint16_t o0, o1, op, ex, sub, flag, cache;
};
extern const struct moult_profile moult_profile_m8, moult_profile_m16;

#ifdef MOULT_CODEC_M8_ONLY
#define MOULT_CODEC_SIZE(m8, m16) (m8)
#else
#define MOULT_CODEC_SIZE(m8, m16) (m16)
#endif

enum {
    MOULT_CODEC_PROFILE_MAX = MOULT_CODEC_SIZE(1, 2), /* enum moult_patch_profile */
    MOULT_MIX_INPUTS = 5,
    MOULT_MIX_SETS = 60,
    MOULT_UNIT_TYPES = 17,
    MOULT_REPEATS = 4,

    /* weight sets */
    MOULT_MIX_FLAG = 0,     /* + unit type */
    MOULT_MIX_SUB = 19,     /* + bit from the top */
    MOULT_MIX_LITERAL = 28, /* + 4 * phase + pair of bits, + 16 without expected byte */
};

struct moult_model {
    /* hashed */
    uint16_t o0[MOULT_CODEC_SIZE(256, 512)];   /* literal, order 0 */
    uint16_t o1[MOULT_CODEC_SIZE(512, 1024)];  /* byte before */
    uint16_t op[MOULT_CODEC_SIZE(512, 2048)];  /* opcode */
    uint16_t ex[MOULT_CODEC_SIZE(256, 512)];   /* expected byte */
    uint16_t sub[MOULT_CODEC_SIZE(256, 512)];  /* substitution */
    uint16_t flag[MOULT_CODEC_SIZE(256, 512)]; /* hit flags: probability */
    uint8_t flag_count[MOULT_CODEC_SIZE(256, 512)];

    /* addressed directly: packed counters, from first to last */
    uint16_t first[1];
    uint16_t not_literal[32], not_cover[4], relocating[3];
    uint16_t cover_repeat[1], cover_which[3];
    uint16_t match_repeat[2], match_which[3];
    uint16_t slot[4][64], slot_low[10][16], slot_align[16];
    uint16_t number_address[MOULT_EG_SIZE], sign_address[1];
    uint16_t number_cover[MOULT_EG_SIZE], number_match[MOULT_EG_SIZE];
    uint16_t number_target[MOULT_EG_SIZE], sign_target[1];
    uint16_t number_branch[MOULT_EG_SIZE], sign_branch[1];
    uint16_t by_target[MOULT_UNIT_TYPES], target_which[2][MOULT_REPEATS], by_four[2];
    uint16_t run[12], by_difference[1], difference_which[MOULT_REPEATS], difference_four[1];
    uint16_t map_four[2];
    uint16_t last[1];

    int16_t weights[MOULT_MIX_SETS][MOULT_MIX_INPUTS];
};

/* As at the start of every block. */
void moult_model_reset(struct moult_model *m);

/* Index of x in an array of `size` counters, a power of two. */
static inline uint32_t moult_hash(uint32_t x, uint32_t size)
{
    return (x * 0x9E3779B1u) >> 11 & (size - 1);
}

/* One decision by up to MOULT_MIX_INPUTS packed counters, mixed by a weight set; counters
 * and weights learn. */
uint32_t moult_model_mix(struct moult_model *m, struct moult_rc *rc, uint32_t bit,
                         uint16_t *const counters[MOULT_MIX_INPUTS], unsigned count,
                         unsigned set);

/* The same by four flag counters at these indices, which adapt more slowly. */
uint32_t moult_model_flag(struct moult_model *m, struct moult_rc *rc, uint32_t bit,
                          const uint32_t index[4], unsigned set);

#endif
