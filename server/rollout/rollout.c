/* rollout.c - see rollout.h. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "server/rollout/rollout.h"

#define WORD_COUNT 8u

static const char *const rollout_words[WORD_COUNT] = {
#define X(name, number, word) [number] = word,
    ROLLOUT_STATES(X)
#undef X
};
static const char *const phase_words[WORD_COUNT] = {
#define X(name, number, word) [number] = word,
    PHASE_STATES(X)
#undef X
};
static const char *const mode_words[] = {NULL, "forced", "optional", "download_only"};
#define MODE_COUNT 4u

static const char *word_of(const char *const *words, unsigned count, unsigned number)
{
    return number < count && words[number] ? words[number] : "?";
}

static unsigned number_of(const char *const *words, unsigned count, const char *word)
{
    for (unsigned i = 1; i < count; i++) {
        if (words[i] && strcmp(words[i], word) == 0) { return i; }
    }
    return 0;
}

const char *rollout_state_word(unsigned state)
{
    return word_of(rollout_words, WORD_COUNT, state);
}

enum rollout_state rollout_state_parse(const char *word)
{
    return (enum rollout_state)number_of(rollout_words, WORD_COUNT, word);
}

const char *phase_state_word(unsigned state)
{
    return word_of(phase_words, WORD_COUNT, state);
}

const char *rollout_mode_word(unsigned mode)
{
    return word_of(mode_words, MODE_COUNT, mode);
}

enum rollout_mode rollout_mode_parse(const char *word)
{
    return (enum rollout_mode)number_of(mode_words, MODE_COUNT, word);
}

/* --- phases --------------------------------------------------------------------------- */

bool phase_has_opened(const struct phase *phase)
{
    return phase->state != PHASE_WAITING && phase->state != PHASE_SKIPPED;
}

bool phase_is_closed(const struct phase *phase)
{
    return phase->state == PHASE_PASSED || phase->state == PHASE_FAILED ||
           phase->state == PHASE_SKIPPED;
}

static bool phase_is_empty(const struct phase *phase)
{
    const struct phase_counters *c = &phase->counters;
    return c->target == c->neutral + c->covered;
}

static void close_phase(struct phase *phase, enum phase_state state, int64_t now_ms)
{
    phase->state = state;
    phase->closed_ms = now_ms;
}

static void reopen_phase(struct phase *phase)
{
    phase->state = PHASE_OPEN;
    phase->closed_ms = 0;
    phase->success_since_ms = 0;
}

/* The phase that is being judged: opened and not passed or skipped. NULL: none. */
static struct phase *current_phase(struct rollout *r)
{
    for (uint32_t i = 0; i < r->phase_count; i++) {
        struct phase *phase = &r->phases[i];
        if (phase_has_opened(phase) && phase->state != PHASE_PASSED) { return phase; }
    }
    return NULL;
}

static uint32_t phase_bit(const struct rollout *r, const struct phase *phase)
{
    return 1u << (phase - r->phases);
}

/* --- states --------------------------------------------------------------------------- */

static void set_state(struct rollout *r, enum rollout_state state, int64_t now_ms,
                      const char *reason)
{
    r->state = state;
    r->state_since_ms = now_ms;
    (void)snprintf(r->state_reason, sizeof r->state_reason, "%s", reason); /* may be cut */
}

void rollout_init(struct rollout *r, uint32_t phase_count, int64_t now_ms)
{
    assert(phase_count >= 1 && phase_count <= ROLLOUT_PHASES_MAX);
    *r = (struct rollout){.mode = ROLLOUT_FORCED, .phase_count = phase_count};
    set_state(r, ROLLOUT_DRAFT, now_ms, "not started");
    for (uint32_t i = 0; i < phase_count; i++) {
        r->phases[i].state = PHASE_WAITING;
        r->phases[i].rule.kind = COHORT_REST;
        gate_rules_default(&r->phases[i].gates, i);
    }
}

static bool is_going(const struct rollout *r)
{
    return r->state == ROLLOUT_RUNNING || r->state == ROLLOUT_HOLDING ||
           r->state == ROLLOUT_COMPLETED;
}

bool rollout_may_offer(const struct rollout *r, uint32_t phase_index)
{
    if (phase_index >= r->phase_count || !is_going(r)) { return false; }
    const struct phase *phase = &r->phases[phase_index];
    return phase_has_opened(phase) && phase->state != PHASE_FAILED;
}

bool rollout_may_activate(const struct rollout *r)
{
    return is_going(r) && r->mode != ROLLOUT_DOWNLOAD_ONLY;
}

/* --- the tick ------------------------------------------------------------------------- */

/* For people, who count from 1; data and code count from 0. */
static unsigned phase_number(const struct rollout *r, const struct phase *phase)
{
    return (unsigned)(phase - r->phases) + 1;
}

static void pause_on_gate(struct rollout *r, struct phase *phase, int64_t now_ms,
                          struct rollout_outcome *outcome)
{
    char words[ROLLOUT_WORDS_SIZE];
    char reason[ROLLOUT_REASON_SIZE];
    gate_words(&phase->last, words);
    (void)snprintf(reason, sizeof reason, "gate %s of phase %u: %s",
                   gate_kind_word(phase->last.kind), phase_number(r, phase), words);
    set_state(r, ROLLOUT_PAUSED, now_ms, reason);
    if (phase->state != PHASE_PASSED) {
        close_phase(phase, PHASE_FAILED, now_ms);
        outcome->failed |= phase_bit(r, phase);
    }
    phase->success_since_ms = 0;
    outcome->is_paused = true;
    outcome->is_changed = true;
}

/* Failure before success, on every phase that has opened. True: paused. */
static bool judge_failures(struct rollout *r, int64_t now_ms,
                           struct rollout_outcome *outcome)
{
    for (uint32_t i = 0; i < r->phase_count; i++) {
        struct phase *phase = &r->phases[i];
        if (!phase_has_opened(phase)) { continue; }
        struct gate_result result =
            gates_judge(&phase->gates, &phase->counters, phase->acknowledged);
        bool is_passed = phase->state == PHASE_PASSED;
        if (is_passed && result.kind == GATE_ALL_ENDED) {
            continue;
        } /* it has passed once */
        phase->last = result;
        if (result.verdict == GATE_FAIL) {
            pause_on_gate(r, phase, now_ms, outcome);
            return true;
        }
    }
    return false;
}

static void hold(struct rollout *r, struct phase *phase, int64_t now_ms, const char *why)
{
    char reason[ROLLOUT_REASON_SIZE];
    (void)snprintf(reason, sizeof reason, "phase %u: %s", phase_number(r, phase), why);
    phase->state = PHASE_HOLDING;
    set_state(r, ROLLOUT_HOLDING, now_ms, reason);
}

static void stop_holding(struct rollout *r, int64_t now_ms)
{
    if (r->state == ROLLOUT_HOLDING) {
        set_state(r, ROLLOUT_RUNNING, now_ms, "gates can be judged again");
    }
}

/* The success gate does not hold (yet, or any more). */
static void stay_open(struct rollout *r, struct phase *phase, int64_t now_ms)
{
    char words[ROLLOUT_WORDS_SIZE];
    bool is_ill = phase->last.kind == GATE_DELIVERY;
    bool is_overdue = now_ms - phase->opened_ms > r->phase_max_ms && r->phase_max_ms > 0 &&
                      phase->counters.decided < phase->last.sample;
    phase->success_since_ms = 0;
    if (is_ill || is_overdue) {
        gate_words(&phase->last, words);
        if (phase->state != PHASE_HOLDING) { hold(r, phase, now_ms, words); }
        return;
    }
    phase->state = PHASE_OPEN;
    stop_holding(r, now_ms);
}

/* The success gate holds. True: the phase has passed. */
static bool soak_phase(struct rollout *r, struct phase *phase, int64_t now_ms)
{
    if (phase->success_since_ms == 0) { phase->success_since_ms = now_ms; }
    if (phase->success_since_ms > now_ms) { phase->success_since_ms = now_ms; }
    if (now_ms - phase->success_since_ms < phase->soak_ms) {
        phase->state = PHASE_SOAKING;
        stop_holding(r, now_ms);
        return false;
    }
    if (phase->needs_approval) {
        if (phase->state != PHASE_HOLDING) {
            hold(r, phase, now_ms, "gates passed, waits for an operator: rollout advance");
        }
        return false;
    }
    stop_holding(r, now_ms);
    close_phase(phase, PHASE_PASSED, now_ms);
    return true;
}

static bool judge_current(struct rollout *r, struct phase *phase, int64_t now_ms,
                          struct rollout_outcome *outcome)
{
    enum phase_state before = phase->state;
    bool is_passed = false;
    if (phase_is_empty(phase)) {
        close_phase(phase, PHASE_SKIPPED, now_ms);
        stop_holding(r, now_ms);
        outcome->skipped |= phase_bit(r, phase);
        is_passed = true;
    } else if (phase->last.verdict == GATE_PASS) {
        is_passed = soak_phase(r, phase, now_ms);
        if (is_passed) { outcome->passed |= phase_bit(r, phase); }
    } else {
        stay_open(r, phase, now_ms);
    }
    if (phase->state != before) { outcome->is_changed = true; }
    return is_passed;
}

static struct phase *open_next(struct rollout *r, int64_t now_ms,
                               struct rollout_outcome *outcome)
{
    for (uint32_t i = 0; i < r->phase_count; i++) {
        struct phase *phase = &r->phases[i];
        if (phase->state != PHASE_WAITING) { continue; }
        phase->state = PHASE_OPEN;
        phase->opened_ms = now_ms;
        phase->last = gates_judge(&phase->gates, &phase->counters, phase->acknowledged);
        outcome->opened |= phase_bit(r, phase);
        outcome->is_changed = true;
        return phase;
    }
    return NULL;
}

/* Passes and opens phases as far as they go; ends at the first that must wait. */
static void move_on(struct rollout *r, int64_t now_ms, struct rollout_outcome *outcome)
{
    for (uint32_t step = 0; step <= ROLLOUT_PHASES_MAX; step++) {
        struct phase *phase = current_phase(r);
        if (!phase) { phase = open_next(r, now_ms, outcome); }
        if (!phase) {
            set_state(r, ROLLOUT_COMPLETED, now_ms, "all phases passed");
            outcome->is_completed = true;
            outcome->is_changed = true;
            return;
        }
        if (!judge_current(r, phase, now_ms, outcome)) { return; }
    }
}

struct rollout_outcome rollout_tick(struct rollout *r, int64_t now_ms)
{
    struct rollout_outcome outcome = {0};
    if (r->state == ROLLOUT_SCHEDULED && now_ms >= r->start_ms) {
        set_state(r, ROLLOUT_RUNNING, now_ms, "start time reached");
        outcome.is_changed = true;
    }
    if (!is_going(r)) { return outcome; }
    if (judge_failures(r, now_ms, &outcome)) { return outcome; }
    if (r->state != ROLLOUT_COMPLETED) { move_on(r, now_ms, &outcome); }
    return outcome;
}

/* --- verbs ---------------------------------------------------------------------------- */

#define BIT(state) (1u << (state))
#define GOING (BIT(ROLLOUT_RUNNING) | BIT(ROLLOUT_HOLDING))

static const struct verb_row {
    const char *word;
    uint32_t allowed; /* states */
    const char *expected;
} verbs[ROLLOUT_VERB_COUNT] = {
    [ROLLOUT_START] = {"start", BIT(ROLLOUT_DRAFT), "draft"},
    [ROLLOUT_PAUSE] = {"pause", GOING | BIT(ROLLOUT_COMPLETED),
                       "running, holding or completed"},
    [ROLLOUT_RESUME] = {"resume", BIT(ROLLOUT_PAUSED), "paused"},
    [ROLLOUT_ABORT] = {"abort",
                       GOING | BIT(ROLLOUT_DRAFT) | BIT(ROLLOUT_SCHEDULED) |
                           BIT(ROLLOUT_PAUSED) | BIT(ROLLOUT_COMPLETED),
                       "not aborted"},
    [ROLLOUT_ADVANCE] = {"advance", GOING | BIT(ROLLOUT_PAUSED),
                         "running, holding or paused, with an open phase"},
    [ROLLOUT_RETRY] = {"retry", GOING | BIT(ROLLOUT_PAUSED) | BIT(ROLLOUT_COMPLETED),
                       "running, holding, paused or completed"},
};

const char *rollout_verb_word(unsigned verb)
{
    return verb < ROLLOUT_VERB_COUNT ? verbs[verb].word : "?";
}

bool rollout_verb_parse(const char *word, enum rollout_verb *verb)
{
    for (unsigned i = 0; i < ROLLOUT_VERB_COUNT; i++) {
        if (strcmp(verbs[i].word, word) == 0) {
            *verb = (enum rollout_verb)i;
            return true;
        }
    }
    return false;
}

static bool has_current(const struct rollout *r)
{
    for (uint32_t i = 0; i < r->phase_count; i++) {
        const struct phase *phase = &r->phases[i];
        if (phase_has_opened(phase) && phase->state != PHASE_PASSED) { return true; }
    }
    return false;
}

bool rollout_verb_allowed(const struct rollout *r, enum rollout_verb verb,
                          const char **expected)
{
    if (expected) { *expected = verbs[verb].expected; }
    if (!(verbs[verb].allowed & BIT(r->state))) { return false; }
    return verb != ROLLOUT_ADVANCE || has_current(r);
}

/* Failures so far have been seen by an operator: gates speak again when there are more. */
static void acknowledge(struct rollout *r)
{
    for (uint32_t i = 0; i < r->phase_count; i++) {
        r->phases[i].acknowledged = r->phases[i].counters.failed;
    }
}

static void reopen_failed(struct rollout *r)
{
    for (uint32_t i = 0; i < r->phase_count; i++) {
        if (r->phases[i].state == PHASE_FAILED) { reopen_phase(&r->phases[i]); }
    }
}

static void do_start(struct rollout *r, int64_t now_ms, const char *who_why)
{
    bool is_later = r->start_ms > now_ms;
    set_state(r, is_later ? ROLLOUT_SCHEDULED : ROLLOUT_RUNNING, now_ms, who_why);
}

static void do_advance(struct rollout *r, int64_t now_ms, const char *who_why,
                       struct rollout_outcome *outcome)
{
    struct phase *phase = current_phase(r);
    assert(phase); /* rollout_verb_allowed() */
    close_phase(phase, PHASE_PASSED, now_ms);
    phase->by_hand = true;
    outcome->passed |= phase_bit(r, phase);
    acknowledge(r);
    set_state(r, ROLLOUT_RUNNING, now_ms, who_why);
}

enum moult_status rollout_verb(struct rollout *r, enum rollout_verb verb, int64_t now_ms,
                               const char *who_why, struct rollout_outcome *outcome)
{
    *outcome = (struct rollout_outcome){0};
    if (!rollout_verb_allowed(r, verb, NULL)) { return MOULT_E_STATE; }
    switch (verb) {
    case ROLLOUT_START:
        do_start(r, now_ms, who_why);
        break;
    case ROLLOUT_PAUSE:
        set_state(r, ROLLOUT_PAUSED, now_ms, who_why);
        break;
    case ROLLOUT_RESUME:
        acknowledge(r);
        reopen_failed(r);
        set_state(r, ROLLOUT_RUNNING, now_ms, who_why);
        break;
    case ROLLOUT_ABORT:
        set_state(r, ROLLOUT_ABORTED, now_ms, who_why);
        break;
    case ROLLOUT_ADVANCE:
        do_advance(r, now_ms, who_why, outcome);
        break;
    case ROLLOUT_RETRY:
        acknowledge(r);
        reopen_failed(r);
        break;
    case ROLLOUT_VERB_COUNT:
        return MOULT_E_STATE;
    }
    struct rollout_outcome ticked = rollout_tick(r, now_ms);
    ticked.passed |= outcome->passed;
    ticked.is_changed = true;
    *outcome = ticked;
    return MOULT_OK;
}

/* --- rate ----------------------------------------------------------------------------- */

#define OFFER 1000u               /* thousandths */
#define RATE_SPAN_MAX_MS 86400000 /* keeps the product below 64 bits; fills any bucket */

bool rollout_take_offer(struct rollout *r, int64_t now_ms, int64_t *wait_ms)
{
    *wait_ms = 0;
    if (r->rate_tenths == 0) { return true; }
    uint64_t capacity = (uint64_t)r->rate_tenths * OFFER / 10u; /* one minute of rate */
    if (capacity < OFFER) { capacity = OFFER; }
    if (r->rate_ms == 0) {
        r->rate_tokens = capacity;
        r->rate_ms = now_ms;
    }
    int64_t passed_ms = now_ms - r->rate_ms;
    if (passed_ms < 0) { r->rate_ms = now_ms; } /* the clock was set back */
    if (passed_ms > RATE_SPAN_MAX_MS) { passed_ms = RATE_SPAN_MAX_MS; }
    uint64_t gained = passed_ms > 0 ? (uint64_t)passed_ms * r->rate_tenths / 600u : 0;
    if (gained > 0) {
        r->rate_tokens += gained;
        r->rate_ms = now_ms;
    }
    if (r->rate_tokens > capacity) { r->rate_tokens = capacity; }
    if (r->rate_tokens < OFFER) {
        *wait_ms = (int64_t)((OFFER - r->rate_tokens) * 600u / r->rate_tenths + 1u);
        return false;
    }
    r->rate_tokens -= OFFER;
    return true;
}
