/* rollout_view_test.c - phases as typed, bars and views as printed. */
#include "cli/rollout_view.h"

#include "cli/rollout_phase.h"
#include "tests/support/unit.h"
#include "tests/unit/cli/run.h"

static struct cli quiet_cli(void)
{
    return (struct cli){.out = fopen("/dev/null", "w"), .err = fopen("/dev/null", "w")};
}

static void end(struct cli *cli)
{
    cli_end(cli);
    fclose(cli->out);
    fclose(cli->err);
}

static void test_phases_as_typed(void **state)
{
    static const struct {
        const char *text;
        int64_t soak_s;
        const char *json; /* NULL: refused */
    } row[] = {
        {"5%", -1, "{\"percent\":5}"},
        {"5%", 60, "{\"percent\":5,\"soak_s\":60}"},
        {"5%,min=3,soak=1h,approve", 60,
         "{\"approve\":true,\"min_devices\":3,\"percent\":5,\"soak_s\":3600}"},
        {"20", -1, "{\"count\":20}"},
        {"rest,soak=0", -1, "{\"rest\":true,\"soak_s\":0}"},
        {"100%", -1, "{\"percent\":100}"},
        {"", -1, NULL},
        {"0%", -1, NULL},
        {"101%", -1, NULL},
        {"0", -1, NULL},
        {"-5", -1, NULL},
        {"5.5%", -1, NULL},
        {"%", -1, NULL},
        {"all", -1, NULL},
        {"5%,", -1, NULL},
        {"5%,soak", -1, NULL},
        {"5%,soak=1w", -1, NULL},
        {"5%,min=", -1, NULL},
        {"5%,min=x", -1, NULL},
        {"999999999999", -1, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct cli cli = quiet_cli();
        json_t *phase = NULL;
        int code = cli_phase_parse(&cli, row[i].text, row[i].soak_s, &phase);
        char *text = phase ? json_dumps(phase, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
        if (code != (row[i].json ? CLI_OK : CLI_USAGE) ||
            (row[i].json && (!text || strcmp(text, row[i].json) != 0))) {
            fail_msg("phase \"%s\": code %d, %s", row[i].text, code,
                     text ? text : "nothing");
        }
        free(text);
        json_decref(phase);
        end(&cli);
    }
}

static void test_bars_show_every_kind_that_exists(void **state)
{
    static const struct {
        uint64_t target, confirmed, failed, busy;
        const char *bar;
    } row[] = {
        {0, 0, 0, 0, ".............................."},
        {3, 0, 0, 0, ".............................."},
        {3, 3, 0, 0, "##############################"},
        {3, 1, 1, 1, "##########xxxxxxxxxx>>>>>>>>>>"},
        {100000, 1, 1, 1, "#x>..........................."},
        {30, 29, 1, 0, "#############################x"},
        {2, 9, 0, 0,
         "##############################"}, /* more than the target: no overrun */
        {1000, 999, 1, 1,
         "#############################x"}, /* rounding leaves no room for all */
    };
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        char bar[CLI_VIEW_BAR + 1];
        cli_rollout_bar(row[i].target, row[i].confirmed, row[i].failed, row[i].busy, bar);
        assert_string_equal(bar, row[i].bar);
    }
}

static const char paused[] =
    "{\"id\":\"rol_1\",\"name\":\"bad\",\"version\":\"1.2.0\",\"selector\":\"all\","
    "\"target\":50,"
    "\"state\":\"paused\",\"state_since\":\"2020-01-01T00:00:00.000Z\","
    "\"state_reason\":\"phase 1: 3 of 3 "
    "failed\",\"counts\":{\"planned\":47,\"rolled_back\":3},"
    "\"failures\":[{\"reason\":\"R806\",\"name\":\"TRIAL_SELFTEST\",\"words\":\"self-test "
    "said "
    "no\",\"count\":3}],\"phases\":[{\"index\":0,\"rule\":{\"percent\":5},\"state\":"
    "\"failed\","
    "\"target\":3,\"attempted\":3,\"confirmed\":0,\"failed\":3,\"gate\":{\"verdict\":"
    "\"fail\","
    "\"words\":\"3 failures, at most 2 allowed\"}},{\"index\":1,\"rule\":{\"rest\":true},"
    "\"state\":\"waiting\",\"target\":47,\"gate\":{\"verdict\":\"hold\",\"words\":\"-\"}}]"
    "}";

static void test_a_view_says_why_in_words(void **state)
{
    struct cli cli = quiet_cli();
    char *text = NULL;
    size_t size = 0;
    (void)state;
    FILE *out = open_memstream(&text, &size);
    json_t *rollout = json_loads(paused, 0, NULL);
    assert_non_null(rollout);
    assert_int_equal(cli_rollout_view(&cli, rollout, 0, out), 6);
    fflush(out);
    assert_non_null(strstr(text, "bad: version 1.2.0 for 50 devices (all)"));
    assert_non_null(strstr(text, "paused "));
    assert_non_null(strstr(text, "phase 1: 3 of 3 failed"));
    assert_non_null(strstr(text, "[xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx]   0/3   failed"));
    assert_non_null(strstr(text, "3 failures, at most 2 allowed"));
    assert_non_null(strstr(text, "47 waiting, 3 rolled back"));
    assert_non_null(strstr(text, "3 x R806 TRIAL_SELFTEST: self-test said no"));
    assert_int_equal(cli_rollout_end(rollout), CLI_ROLLOUT_PAUSED);
    assert_int_equal(cli_rollout_phase(rollout), 1);
    json_decref(rollout);
    fclose(out);
    free(text);
    end(&cli);
}

static void test_no_line_is_wider_than_the_terminal(void **state)
{
    struct cli cli = quiet_cli();
    char *text = NULL;
    size_t size = 0;
    (void)state;
    FILE *out = open_memstream(&text, &size);
    json_t *rollout = json_loads(paused, 0, NULL);
    assert_int_equal(cli_rollout_view(&cli, rollout, 40, out), 6);
    fflush(out);
    for (const char *p = text; *p != '\0'; p += strcspn(p, "\n") + 1) {
        assert_true(strcspn(p, "\n") < 40);
    }
    json_decref(rollout);
    fclose(out);
    free(text);
    end(&cli);
}

static void test_a_view_of_anything_else_does_not_crash(void **state)
{
    static const char *const odd[] = {"{}", "{\"phases\":7,\"counts\":[],\"failures\":{}}",
                                      "{\"phases\":[1,null,{}],\"state\":5,\"target\":-1}"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct cli cli = quiet_cli();
        json_t *rollout = json_loads(odd[i], 0, NULL);
        assert_non_null(rollout);
        assert_true(cli_rollout_view(&cli, rollout, 80, cli.out) >= 3);
        assert_int_equal(cli_rollout_end(rollout), CLI_ROLLOUT_GOES_ON);
        json_decref(rollout);
        end(&cli);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phases_as_typed),
        cmocka_unit_test(test_bars_show_every_kind_that_exists),
        cmocka_unit_test(test_a_view_says_why_in_words),
        cmocka_unit_test(test_no_line_is_wider_than_the_terminal),
        cmocka_unit_test(test_a_view_of_anything_else_does_not_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
