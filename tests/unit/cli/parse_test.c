/* parse_test.c - from argv to a command, its options and its arguments. */
#include "cli/parse.h"

#include "tests/support/unit.h"
#include "tests/unit/cli/run.h"

static void test_what_is_wrong_is_said_with_a_suggestion(void **state)
{
    static const struct {
        const char *words;
        int code;
        const char *said;
    } row[] = {
        {"explian E0902", 2, "a command (explain?)"},
        {"rollout wacth r", 2, "a verb of \"rollout\" (watch?)"},
        {"rollout", 2, "a verb of \"rollout\", found nothing"},
        {"rollout create", 2, "RELEASE after \"rollout create\", found 0 arguments"},
        {"rollout show a b", 2, "found b"},
        {"rollout create 1.0.0 --phasse 5%", 2, "(--phase?)"},
        {"rollout create 1.0.0 --phase", 2, "PHASE after --phase, found nothing"},
        {"rollout create 1.0.0 --success-pct many", 2,
         "a number for --success-pct, found many"},
        {"rollout create 1.0.0 --success-pct -1", 2,
         "a number for --success-pct, found -1"},
        {"rollout create 1.0.0 --soak 1w", 2, "a duration"},
        {"rollout create 1.0.0 --dry-run=yes", 2, "--dry-run without a value"},
        {"device list --limit 99999999999999999999", 2, "a number"},
        {"--frob", 2, "an option of \"moult\""},
        {"device accept", 2, "either DEVICE... or --selector"},
        {"rollout advance r", 2, "--remark"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct run run = run_words(row[i].words);
        if (run.code != row[i].code || !strstr(run.err, row[i].said)) {
            fail_msg("moult %s: code %d, said %s", row[i].words, run.code, run.err);
        }
        assert_string_equal(run.out, "");
        assert_non_null(strstr(run.err, "MOULT-E2301 "));
        assert_non_null(strstr(run.err, "(docs/errors/E2301.md)\n  next: moult "));
        run_free(&run);
    }
}

static void test_with_json_an_error_is_one_document_on_stdout(void **state)
{
    (void)state;
    static const char *const words[] = {"explain --json E9999", "--json nosuch",
                                        "device list --json --nosuch"};
    for (size_t i = 0; i < 3; i++) {
        struct run run = run_words(words[i]);
        json_t *document = json_loads(run.out, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(document);
        json_t *error = json_object_get(document, "error");
        assert_int_equal(json_integer_value(json_object_get(error, "exit")), run.code);
        assert_non_null(json_string_value(json_object_get(error, "code")));
        assert_non_null(json_string_value(json_object_get(error, "words")));
        assert_non_null(json_string_value(json_object_get(error, "next")));
        json_decref(document);
        run_free(&run);
    }
}

/* Parses only: nothing runs. */
static struct cli parse(struct run *run, const char *words, int code)
{
    struct cli cli = {.out = fopen("/dev/null", "w"), .err = fopen("/dev/null", "w")};
    run_cut(run, words);
    assert_int_equal(cli_parse(&cli, run->count, run->words), code);
    return cli;
}

static void end(struct cli *cli)
{
    cli_end(cli);
    fclose(cli->out);
    fclose(cli->err);
}

static void test_options_may_stand_anywhere_in_every_spelling(void **state)
{
    static const char *const words[] = {
        "rollout create 1.1.0 --phase 5% --phase rest -s all --soak 2h --json",
        "--json rollout create -p 5% --phase=rest -sall --soak=7200 1.1.0",
        "rollout --json create --soak 120m -p5% -prest --selector=all -- 1.1.0",
    };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct run run;
        struct cli cli = parse(&run, words[i], CLI_OK);
        assert_string_equal(cli.command->verb, "create");
        assert_true(cli.global.json);
        assert_string_equal(cli_argument(&cli, 0), "1.1.0");
        assert_null(cli_argument(&cli, 1));
        assert_int_equal(cli_count(&cli, 2), 2); /* OPT_PHASE */
        assert_string_equal(cli_item(&cli, 2, 0), "5%");
        assert_string_equal(cli_item(&cli, 2, 1), "rest");
        assert_string_equal(cli_value(&cli, 1), "all");
        assert_int_equal(cli_number(&cli, 3, 0), 7200);
        end(&cli);
    }
}

static void test_the_last_of_several_values_counts_and_a_list_keeps_all(void **state)
{
    struct run run;
    (void)state;
    struct cli cli = parse(&run, "rollout create 1 --name a --name b", CLI_OK);
    assert_string_equal(cli_value(&cli, 0), "b");
    assert_int_equal(cli_count(&cli, 0), 1);
    end(&cli);
}

static void test_a_list_option_has_a_limit(void **state)
{
    char words[4096] = "rollout create 1";
    struct run run;
    (void)state;
    for (unsigned i = 0; i < CLI_REPEAT_MAX - 6; i++) {
        strncat(words, " -prest", sizeof words - strlen(words) - 1);
    }
    struct cli cli = parse(&run, words, CLI_OK);
    end(&cli);
}

static void test_a_dash_alone_is_an_argument_and_two_end_the_options(void **state)
{
    struct run run;
    (void)state;
    struct cli cli = parse(&run, "device import -", CLI_OK);
    assert_string_equal(cli_argument(&cli, 0), "-");
    end(&cli);
    cli = parse(&run, "device show -- --odd-name", CLI_OK);
    assert_string_equal(cli_argument(&cli, 0), "--odd-name");
    end(&cli);
}

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        int status;
        uint64_t seconds;
    } row[] = {
        {"90", MOULT_OK, 90},
        {"90s", MOULT_OK, 90},
        {"10m", MOULT_OK, 600},
        {"2h", MOULT_OK, 7200},
        {"3d", MOULT_OK, 259200},
        {"0", MOULT_OK, 0},
        {"", MOULT_E_FORMAT, 0},
        {"h", MOULT_E_FORMAT, 0},
        {"1w", MOULT_E_FORMAT, 0},
        {"-1", MOULT_E_FORMAT, 0},
        {"1h30m", MOULT_E_FORMAT, 0},
        {"1 h", MOULT_E_FORMAT, 0},
        {"4294967295", MOULT_OK, 4294967295},
        {"4294967296", MOULT_E_RANGE, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        uint64_t seconds = 12345;
        if ((int)cli_parse_duration(row[i].text, &seconds) != row[i].status) {
            fail_msg("%s", row[i].text);
        }
        assert_int_equal(seconds, row[i].status == MOULT_OK ? row[i].seconds : 12345);
    }
}

static void test_hex_is_exact_or_refused(void **state)
{
    uint8_t bytes[2] = {7, 7};
    (void)state;
    assert_int_equal(cli_unhex("0aFf", bytes, 2), MOULT_OK);
    assert_int_equal(bytes[0], 0x0a);
    assert_int_equal(bytes[1], 0xff);
    static const char *const bad[] = {"", "0a", "0aff0", "0aff00", "0agg", "0x0a", " 0aff"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(cli_unhex(bad[i], bytes, 2), MOULT_E_FORMAT);
    }
}

int main(void)
{
    unsetenv("MOULT_PROFILE");
    unsetenv("MOULT_SERVER");
    setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_wrong_is_said_with_a_suggestion),
        cmocka_unit_test(test_with_json_an_error_is_one_document_on_stdout),
        cmocka_unit_test(test_options_may_stand_anywhere_in_every_spelling),
        cmocka_unit_test(test_the_last_of_several_values_counts_and_a_list_keeps_all),
        cmocka_unit_test(test_a_list_option_has_a_limit),
        cmocka_unit_test(test_a_dash_alone_is_an_argument_and_two_end_the_options),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_hex_is_exact_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
