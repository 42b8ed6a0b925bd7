/* store_admin.h - rows of tokens, audit, idempotency keys, settings and outages.
 *
 * Layer    server/store.
 * Memory   rows handed to a callback live for that call.
 * Threads  as the connection: inside its job.
 */
#ifndef MOULT_SERVER_STORE_STORE_ADMIN_H
#define MOULT_SERVER_STORE_STORE_ADMIN_H

#include <stdbool.h>
#include "formats/bytes.h"
#include "server/store/store.h"

struct store_token {
    const char *name; /* borrowed */
    uint8_t sha256[32];
    uint32_t roles;
    int64_t created_ms, expires_ms; /* expires_ms 0: never */
};
/* Inserts, or replaces the one of that name. MOULT_E_EXISTS: another has this digest. */
MOULT_MUST_CHECK enum moult_status store_token_set(struct store_db *db,
                                                   const struct store_token *token);
MOULT_MUST_CHECK enum moult_status
store_token_each(struct store_db *db,
                 bool (*each)(void *context, const struct store_token *token),
                 void *context);

/* How many tokens have another name than this. */
MOULT_MUST_CHECK enum moult_status
store_token_count_others(struct store_db *db, const char *name, uint32_t *count);

/* Append-only; server/control/audit.h computes the hash. */
struct store_audit {
    uint64_t index; /* 1, 2, 3 ... without a gap */
    int64_t time_ms;
    const char *actor, *action, *object; /* borrowed */
    const char *detail, *peer;           /* borrowed; NULL: none */
    uint8_t hash[32];
};
/* Index and hash of the last row. MOULT_OK; MOULT_E_NOENT: none yet; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status store_audit_head(struct store_db *db, uint64_t *index,
                                                    uint8_t hash[32]);
MOULT_MUST_CHECK enum moult_status store_audit_insert(struct store_db *db,
                                                      const struct store_audit *row);
/* Rows with index > after, oldest first, at most limit (0: all). */
MOULT_MUST_CHECK enum moult_status
store_audit_each(struct store_db *db, uint64_t after, uint32_t limit,
                 bool (*each)(void *context, const struct store_audit *row), void *context);

struct store_idempotency {
    const char *token, *key; /* borrowed */
    uint8_t body_sha256[32];
    uint16_t status;
    const char *reply; /* borrowed; JSON */
    int64_t time_ms;
};
/* Finds the row of row->token and row->key: fills in body_sha256, status and time, and
 * hands the reply to `each` (may be NULL). MOULT_OK; MOULT_E_NOENT; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status
store_idempotency_find(struct store_db *db, struct store_idempotency *row,
                       void (*each)(void *context, const char *reply), void *context);
MOULT_MUST_CHECK enum moult_status
store_idempotency_put(struct store_db *db, const struct store_idempotency *row);
MOULT_MUST_CHECK enum moult_status store_idempotency_count(struct store_db *db,
                                                           uint32_t *count);
MOULT_MUST_CHECK enum moult_status store_idempotency_purge(struct store_db *db,
                                                           int64_t before_ms);

/* A number under a name. MOULT_OK; MOULT_E_NOENT; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status store_setting_get(struct store_db *db, const char *name,
                                                     int64_t *value);
MOULT_MUST_CHECK enum moult_status store_setting_put(struct store_db *db, const char *name,
                                                     int64_t value);

MOULT_MUST_CHECK enum moult_status store_outage_put(struct store_db *db, int64_t began_ms,
                                                    int64_t ended_ms);
/* Newest first. */
MOULT_MUST_CHECK enum moult_status
store_outage_each(struct store_db *db, uint32_t limit,
                  bool (*each)(void *context, int64_t began_ms, int64_t ended_ms),
                  void *context);

#endif
