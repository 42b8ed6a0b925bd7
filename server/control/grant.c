/* grant.c - see grant.h. One function per check; the table gives their order. */
#include "server/control/grant.h"
#include <stdio.h>
#include <string.h>
#include "formats/codes.h"
#include "server/base/clock.h"
#include "server/control/events.h"

enum { WORDS_SIZE = 320 };

/* What a check found. */
struct finding {
    enum grant_verdict verdict;
    int64_t wait_ms;
    enum moult_status status;
    char words[WORDS_SIZE];
};

static void check_device(const struct grant *g, struct finding *f)
{
    bool may = g->device->state == DEVICE_ACCEPTED;
    f->verdict = may ? GRANT_PASS : GRANT_NO;
    snprintf(f->words, sizeof f->words, "device is %s%s",
             device_state_word(g->device->state),
             may ? "" : "; only accepted devices are offered releases");
}

static void check_class(const struct grant *g, struct finding *f)
{
    bool same = memcmp(g->device->class_id, g->release->class_id, 16) == 0;
    f->verdict = same ? GRANT_PASS : GRANT_NO;
    snprintf(f->words, sizeof f->words, "release %s is for %s class", g->release->version,
             same ? "the device's" : "another");
}

static void check_release(const struct grant *g, struct finding *f)
{
    bool may = g->release->state == STORE_RELEASE_PUBLISHED;
    f->verdict = may ? GRANT_PASS : GRANT_NO;
    snprintf(f->words, sizeof f->words, "release %s is %s", g->release->version,
             may ? "published" : "not published, or recalled");
}

static void check_member(const struct grant *g, struct finding *f)
{
    f->verdict = g->assignment ? GRANT_PASS : GRANT_NO;
    if (g->assignment) {
        snprintf(f->words, sizeof f->words, "it is in phase %u",
                 (unsigned)g->assignment->phase + 1);
    } else {
        snprintf(f->words, sizeof f->words, "it is not among the rollout's devices (%s)",
                 g->rollout->selector);
    }
}

static void check_state(const struct grant *g, struct finding *f)
{
    unsigned state = g->assignment->state;
    f->verdict =
        state == ASSIGNMENT_PLANNED || assignment_is_active(state) ? GRANT_PASS : GRANT_NO;
    char reason[160];
    reason_words(g->assignment->reason, reason, sizeof reason);
    snprintf(f->words, sizeof f->words, "its assignment is %s%s%s",
             assignment_state_word(state), reason[0] ? ", " : "", reason);
}

static void check_sequence(const struct grant *g, struct finding *f)
{
    uint64_t running = g->device->running_sequence;
    bool is_down = g->release->sequence < running;
    bool is_far = running < g->release->source_sequence;
    f->verdict = is_down || is_far ? GRANT_NO : GRANT_PASS;
    snprintf(
        f->words, sizeof f->words,
        is_far ? "release %s needs sequence %llu first, the device runs %llu"
               : "release %s has sequence %llu, the device runs %llu",
        g->release->version,
        (unsigned long long)(is_far ? g->release->source_sequence : g->release->sequence),
        (unsigned long long)running);
}

static void check_rollout(const struct grant *g, struct finding *f)
{
    const struct rollout *engine = &g->rollout->engine;
    bool may = engine->state == ROLLOUT_RUNNING || engine->state == ROLLOUT_HOLDING ||
               engine->state == ROLLOUT_COMPLETED;
    f->verdict = may                                  ? GRANT_PASS
                 : engine->state == ROLLOUT_SCHEDULED ? GRANT_WAIT
                                                      : GRANT_NO;
    if (f->verdict == GRANT_WAIT) { f->wait_ms = engine->start_ms - g->now_ms; }
    snprintf(f->words, sizeof f->words, "rollout %s is %s: %s", g->rollout->name,
             rollout_state_word(engine->state), engine->state_reason);
}

static void check_phase(const struct grant *g, struct finding *f)
{
    const struct rollout *engine = &g->rollout->engine;
    const struct phase *phase = &engine->phases[g->assignment->phase];
    if (phase_has_opened(phase)) {
        f->verdict = phase->state == PHASE_FAILED ? GRANT_NO : GRANT_PASS;
        snprintf(f->words, sizeof f->words, "phase %u is %s",
                 (unsigned)g->assignment->phase + 1, phase_state_word(phase->state));
        return;
    }
    f->verdict = GRANT_WAIT;
    uint32_t open = 0;
    while (open + 1 < engine->phase_count &&
           (engine->phases[open].state == PHASE_PASSED ||
            engine->phases[open].state == PHASE_SKIPPED)) {
        open++;
    }
    char words[ROLLOUT_WORDS_SIZE];
    gate_words(&engine->phases[open].last, words);
    snprintf(f->words, sizeof f->words, "phase %u waits for phase %u, which is %s: %s",
             (unsigned)g->assignment->phase + 1, (unsigned)open + 1,
             phase_state_word(engine->phases[open].state), words);
}

static void check_poison(const struct grant *g, struct finding *f)
{
    uint32_t count = 0;
    uint16_t reason = 0;
    enum moult_status st =
        store_poison_find(g->db, g->device->num, g->release->num, &count, &reason);
    if (st != MOULT_OK && st != MOULT_E_NOENT) { f->status = st; }
    bool is_poisoned = st == MOULT_OK && (count >= 2 || reason == MOULT_R_TRIAL_CRASH_LOOP);
    f->verdict = is_poisoned ? GRANT_NO : GRANT_PASS;
    snprintf(f->words, sizeof f->words,
             is_poisoned ? "release %s has failed on it %u times; it is not tried again"
                         : "release %s has failed on it %u times",
             g->release->version, (unsigned)count);
}

static void check_backoff(const struct grant *g, struct finding *f)
{
    int64_t wait_ms = g->assignment->not_before_ms - g->now_ms;
    f->verdict = wait_ms > 0 ? GRANT_WAIT : GRANT_PASS;
    f->wait_ms = wait_ms > 0 ? wait_ms : 0;
    if (wait_ms > 0) {
        snprintf(f->words, sizeof f->words, "attempt %u waits %lld s more after a failure",
                 (unsigned)g->assignment->generation, (long long)(wait_ms + 999) / 1000);
    } else {
        snprintf(f->words, sizeof f->words, "attempt %u may begin",
                 (unsigned)g->assignment->generation);
    }
}

static void check_rate(const struct grant *g, struct finding *f)
{
    struct rollout copy = g->rollout->engine; /* a look takes nothing from the bucket */
    struct rollout *bucket = g->takes_offer ? g->rate : &copy;
    bool has_offer = rollout_take_offer(bucket, g->now_ms, &f->wait_ms);
    f->verdict = has_offer ? GRANT_PASS : GRANT_WAIT;
    snprintf(f->words, sizeof f->words,
             has_offer ? "the rollout's rate allows an offer"
                       : "the rollout's rate allows the next offer in %lld ms",
             (long long)f->wait_ms);
}

/* What has to be there for a check to make sense. */
enum need { NEED_NOTHING, NEED_ASSIGNMENT, NEED_PLANNED };

static const struct check {
    const char *name;
    enum need need;
    void (*run)(const struct grant *grant, struct finding *finding);
} checks[] = {
    {"device state", NEED_NOTHING, check_device},
    {"class", NEED_NOTHING, check_class},
    {"release", NEED_NOTHING, check_release},
    {"target", NEED_NOTHING, check_member},
    {"assignment", NEED_ASSIGNMENT, check_state},
    {"sequence", NEED_NOTHING, check_sequence},
    {"rollout", NEED_NOTHING, check_rollout},
    {"phase", NEED_ASSIGNMENT, check_phase},
    {"poison", NEED_PLANNED, check_poison},
    {"back-off", NEED_PLANNED, check_backoff},
    {"rate", NEED_PLANNED, check_rate},
};

static bool is_met(enum need need, const struct assignment *assignment)
{
    if (need == NEED_NOTHING) { return true; }
    return assignment &&
           (need == NEED_ASSIGNMENT || assignment->state == ASSIGNMENT_PLANNED);
}

enum grant_verdict grant_examine(struct grant *g,
                                 void (*trace)(void *context, const char *check,
                                               enum grant_verdict verdict,
                                               const char *words),
                                 void *context, enum moult_status *status)
{
    enum grant_verdict verdict = GRANT_PASS;
    g->failed = NULL;
    g->wait_ms = 0;
    *status = MOULT_OK;
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        struct finding f = {.verdict = GRANT_PASS, .status = MOULT_OK};
        if (!is_met(checks[i].need, g->assignment)) { continue; }
        checks[i].run(g, &f);
        if (f.status != MOULT_OK) { *status = f.status; }
        if (trace) { trace(context, checks[i].name, f.verdict, f.words); }
        if (f.verdict == GRANT_PASS || g->failed) { continue; }
        verdict = f.verdict;
        g->failed = checks[i].name;
        g->wait_ms = f.wait_ms;
        if (!trace) { break; }
    }
    return verdict;
}
