/* clock_test.c - the time of a simulated chip: what a reset keeps and what F13 takes. */
#include "ports/sim/clock.h"
#include <string.h>
#include "moult/port.h"
#include "tests/support/check.h"
#include "tests/support/sim_device.h"

static struct moult_sim_clock timer;

static void test_milliseconds_begin_again_at_every_reset(void)
{
    memset(&timer, 0, sizeof timer);
    moult_sim_clock_pass(&timer, 1999);
    check_equal(moult_sim_clock_ms(&timer), 1);
    moult_sim_clock_reset(&timer, true);
    check_equal(moult_sim_clock_ms(&timer), 0);
    moult_sim_clock_pass(&timer, 86400000000u);
    check_equal(moult_sim_clock_ms(&timer), 86400000);
}

static void test_the_wall_clock_outlives_resets_but_not_a_loss_of_power(void)
{
    uint64_t unix_s = 7;
    memset(&timer, 0, sizeof timer);
    check(!moult_sim_clock_unix(&timer, &unix_s));
    check_equal(unix_s, 7);
    moult_sim_clock_pass(&timer, 5000000);
    moult_sim_clock_set(&timer, 1790000000);
    moult_sim_clock_reset(&timer, true);
    moult_sim_clock_pass(&timer, 3000000);
    check(moult_sim_clock_unix(&timer, &unix_s));
    check_equal(unix_s, 1790000003);
    moult_sim_clock_reset(&timer, false);
    check(!moult_sim_clock_unix(&timer, &unix_s));
}

static void test_the_wall_clock_may_jump_either_way_and_the_milliseconds_do_not(void)
{
    uint64_t unix_s;
    memset(&timer, 0, sizeof timer);
    moult_sim_clock_pass(&timer, 2000000);
    moult_sim_clock_set(&timer, 1790000000);
    moult_sim_clock_jump(&timer, 3600);
    check(moult_sim_clock_unix(&timer, &unix_s));
    check_equal(unix_s, 1790003600);
    moult_sim_clock_jump(&timer, -7200);
    check(moult_sim_clock_unix(&timer, &unix_s));
    check_equal(unix_s, 1789996400);
    check_equal(moult_sim_clock_ms(&timer), 2000);
}

static void test_the_reset_class_decides_what_a_boot_keeps(void)
{
    static struct sim_device device;
    uint64_t unix_s;
    sim_device_make(&device);
    for (uint8_t reset = MOULT_RESET_UNKNOWN; reset <= MOULT_RESET_CPU_LOCKUP; reset++) {
        bool is_power = reset == MOULT_RESET_POWER_ON || reset == MOULT_RESET_BROWNOUT ||
                        reset == MOULT_RESET_POWER_GLITCH;
        moult_sim_clock_pass(&device.chip.clock, 1000000);
        moult_sim_clock_set(&device.chip.clock, 1790000000);
        check_equal(sim_device_boot(&device, reset), MOULT_OK);
        check_equal(moult_sim_clock_ms(&device.chip.clock), 0);
        check_equal(moult_sim_clock_unix(&device.chip.clock, &unix_s), !is_power);
    }
}

int main(void)
{
    check_run(test_milliseconds_begin_again_at_every_reset);
    check_run(test_the_wall_clock_outlives_resets_but_not_a_loss_of_power);
    check_run(test_the_wall_clock_may_jump_either_way_and_the_milliseconds_do_not);
    check_run(test_the_reset_class_decides_what_a_boot_keeps);
    return check_report();
}
