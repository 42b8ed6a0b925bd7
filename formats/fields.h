/* fields.h - maps as tables: reader and writer walk the same rows.
 *
 * Layer    formats: pure functions. Private to formats/.
 * Format   docs/spec/cbor-profile.md, "Maps".
 * Use it   describe a map once (struct moult_map), then moult_map_read() and
 *          moult_map_write().
 *
 * A record is the C struct of a map. Its first member is `uint32_t present`, in which bit k
 * says that key k (< 32) was there. Strings stay in the message and are borrowed.
 *
 * Two levels exist and the call graph has no cycle: moult_record_read() reads a whole
 * message and may meet KIND_NESTED rows, whose functions may call moult_map_read(), which
 * reads a map inside it and may not.
 */
#ifndef MOULT_FORMATS_FIELDS_H
#define MOULT_FORMATS_FIELDS_H

#include "formats/cbor.h"
#include "formats/reader.h" /* struct moult_finding */

enum moult_field_kind {
    MOULT_KIND_CONST,  /* no member; the value is always min */
    MOULT_KIND_U8,     /* uint8_t, min <= value <= max */
    MOULT_KIND_U16,    /* uint16_t */
    MOULT_KIND_U32,    /* uint32_t */
    MOULT_KIND_U64,    /* uint64_t; max does not count */
    MOULT_KIND_FIXED,  /* const uint8_t *, a byte string of exactly max bytes */
    MOULT_KIND_BYTES,  /* struct moult_bytes, a byte string of min..max bytes */
    MOULT_KIND_TEXT,   /* struct moult_bytes, text of min..max characters */
    MOULT_KIND_ANY,    /* struct moult_bytes, any item, kept encoded */
    MOULT_KIND_CUSTOM, /* functions below; they read and write no maps */
    MOULT_KIND_NESTED, /* functions below; they may; in records only */
};

/* For a value that is not a plain one. Both get the record. read leaves mistakes in the
 * reader's status. */
struct moult_field_custom {
    void (*read)(struct moult_cbor_reader *reader, void *record);
    void (*write)(struct moult_cbor_writer *writer, const void *record);
};

struct moult_field {
    uint8_t key;     /* < 32 */
    uint8_t kind;    /* enum moult_field_kind */
    uint16_t offset; /* of the member */
    uint32_t min, max;
    const struct moult_field_custom *custom;
};

struct moult_map {
    const struct moult_field *fields; /* ascending keys */
    uint8_t count;
    uint16_t size;       /* of the record */
    uint16_t extensions; /* offset of its struct moult_cbor_list of entries >= 64 */
    uint32_t required;   /* bit per key */
};

#define MOULT_FIELD_COUNT_OF(rows) ((uint8_t)(sizeof(rows) / sizeof(rows)[0]))

/* Reads a map into a record, which is zeroed first. Mistakes are in reader->status:
 * MOULT_E_RANGE for a value that is missing, of another type or out of range;
 * MOULT_E_UNSUPPORTED for an unknown key below 64 and for another value of a CONST. */
void moult_map_read(struct moult_cbor_reader *reader, const struct moult_map *map,
                    void *record);
void moult_record_read(struct moult_cbor_reader *reader, const struct moult_map *map,
                       void *record);

/* Writes the required keys and those whose bit is in `present`, then the extensions. */
void moult_map_write(struct moult_cbor_writer *writer, const struct moult_map *map,
                     const void *record);
void moult_record_write(struct moult_cbor_writer *writer, const struct moult_map *map,
                        const void *record);

/* Reads an unsigned message: limit, profile, then the record.
 * MOULT_OK; MOULT_E_RANGE: over `size_max`; MOULT_E_FORMAT; MOULT_E_UNSUPPORTED: an unknown
 * critical key. finding (may be NULL) is CBOR_PROFILE with the byte. */
MOULT_MUST_CHECK enum moult_status
moult_message_read(struct moult_bytes message, size_t size_max, const struct moult_map *map,
                   void *record, struct moult_finding *finding);

#endif
