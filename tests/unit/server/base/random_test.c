/* random_test.c - seeded streams replay, bounds hold. */
#include <string.h>
#include "server/base/random.h"
#include "tests/support/unit.h"

static void test_a_seed_replays_and_matches_the_published_stream(void **state)
{
    (void)state; /* cmocka's signature */
    /* First outputs of SplitMix64 for seed 1234567, from the reference implementation. */
    static const uint64_t expected[3] = {6457827717110365317u, 3203168211198807973u,
                                         9817491932198370423u};
    struct random_seeded seeded;
    struct random random = random_seeded(&seeded, 1234567);
    for (int i = 0; i < 3; i++) {
        uint8_t bytes[8];
        assert_true(random_fill(&random, bytes, 8));
        uint64_t word = 0;
        for (int k = 7; k >= 0; k--) {
            word = word << 8 | bytes[k];
        }
        assert_true(word == expected[i]);
    }
}

static void test_below_stays_below_and_reaches_every_value(void **state)
{
    (void)state;
    struct random_seeded seeded;
    struct random random = random_seeded(&seeded, 42);
    unsigned seen[7] = {0};
    for (int i = 0; i < 7000; i++) {
        uint64_t value;
        assert_true(random_below(&random, 7, &value));
        assert_true(value < 7);
        seen[value]++;
    }
    for (int i = 0; i < 7; i++) {
        assert_in_range(seen[i], 850, 1150);
    }
}

static bool fails(void *context, void *out, size_t size)
{
    (void)context; /* the callback's signature */
    memset(out, 0, size);
    return false;
}

static void test_a_failing_source_is_said(void **state)
{
    (void)state;
    struct random random = {.fill = fails};
    uint64_t value = 9;
    assert_false(random_below(&random, 10, &value));
    assert_int_equal(value, 0);
}

static void test_the_system_source_does_not_repeat(void **state)
{
    (void)state;
    uint8_t a[32], b[32];
    assert_true(random_fill(random_system(), a, sizeof a));
    assert_true(random_fill(random_system(), b, sizeof b));
    assert_memory_not_equal(a, b, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_seed_replays_and_matches_the_published_stream),
        cmocka_unit_test(test_below_stays_below_and_reaches_every_value),
        cmocka_unit_test(test_a_failing_source_is_said),
        cmocka_unit_test(test_the_system_source_does_not_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
