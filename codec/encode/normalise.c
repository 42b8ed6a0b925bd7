/* normalise.c - copies of both images with operands masked: code that only moved is equal
 * there, so that a suffix array finds it. */
#include <string.h>
#include "codec/decode/operand.h"
#include "codec/decode/walker.h"
#include "codec/encode/work.h"
#include "formats/bytes.h"

/* Masked bytes of a unit over its place in `out`. */
static void mask(const struct moult_codec *c, uint8_t *out)
{
    const struct moult_unit *u = &c->unit;
    if (!u->has_target || u->is_word) { return; }
    uint32_t word = get_le32(u->old);
    switch (u->type) {
    case MOULT_UNIT_PCR:
    case MOULT_UNIT_PCN:
        word = 0x77777777;
        break;
    case MOULT_UNIT_PTR:
        word = 0xa5000000 | u->target >> 24;
        break;
    case MOULT_UNIT_HI:
        word &= 0xfff;
        break;
    case MOULT_UNIT_CALL:
    case MOULT_UNIT_L32R:
    case MOULT_UNIT_JAL:
    case MOULT_UNIT_J:
    case MOULT_UNIT_LO:
        word &= ~moult_operand_mask(u, moult_is_riscv(c));
        break;
    default:
        return; /* branches stay: they rarely change */
    }
    uint8_t bytes[4];
    put_le32(bytes, word);
    memcpy(out, bytes, u->size);
}

/* Walk an image as if it were base and result at once. */
static void normalise(struct moult_work *w, struct moult_bytes image, uint8_t *out,
                      const struct moult_patch_segment *segments, uint32_t count)
{
    struct moult_patch_header header = w->header;
    header.base_size = header.new_size = (uint32_t)image.size;
    header.base_count = header.new_count = (uint8_t)count;
    memcpy(header.base_segments, segments, sizeof header.base_segments);
    memcpy(header.new_segments, segments, sizeof header.new_segments);
    struct moult_codec *c = w->probe;
    moult_enc_codec_init(w, c);
    c->header = &header;
    c->known = image.data;
    c->map_count = 0;
    c->base = c->ahead = c->output =
        (struct moult_view){.data = image.data, .size = (uint32_t)image.size};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t end = segments[i].offset + segments[i].size;
        if (segments[i].size == 0) { continue; }
        moult_enc_probe(w, segments[i].offset, segments[i].offset);
        while (c->at < end) {
            moult_walker_next(c, end - c->at);
            mask(c, out + c->at);
            c->at += c->unit.size;
        }
    }
}

void moult_enc_normalise(struct moult_work *w)
{
    w->base_normal = moult_work_array(w, w->base.size + 1, 1);
    w->result_normal = moult_work_array(w, w->result.size + 1, 1);
    if (w->status != MOULT_OK) { return; }
    if (w->base.size > 0) { memcpy(w->base_normal, w->base.data, w->base.size); }
    memcpy(w->result_normal, w->result.data, w->result.size);
    const struct moult_patch_header *h = &w->header;
    if (h->isa == MOULT_PATCH_GENERIC) { return; }
    if (w->base.size > 0) {
        normalise(w, w->base, w->base_normal, h->base_segments, h->base_count);
    }
    normalise(w, w->result, w->result_normal, h->new_segments, h->new_count);
}
