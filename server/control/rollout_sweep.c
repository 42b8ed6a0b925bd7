/* rollout_sweep.c - see rollout_sweep.h. */
#include "server/control/rollout_sweep.h"
#include "server/base/mem.h"
#include "server/control/rollout_work.h"

/* States in the order they are looked at. */
static const uint8_t stoppable[] = {
    ASSIGNMENT_VERIFIED,         ASSIGNMENT_WRITTEN, ASSIGNMENT_DOWNLOADING,
    ASSIGNMENT_AWAITING_CONSENT, ASSIGNMENT_OFFERED, ASSIGNMENT_PLANNED,
    ASSIGNMENT_NO_STATE,
};
static const uint8_t failed[] = {ASSIGNMENT_FAILED, ASSIGNMENT_ROLLED_BACK,
                                 ASSIGNMENT_SILENT, ASSIGNMENT_NO_STATE};

const char *sweep_word(enum sweep_verb verb)
{
    return verb == SWEEP_ABORT ? "abort" : verb == SWEEP_RETRY ? "retry" : NULL;
}

/* --- a batch -------------------------------------------------------------------------- */

/* Collected first: rows must not change under a walk. */
struct batch {
    struct store_assignment *rows; /* SWEEP_BATCH_MAX; owned */
    size_t count;
};

static bool collect(void *context, const struct store_assignment *row)
{
    struct batch *batch = context;
    batch->rows[batch->count++] = *row;
    return batch->count < SWEEP_BATCH_MAX;
}

static uint8_t next_state(const struct rollout_sweep *sweep)
{
    const uint8_t *state = sweep->verb == SWEEP_ABORT ? stoppable : failed;
    while (*state != sweep->state && *state != ASSIGNMENT_NO_STATE) {
        state++;
    }
    return *state == ASSIGNMENT_NO_STATE ? *state : state[1];
}

/* Fills the batch from where the sweep stands, and moves it on behind it. */
static enum moult_status take_batch(const struct sweeping *s, struct rollout_sweep *sweep,
                                    struct batch *batch)
{
    enum moult_status st = MOULT_OK;
    while (st == MOULT_OK && sweep->state != ASSIGNMENT_NO_STATE) {
        size_t before = batch->count;
        struct store_assignment_query query = {
            .rollout = s->slot->work->num, .state = sweep->state, .after = sweep->after};
        st = store_assignment_each(s->db, &query, collect, batch);
        if (batch->count > before) { sweep->after = batch->rows[batch->count - 1].device; }
        if (batch->count == SWEEP_BATCH_MAX) { return st; }
        sweep->state = next_state(sweep);
        sweep->after = 0;
    }
    return st;
}

/* Whether no other assignment holds the device's slot. */
static enum moult_status slot_is_free(struct store_db *db, int64_t device, int64_t rollout,
                                      bool *is_free)
{
    struct store_assignment row;
    enum moult_status st = store_assignment_active(db, device, &row);
    *is_free = st == MOULT_E_NOENT || (st == MOULT_OK && row.rollout == rollout);
    return st == MOULT_E_NOENT ? MOULT_OK : st;
}

static enum moult_status retry(struct assigned *a)
{
    struct assignment_event event = {.kind = ASSIGNMENT_EV_RETRY, .now_ms = a->now_ms};
    struct assignment_effect effect;
    enum moult_status st = assigned_step(a, &event, NULL, &effect);
    if (st == MOULT_OK) { effects_num(&a->control->effects, EFFECT_WAKE, a->device->num); }
    return st;
}

static enum moult_status change_one(const struct sweeping *s,
                                    const struct rollout_sweep *sweep,
                                    const struct store_assignment *row)
{
    struct store_device device;
    struct assigned a;
    bool is_retry = sweep->verb == SWEEP_RETRY;
    if (is_retry && row->entered_ms > sweep->asked_ms) { return MOULT_OK; }
    enum moult_status st = store_device_by_num(s->db, row->device, &device);
    if (st != MOULT_OK) { return st; }
    assigned_init(&a, s->control, s->db, &device, s->now_ms);
    st = slot_is_free(s->db, row->device, row->rollout, &a.is_slot_free);
    if (st == MOULT_OK) { st = assigned_open(&a, row); }
    if (st != MOULT_OK || (is_retry && !a.is_slot_free)) { return st; }
    st = is_retry ? retry(&a) : assigned_stop(&a);
    if (st == MOULT_OK) { st = assigned_save(&a); }
    if (st == MOULT_OK) { assigned_publish(&a); }
    return st;
}

/* --- the end -------------------------------------------------------------------------- */

static enum moult_status finish(const struct sweeping *s, struct control_rollout *rollout)
{
    bool is_retry = rollout->sweep.verb == SWEEP_RETRY;
    struct rollout_outcome outcome;
    rollout->sweep = (struct rollout_sweep){0};
    rollout->revision++;
    if (!is_retry || !rollout_verb_allowed(&rollout->engine, ROLLOUT_RETRY, NULL)) {
        return MOULT_OK; /* an operator has done something else meanwhile */
    }
    enum moult_status st =
        rollout_verb(&rollout->engine, ROLLOUT_RETRY, s->now_ms, "", &outcome);
    return st == MOULT_OK
               ? rollout_outcome_done(s->control, s->db, s->slot, &outcome, s->now_ms)
               : st;
}

static enum moult_status step(const struct sweeping *s)
{
    struct control_rollout *rollout = rollout_cache_touch(&s->control->rollouts, s->slot);
    struct rollout_sweep *sweep = &rollout->sweep;
    struct batch batch = {.rows = mem_alloc_array(SWEEP_BATCH_MAX, sizeof *batch.rows)};
    if (!batch.rows) { return MOULT_E_NOMEM; }
    enum moult_status st = take_batch(s, sweep, &batch);
    for (size_t i = 0; i < batch.count && st == MOULT_OK; i++) {
        st = change_one(s, sweep, &batch.rows[i]);
    }
    mem_free(batch.rows);
    if (st == MOULT_OK && sweep->state == ASSIGNMENT_NO_STATE) { st = finish(s, rollout); }
    return st;
}

enum moult_status rollout_sweep_begin(const struct sweeping *s, enum sweep_verb verb)
{
    struct control_rollout *rollout = rollout_cache_touch(&s->control->rollouts, s->slot);
    rollout->sweep = (struct rollout_sweep){
        .verb = verb,
        .state = verb == SWEEP_ABORT ? stoppable[0] : failed[0],
        .asked_ms = s->now_ms,
    };
    return step(s);
}

enum moult_status rollouts_sweep(struct control *control, struct store_db *db,
                                 int64_t now_ms, bool *has_more)
{
    struct rollout_slot *slot;
    for (size_t i = 0; (slot = rollout_cache_at(&control->rollouts, i)) != NULL; i++) {
        if (slot->work->sweep.verb == SWEEP_NONE) { continue; }
        struct sweeping sweeping = {control, db, slot, now_ms};
        *has_more = true; /* its rest, or another rollout's; the next tick finds out */
        return step(&sweeping);
    }
    return MOULT_OK;
}
