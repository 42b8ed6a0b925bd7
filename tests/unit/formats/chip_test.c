/* chip_test.c - formats/chip.c */
#include "formats/chip.h"
#include <string.h>
#include "tests/support/check.h"

static void test_numbers_and_names_are_those_of_esp_idf(void)
{
    static const struct {
        uint16_t id;
        const char *name, *title;
        uint8_t bits;
    } rows[] = {
        {0x0000, "esp32", "ESP32", 32},        {0x0002, "esp32s2", "ESP32-S2", 16},
        {0x0005, "esp32c3", "ESP32-C3", 16},   {0x0009, "esp32s3", "ESP32-S3", 16},
        {0x000c, "esp32c2", "ESP32-C2", 4},    {0x000d, "esp32c6", "ESP32-C6", 16},
        {0x0010, "esp32h2", "ESP32-H2", 16},   {0x0012, "esp32p4", "ESP32-P4", 16},
        {0x0014, "esp32c61", "ESP32-C61", 16}, {0x0017, "esp32c5", "ESP32-C5", 9},
        {0x0019, "esp32h21", "ESP32-H21", 16}, {0x001c, "esp32h4", "ESP32-H4", 16},
        {0x0020, "esp32s31", "ESP32-S31", 16},
    };
    uint32_t count = 0;
    while (moult_chip_at(count)) {
        count++;
    }
    check_equal(count, sizeof rows / sizeof rows[0]);
    for (uint32_t i = 0; i < count; i++) {
        check_row(rows[i].name);
        const struct moult_chip *chip = moult_chip_by_id(rows[i].id);
        check(chip && strcmp(chip->name, rows[i].name) == 0);
        check(strcmp(chip->title, rows[i].title) == 0);
        check_equal(chip->secure_version_bits, rows[i].bits);
        bool has_one_block = chip->id == MOULT_CHIP_ESP32 || chip->id == MOULT_CHIP_ESP32C2;
        check_equal(chip->signature_blocks, has_one_block ? 1 : 3);
        check(moult_chip_by_name(rows[i].name) == chip);
        check(moult_chip_by_name(rows[i].title) == chip);
    }
    check_row(NULL);
}

static void test_unknown_chips_have_no_row(void)
{
    check(!moult_chip_by_id(1));
    check(!moult_chip_by_id(MOULT_CHIP_NONE));
    check(!moult_chip_by_name(""));
    check(!moult_chip_by_name("esp32c"));
    check(!moult_chip_by_name("esp32c33"));
    check(strcmp(moult_chip_name(0x1234), "unknown") == 0);
}

static void test_windows_onto_flash(void)
{
    const struct moult_chip *c3 = moult_chip_by_id(MOULT_CHIP_ESP32C3);
    check(moult_chip_maps(c3, 0x42000020));
    check(moult_chip_maps(c3, 0x3c000020));
    check(moult_chip_maps(c3, 0x42000000));
    check(!moult_chip_maps(c3, 0x42800000));
    check(!moult_chip_maps(c3, 0x40380000)); /* IRAM */
    check(!moult_chip_maps(c3, 0x3fc80000)); /* DRAM */
    check(!moult_chip_maps(c3, 0));
    for (uint32_t i = 0; moult_chip_at(i); i++) { /* an unknown window maps nothing */
        check(!moult_chip_maps(moult_chip_at(i), 0));
        check(!moult_chip_maps(moult_chip_at(i), 1));
    }
}

static void test_revision_range(void)
{
    check(moult_chip_revision_allowed(3, 3, 199));
    check(!moult_chip_revision_allowed(2, 3, 199));
    check(moult_chip_revision_allowed(199, 3, 199));
    check(!moult_chip_revision_allowed(200, 3, 199));
    check(moult_chip_revision_allowed(999, 3, 0));
    check(moult_chip_revision_allowed(999, 3, 65535));
}

int main(void)
{
    check_run(test_numbers_and_names_are_those_of_esp_idf);
    check_run(test_unknown_chips_have_no_row);
    check_run(test_windows_onto_flash);
    check_run(test_revision_range);
    return check_report();
}
