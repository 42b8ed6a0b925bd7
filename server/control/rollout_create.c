/* rollout_create.c - a new rollout: who is in it, in which phase; see rollouts.h. The
 * preview of a dry run and what is saved come from the same code: a dry run is the real
 * thing, undone. */
#include <stdio.h>
#include <string.h>
#include "formats/codes.h"
#include "server/base/arena.h"
#include "server/base/mem.h"
#include "server/control/dryrun.h"
#include "server/control/events.h"
#include "server/control/ids.h"
#include "server/control/problem.h"
#include "server/control/rollout_draft.h"
#include "server/control/rollout_work.h"
#include "server/control/rollouts.h"
#include "server/control/selecting.h"
#include "server/control/views.h"

enum { ARENA_SIZE = 65536, FIRST_SHOWN = 10, VERSIONS_SHOWN = 50 };

/* Why a selected device is left out. */
enum exclusion { OUT_STATE, OUT_NEWER, OUT_BUSY, OUT_COUNT };
static const char *const exclusion_words[OUT_COUNT] = {
    "not accepted", "runs a newer release", "busy in another rollout"};

struct target {
    int64_t num;
    uint32_t index;   /* in the device table */
    bool is_already;  /* runs the release */
    bool is_replaced; /* its assignment of another rollout is to be superseded */
    uint8_t phase;
};

struct planning {
    const struct control_call *call;
    struct rollout_draft *draft;
    struct selecting *selecting;
    struct cohort_member *members; /* owned; parallel to targets until they are planned */
    struct target *targets;        /* owned, in order of num */
    size_t count, capacity;
    uint32_t excluded[OUT_COUNT];
    uint32_t sizes[ROLLOUT_PHASES_MAX];
    const char *busy_in; /* name of a rollout that holds a device; borrowed */
    json_t *versions;    /* owned: histogram of what they run */
    enum moult_status status;
};

static bool make_room(struct planning *p)
{
    if (p->count < p->capacity) { return true; }
    size_t capacity = p->capacity ? p->capacity * 2 : 1024;
    struct cohort_member *members = mem_resize(p->members, capacity * sizeof *members);
    if (members) { p->members = members; }
    struct target *targets = mem_resize(p->targets, capacity * sizeof *targets);
    if (targets) { p->targets = targets; }
    if (!members || !targets) { return false; }
    p->capacity = capacity;
    return true;
}

/* --- who ------------------------------------------------------------------------------ */

/* Canary eligibility: seen within twice its rhythm. Others keep their cohort and come
 * later. */
static bool is_fresh(struct planning *p, const struct device_live *live)
{
    uint32_t expected_s = (uint32_t)(p->call->control->config.expected_interval_ms / 1000);
    int64_t rhythm_ms = (int64_t)rhythm_s(&live->rhythm, live->next_s, expected_s) * 1000;
    return live->last_seen_ms != 0 && p->call->now_ms - live->last_seen_ms <= 2 * rhythm_ms;
}

/* Whether the device's present assignment gives way to this release. */
static bool may_replace(struct planning *p, const struct device_durable *d)
{
    struct control *control = p->call->control;
    const struct rollout_slot *slot =
        rollout_cache_find(&control->rollouts, d->assigned_rollout);
    struct store_release other;
    if (!slot ||
        !statement_cache_by_num(&control->statements, slot->work->release, &other)) {
        return false;
    }
    p->busy_in = slot->work->name;
    bool is_stopping = slot->work->engine.state == ROLLOUT_ABORTED &&
                       d->assigned_state <= ASSIGNMENT_AWAITING_CONSENT;
    if (is_stopping) { return true; } /* its abort has not come to this device yet */
    return d->assigned_state <= ASSIGNMENT_VERIFIED &&
           p->draft->release.sequence > other.sequence;
}

static void count_version(struct planning *p, const struct store_device *device)
{
    const char *version = device->running_version[0] ? device->running_version : "unknown";
    json_t *have = json_object_get(p->versions, version);
    if (!have && json_object_size(p->versions) >= VERSIONS_SHOWN) { version = "other"; }
    json_int_t count = json_integer_value(json_object_get(p->versions, version));
    json_object_set_new(p->versions, version, json_integer(count + 1));
}

static bool exclude(struct planning *p, enum exclusion why)
{
    p->excluded[why]++;
    return true;
}

static bool consider(void *context, const struct store_device *device)
{
    struct planning *p = context;
    struct control *control = p->call->control;
    const struct store_release *release = &p->draft->release;
    if (memcmp(device->class_id, release->class_id, 16) != 0) { return true; }
    if (!selecting_matches(p->selecting, &p->draft->selector, device)) {
        p->status = p->selecting->status;
        return p->status == MOULT_OK;
    }
    uint32_t index = device_table_find_num(control->devices, device->num);
    if (device->state != DEVICE_ACCEPTED || index == DEVICE_NONE) {
        return exclude(p, OUT_STATE);
    }
    if (device->running_sequence > release->sequence) { return exclude(p, OUT_NEWER); }
    struct device_durable durable;
    struct device_live live;
    device_table_get(control->devices, index, &durable, &live);
    bool is_busy = durable.assigned_state != 0;
    if (is_busy && !may_replace(p, &durable)) { return exclude(p, OUT_BUSY); }

    const struct store_component *app = release_app(release);
    struct target target = {.num = device->num, .index = index, .is_replaced = is_busy};
    target.is_already =
        app && device->has_running && memcmp(device->running_digest, app->sha256, 32) == 0;
    if (!make_room(p)) {
        p->status = MOULT_E_NOMEM;
        return false;
    }
    struct cohort_member *member = &p->members[p->count];
    p->status = cohort_member_init(member, control->parts.crypto, p->draft->rollout.salt,
                                   device->id);
    member->tag = (uint32_t)p->count;
    member->is_eligible = is_fresh(p, &live);
    p->targets[p->count++] = target;
    count_version(p, device);
    return p->status == MOULT_OK;
}

static enum moult_status choose_devices(struct planning *p)
{
    struct store_device_query all = {0};
    enum moult_status st = store_device_each(p->call->db, &all, consider, p);
    if (st == MOULT_OK) { st = p->status; }
    if (st != MOULT_OK || p->count > 0) { return st; }
    if (p->excluded[OUT_BUSY] > 0) {
        char have[24];
        snprintf(have, sizeof have, "%u", (unsigned)p->excluded[OUT_BUSY]);
        return problem_field(p->call->problem, MOULT_D_ROLLOUT_OVERLAP, "selector",
                             p->busy_in, have);
    }
    return problem_field(p->call->problem, MOULT_D_ROLLOUT_EMPTY, "selector", NULL,
                         p->draft->selector_text);
}

static void plan_phases(struct planning *p)
{
    struct rollout *engine = &p->draft->rollout.engine;
    struct cohort_rule rules[ROLLOUT_PHASES_MAX];
    for (uint32_t i = 0; i < engine->phase_count; i++) {
        rules[i] = engine->phases[i].rule;
    }
    cohort_plan(rules, engine->phase_count, p->members, p->count, p->sizes);
    for (size_t i = 0; i < p->count; i++) {
        p->targets[p->members[i].tag].phase = p->members[i].phase;
    }
}

/* --- saving --------------------------------------------------------------------------- */

static enum moult_status supersede(struct planning *p, int64_t num)
{
    struct store_device device;
    struct assigned a;
    enum moult_status st = store_device_by_num(p->call->db, num, &device);
    if (st != MOULT_OK) { return st; }
    assigned_init(&a, p->call->control, p->call->db, &device, p->call->now_ms);
    st = assigned_active(&a);
    if (st != MOULT_OK || !a.is_there) { return st; }
    struct assignment_event event = {.kind = ASSIGNMENT_EV_SUPERSEDE,
                                     .now_ms = p->call->now_ms};
    struct assignment_effect effect;
    st = assigned_step(&a, &event, NULL, &effect);
    return st == MOULT_OK ? assigned_save(&a) : st;
}

static enum moult_status save_one(struct planning *p, struct control_rollout *rollout,
                                  const struct target *target)
{
    struct assignment engine;
    assignment_init(&engine, target->phase, p->call->now_ms);
    if (target->is_already) {
        engine.state = ASSIGNMENT_CONFIRMED;
        engine.flags |= ASSIGNMENT_ALREADY;
    }
    struct store_assignment row = {
        .rollout = rollout->num,
        .device = target->num,
        .state = engine.state,
        .phase = engine.phase,
        .flags = engine.flags,
        .generation = engine.generation,
        .entered_ms = engine.entered_ms,
    };
    enum moult_status st = target->is_replaced ? supersede(p, target->num) : MOULT_OK;
    if (st == MOULT_OK) { st = store_assignment_insert(p->call->db, &row); }
    if (st == MOULT_OK) {
        gates_count(&rollout->engine.phases[engine.phase].counters, &engine, 1);
    }
    return st;
}

/* The table learns who is planned where after COMMIT. */
static enum moult_status tell_table(struct planning *p, int64_t num)
{
    struct effect effect = {.kind = EFFECT_PLANNED, .num = num};
    struct effect_plan_row *rows = mem_alloc_array(p->count, sizeof *rows);
    if (!rows) { return MOULT_E_NOMEM; }
    for (size_t i = 0; i < p->count; i++) {
        if (p->targets[i].is_already) { continue; }
        rows[effect.count++] =
            (struct effect_plan_row){p->targets[i].index, p->targets[i].phase};
    }
    effect.data = rows;
    effects_push(&p->call->control->effects, &effect);
    return effects_status(&p->call->control->effects);
}

static enum moult_status start(struct planning *p, struct rollout_slot *slot)
{
    struct rollout_outcome outcome;
    char why[ROLLOUT_REASON_SIZE];
    struct control *control = p->call->control;
    snprintf(why, sizeof why, "started by %s", p->call->actor.name);
    enum moult_status st =
        rollout_verb(&rollout_cache_touch(&control->rollouts, slot)->engine, ROLLOUT_START,
                     p->call->now_ms, why, &outcome);
    return st == MOULT_OK
               ? rollout_outcome_done(control, p->call->db, slot, &outcome, p->call->now_ms)
               : st;
}

static enum moult_status save(struct planning *p, struct rollout_slot **slot)
{
    struct control *control = p->call->control;
    struct control_rollout *rollout = &p->draft->rollout;
    enum moult_status st = rollout_cache_insert(&control->rollouts, p->call->db, rollout,
                                                p->draft->selector_text);
    if (st == MOULT_E_EXISTS) {
        return problem_field(p->call->problem, MOULT_D_ROLLOUT_NAME, "name", NULL,
                             rollout->name);
    }
    if (st != MOULT_OK) { return st; }
    *slot = rollout_cache_find(&control->rollouts, rollout->num);
    struct control_rollout *work = rollout_cache_touch(&control->rollouts, *slot);
    for (size_t i = 0; i < p->count && st == MOULT_OK; i++) {
        st = save_one(p, work, &p->targets[i]);
    }
    if (st == MOULT_E_EXISTS) { /* another job of this moment was faster */
        return problem_field(p->call->problem, MOULT_D_ROLLOUT_OVERLAP, "selector",
                             "another one just now", "some");
    }
    struct store_event event = {.time_ms = p->call->now_ms,
                                .rollout = work->num,
                                .kind = "rollout.created",
                                .text = work->name};
    if (st == MOULT_OK) { st = event_put(p->call->db, &event, NULL); }
    if (st == MOULT_OK) { st = tell_table(p, work->num); }
    if (st == MOULT_OK && p->draft->is_started) { st = start(p, *slot); }
    return st == MOULT_OK ? rollouts_settle(control, p->call->db, p->call->now_ms) : st;
}

/* --- the preview ---------------------------------------------------------------------- */

static json_t *preview(const struct planning *p)
{
    json_t *phases = json_array(), *first = json_array(), *excluded = json_array();
    uint32_t phase_count = p->draft->rollout.engine.phase_count;
    for (uint32_t i = 0; i < phase_count; i++) {
        json_array_append_new(phases,
                              json_pack("{s:I}", "devices", (json_int_t)p->sizes[i]));
    }
    for (size_t i = 0; i < p->count && i < FIRST_SHOWN;
         i++) { /* members are in order now */
        char hex[33];
        moult_hex_encode(p->members[i].id, 16, hex);
        json_array_append_new(first, json_string(hex));
    }
    for (unsigned i = 0; i < OUT_COUNT; i++) {
        if (p->excluded[i] == 0) { continue; }
        json_array_append_new(excluded,
                              json_pack("{s:s, s:I}", "reason", exclusion_words[i], "count",
                                        (json_int_t)p->excluded[i]));
    }
    return json_pack("{s:I, s:o, s:O, s:o, s:o}", "target", (json_int_t)p->count, "phases",
                     phases, "versions", p->versions, "first", first, "excluded", excluded);
}

static enum moult_status answer(struct planning *p, const struct rollout_slot *slot,
                                json_t **out)
{
    enum moult_status st = MOULT_OK;
    *out = view_rollout(p->call->control, p->call->db, slot->work, &st);
    if (!*out) { return st == MOULT_OK ? MOULT_E_NOMEM : st; }
    if (p->call->dry_run) { json_object_set_new(*out, "preview", preview(p)); }
    return MOULT_OK;
}

static enum moult_status create(struct planning *p, json_t **out)
{
    struct rollout_slot *slot = NULL;
    enum moult_status st = choose_devices(p);
    if (st != MOULT_OK) { return st; }
    plan_phases(p);
    st = save(p, &slot);
    return st == MOULT_OK ? answer(p, slot, out) : st;
}

enum moult_status control_rollout_create(const struct control_call *call,
                                         const json_t *body, json_t **out)
{
    char object[ID_TEXT_SIZE] = "-";
    struct change change = {.action = "rollout.create", .object = object};
    struct arena scratch;
    *out = NULL;
    enum moult_status st = change_begin(call);
    if (st != MOULT_OK) { return st; }
    arena_init(&scratch, ARENA_SIZE);
    struct planning p = {.call = call,
                         .draft = mem_alloc(sizeof *p.draft),
                         .selecting = mem_alloc(sizeof *p.selecting),
                         .versions = json_object()};
    if (!p.draft || !p.selecting || !p.versions) { st = MOULT_E_NOMEM; }
    if (st == MOULT_OK) { st = rollout_draft_read(call, body, p.draft); }
    if (st == MOULT_OK) {
        selecting_init(p.selecting, call->control, call->db, &scratch, call->now_ms);
        st = create(&p, out);
        id_write("rol", p.draft->rollout.id, object);
    }
    if (st == MOULT_OK) {
        change.detail =
            json_pack("{s:s, s:s, s:I}", "name", p.draft->rollout.name, "release",
                      p.draft->release.version, "target", (json_int_t)p.count);
    }
    st = change_end(call, &change, st, out);
    json_decref(p.versions);
    mem_free(p.targets);
    mem_free(p.members);
    mem_free(p.selecting);
    mem_free(p.draft);
    arena_release(&scratch);
    return st;
}
