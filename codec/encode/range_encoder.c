/* range_encoder.c - see range_encoder.h. */
#include "codec/encode/range_encoder.h"

void moult_range_encoder_byte(struct moult_range_encoder *e, uint8_t byte)
{
    if (e->size == e->capacity) {
        e->is_full = true;
        return;
    }
    e->out[e->size++] = byte;
}

void moult_range_encoder_begin(struct moult_range_encoder *e)
{
    e->low = 0;
    e->range = UINT32_MAX;
    e->pending = 0;
    e->cache = 0;
    e->is_first = true;
}

static void out_byte(struct moult_range_encoder *e, uint8_t byte)
{
    if (e->is_first) {
        e->is_first = false;
    } else {
        moult_range_encoder_byte(e, byte);
    }
}

/* Move the top byte of low out; a carry goes into what is held back. */
static void shift(struct moult_range_encoder *e)
{
    uint8_t carry = (uint8_t)(e->low >> 32);
    if (e->low < 0xff000000u || carry) {
        out_byte(e, (uint8_t)(e->cache + carry));
        for (; e->pending > 0; e->pending--) {
            out_byte(e, (uint8_t)(0xff + carry));
        }
        e->cache = (uint8_t)(e->low >> 24);
    } else {
        e->pending++;
    }
    e->low = (e->low & 0x00ffffff) << 8;
}

uint32_t moult_range_encoder_put(void *context, uint32_t bit, uint32_t p)
{
    struct moult_range_encoder *e = context;
    uint32_t bound = (uint32_t)((uint64_t)e->range * p >> 16);
    if (bit) {
        e->range = bound;
    } else {
        e->low += bound;
        e->range -= bound;
    }
    while (e->range < 1u << 24) {
        e->range <<= 8;
        shift(e);
    }
    return bit;
}

void moult_range_encoder_end(struct moult_range_encoder *e)
{
    for (unsigned i = 0; i < 5; i++) {
        shift(e);
    }
}
