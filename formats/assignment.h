/* assignment.h - the server's statement: what this device does now.
 *
 * Layer    formats: pure functions.
 * Format   docs/spec/assignment.md.
 * Memory   an assignment borrows the envelope it was read from.
 * Use it   moult_cose_parse(MOULT_STATEMENT_ASSIGNMENT, ...) on receipt, a newer keyset if
 *          one is named, then moult_assignment_verify(). Store counter and iat before
 *          acting.
 */
#ifndef MOULT_FORMATS_ASSIGNMENT_H
#define MOULT_FORMATS_ASSIGNMENT_H

#include "formats/cose.h"
#include "formats/keyset.h"

#define MOULT_NONCE_SIZE 16u
#define MOULT_ASSIGNMENT_SOURCES_MAX 6u
#define MOULT_ASSIGNMENT_WINDOWS_MAX 6u
#define MOULT_ASSIGNMENT_TTL_MAX 2592000u /* s, 30 days */
#define MOULT_SOURCE_URL_MAX 192u         /* characters */
#define MOULT_CHUNK_SIZE_MIN 4096u
#define MOULT_CHUNK_SIZE_MAX 1048576u

/* Keys of the maps, also bit numbers in `present`. */
enum {
    MOULT_ASSIGNMENT_NONCE = 6,
    MOULT_ASSIGNMENT_DEPLOYMENT = 10,
    MOULT_ASSIGNMENT_RELEASE = 11,
    MOULT_ASSIGNMENT_SOURCES = 13,
    MOULT_ASSIGNMENT_POLICY = 14,
    MOULT_ASSIGNMENT_NEWEST_SEQUENCE = 15,
    MOULT_SOURCE_BASE_DIGEST = 7,
    MOULT_SOURCE_BASE_SIZE = 8,
    MOULT_SOURCE_DECODER_RAM = 9,
    MOULT_SOURCE_CHUNKS = 10,
    MOULT_SOURCE_ENCRYPTION = 11,
    MOULT_POLICY_GIVE_UP = 1,
    MOULT_POLICY_ATTEMPTS = 2,
    MOULT_POLICY_WINDOWS = 3,
    MOULT_POLICY_BATTERY = 4,
    MOULT_POLICY_CONFIRM = 5,
    MOULT_POLICY_CONSENT = 6,
    MOULT_POLICY_STAGE_ONLY = 7,
    MOULT_POLICY_DEFERRALS = 8,
    MOULT_POLICY_CONSENT_UNTIL = 9,
    MOULT_POLICY_SIGNAL = 10,
    MOULT_POLICY_LIFT_BLOCK = 11,
};

enum moult_action {
    MOULT_ACTION_NONE = 0,    /* keep a half-done plan, fetch nothing */
    MOULT_ACTION_INSTALL = 1, /* or resume */
    MOULT_ACTION_ABORT = 2,   /* drop the plan */
    MOULT_ACTION_KEYSET = 3,  /* refresh the keyset */
};

enum { MOULT_SOURCE_FULL = 0, MOULT_SOURCE_DELTA = 1 };
enum { MOULT_ENCODING_NONE = 0, MOULT_ENCODING_PATCH_V1 = 1 };
enum { MOULT_WINDOW_BOTH = 0, MOULT_WINDOW_DOWNLOAD = 1, MOULT_WINDOW_ACTIVATE = 2 };

struct moult_source {
    uint32_t present;
    uint8_t component;
    uint8_t kind;
    uint8_t encoding;              /* any; an unknown one makes only this source unusable */
    uint32_t size;                 /* bytes transferred */
    const uint8_t *digest;         /* SHA-256 of the bytes transferred */
    struct moult_bytes url;        /* "/path" under the server base, or "https://..." */
    const uint8_t *base_digest;    /* delta: SHA-256 of the base; else NULL */
    uint32_t base_size;            /* delta: its exact size */
    uint32_t decoder_ram;          /* bytes; 0 with encoding 0 */
    uint32_t chunk_size;           /* 0: no chunk list */
    const uint8_t *chunk_digest;   /* SHA-256 of the chunk list, or NULL */
    struct moult_bytes encryption; /* reserved key 11, encoded; empty when absent */
    struct moult_cbor_list extensions;
};

struct moult_window {
    uint8_t use;           /* both, download, activate */
    uint64_t from_s, to_s; /* unix s, from <= to */
};

struct moult_policy {
    uint32_t present;
    uint32_t give_up_s; /* after iat */
    uint8_t attempts;
    uint8_t window_count;
    struct moult_window windows[MOULT_ASSIGNMENT_WINDOWS_MAX]; /* ascending from_s */
    uint8_t battery_percent;
    uint32_t confirm_timeout_s; /* 30..86400 */
    uint8_t consent;            /* 1: ask the user */
    uint8_t stage_only;         /* 1: stop before the boot slot is set */
    uint8_t deferrals;
    uint32_t consent_until_s; /* after iat: from then on without consent */
    uint8_t signal_dbm;       /* weakest signal accepted, as -dBm */
    uint8_t lift_block;       /* 1: lift the device's block of this release */
    struct moult_cbor_list extensions;
};

struct moult_assignment {
    uint32_t present;
    const uint8_t *fleet_id;  /* 16 bytes */
    const uint8_t *device_id; /* 16 bytes */
    uint8_t action;           /* enum moult_action */
    const uint8_t *nonce;     /* 16 bytes, or NULL */
    uint64_t counter;         /* scoped to `kid` */
    uint64_t iat_s;           /* unix s */
    uint32_t ttl_s;
    const uint8_t *deployment_id;  /* 16 bytes, or NULL */
    const uint8_t *release_digest; /* SHA-256 of the release payload, or NULL */
    uint32_t keyset_version;       /* newest the server holds */
    uint8_t source_count;
    struct moult_source sources[MOULT_ASSIGNMENT_SOURCES_MAX];
    struct moult_policy policy; /* all zero when absent */
    uint64_t newest_sequence;   /* highest the server holds for the class; 0 when absent */
    struct moult_cbor_list extensions;
    uint8_t kid[MOULT_KID_SIZE]; /* who signed; set by moult_assignment_verify() */
};

/* Reads a payload: TYPE, FORMAT, UNKNOWN, FIELD. MOULT_OK; MOULT_E_FORMAT,
 * MOULT_E_UNSUPPORTED: out undefined. */
MOULT_MUST_CHECK enum moult_status moult_assignment_parse(struct moult_bytes payload,
                                                          struct moult_assignment *out,
                                                          struct moult_finding *finding);

/* The last order accepted from one assign key. */
struct moult_order_record {
    uint8_t kid[MOULT_KID_SIZE];
    uint64_t counter;
    uint64_t iat_s;
};

struct moult_assignment_expect {
    const struct moult_keyset *keyset; /* the current one */
    const uint8_t *device_id;          /* 16 bytes; NULL: any (tools, the signer) */
    const uint8_t *nonce; /* pull: the 16 bytes sent. NULL: push or offline file */
    const struct moult_order_record *records; /* per kid; may be NULL when count is 0 */
    unsigned record_count;
    uint64_t now_lower_bound_s; /* push only: no earlier than this it is */
};

/* Step 4: signature by the assign role, then contents, fleet, device, nonce or counter,
 * age, keyset version. The envelope was checked on receipt (step 2).
 *
 * out      undefined on failure.
 * finding  may be NULL; else its detail is the first failed check: ASSIGN_ SIG, TYPE,
 *          FORMAT, UNKNOWN, FIELD, FLEET, DEVICE, then NONCE, COUNTER, STALE,
 *          KEYSET_BEHIND. When OK: 0, or SERVER_BEHIND, which is only to be reported.
 *
 * The status of the detail in api/codes.tsv, or MOULT_OK. After ASSIGN_SIG of an unknown
 * signer (moult_keyset_knows_signer()) and after KEYSET_BEHIND, fetch the next keyset once
 * and ask again. */
MOULT_MUST_CHECK enum moult_status
moult_assignment_verify(const struct moult_crypto *crypto, const struct moult_cose *cose,
                        const struct moult_assignment_expect *expect,
                        struct moult_assignment *out, struct moult_finding *finding);

/* Whether this source of the assignment can be understood: encoding and encryption, not RAM
 * or base, which depend on the device. finding: ENCODING, ENCRYPTION, or 0; may be NULL. */
bool moult_source_is_usable(const struct moult_source *source,
                            struct moult_finding *finding);

/* Writes the payload; optional keys by their `present` bits. Read the result back with
 * moult_assignment_parse(). writer->status says whether it fitted. */
void moult_assignment_write(struct moult_cbor_writer *writer,
                            const struct moult_assignment *assignment);

#endif
