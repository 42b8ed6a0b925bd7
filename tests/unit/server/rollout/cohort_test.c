/* cohort_test.c - cohorts are the same for everybody, grow, and are fair. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "formats/bytes.h"
#include "keys/openssl_crypto.h"
#include "server/rollout/cohort.h"
#include "tests/support/check.h"

#define FLEET 20000u

static struct cohort_member fleet[FLEET];
static struct cohort_member other[FLEET];

/* A reproducible id per number: devices are numbered, not random. */
static void id_of(uint32_t number, uint8_t id[COHORT_ID_SIZE])
{
    memset(id, 0x5a, COHORT_ID_SIZE);
    put_be32(id + 4, number * 2654435761u);
    put_be32(id + 12, number);
}

static void make_fleet(struct cohort_member *members, uint32_t count, uint8_t salt_byte)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    uint8_t salt[COHORT_SALT_SIZE];
    memset(salt, salt_byte, sizeof salt);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t id[COHORT_ID_SIZE];
        id_of(i, id);
        if (cohort_member_init(&members[i], &crypto, salt, id) != MOULT_OK) { abort(); }
        members[i].tag = i;
    }
}

/* The worked example of docs/spec/rollout.md. */
static void test_worked_example_of_the_spec(void)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    uint8_t salt[COHORT_SALT_SIZE], id[COHORT_ID_SIZE];
    check(moult_hex_decode("000102030405060708090a0b0c0d0e0f", salt, sizeof salt));
    check(moult_hex_decode("f0e1d2c3b4a5968778695a4b3c2d1e0f", id, sizeof id));
    uint64_t order = 0;
    check_equal(cohort_order(&crypto, salt, id, &order), MOULT_OK);
    check_equal(order >> 32, 0xc0e9d7e3);
    check_equal(cohort_bucket(order), 753568);
}

static void test_buckets_cover_the_range_and_keep_the_order(void)
{
    check_equal(cohort_bucket(0), 0);
    check_equal(cohort_bucket(UINT64_MAX), 999999);
    check_equal(cohort_bucket((uint64_t)0x80000000u << 32), 500000);
    uint32_t last = 0;
    for (uint64_t order = 0; order < UINT64_MAX - (UINT64_MAX >> 12);
         order += UINT64_MAX >> 12) {
        uint32_t bucket = cohort_bucket(order);
        check(bucket >= last && bucket < COHORT_BUCKETS);
        last = bucket;
    }
}

static const struct cohort_rule classic[] = {
    {COHORT_PERCENT, 500, 3}, {COHORT_PERCENT, 2500, 3}, {COHORT_PERCENT, 10000, 3}};

/* 4 sigma of a binomial: a fair hash misses it once in 16,000 runs, and this run never
 * changes. */
static void test_phases_have_their_share_within_four_sigma(void)
{
    for (uint8_t salt = 1; salt <= 8; salt++) {
        uint32_t sizes[3];
        make_fleet(fleet, FLEET, salt);
        cohort_plan(classic, 3, fleet, FLEET, sizes);
        /* n p: 1000, 4000; n p (1 - p): 950, 3200; sigma: 30.8, 56.6 */
        check(sizes[0] > 1000 - 124 && sizes[0] < 1000 + 124);
        check(sizes[1] > 4000 - 227 && sizes[1] < 4000 + 227);
        check_equal(sizes[0] + sizes[1] + sizes[2], FLEET);
    }
}

static uint8_t phase_of_tag(const struct cohort_member *members, uint32_t count,
                            uint32_t tag)
{
    for (uint32_t i = 0; i < count; i++) {
        if (members[i].tag == tag) { return members[i].phase; }
    }
    return COHORT_NO_PHASE;
}

static void test_growing_percentages_keep_whom_they_had(void)
{
    enum { COUNT = 2000 };
    struct cohort_rule small[] = {{COHORT_PERCENT, 500, 0}, {COHORT_REST, 0, 0}};
    struct cohort_rule large[] = {{COHORT_PERCENT, 2500, 0}, {COHORT_REST, 0, 0}};
    make_fleet(fleet, COUNT, 9);
    make_fleet(other, COUNT, 9);
    cohort_plan(small, 2, fleet, COUNT, NULL);
    cohort_plan(large, 2, other, COUNT, NULL);
    for (uint32_t tag = 0; tag < COUNT; tag++) {
        if (phase_of_tag(fleet, COUNT, tag) == 0) {
            check_equal(phase_of_tag(other, COUNT, tag), 0);
        }
    }
}

static void test_order_of_input_does_not_matter(void)
{
    enum { COUNT = 1000 };
    make_fleet(fleet, COUNT, 3);
    make_fleet(other, COUNT, 3);
    for (uint32_t i = 0; i < COUNT / 2; i++) {
        struct cohort_member swapped = other[i];
        other[i] = other[COUNT - 1 - i];
        other[COUNT - 1 - i] = swapped;
    }
    cohort_plan(classic, 3, fleet, COUNT, NULL);
    cohort_plan(classic, 3, other, COUNT, NULL);
    check_bytes(fleet, other, COUNT * sizeof fleet[0]);
}

static void test_another_salt_gives_another_canary(void)
{
    enum { COUNT = 1000 };
    uint32_t both = 0;
    make_fleet(fleet, COUNT, 3);
    make_fleet(other, COUNT, 4);
    cohort_plan(classic, 3, fleet, COUNT, NULL);
    cohort_plan(classic, 3, other, COUNT, NULL);
    for (uint32_t tag = 0; tag < COUNT; tag++) {
        if (phase_of_tag(fleet, COUNT, tag) == 0 && phase_of_tag(other, COUNT, tag) == 0) {
            both++;
        }
    }
    check(both < 15); /* 2.5 expected */
}

static void test_five_percent_of_fifty_is_never_empty(void)
{
    for (uint8_t salt = 1; salt <= 50; salt++) {
        uint32_t sizes[3];
        make_fleet(fleet, 50, salt);
        cohort_plan(classic, 3, fleet, 50, sizes);
        check(sizes[0] >= 3 && sizes[1] >= 3);
        check_equal(sizes[0] + sizes[1] + sizes[2], 50);
    }
}

static void test_a_target_smaller_than_min_devices_is_one_phase(void)
{
    uint32_t sizes[3];
    make_fleet(fleet, 2, 1);
    cohort_plan(classic, 3, fleet, 2, sizes);
    check_equal(sizes[0], 2);
    check_equal(sizes[1] + sizes[2], 0);
    cohort_plan(classic, 3, fleet, 0, sizes);
    check_equal(sizes[0] + sizes[1] + sizes[2], 0);
}

static void test_count_takes_the_first_eligible_in_order(void)
{
    struct cohort_rule rules[] = {
        {COHORT_COUNT, 1, 0}, {COHORT_COUNT, 5, 0}, {COHORT_REST, 0, 0}};
    uint32_t sizes[3];
    make_fleet(fleet, 20, 1);
    cohort_plan(rules, 3, fleet, 20, sizes);
    check_equal(sizes[0], 1);
    check_equal(sizes[1], 4);
    check_equal(sizes[2], 15);
    uint32_t first_tag = fleet[0].tag;
    check_equal(fleet[0].phase, 0);

    make_fleet(fleet, 20, 1);
    fleet[first_tag].is_eligible = false;
    cohort_plan(rules, 3, fleet, 20, sizes);
    check_equal(sizes[0], 1);
    check_equal(phase_of_tag(fleet, 20, first_tag), 2); /* offered later, in the rest */
}

static void test_an_ineligible_device_keeps_its_percent_phase(void)
{
    make_fleet(fleet, 1000, 1);
    cohort_plan(classic, 3, fleet, 1000, NULL);
    uint32_t tag = fleet[0].tag;
    make_fleet(fleet, 1000, 1);
    fleet[tag].is_eligible = false;
    cohort_plan(classic, 3, fleet, 1000, NULL);
    check_equal(phase_of_tag(fleet, 1000, tag), 0);
}

static void test_a_later_joiner_gets_the_phase_of_its_bucket(void)
{
    struct cohort_rule rules[] = {
        {COHORT_COUNT, 5, 0}, {COHORT_PERCENT, 1000, 3}, {COHORT_REST, 0, 0}};
    check_equal(cohort_phase_of(rules, 3, 0), 1);
    check_equal(cohort_phase_of(rules, 3, UINT64_MAX), 2);
    make_fleet(fleet, 1000, 7);
    cohort_plan(classic, 3, fleet, 1000, NULL);
    for (uint32_t i = 0; i < 1000; i++) {
        check_equal(cohort_phase_of(classic, 3, fleet[i].order), fleet[i].phase);
    }
}

static void test_rules_that_make_no_sense_are_named(void)
{
    static const struct {
        const char *name;
        size_t count;
        struct cohort_rule rules[3];
        enum cohort_fault fault;
        size_t index;
    } rows[] = {
        {"classic", 3, {{1, 500, 3}, {1, 2500, 3}, {1, 10000, 3}}, COHORT_FINE, 2},
        {"count, percent, rest", 3, {{2, 5, 0}, {1, 1000, 3}, {3, 0, 0}}, COHORT_FINE, 2},
        {"none", 0, {{0}}, COHORT_FAULT_COUNT, 0},
        {"unknown kind", 1, {{7, 1, 0}}, COHORT_FAULT_KIND, 0},
        {"0 percent", 2, {{1, 0, 0}, {3, 0, 0}}, COHORT_FAULT_VALUE, 0},
        {"over 100 percent", 1, {{1, 10001, 0}}, COHORT_FAULT_VALUE, 0},
        {"count 0", 2, {{2, 0, 0}, {3, 0, 0}}, COHORT_FAULT_VALUE, 0},
        {"falling", 3, {{1, 2500, 0}, {1, 500, 0}, {3, 0, 0}}, COHORT_FAULT_NOT_RISING, 1},
        {"equal", 3, {{2, 5, 0}, {2, 5, 0}, {3, 0, 0}}, COHORT_FAULT_NOT_RISING, 1},
        {"behind all", 2, {{1, 10000, 0}, {3, 0, 0}}, COHORT_FAULT_AFTER_ALL, 1},
        {"last is 50 percent", 1, {{1, 5000, 0}}, COHORT_FAULT_LAST, 0},
        {"last is a count", 2, {{1, 5000, 0}, {2, 10, 0}}, COHORT_FAULT_LAST, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t index = 99;
        check_row(rows[i].name);
        check_equal(cohort_check(rows[i].rules, rows[i].count, &index), rows[i].fault);
        check_equal(index, rows[i].index);
        check(strcmp(cohort_fault_words(rows[i].fault), "?") != 0);
    }
    check_row(NULL);
}

int main(void)
{
    check_run(test_worked_example_of_the_spec);
    check_run(test_buckets_cover_the_range_and_keep_the_order);
    check_run(test_phases_have_their_share_within_four_sigma);
    check_run(test_growing_percentages_keep_whom_they_had);
    check_run(test_order_of_input_does_not_matter);
    check_run(test_another_salt_gives_another_canary);
    check_run(test_five_percent_of_fifty_is_never_empty);
    check_run(test_a_target_smaller_than_min_devices_is_one_phase);
    check_run(test_count_takes_the_first_eligible_in_order);
    check_run(test_an_ineligible_device_keeps_its_percent_phase);
    check_run(test_a_later_joiner_gets_the_phase_of_its_bucket);
    check_run(test_rules_that_make_no_sense_are_named);
    return check_report();
}
