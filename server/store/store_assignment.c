/* store_assignment.c - assignments, attempts and the poison ledger; see store_rollout.h. */
#include <string.h>
#include "server/store/sql.h"
#include "server/store/sql_values.h"
#include "server/store/store_rollout.h"

#define COLUMNS                                                                            \
    "rollout, device, phase, state, generation, flags, updated, deployment, from_digest, " \
    "reason, detail, message, inferred, tries, soak_checkins, reboots, bytes, "            \
    "tried_bytes, entered, heard, progress, offered, started, reboots_since, not_before, " \
    "grace_ms, deadline"

static enum moult_status read_row(struct sql_statement *s, struct store_assignment *a)
{
    *a = (struct store_assignment){.rollout = sql_int(s, 0), .device = sql_int(s, 1)};
    a->phase = (uint8_t)sql_int(s, 2);
    a->state = (uint8_t)sql_int(s, 3);
    a->generation = (uint32_t)sql_int(s, 4);
    a->flags = (uint16_t)sql_int(s, 5);
    a->updated_ms = sql_int(s, 6);
    a->has_deployment = !sql_is_null(s, 7);
    value_bytes(s, 7, a->deployment, sizeof a->deployment);
    a->has_from_digest = !sql_is_null(s, 8);
    value_bytes(s, 8, a->from_digest, sizeof a->from_digest);
    a->reason = (uint16_t)sql_int(s, 9);
    a->detail = (uint16_t)sql_int(s, 10);
    value_text(s, 11, a->message, sizeof a->message);
    a->inferred = (uint32_t)sql_int(s, 12);
    const char *tries = sql_text(s, 13);
    if (tries && tries[0] && !value_list_read(tries, a->tries, STORE_TRY_COUNT)) {
        return MOULT_E_FORMAT;
    }
    a->soak_checkins = (uint16_t)sql_int(s, 14);
    a->reboots = (uint16_t)sql_int(s, 15);
    a->bytes = (uint32_t)sql_int(s, 16);
    a->tried_bytes = (uint32_t)sql_int(s, 17);
    a->entered_ms = sql_int(s, 18);
    a->heard_ms = sql_int(s, 19);
    a->progress_ms = sql_int(s, 20);
    a->offered_ms = sql_int(s, 21);
    a->started_ms = sql_int(s, 22);
    a->reboots_since_ms = sql_int(s, 23);
    a->not_before_ms = sql_int(s, 24);
    a->grace_ms = sql_int(s, 25);
    a->deadline_ms = sql_is_null(s, 26) ? INT64_MAX : sql_int(s, 26);
    return MOULT_OK;
}

/* What both INSERT and UPDATE write, from parameter 3 on. */
static void bind_values(struct sql_statement *s, const struct store_assignment *a)
{
    char tries[VALUE_LIST_SIZE];
    value_list_write(a->tries, STORE_TRY_COUNT, tries);
    sql_bind_int(s, 3, a->phase);
    sql_bind_int(s, 4, a->state);
    sql_bind_int(s, 5, a->generation);
    sql_bind_int(s, 6, a->flags);
    sql_bind_int(s, 7, a->updated_ms);
    struct moult_bytes none = {NULL, 0};
    struct moult_bytes deployment = {a->deployment, sizeof a->deployment};
    struct moult_bytes digest = {a->from_digest, sizeof a->from_digest};
    sql_bind_bytes(s, 8, a->has_deployment ? deployment : none);
    sql_bind_bytes(s, 9, a->has_from_digest ? digest : none);
    sql_bind_int(s, 10, a->reason);
    sql_bind_int(s, 11, a->detail);
    bind_text(s, 12, a->message);
    sql_bind_int(s, 13, a->inferred);
    sql_bind_text(s, 14, tries);
    sql_bind_int(s, 15, a->soak_checkins);
    sql_bind_int(s, 16, a->reboots);
    sql_bind_int(s, 17, a->bytes);
    sql_bind_int(s, 18, a->tried_bytes);
    sql_bind_int(s, 19, a->entered_ms);
    sql_bind_int(s, 20, a->heard_ms);
    sql_bind_int(s, 21, a->progress_ms);
    sql_bind_int(s, 22, a->offered_ms);
    sql_bind_int(s, 23, a->started_ms);
    sql_bind_int(s, 24, a->reboots_since_ms);
    sql_bind_int(s, 25, a->not_before_ms);
    sql_bind_int(s, 26, a->grace_ms);
    if (a->deadline_ms == INT64_MAX) {
        sql_bind_null(s, 27);
    } else {
        sql_bind_int(s, 27, a->deadline_ms);
    }
}

/* A planned row has defaults in most columns: a rollout over a million devices is a million
 * of these. */
enum moult_status store_assignment_insert(struct store_db *db,
                                          const struct store_assignment *a)
{
    struct sql_statement *s = sql_prepare(
        db, "INSERT INTO assignment (rollout, device, phase, state, generation, flags, "
            "updated, entered) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)");
    sql_bind_int(s, 1, a->rollout);
    sql_bind_int(s, 2, a->device);
    sql_bind_int(s, 3, a->phase);
    sql_bind_int(s, 4, a->state);
    sql_bind_int(s, 5, a->generation);
    sql_bind_int(s, 6, a->flags);
    sql_bind_int(s, 7, a->entered_ms);
    return sql_run(s);
}

enum moult_status store_assignment_save(struct store_db *db,
                                        const struct store_assignment *a,
                                        uint32_t was_generation, uint8_t was_state)
{
    struct sql_statement *s = sql_prepare(
        db, "UPDATE assignment SET phase = ?3, state = ?4, generation = ?5, flags = ?6, "
            "updated = ?7, deployment = ?8, from_digest = ?9, reason = ?10, detail = ?11, "
            "message = ?12, inferred = ?13, tries = ?14, soak_checkins = ?15, "
            "reboots = ?16, bytes = ?17, tried_bytes = ?18, entered = ?19, heard = ?20, "
            "progress = ?21, offered = ?22, started = ?23, reboots_since = ?24, "
            "not_before = ?25, grace_ms = ?26, deadline = ?27 "
            "WHERE rollout = ?1 AND device = ?2 AND generation = ?28 AND state = ?29");
    sql_bind_int(s, 1, a->rollout);
    sql_bind_int(s, 2, a->device);
    bind_values(s, a);
    sql_bind_int(s, 28, was_generation);
    sql_bind_int(s, 29, was_state);
    enum moult_status st = run_one(db, s);
    return st == MOULT_E_NOENT ? MOULT_E_CONFLICT : st;
}

/* --- one row -------------------------------------------------------------------------- */

static enum moult_status read_one(struct sql_statement *s, struct store_assignment *out)
{
    enum moult_status st = sql_step(s);
    if (st == MOULT_OK) { st = read_row(s, out); }
    sql_done(s);
    return st;
}

enum moult_status store_assignment_of(struct store_db *db, int64_t rollout, int64_t device,
                                      struct store_assignment *out)
{
    struct sql_statement *s = sql_prepare(
        db, "SELECT " COLUMNS " FROM assignment WHERE rollout = ?1 AND device = ?2");
    sql_bind_int(s, 1, rollout);
    sql_bind_int(s, 2, device);
    return read_one(s, out);
}

enum moult_status store_assignment_active(struct store_db *db, int64_t device,
                                          struct store_assignment *out)
{
    struct sql_statement *s = sql_prepare(
        db, "SELECT " COLUMNS " FROM assignment WHERE device = ?1 AND state < 10");
    sql_bind_int(s, 1, device);
    return read_one(s, out);
}

enum moult_status store_assignment_ended(struct store_db *db, int64_t device, uint8_t state,
                                         struct store_assignment *out)
{
    struct sql_statement *s = sql_prepare(
        db, "SELECT " COLUMNS " FROM assignment WHERE device = ?1 AND state >= 10 AND "
            "state = ?2 ORDER BY rollout DESC LIMIT 1");
    sql_bind_int(s, 1, device);
    sql_bind_int(s, 2, state);
    return read_one(s, out);
}

enum moult_status store_assignment_by_deployment(struct store_db *db,
                                                 const uint8_t deployment[16],
                                                 struct store_assignment *out)
{
    struct sql_statement *s =
        sql_prepare(db, "SELECT " COLUMNS " FROM assignment WHERE deployment = ?1");
    sql_bind_bytes(s, 1, (struct moult_bytes){deployment, 16});
    return read_one(s, out);
}

/* --- lists ---------------------------------------------------------------------------- */

static enum moult_status
visit(struct sql_statement *s,
      bool (*each)(void *context, const struct store_assignment *row), void *context)
{
    enum moult_status st;
    while ((st = sql_step(s)) == MOULT_OK) {
        struct store_assignment row;
        st = read_row(s, &row);
        if (st != MOULT_OK || !each(context, &row)) { break; }
    }
    sql_done(s);
    return st == MOULT_E_NOENT ? MOULT_OK : st;
}

/* Without statistics SQLite's planner takes the primary key, and reads a million rows to
 * find the few in a state. */
#define BY_STATE "INDEXED BY assignment_state "

enum moult_status
store_assignment_each(struct store_db *db, const struct store_assignment_query *q,
                      bool (*each)(void *context, const struct store_assignment *row),
                      void *context)
{
    struct sql_statement *s =
        q->state == 0
            ? sql_prepare(db, "SELECT " COLUMNS " FROM assignment WHERE rollout = ?1 AND "
                              "device > ?2 ORDER BY device LIMIT ?3")
            : sql_prepare(db, "SELECT " COLUMNS " FROM assignment " BY_STATE
                              "WHERE rollout = ?1 AND device > ?2 AND state = ?4 "
                              "ORDER BY device LIMIT ?3");
    sql_bind_int(s, 1, q->rollout);
    sql_bind_int(s, 2, q->after);
    sql_bind_int(s, 3, q->limit == 0 ? -1 : (int64_t)q->limit);
    if (q->state != 0) { sql_bind_int(s, 4, q->state); }
    return visit(s, each, context);
}

enum moult_status store_assignment_each_active(
    struct store_db *db, bool (*each)(void *context, const struct store_assignment *row),
    void *context)
{
    struct sql_statement *s = sql_prepare(
        db, "SELECT " COLUMNS " FROM assignment WHERE state < 10 ORDER BY device");
    return visit(s, each, context);
}

enum moult_status
store_assignment_each_due(struct store_db *db, int64_t now_ms, uint32_t limit,
                          bool (*each)(void *context, const struct store_assignment *row),
                          void *context)
{
    struct sql_statement *s =
        sql_prepare(db, "SELECT " COLUMNS " FROM assignment WHERE deadline IS NOT NULL AND "
                        "deadline <= ?1 ORDER BY deadline LIMIT ?2");
    sql_bind_int(s, 1, now_ms);
    sql_bind_int(s, 2, limit);
    return visit(s, each, context);
}

enum moult_status store_assignment_extend(struct store_db *db, int64_t ms)
{
    struct sql_statement *s =
        sql_prepare(db, "UPDATE assignment SET grace_ms = grace_ms + ?1, "
                        "deadline = deadline + ?1 WHERE deadline IS NOT NULL AND "
                        "state BETWEEN 4 AND 9");
    sql_bind_int(s, 1, ms);
    return sql_run(s);
}

enum moult_status store_assignment_reasons(struct store_db *db, int64_t rollout,
                                           bool (*each)(void *context, uint16_t reason,
                                                        uint32_t count),
                                           void *context)
{
    struct sql_statement *s =
        sql_prepare(db, "SELECT reason, count(*) AS n FROM assignment " BY_STATE
                        "WHERE rollout = ?1 AND state IN (12, 13, 14) "
                        "GROUP BY reason ORDER BY n DESC, reason LIMIT 32");
    sql_bind_int(s, 1, rollout);
    enum moult_status st;
    while ((st = sql_step(s)) == MOULT_OK) {
        if (!each(context, (uint16_t)sql_int(s, 0), (uint32_t)sql_int(s, 1))) { break; }
    }
    sql_done(s);
    return st == MOULT_E_NOENT ? MOULT_OK : st;
}

/* --- attempts and poison -------------------------------------------------------------- */

static void bind_known(struct sql_statement *s, int index, int64_t value)
{
    if (value < 0) {
        sql_bind_null(s, index);
    } else {
        sql_bind_int(s, index, value);
    }
}

enum moult_status store_attempt_put(struct store_db *db, const struct store_attempt *a)
{
    struct sql_statement *s = sql_prepare(
        db, "INSERT INTO attempt (rollout, device, generation, offered, ended, state, "
            "bytes, reason, detail, native, free_heap, largest_block, rssi, battery_mv, "
            "uptime_s, reset_reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, "
            "?11, ?12, ?13, ?14, ?15, ?16) ON CONFLICT DO UPDATE SET ended = ?5, "
            "state = ?6, bytes = max(bytes, ?7), reason = ?8, detail = ?9, native = ?10, "
            "free_heap = coalesce(?11, free_heap), "
            "largest_block = coalesce(?12, largest_block), rssi = coalesce(?13, rssi), "
            "battery_mv = coalesce(?14, battery_mv), uptime_s = coalesce(?15, uptime_s), "
            "reset_reason = coalesce(?16, reset_reason)");
    sql_bind_int(s, 1, a->rollout);
    sql_bind_int(s, 2, a->device);
    sql_bind_int(s, 3, a->generation);
    sql_bind_int(s, 4, a->offered_ms);
    bind_time(s, 5, a->ended_ms);
    sql_bind_int(s, 6, a->state);
    sql_bind_int(s, 7, a->bytes);
    sql_bind_int(s, 8, a->reason);
    sql_bind_int(s, 9, a->detail);
    sql_bind_int(s, 10, a->native);
    bind_known(s, 11, a->free_heap);
    bind_known(s, 12, a->largest_block);
    bind_known(s, 13, a->rssi);
    bind_known(s, 14, a->battery_mv);
    bind_known(s, 15, a->uptime_s);
    bind_known(s, 16, a->reset_reason);
    return sql_run(s);
}

enum moult_status store_poison_find(struct store_db *db, int64_t device, int64_t release,
                                    uint32_t *count, uint16_t *reason)
{
    struct sql_statement *s = sql_prepare(
        db, "SELECT count, reason FROM poison WHERE device = ?1 AND release = ?2");
    sql_bind_int(s, 1, device);
    sql_bind_int(s, 2, release);
    enum moult_status st = sql_step(s);
    if (st == MOULT_OK) {
        *count = (uint32_t)sql_int(s, 0);
        *reason = (uint16_t)sql_int(s, 1);
    }
    sql_done(s);
    return st;
}

enum moult_status store_poison_add(struct store_db *db, int64_t device, int64_t release,
                                   uint16_t reason, int64_t now_ms)
{
    struct sql_statement *s =
        sql_prepare(db, "INSERT INTO poison (device, release, count, reason, since) "
                        "VALUES (?1, ?2, 1, ?3, ?4) "
                        "ON CONFLICT DO UPDATE SET count = count + 1, reason = ?3");
    sql_bind_int(s, 1, device);
    sql_bind_int(s, 2, release);
    sql_bind_int(s, 3, reason);
    sql_bind_int(s, 4, now_ms);
    return sql_run(s);
}
