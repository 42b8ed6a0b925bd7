/* token_table.c - see token_table.h. */
#include "server/control/token_table.h"
#include <string.h>
#include "formats/bytes.h"
#include "server/base/mem.h"

enum moult_status token_table_init(struct token_table *table)
{
    memset(table, 0, sizeof *table);
    table->entries = mem_alloc_array(TOKENS_MAX, sizeof table->entries[0]);
    if (!table->entries) { return MOULT_E_NOMEM; }
    pthread_rwlock_init(&table->lock, NULL);
    return MOULT_OK;
}

void token_table_release(struct token_table *table)
{
    if (!table->entries) { return; }
    pthread_rwlock_destroy(&table->lock);
    mem_free(table->entries);
    table->entries = NULL;
}

bool token_table_set(struct token_table *table, const struct token_entry *entry)
{
    pthread_rwlock_wrlock(&table->lock);
    size_t i = 0;
    while (i < table->count &&
           strcmp(table->entries[i].token.name, entry->token.name) != 0) {
        i++;
    }
    bool ok = i < TOKENS_MAX;
    if (ok) {
        table->entries[i] = *entry;
        if (i == table->count) { table->count++; }
    }
    pthread_rwlock_unlock(&table->lock);
    return ok;
}

bool token_table_find(struct token_table *table, const uint8_t sha256[32], int64_t now_ms,
                      struct control_token *out)
{
    const struct token_entry *found = NULL;
    pthread_rwlock_rdlock(&table->lock);
    for (size_t i = 0; i < table->count; i++) {
        const struct token_entry *entry = &table->entries[i];
        if (moult_bytes_equal(entry->sha256, sha256, 32)) { found = entry; }
    }
    bool ok = found && (found->expires_ms == 0 || now_ms < found->expires_ms);
    if (ok) { *out = found->token; }
    pthread_rwlock_unlock(&table->lock);
    return ok;
}
