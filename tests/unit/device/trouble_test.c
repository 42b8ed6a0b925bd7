/* trouble_test.c - device/src/trouble.c, and what else keeps a device from falling silent:
 * nothing that went wrong is lost because the store or the flash failed at that moment.
 *
 * Each of these was found by the power suite (tests/power). */
#include <string.h>
#include "device/src/journal.h"
#include "formats/codes.h"
#include "tests/support/check.h"
#include "tests/support/update_world.h"

static struct world w, fresh;

static bool boots(void)
{
    world_copy(&w, &fresh);
    return world_boot(&w, MOULT_RESET_POWER_ON);
}

static void refuse_reports(struct world *world)
{
    world->kv_fails = "report";
}

static void test_a_failure_that_could_not_be_stored_is_told_with_the_next_order(void)
{
    check(boots());
    w.transfer = WORLD_FLIPPED;
    w.kv_fails = "report";
    for (unsigned i = 0; w.checkins < 3 && i < WORLD_STEPS_MAX; i++) {
        check(world_step(&w));
    }
    check_equal(w.report_count, 0);
    w.kv_fails = NULL;
    check(world_settle(&w));
    check_equal(world_count(&w, MOULT_REPORT_FAILED), 1);
    check(world_runs(&w, &w.old));
}

static void test_a_verdict_that_could_not_be_stored_is_told_before_the_next_order(void)
{
    check(boots());
    w.health[2] = MOULT_HEALTH_FAILED;
    w.keeps_offering = true;
    w.hook_state = "ROLLBACK";
    w.hook = refuse_reports;
    check(world_until(&w, "ROLLBACK"));
    unsigned checkins = w.checkins;
    for (unsigned i = 0; w.checkins < checkins + 2 && i < WORLD_STEPS_MAX; i++) {
        check(world_step(&w));
    }
    check(world_runs(&w, &w.old));
    check_equal(world_count(&w, MOULT_REPORT_ROLLED_BACK), 0);
    check_equal(w.session.plan.stage, MOULT_STAGE_FAILED); /* and so it is not lost */
    uint64_t fetched = w.artifact_bytes;
    w.kv_fails = NULL;
    check(world_hears(&w, MOULT_D_SELFTEST));
    check_equal(world_count(&w, MOULT_REPORT_ROLLED_BACK), 1);
    check_equal(w.artifact_bytes, fetched);
}

static void test_a_confirmation_is_stored_at_the_second_attempt(void)
{
    check(boots());
    w.hook_state = "CONFIRM";
    w.hook = refuse_reports;
    check(world_until(&w, "CONFIRM"));
    for (unsigned i = 0; w.session.trial.mark_tries == 0 && i < 100; i++) {
        check(world_step(&w));
    }
    w.kv_fails = NULL;
    check(world_settle(&w));
    check_equal(world_count(&w, MOULT_REPORT_CONFIRMED), 1);
}

/* Selecting the old slot anew would put the old image on trial: at the reset after that
 * neither entry of otadata would count. */
static void test_the_old_image_is_not_on_trial_after_a_rollback_that_failed(void)
{
    check(boots());
    w.health[2] = MOULT_HEALTH_FAILED;
    w.mark_invalid_error = 0x1505;
    check(world_hears(&w, MOULT_D_SELFTEST));
    check(world_runs(&w, &w.old));
    struct moult_boot_info boot;
    check_equal(w.port.boot_info(w.port.context, &boot), 0);
    check_equal(boot.state, MOULT_SLOT_VALID);
    check_equal(world_count(&w, MOULT_REPORT_ROLLED_BACK), 1);
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    check(world_runs(&w, &w.old));
}

static uint64_t fails_after;

static void fail_an_operation(struct world *world)
{
    struct moult_sim_flash *flash = &world->device.chip.flash;
    flash->plans[0] = (struct moult_sim_plan){.fault = MOULT_SIM_FAIL,
                                              .at = flash->operation_count + fails_after};
}

/* Marking is an erase and a program: where the second fails, the entry that counts is the
 * old image's, and a second attempt must not mark that. */
static void test_a_rollback_that_fails_half_way_leaves_the_old_entry_alone(void)
{
    enum { OPERATIONS = 24 }; /* more than a rollback makes */
    for (fails_after = 1; fails_after <= OPERATIONS; fails_after++) {
        check(boots());
        w.health[2] = MOULT_HEALTH_FAILED;
        w.hook_state = "ROLLBACK";
        w.hook = fail_an_operation;
        check(world_settle(&w));
        struct moult_boot_info boot;
        check_equal(w.port.boot_info(w.port.context, &boot), 0);
        check_equal(boot.selected, 0);
        check_equal(boot.running, 0);
        check_equal(boot.state, MOULT_SLOT_VALID);
    }
}

static void test_a_trial_that_nobody_remembers_ends_by_itself(void)
{
    check(boots());
    check(world_until(&w, "REBOOT"));
    check(world_step(&w) && world_step(&w)); /* the reset into the new image */
    check(world_runs(&w, &w.new));
    memset(w.device.bits + SIM_NVS_AT, 0xff, SIM_OTADATA_AT - SIM_NVS_AT);
    check(moult_sim_nvs_mount(&w.device.port.nvs, &w.device.chip.flash, SIM_NVS_AT,
                              SIM_OTADATA_AT - SIM_NVS_AT, true) == MOULT_OK);
    check(world_until(&w, "REBOOT")); /* otadata says PENDING, and no journal why */
    check(w.now_ms >= 300000);        /* after the time that a trial may take */
    check(world_settle(&w));
    check(world_runs(&w, &w.new)); /* this time with a journal */
    check_equal(world_count(&w, MOULT_REPORT_CONFIRMED), 1);
}

static void test_two_reads_that_fail_in_a_row_change_nothing(void)
{
    enum { READS = 400 }; /* more than a start makes */
    check(boots());
    struct moult_sim_flash *flash = &w.device.chip.flash;
    for (uint64_t at = 1; at <= READS; at++) {
        check(boots());
        flash->plans[0] = (struct moult_sim_plan){
            .fault = MOULT_SIM_READ_FAIL, .at = flash->read_count + at, .count = 2};
        check(world_until(&w, "IDLE"));
        check_equal(w.session.disabled, 0);
        check_bytes(w.session.running.digest, w.old.digest, 32);
    }
}

int main(void)
{
    world_make(&fresh);
    check_run(test_a_failure_that_could_not_be_stored_is_told_with_the_next_order);
    check_run(test_a_verdict_that_could_not_be_stored_is_told_before_the_next_order);
    check_run(test_a_confirmation_is_stored_at_the_second_attempt);
    check_run(test_the_old_image_is_not_on_trial_after_a_rollback_that_failed);
    check_run(test_a_rollback_that_fails_half_way_leaves_the_old_entry_alone);
    check_run(test_a_trial_that_nobody_remembers_ends_by_itself);
    check_run(test_two_reads_that_fail_in_a_row_change_nothing);
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
