/* rollout_cache.h - rollouts in memory: the writer's working copies, and what is committed.
 *
 * Layer    server/control, private to this folder.
 * Memory   two copies per rollout of about 6 KB, a third while a job changes it;
 *          ROLLOUTS_MAX.
 * Threads  "writer" functions on the writer thread; the others on any, under one lock.
 * Use it   a job: rollout_cache_find(), rollout_cache_touch(), change ->engine. Before
 *          COMMIT what was touched is saved; after COMMIT it is shown to readers; a job
 *          that is undone gets its copies back.
 */
#ifndef MOULT_SERVER_CONTROL_ROLLOUT_CACHE_H
#define MOULT_SERVER_CONTROL_ROLLOUT_CACHE_H

#include <pthread.h>
#include <stdbool.h>
#include "server/rollout/rollout.h"
#include "server/store/store_rollout.h"

#define ROLLOUTS_MAX 4096u

/* Stored: never renumber. */
enum sweep_verb { SWEEP_NONE = 0, SWEEP_ABORT = 1, SWEEP_RETRY = 2 };

/* A verb on its way through the rollout's devices; rollout_sweep.h. */
struct rollout_sweep {
    enum sweep_verb verb;
    uint8_t state;    /* of the rows that are looked at now */
    int64_t asked_ms; /* rows that got into their state later are not meant */
    int64_t after;    /* num of the device looked at last */
};

struct control_rollout {
    int64_t num;
    uint8_t id[16];
    char name[STORE_NAME_SIZE];
    int64_t release;      /* num */
    const char *selector; /* owned by the cache, lives as long as it */
    uint32_t grammar;
    uint8_t salt[16];
    int64_t created_ms;
    char created_by[STORE_NAME_SIZE];
    uint32_t revision; /* counts changes of state; the ETag */
    struct rollout_sweep sweep;
    struct rollout engine;
};

struct rollout_slot {
    struct control_rollout *work;   /* writer */
    struct control_rollout *shown;  /* readers; NULL until the first COMMIT */
    struct control_rollout *before; /* as it was when the running job began; else NULL */
    char *selector;
    bool is_dirty; /* to be saved before COMMIT */
    bool is_new;   /* inserted since the last COMMIT */
};

struct rollout_cache {
    pthread_rwlock_t lock;      /* over count and the `shown` of slots */
    struct rollout_slot *slots; /* ROLLOUTS_MAX, in order of num; owned */
    size_t count;               /* writer */
    size_t shown_count;
    size_t job_count; /* slots when the running job began */
    bool is_short;    /* no memory for a copy: the job must fail */
};

MOULT_MUST_CHECK enum moult_status rollout_cache_init(struct rollout_cache *cache);
void rollout_cache_release(struct rollout_cache *cache);
/* Reads all anew from the database: at start, and when a COMMIT was lost. */
MOULT_MUST_CHECK enum moult_status rollout_cache_load(struct rollout_cache *cache,
                                                      struct store_db *db);

/* --- writer --- */

/* Inserts into the database and the cache; rollout->num and ->selector are set. selector:
 * copied. MOULT_OK; MOULT_E_EXISTS: the name; MOULT_E_SPACE: too many; MOULT_E_NOMEM;
 * MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status rollout_cache_insert(struct rollout_cache *cache,
                                                        struct store_db *db,
                                                        struct control_rollout *rollout,
                                                        const char *selector);
/* NULL: there is none. Read only until touched. */
struct rollout_slot *rollout_cache_find(struct rollout_cache *cache, int64_t num);
struct rollout_slot *rollout_cache_by_name(struct rollout_cache *cache, const char *id);
struct rollout_slot *rollout_cache_at(struct rollout_cache *cache,
                                      size_t index); /* NULL: end */
/* The working copy, to be changed. */
struct control_rollout *rollout_cache_touch(struct rollout_cache *cache,
                                            struct rollout_slot *slot);

void rollout_cache_job_begins(struct rollout_cache *cache);
void rollout_cache_job_undone(struct rollout_cache *cache);
MOULT_MUST_CHECK enum moult_status rollout_cache_save(struct rollout_cache *cache,
                                                      struct store_db *db);
void rollout_cache_committed(struct rollout_cache *cache);

/* --- any thread --- */

/* Whether devices of this phase may be offered the release, as of the last COMMIT. */
bool rollout_cache_may_offer(struct rollout_cache *cache, int64_t num, uint8_t phase);
/* Copies out. id: "rol_..." or a name. False: there is none. */
bool rollout_cache_copy(struct rollout_cache *cache, int64_t num,
                        struct control_rollout *out);
bool rollout_cache_copy_by_name(struct rollout_cache *cache, const char *id,
                                struct control_rollout *out);
/* Copies the newest with num < before (0: of all) for which `matches` (NULL: any) says
 * yes. */
bool rollout_cache_copy_before(struct rollout_cache *cache, int64_t before,
                               bool (*matches)(const void *want,
                                               const struct control_rollout *rollout),
                               const void *want, struct control_rollout *out);

#endif
