/* range_encoder.h - the writing end of codec/decode/range_coder.h.
 *
 * Layer    codec/encode, private to it.
 * Memory   writes into the caller's `out`; what does not fit is lost, and is_full set.
 */
#ifndef MOULT_CODEC_ENCODE_RANGE_ENCODER_H
#define MOULT_CODEC_ENCODE_RANGE_ENCODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "codec/decode/range_coder.h"

struct moult_range_encoder {
    uint8_t *out; /* size bytes of capacity; borrowed */
    size_t size, capacity;
    bool is_full;

    uint64_t low;
    uint32_t range, pending; /* pending: bytes 0xff that a carry may still change */
    uint8_t cache;
    bool is_first; /* the first byte is always zero and not written */
};

/* Begin a block; what was written stays. */
void moult_range_encoder_begin(struct moult_range_encoder *e);

/* End it: the decoder then has consumed exactly what was written. */
void moult_range_encoder_end(struct moult_range_encoder *e);

/* For struct moult_rc: codes one decision. */
uint32_t moult_range_encoder_put(void *context, uint32_t bit, uint32_t p);

/* One byte as it is. */
void moult_range_encoder_byte(struct moult_range_encoder *e, uint8_t byte);

#endif
