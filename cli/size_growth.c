/* size_growth.c - see size_growth.h. */
#include "cli/size_growth.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define NORMAL_90                                                                          \
    1.6448536 /* of a standard normal, 90 % lies within that many deviations */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *sorted, uint32_t count)
{
    uint32_t half = count / 2;
    return count % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

static uint32_t pair_slopes(const uint32_t *sizes, uint32_t count, double *work)
{
    uint32_t pairs = 0;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = i + 1; k < count; k++) {
            work[pairs++] = ((double)sizes[k] - (double)sizes[i]) / (double)(k - i);
        }
    }
    qsort(work, pairs, sizeof *work, by_size);
    return pairs;
}

static void find_bounds(const double *sorted, uint32_t pairs, struct growth *out)
{
    double n = out->count;
    double spread = NORMAL_90 * sqrt(n * (n - 1) * (2 * n + 5) / 18);
    double low = floor((pairs - spread) / 2); /* ranks, from 1 */
    double high = ceil((pairs + spread) / 2) + 1;
    if (low < 1) { low = 1; }
    if (high > pairs) { high = pairs; }
    out->low = sorted[(uint32_t)low - 1];
    out->high = sorted[(uint32_t)high - 1];
}

static void find_largest_step(const uint32_t *sizes, struct growth *out)
{
    for (uint32_t i = 0; i + 1 < out->count; i++) {
        int64_t step = (int64_t)sizes[i + 1] - sizes[i];
        if (i == 0 || step > out->largest_step) {
            out->largest_step = step;
            out->largest_after = i;
        }
    }
}

void growth_fit(const uint32_t *sizes, uint32_t count, double *work, struct growth *out)
{
    assert((sizes || count == 0) && work && out);
    if (count > GROWTH_MOST) {
        sizes += count - GROWTH_MOST;
        count = GROWTH_MOST;
    }
    *out = (struct growth){.count = count, .is_known = count >= GROWTH_LEAST};
    find_largest_step(sizes, out);
    if (!out->is_known) { return; }
    uint32_t pairs = pair_slopes(sizes, count, work);
    out->slope = median(work, pairs);
    find_bounds(work, pairs, out);
}

uint32_t growth_left(double slope, uint32_t room, uint32_t most)
{
    if (slope * most <= room) { return most; } /* also where it shrinks */
    return (uint32_t)(room / slope);
}
