/* session_test.c - device/src/session.c and its states: whole updates against a scripted server. */
#include <stdio.h>
#include <string.h>
#include "formats/codes.h"
#include "formats/secure_boot.h"
#include "formats/wake.h"
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

/* --- the good way ----------------------------------------------------------------------------- */

static void test_an_update_is_installed_confirmed_and_told_stage_by_stage(void)
{
    static const uint8_t stages[] = {
        MOULT_REPORT_DOWNLOADING, MOULT_REPORT_WRITTEN, MOULT_REPORT_VERIFIED,
        MOULT_REPORT_REBOOTING,   MOULT_REPORT_TRIAL,   MOULT_REPORT_CONFIRMED,
    };
    begin();
    check(boots());
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check_equal(w.report_count, sizeof stages);
    for (unsigned i = 0; i < sizeof stages; i++) {
        check_equal(w.reports[i].kind, stages[i]);
        check_equal(w.reports[i].copies, 1);
        check_equal(w.reports[i].detail, 0);
        check(memcmp(w.reports[i].deployment, "deployment-00001", 16) == 0);
    }
    check_equal(w.reboots_told, 1);
    check_equal(w.artifact_bytes, w.new.size);
    check_equal(w.last_checkin.running_sequence, 2);
    check_equal(w.last_checkin.running_state, MOULT_RUNNING_CONFIRMED);
}

static void test_facts_come_with_the_first_check_in_and_when_asked(void)
{
    begin();
    static const struct moult_attribute site = {"site", "north"};
    w.action = MOULT_ACTION_NONE;
    w.config.serial = "EM-0007";
    w.config.attributes = &site;
    w.config.attribute_count = 1;
    check(boots());
    check(world_until(&w, "ORDER"));
    uint32_t present = 1u << MOULT_FACTS_CHIP | 1u << MOULT_FACTS_SLOT_SIZE |
                       1u << MOULT_FACTS_VERSION | 1u << MOULT_FACTS_SERIAL |
                       1u << MOULT_FACTS_ENCODINGS | 1u << MOULT_FACTS_ATTRIBUTES;
    check_equal(w.last_facts & present, present);
    check_equal(w.last_checkin.facts.slot_size, SIM_SLOT_SIZE);
    check_equal(w.last_checkin.facts.attributes.count, 1);
    check(world_settle(&w));
    check_equal(w.last_facts, 0);
}

/* --- trials ------------------------------------------------------------------------------------- */

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

/* --- transfers ------------------------------------------------------------------------------------ */

static void test_a_transfer_goes_on_where_power_cut_it(void)
{
    begin();
    check(boots());
    check(world_until(&w, "RECORD"));
    check(world_step(&w));
    check(world_until(&w, "RECORD")); /* the second sector */
    check(world_step(&w));
    uint64_t before = w.artifact_bytes;
    check(before >= 8192);
    check(boots());
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check(w.artifact_bytes - before <= w.new.size - 8192 + 4096);
}

static void flip_first_sector(struct world *world)
{
    world->device.bits[SIM_SLOT_1_AT + 100] ^= 1;
}

static void test_bytes_that_rotted_between_two_boots_are_not_trusted(void)
{
    begin();
    check(boots());
    check(world_until(&w, "RECORD"));
    check(world_step(&w));
    flip_first_sector(&w);
    check(boots());
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check(w.artifact_bytes >= w.new.size + 4096); /* from the beginning */
}

static const struct {
    const char *name;
    enum world_transfer how;
    uint32_t at;
} faults_survived[] = {
    {"ranges ignored", WORLD_NO_RANGES, 0},   {"cut once", WORLD_CUT_ONCE, 5000},
    {"cut every sector", WORLD_CUT, 4500},    {"short every sector", WORLD_SHORT, 5000},
    {"changed at once", WORLD_CHANGED, 4096},
};

static void test_a_transfer_survives_what_can_be_survived(void)
{
    for (unsigned i = 0; i < sizeof faults_survived / sizeof faults_survived[0]; i++) {
        begin();
        check_row(faults_survived[i].name);
        w.transfer = faults_survived[i].how;
        w.transfer_at = faults_survived[i].at;
        w.config.window = 4096;
        if (w.transfer == WORLD_CUT || w.transfer == WORLD_SHORT) {
            w.config.window = 8192;
        }
        check(boots());
        check(world_settle(&w));
        check(world_runs(&w, &w.new));
    }
}

static void test_a_server_without_ranges_is_read_over_after_a_reset(void)
{
    begin();
    w.transfer = WORLD_NO_RANGES;
    check(boots());
    check(world_until(&w, "RECORD"));
    check(world_step(&w));
    check(boots());
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
}

static void test_the_next_source_is_tried(void)
{
    begin();
    w.second_url = "/device/v1/artifact-of-nobody";
    check(boots());
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check_equal(world_count(&w, MOULT_REPORT_FAILED), 0);
}

static void test_small_pieces_give_the_same_image(void)
{
    begin();
    w.config.piece = 33;
    w.config.window = 4096;
    check(boots());
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
}

static void test_paused_nothing_is_fetched_and_check_ins_go_on(void)
{
    begin();
    check(boots());
    check(world_until(&w, "RECORD"));
    check(world_step(&w));
    moult_pause(&w.session);
    check(world_step(&w));
    uint64_t bytes = w.artifact_bytes;
    unsigned checkins = w.checkins;
    for (unsigned i = 0; i < 3000; i++) {
        check(world_step(&w));
    }
    check_equal(w.artifact_bytes, bytes);
    check(w.checkins > checkins + 2);
    check(world_runs(&w, &w.old));
    moult_resume(&w.session);
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
}

static void test_a_throttle_is_obeyed(void)
{
    begin();
    check(boots());
    moult_throttle(&w.session, 500);
    check(world_until(&w, "CLEAN"));
    check(w.now_ms >= 1000 + (w.new.size - 4096) * 2ull);
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
}

static void test_retry_after_is_obeyed(void)
{
    begin();
    w.checkin_status = 503;
    w.retry_after_s = 100;
    check(boots());
    check(world_until(&w, "REPLY"));
    check(world_until(&w, "IDLE"));
    uint64_t before = w.now_ms;
    w.checkin_status = 0;
    check(world_until(&w, "ORDER"));
    check(w.now_ms - before >= 100000 && w.now_ms - before <= 111000);
}

static void test_back_off_doubles_and_stays_below_its_limit(void)
{
    begin();
    w.is_down = true;
    w.config.backoff_first_ms = 1000;
    w.config.backoff_max_ms = 16000;
    check(boots());
    uint64_t last = 0;
    for (unsigned i = 0; i < 10; i++) {
        check(world_until(&w, "CHECKIN"));
        uint64_t gap = w.now_ms - last;
        uint64_t full = i == 0 ? 1 : 1000ull << (i - 1);
        if (full > 16000) { full = 16000; }
        if (i > 0) { check(gap >= full / 2 && gap <= full * 3 / 2 + 100); }
        last = w.now_ms;
        check(world_until(&w, "IDLE"));
    }
}

/* --- orders ---------------------------------------------------------------------------------------- */

static void test_an_abort_ends_the_plan_and_the_slot(void)
{
    begin();
    check(boots());
    check(world_until(&w, "GATE"));
    check(boots());
    w.action = MOULT_ACTION_ABORT;
    check(world_settle(&w));
    check(world_runs(&w, &w.old));
    check(!world_slot_boots(&w, 1));
    check_equal(w.session.plan.stage, 0);
}

static void test_gone_is_a_hint_to_ask_and_no_order(void)
{
    begin();
    w.says_gone = true;
    check(boots());
    check(world_until(&w, "REPORT"));
    unsigned checkins = w.checkins;
    w.action = MOULT_ACTION_ABORT;
    check(world_until(&w, "ORDER"));
    check_equal(w.checkins, checkins + 1);
    check_equal(w.artifact_requests, 0);
    check(world_settle(&w));
    check(world_runs(&w, &w.old));
}

static void test_download_only_keeps_the_result_and_activates_it_later(void)
{
    begin();
    offer_policy(MOULT_POLICY_STAGE_ONLY);
    w.policy.stage_only = 1;
    w.keeps_offering = true;
    check(boots());
    check(world_until(&w, "GATE"));
    check(world_step(&w));
    check(world_until(&w, "REPLY"));
    check(world_step(&w));
    check(world_runs(&w, &w.old));
    w.policy.stage_only = 0;
    w.keeps_offering = false;
    check(world_settle(&w));
    check_equal(world_count(&w, MOULT_REPORT_STAGED), 1);
    check(world_runs(&w, &w.new));
    check_equal(w.artifact_bytes, w.new.size);
}

static void test_activation_waits_for_its_window(void)
{
    begin();
    w.policy.window_count = 1;
    w.policy.windows[0] =
        (struct moult_window){MOULT_WINDOW_ACTIVATE, w.unix_s + 500, w.unix_s + 1000};
    offer_policy(MOULT_POLICY_WINDOWS);
    check(boots());
    check(world_until(&w, "ARM"));
    check(w.now_ms >= 500000 && w.now_ms < 1000000);
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check_equal(world_count(&w, MOULT_REPORT_DEFERRED), 1);
    check_equal(w.artifact_bytes, w.new.size);
}

static void test_a_download_stops_when_its_window_ends(void)
{
    begin();
    w.policy.window_count = 2;
    w.policy.windows[0] =
        (struct moult_window){MOULT_WINDOW_DOWNLOAD, w.unix_s, w.unix_s + 6};
    w.policy.windows[1] =
        (struct moult_window){MOULT_WINDOW_DOWNLOAD, w.unix_s + 600, w.unix_s + 900};
    offer_policy(MOULT_POLICY_WINDOWS);
    w.config.window = 4096;
    check(boots());
    moult_throttle(&w.session, 1000);
    check(world_until(&w, "CLEAN"));
    check(w.now_ms >= 600000);
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
}

static void test_a_weak_signal_waits(void)
{
    begin();
    offer_policy(MOULT_POLICY_SIGNAL);
    w.policy.signal_dbm = 80;
    w.signal_dbm = 95;
    check(boots());
    check(world_until(&w, "REPLY"));
    check(world_until(&w, "IDLE"));
    check(world_until(&w, "ORDER"));
    check_equal(w.artifact_requests, 0);
    check_equal(world_report_of(&w, MOULT_REPORT_DEFERRED)->reason, MOULT_R_PRE_LINK_POOR);
    w.signal_dbm = 70;
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
}

static void test_the_user_may_defer_until_no_deferral_is_left(void)
{
    begin();
    offer_policy(MOULT_POLICY_CONSENT);
    offer_policy(MOULT_POLICY_DEFERRALS);
    w.policy.consent = 1;
    w.policy.deferrals = 1;
    w.answer = MOULT_ANSWER_LATER;
    check(boots());
    check(world_hears(&w, MOULT_D_DEFER_CONSENT));
    check_equal(world_report_with(&w, MOULT_D_DEFER_CONSENT)->kind,
                MOULT_REPORT_USER_DEFERRED);
    check_equal(w.artifact_requests, 0);
    w.policy.deferrals = 0;
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
}

static void test_a_busy_application_is_asked_again(void)
{
    begin();
    w.answer = MOULT_ANSWER_LATER;
    check(boots());
    check(world_hears(&w, MOULT_D_DEFER_CONSENT));
    check_equal(world_report_with(&w, MOULT_D_DEFER_CONSENT)->reason, MOULT_R_PRE_BUSY);
    w.answer = MOULT_ANSWER_YES;
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
}

static void test_what_runs_already_is_confirmed_without_a_download(void)
{
    begin();
    w.keeps_offering = true;
    check(boots());
    check(world_hears(&w, 0));
    check(world_settle(&w));
    world_deployment(&w, '2');
    moult_check_now(&w.session, w.now_ms);
    check(world_settle(&w));
    const struct world_report *report = world_report_of(&w, MOULT_REPORT_CONFIRMED);
    check(memcmp(report->deployment, "deployment-00002", 16) == 0);
    check_equal(w.artifact_bytes, w.new.size);
}

static void test_a_slot_that_holds_the_result_is_taken_as_it_is(void)
{
    begin();
    world_put(&w, 1, &w.new);
    check(boots());
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check_equal(w.artifact_bytes, 0);
}

static void test_a_slot_that_only_says_so_is_written_again(void)
{
    begin();
    world_put(&w, 1, &w.new);
    w.device.bits[SIM_SLOT_1_AT + 5000] ^= 1;
    check(boots());
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check_equal(w.artifact_bytes, w.new.size);
    check_equal(world_count(&w, MOULT_REPORT_FAILED), 0);
}

static void test_nothing_old_survives_behind_the_image(void)
{
    begin();
    memset(w.device.bits + SIM_SLOT_1_AT, 0x00, SIM_SLOT_SIZE);
    check(boots());
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    uint32_t end = (w.new.size + 4095) / 4096 * 4096 + 2 * 4096;
    check(moult_bytes_all(world_slot(&w, 1) + w.new.size, end - w.new.size, 0xff));
}

static void test_the_floor_follows_the_confirmed_release(void)
{
    begin();
    world_image(&w, &w.new,
                &(struct world_image_options){
                    .sequence = 2, .version = "1.1.0", .rollback_floor = 2});
    world_offer(&w, &w.new);
    w.release.rollback_floor = 2;
    world_sign_release(&w, 0);
    check(boots());
    check(world_until(&w, "REBOOT"));
    check_equal(w.session.floor.stored, 0); /* not before it is confirmed */
    check(world_settle(&w));
    check_equal(w.session.floor.stored, 2);
    world_offer(&w, &w.old);
    world_deployment(&w, '2');
    w.action = MOULT_ACTION_INSTALL;
    moult_check_now(&w.session, w.now_ms);
    check(world_hears(&w, MOULT_D_SEQ_FLOOR));
}

/* --- keysets ------------------------------------------------------------------------------------------ */

static void offer_keyset(struct moult_keyset *keyset)
{
    w.keysets[0] =
        statements_sign(&w.fleet, statements_keyset_payload(keyset), 3u << STATEMENTS_ROOT);
    w.keyset_count = 1;
}

static void say_version_2(struct world *world, struct moult_assignment *order)
{
    (void)world;
    order->keyset_version = 2;
}

static void test_an_order_by_an_unknown_key_brings_the_keyset_that_knows_it(void)
{
    begin();
    /* Version 1 of this device knows one assign key; version 2 adds the other. */
    struct moult_keyset first = statements_keyset(&w.fleet, 1);
    struct moult_keyset second = statements_keyset(&w.fleet, 2);
    first.key_count = 6;
    first.roles.of[MOULT_ROLE_ASSIGN] =
        (struct moult_keyset_role){1, 1, {STATEMENTS_ASSIGN}};
    w.fleet.envelope =
        statements_sign(&w.fleet, statements_keyset_payload(&first), 3u << STATEMENTS_ROOT);
    world_image(&w, &w.old,
                &(struct world_image_options){.sequence = 1, .version = "1.0.0"});
    world_put(&w, 0, &w.old);
    offer_keyset(&second);
    w.order_keys = 1u << (STATEMENTS_ASSIGN + 1);
    w.tweak_order = say_version_2;
    check(boots());
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check_equal(w.session.trust.keyset.version, 2);
    check_equal(w.keyset_requests, 1);
}

static void test_an_adopted_keyset_survives_a_reset_and_an_older_image(void)
{
    begin();
    struct moult_keyset second = statements_keyset(&w.fleet, 2);
    offer_keyset(&second);
    w.keyset_hint = 2;
    w.tweak_order = say_version_2;
    check(boots());
    check(world_settle(&w));
    check(boots());
    check(world_until(&w, "IDLE"));
    check_equal(w.session.trust.keyset.version, 2); /* the baked one is version 1 */
    check_equal(w.keyset_requests, 1);
}

static void test_a_keyset_may_raise_and_lower_the_floor(void)
{
    begin();
    static uint8_t encoded[64];
    struct moult_cbor_writer writer;
    struct moult_keyset_floor floor = {w.fleet.class_id, 9, 2};
    moult_cbor_writer_init(&writer, encoded, sizeof encoded);
    moult_keyset_floor_write(&writer, &floor);
    struct moult_keyset second = statements_keyset(&w.fleet, 2);
    second.present |= 1u << 8;
    second.floors.encoded = moult_cbor_written(&writer);
    second.floors.count = 1;
    offer_keyset(&second);
    w.keyset_hint = 2;
    w.tweak_order = say_version_2;
    check(boots());
    check(world_hears(&w, MOULT_D_SEQ_FLOOR));
    check_equal(w.session.floor.stored, 9);
    check_equal(w.session.floor.applied, 2);
    check(w.session.floor.is_own_muted);
}

static void test_a_newer_keyset_is_looked_for_once_a_week(void)
{
    begin();
    w.action = MOULT_ACTION_NONE;
    w.next_s = 86400;
    w.config.interval_s = 86400;
    check(boots());
    check(world_until(&w, "KEYSET"));
    check(w.now_ms / 1000 >= 7 * 86400);
    check(w.now_ms / 1000 <= 9 * 86400);
    check(world_settle(&w));
    check_equal(w.keyset_requests, 1);
    check_equal(w.report_count, 0); /* there is none: no news */
}

/* --- when it talks ----------------------------------------------------------------------------------- */

static size_t wake_bytes(uint8_t *out, size_t size, uint64_t seq, uint32_t spread_s)
{
    struct moult_cbor_writer writer;
    struct moult_wake wake = {.seq = seq, .spread_s = spread_s};
    moult_cbor_writer_init(&writer, out, size);
    moult_wake_write(&writer, &wake);
    return writer.size;
}

static uint64_t next_checkin_after_wake(uint64_t seq, uint32_t spread_s)
{
    uint8_t payload[64];
    size_t size = wake_bytes(payload, sizeof payload, seq, spread_s);
    uint64_t now = w.now_ms;
    moult_wake(&w.session, payload, size, now);
    return world_until(&w, "CHECKIN") ? w.now_ms - now : UINT64_MAX;
}

static bool idle_with(enum moult_trigger trigger)
{
    begin();
    w.action = MOULT_ACTION_NONE;
    w.next_s = 3600;
    w.config.trigger = trigger;
    return boots() && world_until(&w, "ORDER") && world_until(&w, "IDLE");
}

static void test_hybrid_wakes_and_polls(void)
{
    check(idle_with(MOULT_TRIGGER_HYBRID));
    check(next_checkin_after_wake(10, 0) < 100);
    check(world_until(&w, "IDLE"));
    check(next_checkin_after_wake(11, 60) <= 60100);
    check(world_until(&w, "IDLE"));
    uint64_t gap = next_checkin_after_wake(11, 0); /* seen: the poll comes instead */
    check(gap > 3200000 && gap < 4000000);
}

static void test_pull_ignores_wakes(void)
{
    check(idle_with(MOULT_TRIGGER_PULL));
    uint64_t gap = next_checkin_after_wake(10, 0);
    check(gap > 3200000 && gap < 4000000);
}

static void test_push_checks_in_once_a_day_and_on_wakes(void)
{
    check(idle_with(MOULT_TRIGGER_PUSH));
    uint64_t now = w.now_ms;
    check(world_until(&w, "CHECKIN"));
    check(w.now_ms - now > 77000000 && w.now_ms - now < 96000000);
    check(world_until(&w, "IDLE"));
    check(next_checkin_after_wake(10, 0) < 100);
}

static void test_a_malformed_wake_is_ignored(void)
{
    check(idle_with(MOULT_TRIGGER_HYBRID));
    uint8_t garbage[80] = {0xa1, 0x01};
    moult_wake(&w.session, garbage, sizeof garbage, w.now_ms);
    moult_wake(&w.session, garbage, 2, w.now_ms);
    moult_wake(&w.session, NULL, 0, w.now_ms);
    check_equal(moult_step(&w.session, w.now_ms), MOULT_STEP_WAIT);
    check(moult_wait_ms(&w.session, w.now_ms) > 3000000);
}

static void test_intervals_have_bounds(void)
{
    begin();
    w.action = MOULT_ACTION_NONE;
    w.next_s = 0;
    w.config.interval_min_s = 30;
    check(boots());
    check(world_until(&w, "ORDER"));
    check(world_until(&w, "IDLE"));
    uint64_t now = w.now_ms;
    check(world_until(&w, "CHECKIN"));
    check(w.now_ms - now >= 29900 && w.now_ms - now <= 33100);
    w.next_s = UINT32_MAX;
    check(world_until(&w, "ORDER"));
    check(world_until(&w, "IDLE"));
    now = w.now_ms;
    check(world_until(&w, "CHECKIN"));
    check(w.now_ms - now <= 2678400ull * 1100);
}

static void test_a_cold_boot_spreads_its_check_in_unless_there_is_something_to_tell(void)
{
    begin();
    w.config.cold_boot_wait_max_s = 300;
    w.config.interval_s = 3600;
    w.action = MOULT_ACTION_NONE;
    uint64_t total = 0;
    for (unsigned i = 0; i < 8; i++) {
        check(boots());
        uint64_t now = w.now_ms;
        check(world_until(&w, "CHECKIN"));
        check(w.now_ms - now < 301000);
        total += w.now_ms - now;
    }
    check(total > 8 * 30000);

    w.action = MOULT_ACTION_INSTALL; /* after its reboot the trial checks in at once */
    check(world_until(&w, "REBOOT"));
    check(world_boot(&w, MOULT_RESET_SOFTWARE));
    uint64_t now = w.now_ms;
    check(world_until(&w, "CHECKIN"));
    check(w.now_ms - now < 100);
}

/* --- boot ------------------------------------------------------------------------------------------------ */

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

/* --- configuration ------------------------------------------------------------------------------------------ */

static void no_base(struct moult_config *c)
{
    c->base_url = NULL;
}
static void plain_http(struct moult_config *c)
{
    c->base_url = "http://moult.test";
}
static void slash_at_the_end(struct moult_config *c)
{
    c->base_url = "https://moult.test/";
}
static void odd_window(struct moult_config *c)
{
    c->window = 5000;
}
static void large_piece(struct moult_config *c)
{
    c->piece = 4097;
}
static void cap_below_first(struct moult_config *c)
{
    c->backoff_first_ms = 2000;
    c->backoff_max_ms = 1000;
}
static void serial_not_ascii(struct moult_config *c)
{
    c->serial = "\xc3\xa9";
}
static void too_many_attributes(struct moult_config *c)
{
    c->attribute_count = MOULT_ATTRIBUTES_MAX + 1;
}
static void bad_trigger(struct moult_config *c)
{
    c->trigger = (enum moult_trigger)7;
}

static void test_a_bad_configuration_is_refused(void)
{
    static const struct {
        const char *name;
        void (*spoil)(struct moult_config *c);
    } bad[] = {
        {"no base URL", no_base},     {"plain http", plain_http},
        {"slash", slash_at_the_end},  {"odd window", odd_window},
        {"large piece", large_piece}, {"cap below first", cap_below_first},
        {"serial", serial_not_ascii}, {"attributes", too_many_attributes},
        {"trigger", bad_trigger},
    };
    begin();
    check(boots());
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        static struct moult_session session;
        struct moult_config config = w.config;
        check_row(bad[i].name);
        check_equal(moult_session_init(&session, &w.port, &config), MOULT_OK);
        bad[i].spoil(&config);
        check_equal(moult_session_init(&session, &w.port, &config), MOULT_E_ARG);
    }
    struct moult_port port = w.port;
    port.kv_set = NULL;
    static struct moult_session session;
    check_equal(moult_session_init(&session, &port, &w.config), MOULT_E_ARG);
}

static void test_health_checks_have_a_limit(void)
{
    begin();
    check(boots());
    struct moult_health_check check = {NULL, NULL, NULL, 0};
    check_equal(moult_health_add(&w.session, &check), MOULT_E_ARG);
    check = w.session.trial.checks[0];
    for (unsigned i = 1; i < MOULT_HEALTH_MAX; i++) {
        check_equal(moult_health_add(&w.session, &check), MOULT_OK);
    }
    check_equal(moult_health_add(&w.session, &check), MOULT_E_SPACE);
}

static void test_progress_for_displays(void)
{
    struct moult_progress p;
    begin();
    check(boots());
    check(world_until(&w, "CLEAN"));
    moult_progress(&w.session, &p);
    check_equal(p.offset, w.new.size);
    check_equal(p.size, w.new.size);
    check_equal(p.sequence, 1);
    check_equal(p.offered, 2);
    check(!p.on_trial);
}

static void run_trials(void)
{
    check_run(test_a_failed_check_goes_back_and_is_named);
    check_run(test_a_check_that_never_answers_has_its_own_deadline);
    check_run(test_without_the_server_nothing_is_confirmed);
    check_run(test_an_answer_that_is_not_signed_is_no_server_contact);
    check_run(test_a_crash_on_trial_is_told_with_its_reset);
    check_run(test_a_watchdog_on_trial_has_its_own_reason);
    check_run(test_the_application_may_give_a_trial_up);
    check_run(test_a_trial_cut_off_is_tried_again_without_a_download);
    check_run(test_the_third_cut_ends_it_but_blocks_nothing);
    check_run(test_a_release_that_failed_twice_is_blocked_until_the_block_is_lifted);
    check_run(test_the_same_order_is_not_obeyed_again_after_a_failed_trial);
    check_run(test_without_bootloader_rollback_the_engine_selects_the_old_slot_itself);
    check_run(test_an_image_that_cannot_be_marked_valid_goes_back);
    check_run(test_a_floor_that_cannot_be_stored_is_told_and_the_image_stays);
}

static void run_transfers(void)
{
    check_run(test_a_transfer_goes_on_where_power_cut_it);
    check_run(test_bytes_that_rotted_between_two_boots_are_not_trusted);
    check_run(test_a_transfer_survives_what_can_be_survived);
    check_run(test_a_server_without_ranges_is_read_over_after_a_reset);
    check_run(test_the_next_source_is_tried);
    check_run(test_small_pieces_give_the_same_image);
    check_run(test_paused_nothing_is_fetched_and_check_ins_go_on);
    check_run(test_a_throttle_is_obeyed);
    check_run(test_retry_after_is_obeyed);
    check_run(test_back_off_doubles_and_stays_below_its_limit);
}

static void run_orders(void)
{
    check_run(test_an_abort_ends_the_plan_and_the_slot);
    check_run(test_gone_is_a_hint_to_ask_and_no_order);
    check_run(test_download_only_keeps_the_result_and_activates_it_later);
    check_run(test_activation_waits_for_its_window);
    check_run(test_a_download_stops_when_its_window_ends);
    check_run(test_a_weak_signal_waits);
    check_run(test_the_user_may_defer_until_no_deferral_is_left);
    check_run(test_a_busy_application_is_asked_again);
    check_run(test_what_runs_already_is_confirmed_without_a_download);
    check_run(test_a_slot_that_holds_the_result_is_taken_as_it_is);
    check_run(test_a_slot_that_only_says_so_is_written_again);
    check_run(test_nothing_old_survives_behind_the_image);
    check_run(test_the_floor_follows_the_confirmed_release);
    check_run(test_an_order_by_an_unknown_key_brings_the_keyset_that_knows_it);
    check_run(test_an_adopted_keyset_survives_a_reset_and_an_older_image);
    check_run(test_a_keyset_may_raise_and_lower_the_floor);
    check_run(test_a_newer_keyset_is_looked_for_once_a_week);
}

static void run_contact_and_boot(void)
{
    check_run(test_hybrid_wakes_and_polls);
    check_run(test_pull_ignores_wakes);
    check_run(test_push_checks_in_once_a_day_and_on_wakes);
    check_run(test_a_malformed_wake_is_ignored);
    check_run(test_intervals_have_bounds);
    check_run(test_a_cold_boot_spreads_its_check_in_unless_there_is_something_to_tell);
    check_run(test_another_image_in_the_slot_ends_the_plan);
    check_run(test_a_slot_the_bootloader_refuses_is_told);
    check_run(test_a_signature_sector_belongs_to_the_running_digest);
    check_run(test_an_unmanaged_image_says_so);
    check_run(test_a_bad_configuration_is_refused);
    check_run(test_health_checks_have_a_limit);
    check_run(test_progress_for_displays);
}

int main(void)
{
    world_make(&fresh);
    check_run(test_an_update_is_installed_confirmed_and_told_stage_by_stage);
    check_run(test_facts_come_with_the_first_check_in_and_when_asked);
    run_trials();
    run_transfers();
    run_orders();
    run_contact_and_boot();
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
