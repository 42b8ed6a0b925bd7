/* rollout_draft.c - see rollout_draft.h. */
#include "server/control/rollout_draft.h"
#include <stdio.h>
#include <string.h>
#include "formats/codes.h"
#include "server/control/ids.h"
#include "server/control/problem.h"
#include "server/control/release_check.h"
#include "server/control/selecting.h"

enum { FIELD_SIZE = 64, NAME_TRIES = 1000 };
#define SOAK_MAX_S 31536000 /* a year */

/* Where in the body something is wrong. */
struct place {
    const struct control_call *call;
    char path[FIELD_SIZE]; /* "phases[1].", "gates.success." or "" */
};

static enum moult_status wrong(const struct place *place, enum moult_detail detail,
                               const char *name, const char *want, const char *have)
{
    char field[FIELD_SIZE + 32];
    snprintf(field, sizeof field, "%s%s", place->path, name);
    return problem_field(place->call->problem, detail, field, want, have);
}

/* What is there, for "found ...". */
static const char *found(const json_t *value, char out[64])
{
    char text[48];
    if (!value) { return "nothing"; }
    size_t size = json_dumpb(value, text, sizeof text, JSON_COMPACT | JSON_ENCODE_ANY);
    snprintf(out, 64, "%.*s", (int)(size < sizeof text ? size : sizeof text), text);
    return out;
}

/* Every member of the object is in `known`, a NULL-ended list. */
static enum moult_status only_known(const struct place *place, const json_t *object,
                                    const char *const *known)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        size_t i = 0;
        while (known[i] && strcmp(known[i], key) != 0) {
            i++;
        }
        if (!known[i]) {
            char have[64];
            return wrong(place, MOULT_D_API_FIELD, key, "no such member",
                         found(value, have));
        }
    }
    return MOULT_OK;
}

/* A share in percent as hundredths; *bp untouched when it is not there. */
static enum moult_status read_percent(const struct place *place, const json_t *object,
                                      const char *name, uint32_t *bp)
{
    char have[64];
    const json_t *value = json_object_get(object, name);
    if (!value) { return MOULT_OK; }
    double share = json_number_value(value) * 100.0;
    bool is_share = json_is_number(value) && share >= 0 && share <= 10000;
    uint32_t nearest = is_share ? (uint32_t)(share + 0.5) : 0;
    double off = share - nearest;
    is_share = is_share && off < 1e-6 && off > -1e-6;
    if (!is_share) {
        return wrong(place, MOULT_D_API_FIELD, name,
                     "a percentage from 0 to 100 with at most two decimals",
                     found(value, have));
    }
    *bp = nearest;
    return MOULT_OK;
}

struct range {
    int64_t min, max;
};

static enum moult_status read_count(const struct place *place, const json_t *object,
                                    const char *name, struct range range, int64_t *out)
{
    char have[64], want[64];
    const json_t *value = json_object_get(object, name);
    if (!value) { return MOULT_OK; }
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < range.min || number > range.max) {
        snprintf(want, sizeof want, "a whole number from %lld to %lld",
                 (long long)range.min, (long long)range.max);
        return wrong(place, MOULT_D_API_FIELD, name, want, found(value, have));
    }
    *out = number;
    return MOULT_OK;
}

static enum moult_status read_u32(const struct place *place, const json_t *object,
                                  const char *name, uint32_t *out)
{
    int64_t number = *out;
    enum moult_status st =
        read_count(place, object, name, (struct range){0, ROLLOUT_DEVICES_MAX}, &number);
    if (st == MOULT_OK) { *out = (uint32_t)number; }
    return st;
}

static enum moult_status read_bool(const struct place *place, const json_t *object,
                                   const char *name, bool *out)
{
    char have[64];
    const json_t *value = json_object_get(object, name);
    if (!value) { return MOULT_OK; }
    if (!json_is_boolean(value)) {
        return wrong(place, MOULT_D_API_FIELD, name, "true or false", found(value, have));
    }
    *out = json_is_true(value);
    return MOULT_OK;
}

/* *out untouched when it is not there. */
static enum moult_status read_text(const struct place *place, const json_t *object,
                                   const char *name, const char **out)
{
    char have[64];
    const json_t *value = json_object_get(object, name);
    if (!value || json_is_null(value)) { return MOULT_OK; }
    if (!json_is_string(value)) {
        return wrong(place, MOULT_D_API_FIELD, name, "a text", found(value, have));
    }
    *out = json_string_value(value);
    return MOULT_OK;
}

/* --- phases --------------------------------------------------------------------------- */

static enum moult_status read_rule(const struct place *place, const json_t *object,
                                   const struct control_config *config,
                                   struct cohort_rule *rule)
{
    bool is_rest = false;
    int64_t count = 0;
    uint32_t bp = 0;
    enum moult_status st = read_percent(place, object, "percent", &bp);
    if (st == MOULT_OK) {
        st = read_count(place, object, "count", (struct range){1, ROLLOUT_DEVICES_MAX},
                        &count);
    }
    if (st == MOULT_OK) { st = read_bool(place, object, "rest", &is_rest); }
    if (st != MOULT_OK) { return st; }
    bool has_percent = json_object_get(object, "percent") != NULL;
    if (has_percent + (count > 0) + is_rest != 1) {
        return wrong(place, MOULT_D_ROLLOUT_PHASES, "percent",
                     "exactly one of percent, count, rest", "none or several");
    }
    *rule = (struct cohort_rule){.kind = COHORT_REST};
    if (count > 0) { *rule = (struct cohort_rule){COHORT_COUNT, (uint32_t)count, 0}; }
    if (has_percent) {
        *rule = (struct cohort_rule){COHORT_PERCENT, bp, (uint32_t)config->min_devices};
        st = read_u32(place, object, "min_devices", &rule->min_devices);
    }
    return st;
}

static enum moult_status read_soak(const struct place *place, const json_t *object,
                                   const char *name, int64_t *ms)
{
    int64_t s = *ms / 1000;
    enum moult_status st =
        read_count(place, object, name, (struct range){0, SOAK_MAX_S}, &s);
    if (st == MOULT_OK && json_object_get(object, name)) { *ms = s * 1000; }
    return st;
}

static enum moult_status read_phase(struct place *place, const json_t *object,
                                    uint32_t index, struct phase *phase)
{
    static const char *const known[] = {"percent", "min_devices",   "count",   "rest",
                                        "soak_s",  "device_soak_s", "approve", NULL};
    const struct control_config *config = &place->call->control->config;
    char have[64];
    if (!json_is_object(object)) {
        return wrong(place, MOULT_D_ROLLOUT_PHASES, "", "an object", found(object, have));
    }
    enum moult_status st = only_known(place, object, known);
    phase->soak_ms = (int64_t)(index == 0 ? config->soak_first_ms : config->soak_ms);
    if (st == MOULT_OK) { st = read_rule(place, object, config, &phase->rule); }
    if (st == MOULT_OK) { st = read_soak(place, object, "soak_s", &phase->soak_ms); }
    /* A device soaks no longer than its phase unless that is asked for. */
    phase->device_soak_ms = (int64_t)config->device_soak_ms < phase->soak_ms
                                ? (int64_t)config->device_soak_ms
                                : phase->soak_ms;
    if (st == MOULT_OK) {
        st = read_soak(place, object, "device_soak_s", &phase->device_soak_ms);
    }
    return st == MOULT_OK ? read_bool(place, object, "approve", &phase->needs_approval)
                          : st;
}

static enum moult_status check_phases(const struct control_call *call,
                                      const struct rollout *engine)
{
    struct cohort_rule rules[ROLLOUT_PHASES_MAX];
    size_t index = 0;
    for (uint32_t i = 0; i < engine->phase_count; i++) {
        rules[i] = engine->phases[i].rule;
    }
    enum cohort_fault fault = cohort_check(rules, engine->phase_count, &index);
    if (fault == COHORT_FINE) { return MOULT_OK; }
    char field[FIELD_SIZE], have[64];
    snprintf(field, sizeof field, "phases[%zu]", index);
    snprintf(have, sizeof have, "phase %zu, which is not", index + 1);
    return problem_field(call->problem, MOULT_D_ROLLOUT_PHASES, field,
                         cohort_fault_words(fault), have);
}

static enum moult_status read_phases(const struct control_call *call, const json_t *body,
                                     struct rollout *engine)
{
    struct place place = {.call = call};
    const json_t *list = json_object_get(body, "phases");
    size_t count = json_array_size(list);
    char have[64];
    if (!json_is_array(list) || count < 1 || count > ROLLOUT_PHASES_MAX) {
        return wrong(&place, MOULT_D_ROLLOUT_PHASES, "phases", "a list of 1 to 16 phases",
                     found(list, have));
    }
    rollout_init(engine, (uint32_t)count, call->now_ms);
    enum moult_status st = MOULT_OK;
    for (uint32_t i = 0; i < count && st == MOULT_OK; i++) {
        snprintf(place.path, sizeof place.path, "phases[%u].", (unsigned)i);
        st = read_phase(&place, json_array_get(list, i), i, &engine->phases[i]);
    }
    return st == MOULT_OK ? check_phases(call, engine) : st;
}

/* --- gates ---------------------------------------------------------------------------- */

static enum moult_status read_success(struct place *place, const json_t *object,
                                      struct gate_rules *gates)
{
    static const char *const known[] = {"pct", "min_sample", "min_reached", NULL};
    if (!object) { return MOULT_OK; }
    snprintf(place->path, sizeof place->path, "gates.success.");
    enum moult_status st = only_known(place, object, known);
    if (st == MOULT_OK) { st = read_percent(place, object, "pct", &gates->success_bp); }
    if (st == MOULT_OK) {
        st = read_u32(place, object, "min_sample", &gates->success_min_sample);
    }
    if (st == MOULT_OK) {
        st = read_percent(place, object, "min_reached", &gates->success_reached_bp);
    }
    return st;
}

static enum moult_status read_failure(struct place *place, const json_t *object,
                                      struct gate_rules *gates)
{
    static const char *const known[] = {"pct", "min_sample", NULL};
    if (!object) { return MOULT_OK; }
    snprintf(place->path, sizeof place->path, "gates.failure.");
    enum moult_status st = only_known(place, object, known);
    if (st == MOULT_OK) { st = read_percent(place, object, "pct", &gates->failure_bp); }
    if (st == MOULT_OK) {
        st = read_u32(place, object, "min_sample", &gates->failure_min_sample);
    }
    return st;
}

/* What is given holds for every phase; what is not keeps each phase's default. */
static enum moult_status read_gates(const struct control_call *call, const json_t *body,
                                    struct rollout *engine)
{
    static const char *const known[] = {"success", "failure", "failure_count", NULL};
    struct place place = {.call = call, .path = "gates."};
    const json_t *object = json_object_get(body, "gates");
    const json_t *count = json_object_get(object, "failure_count");
    char have[64];
    if (!object) { return MOULT_OK; }
    if (!json_is_object(object)) {
        return wrong(&place, MOULT_D_ROLLOUT_GATE, "", "an object", found(object, have));
    }
    enum moult_status st = only_known(&place, object, known);
    for (uint32_t i = 0; i < engine->phase_count && st == MOULT_OK; i++) {
        struct gate_rules *gates = &engine->phases[i].gates;
        st = read_success(&place, json_object_get(object, "success"), gates);
        if (st == MOULT_OK) {
            st = read_failure(&place, json_object_get(object, "failure"), gates);
        }
        snprintf(place.path, sizeof place.path, "gates.");
        if (st == MOULT_OK && json_is_null(count)) { gates->failure_count = 0; }
        if (st == MOULT_OK && count && !json_is_null(count)) {
            st = read_u32(&place, object, "failure_count", &gates->failure_count);
        }
    }
    return st;
}

/* --- the rest ------------------------------------------------------------------------- */

static bool is_good_name(const char *name)
{
    size_t size = strlen(name);
    if (size < 1 || size >= STORE_NAME_SIZE || strncmp(name, "rol_", 4) == 0) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (name[i] < 0x21 || name[i] > 0x7e || name[i] == '/') { return false; }
    }
    return true;
}

/* "1.1.0", or "1.1.0-2" when there is such a rollout already. */
static void default_name(struct control *control, const char *version,
                         char out[STORE_NAME_SIZE])
{
    snprintf(out, STORE_NAME_SIZE, "%s", version);
    for (unsigned i = 2; i < NAME_TRIES; i++) {
        if (!rollout_cache_by_name(&control->rollouts, out)) { return; }
        snprintf(out, STORE_NAME_SIZE, "%s-%u", version, i);
    }
}

static enum moult_status read_name(const struct control_call *call, const json_t *body,
                                   struct rollout_draft *draft)
{
    struct place place = {.call = call};
    const char *name = NULL;
    enum moult_status st = read_text(&place, body, "name", &name);
    if (st != MOULT_OK) { return st; }
    if (!name) {
        default_name(call->control, draft->release.version, draft->rollout.name);
        return MOULT_OK;
    }
    if (!is_good_name(name)) {
        return wrong(&place, MOULT_D_API_FIELD, "name",
                     "1 to 64 printable characters without blanks and /", name);
    }
    if (rollout_cache_by_name(&call->control->rollouts, name)) {
        return wrong(&place, MOULT_D_ROLLOUT_NAME, "name", NULL, name);
    }
    snprintf(draft->rollout.name, sizeof draft->rollout.name, "%s", name);
    return MOULT_OK;
}

static enum moult_status read_salt(const struct control_call *call, const json_t *body,
                                   uint8_t salt[16])
{
    struct place place = {.call = call};
    const char *text = NULL;
    enum moult_status st = read_text(&place, body, "salt", &text);
    if (st != MOULT_OK) { return st; }
    if (text && (strlen(text) != 32 || !moult_hex_decode(text, salt, 16))) {
        return wrong(&place, MOULT_D_API_FIELD, "salt", "32 hex digits", text);
    }
    if (!text && !random_fill(call->control->parts.random, salt, 16)) {
        return MOULT_E_INTERNAL;
    }
    return MOULT_OK;
}

static enum moult_status read_release(const struct control_call *call, const json_t *body,
                                      struct rollout_draft *draft)
{
    struct place place = {.call = call};
    const char *text = NULL;
    enum moult_status st = read_text(&place, body, "release", &text);
    if (st == MOULT_OK && !text) {
        st = wrong(&place, MOULT_D_API_FIELD, "release", "a release's id or version",
                   "nothing");
    }
    if (st == MOULT_OK) { st = release_named(call, text, &draft->release); }
    if (st == MOULT_OK && draft->release.state != STORE_RELEASE_PUBLISHED) {
        st = wrong(&place, MOULT_D_ROLLOUT_RELEASE, "release", NULL, text);
    }
    return st;
}

static enum moult_status read_mode(const struct control_call *call, const json_t *body,
                                   struct rollout *engine)
{
    struct place place = {.call = call};
    const char *text = "forced";
    enum moult_status st = read_text(&place, body, "mode", &text);
    if (st != MOULT_OK) { return st; }
    engine->mode = rollout_mode_parse(text);
    return engine->mode != 0 ? MOULT_OK
                             : wrong(&place, MOULT_D_API_FIELD, "mode",
                                     "forced, optional or download_only", text);
}

static enum moult_status read_rate(const struct control_call *call, const json_t *body,
                                   struct rollout *engine)
{
    struct place place = {.call = call};
    char have[64];
    const json_t *value = json_object_get(body, "rate_per_minute");
    engine->rate_tenths = (uint32_t)call->control->config.offers_per_minute * 10;
    if (!value || json_is_null(value)) { return MOULT_OK; }
    double tenths = json_number_value(value) * 10.0;
    if (!json_is_number(value) || tenths < 1 || tenths > ROLLOUT_RATE_TENTHS_MAX) {
        return wrong(&place, MOULT_D_API_FIELD, "rate_per_minute",
                     "offers per minute, 0.1 or more", found(value, have));
    }
    engine->rate_tenths = (uint32_t)tenths;
    return MOULT_OK;
}

static enum moult_status read_selector(const struct control_call *call, const json_t *body,
                                       struct rollout_draft *draft)
{
    struct place place = {.call = call};
    draft->selector_text = "all";
    enum moult_status st = read_text(&place, body, "selector", &draft->selector_text);
    return st == MOULT_OK ? selecting_parse(draft->selector_text, &draft->selector,
                                            "selector", call->problem)
                          : st;
}

enum moult_status rollout_draft_read(const struct control_call *call, const json_t *body,
                                     struct rollout_draft *draft)
{
    static const char *const known[] = {
        "name", "release", "selector",        "mode", "phases", "gates",
        "salt", "start",   "rate_per_minute", NULL};
    struct place place = {.call = call};
    struct control_rollout *rollout = &draft->rollout;
    memset(draft, 0, sizeof *draft);
    if (!json_is_object(body)) {
        return wrong(&place, MOULT_D_API_BODY, "", "a JSON object", "something else");
    }
    draft->is_started = true;
    enum moult_status st = only_known(&place, body, known);
    if (st == MOULT_OK) { st = read_release(call, body, draft); }
    if (st == MOULT_OK) { st = read_name(call, body, draft); }
    if (st == MOULT_OK) { st = read_phases(call, body, &rollout->engine); }
    if (st == MOULT_OK) { st = read_gates(call, body, &rollout->engine); }
    if (st == MOULT_OK) { st = read_mode(call, body, &rollout->engine); }
    if (st == MOULT_OK) { st = read_rate(call, body, &rollout->engine); }
    if (st == MOULT_OK) { st = read_selector(call, body, draft); }
    if (st == MOULT_OK) { st = read_salt(call, body, rollout->salt); }
    if (st == MOULT_OK) { st = read_bool(&place, body, "start", &draft->is_started); }
    if (st != MOULT_OK) { return st; }
    rollout->release = draft->release.num;
    rollout->grammar = MOULT_SELECTOR_GRAMMAR;
    rollout->created_ms = call->now_ms;
    rollout->revision = 1;
    rollout->engine.phase_max_ms = (int64_t)call->control->config.phase_max_ms;
    snprintf(rollout->created_by, sizeof rollout->created_by, "%s", call->actor.name);
    return id_make(call->control->parts.random, call->now_ms, rollout->id)
               ? MOULT_OK
               : MOULT_E_INTERNAL;
}
