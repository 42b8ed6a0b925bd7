/* order_test.c - device/src/order.c, policy.c and refresh.c: what the server may say. */
#include <string.h>
#include "formats/codes.h"
#include "tests/support/check.h"
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

/* --- orders
 * ----------------------------------------------------------------------------------------
 * */

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
    check(world_until(&w, "REBOOT"));
    check(w.now_ms > 86400000); /* it was granted for a day */
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
    check(world_until(&w, "REBOOT"));
    check(w.now_ms > 15 * 60000u); /* the advice of R101 */
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

/* --- keysets --- */

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

static void test_an_unknown_signer_brings_the_keyset_that_knows_it(void)
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

int main(void)
{
    world_make(&fresh);
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
    check_run(test_an_unknown_signer_brings_the_keyset_that_knows_it);
    check_run(test_an_adopted_keyset_survives_a_reset_and_an_older_image);
    check_run(test_a_keyset_may_raise_and_lower_the_floor);
    check_run(test_a_newer_keyset_is_looked_for_once_a_week);
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
