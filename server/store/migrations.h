/* migrations.h - the schema's history, built in from migrations/NNNN_name.sql.
 *
 * Layer    server/store, private. Made by tools/gen-migrations. Rules    a released
 *          migration is never edited; numbers have no gaps and start at 1.
 */
#ifndef MOULT_SERVER_STORE_MIGRATIONS_H
#define MOULT_SERVER_STORE_MIGRATIONS_H

#include <stddef.h>

struct migration {
    const char *name; /* "0001_first" */
    const char *sql;
};

extern const struct migration store_migrations[]; /* [0] is number 1 */
extern const size_t store_migration_count;

#endif
