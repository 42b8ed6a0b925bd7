/* tables.h - constants of the patch codec, and the arithmetic around them.
 *
 * Layer    codec/decode, private to the codec. Integers only.
 * Format   docs/spec/patch.md, "Tables". The numbers follow from the rules there;
 *          tests/unit/codec/decode/tables_test.c works them out again.
 */
#ifndef MOULT_CODEC_DECODE_TABLES_H
#define MOULT_CODEC_DECODE_TABLES_H

#include <stdint.h>

extern const uint16_t moult_sq[97];      /* logistic curve: 65536 / (1 + e^(-k/8)) */
extern const int16_t moult_st[256];      /* its inverse, coarse: 256 ln(p / (1 - p)) */
extern const uint16_t moult_rate16[251]; /* adaption of flag counters by count */
extern const uint16_t moult_rate12[16];  /* of packed counters */

/* Floor division by 2^n; C leaves the shift of a negative number to the compiler. */
static inline int32_t moult_asr(int32_t x, unsigned n)
{
    return x >= 0 ? x >> n : ~(int32_t)(~(uint32_t)x >> n);
}

/* The low `bits` bits of v as a signed number. 1 <= bits <= 32. */
static inline int32_t moult_sx(uint32_t v, unsigned bits)
{
    uint32_t sign = 1u << (bits - 1);
    v &= sign | (sign - 1);
    return (int32_t)((v ^ sign) - sign);
}

/* Probability of 65536ths for a stretched one, 4..65532. */
uint32_t moult_squash(int32_t x);

/* Stretched probability, -2047..2047, of p in 65536ths. */
int32_t moult_stretch(uint32_t p);

#endif
