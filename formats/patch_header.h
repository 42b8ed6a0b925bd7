/* patch_header.h - the plain part at the front of a moult patch.
 *
 * Layer    formats: pure functions, no decoder needed.
 * Format   docs/spec/patch.md, "Header".
 * Memory   struct moult_patch_header is about 600 bytes, the caller's.
 * Use it   read, then moult_patch_header_base() with a reader of the base; only then are
 *          all addresses known. Nothing here is trusted: the signed statement's digests
 *          decide.
 */
#ifndef MOULT_FORMATS_PATCH_HEADER_H
#define MOULT_FORMATS_PATCH_HEADER_H

#include <stdbool.h>
#include <stdint.h>
#include "formats/reader.h"

#define MOULT_PATCH_VERSION 1u
#define MOULT_PATCH_FIXED_SIZE 48u      /* bytes before the segment rows */
#define MOULT_PATCH_HEADER_MAX 512u     /* bytes, rows included */
#define MOULT_PATCH_PRELUDE_MAX 4096u   /* bytes of the coded map */
#define MOULT_PATCH_SEGMENTS_MAX 16u    /* as in an ESP image */
#define MOULT_PATCH_IMAGE_MAX 16777216u /* bytes of base and of result */
#define MOULT_PATCH_ID_SIZE 8u          /* first bytes of a SHA-256: a name, no proof */
#define MOULT_PATCH_CHIP_NONE 0xffffu   /* not an ESP image */

enum moult_patch_profile {
    MOULT_PATCH_M8 = 1,  /* decoder state of about 12 KB */
    MOULT_PATCH_M16 = 2, /* about 20 KB, patches 1 to 2 % smaller */
};

enum moult_patch_isa {
    MOULT_PATCH_GENERIC = 0,
    MOULT_PATCH_XTENSA = 1,      /* 16 and 24 bit: ESP32, S2 */
    MOULT_PATCH_XTENSA_WIDE = 2, /* with 32-bit units: S3 */
    MOULT_PATCH_RISCV = 3,       /* RV32IMC */
};

enum {
    MOULT_PATCH_HAS_BASE = 1,
    MOULT_PATCH_BASE_IS_ESP = 2, /* base segments are read from the base's own header */
    MOULT_PATCH_CHECKSUM = 4,    /* padding and checksum behind the segments are derived */
    MOULT_PATCH_DIGEST = 8,      /* and the appended SHA-256 */
    MOULT_PATCH_FLAGS = 15,
};

/* A part of an image that is loaded at an address. */
struct moult_patch_segment {
    uint32_t address, size, offset; /* offset in the file */
    bool is_code;
    uint8_t reach; /* addresses behind it that also count: 0 none, 1 64 KB, 2 192 KB */
};

struct moult_patch_header {
    uint8_t profile, isa, flags;
    uint8_t block_log2; /* output is cut at multiples of 2^this; 0: one block */
    uint16_t chip_id;
    uint16_t map_count;
    uint16_t size;         /* of the header */
    uint16_t prelude_size; /* of the coded map behind it */
    uint16_t same_address; /* bit i: new segment i has the address of base segment i */
    uint32_t base_size, new_size, patch_size;
    uint8_t base_id[MOULT_PATCH_ID_SIZE], new_id[MOULT_PATCH_ID_SIZE];
    uint8_t new_count, base_count;
    struct moult_patch_segment new_segments[MOULT_PATCH_SEGMENTS_MAX];
    struct moult_patch_segment base_segments[MOULT_PATCH_SEGMENTS_MAX];
};

/* Read a header from the front of a patch.
 *
 * data      size bytes of the patch, at least the header; MOULT_PATCH_HEADER_MAX is enough.
 * finding   NULL, or filled on failure: detail E_PATCH_FORMAT, `where` a byte offset.
 *
 * MOULT_OK; MOULT_E_TRUNCATED: data ends inside; MOULT_E_UNSUPPORTED: another version,
 * profile, ISA or flag; MOULT_E_FORMAT: anything else that is not as the specification
 * says. */
MOULT_MUST_CHECK enum moult_status moult_patch_header_read(const uint8_t *data, size_t size,
                                                           struct moult_patch_header *out,
                                                           struct moult_finding *finding);

/* Complete the segments from the base: its ESP header where the patch says so.
 * MOULT_OK, also without base; MOULT_E_FORMAT: the base has other segments than the patch
 * was made for; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status
moult_patch_header_base(struct moult_patch_header *header, const struct moult_reader *base);

/* Encode into out; header->size is set. MOULT_OK; MOULT_E_SPACE: more than
 * MOULT_PATCH_HEADER_MAX bytes. The caller keeps the rules of the specification. */
MOULT_MUST_CHECK enum moult_status
moult_patch_header_write(struct moult_patch_header *header,
                         uint8_t out[MOULT_PATCH_HEADER_MAX]);

/* End of the last new segment: tokens stop here for the derived bytes. 0 without segments.
 */
uint32_t moult_patch_segments_end(const struct moult_patch_header *header);

/* Bytes derived behind the segments; 0 without MOULT_PATCH_CHECKSUM. */
uint32_t moult_patch_derived_size(const struct moult_patch_header *header);

/* Bytes of output in a block: 2^block_log2, or the whole. */
uint32_t moult_patch_block_size(const struct moult_patch_header *header);

/* Decoder RAM that a patch needs, in bytes: what a statement's source announces. */
uint32_t moult_patch_ram(uint8_t profile, uint16_t map_count);

#endif
