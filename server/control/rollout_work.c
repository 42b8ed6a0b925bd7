/* rollout_work.c - see rollout_work.h. */
#include "server/control/rollout_work.h"
#include <stdio.h>
#include <string.h>
#include "server/base/arena.h"
#include "server/base/mem.h"
#include "server/control/events.h"
#include "server/control/selecting.h"

enum { DUE_MAX = 500, JOIN_ARENA = 65536 };

/* --- outcomes ------------------------------------------------------------------------- */

static bool first_reason(void *context, uint16_t reason, uint32_t count)
{
    char *out = context, words[120];
    reason_words(reason, words, sizeof words);
    size_t at = strlen(out);
    snprintf(out + at, ROLLOUT_REASON_SIZE - at, "; mostly %s (%u)", words,
             (unsigned)count); /* cut at the end of the reason, for people */
    return false;
}

/* "gate failure_count of phase 1: 3 devices failed, limit 3; mostly R806 ... (3)". */
static enum moult_status explain_pause(struct store_db *db, struct control_rollout *rollout)
{
    return store_assignment_reasons(db, rollout->num, first_reason,
                                    rollout->engine.state_reason);
}

static enum moult_status put_event(struct store_db *db,
                                   const struct control_rollout *rollout, int64_t now_ms,
                                   const char *kind, const char *text)
{
    struct store_event event = {
        .time_ms = now_ms, .rollout = rollout->num, .kind = kind, .text = text};
    return event_put(db, &event, NULL);
}

static enum moult_status put_phase_event(struct store_db *db,
                                         const struct control_rollout *rollout,
                                         uint32_t index, int64_t now_ms)
{
    const struct phase *phase = &rollout->engine.phases[index];
    char kind[32], text[EVENT_TEXT_SIZE], words[ROLLOUT_WORDS_SIZE];
    gate_words(&phase->last, words);
    snprintf(kind, sizeof kind, "phase.%s", phase_state_word(phase->state));
    snprintf(text, sizeof text, "phase %u of %s is %s: %s", (unsigned)index + 1,
             rollout->name, phase_state_word(phase->state), words);
    return put_event(db, rollout, now_ms, kind, text);
}

static void wake_phase(struct control *control, const struct control_rollout *rollout,
                       uint32_t index)
{
    struct effect effect = {
        .kind = EFFECT_PHASE, .num = rollout->num, .phase = (uint8_t)index};
    effects_push(&control->effects, &effect);
}

enum moult_status rollout_outcome_done(struct control *control, struct store_db *db,
                                       struct rollout_slot *slot,
                                       const struct rollout_outcome *outcome,
                                       int64_t now_ms)
{
    if (!outcome->is_changed) { return MOULT_OK; }
    struct control_rollout *rollout = rollout_cache_touch(&control->rollouts, slot);
    rollout->revision++;
    enum moult_status st = MOULT_OK;
    if (outcome->is_paused) { st = explain_pause(db, rollout); }
    uint32_t told = outcome->opened | outcome->passed | outcome->failed | outcome->skipped;
    for (uint32_t i = 0; i < rollout->engine.phase_count && st == MOULT_OK; i++) {
        if (told & 1u << i) { st = put_phase_event(db, rollout, i, now_ms); }
        if (outcome->opened & 1u << i) { wake_phase(control, rollout, i); }
    }
    if (st != MOULT_OK || (!outcome->is_paused && !outcome->is_completed)) { return st; }
    char kind[32];
    snprintf(kind, sizeof kind, "rollout.%s", rollout_state_word(rollout->engine.state));
    return put_event(db, rollout, now_ms, kind, rollout->engine.state_reason);
}

static enum moult_status tick_one(struct control *control, struct store_db *db,
                                  struct rollout_slot *slot, int64_t now_ms)
{
    struct rollout copy = slot->work->engine; /* most ticks change nothing: do not touch */
    struct rollout_outcome outcome = rollout_tick(&copy, now_ms);
    if (!outcome.is_changed && !slot->before) { return MOULT_OK; }
    rollout_cache_touch(&control->rollouts, slot)->engine = copy;
    return rollout_outcome_done(control, db, slot, &outcome, now_ms);
}

enum moult_status rollouts_settle(struct control *control, struct store_db *db,
                                  int64_t now_ms)
{
    enum moult_status st = MOULT_OK;
    struct rollout_slot *slot;
    for (size_t i = 0; st == MOULT_OK; i++) {
        slot = rollout_cache_at(&control->rollouts, i);
        if (!slot) { break; }
        if (slot->before) { st = tick_one(control, db, slot, now_ms); }
    }
    return st;
}

/* --- joining -------------------------------------------------------------------------- */

static bool is_open_to_all(const struct control_rollout *rollout)
{
    enum rollout_state state = rollout->engine.state;
    return state == ROLLOUT_RUNNING || state == ROLLOUT_HOLDING ||
           state == ROLLOUT_COMPLETED;
}

/* Whether the rollout wants the device; *release is then its release. */
static bool wants(struct selecting *selecting, const struct control_rollout *rollout,
                  const struct store_device *device, struct store_release *release)
{
    struct control *control = selecting->control;
    if (!is_open_to_all(rollout)) { return false; }
    if (!statement_cache_by_num(&control->statements, rollout->release, release)) {
        return false;
    }
    bool fits = release->state == STORE_RELEASE_PUBLISHED &&
                memcmp(release->class_id, device->class_id, 16) == 0 &&
                release->sequence > device->running_sequence;
    if (!fits) { return false; }
    struct moult_selector *selector = mem_alloc(sizeof *selector);
    if (!selector) {
        selecting->status = MOULT_E_NOMEM;
        return false;
    }
    struct control_problem problem;
    bool is_wanted =
        selecting_parse(rollout->selector, selector, "selector", &problem) == MOULT_OK &&
        selecting_matches(selecting, selector, device);
    mem_free(selector);
    return is_wanted;
}

static enum moult_status insert_joined(struct assigned *a, struct rollout_slot *slot)
{
    struct control_rollout *rollout = rollout_cache_touch(&a->control->rollouts, slot);
    struct cohort_rule rules[ROLLOUT_PHASES_MAX];
    for (uint32_t i = 0; i < rollout->engine.phase_count; i++) {
        rules[i] = rollout->engine.phases[i].rule;
    }
    uint64_t order = 0;
    enum moult_status st =
        cohort_order(a->control->parts.crypto, rollout->salt, a->device->id, &order);
    if (st != MOULT_OK) { return st; }
    struct store_assignment row = {.rollout = rollout->num, .device = a->device->num};
    struct assignment engine;
    assignment_init(&engine, cohort_phase_of(rules, rollout->engine.phase_count, order),
                    a->now_ms);
    row.state = engine.state;
    row.phase = engine.phase;
    row.flags = engine.flags;
    row.generation = engine.generation;
    row.entered_ms = engine.entered_ms;
    row.deadline_ms = INT64_MAX;
    st = store_assignment_insert(a->db, &row);
    if (st != MOULT_OK) { return st; }
    gates_count(&rollout->engine.phases[engine.phase].counters, &engine, 1);
    return assigned_open(a, &row);
}

enum moult_status rollouts_join(struct assigned *a)
{
    bool is_free = !a->is_there || !assignment_is_active(a->engine.state);
    if (!is_free || a->device->state != DEVICE_ACCEPTED || !a->device->has_running) {
        return MOULT_OK;
    }
    struct arena arena;
    struct selecting *selecting = mem_alloc(sizeof *selecting);
    if (!selecting) { return MOULT_E_NOMEM; }
    arena_init(&arena, JOIN_ARENA);
    selecting_init(selecting, a->control, a->db, &arena, a->now_ms);

    struct rollout_slot *best = NULL, *slot;
    uint64_t best_sequence = 0;
    enum moult_status st = MOULT_OK;
    for (size_t i = 0; st == MOULT_OK; i++) {
        slot = rollout_cache_at(&a->control->rollouts, i);
        if (!slot) { break; }
        struct store_release release;
        if (!wants(selecting, slot->work, a->device, &release)) { continue; }
        struct store_assignment row;
        st = store_assignment_of(a->db, slot->work->num, a->device->num, &row);
        bool is_new = st == MOULT_E_NOENT;
        if (is_new) { st = MOULT_OK; }
        if (is_new && release.sequence > best_sequence) {
            best = slot;
            best_sequence = release.sequence;
        }
    }
    if (st == MOULT_OK) { st = selecting->status; }
    if (st == MOULT_OK && best) { st = insert_joined(a, best); }
    arena_release(&arena);
    mem_free(selecting);
    return st;
}

/* --- time ----------------------------------------------------------------------------- */

struct due {
    struct store_assignment *rows;
    size_t count;
};

static bool take_due(void *context, const struct store_assignment *row)
{
    struct due *due = context;
    due->rows[due->count++] = *row;
    return due->count < DUE_MAX;
}

static enum moult_status tick_assignment(struct control *control, struct store_db *db,
                                         const struct store_assignment *row, int64_t now_ms)
{
    struct store_device device;
    struct assigned a;
    enum moult_status st = store_device_by_num(db, row->device, &device);
    if (st != MOULT_OK) { return st; }
    assigned_init(&a, control, db, &device, now_ms);
    st = assigned_open(&a, row);
    if (st == MOULT_OK) { st = assigned_tick(&a); }
    if (st == MOULT_OK) { st = assigned_save(&a); }
    if (st == MOULT_OK) { assigned_publish(&a); }
    return st;
}

static enum moult_status tick_due(struct control *control, struct store_db *db,
                                  int64_t now_ms, bool *has_more)
{
    struct due due = {.rows = mem_alloc_array(DUE_MAX, sizeof *due.rows)};
    if (!due.rows) { return MOULT_E_NOMEM; }
    enum moult_status st = store_assignment_each_due(db, now_ms, DUE_MAX, take_due, &due);
    for (size_t i = 0; i < due.count && st == MOULT_OK; i++) {
        st = tick_assignment(control, db, &due.rows[i], now_ms);
    }
    *has_more = due.count == DUE_MAX;
    mem_free(due.rows);
    return st;
}

enum moult_status rollouts_tick(struct control *control, struct store_db *db,
                                int64_t now_ms, bool *has_more)
{
    enum moult_status st = tick_due(control, db, now_ms, has_more);
    struct rollout_slot *slot;
    for (size_t i = 0; st == MOULT_OK; i++) {
        slot = rollout_cache_at(&control->rollouts, i);
        if (!slot) { break; }
        st = tick_one(control, db, slot, now_ms);
    }
    return st == MOULT_OK ? effects_status(&control->effects) : st;
}
