/* control.h - the server's middle: registry, releases, rollouts, and what a device is told.
 *
 * Layer    server/control: between handlers (server/http, server/mqtt) and store + rollout
 *          engine. No sockets, no SQL, no clock of its own: now_ms comes in.
 * Page     docs/design/control.md.
 * Memory   struct control is owned by who opened it; about 300 bytes per device.
 * Threads  functions that take a struct store_db run where that connection is: changes on
 *          the writer thread inside a store job, reads on any store thread. The others say.
 * Use it   store_open(), control_open(), control_keyset_add() of the configured keyset,
 *          store_start(); control_timer() once a second from one thread; handlers call
 *          checkin.h, registry.h, releases.h, rollouts.h, why.h, admin.h; store_stop(),
 *          control_close().
 */
#ifndef MOULT_SERVER_CONTROL_CONTROL_H
#define MOULT_SERVER_CONTROL_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "formats/assignment.h"
#include "formats/crypto.h"
#include "formats/status.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/base/random.h"
#include "server/store/artifact_store.h"
#include "server/store/store.h"

#define CONTROL_CLASSES_MAX 16u
#define CONTROL_NAME_SIZE                                                                  \
    65u /* product, class, rollout, actor names: 64 bytes and a NUL                        \
         */
#define CONTROL_PROBLEM_SIZE 256u
#define CONTROL_ADDRESS_SIZE 46u /* longest textual IPv6 address and a NUL */

struct control;

struct control_class {
    char name[CONTROL_NAME_SIZE];
    uint8_t id[16];
    uint16_t chip_id; /* MOULT_CHIP_* */
};

/* Every interval and limit; control_config_default() fills in production values. Durations
 * in ms as the configuration file reads them (CONFIG_DURATION), next_s values are told in
 * whole seconds. */
struct control_config {
    char product[CONTROL_NAME_SIZE];
    uint8_t fleet_id[16];
    struct control_class classes[CONTROL_CLASSES_MAX];
    size_t class_count; /* >= 1; a device of an unknown class belongs to the first */

    uint64_t interval_ms;       /* between check-ins of an idle device [1 h] */
    uint64_t interval_trial_ms; /* on trial, and at the start of a soak [60 s] */
    uint64_t
        interval_busy_ms; /* with an active assignment, waiting for a phase too [5 min] */
    uint64_t interval_pending_ms; /* told to pending and quarantined devices [15 min] */
    uint64_t interval_min_ms;     /* nobody is told less [30 s] */
    uint64_t
        expected_interval_ms; /* rhythm of a device that is too new to have one [24 h] */

    uint64_t device_soak_ms; /* of a device, from its own confirm to success [1 h] */
    uint64_t soak_first_ms;  /* default soak of phase 0 [24 h] */
    uint64_t soak_ms;        /* of later phases [4 h] */
    uint64_t phase_max_ms;   /* an undecidable phase holds after this [14 d] */
    uint64_t min_devices;    /* of a percent phase [3] */

    uint64_t offer_ttl_ms;      /* [7 d] */
    uint64_t stall_min_ms;      /* [1 h] */
    uint64_t total_min_ms;      /* [24 h] */
    uint64_t silent_min_ms;     /* [15 min] */
    uint64_t silent_max_ms;     /* [30 d] */
    uint64_t silent_factor;     /* [3] */
    uint64_t retry_base_ms;     /* [60 s] */
    uint64_t retry_cap_ms;      /* [24 h] */
    uint64_t confirm_ms;        /* confirm timeout told to devices, 30 s..24 h [5 min] */
    uint64_t assignment_ttl_ms; /* of a signed order, 1 s..1 h [10 min] */

    uint64_t wake_spread_ms;    /* devices woken together start within this [30 s] */
    uint64_t wakes_per_s;       /* published at most [200] */
    uint64_t offers_per_minute; /* default rate of a rollout; 0: no limit [0] */

    bool trust_on_first_use;     /* unknown keys become pending devices [yes] */
    bool accept_on_first_use;    /* and are accepted at once; demos only [no] */
    uint64_t pending_max;        /* pending devices at most [10000] */
    uint64_t pending_per_minute; /* new ones at most [600] */
    uint64_t devices_max;        /* [1000000] */

    uint64_t tick_ms;       /* gates and time limits are looked at so often [5 s] */
    uint64_t flush_ms;      /* last_seen is written so often [2 s] */
    uint64_t outage_min_ms; /* a longer stop of this server is noted and forgiven [60 s] */
};

void control_config_default(struct control_config *config);

struct control_parts {
    struct store *store; /* all borrowed until control_close() */
    struct artifact_store *artifacts;
    const struct moult_crypto *crypto; /* must allow any thread */
    const struct clock *clock;
    const struct random *random;
    struct log log;
    struct metrics *metrics; /* NULL: none */
};

struct control_error {
    uint16_t detail; /* MOULT_D_*, 0 none */
    char text[CONTROL_PROBLEM_SIZE];
};

/* Loads everything; between store_open() and store_start(). Sets the store's hooks. *out
 * moved. MOULT_OK; MOULT_E_ARG: a setting is out of range; MOULT_E_IO, MOULT_E_NOMEM,
 * MOULT_E_INTERNAL. On failure error says what. */
MOULT_MUST_CHECK enum moult_status control_open(const struct control_config *config,
                                                const struct control_parts *parts,
                                                struct control **out,
                                                struct control_error *error);
void control_close(struct control *control); /* after store_stop(); NULL is allowed */

/* Call about once a second from one thread: posts the flush of last_seen and the tick of
 * rollouts to the store when they are due. Never blocks. */
void control_timer(struct control *control);

/* Counters of orders continue above this (what moult-signer says on connecting). Any
 * thread. */
void control_counter_floor(struct control *control, uint64_t counter);

/* Who asks for a change, for audit and state reasons. */
struct control_actor {
    const char *name;       /* token name, or "system" */
    const char *address;    /* may be NULL */
    const char *request_id; /* may be NULL */
};

/* Why a call was refused; maps one to one onto application/problem+json. */
struct control_problem {
    uint16_t detail; /* MOULT_D_*; its row of codes.tsv gives status and title */
    char text[CONTROL_PROBLEM_SIZE]; /* this case: expected and found */
    char field[64];                  /* "phases[1].percent"; "" none */
    char hint[CONTROL_PROBLEM_SIZE]; /* what to do next; "" none */
};

/* One call of the operator API. Functions that take it return MOULT_OK with *out set to a
 * new reference (moved to the caller), or any other status with *problem filled in and *out
 * NULL.
 *
 * Changes: call->db is the writer's, inside a job. With dry_run everything is checked and
 * answered and nothing but the audit entry is kept; the reply has "dry_run": true. A
 * handler returns MOULT_OK to its job in both cases: also a refused change leaves its audit
 * entry. */
struct control_call {
    struct control *control;
    struct store_db *db;
    int64_t now_ms;
    struct control_actor actor;
    bool dry_run;
    struct control_problem *problem;
};

/* A page of a list: limit 1..500 (0: 100), cursor as given back by the last page or NULL.
 */
struct control_page {
    unsigned limit;
    const char *cursor;
};

/* Newest keyset. Adds `envelope` if it is newer and its chain holds, or the first (pinned).
 * Writer. MOULT_OK, also when it is there already; otherwise problem (MOULT_D_KEYSET_*). */
MOULT_MUST_CHECK enum moult_status control_keyset_add(const struct control_call *call,
                                                      struct moult_bytes envelope);

/* Signed statements from memory, any thread, no SQL. *size is set on OK.
 * MOULT_OK; MOULT_E_NOENT; MOULT_E_SPACE: capacity. */
MOULT_MUST_CHECK enum moult_status control_keyset_read(struct control *control,
                                                       uint32_t version, uint8_t *out,
                                                       size_t capacity, size_t *size);
MOULT_MUST_CHECK enum moult_status control_release_read(struct control *control,
                                                        const uint8_t payload_sha256[32],
                                                        uint8_t *out, size_t capacity,
                                                        size_t *size);
uint32_t control_keyset_newest(struct control *control);

/* The endpoint list that devices are handed, verified by the newest keyset. Once, after
 * control_keyset_add() and before anything else runs. MOULT_OK; otherwise problem
 * (MOULT_D_ENDPOINT_*): a list that no device would take. */
MOULT_MUST_CHECK enum moult_status control_endpoints_set(const struct control_call *call,
                                                         struct moult_bytes envelope);
/* It, any thread. MOULT_OK; MOULT_E_NOENT: none, or of another version; MOULT_E_SPACE. */
MOULT_MUST_CHECK enum moult_status control_endpoints_read(struct control *control,
                                                          uint32_t version, uint8_t *out,
                                                          size_t capacity, size_t *size);
/* All published releases' payload digests, to tell the signer: calls `each` with the
 * envelope, any thread; stops when it returns false. */
void control_releases_each(struct control *control,
                           bool (*each)(void *context, struct moult_bytes envelope),
                           void *context);

#endif
