/* message_checkin.h - a device asks what to do, with a fresh nonce; the server answers.
 *
 * Layer    formats: pure functions.
 * Format   docs/spec/checkin.md.
 * Memory   a message read borrows its input.
 * Use it   device: moult_checkin_write(), POST, moult_checkin_reply_read(). The server does
 *          the same two in the other direction. Nothing in the reply but the assignment is
 *          signed: its hints may cause a fetch or a delay, never an install.
 */
#ifndef MOULT_FORMATS_MESSAGE_CHECKIN_H
#define MOULT_FORMATS_MESSAGE_CHECKIN_H

#include "formats/assignment.h" /* MOULT_NONCE_SIZE */
#include "formats/message_report.h"

#define MOULT_FACTS_VERSION_MAX 31u
#define MOULT_FACTS_SERIAL_MAX 64u
#define MOULT_FACTS_ENCODINGS_MAX 8u
#define MOULT_ATTRIBUTES_MAX 32u
#define MOULT_ATTRIBUTE_NAME_MAX 32u
#define MOULT_ATTRIBUTE_VALUE_MAX 64u

enum moult_running_state {
    MOULT_RUNNING_CONFIRMED = 0,
    MOULT_RUNNING_TRIAL = 1,
    MOULT_RUNNING_UNMANAGED = 2, /* not installed by moult, e.g. by cable */
};

/* Bits of facts.posture. */
enum {
    MOULT_POSTURE_SECURE_BOOT = 1,
    MOULT_POSTURE_FLASH_ENCRYPTION = 2, /* release mode */
    MOULT_POSTURE_NVS_ENCRYPTION = 4,
    MOULT_POSTURE_JTAG_CLOSED = 8,
    MOULT_POSTURE_UART_CLOSED = 16, /* UART download */
};

/* Keys of the facts, also bit numbers in `present`. */
enum {
    MOULT_FACTS_CHIP = 1,
    MOULT_FACTS_REVISION = 2,
    MOULT_FACTS_FLASH_SIZE = 3,
    MOULT_FACTS_SLOT_SIZE = 4,
    MOULT_FACTS_SLOT = 5,
    MOULT_FACTS_OTHER_DIGEST = 6,
    MOULT_FACTS_TABLE_DIGEST = 7,
    MOULT_FACTS_VERSION = 8,
    MOULT_FACTS_BOOTLOADER = 9,
    MOULT_FACTS_NVS_SCHEMA = 10,
    MOULT_FACTS_SECURE_VERSION = 11,
    MOULT_FACTS_ENCODINGS = 12,
    MOULT_FACTS_PATCH_PROFILES = 13,
    MOULT_FACTS_DECODER_RAM = 14,
    MOULT_FACTS_POSTURE = 15,
    MOULT_FACTS_SERIAL = 16,
    MOULT_FACTS_ATTRIBUTES = 17,
};

/* Optional fields are 0, NULL or empty when their bit in `present` is clear. */
struct moult_facts {
    uint32_t present;
    uint16_t chip_id;
    uint16_t revision;           /* major * 100 + minor */
    uint32_t flash_size;         /* bytes */
    uint32_t slot_size;          /* bytes */
    uint8_t slot;                /* running slot, N of ota_N */
    const uint8_t *other_digest; /* SHA-256 of the image in the other slot */
    const uint8_t *table_digest; /* SHA-256 of the partition table */
    struct moult_bytes version;  /* text */
    uint32_t bootloader_version;
    uint32_t nvs_schema;
    uint8_t secure_version; /* fused */
    uint8_t encoding_count;
    uint8_t encodings[MOULT_FACTS_ENCODINGS_MAX]; /* source encodings this build reads */
    uint8_t patch_profiles;                       /* bit 0 M8, bit 1 M16 */
    uint32_t decoder_ram;                         /* bytes */
    uint32_t posture;                             /* MOULT_POSTURE_* */
    struct moult_bytes serial;                    /* text */
    struct moult_cbor_list attributes;            /* see moult_attribute_next() */
    struct moult_cbor_list extensions;
};

/* Appends one attribute to an encoded list (text, 1..32 and 0..64 characters); the caller
 * counts. writer->status says whether it fitted. */
void moult_attribute_write(struct moult_cbor_writer *writer, struct moult_bytes name,
                           struct moult_bytes value);
/* Takes the next attribute out of a list that was read from a message: start with a copy.
 * False at the end. */
bool moult_attribute_next(struct moult_cbor_list *rest, struct moult_bytes *name,
                          struct moult_bytes *value);

enum {
    MOULT_CHECKIN_ENDPOINTS = 9,
    MOULT_CHECKIN_FACTS = 10,
    MOULT_CHECKIN_REPORTS = 11,
};

struct moult_checkin {
    uint32_t present;
    const uint8_t *nonce;          /* 16 bytes */
    const uint8_t *device_id;      /* 16 bytes */
    const uint8_t *running_digest; /* SHA-256 of the running image */
    uint64_t running_sequence;
    uint8_t running_state; /* enum moult_running_state */
    uint32_t keyset_version;
    uint64_t counter;           /* highest stored order counter */
    uint32_t endpoints_version; /* 0 when absent */
    struct moult_facts facts;   /* all zero when absent: at boot, on change, when asked */
    struct moult_cbor_list reports; /* oldest first */
    struct moult_cbor_list extensions;
};

enum {
    MOULT_REPLY_ASSIGNMENT = 3,
    MOULT_REPLY_KEYSET = 4,
    MOULT_REPLY_ENDPOINTS = 5,
    MOULT_REPLY_TIME = 6,
    MOULT_REPLY_SEND_FACTS = 7,
    MOULT_REPLY_GONE = 8,
};

struct moult_checkin_reply {
    uint32_t present;
    uint32_t next_s;               /* check in again after so many seconds */
    struct moult_bytes assignment; /* envelope; absent only while the device is pending */
    uint32_t keyset_version;       /* newest there is; 0: no hint */
    uint32_t endpoints_version;    /* newest there is; 0: no hint */
    uint64_t server_time_ms;       /* unix ms; 0: none */
    uint8_t send_facts;            /* 1: send facts with the next check-in */
    struct moult_gone gone;
    struct moult_cbor_list extensions;
};

/* Writing: optional keys by their `present` bits; writer->status says whether it fitted. */
void moult_checkin_write(struct moult_cbor_writer *writer,
                         const struct moult_checkin *checkin);
void moult_checkin_reply_write(struct moult_cbor_writer *writer,
                               const struct moult_checkin_reply *reply);

/* Reading. MOULT_OK; MOULT_E_RANGE: over MOULT_REQUEST_SIZE_MAX or MOULT_REPLY_SIZE_MAX;
 * MOULT_E_FORMAT; MOULT_E_UNSUPPORTED: message format other than 1, or an unknown critical
 * key. On failure out is undefined and the finding (may be NULL) is CBOR_PROFILE with the
 * byte. */
MOULT_MUST_CHECK enum moult_status moult_checkin_read(struct moult_bytes message,
                                                      struct moult_checkin *out,
                                                      struct moult_finding *finding);
MOULT_MUST_CHECK enum moult_status moult_checkin_reply_read(struct moult_bytes message,
                                                            struct moult_checkin_reply *out,
                                                            struct moult_finding *finding);

#endif
