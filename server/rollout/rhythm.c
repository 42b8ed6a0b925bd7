/* rhythm.c - see rhythm.h. */
#include <assert.h>
#include "server/rollout/rhythm.h"

static uint32_t sample_count(const struct rhythm *rhythm)
{
    uint32_t sum = 0;
    for (unsigned i = 0; i < RHYTHM_BINS; i++) {
        sum += rhythm->bins[i];
    }
    return sum;
}

static unsigned bin_of(uint32_t gap_s)
{
    unsigned bin = 0;
    while (bin + 1 < RHYTHM_BINS && gap_s >> (bin + 1) != 0) {
        bin++;
    }
    return bin;
}

void rhythm_note(struct rhythm *rhythm, uint32_t gap_s)
{
    unsigned bin = bin_of(gap_s);
    if (sample_count(rhythm) + 1 >= RHYTHM_HALVE_AT || rhythm->bins[bin] == UINT8_MAX) {
        for (unsigned i = 0; i < RHYTHM_BINS; i++) {
            rhythm->bins[i] /= 2;
        }
    }
    rhythm->bins[bin]++;
}

/* Upper edge, in seconds, of the bin that holds the 95th percentile. */
static uint32_t percentile_95_s(const struct rhythm *rhythm, uint32_t total)
{
    uint32_t sum = 0;
    unsigned bin = 0;
    for (; bin < RHYTHM_BINS; bin++) {
        sum += rhythm->bins[bin];
        if (sum * 100u >= total * 95u) { break; }
    }
    assert(bin < RHYTHM_BINS);
    return 1u << (bin + 1);
}

uint32_t rhythm_s(const struct rhythm *rhythm, uint32_t told_s, uint32_t expected_s)
{
    uint32_t total = sample_count(rhythm);
    uint32_t learned_s =
        total < RHYTHM_SAMPLES_MIN ? expected_s : percentile_95_s(rhythm, total);
    if (learned_s > RHYTHM_MAX_S) { learned_s = RHYTHM_MAX_S; }
    uint32_t result_s = learned_s > told_s ? learned_s : told_s;
    return result_s > 0 ? result_s : 1;
}
