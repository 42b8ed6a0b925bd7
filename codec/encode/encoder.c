/* encoder.c - see encoder.h: the stages, the container, and the proof. */
#include "codec/encode/encoder.h"
#include <assert.h>
#include <string.h>
#include "codec/decode/decoder.h"
#include "codec/encode/work.h"
#include "formats/bytes.h"

enum {
    FIXED_WORKSPACE = 8 << 20, /* hash heads, nodes, codecs */
    PER_RESULT = 16,           /* bytes of workspace per byte */
    PER_BASE = 6,
    WORTH_PERCENT = 97,
};

size_t moult_patch_workspace_size(size_t base_size, size_t result_size)
{
    return FIXED_WORKSPACE + PER_RESULT * result_size + PER_BASE * base_size;
}

/* --- proof --------------------------------------------------------------------------- */

struct proof {
    const struct moult_work *w;
    uint32_t done;
};

static bool read_base(void *context, uint32_t offset, uint8_t *out, uint32_t size)
{
    const struct proof *p = context;
    memcpy(out, p->w->base.data + offset, size);
    return true;
}

/* What was emitted is equal to the result: emit() compares. */
static bool read_output(void *context, uint32_t offset, uint8_t *out, uint32_t size)
{
    const struct proof *p = context;
    memcpy(out, p->w->result.data + offset, size);
    return offset + size <= p->done;
}

static bool output_digest(void *context, uint32_t size, uint8_t out[32])
{
    const struct moult_work *w = ((const struct proof *)context)->w;
    return moult_sha256_once(w->options->crypto, w->result.data, size, out) == MOULT_OK;
}

static bool compare(struct proof *p, const struct moult_decoder *d)
{
    p->done = d->emit.offset + d->emit.size;
    return p->done <= p->w->result.size &&
           memcmp(p->w->result.data + d->emit.offset, d->emit.data, d->emit.size) == 0;
}

/* Decode the patch, as a device does, and compare. */
static void prove(struct moult_work *w, struct moult_bytes coded)
{
    struct proof proof = {.w = w};
    struct moult_decoder_io io = {&proof, read_base, read_output, output_digest};
    struct moult_decoder *d = moult_work_array(w, 1, sizeof *d);
    if (!d) { return; }
    w->status = moult_decoder_init(d, &w->header, &io, UINT32_MAX);
    size_t fed = 0;
    while (w->status == MOULT_OK) {
        switch (moult_decoder_step(d)) {
        case MOULT_DECODER_AGAIN:
            break;
        case MOULT_DECODER_INPUT:
            fed += moult_decoder_feed(d, coded.data + fed, coded.size - fed);
            break;
        case MOULT_DECODER_EMIT:
            if (!compare(&proof, d)) { w->status = MOULT_E_INTERNAL; }
            break;
        case MOULT_DECODER_BLOCK:
            moult_work_progress(w, MOULT_ENCODER_VERIFY, proof.done, w->result.size);
            break;
        case MOULT_DECODER_DONE:
            if (proof.done != w->result.size) { w->status = MOULT_E_INTERNAL; }
            return;
        case MOULT_DECODER_FAILED:
            w->status = MOULT_E_INTERNAL;
            break;
        }
    }
}

/* --- container ----------------------------------------------------------------------- */

static void identify(struct moult_work *w)
{
    uint8_t digest[32];
    const struct moult_crypto *crypto = w->options->crypto;
    struct moult_patch_header *h = &w->header;
    enum moult_status status =
        moult_sha256_once(crypto, w->result.data, w->result.size, digest);
    memcpy(h->new_id, digest, sizeof h->new_id);
    if (status == MOULT_OK && w->base.size > 0) {
        status = moult_sha256_once(crypto, w->base.data, w->base.size, digest);
        memcpy(h->base_id, digest, sizeof h->base_id);
    }
    w->status = status;
}

/* The header's own size is part of it. */
static enum moult_status write_header(struct moult_work *w,
                                      uint8_t out[MOULT_PATCH_HEADER_MAX])
{
    enum moult_status status = moult_patch_header_write(&w->header, out);
    if (status != MOULT_OK) { return status; }
    w->header.patch_size = (uint32_t)(w->header.size + w->out.size);
    return moult_patch_header_write(&w->header, out);
}

/* The header stands before the coded bytes, where room was left for it. */
static void finish(struct moult_work *w, uint8_t *room, struct moult_patch *out)
{
    uint8_t header[MOULT_PATCH_HEADER_MAX];
    identify(w);
    if (w->status == MOULT_OK) { w->status = write_header(w, header); }
    if (w->status != MOULT_OK) { return; }
    if (w->header.patch_size >= w->result.size * (uint64_t)WORTH_PERCENT / 100) {
        w->status = MOULT_E_SPACE;
        return;
    }
    uint8_t *begin = room + MOULT_PATCH_HEADER_MAX - w->header.size;
    memcpy(begin, header, w->header.size);
    prove(w, (struct moult_bytes){w->out.out, w->out.size});
    if (w->status != MOULT_OK) { return; }
    out->data = begin;
    out->size = w->header.patch_size;
    out->header = w->header;
}

enum moult_status moult_patch_create(struct moult_bytes base, struct moult_bytes result,
                                     const struct moult_encoder_options *options,
                                     uint8_t *workspace, struct moult_patch *out)
{
    static void (*const stages[])(struct moult_work *) = {
        moult_enc_classify, moult_enc_normalise, moult_enc_sort, moult_enc_align,
        moult_enc_map,      moult_enc_parse,     moult_enc_code,
    };
    assert(options && options->crypto && workspace && out);
    *out = (struct moult_patch){.data = NULL};
    bool is_known =
        options->profile == MOULT_PATCH_M8 || options->profile == MOULT_PATCH_M16;
    if (!is_known) { return MOULT_E_ARG; }
    if (result.size == 0 || result.size > MOULT_PATCH_IMAGE_MAX ||
        base.size > MOULT_PATCH_IMAGE_MAX) {
        return MOULT_E_RANGE;
    }
    struct moult_work w = {.options = options,
                           .workspace = workspace,
                           .workspace_size =
                               moult_patch_workspace_size(base.size, result.size),
                           .base = base,
                           .result = result,
                           .statistics = &out->statistics};
    w.probe = moult_work_array(&w, 1, sizeof *w.probe);
    w.codec = moult_work_array(&w, 1, sizeof *w.codec);
    w.out.capacity = result.size + 4096;
    uint8_t *room = moult_work_array(&w, MOULT_PATCH_HEADER_MAX + w.out.capacity, 1);
    if (w.status != MOULT_OK) { return w.status; }
    w.out.out = room + MOULT_PATCH_HEADER_MAX;
    for (size_t i = 0; i < sizeof stages / sizeof stages[0] && w.status == MOULT_OK; i++) {
        stages[i](&w);
    }
    if (w.status == MOULT_OK && w.out.is_full) { w.status = MOULT_E_SPACE; }
    if (w.status == MOULT_OK) { finish(&w, room, out); }
    return w.status;
}
