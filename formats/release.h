/* release.h - the author's statement: exactly these bytes, for this class, with this
 * sequence.
 *
 * Layer    formats: pure functions.
 * Format   docs/spec/release.md.
 * Memory   a release borrows the envelope it was read from.
 * Use it   moult_release_verify(), then moult_release_check_rollback() on a device.
 */
#ifndef MOULT_FORMATS_RELEASE_H
#define MOULT_FORMATS_RELEASE_H

#include "formats/cose.h"
#include "formats/keyset.h"

#define MOULT_RELEASE_COMPONENTS_MAX 4u
#define MOULT_RELEASE_DEPENDENCIES_MAX 4u
#define MOULT_RELEASE_VERSION_MAX 31u /* characters */
#define MOULT_RELEASE_LABEL_MAX 16u   /* characters of a partition label */

/* Keys of the map, also bit numbers in `present`. */
enum {
    MOULT_RELEASE_CREATED = 8,
    MOULT_RELEASE_USE_BEFORE = 9,
    MOULT_RELEASE_SOURCE_SEQUENCE = 10,
    MOULT_RELEASE_SBOM = 11,
    MOULT_RELEASE_FLAGS = 12,
    MOULT_RELEASE_PROVENANCE = 13,
    MOULT_RELEASE_NOTES = 14,
    MOULT_RELEASE_ROLLBACK_FLOOR = 15,
    MOULT_COMPONENT_LABEL = 8,
    MOULT_COMPONENT_DEPENDENCIES = 9,
};

enum { MOULT_RELEASE_FLAG_SECURITY = 1, MOULT_RELEASE_FLAG_MANDATORY = 2 };

enum {
    MOULT_COMPONENT_APP = 0,
    MOULT_COMPONENT_FILESYSTEM = 1,
    MOULT_COMPONENT_BOOTLOADER = 2,
    MOULT_COMPONENT_PERIPHERAL = 16, /* and up: other MCUs */
    MOULT_FORMAT_RAW = 0,
    MOULT_FORMAT_ESP_APP = 1,
    MOULT_CHIP_ANY = 65535, /* not bound to a chip; format raw only */
};

struct moult_dependency {
    uint8_t component;
    uint64_t sequence; /* lowest release sequence that component must have installed */
};

struct moult_component {
    uint32_t present;
    uint8_t id;
    uint32_t size;         /* exact bytes of the result */
    const uint8_t *digest; /* SHA-256 of the result */
    uint8_t format;
    uint16_t chip_id;
    uint16_t revision_min, revision_max; /* major * 100 + minor */
    uint8_t secure_version;
    struct moult_bytes label; /* text; empty when absent */
    uint8_t dependency_count;
    struct moult_dependency dependencies[MOULT_RELEASE_DEPENDENCIES_MAX];
    struct moult_cbor_list extensions;
};

struct moult_release {
    uint32_t present;
    const uint8_t *fleet_id;    /* 16 bytes */
    const uint8_t *class_id;    /* 16 bytes */
    uint64_t sequence;          /* >= 1 */
    struct moult_bytes version; /* text for people */
    uint8_t component_count;    /* 1..4, ascending id */
    struct moult_component components[MOULT_RELEASE_COMPONENTS_MAX];
    uint64_t created, use_before;             /* unix s; 0 when absent */
    uint64_t source_sequence;                 /* lowest running sequence; 0 when absent */
    const uint8_t *sbom, *provenance, *notes; /* SHA-256, or NULL */
    uint32_t flags;
    uint64_t rollback_floor; /* key 15; equals `sequence` when absent */
    struct moult_cbor_list extensions;
};

/* Reads a payload: TYPE, FORMAT, UNKNOWN, FIELD. Unsigned input: for tools and for writers
 * that prove their output. MOULT_OK; MOULT_E_FORMAT, MOULT_E_UNSUPPORTED: out undefined. */
MOULT_MUST_CHECK enum moult_status moult_release_parse(struct moult_bytes payload,
                                                       struct moult_release *out,
                                                       struct moult_finding *finding);

/* Step 7 of the device's order, on every side: envelope, threshold of the release role,
 * contents, then the binding to an assignment, the keyset's fleet and the class.
 *
 * payload_digest  key 11 of the assignment; NULL: not bound (upload, tools).
 * class_id        16 bytes; NULL: any.
 * out             undefined on failure.
 * finding         may be NULL; else its detail is the first failed check: RELEASE_ SIZE,
 *                 CBOR, COSE, SIG, TYPE, FORMAT, UNKNOWN, FIELD, BIND, FLEET, CLASS; 0 when
 *                 OK.
 *
 * The status of the detail in api/codes.tsv, or MOULT_OK. */
struct moult_release_expect {
    const struct moult_keyset *keyset;
    const uint8_t *payload_digest;
    const uint8_t *class_id;
};
MOULT_MUST_CHECK enum moult_status
moult_release_verify(const struct moult_crypto *crypto, struct moult_bytes envelope,
                     const struct moult_release_expect *expect, struct moult_release *out,
                     struct moult_finding *finding);

/* What a device knows when it judges a release. */
struct moult_rollback_facts {
    uint64_t floor;                           /* effective floor of the class */
    uint64_t running_sequence;                /* of the running image */
    uint8_t secure_version_fused;             /* eFuse */
    uint64_t now_s;                           /* trusted time; 0: none */
    const struct moult_dependency *installed; /* component and the sequence it has */
    unsigned installed_count;
};

/* Step 8: SEQ_FLOOR, SEQ_SOURCE, SECVER, RELEASE_EXPIRED, DEPENDENCY, in this order. The
 * status of the detail in api/codes.tsv, or MOULT_OK. */
MOULT_MUST_CHECK enum moult_status
moult_release_check_rollback(const struct moult_release *release,
                             const struct moult_rollback_facts *facts,
                             struct moult_finding *finding);

const struct moult_component *moult_release_component(const struct moult_release *release,
                                                      uint8_t id); /* NULL: not in it */

/* Writes the payload; optional keys by their `present` bits. Read the result back with
 * moult_release_parse(). writer->status says whether it fitted. */
void moult_release_write(struct moult_cbor_writer *writer,
                         const struct moult_release *release);

#endif
