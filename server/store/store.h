/* store.h - the database: one writer thread with group commit, some readers.
 *
 * Layer    server/store. Typed rows and queries: store_device.h, store_release.h,
 *          store_rollout.h, store_event.h, store_admin.h. SQL is nowhere else. Backend:
 *          sql.h and sqlite/.
 * Page     docs/design/store.md.
 * Memory   struct store is owned by who opened it. A struct store_db lives as long as the
 *          store and is only used inside a job (or between open and start).
 * Threads  store_write() and store_read() from any. run() and done() of a write job are
 *          called on the writer thread, of a read job on a reader thread.
 * Power    done() of a write job with MOULT_OK comes after COMMIT with synchronous=FULL:
 *          what it acknowledges survives a kill and a power cut.
 * Use it   store_open(), load what you need through store_setup_db(), store_set_hooks(),
 *          store_start(); submit jobs; store_stop(), store_close().
 */
#ifndef MOULT_SERVER_STORE_STORE_H
#define MOULT_SERVER_STORE_STORE_H

#include <stddef.h>
#include <stdint.h>
#include "formats/status.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/metrics.h"

#define STORE_ERROR_SIZE 256u

struct store;
struct store_db;

/* Zeros take the default in brackets. */
struct store_options {
    const char *path;    /* of the database file; its folder must exist */
    size_t queue_max;    /* jobs waiting for the writer, and for the readers [4096 each] */
    unsigned readers;    /* reader threads, 0..8 [2] */
    uint32_t group_ms;   /* a group commit waits at most so long for more jobs [5] */
    uint32_t group_jobs; /* or until it has so many [500] */
    uint32_t busy_ms;    /* how long a statement waits for another process [2000] */
    const struct clock *clock; /* borrowed [clock_system()] */
    struct log log;
    struct metrics *metrics; /* borrowed; NULL: none */
};

struct store_error {
    uint16_t detail; /* MOULT_D_STORE_* */
    char text[STORE_ERROR_SIZE];
};

/* Opens the database, takes the lock on it, applies migrations. *out moved.
 * MOULT_OK; MOULT_E_BUSY: another process has it; MOULT_E_INCOMPATIBLE: its schema is newer
 * than this program; MOULT_E_IO; MOULT_E_NOMEM. On failure error says what and where. */
MOULT_MUST_CHECK enum moult_status store_open(const struct store_options *options,
                                              struct store **out,
                                              struct store_error *error);

/* The writer's connection, before store_start() and after store_stop() only. Each statement
 * commits by itself unless wrapped in store_begin() and store_commit(). */
struct store_db *store_setup_db(struct store *store);
MOULT_MUST_CHECK enum moult_status store_begin(struct store_db *db);
MOULT_MUST_CHECK enum moult_status store_commit(struct store_db *db);
void store_rollback(struct store_db *db);

/* What whoever keeps state in memory beside the database must know. All on the writer
 * thread. */
struct store_hooks {
    void *context;
    void (*job_begins)(void *context);
    void (*job_undone)(void *context); /* everything since job_begins is rolled back */
    /* Before COMMIT: write what was kept back. Not MOULT_OK: the whole group is rolled
     * back. */
    enum moult_status (*committing)(void *context, struct store_db *db);
    void (*committed)(void *context); /* before the done() of the group's jobs */
    void (*group_lost)(void *context,
                       struct store_db *db); /* COMMIT failed; all jobs undone */
};
void store_set_hooks(struct store *store, const struct store_hooks *hooks);

struct store_job {
    const char
        *kind; /* static; label of moult_sql_statements_total: "checkin", "api", ... */
    /* A write job's run() is inside a transaction of its own (a savepoint of the group):
     * MOULT_OK keeps what it did, anything else undoes it. A read job sees one consistent
     * snapshot. */
    enum moult_status (*run)(struct store_db *db, void *context);
    /* The result of run(), or MOULT_E_IO when COMMIT failed. Always called, exactly once.
     */
    void (*done)(void *context, enum moult_status status);
    void *context; /* the job's; not touched after done() */
};

MOULT_MUST_CHECK enum moult_status store_start(struct store *store);

/* Hands a job over. The struct is copied. MOULT_OK: done() will come; MOULT_E_BUSY: the
 * queue is full; MOULT_E_STATE: not started, or stopping. Never blocks. */
MOULT_MUST_CHECK enum moult_status store_write(struct store *store,
                                               const struct store_job *job);
MOULT_MUST_CHECK enum moult_status store_read(struct store *store,
                                              const struct store_job *job);

/* For tests, tools and start-up: runs a job and waits for done(). */
MOULT_MUST_CHECK enum moult_status
store_write_wait(struct store *store, const char *kind,
                 enum moult_status (*run)(struct store_db *db, void *context),
                 void *context);
MOULT_MUST_CHECK enum moult_status
store_read_wait(struct store *store, const char *kind,
                enum moult_status (*run)(struct store_db *db, void *context),
                void *context);

/* A part of a job that can be undone by itself (dry runs). Nested at most once. */
MOULT_MUST_CHECK enum moult_status store_savepoint(struct store_db *db);
void store_savepoint_undo(struct store_db *db);
MOULT_MUST_CHECK enum moult_status store_savepoint_keep(struct store_db *db);

size_t store_queue_count(struct store *store); /* write jobs waiting */

/* SQL statements executed so far by jobs of this kind; NULL: by all. */
uint64_t store_statement_count(struct store *store, const char *kind);

/* Words of the last failure on this connection; never NULL. */
const char *store_db_failure(const struct store_db *db);

/* Finishes what is queued, refuses more, ends the threads. */
void store_stop(struct store *store);
/* Closes the database. NULL is allowed. */
void store_close(struct store *store);

#endif
