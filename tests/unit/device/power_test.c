/* power_test.c - device/src/: power is cut at every flash operation of a whole update.
 *
 * The flash model counts operations: a page program, a sector erase, in the slots, in otadata and in the
 * key-value store alike. A good run says how many there are; then each is cut, in each way, and the
 * device must come back, always on an approved image, and end confirmed on the new one.
 * Repeat one: MOULT_CUT=1432 MOULT_FAULT=3 MOULT_TRACE=1 test_device_power
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "formats/codes.h"
#include "tests/support/check.h"
#include "tests/support/update_world.h"

static struct world w;
static struct world fresh; /* as made, to begin each run from without making keys again */

static const struct {
    enum moult_sim_fault fault;
    uint32_t torn_size;
    const char *name;
} faults[] = {
    {MOULT_SIM_CUT_BEFORE, 0, "before"}, {MOULT_SIM_CUT_AFTER, 0, "after"},
    {MOULT_SIM_CUT_TORN, 4, "torn 4"},   {MOULT_SIM_CUT_TORN, 20, "torn 20"},
    {MOULT_SIM_CUT_MIXED, 0, "mixed"},
};
enum { FAULTS = sizeof faults / sizeof faults[0] };

/* The session and the port point into the struct: never moved, only its bytes copied back. */
static void begin(void)
{
    world_forget(&w);
    w = fresh;
    moult_sim_storage_ram(&w.device.storage, w.device.bits, sizeof w.device.bits);
    w.device.chip.storage = &w.device.storage;
    w.device.chip.flash.storage = &w.device.storage;
    w.fleet.crypto = fresh.fleet.crypto;
    w.release.components[0].digest = w.new.digest;
    w.release.fleet_id = w.fleet.fleet_id;
    w.release.class_id = w.fleet.class_id;
}

static bool is_old_or_new(void)
{
    return world_runs(&w, &w.old) || world_runs(&w, &w.new);
}

/* Runs on through planned and unplanned resets until all is quiet; every boot is an approved one. */
static bool converge(unsigned cuts_left)
{
    for (unsigned i = 0; i <= cuts_left; i++) {
        if (world_settle(&w)) { return is_old_or_new(); }
        if (!w.device.chip.flash.is_off) { return false; } /* it never came to rest */
        if (!world_boot(&w, MOULT_RESET_POWER_ON) || !is_old_or_new()) { return false; }
    }
    return false;
}

static uint64_t operations_of_a_good_run(void)
{
    begin();
    if (!world_boot(&w, MOULT_RESET_POWER_ON) || !world_settle(&w)) { return 0; }
    return world_runs(&w, &w.new) ? w.device.chip.flash.operation_count : 0;
}

static bool run_with_cut(uint64_t at, unsigned fault)
{
    begin();
    w.device.chip.flash.plan = (struct moult_sim_plan){
        faults[fault].fault, at, faults[fault].torn_size, at * 2654435761u};
    bool is_up = world_boot(&w, MOULT_RESET_POWER_ON);
    if (!is_up && w.device.chip.flash.is_off) {
        is_up = world_boot(&w, MOULT_RESET_POWER_ON);
    }
    return is_up && converge(4) && world_runs(&w, &w.new) &&
           world_count(&w, MOULT_REPORT_CONFIRMED) == 1 &&
           world_count(&w, MOULT_REPORT_FAILED) == 0 &&
           world_count(&w, MOULT_REPORT_ROLLED_BACK) == 0;
}

static bool holds(uint64_t at, unsigned fault)
{
    if (run_with_cut(at, fault)) { return true; }
    char text[120];
    snprintf(text, sizeof text, "  cut %s operation: MOULT_CUT=%llu MOULT_FAULT=%u\n",
             faults[fault].name, (unsigned long long)at, fault);
    check_print(text);
    return false;
}

static void test_a_cut_at_any_flash_operation_loses_nothing(void)
{
    uint64_t count = operations_of_a_good_run();
    check(count > 100);
    printf("  %llu flash operations, %d ways to cut each\n", (unsigned long long)count,
           FAULTS);
    unsigned failures = 0;
    for (uint64_t at = 1; at <= count; at++) {
        for (unsigned fault = 0; fault < FAULTS; fault++) {
            failures += !holds(at, fault);
        }
    }
    check_equal(failures, 0);
}

/* One run, for looking at. */
static int run_one(const char *cut)
{
    const char *fault = getenv("MOULT_FAULT");
    return run_with_cut(strtoull(cut, NULL, 10), fault ? (unsigned)atoi(fault) % FAULTS : 0)
               ? 0
               : 1;
}

int main(void)
{
    world_make(&fresh);
    const char *cut = getenv("MOULT_CUT");
    if (cut) { return run_one(cut); }
    check_run(test_a_cut_at_any_flash_operation_loses_nothing);
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
