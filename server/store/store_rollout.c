/* store_rollout.c - rollouts and phases; see store_rollout.h. Assignments:
 * store_assignment.c. */
#include "server/store/store_rollout.h"
#include <string.h>
#include "server/store/sql.h"
#include "server/store/sql_values.h"

static void bind_phase(struct sql_statement *s, int64_t rollout, uint32_t index,
                       const struct store_phase *p)
{
    char gates[VALUE_LIST_SIZE], counters[VALUE_LIST_SIZE];
    value_list_write(p->gates, STORE_GATE_COUNT, gates);
    value_list_write(p->counters, STORE_COUNTER_COUNT, counters);
    sql_bind_int(s, 1, rollout);
    sql_bind_int(s, 2, index);
    sql_bind_int(s, 3, p->rule);
    sql_bind_int(s, 4, p->value);
    sql_bind_int(s, 5, p->min_devices);
    sql_bind_int(s, 6, p->state);
    sql_bind_int(s, 7, p->needs_approval);
    sql_bind_int(s, 8, p->by_hand);
    sql_bind_int(s, 9, p->device_soak_ms);
    sql_bind_int(s, 10, p->soak_ms);
    sql_bind_int(s, 11, p->opened_ms);
    sql_bind_int(s, 12, p->success_since_ms);
    sql_bind_int(s, 13, p->closed_ms);
    sql_bind_int(s, 14, p->acknowledged);
    sql_bind_text(s, 15, gates);
    sql_bind_text(s, 16, counters);
}

static enum moult_status put_phases(struct store_db *db, const struct store_rollout *r)
{
    enum moult_status st = MOULT_OK;
    for (uint32_t i = 0; i < r->phase_count && st == MOULT_OK; i++) {
        struct sql_statement *s = sql_prepare(
            db, "INSERT OR REPLACE INTO phase (rollout, idx, rule, value, min_devices, "
                "state, needs_approval, by_hand, device_soak_ms, soak_ms, opened, "
                "success_since, closed, acknowledged, gates, counters) VALUES (?1, ?2, "
                "?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)");
        bind_phase(s, r->num, i, &r->phases[i]);
        st = sql_run(s);
    }
    return st;
}

enum moult_status store_rollout_insert(struct store_db *db, struct store_rollout *r)
{
    struct sql_statement *s = sql_prepare(
        db, "INSERT INTO rollout (id, name, release, selector, grammar, salt, mode, "
            "state, reason, since, starts, phase_max_ms, rate_tenths, created, "
            "created_by, revision) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, "
            "?12, ?13, ?14, ?15, ?16)");
    sql_bind_bytes(s, 1, (struct moult_bytes){r->id, sizeof r->id});
    sql_bind_text(s, 2, r->name);
    sql_bind_int(s, 3, r->release);
    sql_bind_text(s, 4, r->selector);
    sql_bind_int(s, 5, r->grammar);
    sql_bind_bytes(s, 6, (struct moult_bytes){r->salt, sizeof r->salt});
    sql_bind_int(s, 7, r->mode);
    sql_bind_int(s, 8, r->state);
    sql_bind_text(s, 9, r->reason);
    sql_bind_int(s, 10, r->since_ms);
    sql_bind_int(s, 11, r->start_ms);
    sql_bind_int(s, 12, r->phase_max_ms);
    sql_bind_int(s, 13, r->rate_tenths);
    sql_bind_int(s, 14, r->created_ms);
    sql_bind_text(s, 15, r->created_by);
    sql_bind_int(s, 16, r->revision);
    enum moult_status st = sql_run(s);
    if (st != MOULT_OK) { return st; }
    r->num = sql_last_id(db);
    return put_phases(db, r);
}

enum moult_status store_rollout_save(struct store_db *db, const struct store_rollout *r)
{
    struct sql_statement *s =
        sql_prepare(db, "UPDATE rollout SET state = ?2, reason = ?3, since = ?4, "
                        "revision = ?5, sweep = ?6, sweep_asked = ?7, sweep_state = ?8, "
                        "sweep_after = ?9 WHERE num = ?1");
    sql_bind_int(s, 1, r->num);
    sql_bind_int(s, 2, r->state);
    sql_bind_text(s, 3, r->reason);
    sql_bind_int(s, 4, r->since_ms);
    sql_bind_int(s, 5, r->revision);
    sql_bind_int(s, 6, r->sweep);
    sql_bind_int(s, 7, r->sweep_asked_ms);
    sql_bind_int(s, 8, r->sweep_state);
    sql_bind_int(s, 9, r->sweep_after);
    enum moult_status st = run_one(db, s);
    return st == MOULT_OK ? put_phases(db, r) : st;
}

static void read_rollout(struct sql_statement *s, struct store_rollout *r)
{
    memset(r, 0, sizeof *r);
    r->num = sql_int(s, 0);
    value_bytes(s, 1, r->id, sizeof r->id);
    value_text(s, 2, r->name, sizeof r->name);
    r->release = sql_int(s, 3);
    value_text(s, 4, r->selector, sizeof r->selector);
    r->grammar = (uint32_t)sql_int(s, 5);
    value_bytes(s, 6, r->salt, sizeof r->salt);
    r->mode = (uint8_t)sql_int(s, 7);
    r->state = (uint8_t)sql_int(s, 8);
    value_text(s, 9, r->reason, sizeof r->reason);
    r->since_ms = sql_int(s, 10);
    r->start_ms = sql_int(s, 11);
    r->phase_max_ms = sql_int(s, 12);
    r->rate_tenths = (uint32_t)sql_int(s, 13);
    r->created_ms = sql_int(s, 14);
    value_text(s, 15, r->created_by, sizeof r->created_by);
    r->revision = (uint32_t)sql_int(s, 16);
    r->sweep = (uint8_t)sql_int(s, 17);
    r->sweep_asked_ms = sql_int(s, 18);
    r->sweep_state = (uint8_t)sql_int(s, 19);
    r->sweep_after = sql_int(s, 20);
}

/* False: the lists of numbers are not of this program's length: a damaged row. */
static bool read_phase(struct sql_statement *s, struct store_phase *p)
{
    p->rule = (uint8_t)sql_int(s, 0);
    p->value = (uint32_t)sql_int(s, 1);
    p->min_devices = (uint32_t)sql_int(s, 2);
    p->state = (uint8_t)sql_int(s, 3);
    p->needs_approval = sql_int(s, 4) != 0;
    p->by_hand = sql_int(s, 5) != 0;
    p->device_soak_ms = sql_int(s, 6);
    p->soak_ms = sql_int(s, 7);
    p->opened_ms = sql_int(s, 8);
    p->success_since_ms = sql_int(s, 9);
    p->closed_ms = sql_int(s, 10);
    p->acknowledged = (uint32_t)sql_int(s, 11);
    return value_list_read(sql_text(s, 12), p->gates, STORE_GATE_COUNT) &&
           value_list_read(sql_text(s, 13), p->counters, STORE_COUNTER_COUNT);
}

static enum moult_status read_phases(struct store_db *db, struct store_rollout *r)
{
    struct sql_statement *s = sql_prepare(
        db, "SELECT rule, value, min_devices, state, needs_approval, by_hand, "
            "device_soak_ms, soak_ms, opened, success_since, closed, acknowledged, "
            "gates, counters FROM phase WHERE rollout = ?1 ORDER BY idx");
    sql_bind_int(s, 1, r->num);
    enum moult_status st = MOULT_E_NOENT;
    while (r->phase_count < STORE_PHASES_MAX && (st = sql_step(s)) == MOULT_OK) {
        if (!read_phase(s, &r->phases[r->phase_count])) {
            st = MOULT_E_FORMAT;
            break;
        }
        r->phase_count++;
    }
    sql_done(s);
    return st == MOULT_E_NOENT ? MOULT_OK : st;
}

enum moult_status store_rollout_each(struct store_db *db,
                                     bool (*each)(void *context,
                                                  const struct store_rollout *rollout),
                                     void *context)
{
    struct sql_statement *s = sql_prepare(
        db, "SELECT num, id, name, release, selector, grammar, salt, mode, state, reason, "
            "since, starts, phase_max_ms, rate_tenths, created, created_by, revision, "
            "sweep, sweep_asked, sweep_state, sweep_after FROM rollout ORDER BY num");
    enum moult_status st;
    while ((st = sql_step(s)) == MOULT_OK) {
        struct store_rollout rollout;
        read_rollout(s, &rollout);
        st = read_phases(db, &rollout);
        if (st != MOULT_OK || !each(context, &rollout)) { break; }
    }
    sql_done(s);
    return st == MOULT_E_NOENT ? MOULT_OK : st;
}
