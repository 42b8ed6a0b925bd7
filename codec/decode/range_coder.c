/* range_coder.c - see range_coder.h. */
#include "codec/decode/range_coder.h"
#include <assert.h>
#include "codec/decode/tables.h"

static uint32_t next_byte(struct moult_rc *rc)
{
    if (rc->count == 0) {
        rc->is_short = true;
        return 0;
    }
    uint8_t byte = rc->ring[rc->head];
    rc->head = (uint16_t)((rc->head + 1) % MOULT_RC_RING);
    rc->count--;
    return byte;
}

void moult_rc_begin(struct moult_rc *rc)
{
    rc->range = UINT32_MAX;
    rc->code = 0;
    if (rc->put) { return; }
    for (unsigned i = 0; i < 4; i++) {
        rc->code = rc->code << 8 | next_byte(rc);
    }
}

size_t moult_rc_feed(struct moult_rc *rc, const uint8_t *data, size_t size)
{
    size_t fed = 0;
    while (fed < size && rc->count < MOULT_RC_RING) {
        rc->ring[(rc->head + rc->count) % MOULT_RC_RING] = data[fed++];
        rc->count++;
    }
    return fed;
}

uint32_t moult_rc_bit(struct moult_rc *rc, uint32_t bit, uint32_t p)
{
    if (rc->put) { return rc->put(rc->context, bit, p); }
    uint32_t bound = (uint32_t)((uint64_t)rc->range * p >> 16);
    bit = rc->code < bound;
    if (bit) {
        rc->range = bound;
    } else {
        rc->code -= bound;
        rc->range -= bound;
    }
    while (rc->range < 1u << 24) {
        rc->range <<= 8;
        rc->code = rc->code << 8 | next_byte(rc);
    }
    return bit;
}

void moult_counter_learn(uint16_t *counter, uint32_t bit)
{
    enum { MOST = 15 };
    int32_t p = *counter >> 4;
    uint32_t n = *counter & 15u;
    int32_t d = ((bit ? 4095 : 0) - p) * (int32_t)moult_rate12[n];
    p += moult_asr(d + (d > 0 ? 32768 : 32767), 16);
    p = p < 1 ? 1 : p > 4094 ? 4094 : p;
    *counter = (uint16_t)((uint32_t)p << 4 | (n < MOST ? n + 1 : MOST));
}

uint32_t moult_rc_counted(struct moult_rc *rc, uint32_t bit, uint16_t *counter)
{
    bit = moult_rc_bit(rc, bit, moult_counter_p(*counter));
    moult_counter_learn(counter, bit);
    return bit;
}

uint32_t moult_rc_raw(struct moult_rc *rc, uint32_t value, unsigned count)
{
    uint32_t out = 0;
    while (count-- > 0) {
        out = out << 1 | moult_rc_bit(rc, value >> count & 1, MOULT_RC_RAW_PROBABILITY);
    }
    return out;
}

static unsigned top_bit(uint32_t x)
{
    unsigned k = 0;
    while (x >>= 1) {
        k++;
    }
    return k;
}

/* v + 1 has k + 1 bits: k in unary, then the bits below the top one, the first two with
 * counters. The model is a counter per unary step, then three per k. */
uint32_t moult_rc_number(struct moult_rc *rc, uint32_t value, uint16_t model[MOULT_EG_SIZE],
                         unsigned bits_max, bool *is_good)
{
    assert(value < UINT32_MAX && bits_max <= 31);
    enum { LAST = MOULT_EG_STEPS - 1 };
    unsigned want = top_bit(value + 1), k = 0;
    while (moult_rc_counted(rc, k < want, &model[k < LAST ? k : LAST])) {
        if (++k > bits_max) {
            *is_good = false;
            return 0;
        }
    }
    uint16_t *below = model + MOULT_EG_STEPS + (size_t)(k < LAST ? k : LAST) * 3;
    uint32_t x = 1;
    for (unsigned done = 0; done < k && done < 2; done++) {
        uint32_t bit = (value + 1) >> (k - 1 - done) & 1;
        uint16_t *counter = done == 0 ? below : below + 1 + (x & 1);
        x = x << 1 | moult_rc_counted(rc, bit, counter);
    }
    if (k > 2) {
        uint32_t low = moult_rc_raw(rc, value + 1, k - 2);
        x = x << (k - 2) | low;
    }
    return x - 1;
}

int32_t moult_rc_signed(struct moult_rc *rc, int32_t value, uint16_t model[MOULT_EG_SIZE],
                        uint16_t *sign, bool *is_good)
{
    enum { BITS_MAX = 30 }; /* so that every magnitude fits an int32_t */
    uint32_t size = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
    size = moult_rc_number(rc, size, model, BITS_MAX, is_good);
    if (size == 0) { return 0; }
    return moult_rc_counted(rc, value < 0, sign) ? -(int32_t)size : (int32_t)size;
}
