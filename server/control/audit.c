/* audit.c - see audit.h. */
#include "server/control/audit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "formats/cbor.h"
#include "formats/codes.h"
#include "server/control/internal.h"
#include "server/store/store_admin.h"

static enum moult_status first_hash(const struct audit_chain *chain, uint8_t out[32])
{
    static const char tag[] = "moult-audit-1";
    uint8_t bytes[sizeof tag - 1 + 16];
    memcpy(bytes, tag, sizeof tag - 1);
    memcpy(bytes + sizeof tag - 1, chain->fleet_id, 16);
    return moult_sha256_once(chain->crypto, bytes, sizeof bytes, out);
}

static void write_text(struct moult_cbor_writer *writer, uint64_t key, const char *text)
{
    moult_cbor_write_u64(writer, key);
    moult_cbor_write_text(writer,
                          (struct moult_bytes){(const uint8_t *)text, strlen(text)});
}

/* h(i) from h(i-1), which is in `hash`. */
static enum moult_status next_hash(const struct audit_chain *chain,
                                   const struct store_audit *row, uint8_t hash[32])
{
    uint8_t bytes[32 + AUDIT_ROW_SIZE_MAX];
    struct moult_cbor_writer writer;
    memcpy(bytes, hash, 32);
    moult_cbor_writer_init(&writer, bytes + 32, AUDIT_ROW_SIZE_MAX);
    moult_cbor_write_map(&writer, 5u + (row->detail != NULL) + (row->peer != NULL));
    moult_cbor_write_u64(&writer, 1);
    moult_cbor_write_u64(&writer, row->index);
    moult_cbor_write_u64(&writer, 2);
    moult_cbor_write_u64(&writer, (uint64_t)row->time_ms);
    write_text(&writer, 3, row->actor);
    write_text(&writer, 4, row->action);
    write_text(&writer, 5, row->object);
    if (row->detail) { write_text(&writer, 6, row->detail); }
    if (row->peer) { write_text(&writer, 7, row->peer); }
    if (writer.status != MOULT_OK) { return writer.status; }
    return moult_sha256_once(chain->crypto, bytes, 32 + writer.size, hash);
}

/* Printable ASCII, at most AUDIT_TEXT_MAX bytes, never empty. */
static void tidy(const char *text, char out[AUDIT_TEXT_MAX + 1])
{
    size_t size = strnlen(text, AUDIT_TEXT_MAX + 1);
    bool is_cut = size > AUDIT_TEXT_MAX;
    size = is_cut ? AUDIT_TEXT_MAX : size;
    for (size_t i = 0; i < size; i++) {
        out[i] = text[i] >= 0x20 && text[i] <= 0x7e ? text[i] : '?';
    }
    if (is_cut) { memcpy(out + size - 3, "...", 3); }
    if (size == 0) { out[size++] = '-'; }
    out[size] = '\0';
}

enum moult_status audit_append(struct store_db *db, const struct audit_chain *chain,
                               int64_t now_ms, const struct audit_entry *entry)
{
    char actor[AUDIT_TEXT_MAX + 1], action[AUDIT_TEXT_MAX + 1];
    char object[AUDIT_TEXT_MAX + 1], peer[AUDIT_TEXT_MAX + 1];
    tidy(entry->actor, actor);
    tidy(entry->action, action);
    tidy(entry->object, object);
    if (entry->peer) { tidy(entry->peer, peer); }
    bool fits = !entry->detail || strlen(entry->detail) <= AUDIT_DETAIL_MAX;
    struct store_audit row = {.time_ms = now_ms,
                              .actor = actor,
                              .action = action,
                              .object = object,
                              .detail = fits ? entry->detail : "{\"cut\":true}",
                              .peer = entry->peer ? peer : NULL};
    enum moult_status st = store_audit_head(db, &row.index, row.hash);
    if (st == MOULT_E_NOENT) {
        row.index = 0;
        st = first_hash(chain, row.hash);
    }
    row.index++;
    if (st == MOULT_OK) { st = next_hash(chain, &row, row.hash); }
    return st == MOULT_OK ? store_audit_insert(db, &row) : st;
}

struct replay {
    const struct audit_chain *chain;
    uint8_t hash[32];
    uint64_t rows, bad;
    enum moult_status status;
};

static bool replay_row(void *context, const struct store_audit *row)
{
    struct replay *replay = context;
    replay->rows++;
    replay->status = next_hash(replay->chain, row, replay->hash);
    if (replay->status == MOULT_OK && row->index == replay->rows &&
        memcmp(replay->hash, row->hash, 32) == 0) {
        return true;
    }
    replay->bad = replay->rows;
    return false;
}

enum moult_status audit_verify(struct store_db *db, const struct audit_chain *chain,
                               uint64_t *rows, uint64_t *bad)
{
    struct replay replay = {.chain = chain};
    enum moult_status st = first_hash(chain, replay.hash);
    if (st == MOULT_OK) { st = store_audit_each(db, 0, 0, replay_row, &replay); }
    /* A row that cannot even be encoded was never appended. */
    if (st == MOULT_OK && replay.status == MOULT_E_INTERNAL) { st = MOULT_E_INTERNAL; }
    if (st == MOULT_OK && replay.bad) { st = MOULT_E_DIGEST; }
    *rows = replay.rows;
    *bad = replay.bad;
    return st;
}

enum moult_status control_audit(const struct control_call *call, const char *action,
                                const char *object, json_t *detail)
{
    json_t *all = detail ? detail : json_object();
    if (call->actor.request_id) {
        json_object_set_new(all, "request", json_string(call->actor.request_id));
    }
    if (call->dry_run) { json_object_set_new(all, "dry_run", json_true()); }
    char *text = json_dumps(all, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_SORT_KEYS);
    json_decref(all);
    if (!text) { return MOULT_E_NOMEM; }
    struct audit_chain chain = {.crypto = call->control->parts.crypto,
                                .fleet_id = call->control->config.fleet_id};
    struct audit_entry entry = {.actor = call->actor.name,
                                .action = action,
                                .object = object,
                                .detail = text,
                                .peer = call->actor.address};
    enum moult_status st = audit_append(call->db, &chain, call->now_ms, &entry);
    free(text); /* style: allow HEAP_DIRECT, jansson allocated it */
    return st;
}
