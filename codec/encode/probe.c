/* probe.c - a codec over images in memory that predicts without having coded; and other
 * small things that the stages share. */
#include <assert.h>
#include <string.h>
#include "codec/decode/operand.h"
#include "codec/decode/walker.h"
#include "codec/encode/work.h"
#include "formats/bytes.h"

void *moult_work_array(struct moult_work *w, size_t count, size_t size)
{
    enum { ALIGN = 16 };
    size_t bytes = (count * size + ALIGN - 1) / ALIGN * ALIGN;
    if (bytes > w->workspace_size - w->workspace_used) {
        w->status = MOULT_E_NOMEM;
        return NULL;
    }
    void *array = w->workspace + w->workspace_used;
    w->workspace_used += bytes;
    memset(array, 0, bytes);
    return array;
}

bool moult_work_progress(struct moult_work *w, enum moult_encoder_phase phase,
                         uint64_t done, uint64_t all)
{
    const struct moult_encoder_options *o = w->options;
    unsigned percent = all == 0 ? 100 : (unsigned)(done * 100 / all);
    if (o->progress && !o->progress(o->context, phase, percent)) {
        w->status = MOULT_E_REFUSED;
    }
    return w->status == MOULT_OK;
}

static struct moult_view memory_view(struct moult_bytes bytes)
{
    return (struct moult_view){.data = bytes.data, .size = (uint32_t)bytes.size};
}

void moult_enc_codec_init(struct moult_work *w, struct moult_codec *c)
{
    memset(c, 0, sizeof *c);
    c->header = &w->header;
    bool is_small = w->header.profile == MOULT_PATCH_M8;
    c->profile = is_small ? &moult_profile_m8 : &moult_profile_m16;
    c->known = w->result.data;
    c->base = c->ahead = memory_view(w->base);
    c->output = memory_view(w->result);
    if (w->map_count > 0) { memcpy(c->map, w->map, w->map_count * sizeof *c->map); }
    c->map_count = w->map_count;
}

void moult_enc_probe(struct moult_work *w, uint32_t old, uint32_t at)
{
    w->probe->at = at;
    moult_walker_begin(w->probe, old);
    while (!moult_walker_seek(w->probe)) {}
    w->probe->pre_rolled = 0;
    w->probe->is_bad = false;
}

bool moult_enc_target(struct moult_codec *c, const uint8_t *bytes, uint32_t *target)
{
    const struct moult_unit *u = &c->unit;
    if (u->is_word) {
        *target = get_le32(bytes);
        return true;
    }
    uint8_t four[4] = {0};
    memcpy(four, bytes, u->size);
    uint32_t size_mask = u->size == 4 ? UINT32_MAX : (1u << 8 * u->size) - 1;
    uint32_t outside = ~moult_operand_mask(u, moult_is_riscv(c)) & size_mask;
    if ((get_le32(four) ^ get_le32(u->old)) & outside) { return false; }
    uint32_t address = moult_new_address(c, c->at);
    *target = moult_operand_get(u, address, moult_is_riscv(c), four);
    return true;
}

uint32_t moult_enc_common(const uint8_t *a, const uint8_t *b, uint32_t most)
{
    uint32_t n = 0;
    while (n < most && a[n] == b[n]) {
        n++;
    }
    return n;
}

uint32_t moult_enc_log2(uint32_t x)
{
    uint32_t n = 0;
    while (x >>= 1) {
        n++;
    }
    return n;
}
