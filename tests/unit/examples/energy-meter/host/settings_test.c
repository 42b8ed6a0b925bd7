/* settings_test.c - settings survive in flash, numbers have names, the built-in table is
 * the file's. */
#include "examples/energy-meter/host/settings.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "examples/energy-meter/host/default_table.h"
#include "ports/sim/port.h"
#include "tests/support/check.h"

enum { STORE_SIZE = 6 * 4096 };

static uint8_t bits[STORE_SIZE];
static struct moult_sim_storage storage;
static struct moult_sim_flash flash;
static struct moult_sim_nvs nvs;
static struct settings settings, found;

static void fresh(void)
{
    memset(bits, 0xff, sizeof bits);
    moult_sim_storage_ram(&storage, bits, sizeof bits);
    moult_sim_flash_init(&flash, &storage, sizeof bits);
    if (moult_sim_flash_allow(&flash, 0, sizeof bits, false) != MOULT_OK ||
        moult_sim_nvs_mount(&nvs, &flash, 0, sizeof bits, true) != MOULT_OK) {
        abort();
    }
    settings = (struct settings){.device_id = {1, 2, 3},
                                 .table_digest = {9},
                                 .name = "meter-1",
                                 .server = "https://127.0.0.1:8443",
                                 .broker = "127.0.0.1:8883",
                                 .trigger = "hybrid",
                                 .ca = "ca",
                                 .certificate = "certificate",
                                 .key = "key"};
}

static void test_settings_are_read_back(void)
{
    fresh();
    check(engine_number_set(&settings, "interval_s=5"));
    check_equal(settings_save(&nvs, &settings), MOULT_OK);
    check_equal(settings_load(&nvs, &found), MOULT_OK);
    check_bytes(&found, &settings, sizeof found);
    settings.broker[0] = 0; /* an empty one goes away */
    check_equal(settings_save(&nvs, &settings), MOULT_OK);
    check_equal(settings_load(&nvs, &found), MOULT_OK);
    check(found.broker[0] == 0);
}

static void test_saving_again_writes_nothing(void)
{
    fresh();
    check_equal(settings_save(&nvs, &settings), MOULT_OK);
    uint64_t before = flash.operation_count;
    check_equal(settings_save(&nvs, &settings), MOULT_OK);
    check_equal(flash.operation_count, before);
}

static void test_what_is_not_provisioned_or_wrong_is_refused(void)
{
    fresh();
    check_equal(settings_load(&nvs, &found), MOULT_E_NOENT);
    check_equal(settings_save(&nvs, &settings), MOULT_OK);
    check_equal(moult_sim_nvs_set(&nvs, MOULT_SIM_SPACE_DEVICE, "trigger",
                                  (const uint8_t *)"often", 5),
                MOULT_OK);
    check_equal(settings_load(&nvs, &found), MOULT_E_FORMAT);
    check_equal(settings_save(&nvs, &settings), MOULT_OK);
    check_equal(
        moult_sim_nvs_set(&nvs, MOULT_SIM_SPACE_DEVICE, "id", (const uint8_t *)"short", 5),
        MOULT_OK);
    check_equal(settings_load(&nvs, &found), MOULT_E_FORMAT);
}

static void test_numbers_of_the_engine_have_names(void)
{
    static const struct {
        const char *text;
        bool is_good;
    } rows[] = {
        {"interval_s=5", true},
        {"cold_boot_wait_max_s=none", true},
        {"throttle_bps=4294967295", true},
        {"interval_s=4294967296", false},
        {"interval_s=", false},
        {"interval_s=-1", false},
        {"interval_s=5x", false},
        {"interval=5", false},
        {"interval_s", false},
        {"=5", false},
    };
    struct engine_numbers numbers = {0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].text);
        check_equal(engine_number_parse(rows[i].text, &numbers), rows[i].is_good);
    }
    check_row(NULL);
    check_equal(numbers.config.interval_s, 5);
    check_equal(numbers.config.cold_boot_wait_max_s, UINT32_MAX);
    check_equal(numbers.throttle_bps, UINT32_MAX);
    unsigned count = 0;
    while (engine_number_name(count)) {
        count++;
    }
    check(count >= 17);
}

static void test_a_number_set_again_replaces_the_old_one(void)
{
    fresh();
    struct engine_numbers numbers;
    check(engine_number_set(&settings, "interval_s=5"));
    check(engine_number_set(&settings, "interval_min_s=1"));
    check(engine_number_set(&settings, "interval_s=7"));
    check(strcmp(settings.engine, "interval_min_s=1\ninterval_s=7\n") == 0);
    check(engine_numbers_of(&settings, &numbers));
    check_equal(numbers.config.interval_s, 7);
    check_equal(numbers.config.interval_min_s, 1);
    check(!engine_number_set(&settings, "nothing=1"));
}

static void test_the_built_in_table_is_that_of_the_example(void)
{
    char text[4096];
    FILE *f = fopen(MOULT_SOURCE_DIR "/examples/energy-meter/partitions.csv", "r");
    check(f != NULL);
    size_t size = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[size] = 0;
    check(strcmp(text, default_table) == 0);
}

int main(void)
{
    check_run(test_settings_are_read_back);
    check_run(test_saving_again_writes_nothing);
    check_run(test_what_is_not_provisioned_or_wrong_is_refused);
    check_run(test_numbers_of_the_engine_have_names);
    check_run(test_a_number_set_again_replaces_the_old_one);
    check_run(test_the_built_in_table_is_that_of_the_example);
    return check_report();
}
