/* suffixes.c - the sorted suffixes of the masked base, and how to look things up there. */
#include <divsufsort.h>
#include <string.h>
#include "codec/encode/work.h"

void moult_enc_sort(struct moult_work *w)
{
    if (w->base.size == 0) { return; }
    if (!moult_work_progress(w, MOULT_ENCODER_SORT, 0, 1)) { return; }
    w->suffixes = moult_work_array(w, w->base.size, sizeof *w->suffixes);
    if (!w->suffixes) { return; }
    if (divsufsort(w->base_normal, w->suffixes, (saidx_t)w->base.size) != 0) {
        w->status = MOULT_E_NOMEM;
    }
}

/* Whether the suffix at `at` is less than the bytes. */
static bool is_less(const struct moult_work *w, uint32_t at, const uint8_t *bytes,
                    uint32_t size)
{
    uint32_t there = (uint32_t)w->base.size - at;
    uint32_t most = there < size ? there : size;
    int order = memcmp(w->base_normal + at, bytes, most);
    return order < 0 || (order == 0 && there < size);
}

uint32_t moult_enc_suffix_find(const struct moult_work *w, const uint8_t *bytes,
                               uint32_t size)
{
    uint32_t low = 0, high = (uint32_t)w->base.size;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (is_less(w, (uint32_t)w->suffixes[middle], bytes, size)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}
