/* gates.c - see gates.h. */
#include <assert.h>
#include <stdio.h>
#include "formats/codes.h"
#include "server/rollout/gates.h"

#define BP_ALL 10000u /* 100 % */

/* --- counting ------------------------------------------------------------------------- */

/* Unsigned wrap-around is what makes "take away" an addition too. */
static void add(uint32_t *counter, int sign)
{
    *counter += sign > 0 ? 1u : UINT32_MAX;
}

static void count_failure(struct phase_counters *c, const struct assignment *a, int sign)
{
    bool is_silent = a->state == ASSIGNMENT_SILENT || (a->flags & ASSIGNMENT_LATE);
    add(&c->decided, sign);
    add(&c->failed, sign);
    if (is_silent) { add(&c->silent, sign); }
    add(&c->by_class[is_silent ? FAILURE_FIRMWARE : failure_class_of(a->reason)], sign);
    if (!is_silent && a->reason == MOULT_R_TRIAL_CRASH_LOOP) { add(&c->crash_loops, sign); }
}

static void count_outcome(struct phase_counters *c, const struct assignment *a, int sign)
{
    if (a->flags & ASSIGNMENT_LATE) {
        count_failure(c, a, sign);
        return;
    }
    switch (assignment_outcome(a->state)) {
    case ASSIGNMENT_OUTCOME_SUCCESS:
        add(&c->decided, sign);
        add(&c->confirmed, sign);
        break;
    case ASSIGNMENT_OUTCOME_FAILURE:
        count_failure(c, a, sign);
        break;
    case ASSIGNMENT_OUTCOME_OPEN:
    case ASSIGNMENT_OUTCOME_NEUTRAL:
        break;
    }
}

void gates_count(struct phase_counters *c, const struct assignment *a, int sign)
{
    assert(a->state < ASSIGNMENT_STATE_COUNT);
    add(&c->target, sign);
    add(&c->by_state[a->state], sign);
    if (a->flags & ASSIGNMENT_ELIGIBLE) { add(&c->eligible, sign); }
    if (assignment_outcome(a->state) == ASSIGNMENT_OUTCOME_NEUTRAL) {
        add(&c->neutral, sign);
        return;
    }
    if (a->flags & (ASSIGNMENT_ALREADY | ASSIGNMENT_OUT_OF_BAND)) {
        add(&c->covered, sign);
        return;
    }
    if (a->flags & ASSIGNMENT_REACHED) { add(&c->reached, sign); }
    if (a->flags & ASSIGNMENT_ATTEMPTED) { add(&c->attempted, sign); }
    bool is_retrying =
        a->state == ASSIGNMENT_PLANNED && a->generation > 1 && a->reason != 0;
    if (is_retrying) { add(&c->retrying, sign); }
    count_outcome(c, a, sign);
}

/* --- judging -------------------------------------------------------------------------- */

void gate_rules_default(struct gate_rules *rules, uint32_t phase_index)
{
    bool is_first = phase_index == 0;
    *rules = (struct gate_rules){
        .success_bp = 9500,
        .success_min_sample = 20,
        .success_reached_bp = 9000,
        .failure_bp = 500,
        .failure_min_sample = 10,
        .failure_classes = GATES_CLASSES_DEFAULT,
        .failure_count = is_first ? 3 : 0,
        .single_classes = is_first ? GATES_CLASS(FAILURE_AUTHENTICITY) : 0,
        .single_crash_loop = is_first,
        .delivery_bp = 2000,
        .delivery_min = 20,
    };
}

static bool is_share_reached(uint32_t part, uint32_t whole, uint32_t bp)
{
    return (uint64_t)part * BP_ALL >= (uint64_t)bp * whole;
}

static uint32_t sum_classes(const struct phase_counters *c, uint32_t classes)
{
    uint32_t sum = 0;
    for (unsigned i = 0; i < FAILURE_CLASS_COUNT; i++) {
        if (classes & GATES_CLASS(i)) { sum += c->by_class[i]; }
    }
    return sum;
}

/* Devices that can be decided at all. */
static uint32_t phase_size(const struct phase_counters *c)
{
    return c->target - c->neutral - c->covered;
}

static bool judge_single(const struct gate_rules *rules, const struct phase_counters *c,
                         struct gate_result *result)
{
    uint32_t singles = sum_classes(c, rules->single_classes);
    if (rules->single_crash_loop) { singles += c->crash_loops; }
    if (singles == 0) { return false; }
    *result = (struct gate_result){GATE_FAIL, GATE_SINGLE, singles, 0, 1, 1};
    return true;
}

static bool judge_count(const struct gate_rules *rules, const struct phase_counters *c,
                        struct gate_result *result)
{
    if (rules->failure_count == 0 || c->failed < rules->failure_count) { return false; }
    *result = (struct gate_result){GATE_FAIL, GATE_FAILURE_COUNT,   c->failed,
                                   0,         rules->failure_count, 1};
    return true;
}

static bool judge_share(const struct gate_rules *rules, const struct phase_counters *c,
                        struct gate_result *result)
{
    uint32_t failed = sum_classes(c, rules->failure_classes);
    if (rules->failure_bp == 0 || failed == 0) { return false; }
    if (c->decided < rules->failure_min_sample) { return false; }
    if (!is_share_reached(failed, c->decided, rules->failure_bp)) { return false; }
    *result =
        (struct gate_result){GATE_FAIL,  GATE_FAILURE,      failed,
                             c->decided, rules->failure_bp, rules->failure_min_sample};
    return true;
}

static bool judge_delivery(const struct gate_rules *rules, const struct phase_counters *c,
                           struct gate_result *result)
{
    uint32_t failed = c->by_class[FAILURE_TRANSPORT];
    if (rules->delivery_bp == 0 || failed == 0 || c->decided < rules->delivery_min) {
        return false;
    }
    if (!is_share_reached(failed, c->decided, rules->delivery_bp)) { return false; }
    *result = (struct gate_result){GATE_HOLD,  GATE_DELIVERY,      failed,
                                   c->decided, rules->delivery_bp, rules->delivery_min};
    return true;
}

static struct gate_result judge_success(const struct gate_rules *rules,
                                        const struct phase_counters *c)
{
    uint32_t size = phase_size(c);
    uint32_t sample = rules->success_min_sample < size ? rules->success_min_sample : size;
    if (sample == 0) { sample = 1; }
    struct gate_result result = {GATE_HOLD,  GATE_SUCCESS,      c->confirmed,
                                 c->decided, rules->success_bp, sample};
    if (c->decided >= sample &&
        is_share_reached(c->confirmed, c->decided, rules->success_bp) &&
        is_share_reached(c->decided, c->reached, rules->success_reached_bp)) {
        result.verdict = GATE_PASS;
    }
    return result;
}

struct gate_result gates_judge(const struct gate_rules *rules,
                               const struct phase_counters *c, uint32_t acknowledged)
{
    struct gate_result result = {GATE_HOLD, GATE_NONE, 0, 0, 0, 0};
    if (c->failed > acknowledged) {
        if (judge_single(rules, c, &result) || judge_count(rules, c, &result) ||
            judge_share(rules, c, &result)) {
            return result;
        }
    }
    result = judge_success(rules, c);
    bool all_ended = c->decided == phase_size(c) && c->decided > 0;
    if (result.verdict == GATE_HOLD && all_ended) {
        result.verdict = GATE_FAIL;
        result.kind = GATE_ALL_ENDED;
        return result;
    }
    struct gate_result delivery;
    return judge_delivery(rules, c, &delivery) ? delivery : result;
}

/* --- words ---------------------------------------------------------------------------- */

/* "95 %" or "0.05 %". */
static void share_words(uint32_t bp, char out[16])
{
    if (bp % 100 == 0) {
        (void)snprintf(out, 16, "%u %%", (unsigned)(bp / 100)); /* at most 11 characters */
    } else {
        (void)snprintf(out, 16, "%u.%02u %%", (unsigned)(bp / 100 % 10000),
                       (unsigned)(bp % 100));
    }
}

void gate_words(const struct gate_result *r, char out[ROLLOUT_WORDS_SIZE])
{
    char want[16];
    share_words(r->want, want);
    unsigned have = r->have, of = r->of, count = r->want, sample = r->sample;
    switch (r->kind) {
    case GATE_NONE:
        (void)snprintf(out, ROLLOUT_WORDS_SIZE, "nothing to judge yet");
        return;
    case GATE_SUCCESS:
        (void)snprintf(out, ROLLOUT_WORDS_SIZE,
                       r->verdict == GATE_PASS
                           ? "%u of %u decided devices confirmed, %s needed"
                           : "%u of %u decided devices confirmed, %s of at least %u needed",
                       have, of, want, sample);
        return;
    case GATE_FAILURE:
        (void)snprintf(out, ROLLOUT_WORDS_SIZE, "%u of %u decided devices failed, limit %s",
                       have, of, want);
        return;
    case GATE_FAILURE_COUNT:
        (void)snprintf(out, ROLLOUT_WORDS_SIZE, "%u devices failed, limit %u", have, count);
        return;
    case GATE_SINGLE:
        (void)snprintf(out, ROLLOUT_WORDS_SIZE,
                       "%u device(s) refused a signature or crashed in a loop, limit 1",
                       have);
        return;
    case GATE_DELIVERY:
        (void)snprintf(
            out, ROLLOUT_WORDS_SIZE,
            "%u of %u decided devices could not download, limit %s: the network, "
            "not the image",
            have, of, want);
        return;
    case GATE_ALL_ENDED:
        (void)snprintf(out, ROLLOUT_WORDS_SIZE,
                       "all devices ended, %u of %u confirmed, %s needed", have, of, want);
        return;
    }
    out[0] = '\0';
}

const char *gate_kind_word(enum gate_kind kind)
{
    static const char *const words[] = {"none",   "success",  "failure",  "failure_count",
                                        "single", "delivery", "all_ended"};
    return (unsigned)kind < sizeof words / sizeof words[0] ? words[kind] : "?";
}
