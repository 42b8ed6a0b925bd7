/* store_device.c - see store_device.h. */
#include "server/store/store_device.h"
#include <stdio.h>
#include <string.h>
#include "server/store/sql.h"
#include "server/store/sql_values.h"

#define COLUMNS                                                                            \
    "num, id, spki, class, state, name, serial, grp, running_digest, running_sequence, "   \
    "running_state, running_version, keyset_version, counter, first_seen, last_seen, "     \
    "last_address, next_s, rhythm, chip, revision, secure_version, fail_reason, "          \
    "fail_detail, fail_text, fail_at, facts IS NOT NULL"

enum {
    COL_NUM,
    COL_ID,
    COL_SPKI,
    COL_CLASS,
    COL_STATE,
    COL_NAME,
    COL_SERIAL,
    COL_GROUP,
    COL_RUNNING_DIGEST,
    COL_RUNNING_SEQUENCE,
    COL_RUNNING_STATE,
    COL_RUNNING_VERSION,
    COL_KEYSET,
    COL_COUNTER,
    COL_FIRST_SEEN,
    COL_LAST_SEEN,
    COL_ADDRESS,
    COL_NEXT,
    COL_RHYTHM,
    COL_CHIP,
    COL_REVISION,
    COL_SECURE_VERSION,
    COL_FAIL_REASON,
    COL_FAIL_DETAIL,
    COL_FAIL_TEXT,
    COL_FAIL_AT,
    COL_HAS_FACTS,
};

static void read_row(struct sql_statement *s, struct store_device *d)
{
    *d = (struct store_device){.num = sql_int(s, COL_NUM)};
    value_bytes(s, COL_ID, d->id, sizeof d->id);
    value_bytes(s, COL_SPKI, d->spki, sizeof d->spki);
    value_bytes(s, COL_CLASS, d->class_id, sizeof d->class_id);
    d->state = (uint8_t)sql_int(s, COL_STATE);
    value_text(s, COL_NAME, d->name, sizeof d->name);
    value_text(s, COL_SERIAL, d->serial, sizeof d->serial);
    value_text(s, COL_GROUP, d->group, sizeof d->group);
    d->has_running = !sql_is_null(s, COL_RUNNING_DIGEST);
    value_bytes(s, COL_RUNNING_DIGEST, d->running_digest, sizeof d->running_digest);
    d->running_sequence = (uint64_t)sql_int(s, COL_RUNNING_SEQUENCE);
    d->running_state = (uint8_t)sql_int(s, COL_RUNNING_STATE);
    value_text(s, COL_RUNNING_VERSION, d->running_version, sizeof d->running_version);
    d->keyset_version = (uint32_t)sql_int(s, COL_KEYSET);
    d->counter = (uint64_t)sql_int(s, COL_COUNTER);
    d->first_seen_ms = sql_int(s, COL_FIRST_SEEN);
    d->last_seen_ms = sql_int(s, COL_LAST_SEEN);
    value_text(s, COL_ADDRESS, d->last_address, sizeof d->last_address);
    d->next_s = (uint32_t)sql_int(s, COL_NEXT);
    value_bytes(s, COL_RHYTHM, d->rhythm, sizeof d->rhythm);
    d->has_chip = !sql_is_null(s, COL_CHIP);
    d->chip_id = (uint16_t)sql_int(s, COL_CHIP);
    d->revision = (uint16_t)sql_int(s, COL_REVISION);
    d->secure_version = (uint8_t)sql_int(s, COL_SECURE_VERSION);
    d->fail_reason = (uint16_t)sql_int(s, COL_FAIL_REASON);
    d->fail_detail = (uint16_t)sql_int(s, COL_FAIL_DETAIL);
    value_text(s, COL_FAIL_TEXT, d->fail_text, sizeof d->fail_text);
    d->fail_ms = sql_int(s, COL_FAIL_AT);
    d->has_facts = sql_int(s, COL_HAS_FACTS) != 0;
}

/* The one row of a statement. */
static enum moult_status read_one(struct sql_statement *s, struct store_device *out)
{
    enum moult_status st = sql_step(s);
    if (st == MOULT_OK) { read_row(s, out); }
    sql_done(s);
    return st;
}

enum moult_status store_device_by_num(struct store_db *db, int64_t num,
                                      struct store_device *out)
{
    struct sql_statement *s =
        sql_prepare(db, "SELECT " COLUMNS " FROM device WHERE num = ?1");
    sql_bind_int(s, 1, num);
    return read_one(s, out);
}

enum moult_status store_device_by_id(struct store_db *db, const uint8_t id[16],
                                     struct store_device *out)
{
    struct sql_statement *s =
        sql_prepare(db, "SELECT " COLUMNS " FROM device WHERE id = ?1");
    sql_bind_bytes(s, 1, (struct moult_bytes){id, 16});
    return read_one(s, out);
}

enum moult_status store_device_by_spki(struct store_db *db, const uint8_t spki[32],
                                       struct store_device *out)
{
    struct sql_statement *s =
        sql_prepare(db, "SELECT " COLUMNS " FROM device WHERE spki = ?1");
    sql_bind_bytes(s, 1, (struct moult_bytes){spki, 32});
    return read_one(s, out);
}

enum moult_status store_device_by_name(struct store_db *db, const char *name,
                                       struct store_device *out)
{
    struct sql_statement *s =
        sql_prepare(db, "SELECT num FROM device WHERE name = ?1 UNION "
                        "SELECT num FROM device WHERE serial = ?1 LIMIT 2");
    sql_bind_text(s, 1, name);
    enum moult_status st = sql_step(s);
    int64_t num = st == MOULT_OK ? sql_int(s, 0) : 0;
    enum moult_status second = st == MOULT_OK ? sql_step(s) : MOULT_E_NOENT;
    sql_done(s);
    if (st != MOULT_OK) { return st; }
    if (second == MOULT_OK) { return MOULT_E_CONFLICT; }
    return store_device_by_num(db, num, out);
}

/* --- lists ---------------------------------------------------------------------------- */

/* The end of the range of all texts with this prefix: its last byte plus one. */
static void prefix_end(const char *prefix, char out[STORE_NAME_SIZE])
{
    snprintf(out, STORE_NAME_SIZE, "%s", prefix);
    size_t size = strlen(out);
    if (size > 0) { out[size - 1] = (char)(out[size - 1] + 1); }
}

static struct sql_statement *prepare_each(struct store_db *db,
                                          const struct store_device_query *query)
{
    if (!query->prefix) {
        struct sql_statement *s =
            query->state == 0
                ? sql_prepare(db, "SELECT " COLUMNS
                                  " FROM device WHERE num > ?1 ORDER BY num LIMIT ?2")
                : sql_prepare(db, "SELECT " COLUMNS " FROM device WHERE num > ?1 AND "
                                  "state = ?3 ORDER BY num LIMIT ?2");
        if (query->state != 0) { sql_bind_int(s, 3, query->state); }
        return s;
    }
    char end[STORE_NAME_SIZE];
    prefix_end(query->prefix, end);
    struct sql_statement *s = sql_prepare(
        db, "SELECT " COLUMNS " FROM device WHERE num > ?1 AND (?3 = 0 OR state = ?3) AND "
            "num IN (SELECT num FROM device WHERE name >= ?4 AND name < ?5 UNION "
            "SELECT num FROM device WHERE serial >= ?4 AND serial < ?5 UNION "
            "SELECT num FROM device WHERE substr(lower(hex(id)), 1, length(?4)) = ?4) "
            "ORDER BY num LIMIT ?2");
    sql_bind_int(s, 3, query->state);
    sql_bind_text(s, 4, query->prefix);
    sql_bind_text(s, 5, end);
    return s;
}

enum moult_status
store_device_each(struct store_db *db, const struct store_device_query *query,
                  bool (*each)(void *context, const struct store_device *device),
                  void *context)
{
    struct sql_statement *s = prepare_each(db, query);
    sql_bind_int(s, 1, query->after);
    sql_bind_int(s, 2, query->limit == 0 ? -1 : (int64_t)query->limit);
    enum moult_status st;
    while ((st = sql_step(s)) == MOULT_OK) {
        struct store_device device;
        read_row(s, &device);
        if (!each(context, &device)) { break; }
    }
    sql_done(s);
    return st == MOULT_E_NOENT ? MOULT_OK : st;
}

/* --- changes -------------------------------------------------------------------------- */

static void bind_running(struct sql_statement *s, int index, const struct store_device *d)
{
    struct moult_bytes digest = {d->running_digest, sizeof d->running_digest};
    if (d->has_running) {
        sql_bind_bytes(s, index, digest);
    } else {
        sql_bind_null(s, index);
    }
}

enum moult_status store_device_insert(struct store_db *db, struct store_device *d)
{
    struct sql_statement *s = sql_prepare(
        db, "INSERT INTO device (id, spki, class, state, name, serial, grp, "
            "running_digest, running_sequence, running_state, running_version, "
            "keyset_version, counter, first_seen, last_seen, last_address, next_s) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, "
            "?16, ?17)");
    sql_bind_bytes(s, 1, (struct moult_bytes){d->id, sizeof d->id});
    sql_bind_bytes(s, 2, (struct moult_bytes){d->spki, sizeof d->spki});
    sql_bind_bytes(s, 3, (struct moult_bytes){d->class_id, sizeof d->class_id});
    sql_bind_int(s, 4, d->state);
    bind_text(s, 5, d->name);
    bind_text(s, 6, d->serial);
    bind_text(s, 7, d->group);
    bind_running(s, 8, d);
    sql_bind_int(s, 9, (int64_t)d->running_sequence);
    sql_bind_int(s, 10, d->running_state);
    bind_text(s, 11, d->running_version);
    sql_bind_int(s, 12, d->keyset_version);
    sql_bind_int(s, 13, (int64_t)d->counter);
    sql_bind_int(s, 14, d->first_seen_ms);
    bind_time(s, 15, d->last_seen_ms);
    bind_text(s, 16, d->last_address);
    sql_bind_int(s, 17, d->next_s);
    enum moult_status st = sql_run(s);
    if (st == MOULT_OK) { d->num = sql_last_id(db); }
    return st;
}

enum moult_status store_device_save_state(struct store_db *db, const struct store_device *d)
{
    struct sql_statement *s =
        sql_prepare(db, "UPDATE device SET state = ?2 WHERE num = ?1");
    sql_bind_int(s, 1, d->num);
    sql_bind_int(s, 2, d->state);
    return run_one(db, s);
}

enum moult_status store_device_save_labels(struct store_db *db,
                                           const struct store_device *d)
{
    struct sql_statement *s = sql_prepare(
        db,
        "UPDATE device SET class = ?2, name = ?3, serial = ?4, grp = ?5 WHERE num = ?1");
    sql_bind_int(s, 1, d->num);
    sql_bind_bytes(s, 2, (struct moult_bytes){d->class_id, sizeof d->class_id});
    bind_text(s, 3, d->name);
    bind_text(s, 4, d->serial);
    bind_text(s, 5, d->group);
    return run_one(db, s);
}

enum moult_status store_device_save_running(struct store_db *db,
                                            const struct store_device *d)
{
    struct sql_statement *s = sql_prepare(
        db, "UPDATE device SET running_digest = ?2, running_sequence = ?3, "
            "running_state = ?4, running_version = ?5, keyset_version = ?6, class = ?7 "
            "WHERE num = ?1");
    sql_bind_int(s, 1, d->num);
    bind_running(s, 2, d);
    sql_bind_int(s, 3, (int64_t)d->running_sequence);
    sql_bind_int(s, 4, d->running_state);
    bind_text(s, 5, d->running_version);
    sql_bind_int(s, 6, d->keyset_version);
    sql_bind_bytes(s, 7, (struct moult_bytes){d->class_id, sizeof d->class_id});
    return run_one(db, s);
}

enum moult_status store_device_save_facts(struct store_db *db, const struct store_device *d,
                                          const char *facts)
{
    struct sql_statement *s =
        sql_prepare(db, "UPDATE device SET facts = ?2, chip = ?3, revision = ?4, "
                        "secure_version = ?5, running_version = ?6 WHERE num = ?1");
    sql_bind_int(s, 1, d->num);
    sql_bind_text(s, 2, facts);
    if (d->has_chip) {
        sql_bind_int(s, 3, d->chip_id);
    } else {
        sql_bind_null(s, 3);
    }
    sql_bind_int(s, 4, d->revision);
    sql_bind_int(s, 5, d->secure_version);
    bind_text(s, 6, d->running_version);
    return run_one(db, s);
}

enum moult_status store_device_facts(struct store_db *db, int64_t num, uint8_t *out,
                                     size_t capacity, size_t *size)
{
    struct sql_statement *s = sql_prepare(db, "SELECT facts FROM device WHERE num = ?1");
    sql_bind_int(s, 1, num);
    enum moult_status st = sql_step(s);
    struct moult_bytes facts = st == MOULT_OK ? sql_bytes(s, 0) : (struct moult_bytes){0};
    if (facts.size > capacity) { st = MOULT_E_SPACE; }
    if (st == MOULT_OK) {
        if (facts.size > 0) { memcpy(out, facts.data, facts.size); }
        *size = facts.size;
    }
    sql_done(s);
    return st;
}

enum moult_status store_device_save_failure(struct store_db *db,
                                            const struct store_device *d)
{
    struct sql_statement *s =
        sql_prepare(db, "UPDATE device SET fail_reason = ?2, fail_detail = ?3, "
                        "fail_text = ?4, fail_at = ?5 WHERE num = ?1");
    sql_bind_int(s, 1, d->num);
    sql_bind_int(s, 2, d->fail_reason);
    sql_bind_int(s, 3, d->fail_detail);
    bind_text(s, 4, d->fail_text);
    bind_time(s, 5, d->fail_ms);
    return run_one(db, s);
}

enum moult_status store_device_save_seen(struct store_db *db, const struct store_seen *seen)
{
    struct sql_statement *s = sql_prepare(
        db, "UPDATE device SET last_seen = max(coalesce(last_seen, 0), ?2), "
            "counter = max(counter, ?3), next_s = ?4, rhythm = ?5, last_address = ?6 "
            "WHERE num = ?1");
    sql_bind_int(s, 1, seen->num);
    sql_bind_int(s, 2, seen->last_seen_ms);
    sql_bind_int(s, 3, (int64_t)seen->counter);
    sql_bind_int(s, 4, seen->next_s);
    sql_bind_bytes(s, 5, (struct moult_bytes){seen->rhythm, STORE_RHYTHM_SIZE});
    bind_text(s, 6, seen->address);
    return sql_run(s); /* a device that is gone by now is none that matters */
}

enum moult_status store_device_delete(struct store_db *db, int64_t num)
{
    struct sql_statement *s = sql_prepare(db, "DELETE FROM device WHERE num = ?1");
    sql_bind_int(s, 1, num);
    return run_one(db, s);
}

/* --- attributes ----------------------------------------------------------------------- */

enum moult_status store_attribute_set(struct store_db *db, int64_t device,
                                      enum store_space space, const char *name,
                                      const char *value, int64_t now_ms)
{
    struct sql_statement *s =
        value ? sql_prepare(db, "INSERT INTO attribute (device, space, name, value, "
                                "updated) VALUES (?1, ?2, ?3, ?4, ?5) "
                                "ON CONFLICT DO UPDATE SET value = ?4, updated = ?5")
              : sql_prepare(db, "DELETE FROM attribute WHERE device = ?1 AND space = ?2 "
                                "AND name = ?3");
    sql_bind_int(s, 1, device);
    sql_bind_int(s, 2, space);
    sql_bind_text(s, 3, name);
    if (value) {
        sql_bind_text(s, 4, value);
        sql_bind_int(s, 5, now_ms);
    }
    return sql_run(s);
}

enum moult_status store_attribute_each(struct store_db *db, int64_t device,
                                       bool (*each)(void *context, enum store_space space,
                                                    const char *name, const char *value),
                                       void *context)
{
    struct sql_statement *s = sql_prepare(
        db, "SELECT space, name, value FROM attribute WHERE device = ?1 ORDER BY space, "
            "name");
    sql_bind_int(s, 1, device);
    enum moult_status st;
    while ((st = sql_step(s)) == MOULT_OK) {
        enum store_space space = (enum store_space)sql_int(s, 0);
        if (!each(context, space, sql_text(s, 1), sql_text(s, 2))) { break; }
    }
    sql_done(s);
    return st == MOULT_E_NOENT ? MOULT_OK : st;
}

enum moult_status store_attribute_clear(struct store_db *db, int64_t device,
                                        enum store_space space)
{
    struct sql_statement *s =
        sql_prepare(db, "DELETE FROM attribute WHERE device = ?1 AND space = ?2");
    sql_bind_int(s, 1, device);
    sql_bind_int(s, 2, space);
    return sql_run(s);
}

enum moult_status store_device_slots(struct store_db *db, const uint8_t class_id[16],
                                     int64_t size, struct store_slots *out)
{
    struct sql_statement *s =
        sql_prepare(db, "SELECT count(slot), sum(slot < ?2), min(slot) FROM ("
                        "SELECT json_extract(facts, '$.slot_size') AS slot FROM device "
                        "WHERE class = ?1 AND facts IS NOT NULL AND state IN (1, 2, 4))");
    sql_bind_bytes(s, 1, (struct moult_bytes){class_id, 16});
    sql_bind_int(s, 2, size);
    enum moult_status st = sql_step(s);
    if (st == MOULT_OK) {
        *out = (struct store_slots){.told = (uint32_t)sql_int(s, 0),
                                    .too_small = (uint32_t)sql_int(s, 1),
                                    .smallest = sql_int(s, 2)};
    }
    sql_done(s);
    return st;
}
