/* store_release.c - see store_release.h. */
#include "server/store/store_release.h"
#include <string.h>
#include "server/store/sql.h"
#include "server/store/sql_values.h"

static enum moult_status insert_component(struct store_db *db, int64_t release,
                                          const struct store_component *c)
{
    struct sql_statement *s =
        sql_prepare(db, "INSERT INTO component (release, id, size, sha256, format, chip, "
                        "revision_min, revision_max, secure_version) "
                        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
    sql_bind_int(s, 1, release);
    sql_bind_int(s, 2, c->id);
    sql_bind_int(s, 3, c->size);
    sql_bind_bytes(s, 4, (struct moult_bytes){c->sha256, sizeof c->sha256});
    sql_bind_int(s, 5, c->format);
    sql_bind_int(s, 6, c->chip_id);
    sql_bind_int(s, 7, c->revision_min);
    sql_bind_int(s, 8, c->revision_max);
    sql_bind_int(s, 9, c->secure_version);
    return sql_run(s);
}

enum moult_status store_release_insert(struct store_db *db, struct store_release *r)
{
    struct sql_statement *s = sql_prepare(
        db, "INSERT INTO release (id, class, sequence, version, rollback_floor, "
            "source_sequence, flags, payload_sha256, envelope, state, notes, created) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)");
    sql_bind_bytes(s, 1, (struct moult_bytes){r->id, sizeof r->id});
    sql_bind_bytes(s, 2, (struct moult_bytes){r->class_id, sizeof r->class_id});
    sql_bind_int(s, 3, (int64_t)r->sequence);
    sql_bind_text(s, 4, r->version);
    sql_bind_int(s, 5, (int64_t)r->rollback_floor);
    sql_bind_int(s, 6, (int64_t)r->source_sequence);
    sql_bind_int(s, 7, r->flags);
    sql_bind_bytes(s, 8, (struct moult_bytes){r->payload_sha256, 32});
    sql_bind_bytes(s, 9, (struct moult_bytes){r->envelope, r->envelope_size});
    sql_bind_int(s, 10, r->state);
    bind_text(s, 11, r->notes);
    sql_bind_int(s, 12, r->created_ms);
    enum moult_status st = sql_run(s);
    if (st != MOULT_OK) { return st; }
    r->num = sql_last_id(db);
    for (unsigned i = 0; i < r->component_count && st == MOULT_OK; i++) {
        st = insert_component(db, r->num, &r->components[i]);
    }
    return st;
}

static void read_release(struct sql_statement *s, struct store_release *r)
{
    *r = (struct store_release){.num = sql_int(s, 0)};
    value_bytes(s, 1, r->id, sizeof r->id);
    value_bytes(s, 2, r->class_id, sizeof r->class_id);
    r->sequence = (uint64_t)sql_int(s, 3);
    value_text(s, 4, r->version, sizeof r->version);
    r->rollback_floor = (uint64_t)sql_int(s, 5);
    r->source_sequence = (uint64_t)sql_int(s, 6);
    r->flags = (uint32_t)sql_int(s, 7);
    value_bytes(s, 8, r->payload_sha256, sizeof r->payload_sha256);
    struct moult_bytes envelope = sql_bytes(s, 9);
    if (envelope.size <= sizeof r->envelope) {
        memcpy(r->envelope, envelope.data, envelope.size);
        r->envelope_size = envelope.size;
    }
    r->state = (uint8_t)sql_int(s, 10);
    value_text(s, 11, r->notes, sizeof r->notes);
    r->created_ms = sql_int(s, 12);
}

static enum moult_status read_components(struct store_db *db, struct store_release *r)
{
    struct sql_statement *s = sql_prepare(
        db, "SELECT id, size, sha256, format, chip, revision_min, revision_max, "
            "secure_version FROM component WHERE release = ?1 ORDER BY id");
    sql_bind_int(s, 1, r->num);
    enum moult_status st = MOULT_E_NOENT;
    while (r->component_count < STORE_COMPONENTS_MAX && (st = sql_step(s)) == MOULT_OK) {
        struct store_component *c = &r->components[r->component_count++];
        c->id = (uint8_t)sql_int(s, 0);
        c->size = (uint32_t)sql_int(s, 1);
        value_bytes(s, 2, c->sha256, sizeof c->sha256);
        c->format = (uint8_t)sql_int(s, 3);
        c->chip_id = (uint16_t)sql_int(s, 4);
        c->revision_min = (uint16_t)sql_int(s, 5);
        c->revision_max = (uint16_t)sql_int(s, 6);
        c->secure_version = (uint8_t)sql_int(s, 7);
    }
    sql_done(s);
    return st == MOULT_E_NOENT || st == MOULT_OK ? MOULT_OK : st;
}

enum moult_status store_release_each(struct store_db *db,
                                     bool (*each)(void *context,
                                                  const struct store_release *release),
                                     void *context)
{
    struct sql_statement *s = sql_prepare(
        db, "SELECT num, id, class, sequence, version, rollback_floor, source_sequence, "
            "flags, payload_sha256, envelope, state, notes, created FROM release "
            "ORDER BY num");
    enum moult_status st;
    while ((st = sql_step(s)) == MOULT_OK) {
        struct store_release release;
        read_release(s, &release);
        st = read_components(db, &release);
        if (st != MOULT_OK || !each(context, &release)) { break; }
    }
    sql_done(s);
    return st == MOULT_E_NOENT ? MOULT_OK : st;
}

enum moult_status store_release_save_state(struct store_db *db, int64_t num, uint8_t state)
{
    struct sql_statement *s =
        sql_prepare(db, "UPDATE release SET state = ?2 WHERE num = ?1");
    sql_bind_int(s, 1, num);
    sql_bind_int(s, 2, state);
    return run_one(db, s);
}

enum moult_status store_running_count(struct store_db *db, const uint8_t sha256[32],
                                      uint32_t *count)
{
    struct sql_statement *s =
        sql_prepare(db, "SELECT count(*) FROM device WHERE running_digest = ?1");
    sql_bind_bytes(s, 1, (struct moult_bytes){sha256, 32});
    enum moult_status st = sql_step(s);
    if (st == MOULT_OK) { *count = (uint32_t)sql_int(s, 0); }
    sql_done(s);
    return st;
}

enum moult_status store_artifact_put(struct store_db *db, const uint8_t sha256[32],
                                     uint64_t size, int64_t now_ms)
{
    struct sql_statement *s =
        sql_prepare(db, "INSERT INTO artifact (sha256, size, added) VALUES (?1, ?2, ?3) "
                        "ON CONFLICT DO NOTHING");
    sql_bind_bytes(s, 1, (struct moult_bytes){sha256, 32});
    sql_bind_int(s, 2, (int64_t)size);
    sql_bind_int(s, 3, now_ms);
    return sql_run(s);
}

enum moult_status store_keyset_put(struct store_db *db, uint32_t version,
                                   struct moult_bytes envelope, int64_t now_ms)
{
    struct sql_statement *s = sql_prepare(
        db, "INSERT INTO keyset (version, envelope, added) VALUES (?1, ?2, ?3)");
    sql_bind_int(s, 1, version);
    sql_bind_bytes(s, 2, envelope);
    sql_bind_int(s, 3, now_ms);
    return sql_run(s);
}

enum moult_status store_keyset_each(struct store_db *db,
                                    bool (*each)(void *context, uint32_t version,
                                                 struct moult_bytes envelope),
                                    void *context)
{
    struct sql_statement *s =
        sql_prepare(db, "SELECT version, envelope FROM keyset ORDER BY version");
    enum moult_status st;
    while ((st = sql_step(s)) == MOULT_OK) {
        if (!each(context, (uint32_t)sql_int(s, 0), sql_bytes(s, 1))) { break; }
    }
    sql_done(s);
    return st == MOULT_E_NOENT ? MOULT_OK : st;
}
