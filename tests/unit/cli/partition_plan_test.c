/* partition_plan_test.c - cli/partition_plan.c: every proposal boots, whatever was asked.
 */
#include "cli/partition_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/bytes.h"
#include "formats/partition_csv.h"
#include "tests/support/unit.h"

enum { KB = 1024, MB = 1024 * 1024, UNIT = 0x10000, TRIES = 4000 };

static uint32_t chance(uint32_t below)
{
    return (uint32_t)rand() % below;
}

/* --- What must hold of a proposal, found without the planner's own arithmetic --------- */

/* How many slots of `units` fit where no other partition is: unit by unit. */
static uint32_t slots_that_fit(const struct partition_wish *wish,
                               const struct moult_partition_table *table, uint32_t units)
{
    uint32_t run = 0, count = 0;
    for (uint32_t at = 0; at <= wish->flash_size; at += UNIT) {
        bool is_free = at < wish->flash_size && at >= wish->table_offset + 0x1000;
        for (uint32_t i = 0; i < table->count && is_free; i++) {
            const struct moult_partition *row = &table->rows[i];
            bool is_slot = row->type == MOULT_PARTITION_APP && row->subtype >= 0x10 &&
                           row->subtype < 0x20;
            is_free = is_slot || row->offset >= at + UNIT || row->offset + row->size <= at;
        }
        if (is_free) {
            run++;
        } else {
            count += run / units;
            run = 0;
        }
    }
    return count;
}

static bool is_kept(const struct partition_wish *wish, const struct moult_partition *row)
{
    for (uint32_t i = 0; i < wish->given_up_count; i++) {
        if (strcmp(wish->given_up[i], row->label) == 0) { return false; }
    }
    return row->type != MOULT_PARTITION_APP || row->subtype < 0x10 || row->subtype >= 0x20;
}

static void check_old_rows(const struct partition_wish *wish,
                           const struct partition_plan *plan)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; wish->old && i < wish->old->count; i++) {
        const struct moult_partition *row = &wish->old->rows[i];
        if (!is_kept(wish, row)) { continue; }
        const struct moult_partition *now =
            moult_partition_find_label(&plan->table, row->label);
        assert_non_null(now);
        assert_int_equal(now->offset, row->offset);
        assert_int_equal(now->size, row->size);
        assert_int_equal(now->type, row->type);
        assert_int_equal(now->subtype, row->subtype);
        assert_int_equal(now->flags, row->flags);
        kept++;
    }
    assert_int_equal(plan->kept_count, kept);
}

static void check_rules(const struct partition_wish *wish,
                        const struct partition_plan *plan)
{
    struct moult_finding findings[8];
    const struct moult_partition_rules rules = {.table_offset = wish->table_offset,
                                                .flash_size = wish->flash_size,
                                                .for_moult = true};
    assert_int_equal(moult_partition_check(&plan->table, &rules, findings, 8), 0);
    assert_int_equal(moult_partition_slot_count(&plan->table), wish->slot_count);
    assert_true(plan->slot_size >= wish->slot_least);
    assert_int_equal(plan->slot_size % UNIT, 0);
    for (uint32_t i = 0; i < wish->slot_count; i++) {
        const struct moult_partition *slot = moult_partition_find(
            &plan->table, MOULT_PARTITION_APP, (uint8_t)(MOULT_PARTITION_OTA_0 + i));
        assert_int_equal(slot->size, plan->slot_size);
    }
    for (uint32_t i = 0; i < wish->part_count; i++) {
        const struct plan_part *part = &wish->parts[i];
        const struct moult_partition *row =
            moult_partition_find(&plan->table, part->type, part->subtype);
        assert_non_null(row);
        row = moult_partition_find_label(&plan->table, part->label);
        assert_true(!row || row->size >= part->size || wish->old);
    }
}

/* As a CSV it is the same table, so ESP-IDF builds what was proposed. */
static void check_csv(const struct partition_wish *wish, const struct partition_plan *plan)
{
    static char text[MOULT_PARTITION_CSV_SIZE_MAX];
    static struct moult_partition_table read;
    const struct moult_partition_csv_options options = {wish->table_offset, 0};
    assert_int_equal(moult_partition_csv_print(&plan->table, text, sizeof text), MOULT_OK);
    struct moult_bytes bytes = {(const uint8_t *)text, strlen(text)};
    assert_int_equal(moult_partition_csv_parse(bytes, &options, &read, NULL), MOULT_OK);
    assert_int_equal(read.count, plan->table.count);
    assert_memory_equal(read.rows, plan->table.rows, read.count * sizeof read.rows[0]);
}

static void check_plan(const struct partition_wish *wish, const struct partition_plan *plan)
{
    check_rules(wish, plan);
    check_old_rows(wish, plan);
    check_csv(wish, plan);
    uint32_t units = plan->slot_size / UNIT;
    bool is_largest = slots_that_fit(wish, &plan->table, units + 1) < wish->slot_count ||
                      plan->slot_size == PLAN_SLOT_SIZE_MAX;
    assert_true(is_largest || plan->keeps_ota_0);
    if (!plan->keeps_ota_0) { return; }
    assert_int_equal(
        moult_partition_find(&plan->table, MOULT_PARTITION_APP, MOULT_PARTITION_OTA_0)
            ->offset,
        moult_partition_find(wish->old, MOULT_PARTITION_APP, MOULT_PARTITION_OTA_0)
            ->offset);
}

/* A refusal for want of space is true: that many slots of that size do not fit. */
static void check_refusal(const struct partition_wish *wish,
                          const struct partition_plan *plan)
{
    if (plan->slot_size == 0) { return; } /* a part had no place: test below */
    assert_true(plan->slot_size < wish->slot_least);
    assert_true(slots_that_fit(wish, &plan->table, wish->slot_least / UNIT) <
                wish->slot_count);
}

/* --- Random wishes -------------------------------------------------------------------- */

static const char *const labels[] = {"www", "audio", "config", "motor", "logs"};

static struct partition_wish random_wish(void)
{
    static const uint32_t flashes[] = {1, 2, 4, 8, 16, 32, 64};
    struct partition_wish wish = {
        .flash_size = flashes[chance(7)] * MB,
        .table_offset = chance(4) ? 0x8000 : 0x10000,
        .slot_count = 2 + (chance(3) ? 0 : chance(3)),
        .slot_least = (1 + chance(60)) * UNIT,
        .parts = {{"nvs", 1, 2, (3 + chance(8)) * 4 * KB, true},
                  {"otadata", 1, 0, 8 * KB, true}},
        .part_count = 2,
    };
    if (chance(2)) {
        wish.parts[wish.part_count++] = (struct plan_part){"phy_init", 1, 1, 4 * KB, true};
    }
    if (chance(2)) {
        wish.parts[wish.part_count++] =
            (struct plan_part){"coredump", 1, 3, 64 * KB, false};
    }
    for (uint32_t i = 0; i < 5 && chance(3) == 0; i++) {
        wish.parts[wish.part_count++] =
            (struct plan_part){labels[i], 1, 6, 1 + chance(700 * KB), false};
    }
    return wish;
}

static void test_every_proposal_passes_the_check_and_has_the_largest_slots(void **state)
{
    static struct partition_plan plan;
    unsigned made = 0;
    (void)state;
    srand(1);
    for (unsigned i = 0; i < TRIES; i++) {
        struct partition_wish wish = random_wish();
        enum moult_status st = partition_plan_make(&wish, &plan);
        if (st == MOULT_OK) {
            made++;
            check_plan(&wish, &plan);
        } else {
            assert_int_equal(st, MOULT_E_SPACE);
            check_refusal(&wish, &plan);
        }
    }
    assert_true(made > TRIES / 3);
}

/* A table as somebody may have made it: holes, odd slots, a factory app, no otadata. */
static void make_old(struct moult_partition_table *old, uint32_t table_offset)
{
    static const struct {
        const char *label;
        uint8_t type, subtype;
        uint32_t size;
    } rows[] = {
        {"nvs", 1, 2, 0x6000},         {"otadata", 1, 0, 0x2000},
        {"phy_init", 1, 1, 0x1000},    {"factory", 0, 0, 0x50000},
        {"fctry", 1, 2, 0x6000},       {"ota_0", 0, 0x10, 0xa0000},
        {"storage", 1, 0x82, 0x40000}, {"ota_1", 0, 0x11, 0xb0000},
        {"coredump", 1, 3, 0x10000},
    };
    uint32_t at = table_offset + 0x1000;
    memset(old, 0, sizeof *old);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (chance(4) == 0) { continue; }
        uint32_t unit = rows[i].type == 0 ? UNIT : 0x1000;
        at = (at + chance(3) * 0x3000 + unit - 1) / unit * unit;
        struct moult_partition *row = &old->rows[old->count++];
        *row = (struct moult_partition){at,           rows[i].size,    0,
                                        rows[i].type, rows[i].subtype, ""};
        if (rows[i].type == 1 && chance(4) == 0) { row->flags = MOULT_PARTITION_ENCRYPTED; }
        snprintf(row->label, sizeof row->label, "%s", rows[i].label);
        at += row->size;
    }
}

static void test_an_old_tables_data_stays_where_it_is(void **state)
{
    static struct partition_plan plan;
    static struct moult_partition_table old;
    static const char *const given_up[] = {"factory", "storage"};
    unsigned made = 0, in_place = 0;
    (void)state;
    srand(2);
    for (unsigned i = 0; i < TRIES; i++) {
        struct partition_wish wish = random_wish();
        if (wish.flash_size < 4 * MB) { wish.flash_size = 4 * MB; }
        make_old(&old, wish.table_offset);
        wish.old = &old;
        wish.given_up = given_up;
        wish.given_up_count = chance(3);
        enum moult_status st = partition_plan_make(&wish, &plan);
        if (st == MOULT_OK) {
            made++;
            in_place += plan.keeps_ota_0;
            check_plan(&wish, &plan);
        } else if (st != MOULT_E_EXISTS) { /* a wish for more nvs than is kept */
            assert_int_equal(st, MOULT_E_SPACE);
            check_refusal(&wish, &plan);
        }
    }
    assert_true(made > TRIES / 3 && in_place > TRIES / 10);
}

/* --- Named cases ---------------------------------------------------------------------- */

static const struct partition_wish plain = {
    .flash_size = 4 * MB,
    .table_offset = 0x8000,
    .slot_count = 2,
    .slot_least = MB,
    .parts = {{"nvs", 1, 2, 0x6000, true},
              {"otadata", 1, 0, 0x2000, true},
              {"phy_init", 1, 1, 0x1000, true}},
    .part_count = 3,
};

static void test_a_new_table_for_four_megabytes_is_the_usual_one(void **state)
{
    static struct partition_plan plan;
    (void)state;
    assert_int_equal(partition_plan_make(&plain, &plan), MOULT_OK);
    static const uint32_t offsets[] = {0x9000, 0xf000, 0x11000, 0x20000, 0x210000};
    assert_int_equal(plan.table.count, 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(plan.table.rows[i].offset, offsets[i]);
    }
    assert_int_equal(plan.slot_size, 0x1f0000);
}

static void test_a_small_part_goes_where_no_slot_could(void **state)
{
    static struct partition_plan plan;
    struct partition_wish wish = plain;
    (void)state;
    wish.parts[wish.part_count++] = (struct plan_part){"keys", 1, 6, 0xe000, false};
    assert_int_equal(partition_plan_make(&wish, &plan), MOULT_OK);
    assert_int_equal(moult_partition_find_label(&plan.table, "keys")->offset, 0x12000);
    assert_int_equal(plan.slot_size, 0x1f0000); /* nothing was taken from the slots */
}

static void test_a_large_part_goes_to_the_end_so_that_slots_stay_in_one_piece(void **state)
{
    static struct partition_plan plan;
    struct partition_wish wish = plain;
    (void)state;
    wish.parts[wish.part_count++] = (struct plan_part){"www", 1, 6, 0x3d000, false};
    assert_int_equal(partition_plan_make(&wish, &plan), MOULT_OK);
    assert_int_equal(moult_partition_find_label(&plan.table, "www")->offset, 0x3c3000);
    assert_int_equal(moult_partition_find_label(&plan.table, "ota_0")->offset, 0x20000);
}

static void test_what_does_not_fit_is_refused_with_what_would(void **state)
{
    static struct partition_plan plan;
    struct partition_wish wish = plain;
    (void)state;
    wish.slot_least = 2 * MB;
    assert_int_equal(partition_plan_make(&wish, &plan), MOULT_E_SPACE);
    assert_int_equal(plan.slot_size, 0x1f0000);
    wish = plain;
    wish.parts[wish.part_count++] = (struct plan_part){"big", 1, 6, 4 * MB, false};
    assert_int_equal(partition_plan_make(&wish, &plan), MOULT_E_SPACE);
    assert_int_equal(plan.slot_size, 0);
    wish = plain;
    wish.parts[wish.part_count++] = (struct plan_part){"nvs", 1, 6, 4 * KB, false};
    assert_int_equal(partition_plan_make(&wish, &plan), MOULT_E_EXISTS);
    wish = plain;
    wish.slot_count = 17;
    assert_int_equal(partition_plan_make(&wish, &plan), MOULT_E_RANGE);
    wish = plain;
    wish.flash_size = 4 * MB + 4096;
    assert_int_equal(partition_plan_make(&wish, &plan), MOULT_E_RANGE);
}

static void test_a_table_beyond_the_flash_or_full_is_refused(void **state)
{
    static struct partition_plan plan;
    static struct moult_partition_table old;
    struct partition_wish wish = plain;
    (void)state;
    old.count = 1;
    old.rows[0] =
        (struct moult_partition){0xfffff000u, 0x2000, 0, 1, 6, "wraps"}; /* sums overflow */
    wish.old = &old;
    assert_int_equal(partition_plan_make(&wish, &plan), MOULT_E_RANGE);
    memset(&old, 0, sizeof old);
    for (old.count = 0; old.count < MOULT_PARTITION_ROWS_MAX; old.count++) {
        struct moult_partition *row = &old.rows[old.count];
        *row = (struct moult_partition){0x100000 + old.count * 0x1000, 0x1000, 0, 1, 6, ""};
        snprintf(row->label, sizeof row->label, "p%u", (unsigned)old.count);
    }
    assert_int_equal(partition_plan_make(&wish, &plan), MOULT_E_RANGE);
}

static void test_ota_0_stays_although_larger_slots_would_be_possible_elsewhere(void **state)
{
    static struct partition_plan plan;
    static struct moult_partition_table old;
    struct partition_wish wish = plain;
    (void)state;
    old.count = 1;
    old.rows[0] = (struct moult_partition){0x80000, MB, 0, 0, 0x10, "ota_0"};
    wish.old = &old;
    assert_int_equal(partition_plan_make(&wish, &plan), MOULT_OK);
    assert_true(plan.keeps_ota_0);
    assert_int_equal(plan.slot_size, 0x1c0000);
    wish.slot_least = 0x1d0000; /* not large enough there */
    assert_int_equal(partition_plan_make(&wish, &plan), MOULT_OK);
    assert_false(plan.keeps_ota_0);
    assert_int_equal(plan.slot_size, 0x1f0000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_proposal_passes_the_check_and_has_the_largest_slots),
        cmocka_unit_test(test_an_old_tables_data_stays_where_it_is),
        cmocka_unit_test(test_a_new_table_for_four_megabytes_is_the_usual_one),
        cmocka_unit_test(test_a_small_part_goes_where_no_slot_could),
        cmocka_unit_test(test_a_large_part_goes_to_the_end_so_that_slots_stay_in_one_piece),
        cmocka_unit_test(test_what_does_not_fit_is_refused_with_what_would),
        cmocka_unit_test(test_a_table_beyond_the_flash_or_full_is_refused),
        cmocka_unit_test(
            test_ota_0_stays_although_larger_slots_would_be_possible_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
