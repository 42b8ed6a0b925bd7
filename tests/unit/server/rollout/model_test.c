/* model_test.c - the engine under random event orders: duplicates, losses, silence, clock
 * steps, operators who change their minds. Not one step may break an invariant.
 *
 * Run one seed again: SEED=0x5eed STEPS=4000 build/.../test_server_rollout_model
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "formats/message_report.h"
#include "server/rollout/rollout.h"
#include "tests/support/check.h"

#define DEVICES 40u
#define ROLLOUTS 2u
#define MINUTE 60000
#define HOUR (60 * (int64_t)MINUTE)
#define DAY (24 * HOUR)
#define DEVICE_SOAK (10 * MINUTE)
#define SEEDS 150u

/* What this test knows by itself of an assignment, to judge the engine's word. */
struct shadow {
    bool saw_new; /* the new digest was shown to this generation */
    int64_t
        soaking_since; /* real (never stepped) time at which soaking began; 0: it has not */
    uint32_t soaking_steps; /* how often the server's clock had been stepped by then */
    uint8_t state;
    uint32_t generation;
};

struct world {
    uint64_t random;
    int64_t real_ms; /* only goes forward */
    int64_t step_ms; /* what the server's clock is off by */
    uint32_t steps;  /* how often that has changed */
    struct rollout rollouts[ROLLOUTS];
    struct assignment assignments[ROLLOUTS][DEVICES];
    struct shadow shadows[ROLLOUTS][DEVICES];
    uint64_t accepted, confirmed, failures, stops, completions;
};

static const struct assignment_limits limits = {
    .offer_ttl_ms = 7 * DAY,
    .stall_min_ms = HOUR,
    .total_min_ms = DAY,
    .silent_min_ms = 15 * MINUTE,
    .silent_max_ms = 30 * DAY,
    .trial_limit_ms = 5 * MINUTE,
    .silent_factor = 3,
    .loop_max = 3,
    .loop_window_ms = DAY,
    .retry = {MINUTE, DAY},
};

static uint64_t draw(struct world *w, uint64_t below)
{
    uint64_t z = (w->random += 0x9e3779b97f4a7c15u); /* SplitMix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % below;
}

static int64_t now(const struct world *w)
{
    return w->real_ms + w->step_ms;
}

static bool slot_is_free(const struct world *w, unsigned rollout, unsigned device)
{
    for (unsigned i = 0; i < ROLLOUTS; i++) {
        if (i != rollout && assignment_is_active(w->assignments[i][device].state)) {
            return false;
        }
    }
    return true;
}

static struct assignment_terms terms_of(struct world *w, unsigned rollout, unsigned device)
{
    const struct rollout *r = &w->rollouts[rollout];
    const struct phase *phase = &r->phases[w->assignments[rollout][device].phase];
    return (struct assignment_terms){
        .limits = &limits,
        .rhythm_ms = device % 5 == 0 ? 6 * HOUR : 5 * MINUTE,
        .soak_ms = phase->device_soak_ms,
        .image_size = 100000,
        .jitter = (uint32_t)draw(w, 1000),
        .is_withheld = !rollout_may_activate(r),
        .is_phase_closed = phase_is_closed(phase),
        .is_slot_free = slot_is_free(w, rollout, device),
        .is_ending = r->state == ROLLOUT_ABORTED,
    };
}

static void make_world(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    w->random = seed;
    w->real_ms = 1700000000000;
    for (unsigned i = 0; i < ROLLOUTS; i++) {
        struct rollout *r = &w->rollouts[i];
        rollout_init(r, 3, now(w));
        r->phase_max_ms = 14 * DAY;
        for (unsigned phase = 0; phase < 3; phase++) {
            r->phases[phase].soak_ms = HOUR;
            r->phases[phase].device_soak_ms = DEVICE_SOAK;
        }
        for (unsigned device = 0; device < DEVICES; device++) {
            struct assignment *a = &w->assignments[i][device];
            assignment_init(a, (uint8_t)(device < 4 ? 0 : device < 14 ? 1 : 2), now(w));
            /* The second rollout has to wait for the device's slot. */
            if (i > 0) { a->state = ASSIGNMENT_SUPERSEDED; }
            gates_count(&r->phases[a->phase].counters, a, 1);
            w->shadows[i][device].state = a->state;
            w->shadows[i][device].generation = 1;
        }
    }
}

/* --- invariants ----------------------------------------------------------------------- */

static bool counters_equal_a_recount(const struct world *w)
{
    for (unsigned i = 0; i < ROLLOUTS; i++) {
        struct phase_counters recount[3] = {0};
        for (unsigned device = 0; device < DEVICES; device++) {
            const struct assignment *a = &w->assignments[i][device];
            gates_count(&recount[a->phase], a, 1);
        }
        for (unsigned phase = 0; phase < 3; phase++) {
            const struct phase_counters *kept = &w->rollouts[i].phases[phase].counters;
            if (memcmp(kept, &recount[phase], sizeof *kept) != 0) { return false; }
        }
    }
    return true;
}

static bool devices_have_one_active_assignment(const struct world *w)
{
    for (unsigned device = 0; device < DEVICES; device++) {
        unsigned active = 0;
        for (unsigned i = 0; i < ROLLOUTS; i++) {
            active += assignment_is_active(w->assignments[i][device].state);
        }
        if (active > 1) { return false; }
    }
    return true;
}

static bool phases_open_in_order(const struct rollout *r)
{
    bool may_open = true;
    for (unsigned i = 0; i < r->phase_count; i++) {
        const struct phase *phase = &r->phases[i];
        if (phase->state != PHASE_WAITING && !may_open) { return false; }
        may_open = phase->state == PHASE_PASSED || phase->state == PHASE_SKIPPED;
    }
    return true;
}

/* The engine's word about one assignment, judged by what this test saw itself. */
static bool success_was_earned(struct world *w, unsigned rollout, unsigned device,
                               enum assignment_event_kind kind)
{
    const struct assignment *a = &w->assignments[rollout][device];
    struct shadow *s = &w->shadows[rollout][device];
    bool is_proof =
        kind == ASSIGNMENT_EV_SAW_NEW_VALID || kind == ASSIGNMENT_EV_SAW_NEW_TRIAL;
    if (a->generation != s->generation) {
        s->saw_new = false;
        s->soaking_since = 0;
    }
    if (is_proof) { s->saw_new = true; }
    if (a->state == ASSIGNMENT_SOAKING && s->state != ASSIGNMENT_SOAKING) {
        s->soaking_since = w->real_ms;
        s->soaking_steps = w->steps;
    }
    if (a->state != ASSIGNMENT_CONFIRMED || s->state == ASSIGNMENT_CONFIRMED) {
        return true;
    }
    if (a->flags & ASSIGNMENT_ALREADY) { return true; }
    w->confirmed++;
    bool is_clock_steady = s->soaking_steps == w->steps;
    bool has_soaked = !is_clock_steady || w->real_ms - s->soaking_since >= DEVICE_SOAK;
    return s->saw_new && s->soaking_since != 0 && has_soaked;
}

static bool ending_was_final(const struct shadow *s, const struct assignment *a,
                             enum assignment_event_kind kind)
{
    if (assignment_is_active(s->state) || s->state == ASSIGNMENT_SILENT) { return true; }
    if (kind == ASSIGNMENT_EV_RETRY) { return true; }
    return a->state == s->state && a->generation == s->generation;
}

/* --- the world moves ------------------------------------------------------------------ */

static bool step_device(struct world *w, unsigned rollout, unsigned device,
                        enum assignment_event_kind kind)
{
    struct assignment *a = &w->assignments[rollout][device];
    struct shadow *s = &w->shadows[rollout][device];
    struct phase_counters *counters = &w->rollouts[rollout].phases[a->phase].counters;
    struct assignment_terms terms = terms_of(w, rollout, device);
    struct assignment_event event = {.kind = kind, .now_ms = now(w)};
    static const uint16_t reasons[] = {0, 806, 306, 601, 201, 801, 702, 502, 102, 808};
    bool has_reason = kind == ASSIGNMENT_EV_FAILED || kind == ASSIGNMENT_EV_ROLLED_BACK;
    if (has_reason) { event.reason = reasons[draw(w, 10)]; }
    if (kind == ASSIGNMENT_EV_PROGRESS) { event.offset = (uint32_t)draw(w, 100000); }

    gates_count(counters, a, -1);
    struct assignment_effect effect;
    if (kind == ASSIGNMENT_EVENT_COUNT) { /* only time went by */
        effect = assignment_tick(a, now(w), &terms);
    } else {
        effect = assignment_step(a, &event, &terms);
    }
    gates_count(counters, a, 1);
    w->accepted += effect.is_accepted;
    if (assignment_outcome(a->state) == ASSIGNMENT_OUTCOME_FAILURE) { w->failures++; }

    bool holds = success_was_earned(w, rollout, device, kind) &&
                 ending_was_final(s, a, kind) && a->generation >= s->generation &&
                 a->generation <= s->generation + 1;
    s->state = a->state;
    s->generation = a->generation;
    return holds;
}

static void check_in(struct world *w, unsigned rollout, unsigned device)
{
    struct assignment *a = &w->assignments[rollout][device];
    struct phase *phase = &w->rollouts[rollout].phases[a->phase];
    if (!phase_has_opened(phase)) { return; }
    gates_count(&phase->counters, a, -1);
    (void)assignment_heard(a, now(w));
    gates_count(&phase->counters, a, 1);
}

/* What the server may do only when it is allowed: offers. Everything else may happen any
 * time. */
static bool may_happen(const struct world *w, unsigned rollout, unsigned device,
                       enum assignment_event_kind kind)
{
    const struct assignment *a = &w->assignments[rollout][device];
    switch (kind) {
    case ASSIGNMENT_EV_GRANT:
        return rollout_may_offer(&w->rollouts[rollout], a->phase);
    case ASSIGNMENT_EV_ALREADY:
        return a->offered_ms == 0;
    default:
        return true;
    }
}

static bool random_device_event(struct world *w)
{
    unsigned rollout = (unsigned)draw(w, ROLLOUTS), device = (unsigned)draw(w, DEVICES);
    /* Mostly the road; sometimes anything. */
    static const uint8_t road[] = {
        ASSIGNMENT_EV_GRANT,         ASSIGNMENT_EV_PROGRESS,
        ASSIGNMENT_EV_WRITTEN,       ASSIGNMENT_EV_VERIFIED,
        ASSIGNMENT_EV_REBOOTING,     ASSIGNMENT_EV_SAW_NEW_TRIAL,
        ASSIGNMENT_EV_SAW_NEW_VALID, ASSIGNMENT_EV_SAW_NEW_VALID,
        ASSIGNMENT_EVENT_COUNT,      ASSIGNMENT_EV_SAW_NEW_VALID,
    };
    unsigned kind = draw(w, 10) < 8 ? road[draw(w, sizeof road)]
                                    : (unsigned)draw(w, ASSIGNMENT_EVENT_COUNT + 1);
    check_in(w, rollout, device);
    if (!may_happen(w, rollout, device, (enum assignment_event_kind)kind)) { return true; }
    bool holds = step_device(w, rollout, device, (enum assignment_event_kind)kind);
    if (holds && draw(w, 8) == 0) { /* a duplicate */
        holds = step_device(w, rollout, device, (enum assignment_event_kind)kind);
    }
    return holds;
}

/* An operator's verb, with what the caller owes its assignments. */
static bool random_verb(struct world *w)
{
    unsigned rollout = (unsigned)draw(w, ROLLOUTS);
    struct rollout *r = &w->rollouts[rollout];
    enum rollout_verb verb = (enum rollout_verb)draw(w, ROLLOUT_VERB_COUNT);
    if (verb == ROLLOUT_ABORT && draw(w, 20) != 0) { verb = ROLLOUT_RESUME; }
    if (!rollout_verb_allowed(r, verb, NULL)) { return true; }
    bool holds = true;
    for (unsigned device = 0; device < DEVICES; device++) {
        if (verb == ROLLOUT_ABORT) {
            holds = step_device(w, rollout, device, ASSIGNMENT_EV_CANCEL) && holds;
        } else if (verb == ROLLOUT_RETRY && draw(w, 2) == 0) {
            holds = step_device(w, rollout, device, ASSIGNMENT_EV_RETRY) && holds;
        }
    }
    struct rollout_outcome outcome;
    return rollout_verb(r, verb, now(w), "model", &outcome) == MOULT_OK && holds;
}

static bool a_gate_passed_rightly(const struct rollout *r, const struct rollout_outcome *o)
{
    for (unsigned i = 0; i < r->phase_count; i++) {
        if (!(o->passed & 1u << i)) { continue; }
        const struct phase_counters *c = &r->phases[i].counters;
        uint32_t size = c->target - c->neutral - c->covered;
        bool is_enough = c->decided >= (size < 20 ? size : 20) && c->decided > 0 &&
                         c->confirmed * 100u >= c->decided * 95u;
        if (!is_enough) { return false; }
    }
    return true;
}

static bool tick_rollouts(struct world *w)
{
    bool holds = true;
    for (unsigned i = 0; i < ROLLOUTS; i++) {
        struct rollout_outcome outcome = rollout_tick(&w->rollouts[i], now(w));
        w->stops += outcome.is_paused;
        w->completions += outcome.is_completed;
        holds = holds && a_gate_passed_rightly(&w->rollouts[i], &outcome) &&
                phases_open_in_order(&w->rollouts[i]);
    }
    return holds;
}

static bool time_goes_by(struct world *w)
{
    w->real_ms += (int64_t)draw(w, 4 * MINUTE);
    if (draw(w, 200) == 0) { w->real_ms += (int64_t)draw(w, 2 * DAY); }
    if (draw(w, 300) == 0) {
        w->step_ms = (int64_t)draw(w, 4 * HOUR) - 2 * HOUR;
        w->steps++;
    }
    return tick_rollouts(w);
}

/* The number of steps done; less than `steps` when an invariant broke. */
static unsigned run_world(struct world *w, uint64_t seed, unsigned steps)
{
    make_world(w, seed);
    struct rollout_outcome outcome;
    for (unsigned i = 0; i < ROLLOUTS; i++) {
        if (rollout_verb(&w->rollouts[i], ROLLOUT_START, now(w), "model", &outcome)) {
            return 0;
        }
    }
    for (unsigned step = 0; step < steps; step++) {
        bool holds = random_device_event(w) && time_goes_by(w);
        if (holds && draw(w, 60) == 0) { holds = random_verb(w); }
        if (!holds || !counters_equal_a_recount(w) ||
            !devices_have_one_active_assignment(w)) {
            return step;
        }
    }
    return steps;
}

static unsigned long long setting(const char *name, unsigned long long otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 0) : otherwise;
}

static void test_invariants_hold_under_random_events(void)
{
    static struct world world;
    unsigned long long seed = setting("SEED", 0);
    unsigned long long first = seed ? seed : 1, last = seed ? seed : SEEDS;
    unsigned steps = (unsigned)setting("STEPS", 4000);
    uint64_t accepted = 0, confirmed = 0, failures = 0, stops = 0, completions = 0;
    for (unsigned long long i = first; i <= last; i++) {
        unsigned done = run_world(&world, i * 0x9e3779b9u, steps);
        if (done != steps) {
            char line[96];
            (void)snprintf(line, sizeof line, "  again: SEED=%llu STEPS=%u\n", i, done + 1);
            check_print(line);
        }
        check_equal(done, steps);
        accepted += world.accepted;
        confirmed += world.confirmed;
        failures += world.failures;
        stops += world.stops;
        completions += world.completions;
    }
    if (seed) { return; }
    /* The runs must have gone somewhere, or they prove nothing. */
    check(accepted > 10000 && confirmed > 1000 && failures > 1000);
    check(stops > 50 && completions > 5);
}

int main(void)
{
    check_run(test_invariants_hold_under_random_events);
    return check_report();
}
