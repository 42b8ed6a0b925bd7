/* checkin_write.c - a check-in that has something to say, or something coming to it; see
 * checkin.h. One transaction: reports, transitions, counters, gates, and the grant. */
#include <stdio.h>
#include <string.h>
#include "formats/codes.h"
#include "server/control/checkin.h"
#include "server/control/events.h"
#include "server/control/facts.h"
#include "server/control/grant.h"
#include "server/control/orders.h"
#include "server/control/pacing.h"
#include "server/control/reports.h"
#include "server/control/rollout_work.h"

/* One check-in on its way through. */
struct visit {
    struct control *control;
    struct store_db *db;
    const struct control_checkin_request *request;
    struct control_checkin_result *result;
    struct store_device device;
    struct assigned assigned;
    bool is_new;           /* the device's first contact */
    bool went_rebooting;   /* a report of this message says that it is about to reboot */
    bool is_told_to_abort; /* its half-done plan is to be dropped */
    uint8_t abort_deployment[16];
    int64_t wait_ms; /* until a grant can be tried again; 0 unknown */
};

static void refuse(struct visit *v, uint16_t status, uint16_t detail)
{
    *v->result = (struct control_checkin_result){
        .status = status,
        .detail = detail,
        .next_s = (uint32_t)((v->control->config.interval_pending_ms + 999) / 1000)};
    if (v->control->metrics.checkins_refused) {
        metrics_add(v->control->metrics.checkins_refused, 1);
    }
}

/* --- who it is ------------------------------------------------------------------------ */

static enum moult_status put_device_event(struct visit *v, const char *kind,
                                          const char *text)
{
    struct store_event event = {
        .time_ms = v->request->now_ms, .device = v->device.num, .kind = kind, .text = text};
    return event_put(v->db, &event, NULL);
}

/* An unknown key becomes a device: pending, or accepted in a demo. */
static enum moult_status enrol(struct visit *v)
{
    const struct control_config *config = &v->control->config;
    uint8_t class_index = facts_class_index(config, &v->request->message->facts);
    v->is_new = true;
    v->device = (struct store_device){
        .state = config->accept_on_first_use ? DEVICE_ACCEPTED : DEVICE_PENDING,
        .first_seen_ms = v->request->now_ms,
        .last_seen_ms = v->request->now_ms,
    };
    memcpy(v->device.id, v->request->spki_sha256, sizeof v->device.id);
    memcpy(v->device.spki, v->request->spki_sha256, sizeof v->device.spki);
    memcpy(v->device.class_id, config->classes[class_index].id, 16);
    snprintf(v->device.last_address, sizeof v->device.last_address, "%s",
             v->request->address ? v->request->address : "");
    enum moult_status st = store_device_insert(v->db, &v->device);
    if (st != MOULT_OK) { return st; }
    effects_new_device(&v->control->effects);
    return put_device_event(
        v, "device.enrolled",
        config->accept_on_first_use
            ? "first contact with an unknown key; accepted at once"
            : "first contact with an unknown key; waits to be accepted");
}

/* Finds or makes the device. *is_refused: the result is a refusal. */
static enum moult_status identify(struct visit *v, bool *is_refused)
{
    *is_refused = true;
    enum moult_status st = store_device_by_spki(v->db, v->request->spki_sha256, &v->device);
    const uint8_t *id = st == MOULT_E_NOENT ? v->request->spki_sha256 : v->device.id;
    if (st != MOULT_OK && st != MOULT_E_NOENT) { return st; }
    if (st == MOULT_E_NOENT && !v->control->config.trust_on_first_use) {
        refuse(v, 401, MOULT_D_API_CERT);
        return MOULT_OK;
    }
    if (memcmp(v->request->message->device_id, id, 16) != 0) {
        refuse(v, 403, MOULT_D_API_DEVICE_ID);
        return MOULT_OK;
    }
    if (st == MOULT_E_NOENT && !control_has_room(v->control)) {
        refuse(v, 503, MOULT_D_API_BUSY);
        return MOULT_OK;
    }
    if (st == MOULT_E_NOENT) { st = enrol(v); }
    if (st != MOULT_OK) { return st; }
    if (v->device.state == DEVICE_REJECTED) {
        refuse(v, 401, MOULT_D_API_REVOKED);
    } else if (v->device.state == DEVICE_RETIRED) {
        refuse(v, 410, MOULT_D_API_DEVICE_STATE);
    } else {
        *is_refused = false;
    }
    return MOULT_OK;
}

/* --- what it runs --------------------------------------------------------------------- */

/* The version of a release by its image: what the device says of itself is only shown when
 * no release explains the digest. */
static void name_running(struct visit *v)
{
    struct store_release release;
    bool is_known = statement_cache_by_image(&v->control->statements,
                                             v->device.running_digest, &release);
    if (!is_known) { return; }
    snprintf(v->device.running_version, sizeof v->device.running_version, "%s",
             release.version);
    memcpy(v->device.class_id, release.class_id, 16);
}

static enum moult_status note_running(struct visit *v)
{
    const struct moult_checkin *m = v->request->message;
    struct store_device *d = &v->device;
    bool is_other_image =
        !d->has_running || memcmp(d->running_digest, m->running_digest, 32) != 0;
    bool is_same = !is_other_image && d->running_sequence == m->running_sequence &&
                   d->running_state == m->running_state &&
                   d->keyset_version == m->keyset_version;
    if (is_same) { return MOULT_OK; }
    d->has_running = true;
    memcpy(d->running_digest, m->running_digest, 32);
    d->running_sequence = m->running_sequence;
    d->running_state = m->running_state;
    d->keyset_version = m->keyset_version;
    if (is_other_image) {
        d->running_version[0] = '\0';
        name_running(v);
    }
    enum moult_status st = store_device_save_running(v->db, d);
    if (st != MOULT_OK || !is_other_image) { return st; }
    char text[EVENT_TEXT_SIZE];
    snprintf(text, sizeof text, "runs %s, sequence %llu, %s",
             d->running_version[0] ? d->running_version : "an unknown image",
             (unsigned long long)d->running_sequence,
             d->running_state == MOULT_RUNNING_TRIAL ? "on trial" : "not on trial");
    return put_device_event(v, "device.running", text);
}

static enum moult_status note_facts(struct visit *v)
{
    const struct moult_checkin *m = v->request->message;
    if (!(m->present & 1u << MOULT_CHECKIN_FACTS)) { return MOULT_OK; }
    enum moult_status st = facts_store(v->db, &v->device, &m->facts, v->request->now_ms);
    if (st != MOULT_OK) { return st; }
    struct store_device *d = &v->device;
    char said[STORE_VERSION_SIZE];
    memcpy(said, d->running_version, sizeof said);
    name_running(v); /* a release's version outranks the image's own */
    return strcmp(said, d->running_version) != 0 ? store_device_save_running(v->db, d)
                                                 : MOULT_OK;
}

/* --- its assignment ------------------------------------------------------------------- */

/* What the running digest proves. Skipped when the same message says that the reboot is
 * still to come: then it is the old image by right. */
static enum moult_status saw_running(struct visit *v)
{
    struct assigned *a = &v->assigned;
    const struct moult_checkin *m = v->request->message;
    if (!a->is_there || v->went_rebooting) { return MOULT_OK; }
    struct store_release release;
    const struct store_component *app = NULL;
    if (statement_cache_by_num(&v->control->statements, a->slot->work->release, &release)) {
        app = release_app(&release);
    }
    if (!app) { return MOULT_OK; }
    struct assignment_event event = {.now_ms = a->now_ms};
    event.kind = assignment_running_event(
        m->running_digest, app->sha256, a->row.has_from_digest ? a->row.from_digest : NULL,
        m->running_state == MOULT_RUNNING_TRIAL);
    struct assignment_effect effect;
    return assigned_step(a, &event, NULL, &effect);
}

/* A rollout is aborted at once, its devices batch by batch: who comes before his batch is
 * met here. */
static enum moult_status stop_if_aborted(struct visit *v)
{
    struct assigned *a = &v->assigned;
    if (!a->is_there || a->slot->work->sweep.verb != SWEEP_ABORT) { return MOULT_OK; }
    bool may_stop = a->engine.state <= ASSIGNMENT_VERIFIED;
    return may_stop ? assigned_stop(a) : MOULT_OK;
}

/* An abort reaches a busy device here: it is told to drop its plan, and that ends it. */
static enum moult_status stop_if_told(struct visit *v)
{
    struct assigned *a = &v->assigned;
    bool is_busy = a->is_there && a->engine.state >= ASSIGNMENT_DOWNLOADING &&
                   a->engine.state <= ASSIGNMENT_VERIFIED;
    if (!is_busy || !(a->engine.flags & ASSIGNMENT_STOPPING)) { return MOULT_OK; }
    v->is_told_to_abort = true;
    memcpy(v->abort_deployment, a->row.deployment, sizeof v->abort_deployment);
    struct assignment_event event = {.kind = ASSIGNMENT_EV_CANCEL, .now_ms = a->now_ms};
    struct assignment_effect effect;
    return assigned_step(a, &event, NULL, &effect);
}

/* An offer whose rollout has been paused meanwhile is taken back. */
static enum moult_status withdraw_if_paused(struct visit *v)
{
    struct assigned *a = &v->assigned;
    bool is_offered = a->is_there && (a->engine.state == ASSIGNMENT_OFFERED ||
                                      a->engine.state == ASSIGNMENT_AWAITING_CONSENT);
    if (!is_offered) { return MOULT_OK; }
    if (rollout_may_offer(&a->slot->work->engine, a->engine.phase)) { return MOULT_OK; }
    struct assignment_event event = {.kind = ASSIGNMENT_EV_WITHDRAW, .now_ms = a->now_ms};
    struct assignment_effect effect;
    return assigned_step(a, &event, NULL, &effect);
}

static enum moult_status draw_deployment(struct visit *v)
{
    struct assigned *a = &v->assigned;
    if (a->row.has_deployment) { return MOULT_OK; }
    if (!random_fill(v->control->parts.random, a->row.deployment, 16)) {
        return MOULT_E_INTERNAL;
    }
    a->row.has_deployment = true;
    a->is_dirty = true;
    return MOULT_OK;
}

static enum moult_status grant(struct visit *v)
{
    struct assigned *a = &v->assigned;
    if (!a->is_there || a->engine.state != ASSIGNMENT_PLANNED) { return MOULT_OK; }
    struct store_release release;
    if (!statement_cache_by_num(&v->control->statements, a->slot->work->release,
                                &release)) {
        return MOULT_OK;
    }
    struct rollout bucket = a->slot->work->engine; /* taken from only with the grant */
    struct grant g = {
        .control = v->control,
        .db = v->db,
        .now_ms = a->now_ms,
        .device = &v->device,
        .rollout = a->slot->work,
        .release = &release,
        .assignment = &a->engine,
        .takes_offer = true,
        .rate = &bucket,
    };
    enum moult_status st = MOULT_OK;
    enum grant_verdict verdict = grant_examine(&g, NULL, NULL, &st);
    v->wait_ms = g.wait_ms;
    if (st != MOULT_OK || verdict != GRANT_PASS) { return st; }
    /* The bucket is of this process only: filling it anew after a restart is harmless. But
     * a job that is undone gives its offer back, so the rollout is touched first. */
    struct control_rollout *rollout = rollout_cache_touch(&v->control->rollouts, a->slot);
    rollout->engine.rate_tokens = bucket.rate_tokens;
    rollout->engine.rate_ms = bucket.rate_ms;
    st = draw_deployment(v);
    if (st != MOULT_OK) { return st; }
    a->row.has_from_digest = true;
    memcpy(a->row.from_digest, v->device.running_digest, 32);
    struct assignment_event event = {.kind = ASSIGNMENT_EV_GRANT, .now_ms = a->now_ms};
    struct assignment_effect effect;
    return assigned_step(a, &event, NULL, &effect);
}

static enum moult_status work(struct visit *v)
{
    struct assigned *a = &v->assigned;
    enum moult_status st = assigned_active(a);
    if (st == MOULT_OK && a->is_there) { st = assigned_heard(a); }
    if (st == MOULT_OK && v->request->message->present & 1u << MOULT_CHECKIN_REPORTS) {
        st = reports_apply(a, v->request->message->reports, v->result, &v->went_rebooting);
    }
    if (st == MOULT_OK) { st = saw_running(v); }
    if (st == MOULT_OK) { st = stop_if_aborted(v); }
    if (st == MOULT_OK) { st = stop_if_told(v); }
    if (st == MOULT_OK) { st = withdraw_if_paused(v); }
    if (st == MOULT_OK) { st = assigned_save(a); }
    if (st == MOULT_OK) { st = rollouts_join(a); }
    /* Gates first: what this device has just reported may forbid what it would be
     * offered. */
    if (st == MOULT_OK) { st = rollouts_settle(v->control, v->db, v->request->now_ms); }
    if (st == MOULT_OK) { st = grant(v); }
    return st == MOULT_OK ? assigned_save(a) : st;
}

/* --- the answer ----------------------------------------------------------------------- */

static uint64_t next_counter(struct visit *v)
{
    uint64_t floor = atomic_load(&v->control->counter_floor);
    uint64_t reported = v->request->message->counter;
    uint32_t index = device_table_find_num(v->control->devices, v->device.num);
    if (index != DEVICE_NONE) {
        return device_table_next_counter(v->control->devices, index, reported, floor,
                                         v->request->now_ms);
    }
    uint64_t least = (reported > floor ? reported : floor) + 1; /* its first order ever */
    uint64_t now_ms = (uint64_t)v->request->now_ms;
    return least > now_ms ? least : now_ms;
}

static enum moult_status write_order(struct visit *v)
{
    const struct assigned *a = &v->assigned;
    struct store_release release;
    struct order order = {
        .action = MOULT_ACTION_NONE,
        .device_id = v->device.id,
        .nonce = v->request->message->nonce,
        .counter = next_counter(v),
        .now_ms = v->request->now_ms,
        .class_index = control_class_index(&v->control->config, v->device.class_id),
    };
    bool is_installing = a->is_there && a->engine.state >= ASSIGNMENT_OFFERED &&
                         a->engine.state <= ASSIGNMENT_REBOOTING && a->row.has_deployment;
    if (v->is_told_to_abort) {
        order.action = MOULT_ACTION_ABORT;
        order.deployment = v->abort_deployment;
    } else if (is_installing && statement_cache_by_num(&v->control->statements,
                                                       a->slot->work->release, &release)) {
        order.action = MOULT_ACTION_INSTALL;
        order.deployment = a->row.deployment;
        order.release = &release;
        order.mode = a->slot->work->engine.mode;
        order.stage_only = !rollout_may_activate(&a->slot->work->engine);
        order.deferrals = 3;
    }
    return order_write(v->control, &order, v->result);
}

/* Soaking: until the soak is over; planned: until the next try. */
static int64_t wait_of(const struct visit *v)
{
    const struct assigned *a = &v->assigned;
    if (!a->is_there || a->engine.state != ASSIGNMENT_SOAKING) { return v->wait_ms; }
    struct assignment_limits limits;
    struct assignment_terms terms = assigned_terms(a, &limits);
    int64_t left_ms = a->engine.entered_ms + terms.soak_ms - a->now_ms;
    return left_ms > 0 ? left_ms + 1 : 1;
}

static enum moult_status answer(struct visit *v)
{
    const struct assigned *a = &v->assigned;
    bool is_active = a->is_there && assignment_is_active(a->engine.state);
    struct pacing pacing = {
        .device_id = v->device.id,
        .state = v->device.state,
        .assigned_state = is_active ? a->engine.state : 0,
        .may_be_offered =
            is_active && rollout_may_offer(&a->slot->work->engine, a->engine.phase),
        .wait_ms = wait_of(v),
        .now_ms = v->request->now_ms,
    };
    v->result->status = 200;
    v->result->next_s = pacing_next_s(&v->control->config, &pacing);
    v->result->keyset_version = statement_cache_newest_keyset(&v->control->statements);
    v->result->endpoints_version = v->control->endpoints.version;
    v->result->server_time_ms = (uint64_t)v->request->now_ms;
    v->result->send_facts = !v->device.has_facts;
    return v->device.state == DEVICE_PENDING ? MOULT_OK : write_order(v);
}

static void note_seen(struct visit *v)
{
    uint32_t index = device_table_find_num(v->control->devices, v->device.num);
    if (index == DEVICE_NONE) { return; } /* its row has the time already */
    const struct assigned *a = &v->assigned;
    struct device_seen seen = {.now_ms = v->request->now_ms,
                               .next_s = v->result->next_s,
                               .address = v->request->address,
                               .is_gap_odd = a->is_there &&
                                             a->engine.state >= ASSIGNMENT_DOWNLOADING &&
                                             assignment_is_active(a->engine.state)};
    device_table_seen(v->control->devices, index, &seen);
}

enum moult_status control_checkin_write(struct control *control, struct store_db *db,
                                        const struct control_checkin_request *request,
                                        struct control_checkin_result *result)
{
    struct visit v = {.control = control, .db = db, .request = request, .result = result};
    memset(result, 0, sizeof *result);
    bool is_refused = false;
    enum moult_status st = identify(&v, &is_refused);
    if (st != MOULT_OK || is_refused) { return st; }
    st = note_running(&v);
    if (st == MOULT_OK) { st = note_facts(&v); }
    if (st == MOULT_OK) {
        assigned_init(&v.assigned, control, db, &v.device, request->now_ms);
        st = work(&v);
    }
    if (st == MOULT_OK) { st = answer(&v); }
    if (st != MOULT_OK) { return st; }
    assigned_publish(&v.assigned);
    note_seen(&v);
    if (control->metrics.checkins_write) {
        metrics_add(control->metrics.checkins_write, 1);
    }
    return effects_status(&control->effects);
}
