/* store.c - see store.h. Threads, group commit and migrations; statements are in the typed
 * rows, SQLite in sqlite/. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include "formats/codes.h"
#include "server/base/mem.h"
#include "server/base/queue.h"
#include "server/store/migrations.h"
#include "server/store/sqlite/db.h"

enum {
    KINDS_MAX = 16, /* different job kinds; a program has a handful */
    READERS_MAX = 8,
    QUEUE_DEFAULT = 4096,
    GROUP_JOBS_MAX = 500,
    GROUP_MS_DEFAULT = 5,
    BUSY_MS_DEFAULT = 2000,
    READERS_DEFAULT = 2,
    PATH_SIZE = 512,
};

struct kind {
    const char *name; /* static */
    _Atomic uint64_t statements;
    struct metric *metric;
    uint64_t told; /* how many the metric has */
};

struct store {
    struct store_options options;
    char path[PATH_SIZE];
    int lock_fd;
    struct store_db *writer_db, *reader_db[READERS_MAX];
    struct queue writes, reads;
    pthread_t writer, readers[READERS_MAX];
    unsigned reader_count; /* running */
    _Atomic bool is_started;
    struct store_hooks hooks;

    pthread_mutex_t kinds_lock;
    struct kind kinds[KINDS_MAX];
    size_t kind_count;

    /* The group under way; the writer thread's own. */
    struct store_job group[GROUP_JOBS_MAX];
    enum moult_status results[GROUP_JOBS_MAX];
    size_t group_count;
};

struct reader {
    struct store *store;
    struct store_db *db;
};

/* --- counting statements by kind of job ----------------------------------------------- */

static struct kind *kind_of(struct store *store, const char *name)
{
    pthread_mutex_lock(&store->kinds_lock);
    struct kind *found = NULL;
    for (size_t i = 0; i < store->kind_count && !found; i++) {
        if (strcmp(store->kinds[i].name, name) == 0) { found = &store->kinds[i]; }
    }
    if (!found && store->kind_count < KINDS_MAX) {
        found = &store->kinds[store->kind_count++];
        found->name = name;
        if (store->options.metrics) {
            found->metric = metrics_counter(
                store->options.metrics,
                &(struct metrics_name){.name = "moult_sql_statements_total",
                                       .help = "SQL statements run, by kind of job.",
                                       .label = {"kind"},
                                       .value = {name}});
        }
    }
    assert(found); /* kinds are literals of this program */
    pthread_mutex_unlock(&store->kinds_lock);
    return found;
}

uint64_t store_statement_count(struct store *store, const char *kind)
{
    if (kind) { return atomic_load(&kind_of(store, kind)->statements); }
    uint64_t sum = 0;
    pthread_mutex_lock(&store->kinds_lock);
    for (size_t i = 0; i < store->kind_count; i++) {
        sum += atomic_load(&store->kinds[i].statements);
    }
    pthread_mutex_unlock(&store->kinds_lock);
    return sum;
}

static void tell_metrics(void *context)
{
    struct store *store = context;
    pthread_mutex_lock(&store->kinds_lock);
    for (size_t i = 0; i < store->kind_count; i++) {
        struct kind *kind = &store->kinds[i];
        uint64_t now = atomic_load(&kind->statements);
        if (kind->metric) { metrics_add(kind->metric, (int64_t)(now - kind->told)); }
        kind->told = now;
    }
    pthread_mutex_unlock(&store->kinds_lock);
}

/* --- opening -------------------------------------------------------------------------- */

static void take_defaults(struct store *store, const struct store_options *options)
{
    store->options = *options;
    struct store_options *o = &store->options;
    if (!o->queue_max) { o->queue_max = QUEUE_DEFAULT; }
    if (!o->readers) { o->readers = READERS_DEFAULT; }
    if (o->readers > READERS_MAX) { o->readers = READERS_MAX; }
    if (!o->group_ms) { o->group_ms = GROUP_MS_DEFAULT; }
    if (!o->group_jobs || o->group_jobs > GROUP_JOBS_MAX) {
        o->group_jobs = GROUP_JOBS_MAX;
    }
    if (!o->busy_ms) { o->busy_ms = BUSY_MS_DEFAULT; }
    if (!o->clock) { o->clock = clock_system(); }
}

static enum moult_status take_lock(struct store *store, struct store_error *error)
{
    char path[PATH_SIZE + 8];
    snprintf(path, sizeof path, "%s.lock", store->path);
    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock_fd < 0) {
        error->detail = MOULT_D_STORE_OPEN;
        snprintf(error->text, sizeof error->text, "%.200s: %.40s", path, strerror(errno));
        return MOULT_E_IO;
    }
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        error->detail = MOULT_D_STORE_LOCKED;
        snprintf(error->text, sizeof error->text, "another process has %.200s",
                 store->path);
        return MOULT_E_BUSY;
    }
    return MOULT_OK;
}

static enum moult_status migrate_one(struct store_db *db, size_t number)
{
    char set_version[64];
    snprintf(set_version, sizeof set_version, "PRAGMA user_version = %zu", number);
    enum moult_status st = db_exec(db, "BEGIN IMMEDIATE");
    if (st != MOULT_OK) { return st; }
    st = db_exec(db, store_migrations[number - 1].sql);
    if (st == MOULT_OK) { st = db_exec(db, set_version); }
    if (st == MOULT_OK) { return db_exec(db, "COMMIT"); }
    store_rollback(db);
    return st;
}

static enum moult_status migrate(struct store *store, struct store_error *error)
{
    int64_t version = 0;
    enum moult_status st = db_schema(store->writer_db, &version);
    if (st == MOULT_OK && version > (int64_t)store_migration_count) {
        error->detail = MOULT_D_STORE_SCHEMA;
        snprintf(error->text, sizeof error->text,
                 "expected schema up to %zu, found %lld: made by a newer moultd",
                 store_migration_count, (long long)version);
        return MOULT_E_INCOMPATIBLE;
    }
    for (size_t n = (size_t)version + 1; st == MOULT_OK && n <= store_migration_count;
         n++) {
        st = migrate_one(store->writer_db, n);
        if (st == MOULT_OK) {
            log_info(&store->options.log, "schema_migrated", "migration",
                     store_migrations[n - 1].name);
        } else {
            snprintf(error->text, sizeof error->text, "%s: %.150s",
                     store_migrations[n - 1].name, store_db_failure(store->writer_db));
        }
    }
    if (st != MOULT_OK) { error->detail = MOULT_D_STORE_MIGRATE; }
    return st;
}

static enum moult_status open_databases(struct store *store, struct store_error *error)
{
    struct db_options options = {.path = store->path,
                                 .is_writer = true,
                                 .busy_ms = store->options.busy_ms,
                                 .log = store->options.log};
    error->detail = MOULT_D_STORE_OPEN;
    enum moult_status st = db_open(&options, &store->writer_db, error);
    if (st == MOULT_OK) { st = migrate(store, error); }
    options.is_writer = false;
    for (unsigned i = 0; st == MOULT_OK && i < store->options.readers; i++) {
        error->detail = MOULT_D_STORE_OPEN;
        st = db_open(&options, &store->reader_db[i], error);
    }
    if (st == MOULT_OK) {
        db_count_in(store->writer_db, &kind_of(store, "setup")->statements);
    }
    return st;
}

static enum moult_status open_queues(struct store *store)
{
    size_t max = store->options.queue_max;
    enum moult_status st = queue_init(&store->writes, sizeof(struct store_job), max);
    if (st != MOULT_OK) { return st; }
    st = queue_init(&store->reads, sizeof(struct store_job), max);
    if (st != MOULT_OK) { queue_release(&store->writes); }
    return st;
}

static void close_files(struct store *store)
{
    for (unsigned i = 0; i < READERS_MAX; i++) {
        db_close(store->reader_db[i]);
    }
    db_close(store->writer_db);
    if (store->lock_fd >= 0) { close(store->lock_fd); }
    pthread_mutex_destroy(&store->kinds_lock);
    mem_free(store);
}

enum moult_status store_open(const struct store_options *options, struct store **out,
                             struct store_error *error)
{
    memset(error, 0, sizeof *error);
    struct store *store = mem_alloc(sizeof *store);
    if (!store) { return MOULT_E_NOMEM; }
    take_defaults(store, options);
    store->lock_fd = -1;
    pthread_mutex_init(&store->kinds_lock, NULL);
    int n = snprintf(store->path, sizeof store->path, "%s", options->path);
    enum moult_status st = n >= 0 && n < (int)sizeof store->path ? MOULT_OK : MOULT_E_RANGE;
    if (st == MOULT_OK) { st = take_lock(store, error); }
    if (st == MOULT_OK) { st = open_databases(store, error); }
    if (st == MOULT_OK) { st = open_queues(store); }
    if (st != MOULT_OK) {
        close_files(store);
        return st;
    }
    if (store->options.metrics &&
        !metrics_before_render(store->options.metrics, tell_metrics, store)) {
        log_warn(&store->options.log, "statement_metrics_off");
    }
    *error = (struct store_error){0};
    *out = store;
    return MOULT_OK;
}

struct store_db *store_setup_db(struct store *store)
{
    assert(!store->is_started);
    return store->writer_db;
}

enum moult_status store_begin(struct store_db *db)
{
    return db_exec(db, "BEGIN IMMEDIATE");
}

enum moult_status store_commit(struct store_db *db)
{
    return db_exec(db, "COMMIT");
}

void store_rollback(struct store_db *db)
{
    if (!db_in_transaction(db)) { return; } /* a failure ended it already */
    enum moult_status st = db_exec(db, "ROLLBACK");
    (void)st; /* nothing of the transaction is kept either way */
}

enum moult_status store_savepoint(struct store_db *db)
{
    return db_exec(db, "SAVEPOINT part");
}

void store_savepoint_undo(struct store_db *db)
{
    if (!db_in_transaction(db)) { return; }
    enum moult_status st = db_exec(db, "ROLLBACK TO part; RELEASE part");
    (void)st; /* a lost transaction is noticed at the end of the job */
}

enum moult_status store_savepoint_keep(struct store_db *db)
{
    return db_exec(db, "RELEASE part");
}

void store_set_hooks(struct store *store, const struct store_hooks *hooks)
{
    assert(!store->is_started);
    store->hooks = *hooks;
}

/* --- the writer ----------------------------------------------------------------------- */

/* Runs one job in a savepoint. False: the whole transaction is gone. */
static bool run_in_group(struct store *store, const struct store_job *job,
                         enum moult_status *result)
{
    struct store_db *db = store->writer_db;
    db_count_in(db, &kind_of(store, job->kind)->statements);
    if (store->hooks.job_begins) { store->hooks.job_begins(store->hooks.context); }
    *result = db_exec(db, "SAVEPOINT job");
    if (*result == MOULT_OK) { *result = job->run(db, job->context); }
    if (*result == MOULT_OK) { *result = db_exec(db, "RELEASE job"); }
    if (*result == MOULT_OK) { return true; }
    bool alive =
        db_in_transaction(db) && db_exec(db, "ROLLBACK TO job; RELEASE job") == MOULT_OK;
    if (store->hooks.job_undone) { store->hooks.job_undone(store->hooks.context); }
    return alive;
}

/* Takes more jobs until the group is full, or nothing came for the rest of group_ms. */
static bool run_group(struct store *store)
{
    uint64_t end_ms = clock_monotonic_ms(store->options.clock) + store->options.group_ms;
    bool alive = true;
    while (alive) {
        size_t i = store->group_count - 1; /* the newest is popped and not yet run */
        alive = run_in_group(store, &store->group[i], &store->results[i]);
        if (!alive || store->group_count == store->options.group_jobs) { break; }
        struct store_job *next = &store->group[store->group_count];
        enum moult_status st = queue_pop(&store->writes, next);
        if (st == MOULT_E_NOENT) {
            uint64_t now_ms = clock_monotonic_ms(store->options.clock);
            if (now_ms >= end_ms) { break; }
            queue_wait(&store->writes, (int)(end_ms - now_ms));
            st = queue_pop(&store->writes, next);
        }
        if (st != MOULT_OK) { break; }
        store->group_count++;
    }
    return alive;
}

static bool commit_group(struct store *store)
{
    struct store_db *db = store->writer_db;
    db_count_in(db, &kind_of(store, "commit")->statements);
    enum moult_status st = MOULT_OK;
    if (store->hooks.committing) { st = store->hooks.committing(store->hooks.context, db); }
    if (st == MOULT_OK) { st = db_exec(db, "COMMIT"); }
    return st == MOULT_OK;
}

static void lose_group(struct store *store)
{
    log_error(&store->options.log, "commit_failed", "jobs", store->group_count, "why",
              store_db_failure(store->writer_db));
    store_rollback(store->writer_db);
    if (store->hooks.group_lost) {
        store->hooks.group_lost(store->hooks.context, store->writer_db);
    }
    for (size_t i = 0; i < store->group_count; i++) {
        store->results[i] = MOULT_E_IO;
    }
}

static void write_group(struct store *store)
{
    bool kept = db_exec(store->writer_db, "BEGIN IMMEDIATE") == MOULT_OK;
    if (kept) { kept = run_group(store) && commit_group(store); }
    if (!kept) {
        lose_group(store);
    } else if (store->hooks.committed) {
        store->hooks.committed(store->hooks.context);
    }
    for (size_t i = 0; i < store->group_count; i++) {
        const struct store_job *job = &store->group[i];
        if (job->done) { job->done(job->context, store->results[i]); }
    }
    store->group_count = 0;
}

static void *run_writer(void *argument)
{
    struct store *store = argument;
    for (;;) {
        enum moult_status st = queue_pop(&store->writes, &store->group[0]);
        if (st == MOULT_E_STATE) { return NULL; }
        if (st == MOULT_E_NOENT) {
            queue_wait(&store->writes, -1);
            continue;
        }
        store->group_count = 1;
        write_group(store);
    }
}

/* --- readers -------------------------------------------------------------------------- */

static void read_one(struct store *store, struct store_db *db, const struct store_job *job)
{
    db_count_in(db, &kind_of(store, job->kind)->statements);
    enum moult_status st = db_exec(db, "BEGIN"); /* costs nothing until the first SELECT */
    if (st == MOULT_OK) {
        st = job->run(db, job->context);
        store_rollback(db); /* nothing was changed: ends the snapshot */
    }
    if (job->done) { job->done(job->context, st); }
}

static void *run_reader(void *argument)
{
    struct reader reader = *(struct reader *)argument;
    mem_free(argument);
    struct store_job job;
    for (;;) {
        enum moult_status st = queue_pop(&reader.store->reads, &job);
        if (st == MOULT_E_STATE) { return NULL; }
        if (st == MOULT_OK) {
            read_one(reader.store, reader.db, &job);
        } else {
            queue_wait(&reader.store->reads, -1);
        }
    }
}

static enum moult_status start_reader(struct store *store, unsigned index)
{
    struct reader *reader = mem_alloc(sizeof *reader);
    if (!reader) { return MOULT_E_NOMEM; }
    *reader = (struct reader){store, store->reader_db[index]};
    if (pthread_create(&store->readers[index], NULL, run_reader, reader) != 0) {
        mem_free(reader);
        return MOULT_E_IO;
    }
    store->reader_count++;
    return MOULT_OK;
}

/* --- life ----------------------------------------------------------------------------- */

enum moult_status store_start(struct store *store)
{
    assert(!store->is_started);
    if (pthread_create(&store->writer, NULL, run_writer, store) != 0) { return MOULT_E_IO; }
    store->is_started = true;
    enum moult_status st = MOULT_OK;
    for (unsigned i = 0; st == MOULT_OK && i < store->options.readers; i++) {
        st = start_reader(store, i);
    }
    if (st != MOULT_OK) { store_stop(store); }
    return st;
}

enum moult_status store_write(struct store *store, const struct store_job *job)
{
    return store->is_started ? queue_push(&store->writes, job) : MOULT_E_STATE;
}

enum moult_status store_read(struct store *store, const struct store_job *job)
{
    return store->is_started ? queue_push(&store->reads, job) : MOULT_E_STATE;
}

struct waiting {
    enum moult_status (*run)(struct store_db *db, void *context);
    void *context;
    pthread_mutex_t lock;
    pthread_cond_t finished;
    bool is_done;
    enum moult_status status;
};

static enum moult_status run_waiting(struct store_db *db, void *context)
{
    struct waiting *waiting = context;
    return waiting->run(db, waiting->context);
}

static void done_waiting(void *context, enum moult_status status)
{
    struct waiting *waiting = context;
    pthread_mutex_lock(&waiting->lock);
    waiting->status = status;
    waiting->is_done = true;
    pthread_cond_signal(&waiting->finished);
    pthread_mutex_unlock(&waiting->lock);
}

static enum moult_status
wait_for(struct store *store, const char *kind, struct waiting *waiting,
         enum moult_status (*hand_over)(struct store *, const struct store_job *))
{
    struct store_job job = {
        .kind = kind, .run = run_waiting, .done = done_waiting, .context = waiting};
    enum moult_status st = hand_over(store, &job);
    if (st != MOULT_OK) { return st; }
    pthread_mutex_lock(&waiting->lock);
    while (!waiting->is_done) {
        pthread_cond_wait(&waiting->finished, &waiting->lock);
    }
    pthread_mutex_unlock(&waiting->lock);
    return waiting->status;
}

enum moult_status store_write_wait(struct store *store, const char *kind,
                                   enum moult_status (*run)(struct store_db *db,
                                                            void *context),
                                   void *context)
{
    struct waiting waiting = {.run = run,
                              .context = context,
                              .lock = PTHREAD_MUTEX_INITIALIZER,
                              .finished = PTHREAD_COND_INITIALIZER};
    return wait_for(store, kind, &waiting, store_write);
}

enum moult_status
store_read_wait(struct store *store, const char *kind,
                enum moult_status (*run)(struct store_db *db, void *context), void *context)
{
    struct waiting waiting = {.run = run,
                              .context = context,
                              .lock = PTHREAD_MUTEX_INITIALIZER,
                              .finished = PTHREAD_COND_INITIALIZER};
    return wait_for(store, kind, &waiting, store_read);
}

size_t store_queue_count(struct store *store)
{
    return queue_count(&store->writes);
}

void store_stop(struct store *store)
{
    if (!store->is_started) { return; }
    queue_close(&store->writes);
    queue_close(&store->reads);
    pthread_join(store->writer, NULL);
    for (unsigned i = 0; i < store->reader_count; i++) {
        pthread_join(store->readers[i], NULL);
    }
    store->reader_count = 0;
    store->is_started = false;
}

void store_close(struct store *store)
{
    if (!store) { return; }
    store_stop(store);
    queue_release(&store->writes);
    queue_release(&store->reads);
    close_files(store);
}
