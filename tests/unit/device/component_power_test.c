/* component_power_test.c - device/src/component*.c: power is cut at every flash operation
 * of updates with data components.
 *
 * As power_test.c: a run without cuts counts the operations, on the chip and on the data
 * partitions as one series; then each is cut, in several ways, and once more in the
 * recovery. The promises of docs/design/components.md are looked at after every step, and
 * the device must end where the run without cuts ended.
 * MOULT_POWER_ALL=1: every way of cutting. Repeat one:
 * MOULT_STORY=0 MOULT_CUT=143 MOULT_FAULT=1 MOULT_TRACE=1 test_device_component_power, or
 * of the deep ones: MOULT_SEED=12.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/support/check.h"
#include "tests/support/component_world.h"

static struct component_world cw, fresh, second;
static struct world *const w = &cw.w;

static const struct {
    enum moult_sim_fault fault;
    uint32_t torn_size;
    const char *name;
} faults[] = {
    {MOULT_SIM_CUT_MIXED, 0, "mixed"}, {MOULT_SIM_CUT_AFTER, 0, "after"},
    {MOULT_SIM_CUT_WEAK, 0, "weak"},   {MOULT_SIM_CUT_BEFORE, 0, "before"},
    {MOULT_SIM_CUT_TORN, 4, "torn 4"}, {MOULT_SIM_CUT_TORN, 20, "torn 20"},
};
enum { FAULTS = sizeof faults / sizeof faults[0], FEW = 2 };

/* All three arrive; the new application fails its check; a second update, from the state
 * that the first left, in which www does not change; the same, and the bank is carried
 * over, while its slot still holds a whole application of two releases ago. */
enum story { ARRIVES, FAILS_ITS_CHECK, SECOND, CARRIES, STORIES };

static unsigned cuts;

static void begin(enum story story)
{
    component_world_copy(&cw, story >= SECOND ? &second : &fresh);
    if (story == CARRIES) {
        cw.files[CW_ASSETS][3] = cw.files[CW_ASSETS][2];
        component_world_offer(&cw, &w->new, 3, cw.set);
    }
    if (story == FAILS_ITS_CHECK) { w->health[2] = MOULT_HEALTH_FAILED; }
}

static bool has(unsigned www, unsigned assets, unsigned motor)
{
    unsigned slot = (unsigned)w->device.port.boot.booted;
    return component_world_version(&cw, CW_WWW, 0) == www &&
           component_world_version(&cw, CW_ASSETS, slot) == assets &&
           component_world_version(&cw, CW_MOTOR, 0) == motor;
}

static bool came_out_right(enum story story)
{
    unsigned confirmed = world_count(w, MOULT_REPORT_CONFIRMED);
    unsigned back = world_count(w, MOULT_REPORT_ROLLED_BACK);
    unsigned failed = world_count(w, MOULT_REPORT_FAILED);
    if (cw.broken != 0 || w->foreign_boots > 0 || failed > 0) { return false; }
    switch (story) {
    case ARRIVES:
        return world_runs(w, &w->new) && has(2, 2, 2) && confirmed == 1 && back == 0;
    case FAILS_ITS_CHECK:
        return world_runs(w, &w->old) && has(1, 1, 1) && confirmed == 0 && back == 1;
    default:
        return world_runs(w, &w->new) && has(2, story == CARRIES ? 2 : 3, 3) &&
               confirmed == 1 && back == 0;
    }
}

/* An application that a bootloader would accept must have its own data whole. */
static bool has_its_data(unsigned slot)
{
    return !world_slot_boots(w, slot) || component_world_version(&cw, CW_ASSETS, slot) != 0;
}

static bool converge(uint64_t second_cut)
{
    enum { CUTS_MAX = 3 };
    for (unsigned i = 0; i < CUTS_MAX; i++) {
        if (component_world_settle(&cw)) { return true; }
        if (!w->device.chip.flash.is_off || cw.broken != 0) { return false; }
        cuts++;
        if (!has_its_data(0) || !has_its_data(1)) { return false; }
        if (!component_world_boot(&cw, MOULT_RESET_POWER_ON)) { return false; }
        if (i == 0 && second_cut > 0) {
            cw.cut =
                (struct moult_sim_plan){.fault = MOULT_SIM_CUT_MIXED,
                                        .at = component_world_operations(&cw) + second_cut,
                                        .seed = second_cut};
        }
    }
    return false;
}

static uint64_t operations(enum story story)
{
    begin(story);
    uint64_t before = component_world_operations(&cw);
    if (!component_world_boot(&cw, MOULT_RESET_POWER_ON) || !component_world_settle(&cw) ||
        !came_out_right(story)) {
        return 0;
    }
    return component_world_operations(&cw) - before;
}

static bool run_with_cut(enum story story, uint64_t at, unsigned fault)
{
    begin(story);
    uint64_t next = at * 2654435761u >> 7 & 63; /* 0: none */
    cw.cut = (struct moult_sim_plan){.fault = faults[fault].fault,
                                     .at = component_world_operations(&cw) + at,
                                     .torn_size = faults[fault].torn_size,
                                     .seed = at};
    bool is_up = component_world_boot(&cw, MOULT_RESET_POWER_ON);
    if (!is_up && w->device.chip.flash.is_off) {
        is_up = component_world_boot(&cw, MOULT_RESET_POWER_ON);
    }
    return is_up && converge(next) && came_out_right(story);
}

static unsigned failures_of(enum story story, unsigned fault_count)
{
    if (getenv("MOULT_POWER_ALL")) { fault_count = FAULTS; }
    cuts = 0;
    uint64_t count = operations(story);
    unsigned failures = count == 0;
    for (uint64_t at = 1; at <= count; at++) {
        for (unsigned fault = 0; fault < fault_count; fault++) {
            if (run_with_cut(story, at, fault)) { continue; }
            failures++;
            printf("  %s, promise %u: MOULT_STORY=%d MOULT_CUT=%llu MOULT_FAULT=%u\n",
                   faults[fault].name, cw.broken, story, (unsigned long long)at, fault);
        }
    }
    printf("  story %d: %llu flash operations, %u ways to cut each, %u cuts happened\n",
           story, (unsigned long long)count, fault_count, cuts);
    return cuts >= count * fault_count ? failures : UINT32_MAX;
}

static void test_a_cut_at_any_flash_operation_leaves_old_or_known_or_new(void)
{
    check_equal(failures_of(ARRIVES, FEW + 1), 0);
}

static void test_a_cut_around_a_failed_trial_leaves_the_old_data(void)
{
    check_equal(failures_of(FAILS_ITS_CHECK, FEW), 0);
}

static void test_a_cut_in_the_next_update_changes_only_what_changes(void)
{
    check_equal(failures_of(SECOND, 1), 0);
}

static void test_a_cut_while_a_bank_is_carried_over_starts_nothing_half(void)
{
    check_equal(failures_of(CARRIES, 1), 0);
}

/* --- deep: cut again and again, with an application that says LATER now and then --- */

static uint32_t draw(uint64_t *random, uint32_t bound)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*random >> 33) % bound;
}

/* A trial that is cut often enough is given up: the old state then, but never a mixture. */
static bool is_old_or_new(enum story story)
{
    unsigned before = story == SECOND ? 2 : 1, now = before + 1;
    unsigned www = story == SECOND ? 2 : now;
    bool is_new = world_runs(w, &w->new) && has(www, now, now);
    bool is_old = world_runs(w, &w->old) && has(before, before, before);
    return (is_new || is_old) && cw.broken == 0 && w->foreign_boots == 0;
}

static bool run_deep(uint64_t seed)
{
    enum { CUTS_MOST = 7, AHEAD_MOST = 150 };
    uint64_t random = seed;
    enum story story = seed & 1 ? ARRIVES : SECOND;
    begin(story);
    if (!component_world_boot(&cw, MOULT_RESET_POWER_ON)) { return false; }
    for (unsigned left = 1 + draw(&random, CUTS_MOST); left > 0; left--) {
        unsigned fault = draw(&random, FAULTS);
        cw.may_apply = draw(&random, 4) == 0 ? MOULT_ANSWER_LATER : MOULT_ANSWER_YES;
        cw.motor_fails = draw(&random, 3);
        cw.cut = (struct moult_sim_plan){.fault = faults[fault].fault,
                                         .at = component_world_operations(&cw) + 1 +
                                               draw(&random, AHEAD_MOST),
                                         .torn_size = faults[fault].torn_size,
                                         .seed = random};
        for (unsigned i = 0; i < 2000 && !w->device.chip.flash.is_off; i++) {
            if (!component_world_step(&cw) && cw.broken != 0) { return false; }
        }
        cuts += w->device.chip.flash.is_off;
        cw.cut.fault = MOULT_SIM_FAULT_NONE;
        if (!component_world_boot(&cw, MOULT_RESET_POWER_ON)) { return false; }
    }
    cw.may_apply = MOULT_ANSWER_YES;
    cw.motor_fails = 0;
    bool is_quiet = component_world_settle(&cw) &&
                    component_world_boot(&cw, MOULT_RESET_POWER_ON) &&
                    component_world_settle(&cw); /* what was given up is tried again */
    return is_quiet && is_old_or_new(story);
}

static void test_any_number_of_cuts_ends_on_the_old_or_the_new_state(void)
{
    enum { RUNS = 80, RUNS_ALL = 5000 };
    unsigned failures = 0, runs = getenv("MOULT_POWER_ALL") ? RUNS_ALL : RUNS;
    cuts = 0;
    for (uint64_t seed = 1; seed <= runs; seed++) {
        if (run_deep(seed)) { continue; }
        failures++;
        printf("  promise %u: MOULT_SEED=%llu\n", cw.broken, (unsigned long long)seed);
    }
    printf("  %u deep runs, %u cuts happened\n", runs, cuts);
    check_equal(failures, 0);
}

/* A device that has made the first update, offered the next: the same www. */
static void make_second(void)
{
    static struct world_image third;
    component_world_copy(&second, &fresh);
    bool is_made = component_world_boot(&second, MOULT_RESET_POWER_ON) &&
                   component_world_settle(&second);
    if (!is_made) { abort(); }
    world_forget(&second.w);
    world_image(&second.w, &third,
                &(struct world_image_options){.sequence = 3, .version = "1.1.0"});
    second.w.old = second.w.new;
    second.w.new = third;
    memcpy(second.files[CW_WWW][3].data, second.files[CW_WWW][2].data, CW_FILE_MAX);
    second.files[CW_WWW][3].size = second.files[CW_WWW][2].size;
    component_world_offer(&second, &second.w.new, 3, second.set);
    world_deployment(&second.w, '2');
    second.w.action = MOULT_ACTION_INSTALL;
    second.w.report_count = 0;
}

static int run_one(const char *cut)
{
    const char *fault = getenv("MOULT_FAULT"), *story = getenv("MOULT_STORY");
    bool held = run_with_cut(
        story ? (enum story)(strtoul(story, NULL, 10) % STORIES) : ARRIVES,
        strtoull(cut, NULL, 10), fault ? (unsigned)strtoul(fault, NULL, 10) % FAULTS : 0);
    printf("%s, promise %u\n", held ? "holds" : "does not hold", cw.broken);
    return held ? 0 : 1;
}

int main(void)
{
    component_world_make(&fresh);
    make_second();
    const char *cut = getenv("MOULT_CUT");
    if (cut) { return run_one(cut); }
    const char *seed = getenv("MOULT_SEED");
    if (seed) { return run_deep(strtoull(seed, NULL, 10)) ? 0 : 1; }
    check_run(test_a_cut_at_any_flash_operation_leaves_old_or_known_or_new);
    check_run(test_a_cut_around_a_failed_trial_leaves_the_old_data);
    check_run(test_a_cut_in_the_next_update_changes_only_what_changes);
    check_run(test_any_number_of_cuts_ends_on_the_old_or_the_new_state);
    check_run(test_a_cut_while_a_bank_is_carried_over_starts_nothing_half);
    world_forget(w);
    component_world_free(&fresh);
    return check_report();
}
