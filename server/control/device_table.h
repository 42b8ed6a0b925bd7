/* device_table.h - every device in memory, so that an idle check-in needs no database.
 *
 * Layer    server/control, private to this folder.
 * Memory   about 280 bytes per device with its two indexes; blocks are allocated as devices
 *          come and stay until destroy. An index names a device for as long as the table
 *          lives.
 * Threads  any, but device_table_put() and _remove(): writer only (after COMMIT). Entries
 *          are copied in and out under one of DEVICE_TABLE_STRIPES locks.
 */
#ifndef MOULT_SERVER_CONTROL_DEVICE_TABLE_H
#define MOULT_SERVER_CONTROL_DEVICE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "formats/compiler.h"
#include "server/rollout/rhythm.h"

#define DEVICE_NONE UINT32_MAX
#define DEVICE_TABLE_STRIPES 64u
#define DEVICE_STATE_COUNT 6u /* numbers of enum device_state, 0 unused */
#define DEVICE_ADDRESS_SIZE 46u

/* What the database says, as of the last COMMIT. */
struct device_durable {
    int64_t num;
    uint8_t id[16];
    uint8_t spki[32];
    uint8_t class_index;   /* in the configuration */
    uint8_t state;         /* enum device_state */
    uint8_t running_state; /* enum moult_slot_state */
    bool has_running;      /* it has checked in once */
    bool has_facts;
    bool is_watched; /* ended as silent, and not heard of since: its next word matters */
    uint8_t running_digest[32];
    uint64_t running_sequence;
    uint32_t keyset_version;
    uint8_t assigned_state; /* enum assignment_state of the active one; 0: none */
    uint8_t assigned_phase;
    int64_t assigned_rollout; /* num */
    int64_t assigned_not_before_ms;
};

/* What check-ins change; a crash may lose two seconds of it. */
struct device_live {
    int64_t last_seen_ms; /* 0: never */
    uint64_t counter;     /* of the last order */
    uint32_t next_s;      /* told last */
    struct rhythm rhythm;
    uint64_t wake_seq;
    char address[DEVICE_ADDRESS_SIZE];
};

struct device_table;

/* capacity: devices at most. NULL: no memory. */
MOULT_MUST_CHECK struct device_table *device_table_create(uint32_t capacity);
void device_table_destroy(struct device_table *table); /* NULL is allowed */

/* DEVICE_NONE: there is none. */
uint32_t device_table_find_spki(struct device_table *table, const uint8_t spki[32]);
uint32_t device_table_find_id(struct device_table *table, const uint8_t id[16]);
/* Writer only. */
uint32_t device_table_find_num(struct device_table *table, int64_t num);

/* Copies of an entry; either may be NULL. */
void device_table_get(struct device_table *table, uint32_t index,
                      struct device_durable *durable, struct device_live *live);

/* Adds the device of durable->num, or replaces what is known of it. Nums must come in
 * rising order when new. live: start values of a new one; NULL: zeros.
 * False: the table is full, or there is no memory. */
MOULT_MUST_CHECK bool device_table_put(struct device_table *table,
                                       const struct device_durable *durable,
                                       const struct device_live *live);
void device_table_remove(struct device_table *table, int64_t num);

/* A check-in: time, address, what was told; notes the gap since the last one in the rhythm
 * unless is_gap_odd (an update or an outage lies in it). */
struct device_seen {
    int64_t now_ms;
    uint32_t next_s;
    const char *address; /* may be NULL */
    bool is_gap_odd;
};
void device_table_seen(struct device_table *table, uint32_t index,
                       const struct device_seen *seen);

/* The next order counter: max(last + 1, reported + 1, floor + 1, now_ms). */
uint64_t device_table_next_counter(struct device_table *table, uint32_t index,
                                   uint64_t reported, uint64_t floor, int64_t now_ms);
/* The next wake's seq: max(last + 1, now_ms). */
uint64_t device_table_next_wake(struct device_table *table, uint32_t index, int64_t now_ms);

uint32_t device_table_count(struct device_table *table); /* entries, removed ones too */
uint32_t device_table_state_count(struct device_table *table, unsigned state);

/* Entries from `from` on whose live part changed since it was last collected: at most max
 * indexes into out, in order of num. *next: where to go on; equal to the count at the
 * end. */
size_t device_table_collect(struct device_table *table, uint32_t from, uint32_t *out,
                            size_t max, uint32_t *next);
/* Marks an entry as changed again: what was collected could not be written. */
void device_table_mark(struct device_table *table, uint32_t index);

#endif
