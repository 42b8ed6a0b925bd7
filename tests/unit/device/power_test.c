/* power_test.c - device/src/: power is cut at every flash operation of a whole update.
 *
 * The flash model counts operations: a page program, a sector erase, in the slots, in
 * otadata and in the key-value store alike. A run without cuts says how many there are;
 * then each is cut, in each way, and once more somewhere in the recovery. The device must
 * come back every time, always on an approved image, and end where the run without cuts
 * ended.
 * MOULT_POWER_ALL=1: every way of cutting in every story; else the first two or three.
 * Repeat one: MOULT_STORY=0 MOULT_CUT=143 MOULT_FAULT=3 MOULT_TRACE=1 test_device_power
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "device/src/journal.h"
#include "tests/support/check.h"
#include "tests/support/update_world.h"

static struct world w;
static struct world
    fresh; /* as made: each run begins from its bytes, without making keys again */

static unsigned cuts; /* that happened */

static const struct {
    enum moult_sim_fault fault;
    uint32_t torn_size;
    const char *name;
} faults[] = {
    {MOULT_SIM_CUT_MIXED, 0, "mixed"},   {MOULT_SIM_CUT_AFTER, 0, "after"},
    {MOULT_SIM_CUT_BEFORE, 0, "before"}, {MOULT_SIM_CUT_TORN, 4, "torn 4"},
    {MOULT_SIM_CUT_TORN, 20, "torn 20"},
};
enum { FAULTS = sizeof faults / sizeof faults[0], FEW = 2 /* the first ones */ };

/* What the new image does, and where the device ends. */
enum story { CONFIRMS, FAILS_ITS_CHECK, CRASHES, ENCRYPTED, STORIES };

static void begin(enum story story)
{
    world_copy(&w, &fresh);
    if (story == FAILS_ITS_CHECK) { w.health[2] = MOULT_HEALTH_FAILED; }
    w.is_encrypted = story == ENCRYPTED;
    if (story == CRASHES) {
        w.crash_sequence = 2;
        w.crash_after = 3;
    }
}

static bool came_out_right(enum story story)
{
    unsigned confirmed = world_count(&w, MOULT_REPORT_CONFIRMED);
    unsigned back = world_count(&w, MOULT_REPORT_ROLLED_BACK);
    unsigned failed = world_count(&w, MOULT_REPORT_FAILED);
    if (w.foreign_boots > 0) { return false; }
    if (story == CONFIRMS || story == ENCRYPTED) {
        return world_runs(&w, &w.new) && confirmed == 1 && back == 0 && failed == 0;
    }
    return world_runs(&w, &w.old) && confirmed == 0 && back == 1 && failed == 0;
}

/* Until everything about the new image is proven no bootloader may accept it. */
static bool is_proven_or_dead(void)
{
    bool is_proven = w.stage >= MOULT_STAGE_VERIFIED || world_runs(&w, &w.new);
    return is_proven || !world_slot_boots(&w, 1);
}

/* Runs on through the resets until all is quiet. The first recovery is cut again. */
static bool converge(uint64_t second_cut)
{
    enum { CUTS_MAX = 3 };
    for (unsigned i = 0; i < CUTS_MAX; i++) {
        if (world_settle(&w)) { return true; }
        if (!w.device.chip.flash.is_off) { return false; } /* it never came to rest */
        if (!is_proven_or_dead()) { return false; }
        cuts++;
        if (!world_boot(&w, MOULT_RESET_POWER_ON)) { return false; }
        if (i == 0 && second_cut > 0) {
            w.device.chip.flash.plans[0] = (struct moult_sim_plan){
                .fault = MOULT_SIM_CUT_MIXED,
                .at = w.device.chip.flash.operation_count + second_cut,
                .seed = second_cut};
        }
    }
    return false;
}

static uint64_t operations(enum story story)
{
    begin(story);
    if (!world_boot(&w, MOULT_RESET_POWER_ON) || !world_settle(&w)) { return 0; }
    return came_out_right(story) ? w.device.chip.flash.operation_count : 0;
}

static bool run_with_cut(enum story story, uint64_t at, unsigned fault)
{
    begin(story);
    uint64_t second = at * 2654435761u >> 7 & 63; /* 0: none */
    w.device.chip.flash.plans[0] =
        (struct moult_sim_plan){.fault = faults[fault].fault,
                                .at = at,
                                .torn_size = faults[fault].torn_size,
                                .seed = at};
    bool is_up = world_boot(&w, MOULT_RESET_POWER_ON);
    if (!is_up && w.device.chip.flash.is_off) {
        is_up = world_boot(&w, MOULT_RESET_POWER_ON);
    }
    return is_up && converge(second) && came_out_right(story);
}

static bool holds(enum story story, uint64_t at, unsigned fault)
{
    if (run_with_cut(story, at, fault)) { return true; }
    char text[120];
    snprintf(text, sizeof text, "  %s: MOULT_STORY=%d MOULT_CUT=%llu MOULT_FAULT=%u\n",
             faults[fault].name, story, (unsigned long long)at, fault);
    check_print(text);
    return false;
}

static unsigned failures_of(enum story story, unsigned fault_count)
{
    if (getenv("MOULT_POWER_ALL")) { fault_count = FAULTS; }
    cuts = 0;
    uint64_t count = operations(story);
    unsigned failures = count == 0;
    printf("  story %d: %llu flash operations, %u ways to cut each\n", story,
           (unsigned long long)count, fault_count);
    for (uint64_t at = 1; at <= count; at++) {
        for (unsigned fault = 0; fault < fault_count; fault++) {
            failures += !holds(story, at, fault);
        }
    }
    printf("  %u cuts happened\n", cuts);
    return cuts >= count * fault_count ? failures
                                       : UINT32_MAX; /* each planned one, and second ones */
}

static void test_a_cut_at_any_flash_operation_loses_nothing(void)
{
    check_equal(failures_of(CONFIRMS, FEW + 1), 0);
}

static void test_the_same_with_flash_encryption(void)
{
    check_equal(failures_of(ENCRYPTED, FEW), 0);
}

static void test_a_cut_around_a_failed_trial_loses_no_verdict(void)
{
    check_equal(failures_of(FAILS_ITS_CHECK, FEW), 0);
}

static void test_a_cut_around_a_crashing_image_ends_on_the_old_one(void)
{
    check_equal(failures_of(CRASHES, FEW), 0);
}

/* One run, for looking at. */
static int run_one(const char *cut)
{
    const char *fault = getenv("MOULT_FAULT"), *story = getenv("MOULT_STORY");
    bool held = run_with_cut(
        story ? (enum story)(strtoul(story, NULL, 10) % STORIES) : CONFIRMS,
        strtoull(cut, NULL, 10), fault ? (unsigned)strtoul(fault, NULL, 10) % FAULTS : 0);
    printf("%s\n", held ? "holds" : "does not hold");
    return held ? 0 : 1;
}

int main(void)
{
    world_make(&fresh);
    const char *cut = getenv("MOULT_CUT");
    if (cut) { return run_one(cut); }
    check_run(test_a_cut_at_any_flash_operation_loses_nothing);
    check_run(test_the_same_with_flash_encryption);
    check_run(test_a_cut_around_a_failed_trial_loses_no_verdict);
    check_run(test_a_cut_around_a_crashing_image_ends_on_the_old_one);
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
