/* profile_test.c - which server, token and CA a profile gives. */
#include "client/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/mem.h"
#include "tests/support/unit.h"

static char folder[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/moult-profile-XXXXXX");
    assert_non_null(mkdtemp(folder));
    setenv("XDG_CONFIG_HOME", folder, 1);
    unsetenv("MOULT_PROFILE");
    unsetenv("MOULT_SERVER");
    unsetenv("MOULT_TOKEN");
    unsetenv("MOULT_CA");
    return 0;
}

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int tear_down(void **state)
{
    (void)state;                         /* cmocka's signature */
    (void)unlink(path_of("moult.conf")); /* not every test makes it */
    return rmdir(folder);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    FILE *file = fopen(path_of(name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    chmod(path_of(name), mode);
}

static void test_a_profile_is_read_and_its_ca_is_relative_to_it(void **state)
{
    struct client_profile profile;
    struct client_error error;
    (void)state;
    write_file("moult.conf",
               "# a comment\n\nserver = https://h:1\n  token=moult_x  \r\nca = ca.pem\n",
               0600);
    assert_int_equal(client_profile_find(folder, NULL, &profile, &error), MOULT_OK);
    assert_string_equal(profile.server, "https://h:1");
    assert_string_equal(profile.token, "moult_x");
    assert_string_equal(profile.ca, path_of("ca.pem"));
    assert_false(profile.is_open_to_others);
    client_profile_free(&profile);
}

static void test_a_token_that_others_may_read_is_noticed(void **state)
{
    struct client_profile profile;
    struct client_error error;
    (void)state;
    static const mode_t modes[] = {0644, 0640, 0620, 0604};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        write_file("moult.conf", "token = moult_x\n", modes[i]);
        assert_int_equal(client_profile_read(path_of("moult.conf"), &profile, &error),
                         MOULT_OK);
        assert_true(profile.is_open_to_others);
        client_profile_free(&profile);
    }
}

static void test_a_bad_line_is_named(void **state)
{
    static const struct {
        const char *text, *words;
    } row[] = {
        {"server https://h\n", "key = value"},
        {"\nuser = me\n", "user"},
        {"server =\n", "nothing"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct client_profile profile;
        struct client_error error;
        write_file("moult.conf", row[i].text, 0600);
        assert_int_equal(client_profile_read(path_of("moult.conf"), &profile, &error),
                         MOULT_E_FORMAT);
        assert_non_null(strstr(error.words, row[i].words));
        assert_non_null(strstr(error.words, i == 1 ? ":2" : ":1"));
        assert_int_equal(error.exit_code, 2);
    }
}

static void test_the_environment_goes_over_the_file_and_the_option_over_both(void **state)
{
    struct client_profile profile;
    struct client_error error;
    (void)state;
    write_file("moult.conf", "server = https://file\ntoken = moult_file\n", 0600);
    setenv("MOULT_PROFILE", folder, 1);
    setenv("MOULT_SERVER", "https://environment", 1);
    setenv("MOULT_TOKEN", "moult_environment", 1);
    assert_int_equal(client_profile_find(NULL, NULL, &profile, &error), MOULT_OK);
    assert_string_equal(profile.server, "https://environment");
    assert_string_equal(profile.token, "moult_environment");
    client_profile_free(&profile);
    assert_int_equal(client_profile_find(NULL, "https://option", &profile, &error),
                     MOULT_OK);
    assert_string_equal(profile.server, "https://option");
    client_profile_free(&profile);
}

static void test_a_token_never_goes_to_another_server(void **state)
{
    struct client_profile profile;
    struct client_error error;
    (void)state;
    write_file("moult.conf", "server = https://mine\ntoken = moult_secret\n", 0600);
    assert_int_equal(client_profile_find(folder, "https://other", &profile, &error),
                     MOULT_OK);
    assert_null(profile.token);
    client_profile_free(&profile);
    assert_int_equal(client_profile_find(folder, "https://mine", &profile, &error),
                     MOULT_OK);
    assert_string_equal(profile.token, "moult_secret");
    client_profile_free(&profile);
}

static void test_a_named_profile_must_exist_and_the_default_one_need_not(void **state)
{
    struct client_profile profile;
    struct client_error error;
    (void)state;
    assert_int_equal(client_profile_find(NULL, NULL, &profile, &error), MOULT_OK);
    assert_null(profile.server);
    client_profile_free(&profile);
    assert_int_equal(client_profile_find("nosuch", NULL, &profile, &error), MOULT_E_NOENT);
    assert_non_null(strstr(error.words, "moult/nosuch.conf"));
}

static void test_no_memory_is_a_status_wherever_it_happens(void **state)
{
    struct client_profile profile;
    struct client_error error;
    (void)state;
    write_file("moult.conf", "server = https://h\ntoken = moult_x\nca = ca.pem\n", 0600);
    setenv("MOULT_PROFILE", folder, 1);
    setenv("MOULT_CA", "/other.pem", 1);
    for (unsigned long nth = 1;; nth++) {
        client_mem_fail_from(nth);
        enum moult_status st = client_profile_find(NULL, "https://o", &profile, &error);
        client_mem_fail_from(0);
        if (st == MOULT_OK) {
            client_profile_free(&profile);
            assert_true(nth > 5);
            return;
        }
        assert_true(st == MOULT_E_NOMEM || st == MOULT_E_NOENT);
        assert_null(profile.server);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_profile_is_read_and_its_ca_is_relative_to_it),
        TEST(test_a_token_that_others_may_read_is_noticed),
        TEST(test_a_bad_line_is_named),
        TEST(test_the_environment_goes_over_the_file_and_the_option_over_both),
        TEST(test_a_token_never_goes_to_another_server),
        TEST(test_a_named_profile_must_exist_and_the_default_one_need_not),
        TEST(test_no_memory_is_a_status_wherever_it_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
