/* cohort.c - see cohort.h. */
#include <assert.h>
#include <string.h>
#include "formats/bytes.h"
#include "server/rollout/cohort.h"

static const char cohort_domain[] = "moult-cohort-1";

enum moult_status cohort_order(const struct moult_crypto *crypto,
                               const uint8_t salt[COHORT_SALT_SIZE],
                               const uint8_t id[COHORT_ID_SIZE], uint64_t *order)
{
    uint8_t text[sizeof cohort_domain - 1 + COHORT_SALT_SIZE + COHORT_ID_SIZE];
    size_t at = sizeof cohort_domain - 1;
    memcpy(text, cohort_domain, at);
    memcpy(text + at, salt, COHORT_SALT_SIZE);
    memcpy(text + at + COHORT_SALT_SIZE, id, COHORT_ID_SIZE);

    uint8_t hash[MOULT_SHA256_SIZE];
    enum moult_status status = moult_sha256_once(crypto, text, sizeof text, hash);
    *order = status == MOULT_OK ? get_be64(hash) : 0;
    return status;
}

uint32_t cohort_bucket(uint64_t order)
{
    return (uint32_t)(((order >> 32) * COHORT_BUCKETS) >> 32);
}

enum moult_status cohort_member_init(struct cohort_member *member,
                                     const struct moult_crypto *crypto,
                                     const uint8_t salt[COHORT_SALT_SIZE],
                                     const uint8_t id[COHORT_ID_SIZE])
{
    *member = (struct cohort_member){.is_eligible = true, .phase = COHORT_NO_PHASE};
    memcpy(member->id, id, COHORT_ID_SIZE);
    return cohort_order(crypto, salt, id, &member->order);
}

/* --- rules ---------------------------------------------------------------------------- */

static bool takes_all(const struct cohort_rule *rule)
{
    return rule->kind == COHORT_REST ||
           (rule->kind == COHORT_PERCENT && rule->value >= COHORT_BP_ALL);
}

static enum cohort_fault check_value(const struct cohort_rule *rule)
{
    switch (rule->kind) {
    case COHORT_PERCENT:
        return rule->value >= 1 && rule->value <= COHORT_BP_ALL ? COHORT_FINE
                                                                : COHORT_FAULT_VALUE;
    case COHORT_COUNT:
        return rule->value >= 1 && rule->value <= ROLLOUT_DEVICES_MAX ? COHORT_FINE
                                                                      : COHORT_FAULT_VALUE;
    case COHORT_REST:
        return COHORT_FINE;
    }
    return COHORT_FAULT_KIND;
}

/* The nearest earlier phase of the same kind must have a smaller value. */
static bool is_rising(const struct cohort_rule *rules, size_t index)
{
    for (size_t i = index; i-- > 0;) {
        if (rules[i].kind == rules[index].kind) {
            return rules[i].value < rules[index].value;
        }
    }
    return true;
}

enum cohort_fault cohort_check(const struct cohort_rule *rules, size_t rule_count,
                               size_t *index)
{
    *index = 0;
    if (rule_count < 1 || rule_count > ROLLOUT_PHASES_MAX) { return COHORT_FAULT_COUNT; }
    for (size_t i = 0; i < rule_count; i++) {
        *index = i;
        enum cohort_fault fault = check_value(&rules[i]);
        if (fault != COHORT_FINE) { return fault; }
        if (i > 0 && takes_all(&rules[i - 1])) { return COHORT_FAULT_AFTER_ALL; }
        if (!is_rising(rules, i)) { return COHORT_FAULT_NOT_RISING; }
    }
    return takes_all(&rules[rule_count - 1]) ? COHORT_FINE : COHORT_FAULT_LAST;
}

const char *cohort_fault_words(enum cohort_fault fault)
{
    switch (fault) {
    case COHORT_FINE:
        return "nothing";
    case COHORT_FAULT_COUNT:
        return "1 to 16 phases";
    case COHORT_FAULT_KIND:
        return "one of percent, count, rest";
    case COHORT_FAULT_VALUE:
        return "percent from 0.01 to 100, or count from 1 to 4000000";
    case COHORT_FAULT_NOT_RISING:
        return "more than in the phases before it";
    case COHORT_FAULT_AFTER_ALL:
        return "no phase behind one that takes all devices";
    case COHORT_FAULT_LAST:
        return "the last phase to be rest or 100 percent";
    }
    return "?";
}

/* --- sorting: heap sort, since it needs neither memory nor recursion ---------------------
 */

static bool is_before(const struct cohort_member *a, const struct cohort_member *b)
{
    if (a->order != b->order) { return a->order < b->order; }
    return memcmp(a->id, b->id, COHORT_ID_SIZE) < 0;
}

static void sift_down(struct cohort_member *members, size_t root, size_t count)
{
    struct cohort_member moving = members[root];
    for (size_t child = 2 * root + 1; child < count; child = 2 * root + 1) {
        if (child + 1 < count && is_before(&members[child], &members[child + 1])) {
            child++;
        }
        if (!is_before(&moving, &members[child])) { break; }
        members[root] = members[child];
        root = child;
    }
    members[root] = moving;
}

static void sort_members(struct cohort_member *members, size_t count)
{
    for (size_t i = count / 2; i-- > 0;) {
        sift_down(members, i, count);
    }
    for (size_t end = count; end-- > 1;) {
        struct cohort_member largest = members[0];
        members[0] = members[end];
        members[end] = largest;
        sift_down(members, 0, end);
    }
}

/* --- planning ------------------------------------------------------------------------- */

struct plan {
    struct cohort_member *members; /* sorted */
    size_t count;
    uint32_t taken; /* in any phase so far */
};

/* Members not yet taken whose bucket is below the limit. They are a prefix of the order. */
static uint32_t take_buckets(struct plan *plan, uint8_t phase, uint32_t bucket_end)
{
    uint32_t took = 0;
    for (size_t i = 0; i < plan->count; i++) {
        struct cohort_member *member = &plan->members[i];
        if (cohort_bucket(member->order) >= bucket_end) { break; }
        if (member->phase != COHORT_NO_PHASE) { continue; }
        member->phase = phase;
        took++;
    }
    plan->taken += took;
    return took;
}

/* The first `wanted` eligible members not yet taken, in order. */
static uint32_t take_count(struct plan *plan, uint8_t phase, uint32_t wanted)
{
    uint32_t took = 0;
    for (size_t i = 0; i < plan->count && took < wanted; i++) {
        struct cohort_member *member = &plan->members[i];
        if (member->phase != COHORT_NO_PHASE || !member->is_eligible) { continue; }
        member->phase = phase;
        took++;
    }
    plan->taken += took;
    return took;
}

static uint32_t take_phase(struct plan *plan, const struct cohort_rule *rule, uint8_t phase)
{
    if (takes_all(rule)) { return take_buckets(plan, phase, COHORT_BUCKETS); }
    if (rule->kind == COHORT_COUNT) {
        return rule->value > plan->taken
                   ? take_count(plan, phase, rule->value - plan->taken)
                   : 0;
    }
    uint32_t took =
        take_buckets(plan, phase, rule->value * (COHORT_BUCKETS / COHORT_BP_ALL));
    if (took < rule->min_devices) {
        took += take_count(plan, phase, rule->min_devices - took);
    }
    return took;
}

void cohort_plan(const struct cohort_rule *rules, size_t rule_count,
                 struct cohort_member *members, size_t member_count, uint32_t *sizes)
{
    assert(rule_count >= 1 && rule_count <= ROLLOUT_PHASES_MAX);
    assert(member_count <= ROLLOUT_DEVICES_MAX);
    sort_members(members, member_count);
    struct plan plan = {.members = members, .count = member_count};
    for (size_t i = 0; i < member_count; i++) {
        members[i].phase = COHORT_NO_PHASE;
    }
    for (size_t i = 0; i < rule_count; i++) {
        uint32_t took = take_phase(&plan, &rules[i], (uint8_t)i);
        if (sizes) { sizes[i] = took; }
    }
    assert(plan.taken == member_count);
}

uint8_t cohort_phase_of(const struct cohort_rule *rules, size_t rule_count, uint64_t order)
{
    uint32_t bucket = cohort_bucket(order);
    for (size_t i = 0; i + 1 < rule_count; i++) {
        if (rules[i].kind == COHORT_PERCENT &&
            bucket < rules[i].value * (COHORT_BUCKETS / COHORT_BP_ALL)) {
            return (uint8_t)i;
        }
    }
    return (uint8_t)(rule_count - 1);
}
