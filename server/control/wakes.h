/* wakes.h - which devices are to be told "look now", and which retained wakes are over.
 *
 * Layer    server/control; the reader is server/mqtt.
 * Memory   a ring of WAKES_MAX entries; at most the newest per device is in it. When it is
 *          full a wake is dropped and counted: the device polls anyway.
 * Threads  pushed from the writer thread, taken by one reader.
 */
#ifndef MOULT_SERVER_CONTROL_WAKES_H
#define MOULT_SERVER_CONTROL_WAKES_H

#include "server/control/control.h"

#define WAKES_MAX 65536u

struct control_wake {
    uint8_t device_id[16];
    bool is_clear;     /* publish an empty retained message */
    uint64_t seq;      /* max(last + 1, unix ms) */
    uint32_t spread_s; /* the device waits a random part of this */
};

/* Up to max wakes, oldest first; 0: none. The rate (config.wakes_per_s) is applied here by
 * now_ms (monotonic): what is over it stays in the ring. */
size_t control_wakes_take(struct control *control, struct control_wake *out, size_t max,
                          uint64_t monotonic_ms);

/* Readable (eventfd) when something was pushed since the ring was last empty; -1 never
 * happens. */
int control_wakes_fd(const struct control *control);

/* The broker is back: wake again whoever still waits for an offer. Any thread. */
void control_wakes_again(struct control *control);

#endif
