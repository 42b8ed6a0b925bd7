/* selector.h - which devices: site = "berlin" and not version >= 1.2.0
 *
 * Layer    formats: pure functions.
 * Format   docs/spec/selector.md.
 * Memory   a parsed selector is one struct of the caller, about 8 KB; it borrows the text
 *          it was parsed from.
 * Use it   moult_selector_parse() once, moult_selector_matches() per device.
 */
#ifndef MOULT_FORMATS_SELECTOR_H
#define MOULT_FORMATS_SELECTOR_H

#include <stdbool.h>
#include <stdint.h>
#include "formats/bytes.h"
#include "formats/compiler.h"
#include "formats/status.h"

#define MOULT_SELECTOR_GRAMMAR 1u      /* stored with every selector */
#define MOULT_SELECTOR_SIZE_MAX 4096u  /* bytes of text */
#define MOULT_SELECTOR_TERMS_MAX 64u   /* tests */
#define MOULT_SELECTOR_DEPTH_MAX 16u   /* parentheses and "not" inside each other */
#define MOULT_SELECTOR_VALUES_MAX 128u /* values of all tests together */
#define MOULT_SELECTOR_NODES_MAX 256u  /* tests, and, or, not in postfix order */
#define MOULT_SELECTOR_IDENT_MAX 64u   /* characters of attr.NAME, tag and group names */

/* What a literal is. A value of a device may be any of the first five. */
enum moult_value_type {
    MOULT_VALUE_MISSING = 0,
    MOULT_VALUE_STRING = 1,   /* text */
    MOULT_VALUE_INTEGER = 2,  /* number */
    MOULT_VALUE_BOOL = 3,     /* number 0 or 1 */
    MOULT_VALUE_VERSION = 4,  /* text; number is the release sequence if known, else 0 */
    MOULT_VALUE_TIME = 5,     /* number: unix ms; compares with a duration as an age */
    MOULT_VALUE_DURATION = 6, /* literals only; number: ms */
};

struct moult_value {
    enum moult_value_type type;
    struct moult_bytes text; /* as written; of a quoted string without the quotes */
    int64_t number;
    bool is_escaped; /* text holds \" or \\ and must be read through the backslashes */
};

enum moult_selector_kind {
    MOULT_SELECTOR_COMPARE, /* field op value */
    MOULT_SELECTOR_IN,      /* field in (values) */
    MOULT_SELECTOR_HAS,     /* has field */
    MOULT_SELECTOR_TAG,     /* tag(name) or tag(name = value) */
    MOULT_SELECTOR_GROUP,   /* group(name) */
    MOULT_SELECTOR_ALL,     /* all */
};

enum moult_selector_op {
    MOULT_OP_EQUAL,
    MOULT_OP_NOT_EQUAL,
    MOULT_OP_LESS,
    MOULT_OP_LESS_EQUAL,
    MOULT_OP_GREATER,
    MOULT_OP_GREATER_EQUAL,
    MOULT_OP_GLOB,
};

struct moult_selector_term {
    uint8_t kind;  /* enum moult_selector_kind */
    uint8_t op;    /* enum moult_selector_op */
    uint8_t field; /* index into the field table; 255 for attr.*, meta.*, tag, group */
    uint8_t value_count; /* values of this term */
    uint16_t value;      /* index of the first one */
    uint16_t position;   /* byte of the text where the term starts */
    struct moult_bytes
        ident; /* field as written ("attr.room"), or the tag's or group's name */
};

enum moult_selector_node {                      /* postfix: operands first */
                           MOULT_NODE_TERM = 0, /* MOULT_NODE_TERM + term index, up to 63 */
                           MOULT_NODE_NOT = 64,
                           MOULT_NODE_AND = 65,
                           MOULT_NODE_OR = 66,
};

struct moult_selector {
    const struct moult_selector_fields *fields;
    uint16_t node_count, value_count;
    uint8_t term_count;
    uint8_t nodes[MOULT_SELECTOR_NODES_MAX]; /* enum moult_selector_node */
    struct moult_selector_term terms[MOULT_SELECTOR_TERMS_MAX];
    struct moult_value values[MOULT_SELECTOR_VALUES_MAX];
};

/* Names a selector may use. `moult wait` has its own table. */
struct moult_selector_fields {
    const char *const *names;
    unsigned count;        /* at most 64 */
    bool has_device_tests; /* attr.*, meta.*, tag() and group() exist */
};

/* id name serial product state site tz version seq digest secure_version chip revision
 * last_seen first_seen rssi rollout.state */
extern const struct moult_selector_fields moult_selector_device_fields;

/* Numbers of moult_selector_device_fields. */
enum moult_selector_field {
    MOULT_FIELD_ID,
    MOULT_FIELD_NAME,
    MOULT_FIELD_SERIAL,
    MOULT_FIELD_PRODUCT,
    MOULT_FIELD_STATE,
    MOULT_FIELD_SITE,
    MOULT_FIELD_TZ,
    MOULT_FIELD_VERSION,
    MOULT_FIELD_SEQ,
    MOULT_FIELD_DIGEST,
    MOULT_FIELD_SECURE_VERSION,
    MOULT_FIELD_CHIP,
    MOULT_FIELD_REVISION,
    MOULT_FIELD_LAST_SEEN,
    MOULT_FIELD_FIRST_SEEN,
    MOULT_FIELD_RSSI,
    MOULT_FIELD_ROLLOUT_STATE,
    MOULT_FIELD_COUNT,
    MOULT_FIELD_DYNAMIC = 255, /* attr.* or meta.*: the name is in `ident` */
};

struct moult_selector_error {
    uint32_t position;    /* byte of the text */
    uint32_t size;        /* bytes of the text that are wrong; 0 at the end */
    const char *expected; /* e.g. "a field", static */
    const char *nearest;  /* nearest known name of an unknown field, static, or NULL */
};

/* Parses a selector; out is undefined on failure. Blank text is an error: write "all".
 * MOULT_OK; MOULT_E_ARG: not of the grammar, or an unknown field; MOULT_E_RANGE: over a
 * limit above. In both cases *error says where and what was expected. */
MOULT_MUST_CHECK enum moult_status
moult_selector_parse(const struct moult_selector_fields *fields, struct moult_bytes text,
                     struct moult_selector *out, struct moult_selector_error *error);

/* One device, as callbacks. Each gets `context` first. */
struct moult_selector_subject {
    const void *context;
    uint64_t now_ms; /* unix; ages of last_seen and first_seen are counted from here */
    /* Value of a field of the table, or with MOULT_FIELD_DYNAMIC of attr.NAME or meta.NAME.
     * Type MISSING when the device has none. Borrowed until the next call. */
    struct moult_value (*field)(const void *context, unsigned field,
                                struct moult_bytes ident);
    /* Value of a tag. False when the device does not have it. A tag without a value is
     * empty. */
    bool (*tag)(const void *context, struct moult_bytes name, struct moult_bytes *value);
    bool (*group)(const void *context, struct moult_bytes name);
    /* Release sequence of a version literal of this device's class; 0: not known. May be
     * NULL. */
    uint64_t (*sequence_of)(const void *context, struct moult_bytes version);
};

/* Whether the device is selected. A comparison with a missing value is false, `not` of it
 * true. Bounded by MOULT_SELECTOR_NODES_MAX and the sizes of the texts compared. */
bool moult_selector_matches(const struct moult_selector *selector,
                            const struct moult_selector_subject *subject);

/* Whether one term holds; for explanations (`why`). */
bool moult_selector_term_holds(const struct moult_selector *selector, unsigned term,
                               const struct moult_selector_subject *subject);

/* Text of a value with its escapes resolved, at most `size` bytes into out; the whole
 * length. */
size_t moult_value_text(const struct moult_value *value, char *out, size_t size);

#endif
