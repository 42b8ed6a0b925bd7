/* help_test.c - commands and pages belong together, and what a page shows can be typed. */
#include "cli/help.h"

#include "cli/commands.h"
#include "tests/support/unit.h"
#include "tests/unit/cli/run.h"

static void test_every_command_has_a_page_with_a_summary_and_examples(void **state)
{
    size_t count = 0;
    const struct cli_command *const *commands = cli_commands(&count);
    (void)state;
    for (size_t i = 0; i < count; i++) {
        char name[64];
        cli_command_name(commands[i], name, sizeof name);
        const struct cli_page *page = cli_page_find(commands[i]);
        if (!page) { fail_msg("docs/cli has no page for \"%s\"", name); }
        char title[80];
        snprintf(title, sizeof title, "# moult %s", name);
        assert_string_equal(page->lines[0], title);
        const char *summary = cli_page_summary(page);
        if (summary[0] == '\0' || summary[strlen(summary) - 1] != '.') {
            fail_msg("%s: the summary expects one sentence, found \"%s\"", name, summary);
        }
        bool examples = false;
        for (size_t line = 0; page->lines[line]; line++) {
            examples = examples || strcmp(page->lines[line], "## Examples") == 0;
        }
        if (!examples) { fail_msg("%s: no examples", name); }
    }
}

static void test_every_page_belongs_to_a_command(void **state)
{
    size_t page_count = 0;
    size_t count = 0;
    const struct cli_page *pages = cli_pages(&page_count);
    const struct cli_command *const *commands = cli_commands(&count);
    (void)state;
    for (size_t p = 0; p < page_count; p++) {
        bool known = strcmp(pages[p].name, "moult") == 0;
        for (size_t i = 0; i < count; i++) {
            known = known || cli_page_find(commands[i]) == &pages[p];
        }
        if (!known) { fail_msg("docs/cli/%s.md: no such command", pages[p].name); }
    }
}

/* The command of an example line, behind "VAR=value" and "$ ". */
static const char *command_in(const char *line)
{
    if (strncmp(line, "    ", 4) != 0) { return NULL; }
    const char *found = strstr(line, "moult ");
    if (!found || (found > line + 4 && found[-1] != ' ' && found[-1] != '/')) {
        return NULL;
    }
    return found + strlen("moult ");
}

static void test_every_example_is_accepted_by_the_parser(void **state)
{
    size_t page_count = 0;
    unsigned examples = 0;
    const struct cli_page *pages = cli_pages(&page_count);
    (void)state;
    for (size_t p = 0; p < page_count; p++) {
        for (size_t line = 0; pages[p].lines[line]; line++) {
            const char *words = command_in(pages[p].lines[line]);
            if (!words) { continue; }
            struct run run;
            run_cut(&run, words);
            char *said = NULL;
            size_t size = 0;
            struct cli cli = {.out = fopen("/dev/null", "w"),
                              .err = open_memstream(&said, &size)};
            int code = cli_parse(&cli, run.count, run.words);
            cli_end(&cli);
            fclose(cli.out);
            fclose(cli.err);
            if (code != CLI_OK) {
                fail_msg("%s.md: moult %s\n%s", pages[p].name, words, said);
            }
            free(said);
            examples++;
        }
    }
    assert_true(examples > 50);
}

static void test_help_names_options_and_examples(void **state)
{
    (void)state;
    static const char *const words[] = {"rollout create --help", "help rollout create"};
    for (size_t i = 0; i < 2; i++) {
        struct run run = run_words(words[i]);
        assert_int_equal(run.code, 0);
        assert_non_null(strstr(run.out, "Usage: moult rollout create [OPTIONS] RELEASE\n"));
        assert_non_null(strstr(run.out, "  -p, --phase PHASE"));
        assert_non_null(strstr(run.out, "--json"));
        assert_true(strstr(run.out, "Options\n") < strstr(run.out, "Examples\n"));
        assert_null(strstr(run.out, "\033"));
        run_free(&run);
    }
}

static void test_help_lists_all_or_one_noun(void **state)
{
    (void)state;
    struct run run = run_words("help");
    assert_int_equal(run.code, 0);
    assert_non_null(strstr(run.out, "  rollout watch "));
    assert_non_null(strstr(run.out, "    10  server unreachable"));
    run_free(&run);
    run = run_words("help device");
    assert_non_null(strstr(run.out, "  device import "));
    assert_null(strstr(run.out, "  rollout watch "));
    run_free(&run);
    run = run_words("");
    assert_int_equal(run.code, 2);
    run_free(&run);
}

static void test_no_line_of_help_is_wider_than_a_page(void **state)
{
    size_t count = 0;
    const struct cli_page *pages = cli_pages(&count);
    (void)state;
    for (size_t p = 0; p < count; p++) {
        for (size_t i = 0; pages[p].lines[i]; i++) {
            /* An example is one line, to be copied; a terminal wraps it. */
            size_t most = strncmp(pages[p].lines[i], "    ", 4) == 0 ? 240 : 110;
            if (strlen(pages[p].lines[i]) > most) {
                fail_msg("docs/cli/%s.md:%zu is longer than %zu", pages[p].name, i + 1,
                         most);
            }
        }
    }
}

static void test_completion_knows_every_command(void **state)
{
    static const char *const shell[] = {"bash", "zsh", "fish"};
    (void)state;
    for (size_t s = 0; s < 3; s++) {
        char words[32];
        snprintf(words, sizeof words, "completion %s", shell[s]);
        struct run run = run_words(words);
        assert_int_equal(run.code, 0);
        size_t count = 0;
        const struct cli_command *const *commands = cli_commands(&count);
        for (size_t i = 0; i < count; i++) {
            assert_non_null(strstr(run.out, commands[i]->noun));
            if (!commands[i]->verb) { continue; }
            assert_non_null(strstr(run.out, commands[i]->verb));
            char list[64]; /* fish has no lists of verbs, but a line for each */
            snprintf(list, sizeof list, "    %s) verbs=\"", commands[i]->noun);
            const char *verbs = s < 2 ? strstr(run.out, list) : run.out;
            assert_non_null(verbs);
            snprintf(list, sizeof list, " %s", commands[i]->verb);
            const char *found = strstr(verbs, list);
            assert_non_null(found);
            assert_true(s == 2 || found < strchr(verbs, '\n'));
        }
        run_free(&run);
    }
}

static void test_explain_prints_the_page_and_the_same_as_json(void **state)
{
    (void)state;
    struct run run = run_words("explain E0902");
    assert_int_equal(run.code, 0);
    assert_non_null(strstr(run.out, "E0902"));
    run_free(&run);
    run = run_words("explain trial_selftest --json");
    json_t *document = json_loads(run.out, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(document, "code")), "R806");
    json_decref(document);
    run_free(&run);
    run = run_words("explain E9999");
    assert_int_equal(run.code, CLI_NOT_FOUND);
    run_free(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_command_has_a_page_with_a_summary_and_examples),
        cmocka_unit_test(test_every_page_belongs_to_a_command),
        cmocka_unit_test(test_every_example_is_accepted_by_the_parser),
        cmocka_unit_test(test_help_names_options_and_examples),
        cmocka_unit_test(test_help_lists_all_or_one_noun),
        cmocka_unit_test(test_no_line_of_help_is_wider_than_a_page),
        cmocka_unit_test(test_completion_knows_every_command),
        cmocka_unit_test(test_explain_prints_the_page_and_the_same_as_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
