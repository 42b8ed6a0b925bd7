/* output.c - what was put out: the newest page, its place in the new image, and where
 * instructions begin. */
#include <assert.h>
#include "codec/decode/codec.h"

void moult_output_locate(struct moult_codec *c)
{
    const struct moult_patch_header *h = c->header;
    c->segment = -1;
    c->segment_end = h->new_size;
    for (unsigned i = 0; i < h->new_count; i++) {
        const struct moult_patch_segment *s = &h->new_segments[i];
        if (c->at < s->offset) {
            c->segment_end = s->offset;
            break;
        }
        if (c->at - s->offset < s->size) {
            c->segment = (int32_t)i;
            c->segment_end = s->offset + s->size;
            break;
        }
    }
    c->instruction = c->at;
    c->instruction_size = 0;
}

static uint32_t instruction_size(const struct moult_codec *c, uint8_t first)
{
    if (c->header->isa == MOULT_PATCH_RISCV) { return (first & 3) == 3 ? 4 : 2; }
    uint8_t op0 = first & 15;
    return op0 >= 8 && op0 < 14 ? 2 : 3;
}

/* One step of the machine that finds where instructions begin in what is put out. */
static void follow(struct moult_codec *c, uint8_t byte)
{
    if (c->at == c->instruction) { c->instruction_size = instruction_size(c, byte); }
    if (c->at + 1 - c->instruction >= c->instruction_size) { c->instruction = c->at + 1; }
}

void moult_output_put(struct moult_codec *c, uint8_t byte)
{
    assert(c->at < c->header->new_size);
    if (c->segment >= 0) {
        c->checksum ^= byte;
        follow(c, byte);
    }
    c->ring[c->at % MOULT_CODEC_RING] = byte;
    c->at++;
    if (c->at == c->segment_end) { moult_output_locate(c); }
}

uint8_t moult_output_byte(struct moult_codec *c, uint32_t p)
{
    if (c->known) { return c->known[p]; }
    assert(p < c->at);
    if (c->at - p <= MOULT_CODEC_RING) { return c->ring[p % MOULT_CODEC_RING]; }
    uint8_t byte = 0;
    moult_view_get(c, &c->output, p, &byte, 1);
    return byte;
}

uint32_t moult_output_word(struct moult_codec *c, uint32_t p)
{
    uint32_t word = 0;
    for (uint32_t i = 0; i < 4; i++) {
        word |= (uint32_t)moult_output_byte(c, p + i) << 8 * i;
    }
    return word;
}

uint32_t moult_new_address(const struct moult_codec *c, uint32_t p)
{
    const struct moult_patch_header *h = c->header;
    for (unsigned i = 0; i < h->new_count; i++) {
        const struct moult_patch_segment *s = &h->new_segments[i];
        if (p - s->offset < s->size) { return s->address + (p - s->offset); }
    }
    return 0;
}

uint32_t moult_output_phase(const struct moult_codec *c, uint32_t *kind)
{
    *kind = 0;
    if (c->segment >= 0) { *kind = c->header->new_segments[c->segment].is_code ? 1 : 2; }
    if (*kind != 1) { return c->at & 3; }
    uint32_t phase = c->at - c->instruction;
    return phase > 3 ? 3 : phase;
}
