/* counters.h - what the signer has signed for whom: order counters and rates.
 *
 * Layer    server/signer. Format of the bound's file: docs/spec/signer.md.
 * Memory   one table of 32 bytes a device, on the heap, at most COUNTERS_DEVICES_MAX.
 * Threads  one.
 * Power    the bound on disk is above every counter that was ever signed: it is written and
 *          synced before a counter above it is used.
 */
#ifndef MOULT_SERVER_SIGNER_COUNTERS_H
#define MOULT_SERVER_SIGNER_COUNTERS_H

#include <stddef.h>
#include <stdint.h>
#include "formats/status.h"

/* Devices remembered at most: 256 MB. One fleet of this size needs more than one signer. */
#define COUNTERS_DEVICES_MAX 8000000u
/* How far the stored bound is set ahead, in counter steps; counters follow Unix ms. */
#define COUNTERS_AHEAD 5000u
/* Longest path of the bound's file, NUL included. */
#define COUNTERS_PATH_MAX 512u

/* Limits on how often is signed. */
struct counters_rate {
    uint32_t global_per_s;      /* burst: twice that */
    uint32_t device_per_minute; /* burst: device_burst */
    uint32_t device_burst;
};

struct counters_entry {
    uint8_t device_id[16];
    uint64_t counter; /* last signed; 0: the place is free */
    uint64_t full_at; /* ms: when this device's allowance is full again */
};

struct counters {
    char path[COUNTERS_PATH_MAX];
    uint64_t start;  /* nothing at or below it is signed: the bound found at start */
    uint64_t stored; /* the bound on disk now */
    struct counters_rate rate;
    uint64_t global_full_at_us;
    struct counters_entry *table; /* open addressing, a power of two of places; owned */
    size_t capacity, count;
};

/* Reads the bound. path is copied; a file that is not there means 0.
 * MOULT_OK; MOULT_E_FORMAT: the file is damaged; MOULT_E_IO; MOULT_E_NOMEM; MOULT_E_RANGE:
 * the path is too long. *counters needs no close on failure. */
MOULT_MUST_CHECK enum moult_status counters_open(struct counters *counters,
                                                 const char *path,
                                                 const struct counters_rate *rate);
void counters_close(struct counters *counters);

/* Takes a counter for one device, or says why not; nothing is remembered on failure.
 *
 * floor  set to the highest counter that is used up for this device.
 *
 * MOULT_OK; MOULT_E_REPLAY: counter <= *floor; MOULT_E_BUSY: a rate is exceeded;
 * MOULT_E_SPACE: the table is full; MOULT_E_NOMEM; MOULT_E_IO: the bound was not stored. */
MOULT_MUST_CHECK enum moult_status counters_take(struct counters *counters,
                                                 const uint8_t device_id[16],
                                                 uint64_t counter, uint64_t now_ms,
                                                 uint64_t *floor);

#endif
