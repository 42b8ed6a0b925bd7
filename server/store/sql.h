/* sql.h - the little of SQL that typed rows need; the backend is behind it.
 *
 * Layer    server/store, private to this folder: no other folder sees a statement.
 * Memory   prepared statements are cached per connection for as long as it lives; texts and
 *          blobs of a row are borrowed until the next sql_step(), sql_done() or bind.
 * Threads  as the struct store_db: the job's.
 * Use it   struct sql_statement *s = sql_prepare(db, "SELECT ... ?1 ...");
 *          sql_bind_int(s, 1, x); while ((st = sql_step(s)) == MOULT_OK) { sql_int(s, 0)
 *          ... } MOULT_E_NOENT is the end. sql_done(s) always.
 */
#ifndef MOULT_SERVER_STORE_SQL_H
#define MOULT_SERVER_STORE_SQL_H

#include <stdbool.h>
#include "formats/bytes.h"
#include "server/store/store.h"

/* Statements cached per connection: the program's own are about a hundred; built ones (of
 * selectors) push out the longest unused. */
#define SQL_CACHE_MAX 192u
#define SQL_TEXT_MAX 8192u /* bytes of one statement */

struct sql_statement;

/* text: static, or copied when it is not cached yet. Never NULL: what cannot be prepared
 * gives a statement whose step is MOULT_E_IO, and is logged; for the program's own text
 * that is a bug, found by any test that runs it. */
struct sql_statement *sql_prepare(struct store_db *db, const char *text);

/* Parameters count from 1. bytes and text are copied; NULL data or text binds NULL. */
void sql_bind_int(struct sql_statement *statement, int index, int64_t value);
void sql_bind_bytes(struct sql_statement *statement, int index, struct moult_bytes bytes);
void sql_bind_text(struct sql_statement *statement, int index, const char *text);
void sql_bind_null(struct sql_statement *statement, int index);

/* MOULT_OK: a row; MOULT_E_NOENT: no (more) row; MOULT_E_EXISTS: a constraint (unique,
 * foreign key, check) was violated; MOULT_E_BUSY; MOULT_E_SPACE: disk full; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status sql_step(struct sql_statement *statement);

/* Columns of the row count from 0. NULL gives 0, an empty byte string, or NULL text. */
int64_t sql_int(struct sql_statement *statement, int column);
struct moult_bytes sql_bytes(struct sql_statement *statement, int column);
const char *sql_text(struct sql_statement *statement, int column);
bool sql_is_null(struct sql_statement *statement, int column);

/* Resets it for the next use and clears its parameters. */
void sql_done(struct sql_statement *statement);

/* Steps once and is done: for statements without rows. MOULT_OK when it ran to its end. */
MOULT_MUST_CHECK enum moult_status sql_run(struct sql_statement *statement);

/* Rows that the last INSERT, UPDATE or DELETE of this connection changed; its last
 * rowid. */
int64_t sql_changes(const struct store_db *db);
int64_t sql_last_id(const struct store_db *db);

#endif
