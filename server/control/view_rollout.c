/* view_rollout.c - a rollout as an object; see views.h. */
#include <stdio.h>
#include <string.h>
#include "formats/codes.h"
#include "server/control/events.h"
#include "server/control/ids.h"
#include "server/control/rollout_sweep.h"
#include "server/control/views.h"

void rollout_etag(const struct control_rollout *r, char out[ETAG_SIZE])
{
    char id[ID_TEXT_SIZE];
    id_write("rol", r->id, id);
    snprintf(out, ETAG_SIZE, "%s.%u", id, (unsigned)r->revision);
}

/* A share of 9500 as 95, of 9550 as 95.5. */
static json_t *percent(uint32_t bp)
{
    return bp % 100 == 0 ? json_integer(bp / 100) : json_real(bp / 100.0);
}

static json_t *view_rule(const struct cohort_rule *rule)
{
    switch (rule->kind) {
    case COHORT_PERCENT:
        return json_pack("{s:o, s:I}", "percent", percent(rule->value), "min_devices",
                         (json_int_t)rule->min_devices);
    case COHORT_COUNT:
        return json_pack("{s:I}", "count", (json_int_t)rule->value);
    case COHORT_REST:
        break;
    }
    return json_pack("{s:b}", "rest", 1);
}

static json_t *view_gate(const struct gate_result *result)
{
    char words[ROLLOUT_WORDS_SIZE];
    gate_words(result, words);
    const char *verdict = result->verdict == GATE_PASS   ? "pass"
                          : result->verdict == GATE_FAIL ? "fail"
                                                         : "hold";
    return json_pack("{s:s, s:s, s:s}", "verdict", verdict, "gate",
                     gate_kind_word(result->kind), "words", words);
}

static json_t *view_phase(const struct phase *phase, uint32_t index)
{
    const struct phase_counters *c = &phase->counters;
    return json_pack(
        "{s:I, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:o, "
        "s:o, s:o}",
        "index", (json_int_t)index, "rule", view_rule(&phase->rule), "state",
        phase_state_word(phase->state), "target", (json_int_t)c->target, "reached",
        (json_int_t)c->reached, "attempted", (json_int_t)c->attempted, "decided",
        (json_int_t)c->decided, "confirmed", (json_int_t)c->confirmed, "failed",
        (json_int_t)c->failed, "silent", (json_int_t)c->silent, "covered",
        (json_int_t)c->covered, "soak_s", (json_int_t)(phase->soak_ms / 1000),
        "device_soak_s", (json_int_t)(phase->device_soak_ms / 1000), "approve",
        (int)phase->needs_approval, "by_hand", (int)phase->by_hand, "gate",
        view_gate(&phase->last), "opened", view_time(phase->opened_ms), "closed",
        view_time(phase->closed_ms));
}

static json_t *view_phases(const struct rollout *engine)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < engine->phase_count; i++) {
        json_array_append_new(list, view_phase(&engine->phases[i], i));
    }
    return list;
}

/* Devices by state, states without devices left out; and all together. */
static json_t *view_counts(const struct rollout *engine, uint32_t *target)
{
    json_t *counts = json_object();
    *target = 0;
    for (unsigned state = 1; state < ASSIGNMENT_STATE_COUNT; state++) {
        uint32_t sum = 0;
        for (uint32_t i = 0; i < engine->phase_count; i++) {
            sum += engine->phases[i].counters.by_state[state];
        }
        *target += sum;
        if (sum == 0) { continue; }
        json_object_set_new(counts, assignment_state_word(state), json_integer(sum));
    }
    return counts;
}

static bool add_failure(void *context, uint16_t reason, uint32_t count)
{
    const struct moult_code_info *info = moult_reason_info(reason);
    json_t *item = json_pack("{s:o, s:s, s:s, s:I}", "reason", json_reason(reason), "name",
                             reason_name(reason), "words", info ? info->words : "", "count",
                             (json_int_t)count);
    return json_array_append_new(context, item) == 0;
}

static json_t *view_gates(const struct rollout *engine)
{
    const struct gate_rules *g = &engine->phases[0].gates;
    return json_pack(
        "{s:{s:o, s:I, s:o}, s:{s:o, s:I}, s:o}", "success", "pct", percent(g->success_bp),
        "min_sample", (json_int_t)g->success_min_sample, "min_reached",
        percent(g->success_reached_bp), "failure", "pct", percent(g->failure_bp),
        "min_sample", (json_int_t)g->failure_min_sample, "failure_count",
        g->failure_count ? json_integer(g->failure_count) : json_null());
}

json_t *view_rollout(struct control *control, struct store_db *db,
                     const struct control_rollout *r, enum moult_status *status)
{
    const struct control_config *config = &control->config;
    struct store_release release = {0};
    char id[ID_TEXT_SIZE], release_id[ID_TEXT_SIZE], salt[33], etag[ETAG_SIZE];
    uint32_t target = 0;
    json_t *failures = json_array();
    *status = store_assignment_reasons(db, r->num, add_failure, failures);
    if (*status != MOULT_OK) {
        json_decref(failures);
        return NULL;
    }
    statement_cache_by_num(&control->statements, r->release, &release);
    id_write("rol", r->id, id);
    id_write("rel", release.id, release_id);
    moult_hex_encode(r->salt, sizeof r->salt, salt);
    rollout_etag(r, etag);
    json_t *counts = view_counts(&r->engine, &target);
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:o, s:s, s:s, s:I, s:o, "
        "s:o, s:o, s:o, s:o, s:s?}",
        "id", id, "name", r->name, "release", release_id, "version", release.version,
        "class", config->classes[control_class_index(config, release.class_id)].name,
        "selector", r->selector, "mode", rollout_mode_word(r->engine.mode), "state",
        rollout_state_word(r->engine.state), "state_reason", r->engine.state_reason,
        "state_since", view_time(r->engine.state_since_ms), "salt", salt, "created",
        view_time(r->created_ms), "created_by", r->created_by, "etag", etag, "target",
        (json_int_t)target, "counts", counts, "failures", failures, "phases",
        view_phases(&r->engine), "gates", view_gates(&r->engine), "rate_per_minute",
        r->engine.rate_tenths ? json_real(r->engine.rate_tenths / 10.0) : json_null(),
        "under_way", sweep_word(r->sweep.verb));
}
