/* wake_ring.h - wakes on their way to the broker: bounded, at most the newest per device.
 *
 * Layer    server/control, private to this folder.
 * Memory   2.5 MB when full, touched only as far as it was ever filled.
 * Threads  push from any; take from one reader.
 */
#ifndef MOULT_SERVER_CONTROL_WAKE_RING_H
#define MOULT_SERVER_CONTROL_WAKE_RING_H

#include <pthread.h>
#include "server/control/wakes.h"

struct wake_ring {
    pthread_mutex_t lock;
    struct control_wake *ring; /* WAKES_MAX, owned */
    uint32_t *index;           /* hash table: 1 + low bits of a position; 0 empty; owned */
    uint64_t head, tail; /* positions: head is the oldest, tail one behind the newest */
    uint32_t used;       /* places of `index` that are not 0 */
    int event_fd;        /* readable: something was pushed since it was last empty */
    uint64_t dropped;
    uint32_t per_s;        /* rate */
    uint64_t credit_milli; /* thousandths of wakes that may be taken now */
    uint64_t credited_ms;  /* monotonic; 0: never */
};

/* MOULT_OK; MOULT_E_NOMEM; MOULT_E_IO: needs no release then. per_s >= 1. */
MOULT_MUST_CHECK enum moult_status wake_ring_init(struct wake_ring *ring, uint32_t per_s);
void wake_ring_release(struct wake_ring *ring);

/* The newest wake of a device replaces one that still waits, in its place. False: full,
 * dropped and counted. */
bool wake_ring_push(struct wake_ring *ring, const struct control_wake *wake);

/* As control_wakes_take(). */
size_t wake_ring_take(struct wake_ring *ring, struct control_wake *out, size_t max,
                      uint64_t monotonic_ms);

#endif
