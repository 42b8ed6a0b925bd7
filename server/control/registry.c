/* registry.c - see registry.h: lists, and the verbs of a device's life. Import:
 * import.c. */
#include "server/control/registry.h"
#include <stdio.h>
#include <string.h>
#include "formats/codes.h"
#include "server/base/arena.h"
#include "server/base/mem.h"
#include "server/control/device_move.h"
#include "server/control/dryrun.h"
#include "server/control/events.h"
#include "server/control/page.h"
#include "server/control/problem.h"
#include "server/control/rollout_work.h"
#include "server/control/selecting.h"
#include "server/control/views.h"

enum { ARENA_SIZE = 65536, ACTIONS_MAX = 1000000 };

/* --- reading -------------------------------------------------------------------------- */

struct listing {
    const struct control_call *call;
    const struct moult_selector *selector; /* NULL: all */
    struct selecting *selecting;
    struct page_builder builder;
    enum moult_status status;
};

static bool list_one(void *context, const struct store_device *device)
{
    struct listing *l = context;
    if (l->selector && !selecting_matches(l->selecting, l->selector, device)) {
        l->status = l->selecting->status;
        return l->status == MOULT_OK;
    }
    json_t *item = view_device(l->call->control, l->call->db, device, &l->status);
    return page_add_number(&l->builder, item, device->num) && l->status == MOULT_OK;
}

static enum moult_status parse_filter(const struct control_call *call,
                                      const struct control_device_filter *filter,
                                      struct store_device_query *query)
{
    if (filter->state) {
        query->state = (uint8_t)device_state_parse(filter->state);
        if (query->state == 0) {
            return problem_field(call->problem, MOULT_D_API_QUERY, "state",
                                 "pending, accepted, rejected, quarantined or retired",
                                 filter->state);
        }
    }
    if (filter->q && (!filter->q[0] || strlen(filter->q) >= STORE_NAME_SIZE)) {
        return problem_field(call->problem, MOULT_D_API_QUERY, "q", "1 to 64 characters",
                             filter->q);
    }
    query->prefix = filter->q;
    return MOULT_OK;
}

static enum moult_status run_list(struct listing *l, const struct store_device_query *query,
                                  json_t **out)
{
    enum moult_status st = store_device_each(l->call->db, query, list_one, l);
    if (st == MOULT_OK) { st = l->status; }
    return problem_store(l->call, page_end(&l->builder, st, out));
}

enum moult_status control_device_list(const struct control_call *call,
                                      const struct control_device_filter *filter,
                                      const struct control_page *page, json_t **out)
{
    struct store_device_query query = {0};
    struct listing l = {.call = call, .status = MOULT_OK};
    *out = NULL;
    enum moult_status st = parse_filter(call, filter, &query);
    if (st == MOULT_OK) { st = page_number(call, page, &query.after); }
    if (st != MOULT_OK) { return st; }

    struct arena arena;
    arena_init(&arena, ARENA_SIZE);
    struct moult_selector *selector = arena_alloc(&arena, sizeof *selector);
    struct selecting *selecting = mem_alloc(sizeof *selecting);
    struct arena scratch;
    arena_init(&scratch, ARENA_SIZE);
    st = selector && selecting ? MOULT_OK : problem_store(call, MOULT_E_NOMEM);
    if (st == MOULT_OK && filter->selector) {
        st = selecting_parse(filter->selector, selector, "selector", call->problem);
        selecting_init(selecting, call->control, call->db, &scratch, call->now_ms);
        l.selector = selector;
        l.selecting = selecting;
    }
    if (st == MOULT_OK) { st = page_begin(page, &l.builder); }
    if (st == MOULT_OK) { st = run_list(&l, &query, out); }
    arena_release(&scratch);
    arena_release(&arena);
    mem_free(selecting);
    return st;
}

static enum moult_status show(const struct control_call *call,
                              const struct store_device *device, json_t **out)
{
    enum moult_status st = MOULT_OK;
    *out = view_device(call->control, call->db, device, &st);
    if (!*out && st == MOULT_OK) { st = MOULT_E_NOMEM; }
    return problem_store(call, st);
}

enum moult_status control_device_show(const struct control_call *call, const char *id,
                                      json_t **out)
{
    struct store_device device;
    *out = NULL;
    enum moult_status st = device_named(call, id, &device);
    return st == MOULT_OK ? show(call, &device, out) : st;
}

/* --- verbs ---------------------------------------------------------------------------- */

#define BIT(state) (1u << (state))

static const struct verb {
    const char *word;
    uint32_t from; /* states */
    const char *expected;
    enum device_state to;
} verbs[] = {
    {"accept", BIT(DEVICE_PENDING) | BIT(DEVICE_REJECTED), "pending or rejected",
     DEVICE_ACCEPTED},
    {"reject", BIT(DEVICE_PENDING) | BIT(DEVICE_ACCEPTED) | BIT(DEVICE_QUARANTINED),
     "pending, accepted or quarantined", DEVICE_REJECTED},
    {"quarantine", BIT(DEVICE_ACCEPTED), "accepted", DEVICE_QUARANTINED},
    {"release", BIT(DEVICE_QUARANTINED), "quarantined", DEVICE_ACCEPTED},
    {"retire",
     BIT(DEVICE_PENDING) | BIT(DEVICE_ACCEPTED) | BIT(DEVICE_REJECTED) |
         BIT(DEVICE_QUARANTINED),
     "not retired", DEVICE_RETIRED},
    {"unretire", BIT(DEVICE_RETIRED), "retired", DEVICE_ACCEPTED},
};

static const struct verb *verb_named(const struct control_call *call, const char *word)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verbs[i].word, word) == 0) { return &verbs[i]; }
    }
    problem_field(call->problem, MOULT_D_API_FIELD, "verb",
                  "accept, reject, quarantine, release, retire or unretire", word);
    return NULL;
}

static enum moult_status move(const struct control_call *call, const struct verb *verb,
                              struct store_device *device)
{
    char text[EVENT_TEXT_SIZE];
    snprintf(text, sizeof text, "%s by %s, was %s", device_state_word(verb->to),
             call->actor.name, device_state_word(device->state));
    return device_move(call, device, verb->to, text);
}

enum moult_status control_device_verb(const struct control_call *call, const char *id,
                                      const char *word, json_t **out)
{
    struct store_device device;
    char object[33], action[32];
    *out = NULL;
    const struct verb *verb = verb_named(call, word);
    if (!verb) { return MOULT_E_ARG; }
    enum moult_status st = device_named(call, id, &device);
    if (st != MOULT_OK) { return st; }
    moult_hex_encode(device.id, sizeof device.id, object);
    snprintf(action, sizeof action, "device.%s", verb->word);
    struct change change = {.action = action, .object = object};
    change.detail = json_pack("{s:s, s:s}", "from", device_state_word(device.state), "to",
                              device_state_word(verb->to));
    st = change_begin(call);
    if (st != MOULT_OK) { return st; }
    if (verb->from & BIT(device.state)) {
        st = move(call, verb, &device);
    } else {
        st = problem_set(call->problem, MOULT_D_DEVICE_STATE, verb->expected,
                         device_state_word(device.state));
    }
    if (st == MOULT_OK) { st = rollouts_settle(call->control, call->db, call->now_ms); }
    if (st == MOULT_OK) { st = show(call, &device, out); }
    return change_end(call, &change, st, out);
}

/* --- one verb for many ---------------------------------------------------------------- */

struct many {
    const struct moult_selector *selector;
    struct selecting *selecting;
    int64_t *nums; /* owned */
    size_t count, capacity;
    bool is_short;
};

static bool collect(void *context, const struct store_device *device)
{
    struct many *many = context;
    if (!selecting_matches(many->selecting, many->selector, device)) { return true; }
    if (many->count == many->capacity) {
        size_t capacity = many->capacity ? many->capacity * 2 : 256;
        int64_t *nums = capacity <= ACTIONS_MAX * 2u
                            ? mem_resize(many->nums, capacity * sizeof *nums)
                            : NULL;
        many->is_short = !nums;
        if (!nums) { return false; }
        many->nums = nums;
        many->capacity = capacity;
    }
    many->nums[many->count++] = device->num;
    return true;
}

static enum moult_status move_many(const struct control_call *call, const struct verb *verb,
                                   const struct many *many, size_t *changed)
{
    enum moult_status st = MOULT_OK;
    for (size_t i = 0; i < many->count && st == MOULT_OK; i++) {
        struct store_device device;
        st = store_device_by_num(call->db, many->nums[i], &device);
        if (st != MOULT_OK || !(verb->from & BIT(device.state))) { continue; }
        st = move(call, verb, &device);
        (*changed)++;
    }
    return st == MOULT_OK ? rollouts_settle(call->control, call->db, call->now_ms) : st;
}

static enum moult_status run_actions(const struct control_call *call,
                                     const struct verb *verb, struct many *many,
                                     const json_t *expect, json_t **out)
{
    struct store_device_query all = {0};
    size_t changed = 0;
    enum moult_status st = store_device_each(call->db, &all, collect, many);
    if (st == MOULT_OK && many->is_short) { st = MOULT_E_NOMEM; }
    if (st != MOULT_OK) { return st; }
    if ((json_int_t)many->count != json_integer_value(expect)) {
        char want[24], have[24];
        snprintf(want, sizeof want, "%lld", (long long)json_integer_value(expect));
        snprintf(have, sizeof have, "%zu", many->count);
        return problem_field(call->problem, MOULT_D_ROLLOUT_COUNT, "expect_count", want,
                             have);
    }
    st = move_many(call, verb, many, &changed);
    if (st != MOULT_OK) { return st; }
    *out = json_pack("{s:I, s:I}", "matched", (json_int_t)many->count, "changed",
                     (json_int_t)changed);
    return *out ? MOULT_OK : MOULT_E_NOMEM;
}

static enum moult_status do_actions(const struct control_call *call,
                                    const struct verb *verb, const char *selector_text,
                                    const json_t *expect, json_t **out)
{
    struct arena scratch;
    arena_init(&scratch, ARENA_SIZE);
    struct moult_selector *selector = mem_alloc(sizeof *selector);
    struct selecting *selecting = mem_alloc(sizeof *selecting);
    struct many many = {.selector = selector, .selecting = selecting};
    enum moult_status st = selector && selecting ? MOULT_OK : MOULT_E_NOMEM;
    if (st == MOULT_OK) {
        st = selecting_parse(selector_text, selector, "selector", call->problem);
    }
    if (st == MOULT_OK) {
        selecting_init(selecting, call->control, call->db, &scratch, call->now_ms);
        st = run_actions(call, verb, &many, expect, out);
    }
    mem_free(many.nums);
    mem_free(selecting);
    mem_free(selector);
    arena_release(&scratch);
    return st;
}

enum moult_status control_device_actions(const struct control_call *call,
                                         const json_t *body, json_t **out)
{
    const json_t *word = json_object_get(body, "verb");
    const json_t *selector = json_object_get(body, "selector");
    const json_t *expect = json_object_get(body, "expect_count");
    *out = NULL;
    if (!json_is_string(word) || !json_is_string(selector)) {
        return problem_field(call->problem, MOULT_D_API_FIELD,
                             json_is_string(word) ? "selector" : "verb", "a text",
                             "something else");
    }
    if (!json_is_integer(expect)) {
        return problem_field(call->problem, MOULT_D_API_FIELD, "expect_count",
                             "how many devices you expect the selector to match",
                             "something else");
    }
    const struct verb *verb = verb_named(call, json_string_value(word));
    if (!verb) { return MOULT_E_ARG; }
    struct change change = {.action = "device.actions",
                            .object = json_string_value(selector)};
    change.detail = json_pack("{s:s, s:I}", "verb", verb->word, "expect_count",
                              json_integer_value(expect));
    enum moult_status st = change_begin(call);
    if (st != MOULT_OK) { return st; }
    st = do_actions(call, verb, json_string_value(selector), expect, out);
    return change_end(call, &change, st, out);
}
