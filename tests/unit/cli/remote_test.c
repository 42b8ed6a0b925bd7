/* remote_test.c - commands against a scripted server: what they ask, say and end with. */
#include "cli/remote.h"

#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/https_server.h"
#include "tests/support/unit.h"
#include "tests/unit/cli/run.h"

#define DEVICE "00112233445566778899aabbccddeeff"

struct setting {
    struct https_server *server;
    struct https_reply script[8];
};

static void start(struct setting *s, size_t count)
{
    s->server = https_server_start(s->script, count);
    setenv("MOULT_SERVER", https_server_url(s->server), 1);
    setenv("MOULT_CA", https_server_ca(s->server), 1);
    setenv("MOULT_TOKEN", "moult_secret", 1);
}

static bool sent(struct setting *s, size_t index, const char *text)
{
    return strstr(https_server_request(s->server, index), text) != NULL;
}

static struct https_reply json(int status, const char *body)
{
    return (struct https_reply){https_text(status, "json", "", body), 0};
}

static void test_a_list_is_a_table_or_one_document(void **state)
{
    struct setting s = {
        .script = {json(200,
                        "{\"items\":[{\"id\":\"" DEVICE "\",\"name\":\"dev-1\",\"state\":"
                        "\"accepted\",\"running\":{\"version\":\"1.0.0\"},\"assignment\":"
                        "null}],\"next\":null}")}};
    (void)state;
    start(&s, 1);
    struct run run = run_words("device list --state accepted --no-color");
    assert_int_equal(run.code, CLI_OK);
    assert_non_null(strstr(run.out, DEVICE "  dev-1  accepted  1.0.0"));
    assert_true(sent(&s, 0, "GET /api/v1/devices?limit=500&state=accepted HTTP/1.1"));
    run_free(&run);
    run = run_words("device list --json");
    json_t *document = json_loads(run.out, JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_array_size(json_object_get(document, "items")), 1);
    assert_string_equal(run.err, "");
    json_decref(document);
    run_free(&run);
    https_server_stop(s.server);
}

static void test_a_name_is_looked_up_and_must_be_of_one_device(void **state)
{
    static const char two[] =
        "{\"items\":[{\"id\":\"" DEVICE "\",\"name\":\"dev-1\"},{\"id\":\"ff"
        "\",\"name\":\"dev-10\"}],\"next\":null}";
    struct setting s = {
        .script = {json(200, two),
                   json(200, "{\"device\":\"x\",\"summary\":\"it waits\",\"checks\":"
                             "[{\"check\":\"gate\",\"verdict\":\"wait\",\"words\":"
                             "\"3 of 20\"}]}"),
                   json(200, two), json(200, "{\"items\":[],\"next\":null}")}};
    (void)state;
    start(&s, 4);
    struct run run = run_words("why dev-1"); /* the exact name wins over a longer one */
    assert_int_equal(run.code, CLI_OK);
    assert_true(sent(&s, 1, "GET /api/v1/devices/" DEVICE "/why "));
    assert_non_null(strstr(run.out, "it waits\n"));
    assert_non_null(strstr(run.out, "wait  gate"));
    run_free(&run);
    run = run_words("why dev-");
    assert_int_equal(run.code, CLI_CONFLICT);
    run_free(&run);
    run = run_words("why nosuch");
    assert_int_equal(run.code, CLI_NOT_FOUND);
    assert_non_null(strstr(run.err, "MOULT-E2021 device nosuch is not known"));
    run_free(&run);
    https_server_stop(s.server);
}

static void test_one_refusal_of_several_is_partial_success(void **state)
{
    struct setting s = {
        .script = {json(200, "{\"id\":\"" DEVICE "\",\"state\":\"accepted\"}"),
                   {https_text(409, "problem", "",
                               "{\"code\":\"E2028\",\"detail\":\"is retired\"}"),
                    0}}};
    (void)state;
    start(&s, 2);
    struct run run = run_words("device accept " DEVICE " ffffffffffffffffffffffffffffffff");
    assert_int_equal(run.code, CLI_PARTIAL);
    assert_string_equal(run.out, DEVICE " accepted\n");
    assert_non_null(strstr(run.err, "MOULT-E2028 is retired"));
    assert_true(sent(&s, 0, "POST /api/v1/devices/" DEVICE "/accept "));
    run_free(&run);
    https_server_stop(s.server);
}

static void test_a_selector_is_counted_first_and_needs_a_yes(void **state)
{
    struct setting s = {
        .script = {json(200, "{\"matched\":12,\"changed\":12,\"dry_run\":true}"),
                   json(200, "{\"matched\":12,\"changed\":12,\"dry_run\":true}"),
                   json(200, "{\"matched\":12,\"changed\":12}")}};
    (void)state;
    start(&s, 3);
    struct run run = run_words("device retire --selector all");
    assert_int_equal(run.code, CLI_USAGE);
    assert_non_null(strstr(run.err, "12 devices"));
    assert_int_equal(https_server_count(s.server), 1);
    assert_true(sent(&s, 0, "POST /api/v1/devices/actions?dry_run=true "));
    run_free(&run);
    run = run_words("device retire --selector all --yes --json");
    assert_int_equal(run.code, CLI_OK);
    assert_true(sent(&s, 2, "POST /api/v1/devices/actions HTTP"));
    assert_true(sent(&s, 2, "\"expect_count\":12"));
    run_free(&run);
    https_server_stop(s.server);
}

static void test_a_rollout_is_created_as_typed(void **state)
{
    struct setting s = {
        .script = {json(201, "{\"id\":\"rol_1\",\"name\":\"spring\",\"state\":"
                             "\"running\",\"target\":50}")}};
    (void)state;
    start(&s, 1);
    struct run run =
        run_words("rollout create 1.1.0 --name spring --phase 5%,min=3 --phase rest "
                  "--soak 10s --failure-count 3 --success-sample 1");
    assert_int_equal(run.code, CLI_OK);
    assert_string_equal(run.out, "rol_1 spring: running, 50 devices\n");
    assert_true(
        sent(&s, 0,
             "{\"release\":\"1.1.0\",\"name\":\"spring\",\"start\":true,\"phases\":["
             "{\"percent\":5,\"soak_s\":10,\"min_devices\":3},{\"rest\":true,\"soak_s\":10}"
             "],\"gates\":{\"success\":{\"min_sample\":1},\"failure_count\":3}}"));
    run_free(&run);
    https_server_stop(s.server);
}

#define ROLLOUT(state, counts)                                                             \
    "{\"id\":\"rol_1\",\"name\":\"r\",\"state\":\"" state                                  \
    "\",\"state_reason\":\"because\",\"target\":3,\"counts\":{" counts "},\"phases\":[{"   \
    "\"state\":\"open\",\"target\":3}]}"
#define EVENTS "{\"items\":[],\"next\":null}"

static void test_a_watch_ends_with_the_rollout(void **state)
{
    static const struct {
        const char *words, *last;
        int code;
    } row[] = {
        {"rollout watch r --interval-ms 1", ROLLOUT("completed", "\"confirmed\":3"),
         CLI_OK},
        {"rollout watch r --interval-ms 1", ROLLOUT("aborted", "\"failed\":3"),
         CLI_ROLLOUT_ENDED},
        {"rollout watch r --interval-ms 1 --end-on-pause",
         ROLLOUT("paused", "\"failed\":3"), CLI_ROLLOUT_ENDED},
        {"rollout watch r --interval-ms 1 --json", ROLLOUT("completed", "\"confirmed\":3"),
         CLI_OK},
    };
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct setting s = {
            .script = {
                json(200, ROLLOUT("running", "\"planned\":3")),
                json(200,
                     "{\"items\":[{\"id\":\"evt_1\",\"time\":\"2026-01-02T03:04:05.000Z"
                     "\",\"device\":null,\"text\":\"phase 1 opened\"}],\"next\":null}"),
                json(200, row[i].last), json(200, EVENTS)}};
        start(&s, 4);
        struct run run = run_words(row[i].words);
        if (run.code != row[i].code) { fail_msg("%s: %d", row[i].words, run.code); }
        assert_true(sent(&s, 3, "&after=evt_1"));
        if (strstr(row[i].words, "--json")) {
            assert_non_null(strchr(run.out, '\n'));
            assert_int_equal(run.out[0], '{');
        } else {
            assert_non_null(strstr(run.out, "03:04:05  phase 1 opened\n"));
            assert_non_null(strstr(run.out, "running, phase 1 of 1: 3 waiting\n"));
            assert_non_null(strstr(run.out, "because"));
        }
        run_free(&run);
        https_server_stop(s.server);
    }
}

static void test_a_watch_goes_on_through_a_pause_and_a_restart_of_the_server(void **state)
{
    struct setting s = {
        .script = {json(200, ROLLOUT("paused", "\"planned\":3")),
                   json(200, EVENTS),
                   {https_text(503, "problem", "", "{\"code\":\"E2014\"}"), 1},
                   {https_text(503, "problem", "", "{\"code\":\"E2014\"}"), 1},
                   {https_text(503, "problem", "", "{\"code\":\"E2014\"}"), 1},
                   {https_text(503, "problem", "", "{\"code\":\"E2014\"}"), 1},
                   json(200, ROLLOUT("completed", "\"confirmed\":3")),
                   json(200, EVENTS)}};
    (void)state; /* cmocka's signature */
    start(&s, 8);
    struct run run = run_words("rollout watch r --interval-ms 1");
    assert_int_equal(run.code, CLI_OK);
    assert_non_null(strstr(run.err, "the server does not answer"));
    assert_non_null(strstr(run.err, "the server answers again"));
    assert_int_equal(https_server_count(s.server), 8);
    run_free(&run);
    https_server_stop(s.server);
}

static void test_a_wait_ends_with_the_code_that_says_how(void **state)
{
    static const struct {
        const char *words, *rollout;
        int code;
        const char *said;
    } row[] = {
        {"wait rollout r", ROLLOUT("completed", "\"confirmed\":3"), CLI_OK, ""},
        {"wait rollout r --until 'confirmed >= 2 and phase = 1'",
         ROLLOUT("running", "\"confirmed\":2"), CLI_OK, ""},
        {"wait rollout r --until 'state in (paused, aborted)'", ROLLOUT("paused", ""),
         CLI_OK, ""},
        {"wait rollout r --until 'failed > 0'", ROLLOUT("completed", "\"confirmed\":3"),
         CLI_WAIT_IMPOSSIBLE, "MOULT-E2308"},
        {"wait rollout r", ROLLOUT("paused", "\"failed\":3"), CLI_ROLLOUT_ENDED, "because"},
        {"wait rollout r", ROLLOUT("aborted", "\"failed\":3"), CLI_ROLLOUT_ENDED,
         "MOULT-E2309"},
        {"wait rollout r --timeout 0", ROLLOUT("running", "\"planned\":3"),
         CLI_WAIT_TIMEOUT, "MOULT-E2307"},
        {"wait rollout r --timeout 0 --through-pauses", ROLLOUT("paused", ""),
         CLI_WAIT_TIMEOUT, "MOULT-E2307"},
        {"wait rollout r --until 'confrmed > 1'", ROLLOUT("running", ""), CLI_USAGE,
         "(confirmed?), found \"confrmed\" at character 1"},
        {"wait rollout r --until 'state ='", ROLLOUT("running", ""), CLI_USAGE, "the end"},
        {"wait device r", ROLLOUT("running", ""), CLI_USAGE, "rollout ROLLOUT"},
    };
    (void)state; /* cmocka's signature */
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct setting s = {.script = {json(200, row[i].rollout)}};
        start(&s, 1);
        struct run run = run_words(row[i].words);
        if (run.code != row[i].code || !strstr(run.err, row[i].said)) {
            fail_msg("%s: code %d, %s", row[i].words, run.code, run.err);
        }
        run_free(&run);
        https_server_stop(s.server);
    }
}

static void test_an_import_is_cut_at_1000_rows_and_counts_on(void **state)
{
    struct setting s = {
        .script = {
            json(200, "{\"created\":1000,\"updated\":0,\"unchanged\":0,\"errors\":[]}"),
            json(200, "{\"created\":1,\"updated\":0,\"unchanged\":0,\"errors\":[{\"row\":2,"
                      "\"field\":\"id\",\"message\":\"expected 32 hex digits\"}]}")}};
    (void)state;
    FILE *file = fopen("import-test.csv", "w");
    fputs("id,name\n", file);
    for (int i = 0; i < 1002; i++) {
        fprintf(file, "%032x,\"a\nb\"\n", (unsigned)i);
    }
    fclose(file);
    start(&s, 2);
    struct run run = run_words("device import import-test.csv");
    assert_int_equal(run.code, CLI_PARTIAL);
    assert_non_null(strstr(run.out, "1001 created, 0 updated, 0 unchanged, 1 wrong"));
    assert_non_null(
        strstr(run.out, "import-test.csv: row 1002, id: expected 32 hex digits"));
    assert_true(sent(&s, 0, "Content-Type: text/csv"));
    assert_true(sent(&s, 1, "\r\n\r\nid,name\n000000000000000000000000000003e8,"));
    run_free(&run);
    https_server_stop(s.server);
    unlink("import-test.csv");
}

static void test_an_upload_sends_images_by_digest_then_the_statement(void **state)
{
    struct setting s = {
        .script = {json(201, "{\"sha256\":\"x\",\"size\":5}"),
                   json(201, "{\"class\":\"c3\",\"version\":\"1.1.0\",\"sequence\":11"
                             ",\"state\":\"published\"}")}};
    (void)state;
    FILE *file = fopen("image-test.bin", "w");
    fputs("hello", file);
    fclose(file);
    file = fopen("release-test.cose", "w");
    fputs("statement", file);
    fclose(file);
    start(&s, 2);
    struct run run = run_words("release upload release-test.cose image-test.bin");
    assert_int_equal(run.code, CLI_OK);
    assert_string_equal(run.out, "c3 1.1.0, sequence 11: published\n");
    assert_true(
        sent(&s, 0,
             "PUT /api/v1/artifacts/2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e"
             "73043362938b9824 "));
    assert_true(sent(&s, 0, "\r\n\r\nhello"));
    assert_true(sent(&s, 1, "Content-Type: application/cose"));
    assert_true(sent(&s, 1, "\r\n\r\nstatement"));
    run_free(&run);
    https_server_stop(s.server);
    unlink("image-test.bin");
    unlink("release-test.cose");
}

static void test_a_server_that_is_away_is_exit_10(void **state)
{
    (void)state;
    setenv("MOULT_SERVER", "https://127.0.0.1:1", 1);
    unsetenv("MOULT_CA");
    struct run run = run_words("server status --json");
    assert_int_equal(run.code, CLI_UNREACHABLE);
    assert_non_null(strstr(run.out, "\"code\": \"E2304\""));
    run_free(&run);
}

static void test_without_a_server_the_next_step_is_named(void **state)
{
    (void)state;
    unsetenv("MOULT_SERVER");
    struct run run = run_words("rollout list");
    assert_int_equal(run.code, CLI_USAGE);
    assert_non_null(strstr(run.err, "next: moult login"));
    run_free(&run);
}

int main(void)
{
    unsetenv("MOULT_PROFILE");
    setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_list_is_a_table_or_one_document),
        cmocka_unit_test(test_a_name_is_looked_up_and_must_be_of_one_device),
        cmocka_unit_test(test_one_refusal_of_several_is_partial_success),
        cmocka_unit_test(test_a_selector_is_counted_first_and_needs_a_yes),
        cmocka_unit_test(test_a_rollout_is_created_as_typed),
        cmocka_unit_test(test_a_watch_ends_with_the_rollout),
        cmocka_unit_test(test_a_watch_goes_on_through_a_pause_and_a_restart_of_the_server),
        cmocka_unit_test(test_a_wait_ends_with_the_code_that_says_how),
        cmocka_unit_test(test_an_import_is_cut_at_1000_rows_and_counts_on),
        cmocka_unit_test(test_an_upload_sends_images_by_digest_then_the_statement),
        cmocka_unit_test(test_a_server_that_is_away_is_exit_10),
        cmocka_unit_test(test_without_a_server_the_next_step_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
