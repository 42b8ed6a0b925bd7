/* encoder.h - makes a patch that turns one image into another.
 *
 * Layer    codec/encode: host only. Deterministic: the same images and options give the
 *          same bytes, on any machine.
 * Format   docs/spec/patch.md; how it decides is in docs/design/patch-encoder.md.
 * Memory   the caller's workspace of moult_patch_workspace_size() bytes; besides, the
 *          suffix sort takes about 260 KB of heap for itself.
 * Threads  any number of encoders side by side.
 */
#ifndef MOULT_CODEC_ENCODE_ENCODER_H
#define MOULT_CODEC_ENCODE_ENCODER_H

#include <stdbool.h>
#include "formats/crypto.h"
#include "formats/patch_header.h"

enum moult_encoder_phase {
    MOULT_ENCODER_SORT,   /* suffixes of the base */
    MOULT_ENCODER_ALIGN,  /* what is where */
    MOULT_ENCODER_PARSE,  /* the cheapest tokens */
    MOULT_ENCODER_CODE,   /* bits */
    MOULT_ENCODER_VERIFY, /* decoded again */
};

struct moult_encoder_options {
    uint8_t profile;                   /* enum moult_patch_profile */
    const struct moult_crypto *crypto; /* SHA-256; borrowed */

    /* Told how far it is, often; false ends the work. NULL: never. */
    bool (*progress)(void *context, enum moult_encoder_phase phase, unsigned percent);
    void *context;
};

/* What a patch is made of: bytes of output by kind of token, and how many of each. */
struct moult_encoder_statistics {
    uint32_t tokens[4], bytes[4];   /* by enum moult_token */
    uint32_t units[17], misses[17]; /* of covers, by type */
    uint32_t blocks;
};

struct moult_patch {
    const uint8_t *data; /* in the workspace */
    size_t size;
    struct moult_patch_header header;
    struct moult_encoder_statistics statistics;
};

/* Bytes of workspace that these sizes need. */
size_t moult_patch_workspace_size(size_t base_size, size_t result_size);

/* Make a patch from base to result. An empty base gives a compressed full image.
 *
 * workspace   moult_patch_workspace_size() bytes, aligned as malloc() aligns; the patch is
 *             in it afterwards.
 *
 * MOULT_OK; MOULT_E_ARG: profile; MOULT_E_RANGE: result empty, or either over 16 MB;
 * MOULT_E_SPACE: the patch is not smaller than 97 % of the result, as for encrypted or
 * compressed data: send it as it is; MOULT_E_REFUSED: progress said no; MOULT_E_NOMEM;
 * MOULT_E_INTERNAL: what was made does not decode to the result. out->data is NULL on
 * failure. */
MOULT_MUST_CHECK enum moult_status
moult_patch_create(struct moult_bytes base, struct moult_bytes result,
                   const struct moult_encoder_options *options, uint8_t *workspace,
                   struct moult_patch *out);

#endif
