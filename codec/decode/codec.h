/* codec.h - the state that decoder and encoder share, and the parts it is made of.
 *
 * Layer    codec/decode, private to the codec.
 * Format   docs/spec/patch.md.
 * Memory   one struct moult_codec, inside struct moult_decoder or the encoder's workspace.
 *
 * Who predicts, and who codes: a walker (walker.h) goes over the base unit by unit and
 * predicts bytes; the functions of symbols.h code what is and learn; output.c keeps what
 * was put out. Nothing depends on how bytes are buffered.
 */
#ifndef MOULT_CODEC_DECODE_CODEC_H
#define MOULT_CODEC_DECODE_CODEC_H

#include <stdbool.h>
#include <stdint.h>
#include "codec/decode/model.h"
#include "codec/decode/range_coder.h"
#include "formats/patch_header.h"

enum {
    MOULT_CODEC_MAP_MAX = MOULT_CODEC_SIZE(256, 512),
    MOULT_CODEC_CACHE_MAX = MOULT_CODEC_SIZE(32, 64),
    MOULT_CODEC_RECENT = 16, /* covers whose shift is remembered */
    MOULT_CODEC_PAGE = 256,  /* bytes put out together */
    MOULT_CODEC_RING = 512,  /* newest bytes, kept for reading back: a unit may begin in a
                                page that was not put out yet and end in the next */
    MOULT_CODEC_WINDOW = 128,
};

/* Bytes of an image at an offset, through a window. Memory needs none: data is the whole
 * then. */
struct moult_view {
    /* False: cannot be read; the codec fails. */
    bool (*read)(void *context, uint32_t offset, uint8_t *out, uint32_t size);
    void *context;
    const uint8_t *data; /* bytes [from, from + size) */
    uint32_t from, size;
    uint8_t *window; /* MOULT_CODEC_WINDOW bytes to read into; NULL: data is all */
};

/* From this address on everything moved by shift. */
struct moult_move {
    uint32_t address;
    uint32_t shift;
};

/* A target that the map places wrongly, and by how much. */
struct moult_correction {
    uint32_t target; /* 0: empty */
    uint32_t shift;
};

struct moult_recent {
    uint32_t from, size; /* of the base */
    uint32_t shift;      /* output minus base position */
};

/* What each register holds for the RISC-V walker: the upper part of an address. */
struct moult_high {
    uint32_t old;   /* its value in the base */
    uint32_t place; /* of the instruction in the output */
    uint32_t seen;  /* unit count then, times 4, plus kind */
};
enum { MOULT_HIGH_NONE = 0, MOULT_HIGH_LUI = 1, MOULT_HIGH_AUIPC = 2 };

/* A step of the walker. */
struct moult_unit {
    uint8_t type; /* enum moult_unit_type */
    uint8_t size; /* 1..4 bytes */
    bool has_target;
    bool is_word;     /* of data that is no ESP code */
    uint8_t field;    /* bits of a branch's offset on Xtensa */
    uint32_t target;  /* address in the base */
    uint32_t key;     /* context of the hit flag */
    uint32_t high;    /* LO: upper part in the output */
    uint32_t address; /* of the unit in the base */
    uint8_t old[4], predicted[4];
};

enum moult_unit_type {
    MOULT_UNIT_RAW = 0,
    MOULT_UNIT_DAT = 1,
    MOULT_UNIT_PTR = 2,
    MOULT_UNIT_X2 = 3,
    MOULT_UNIT_X3 = 4,
    MOULT_UNIT_CALL = 5,
    MOULT_UNIT_L32R = 6,
    MOULT_UNIT_R2 = 7,
    MOULT_UNIT_R4 = 8,
    MOULT_UNIT_JAL = 9,
    MOULT_UNIT_HI = 10,
    MOULT_UNIT_LO = 11,
    MOULT_UNIT_J = 12,
    MOULT_UNIT_PCR = 13,
    MOULT_UNIT_PCN = 14,
    MOULT_UNIT_BR = 15,
    MOULT_UNIT_BC = 16,
};

struct moult_walker {
    const struct moult_patch_segment *segments; /* of what is walked */
    uint32_t segment_count;
    uint32_t size;        /* bytes that may be walked */
    uint32_t at;          /* next unit */
    uint32_t raw_until;   /* tail of a unit that began before the cover */
    uint32_t count;       /* units, for the age of registers */
    uint32_t place_shift; /* output minus base position, while dry */
    int32_t segment;      /* that holds `at`; -1 none */
    uint32_t from, end;   /* of that segment, or of the gap; end > at, or unknown */
    uint32_t seek_to;     /* where the cover begins */
    uint32_t seek_low;    /* where the search for a function's entry ends */
    bool is_searching;    /* for it, at `at` and below */
    bool is_dry;          /* pre-roll: only lengths and registers */
    bool after_jump;      /* Xtensa: zeros are padding */
    bool is_relocating;   /* walks the output: no map, no cache, no recent covers */
    struct moult_high high[32];
};

struct moult_codec {
    const struct moult_patch_header *header; /* borrowed; base segments filled in */
    const struct moult_profile *profile;
    bool is_bad;   /* a stream said what cannot be */
    bool is_stuck; /* base or output could not be read */

    /* --- output (output.c) --- */
    uint32_t at;    /* next byte */
    uint32_t limit; /* of the token: block border, end of segments, or of the image */
    uint32_t block_end;
    uint8_t checksum;     /* xor of segment data */
    int32_t segment;      /* new segment that holds `at`; -1 none */
    uint32_t segment_end; /* of it, or of the gap before the next */
    uint32_t instruction; /* where the one under way began */
    uint32_t instruction_size;
    const uint8_t *known;           /* all of it, for an encoder; NULL: ring and view */
    uint8_t ring[MOULT_CODEC_RING]; /* byte at p is ring[p % 512] */
    uint8_t output_window[MOULT_CODEC_WINDOW];
    struct moult_view output;

    /* --- base and prediction --- */
    uint8_t base_window[MOULT_CODEC_WINDOW], ahead_window[MOULT_CODEC_WINDOW];
    struct moult_view base, ahead;
    struct moult_walker walker;
    struct moult_unit unit;
    uint32_t unit_at; /* position of the unit in what is walked */
    struct moult_correction cache[MOULT_CODEC_CACHE_MAX];
    struct moult_recent recent[MOULT_CODEC_RECENT];
    uint32_t recent_count;
    uint64_t pre_rolled; /* bytes of all pre-rolls */
    struct moult_move map[MOULT_CODEC_MAP_MAX];
    uint32_t map_count;

    /* --- history --- */
    uint32_t rep[MOULT_REPEATS];  /* base minus output position */
    uint32_t nrep[MOULT_REPEATS]; /* distances of matches */
    uint32_t last_old;            /* where the last cover ended in the base */
    uint8_t hk, ht;
    bool lm;              /* the last token but literals was a match */
    uint32_t hist, since; /* hit flags: last outcomes, hits since the last miss */
    int32_t target_list[2][MOULT_REPEATS], difference_list[MOULT_REPEATS];
    uint8_t last_difference[MOULT_UNIT_TYPES * 4];

    struct moult_rc rc;
    struct moult_model model;
};

/* What must hold at the start of every block, from position `at`. */
void moult_codec_reset(struct moult_codec *c);

/* --- views (view.c) --- */

/* size bytes at offset, which must exist; zeros and is_stuck when they cannot be read. */
void moult_view_get(struct moult_codec *c, struct moult_view *view, uint32_t offset,
                    uint8_t *out, uint32_t size);

/* --- output (output.c) --- */

/* Append one byte. at < header->new_size. */
void moult_output_put(struct moult_codec *c, uint8_t byte);

/* Byte at p < at; 32-bit word at p, p + 4 <= at. */
uint8_t moult_output_byte(struct moult_codec *c, uint32_t p);
uint32_t moult_output_word(struct moult_codec *c, uint32_t p);

/* Address of position p in the new image; 0 outside its segments. */
uint32_t moult_new_address(const struct moult_codec *c, uint32_t p);

/* Where the instruction machine stands: sets the phase of `at`, 0..3. Kind: 0 outside
 * segments, 1 code, 2 data. */
uint32_t moult_output_phase(const struct moult_codec *c, uint32_t *kind);

/* Find the segment of `at` again, e.g. after a resume. */
void moult_output_locate(struct moult_codec *c);

/* --- addresses (address.c) --- */

/* Where a target of the base went: by the map alone; by a correction first. */
uint32_t moult_mapped(const struct moult_codec *c, uint32_t target);
uint32_t moult_corrected(const struct moult_codec *c, uint32_t target);
/* A local jump's target: by correction, by the recent covers, else as far away as before.
 */
uint32_t moult_branched(const struct moult_codec *c, const struct moult_unit *unit);
/* Whether a unit's target is predicted as that of a local jump. */
bool moult_is_local(const struct moult_unit *unit);
/* The one of the three that is right for the unit's type. */
uint32_t moult_unit_expected(const struct moult_codec *c, const struct moult_unit *unit);

struct moult_correction *moult_correction_of(struct moult_codec *c, uint32_t target);

/* A cover begins: its shift is the newest. */
void moult_recent_push(struct moult_codec *c, uint32_t old, uint32_t size);

#endif
