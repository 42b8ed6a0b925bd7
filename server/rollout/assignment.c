/* assignment.c - see assignment.h; the tables are in assignment_states.h. */
#include <assert.h>
#include <string.h>
#include "formats/codes.h"
#include "formats/message_report.h"
#include "server/rollout/assignment.h"

static const struct state_row {
    const char *word;
    uint8_t outcome, clock;
} states[ASSIGNMENT_STATE_COUNT] = {
    [ASSIGNMENT_NO_STATE] = {"?", ASSIGNMENT_OUTCOME_OPEN, ASSIGNMENT_CLOCK_NONE},
#define X(name, number, word, outcome, clock)                                              \
    [ASSIGNMENT_##name] = {word, ASSIGNMENT_OUTCOME_##outcome, ASSIGNMENT_CLOCK_##clock},
    ASSIGNMENT_STATES(X)
#undef X
};

/* The abbreviations of the event table. */
enum {
    __ = ASSIGNMENT_NO_STATE,
    Pl = ASSIGNMENT_PLANNED,
    Of = ASSIGNMENT_OFFERED,
    Co = ASSIGNMENT_AWAITING_CONSENT,
    Do = ASSIGNMENT_DOWNLOADING,
    Wr = ASSIGNMENT_WRITTEN,
    Ve = ASSIGNMENT_VERIFIED,
    Rb = ASSIGNMENT_REBOOTING,
    Tr = ASSIGNMENT_TRIAL,
    So = ASSIGNMENT_SOAKING,
    Cf = ASSIGNMENT_CONFIRMED,
    St = ASSIGNMENT_STAGED,
    Ro = ASSIGNMENT_ROLLED_BACK,
    Fa = ASSIGNMENT_FAILED,
    Si = ASSIGNMENT_SILENT,
    Su = ASSIGNMENT_SUPERSEDED,
    Ca = ASSIGNMENT_CANCELLED,
};

static const uint8_t next_state[ASSIGNMENT_EVENT_COUNT][ASSIGNMENT_STATE_COUNT] = {
#define X(name, ...) [ASSIGNMENT_EV_##name] = {__, __VA_ARGS__},
    ASSIGNMENT_EVENTS(X)
#undef X
};

static const char *const event_words[ASSIGNMENT_EVENT_COUNT] = {
#define X(name, ...) [ASSIGNMENT_EV_##name] = #name,
    ASSIGNMENT_EVENTS(X)
#undef X
};

_Static_assert(ASSIGNMENT_SOAKING == ASSIGNMENT_ACTIVE_MAX, "active states come first");
_Static_assert(ASSIGNMENT_CANCELLED + 1 == ASSIGNMENT_STATE_COUNT, "one column per state");

/* --- the tables, asked ---------------------------------------------------------------- */

const char *assignment_state_word(unsigned state)
{
    return state < ASSIGNMENT_STATE_COUNT ? states[state].word : "?";
}

enum assignment_state assignment_state_parse(const char *word)
{
    for (unsigned i = 1; i < ASSIGNMENT_STATE_COUNT; i++) {
        if (strcmp(states[i].word, word) == 0) { return (enum assignment_state)i; }
    }
    return ASSIGNMENT_NO_STATE;
}

const char *assignment_event_word(enum assignment_event_kind kind)
{
    return (unsigned)kind < ASSIGNMENT_EVENT_COUNT ? event_words[kind] : "?";
}

enum assignment_outcome assignment_outcome(unsigned state)
{
    assert(state < ASSIGNMENT_STATE_COUNT);
    return (enum assignment_outcome)states[state].outcome;
}

bool assignment_is_active(unsigned state)
{
    return state >= 1 && state <= ASSIGNMENT_ACTIVE_MAX;
}

enum assignment_state assignment_next(unsigned state, enum assignment_event_kind kind)
{
    assert(state < ASSIGNMENT_STATE_COUNT && (unsigned)kind < ASSIGNMENT_EVENT_COUNT);
    return (enum assignment_state)next_state[kind][state];
}

void assignment_init(struct assignment *assignment, uint8_t phase, int64_t now_ms)
{
    *assignment = (struct assignment){
        .state = ASSIGNMENT_PLANNED,
        .phase = phase,
        .flags = ASSIGNMENT_ELIGIBLE,
        .generation = 1,
        .entered_ms = now_ms,
    };
}

bool assignment_report_event(uint8_t report_state, bool download_only,
                             enum assignment_event_kind *kind)
{
    switch (report_state) {
    case MOULT_REPORT_DOWNLOADING:
        *kind = ASSIGNMENT_EV_PROGRESS;
        return true;
    case MOULT_REPORT_WRITTEN:
        *kind = ASSIGNMENT_EV_WRITTEN;
        return true;
    case MOULT_REPORT_VERIFIED:
        *kind = ASSIGNMENT_EV_VERIFIED;
        return true;
    case MOULT_REPORT_REBOOTING:
        *kind = ASSIGNMENT_EV_REBOOTING;
        return true;
    case MOULT_REPORT_ROLLED_BACK:
        *kind = ASSIGNMENT_EV_ROLLED_BACK;
        return true;
    case MOULT_REPORT_FAILED:
        *kind = ASSIGNMENT_EV_FAILED;
        return true;
    case MOULT_REPORT_USER_DEFERRED:
        *kind = ASSIGNMENT_EV_CONSENT;
        return true;
    case MOULT_REPORT_STAGED: /* also what a device says that is held back by a pause */
        *kind = download_only ? ASSIGNMENT_EV_STAGED : ASSIGNMENT_EV_VERIFIED;
        return true;
    default:
        return false;
    }
}

enum assignment_event_kind assignment_running_event(const uint8_t running[32],
                                                    const uint8_t new_digest[32],
                                                    const uint8_t *old_digest,
                                                    bool is_trial)
{
    if (memcmp(running, new_digest, 32) == 0) {
        return is_trial ? ASSIGNMENT_EV_SAW_NEW_TRIAL : ASSIGNMENT_EV_SAW_NEW_VALID;
    }
    bool is_old = old_digest && memcmp(running, old_digest, 32) == 0;
    return is_old ? ASSIGNMENT_EV_SAW_OLD : ASSIGNMENT_EV_SAW_OTHER;
}

/* --- time limits ---------------------------------------------------------------------- */

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t stall_ms(const struct assignment_terms *terms)
{
    return larger(terms->limits->stall_min_ms, 3 * terms->rhythm_ms);
}

static int64_t silent_ms(const struct assignment_terms *terms)
{
    const struct assignment_limits *limits = terms->limits;
    int64_t limit_ms = (int64_t)limits->silent_factor * terms->rhythm_ms;
    limit_ms = larger(limit_ms, limits->silent_min_ms);
    return smaller(limit_ms, larger(limits->silent_max_ms, 2 * terms->rhythm_ms));
}

static bool has_soak_contacts(const struct assignment *a,
                              const struct assignment_terms *terms)
{
    return a->soak_checkins >= (terms->rhythm_ms > terms->soak_ms ? 1u : 2u);
}

static bool is_soaked(const struct assignment *a, const struct assignment_terms *terms,
                      int64_t now_ms)
{
    return a->state == ASSIGNMENT_SOAKING && has_soak_contacts(a, terms) &&
           now_ms - a->entered_ms >= terms->soak_ms;
}

static int64_t download_deadline_ms(const struct assignment *a,
                                    const struct assignment_terms *terms)
{
    int64_t total_ms = larger(terms->limits->total_min_ms, 10 * terms->rhythm_ms);
    return smaller(a->progress_ms + stall_ms(terms), a->started_ms + total_ms);
}

static int64_t soak_deadline_ms(const struct assignment *a,
                                const struct assignment_terms *terms)
{
    int64_t silent_at_ms = a->heard_ms + silent_ms(terms) + a->grace_ms;
    return has_soak_contacts(a, terms)
               ? smaller(silent_at_ms, a->entered_ms + terms->soak_ms)
               : silent_at_ms;
}

int64_t assignment_deadline_ms(const struct assignment *a,
                               const struct assignment_terms *terms)
{
    switch ((enum assignment_clock)states[a->state].clock) {
    case ASSIGNMENT_CLOCK_NONE:
        return INT64_MAX;
    case ASSIGNMENT_CLOCK_OFFER:
        return a->entered_ms + terms->limits->offer_ttl_ms;
    case ASSIGNMENT_CLOCK_DOWNLOAD:
        return download_deadline_ms(a, terms) + a->grace_ms;
    case ASSIGNMENT_CLOCK_STALL:
        if (a->state == ASSIGNMENT_VERIFIED && terms->is_withheld) { return INT64_MAX; }
        return a->entered_ms + stall_ms(terms) + a->grace_ms;
    case ASSIGNMENT_CLOCK_SILENT:
        return a->heard_ms + silent_ms(terms) + a->grace_ms;
    case ASSIGNMENT_CLOCK_TRIAL:
        return a->heard_ms + terms->limits->trial_limit_ms + silent_ms(terms) + a->grace_ms;
    case ASSIGNMENT_CLOCK_SOAK:
        return soak_deadline_ms(a, terms);
    }
    return INT64_MAX;
}

int64_t assignment_late_ms(const struct assignment *a, const struct assignment_terms *terms)
{
    return a->state == ASSIGNMENT_REBOOTING ? a->heard_ms + terms->rhythm_ms + a->grace_ms
                                            : INT64_MAX;
}

/* --- one step ------------------------------------------------------------------------- */

/* A clock that was set back must not leave times in the future: limits would never run out.
 */
static void clamp_times(struct assignment *a, int64_t now_ms)
{
    a->entered_ms = smaller(a->entered_ms, now_ms);
    a->heard_ms = smaller(a->heard_ms, now_ms);
    a->progress_ms = smaller(a->progress_ms, now_ms);
    a->started_ms = smaller(a->started_ms, now_ms);
    a->reboots_since_ms = smaller(a->reboots_since_ms, now_ms);
}

static bool is_sign_of_life(enum assignment_event_kind kind)
{
    switch (kind) {
    case ASSIGNMENT_EV_GRANT:
    case ASSIGNMENT_EV_WITHDRAW:
    case ASSIGNMENT_EV_TIMEOUT:
    case ASSIGNMENT_EV_SOAKED:
    case ASSIGNMENT_EV_CANCEL:
    case ASSIGNMENT_EV_SUPERSEDE:
    case ASSIGNMENT_EV_LOST:
    case ASSIGNMENT_EV_RETRY:
        return false;
    default:
        return true;
    }
}

/* What the table cannot say. */
static bool is_refused(const struct assignment *a, const struct assignment_event *e,
                       const struct assignment_terms *terms)
{
    if (e->kind == ASSIGNMENT_EV_GRANT) { return e->now_ms < a->not_before_ms; }
    if (e->kind == ASSIGNMENT_EV_SOAKED) { return !is_soaked(a, terms, e->now_ms); }
    if (a->state == ASSIGNMENT_ROLLED_BACK && e->kind == ASSIGNMENT_EV_ROLLED_BACK) {
        return !(a->flags & ASSIGNMENT_INFERRED) || e->reason == 0;
    }
    bool takes_slot = !assignment_is_active(a->state) &&
                      assignment_is_active(assignment_next(a->state, e->kind));
    return takes_slot && !terms->is_slot_free;
}

/* Why an event that leads to failure or cancellation does so. */
static uint16_t reason_of(const struct assignment *a, const struct assignment_event *e)
{
    if (e->reason != 0) { return e->reason; }
    switch (e->kind) {
    case ASSIGNMENT_EV_SAW_OLD:
        if (a->state == ASSIGNMENT_TRIAL) { return MOULT_R_TRIAL_TIMEOUT; }
        if (a->state == ASSIGNMENT_SOAKING) { return MOULT_R_UNKNOWN; }
        return MOULT_R_BOOT_NOT_SWITCHED;
    case ASSIGNMENT_EV_SAW_OTHER:
        return MOULT_R_SRV_VERSION_MISMATCH;
    case ASSIGNMENT_EV_TIMEOUT:
        return a->state >= ASSIGNMENT_REBOOTING ? MOULT_R_SRV_SILENT : MOULT_R_SRV_STALLED;
    case ASSIGNMENT_EV_CANCEL:
        return MOULT_R_SRV_CANCELLED;
    case ASSIGNMENT_EV_SUPERSEDE:
        return MOULT_R_SRV_SUPERSEDED;
    case ASSIGNMENT_EV_LOST:
        return MOULT_R_SRV_DEVICE_LOST;
    default:
        return MOULT_R_UNKNOWN;
    }
}

/* Stamps the states between two on the way forward: their reports were lost. */
static void stamp_skipped(struct assignment *a, uint8_t from, uint8_t to)
{
    bool is_forward = to <= ASSIGNMENT_SOAKING || to == ASSIGNMENT_STAGED;
    if (!is_forward || from >= to) { return; }
    uint8_t end = to == ASSIGNMENT_STAGED ? ASSIGNMENT_VERIFIED + 1 : to;
    for (uint8_t state = (uint8_t)(from + 1); state < end; state++) {
        if (state != ASSIGNMENT_AWAITING_CONSENT) { a->inferred |= 1u << state; }
    }
}

static void note_progress(struct assignment *a, const struct assignment_event *e,
                          const struct assignment_terms *terms)
{
    a->progress_ms = e->now_ms;
    if (e->offset <= a->offset) { return; }
    a->offset = e->offset;
    if (a->offset - a->tried_offset > terms->image_size / 20u) {
        a->tries = (struct retry_tries){{0}, 0};
        a->tried_offset = a->offset;
    }
}

/* True: too many entries into rebooting; the device updates in a loop. */
static bool is_reboot_loop(struct assignment *a, int64_t now_ms,
                           const struct assignment_limits *limits)
{
    if (a->reboots == 0 || now_ms - a->reboots_since_ms > limits->loop_window_ms) {
        a->reboots = 0;
        a->reboots_since_ms = now_ms;
    }
    a->reboots++;
    return a->reboots > limits->loop_max;
}

/* Entering an active state on the way forward. */
static void enter_progress(struct assignment *a, const struct assignment_event *e)
{
    bool is_out_of_band =
        a->state == ASSIGNMENT_PLANNED && a->generation == 1 && a->offered_ms == 0;
    if (is_out_of_band) {
        a->flags |= ASSIGNMENT_OUT_OF_BAND;
    } else {
        a->flags |= ASSIGNMENT_ATTEMPTED;
    }
    if (a->started_ms == 0) { a->started_ms = e->now_ms; }
    a->progress_ms = e->now_ms;
}

static void count_try(struct assignment *a, uint16_t reason)
{
    uint8_t *tries = &a->tries.by_class[failure_class_of(reason)];
    if (*tries < UINT8_MAX) { (*tries)++; }
    bool is_same = a->reason == reason && a->tries.same_reason > 0;
    if (!is_same) { a->tries.same_reason = 0; }
    if (a->tries.same_reason < UINT8_MAX) { a->tries.same_reason++; }
    a->tried_offset = a->offset;
}

/* Planned again, as a new generation with its own deployment id. */
static void begin_generation(struct assignment *a, int64_t not_before_ms)
{
    a->generation++;
    a->state = ASSIGNMENT_PLANNED;
    a->not_before_ms = not_before_ms;
    a->offered_ms = 0;
    a->started_ms = 0;
    a->inferred = 0;
    a->flags &= (uint16_t) ~(ASSIGNMENT_INFERRED | ASSIGNMENT_LATE | ASSIGNMENT_STOPPING);
}

/* A failure: tried again where policy allows, else the end. */
static void enter_failure(struct assignment *a, const struct assignment_event *e,
                          const struct assignment_terms *terms, uint8_t to,
                          struct assignment_effect *effect)
{
    bool is_known =
        a->state == ASSIGNMENT_ROLLED_BACK; /* counted already, now with its reason */
    bool is_silent = to == ASSIGNMENT_SILENT || a->state == ASSIGNMENT_SILENT;
    uint16_t reason = reason_of(a, e);
    if (!is_known) { count_try(a, reason); }
    a->reason = reason;
    a->detail = e->detail;
    effect->reason = reason;
    effect->detail = e->detail;
    effect->is_poison = !is_known && failure_class_of(reason) == FAILURE_FIRMWARE;
    a->flags &= (uint16_t)~ASSIGNMENT_INFERRED;
    if (e->reason == 0) { a->flags |= ASSIGNMENT_INFERRED; }

    int64_t wait_ms = 0;
    bool may_retry = !is_known && !is_silent && !terms->is_ending && !effect->is_loop &&
                     !(a->flags & (ASSIGNMENT_STOPPING | ASSIGNMENT_OUT_OF_BAND));
    if (may_retry &&
        retry_allowed(reason, &a->tries, &terms->limits->retry, terms->jitter, &wait_ms)) {
        begin_generation(a, e->now_ms + wait_ms);
        effect->is_retry = true;
        return;
    }
    a->state = to;
}

static void recover_from_silent(struct assignment *a, const struct assignment_terms *terms,
                                struct assignment_effect *effect)
{
    effect->is_recovered = true;
    if (terms->is_phase_closed) { a->flags |= ASSIGNMENT_LATE; }
}

static void enter_soaking(struct assignment *a)
{
    a->soak_checkins = 1; /* the check-in that brought it here */
}

static void apply(struct assignment *a, const struct assignment_event *e,
                  const struct assignment_terms *terms, uint8_t to,
                  struct assignment_effect *effect)
{
    uint8_t from = a->state;
    bool is_new = to != from;
    if (to == ASSIGNMENT_REBOOTING && is_reboot_loop(a, e->now_ms, terms->limits)) {
        effect->is_loop = true;
        struct assignment_event loop = *e;
        loop.reason = MOULT_R_SRV_UPDATE_LOOP;
        enter_failure(a, &loop, terms, ASSIGNMENT_FAILED, effect);
        return;
    }
    if (assignment_outcome(to) == ASSIGNMENT_OUTCOME_FAILURE) {
        enter_failure(a, e, terms, to, effect);
        return;
    }
    if (from == ASSIGNMENT_SILENT && to != ASSIGNMENT_PLANNED) {
        recover_from_silent(a, terms, effect);
    }
    stamp_skipped(a, from, to);
    bool is_forward = (to >= ASSIGNMENT_DOWNLOADING && to <= ASSIGNMENT_SOAKING) ||
                      to == ASSIGNMENT_STAGED;
    if (is_new && is_forward) { enter_progress(a, e); }
    if (is_new && to == ASSIGNMENT_SOAKING) { enter_soaking(a); }
    a->state = to;
}

/* What belongs to the event, whatever the states are. */
static void note_event(struct assignment *a, const struct assignment_event *e,
                       const struct assignment_terms *terms, uint8_t from)
{
    switch (e->kind) {
    case ASSIGNMENT_EV_GRANT:
        a->offered_ms = e->now_ms;
        break;
    case ASSIGNMENT_EV_ALREADY:
        a->flags |= ASSIGNMENT_ALREADY;
        break;
    case ASSIGNMENT_EV_PROGRESS:
        note_progress(a, e, terms);
        break;
    case ASSIGNMENT_EV_SAW_NEW_VALID:
        if (from == ASSIGNMENT_SOAKING && a->soak_checkins < UINT16_MAX) {
            a->soak_checkins++;
        }
        break;
    case ASSIGNMENT_EV_CANCEL:
    case ASSIGNMENT_EV_SUPERSEDE:
    case ASSIGNMENT_EV_LOST:
        a->reason = reason_of(a, e);
        break;
    case ASSIGNMENT_EV_RETRY:
        a->tries = (struct retry_tries){{0}, 0};
        begin_generation(a, e->now_ms);
        break;
    default:
        break;
    }
}

static void finish_step(struct assignment *a, const struct assignment_event *e,
                        struct assignment_effect *effect)
{
    effect->is_moved = a->state != effect->from || effect->is_retry;
    if (effect->is_moved) { a->entered_ms = e->now_ms; }
    if (is_sign_of_life(e->kind)) {
        a->heard_ms = e->now_ms;
        a->grace_ms = 0;
    }
    if (a->state == ASSIGNMENT_CONFIRMED || a->state == ASSIGNMENT_STAGED) {
        a->reason = 0;
        a->detail = 0;
    }
    if (assignment_is_active(effect->from)) {
        effect->is_ended = !assignment_is_active(a->state) || effect->is_retry;
    }
}

struct assignment_effect assignment_step(struct assignment *a,
                                         const struct assignment_event *e,
                                         const struct assignment_terms *terms)
{
    struct assignment_effect effect = {.from = a->state};
    uint8_t to = (uint8_t)assignment_next(a->state, e->kind);
    if (to == ASSIGNMENT_NO_STATE || is_refused(a, e, terms)) { return effect; }

    effect.is_accepted = true;
    clamp_times(a, e->now_ms);
    apply(a, e, terms, to, &effect);
    note_event(a, e, terms, effect.from);
    finish_step(a, e, &effect);
    if (is_soaked(a, terms, e->now_ms)) {
        a->state = ASSIGNMENT_CONFIRMED;
        finish_step(a, e, &effect);
    }
    return effect;
}

struct assignment_effect assignment_stop(struct assignment *a, int64_t now_ms,
                                         const struct assignment_terms *terms)
{
    if (a->state < ASSIGNMENT_DOWNLOADING || a->state > ASSIGNMENT_VERIFIED) {
        struct assignment_event cancel = {.kind = ASSIGNMENT_EV_CANCEL, .now_ms = now_ms};
        return assignment_step(a, &cancel, terms);
    }
    a->flags |= ASSIGNMENT_STOPPING;
    return (struct assignment_effect){.is_accepted = true, .from = a->state};
}

bool assignment_heard(struct assignment *a, int64_t now_ms)
{
    clamp_times(a, now_ms);
    a->heard_ms = now_ms;
    a->grace_ms = 0;
    bool is_new = !(a->flags & ASSIGNMENT_REACHED);
    a->flags |= ASSIGNMENT_REACHED;
    return is_new;
}

struct assignment_effect assignment_tick(struct assignment *a, int64_t now_ms,
                                         const struct assignment_terms *terms)
{
    clamp_times(a, now_ms);
    if (now_ms < assignment_deadline_ms(a, terms)) {
        return (struct assignment_effect){.from = a->state};
    }
    struct assignment_event due = {.kind = ASSIGNMENT_EV_TIMEOUT, .now_ms = now_ms};
    if (is_soaked(a, terms, now_ms)) { due.kind = ASSIGNMENT_EV_SOAKED; }
    if (a->flags & ASSIGNMENT_STOPPING) { due.kind = ASSIGNMENT_EV_CANCEL; }
    return assignment_step(a, &due, terms);
}
