/* trial_test.c - device/src/trial.c and boot.c: an image proves itself, or the old one
 * comes back. */
#include <string.h>
#include "formats/codes.h"
#include "formats/otadata.h"
#include "tests/support/check.h"
#include "tests/support/sample_image.h"
#include "tests/support/update_world.h"

static struct world w, fresh;

static void begin(void)
{
    world_copy(&w, &fresh);
}

static bool boots(void)
{
    return world_boot(&w, MOULT_RESET_POWER_ON);
}

static void offer_policy(unsigned key)
{
    w.policy_keys |= 1u << key;
}

/* --- trials --- */

static void check_back(uint16_t detail, uint16_t reason, const char *text)
{
    const struct world_report *report = world_report_of(&w, MOULT_REPORT_ROLLED_BACK);
    check(report != NULL);
    check_equal(report->detail, detail);
    check_equal(report->reason, reason);
    check(strcmp(report->text, text) == 0);
    check(world_runs(&w, &w.old));
    check(!world_slot_boots(&w, 1)); /* what was refused cannot come back by a fallback */
    check_equal(world_count(&w, MOULT_REPORT_CONFIRMED), 0);
}

static void test_a_failed_check_goes_back_and_is_named(void)
{
    begin();
    w.health[2] = MOULT_HEALTH_FAILED;
    check(boots());
    check(world_settle(&w));
    check_back(MOULT_D_SELFTEST, MOULT_R_TRIAL_SELFTEST, "sensor");
}

static void test_a_check_that_never_answers_has_its_own_deadline(void)
{
    begin();
    w.health[2] = MOULT_HEALTH_WAIT;
    check(boots());
    check(world_until(&w, "ROLLBACK"));
    check(w.now_ms > 22000 && w.now_ms < 26000); /* 20 s after the trial began */
    check(world_settle(&w));
    check_back(MOULT_D_SELFTEST, MOULT_R_TRIAL_SELFTEST, "sensor: no answer");
}

static void server_goes_away(struct world *world)
{
    world->is_down = true;
}

static void test_without_the_server_nothing_is_confirmed(void)
{
    begin();
    offer_policy(MOULT_POLICY_CONFIRM);
    w.policy.confirm_timeout_s = 40;
    w.hook_state = "SWITCH";
    w.hook = server_goes_away;
    check(boots());
    check(world_until(&w, "ROLLBACK"));
    check(w.now_ms > 41000 && w.now_ms < 45000);
    w.is_down = false;
    check(world_settle(&w));
    check_back(MOULT_D_CONFIRM_TIMEOUT, MOULT_R_TRIAL_NO_NETWORK, "server: missing");
}

static void answers_garbage(struct world *world)
{
    world->order_keys = 1u << STATEMENTS_RELEASE;
}

static void test_an_answer_that_is_not_signed_is_no_server_contact(void)
{
    begin();
    w.hook_state = "SWITCH";
    w.hook = answers_garbage;
    check(boots());
    check(world_until(&w, "ROLLBACK"));
    check(w.checkins > 3);
    w.order_keys = 0;
    check(world_settle(&w));
    check_back(MOULT_D_CONFIRM_TIMEOUT, MOULT_R_TRIAL_NO_SERVER, "server: missing");
}

static void test_a_crash_on_trial_is_told_with_its_reset(void)
{
    begin();
    w.crash_sequence = 2;
    w.crash_after = 2;
    check(boots());
    check(world_settle(&w));
    check_back(MOULT_D_REVERTED, MOULT_R_TRIAL_PANIC, "");
    const struct world_report *report = world_report_of(&w, MOULT_REPORT_ROLLED_BACK);
    check(report->has_reset);
    check_equal(report->reset, MOULT_RESET_PANIC);
}

static void test_a_watchdog_on_trial_has_its_own_reason(void)
{
    begin();
    check(boots());
    check(world_until(&w, "REBOOT"));
    check(world_boot(&w, MOULT_RESET_SOFTWARE));
    check(world_until(&w, "CHECKIN"));
    check(world_boot(&w, MOULT_RESET_TASK_WATCHDOG));
    check(world_settle(&w));
    check_back(MOULT_D_REVERTED, MOULT_R_TRIAL_WATCHDOG, "");
}

static void test_the_application_may_give_a_trial_up(void)
{
    begin();
    w.health[2] = MOULT_HEALTH_WAIT;
    check(boots());
    check_equal(moult_reject(&w.session), MOULT_E_STATE);
    check(world_until(&w, "REBOOT"));
    check(world_boot(&w, MOULT_RESET_SOFTWARE));
    check(world_until(&w, "CHECKIN"));
    check(moult_on_trial(&w.session));
    check_equal(moult_reject(&w.session), MOULT_OK);
    check(world_settle(&w));
    check_back(MOULT_D_REVERTED, MOULT_R_TRIAL_MANUAL, "given up");
}

/* Power fails while the image is on trial, that many times. */
static bool lose_power_on_trial(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        if (!world_until(&w, "REBOOT") || !world_boot(&w, MOULT_RESET_SOFTWARE) ||
            !world_until(&w, "CHECKIN") || !moult_on_trial(&w.session) || !boots()) {
            return false;
        }
    }
    return true;
}

static void test_an_unconfirmed_image_without_a_journal_installs_nothing(void)
{
    begin();
    check(boots());
    check(world_until(&w, "REBOOT"));
    memset(w.device.bits + SIM_NVS_AT, 0xff, 0x3000); /* the store is lost */
    world_offer(&w, &w.old);
    world_deployment(&w, '2');
    w.release.sequence = 3;
    world_sign_release(&w, 0);
    check(world_boot(&w, MOULT_RESET_SOFTWARE));
    check(world_runs(&w, &w.new));
    check(world_until(&w, "ORDER"));
    check(world_until(&w, "IDLE"));
    check(world_until(&w, "ORDER"));
    check_equal(world_report_of(&w, MOULT_REPORT_DEFERRED)->reason,
                MOULT_R_PRE_PENDING_VERIFY);
    check_equal(w.artifact_requests, 2); /* of the first update */
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    check(world_runs(&w, &w.old));
}

static void test_a_trial_cut_off_is_tried_again_without_a_download(void)
{
    begin();
    check(boots());
    check(lose_power_on_trial(2));
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check_equal(w.artifact_bytes, w.new.size);
    check_equal(world_report_with(&w, MOULT_D_POWER_REVERT)->kind, MOULT_REPORT_EVENT);
    check_equal(world_count(&w, MOULT_REPORT_CONFIRMED), 1);
}

static void test_the_third_cut_ends_it_but_blocks_nothing(void)
{
    begin();
    check(boots());
    check(lose_power_on_trial(3));
    check(world_settle(&w));
    check_back(MOULT_D_POWER_REVERT, MOULT_R_POWER_LOSS, "");
    world_deployment(&w, '2');
    w.action = MOULT_ACTION_INSTALL;
    moult_check_now(&w.session, w.now_ms);
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
}

static void test_a_release_that_failed_twice_is_blocked_until_the_block_is_lifted(void)
{
    begin();
    w.health[2] = MOULT_HEALTH_FAILED;
    check(boots());
    check(world_settle(&w));
    for (char number = '2'; number <= '3'; number++) {
        world_deployment(&w, number);
        w.action = MOULT_ACTION_INSTALL;
        moult_check_now(&w.session, w.now_ms);
        check(world_settle(&w));
    }
    check_equal(world_count(&w, MOULT_REPORT_ROLLED_BACK), 2);
    const struct world_report *report = world_report_of(&w, MOULT_REPORT_FAILED);
    check_equal(report->detail, MOULT_D_BLOCKED);
    check(memcmp(report->deployment, "deployment-00003", 16) == 0);

    w.health[2] = MOULT_HEALTH_OK;
    world_deployment(&w, '4');
    offer_policy(MOULT_POLICY_LIFT_BLOCK);
    w.policy.lift_block = 1;
    w.action = MOULT_ACTION_INSTALL;
    moult_check_now(&w.session, w.now_ms);
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
}

static void test_the_same_order_is_not_obeyed_again_after_a_failed_trial(void)
{
    begin();
    w.health[2] = MOULT_HEALTH_FAILED;
    w.keeps_offering = true;
    check(boots());
    check(world_hears(&w, MOULT_D_ATTEMPTS));
    check_equal(world_count(&w, MOULT_REPORT_ROLLED_BACK), 1);
    check_equal(w.artifact_bytes, w.new.size);
}

static void test_without_bootloader_rollback_the_engine_selects_the_old_slot_itself(void)
{
    begin();
    w.device.build.has_rollback = false;
    w.mark_invalid_error = 0x1505;
    w.health[2] = MOULT_HEALTH_FAILED;
    check(boots());
    check(world_settle(&w));
    check_back(MOULT_D_SELFTEST, MOULT_R_TRIAL_SELFTEST, "sensor");
}

static void test_an_image_that_cannot_be_marked_valid_goes_back(void)
{
    begin();
    w.mark_valid_error = -1;
    check(boots());
    check(world_settle(&w));
    check_back(MOULT_D_SET_BOOT, MOULT_R_CONFIRM_FAILED, "mark valid");
}

static void test_a_floor_that_cannot_be_stored_is_told_and_the_image_stays(void)
{
    begin();
    w.release.rollback_floor = 2;
    world_image(&w, &w.new,
                &(struct world_image_options){
                    .sequence = 2, .version = "1.1.0", .rollback_floor = 2});
    world_offer(&w, &w.new);
    w.release.rollback_floor = 2;
    world_sign_release(&w, 0);
    w.kv_fails = "floor";
    check(boots());
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check_equal(world_report_with(&w, MOULT_D_FLOOR_WRITE)->kind, MOULT_REPORT_EVENT);
    check_equal(world_count(&w, MOULT_REPORT_CONFIRMED), 1);
}

/* --- boots --- */

static void test_another_image_in_the_slot_ends_the_plan(void)
{
    begin();
    check(boots());
    check(world_until(&w, "GATE"));
    world_put(&w, 1, &w.old); /* by cable, and selected */
    moult_otadata_encode(2, MOULT_OTADATA_VALID, w.device.bits + SIM_OTADATA_AT + 4096);
    w.action = MOULT_ACTION_NONE;
    check(boots());
    check_equal(w.device.port.boot.booted, 1);
    check(world_hears(&w, MOULT_D_SLOT_MISMATCH));
    check(world_settle(&w));
    check_equal(w.device.port.boot.booted, 1);
}

static void spoil_the_slot(struct world *world)
{
    world->device.bits[SIM_SLOT_1_AT + 4200] ^= 1; /* after set_boot has looked at it */
}

static void test_a_slot_the_bootloader_refuses_is_told(void)
{
    begin();
    w.hook_state = "REBOOT";
    w.hook = spoil_the_slot;
    check(boots());
    check(world_settle(&w));
    check_back(MOULT_D_REVERTED, MOULT_R_BOOT_REFUSED, "");
}

static void test_a_signature_sector_belongs_to_the_running_digest(void)
{
    begin();
    uint8_t image[SAMPLE_SIGNED_SIZE], digest[32];
    sample_signed_image(image);
    memcpy(w.device.bits + SIM_SLOT_0_AT, image, sizeof image);
    check(boots());
    check(world_until(&w, "CLASSIFY"));
    check(moult_sha256_once(&w.fleet.crypto, image, sizeof image, digest) == MOULT_OK);
    check_equal(w.session.running.size, sizeof image);
    check_bytes(w.session.running.digest, digest, 32);

    w.device.bits[SIM_SLOT_0_AT + 4096 + 10] ^= 1; /* of another image, or damaged */
    check(boots());
    check(world_until(&w, "CLASSIFY"));
    check_equal(w.session.running.size, SAMPLE_IMAGE_SIZE);
}

static void test_an_unmanaged_image_says_so(void)
{
    begin();
    sim_device_put_image(&w.device, 0, "0.9.0", 0);
    check(boots());
    check(world_hears(&w, MOULT_D_ANCHOR));
    check_equal(w.last_checkin.running_state, MOULT_RUNNING_UNMANAGED);
    check_equal(w.artifact_requests, 0);
}

int main(void)
{
    world_make(&fresh);
    check_run(test_a_failed_check_goes_back_and_is_named);
    check_run(test_a_check_that_never_answers_has_its_own_deadline);
    check_run(test_without_the_server_nothing_is_confirmed);
    check_run(test_an_answer_that_is_not_signed_is_no_server_contact);
    check_run(test_a_crash_on_trial_is_told_with_its_reset);
    check_run(test_a_watchdog_on_trial_has_its_own_reason);
    check_run(test_the_application_may_give_a_trial_up);
    check_run(test_an_unconfirmed_image_without_a_journal_installs_nothing);
    check_run(test_a_trial_cut_off_is_tried_again_without_a_download);
    check_run(test_the_third_cut_ends_it_but_blocks_nothing);
    check_run(test_a_release_that_failed_twice_is_blocked_until_the_block_is_lifted);
    check_run(test_the_same_order_is_not_obeyed_again_after_a_failed_trial);
    check_run(test_without_bootloader_rollback_the_engine_selects_the_old_slot_itself);
    check_run(test_an_image_that_cannot_be_marked_valid_goes_back);
    check_run(test_a_floor_that_cannot_be_stored_is_told_and_the_image_stays);
    check_run(test_another_image_in_the_slot_ends_the_plan);
    check_run(test_a_slot_the_bootloader_refuses_is_told);
    check_run(test_a_signature_sector_belongs_to_the_running_digest);
    check_run(test_an_unmanaged_image_says_so);
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
