/* store_rollout.h - rows of rollouts, phases, assignments and attempts.
 *
 * Layer    server/store: knows the fields, not what they mean; server/control converts to
 *          and from the structs of server/rollout.
 * Memory   rows read are copies; rows handed to a callback live for that call.
 * Threads  as the connection: inside its job.
 */
#ifndef MOULT_SERVER_STORE_STORE_ROLLOUT_H
#define MOULT_SERVER_STORE_STORE_ROLLOUT_H

#include <stdbool.h>
#include "formats/bytes.h"
#include "server/store/store.h"
#include "server/store/store_device.h" /* STORE_NAME_SIZE, STORE_MESSAGE_SIZE */

#define STORE_PHASES_MAX 16u
#define STORE_SELECTOR_SIZE 4097u /* moult_selector's limit and a NUL */
#define STORE_REASON_SIZE 200u
#define STORE_GATE_COUNT 11u    /* numbers of a phase's gate rules */
#define STORE_COUNTER_COUNT 35u /* numbers of a phase's counters */
#define STORE_TRY_COUNT 7u      /* numbers of an assignment's tries */
#define STORE_ACTIVE_BELOW 10   /* states below hold the device's slot; see the migration */

struct store_phase {
    uint8_t rule, state;
    uint32_t value, min_devices;
    bool needs_approval, by_hand;
    int64_t device_soak_ms, soak_ms;
    int64_t opened_ms, success_since_ms, closed_ms;
    uint32_t acknowledged;
    uint32_t gates[STORE_GATE_COUNT];
    uint32_t counters[STORE_COUNTER_COUNT];
};

struct store_rollout {
    int64_t num;
    uint8_t id[16];
    char name[STORE_NAME_SIZE];
    int64_t release;
    char selector[STORE_SELECTOR_SIZE];
    uint32_t grammar;
    uint8_t salt[16];
    uint8_t mode, state;
    char reason[STORE_REASON_SIZE];
    int64_t since_ms, start_ms, phase_max_ms;
    uint32_t rate_tenths;
    int64_t created_ms;
    char created_by[STORE_NAME_SIZE];
    uint32_t revision;
    uint8_t sweep, sweep_state; /* a verb on its way through the devices; 0: none */
    int64_t sweep_asked_ms, sweep_after;
    uint32_t phase_count;
    struct store_phase phases[STORE_PHASES_MAX];
};

/* Rollout and phases; num is set. MOULT_OK; MOULT_E_EXISTS: the name is taken;
 * MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status store_rollout_insert(struct store_db *db,
                                                        struct store_rollout *rollout);
/* State, reason, revision, sweep and all phases of the row `rollout->num`. */
MOULT_MUST_CHECK enum moult_status store_rollout_save(struct store_db *db,
                                                      const struct store_rollout *rollout);
/* All, by num. */
MOULT_MUST_CHECK enum moult_status
store_rollout_each(struct store_db *db,
                   bool (*each)(void *context, const struct store_rollout *rollout),
                   void *context);

struct store_assignment {
    int64_t rollout, device; /* nums */
    uint8_t state, phase;
    uint16_t flags;
    uint32_t generation;
    int64_t updated_ms;
    bool has_deployment, has_from_digest;
    uint8_t deployment[16];
    uint8_t from_digest[32];
    uint16_t reason, detail;
    char message[STORE_MESSAGE_SIZE];
    uint32_t inferred;
    uint32_t tries[STORE_TRY_COUNT];
    uint16_t soak_checkins, reboots;
    uint32_t bytes, tried_bytes;
    int64_t entered_ms, heard_ms, progress_ms, offered_ms, started_ms;
    int64_t reboots_since_ms, not_before_ms, grace_ms;
    int64_t deadline_ms; /* INT64_MAX: none */
};

/* A planned one. MOULT_OK; MOULT_E_EXISTS: the device's slot is taken, or it is in the
 * rollout already; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status
store_assignment_insert(struct store_db *db, const struct store_assignment *assignment);

/* Writes everything, if the row is still in this generation and state.
 * MOULT_OK; MOULT_E_CONFLICT: it is not, nothing written; MOULT_E_EXISTS: the device's slot
 * was taken meanwhile; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status
store_assignment_save(struct store_db *db, const struct store_assignment *assignment,
                      uint32_t was_generation, uint8_t was_state);

/* MOULT_OK; MOULT_E_NOENT; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status store_assignment_of(struct store_db *db, int64_t rollout,
                                                       int64_t device,
                                                       struct store_assignment *out);
/* The one that holds the device's slot. */
MOULT_MUST_CHECK enum moult_status
store_assignment_active(struct store_db *db, int64_t device, struct store_assignment *out);
/* The latest ended one in this state (silent). */
MOULT_MUST_CHECK enum moult_status store_assignment_ended(struct store_db *db,
                                                          int64_t device, uint8_t state,
                                                          struct store_assignment *out);
MOULT_MUST_CHECK enum moult_status
store_assignment_by_deployment(struct store_db *db, const uint8_t deployment[16],
                               struct store_assignment *out);

/* Of a rollout, with device > after in order of device. state 0: all. Do not change rows of
 * the same kind from the callback: collect, then change. */
struct store_assignment_query {
    int64_t rollout;
    int64_t after; /* device num */
    uint8_t state;
    uint32_t limit; /* 0: none */
};
MOULT_MUST_CHECK enum moult_status
store_assignment_each(struct store_db *db, const struct store_assignment_query *query,
                      bool (*each)(void *context, const struct store_assignment *row),
                      void *context);
/* All that hold a slot, in order of device. */
MOULT_MUST_CHECK enum moult_status store_assignment_each_active(
    struct store_db *db, bool (*each)(void *context, const struct store_assignment *row),
    void *context);
/* Those whose time limit has run out, oldest first, at most limit. */
MOULT_MUST_CHECK enum moult_status
store_assignment_each_due(struct store_db *db, int64_t now_ms, uint32_t limit,
                          bool (*each)(void *context, const struct store_assignment *row),
                          void *context);

/* After a server outage: every running time limit ends `ms` later. */
MOULT_MUST_CHECK enum moult_status store_assignment_extend(struct store_db *db, int64_t ms);

/* Failed assignments of a rollout by reason, most frequent first. */
MOULT_MUST_CHECK enum moult_status
store_assignment_reasons(struct store_db *db, int64_t rollout,
                         bool (*each)(void *context, uint16_t reason, uint32_t count),
                         void *context);

/* One try. Optional diagnostics are -1 when the device did not say. */
struct store_attempt {
    int64_t rollout, device;
    uint32_t generation;
    int64_t offered_ms, ended_ms; /* ended_ms 0: under way */
    uint8_t state;
    uint32_t bytes;
    uint16_t reason, detail;
    uint32_t native;
    int64_t free_heap, largest_block, rssi, battery_mv, uptime_s, reset_reason;
};
/* Inserts or replaces. */
MOULT_MUST_CHECK enum moult_status store_attempt_put(struct store_db *db,
                                                     const struct store_attempt *attempt);

/* Poison ledger. count and reason of a pair; MOULT_E_NOENT: clean. */
MOULT_MUST_CHECK enum moult_status store_poison_find(struct store_db *db, int64_t device,
                                                     int64_t release, uint32_t *count,
                                                     uint16_t *reason);
MOULT_MUST_CHECK enum moult_status store_poison_add(struct store_db *db, int64_t device,
                                                    int64_t release, uint16_t reason,
                                                    int64_t now_ms);

#endif
