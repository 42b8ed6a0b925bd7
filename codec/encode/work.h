/* work.h - what the stages of the encoder hand to each other.
 *
 * Layer    codec/encode, private to it.
 * Memory   every array is in the caller's workspace. moult_work_mark() and _release()
 *          give back what one stage needed for itself.
 */
#ifndef MOULT_CODEC_ENCODE_WORK_H
#define MOULT_CODEC_ENCODE_WORK_H

#include "codec/decode/codec.h"
#include "codec/decode/symbols.h"
#include "codec/encode/encoder.h"
#include "codec/encode/range_encoder.h"

struct moult_enc_token {
    uint8_t kind; /* enum moult_token */
    uint32_t at, size;
    uint32_t from; /* cover: position in the base; match: distance */
};

/* [at, at + size) of the result lies at `old` of the base, more or less. */
struct moult_enc_cover {
    uint32_t at, old, size;
};

struct moult_work {
    const struct moult_encoder_options *options;
    uint8_t *workspace;
    size_t workspace_size, workspace_used;
    struct moult_bytes base, result;
    struct moult_patch_header header;
    uint32_t derived_from, derived_size; /* bytes of the result that no token makes */

    /* Operands masked, so that code that only moved looks the same. */
    uint8_t *base_normal, *result_normal;
    int32_t *suffixes; /* of base_normal */

    struct moult_enc_cover *covers;
    size_t cover_count, cover_capacity;
    struct moult_move *map;
    uint32_t map_count;
    struct moult_enc_token *tokens;
    size_t token_count, token_capacity;

    struct moult_codec *probe; /* predicts without having coded */
    struct moult_codec *codec; /* codes */
    struct moult_range_encoder out;
    struct moult_encoder_statistics *statistics;
    enum moult_status status; /* first failure */
};

/* count elements of size bytes, zeroed; NULL and status NOMEM: the workspace is full. */
void *moult_work_array(struct moult_work *w, size_t count, size_t size);

/* Everything taken after the mark is given back by release. */
static inline size_t moult_work_mark(const struct moult_work *w)
{
    return w->workspace_used;
}
static inline void moult_work_release(struct moult_work *w, size_t mark)
{
    w->workspace_used = mark;
}

/* False: stop (status is set). */
bool moult_work_progress(struct moult_work *w, enum moult_encoder_phase phase,
                         uint64_t done, uint64_t all);

/* --- stages, in order; each leaves status --- */
void moult_enc_classify(struct moult_work *w);  /* classify.c: segments, ISA, derived */
void moult_enc_normalise(struct moult_work *w); /* normalise.c */
void moult_enc_sort(struct moult_work *w);      /* suffixes.c */
void moult_enc_align(struct moult_work *w);     /* align.c: covers */
void moult_enc_map(struct moult_work *w);       /* vote.c: map */
void moult_enc_parse(struct moult_work *w);     /* parse.c: tokens */
void moult_enc_code(struct moult_work *w);      /* write.c: bytes into w->out */

/* --- shared --- */

/* A codec over images in memory, at the start of output. */
void moult_enc_codec_init(struct moult_work *w, struct moult_codec *c);

/* Put the probe's walker at `old`, output at `at`; no pre-roll is charged. */
void moult_enc_probe(struct moult_work *w, uint32_t old, uint32_t at);

/* Whether the target in a unit's new bytes can be told: all other bits are the old ones. */
bool moult_enc_target(struct moult_codec *c, const uint8_t *bytes, uint32_t *target);

/* Bytes that a and b have in common at the front, at most `most`. */
uint32_t moult_enc_common(const uint8_t *a, const uint8_t *b, uint32_t most);

/* First suffix that is not less than the `size` bytes at `bytes`, 0..base size. */
uint32_t moult_enc_suffix_find(const struct moult_work *w, const uint8_t *bytes,
                               uint32_t size);

/* Whole bits of x: 0 for 0 and 1. */
uint32_t moult_enc_log2(uint32_t x);

#endif
