/* range_coder.h - binary range coder, and the numbers that are written with it.
 *
 * Layer    codec/decode, shared by decoder and encoder.
 * Format   docs/spec/patch.md, "Range coder" and "Numbers".
 *
 * Every function here takes the value to be coded and gives the value that was coded. A
 * decoder's argument is not looked at; an encoder gets its argument back. So the sequence
 * of symbols is written once, for both directions.
 */
#ifndef MOULT_CODEC_DECODE_RANGE_CODER_H
#define MOULT_CODEC_DECODE_RANGE_CODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MOULT_RC_RING = 256,    /* bytes of input kept */
    MOULT_RC_RESERVE = 144, /* bytes that one atom may need: 70 decisions, 2 bytes each at
                                 most */
    MOULT_RC_RAW_PROBABILITY = 32768,
};

struct moult_rc {
    uint32_t range, code;
    uint8_t ring[MOULT_RC_RING];
    uint16_t head, count; /* bytes in the ring from head */
    bool is_short;        /* a byte was needed that is not there */

    /* An encoder: codes the bit and gives it back. NULL: decoding. */
    uint32_t (*put)(void *context, uint32_t bit, uint32_t p);
    void *context;
};

/* Begin a block: a decoder takes four bytes. */
void moult_rc_begin(struct moult_rc *rc);

/* At most size bytes into the ring; how many fit. */
size_t moult_rc_feed(struct moult_rc *rc, const uint8_t *data, size_t size);

/* One decision. p: probability of 1 in 65536ths, 8..65528. */
uint32_t moult_rc_bit(struct moult_rc *rc, uint32_t bit, uint32_t p);

/* One decision by a packed counter, which learns from it. */
uint32_t moult_rc_counted(struct moult_rc *rc, uint32_t bit, uint16_t *counter);

/* count bits, most significant first, all equally likely. */
uint32_t moult_rc_raw(struct moult_rc *rc, uint32_t value, unsigned count);

/* A packed counter: 12 bits of probability, 4 of count. */
#define MOULT_COUNTER_START (2048u << 4)
static inline uint32_t moult_counter_p(uint16_t counter)
{
    return (uint32_t)(counter >> 4) << 4 | 8u;
}
void moult_counter_learn(uint16_t *counter, uint32_t bit);

/* Adaptive Elias-gamma: counters of one model. */
enum { MOULT_EG_STEPS = 24, MOULT_EG_SIZE = MOULT_EG_STEPS * 4 };

/* A number 0..2^(bits_max + 1) - 2. bits_max: bits below the top one, at most 31.
 * *is_good is cleared, and 0 returned, when a stream says more. */
uint32_t moult_rc_number(struct moult_rc *rc, uint32_t value, uint16_t model[MOULT_EG_SIZE],
                         unsigned bits_max, bool *is_good);

/* A signed one: magnitude, then the sign when it is not 0. */
int32_t moult_rc_signed(struct moult_rc *rc, int32_t value, uint16_t model[MOULT_EG_SIZE],
                        uint16_t *sign, bool *is_good);

#endif
