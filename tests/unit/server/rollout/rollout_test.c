/* rollout_test.c - phases open, soak, pass and stop as their gates say; verbs; the rate. */
#include <string.h>
#include "formats/codes.h"
#include "server/rollout/rollout.h"
#include "tests/support/check.h"

#define MINUTE 60000
#define HOUR (60 * MINUTE)
#define DAY (24 * (int64_t)HOUR)
#define T0 1700000000000

/* Three phases of 10, 30 and 60 devices; soak 1 h each. */
static struct rollout three_phases(void)
{
    static const uint32_t sizes[3] = {10, 30, 60};
    struct rollout r;
    rollout_init(&r, 3, T0);
    r.phase_max_ms = 14 * DAY;
    for (uint32_t i = 0; i < 3; i++) {
        r.phases[i].soak_ms = HOUR;
        r.phases[i].counters.target = sizes[i];
    }
    return r;
}

/* That many of the phase have been confirmed and have failed (firmware). */
static void decide(struct phase *phase, uint32_t confirmed, uint32_t failed)
{
    phase->counters.reached = phase->counters.decided = confirmed + failed;
    phase->counters.confirmed = confirmed;
    phase->counters.failed = failed;
    phase->counters.by_class[FAILURE_FIRMWARE] = failed;
}

static struct rollout started(void)
{
    struct rollout r = three_phases();
    struct rollout_outcome outcome;
    if (rollout_verb(&r, ROLLOUT_START, T0, "test", &outcome) != MOULT_OK) {
        r.state = ROLLOUT_NO_STATE;
    }
    return r;
}

static void test_start_opens_the_first_phase_only(void)
{
    struct rollout r = three_phases();
    struct rollout_outcome outcome;
    check(!rollout_may_offer(&r, 0));
    check_equal(rollout_verb(&r, ROLLOUT_START, T0, "by anna", &outcome), MOULT_OK);
    check_equal(r.state, ROLLOUT_RUNNING);
    check_equal(outcome.opened, 1);
    check(rollout_may_offer(&r, 0) && !rollout_may_offer(&r, 1) &&
          !rollout_may_offer(&r, 99));
    check(strcmp(r.state_reason, "by anna") == 0);
}

static void test_a_scheduled_rollout_waits_for_its_time(void)
{
    struct rollout r = three_phases();
    struct rollout_outcome outcome;
    r.start_ms = T0 + HOUR;
    check_equal(rollout_verb(&r, ROLLOUT_START, T0, "x", &outcome), MOULT_OK);
    check_equal(r.state, ROLLOUT_SCHEDULED);
    check(!rollout_tick(&r, T0 + HOUR - 1).is_changed);
    check_equal(rollout_tick(&r, T0 + HOUR).opened, 1);
    check_equal(r.state, ROLLOUT_RUNNING);
}

static void test_phases_pass_after_their_soak_one_by_one(void)
{
    struct rollout r = started();
    decide(&r.phases[0], 10, 0);
    check(rollout_tick(&r, T0 + MINUTE).is_changed);
    check_equal(r.phases[0].state, PHASE_SOAKING);
    check(!rollout_tick(&r, T0 + MINUTE + HOUR - 1).is_changed);
    struct rollout_outcome outcome = rollout_tick(&r, T0 + MINUTE + HOUR);
    check_equal(outcome.passed, 1);
    check_equal(outcome.opened, 2);
    check_equal(r.phases[1].state, PHASE_OPEN);
    check(rollout_may_offer(&r, 0) && rollout_may_offer(&r, 1) &&
          !rollout_may_offer(&r, 2));

    decide(&r.phases[1], 30, 0);
    decide(&r.phases[2], 60, 0);
    (void)rollout_tick(&r, T0 + 2 * HOUR);
    outcome = rollout_tick(&r, T0 + 3 * HOUR);
    check_equal(outcome.passed, 2);
    check_equal(outcome.opened, 4); /* phase 2 soaks from now on, whatever it has decided */
    check_equal(r.phases[2].state, PHASE_SOAKING);
    outcome = rollout_tick(&r, T0 + 4 * HOUR);
    check(outcome.is_completed);
    check_equal(r.state, ROLLOUT_COMPLETED);
    check(rollout_may_offer(&r, 2)); /* who was away is still offered it */
}

static void test_soak_begins_anew_when_the_success_gate_lets_go(void)
{
    struct rollout r = started();
    r.phases[0].counters.target = 1000;
    decide(&r.phases[0], 38, 2); /* 95 %; failure_count needs 3 */
    r.phases[0].gates.failure_bp = 0;
    (void)rollout_tick(&r, T0);
    check_equal(r.phases[0].state, PHASE_SOAKING);
    r.phases[0].counters.reached = 60; /* many new ones, undecided */
    (void)rollout_tick(&r, T0 + MINUTE);
    check_equal(r.phases[0].state, PHASE_OPEN);
    r.phases[0].counters.reached = 40;
    (void)rollout_tick(&r, T0 + 2 * MINUTE);
    check_equal(r.phases[0].success_since_ms, T0 + 2 * MINUTE);
}

static void test_failure_is_looked_at_before_success_and_says_why(void)
{
    struct rollout r = started();
    decide(&r.phases[0], 7, 3);
    struct rollout_outcome outcome = rollout_tick(&r, T0 + MINUTE);
    check(outcome.is_paused && outcome.failed == 1);
    check_equal(r.state, ROLLOUT_PAUSED);
    check_equal(r.phases[0].state, PHASE_FAILED);
    check(strcmp(r.state_reason,
                 "gate failure_count of phase 1: 3 devices failed, limit 3") == 0);
    check(!rollout_may_offer(&r, 0));
    check(!rollout_may_activate(&r));
}

static void test_a_passed_phase_can_still_stop_the_rollout(void)
{
    struct rollout r = started();
    decide(&r.phases[0], 10, 0);
    (void)rollout_tick(&r, T0);
    (void)rollout_tick(&r, T0 + HOUR);
    check_equal(r.phases[1].state, PHASE_OPEN);
    decide(&r.phases[0], 7, 3); /* three were silent after all */
    struct rollout_outcome outcome = rollout_tick(&r, T0 + 2 * HOUR);
    check(outcome.is_paused);
    check_equal(r.phases[0].state, PHASE_PASSED);
}

static void test_a_passed_phase_is_not_failed_for_having_ended(void)
{
    struct rollout r = started();
    r.phases[0].gates.failure_bp = 0;
    r.phases[0].gates.failure_count = 0;
    decide(&r.phases[0], 10, 0);
    (void)rollout_tick(&r, T0);
    (void)rollout_tick(&r, T0 + HOUR);
    decide(&r.phases[0], 9, 1); /* 90 %: below the success gate, which it has passed once */
    check(!rollout_tick(&r, T0 + 2 * HOUR).is_paused);
}

static void test_resume_goes_on_and_stops_again_at_the_next_failure_only(void)
{
    struct rollout r = started();
    struct rollout_outcome outcome;
    r.phases[0].counters.target = 100;
    decide(&r.phases[0], 50, 3);
    (void)rollout_tick(&r, T0);
    check_equal(r.state, ROLLOUT_PAUSED);
    check_equal(rollout_verb(&r, ROLLOUT_RESUME, T0 + 1, "looked at it", &outcome),
                MOULT_OK);
    check_equal(r.state, ROLLOUT_RUNNING);
    check_equal(r.phases[0].state, PHASE_OPEN);
    check(!rollout_tick(&r, T0 + MINUTE).is_paused);
    decide(&r.phases[0], 50, 4);
    check(rollout_tick(&r, T0 + 2 * MINUTE).is_paused);
}

static void test_resume_over_a_phase_that_has_ended_stops_at_once_and_advance_goes_on(void)
{
    struct rollout r = started();
    struct rollout_outcome outcome;
    decide(&r.phases[0], 8, 2);
    r.phases[0].gates.failure_bp = 0;
    (void)rollout_tick(&r, T0);
    check_equal(r.state, ROLLOUT_PAUSED);
    check_equal(rollout_verb(&r, ROLLOUT_RESUME, T0 + 1, "again", &outcome), MOULT_OK);
    check(outcome.is_paused);
    check(strstr(r.state_reason, "all devices ended, 8 of 10 confirmed") != NULL);
    check_equal(rollout_verb(&r, ROLLOUT_ADVANCE, T0 + 2, "known fault", &outcome),
                MOULT_OK);
    check_equal(outcome.passed, 1);
    check_equal(outcome.opened, 2);
    check(r.phases[0].by_hand);
    check_equal(r.state, ROLLOUT_RUNNING);
}

static void test_retry_opens_a_failed_phase_but_does_not_resume(void)
{
    struct rollout r = started();
    struct rollout_outcome outcome;
    decide(&r.phases[0], 0, 10);
    (void)rollout_tick(&r, T0);
    decide(&r.phases[0], 0, 0); /* the caller planned them again */
    check_equal(rollout_verb(&r, ROLLOUT_RETRY, T0 + 1, "x", &outcome), MOULT_OK);
    check_equal(r.state, ROLLOUT_PAUSED);
    check_equal(r.phases[0].state, PHASE_OPEN);
    check_equal(rollout_verb(&r, ROLLOUT_RESUME, T0 + 2, "x", &outcome), MOULT_OK);
    check(!outcome.is_paused);
}

static void test_empty_phases_are_skipped_and_shown_so(void)
{
    struct rollout r = three_phases();
    struct rollout_outcome outcome;
    r.phases[0].counters.target = 0;
    r.phases[1].counters.target = 5;
    r.phases[1].counters.covered = 5;
    check_equal(rollout_verb(&r, ROLLOUT_START, T0, "x", &outcome), MOULT_OK);
    check_equal(outcome.opened, 7);
    check_equal(outcome.skipped, 3);
    check_equal(r.phases[0].state, PHASE_SKIPPED);
    check_equal(r.phases[1].state, PHASE_SKIPPED);
    check_equal(r.phases[2].state, PHASE_OPEN);
}

static void test_approval_holds_until_an_operator_advances(void)
{
    struct rollout r = started();
    struct rollout_outcome outcome;
    r.phases[0].needs_approval = true;
    decide(&r.phases[0], 10, 0);
    (void)rollout_tick(&r, T0);
    check(rollout_tick(&r, T0 + HOUR).is_changed);
    check_equal(r.state, ROLLOUT_HOLDING);
    check(!rollout_tick(&r, T0 + 9 * HOUR).is_changed);
    check(rollout_may_offer(&r, 0) && !rollout_may_offer(&r, 1));
    check_equal(rollout_verb(&r, ROLLOUT_ADVANCE, T0 + 9 * HOUR, "approved", &outcome),
                MOULT_OK);
    check_equal(r.state, ROLLOUT_RUNNING);
    check_equal(outcome.opened, 2);
}

static void test_a_phase_of_sleepers_holds_and_does_not_pass(void)
{
    struct rollout r = started();
    decide(&r.phases[0], 4, 0);
    (void)rollout_tick(&r, T0 + 14 * DAY);
    check_equal(r.state, ROLLOUT_RUNNING);
    (void)rollout_tick(&r, T0 + 14 * DAY + 1);
    check_equal(r.state, ROLLOUT_HOLDING);
    check_equal(r.phases[0].state, PHASE_HOLDING);
    check(strstr(r.state_reason, "phase 1: 4 of 4 decided") != NULL);
    decide(&r.phases[0], 10, 0);
    (void)rollout_tick(&r, T0 + 15 * DAY);
    check_equal(r.state, ROLLOUT_RUNNING);
    check_equal(r.phases[0].state, PHASE_SOAKING);
}

static void test_verbs_need_their_states(void)
{
    static const uint8_t allowed[ROLLOUT_VERB_COUNT][8] = {
        /*                   -  dr sc ru ho pa co ab */
        [ROLLOUT_START] = {0, 1, 0, 0, 0, 0, 0, 0},
        [ROLLOUT_PAUSE] = {0, 0, 0, 1, 1, 0, 1, 0},
        [ROLLOUT_RESUME] = {0, 0, 0, 0, 0, 1, 0, 0},
        [ROLLOUT_ABORT] = {0, 1, 1, 1, 1, 1, 1, 0},
        [ROLLOUT_ADVANCE] = {0, 0, 0, 1, 1, 1, 0, 0},
        [ROLLOUT_RETRY] = {0, 0, 0, 1, 1, 1, 1, 0},
    };
    for (unsigned verb = 0; verb < ROLLOUT_VERB_COUNT; verb++) {
        for (unsigned state = 1; state <= ROLLOUT_ABORTED; state++) {
            struct rollout r = started();
            struct rollout_outcome outcome;
            const char *expected = NULL;
            r.state = (enum rollout_state)state;
            check_row(rollout_verb_word(verb));
            check_equal(rollout_verb_allowed(&r, (enum rollout_verb)verb, &expected),
                        allowed[verb][state]);
            check(expected && expected[0]);
            check_equal(rollout_verb(&r, (enum rollout_verb)verb, T0, "x", &outcome),
                        allowed[verb][state] ? MOULT_OK : MOULT_E_STATE);
        }
        enum rollout_verb parsed;
        check(rollout_verb_parse(rollout_verb_word(verb), &parsed));
        check_equal(parsed, verb);
    }
    check_row(NULL);
    enum rollout_verb parsed;
    check(!rollout_verb_parse("delete", &parsed));
}

static void test_pause_withholds_offers_and_activation(void)
{
    struct rollout r = started();
    struct rollout_outcome outcome;
    check(rollout_may_activate(&r));
    check_equal(rollout_verb(&r, ROLLOUT_PAUSE, T0 + 1, "by bob", &outcome), MOULT_OK);
    check(!rollout_may_offer(&r, 0) && !rollout_may_activate(&r));
    check(!rollout_tick(&r, T0 + DAY).is_changed);
    check_equal(rollout_verb(&r, ROLLOUT_RESUME, T0 + 2, "by bob", &outcome), MOULT_OK);
    check(rollout_may_offer(&r, 0) && rollout_may_activate(&r));
    r.mode = ROLLOUT_DOWNLOAD_ONLY;
    check(!rollout_may_activate(&r));
}

static unsigned offers_in(struct rollout *r, int64_t from_ms, int64_t to_ms,
                          int64_t step_ms)
{
    unsigned offers = 0;
    for (int64_t now_ms = from_ms; now_ms < to_ms; now_ms += step_ms) {
        int64_t wait_ms = 0;
        while (offers < 100000 && rollout_take_offer(r, now_ms, &wait_ms)) {
            offers++;
        }
    }
    return offers;
}

static void test_the_rate_is_kept_with_a_minute_of_burst(void)
{
    struct rollout r = started();
    r.rate_tenths = 600; /* 60 a minute */
    check_equal(offers_in(&r, T0, T0 + 1, 1), 60);
    unsigned offers = offers_in(&r, T0 + 1, T0 + 10 * MINUTE, 7);
    check(offers >= 598 && offers <= 600);
    check_equal(offers_in(&r, T0 + DAY, T0 + DAY + 1, 1), 60);
    int64_t wait_ms = 0;
    check(!rollout_take_offer(&r, T0 + DAY, &wait_ms));
    check(wait_ms > 900 && wait_ms <= 1001);
    check(!rollout_take_offer(&r, T0, &wait_ms)); /* clock set back: no flood */
}

static void test_slow_and_unlimited_rates(void)
{
    struct rollout r = started();
    r.rate_tenths = 1; /* one in ten minutes */
    check_equal(offers_in(&r, T0, T0 + 1, 1), 1);
    check_equal(offers_in(&r, T0 + 1, T0 + 10 * MINUTE, 5000), 0);
    check_equal(offers_in(&r, T0 + 10 * MINUTE, T0 + 30 * MINUTE, 5000), 2);
    r.rate_tenths = 0;
    int64_t wait_ms = 1;
    for (int i = 0; i < 1000; i++) {
        check(rollout_take_offer(&r, T0, &wait_ms));
    }
    check_equal(wait_ms, 0);
}

static void test_words(void)
{
    for (unsigned i = 1; i <= 7; i++) {
        check_equal(rollout_state_parse(rollout_state_word(i)), i);
        check(strcmp(phase_state_word(i), "?") != 0);
    }
    check_equal(rollout_state_parse("?"), 0);
    check_equal(rollout_state_parse("on"), 0);
    check_equal(rollout_mode_parse("download_only"), ROLLOUT_DOWNLOAD_ONLY);
    check_equal(rollout_mode_parse("sometimes"), 0);
    check(strcmp(rollout_mode_word(ROLLOUT_OPTIONAL), "optional") == 0);
    check(strcmp(rollout_state_word(77), "?") == 0);
}

int main(void)
{
    check_run(test_start_opens_the_first_phase_only);
    check_run(test_a_scheduled_rollout_waits_for_its_time);
    check_run(test_phases_pass_after_their_soak_one_by_one);
    check_run(test_soak_begins_anew_when_the_success_gate_lets_go);
    check_run(test_failure_is_looked_at_before_success_and_says_why);
    check_run(test_a_passed_phase_can_still_stop_the_rollout);
    check_run(test_a_passed_phase_is_not_failed_for_having_ended);
    check_run(test_resume_goes_on_and_stops_again_at_the_next_failure_only);
    check_run(test_resume_over_a_phase_that_has_ended_stops_at_once_and_advance_goes_on);
    check_run(test_retry_opens_a_failed_phase_but_does_not_resume);
    check_run(test_empty_phases_are_skipped_and_shown_so);
    check_run(test_approval_holds_until_an_operator_advances);
    check_run(test_a_phase_of_sleepers_holds_and_does_not_pass);
    check_run(test_verbs_need_their_states);
    check_run(test_pause_withholds_offers_and_activation);
    check_run(test_the_rate_is_kept_with_a_minute_of_burst);
    check_run(test_slow_and_unlimited_rates);
    check_run(test_words);
    return check_report();
}
