/* store_test.c - server/store/store.c and sqlite/: transactions, groups, kills. */
#include "server/store/store.h"
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "server/store/sql.h"
#include "tests/support/check.h"

static char path[64];

static void fresh_path(void)
{
    static int number;
    char command[200];
    snprintf(path, sizeof path, "store_test.%d.%d.db", (int)getpid(), number++);
    snprintf(command, sizeof command, "rm -f %s*", path);
    if (system(command) != 0) { abort(); }
}

static enum moult_status add(struct store_db *db, int64_t key, int64_t value)
{
    struct sql_statement *s = sql_prepare(db, "INSERT INTO t(k, v) VALUES (?1, ?2)");
    sql_bind_int(s, 1, key);
    sql_bind_int(s, 2, value);
    return sql_run(s);
}

static int64_t count(struct store_db *db)
{
    struct sql_statement *s = sql_prepare(db, "SELECT count(*) FROM t");
    int64_t n = sql_step(s) == MOULT_OK ? sql_int(s, 0) : -1;
    sql_done(s);
    return n;
}

static struct store *open_store(const struct store_hooks *hooks)
{
    struct store_options options = {.path = path};
    struct store *store = NULL;
    struct store_error error;
    if (store_open(&options, &store, &error) != MOULT_OK) {
        fprintf(stderr, "%s\n", error.text);
        abort();
    }
    struct sql_statement *s =
        sql_prepare(store_setup_db(store), "CREATE TABLE IF NOT EXISTS "
                                           "t(k INTEGER PRIMARY KEY, v)");
    if (sql_run(s) != MOULT_OK) { abort(); }
    if (hooks) { store_set_hooks(store, hooks); }
    if (store_start(store) != MOULT_OK) { abort(); }
    return store;
}

static enum moult_status add_context(struct store_db *db, void *context)
{
    const int64_t *key = context;
    return add(db, *key, 1);
}

static enum moult_status add_and_refuse(struct store_db *db, void *context)
{
    enum moult_status st = add_context(db, context);
    return st == MOULT_OK ? MOULT_E_REFUSED : st;
}

static enum moult_status count_context(struct store_db *db, void *context)
{
    *(int64_t *)context = count(db);
    return MOULT_OK;
}

static void test_a_refused_job_leaves_nothing_and_hurts_no_other(void)
{
    fresh_path();
    struct store *store = open_store(NULL);
    int64_t one = 1, two = 2, n = 0;
    check_equal(store_write_wait(store, "test", add_context, &one), MOULT_OK);
    check_equal(store_write_wait(store, "test", add_and_refuse, &two), MOULT_E_REFUSED);
    check_equal(store_write_wait(store, "test", add_context, &one), MOULT_E_EXISTS);
    check_equal(store_read_wait(store, "test", count_context, &n), MOULT_OK);
    check_equal(n, 1);
    check_equal(store_write_wait(store, "test", add_context, &two), MOULT_OK);
    check_equal(store_read_wait(store, "test", count_context, &n), MOULT_OK);
    check_equal(n, 2);
    store_close(store);
}

static enum moult_status insert_from_reader(struct store_db *db, void *context)
{
    return add_context(db, context);
}

static void test_a_reader_cannot_change_anything(void)
{
    fresh_path();
    struct store *store = open_store(NULL);
    int64_t key = 1, n = -1;
    check(store_read_wait(store, "test", insert_from_reader, &key) != MOULT_OK);
    check_equal(store_read_wait(store, "test", count_context, &n), MOULT_OK);
    check_equal(n, 0);
    store_close(store);
}

static void test_one_process_at_a_time(void)
{
    fresh_path();
    struct store *store = open_store(NULL), *second = NULL;
    struct store_options options = {.path = path};
    struct store_error error;
    check_equal(store_open(&options, &second, &error), MOULT_E_BUSY);
    check(strstr(error.text, "another process") != NULL);
    store_close(store);
}

static void test_a_newer_schema_is_refused_untouched(void)
{
    fresh_path();
    struct store *store = open_store(NULL), *again = NULL;
    store_stop(store);
    check_equal(sql_run(sql_prepare(store_setup_db(store), "PRAGMA user_version = 9999")),
                MOULT_OK);
    store_close(store);
    struct store_options options = {.path = path};
    struct store_error error;
    check_equal(store_open(&options, &again, &error), MOULT_E_INCOMPATIBLE);
    check(strstr(error.text, "9999") != NULL);
}

/* Hooks see every job and every outcome, in order. */
struct seen {
    int begins, undone, commits, lost;
    bool fail_commit;
};

static void seen_begins(void *context)
{
    ((struct seen *)context)->begins++;
}

static void seen_undone(void *context)
{
    ((struct seen *)context)->undone++;
}

static enum moult_status seen_committing(void *context, struct store_db *db)
{
    (void)db;
    return ((struct seen *)context)->fail_commit ? MOULT_E_IO : MOULT_OK;
}

static void seen_committed(void *context)
{
    ((struct seen *)context)->commits++;
}

static void seen_lost(void *context, struct store_db *db)
{
    (void)db;
    ((struct seen *)context)->lost++;
}

static void test_a_lost_commit_is_told_to_every_job_of_the_group(void)
{
    fresh_path();
    struct seen seen = {0};
    struct store_hooks hooks = {.context = &seen,
                                .job_begins = seen_begins,
                                .job_undone = seen_undone,
                                .committing = seen_committing,
                                .committed = seen_committed,
                                .group_lost = seen_lost};
    struct store *store = open_store(&hooks);
    int64_t one = 1, two = 2, n = -1;
    check_equal(store_write_wait(store, "test", add_context, &one), MOULT_OK);
    seen.fail_commit = true; /* between groups: the writer waits */
    check_equal(store_write_wait(store, "test", add_context, &two), MOULT_E_IO);
    seen.fail_commit = false;
    check_equal(store_read_wait(store, "test", count_context, &n), MOULT_OK);
    check_equal(n, 1);
    check_equal(store_write_wait(store, "test", add_and_refuse, &two), MOULT_E_REFUSED);
    store_close(store);
    check_equal(seen.begins, 3);
    check_equal(seen.undone, 1);
    check_equal(seen.commits, 2);
    check_equal(seen.lost, 1);
}

static void test_statements_are_counted_by_kind(void)
{
    fresh_path();
    struct store *store = open_store(NULL);
    int64_t one = 1, n = 0;
    uint64_t before = store_statement_count(store, "checkin");
    check_equal(store_write_wait(store, "checkin", add_context, &one), MOULT_OK);
    check_equal(store_read_wait(store, "api", count_context, &n), MOULT_OK);
    check_equal(store_statement_count(store, "checkin") - before, 1);
    check_equal(store_statement_count(store, "api"), 1);
    store_close(store);
}

/* --- group commit under a kill -------------------------------------------------------- */

enum { KILL_JOBS_MAX = 20000, KILL_ROUNDS = 6 };

static int acknowledged; /* the child's pipe end */

static void acknowledge(void *context, enum moult_status status)
{
    int64_t key = (int64_t)(intptr_t)context;
    if (status == MOULT_OK && write(acknowledged, &key, sizeof key) != sizeof key) {
        _exit(3);
    }
}

static enum moult_status add_pointer(struct store_db *db, void *context)
{
    return add(db, (int64_t)(intptr_t)context, 1);
}

static void write_until_killed(int64_t first)
{
    struct store *store = open_store(NULL);
    for (int64_t key = first; key < first + KILL_JOBS_MAX; key++) {
        struct store_job job = {.kind = "test",
                                .run = add_pointer,
                                .done = acknowledge,
                                .context = (void *)(intptr_t)key};
        while (store_write(store, &job) == MOULT_E_BUSY) {
            usleep(200);
        }
    }
    pause();
}

static void test_a_kill_loses_nothing_that_was_acknowledged(void)
{
    fresh_path();
    static uint8_t told[KILL_ROUNDS * KILL_JOBS_MAX + 1];
    int64_t told_count = 0;
    for (int round = 0; round < KILL_ROUNDS; round++) {
        int ends[2];
        check(pipe(ends) == 0);
        pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            acknowledged = ends[1];
            write_until_killed(1 + (int64_t)round * KILL_JOBS_MAX);
            _exit(0);
        }
        close(ends[1]);
        int64_t key;
        int wanted = 700 + round * 431; /* somewhere inside a group */
        for (int i = 0; i < wanted && read(ends[0], &key, sizeof key) == sizeof key; i++) {
            told[key] = 1;
            told_count++;
        }
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        while (read(ends[0], &key, sizeof key) == sizeof key) {
            told[key] = 1;
            told_count++;
        }
        close(ends[0]);
    }
    struct store *store = open_store(NULL);
    store_stop(store);
    struct sql_statement *s = sql_prepare(store_setup_db(store), "SELECT k FROM t");
    int64_t kept = 0;
    while (sql_step(s) == MOULT_OK) {
        told[sql_int(s, 0)] = 0;
        kept++;
    }
    sql_done(s);
    store_close(store);
    check(told_count > KILL_ROUNDS * 700);
    check(kept >= told_count);
    for (size_t i = 0; i < sizeof told; i++) {
        check_equal(told[i], 0);
    }
    printf("%lld acknowledged before %d kills, %lld kept\n", (long long)told_count,
           KILL_ROUNDS, (long long)kept);
}

int main(void)
{
    check_run(test_a_refused_job_leaves_nothing_and_hurts_no_other);
    check_run(test_a_reader_cannot_change_anything);
    check_run(test_one_process_at_a_time);
    check_run(test_a_newer_schema_is_refused_untouched);
    check_run(test_a_lost_commit_is_told_to_every_job_of_the_group);
    check_run(test_statements_are_counted_by_kind);
    check_run(test_a_kill_loses_nothing_that_was_acknowledged);
    int failed = check_report();
    return system("rm -f store_test.*.db*") == 0 ? failed : 1;
}
