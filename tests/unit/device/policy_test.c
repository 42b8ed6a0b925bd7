/* policy_test.c - device/src/policy.c: keys 1 to 11 of the policy, each at its limit.
 *
 * Keys 2, 7 and 11 are also in transfer_test.c, order_test.c and trial_test.c.
 */
#include <string.h>
#include "device/src/flow.h"
#include "formats/codes.h"
#include "tests/support/check.h"
#include "tests/support/update_world.h"

enum { HOUR_MS = 3600000, DAY_MS = 86400000, NOW = 1767225600, IAT = NOW - 100 };

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

/* --- the gates, with every fact given by hand --- */

static void begin_at(uint64_t now_s)
{
    begin();
    check(boots());
    w.session.time_base_s = now_s;
    w.session.time_at_ms = w.session.now_ms;
    w.session.iat_s = IAT;
    w.session.policy = (struct moult_policy){0};
}

static enum moult_gate gate(uint8_t use, uint16_t *detail)
{
    w.session.trouble = (struct moult_trouble){0};
    enum moult_gate found = moult_policy_gate(&w.session, use);
    *detail = w.session.trouble.detail;
    return found;
}

static void test_windows_by_their_edges(void)
{
    enum { BOTH, DOWN, ACT, MIDNIGHT = 1767225600 }; /* NOW is a midnight */
    static const struct {
        const char *name;
        uint64_t now_s;
        struct moult_window windows[2];
        uint8_t count, use;
        enum moult_gate gate;
    } rows[] = {
        {"none of its kind", NOW, {{ACT, 1, 2}}, 1, DOWN, MOULT_GATE_OPEN},
        {"second before", NOW, {{DOWN, NOW + 1, NOW + 9}}, 1, DOWN, MOULT_GATE_CLOSED},
        {"first second", NOW, {{DOWN, NOW, NOW + 9}}, 1, DOWN, MOULT_GATE_OPEN},
        {"last second", NOW, {{DOWN, 1, NOW + 1}}, 1, DOWN, MOULT_GATE_OPEN},
        {"its end", NOW, {{DOWN, 1, NOW}}, 1, DOWN, MOULT_GATE_CLOSED},
        {"empty", NOW, {{DOWN, NOW, NOW}}, 1, DOWN, MOULT_GATE_CLOSED},
        {"both", NOW, {{BOTH, NOW, NOW + 1}}, 1, ACT, MOULT_GATE_OPEN},
        {"the second", NOW, {{ACT, 1, 2}, {BOTH, NOW, NOW + 1}}, 2, ACT, MOULT_GATE_OPEN},
        {"all past", NOW, {{ACT, 1, 2}, {BOTH, 3, 4}}, 2, ACT, MOULT_GATE_CLOSED},
        {"over midnight, before",
         MIDNIGHT - 1,
         {{ACT, MIDNIGHT - 1800, MIDNIGHT + 1800}},
         1,
         ACT,
         MOULT_GATE_OPEN},
        {"over midnight, after",
         MIDNIGHT + 1799,
         {{ACT, MIDNIGHT - 1800, MIDNIGHT + 1800}},
         1,
         ACT,
         MOULT_GATE_OPEN},
        {"over midnight, out",
         MIDNIGHT + 1800,
         {{ACT, MIDNIGHT - 1800, MIDNIGHT + 1800}},
         1,
         ACT,
         MOULT_GATE_CLOSED},
        {"over midnight, no time",
         0,
         {{ACT, MIDNIGHT - 1800, MIDNIGHT + 1800}},
         1,
         ACT,
         MOULT_GATE_CLOSED},
        {"no window, no time", 0, {{0}}, 0, ACT, MOULT_GATE_OPEN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].name);
        begin_at(rows[i].now_s);
        uint16_t detail;
        memcpy(w.session.policy.windows, rows[i].windows, sizeof rows[i].windows);
        w.session.policy.window_count = rows[i].count;
        check_equal(gate(rows[i].use, &detail), rows[i].gate);
        check_equal(detail, rows[i].gate == MOULT_GATE_OPEN ? 0 : MOULT_D_DEFER_WINDOW);
    }
    check_row(NULL);
}

static void test_battery_and_signal_at_their_limits(void)
{
    static const struct {
        uint8_t limit, battery, dbm_limit, dbm;
        uint8_t use;
        uint16_t reason; /* 0: open */
    } rows[] = {
        {50, 50, 0, 0, MOULT_WINDOW_DOWNLOAD, 0},
        {50, 49, 0, 0, MOULT_WINDOW_DOWNLOAD, MOULT_R_PRE_BATTERY_LOW},
        {50, 49, 0, 0, MOULT_WINDOW_ACTIVATE, MOULT_R_PRE_BATTERY_LOW},
        {100, 99, 0, 0, MOULT_WINDOW_ACTIVATE, MOULT_R_PRE_BATTERY_LOW},
        {100, 100, 0, 0, MOULT_WINDOW_ACTIVATE, 0},
        {50, 0, 0, 0, MOULT_WINDOW_ACTIVATE, 0}, /* mains: no battery to ask */
        {0, 0, 80, 80, MOULT_WINDOW_DOWNLOAD, 0},
        {0, 0, 80, 81, MOULT_WINDOW_DOWNLOAD, MOULT_R_PRE_LINK_POOR},
        {0, 0, 80, 127, MOULT_WINDOW_ACTIVATE, 0}, /* it is there already */
        {0, 0, 80, 0, MOULT_WINDOW_DOWNLOAD, 0},   /* unknown */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin_at(NOW);
        uint16_t detail;
        w.battery_percent = rows[i].battery;
        w.signal_dbm = rows[i].dbm;
        w.session.policy.battery_percent = rows[i].limit;
        w.session.policy.signal_dbm = rows[i].dbm_limit;
        w.session.policy.present = (rows[i].limit ? 1u << MOULT_POLICY_BATTERY : 0) |
                                   (rows[i].dbm_limit ? 1u << MOULT_POLICY_SIGNAL : 0);
        check_equal(gate(rows[i].use, &detail) == MOULT_GATE_OPEN, rows[i].reason == 0);
        check_equal(w.session.trouble.reason, rows[i].reason);
    }
}

static void test_the_deadline_is_over_after_its_second(void)
{
    static const struct {
        uint64_t now_s;
        uint32_t give_up_s;
        bool is_over;
    } rows[] = {
        {NOW, 100, false},        {NOW, 99, true}, {NOW, 0, true},
        {NOW, UINT32_MAX, false}, {0, 0, false}, /* no trusted time */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin_at(rows[i].now_s);
        uint16_t detail;
        w.session.policy.present = 1u << MOULT_POLICY_GIVE_UP;
        w.session.policy.give_up_s = rows[i].give_up_s;
        check_equal(gate(MOULT_WINDOW_DOWNLOAD, &detail),
                    rows[i].is_over ? MOULT_GATE_ENDED : MOULT_GATE_OPEN);
        check_equal(detail, rows[i].is_over ? MOULT_D_DEADLINE : 0);
    }
}

static void test_consent_is_waived_after_its_second(void)
{
    begin_at(NOW);
    w.session.policy.present =
        1u << MOULT_POLICY_CONSENT | 1u << MOULT_POLICY_CONSENT_UNTIL;
    w.session.policy.consent = 1;
    w.session.policy.consent_until_s = 100;
    check(moult_policy_offer(&w.session, &w.session.offer).consent_needed);
    w.session.policy.consent_until_s = 99;
    check(!moult_policy_offer(&w.session, &w.session.offer).consent_needed);
    w.session.time_base_s = 0; /* no trusted time: it is still needed */
    check(moult_policy_offer(&w.session, &w.session.offer).consent_needed);
}

/* --- consent and deferrals, over resets --- */

static void ask_for_consent(uint8_t deferrals)
{
    offer_policy(MOULT_POLICY_CONSENT);
    offer_policy(MOULT_POLICY_DEFERRALS);
    w.policy.consent = 1;
    w.policy.deferrals = deferrals;
    w.answer = MOULT_ANSWER_LATER;
    w.next_s = 3600;
}

static void test_deferrals_count_down_over_resets(void)
{
    begin();
    ask_for_consent(3); /* the server's number never falls: it hears, and forgets */
    check(boots());
    while (!world_runs(&w, &w.new)) {
        check(w.now_ms < 5ull * DAY_MS);
        check(world_step(&w));
        bool is_idle = strcmp(world_state(&w), "IDLE") == 0;
        bool resets = is_idle && w.checkins % 5 == 4;
        if (resets) {
            w.checkins++; /* once */
            check(boots());
        }
    }
    check(w.now_ms >= 3ull * DAY_MS);
    check_equal(world_count(&w, MOULT_REPORT_USER_DEFERRED), 3);
}

static void test_a_later_lasts_a_day_and_yes_is_heard_at_once(void)
{
    begin();
    ask_for_consent(1);
    check(boots());
    check(world_hears(&w, MOULT_D_DEFER_CONSENT));
    w.answer = MOULT_ANSWER_YES;
    check(world_until(&w, "REBOOT"));
    check(w.now_ms < 2 * HOUR_MS);
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
}

static void test_without_a_deferral_left_later_is_yes(void)
{
    begin();
    ask_for_consent(0);
    check(boots());
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check_equal(world_count(&w, MOULT_REPORT_USER_DEFERRED), 0);
}

static void test_another_deployment_has_deferrals_of_its_own(void)
{
    begin();
    ask_for_consent(1);
    check(boots());
    check(world_hears(&w, MOULT_D_DEFER_CONSENT));
    check_equal(w.session.deferral.left, 0);
    world_deployment(&w, '2');
    while (world_count(&w, MOULT_REPORT_USER_DEFERRED) < 2) {
        check(w.now_ms < 5 * HOUR_MS);
        check(world_step(&w));
    }
    check(world_runs(&w, &w.old));
}

static void test_a_deferral_that_cannot_be_stored_counts_in_this_boot(void)
{
    begin();
    ask_for_consent(1);
    w.kv_fails = "deferral";
    check(boots());
    check(world_until(&w, "REBOOT"));
    check(w.now_ms > DAY_MS && w.now_ms < DAY_MS + 2 * HOUR_MS);
}

static void test_no_is_told_once_and_heard(void)
{
    begin();
    ask_for_consent(3);
    w.answer = MOULT_ANSWER_NO;
    check(boots());
    check(world_hears(&w, MOULT_D_DEFER_CONSENT));
    const struct world_report *report = world_report_with(&w, MOULT_D_DEFER_CONSENT);
    check_equal(report->kind, MOULT_REPORT_FAILED);
    check_equal(report->reason, MOULT_R_PRE_USER_DECLINED);
    check(world_settle(&w));
    check(world_runs(&w, &w.old));
    check_equal(world_count(&w, MOULT_REPORT_FAILED), 1);
    check_equal(w.artifact_requests, 0);
}

/* --- how long a deferral holds --- */

static void test_a_low_battery_is_looked_at_again_after_an_hour(void)
{
    begin();
    offer_policy(MOULT_POLICY_BATTERY);
    w.policy.battery_percent = 50;
    w.battery_percent = 49;
    check(boots());
    check(world_hears(&w, MOULT_D_DEFER_BATTERY));
    w.battery_percent = 50; /* exactly enough */
    uint64_t charged_ms = w.now_ms;
    check(world_until(&w, "RELEASE"));
    check(w.now_ms - charged_ms > 55 * 60000u && w.now_ms - charged_ms < 65 * 60000u);
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check_equal(world_count(&w, MOULT_REPORT_DEFERRED), 1);
}

static void test_who_asks_by_hand_need_not_wait(void)
{
    begin();
    offer_policy(MOULT_POLICY_BATTERY);
    w.policy.battery_percent = 50;
    w.battery_percent = 49;
    check(boots());
    check(world_hears(&w, MOULT_D_DEFER_BATTERY));
    w.battery_percent = 50;
    moult_check_now(&w.session, w.now_ms);
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check(w.now_ms < HOUR_MS);
}

static void test_another_order_is_looked_at_at_once(void)
{
    begin();
    offer_policy(MOULT_POLICY_BATTERY);
    w.policy.battery_percent = 50;
    w.battery_percent = 49;
    check(boots());
    check(world_hears(&w, MOULT_D_DEFER_BATTERY));
    w.battery_percent = 50;
    world_deployment(&w, '2');
    check(world_until(&w, "RELEASE"));
    check(w.now_ms < HOUR_MS);
}

/* --- what was told does not hide what comes --- */

static void test_a_deferral_for_the_link_does_not_hide_the_result(void)
{
    begin();
    offer_policy(MOULT_POLICY_SIGNAL);
    offer_policy(MOULT_POLICY_STAGE_ONLY);
    w.policy.stage_only = 1;
    w.policy.signal_dbm = 80;
    w.signal_dbm = 81;
    check(boots());
    check(world_until(&w, "REPLY"));
    check(world_until(&w, "IDLE"));
    w.signal_dbm = 80;
    check(world_until(&w, "GATE"));
    check(world_until(&w, "REPLY"));
    check(world_until(&w, "IDLE"));
    check_equal(world_count(&w, MOULT_REPORT_DEFERRED), 1);
    check_equal(world_count(&w, MOULT_REPORT_STAGED), 1);
}

/* --- pause --- */

static void pause(struct world *world)
{
    moult_pause(&world->session);
}

static void test_a_pause_at_the_last_moment_arms_nothing(void)
{
    begin();
    w.hook_state = "ARM";
    w.hook = pause;
    check(boots());
    check(world_until(&w, "ARM"));
    for (unsigned i = 0; i < 2000; i++) {
        check(world_step(&w));
    }
    check(world_runs(&w, &w.old));
    check(!world_slot_boots(&w, 1));
    check(w.checkins > 3); /* they go on */
    moult_resume(&w.session);
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check_equal(w.artifact_bytes, w.new.size); /* nothing was fetched again */
    check_equal(world_count(&w, MOULT_REPORT_CONFIRMED), 1);
}

int main(void)
{
    world_make(&fresh);
    check_run(test_windows_by_their_edges);
    check_run(test_battery_and_signal_at_their_limits);
    check_run(test_the_deadline_is_over_after_its_second);
    check_run(test_consent_is_waived_after_its_second);
    check_run(test_deferrals_count_down_over_resets);
    check_run(test_a_later_lasts_a_day_and_yes_is_heard_at_once);
    check_run(test_without_a_deferral_left_later_is_yes);
    check_run(test_another_deployment_has_deferrals_of_its_own);
    check_run(test_a_deferral_that_cannot_be_stored_counts_in_this_boot);
    check_run(test_no_is_told_once_and_heard);
    check_run(test_a_low_battery_is_looked_at_again_after_an_hour);
    check_run(test_who_asks_by_hand_need_not_wait);
    check_run(test_another_order_is_looked_at_at_once);
    check_run(test_a_deferral_for_the_link_does_not_hide_the_result);
    check_run(test_a_pause_at_the_last_moment_arms_nothing);
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
