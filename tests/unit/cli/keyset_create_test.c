/* keyset_create_test.c - the first keyset from key files, and what `keyset show` says of
 * it. */
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/statement.h"
#include "tests/support/unit.h"
#include "tests/unit/cli/run.h"

static char home[512];
static char folder[64];

static int set_up(void **state)
{
    (void)state; /* cmocka's signature */
    snprintf(folder, sizeof folder, "/tmp/moult-keyset-XXXXXX");
    return getcwd(home, sizeof home) && mkdtemp(folder) && chdir(folder) == 0 ? 0 : 1;
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

#define MAKE                                                                               \
    "keyset create --out k.cbor --root r1 --root r2 --root r3 --release a --release b "    \
    "--assign c "

static void test_keys_are_made_on_request_and_the_keyset_names_them(void **state)
{
    struct stat about;
    (void)state; /* cmocka's signature */
    expect(MAKE, CLI_ERROR, "E2431");
    expect(MAKE "--make-keys --release-threshold 2 --not-after 1893456000 "
                "--fleet-id 000102030405060708090a0b0c0d0e0f",
           CLI_OK, "k.cbor: keyset 1 of fleet 000102030405060708090a0b0c0d0e0f");
    assert_int_equal(stat("r1", &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);

    json_t *shown = json_of("keyset show k.cbor --json");
    json_t *root = json_object_get(json_object_get(shown, "roles"), "root");
    json_t *release = json_object_get(json_object_get(shown, "roles"), "release");
    assert_int_equal(json_integer_value(json_object_get(shown, "version")), 1);
    assert_string_equal(json_string_value(json_object_get(shown, "not_after")),
                        "2030-01-01T00:00:00Z");
    assert_int_equal(json_integer_value(json_object_get(root, "threshold")), 2);
    assert_int_equal(json_array_size(json_object_get(root, "keys")), 3);
    assert_int_equal(json_integer_value(json_object_get(release, "threshold")), 2);
    assert_int_equal(json_array_size(json_object_get(shown, "signatures")), 2);
    assert_int_equal(strlen(json_string_value(json_object_get(shown, "fingerprint"))), 64);
    json_decref(shown);
    expect("keyset show k.cbor", CLI_OK, "2 of 3 must sign");
    expect("keyset show k.cbor", CLI_OK, "signed this keyset");
}

static void test_the_fingerprint_does_not_depend_on_who_signed(void **state)
{
    (void)state; /* cmocka's signature */
    static const char fixed[] = "--release a --assign c --root-threshold 1 "
                                "--fleet-id 000102030405060708090a0b0c0d0e0f";
    char words[512];
    expect(MAKE "--make-keys", CLI_OK, "keyset 1");
    for (unsigned i = 1; i <= 2; i++) {
        snprintf(words, sizeof words, "keyset create --out f%u.cbor --root r1 --root r2 %s",
                 i, fixed);
        expect(words, CLI_OK, "keyset 1");
    }
    json_t *one = json_of("keyset show f1.cbor --json");
    json_t *other = json_of("keyset show f2.cbor --json");
    assert_string_equal(json_string_value(json_object_get(one, "fingerprint")),
                        json_string_value(json_object_get(other, "fingerprint")));
    json_decref(one);
    json_decref(other);
}

static void test_mistakes_are_refused_with_their_code(void **state)
{
    (void)state; /* cmocka's signature */
    expect(MAKE "--make-keys", CLI_OK, "keyset 1");
    static const struct {
        const char *words;
        int code;
        const char *said;
    } rows[] = {
        {MAKE, CLI_CONFLICT, "E2312"},
        {"keyset create --root r1 --release a --assign c", CLI_USAGE, "--out FILE"},
        {"keyset create --out x --release a --assign c", CLI_USAGE, "--root KEY"},
        {"keyset create --out x --root r1 --assign c", CLI_USAGE, "--release KEY"},
        {"keyset create --out x --root r1 --release a", CLI_USAGE, "--assign KEY"},
        {"keyset create --out x --root r1 --release r1 --assign c", CLI_REFUSED, "E2434"},
        {"keyset create --out x --root r1 --root r1 --release a --assign c", CLI_REFUSED,
         "r1 is in root too"},
        {"keyset create --out x --root r1 --root r2 --release a --assign c "
         "--root-threshold 3",
         CLI_USAGE, "1 to 2"},
        {"keyset create --out x --root r1 --release a --assign c --release-threshold 2",
         CLI_USAGE, "1 to 1"},
        {"keyset create --out x --root r1 --release a --assign c --fleet-id 00", CLI_USAGE,
         "32 hex digits"},
        {"keyset create --out x --root r1 --release a --assign missing", CLI_ERROR,
         "E2431"},
        {"keyset show missing", CLI_ERROR, "E2302"},
        {"keyset show r1", CLI_REFUSED, "E0303"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect(rows[i].words, rows[i].code, rows[i].said);
    }
    assert_int_not_equal(access("x", F_OK), 0);
}

static void test_a_root_key_that_others_can_read_does_not_sign(void **state)
{
    (void)state; /* cmocka's signature */
    expect(MAKE "--make-keys", CLI_OK, "keyset 1");
    assert_int_equal(chmod("r1", 0644), 0);
    expect("keyset create --out x --root r1 --root r2 --release a --assign c", CLI_REFUSED,
           "E2432");
}

static void test_a_damaged_keyset_is_not_shown(void **state)
{
    (void)state; /* cmocka's signature */
    expect(MAKE "--make-keys", CLI_OK, "keyset 1");
    FILE *file = fopen("k.cbor", "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 20, SEEK_SET), 0); /* in the fleet id */
    int byte = fgetc(file);
    assert_int_equal(fseek(file, 20, SEEK_SET), 0);
    assert_int_equal(fputc(byte ^ 1, file), byte ^ 1);
    fclose(file);
    expect("keyset show k.cbor", CLI_REFUSED,
           "expects 2 signatures by its own root keys, found 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_keys_are_made_on_request_and_the_keyset_names_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_fingerprint_does_not_depend_on_who_signed,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mistakes_are_refused_with_their_code, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_root_key_that_others_can_read_does_not_sign,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_damaged_keyset_is_not_shown, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
