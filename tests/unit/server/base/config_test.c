/* config_test.c - what files may say, and how errors name place, expected and found. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "formats/codes.h"
#include "server/base/config.h"
#include "server/base/mem.h"
#include "tests/support/unit.h"

struct settings {
    char name[16];
    char listen[64];
    bool open;
    uint64_t threads, idle_ms, body_size;
    int format;
};

#define AT(member) offsetof(struct settings, member), sizeof(((struct settings *)0)->member)

static const struct config_row rows[] = {
    {"name", CONFIG_TEXT, AT(name), "demo", 1, 0, NULL, "Name of the fleet."},
    {"device.listen", CONFIG_ADDRESS, AT(listen), "127.0.0.1:8443", 0, 0, NULL,
     "Where to listen."},
    {"device.threads", CONFIG_COUNT, AT(threads), "2", 1, 64, NULL, "I/O threads."},
    {"device.idle", CONFIG_DURATION, AT(idle_ms), "30s", 1000, 86400000, NULL,
     "Idle time."},
    {"device.body", CONFIG_SIZE, AT(body_size), "32K", 0, 1u << 30, NULL, "Largest body."},
    {"log.format", CONFIG_CHOICE, AT(format), "text", 0, 0, "text|json", "Form of lines."},
    {"log.open", CONFIG_BOOL, AT(open), "no", 0, 0, NULL, "Open to all."},
};
static const struct config_table table = {rows, sizeof rows / sizeof rows[0]};

static enum moult_status parse(const char *text, struct settings *settings,
                               struct config_error *error)
{
    config_defaults(&table, settings);
    return config_parse(&table, "m.conf", (struct config_text){text, strlen(text)},
                        settings, error);
}

static void test_defaults_come_from_the_table(void **state)
{
    (void)state; /* cmocka's signature */
    struct settings s;
    struct config_error error;
    assert_int_equal(parse("", &s, &error), MOULT_OK);
    assert_string_equal(s.name, "demo");
    assert_string_equal(s.listen, "127.0.0.1:8443");
    assert_int_equal(s.threads, 2);
    assert_int_equal(s.idle_ms, 30000);
    assert_int_equal(s.body_size, 32768);
    assert_int_equal(s.format, 0);
    assert_false(s.open);
}

static void test_a_file_with_everything_is_understood(void **state)
{
    (void)state;
    struct settings s;
    struct config_error error;
    static const char text[] = "# the fleet\r\n"
                               "name = \"a # b \\\"c\\\\\"   # quoted\n"
                               "\n"
                               "log.open=yes\n"
                               "\t[device]   # a section\n"
                               "listen =   [::1]:0   # free port\n"
                               "threads = 64\n"
                               "idle = 24h\n"
                               "body = 4M\n"
                               "log.format = json";
    assert_int_equal(parse(text, &s, &error), MOULT_OK);
    assert_string_equal(error.text, "");
    assert_string_equal(s.name, "a # b \"c\\");
    assert_string_equal(s.listen, "[::1]:0");
    assert_int_equal(s.threads, 64);
    assert_int_equal(s.idle_ms, 86400000);
    assert_int_equal(s.body_size, 4u << 20);
    assert_int_equal(s.format, 1);
    assert_true(s.open);
}

static void test_errors_name_the_place_what_was_expected_and_what_was_found(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum moult_status status;
        uint16_t code;
        const char *words;
    } bad[] = {
        {"name demo", MOULT_E_FORMAT, MOULT_D_CONF_SYNTAX,
         "m.conf:1: expected `key = value`, found \"name demo\""},
        {"\n[device\n", MOULT_E_FORMAT, MOULT_D_CONF_SYNTAX,
         "m.conf:2: expected [section], found \"[device\""},
        {"[De vice]", MOULT_E_FORMAT, MOULT_D_CONF_SYNTAX,
         "m.conf:1: expected a section name of a-z 0-9 _ . -, found \"De vice\""},
        {"Name = x", MOULT_E_FORMAT, MOULT_D_CONF_SYNTAX,
         "m.conf:1: expected a key of a-z 0-9 _ . -, found \"Name\""},
        {"= x", MOULT_E_FORMAT, MOULT_D_CONF_SYNTAX,
         "m.conf:1: expected a key of a-z 0-9 _ . -, found \"\""},
        {"name = \"x", MOULT_E_FORMAT, MOULT_D_CONF_SYNTAX,
         "m.conf:1: name: expected a closing quote and nothing behind it"},
        {"name = \"x\" y", MOULT_E_FORMAT, MOULT_D_CONF_SYNTAX,
         "m.conf:1: name: expected a closing quote and nothing behind it"},
        {"[device]\nthread = 2", MOULT_E_FORMAT, MOULT_D_CONF_UNKNOWN,
         "m.conf:2: no setting device.thread; did you mean device.threads?"},
        {"zzzzzzzz = 2", MOULT_E_FORMAT, MOULT_D_CONF_UNKNOWN,
         "m.conf:1: no setting zzzzzzzz; docs/ops/configuration.md lists them"},
        {"name = a\nname = b", MOULT_E_FORMAT, MOULT_D_CONF_SYNTAX,
         "m.conf:2: name expects to be set once, found it in line 1 too"},
        {"name = ", MOULT_E_RANGE, MOULT_D_CONF_VALUE,
         "m.conf:1: name: expected 1 to 15 bytes of text, found \"\""},
        {"name = 0123456789abcdef", MOULT_E_RANGE, MOULT_D_CONF_VALUE,
         "m.conf:1: name: expected 1 to 15 bytes of text, found \"0123456789abcdef\""},
        {"device.threads = 65", MOULT_E_RANGE, MOULT_D_CONF_VALUE,
         "m.conf:1: device.threads: expected a number from 1 to 64, found \"65\""},
        {"device.threads = -1", MOULT_E_FORMAT, MOULT_D_CONF_VALUE,
         "m.conf:1: device.threads: expected a number from 1 to 64, found \"-1\""},
        {"device.threads = 2s", MOULT_E_FORMAT, MOULT_D_CONF_VALUE,
         "m.conf:1: device.threads: expected a number from 1 to 64, found \"2s\""},
        {"device.threads = 99999999999999999999", MOULT_E_FORMAT, MOULT_D_CONF_VALUE,
         "m.conf:1: device.threads: expected a number from 1 to 64, found "
         "\"99999999999999999999\""},
        {"device.idle = 30", MOULT_E_FORMAT, MOULT_D_CONF_VALUE,
         "m.conf:1: device.idle: expected a time such as 5s, 10m or 24h, from 1s to 1d, "
         "found "
         "\"30\""},
        {"device.idle = 30 s", MOULT_E_FORMAT, MOULT_D_CONF_VALUE,
         "m.conf:1: device.idle: expected a time such as 5s, 10m or 24h, from 1s to 1d, "
         "found "
         "\"30 s\""},
        {"device.idle = 0", MOULT_E_RANGE, MOULT_D_CONF_VALUE,
         "m.conf:1: device.idle: expected a time such as 5s, 10m or 24h, from 1s to 1d, "
         "found "
         "\"0\""},
        {"device.body = 9000000000000000000G", MOULT_E_RANGE, MOULT_D_CONF_VALUE,
         "m.conf:1: device.body: expected a size such as 512, 32K or 4M, from 0 to 1G, "
         "found "
         "\"9000000000000000000G\""},
        {"log.format = xml", MOULT_E_FORMAT, MOULT_D_CONF_VALUE,
         "m.conf:1: log.format: expected one of text|json, found \"xml\""},
        {"log.format = ", MOULT_E_FORMAT, MOULT_D_CONF_VALUE,
         "m.conf:1: log.format: expected one of text|json, found \"\""},
        {"log.open = maybe", MOULT_E_FORMAT, MOULT_D_CONF_VALUE,
         "m.conf:1: log.open: expected yes or no, found \"maybe\""},
        {"device.listen = 127.0.0.1", MOULT_E_FORMAT, MOULT_D_CONF_VALUE,
         "m.conf:1: device.listen: expected an address such as 127.0.0.1:8443, [::1]:8443 "
         "or "
         "*:8443, found \"127.0.0.1\""},
        {"device.listen = a:65536", MOULT_E_FORMAT, MOULT_D_CONF_VALUE, NULL},
        {"device.listen = ::1:80", MOULT_E_FORMAT, MOULT_D_CONF_VALUE, NULL},
        {"device.listen = [::1:80", MOULT_E_FORMAT, MOULT_D_CONF_VALUE, NULL},
        {"device.listen = [x]:80", MOULT_E_FORMAT, MOULT_D_CONF_VALUE, NULL},
        {"device.listen = *a:80", MOULT_E_FORMAT, MOULT_D_CONF_VALUE, NULL},
        {"device.listen = :80", MOULT_E_FORMAT, MOULT_D_CONF_VALUE, NULL},
        {"name = \xff", MOULT_E_FORMAT, MOULT_D_CONF_SYNTAX,
         "m.conf:1: expected UTF-8 text, found other bytes"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct settings s;
        struct config_error error;
        enum moult_status st = parse(bad[i].text, &s, &error);
        if (st != bad[i].status) { print_error("row %zu: %s\n", i, bad[i].text); }
        assert_int_equal(st, bad[i].status);
        assert_int_equal(error.code, bad[i].code);
        if (bad[i].words) { assert_string_equal(error.text, bad[i].words); }
    }
}

static void test_zero_needs_no_unit_and_an_empty_address_is_off(void **state)
{
    (void)state;
    struct settings s;
    struct config_error error;
    assert_int_equal(parse("device.body = 0\ndevice.listen =", &s, &error), MOULT_OK);
    assert_int_equal(s.body_size, 0);
    assert_string_equal(s.listen, "");
}

static void test_a_long_line_and_a_large_file_are_refused(void **state)
{
    (void)state;
    struct settings s;
    struct config_error error;
    static char text[CONFIG_FILE_SIZE_MAX + 2];
    memset(text, '#', CONFIG_LINE_SIZE_MAX);
    assert_int_equal(parse(text, &s, &error), MOULT_OK);
    text[CONFIG_LINE_SIZE_MAX] = '#';
    assert_int_equal(parse(text, &s, &error), MOULT_E_RANGE);
    assert_string_equal(error.text,
                        "m.conf:1: expected at most 1024 bytes in a line, found 1025");
    memset(text, '\n', CONFIG_FILE_SIZE_MAX + 1);
    assert_int_equal(parse(text, &s, &error), MOULT_E_RANGE);
    assert_string_equal(error.text, "m.conf: expected at most 65536 bytes, found 65537");
}

static void test_files_are_loaded_and_missing_ones_are_said(void **state)
{
    (void)state;
    struct settings s;
    struct config_error error;
    config_defaults(&table, &s);
    assert_int_equal(config_load(&table, "/nonexistent/m.conf", &s, &error), MOULT_E_NOENT);
    assert_string_equal(error.text,
                        "/nonexistent/m.conf: cannot be read: No such file or directory");
    assert_int_equal(error.code, MOULT_D_CLI_FILE_READ);
    assert_int_equal(config_load(&table, "/", &s, &error), MOULT_E_IO);

    char path[] = "/tmp/moult-config-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "name = filed\n", 13), 13);
    close(fd);
    assert_int_equal(config_load(&table, path, &s, &error), MOULT_OK);
    assert_string_equal(s.name, "filed");
    mem_fail_at(1);
    enum moult_status st = config_load(&table, path, &s, &error);
    mem_fail_at(0);
    assert_int_equal(st, MOULT_E_NOMEM);
    unlink(path);
}

static void test_the_sample_file_says_the_defaults(void **state)
{
    (void)state;
    struct buffer sample;
    buffer_init(&sample, 65536);
    config_sample(&table, &sample);
    buffer_append(&sample, "", 1);
    assert_false(sample.failed);
    char *text = (char *)sample.data;
    assert_non_null(strstr(text, "# Idle time. (time: ms s m h d)\n#idle = 30s\n"));
    size_t keys = 0;
    for (char *p = text; (p = strstr(p, "\n#")); p++) { /* uncomment settings, not help */
        if (p[2] == ' ') { continue; }
        p[1] = ' ';
        keys++;
    }
    assert_int_equal(keys, table.row_count);
    struct settings defaults, parsed;
    struct config_error error;
    memset(&defaults, 0, sizeof defaults);
    memset(&parsed, 0, sizeof parsed);
    config_defaults(&table, &defaults);
    assert_int_equal(config_parse(&table, "sample",
                                  (struct config_text){text, strlen(text)}, &parsed,
                                  &error),
                     MOULT_OK);
    assert_memory_equal(&defaults, &parsed, sizeof parsed);
    buffer_release(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_come_from_the_table),
        cmocka_unit_test(test_a_file_with_everything_is_understood),
        cmocka_unit_test(test_errors_name_the_place_what_was_expected_and_what_was_found),
        cmocka_unit_test(test_zero_needs_no_unit_and_an_empty_address_is_off),
        cmocka_unit_test(test_a_long_line_and_a_large_file_are_refused),
        cmocka_unit_test(test_files_are_loaded_and_missing_ones_are_said),
        cmocka_unit_test(test_the_sample_file_says_the_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
