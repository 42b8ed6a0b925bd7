/* fields.h - maps as tables: reader and writer walk the same rows.
 *
 * Layer    formats: pure functions. Private to formats/.
 * Format   docs/spec/cbor-profile.md, "Maps".
 * Use it   describe a map once (struct moult_map), then moult_record_read() and
 *          moult_record_write().
 *
 * A record is the C struct of a map. Its first member is `uint32_t present`, in which bit k
 * says that key k (< 32) was there. Strings stay in the message and are borrowed.
 *
 * Nesting is part of the types, so that no function calls itself: a record (the whole
 * message) may hold maps (MAP, MAPS); a map may hold arrays (TUPLE, TUPLES, LIST); an array
 * holds plain values.
 */
#ifndef MOULT_FORMATS_FIELDS_H
#define MOULT_FORMATS_FIELDS_H

#include "formats/cbor.h"
#include "formats/reader.h" /* struct moult_finding */

enum moult_field_kind {
    /* plain values */
    MOULT_KIND_CONST, /* no member; the value is always min */
    MOULT_KIND_ALG,   /* no member; -9 */
    MOULT_KIND_U8,    /* uint8_t, min <= value <= max */
    MOULT_KIND_U16,   /* uint16_t */
    MOULT_KIND_U32,   /* uint32_t */
    MOULT_KIND_U64,   /* uint64_t; max does not count */
    MOULT_KIND_FIXED, /* const uint8_t *, a byte string of exactly max bytes */
    MOULT_KIND_BYTES, /* struct moult_bytes, a byte string of min..max bytes */
    MOULT_KIND_TEXT,  /* struct moult_bytes, text of min..max characters */
    MOULT_KIND_ANY,   /* struct moult_bytes, any item, kept encoded */
    /* in maps and records */
    MOULT_KIND_TUPLE,  /* an array of exactly the rows of `array` */
    MOULT_KIND_TUPLES, /* an array of min..max such arrays */
    MOULT_KIND_LIST, /* an array of min..max plain values, each by the one row of `array` */
    MOULT_KIND_CUSTOM, /* the functions of `custom`, which get the member */
    /* in records */
    MOULT_KIND_MAP,  /* a struct of the map `map` */
    MOULT_KIND_MAPS, /* an array of min..max of them; `stride` and `count` of its own */
};

struct moult_field {
    uint8_t key;     /* of a map, < 32; in arrays not used */
    uint8_t kind;    /* enum moult_field_kind */
    uint16_t offset; /* of the member; of arrays of several: of the first element */
    uint32_t min, max;
    union {
        const struct moult_array *array;
        const struct moult_map *map;
        const struct moult_field_custom *custom;
    };
};

struct moult_array {
    const struct moult_field *rows;
    uint8_t row_count;
    uint16_t stride; /* TUPLES, LIST: bytes from one element to the next */
    uint16_t
        count; /* TUPLES, LIST: offset of the uint8_t that counts them, in the record */
};

/* read leaves mistakes in the reader's status. */
struct moult_field_custom {
    void (*read)(struct moult_cbor_reader *reader, void *member);
    void (*write)(struct moult_cbor_writer *writer, const void *member);
};

struct moult_map {
    const struct moult_field *fields; /* ascending keys */
    uint8_t field_count;
    uint16_t size;       /* of the record; of MAPS also the stride */
    uint16_t extensions; /* offset of its struct moult_cbor_list of entries >= 64 */
    uint16_t count; /* MAPS: offset of the uint8_t that counts them, in the outer record */
    uint32_t required;                    /* bit per key */
    bool (*is_sound)(const void *record); /* whether its fields fit together; may be NULL */
};

#define MOULT_COUNT_OF(rows) ((uint8_t)(sizeof(rows) / sizeof(rows)[0]))
#define MOULT_FIELD_FIXED(key, offset, size)                                               \
    {                                                                                      \
        key, MOULT_KIND_FIXED, offset, size, size,                                         \
        {                                                                                  \
            0                                                                              \
        }                                                                                  \
    }
#define MOULT_FIELD_U64(key, offset, min)                                                  \
    {                                                                                      \
        key, MOULT_KIND_U64, offset, min, 0,                                               \
        {                                                                                  \
            0                                                                              \
        }                                                                                  \
    }

/* Reads a map into a record, which is zeroed first. Mistakes are in reader->status:
 * MOULT_E_RANGE for a value that is missing, of another type or out of range, and for
 * fields that do not fit together; MOULT_E_UNSUPPORTED for an unknown key below 64 and for
 * another value of a CONST. */
void moult_record_read(struct moult_cbor_reader *reader, const struct moult_map *map,
                       void *record);
/* The same for a map without MAP and MAPS. */
void moult_map_read(struct moult_cbor_reader *reader, const struct moult_map *map,
                    void *record);

/* Writes the required keys and those whose bit is in `present`, then the extensions. */
void moult_record_write(struct moult_cbor_writer *writer, const struct moult_map *map,
                        const void *record);
void moult_map_write(struct moult_cbor_writer *writer, const struct moult_map *map,
                     const void *record);

/* Reads an unsigned message: limit, profile, then the record.
 * MOULT_OK; MOULT_E_RANGE: over `size_max`; MOULT_E_FORMAT; MOULT_E_UNSUPPORTED: an unknown
 * critical key. finding (may be NULL) is CBOR_PROFILE with the byte. */
MOULT_MUST_CHECK enum moult_status
moult_message_read(struct moult_bytes message, size_t size_max, const struct moult_map *map,
                   void *record, struct moult_finding *finding);

#endif
