/* token_table.h - API tokens in memory: their digests, never their texts.
 *
 * Layer    server/control, private to this folder.
 * Threads  find: any. set: writer.
 */
#ifndef MOULT_SERVER_CONTROL_TOKEN_TABLE_H
#define MOULT_SERVER_CONTROL_TOKEN_TABLE_H

#include <pthread.h>
#include "server/control/admin.h"

#define TOKENS_MAX 1000u /* people and pipelines of one fleet */

struct token_entry {
    struct control_token token;
    uint8_t sha256[32];
    int64_t expires_ms; /* 0: never */
};

struct token_table {
    pthread_rwlock_t lock;
    struct token_entry *entries; /* TOKENS_MAX, owned */
    size_t count;
};

/* MOULT_OK; MOULT_E_NOMEM. */
MOULT_MUST_CHECK enum moult_status token_table_init(struct token_table *table);
void token_table_release(struct token_table *table);

/* Adds, or replaces the one of that name. False: full. */
bool token_table_set(struct token_table *table, const struct token_entry *entry);

/* Compares with every entry, whichever matches: takes the same time for all. False: none,
 *          or
 * expired. */
bool token_table_find(struct token_table *table, const uint8_t sha256[32], int64_t now_ms,
                      struct control_token *out);

/* Fills control->tokens from the database. For control_open(). */
MOULT_MUST_CHECK enum moult_status control_tokens_load(struct control *control,
                                                       struct store_db *db);

#endif
