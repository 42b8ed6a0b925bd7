/* flash_test.c - moult partitions show|check, otadata show, flash show. */
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/bytes.h"
#include "formats/otadata.h"
#include "formats/partition_csv.h"
#include "tests/support/sample_image.h"
#include "tests/support/unit.h"
#include "tests/unit/cli/run.h"

enum { FLASH_SIZE = 0x200000, OTADATA = 0xd000, OTA_0 = 0x10000, OTA_1 = 0x100000 };

static const char table_text[] = "nvs,data,nvs,,0x4000\n"
                                 "otadata,data,ota,,0x2000\n"
                                 "ota_0,app,ota_0,0x10000,0xf0000\n"
                                 "ota_1,app,ota_1,,0xf0000\n";

static char folder[64];
static uint8_t flash[FLASH_SIZE];

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/moult-flash-XXXXXX");
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : 1;
}

static int remove_one(const char *path, const struct stat *about, int kind,
                      struct FTW *where)
{
    (void)about; /* nftw's signature; only the path is needed */
    (void)kind;
    (void)where;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state; /* cmocka's signature */
    return chdir("/") || nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void write_file(const char *name, const void *data, size_t size)
{
    FILE *f = fopen(name, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    fclose(f);
}

/* Two slots with the sample image in both, entry 0 confirmed, entry 1 on trial next. */
static void make_flash(void)
{
    static struct moult_partition_table table;
    struct moult_partition_csv_options options = {0x8000, 0};
    struct moult_bytes text = {(const uint8_t *)table_text, sizeof table_text - 1};
    memset(flash, 0xff, sizeof flash);
    assert_int_equal(moult_partition_csv_parse(text, &options, &table, NULL), MOULT_OK);
    assert_int_equal(moult_partition_encode(&table, flash + 0x8000), MOULT_OK);
    sample_image(flash + OTA_0);
    sample_image(flash + OTA_1);
    moult_otadata_encode(1, MOULT_OTADATA_VALID, flash + OTADATA);
    moult_otadata_encode(2, MOULT_OTADATA_NEW, flash + OTADATA + 4096);
}

static void expect(const char *words, int code, const char *out, const char *err)
{
    struct run run = run_words(words);
    if (run.code != code || !strstr(run.out, out) || !strstr(run.err, err)) {
        print_error(
            "%s\nexit %d, expected %d\nout: %s\nerr: %s\nexpected \"%s\" and \"%s\"\n",
            words, run.code, code, run.out, run.err, out, err);
    }
    assert_int_equal(run.code, code);
    assert_non_null(strstr(run.out, out));
    assert_non_null(strstr(run.err, err));
    run_free(&run);
}

static void test_a_table_is_the_same_from_csv_binary_and_flash(void **state)
{
    (void)state;
    make_flash();
    write_file("t.csv", table_text, sizeof table_text - 1);
    write_file("t.bin", flash + 0x8000, 0xc00);
    write_file("t.flash", flash, sizeof flash);
    struct run csv = run_words("partitions show t.csv"),
               bin = run_words("partitions show t.bin"),
               all = run_words("partitions show t.flash");
    assert_int_equal(csv.code, 0);
    assert_string_equal(csv.out, bin.out);
    assert_string_equal(csv.out, all.out);
    assert_non_null(strstr(csv.out, "ota_1"));
    assert_non_null(strstr(csv.out, "(free)"));
    run_free(&csv);
    run_free(&bin);
    run_free(&all);
    expect("partitions show t.bin --csv", 0, "ota_1,app,ota_1,0x100000,0xF0000,\n", "");
    expect("partitions show t.bin --json", 0, "\"slots\": 2", "");
}

static void test_tables_that_cannot_be_read(void **state)
{
    (void)state;
    make_flash();
    write_file("cut.bin", flash + 0x8000, 100);
    write_file("bad.csv", "nvs,data,nvs,,0x4000\nota_0,app,,,1M\n", 36);
    flash[0x8000 + 6] ^= 1;
    write_file("md5.bin", flash + 0x8000, 0xc00);
    memset(flash + 0x8000, 0xff, 0xc00);
    write_file("empty.flash", flash, sizeof flash);
    expect("partitions show cut.bin", 1, "", "MOULT-E2441");
    expect("partitions show bad.csv", 6, "", "MOULT-E2470 bad.csv, line 2: ");
    expect("partitions show md5.bin", 6, "", "MOULT-E2415 md5.bin, row 4: ");
    expect("partitions show empty.flash", 6, "", "MOULT-E2453");
    expect("partitions show bad.csv --table-offset 5", 2, "", "multiple of 0x1000");
    expect("partitions show none.csv", 1, "", "none.csv");
}

static void test_check_names_rows_codes_and_numbers(void **state)
{
    (void)state;
    write_file("t.csv", table_text, sizeof table_text - 1);
    expect("partitions check t.csv", 0, "0 errors, 0 warnings", "");
    expect("partitions check t.csv --flash-size 2", 0, "0 errors", "");
    expect(
        "partitions check t.csv --flash-size 1", 6,
        "error E2419: row 3 (ota_1): flash has 0x100000 bytes, partition ends at 0x1f0000",
        "");
    expect("partitions check t.csv --flash-size 1 --json", 6, "\"ok\": false", "");
    write_file("one.csv", "factory,app,factory,,1M\nphy,data,nvs,,16k\n", 42);
    expect("partitions check one.csv", 6, "updates need at least 2 app slots, found 0", "");
    expect("partitions check one.csv", 6, "warning E2464: row 1 (phy)", "");
    expect("partitions check one.csv --idf-only", 0, "0 errors, 1 warnings", "");
    expect("partitions check one.csv --anti-rollback", 6, "no factory", "");
    expect("partitions check t.csv --flash-size 4096", 2, "", "--flash-size");
}

static void test_check_knows_the_size_of_a_whole_flash(void **state)
{
    (void)state;
    make_flash();
    write_file("t.flash", flash, 0x180000);
    expect("partitions check t.flash", 6, "flash has 0x180000 bytes", "");
}

static void test_otadata_says_which_entry_counts_and_what_happens(void **state)
{
    (void)state;
    make_flash();
    write_file("ota.bin", flash + OTADATA, 8192);
    expect("otadata show ota.bin", 0, "1 (counts)", "");
    expect("otadata show ota.bin", 0, "rewrites entry 1: NEW to PENDING_VERIFY, seq 2", "");
    expect("otadata show ota.bin", 0, "starts ota_1", "");
    expect("otadata show ota.bin --no-rollback --json", 0, "\"writes\": []", "");
    flash[OTADATA + 4096 + 28] ^= 1;
    write_file("torn.bin", flash + OTADATA, 8192);
    expect("otadata show torn.bin", 0, "torn: CRC wrong", "");
    expect("otadata show torn.bin", 0, "starts ota_0", "");
    write_file("short.bin", flash + OTADATA, 4096);
    expect("otadata show short.bin", 6, "", "MOULT-E2425");
    expect("otadata show ota.bin --slots 17", 2, "", "--slots");
}

static void test_flash_says_why_it_boots_what_it_boots(void **state)
{
    (void)state;
    make_flash();
    write_file("t.flash", flash, sizeof flash);
    expect("flash show t.flash", 0, "moult-vec 1.2.3, 336 bytes, not made for moult", "");
    expect("flash show t.flash", 0, "entry 1 counts and selects ota_1", "");
    expect("flash show t.flash", 0, "starts ota_1", "");
    expect("flash show t.flash --json", 0, "\"boots\": \"ota_1\"", "");
    flash[OTA_1 + 100] ^= 1; /* damaged: falls back, and otadata goes on naming it */
    write_file("t.flash", flash, sizeof flash);
    expect("flash show t.flash", 0, "ota_1 does not verify", "");
    expect("flash show t.flash", 0, "starts ota_0", "");
    expect("flash show t.flash", 0, "ESP image checksum expects", "");
    memset(flash + OTA_0, 0xff, 0x10000);
    write_file("t.flash", flash, sizeof flash);
    expect("flash show t.flash", 0, "starts nothing: the chip resets for ever", "");
    expect("flash show t.flash", 0, "ota_0      empty", "");
    expect("flash show t.flash --json", 0, "\"boots\": \"nothing\"", "");
}

static void test_flash_with_anti_rollback(void **state)
{
    (void)state;
    make_flash();
    write_file("t.flash", flash, sizeof flash);
    expect("flash show t.flash --efuse-version 3", 0, "starts ota_1", "");
    expect("flash show t.flash --efuse-version 4", 0, "starts nothing", "");
    expect("flash show t.flash --efuse-version 33", 2, "", "--efuse-version");
    expect("flash show t.flash --efuse-version 3 --no-rollback", 2, "", "--no-rollback");
}

static void test_flash_wants_a_whole_flash(void **state)
{
    (void)state;
    make_flash();
    write_file("t.bin", flash + 0x8000, 0xc00);
    write_file("t.csv", table_text, sizeof table_text - 1);
    expect("flash show t.bin", 1, "", "MOULT-E2441");
    expect("flash show t.csv", 1, "", "MOULT-E2441");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_table_is_the_same_from_csv_binary_and_flash,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tables_that_cannot_be_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_check_names_rows_codes_and_numbers, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_check_knows_the_size_of_a_whole_flash, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_otadata_says_which_entry_counts_and_what_happens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flash_says_why_it_boots_what_it_boots, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_flash_with_anti_rollback, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flash_wants_a_whole_flash, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
