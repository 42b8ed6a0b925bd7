/* log_test.c - lines as they are written: no value can fake another line or hide a field.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "server/base/log.h"
#include "tests/support/unit.h"

struct heard {
    char text[8192];
    size_t lines;
};

static void hear(void *context, const char *line, size_t size)
{
    struct heard *heard = context;
    assert_int_equal(strlen(line), size);
    snprintf(heard->text, sizeof heard->text, "%s", line);
    heard->lines++;
}

static struct clock_manual manual = {.real_ms = 1769903999123};
static struct clock turned;

static struct log_sink sink_for(struct heard *heard, enum log_format format)
{
    turned = clock_manual(&manual);
    return (struct log_sink){.level = LOG_INFO,
                             .format = format,
                             .clock = &turned,
                             .take = hear,
                             .context = heard};
}

static void test_a_text_line_has_time_level_event_component_and_fields(void **state)
{
    (void)state; /* cmocka's signature */
    struct heard heard = {0};
    struct log_sink sink = sink_for(&heard, LOG_FORMAT_TEXT);
    struct log log = log_open(&sink, "store");
    uint64_t size = 1u << 20;
    log_info(&log, "release_stored", "digest", "ab12", "size", size, "draft", (bool)0,
             "delta", -5, "name", "two words", "none", (const char *)NULL);
    assert_string_equal(
        heard.text,
        "2026-01-31T23:59:59.123Z info  release_stored component=store digest=ab12 "
        "size=1048576 draft=false delta=-5 name=\"two words\" none=-");
}

static void test_a_json_line_is_one_object(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct log_sink sink = sink_for(&heard, LOG_FORMAT_JSON);
    struct log log = log_open(&sink, "http");
    log_warn(&log, "slow", "path", "/a\"b", "ms", 12, "none", (const char *)NULL);
    assert_string_equal(
        heard.text,
        "{\"time\":\"2026-01-31T23:59:59.123Z\",\"level\":\"warn\",\"event\":\"slow\","
        "\"component\":\"http\",\"path\":\"/a\\\"b\",\"ms\":12,\"none\":null}");
}

static void test_control_characters_cannot_start_a_line_or_colour_a_terminal(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct log_sink sink = sink_for(&heard, LOG_FORMAT_TEXT);
    struct log log = log_open(&sink, "http");
    log_error(&log, "bad", "value", "x\n2026 error fake\x1b[31m\xff");
    assert_non_null(
        strstr(heard.text, "value=\"x\\u000a2026 error fake\\u001b[31m\\ufffd\""));
    assert_null(strchr(heard.text, '\n'));
    assert_null(strchr(heard.text, '\x1b'));
}

static void test_secrets_are_hidden_by_the_name_of_their_key(void **state)
{
    (void)state;
    static const char *const keys[] = {"token",         "api_token",     "password",
                                       "client_secret", "authorization", "cookie",
                                       "wifi_ssid",     "private_key"};
    for (int format = 0; format < 2; format++) {
        struct heard heard = {0};
        struct log_sink sink = sink_for(&heard, (enum log_format)format);
        struct log log = log_open(&sink, "http");
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
            log_info(&log, "login", keys[i], "hunter2");
            assert_null(strstr(heard.text, "hunter2"));
            assert_non_null(strstr(heard.text, "[hidden]"));
        }
        log_info(&log, "login", "operator", "hunter2");
        assert_non_null(strstr(heard.text, "hunter2"));
    }
}

static void test_levels_and_traced_components_decide_what_passes(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct log_sink sink = sink_for(&heard, LOG_FORMAT_TEXT);
    sink.level = LOG_WARN;
    sink.trace = "rollout,store";
    struct log store = log_open(&sink, "store"), http = log_open(&sink, "http");
    struct log part = log_open(&sink, "sto"), none = log_open(NULL, "store");
    log_info(&http, "quiet");
    log_debug(&part, "quiet");
    log_error(&none, "quiet");
    assert_int_equal(heard.lines, 0);
    log_debug(&store, "loud");
    log_warn(&http, "loud");
    assert_int_equal(heard.lines, 2);
}

static void test_what_does_not_fit_is_cut_visibly_and_stays_one_json_object(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct log_sink sink = sink_for(&heard, LOG_FORMAT_JSON);
    struct log log = log_open(&sink, "http");
    char longer[3000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    log_info(&log, "one", "long", longer, "after", 1);
    assert_non_null(strstr(heard.text, "x[cut]\",\"after\":1}"));
    assert_true(strlen(heard.text) < LOG_LINE_SIZE_MAX);
    log_info(&log, "many", "a", longer, "b", longer, "c", longer, "d", longer, "e", longer);
    assert_true(strlen(heard.text) < LOG_LINE_SIZE_MAX);
    assert_non_null(strstr(heard.text, "[cut]\",\"cut\":true}"));
    memset(longer, '\x01', sizeof longer - 1); /* six bytes each when escaped */
    log_info(&log, "many", "a", longer, "b", longer, "c", 1);
    assert_true(strlen(heard.text) < LOG_LINE_SIZE_MAX);
    assert_string_equal(heard.text + strlen(heard.text) - 12, ",\"cut\":true}");
}

static void test_a_line_of_any_size_ends_properly(void **state)
{
    (void)state;
    for (int format = 0; format < 2; format++) {
        struct heard heard = {0};
        struct log_sink sink = sink_for(&heard, (enum log_format)format);
        struct log log = log_open(&sink, "http");
        char most[513], some[513];
        memset(most, 'x', 512);
        most[512] = '\0';
        for (size_t size = 1; size <= 512; size++) {
            snprintf(some, sizeof some, "%s", most + 512 - size);
            log_info(&log, "many", "a", most, "b", most, "c", most, "d", some, "e", 7, "f",
                     7);
            size_t length = strlen(heard.text);
            assert_true(length < LOG_LINE_SIZE_MAX);
            const char *end = format ? "}" : "7";
            const char *cut = format ? ",\"cut\":true}" : " cut=true";
            bool is_cut = strcmp(heard.text + length - strlen(cut), cut) == 0;
            assert_true(is_cut || strcmp(heard.text + length - 1, end) == 0);
        }
    }
}

static void *write_lines(void *context)
{
    struct log *log = context;
    for (int i = 0; i < 200; i++) {
        log_info(log, "line", "padding", "0123456789abcdef");
    }
    return NULL;
}

static void test_threads_do_not_mix_their_lines(void **state)
{
    (void)state;
    FILE *file = tmpfile();
    struct log_sink sink = {.level = LOG_INFO, .clock = clock_system(), .fd = fileno(file)};
    struct log log = log_open(&sink, "t");
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, write_lines, &log);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    rewind(file);
    char line[256];
    int count = 0;
    while (fgets(line, sizeof line, file)) {
        const char *tail = " info  line component=t padding=0123456789abcdef\n";
        assert_int_equal(strlen(line), 24 + strlen(tail));
        assert_string_equal(line + 24, tail);
        count++;
    }
    assert_int_equal(count, 800);
    fclose(file);
}

static void test_level_names_parse(void **state)
{
    (void)state;
    enum log_level level = LOG_ERROR;
    assert_true(log_level_parse("debug", &level));
    assert_int_equal(level, LOG_DEBUG);
    assert_false(log_level_parse("Debug", &level));
    assert_int_equal(level, LOG_DEBUG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_text_line_has_time_level_event_component_and_fields),
        cmocka_unit_test(test_a_json_line_is_one_object),
        cmocka_unit_test(test_control_characters_cannot_start_a_line_or_colour_a_terminal),
        cmocka_unit_test(test_secrets_are_hidden_by_the_name_of_their_key),
        cmocka_unit_test(test_levels_and_traced_components_decide_what_passes),
        cmocka_unit_test(test_what_does_not_fit_is_cut_visibly_and_stays_one_json_object),
        cmocka_unit_test(test_a_line_of_any_size_ends_properly),
        cmocka_unit_test(test_threads_do_not_mix_their_lines),
        cmocka_unit_test(test_level_names_parse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
