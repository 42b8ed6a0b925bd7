/* assigned.c - see assigned.h. */
#include "server/control/assigned.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "formats/codes.h"
#include "server/control/events.h"
#include "server/control/rollout_rows.h"

int64_t control_rhythm_ms(struct control *control, int64_t device_num)
{
    uint32_t expected_s = (uint32_t)(control->config.expected_interval_ms / 1000);
    uint32_t index = device_table_find_num(control->devices, device_num);
    struct device_live live = {0};
    if (index != DEVICE_NONE) { device_table_get(control->devices, index, NULL, &live); }
    return (int64_t)rhythm_s(&live.rhythm, live.next_s, expected_s) * 1000;
}

void control_limits(const struct control_config *config, struct assignment_limits *limits)
{
    *limits = (struct assignment_limits){
        .offer_ttl_ms = (int64_t)config->offer_ttl_ms,
        .stall_min_ms = (int64_t)config->stall_min_ms,
        .total_min_ms = (int64_t)config->total_min_ms,
        .silent_min_ms = (int64_t)config->silent_min_ms,
        .silent_max_ms = (int64_t)config->silent_max_ms,
        .trial_limit_ms = (int64_t)config->confirm_ms,
        .silent_factor = (uint32_t)config->silent_factor,
        .loop_max = 3,
        .loop_window_ms = 86400000,
        .retry = {(int64_t)config->retry_base_ms, (int64_t)config->retry_cap_ms},
    };
}

void assigned_init(struct assigned *a, struct control *control, struct store_db *db,
                   struct store_device *device, int64_t now_ms)
{
    *a = (struct assigned){.control = control,
                           .db = db,
                           .now_ms = now_ms,
                           .device = device,
                           .is_slot_free = true};
    a->rhythm_ms = control_rhythm_ms(control, device->num);
}

enum moult_status assigned_open(struct assigned *a, const struct store_assignment *row)
{
    struct rollout_slot *slot = rollout_cache_find(&a->control->rollouts, row->rollout);
    if (!slot) { return MOULT_E_INTERNAL; } /* a foreign key says otherwise */
    a->row = *row;
    a->slot = slot;
    a->is_there = true;
    a->is_dirty = false;
    a->was_generation = row->generation;
    a->was_state = row->state;
    assignment_from_row(row, &a->engine);
    return MOULT_OK;
}

enum moult_status assigned_active(struct assigned *a)
{
    struct store_assignment row;
    enum moult_status st = store_assignment_active(a->db, a->device->num, &row);
    if (st == MOULT_E_NOENT) {
        st = store_assignment_ended(a->db, a->device->num, ASSIGNMENT_SILENT, &row);
    }
    if (st == MOULT_E_NOENT) { return MOULT_OK; }
    return st == MOULT_OK ? assigned_open(a, &row) : st;
}

struct assignment_terms assigned_terms(const struct assigned *a,
                                       struct assignment_limits *limits)
{
    const struct rollout *engine = &a->slot->work->engine;
    const struct phase *phase = &engine->phases[a->engine.phase];
    struct store_release release;
    const struct store_component *app = NULL;
    if (statement_cache_by_num(&a->control->statements, a->slot->work->release, &release)) {
        app = release_app(&release);
    }
    uint64_t jitter = 0;
    if (!random_below(a->control->parts.random, 1001, &jitter)) {
        jitter = 500; /* without randomness all retries wait the same: no worse than that */
    }
    control_limits(&a->control->config, limits);
    return (struct assignment_terms){
        .limits = limits,
        .rhythm_ms = a->rhythm_ms,
        .soak_ms = phase->device_soak_ms,
        .image_size = app ? app->size : 0,
        .jitter = (uint32_t)jitter,
        .is_withheld = !rollout_may_activate(engine),
        .is_phase_closed = phase_is_closed(phase),
        .is_slot_free = a->is_slot_free,
        .is_ending = engine->state == ROLLOUT_ABORTED,
    };
}

/* --- what a step leaves behind -------------------------------------------------------- */

static void note_message(struct assigned *a, const struct moult_report *report)
{
    if (!report || report->text.size == 0) { return; }
    snprintf(a->row.message, sizeof a->row.message, "%.*s", (int)report->text.size,
             (const char *)report->text.data);
}

static enum moult_status note_failure(struct assigned *a,
                                      const struct assignment_effect *effect)
{
    struct store_device *device = a->device;
    device->fail_reason = effect->reason;
    device->fail_detail = effect->detail;
    device->fail_ms = a->now_ms;
    snprintf(device->fail_text, sizeof device->fail_text, "%s", a->row.message);
    return store_device_save_failure(a->db, device);
}

/* The state that an attempt ended in, also when the assignment is planned again. */
static uint8_t attempt_state(const struct assigned *a, const struct assignment_event *event,
                             const struct assignment_effect *effect)
{
    if (!effect->is_retry) { return a->engine.state; }
    bool is_back =
        event->kind == ASSIGNMENT_EV_SAW_OLD || event->kind == ASSIGNMENT_EV_ROLLED_BACK;
    return is_back ? ASSIGNMENT_ROLLED_BACK : ASSIGNMENT_FAILED;
}

static int64_t known(const struct moult_report *report, unsigned key, int64_t value)
{
    return report && report->present & (1u << key) ? value : -1;
}

static enum moult_status put_attempt(struct assigned *a,
                                     const struct assignment_event *event,
                                     const struct moult_report *r,
                                     const struct assignment_effect *effect)
{
    struct store_attempt attempt = {
        .rollout = a->row.rollout,
        .device = a->row.device,
        .generation = a->engine.generation - (effect->is_retry ? 1u : 0u),
        .offered_ms = a->engine.offered_ms ? a->engine.offered_ms : a->now_ms,
        .ended_ms = effect->is_ended ? a->now_ms : 0,
        .state = attempt_state(a, event, effect),
        .bytes = a->engine.offset,
        .reason = effect->reason,
        .detail = effect->detail,
        .native = r ? r->native : 0,
        .free_heap = known(r, MOULT_REPORT_FREE_HEAP, r ? r->free_heap : 0),
        .largest_block = known(r, MOULT_REPORT_LARGEST_BLOCK, r ? r->largest_block : 0),
        .rssi = known(r, MOULT_REPORT_SIGNAL, r ? r->signal_dbm : 0),
        .battery_mv = known(r, MOULT_REPORT_BATTERY, r ? r->battery_mv : 0),
        .uptime_s = known(r, MOULT_REPORT_UPTIME, r ? r->uptime_s : 0),
        .reset_reason = known(r, MOULT_REPORT_RESET_REASON, r ? r->reset_reason : 0),
    };
    return store_attempt_put(a->db, &attempt);
}

static enum moult_status put_event(struct assigned *a,
                                   const struct assignment_effect *effect)
{
    char kind[40], text[EVENT_TEXT_SIZE], reason[160];
    const char *to = assignment_state_word(a->engine.state);
    reason_words(effect->reason, reason, sizeof reason);
    snprintf(kind, sizeof kind, "assignment.%s", effect->is_retry ? "retried" : to);
    snprintf(text, sizeof text, "rollout %s: %s to %s%s%s%s", a->slot->work->name,
             assignment_state_word(effect->from), to, reason[0] ? ", " : "", reason,
             effect->is_retry ? "; tried again later" : "");
    json_t *data = json_pack("{s:s, s:s, s:i, s:o*, s:o*}", "from",
                             assignment_state_word(effect->from), "to", to, "generation",
                             (int)a->engine.generation, "reason",
                             effect->reason ? json_reason(effect->reason) : NULL, "detail",
                             effect->detail ? json_detail(effect->detail) : NULL);
    struct store_event event = {.time_ms = a->now_ms,
                                .device = a->device->num,
                                .rollout = a->row.rollout,
                                .kind = kind,
                                .text = text};
    return event_put(a->db, &event, data);
}

static enum moult_status quarantine_loop(struct assigned *a)
{
    if (a->device->state != DEVICE_ACCEPTED) { return MOULT_OK; }
    a->device->state = DEVICE_QUARANTINED;
    struct store_event event = {.time_ms = a->now_ms,
                                .device = a->device->num,
                                .rollout = a->row.rollout,
                                .kind = "device.quarantined",
                                .text = "it installs the same release over and over"};
    enum moult_status st = store_device_save_state(a->db, a->device);
    return st == MOULT_OK ? event_put(a->db, &event, NULL) : st;
}

static void count_metrics(struct assigned *a, const struct assignment_effect *effect)
{
    struct control_metrics *m = &a->control->metrics;
    if (!m->offers) { return; }
    if (effect->is_retry) { metrics_add(m->retries, 1); }
    if (!effect->is_moved) { return; }
    if (a->engine.state == ASSIGNMENT_OFFERED) { metrics_add(m->offers, 1); }
    if (a->engine.state == ASSIGNMENT_SILENT) { metrics_add(m->silent, 1); }
    if (a->engine.state == ASSIGNMENT_ROLLED_BACK) { metrics_add(m->rolled_back, 1); }
}

static enum moult_status follow_up(struct assigned *a, const struct assignment_event *event,
                                   const struct moult_report *report,
                                   const struct assignment_effect *effect)
{
    enum moult_status st = MOULT_OK;
    bool is_failure = effect->reason != 0;
    if (is_failure) {
        note_message(a, report);
        st = note_failure(a, effect);
    }
    bool was_tried = effect->is_moved && event->kind != ASSIGNMENT_EV_RETRY &&
                     (a->row.has_deployment || a->engine.offered_ms != 0);
    if (st == MOULT_OK && was_tried) { st = put_attempt(a, event, report, effect); }
    if (st == MOULT_OK && effect->is_moved) { st = put_event(a, effect); }
    if (st == MOULT_OK && effect->is_poison) {
        st = store_poison_add(a->db, a->device->num, a->slot->work->release, effect->reason,
                              a->now_ms);
    }
    if (st == MOULT_OK && effect->is_loop) { st = quarantine_loop(a); }
    bool is_withdrawn = effect->is_moved && event->kind == ASSIGNMENT_EV_WITHDRAW;
    if (effect->is_ended || is_withdrawn) {
        effects_num(&a->control->effects, EFFECT_CLEAR, a->device->num);
    }
    /* A new attempt gets a new deployment id: reports of the old one are gone. */
    if (a->engine.generation != a->row.generation) { a->row.has_deployment = false; }
    count_metrics(a, effect);
    return st;
}

/* --- steps ---------------------------------------------------------------------------- */

/* The phase's counters, which are changed together with the assignment. */
static struct phase_counters *counters_of(struct assigned *a)
{
    struct control_rollout *rollout = rollout_cache_touch(&a->control->rollouts, a->slot);
    return &rollout->engine.phases[a->engine.phase].counters;
}

enum moult_status assigned_step(struct assigned *a, const struct assignment_event *event,
                                const struct moult_report *report,
                                struct assignment_effect *effect)
{
    assert(a->is_there);
    struct assignment_limits limits;
    struct assignment_terms terms = assigned_terms(a, &limits);
    struct assignment before = a->engine;
    *effect = assignment_step(&a->engine, event, &terms);
    if (!effect->is_accepted) { return MOULT_OK; }
    struct phase_counters *counters = counters_of(a);
    gates_count(counters, &before, -1);
    gates_count(counters, &a->engine, 1);
    a->is_dirty = true;
    return follow_up(a, event, report, effect);
}

enum moult_status assigned_heard(struct assigned *a)
{
    const struct phase *phase = &a->slot->work->engine.phases[a->engine.phase];
    if (!assignment_is_active(a->engine.state) || !phase_has_opened(phase)) {
        return MOULT_OK;
    }
    struct assignment before = a->engine;
    if (assignment_heard(&a->engine, a->now_ms)) {
        struct phase_counters *counters = counters_of(a);
        gates_count(counters, &before, -1);
        gates_count(counters, &a->engine, 1);
    }
    a->is_dirty = true;
    return MOULT_OK;
}

static enum moult_status finish(struct assigned *a, const struct assignment *before,
                                enum assignment_event_kind kind,
                                const struct assignment_effect *effect)
{
    if (!effect->is_accepted) { return MOULT_OK; }
    struct assignment_event event = {.kind = kind, .now_ms = a->now_ms};
    struct phase_counters *counters = counters_of(a);
    gates_count(counters, before, -1);
    gates_count(counters, &a->engine, 1);
    a->is_dirty = true;
    return follow_up(a, &event, NULL, effect);
}

enum moult_status assigned_tick(struct assigned *a)
{
    struct assignment_limits limits;
    struct assignment_terms terms = assigned_terms(a, &limits);
    struct assignment before = a->engine;
    struct assignment_effect effect = assignment_tick(&a->engine, a->now_ms, &terms);
    a->is_dirty = true; /* its deadline, at least, is to be computed anew */
    return finish(a, &before, ASSIGNMENT_EV_TIMEOUT, &effect);
}

enum moult_status assigned_stop(struct assigned *a)
{
    struct assignment_limits limits;
    struct assignment_terms terms = assigned_terms(a, &limits);
    struct assignment before = a->engine;
    struct assignment_effect effect = assignment_stop(&a->engine, a->now_ms, &terms);
    return finish(a, &before, ASSIGNMENT_EV_CANCEL, &effect);
}

enum moult_status assigned_save(struct assigned *a)
{
    if (!a->is_there || !a->is_dirty) { return MOULT_OK; }
    struct assignment_limits limits;
    struct assignment_terms terms = assigned_terms(a, &limits);
    assignment_to_row(&a->engine, &a->row);
    a->row.updated_ms = a->now_ms;
    a->row.deadline_ms = assignment_deadline_ms(&a->engine, &terms);
    enum moult_status st =
        store_assignment_save(a->db, &a->row, a->was_generation, a->was_state);
    a->was_generation = a->row.generation;
    a->was_state = a->row.state;
    a->is_dirty = false;
    return st;
}

/* --- the table ------------------------------------------------------------------------ */

void control_publish_device(struct control *control, const struct store_device *device,
                            const struct assigned *a)
{
    struct device_durable d = {
        .num = device->num,
        .class_index = control_class_index(&control->config, device->class_id),
        .state = device->state,
        .running_state = device->running_state,
        .has_running = device->has_running,
        .has_facts = device->has_facts,
        .running_sequence = device->running_sequence,
        .keyset_version = device->keyset_version,
    };
    memcpy(d.id, device->id, sizeof d.id);
    memcpy(d.spki, device->spki, sizeof d.spki);
    memcpy(d.running_digest, device->running_digest, sizeof d.running_digest);
    bool is_active = a && a->is_there && assignment_is_active(a->engine.state);
    d.is_watched = a && a->is_there && a->engine.state == ASSIGNMENT_SILENT;
    if (is_active) {
        d.assigned_state = a->engine.state;
        d.assigned_phase = a->engine.phase;
        d.assigned_rollout = a->row.rollout;
        d.assigned_not_before_ms = a->engine.not_before_ms;
    }
    effects_device(&control->effects, &d);
}

void assigned_publish(const struct assigned *a)
{
    control_publish_device(a->control, a->device, a);
}
