/* cbor.h - deterministic CBOR: every value has exactly one spelling.
 *
 * Layer    formats: pure functions.
 * Format   docs/spec/cbor-profile.md.
 * Memory   the reader borrows its input, the writer its buffer; no heap, no recursion.
 * Use it   reading: moult_cbor_check() over the whole input, then a reader; ask for one
 *          item after the other and look at `status` once, at the end. Writing: the same
 *          list of calls in the same order, then `status` and `size`.
 */
#ifndef MOULT_FORMATS_CBOR_H
#define MOULT_FORMATS_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "formats/bytes.h"
#include "formats/compiler.h"
#include "formats/status.h"

#define MOULT_CBOR_DEPTH_MAX 6u    /* containers inside each other */
#define MOULT_CBOR_ENTRIES_MAX 64u /* entries of one map */
#define MOULT_CBOR_EXTENSION_KEY                                                           \
    64u /* keys from here on are skipped by who does not know them */
#define MOULT_CBOR_EXTENSIONS_MAX 8u /* such keys in one map */
#define MOULT_CBOR_ESP256 (-9)       /* COSE algorithm, RFC 9864: written */
#define MOULT_CBOR_ES256 (-7)        /* COSE algorithm, RFC 9053: read as well */

/* Major types of RFC 8949. */
enum moult_cbor_type {
    MOULT_CBOR_UINT = 0,
    MOULT_CBOR_NEGATIVE = 1,
    MOULT_CBOR_BYTES = 2,
    MOULT_CBOR_TEXT = 3,
    MOULT_CBOR_ARRAY = 4,
    MOULT_CBOR_MAP = 5,
    MOULT_CBOR_TAG = 6,
    MOULT_CBOR_SIMPLE = 7,
    MOULT_CBOR_END = 8, /* no byte left, or the reader has failed */
};

/* What moult_cbor_check() lets pass beside the plain profile. */
enum moult_cbor_place {
    MOULT_CBOR_PAYLOAD,        /* no tag, no negative number */
    MOULT_CBOR_KEYSET_PAYLOAD, /* -9 first in an array that is an element of entry 5 */
    MOULT_CBOR_ENVELOPE,       /* tag 98 as the very first byte */
};

/* Encoded items (of a map: entries) one behind the other, without the head of their
 * container. */
struct moult_cbor_list {
    struct moult_bytes encoded;
    uint8_t count;
};

/* Whether `input` is exactly one item of the profile, all the way down (byte strings are
 * not looked into). Bounded by the input: each byte is looked at once.
 *
 * where  may be NULL; on failure the byte at which it went wrong.
 *
 * MOULT_OK; MOULT_E_FORMAT: not of the profile, or it ends early; MOULT_E_RANGE: a good
 * item, but bytes follow it. */
MOULT_MUST_CHECK enum moult_status
moult_cbor_check(struct moult_bytes input, enum moult_cbor_place place, size_t *where);

/* The status only worsens, in this order:
 * MOULT_OK
 * MOULT_E_RANGE        an item had another type, size or value than asked for, or was
 * missing; it was skipped and reading went on MOULT_E_UNSUPPORTED  a map had an unknown key
 * below 64 (fields.h); reading went on MOULT_E_FORMAT       not of the profile; nothing
 * more is read */
struct moult_cbor_reader {
    const uint8_t *start;
    const uint8_t *at;    /* next byte; borrowed until the values read are no longer used */
    const uint8_t *end;   /* behind the last byte */
    const uint8_t *fault; /* what worsened the status last; NULL while it is OK */
    enum moult_status status;
};

void moult_cbor_reader_init(struct moult_cbor_reader *reader, struct moult_bytes input);

/* Type of the next item, which stays unread. */
enum moult_cbor_type moult_cbor_peek(const struct moult_cbor_reader *reader);

/* The next item, if it is what the function's name says and min <= value, size or count <=
 * max. Otherwise the status worsens and the result is 0, empty or NULL. */
uint64_t moult_cbor_read_u64(struct moult_cbor_reader *reader, uint64_t min, uint64_t max);
struct moult_bytes moult_cbor_read_bytes(struct moult_cbor_reader *reader, size_t min,
                                         size_t max);
struct moult_bytes moult_cbor_read_text(struct moult_cbor_reader *reader, size_t min,
                                        size_t max);
const uint8_t *moult_cbor_read_fixed(struct moult_cbor_reader *reader, size_t size);

/* Enters an array or map: the items (for a map: key, value, key ...) are read next, by the
 * caller, and there is no call to leave it. A refused container is skipped whole. */
uint32_t moult_cbor_read_array(struct moult_cbor_reader *reader, uint32_t min,
                               uint32_t max);
uint32_t moult_cbor_read_map(struct moult_cbor_reader *reader, uint32_t min, uint32_t max);

/* The algorithm number -9 or -7; 0 otherwise. */
int moult_cbor_read_alg(struct moult_cbor_reader *reader);

/* Any item, as its bytes. Containers are skipped whole. Only safe in the sense of the
 * profile after moult_cbor_check(); always safe in memory. */
struct moult_bytes moult_cbor_read_any(struct moult_cbor_reader *reader);

/* Worsens the status for an item that starts at `at`. */
void moult_cbor_reject(struct moult_cbor_reader *reader, enum moult_status status,
                       const uint8_t *at);

/* Offset of the fault in the input; 0 while the status is OK. */
size_t moult_cbor_fault(const struct moult_cbor_reader *reader);

struct moult_cbor_writer {
    uint8_t *data;   /* borrowed until the end */
    size_t capacity; /* bytes */
    size_t size;     /* bytes written; keeps its value after a failure */
    enum moult_status
        status; /* MOULT_OK; MOULT_E_SPACE: did not fit, nothing more is written */
};

void moult_cbor_writer_init(struct moult_cbor_writer *writer, uint8_t *data,
                            size_t capacity);
void moult_cbor_write_u64(struct moult_cbor_writer *writer, uint64_t value);
void moult_cbor_write_bytes(struct moult_cbor_writer *writer, const uint8_t *data,
                            size_t size);
/* The head of a byte string whose bytes the caller writes next. */
void moult_cbor_write_bytes_head(struct moult_cbor_writer *writer, size_t size);
void moult_cbor_write_text(struct moult_cbor_writer *writer, struct moult_bytes text);
void moult_cbor_write_array(struct moult_cbor_writer *writer, uint32_t count);
void moult_cbor_write_map(struct moult_cbor_writer *writer, uint32_t count);
void moult_cbor_write_alg(struct moult_cbor_writer *writer, int alg); /* -9 or -7 */
/* Bytes that are encoded already. */
void moult_cbor_write_raw(struct moult_cbor_writer *writer, struct moult_bytes encoded);
/* What was written so far, borrowed from the writer's buffer. */
struct moult_bytes moult_cbor_written(const struct moult_cbor_writer *writer);

#endif
