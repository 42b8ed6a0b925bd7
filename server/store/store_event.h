/* store_event.h - what happened: append-only, a device's report at most once.
 *
 * Layer    server/store.
 * Memory   rows handed to a callback live for that call.
 * Threads  as the connection: inside its job.
 */
#ifndef MOULT_SERVER_STORE_STORE_EVENT_H
#define MOULT_SERVER_STORE_STORE_EVENT_H

#include <stdbool.h>
#include "server/store/store.h"

#define STORE_EVENT_DATA_MAX 2048u /* bytes of `data` */

struct store_event {
    int64_t num; /* set by the database */
    int64_t time_ms;
    int64_t device;  /* num; 0: none */
    int64_t rollout; /* num; 0: none */
    bool has_key;    /* boot_id and sequence are a device's idempotency key */
    uint64_t boot_id;
    uint32_t sequence;
    const char *kind; /* "report", "device.accepted", "rollout.paused" ... */
    const char *text; /* one sentence for people */
    const char *data; /* JSON object */

    /* Only when read: ids of what device and rollout name; is_* false: none. */
    bool has_device, has_rollout;
    uint8_t device_id[16], rollout_id[16];
};

/* *num (may be NULL) is the new row's. MOULT_OK; MOULT_E_EXISTS: this report is there
 * already, nothing was changed; MOULT_E_RANGE: data is too long. */
MOULT_MUST_CHECK enum moult_status
store_event_insert(struct store_db *db, const struct store_event *event, int64_t *num);

/* Rows beyond `after` in the order asked for; 0: from the first. */
struct store_event_query {
    int64_t device, rollout; /* 0: any */
    int64_t after;
    bool newest_first;
    uint32_t limit; /* 1.. */
};
MOULT_MUST_CHECK enum moult_status
store_event_each(struct store_db *db, const struct store_event_query *query,
                 bool (*each)(void *context, const struct store_event *event),
                 void *context);

/* Deletes at most `limit` events older than before_ms; *deleted says how many. */
MOULT_MUST_CHECK enum moult_status store_event_expire(struct store_db *db,
                                                      int64_t before_ms, uint32_t limit,
                                                      int64_t *deleted);

#endif
