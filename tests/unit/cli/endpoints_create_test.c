/* endpoints_create_test.c - the signed list of addresses, made and shown. */
#include <ftw.h>
#include <unistd.h>

#include "tests/support/unit.h"
#include "tests/unit/cli/run.h"

static char folder[64];

static int remove_entry(const char *path, const struct stat *info, int kind,
                        struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void expect(const char *words, int code, const char *out, const char *err)
{
    struct run run = run_words(words);
    bool is_right = run.code == code && (!out || strstr(run.out, out)) &&
                    (!err || strstr(run.err, err));
    if (!is_right) {
        print_message("moult %s\ncode %d\n%s%s", words, run.code, run.out, run.err);
    }
    assert_true(is_right);
    run_free(&run);
}

/* Two release keys, both must sign; and a second keyset that knows none of them. */
static int setup(void **state)
{
    (void)state;
    memcpy(folder, "/tmp/moult-endpoints-XXXXXX", 28);
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    expect(
        "keyset create --out two --make-keys --root r.pem --release a.pem --release b.pem "
        "--assign s.pem --release-threshold 2 --fleet-id 6d6f756c742d666c6565742d30303031",
        0, NULL, NULL);
    expect("keyset create --out other --make-keys --root r.pem --release c.pem "
           "--assign s.pem --fleet-id 6d6f756c742d666c6565742d30303031",
           0, NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(chdir("/"), 0);
    return nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

#define KEYS " --keyset two --key a.pem --key b.pem"
#define ONE " --endpoint https://a.test"

static void test_a_list_is_signed_and_shown(void **state)
{
    (void)state;
    expect(
        "endpoints create list --version 3 --fallback-after 600" KEYS
        " --endpoint https://eu.test:8443/m,weight=10,region=eu"
        " --endpoint https://cdn.test,role=artifact,weight=255 --endpoint https://a.test",
        0, "endpoint   https://eu.test:8443/m, both, weight 10, region eu\n", NULL);
    expect("endpoints show list", 0, "version    3\n", "Signatures were not checked");
    expect("endpoints show list --keyset two", 0, "valid\n", NULL);
    expect("endpoints show list --keyset two", 0, "fall back  after 600 s\n", NULL);
    expect("endpoints show list --keyset two --json", 0, "\"role\": \"artifact\"", NULL);
    expect("endpoints show list --keyset two --json", 0, "\"is_verified\": true", NULL);
    expect("endpoints show list --keyset other", 6, NULL, "E0321");
    expect("endpoints show two", 2, NULL, "an endpoint list, it holds a keyset");
}

static void test_too_few_signatures_are_said(void **state)
{
    (void)state;
    expect("endpoints create few --version 1 --keyset two --key a.pem" ONE, 0, NULL,
           "1 of 2 signatures");
    expect("endpoints show few --keyset two", 6, NULL, "E0321");
}

static void test_what_no_device_would_take_is_not_written(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        int code;
        const char *err;
    } rows[] = {
        {"endpoints create x --version 1" KEYS, 2, "--endpoint URL"},
        {"endpoints create x" KEYS ONE, 2, "--version of 1"},
        {"endpoints create x --version 0" KEYS ONE, 2, "--version of 1"},
        {"endpoints create x --version 4294967296" KEYS ONE, 2, "--version of 1"},
        {"endpoints create x --version 1 --fallback-after 86401" KEYS ONE, 2, "86400"},
        {"endpoints create x --version 1" ONE, 2, "--keyset FILE or --dir DIR"},
        {"endpoints create x --version 1 --keyset two" ONE, 2, "--key FILE or --dir DIR"},
        {"endpoints create x --version 1 --keyset two --key s.pem" ONE, 6, "role assign"},
        {"endpoints create x --version 1 --keyset two --key c.pem" ONE, 6, "does not know"},
        {"endpoints create x --version 1" KEYS ONE ",weight=256", 2, "weight=256"},
        {"endpoints create x --version 1" KEYS ONE ",weight=", 2, "weight="},
        {"endpoints create x --version 1" KEYS ONE ",role=none", 2, "role=none"},
        {"endpoints create x --version 1" KEYS ONE ",colour=red", 2, "colour=red"},
        {"endpoints create x --version 1" KEYS " --endpoint http://a.test", 6, "E0325"},
        {"endpoints create x --version 1" KEYS " --endpoint https://a.test/", 6, "E0325"},
        {"endpoints create x --version 1" KEYS ONE ",role=artifact", 6, "E0325"},
        {"endpoints create x --version 1" KEYS ONE ONE, 6, "E0325"},
        {"endpoints create x --version 1" KEYS ONE ",region=", 6, "E0325"},
        {"endpoints create x --version 1" KEYS ONE ",region=seventeen-letters", 6, "E0325"},
        {"endpoints create x --version 1" KEYS
         " -e https://1 -e https://2 -e https://3 -e https://4 -e https://5 -e https://6"
         " -e https://7",
         2, "at most 6"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect(rows[i].words, rows[i].code, NULL, rows[i].err);
        assert_int_not_equal(access("x", F_OK), 0);
    }
}

static void test_a_file_is_overwritten_on_demand_only(void **state)
{
    (void)state;
    expect("endpoints create again --version 1" KEYS ONE, 0, NULL, NULL);
    expect("endpoints create again --version 2" KEYS ONE, 5, NULL, NULL);
    expect("endpoints show again", 0, "version    1\n", NULL);
    expect("endpoints create again --version 2 --force" KEYS ONE, 0, NULL, NULL);
    expect("endpoints show again", 0, "version    2\n", NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_list_is_signed_and_shown),
        cmocka_unit_test(test_too_few_signatures_are_said),
        cmocka_unit_test(test_what_no_device_would_take_is_not_written),
        cmocka_unit_test(test_a_file_is_overwritten_on_demand_only),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
