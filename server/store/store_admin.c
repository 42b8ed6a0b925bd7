/* store_admin.c - see store_admin.h. */
#include "server/store/store_admin.h"
#include "server/store/sql.h"
#include "server/store/sql_values.h"

enum moult_status store_token_set(struct store_db *db, const struct store_token *token)
{
    struct sql_statement *s =
        sql_prepare(db, "INSERT INTO token (name, sha256, roles, created, expires) "
                        "VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (name) DO UPDATE SET "
                        "sha256 = ?2, roles = ?3, created = ?4, expires = ?5");
    sql_bind_text(s, 1, token->name);
    sql_bind_bytes(s, 2, (struct moult_bytes){token->sha256, 32});
    sql_bind_int(s, 3, token->roles);
    sql_bind_int(s, 4, token->created_ms);
    sql_bind_int(s, 5, token->expires_ms);
    return sql_run(s);
}

enum moult_status store_token_each(struct store_db *db,
                                   bool (*each)(void *context,
                                                const struct store_token *token),
                                   void *context)
{
    struct sql_statement *s = sql_prepare(
        db, "SELECT name, sha256, roles, created, expires FROM token ORDER BY name");
    enum moult_status st;
    while ((st = sql_step(s)) == MOULT_OK) {
        struct store_token token = {.name = sql_text(s, 0),
                                    .roles = (uint32_t)sql_int(s, 2),
                                    .created_ms = sql_int(s, 3),
                                    .expires_ms = sql_int(s, 4)};
        value_bytes(s, 1, token.sha256, sizeof token.sha256);
        if (!each(context, &token)) { break; }
    }
    sql_done(s);
    return st == MOULT_E_NOENT ? MOULT_OK : st;
}

static enum moult_status read_count(struct sql_statement *s, uint32_t *count)
{
    enum moult_status st = sql_step(s);
    if (st == MOULT_OK) { *count = (uint32_t)sql_int(s, 0); }
    sql_done(s);
    return st;
}

enum moult_status store_token_count_others(struct store_db *db, const char *name,
                                           uint32_t *count)
{
    struct sql_statement *s =
        sql_prepare(db, "SELECT count(*) FROM token WHERE name <> ?1");
    sql_bind_text(s, 1, name);
    return read_count(s, count);
}

/* --- audit -------------------------------------------------------------------------- */

enum moult_status store_audit_head(struct store_db *db, uint64_t *index, uint8_t hash[32])
{
    struct sql_statement *s =
        sql_prepare(db, "SELECT idx, hash FROM audit ORDER BY idx DESC LIMIT 1");
    enum moult_status st = sql_step(s);
    if (st == MOULT_OK) {
        *index = (uint64_t)sql_int(s, 0);
        value_bytes(s, 1, hash, 32);
    }
    sql_done(s);
    return st;
}

enum moult_status store_audit_insert(struct store_db *db, const struct store_audit *row)
{
    struct sql_statement *s = sql_prepare(
        db, "INSERT INTO audit (idx, time, actor, action, object, detail, peer, hash) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    sql_bind_int(s, 1, (int64_t)row->index);
    sql_bind_int(s, 2, row->time_ms);
    sql_bind_text(s, 3, row->actor);
    sql_bind_text(s, 4, row->action);
    sql_bind_text(s, 5, row->object);
    sql_bind_text(s, 6, row->detail);
    sql_bind_text(s, 7, row->peer);
    sql_bind_bytes(s, 8, (struct moult_bytes){row->hash, sizeof row->hash});
    return sql_run(s);
}

enum moult_status
store_audit_each(struct store_db *db, uint64_t after, uint32_t limit,
                 bool (*each)(void *context, const struct store_audit *row), void *context)
{
    struct sql_statement *s =
        sql_prepare(db, "SELECT idx, time, actor, action, object, detail, peer, hash "
                        "FROM audit WHERE idx > ?1 ORDER BY idx LIMIT ?2");
    sql_bind_int(s, 1, (int64_t)after);
    sql_bind_int(s, 2, limit == 0 ? -1 : (int64_t)limit);
    enum moult_status st;
    while ((st = sql_step(s)) == MOULT_OK) {
        struct store_audit row = {
            .index = (uint64_t)sql_int(s, 0),
            .time_ms = sql_int(s, 1),
            .actor = sql_text(s, 2),
            .action = sql_text(s, 3),
            .object = sql_text(s, 4),
            .detail = sql_text(s, 5),
            .peer = sql_text(s, 6),
        };
        value_bytes(s, 7, row.hash, sizeof row.hash);
        if (!each(context, &row)) { break; }
    }
    sql_done(s);
    return st == MOULT_E_NOENT ? MOULT_OK : st;
}

/* --- idempotency, settings, outages -------------------------------------------------- */

enum moult_status store_idempotency_find(struct store_db *db, struct store_idempotency *row,
                                         void (*each)(void *context, const char *reply),
                                         void *context)
{
    struct sql_statement *s =
        sql_prepare(db, "SELECT body, status, reply, time FROM idempotency "
                        "WHERE token = ?1 AND key = ?2");
    sql_bind_text(s, 1, row->token);
    sql_bind_text(s, 2, row->key);
    enum moult_status st = sql_step(s);
    if (st == MOULT_OK) {
        value_bytes(s, 0, row->body_sha256, sizeof row->body_sha256);
        row->status = (uint16_t)sql_int(s, 1);
        row->time_ms = sql_int(s, 3);
        if (each) { each(context, sql_text(s, 2)); }
    }
    sql_done(s);
    return st;
}

enum moult_status store_idempotency_put(struct store_db *db,
                                        const struct store_idempotency *row)
{
    struct sql_statement *s = sql_prepare(
        db, "INSERT OR REPLACE INTO idempotency (token, key, body, status, reply, time) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
    sql_bind_text(s, 1, row->token);
    sql_bind_text(s, 2, row->key);
    sql_bind_bytes(s, 3, (struct moult_bytes){row->body_sha256, 32});
    sql_bind_int(s, 4, row->status);
    sql_bind_text(s, 5, row->reply);
    sql_bind_int(s, 6, row->time_ms);
    return sql_run(s);
}

enum moult_status store_idempotency_count(struct store_db *db, uint32_t *count)
{
    return read_count(sql_prepare(db, "SELECT count(*) FROM idempotency"), count);
}

enum moult_status store_idempotency_purge(struct store_db *db, int64_t before_ms)
{
    struct sql_statement *s = sql_prepare(db, "DELETE FROM idempotency WHERE time < ?1");
    sql_bind_int(s, 1, before_ms);
    return sql_run(s);
}

enum moult_status store_setting_get(struct store_db *db, const char *name, int64_t *value)
{
    struct sql_statement *s = sql_prepare(db, "SELECT value FROM setting WHERE name = ?1");
    sql_bind_text(s, 1, name);
    enum moult_status st = sql_step(s);
    if (st == MOULT_OK) { *value = sql_int(s, 0); }
    sql_done(s);
    return st;
}

enum moult_status store_setting_put(struct store_db *db, const char *name, int64_t value)
{
    struct sql_statement *s =
        sql_prepare(db, "INSERT INTO setting (name, value) VALUES (?1, ?2) "
                        "ON CONFLICT DO UPDATE SET value = ?2");
    sql_bind_text(s, 1, name);
    sql_bind_int(s, 2, value);
    return sql_run(s);
}

enum moult_status store_outage_put(struct store_db *db, int64_t began_ms, int64_t ended_ms)
{
    struct sql_statement *s =
        sql_prepare(db, "INSERT OR REPLACE INTO outage (began, ended) VALUES (?1, ?2)");
    sql_bind_int(s, 1, began_ms);
    sql_bind_int(s, 2, ended_ms);
    return sql_run(s);
}

enum moult_status store_outage_each(struct store_db *db, uint32_t limit,
                                    bool (*each)(void *context, int64_t began_ms,
                                                 int64_t ended_ms),
                                    void *context)
{
    struct sql_statement *s =
        sql_prepare(db, "SELECT began, ended FROM outage ORDER BY began DESC LIMIT ?1");
    sql_bind_int(s, 1, limit);
    enum moult_status st;
    while ((st = sql_step(s)) == MOULT_OK) {
        if (!each(context, sql_int(s, 0), sql_int(s, 1))) { break; }
    }
    sql_done(s);
    return st == MOULT_E_NOENT ? MOULT_OK : st;
}
