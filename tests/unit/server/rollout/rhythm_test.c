/* rhythm_test.c - what a device's own interval is taken to be. */
#include "server/rollout/rhythm.h"
#include "tests/support/check.h"

static struct rhythm filled(uint32_t gap_s, unsigned count)
{
    struct rhythm rhythm = {{0}};
    for (unsigned i = 0; i < count; i++) {
        rhythm_note(&rhythm, gap_s);
    }
    return rhythm;
}

static void test_a_new_device_has_the_expected_interval(void)
{
    struct rhythm rhythm = filled(10, 7);
    check_equal(rhythm_s(&rhythm, 300, 86400), 86400);
    check_equal(rhythm_s(&rhythm, 100000, 86400), 100000);
    check_equal(rhythm_s(&rhythm, 0, 0), 1);
}

static void test_eight_samples_are_enough_and_the_upper_edge_counts(void)
{
    struct rhythm rhythm = filled(300, 8); /* bin 8: 256..511 */
    check_equal(rhythm_s(&rhythm, 1, 86400), 512);
    rhythm = filled(0, 8);
    check_equal(rhythm_s(&rhythm, 1, 86400), 2);
}

static void test_what_was_told_is_the_least(void)
{
    struct rhythm rhythm = filled(60, 100);
    check_equal(rhythm_s(&rhythm, 3600, 86400), 3600);
}

static void test_five_percent_of_long_gaps_do_not_count_more_do(void)
{
    struct rhythm rhythm = filled(60, 95); /* edge 64 */
    for (int i = 0; i < 5; i++) {
        rhythm_note(&rhythm, 40000);
    }
    check_equal(rhythm_s(&rhythm, 1, 86400), 64);
    rhythm_note(&rhythm, 40000);
    check_equal(rhythm_s(&rhythm, 1, 86400), 65536);
}

static void test_a_weekly_sleeper_is_capped_at_fourteen_days(void)
{
    struct rhythm rhythm = filled(604800, 20); /* upper edge 1,048,576 s: 12 days */
    check_equal(rhythm_s(&rhythm, 1, 86400), 1048576);
    rhythm = filled(UINT32_MAX, 20);
    check_equal(rhythm_s(&rhythm, 1, 86400), RHYTHM_MAX_S);
    check_equal(rhythm_s(&rhythm, 2678400, 86400), 2678400);
}

static void test_old_samples_fade_when_the_interval_changes(void)
{
    struct rhythm rhythm = filled(40000, 5000);
    for (int i = 0; i < 3000; i++) {
        rhythm_note(&rhythm, 60);
    }
    check_equal(rhythm_s(&rhythm, 1, 86400), 64);
}

int main(void)
{
    check_run(test_a_new_device_has_the_expected_interval);
    check_run(test_eight_samples_are_enough_and_the_upper_edge_counts);
    check_run(test_what_was_told_is_the_least);
    check_run(test_five_percent_of_long_gaps_do_not_count_more_do);
    check_run(test_a_weekly_sleeper_is_capped_at_fourteen_days);
    check_run(test_old_samples_fade_when_the_interval_changes);
    return check_report();
}
