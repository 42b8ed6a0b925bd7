/* partitions_plan_test.c - moult partitions plan: what it asks for, says and ends with. */
#include <ftw.h>
#include <unistd.h>

#include "formats/bytes.h"
#include "formats/partition_csv.h"
#include "tests/support/https_server.h"
#include "tests/support/sample_image.h"
#include "tests/support/unit.h"
#include "tests/unit/cli/run.h"

static char folder[64];

static const char small_table[] = "nvs,data,nvs,,0x6000\n"
                                  "otadata,data,ota,,0x2000\n"
                                  "phy_init,data,phy,,0x1000\n"
                                  "ota_0,app,ota_0,0x20000,1M\n"
                                  "ota_1,app,ota_1,,1M\n";

static const char factory_table[] = "nvs,data,nvs,,0x6000\n"
                                    "otadata,data,ota,,0x2000\n"
                                    "factory,app,factory,0x20000,1M\n"
                                    "ota_0,app,ota_0,,1M\n"
                                    "ota_1,app,ota_1,,1M\n"
                                    "storage,data,spiffs,,256K\n";

/* 20 KB a release, and one step of 200 KB. */
static const char sizes[] = "version,size\n"
                            "# energy meter\n"
                            "1.0.0, 400K\n1.1.0,420K\n 1.2.0 ,440K\r\n1.3.0,660K\n"
                            "1.4.0,680K\n1.5.0,700K\n1.6.0,720K\n1.7.0,740K\n\n";

static void write_file(const char *name, const void *data, size_t size)
{
    FILE *f = fopen(name, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    fclose(f);
}

static void write_text(const char *name, const char *text)
{
    write_file(name, text, strlen(text));
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/moult-plan-XXXXXX");
    if (!mkdtemp(folder) || chdir(folder) != 0) { return 1; }
    write_text("small.csv", small_table);
    write_text("factory.csv", factory_table);
    write_text("sizes.csv", sizes);
    return 0;
}

static int remove_one(const char *path, const struct stat *about, int kind,
                      struct FTW *where)
{
    (void)about, (void)kind, (void)where; /* nftw's signature; only the path is needed */
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state; /* cmocka's signature */
    return chdir("/") || nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void expect(const char *words, int code, const char *out, const char *err)
{
    struct run run = run_words(words);
    bool is_good = run.code == code && strstr(run.out, out) && strstr(run.err, err);
    if (!is_good) {
        print_error("%s\nexit %d, expected %d\nout: %s\nerr: %s\n", words, run.code, code,
                    run.out, run.err);
    }
    assert_true(is_good);
    run_free(&run);
}

static json_t *document_of(const char *words, int code)
{
    struct run run = run_words(words);
    assert_int_equal(run.code, code);
    json_t *document = json_loads(run.out, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(document);
    run_free(&run);
    return document;
}

static int64_t number(const json_t *document, const char *a, const char *b, const char *c)
{
    const json_t *at = json_object_get(document, a);
    at = b ? json_object_get(at, b) : at;
    at = c ? json_object_get(at, c) : at;
    assert_true(json_is_number(at));
    return (int64_t)json_number_value(at);
}

/* --- A new table ---------------------------------------------------------------------- */

static void test_a_new_table_is_proposed_as_text_json_and_csv(void **state)
{
    (void)state;
    expect("partitions plan --flash 4M --size 1M", CLI_OK, "53 % of 1.88 MB, 896 KB free",
           "");
    expect("partitions plan --flash 4M --size 1M", CLI_OK,
           "growth    not known: no --history", "");
    json_t *d = document_of("partitions plan --flash 4M --size 1M --json --csv", CLI_OK);
    assert_int_equal(number(d, "proposal", "slots", "size"), 0x1e0000);
    assert_int_equal(number(d, "proposal", "slots", "free"), 0x1e0000 - 0x100000);
    assert_true(json_is_null(json_object_get(d, "table")));
    assert_true(json_is_null(json_object_get(d, "growth")));
    json_decref(d);

    struct run run =
        run_words("partitions plan --flash 8M --size 1M --data www=500K,littlefs"
                  " --staging 500K --csv");
    assert_int_equal(run.code, CLI_OK);
    write_text("new.csv", run.out);
    run_free(&run);
    expect("partitions check new.csv --flash-size 8", CLI_OK, "0 errors, 0 warnings", "");
    expect("partitions show new.csv", CLI_OK, "www       data/littlefs", "");
}

static void test_an_image_says_its_own_size_and_version(void **state)
{
    uint8_t image[SAMPLE_SIGNED_SIZE];
    (void)state;
    sample_signed_image(image);
    write_file("image.bin", image, sizeof image);
    expect("partitions plan --flash 4M --image image.bin", CLI_OK, "image     1.2.3, 8 KB",
           "");
    write_file("bad.bin", image, 200);
    expect("partitions plan --flash 4M --image bad.bin", CLI_REFUSED, "", "MOULT-E2402");
}

/* --- An old one ----------------------------------------------------------------------- */

static void test_a_table_that_can_grow_in_place_says_so(void **state)
{
    (void)state;
    const char *words = "partitions plan --table small.csv --flash 4M --size 900K";
    expect(words, CLI_OK, "87 % of 1.00 MB, 124 KB free", "");
    expect(words, CLI_OK, "in place  nvs, otadata, phy_init\n", "");
    expect(words, CLI_OK, "the way   a cable. moult never writes a table", "");
    json_t *d = document_of(
        "partitions plan --table small.csv --flash 4M --size 900K --json", CLI_OK);
    assert_true(
        json_is_true(json_object_get(json_object_get(d, "proposal"), "table_only")));
    assert_int_equal(number(d, "table", "slots", "free"), 124 * 1024);
    assert_int_equal(number(d, "proposal", "slots", "size"), 0x1f0000);
    json_decref(d);
}

static void test_the_table_that_is_proposed_is_proposed_again(void **state)
{
    (void)state;
    struct run run = run_words("partitions plan --flash 4M --size 900K --csv");
    write_text("made.csv", run.out);
    run_free(&run);
    expect("partitions plan --table made.csv --size 900K", CLI_OK,
           "the way   none needed: this is the table that you have", "");
}

static void test_what_needs_a_cable_is_said_with_its_reason(void **state)
{
    (void)state;
    expect(
        "partitions plan --table factory.csv --size 1M", CLI_REFUSED,
        "slots     ########################################  100 % of 1.00 MB",
        "expects app slots: 2 of 1.25 MB: the image and 256 KB of headroom; found room for "
        "1.00 MB each");
    expect("partitions plan --table factory.csv --size 1M", CLI_REFUSED, "",
           "next: --headroom 0 would do");
    json_t *d = document_of("partitions plan --table factory.csv --size 1M --json",
                            CLI_REFUSED); /* what the old table has left is told */
    assert_int_equal(number(d, "table", "slots", "free"), 0);
    assert_int_equal(number(d, "refused", "needed", NULL), 0x140000);
    assert_int_equal(number(d, "refused", "possible", NULL), 0x100000);
    assert_true(json_is_null(json_object_get(d, "proposal")));
    json_decref(d);
    const char *words = "partitions plan --table factory.csv --size 1M --drop factory";
    expect(words, CLI_OK, "the way   a cable, and nothing else:\n", "");
    expect(words, CLI_OK, "ota_0 begins elsewhere", "");
    expect(words, CLI_OK, "factory goes: its content is lost", "");
    expect("partitions plan --table factory.csv --size 900K --headroom 5 --slots 3",
           CLI_REFUSED, "", "MOULT-E2482");
    expect("partitions plan --table small.csv --flash 8M --size 900K --slots 3", CLI_OK,
           "the number of slots changes from 2 to 3", "");
}

static void test_a_partition_in_the_way_is_named(void **state)
{
    (void)state;
    expect("partitions plan --table factory.csv --flash 8M --size 900K", CLI_OK,
           "in the way storage: slots of", "");
    expect("partitions plan --table factory.csv --flash 8M --size 900K --drop storage "
           "--data storage=256K,spiffs",
           CLI_OK, "storage moves: its content is lost", "");
}

static void test_faults_of_the_old_table_are_told_and_not_kept(void **state)
{
    (void)state;
    write_text("odd.csv", "nvs,data,nvs,,0x6000\notadata,data,ota,,0x2000\n"
                          "ota_0,app,ota_0,0x20000,1M\nota_1,app,ota_1,,768K\n");
    expect("partitions plan --table odd.csv --size 500K --flash 4M", CLI_OK, "E2467", "");
    write_text("tiny.csv", "nvs,data,nvs,,0x2000\notadata,data,ota,,0x2000\n"
                           "ota_0,app,ota_0,0x20000,1M\nota_1,app,ota_1,,1M\n");
    expect("partitions plan --table tiny.csv --size 500K", CLI_REFUSED, "",
           "what is kept of the table: row 0 (nvs)");
    expect("partitions plan --table tiny.csv --size 500K --drop nvs", CLI_OK,
           "nvs      data/nvs", "");
    write_text("fact.csv", factory_table);
    expect("partitions plan --table fact.csv --size 500K --anti-rollback", CLI_REFUSED, "",
           "MOULT-E2468");
    expect("partitions plan --table fact.csv --size 500K --flash 2M", CLI_REFUSED, "",
           "a table that reaches beyond it");
}

static void test_a_dump_has_table_flash_and_image_in_one(void **state)
{
    static uint8_t flash[0x220000];
    static struct moult_partition_table table;
    const struct moult_partition_csv_options options = {0x8000, 0};
    struct moult_bytes text = {(const uint8_t *)small_table, sizeof small_table - 1};
    (void)state;
    memset(flash, 0xff, sizeof flash);
    assert_int_equal(moult_partition_csv_parse(text, &options, &table, NULL), MOULT_OK);
    assert_int_equal(moult_partition_encode(&table, flash + 0x8000), MOULT_OK);
    write_file("empty.bin", flash, sizeof flash);
    expect("partitions plan --table empty.bin", CLI_USAGE, "", "--image FILE, --size SIZE");
    sample_image(flash + 0x120000);
    write_file("dump.bin", flash, sizeof flash);
    json_t *d = document_of("partitions plan --table dump.bin --json", CLI_OK);
    assert_int_equal(number(d, "image", "size", NULL), SAMPLE_IMAGE_SIZE);
    assert_int_equal(number(d, "flash_size", NULL, NULL), sizeof flash);
    json_decref(d);
}

/* --- The past ------------------------------------------------------------------------- */

static void test_a_history_tells_how_many_releases_are_left(void **state)
{
    (void)state;
    const char *words = "partitions plan --table small.csv --flash 4M --history sizes.csv";
    expect(words, CLI_OK, "image     1.7.0, 740 KB", "");
    expect(words, CLI_OK,
           "growth    8 releases: +51 KB each (between +20 KB and +70 KB, 90 %)", "");
    expect(words, CLI_OK, "largest step +220 KB, after 1.2.0", "");
    expect(words, CLI_OK, "headroom  5 more releases fit (4 to 14)\n", "");
    expect(words, CLI_OK, "a step like the largest fits 1 times", "");
    json_t *d = document_of(
        "partitions plan --table small.csv --flash 16M --history sizes.csv --json", CLI_OK);
    const json_t *left = json_object_get(
        json_object_get(json_object_get(d, "proposal"), "slots"), "releases_left");
    assert_int_equal(number(left, "likely", NULL, NULL), 24); /* no further than that */
    assert_int_equal(number(left, "counted_up_to", NULL, NULL), 24);
    json_decref(d);
    expect("partitions plan --flash 16M --history sizes.csv", CLI_OK,
           "past 24, three times the history, nothing is said", "");
}

static void test_too_short_a_history_is_called_that(void **state)
{
    (void)state;
    write_text("short.csv", "1.0,400K\n1.1,410K\n1.2,420K\n1.3,430K\n");
    expect("partitions plan --flash 4M --history short.csv", CLI_OK,
           "not enough history: 4 releases, at least 5 are needed", "");
    json_t *d =
        document_of("partitions plan --flash 4M --history short.csv --json", CLI_OK);
    assert_true(json_is_false(json_object_get(json_object_get(d, "growth"), "known")));
    json_decref(d);
}

static void test_images_are_a_history_too(void **state)
{
    uint8_t image[SAMPLE_SIGNED_SIZE];
    (void)state;
    sample_signed_image(image);
    write_file("b.bin", image, SAMPLE_SIGNED_SIZE);
    sample_image(image);
    write_file("a.bin", image, SAMPLE_IMAGE_SIZE);
    json_t *d = document_of("partitions plan --flash 4M --image a.bin --image b.bin --json",
                            CLI_OK);
    assert_int_equal(number(d, "growth", "releases", NULL), 2);
    assert_int_equal(number(d, "image", "size", NULL), SAMPLE_SIGNED_SIZE);
    json_decref(d);
    d = document_of("partitions plan --flash 4M --history sizes.csv --image b.bin --json",
                    CLI_OK);
    assert_int_equal(number(d, "growth", "releases", NULL), 9); /* the newest of them */
    json_decref(d);
}

static void test_a_history_that_is_none_is_refused_by_line(void **state)
{
    static const struct {
        const char *text, *err;
    } rows[] = {
        {"1.0,400K\n1.1\n", "line 2: size history expects version,size, found 1.1"},
        {"1.0,x\n", "line 1: size history expects version,size, found x"},
        {"1.0,-5\n", "line 1: size history"},
        {"1.0,0\n", "line 1: size history"},
        {"1.0,5G\n", "line 1: size history"},
        {"1.0,99999999999\n", "line 1: size history"},
        {"# nothing\n\n", "size history expects version,size, found no line"},
    };
    (void)state;
    write_file("bad.csv", "1.0,400K\n\0 1.1,410K\n", 20);
    expect("partitions plan --flash 4M --history bad.csv", CLI_REFUSED, "", "a zero byte");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_text("bad.csv", rows[i].text);
        expect("partitions plan --flash 4M --history bad.csv", CLI_REFUSED, "",
               rows[i].err);
    }
}

/* Not in order, and one of a filesystem image alone. */
static const char server_releases[] =
    "{\"items\":["
    "{\"sequence\":5,\"version\":\"1.4\",\"components\":[{\"id\":0,\"size\":500000}]},"
    "{\"sequence\":6,\"version\":\"www\",\"components\":[{\"id\":1,\"size\":9000}]},"
    "{\"sequence\":1,\"version\":\"1.0\",\"components\":[{\"id\":0,\"size\":400000}]},"
    "{\"sequence\":3,\"version\":\"1.2\",\"components\":[{\"id\":0,\"size\":450000},"
    "{\"id\":1,\"size\":7}]},"
    "{\"sequence\":2,\"version\":\"1.1\",\"components\":[{\"id\":0,\"size\":425000}]},"
    "{\"sequence\":4,\"version\":\"1.3\",\"components\":[{\"id\":0,\"size\":475000}]}"
    "],\"next\":null}";

static void test_a_class_on_the_server_has_a_history(void **state)
{
    struct https_reply script = {https_text(200, "json", "", server_releases), 0};
    (void)state;
    struct https_server *server = https_server_start(&script, 1);
    setenv("MOULT_SERVER", https_server_url(server), 1);
    setenv("MOULT_CA", https_server_ca(server), 1);
    setenv("MOULT_TOKEN", "moult_secret", 1);
    json_t *d =
        document_of("partitions plan --flash 4M --from-server meter-c3 --json", CLI_OK);
    assert_int_equal(number(d, "growth", "bytes_per_release", NULL), 25000);
    assert_int_equal(number(d, "image", "size", NULL), 500000);
    assert_non_null(strstr(https_server_request(server, 0), "class=meter-c3"));
    json_decref(d);
    https_server_stop(server);
}

/* --- Moving, and usage ---------------------------------------------------------------- */

static void test_moving_something_out_of_the_image_is_weighed(void **state)
{
    (void)state;
    json_t *d = document_of(
        "partitions plan --flash 4M --size 1000K --move www=256K --json", CLI_OK);
    assert_int_equal(number(d, "moved", "image_size", NULL), 744 * 1024);
    assert_int_equal(number(d, "moved", "slot_size", NULL), 0x1c0000);
    /* 256 KB less in the slot, which is 128 KB smaller */
    assert_int_equal(number(d, "moved", "gain", NULL), 128 * 1024);
    json_decref(d);
    expect("partitions plan --flash 4M --size 1000K --move www=256K", CLI_OK,
           "262144 B less in every slot and every full update", "");
    expect("partitions plan --flash 4M --size 1000K --move www=9M", CLI_OK,
           "the partition has no place in this flash", "");
}

static void test_usage_is_explained(void **state)
{
    static const struct {
        const char *words, *err;
    } rows[] = {
        {"--size 1M", "--flash SIZE"},
        {"--flash 4M", "--image FILE, --size SIZE or --history FILE"},
        {"--flash 4X --size 1M", "--flash such as 4M"},
        {"--flash 512K --size 100K", "--flash from 1M to 128M"},
        {"--flash 4M --size 0", "above 0"},
        {"--flash 4M --size 1M --slots 1", "--slots from 2 to 16"},
        {"--flash 4M --size 1M --headroom 5000", "--headroom up to 1000"},
        {"--flash 4M --size 1M --data www", "NAME=SIZE"},
        {"--flash 4M --size 1M --data =4K", "NAME=SIZE"},
        {"--flash 4M --size 1M --data www=4K,nothing", "NAME=SIZE"},
        {"--flash 4M --size 1M --data a-name-of-16-chr=4K", "at most 15"},
        {"--flash 4M --size 1M --data nvs=40K,spiffs",
         "names that the table does not have"},
        {"--flash 4M --size 1M --drop nvs", "--drop with a partition of --table"},
        {"--flash 4M --history sizes.csv --from-server x", "one of --history"},
        {"--flash 4M --size 1M --table-offset 5", "a multiple of 0x1000"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char words[256];
        snprintf(words, sizeof words, "partitions plan %s", rows[i].words);
        expect(words, CLI_USAGE, "", rows[i].err);
    }
}

int main(void)
{
    unsetenv("MOULT_PROFILE");
    unsetenv("MOULT_SERVER");
    setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_table_is_proposed_as_text_json_and_csv),
        cmocka_unit_test(test_an_image_says_its_own_size_and_version),
        cmocka_unit_test(test_a_table_that_can_grow_in_place_says_so),
        cmocka_unit_test(test_the_table_that_is_proposed_is_proposed_again),
        cmocka_unit_test(test_what_needs_a_cable_is_said_with_its_reason),
        cmocka_unit_test(test_a_partition_in_the_way_is_named),
        cmocka_unit_test(test_faults_of_the_old_table_are_told_and_not_kept),
        cmocka_unit_test(test_a_dump_has_table_flash_and_image_in_one),
        cmocka_unit_test(test_a_history_tells_how_many_releases_are_left),
        cmocka_unit_test(test_too_short_a_history_is_called_that),
        cmocka_unit_test(test_images_are_a_history_too),
        cmocka_unit_test(test_a_history_that_is_none_is_refused_by_line),
        cmocka_unit_test(test_a_class_on_the_server_has_a_history),
        cmocka_unit_test(test_moving_something_out_of_the_image_is_weighed),
        cmocka_unit_test(test_usage_is_explained),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
