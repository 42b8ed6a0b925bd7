/* release_create_test.c - the signed statement about an image, and what `release inspect`
 * says. */
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/app_desc.h"
#include "formats/chip.h"
#include "formats/image_build.h"
#include "formats/image_info.h"
#include "keys/openssl_crypto.h"
#include "tests/support/unit.h"
#include "tests/unit/cli/run.h"

enum { SEGMENT_SIZE = 4096, RECORD_AT = MOULT_IMAGE_INFO_OFFSET - 32, CLASS_BYTE = 0xc1 };

static char home[512];
static char folder[64];

/* --- an image --- */

static enum moult_status collect(void *context, const uint8_t *data, uint32_t size)
{
    return fwrite(data, 1, size, context) == size ? MOULT_OK : MOULT_E_IO;
}

struct image {
    const char *path;
    uint64_t sequence, floor;
    uint8_t fleet_byte; /* fleet id: 16 times this */
    bool without_record, with_tail;
};

static void make_image(const struct image *image)
{
    static uint8_t segment[SEGMENT_SIZE];
    struct moult_app_desc desc = {
        .secure_version = 2, .project = "meter", .version = "1.1.0"};
    struct moult_image_info info = {.sequence = image->sequence,
                                    .rollback_floor = image->floor,
                                    .build_time_s = 1767225600,
                                    .version = "1.1.0"};
    memset(segment, 0x5a, sizeof segment);
    memset(info.fleet_id, image->fleet_byte, sizeof info.fleet_id);
    memset(info.class_id, CLASS_BYTE, sizeof info.class_id);
    moult_app_desc_encode(&desc, segment);
    if (!image->without_record) {
        assert_int_equal(moult_image_info_encode(&info, segment + RECORD_AT), MOULT_OK);
    }
    struct moult_image_parts parts = {
        .chip_id = MOULT_CHIP_ESP32C3,
        .min_revision = 3,
        .max_revision = 199,
        .entry = 0x42000020,
        .spi_mode = 2,
        .spi_size = 2,
        .part_count = 1,
        .parts = {{0x3c000020, {segment, sizeof segment}}},
    };
    struct moult_crypto crypto = keys_openssl_crypto();
    struct moult_image_plan plan;
    FILE *file = fopen(image->path, "wb");
    assert_non_null(file);
    struct moult_writer writer = {file, collect};
    assert_int_equal(moult_image_plan(&parts, &plan, NULL), MOULT_OK);
    assert_int_equal(moult_image_write(&parts, &plan, &crypto, &writer), MOULT_OK);
    if (image->with_tail) { fputs("tail", file); }
    fclose(file);
}

/* --- running --- */

static void expect(const char *words, int code, const char *said)
{
    struct run run = run_words(words);
    if (run.code != code || (!strstr(run.out, said) && !strstr(run.err, said))) {
        fail_msg("moult %s: expected %d and \"%s\", found %d\n%s%s", words, code, said,
                 run.code, run.out, run.err);
    }
    run_free(&run);
}

static json_t *json_of(const char *words)
{
    struct run run = run_words(words);
    json_t *document = run.code == CLI_OK ? json_loads(run.out, 0, NULL) : NULL;
    if (!document) { fail_msg("moult %s: %d\n%s%s", words, run.code, run.out, run.err); }
    run_free(&run);
    return document;
}

static json_int_t number(const json_t *object, const char *member)
{
    return json_integer_value(json_object_get(object, member));
}

#define FLEET "--fleet-id f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1 "

static int set_up(void **state)
{
    (void)state; /* cmocka's signature */
    snprintf(folder, sizeof folder, "/tmp/moult-release-XXXXXX");
    if (!getcwd(home, sizeof home) || !mkdtemp(folder) || chdir(folder) != 0) { return 1; }
    unsetenv("MOULT_PROFILE"); /* whoever runs the test may be logged in somewhere */
    unsetenv("MOULT_SERVER");
    setenv("HOME", folder, 1);
    setenv("XDG_CONFIG_HOME", folder, 1);
    expect("keyset create --out keyset.cbor --root r1 --root r2 --release release-1.pem "
           "--release release-2.pem --assign as --make-keys " FLEET,
           CLI_OK, "keyset 1");
    expect("keyset create --out two.cbor --root r1 --root r2 --release release-1.pem "
           "--release release-2.pem --assign as --release-threshold 2 " FLEET,
           CLI_OK, "keyset 1");
    make_image(&(struct image){"m.bin", 7, 6, 0xf1, false, false});
    return 0;
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
    return chdir(home) == 0 ? nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS) : 1;
}

static void test_a_release_says_what_the_image_says(void **state)
{
    (void)state; /* cmocka's signature */
    json_t *made =
        json_of("release create m.bin --dir . --sequence 7 --rollback-to 6 --json");
    assert_int_equal(number(made, "sequence"), 7);
    assert_int_equal(number(made, "rollback_floor"), 6);
    assert_string_equal(json_string_value(json_object_get(made, "version")), "1.1.0");
    assert_string_equal(json_string_value(json_object_get(made, "class_id")),
                        "c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1");
    assert_string_equal(
        json_string_value(json_object_get(made, "created")),
        "2026-01-01T00:00:00Z"); /* its build time: the same image, the same bytes */
    json_t *app = json_array_get(json_object_get(made, "components"), 0);
    assert_string_equal(json_string_value(json_object_get(app, "chip")), "esp32c3");
    assert_int_equal(number(app, "secure_version"), 2);
    json_t *revisions = json_object_get(app, "revisions");
    assert_int_equal(json_integer_value(json_array_get(revisions, 0)), 3);
    assert_int_equal(json_integer_value(json_array_get(revisions, 1)), 199);
    struct stat about;
    assert_int_equal(stat("m.bin", &about), 0);
    assert_int_equal(number(app, "size"), about.st_size);

    json_t *seen = json_of("release inspect m.bin.release --dir . --json");
    assert_true(json_equal(made, seen));
    json_decref(made);
    json_decref(seen);
    expect("release inspect m.bin.release --dir .", CLI_OK, "valid");
    expect("release inspect m.bin.release", CLI_OK, "not checked");
}

static void test_options_add_to_it(void **state)
{
    (void)state; /* cmocka's signature */
    json_t *made = json_of("release create m.bin --dir . --out x --security --mandatory "
                           "--only-from 3 --use-before 1893456000 --created 1 --sbom r1 "
                           "--notes r2 --json");
    assert_true(json_is_true(json_object_get(made, "security")));
    assert_true(json_is_true(json_object_get(made, "mandatory")));
    assert_int_equal(number(made, "min_running_sequence"), 3);
    assert_string_equal(json_string_value(json_object_get(made, "use_before")),
                        "2030-01-01T00:00:00Z");
    assert_string_equal(json_string_value(json_object_get(made, "created")),
                        "1970-01-01T00:00:01Z");
    assert_true(json_is_string(json_object_get(made, "sbom")));
    assert_true(json_is_null(json_object_get(made, "provenance")));
    json_decref(made);
}

static void test_what_does_not_fit_together_is_refused(void **state)
{
    (void)state; /* cmocka's signature */
    make_image(&(struct image){"other.bin", 7, 6, 0xf2, false, false});
    make_image(&(struct image){"bare.bin", 7, 6, 0xf1, true, false});
    make_image(&(struct image){"tail.bin", 7, 6, 0xf1, false, true});
    static const struct {
        const char *words;
        int code;
        const char *said;
    } rows[] = {
        {"release create m.bin --dir . --sequence 8", CLI_REFUSED,
         "image says sequence 7, the release statement says sequence 8"},
        {"release create m.bin --dir . --rollback-to 5", CLI_REFUSED, "E2413"},
        {"release create m.bin --dir . --no-way-back", CLI_REFUSED, "E2413"},
        {"release create other.bin --dir .", CLI_REFUSED, "E2413"},
        {"release create bare.bin --dir .", CLI_REFUSED, "E2411"},
        {"release create tail.bin --dir .", CLI_REFUSED, "E2409"},
        {"release create r1 --dir .", CLI_REFUSED, "E24"},
        {"release create missing --dir .", CLI_ERROR, "E2302"},
        {"release create m.bin", CLI_USAGE, "--keyset FILE or --dir DIR"},
        {"release create m.bin --keyset keyset.cbor", CLI_USAGE, "--key FILE"},
        {"release create m.bin --dir . --key as", CLI_REFUSED, "a key of role assign"},
        {"release create m.bin --dir . --key r1", CLI_REFUSED, "a key of role root"},
        {"release create m.bin --dir . --key missing", CLI_ERROR, "E2431"},
        {"release create m.bin --dir . --key release-1.pem --key release-1.pem", CLI_USAGE,
         "one key twice"},
        {"release inspect keyset.cbor", CLI_USAGE, "E2438"},
        {"release inspect m.bin", CLI_REFUSED, "E0702"},
        {"release inspect r1", CLI_REFUSED, "E0703"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect(rows[i].words, rows[i].code, rows[i].said);
    }
    assert_int_not_equal(access("m.bin.release", F_OK), 0);
}

/* With a server: tests/e2e/bad_release_refused.sh. */
static void test_without_a_server_the_floor_is_the_images_and_that_is_said(void **state)
{
    (void)state; /* cmocka's signature */
    expect("release create m.bin --dir . --force", CLI_OK,
           "Rollback floor 6 as the image says; the newest published release was not asked "
           "for: no server is configured");
    expect("release create m.bin --dir . --force --server https://127.0.0.1:1", CLI_OK,
           "Rollback floor 6 as the image says");
    struct run run = run_words("release create m.bin --dir . --force --rollback-to 6");
    assert_int_equal(run.code, CLI_OK);
    assert_null(strstr(run.err, "Rollback floor"));
    run_free(&run);
}

static void test_files_are_overwritten_by_force_only(void **state)
{
    (void)state; /* cmocka's signature */
    expect("release create m.bin --dir .", CLI_OK, "valid");
    expect("release create m.bin --dir .", CLI_CONFLICT, "E2312");
    expect("release create m.bin --dir . --force", CLI_OK, "valid");
}

static void test_a_threshold_that_is_not_reached_is_said_and_refused_later(void **state)
{
    (void)state; /* cmocka's signature */
    expect("release create m.bin --keyset two.cbor --key release-1.pem", CLI_OK,
           "carries 1 of 2 signatures");
    expect("release inspect m.bin.release --keyset two.cbor", CLI_REFUSED,
           "expects 2 signatures by release keys, found 1");
    expect("release inspect m.bin.release --keyset keyset.cbor", CLI_OK, "valid");
    expect("release create m.bin --keyset two.cbor --key release-1.pem --key release-2.pem "
           "--force",
           CLI_OK, "valid");
    expect("release inspect m.bin.release --keyset two.cbor", CLI_OK, "valid");
}

/* --- data components --- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void test_data_components_go_with_the_application_in_ascending_order(void **state)
{
    (void)state; /* cmocka's signature */
    write_file("www.bin", "a page");
    write_file("motor.bin", "firmware");
    json_t *made = json_of("release create m.bin --dir . --out parts.release "
                           "--component 16=motor.bin --component 1:www=www.bin "
                           "--needs 16:0:5 --needs 16:1:4 --needs 0:1:3 --json");
    json_t *components = json_object_get(made, "components");
    assert_int_equal(json_array_size(components), 3);
    json_t *www = json_array_get(components, 1), *motor = json_array_get(components, 2);
    assert_int_equal(number(www, "component"), 1);
    assert_int_equal(number(www, "size"), 6);
    assert_string_equal(json_string_value(json_object_get(www, "partition")), "www");
    assert_string_equal(json_string_value(json_object_get(www, "format")), "raw");
    assert_string_equal(json_string_value(json_object_get(www, "chip")), "any");
    assert_int_equal(number(motor, "component"), 16);
    assert_true(json_is_null(json_object_get(motor, "partition")));
    json_t *needs = json_object_get(motor, "needs");
    assert_int_equal(json_array_size(needs), 2);
    assert_int_equal(number(json_array_get(needs, 1), "component"), 1);
    json_decref(made);
    expect("release inspect parts.release --keyset keyset.cbor", CLI_OK,
           "needs         app of sequence 5 or later");
    expect("release create m.bin --dir . --out next.release --component 1=www.bin", CLI_OK,
           "moult release upload next.release m.bin www.bin");
}

static void test_components_that_are_not_understood_are_refused(void **state)
{
    (void)state; /* cmocka's signature */
    static const struct {
        const char *options, *said;
    } rows[] = {
        {"-c 0=www.bin", "ID 1 or 3 to 255"},
        {"-c 2=www.bin", "ID 1 or 3 to 255"},
        {"-c 256=www.bin", "ID 1 or 3 to 255"},
        {"-c www.bin", "ID 1 or 3 to 255"},
        {"-c 1:=www.bin", "ID 1 or 3 to 255"},
        {"-c 1:seventeen-letters=www.bin", "ID 1 or 3 to 255"},
        {"-c 1=", "ID 1 or 3 to 255"},
        {"-c 1=www.bin -c 1=motor.bin", "each component once"},
        {"-c 1=www.bin -c 3=www.bin -c 4=www.bin -c 5=www.bin", "at most 3 components"},
        {"-c 1=empty.bin", "empty"},
        {"-c 1=www.bin --needs 1:1:3", "ID:OTHER:SEQUENCE"},
        {"-c 1=www.bin --needs 1:0", "ID:OTHER:SEQUENCE"},
        {"-c 1=www.bin --needs 16:0:3", "a component of it"},
    };
    write_file("www.bin", "a page");
    write_file("motor.bin", "firmware");
    write_file("empty.bin", "");
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char words[160];
        snprintf(words, sizeof words, "release create m.bin --dir . --out bad.release %s",
                 rows[i].options);
        expect(words, CLI_USAGE, rows[i].said);
        assert_int_not_equal(access("bad.release", F_OK), 0);
    }
    expect("release create m.bin --dir . --out bad.release -c 1=nowhere.bin", CLI_ERROR,
           "nowhere.bin");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_release_says_what_the_image_says, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_options_add_to_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_does_not_fit_together_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_without_a_server_the_floor_is_the_images_and_that_is_said, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(test_files_are_overwritten_by_force_only, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_threshold_that_is_not_reached_is_said_and_refused_later, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(
            test_data_components_go_with_the_application_in_ascending_order, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(test_components_that_are_not_understood_are_refused,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
