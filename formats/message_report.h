/* message_report.h - what a device tells about its updates, and the server's answer.
 *
 * Layer    formats: pure functions.
 * Format   docs/spec/report.md.
 * Memory   a report read borrows its input. A device keeps reports encoded in its outbox
 *          and sends those bytes; lists of reports are therefore encoded bytes plus a
 *          count.
 * Use it   device: moult_report_write() into the outbox, moult_report_batch_write() to
 *          send. server: moult_report_batch_read(), then moult_report_next() until false.
 */
#ifndef MOULT_FORMATS_MESSAGE_REPORT_H
#define MOULT_FORMATS_MESSAGE_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include "formats/bytes.h"
#include "formats/cbor.h"
#include "formats/reader.h" /* struct moult_finding */

#define MOULT_REQUEST_SIZE_MAX 4096u /* bytes of a check-in or report request */
#define MOULT_REPLY_SIZE_MAX 1536u   /* bytes of the answer */
#define MOULT_REPORTS_MAX 8u         /* in one message */
#define MOULT_REPORT_TEXT_MAX 120u   /* characters */
#define MOULT_REPORT_SIZE_MAX 244u   /* bytes of one without extensions */

/* What happened (key 4). On the wire: never renumber. */
enum moult_report_kind {
    MOULT_REPORT_EVENT = 0,
    MOULT_REPORT_DOWNLOADING = 1,
    MOULT_REPORT_WRITTEN = 2,
    MOULT_REPORT_VERIFIED = 3,
    MOULT_REPORT_REBOOTING = 4,
    MOULT_REPORT_TRIAL = 5,
    MOULT_REPORT_CONFIRMED = 6,
    MOULT_REPORT_ROLLED_BACK = 7,
    MOULT_REPORT_FAILED = 8,
    MOULT_REPORT_DEFERRED = 9,
    MOULT_REPORT_STAGED = 10,
    MOULT_REPORT_USER_DEFERRED = 11,
};

/* Keys of the map, also bit numbers in `present`. */
enum {
    MOULT_REPORT_REASON = 5,
    MOULT_REPORT_DETAIL = 6,
    MOULT_REPORT_NATIVE = 7,
    MOULT_REPORT_OFFSET = 8,
    MOULT_REPORT_FREE_HEAP = 9,
    MOULT_REPORT_LARGEST_BLOCK = 10,
    MOULT_REPORT_SIGNAL = 11,
    MOULT_REPORT_BATTERY = 12,
    MOULT_REPORT_RESET_REASON = 13,
    MOULT_REPORT_TEXT = 14,
    MOULT_REPORT_UPTIME = 15,
    MOULT_REPORT_CRASH = 16,
};

/* Optional fields are 0, NULL or empty when their bit in `present` is clear. */
struct moult_report {
    uint32_t present;
    uint64_t boot_id;             /* random per boot; with `sequence` the idempotency key */
    uint32_t sequence;            /* counts reports of this boot */
    const uint8_t *deployment_id; /* 16 bytes; zeros: none */
    uint8_t kind;           /* enum moult_report_kind; higher numbers may come later */
    uint16_t reason;        /* MOULT_R_* */
    uint16_t detail;        /* MOULT_D_* */
    uint32_t native;        /* platform error, an int32_t in two's complement */
    uint32_t offset;        /* bytes of the image reached */
    uint32_t free_heap;     /* bytes */
    uint32_t largest_block; /* bytes */
    uint8_t signal_dbm;     /* as -dBm */
    uint16_t battery_mv;
    uint8_t reset_reason; /* esp_reset_reason_t */
    struct moult_bytes text;
    uint32_t uptime_s;
    const uint8_t *crash; /* 32 bytes, crash signature */
    struct moult_cbor_list extensions;
};

/* Writes one report; writer->status says whether it fitted. */
void moult_report_write(struct moult_cbor_writer *writer,
                        const struct moult_report *report);

/* One encoded report, as kept in an outbox.
 * MOULT_OK; MOULT_E_FORMAT: not a report, out undefined, finding CBOR_PROFILE (may be
 * NULL). */
MOULT_MUST_CHECK enum moult_status moult_report_read(struct moult_bytes encoded,
                                                     struct moult_report *out,
                                                     struct moult_finding *finding);

/* Takes the next report out of a list that was read from a message (and thereby checked):
 * start with a copy. False at the end. */
bool moult_report_next(struct moult_cbor_list *list, struct moult_report *out);

/* POST report: {1: 1, 2: [reports]}. count must be 1..MOULT_REPORTS_MAX. */
void moult_report_batch_write(struct moult_cbor_writer *writer,
                              const struct moult_cbor_list *list);
/* MOULT_OK; MOULT_E_FORMAT or MOULT_E_UNSUPPORTED (message format), MOULT_E_RANGE (over
 * MOULT_REQUEST_SIZE_MAX): out undefined, finding CBOR_PROFILE with the byte (may be NULL).
 * */
MOULT_MUST_CHECK enum moult_status moult_report_batch_read(struct moult_bytes message,
                                                           struct moult_cbor_list *out,
                                                           struct moult_finding *finding);

/* Deployments whose reports no longer matter to the server. */
struct moult_gone {
    const uint8_t *deployment_id[MOULT_REPORTS_MAX]; /* 16 bytes each */
    uint8_t count;
};

/* The answer to POST report: {1: 1, ? 2: [deployment ids]}; key 2 is left out when count is
 * 0. Any answer with status 2xx means: stored, drop what was sent. Reading as above, at
 * most MOULT_REPLY_SIZE_MAX bytes. */
void moult_report_reply_write(struct moult_cbor_writer *writer,
                              const struct moult_gone *gone);
MOULT_MUST_CHECK enum moult_status moult_report_reply_read(struct moult_bytes message,
                                                           struct moult_gone *out,
                                                           struct moult_finding *finding);

#endif
