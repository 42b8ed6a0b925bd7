/* db.h - one connection to the SQLite file. Statements are run through sql.h.
 *
 * Layer    server/store, private.
 * Threads  one at a time per connection.
 */
#ifndef MOULT_SERVER_STORE_SQLITE_DB_H
#define MOULT_SERVER_STORE_SQLITE_DB_H

#include <stdatomic.h>
#include "server/base/log.h"
#include "server/store/store.h"

struct db_options {
    const char *path;
    bool is_writer; /* makes the file, WAL, synchronous=FULL; readers change nothing */
    uint32_t busy_ms;
    struct log log;
};

/* *out moved. MOULT_OK; MOULT_E_IO, MOULT_E_NOMEM, with error set. */
MOULT_MUST_CHECK enum moult_status
db_open(const struct db_options *options, struct store_db **out, struct store_error *error);
void db_close(struct store_db *db); /* NULL is allowed */

/* Statements without parameters or rows, several allowed: BEGIN, SAVEPOINT, a migration.
 * Not counted. As sql_step(). */
MOULT_MUST_CHECK enum moult_status db_exec(struct store_db *db, const char *sql);

/* Whether a transaction is open; some failures end it by themselves. */
bool db_in_transaction(const struct store_db *db);

/* The number of the newest migration. */
MOULT_MUST_CHECK enum moult_status db_schema(struct store_db *db, int64_t *version);

/* Where statements are counted from now on. Borrowed; NULL: nowhere. */
void db_count_in(struct store_db *db, _Atomic uint64_t *counter);

#endif
