/* rollouts.c - see rollouts.h: lists, and the verbs of a rollout. Creation:
 * rollout_create.c. */
#include "server/control/rollouts.h"
#include <stdio.h>
#include <string.h>
#include "formats/codes.h"
#include "server/base/mem.h"
#include "server/control/dryrun.h"
#include "server/control/events.h"
#include "server/control/ids.h"
#include "server/control/page.h"
#include "server/control/problem.h"
#include "server/control/rollout_sweep.h"
#include "server/control/rollout_work.h"
#include "server/control/views.h"

/* --- reading -------------------------------------------------------------------------- */

static bool has_state(const void *want, const struct control_rollout *rollout)
{
    return rollout->engine.state == *(const enum rollout_state *)want;
}

enum moult_status control_rollout_list(const struct control_call *call, const char *state,
                                       const struct control_page *page, json_t **out)
{
    struct page_builder builder;
    int64_t before = 0;
    enum rollout_state wanted = ROLLOUT_NO_STATE;
    *out = NULL;
    enum moult_status st = page_number(call, page, &before);
    if (st != MOULT_OK) { return st; }
    if (state) { wanted = rollout_state_parse(state); }
    if (state && wanted == ROLLOUT_NO_STATE) {
        return problem_field(
            call->problem, MOULT_D_API_QUERY, "state",
            "draft, scheduled, running, holding, paused, completed or aborted", state);
    }
    struct control_rollout rollout;
    st = page_begin(page, &builder);
    while (st == MOULT_OK &&
           rollout_cache_copy_before(&call->control->rollouts, before,
                                     state ? has_state : NULL, &wanted, &rollout)) {
        json_t *item = view_rollout(call->control, call->db, &rollout, &st);
        if (!page_add_number(&builder, item, rollout.num)) { break; }
        before = rollout.num;
    }
    return problem_store(call, page_end(&builder, st, out));
}

static enum moult_status not_found(const struct control_call *call, const char *id)
{
    return problem_field(call->problem, MOULT_D_API_NOT_FOUND, "rollout", "rollout", id);
}

static enum moult_status view(const struct control_call *call,
                              const struct control_rollout *rollout, json_t **out)
{
    enum moult_status st = MOULT_OK;
    *out = view_rollout(call->control, call->db, rollout, &st);
    if (!*out && st == MOULT_OK) { st = MOULT_E_NOMEM; }
    return problem_store(call, st);
}

enum moult_status control_rollout_show(const struct control_call *call, const char *id,
                                       json_t **out)
{
    struct control_rollout rollout;
    *out = NULL;
    if (!rollout_cache_copy_by_name(&call->control->rollouts, id, &rollout)) {
        return not_found(call, id);
    }
    return view(call, &rollout, out);
}

struct device_listing {
    const struct control_call *call;
    const struct control_rollout *rollout;
    struct page_builder builder;
    enum moult_status status;
};

static bool list_device(void *context, const struct store_assignment *row)
{
    struct device_listing *l = context;
    struct store_device device;
    l->status = store_device_by_num(l->call->db, row->device, &device);
    if (l->status != MOULT_OK) { return false; }
    json_t *item = view_assignment(l->call->control, row, l->rollout, device.id);
    if (item && device.name[0]) {
        json_object_set_new(item, "device_name", json_string(device.name));
    }
    return page_add_number(&l->builder, item, row->device);
}

enum moult_status control_rollout_devices(const struct control_call *call, const char *id,
                                          const char *state,
                                          const struct control_page *page, json_t **out)
{
    struct control_rollout rollout;
    struct device_listing l = {.call = call, .rollout = &rollout, .status = MOULT_OK};
    struct store_assignment_query query = {0};
    *out = NULL;
    if (!rollout_cache_copy_by_name(&call->control->rollouts, id, &rollout)) {
        return not_found(call, id);
    }
    if (state) { query.state = (uint8_t)assignment_state_parse(state); }
    if (state && query.state == ASSIGNMENT_NO_STATE) {
        return problem_field(call->problem, MOULT_D_API_QUERY, "state",
                             "a state of an assignment, like planned or confirmed", state);
    }
    enum moult_status st = page_number(call, page, &query.after);
    if (st == MOULT_OK) { st = page_begin(page, &l.builder); }
    if (st != MOULT_OK) { return st; }
    query.rollout = rollout.num;
    query.limit = l.builder.limit + 1;
    st = store_assignment_each(call->db, &query, list_device, &l);
    if (st == MOULT_OK) { st = l.status; }
    return problem_store(call, page_end(&l.builder, st, out));
}

/* --- verbs ---------------------------------------------------------------------------- */

/* Devices that wait for an offer in an open phase hear of it at once. */
static void wake_open_phases(const struct control_call *call,
                             const struct control_rollout *rollout)
{
    for (uint32_t i = 0; i < rollout->engine.phase_count; i++) {
        if (!rollout_may_offer(&rollout->engine, i)) { continue; }
        struct effect effect = {
            .kind = EFFECT_PHASE, .num = rollout->num, .phase = (uint8_t)i};
        effects_push(&call->control->effects, &effect);
    }
}

static enum moult_status put_verb_event(const struct control_call *call,
                                        const struct control_rollout *rollout,
                                        const char *verb, const char *why)
{
    char kind[32];
    snprintf(kind, sizeof kind, "rollout.%s", verb);
    struct store_event event = {
        .time_ms = call->now_ms, .rollout = rollout->num, .kind = kind, .text = why};
    return event_put(call->db, &event, NULL);
}

/* A verb that only changes what devices are told. */
static enum moult_status do_at_once(const struct control_call *call,
                                    struct rollout_slot *slot, enum rollout_verb verb,
                                    const char *why)
{
    struct control *control = call->control;
    struct control_rollout *rollout = rollout_cache_touch(&control->rollouts, slot);
    struct rollout_outcome outcome;
    enum moult_status st =
        rollout_verb(&rollout->engine, verb, call->now_ms, why, &outcome);
    if (st == MOULT_OK) {
        st = rollout_outcome_done(control, call->db, slot, &outcome, call->now_ms);
    }
    return st;
}

static enum moult_status do_verb(const struct control_call *call, struct rollout_slot *slot,
                                 enum rollout_verb verb, const char *remark)
{
    struct control *control = call->control;
    char why[ROLLOUT_REASON_SIZE];
    const char *word = rollout_verb_word(verb);
    snprintf(why, sizeof why, "%s by %s%s%s", word, call->actor.name,
             remark && remark[0] ? ": " : "", remark ? remark : "");
    enum moult_status st = put_verb_event(call, slot->work, word, why);
    /* Retry: once its devices are planned again. */
    if (st == MOULT_OK && verb != ROLLOUT_RETRY) { st = do_at_once(call, slot, verb, why); }
    struct sweeping sweeping = {control, call->db, slot, call->now_ms};
    if (st == MOULT_OK && verb == ROLLOUT_ABORT) {
        st = rollout_sweep_begin(&sweeping, SWEEP_ABORT);
    }
    if (st == MOULT_OK && verb == ROLLOUT_RETRY) {
        st = rollout_sweep_begin(&sweeping, SWEEP_RETRY);
    }
    if (st == MOULT_OK && verb == ROLLOUT_RESUME) { wake_open_phases(call, slot->work); }
    return st == MOULT_OK ? rollouts_settle(control, call->db, call->now_ms) : st;
}

/* What the verb needs before anything is touched. */
static enum moult_status check_verb(const struct control_call *call,
                                    const struct control_rollout_change *change,
                                    const struct control_rollout *rollout,
                                    enum rollout_verb *verb)
{
    char etag[ETAG_SIZE];
    const char *expected = NULL;
    rollout_etag(rollout, etag);
    if (!rollout_verb_parse(change->verb, verb)) {
        return problem_field(call->problem, MOULT_D_API_FIELD, "verb",
                             "start, pause, resume, abort, advance or retry", change->verb);
    }
    if (change->if_match && strcmp(change->if_match, etag) != 0) {
        return problem_field(call->problem, MOULT_D_API_STALE, "If-Match", etag,
                             change->if_match);
    }
    bool has_remark = change->remark && change->remark[0];
    if (*verb == ROLLOUT_ADVANCE && !has_remark) {
        return problem_field(call->problem, MOULT_D_API_FIELD, "remark",
                             "a remark that says why the phase is closed by hand",
                             "nothing");
    }
    if (rollout_verb_allowed(&rollout->engine, *verb, &expected)) { return MOULT_OK; }
    return problem_set(call->problem, MOULT_D_ROLLOUT_STATE, expected,
                       rollout_state_word(rollout->engine.state));
}

enum moult_status control_rollout_verb(const struct control_call *call,
                                       const struct control_rollout_change *asked,
                                       json_t **out)
{
    char action[48], object[ID_TEXT_SIZE];
    enum rollout_verb verb = ROLLOUT_START;
    *out = NULL;
    struct rollout_slot *slot = rollout_cache_by_name(&call->control->rollouts, asked->id);
    if (!slot) { return not_found(call, asked->id); }
    id_write("rol", slot->work->id, object);
    snprintf(action, sizeof action, "rollout.%.20s", asked->verb);
    struct change change = {.action = action, .object = object};
    change.detail =
        json_pack("{s:s, s:s*}", "name", slot->work->name, "remark", asked->remark);
    enum moult_status st = change_begin(call);
    if (st != MOULT_OK) { return st; }
    st = check_verb(call, asked, slot->work, &verb);
    if (st == MOULT_OK) { st = do_verb(call, slot, verb, asked->remark); }
    if (st == MOULT_OK) { st = view(call, slot->work, out); }
    return change_end(call, &change, st, out);
}
