/* store_event.c - see store_event.h. */
#include "server/store/store_event.h"
#include <stdio.h>
#include <string.h>
#include "server/store/sql.h"
#include "server/store/sql_values.h"

static void bind_num(struct sql_statement *s, int index, int64_t num)
{
    if (num) {
        sql_bind_int(s, index, num);
    } else {
        sql_bind_null(s, index);
    }
}

enum moult_status store_event_insert(struct store_db *db, const struct store_event *event,
                                     int64_t *num)
{
    if (strlen(event->data) > STORE_EVENT_DATA_MAX) { return MOULT_E_RANGE; }
    /* Only the report's key may be there already; any other conflict is a bug and an
     * error. */
    struct sql_statement *s = sql_prepare(
        db, "INSERT INTO event (time, device, rollout, boot_id, seq, kind, text, data) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) "
            "ON CONFLICT (device, boot_id, seq) WHERE boot_id IS NOT NULL DO NOTHING");
    sql_bind_int(s, 1, event->time_ms);
    bind_num(s, 2, event->device);
    bind_num(s, 3, event->rollout);
    if (event->has_key) {
        sql_bind_int(s, 4, (int64_t)event->boot_id);
        sql_bind_int(s, 5, event->sequence);
    } else {
        sql_bind_null(s, 4);
        sql_bind_null(s, 5);
    }
    sql_bind_text(s, 6, event->kind);
    sql_bind_text(s, 7, event->text);
    sql_bind_text(s, 8, event->data);
    enum moult_status st = sql_run(s);
    if (st != MOULT_OK) { return st == MOULT_E_EXISTS ? MOULT_E_IO : st; }
    if (sql_changes(db) == 0) { return MOULT_E_EXISTS; }
    if (num) { *num = sql_last_id(db); }
    return MOULT_OK;
}

static const char *filter_text(const struct store_event_query *query)
{
    if (query->device && query->rollout) { return " AND e.device = ?3 AND e.rollout = ?4"; }
    if (query->device) { return " AND e.device = ?3"; }
    return query->rollout ? " AND e.rollout = ?4" : "";
}

static struct sql_statement *prepare_query(struct store_db *db,
                                           const struct store_event_query *query)
{
    char text[640];
    bool from_start = query->after == 0;
    const char *where = from_start            ? "?1 = 0"
                        : query->newest_first ? "e.num < ?1"
                                              : "e.num > ?1";
    snprintf(
        text, sizeof text,
        "SELECT e.num, e.time, e.device, e.rollout, e.boot_id, e.seq, e.kind, e.text, "
        "e.data, d.id, r.id FROM event e LEFT JOIN device d ON d.num = e.device "
        "LEFT JOIN rollout r ON r.num = e.rollout WHERE %s%s ORDER BY e.num %s LIMIT ?2",
        where, filter_text(query), query->newest_first ? "DESC" : "ASC");
    struct sql_statement *s = sql_prepare(db, text);
    sql_bind_int(s, 1, query->after);
    sql_bind_int(s, 2, query->limit);
    if (query->device) { sql_bind_int(s, 3, query->device); }
    if (query->rollout) { sql_bind_int(s, 4, query->rollout); }
    return s;
}

static void read_row(struct sql_statement *s, struct store_event *event)
{
    *event = (struct store_event){
        .num = sql_int(s, 0),
        .time_ms = sql_int(s, 1),
        .device = sql_int(s, 2),
        .rollout = sql_int(s, 3),
        .has_key = !sql_is_null(s, 4),
        .boot_id = (uint64_t)sql_int(s, 4),
        .sequence = (uint32_t)sql_int(s, 5),
        .kind = sql_text(s, 6),
        .text = sql_text(s, 7),
        .data = sql_text(s, 8),
        .has_device = !sql_is_null(s, 9),
        .has_rollout = !sql_is_null(s, 10),
    };
    value_bytes(s, 9, event->device_id, sizeof event->device_id);
    value_bytes(s, 10, event->rollout_id, sizeof event->rollout_id);
}

enum moult_status
store_event_each(struct store_db *db, const struct store_event_query *query,
                 bool (*each)(void *context, const struct store_event *event),
                 void *context)
{
    struct sql_statement *s = prepare_query(db, query);
    enum moult_status st;
    while ((st = sql_step(s)) == MOULT_OK) {
        struct store_event event;
        read_row(s, &event);
        if (!each(context, &event)) { break; }
    }
    sql_done(s);
    return st == MOULT_E_NOENT ? MOULT_OK : st;
}

enum moult_status store_event_expire(struct store_db *db, int64_t before_ms, uint32_t limit,
                                     int64_t *deleted)
{
    struct sql_statement *s = sql_prepare(
        db, "DELETE FROM event WHERE num IN (SELECT num FROM event ORDER BY num LIMIT ?2) "
            "AND time < ?1");
    sql_bind_int(s, 1, before_ms);
    sql_bind_int(s, 2, limit);
    enum moult_status st = sql_run(s);
    if (st == MOULT_OK) { *deleted = sql_changes(db); }
    return st;
}
