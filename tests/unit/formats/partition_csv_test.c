/* partition_csv_test.c - formats/partition_csv.c, partition_print.c */
#include "formats/partition_csv.h"
#include <string.h>
#include "formats/codes.h"
#include "keys/openssl_crypto.h"
#include "tests/support/check.h"

static struct moult_partition_table table;
static const struct moult_partition_csv_options options = {0x8000, 0x0};

static enum moult_status parse(const char *text, struct moult_finding *finding)
{
    struct moult_bytes bytes = {(const uint8_t *)text, strlen(text)};
    if (finding) { memset(finding, 0, sizeof *finding); }
    return moult_partition_csv_parse(bytes, &options, &table, finding);
}

static void test_example_gives_the_generators_binary(void)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    uint8_t raw[MOULT_PARTITION_TABLE_SIZE], digest[32], expected[32];
    check_equal(parse("nvs,data,nvs,,0x4000\n"
                      "otadata,data,ota,,0x2000\n"
                      "phy_init,data,phy,,0x1000\n"
                      "ota_0,app,ota_0,,0x1E0000\n"
                      "ota_1,app,ota_1,,0x1E0000\n",
                      NULL),
                MOULT_OK);
    check_equal(table.rows[0].offset, 0x9000);
    check_equal(table.rows[1].offset, 0xd000);
    check_equal(table.rows[2].offset, 0xf000);
    check_equal(table.rows[3].offset, 0x10000);
    check_equal(table.rows[4].offset, 0x1f0000);
    check_equal(moult_partition_encode(&table, raw), MOULT_OK);
    check_equal(moult_sha256_once(&crypto, raw, sizeof raw, digest), MOULT_OK);
    check(moult_hex_decode(
        "dbbebb5ee220599f4b12fb5c43c01c38b59b2720b5df0d14f7d1b857f6524c92", expected, 32));
    check_bytes(digest, expected, 32);
}

/* One row each: what it becomes. */
static void test_rows(void)
{
    static const struct {
        const char *text;
        struct moult_partition row;
    } rows[] = {
        {"a, data, nvs, 0x9000, 16K", {0x9000, 0x4000, 0, 1, 2, "a"}},
        {"a,DATA,Nvs,36864,0x4000,", {0x9000, 0x4000, 0, 1, 2, "a"}},
        {"\xef\xbb\xbf"
         "a,data,nvs,,1M",
         {0x9000, 0x100000, 0, 1, 2, "a"}},
        {"a,app,factory,,1M\r\n", {0x10000, 0x100000, 0, 0, 0, "a"}},
        {"a,app,0x1f,,0o10000", {0x10000, 0x1000, 0, 0, 0x1f, "a"}},
        {"a,app,test,,0b1000000000000", {0x10000, 0x1000, 0, 0, 0x20, "a"}},
        {"a,data,,,4k", {0x9000, 0x1000, 0, 1, 6, "a"}},
        {"a,0x40,0,,4k", {0x9000, 0x1000, 0, 0x40, 0, "a"}},
        {"a,254,,,4k", {0x9000, 0x1000, 0, 254, 6, "a"}},
        {"a,data,fat,,4k,encrypted", {0x9000, 0x1000, 1, 1, 0x81, "a"}},
        {"a,data,fat,,4k,readonly:encrypted", {0x9000, 0x1000, 3, 1, 0x81, "a"}},
        {"a,data,fat,,4k,:readonly:", {0x9000, 0x1000, 2, 1, 0x81, "a"}},
        {"a,data,fat,,4k,,comment, more", {0x9000, 0x1000, 0, 1, 0x81, "a"}},
        {"a,data,fat,0xA000,-0x10000", {0xa000, 0x6000, 0, 1, 0x81, "a"}},
        {"# comment\n\n  # more\na,data,fat,,4k", {0x9000, 0x1000, 0, 1, 0x81, "a"}},
        {"\tz\xc3\xa4hler ,data,fat,,4k", {0x9000, 0x1000, 0, 1, 0x81, "z\xc3\xa4hler"}},
        {"sixteen_letters_,data,fat,,4k", {0x9000, 0x1000, 0, 1, 0x81, "sixteen_letters_"}},
        {"b,bootloader,primary,,,", {0, 0x8000, 0, 2, 0, "b"}},
        {"b,bootloader,ota,0x20000,", {0x20000, 0x8000, 0, 2, 1, "b"}},
        {"t,partition_table,primary,,", {0x8000, 0x1000, 0, 3, 0, "t"}},
        {"t,partition_table,ota,,", {0x9000, 0x1000, 0, 3, 1, "t"}},
        {",data,nvs,0X9000,4K,", {0x9000, 0x1000, 0, 1, 2, ""}},
        {"a,data,nvs,,8", {0x9000, 8, 0, 1, 2, "a"}},
        {"a,data,254,,0xAbCdEf", {0x9000, 0xabcdef, 0, 1, 254, "a"}},
        {"$,data,nvs,,4k", {0x9000, 0x1000, 0, 1, 2, "$"}},
        {"a,data,nvs,0x9000,-0x9000", {0x9000, 0, 0, 1, 2, "a"}},
        {"a,data,nvs,,00", {0x9000, 0, 0, 1, 2, "a"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].text);
        check_equal(parse(rows[i].text, NULL), MOULT_OK);
        check_equal(table.count, 1);
        check_equal(table.rows[0].offset, rows[i].row.offset);
        check_equal(table.rows[0].size, rows[i].row.size);
        check_equal(table.rows[0].type, rows[i].row.type);
        check_equal(table.rows[0].subtype, rows[i].row.subtype);
        check_equal(table.rows[0].flags, rows[i].row.flags);
        check(strcmp(table.rows[0].label, rows[i].row.label) == 0);
    }
    check_row(NULL);
}

static void test_lines_that_break_the_grammar(void)
{
    static const struct {
        const char *text;
        uint16_t detail;
        uint32_t line;
    } rows[] = {
        {"", MOULT_D_PT_EMPTY, 0},
        {"# only a comment\n", MOULT_D_PT_EMPTY, 1},
        {"nvs", MOULT_D_PT_CSV, 1},
        {"a,,nvs,,4k", MOULT_D_CSV_TYPE, 1},
        {"a,dat,nvs,,4k", MOULT_D_CSV_TYPE, 1},
        {"a,255,nvs,,4k", MOULT_D_CSV_TYPE, 1},
        {"a,-1,nvs,,4k", MOULT_D_CSV_TYPE, 1},
        {"a,app,,,1M", MOULT_D_CSV_SUBTYPE, 1},
        {"a,app,nvs,,1M", MOULT_D_CSV_SUBTYPE, 1},
        {"a,app,ota_16,,1M", MOULT_D_CSV_SUBTYPE, 1},
        {"a,data,256,,4k", MOULT_D_CSV_SUBTYPE, 1},
        {"a,0x40,nvs,,4k", MOULT_D_CSV_SUBTYPE, 1},
        {"a,data,nvs,x,4k", MOULT_D_CSV_OFFSET, 1},
        {"a,data,nvs,0xFFFFFFFF,1\nb,app,test,,4k", MOULT_D_CSV_SIZE, 1},
        {"a,data,nvs,0xFFFFFFF0,1\nb,app,test,,4k", MOULT_D_CSV_OFFSET, 2},
        {"a,data,nvs,k,4k", MOULT_D_CSV_OFFSET, 1},
        {"a,data,nvs,0g,4k", MOULT_D_CSV_OFFSET, 1},
        {"a,data,nvs,,-", MOULT_D_CSV_SIZE, 1},
        {"a,data,nvs,,@", MOULT_D_CSV_SIZE, 1},
        {"a,data,nvs,,4k,e", MOULT_D_CSV_FLAG, 1},
        {"a,data,nvs,,4k,readwrit", MOULT_D_CSV_FLAG, 1},
        {"$a,data,nvs,,4k", MOULT_D_CSV_VARIABLE, 1},
        {"a,data,nvs,,$Z", MOULT_D_CSV_VARIABLE, 1},
        {"a,data,nvs,,$_", MOULT_D_CSV_VARIABLE, 1},
        {"a,data,nvs,xyz,4k", MOULT_D_CSV_OFFSET, 1},
        {"a,data,nvs,-4096,4k", MOULT_D_CSV_OFFSET, 1},
        {"a,data,nvs,4294967296,4k", MOULT_D_CSV_OFFSET, 1},
        {"a,data,nvs,,", MOULT_D_CSV_SIZE, 1},
        {"a,data,nvs", MOULT_D_CSV_SIZE, 1},
        {"a,data,nvs,,0x", MOULT_D_CSV_SIZE, 1},
        {"a,data,nvs,,010", MOULT_D_CSV_SIZE, 1},
        {"a,data,nvs,,4kk", MOULT_D_CSV_SIZE, 1},
        {"a,data,nvs,,0b2", MOULT_D_CSV_SIZE, 1},
        {"a,data,nvs,,4096M", MOULT_D_CSV_SIZE, 1},
        {"a,data,nvs,0xFFFFF000,0x1000", MOULT_D_CSV_SIZE, 1},
        {"a,data,nvs,,4k,Encrypted", MOULT_D_CSV_FLAG, 1},
        {"a,data,nvs,,4k,encrypted readonly", MOULT_D_CSV_FLAG, 1},
        {"a,data,nvs,0x8000,4k", MOULT_D_CSV_ORDER, 1},
        {"a,data,nvs,,4k\nb,data,fat,0x9000,4k", MOULT_D_CSV_ORDER, 2},
        {"a,data,nvs,0xA000,-0x9000", MOULT_D_CSV_ORDER, 1},
        {"a,data,nvs,,$SIZE", MOULT_D_CSV_VARIABLE, 1},
        {"a,data,nvs,,${SIZE}", MOULT_D_CSV_VARIABLE, 1},
        {"z\xe4hler,data,nvs,,4k", MOULT_D_CSV_ENCODING, 1},
        {"\xff\xfe"
         "a,data",
         MOULT_D_CSV_ENCODING, 1},
        {"seventeen_letters,data,nvs,,4k", MOULT_D_PT_NAME_LONG, 1},
    };
    struct moult_finding finding;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].text);
        check_equal(parse(rows[i].text, &finding), MOULT_E_FORMAT);
        check_equal(finding.detail, rows[i].detail);
        check_equal(finding.where, rows[i].line);
    }
    check_row(NULL);
}

static void test_a_nul_is_no_text(void)
{
    static const uint8_t line[] = "a,data,\0nvs,,4k";
    struct moult_finding finding;
    struct moult_bytes text = {line, sizeof line - 1};
    check_equal(moult_partition_csv_parse(text, &options, &table, &finding),
                MOULT_E_FORMAT);
    check_equal(finding.detail, MOULT_D_CSV_ENCODING);
}

static void test_a_bootloader_fills_the_room_before_the_table(void)
{
    struct moult_partition_csv_options esp32 = {0x8000, 0x1000};
    struct moult_bytes text = {(const uint8_t *)"b,bootloader,primary,,", 22};
    check_equal(moult_partition_csv_parse(text, &esp32, &table, NULL), MOULT_OK);
    check_equal(table.rows[0].offset, 0x1000);
    check_equal(table.rows[0].size, 0x7000);
}

static void test_order_says_what_would_be_free(void)
{
    struct moult_finding finding;
    check_equal(parse("a,data,nvs,,16k\nb,data,fat,0xB000,4k\n", &finding), MOULT_E_FORMAT);
    check_equal(finding.expected, 0xd000);
    check_equal(finding.found, 0xb000);
}

static void test_fixed_rows_do_not_move_the_running_offset(void)
{
    check_equal(
        parse("b,bootloader,primary,,\nt,partition_table,primary,,\na,data,nvs,,16k", NULL),
        MOULT_OK);
    check_equal(table.rows[2].offset, 0x9000);
}

static void test_a_bootloader_needs_room_before_the_table(void)
{
    struct moult_partition_csv_options low = {0x2000, 0x2000};
    struct moult_bytes text = {(const uint8_t *)"b,bootloader,primary,,", 22};
    struct moult_finding finding;
    check_equal(moult_partition_csv_parse(text, &low, &table, &finding), MOULT_E_FORMAT);
    check_equal(finding.detail, MOULT_D_CSV_BOOTLOADER);
}

static void test_94_rows_fit_and_95_do_not(void)
{
    static char text[96 * 24];
    struct moult_finding finding;
    char *p = text;
    for (int i = 0; i < 95; i++) {
        *p++ = (char)('0' + i / 10);
        *p++ = (char)('0' + i % 10);
        memcpy(p, ",0x40,0,,4k\n", 13);
        p += 12;
    }
    check_equal(parse(text, &finding), MOULT_E_RANGE);
    check_equal(finding.detail, MOULT_D_PT_ENTRIES);
    check_equal(finding.where, 95);
    p[-14] = '\0';
    check_equal(parse(text, NULL), MOULT_OK);
    check_equal(table.count, 94);
}

static void test_text_over_the_limit_is_refused(void)
{
    static uint8_t text[MOULT_PARTITION_CSV_SIZE_MAX + 1];
    struct moult_finding finding;
    struct moult_bytes bytes = {text, sizeof text};
    memset(text, '\n', sizeof text);
    check_equal(moult_partition_csv_parse(bytes, &options, &table, &finding),
                MOULT_E_RANGE);
    check_equal(finding.detail, MOULT_D_CSV_LIMIT);
    bytes.size--;
    check_equal(moult_partition_csv_parse(bytes, &options, &table, &finding),
                MOULT_E_FORMAT);
    check_equal(finding.detail, MOULT_D_PT_EMPTY);
}

static const char printed[] = "# Name, Type, SubType, Offset, Size, Flags\n"
                              "nvs,data,nvs,0x9000,0x4000,\n"
                              "blob,0x40,0x7,0xD000,0x1000,encrypted:readonly\n"
                              "ota_0,app,ota_0,0x10000,0x1E0000,\n";

static void test_printing_and_parsing_give_the_same(void)
{
    static struct moult_partition_table first;
    char text[512];
    check_equal(parse(printed, NULL), MOULT_OK);
    first = table;
    check_equal(moult_partition_csv_print(&table, text, sizeof text), MOULT_OK);
    check(strcmp(text, printed) == 0);
    check_equal(parse(text, NULL), MOULT_OK);
    check_bytes(&table, &first, sizeof table);
}

static void test_print_needs_its_room_exactly(void)
{
    char text[sizeof printed];
    check_equal(parse(printed, NULL), MOULT_OK);
    check_equal(moult_partition_csv_print(&table, text, sizeof printed), MOULT_OK);
    for (uint32_t room = 1; room < sizeof printed; room++) {
        check_equal(moult_partition_csv_print(&table, text, room), MOULT_E_SPACE);
        check_equal(text[0], '\0');
    }
}

static void test_print_refuses_what_csv_cannot_carry(void)
{
    static const char *const labels[] = {"a,b", "a\nb", " a", "a ", " ",
                                         "\ta", "a\r",  "#a", "$a", "z\xe4hler"};
    char text[512];
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        check_equal(parse(printed, NULL), MOULT_OK);
        memcpy(table.rows[1].label, labels[i], strlen(labels[i]) + 1);
        check_equal(moult_partition_csv_print(&table, text, sizeof text), MOULT_E_FORMAT);
        check_equal(text[0], '\0');
    }
    check_equal(parse(printed, NULL), MOULT_OK);
    memcpy(table.rows[0].label, "a,b", 4); /* the first row as well */
    check_equal(moult_partition_csv_print(&table, text, sizeof text), MOULT_E_FORMAT);
    check_equal(parse("a,data,nvs,,0,readonly", NULL), MOULT_OK);
    check_equal(moult_partition_csv_print(&table, text, sizeof text), MOULT_OK);
    check(strstr(text, "a,data,nvs,0x9000,0x0,readonly\n"));
    check_equal(parse(printed, NULL), MOULT_OK);
    table.rows[1].flags = 4;
    check_equal(moult_partition_csv_print(&table, text, sizeof text), MOULT_E_FORMAT);
}

int main(void)
{
    check_run(test_example_gives_the_generators_binary);
    check_run(test_rows);
    check_run(test_lines_that_break_the_grammar);
    check_run(test_a_nul_is_no_text);
    check_run(test_a_bootloader_fills_the_room_before_the_table);
    check_run(test_order_says_what_would_be_free);
    check_run(test_fixed_rows_do_not_move_the_running_offset);
    check_run(test_a_bootloader_needs_room_before_the_table);
    check_run(test_94_rows_fit_and_95_do_not);
    check_run(test_text_over_the_limit_is_refused);
    check_run(test_printing_and_parsing_give_the_same);
    check_run(test_print_needs_its_room_exactly);
    check_run(test_print_refuses_what_csv_cannot_carry);
    return check_report();
}
