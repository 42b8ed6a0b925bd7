/* patching.c - see patching.h. */
#include "tests/support/patching.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "keys/openssl_crypto.h"

static struct moult_crypto crypto;

static void insist(bool holds, const char *what)
{
    if (holds) { return; }
    fprintf(stderr, "patching: %s\n", what);
    abort();
}

/* What a decoder may see of the world. */
struct world {
    struct patching *p;
    uint32_t base_size, emitted;
};

static bool read_base(void *context, uint32_t offset, uint8_t *out, uint32_t size)
{
    struct world *w = context;
    insist(size > 0 && size <= 128, "reads of the base are small");
    insist(offset <= w->base_size && size <= w->base_size - offset, "base reads inside");
    memcpy(out, w->p->base.data + offset, size);
    return true;
}

static bool read_output(void *context, uint32_t offset, uint8_t *out, uint32_t size)
{
    struct world *w = context;
    insist(size > 0 && size <= 128, "reads of the output are small");
    insist(offset <= w->emitted && size <= w->emitted - offset, "only what was emitted");
    memcpy(out, w->p->output + offset, size);
    return true;
}

static bool output_digest(void *context, uint32_t size, uint8_t out[32])
{
    struct world *w = context;
    insist(size == w->emitted, "the digest is over all that was emitted");
    return moult_sha256_once(&crypto, w->p->output, size, out) == MOULT_OK;
}

enum moult_status patching_make(struct patching *p, struct moult_bytes base,
                                struct moult_bytes result, uint8_t profile)
{
    crypto = keys_openssl_crypto();
    struct moult_encoder_options options = {.profile = profile, .crypto = &crypto};
    *p = (struct patching){.base = base, .result = result};
    p->workspace = malloc(moult_patch_workspace_size(base.size, result.size));
    p->output = calloc(1, result.size + 1);
    insist(p->workspace && p->output, "memory");
    return moult_patch_create(base, result, &options, p->workspace, &p->patch);
}

void patching_free(struct patching *p)
{
    free(p->workspace);
    free(p->output);
    *p = (struct patching){.workspace = NULL};
}

static void take(struct world *w, const struct moult_decoder *d)
{
    insist(d->emit.size > 0 && d->emit.size <= 256, "pieces of 1 to 256 bytes");
    insist(d->emit.offset == w->emitted, "output in order");
    insist(d->emit.offset + d->emit.size <= d->header.new_size, "output inside");
    if (d->emit.offset + d->emit.size <= w->p->result.size) {
        memcpy(w->p->output + d->emit.offset, d->emit.data, d->emit.size);
    }
    w->emitted += d->emit.size;
}

/* The next bytes; false: there are none. */
static bool feed(struct moult_decoder *d, struct moult_bytes patch, size_t *fed,
                 size_t piece)
{
    size_t rest = patch.size - *fed;
    if (rest == 0) { return false; }
    *fed +=
        moult_decoder_feed(d, patch.data + *fed, piece > 0 && piece < rest ? piece : rest);
    return true;
}

static void remember(struct patching *p, struct moult_decoder *d, struct world *w,
                     const struct patching_how *how, size_t *fed)
{
    if (p->mark_count < PATCHING_MARKS) { p->marks[p->mark_count++] = d->mark; }
    if (!how->from || d->mark.block != 0 || d->mark.output != 0) { return; }
    w->emitted = how->from->output;
    insist(moult_decoder_resume(d, how->from) == MOULT_OK, "a mark of its own is accepted");
    *fed = how->from->input;
}

static enum moult_status run(struct moult_decoder *d, struct world *w,
                             const struct patching_how *how, struct moult_bytes patch)
{
    size_t fed = d->header.size;
    struct patching *p = w->p;
    uint64_t most = 64 * (uint64_t)d->header.new_size + 100000; /* work is bounded */
    for (p->steps = 0; p->steps < most; p->steps++) {
        switch (moult_decoder_step(d)) {
        case MOULT_DECODER_AGAIN:
            break;
        case MOULT_DECODER_INPUT:
            if (!feed(d, patch, &fed, how->piece)) { return MOULT_E_TRUNCATED; }
            break;
        case MOULT_DECODER_EMIT:
            take(w, d);
            break;
        case MOULT_DECODER_BLOCK:
            remember(p, d, w, how, &fed);
            break;
        case MOULT_DECODER_DONE:
            insist(w->emitted == d->header.new_size, "done is all");
            return MOULT_OK;
        case MOULT_DECODER_FAILED:
            insist(moult_decoder_step(d) == MOULT_DECODER_FAILED, "failed for good");
            return d->status;
        }
    }
    insist(false, "it ends");
    return MOULT_E_INTERNAL;
}

enum moult_status patching_apply(struct patching *p, const struct patching_how *how)
{
    static struct moult_decoder d;
    struct moult_patch_header header;
    struct moult_bytes patch = how->patch;
    crypto = keys_openssl_crypto();
    if (!patch.data) { patch = (struct moult_bytes){p->patch.data, p->patch.size}; }
    enum moult_status status =
        moult_patch_header_read(patch.data, patch.size, &header, NULL);
    if (status != MOULT_OK) { return status; }
    if (header.base_size != p->base.size || header.new_size > p->result.size) {
        return MOULT_E_INCOMPATIBLE; /* as the statement's sizes say */
    }
    struct world w = {.p = p, .base_size = header.base_size};
    struct moult_decoder_io io = {&w, read_base, read_output, output_digest};
    p->mark_count = 0;
    status = moult_decoder_init(&d, &header, &io, UINT32_MAX);
    return status == MOULT_OK ? run(&d, &w, how, patch) : status;
}
