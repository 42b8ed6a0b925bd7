/* decoder.h - turns a patch into an image, in small steps.
 *
 * Layer    codec/decode: no heap, no recursion, no floating point, no globals. Whoever
 *          calls does all I/O.
 * Format   docs/spec/patch.md.
 * Memory   one struct moult_decoder, about 12 KB for profile M8 (MOULT_CODEC_M8_ONLY),
 *          20 KB with M16.
 * Threads  one at a time per decoder.
 * Power    a decoder is forgotten by a reset. Journal its mark at every BLOCK; later
 *          moult_decoder_resume() goes on at that block.
 * Use it   moult_patch_header_read(), moult_decoder_init(), then moult_decoder_step()
 *          until DONE or FAILED, doing what it asks for:
 *
 *              AGAIN   nothing, call again
 *              INPUT   moult_decoder_feed() with the next bytes behind the header
 *              EMIT    take emit.size bytes of output at emit.data
 *              BLOCK   mark says where the next block begins, in and out
 *
 * Bytes of a patch are believed by nobody: whatever they are, reads stay inside the base
 * and the output there is, output stays inside the declared size, work per byte is bounded.
 * That the result is right is for its digest to say.
 */
#ifndef MOULT_CODEC_DECODE_DECODER_H
#define MOULT_CODEC_DECODE_DECODER_H

#include "codec/decode/codec.h"
#include "codec/decode/symbols.h"
#include "formats/status.h"

enum moult_decoder_want {
    MOULT_DECODER_AGAIN,
    MOULT_DECODER_INPUT,
    MOULT_DECODER_EMIT,
    MOULT_DECODER_BLOCK,
    MOULT_DECODER_DONE,
    MOULT_DECODER_FAILED,
};

/* Where a block begins. What a journal keeps, with digests of its own. */
struct moult_decoder_mark {
    uint32_t block;
    uint32_t input;  /* bytes of the patch before it, header included */
    uint32_t output; /* bytes of output before it */
    uint8_t checksum;
};

/* What a decoder asks its caller for. False: cannot be read. */
struct moult_decoder_io {
    void *context;
    /* size bytes (at most 128) of the base at offset. */
    bool (*read_base)(void *context, uint32_t offset, uint8_t *out, uint32_t size);
    /* The same of the output that was emitted. */
    bool (*read_output)(void *context, uint32_t offset, uint8_t *out, uint32_t size);
    /* SHA-256 of the output [0, size): all that was emitted. */
    bool (*output_digest)(void *context, uint32_t size, uint8_t out[32]);
};

struct moult_decoder {
    struct moult_patch_header header;
    struct moult_decoder_io io;
    enum moult_status status; /* why it failed */
    struct moult_decoder_mark mark;
    struct {
        const uint8_t *data; /* in the decoder, until the next step */
        uint32_t offset, size;
    } emit;

    /* private */
    uint8_t state;
    uint32_t fed;     /* bytes of the patch so far, header included */
    uint32_t emitted; /* bytes of output that the caller has taken */
    uint32_t block;
    struct moult_move move; /* newest of the map */
    struct {
        enum moult_token token;
        uint32_t old, size, distance;
        uint32_t end;          /* of it, in the output */
        unsigned byte, misses; /* within a missed unit */
    } token;
    struct moult_codec codec;
};

#define MOULT_DECODER_SIZE MOULT_CODEC_SIZE(12800u, 21504u)
_Static_assert(sizeof(struct moult_decoder) <= MOULT_DECODER_SIZE, "RAM budget");

/* Begin. The header is copied; the base is read for its segments.
 *
 * ram_max   bytes that a decoder may have in this build, as moult_patch_ram() counts.
 *
 * MOULT_OK; MOULT_E_NOMEM: the patch needs more than ram_max; MOULT_E_UNSUPPORTED: a
 * profile that this build left out; MOULT_E_FORMAT: the base is not what the patch was made
 * for; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status
moult_decoder_init(struct moult_decoder *d, const struct moult_patch_header *header,
                   const struct moult_decoder_io *io, uint32_t ram_max);

/* At most size bytes of patch, in order, from behind the header. How many were taken. */
size_t moult_decoder_feed(struct moult_decoder *d, const uint8_t *data, size_t size);

/* A bounded piece of work: at most 256 bytes put out, or 512 walked. */
enum moult_decoder_want moult_decoder_step(struct moult_decoder *d);

/* Instead of going on at the first BLOCK (mark.block 0): go on at this one, which the same
 * patch gave before. Input goes on at mark->input; the output before mark->output is as it
 * was. MOULT_OK; MOULT_E_STATE: not at the first BLOCK; MOULT_E_RANGE: no block begins
 * there; MOULT_E_IO: the output before cannot be read. */
MOULT_MUST_CHECK enum moult_status
moult_decoder_resume(struct moult_decoder *d, const struct moult_decoder_mark *mark);

#endif
