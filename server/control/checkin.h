/* checkin.h - what a device is answered: the path that everything else exists for.
 *
 * Layer    server/control.
 * Use it   admit(): control_admit(). Handler of POST checkin, on the I/O thread: parse,
 *          control_checkin_fast(); CONTROL_DONE: sign result.payload, reply.
 * CONTROL_NEEDS_WRITER: post a store job whose run() is control_checkin_write(); in
 * done(MOULT_OK) sign and reply. The reply's bytes: control_checkin_reply().
 */
#ifndef MOULT_SERVER_CONTROL_CHECKIN_H
#define MOULT_SERVER_CONTROL_CHECKIN_H

#include "formats/message_checkin.h"
#include "server/control/control.h"

/* Lifecycle of a device. Stored: never renumber. */
enum device_state {
    DEVICE_PENDING = 1,
    DEVICE_ACCEPTED = 2,
    DEVICE_REJECTED = 3,
    DEVICE_QUARANTINED = 4,
    DEVICE_RETIRED = 5,
};
const char *device_state_word(unsigned state);
enum device_state device_state_parse(const char *word); /* 0: none */

struct control_identity {
    bool is_known;
    uint8_t device_id[16];   /* of an unknown key: what it would become */
    enum device_state state; /* of a known one */
};

/* Who is on this TLS connection, by the SHA-256 of its certificate's SPKI. Any thread, no
 * SQL. Returns the HTTP status to refuse with, and *detail: 401 unknown while trust on
 * first use is off, or rejected; 410 retired; 0: go on. */
uint16_t control_admit(struct control *control, const uint8_t spki_sha256[32],
                       struct control_identity *out, uint16_t *detail);

struct control_checkin_request {
    uint8_t spki_sha256[32];
    const char *address;                 /* borrowed for the call; may be NULL */
    const struct moult_checkin *message; /* borrowed for the call */
    int64_t now_ms;
};

struct control_checkin_result {
    uint16_t
        status; /* 200, or 401, 403, 410, 429, 503: then only detail and next_s count */
    uint16_t detail; /* MOULT_D_* of a refusal */
    uint32_t next_s;
    bool is_order; /* payload is to be signed; false: pending, "wait" */
    size_t payload_size;
    uint8_t payload[MOULT_STATEMENT_SIZE_MAX]; /* assignment payload for the signer */
    uint32_t keyset_version;                   /* hints for the reply; 0 none */
    uint32_t endpoints_version;                /* likewise */
    uint64_t server_time_ms;
    bool send_facts;
    uint8_t gone_count;
    uint8_t gone[MOULT_REPORTS_MAX][16];
};

enum control_path { CONTROL_DONE, CONTROL_NEEDS_WRITER };

/* Any thread; touches no database. CONTROL_DONE: *result is the answer. */
enum control_path control_checkin_fast(struct control *control,
                                       const struct control_checkin_request *request,
                                       struct control_checkin_result *result);

/* Inside a write job. MOULT_OK: *result is the answer once the job is committed; anything
 * else: the job must return it, so that nothing of it is kept (503). */
MOULT_MUST_CHECK enum moult_status
control_checkin_write(struct control *control, struct store_db *db,
                      const struct control_checkin_request *request,
                      struct control_checkin_result *result);

/* The whole reply. envelope: the signed payload; empty when !result->is_order.
 * writer->status says whether it fitted (MOULT_REPLY_SIZE_MAX always does). */
void control_checkin_reply(const struct control_checkin_result *result,
                           struct moult_bytes envelope, struct moult_cbor_writer *writer);

/* POST report, inside a write job. result: status, detail and gone. Returns as above. */
MOULT_MUST_CHECK enum moult_status
control_report_write(struct control *control, struct store_db *db,
                     const uint8_t spki_sha256[32], const struct moult_cbor_list *reports,
                     int64_t now_ms, struct control_checkin_result *result);

#endif
