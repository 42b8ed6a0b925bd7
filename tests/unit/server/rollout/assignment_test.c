/* assignment_test.c - every state x event, the time limits, and what a device's word is
 * worth. */
#include <stdio.h>
#include <string.h>
#include "formats/codes.h"
#include "formats/message_report.h"
#include "server/rollout/assignment.h"
#include "tests/support/check.h"

#define MINUTE 60000
#define HOUR (60 * MINUTE)
#define DAY (24 * (int64_t)HOUR)
#define T0 1700000000000 /* some time */

static const struct assignment_limits limits = {
    .offer_ttl_ms = 7 * DAY,
    .stall_min_ms = HOUR,
    .total_min_ms = DAY,
    .silent_min_ms = 15 * MINUTE,
    .silent_max_ms = 30 * DAY,
    .trial_limit_ms = 5 * MINUTE,
    .silent_factor = 3,
    .loop_max = 3,
    .loop_window_ms = DAY,
    .retry = {MINUTE, DAY},
};

/* R = 5 min, soak 1 h: a mains device. */
static struct assignment_terms mains(void)
{
    return (struct assignment_terms){.limits = &limits,
                                     .rhythm_ms = 5 * MINUTE,
                                     .soak_ms = HOUR,
                                     .image_size = 1000000,
                                     .jitter = 500,
                                     .is_slot_free = true};
}

static struct assignment planned(void)
{
    struct assignment a;
    assignment_init(&a, 0, T0);
    return a;
}

static struct assignment_effect happens(struct assignment *a,
                                        enum assignment_event_kind kind, int64_t now_ms)
{
    struct assignment_terms terms = mains();
    struct assignment_event event = {.kind = kind, .now_ms = now_ms};
    return assignment_step(a, &event, &terms);
}

static struct assignment_effect fails(struct assignment *a, uint16_t reason, int64_t now_ms)
{
    struct assignment_terms terms = mains();
    struct assignment_event event = {
        .kind = ASSIGNMENT_EV_FAILED, .now_ms = now_ms, .reason = reason};
    return assignment_step(a, &event, &terms);
}

static struct assignment rebooting(void)
{
    struct assignment a = planned();
    (void)happens(&a, ASSIGNMENT_EV_GRANT, T0);
    (void)happens(&a, ASSIGNMENT_EV_PROGRESS, T0 + 1000);
    (void)happens(&a, ASSIGNMENT_EV_WRITTEN, T0 + 2000);
    (void)happens(&a, ASSIGNMENT_EV_VERIFIED, T0 + 3000);
    (void)happens(&a, ASSIGNMENT_EV_REBOOTING, T0 + 4000);
    return a;
}

/* An assignment that has just come into a state, without history. */
static struct assignment in_state(unsigned state)
{
    struct assignment a = planned();
    a.state = (uint8_t)state;
    a.offered_ms = T0;
    a.started_ms = T0;
    a.heard_ms = T0;
    a.progress_ms = T0;
    return a;
}

static void test_every_state_and_event_does_what_the_table_says(void)
{
    for (unsigned state = 1; state < ASSIGNMENT_STATE_COUNT; state++) {
        for (unsigned event = 0; event < ASSIGNMENT_EVENT_COUNT; event++) {
            enum assignment_event_kind kind = (enum assignment_event_kind)event;
            struct assignment a = in_state(state);
            a.soak_checkins = 2;
            struct assignment before = a;
            int64_t now_ms = kind == ASSIGNMENT_EV_SOAKED ? T0 + HOUR : T0 + MINUTE;
            check_row(assignment_event_word(kind));
            struct assignment_effect effect = happens(&a, kind, now_ms);
            unsigned next = assignment_next(state, kind);
            if (next == ASSIGNMENT_NO_STATE) {
                check(!effect.is_accepted);
                check_bytes(&a, &before, sizeof a);
                continue;
            }
            if (state == ASSIGNMENT_ROLLED_BACK && kind == ASSIGNMENT_EV_ROLLED_BACK) {
                check(!effect.is_accepted); /* its reason is known already */
                continue;
            }
            check(effect.is_accepted);
            check_equal(effect.from, state);
            check_equal(a.state, effect.is_retry ? ASSIGNMENT_PLANNED : next);
            check_equal(effect.is_moved, a.state != state || effect.is_retry);
            if (effect.is_retry) {
                check_equal(assignment_outcome(next), ASSIGNMENT_OUTCOME_FAILURE);
                check_equal(a.generation, 2);
                check(a.not_before_ms > T0 + MINUTE);
            }
        }
    }
    check_row(NULL);
}

static void test_no_event_but_a_seen_digest_leads_towards_success(void)
{
    for (unsigned state = 1; state < ASSIGNMENT_STATE_COUNT; state++) {
        for (unsigned event = 0; event < ASSIGNMENT_EVENT_COUNT; event++) {
            enum assignment_event_kind kind = (enum assignment_event_kind)event;
            unsigned next = assignment_next(state, kind);
            bool is_proof =
                kind == ASSIGNMENT_EV_SAW_NEW_TRIAL || kind == ASSIGNMENT_EV_SAW_NEW_VALID;
            if (next == ASSIGNMENT_TRIAL || next == ASSIGNMENT_SOAKING) { check(is_proof); }
            if (next == ASSIGNMENT_CONFIRMED) {
                check(kind == ASSIGNMENT_EV_SOAKED || kind == ASSIGNMENT_EV_ALREADY);
            }
        }
    }
    enum assignment_event_kind kind;
    check(!assignment_report_event(MOULT_REPORT_TRIAL, false, &kind));
    check(!assignment_report_event(MOULT_REPORT_CONFIRMED, false, &kind));
    check(!assignment_report_event(MOULT_REPORT_EVENT, false, &kind));
    check(!assignment_report_event(MOULT_REPORT_DEFERRED, false, &kind));
    check(!assignment_report_event(200, false, &kind));
    check(assignment_report_event(MOULT_REPORT_STAGED, false, &kind));
    check_equal(kind, ASSIGNMENT_EV_VERIFIED);
    check(assignment_report_event(MOULT_REPORT_STAGED, true, &kind));
    check_equal(kind, ASSIGNMENT_EV_STAGED);
}

/* docs/design/rollout-engine.md shows the table; it must be this one. */
static void test_the_page_shows_this_table(void)
{
    static const char short_words[] = "__PlOfCoDoWrVeRbTrSoCfStRoFaSiSuCa";
    char line[200], name[24];
    unsigned shown = 0;
    FILE *page = fopen(MOULT_SOURCE_DIR "/docs/design/rollout-engine.md", "r");
    check(page != NULL);
    while (fgets(line, sizeof line, page)) {
        if (sscanf(line, "%23s", name) != 1) { continue; }
        for (unsigned event = 0; event < ASSIGNMENT_EVENT_COUNT; event++) {
            enum assignment_event_kind kind = (enum assignment_event_kind)event;
            if (strcmp(name, assignment_event_word(kind)) != 0) { continue; }
            shown++;
            for (unsigned state = 1; state < ASSIGNMENT_STATE_COUNT; state++) {
                unsigned next = assignment_next(state, kind);
                check_row(name);
                check_bytes(line + 15 + (state - 1) * 4, short_words + next * 2, 2);
            }
        }
    }
    fclose(page);
    check_row(NULL);
    check_equal(shown, ASSIGNMENT_EVENT_COUNT);
}

static void test_the_whole_road(void)
{
    struct assignment a = rebooting();
    check_equal(a.state, ASSIGNMENT_REBOOTING);
    check_equal(a.inferred, 0);
    check(a.flags & ASSIGNMENT_ATTEMPTED);
    check_equal(happens(&a, ASSIGNMENT_EV_SAW_NEW_TRIAL, T0 + MINUTE).is_moved, true);
    check_equal(a.state, ASSIGNMENT_TRIAL);
    (void)happens(&a, ASSIGNMENT_EV_SAW_NEW_VALID, T0 + 2 * MINUTE);
    check_equal(a.state, ASSIGNMENT_SOAKING);
    (void)happens(&a, ASSIGNMENT_EV_SAW_NEW_VALID, T0 + 7 * MINUTE);
    check_equal(a.state, ASSIGNMENT_SOAKING);
    struct assignment_effect effect =
        happens(&a, ASSIGNMENT_EV_SAW_NEW_VALID, T0 + 2 * MINUTE + HOUR);
    check_equal(a.state, ASSIGNMENT_CONFIRMED);
    check(effect.is_ended);
}

static void test_soak_needs_time_and_two_contacts_or_one_of_a_sleeper(void)
{
    struct assignment a = rebooting();
    struct assignment_terms terms = mains();
    (void)happens(&a, ASSIGNMENT_EV_SAW_NEW_VALID, T0 + MINUTE);
    check(!assignment_tick(&a, T0 + 10 * MINUTE, &terms).is_accepted);
    check_equal(assignment_deadline_ms(&a, &terms), T0 + 16 * MINUTE); /* silent first */
    (void)happens(&a, ASSIGNMENT_EV_SAW_NEW_VALID, T0 + 11 * MINUTE);
    check_equal(assignment_deadline_ms(&a, &terms), T0 + 26 * MINUTE);
    terms.rhythm_ms = 30 * MINUTE; /* the time alone is not enough */
    a.soak_checkins = 1;
    check(!assignment_tick(&a, T0 + MINUTE + HOUR, &terms).is_accepted);
    terms.rhythm_ms = 2 * HOUR; /* a sleeper: one contact is enough, 1 h after it */
    a.soak_checkins = 1;
    check_equal(assignment_deadline_ms(&a, &terms), T0 + MINUTE + HOUR);
    check(!assignment_tick(&a, T0 + MINUTE + HOUR - 1, &terms).is_accepted);
    check(assignment_tick(&a, T0 + MINUTE + HOUR, &terms).is_accepted);
    check_equal(a.state, ASSIGNMENT_CONFIRMED);
}

static void test_reports_that_were_lost_are_stamped_inferred(void)
{
    struct assignment a = planned();
    (void)happens(&a, ASSIGNMENT_EV_GRANT, T0);
    (void)happens(&a, ASSIGNMENT_EV_SAW_NEW_TRIAL, T0 + MINUTE);
    check_equal(a.state, ASSIGNMENT_TRIAL);
    uint32_t skipped = 1u << ASSIGNMENT_DOWNLOADING | 1u << ASSIGNMENT_WRITTEN |
                       1u << ASSIGNMENT_VERIFIED | 1u << ASSIGNMENT_REBOOTING;
    check_equal(a.inferred, skipped);
    check(!(a.flags & ASSIGNMENT_OUT_OF_BAND));
    check(a.flags & ASSIGNMENT_ATTEMPTED);
}

static void test_a_cable_update_is_out_of_band(void)
{
    struct assignment a = planned();
    (void)happens(&a, ASSIGNMENT_EV_SAW_NEW_VALID, T0 + MINUTE);
    check_equal(a.state, ASSIGNMENT_SOAKING);
    check(a.flags & ASSIGNMENT_OUT_OF_BAND);
    check(!(a.flags & ASSIGNMENT_ATTEMPTED));
}

static void test_the_old_digest_after_the_reboot_is_a_rollback(void)
{
    struct assignment a = rebooting();
    a.generation = 9; /* as if */
    a.tries.by_class[FAILURE_FIRMWARE] = 1;
    struct assignment_effect effect = happens(&a, ASSIGNMENT_EV_SAW_OLD, T0 + MINUTE);
    check_equal(a.state, ASSIGNMENT_ROLLED_BACK);
    check_equal(effect.reason, MOULT_R_BOOT_NOT_SWITCHED);
    check(effect.is_poison && effect.is_ended);
    check(a.flags & ASSIGNMENT_INFERRED);

    struct assignment_terms terms = mains(); /* the device's own reason comes late */
    struct assignment_event event = {.kind = ASSIGNMENT_EV_ROLLED_BACK,
                                     .now_ms = T0 + 2 * MINUTE,
                                     .reason = MOULT_R_TRIAL_SELFTEST,
                                     .detail = MOULT_D_SELFTEST};
    effect = assignment_step(&a, &event, &terms);
    check(effect.is_accepted && !effect.is_moved && !effect.is_poison);
    check_equal(a.reason, MOULT_R_TRIAL_SELFTEST);
    event.reason = MOULT_R_TRIAL_PANIC; /* but only once */
    check(!assignment_step(&a, &event, &terms).is_accepted);
}

static void test_an_unknown_digest_is_a_version_mismatch(void)
{
    struct assignment a = rebooting();
    (void)happens(&a, ASSIGNMENT_EV_SAW_OTHER, T0 + MINUTE);
    check_equal(a.state, ASSIGNMENT_FAILED);
    check_equal(a.reason, MOULT_R_SRV_VERSION_MISMATCH);
}

static void test_running_digest_decides_the_event(void)
{
    uint8_t new_digest[32] = {1}, old_digest[32] = {2}, other[32] = {3};
    check_equal(assignment_running_event(new_digest, new_digest, old_digest, true),
                ASSIGNMENT_EV_SAW_NEW_TRIAL);
    check_equal(assignment_running_event(new_digest, new_digest, old_digest, false),
                ASSIGNMENT_EV_SAW_NEW_VALID);
    check_equal(assignment_running_event(old_digest, new_digest, old_digest, false),
                ASSIGNMENT_EV_SAW_OLD);
    check_equal(assignment_running_event(other, new_digest, old_digest, true),
                ASSIGNMENT_EV_SAW_OTHER);
    check_equal(assignment_running_event(old_digest, new_digest, NULL, false),
                ASSIGNMENT_EV_SAW_OTHER);
}

static void test_silence_by_the_devices_own_rhythm(void)
{
    static const struct {
        const char *name;
        int64_t rhythm_ms, silent_ms;
    } rows[] = {
        {"polls every second", 1000, 15 * MINUTE},
        {"every 5 minutes", 5 * MINUTE, 15 * MINUTE},
        {"hourly", HOUR, 3 * HOUR},
        {"weekly sleeper", 7 * DAY, 21 * DAY},
        {"every 12 days", 12 * DAY, 30 * DAY},
        {"monthly", 31 * DAY, 62 * DAY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct assignment a = rebooting();
        struct assignment_terms terms = mains();
        terms.rhythm_ms = rows[i].rhythm_ms;
        check_row(rows[i].name);
        check_equal(assignment_deadline_ms(&a, &terms), T0 + 4000 + rows[i].silent_ms);
        check(!assignment_tick(&a, T0 + 4000 + rows[i].silent_ms - 1, &terms).is_accepted);
        struct assignment_effect effect =
            assignment_tick(&a, T0 + 4000 + rows[i].silent_ms, &terms);
        check(effect.is_ended && effect.is_poison && !effect.is_retry);
        check_equal(a.state, ASSIGNMENT_SILENT);
        check_equal(a.reason, MOULT_R_SRV_SILENT);
    }
    check_row(NULL);
}

static void test_a_server_outage_extends_every_limit(void)
{
    struct assignment a = rebooting();
    struct assignment_terms terms = mains();
    a.grace_ms = HOUR;
    check_equal(assignment_deadline_ms(&a, &terms), T0 + 4000 + 15 * MINUTE + HOUR);
    check(assignment_heard(&a, T0 + 5000)); /* contact: the outage is behind us */
    check(!assignment_heard(&a, T0 + 5000));
    check_equal(assignment_deadline_ms(&a, &terms), T0 + 5000 + 15 * MINUTE);
    check_equal(assignment_late_ms(&a, &terms), T0 + 5000 + 5 * MINUTE);
}

static void test_back_from_silent(void)
{
    struct assignment_terms terms = mains();
    struct assignment_event seen = {.kind = ASSIGNMENT_EV_SAW_NEW_VALID,
                                    .now_ms = T0 + DAY};
    struct assignment a = in_state(ASSIGNMENT_SILENT);
    struct assignment_effect effect = assignment_step(&a, &seen, &terms);
    check(effect.is_recovered);
    check_equal(a.state, ASSIGNMENT_SOAKING);
    check(!(a.flags & ASSIGNMENT_LATE));

    a = in_state(ASSIGNMENT_SILENT);
    terms.is_phase_closed = true;
    (void)assignment_step(&a, &seen, &terms);
    check(a.flags & ASSIGNMENT_LATE);

    a = in_state(ASSIGNMENT_SILENT); /* meanwhile another assignment has the device */
    terms.is_slot_free = false;
    check(!assignment_step(&a, &seen, &terms).is_accepted);
    check_equal(a.state, ASSIGNMENT_SILENT);
}

static void test_an_offline_device_never_fails_by_an_offer(void)
{
    struct assignment a = planned();
    struct assignment_terms terms = mains();
    check_equal(assignment_deadline_ms(&a, &terms), INT64_MAX);
    (void)happens(&a, ASSIGNMENT_EV_GRANT, T0);
    check_equal(assignment_deadline_ms(&a, &terms), T0 + 7 * DAY);
    struct assignment_effect effect = assignment_tick(&a, T0 + 7 * DAY, &terms);
    check_equal(a.state, ASSIGNMENT_PLANNED);
    check_equal(a.generation, 1);
    check(!effect.is_retry && effect.is_moved);
}

static void test_a_stalled_download_is_tried_again_and_ends_some_day(void)
{
    struct assignment_terms terms = mains();
    struct assignment a = planned();
    int64_t now_ms = T0;
    unsigned attempts = 0;
    while (a.state == ASSIGNMENT_PLANNED && attempts < 20) {
        now_ms = a.not_before_ms > now_ms ? a.not_before_ms : now_ms;
        check(happens(&a, ASSIGNMENT_EV_GRANT, now_ms).is_accepted);
        check(happens(&a, ASSIGNMENT_EV_PROGRESS, now_ms).is_accepted);
        check_equal(assignment_deadline_ms(&a, &terms), now_ms + HOUR);
        now_ms += HOUR;
        check(assignment_tick(&a, now_ms, &terms).is_accepted);
        attempts++;
    }
    check_equal(attempts, 8);
    check_equal(a.state, ASSIGNMENT_FAILED);
    check_equal(a.reason, MOULT_R_SRV_STALLED);
}

static void test_progress_of_five_percent_resets_the_tries(void)
{
    struct assignment_terms terms = mains();
    struct assignment a = planned();
    (void)happens(&a, ASSIGNMENT_EV_GRANT, T0);
    for (uint32_t round = 1; round <= 15; round++) {
        struct assignment_event progress = {.kind = ASSIGNMENT_EV_PROGRESS,
                                            .now_ms = T0 + round * DAY,
                                            .offset = round * 60000};
        check(assignment_step(&a, &progress, &terms).is_accepted);
        check(fails(&a, MOULT_R_NET_RESET, T0 + round * DAY).is_retry);
        check_equal(a.tries.by_class[FAILURE_TRANSPORT], 1);
    }
}

static void test_a_grant_before_the_back_off_is_over_is_refused(void)
{
    struct assignment a = planned();
    (void)happens(&a, ASSIGNMENT_EV_GRANT, T0);
    check(fails(&a, MOULT_R_NET_RESET, T0).is_retry);
    check_equal(a.not_before_ms, T0 + MINUTE);
    check(!happens(&a, ASSIGNMENT_EV_GRANT, T0 + MINUTE - 1).is_accepted);
    check(happens(&a, ASSIGNMENT_EV_GRANT, T0 + MINUTE).is_accepted);
}

static void test_verified_waits_while_activation_is_withheld(void)
{
    struct assignment a = in_state(ASSIGNMENT_VERIFIED);
    struct assignment_terms terms = mains();
    terms.is_withheld = true;
    check_equal(assignment_deadline_ms(&a, &terms), INT64_MAX);
    terms.is_withheld = false;
    check_equal(assignment_deadline_ms(&a, &terms), T0 + HOUR);
}

static void test_an_abort_lets_trials_finish_and_tells_busy_devices(void)
{
    struct assignment_terms terms = mains();
    terms.is_ending = true;
    static const struct {
        unsigned state, after;
        bool is_stopping;
    } rows[] = {
        {ASSIGNMENT_PLANNED, ASSIGNMENT_CANCELLED, false},
        {ASSIGNMENT_OFFERED, ASSIGNMENT_CANCELLED, false},
        {ASSIGNMENT_DOWNLOADING, ASSIGNMENT_DOWNLOADING, true},
        {ASSIGNMENT_VERIFIED, ASSIGNMENT_VERIFIED, true},
        {ASSIGNMENT_REBOOTING, ASSIGNMENT_REBOOTING, false},
        {ASSIGNMENT_TRIAL, ASSIGNMENT_TRIAL, false},
        {ASSIGNMENT_CONFIRMED, ASSIGNMENT_CONFIRMED, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct assignment a = in_state(rows[i].state);
        (void)assignment_stop(&a, T0 + 1, &terms);
        check_row(assignment_state_word(rows[i].state));
        check_equal(a.state, rows[i].after);
        check_equal((a.flags & ASSIGNMENT_STOPPING) != 0, rows[i].is_stopping);
        if (rows[i].is_stopping) { /* never heard of again: neutral, not a failure */
            check(assignment_tick(&a, T0 + 2 * DAY, &terms).is_ended);
            check_equal(a.state, ASSIGNMENT_CANCELLED);
        }
    }
    check_row(NULL);
    struct assignment a = in_state(ASSIGNMENT_DOWNLOADING);
    struct assignment_event event = {
        .kind = ASSIGNMENT_EV_FAILED, .now_ms = T0 + 1, .reason = MOULT_R_NET_RESET};
    check(!assignment_step(&a, &event, &terms).is_retry);
}

static void test_an_update_loop_ends_in_failure(void)
{
    struct assignment a = planned();
    struct assignment_effect effect = {0};
    for (int round = 1; round <= 4; round++) {
        a.state = ASSIGNMENT_VERIFIED;
        effect = happens(&a, ASSIGNMENT_EV_REBOOTING, T0 + round * HOUR);
        check_equal(effect.is_loop, round == 4);
    }
    check_equal(a.state, ASSIGNMENT_FAILED);
    check_equal(a.reason, MOULT_R_SRV_UPDATE_LOOP);
    check(!effect.is_retry && effect.is_poison);
    a = planned(); /* the same over two days is none */
    for (int round = 1; round <= 8; round++) {
        a.state = ASSIGNMENT_VERIFIED;
        effect = happens(&a, ASSIGNMENT_EV_REBOOTING, T0 + round * 9 * (int64_t)HOUR);
        check(!effect.is_loop);
    }
}

static void test_an_operators_retry_begins_afresh(void)
{
    struct assignment a = in_state(ASSIGNMENT_FAILED);
    a.tries.by_class[FAILURE_TRANSPORT] = 8;
    a.reason = MOULT_R_NET_RESET;
    check(happens(&a, ASSIGNMENT_EV_RETRY, T0 + DAY).is_accepted);
    check_equal(a.state, ASSIGNMENT_PLANNED);
    check_equal(a.generation, 2);
    check_equal(a.tries.by_class[FAILURE_TRANSPORT], 0);
    check_equal(a.offered_ms, 0);
    check(happens(&a, ASSIGNMENT_EV_GRANT, T0 + DAY).is_accepted);
}

static void test_a_clock_set_back_leaves_no_limit_in_the_far_future(void)
{
    struct assignment a = rebooting();
    struct assignment_terms terms = mains();
    (void)assignment_tick(&a, T0 - 300 * DAY, &terms);
    check_equal(assignment_deadline_ms(&a, &terms), T0 - 300 * DAY + 15 * MINUTE);
    a = in_state(ASSIGNMENT_OFFERED);
    a.entered_ms = T0;
    (void)assignment_tick(&a, T0 - 300 * DAY, &terms);
    check_equal(assignment_deadline_ms(&a, &terms), T0 - 300 * DAY + 7 * DAY);
}

static void test_words(void)
{
    for (unsigned state = 1; state < ASSIGNMENT_STATE_COUNT; state++) {
        check_equal(assignment_state_parse(assignment_state_word(state)), state);
        check_equal(assignment_is_active(state),
                    assignment_outcome(state) == ASSIGNMENT_OUTCOME_OPEN);
    }
    check_equal(assignment_state_parse("installed"), ASSIGNMENT_NO_STATE);
    check_equal(assignment_state_parse("?"), ASSIGNMENT_NO_STATE);
    check(strcmp(assignment_state_word(99), "?") == 0);
    check(strcmp(assignment_event_word(ASSIGNMENT_EVENT_COUNT), "?") == 0);
}

int main(void)
{
    check_run(test_every_state_and_event_does_what_the_table_says);
    check_run(test_no_event_but_a_seen_digest_leads_towards_success);
    check_run(test_the_page_shows_this_table);
    check_run(test_the_whole_road);
    check_run(test_soak_needs_time_and_two_contacts_or_one_of_a_sleeper);
    check_run(test_reports_that_were_lost_are_stamped_inferred);
    check_run(test_a_cable_update_is_out_of_band);
    check_run(test_the_old_digest_after_the_reboot_is_a_rollback);
    check_run(test_an_unknown_digest_is_a_version_mismatch);
    check_run(test_running_digest_decides_the_event);
    check_run(test_silence_by_the_devices_own_rhythm);
    check_run(test_a_server_outage_extends_every_limit);
    check_run(test_back_from_silent);
    check_run(test_an_offline_device_never_fails_by_an_offer);
    check_run(test_a_stalled_download_is_tried_again_and_ends_some_day);
    check_run(test_progress_of_five_percent_resets_the_tries);
    check_run(test_a_grant_before_the_back_off_is_over_is_refused);
    check_run(test_verified_waits_while_activation_is_withheld);
    check_run(test_an_abort_lets_trials_finish_and_tells_busy_devices);
    check_run(test_an_update_loop_ends_in_failure);
    check_run(test_an_operators_retry_begins_afresh);
    check_run(test_a_clock_set_back_leaves_no_limit_in_the_far_future);
    check_run(test_words);
    return check_report();
}
