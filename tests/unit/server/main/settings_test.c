/* settings_test.c - server/main/settings.c and its page */
#include "server/main/settings.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "tests/support/check.h"

static const char head[] = "fleet_id = 000102030405060708090a0b0c0d0e0f\n";
static struct settings settings;
static struct config_error error;

static enum moult_status load(const char *text)
{
    const char *path = "settings_test.conf";
    FILE *f = fopen(path, "w");
    fputs(head, f);
    fputs(text, f);
    fclose(f);
    error.text[0] = '\0';
    enum moult_status st = settings_load(path, &settings, &error);
    unlink(path);
    return st;
}

static void test_production_defaults(void)
{
    check_equal(load("classes = meter:202122232425262728292a2b2c2d2e2f:esp32c3\n"),
                MOULT_OK);
    check_equal(settings.control.class_count, 1);
    check_equal(settings.control.classes[0].chip_id, 5);
    check(strcmp(settings.control.classes[0].name, "meter") == 0);
    check_equal(settings.control.fleet_id[15], 15);
    struct control_config defaults;
    control_config_default(&defaults); /* the table's defaults are control's own */
    check_equal(settings.control.interval_ms, defaults.interval_ms);
    check_equal(settings.control.interval_min_ms, defaults.interval_min_ms);
    check_equal(settings.control.soak_first_ms, defaults.soak_first_ms);
    check_equal(settings.control.silent_min_ms, defaults.silent_min_ms);
    check_equal(settings.control.confirm_ms, defaults.confirm_ms);
    check_equal(settings.control.wakes_per_s, defaults.wakes_per_s);
    check_equal(settings.control.accept_on_first_use, 0);
}

static void test_bad_values_name_what_was_expected(void)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"classes = meter\n", "32 HEX DIGITS"},
        {"classes = meter:2021:esp32c3\n", "32 HEX DIGITS"},
        {"classes = meter:202122232425262728292a2b2c2d2e2f:esp99\n", "32 HEX DIGITS"},
        {"interval.idle = soon\n", "interval.idle"},
        {"intervall.idle = 5s\n", "intervall.idle"},
        {"order.ttl = 2h\n", "order.ttl"},
        {"device.listen = 8443\n", "device.listen"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].text);
        check(load(rows[i].text) != MOULT_OK);
        check(strstr(error.text, rows[i].words) != NULL);
    }
}

static void test_every_setting_is_on_its_page(void)
{
    static char page[65536];
    FILE *f = fopen(MOULT_SOURCE_DIR "/docs/ops/moultd.md", "r");
    check(f != NULL);
    size_t size = fread(page, 1, sizeof page - 1, f);
    fclose(f);
    page[size] = '\0';
    const char *table = strstr(page, "## Settings");
    check(table != NULL);
    for (size_t i = 0; i < settings_table.row_count; i++) {
        const struct config_row *row = &settings_table.rows[i];
        char wanted[200];
        snprintf(wanted, sizeof wanted, "| `%s` |", row->name);
        check_row(row->name);
        const char *line = strstr(table, wanted);
        check(line != NULL);
        const char *end = strchr(line, '\n');
        const char *help = strstr(line, row->help);
        check(end && help && help < end);
    }
}

int main(void)
{
    check_run(test_production_defaults);
    check_run(test_bad_values_name_what_was_expected);
    check_run(test_every_setting_is_on_its_page);
    return check_report();
}
