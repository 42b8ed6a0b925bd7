/* dev_init_test.c - what moult dev init and dev device make; they overwrite nothing. */
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/profile.h"
#include "tests/support/unit.h"
#include "tests/unit/cli/run.h"

static char folder[64];

static int set_up(void **state)
{
    (void)state; /* cmocka's signature */
    snprintf(folder, sizeof folder, "/tmp/moult-dev-XXXXXX");
    return mkdtemp(folder) ? 0 : 1;
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
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct run run_in(const char *format)
{
    char words[256];
    snprintf(words, sizeof words, format, folder, folder); /* may use it once */
    return run_words(words);
}

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static char *text_of(const char *name)
{
    static char text[8192];
    FILE *file = fopen(path_of(name), "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void test_everything_is_there_and_secrets_are_private(void **state)
{
    static const struct {
        const char *name;
        unsigned mode;
    } row[] = {
        {"root-1.pem", 0600},    {"root-2.pem", 0600},     {"root-3.pem", 0600},
        {"release-1.pem", 0600}, {"release-2.pem", 0600},  {"assign.pem", 0600},
        {"ca.key", 0600},        {"server.key", 0600},     {"moultd-mqtt.key", 0600},
        {"token", 0600},         {"moult.conf", 0600},     {"mosquitto.acl", 0600},
        {"ca.pem", 0644},        {"server.pem", 0644},     {"moultd-mqtt.pem", 0644},
        {"keyset.cbor", 0644},   {"moultd.conf", 0644},    {"signer.conf", 0644},
        {"fleet.json", 0644},    {"mosquitto.conf", 0644}, {"data", 0700},
        {"signer", 0700},        {"mosquitto", 0700},
    };
    (void)state; /* cmocka's signature */
    struct run run = run_in("dev init --dir %s --device-port 1001 --operator-port 1002 "
                            "--broker-port 1003 --json");
    assert_int_equal(run.code, CLI_OK);
    json_t *told = json_loads(run.out, 0, NULL);
    json_t *kept = json_loads(text_of("fleet.json"), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(told, "fleet_id")),
                        json_string_value(json_object_get(kept, "fleet_id")));
    json_decref(told);
    json_decref(kept);
    run_free(&run);
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct stat about;
        if (stat(path_of(row[i].name), &about) != 0) { fail_msg("no %s", row[i].name); }
        if ((about.st_mode & 0777) != row[i].mode) { fail_msg("mode of %s", row[i].name); }
    }
    assert_non_null(strstr(text_of("moultd.conf"), "device.listen = 127.0.0.1:1001\n"));
    assert_null(strstr(text_of("moultd.conf"), "interval.idle")); /* production's */
    assert_non_null(strstr(text_of("mosquitto.conf"), "listener 1003 127.0.0.1\n"));
}

static void test_the_folder_is_a_profile(void **state)
{
    struct client_profile profile;
    struct client_error error;
    (void)state; /* cmocka's signature */
    struct run run = run_in("dev init --dir %s --operator-port 1002 --demo --quiet");
    assert_int_equal(run.code, CLI_OK);
    assert_string_equal(run.err, "");
    run_free(&run);
    assert_int_equal(client_profile_find(folder, NULL, &profile, &error), MOULT_OK);
    assert_string_equal(profile.server, "https://127.0.0.1:1002");
    assert_string_equal(profile.ca, path_of("ca.pem"));
    assert_int_equal(strncmp(profile.token, "moult_", 6), 0);
    assert_false(profile.is_open_to_others);
    assert_memory_equal(profile.token, text_of("token"), strlen(profile.token));
    client_profile_free(&profile);
    assert_non_null(
        strstr(text_of("moultd.conf"), "interval.idle = 5s\n")); /* the demo's */
}

static void test_a_second_time_nothing_is_touched(void **state)
{
    char before[512];
    (void)state; /* cmocka's signature */
    struct run run = run_in("dev init --dir %s");
    assert_int_equal(run.code, CLI_OK);
    run_free(&run);
    snprintf(before, sizeof before, "%s", text_of("root-1.pem"));
    run = run_in("dev init --dir %s");
    assert_int_equal(run.code, CLI_CONFLICT);
    assert_non_null(strstr(run.err, "MOULT-E2312"));
    run_free(&run);
    assert_string_equal(text_of("root-1.pem"), before);
}

static void test_what_is_wrong_is_said_before_anything_is_made(void **state)
{
    static const char *const words[] = {
        "dev init",
        "dev init --dir %s/new --chip esp8266",
        "dev init --dir %s/new --device-port 65536",
        "dev device dev-0001 --dir %s",
        "dev device ../dev-0001 --dir %s --out %s",
    };
    (void)state; /* cmocka's signature */
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        struct run run = run_in(words[i]);
        if (run.code != CLI_USAGE) { fail_msg("%s: %d", words[i], run.code); }
        run_free(&run);
        assert_int_equal(access(path_of("new"), F_OK), -1);
    }
}

static void test_devices_get_keys_and_an_id_from_them(void **state)
{
    (void)state; /* cmocka's signature */
    struct run run = run_in("dev init --dir %s");
    assert_int_equal(run.code, CLI_OK);
    run_free(&run);
    run = run_in("dev device one two --dir %s --out %s/devices --json");
    assert_int_equal(run.code, CLI_OK);
    json_t *list = json_loads(run.out, 0, NULL);
    assert_int_equal(json_array_size(list), 2);
    const char *id = json_string_value(json_object_get(json_array_get(list, 0), "id"));
    const char *spki =
        json_string_value(json_object_get(json_array_get(list, 0), "spki_sha256"));
    assert_int_equal(strlen(id), 32);
    assert_int_equal(strlen(spki), 64);
    assert_memory_equal(id, spki, 32); /* the id is the beginning of the key's digest */
    json_decref(list);
    run_free(&run);
    assert_int_equal(access(path_of("devices/two.pem"), R_OK), 0);
    run = run_in("dev device one --dir %s --out %s/devices");
    assert_int_equal(run.code, CLI_CONFLICT);
    run_free(&run);
}

int main(void)
{
    umask(022);
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_everything_is_there_and_secrets_are_private),
        TEST(test_the_folder_is_a_profile),
        TEST(test_a_second_time_nothing_is_touched),
        TEST(test_what_is_wrong_is_said_before_anything_is_made),
        TEST(test_devices_get_keys_and_an_id_from_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
