/* sql_values.h - between columns and the fields of typed rows; private to server/store.
 *
 * Layer    server/store.
 */
#ifndef MOULT_SERVER_STORE_SQL_VALUES_H
#define MOULT_SERVER_STORE_SQL_VALUES_H

#include "server/store/sql.h"

/* A column of exactly `size` bytes; zeros when it is NULL or of another size. */
void value_bytes(struct sql_statement *statement, int column, uint8_t *out, size_t size);
/* A text column with its NUL; "" when it is NULL, cut when it is longer (limits are checked
 * where texts come in). */
void value_text(struct sql_statement *statement, int column, char *out, size_t size);

/* "" and 0 are NULL in the database. */
void bind_text(struct sql_statement *statement, int index, const char *text);
void bind_time(struct sql_statement *statement, int index, int64_t time_ms);

/* Runs an UPDATE or DELETE of one row. MOULT_E_NOENT: there was none. */
MOULT_MUST_CHECK enum moult_status run_one(struct store_db *db,
                                           struct sql_statement *statement);

/* Numbers as "1,2,3" and back; a list in one column that people can read. */
#define VALUE_LIST_SIZE 512u
void value_list_write(const uint32_t *numbers, size_t count, char out[VALUE_LIST_SIZE]);
/* False: not exactly `count` numbers of 32 bits. */
MOULT_MUST_CHECK bool value_list_read(const char *text, uint32_t *numbers, size_t count);

#endif
