/* why.c - see why.h. */
#include "server/control/why.h"
#include <stdio.h>
#include <string.h>
#include "formats/codes.h"
#include "server/base/arena.h"
#include "server/base/mem.h"
#include "server/control/events.h"
#include "server/control/grant.h"
#include "server/control/page.h"
#include "server/control/rollout_rows.h"
#include "server/control/problem.h"
#include "server/control/selecting.h"

enum { WORDS_SIZE = 400, ARENA_SIZE = 65536 };

struct answer {
    json_t *checks;
    char summary[WORDS_SIZE];
    bool has_summary; /* the first check that did not pass has spoken */
};

static const char *verdict_word(enum grant_verdict verdict)
{
    static const char *const words[] = {"pass", "wait", "fail", "info"};
    return words[verdict];
}

static void add_check(void *context, const char *check, enum grant_verdict verdict,
                      const char *words)
{
    struct answer *a = context;
    json_array_append_new(a->checks, json_pack("{s:s, s:s, s:s}", "check", check, "verdict",
                                               verdict_word(verdict), "words", words));
    bool is_reason = verdict == GRANT_WAIT || verdict == GRANT_NO;
    if (!is_reason || a->has_summary) { return; }
    a->has_summary = true;
    snprintf(a->summary, sizeof a->summary, "%s", words);
}

/* --- contact -------------------------------------------------------------------------- */

static void add_contact(const struct control_call *call, const struct store_device *device,
                        struct answer *a)
{
    char words[WORDS_SIZE];
    struct device_live live = {.last_seen_ms = device->last_seen_ms,
                               .next_s = device->next_s};
    uint32_t index = device_table_find_id(call->control->devices, device->id);
    if (index != DEVICE_NONE) {
        device_table_get(call->control->devices, index, NULL, &live);
    }
    if (live.last_seen_ms == 0) {
        add_check(a, "contact", GRANT_WAIT, "it has never been heard of");
        return;
    }
    int64_t ago_s = (call->now_ms - live.last_seen_ms) / 1000;
    uint32_t expected_s = (uint32_t)(call->control->config.expected_interval_ms / 1000);
    uint32_t rhythm = rhythm_s(&live.rhythm, live.next_s, expected_s);
    bool is_overdue = ago_s > 2 * (int64_t)rhythm;
    snprintf(words, sizeof words,
             "last heard of %lld s ago%s; told to come again after %u s", (long long)ago_s,
             is_overdue ? ", which is longer than its rhythm allows" : "",
             (unsigned)live.next_s);
    add_check(a, "contact", is_overdue ? GRANT_WAIT : GRANT_INFO, words);
}

/* --- one rollout ---------------------------------------------------------------------- */

/* Which term of the selector keeps the device out. */
static void add_selector(const struct control_call *call,
                         const struct control_rollout *rollout,
                         const struct store_device *device, struct answer *a)
{
    char words[WORDS_SIZE];
    struct arena arena;
    arena_init(&arena, ARENA_SIZE);
    struct moult_selector *selector = mem_alloc(sizeof *selector);
    struct selecting *selecting = mem_alloc(sizeof *selecting);
    struct control_problem ignored;
    if (selector && selecting &&
        selecting_parse(rollout->selector, selector, "", &ignored) == MOULT_OK) {
        selecting_init(selecting, call->control, call->db, &arena, call->now_ms);
        bool is_selected = selecting_matches(selecting, selector, device);
        struct moult_bytes term = is_selected
                                      ? (struct moult_bytes){NULL, 0}
                                      : selecting_failing_term(selecting, selector, device);
        snprintf(words, sizeof words,
                 is_selected ? "%s selects it" : "%s fails at \"%.*s\"", rollout->selector,
                 (int)term.size, term.size > 0 ? (const char *)term.data : "");
        add_check(a, "selector", is_selected ? GRANT_PASS : GRANT_NO, words);
    }
    mem_free(selecting);
    mem_free(selector);
    arena_release(&arena);
}

/* Where an offer already led: said last, since nothing more is to be granted. */
static void add_progress(const struct assignment *engine, struct answer *a)
{
    char words[WORDS_SIZE];
    if (engine->state == ASSIGNMENT_PLANNED || !assignment_is_active(engine->state)) {
        return;
    }
    snprintf(words, sizeof words, "offered; it is %s, attempt %u, %u bytes",
             assignment_state_word(engine->state), (unsigned)engine->generation,
             (unsigned)engine->offset);
    add_check(a, "progress", GRANT_INFO, words);
    if (a->has_summary) { return; }
    a->has_summary = true;
    snprintf(a->summary, sizeof a->summary, "%s", words);
}

static enum moult_status examine(const struct control_call *call,
                                 const struct store_device *device,
                                 const struct control_rollout *rollout,
                                 const struct assignment *engine, struct answer *a)
{
    struct store_release release;
    if (!statement_cache_by_num(&call->control->statements, rollout->release, &release)) {
        return MOULT_E_INTERNAL;
    }
    add_selector(call, rollout, device, a);
    struct grant g = {.control = call->control,
                      .db = call->db,
                      .now_ms = call->now_ms,
                      .device = device,
                      .rollout = rollout,
                      .release = &release,
                      .assignment = engine};
    enum moult_status st = MOULT_OK;
    grant_examine(&g, add_check, a, &st);
    if (engine) { add_progress(engine, a); }
    return st;
}

static bool wants_class(const void *want, const struct control_rollout *rollout)
{
    (void)want; /* rollouts of other classes are told apart by the class check */
    return rollout->engine.state != ROLLOUT_ABORTED;
}

/* The rollout to explain: the one asked for, the one the device is in, or the newest. */
static enum moult_status choose(const struct control_call *call,
                                const struct store_device *device, const char *name,
                                struct control_rollout *rollout,
                                struct store_assignment *row, bool *has_row)
{
    struct rollout_cache *cache = &call->control->rollouts;
    *has_row = false;
    enum moult_status st = store_assignment_active(call->db, device->num, row);
    bool is_active = st == MOULT_OK;
    if (st != MOULT_OK && st != MOULT_E_NOENT) { return st; }
    if (name && !rollout_cache_copy_by_name(cache, name, rollout)) {
        return problem_field(call->problem, MOULT_D_API_NOT_FOUND, "rollout", "rollout",
                             name);
    }
    if (!name && is_active) {
        *has_row = rollout_cache_copy(cache, row->rollout, rollout);
        return MOULT_OK;
    }
    if (!name && !rollout_cache_copy_before(cache, 0, wants_class, NULL, rollout)) {
        return MOULT_E_NOENT;
    }
    st = store_assignment_of(call->db, rollout->num, device->num, row);
    *has_row = st == MOULT_OK;
    return st == MOULT_E_NOENT ? MOULT_OK : st;
}

static enum moult_status explain(const struct control_call *call,
                                 const struct store_device *device, const char *name,
                                 struct answer *a)
{
    struct control_rollout rollout;
    struct store_assignment row;
    bool has_row = false;
    enum moult_status st = choose(call, device, name, &rollout, &row, &has_row);
    if (st == MOULT_E_NOENT) {
        add_check(a, "rollout", GRANT_WAIT, "there is no rollout");
        st = MOULT_OK;
    } else if (st == MOULT_OK) {
        struct assignment engine;
        if (has_row) { assignment_from_row(&row, &engine); }
        st = examine(call, device, &rollout, has_row ? &engine : NULL, a);
    }
    if (st == MOULT_OK) { add_contact(call, device, a); }
    return st;
}

enum moult_status control_why(const struct control_call *call, const char *id,
                              const char *rollout, json_t **out)
{
    struct store_device device;
    *out = NULL;
    enum moult_status st = device_named(call, id, &device);
    if (st != MOULT_OK) { return st; }
    struct answer a = {.checks = json_array()};
    if (!a.checks) { return problem_store(call, MOULT_E_NOMEM); }
    st = explain(call, &device, rollout, &a);
    char hex[33];
    moult_hex_encode(device.id, sizeof device.id, hex);
    if (st == MOULT_OK) {
        *out = json_pack("{s:s, s:s, s:O}", "device", hex, "summary",
                         a.has_summary ? a.summary
                                       : "everything is granted: it is offered the release "
                                         "at its next check-in",
                         "checks", a.checks);
        if (!*out) { st = MOULT_E_NOMEM; }
    }
    json_decref(a.checks);
    return problem_store(call, st);
}
