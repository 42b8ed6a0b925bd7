/* partition_table_test.c - formats/partition_table.c, partition_names.c; the table of
 * docs/spec/partition-table.md */
#include "formats/partition_table.h"
#include <string.h>
#include "formats/bytes.h"
#include "formats/codes.h"
#include "keys/openssl_crypto.h"
#include "tests/support/check.h"

static uint8_t raw[MOULT_PARTITION_TABLE_SIZE];
static struct moult_partition_table table;

static const struct moult_partition_table example = {
    .count = 5,
    .has_md5 = true,
    .rows = {{0x9000, 0x4000, 0, 1, 2, "nvs"},
             {0xd000, 0x2000, 0, 1, 0, "otadata"},
             {0xf000, 0x1000, 0, 1, 1, "phy_init"},
             {0x10000, 0x1e0000, 0, 0, 0x10, "ota_0"},
             {0x1f0000, 0x1e0000, 0, 0, 0x11, "ota_1"}},
};

static void load(void)
{
    if (moult_partition_encode(&example, raw) != MOULT_OK) { memset(raw, 0, sizeof raw); }
}

static enum moult_status parse(struct moult_finding *finding)
{
    memset(finding, 0, sizeof *finding);
    return moult_partition_parse(raw, &table, finding);
}

static void test_example_is_the_generators_binary(void)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    uint8_t digest[32], expected[32];
    check_equal(moult_partition_encode(&example, raw), MOULT_OK);
    check_equal(moult_sha256_once(&crypto, raw, sizeof raw, digest), MOULT_OK);
    check(moult_hex_decode(
        "dbbebb5ee220599f4b12fb5c43c01c38b59b2720b5df0d14f7d1b857f6524c92", expected, 32));
    check_bytes(digest, expected, 32);
    check(moult_hex_decode("b0603d204773d2bfb6695dfb51616665", expected, 16));
    check_bytes(raw + 5 * 32 + 16, expected, 16);
    check(moult_hex_decode("aa50010200900000004000006e7673", expected, 15));
    check_bytes(raw, expected, 15);
}

static void test_example_parses(void)
{
    struct moult_finding finding;
    load();
    check_equal(parse(&finding), MOULT_OK);
    check_equal(table.count, 5);
    check(table.has_md5);
    for (uint32_t i = 0; i < table.count; i++) {
        check_equal(table.rows[i].offset, example.rows[i].offset);
        check_equal(table.rows[i].size, example.rows[i].size);
        check_equal(table.rows[i].type, example.rows[i].type);
        check_equal(table.rows[i].subtype, example.rows[i].subtype);
        check(strcmp(table.rows[i].label, example.rows[i].label) == 0);
    }
}

static void test_rows_without_md5(void)
{
    struct moult_partition_table plain = example;
    struct moult_finding finding;
    plain.has_md5 = false;
    check_equal(moult_partition_encode(&plain, raw), MOULT_OK);
    check_equal(parse(&finding), MOULT_OK);
    check_equal(table.count, 5);
    check(!table.has_md5);
}

static void test_every_flipped_bit_of_the_rows_is_found(void)
{
    struct moult_finding finding;
    for (uint32_t bit = 0; bit < 5 * 32 * 8; bit++) {
        load();
        raw[bit / 8] ^= (uint8_t)(1u << bit % 8);
        check(parse(&finding) != MOULT_OK);
        check(finding.detail != 0);
    }
}

static void test_bad_bytes_have_their_own_detail(void)
{
    static const struct {
        const char *name;
        uint32_t offset;
        uint8_t value;
        uint32_t count; /* of bytes set */
        enum moult_status status;
        uint16_t detail;
        uint32_t where;
    } rows[] = {
        {"erased flash", 0, 0xff, 0xc00, MOULT_E_FORMAT, MOULT_D_PT_EMPTY, 0},
        {"zeros", 0, 0, 0xc00, MOULT_E_FORMAT, MOULT_D_PT_MAGIC, 0},
        {"magic of row 3", 96, 0, 1, MOULT_E_FORMAT, MOULT_D_PT_MAGIC, 3},
        {"MD5 row first", 0, 0xeb, 2, MOULT_E_FORMAT, MOULT_D_PT_MAGIC, 0},
        {"digest", 5 * 32 + 16, 0, 1, MOULT_E_DIGEST, MOULT_D_PT_MD5, 5},
        {"no terminator", 6 * 32, 0, 1, MOULT_E_FORMAT, MOULT_D_PT_MD5_PLACE, 6},
    };
    struct moult_finding finding;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].name);
        load();
        memset(raw + rows[i].offset, rows[i].value, rows[i].count);
        check_equal(parse(&finding), rows[i].status);
        check_equal(finding.detail, rows[i].detail);
        check_equal(finding.where, rows[i].where);
    }
    check_row(NULL);
}

static void test_a_second_md5_row_and_rows_behind_it_are_refused(void)
{
    struct moult_finding finding;
    load();
    memcpy(raw + 6 * 32, raw + 5 * 32, 32);
    check_equal(parse(&finding), MOULT_E_FORMAT);
    check_equal(finding.detail, MOULT_D_PT_MD5_PLACE);
    check_equal(finding.where, 6);
    memcpy(raw + 6 * 32, raw, 32);
    check_equal(parse(&finding), MOULT_E_FORMAT);
    check_equal(finding.detail, MOULT_D_PT_MD5_PLACE);
}

static void test_as_many_rows_as_fit_and_one_more(void)
{
    static struct moult_partition_table full;
    struct moult_finding finding;
    full.count = MOULT_PARTITION_ROWS_MAX;
    for (uint32_t i = 0; i < full.count; i++) {
        full.rows[i] =
            (struct moult_partition){.offset = 0x10000 + i * 0x1000, .type = 0x40};
        full.rows[i].label[0] = (char)(' ' + i);
    }
    check_equal(moult_partition_encode(&full, raw), MOULT_OK);
    check_equal(parse(&finding), MOULT_OK);
    check_equal(table.count, 95);
    full.has_md5 = true;
    check_equal(moult_partition_encode(&full, raw), MOULT_E_RANGE);
    full.count--;
    check_equal(moult_partition_encode(&full, raw), MOULT_OK);
    check_equal(parse(&finding), MOULT_OK);
    check_equal(table.count, 94);
    memset(raw + 95 * 32, 0, 32); /* 96 rows: no terminator */
    check_equal(parse(&finding), MOULT_E_FORMAT);
    check_equal(finding.detail, MOULT_D_PT_END);
}

static void test_a_label_may_fill_its_field(void)
{
    struct moult_partition_table one = {.count = 1,
                                        .rows = {{0x9000, 0x4000, 3, 1, 2, ""}}};
    struct moult_finding finding;
    memcpy(one.rows[0].label, "sixteen_letters_", 17);
    check_equal(moult_partition_encode(&one, raw), MOULT_OK);
    check_equal(parse(&finding), MOULT_OK);
    check(strcmp(table.rows[0].label, "sixteen_letters_") == 0);
    check_equal(table.rows[0].flags, 3);
}

static void test_questions(void)
{
    struct moult_finding finding;
    load();
    check_equal(parse(&finding), MOULT_OK);
    check_equal(moult_partition_slot_count(&table), 2);
    check(moult_partition_find(&table, MOULT_PARTITION_DATA, MOULT_PARTITION_OTADATA) ==
          &table.rows[1]);
    check(moult_partition_find(&table, MOULT_PARTITION_DATA, MOULT_PARTITION_NVS) ==
          &table.rows[0]);
    check(moult_partition_find_label(&table, "nvs") == &table.rows[0]);
    check(!moult_partition_find(&table, MOULT_PARTITION_APP, MOULT_PARTITION_FACTORY));
    check(moult_partition_find_label(&table, "phy_init") == &table.rows[2]);
    check(!moult_partition_find_label(&table, "phy"));
    static struct moult_partition_table all; /* 16 slots, and the test app behind them */
    all.count = 17;
    for (uint32_t i = 0; i < 17; i++) {
        all.rows[i].subtype = (uint8_t)(0x10 + i);
    }
    check_equal(moult_partition_slot_count(&all), 16);
    all.rows[0].subtype = 0x40;
    check_equal(moult_partition_slot_count(&all), 0);
    table.rows[4].subtype = 0x12; /* a gap: ota_0, ota_2 */
    check_equal(moult_partition_slot_count(&table), 1);
}

static void test_one_row_with_md5(void)
{
    struct moult_partition_table one = {
        .count = 1, .has_md5 = true, .rows = {{0x9000, 0x4000, 0, 1, 2, "nvs"}}};
    struct moult_finding finding;
    memset(&table, 0x77, sizeof table); /* what was there before does not matter */
    check_equal(moult_partition_encode(&one, raw), MOULT_OK);
    check_equal(parse(&finding), MOULT_OK);
    check_equal(table.count, 1);
    check(table.has_md5);
    check_equal(table.rows[0].label[3], 0);
    check_equal(table.rows[0].label[16], 0);
}

static void test_words(void)
{
    check(strcmp(moult_partition_type_name(0), "app") == 0);
    check(strcmp(moult_partition_type_name(3), "partition_table") == 0);
    check(!moult_partition_type_name(0x40));
    check(strcmp(moult_partition_subtype_name(0, 0x1f), "ota_15") == 0);
    check(strcmp(moult_partition_subtype_name(1, 0), "ota") == 0);
    check(strcmp(moult_partition_subtype_name(1, 0x83), "littlefs") == 0);
    check(strcmp(moult_partition_subtype_name(2, 2), "recovery") == 0);
    check(!moult_partition_subtype_name(0x40, 0));
    check(!moult_partition_subtype_name(0, 0x21));
}

int main(void)
{
    check_run(test_example_is_the_generators_binary);
    check_run(test_example_parses);
    check_run(test_rows_without_md5);
    check_run(test_every_flipped_bit_of_the_rows_is_found);
    check_run(test_bad_bytes_have_their_own_detail);
    check_run(test_a_second_md5_row_and_rows_behind_it_are_refused);
    check_run(test_as_many_rows_as_fit_and_one_more);
    check_run(test_a_label_may_fill_its_field);
    check_run(test_questions);
    check_run(test_one_row_with_md5);
    check_run(test_words);
    return check_report();
}
