/* clock_faults_test.c - device/src/: time goes wrong (F13), in every state of an update:
 * milliseconds that begin again after a reset, that leap by two months, and a device that
 * was dark for a year.
 */
#include <stdio.h>
#include <stdlib.h>
#include "formats/codes.h"
#include "tests/support/check.h"
#include "tests/support/update_world.h"

static struct world w, fresh;

static const char *const states[] = {"CHECKIN", "REPLY",   "RELEASE", "FETCH",
                                     "RECEIVE", "PROGRAM", "VERIFY",  "GATE",
                                     "ARM",     "SWITCH",  "REBOOT",  "CONFIRM"};
enum { STATES = sizeof states / sizeof states[0] };
#define DAY_MS (UINT64_C(86400) * 1000)

/* As the device sees it now; for everybody else time went on by itself. */
static void set_clock(uint64_t now_ms)
{
    w.unix_s = w.unix_s + w.now_ms / 1000 - now_ms / 1000;
    w.now_ms = now_ms;
}

static bool run_to(unsigned state)
{
    world_copy(&w, &fresh);
    return world_boot(&w, MOULT_RESET_POWER_ON) && world_until(&w, states[state]);
}

static bool ends_well(unsigned state)
{
    bool ends = world_settle(&w) && w.foreign_boots == 0 && world_runs(&w, &w.new) &&
                world_count(&w, MOULT_REPORT_CONFIRMED) == 1;
    if (!ends) { printf("  at %s\n", states[state]); }
    return ends;
}

static void test_milliseconds_begin_again_with_every_boot(void)
{
    for (unsigned state = 0; state < STATES; state++) {
        check(run_to(state));
        (void)moult_sim_flash_power_off(
            &w.device.chip.flash); /* it returns what I caused */
        set_clock(0);
        check(world_boot(&w, MOULT_RESET_POWER_ON));
        check(ends_well(state));
    }
}

static void test_a_year_in_the_dark_changes_nothing(void)
{
    for (unsigned state = 0; state < STATES; state++) {
        check(run_to(state));
        (void)moult_sim_flash_power_off(&w.device.chip.flash); /* as above */
        w.unix_s += 365 * DAY_MS / 1000;
        set_clock(0);
        check(world_boot(&w, MOULT_RESET_POWER_ON));
        check(ends_well(state));
    }
}

/* A stopped processor, or a broken timer: two months at once, past every timeout. A
 * transfer may then fail for its deadline, told once; asked again it succeeds. */
static void test_milliseconds_may_leap_ahead(void)
{
    unsigned too_late = 0;
    for (unsigned state = 0; state < STATES; state++) {
        check(run_to(state));
        set_clock(w.now_ms + 60 * DAY_MS);
        check(world_settle(&w));
        if (world_count(&w, MOULT_REPORT_FAILED) > 0) {
            check_equal(world_count(&w, MOULT_REPORT_FAILED), 1);
            check(world_report_with(&w, MOULT_D_XFER_DEADLINE) != NULL);
            world_deployment(&w, '2');
            w.action = MOULT_ACTION_INSTALL;
            too_late++;
        }
        check(ends_well(state));
    }
    check(too_late > 0 && too_late < STATES);
}

/* Far from 0, where a 32-bit count of milliseconds has wrapped many times. */
static void test_milliseconds_may_be_large(void)
{
    world_copy(&w, &fresh);
    set_clock(UINT64_C(1) << 40);
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    check(ends_well(0));
}

int main(void)
{
    world_make(&fresh);
    check_run(test_milliseconds_begin_again_with_every_boot);
    check_run(test_a_year_in_the_dark_changes_nothing);
    check_run(test_milliseconds_may_leap_ahead);
    check_run(test_milliseconds_may_be_large);
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
