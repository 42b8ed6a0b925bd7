/* nvs_test.c - the key-value store keeps its promises, above all at every cut. */
#include "ports/sim/nvs.h"
#include "ports/sim/nvs_fault.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "formats/bytes.h"
#include "tests/support/check.h"

enum { PAGE_COUNT = 3, STORE_AT = 0x1000, STORE_SIZE = PAGE_COUNT * 4096 };
enum { FLASH_SIZE = STORE_AT + STORE_SIZE + 0x1000 };

static uint8_t bits[FLASH_SIZE];
static uint16_t wear[FLASH_SIZE / 4096];
static struct moult_sim_storage storage;
static struct moult_sim_flash flash;
static struct moult_sim_nvs nvs;

static enum moult_status mount(void)
{
    return moult_sim_nvs_mount(&nvs, &flash, STORE_AT, STORE_SIZE, true);
}

static void fresh(void)
{
    memset(bits, 0xff, sizeof bits);
    memset(wear, 0, sizeof wear);
    moult_sim_storage_ram(&storage, bits, sizeof bits);
    moult_sim_flash_init(&flash, &storage, FLASH_SIZE);
    flash.erase_count = wear;
    if (moult_sim_flash_allow(&flash, STORE_AT, STORE_SIZE, false) != MOULT_OK) { abort(); }
    if (mount() != MOULT_OK) { abort(); }
}

static bool key_is(uint8_t space, const char *key, const void *value, uint32_t size)
{
    uint8_t found[MOULT_SIM_NVS_BLOB_MAX];
    uint32_t found_size = 0;
    enum moult_status st =
        moult_sim_nvs_get(&nvs, space, key, found, sizeof found, &found_size);
    if (!value) { return st == MOULT_E_NOENT; }
    return st == MOULT_OK && found_size == size && memcmp(found, value, size) == 0;
}

static enum moult_status set_text(const char *key, const char *value)
{
    return moult_sim_nvs_set(&nvs, 1, key, (const uint8_t *)value, (uint32_t)strlen(value));
}

static void test_values_are_kept_over_a_mount(void)
{
    fresh();
    uint8_t large[MOULT_SIM_NVS_BLOB_MAX];
    memset(large, 0x5a, sizeof large);
    check_equal(set_text("a", "one"), MOULT_OK);
    check_equal(set_text("123456789012345", "longest key"), MOULT_OK);
    check_equal(moult_sim_nvs_set(&nvs, 1, "large", large, sizeof large), MOULT_OK);
    check_equal(moult_sim_nvs_set(&nvs, 1, "empty", large, 0), MOULT_OK);
    check_equal(moult_sim_nvs_set(&nvs, 2, "a", large, 5), MOULT_OK);
    check_equal(mount(), MOULT_OK);
    check(key_is(1, "a", "one", 3));
    check(key_is(1, "123456789012345", "longest key", 11));
    check(key_is(1, "large", large, sizeof large));
    check(key_is(1, "empty", large, 0));
    check(key_is(2, "a", large, 5));
    check(key_is(3, "a", NULL, 0));
    check(key_is(1, "b", NULL, 0));
}

static void test_a_value_is_replaced_and_erased(void)
{
    fresh();
    check_equal(set_text("a", "one"), MOULT_OK);
    check_equal(set_text("a", "two"), MOULT_OK);
    check(key_is(1, "a", "two", 3));
    check_equal(moult_sim_nvs_erase(&nvs, 1, "a"), MOULT_OK);
    check(key_is(1, "a", NULL, 0));
    check_equal(moult_sim_nvs_erase(&nvs, 1, "a"), MOULT_OK);
    check_equal(mount(), MOULT_OK);
    check(key_is(1, "a", NULL, 0));
}

static void test_setting_the_same_value_writes_nothing(void)
{
    fresh();
    check_equal(set_text("a", "one"), MOULT_OK);
    uint64_t before = flash.operation_count;
    check_equal(set_text("a", "one"), MOULT_OK);
    check_equal(flash.operation_count, before);
}

static void test_sizes_have_limits(void)
{
    fresh();
    uint8_t large[MOULT_SIM_NVS_BLOB_MAX + 1] = {0};
    uint32_t size = 0;
    check_equal(moult_sim_nvs_set(&nvs, 1, "a", large, sizeof large), MOULT_E_RANGE);
    check_equal(moult_sim_nvs_set(&nvs, 1, "a", large, 10), MOULT_OK);
    check_equal(moult_sim_nvs_get(&nvs, 1, "a", large, 9, &size), MOULT_E_SPACE);
    check_equal(size, 10);
    struct moult_sim_nvs other;
    check_equal(moult_sim_nvs_mount(&other, &flash, STORE_AT, 2 * 4096, true),
                MOULT_E_RANGE);
    check_equal(moult_sim_nvs_mount(&other, &flash, STORE_AT + 1, STORE_SIZE, true),
                MOULT_E_RANGE);
    check_equal(moult_sim_nvs_mount(&other, &flash, STORE_AT, STORE_SIZE + 1, true),
                MOULT_E_RANGE);
}

static void test_a_full_store_says_so_and_keeps_what_it_has(void)
{
    fresh();
    uint8_t value[1000];
    char key[16];
    enum moult_status st = MOULT_OK;
    int count = 0;
    for (; count < 100 && st == MOULT_OK; count++) {
        snprintf(key, sizeof key, "k%d", count);
        memset(value, count, sizeof value);
        st = moult_sim_nvs_set(&nvs, 1, key, value, sizeof value);
    }
    check_equal(st, MOULT_E_SPACE);
    check(count > 5); /* one of three pages stays free; three values fit a page */
    for (int i = 0; i < count - 1; i++) {
        snprintf(key, sizeof key, "k%d", i);
        memset(value, i, sizeof value);
        check(key_is(1, key, value, sizeof value));
    }
    check_equal(moult_sim_nvs_erase(&nvs, 1, "k0"), MOULT_OK);
    check_equal(moult_sim_nvs_set(&nvs, 1, "new", value, sizeof value), MOULT_OK);
}

static void test_a_partition_of_garbage_is_an_empty_store(void)
{
    fresh();
    for (uint32_t i = 0; i < STORE_SIZE; i++) {
        bits[STORE_AT + i] = (uint8_t)(i * 37 + 11);
    }
    check_equal(mount(), MOULT_OK);
    check(key_is(1, "a", NULL, 0));
    check_equal(set_text("a", "one"), MOULT_OK);
    check_equal(mount(), MOULT_OK);
    check(key_is(1, "a", "one", 3));
}

static void test_wear_is_spread_although_some_values_never_change(void)
{
    fresh();
    uint8_t still[2000];
    memset(still, 7, sizeof still);
    check_equal(moult_sim_nvs_set(&nvs, 1, "still", still, sizeof still), MOULT_OK);
    for (uint32_t i = 0; i < 40000; i++) {
        uint8_t value[40];
        memset(value, 0, sizeof value);
        put_le32(value, i);
        check_equal(moult_sim_nvs_set(&nvs, 1, "counter", value, sizeof value), MOULT_OK);
    }
    check(key_is(1, "still", still, sizeof still));
    uint32_t low = UINT32_MAX, high = 0;
    for (uint32_t i = 1; i <= PAGE_COUNT; i++) {
        if (wear[i] < low) { low = wear[i]; }
        if (wear[i] > high) { high = wear[i]; }
    }
    check(low > 0 && high <= 3 * low);
}

static void test_a_rotten_value_is_reported_and_no_older_one_comes_back(void)
{
    fresh();
    check_equal(set_text("a", "old value"), MOULT_OK);
    check_equal(set_text("a", "new value"), MOULT_OK);
    for (uint32_t i = STORE_AT; i < STORE_AT + STORE_SIZE; i++) {
        if (memcmp(bits + i, "new value", 9) == 0) { bits[i] ^= 1; }
    }
    check_equal(mount(), MOULT_OK);
    uint8_t found[16];
    uint32_t size;
    check_equal(moult_sim_nvs_get(&nvs, 1, "a", found, sizeof found, &size),
                MOULT_E_DIGEST);
    check_equal(set_text("a", "third value"), MOULT_OK);
    check(key_is(1, "a", "third value", 11));
}

static void test_any_single_flipped_bit_harms_at_most_one_key(void)
{
    fresh();
    static const char *const keys[] = {"a", "b", "c"};
    check_equal(set_text("b", "outdated"), MOULT_OK);
    for (int i = 0; i < 3; i++) {
        check_equal(set_text(keys[i], "value"), MOULT_OK);
    }
    for (uint32_t bit = 0; bit < 8 * 600; bit++) { /* header page, all records */
        check_equal(moult_sim_flash_flip(&flash, STORE_AT + bit / 8, bit % 8), MOULT_OK);
        check_equal(moult_sim_nvs_mount(&nvs, &flash, STORE_AT, STORE_SIZE, false),
                    MOULT_OK);
        int harmed = 0;
        for (int i = 0; i < 3; i++) {
            harmed += !key_is(1, keys[i], "value", 5);
        }
        bool is_page_header = bit < 13 * 8;
        check(harmed <= 1 || (is_page_header && harmed == 3));
        check(!key_is(1, "b", "outdated", 8));
        check_equal(moult_sim_flash_flip(&flash, STORE_AT + bit / 8, bit % 8), MOULT_OK);
    }
}

static void test_next_shows_every_key_once(void)
{
    fresh();
    for (int i = 0; i < 50; i++) {
        check_equal(set_text("a", i % 2 ? "one" : "two"), MOULT_OK);
        check_equal(set_text("b", i % 2 ? "three" : "four"), MOULT_OK);
    }
    struct moult_sim_nvs_cursor cursor = {0};
    struct moult_sim_nvs_record record;
    int count = 0;
    while (moult_sim_nvs_next(&nvs, &cursor, &record) == MOULT_OK) {
        check_equal(record.size, record.key[0] == 'a' ? 3 : 5);
        count++;
    }
    check_equal(count, 2);
}

static void test_a_read_only_mount_writes_nothing_and_sees_the_same(void)
{
    fresh();
    for (int i = 0; i < 200; i++) {
        check_equal(set_text("a", i % 2 ? "x" : "y"), MOULT_OK);
    }
    uint64_t before = flash.operation_count;
    check_equal(moult_sim_nvs_mount(&nvs, &flash, STORE_AT, STORE_SIZE, false), MOULT_OK);
    check(key_is(1, "a", "x", 1));
    check_equal(flash.operation_count, before);
}

static void test_a_write_that_silently_fails_is_noticed(void)
{
    fresh();
    check_equal(set_text("a", "one"), MOULT_OK);
    flash.plans[0] =
        (struct moult_sim_plan){.fault = MOULT_SIM_NOOP, .at = flash.operation_count + 1};
    check_equal(set_text("a", "two"), MOULT_E_IO);
    check(key_is(1, "a", "one", 3));
    check_equal(set_text("a", "two"), MOULT_OK);
    check(key_is(1, "a", "two", 3));
}

/* --- F14: what becomes of a store in the field --- */

static void test_a_filled_store_takes_nothing_more_until_there_is_room(void)
{
    fresh();
    check_equal(set_text("a", "one"), MOULT_OK);
    check_equal(moult_sim_nvs_fill(&nvs, 3), MOULT_OK);
    check_equal(set_text("b", ""), MOULT_E_SPACE);
    check_equal(set_text("a", "two"), MOULT_E_SPACE); /* also in place of an old value */
    check(key_is(1, "a", "one", 3));
    check_equal(mount(), MOULT_OK);
    check_equal(set_text("a", "two"), MOULT_E_SPACE);
    check_equal(moult_sim_nvs_unfill(&nvs, 3), MOULT_OK);
    check_equal(set_text("a", "two"), MOULT_OK);
    check(key_is(1, "a", "two", 3));
}

static void test_a_torn_key_is_gone_and_no_other(void)
{
    for (uint64_t seed = 0; seed < 64; seed++) {
        uint8_t found[8];
        uint32_t size;
        fresh();
        check_equal(set_text("a", "one"), MOULT_OK);
        check_equal(set_text("b", "two"), MOULT_OK);
        check_equal(moult_sim_nvs_tear(&nvs, 1, "none", seed), MOULT_E_NOENT);
        check_equal(moult_sim_nvs_tear(&nvs, 1, "a", seed), MOULT_OK);
        check_equal(mount(), MOULT_OK);
        enum moult_status st = moult_sim_nvs_get(&nvs, 1, "a", found, sizeof found, &size);
        check(st == MOULT_E_DIGEST || st == MOULT_E_NOENT);
        check(key_is(1, "b", "two", 3));
        check_equal(set_text("a", "new"), MOULT_OK);
        check(key_is(1, "a", "new", 3));
    }
}

static void test_a_store_works_on_after_a_page_rotted_or_all_were_erased(void)
{
    for (uint32_t page = 0; page <= STORE_SIZE / 4096; page++) {
        fresh();
        for (int i = 0; i < 300; i++) {
            check_equal(set_text(i % 2 ? "a" : "b", i % 4 ? "value" : "other"), MOULT_OK);
        }
        enum moult_status st = page < STORE_SIZE / 4096
                                   ? moult_sim_nvs_rot(&nvs, page, page)
                                   : moult_sim_nvs_wipe(&nvs);
        check_equal(st, MOULT_OK);
        check_equal(mount(), MOULT_OK);
        for (int i = 0; i < 300; i++) {
            check_equal(set_text(i % 2 ? "a" : "b", i % 4 ? "value" : "other"), MOULT_OK);
        }
        check(key_is(1, "a", "value", 5));
    }
}

/* --- Random operations, each cut at every flash operation ---------------------------- */

enum { KEY_COUNT = 6, STEP_COUNT = 200, VALUE_MAX = 400 };

struct value {
    bool is_set;
    uint32_t size;
    uint8_t seed;
};
static struct value model[KEY_COUNT];
static uint8_t bits_before[FLASH_SIZE];
static uint64_t random_state;

static uint32_t draw(uint32_t bound)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % bound;
}

static const char *key_name(uint32_t key)
{
    static const char *const names[KEY_COUNT] = {"j.a", "j.b",   "keyset.0",
                                                 "f",   "out.1", "z"};
    return names[key];
}

static void fill_value(const struct value *value, uint8_t *out)
{
    for (uint32_t i = 0; i < value->size; i++) {
        out[i] = (uint8_t)(value->seed + i * 13);
    }
}

static enum moult_status apply(uint32_t key, const struct value *value)
{
    uint8_t data[VALUE_MAX];
    if (!value->is_set) { return moult_sim_nvs_erase(&nvs, 1, key_name(key)); }
    fill_value(value, data);
    return moult_sim_nvs_set(&nvs, 1, key_name(key), data, value->size);
}

static bool holds(uint32_t key, const struct value *value)
{
    uint8_t data[VALUE_MAX];
    fill_value(value, data);
    return key_is(1, key_name(key), value->is_set ? data : NULL, value->size);
}

/* Every key as in the model; `touched` may already be `value` instead. */
static bool is_consistent(uint32_t touched, const struct value *value)
{
    for (uint32_t key = 0; key < KEY_COUNT; key++) {
        bool is_new = key == touched && holds(key, value);
        if (!is_new && !holds(key, &model[key])) { return false; }
    }
    return true;
}

static void return_to(const uint8_t *image)
{
    memcpy(bits, image, sizeof bits);
    moult_sim_flash_power_on(&flash);
    flash.operation_count = 0;
}

/* Enough writes to fill every page once: the store must still be able to collect. */
static bool still_works(uint32_t key)
{
    moult_sim_flash_power_on(&flash); /* no cut here */
    for (uint8_t i = 0; i < 30; i++) {
        struct value value = {.is_set = true, .size = VALUE_MAX, .seed = i};
        if (apply(key, &value) != MOULT_OK || !holds(key, &value)) { return false; }
    }
    return true;
}

/* One operation, cut as planned; then recovery, cut as well; then everything must be there
 * and the operation possible. */
static bool survives(const struct moult_sim_plan *plan, uint64_t second_at, uint32_t key,
                     const struct value *value, bool is_collecting)
{
    return_to(bits_before);
    if (mount() != MOULT_OK) { return false; }
    flash.plans[0] = *plan;
    flash.plans[0].at += flash.operation_count;
    if (apply(key, value) == MOULT_OK) { return false; } /* the cut must have come */

    moult_sim_flash_power_on(&flash);
    if (moult_sim_nvs_mount(&nvs, &flash, STORE_AT, STORE_SIZE, false) != MOULT_OK ||
        !is_consistent(key, value)) {
        return false; /* what `moult-device show` sees */
    }
    flash.plans[0] = (struct moult_sim_plan){.fault = MOULT_SIM_CUT_MIXED,
                                             .at = flash.operation_count + second_at,
                                             .seed = second_at};
    enum moult_status st = mount();
    if (st == MOULT_OK) { st = apply(key, value); }
    flash.plans[0] = (struct moult_sim_plan){0}; /* whether it struck or not */
    if (st != MOULT_OK) {
        moult_sim_flash_power_on(&flash);
        if (mount() != MOULT_OK || !is_consistent(key, value)) { return false; }
        st = apply(key, value);
    }
    return st == MOULT_OK && holds(key, value) && is_consistent(key, value) &&
           (!is_collecting || still_works(key));
}

static bool survives_all_cuts(uint32_t key, const struct value *value,
                              uint64_t operation_count)
{
    static const enum moult_sim_fault faults[] = {MOULT_SIM_CUT_BEFORE, MOULT_SIM_CUT_AFTER,
                                                  MOULT_SIM_CUT_TORN, MOULT_SIM_CUT_MIXED};
    for (uint64_t at = 1; at <= operation_count; at++) {
        for (uint32_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
            struct moult_sim_plan plan = {.fault = faults[i],
                                          .at = at,
                                          .torn_size = 1 + draw(255),
                                          .seed = at * 31 + i};
            uint64_t second_at = 1 + draw(8);
            if (!survives(&plan, second_at, key, value, operation_count > 20)) {
                printf("key %s, cut %d at %llu of %llu, second at %llu\n", key_name(key),
                       (int)faults[i], (unsigned long long)at,
                       (unsigned long long)operation_count, (unsigned long long)second_at);
                return false;
            }
        }
    }
    return true;
}

static void test_a_cut_at_every_operation_leaves_old_or_new(void)
{
    random_state = 0x5eed;
    fresh();
    memset(model, 0, sizeof model);
    uint8_t still[1000] = {1};
    check_equal(moult_sim_nvs_set(&nvs, 2, "still", still, sizeof still), MOULT_OK);
    check_equal(moult_sim_nvs_set(&nvs, 2, "still too", still, sizeof still), MOULT_OK);
    uint64_t cut_count = 0;
    for (int step = 0; step < STEP_COUNT; step++) {
        uint32_t key = draw(KEY_COUNT);
        struct value value = {.is_set = draw(8) != 0, .seed = (uint8_t)draw(256)};
        value.size = value.is_set ? draw(step % 5 ? 120 : VALUE_MAX) : 0;

        static uint8_t bits_after[FLASH_SIZE];
        memcpy(bits_before, bits, sizeof bits);
        return_to(bits_before);
        check_equal(mount(), MOULT_OK);
        uint64_t mount_count = flash.operation_count;
        check_equal(apply(key, &value), MOULT_OK);
        uint64_t operation_count = flash.operation_count - mount_count;
        memcpy(bits_after, bits, sizeof bits);

        check(survives_all_cuts(key, &value, operation_count));
        cut_count += 4 * operation_count;
        return_to(bits_after);
        model[key] = value;
        check_equal(mount(), MOULT_OK);
        check(is_consistent(key, &value));
        check(key_is(2, "still", still, sizeof still));
        check(key_is(2, "still too", still, sizeof still));
    }
    printf("%llu cuts over %d operations, with a second cut each\n",
           (unsigned long long)cut_count, STEP_COUNT);
    check(cut_count > 3000);
    check(wear[1] + wear[2] + wear[3] > 6); /* it did collect */
}

int main(void)
{
    check_run(test_values_are_kept_over_a_mount);
    check_run(test_a_value_is_replaced_and_erased);
    check_run(test_setting_the_same_value_writes_nothing);
    check_run(test_sizes_have_limits);
    check_run(test_a_full_store_says_so_and_keeps_what_it_has);
    check_run(test_a_partition_of_garbage_is_an_empty_store);
    check_run(test_wear_is_spread_although_some_values_never_change);
    check_run(test_a_rotten_value_is_reported_and_no_older_one_comes_back);
    check_run(test_any_single_flipped_bit_harms_at_most_one_key);
    check_run(test_next_shows_every_key_once);
    check_run(test_a_read_only_mount_writes_nothing_and_sees_the_same);
    check_run(test_a_write_that_silently_fails_is_noticed);
    check_run(test_a_filled_store_takes_nothing_more_until_there_is_room);
    check_run(test_a_torn_key_is_gone_and_no_other);
    check_run(test_a_store_works_on_after_a_page_rotted_or_all_were_erased);
    check_run(test_a_cut_at_every_operation_leaves_old_or_new);
    return check_report();
}
