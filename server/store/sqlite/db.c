/* db.c - see db.h and ../sql.h. The only file that includes SQLite. */
#include "server/store/sqlite/db.h"
#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include "server/base/mem.h"
#include "server/store/sql.h"

struct sql_statement {
    struct store_db *db;
    sqlite3_stmt *stmt; /* NULL: it could not be prepared */
    char *text;         /* owned; the key in the cache */
    uint64_t used;      /* when, for choosing what to push out */
    bool is_running;    /* stepped since the last reset */
};

struct store_db {
    sqlite3 *handle;
    struct log log;
    _Atomic uint64_t *counter;
    uint64_t use_count;
    struct sql_statement *cache[SQL_CACHE_MAX]; /* owned */
    size_t cache_count;
    char failure[STORE_ERROR_SIZE];
};

static enum moult_status status_of(struct store_db *db, int rc)
{
    if (rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_ROW) { return MOULT_OK; }
    snprintf(db->failure, sizeof db->failure, "%s", sqlite3_errmsg(db->handle));
    switch (rc & 0xff) {
    case SQLITE_CONSTRAINT:
        return MOULT_E_EXISTS;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return MOULT_E_BUSY;
    case SQLITE_FULL:
        return MOULT_E_SPACE;
    case SQLITE_NOMEM:
        return MOULT_E_NOMEM;
    default:
        log_error(&db->log, "sql_failed", "why", db->failure, "code", rc);
        return MOULT_E_IO;
    }
}

enum moult_status db_exec(struct store_db *db, const char *sql)
{
    return status_of(db, sqlite3_exec(db->handle, sql, NULL, NULL, NULL));
}

bool db_in_transaction(const struct store_db *db)
{
    return sqlite3_get_autocommit(db->handle) == 0;
}

void db_count_in(struct store_db *db, _Atomic uint64_t *counter)
{
    db->counter = counter;
}

const char *store_db_failure(const struct store_db *db)
{
    return db->failure;
}

static enum moult_status set_up(struct store_db *db, const struct db_options *options)
{
    sqlite3_busy_timeout(db->handle, (int)options->busy_ms);
    if (options->is_writer) {
        /* 16 MB of cache, filled only as far as the database is large; checkpoints every 16
         * MB: with the defaults inserting 100,000 devices takes 1.7 times as long. */
        return db_exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                           "PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 67108864;"
                           "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;"
                           "PRAGMA wal_autocheckpoint = 4000;");
    }
    return db_exec(db, "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;");
}

enum moult_status db_open(const struct db_options *options, struct store_db **out,
                          struct store_error *error)
{
    struct store_db *db = mem_alloc(sizeof *db);
    if (!db) { return MOULT_E_NOMEM; }
    db->log = options->log;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                (options->is_writer ? SQLITE_OPEN_CREATE : 0);
    int rc = sqlite3_open_v2(options->path, &db->handle, flags, NULL);
    enum moult_status st = rc == SQLITE_OK ? set_up(db, options) : MOULT_E_IO;
    if (st != MOULT_OK) {
        snprintf(error->text, sizeof error->text, "%s",
                 db->handle ? sqlite3_errmsg(db->handle) : "no memory");
        db_close(db);
        return st;
    }
    *out = db;
    return MOULT_OK;
}

static void forget(struct sql_statement *statement)
{
    sqlite3_finalize(statement->stmt);
    mem_free(statement->text);
    mem_free(statement);
}

void db_close(struct store_db *db)
{
    if (!db) { return; }
    for (size_t i = 0; i < db->cache_count; i++) {
        forget(db->cache[i]);
    }
    sqlite3_close(db->handle);
    mem_free(db);
}

/* --- prepared statements -------------------------------------------------------------- */

/* What is prepared but cannot be had (no memory): every use says MOULT_E_IO. */
static struct sql_statement broken;

static struct sql_statement *find_cached(struct store_db *db, const char *text)
{
    for (size_t i = 0; i < db->cache_count; i++) {
        if (strcmp(db->cache[i]->text, text) == 0) { return db->cache[i]; }
    }
    return NULL;
}

static size_t place_in_cache(struct store_db *db)
{
    if (db->cache_count < SQL_CACHE_MAX) { return db->cache_count++; }
    size_t oldest = SQL_CACHE_MAX;
    for (size_t i = 0; i < SQL_CACHE_MAX; i++) {
        bool older =
            oldest == SQL_CACHE_MAX || db->cache[i]->used < db->cache[oldest]->used;
        if (!db->cache[i]->is_running && older) { oldest = i; }
    }
    assert(oldest < SQL_CACHE_MAX); /* nobody runs that many statements at once */
    forget(db->cache[oldest]);
    return oldest;
}

static struct sql_statement *make(struct store_db *db, const char *text)
{
    struct sql_statement *statement = mem_alloc(sizeof *statement);
    char *copy = statement ? mem_copy_text(text) : NULL;
    if (!copy) {
        mem_free(statement);
        return NULL;
    }
    statement->db = db;
    statement->text = copy;
    int rc = strlen(text) > SQL_TEXT_MAX
                 ? SQLITE_TOOBIG
                 : sqlite3_prepare_v3(db->handle, text, -1, SQLITE_PREPARE_PERSISTENT,
                                      &statement->stmt, NULL);
    if (rc != SQLITE_OK) {
        log_error(&db->log, "sql_not_prepared", "why", sqlite3_errmsg(db->handle), "sql",
                  text);
        snprintf(db->failure, sizeof db->failure, "%s", sqlite3_errmsg(db->handle));
    }
    return statement;
}

struct sql_statement *sql_prepare(struct store_db *db, const char *text)
{
    struct sql_statement *statement = find_cached(db, text);
    if (!statement) {
        statement = make(db, text);
        if (!statement) { return &broken; }
        db->cache[place_in_cache(db)] = statement;
    }
    assert(!statement->is_running); /* the last user forgot sql_done() */
    statement->used = ++db->use_count;
    return statement;
}

void sql_bind_int(struct sql_statement *statement, int index, int64_t value)
{
    if (statement->stmt) { sqlite3_bind_int64(statement->stmt, index, value); }
}

void sql_bind_bytes(struct sql_statement *statement, int index, struct moult_bytes bytes)
{
    if (statement->stmt) {
        sqlite3_bind_blob64(statement->stmt, index, bytes.data, bytes.size,
                            SQLITE_TRANSIENT);
    }
}

void sql_bind_text(struct sql_statement *statement, int index, const char *text)
{
    if (statement->stmt) {
        sqlite3_bind_text(statement->stmt, index, text, -1, SQLITE_TRANSIENT);
    }
}

void sql_bind_null(struct sql_statement *statement, int index)
{
    if (statement->stmt) { sqlite3_bind_null(statement->stmt, index); }
}

enum moult_status sql_step(struct sql_statement *statement)
{
    if (!statement->stmt) { return MOULT_E_IO; }
    struct store_db *db = statement->db;
    if (!statement->is_running && db->counter) { atomic_fetch_add(db->counter, 1); }
    statement->is_running = true;
    int rc = sqlite3_step(statement->stmt);
    return rc == SQLITE_DONE ? MOULT_E_NOENT : status_of(db, rc);
}

int64_t sql_int(struct sql_statement *statement, int column)
{
    return sqlite3_column_int64(statement->stmt, column);
}

struct moult_bytes sql_bytes(struct sql_statement *statement, int column)
{
    const void *data = sqlite3_column_blob(statement->stmt, column);
    return (struct moult_bytes){data,
                                (size_t)sqlite3_column_bytes(statement->stmt, column)};
}

const char *sql_text(struct sql_statement *statement, int column)
{
    return (const char *)sqlite3_column_text(statement->stmt, column);
}

bool sql_is_null(struct sql_statement *statement, int column)
{
    return sqlite3_column_type(statement->stmt, column) == SQLITE_NULL;
}

void sql_done(struct sql_statement *statement)
{
    if (!statement->stmt) { return; }
    sqlite3_reset(statement->stmt); /* repeats the step's error, which was told already */
    sqlite3_clear_bindings(statement->stmt);
    statement->is_running = false;
}

enum moult_status sql_run(struct sql_statement *statement)
{
    enum moult_status st = sql_step(statement);
    while (st == MOULT_OK) {
        st = sql_step(statement);
    } /* RETURNING rows, if any */
    sql_done(statement);
    return st == MOULT_E_NOENT ? MOULT_OK : st;
}

int64_t sql_changes(const struct store_db *db)
{
    return sqlite3_changes64(db->handle);
}

int64_t sql_last_id(const struct store_db *db)
{
    return sqlite3_last_insert_rowid(db->handle);
}

enum moult_status db_schema(struct store_db *db, int64_t *version)
{
    struct sql_statement *statement = sql_prepare(db, "PRAGMA user_version");
    enum moult_status st = sql_step(statement);
    if (st == MOULT_OK) { *version = sql_int(statement, 0); }
    sql_done(statement);
    return st;
}
