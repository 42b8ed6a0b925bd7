/* partition_check_test.c - formats/partition_check.c: each rule broken once, alone */
#include "formats/partition_table.h"
#include <string.h>
#include "formats/codes.h"
#include "tests/support/check.h"

enum { APP = MOULT_PARTITION_APP, DATA = MOULT_PARTITION_DATA };

static struct moult_partition_table table;
static struct moult_partition_rules rules;

static void load(void)
{
    static const struct moult_partition_table good = {
        .count = 5,
        .has_md5 = true,
        .rows = {{0x9000, 0x4000, 0, DATA, 2, "nvs"},
                 {0xd000, 0x2000, 0, DATA, 0, "otadata"},
                 {0xf000, 0x1000, 0, DATA, 1, "phy_init"},
                 {0x10000, 0x1e0000, 0, APP, 0x10, "ota_0"},
                 {0x1f0000, 0x1e0000, 0, APP, 0x11, "ota_1"}},
    };
    table = good;
    rules = (struct moult_partition_rules){.table_offset = 0x8000, .for_moult = true};
}

static void add(struct moult_partition row)
{
    table.rows[table.count++] = row;
}

/* The one finding, which must be this. */
static bool finds(uint16_t detail, uint32_t where, uint32_t expected, uint32_t found)
{
    struct moult_finding f[4];
    uint32_t count = moult_partition_check(&table, &rules, f, 4);
    bool is_it = count == 1 && f[0].detail == detail && f[0].where == where &&
                 f[0].expected == expected && f[0].found == found;
    if (!is_it) {
        check_numbers(count, 1, __FILE__, __LINE__, "findings");
        for (uint32_t i = 0; i < count && i < 4; i++) {
            check_numbers(f[i].detail, detail, __FILE__, __LINE__, "detail");
            check_numbers(f[i].where, where, __FILE__, __LINE__, "where");
            check_numbers(f[i].expected, expected, __FILE__, __LINE__, "expected");
            check_numbers(f[i].found, found, __FILE__, __LINE__, "found");
        }
    }
    return is_it;
}

static void test_a_good_table_has_no_findings(void)
{
    load();
    rules.flash_size = 0x400000;
    check_equal(moult_partition_check(&table, &rules, NULL, 0), 0);
    rules.anti_rollback = true;
    check_equal(moult_partition_check(&table, &rules, NULL, 0), 0);
}

static void test_alignment(void)
{
    load();
    table.rows[4].offset = 0x1f1000;
    check(finds(MOULT_D_PT_ALIGN, 4, 0x10000, 0x1f1000));
    load();
    table.rows[1].offset = 0xd100;
    table.rows[2].offset = 0x3d0000;
    check(finds(MOULT_D_PT_ALIGN, 1, 0x1000, 0xd100));
    load();
    table.rows[3].size = table.rows[4].size = 0x1df800;
    rules.for_moult = false;
    struct moult_finding f[2];
    check_equal(moult_partition_check(&table, &rules, f, 2), 2);
    check_equal(f[0].detail, MOULT_D_PT_SIZE_ALIGN);
    check_equal(f[0].expected, 0x1000);
    load();
    rules.secure_boot_v1 = true;
    table.rows[3].size = 0x1d1000;
    rules.for_moult = false;
    check(finds(MOULT_D_PT_SIZE_ALIGN, 3, 0x10000, 0x1d1000));
}

/* Row 0 counts as much as the others, and each row is reported once. */
static void test_first_row_and_repeats(void)
{
    struct moult_finding f[8];
    load();
    table.rows[0] = (struct moult_partition){0x9100, 0x3f00, 0, DATA, 2, "nvs"};
    check(finds(MOULT_D_PT_ALIGN, 0, 0x1000, 0x9100));
    load();
    table.rows[3] = table.rows[4] = table.rows[2]; /* three of one name and place */
    rules.for_moult = false;
    check_equal(moult_partition_check(&table, &rules, f, 8), 4);
    check_equal(f[0].detail, MOULT_D_PT_NAME_TWICE);
    check_equal(f[0].expected, 2);
    check_equal(f[1].detail, MOULT_D_PT_OVERLAP);
    check_equal(f[2].where, 4);
    check_equal(f[2].expected, 2);
    load(); /* slots before the data; otadata is row 0 and twice */
    struct moult_partition swap = table.rows[0];
    table.rows[0] = table.rows[1];
    table.rows[1] = swap;
    check_equal(moult_partition_check(&table, &rules, NULL, 0), 0);
    add((struct moult_partition){0x3d0000, 0x2000, 0, DATA, 0, "second"});
    add((struct moult_partition){0x3d2000, 0x2000, 0, DATA, 0, "third"});
    check_equal(moult_partition_check(&table, &rules, f, 8), 2);
    check_equal(f[0].where, 5);
    check_equal(f[0].expected, 0);
    check_equal(f[1].where, 6);
    check_equal(f[1].expected, 0);
}

/* A row that two others overlap is told once; a row may have both faults. */
static void test_name_and_overlap_in_one_row(void)
{
    struct moult_finding f[4];
    load();
    add((struct moult_partition){0x9000, 0x1000, 2, DATA, 2, "nvs"});
    check_equal(moult_partition_check(&table, &rules, f, 4), 2);
    check_equal(f[0].detail, MOULT_D_PT_NAME_TWICE);
    check_equal(f[1].detail, MOULT_D_PT_OVERLAP);
    load();
    table.rows[0].size = 0x7000; /* to 0x10000: over otadata and phy_init */
    table.rows[1].size = 0x2000;
    check_equal(moult_partition_check(&table, &rules, f, 4), 2);
    check_equal(f[0].where, 1);
    check_equal(f[1].where, 2);
    table.rows[1].size = 0x3000; /* phy_init is overlapped twice, and told once */
    rules.for_moult = false;
    check_equal(moult_partition_check(&table, &rules, f, 4), 3);
}

static void test_names_are_unique(void)
{
    load();
    memcpy(table.rows[2].label, "nvs\0\0\0\0\0\0", 9);
    table.rows[2].subtype = 2;
    table.rows[2].flags = MOULT_PARTITION_READONLY;
    check(finds(MOULT_D_PT_NAME_TWICE, 2, 0, 2));
}

static void test_overlap_names_the_later_row(void)
{
    load();
    table.rows[1].offset = 0xc000; /* into nvs, which ends at 0xd000 */
    check(finds(MOULT_D_PT_OVERLAP, 1, 0xd000, 0xc000));
    load();
    table.rows[0].offset =
        0xe000; /* the earlier row of the table lies later, over otadata */
    table.rows[0].size = 0x1000;
    table.rows[0].flags = MOULT_PARTITION_READONLY;
    check(finds(MOULT_D_PT_OVERLAP, 0, 0xf000, 0xe000));
    load();
    table.rows[2] = table.rows[1]; /* the same place: the second one is at fault */
    memcpy(table.rows[2].label, "phy_init", 9);
    table.rows[2].subtype = 1;
    check(finds(MOULT_D_PT_OVERLAP, 2, 0xf000, 0xd000));
}

static void test_nothing_lies_on_or_below_the_table(void)
{
    load();
    table.rows[0].offset = 0x8000;
    check(finds(MOULT_D_PT_LOW, 0, 0x9000, 0x8000));
    load();
    add((struct moult_partition){0, 0x8000, 0, MOULT_PARTITION_BOOTLOADER, 0, "boot"});
    add((struct moult_partition){0x8000, 0x1000, 0, MOULT_PARTITION_PARTITION_TABLE, 0,
                                 "table"});
    check_equal(moult_partition_check(&table, &rules, NULL, 0), 0);
    table.rows[5].subtype = 1; /* only the primary ones may */
    check(finds(MOULT_D_PT_LOW, 5, 0x9000, 0));
}

static void test_flash_size(void)
{
    load();
    rules.flash_size = 0x3d0000;
    check_equal(moult_partition_check(&table, &rules, NULL, 0), 0);
    rules.flash_size = 0x3c0000;
    check(finds(MOULT_D_PT_FLASH, 4, 0x3c0000, 0x3d0000));
    load();
    add((struct moult_partition){0xfffff000, 0x2000, 0, DATA, 6, "end"}); /* over 4 GB */
    check(finds(MOULT_D_PT_FLASH, 5, UINT32_MAX, UINT32_MAX));
}

static void test_otadata_is_one_of_8_kb(void)
{
    load();
    table.rows[1].size = 0x1000;
    check(finds(MOULT_D_PT_OTADATA, 1, 0x2000, 0x1000));
    load();
    add((struct moult_partition){0x3d0000, 0x2000, 0, DATA, 0, "otadata2"});
    check(finds(MOULT_D_PT_OTADATA_TWICE, 5, 1, 5));
    load();
    table.rows[1].subtype = MOULT_PARTITION_UNDEFINED;
    check(finds(MOULT_D_PT_OTADATA, 5, 0x2000, 0)); /* none: moult asks for it */
    rules.for_moult = false;
    check_equal(moult_partition_check(&table, &rules, NULL, 0), 0);
}

static void test_tee_ota_is_one_of_8_kb(void)
{
    load();
    add((struct moult_partition){0x3d0000, 0x3000, 0, DATA, 0x90, "tee"});
    check(finds(MOULT_D_PT_TEE_OTA_SIZE, 5, 0x2000, 0x3000));
    table.rows[5].size = 0x2000;
    add((struct moult_partition){0x3e0000, 0x2000, 0, DATA, 0x90, "tee2"});
    check(finds(MOULT_D_PT_TEE_OTA_TWICE, 6, 5, 6));
}

static void test_nvs_size_and_readonly(void)
{
    load();
    table.rows[0].size = 0x3000;
    check_equal(moult_partition_check(&table, &rules, NULL, 0), 0);
    table.rows[0].size = 0x2000;
    check(finds(MOULT_D_PT_NVS_SIZE, 0, 0x3000, 0x2000));
    table.rows[0].flags = MOULT_PARTITION_READONLY;
    check_equal(moult_partition_check(&table, &rules, NULL, 0), 0);
    load();
    table.rows[1].flags = MOULT_PARTITION_READONLY;
    check(finds(MOULT_D_PT_READONLY, 1, 0, 2));
    load();
    add((struct moult_partition){0x3d0000, 0x10000, 2, DATA, 3, "core"});
    check(finds(MOULT_D_PT_READONLY, 5, 0, 2));
}

static void test_warnings(void)
{
    load();
    table.rows[0].flags = 4;
    check(finds(MOULT_D_PT_FLAGS, 0, 3, 4));
    check(moult_partition_is_warning(MOULT_D_PT_FLAGS));
    load();
    memcpy(table.rows[0].label, "phy", 4);
    check(finds(MOULT_D_PT_NAME_KEYWORD, 0, 0, 0));
    check(moult_partition_is_warning(MOULT_D_PT_NAME_KEYWORD));
    load();
    memcpy(table.rows[0].label, "app", 4);
    check(finds(MOULT_D_PT_NAME_KEYWORD, 0, 0, 0));
    load();
    memcpy(table.rows[1].label, "ota\0\0\0\0", 8); /* a word of its own subtype */
    check_equal(moult_partition_check(&table, &rules, NULL, 0), 0);
    check(!moult_partition_is_warning(MOULT_D_PT_OVERLAP));
}

static void test_labels(void)
{
    load();
    memcpy(table.rows[0].label, "fifteen_letters", 16);
    check_equal(moult_partition_check(&table, &rules, NULL, 0), 0);
    memcpy(table.rows[0].label, "sixteen_letters_", 17);
    check(finds(MOULT_D_PT_NAME_LONG, 0, 15, 16));
    load();
    memcpy(table.rows[0].label, "z\xe4hler", 7);
    check(finds(MOULT_D_PT_NAME, 0, 0, 0));
}

static void test_slots(void)
{
    load();
    table.count = 4;
    check(finds(MOULT_D_PT_SLOTS, 4, 2, 1));
    load();
    add((struct moult_partition){0x3d0000, 0x1e0000, 0, APP, 0x13, "ota_3"});
    check(finds(MOULT_D_PT_SLOT_GAP, 5, 2, 3));
    load();
    table.rows[3].size = 0x1d0000; /* ota_0 is the measure */
    check(finds(MOULT_D_PT_SLOT_SIZES, 4, 0x1d0000, 0x1e0000));
    load();
    table.rows[4].size = 0x1d0000;
    check(finds(MOULT_D_PT_SLOT_SIZES, 4, 0x1e0000, 0x1d0000));
    load();
    add((struct moult_partition){0x3d0000, 0x1e0000, 0, APP, 0x11, "again"});
    check(finds(MOULT_D_PT_SLOT_TWICE, 5, 1, 1));
    rules.for_moult = false;
    check_equal(moult_partition_check(&table, &rules, NULL, 0), 0);
}

static void test_anti_rollback_allows_neither_factory_nor_test(void)
{
    load();
    add((struct moult_partition){0x3d0000, 0x10000, 0, APP, 0, "factory"});
    check_equal(moult_partition_check(&table, &rules, NULL, 0), 0);
    rules.anti_rollback = true;
    check(finds(MOULT_D_PT_ANTI_ROLLBACK, 5, 0, 0));
    table.rows[5].subtype = MOULT_PARTITION_TEST;
    memcpy(table.rows[5].label, "test\0\0\0", 8);
    check(finds(MOULT_D_PT_ANTI_ROLLBACK, 5, 0, 0x20));
}

static void test_findings_beyond_the_room_are_counted(void)
{
    struct moult_finding f[1];
    load();
    for (uint32_t i = 0; i < table.count; i++) {
        table.rows[i].flags = 8;
    }
    check_equal(moult_partition_check(&table, &rules, f, 1), 5);
    check_equal(f[0].where, 0);
}

int main(void)
{
    check_run(test_a_good_table_has_no_findings);
    check_run(test_alignment);
    check_run(test_first_row_and_repeats);
    check_run(test_name_and_overlap_in_one_row);
    check_run(test_names_are_unique);
    check_run(test_overlap_names_the_later_row);
    check_run(test_nothing_lies_on_or_below_the_table);
    check_run(test_flash_size);
    check_run(test_otadata_is_one_of_8_kb);
    check_run(test_tee_ota_is_one_of_8_kb);
    check_run(test_nvs_size_and_readonly);
    check_run(test_warnings);
    check_run(test_labels);
    check_run(test_slots);
    check_run(test_anti_rollback_allows_neither_factory_nor_test);
    check_run(test_findings_beyond_the_room_are_counted);
    return check_report();
}
