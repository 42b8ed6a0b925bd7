/* model.c - see model.h. */
#include "codec/decode/model.h"
#include <assert.h>
#include <stddef.h>
#include <string.h>
#include "codec/decode/tables.h"

const struct moult_profile moult_profile_m8 = {256, 512, 512, 256, 256, 256, 32};
const struct moult_profile moult_profile_m16 = {512, 1024, 2048, 512, 512, 512, 64};

enum {
    WEIGHT_START = 5734, /* 0.35 of 2^14 */
    FLAG_START = 32768,
    P_MIN = 8,
    P_MAX = 65528,
    SHIFT = 18, /* how slowly weights learn */
    FLAG_SHIFT = 17,
};

static void start_counters(uint16_t *counters, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        counters[i] = MOULT_COUNTER_START;
    }
}

void moult_model_reset(struct moult_model *m)
{
    uint16_t *hashed = (uint16_t *)(void *)m;
    start_counters(hashed, offsetof(struct moult_model, flag) / sizeof *hashed);
    size_t flags = sizeof m->flag / sizeof *m->flag;
    for (size_t i = 0; i < flags; i++) {
        m->flag[i] = FLAG_START;
    }
    memset(m->flag_count, 0, sizeof m->flag_count);

    size_t first = offsetof(struct moult_model, first);
    size_t last = offsetof(struct moult_model, last);
    start_counters(hashed + first / sizeof *hashed, (last - first) / sizeof *hashed + 1);
    for (unsigned set = 0; set < MOULT_MIX_SETS; set++) {
        for (unsigned i = 0; i < MOULT_MIX_INPUTS; i++) {
            m->weights[set][i] = WEIGHT_START;
        }
    }
}

struct mix {
    int32_t stretched[MOULT_MIX_INPUTS];
    unsigned count;
    int16_t *weights;
};

/* Codes the bit with the mixed probability, then moves the weights towards it. */
static uint32_t decide(struct mix *mix, struct moult_rc *rc, uint32_t bit, unsigned shift)
{
    int32_t dot = 0;
    for (unsigned i = 0; i < mix->count; i++) {
        dot += mix->stretched[i] * mix->weights[i];
    }
    uint32_t p = moult_squash(moult_asr(dot, 14));
    p = p < P_MIN ? P_MIN : p > P_MAX ? P_MAX : p;
    bit = moult_rc_bit(rc, bit, p);

    int32_t error = (int32_t)(bit << 16) - (int32_t)p;
    int32_t half = 1 << (shift - 1);
    for (unsigned i = 0; i < mix->count; i++) {
        int32_t w = mix->weights[i] + moult_asr(mix->stretched[i] * error + half, shift);
        w = w > INT16_MAX ? INT16_MAX : w < INT16_MIN ? INT16_MIN : w;
        mix->weights[i] = (int16_t)w;
    }
    return bit;
}

uint32_t moult_model_mix(struct moult_model *m, struct moult_rc *rc, uint32_t bit,
                         uint16_t *const counters[MOULT_MIX_INPUTS], unsigned count,
                         unsigned set)
{
    assert(count <= MOULT_MIX_INPUTS && set < MOULT_MIX_SETS);
    struct mix mix = {.count = count, .weights = m->weights[set]};
    for (unsigned i = 0; i < count; i++) {
        mix.stretched[i] = moult_stretch(moult_counter_p(*counters[i]));
    }
    bit = decide(&mix, rc, bit, SHIFT);
    for (unsigned i = 0; i < count; i++) {
        moult_counter_learn(counters[i], bit);
    }
    return bit;
}

static void flag_learn(struct moult_model *m, uint32_t index, uint32_t bit)
{
    enum { MOST = 250 };
    uint8_t *count = &m->flag_count[index];
    int64_t moved =
        (int64_t)((bit ? 65535 : 0) - (int32_t)m->flag[index]) * moult_rate16[*count];
    int64_t step = moved >= 0 ? moved >> 16 : ~(~moved >> 16);
    m->flag[index] = (uint16_t)(m->flag[index] + step);
    if (*count < MOST) { (*count)++; }
}

uint32_t moult_model_flag(struct moult_model *m, struct moult_rc *rc, uint32_t bit,
                          const uint32_t index[4], unsigned set)
{
    assert(set < MOULT_MIX_SETS);
    struct mix mix = {.count = 4, .weights = m->weights[set]};
    for (unsigned i = 0; i < 4; i++) {
        mix.stretched[i] = moult_stretch(m->flag[index[i]]);
    }
    bit = decide(&mix, rc, bit, FLAG_SHIFT);
    for (unsigned i = 0; i < 4; i++) {
        flag_learn(m, index[i], bit);
    }
    return bit;
}
