/* gates_test.c - the verdict for every corner of (confirmed, failed, decided, total). */
#include <string.h>
#include "formats/codes.h"
#include "server/rollout/gates.h"
#include "tests/support/check.h"

/* confirmed and failed (all firmware), of a phase with `target` devices, `reached` of
 * them. */
static struct phase_counters counted(uint32_t confirmed, uint32_t failed, uint32_t reached,
                                     uint32_t target)
{
    struct phase_counters c = {.target = target,
                               .reached = reached,
                               .attempted = reached,
                               .decided = confirmed + failed,
                               .confirmed = confirmed,
                               .failed = failed};
    c.by_class[FAILURE_FIRMWARE] = failed;
    return c;
}

static void test_table_of_verdicts_in_a_later_phase(void)
{
    static const struct {
        const char *name;
        uint32_t confirmed, failed, reached, target;
        enum gate_verdict verdict;
        enum gate_kind kind;
    } rows[] = {
        {"nothing yet", 0, 0, 0, 100, GATE_HOLD, GATE_SUCCESS},
        {"one confirmed of many", 1, 0, 1, 100, GATE_HOLD, GATE_SUCCESS},
        {"min_sample - 1", 19, 0, 19, 100, GATE_HOLD, GATE_SUCCESS},
        {"min_sample", 20, 0, 20, 100, GATE_PASS, GATE_SUCCESS},
        {"95 % exactly, but 5 % failed", 19, 1, 20, 100, GATE_FAIL, GATE_FAILURE},
        {"just below 5 % failed", 96, 5, 101, 200, GATE_PASS, GATE_SUCCESS},
        {"5 % of 100", 95, 5, 100, 200, GATE_FAIL, GATE_FAILURE},
        {"failure sample - 1", 8, 1, 9, 100, GATE_HOLD, GATE_SUCCESS},
        {"failure sample", 9, 1, 10, 100, GATE_FAIL, GATE_FAILURE},
        {"reached but undecided", 20, 0, 23, 100, GATE_HOLD, GATE_SUCCESS},
        {"90 % of reached decided", 20, 0, 22, 100, GATE_PASS, GATE_SUCCESS},
        {"offline ones do not hold it", 20, 0, 20, 1000000, GATE_PASS, GATE_SUCCESS},
        {"offline ones do not dilute", 10, 10, 20, 1000000, GATE_FAIL, GATE_FAILURE},
        {"small phase, all but one", 2, 0, 2, 3, GATE_HOLD, GATE_SUCCESS},
        {"small phase, all", 3, 0, 3, 3, GATE_PASS, GATE_SUCCESS},
        {"small phase, one failed of 3", 2, 1, 3, 3, GATE_FAIL, GATE_ALL_ENDED},
        {"all failed of 3", 0, 3, 3, 3, GATE_FAIL, GATE_ALL_ENDED},
        {"one device, confirmed", 1, 0, 1, 1, GATE_PASS, GATE_SUCCESS},
        {"one device, failed", 0, 1, 1, 1, GATE_FAIL, GATE_ALL_ENDED},
        {"largest numbers", 3800000, 199999, 4000000, 4000000, GATE_PASS, GATE_SUCCESS},
        {"largest numbers, 5 %", 3800000, 200000, 4000000, 4000000, GATE_FAIL,
         GATE_FAILURE},
    };
    struct gate_rules rules;
    gate_rules_default(&rules, 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].name);
        struct phase_counters c =
            counted(rows[i].confirmed, rows[i].failed, rows[i].reached, rows[i].target);
        struct gate_result result = gates_judge(&rules, &c, 0);
        check_equal(result.verdict, rows[i].verdict);
        check_equal(result.kind, rows[i].kind);
    }
    check_row(NULL);
}

/* "All devices ended" must never pass by itself: at every share, exactly as at 79 %. */
static void test_all_ended_passes_only_with_its_success_gate(void)
{
    struct gate_rules rules;
    gate_rules_default(&rules, 1);
    rules.failure_bp = 0; /* so that only "all ended" can speak */
    for (uint32_t target = 1; target <= 120; target++) {
        for (uint32_t confirmed = 0; confirmed <= target; confirmed++) {
            struct phase_counters c =
                counted(confirmed, target - confirmed, target, target);
            struct gate_result result = gates_judge(&rules, &c, 0);
            bool is_enough = confirmed * 100u >= 95u * target;
            check_equal(result.verdict, is_enough ? GATE_PASS : GATE_FAIL);
            check_equal(result.kind, is_enough ? GATE_SUCCESS : GATE_ALL_ENDED);
        }
    }
    rules.success_bp = 8000;
    struct phase_counters c = counted(79, 21, 100, 100);
    check_equal(gates_judge(&rules, &c, 0).verdict, GATE_FAIL);
    c = counted(80, 20, 100, 100);
    check_equal(gates_judge(&rules, &c, 0).verdict, GATE_PASS);
}

static void test_first_phase_stops_at_three_failures_or_one_bad_signature(void)
{
    struct gate_rules rules;
    gate_rules_default(&rules, 0);
    struct phase_counters c = counted(500, 2, 502, 1000);
    check_equal(gates_judge(&rules, &c, 0).kind, GATE_SUCCESS);
    c = counted(500, 3, 503, 1000);
    check_equal(gates_judge(&rules, &c, 0).kind, GATE_FAILURE_COUNT);
    c = counted(0, 1, 1, 1000);
    check_equal(gates_judge(&rules, &c, 0).verdict, GATE_HOLD);
    c.by_class[FAILURE_FIRMWARE] = 0;
    c.by_class[FAILURE_AUTHENTICITY] = 1;
    check_equal(gates_judge(&rules, &c, 0).kind, GATE_SINGLE);
    c = counted(0, 1, 1, 1000);
    c.crash_loops = 1;
    check_equal(gates_judge(&rules, &c, 0).kind, GATE_SINGLE);
    gate_rules_default(&rules, 1);
    check_equal(gates_judge(&rules, &c, 0).verdict, GATE_HOLD);
}

static void test_transport_failures_hold_and_do_not_stop(void)
{
    struct gate_rules rules;
    gate_rules_default(&rules, 1);
    struct phase_counters c = counted(80, 20, 100, 1000);
    c.by_class[FAILURE_FIRMWARE] = 0;
    c.by_class[FAILURE_TRANSPORT] = 20;
    struct gate_result result = gates_judge(&rules, &c, 0);
    check_equal(result.verdict, GATE_HOLD);
    check_equal(result.kind, GATE_DELIVERY);
    c.target = 100; /* but when all have ended there is nothing left to wait for */
    check_equal(gates_judge(&rules, &c, 0).verdict, GATE_FAIL);
    check_equal(gates_judge(&rules, &c, 0).kind, GATE_ALL_ENDED);
}

static void test_failures_seen_by_an_operator_do_not_stop_again(void)
{
    struct gate_rules rules;
    gate_rules_default(&rules, 0);
    struct phase_counters c = counted(50, 3, 53, 100);
    check_equal(gates_judge(&rules, &c, 0).verdict, GATE_FAIL);
    check_equal(gates_judge(&rules, &c, 3).verdict, GATE_HOLD); /* 94.3 % */
    c = counted(50, 4, 54, 100);
    check_equal(gates_judge(&rules, &c, 3).verdict, GATE_FAIL);
}

static void test_neutral_and_covered_devices_do_not_count(void)
{
    struct gate_rules rules;
    gate_rules_default(&rules, 1);
    struct phase_counters c = counted(3, 0, 3, 10);
    c.neutral = 4;
    c.covered = 3;
    check_equal(gates_judge(&rules, &c, 0).verdict, GATE_PASS);
    c.covered = 2;
    check_equal(gates_judge(&rules, &c, 0).verdict, GATE_HOLD);
}

static void test_contributions_add_up_and_come_off_again(void)
{
    struct phase_counters zero = {0};
    for (unsigned state = 1; state < ASSIGNMENT_STATE_COUNT; state++) {
        for (unsigned flags = 0; flags < 256; flags++) {
            struct assignment a = {.state = (uint8_t)state,
                                   .flags = (uint16_t)flags,
                                   .generation = 2,
                                   .reason = MOULT_R_TRIAL_CRASH_LOOP};
            struct phase_counters c = {0};
            gates_count(&c, &a, 1);
            check_equal(c.target, 1);
            check_equal(c.by_state[state], 1);
            check_equal(c.decided, c.confirmed + c.failed);
            uint32_t by_class = 0;
            for (unsigned i = 0; i < FAILURE_CLASS_COUNT; i++) {
                by_class += c.by_class[i];
            }
            check_equal(by_class, c.failed);
            check(c.decided + c.neutral + c.covered <= c.target);
            gates_count(&c, &a, -1);
            check_bytes(&c, &zero, sizeof c);
        }
    }
}

static void test_a_late_return_from_silent_stays_a_failure(void)
{
    struct assignment a = {.state = ASSIGNMENT_CONFIRMED,
                           .flags =
                               ASSIGNMENT_REACHED | ASSIGNMENT_ATTEMPTED | ASSIGNMENT_LATE};
    struct phase_counters c = {0};
    gates_count(&c, &a, 1);
    check_equal(c.failed, 1);
    check_equal(c.silent, 1);
    check_equal(c.confirmed, 0);
    check_equal(c.by_class[FAILURE_FIRMWARE], 1);
}

static void test_words_say_what_was_expected_and_found(void)
{
    static const struct {
        struct gate_result result;
        const char *words;
    } rows[] = {
        {{GATE_FAIL, GATE_FAILURE, 3, 20, 500, 10},
         "3 of 20 decided devices failed, limit 5 %"},
        {{GATE_FAIL, GATE_FAILURE, 3, 20, 550, 10},
         "3 of 20 decided devices failed, limit 5.50 %"},
        {{GATE_FAIL, GATE_FAILURE_COUNT, 3, 0, 3, 1}, "3 devices failed, limit 3"},
        {{GATE_FAIL, GATE_ALL_ENDED, 0, 3, 9500, 3},
         "all devices ended, 0 of 3 confirmed, 95 % needed"},
        {{GATE_PASS, GATE_SUCCESS, 20, 20, 9500, 20},
         "20 of 20 decided devices confirmed, 95 % needed"},
        {{GATE_HOLD, GATE_SUCCESS, 2, 2, 9500, 3},
         "2 of 2 decided devices confirmed, 95 % of at least 3 needed"},
    };
    char words[ROLLOUT_WORDS_SIZE];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        gate_words(&rows[i].result, words);
        check_row(words);
        check(strcmp(words, rows[i].words) == 0);
    }
    check_row(NULL);
    for (unsigned kind = GATE_NONE; kind <= GATE_ALL_ENDED; kind++) {
        struct gate_result huge = {GATE_FAIL,  (enum gate_kind)kind, UINT32_MAX,
                                   UINT32_MAX, UINT32_MAX,           UINT32_MAX};
        gate_words(&huge, words);
        check(strlen(words) > 10 && strlen(words) < ROLLOUT_WORDS_SIZE - 1);
        check(strcmp(gate_kind_word((enum gate_kind)kind), "?") != 0);
    }
}

int main(void)
{
    check_run(test_table_of_verdicts_in_a_later_phase);
    check_run(test_all_ended_passes_only_with_its_success_gate);
    check_run(test_first_phase_stops_at_three_failures_or_one_bad_signature);
    check_run(test_transport_failures_hold_and_do_not_stop);
    check_run(test_failures_seen_by_an_operator_do_not_stop_again);
    check_run(test_neutral_and_covered_devices_do_not_count);
    check_run(test_contributions_add_up_and_come_off_again);
    check_run(test_a_late_return_from_silent_stays_a_failure);
    check_run(test_words_say_what_was_expected_and_found);
    return check_report();
}
