/* internal.h - what struct control is made of; private to this folder.
 *
 * Layer    server/control.
 * Threads  who may touch what is said at each member. "writer": the store's writer thread,
 *          and control_open() before it starts.
 */
#ifndef MOULT_SERVER_CONTROL_INTERNAL_H
#define MOULT_SERVER_CONTROL_INTERNAL_H

#include <stdatomic.h>
#include "server/control/checkin.h"
#include "server/control/control.h"
#include "server/control/device_table.h"
#include "server/control/effects.h"
#include "server/control/rollout_cache.h"
#include "server/control/statement_cache.h"
#include "server/control/token_table.h"
#include "server/control/wake_ring.h"

struct control_metrics {
    struct metric *offers, *retries, *silent, *rolled_back, *wakes_dropped;
    struct metric *checkins_fast, *checkins_write, *checkins_refused;
};

struct control {
    struct control_config config; /* read only after control_open() */
    struct control_parts parts;   /* likewise */
    struct control_metrics metrics;

    struct {
        uint32_t version; /* 0: none */
        size_t size;
        uint8_t envelope[MOULT_STATEMENT_SIZE_MAX];
    } endpoints; /* read only once anything runs */

    struct device_table *devices;      /* any thread; it has its own locks */
    struct statement_cache statements; /* any thread; its own lock. Keysets and releases */
    struct rollout_cache rollouts;     /* writer; copies of what is committed: any thread */
    struct token_table tokens;         /* any thread; its own lock */
    struct wake_ring wakes;            /* any thread; its own lock */
    struct effects effects;            /* writer: what to do in memory after COMMIT */

    bool is_live; /* writer: jobs have begun, so effects are applied after COMMIT */
    _Atomic uint64_t counter_floor;       /* order counters continue above it */
    _Atomic uint32_t pending_tokens;      /* new pending devices allowed this minute */
    _Atomic bool is_flushing, is_ticking; /* such a job is queued */

    /* The thread of control_timer(). */
    uint64_t flushed_ms, ticked_ms, minute_ms; /* monotonic */
    int64_t clock_offset_ms;    /* realtime - monotonic when last looked at */
    _Atomic int64_t stepped_ms; /* forward clock step to be forgiven by the tick */
    bool has_more_due;          /* writer: the tick goes on at once */
    uint32_t flush_from;        /* writer: where the flush goes on */
    int64_t alive_ms;           /* writer: last "alive" in the database */
};

/* Whether one more device fits, those counted that are not committed yet. Writer. */
bool control_has_room(const struct control *control);

/* Index of a class in the configuration; 0 for one that is not in it. */
uint8_t control_class_index(const struct control_config *config, const uint8_t id[16]);

#endif
