/* chip_test.c - a device file says what chip it is, and its eFuses only ever gain bits. */
#include "ports/sim/chip.h"
#include <string.h>
#include "formats/chip.h"
#include "tests/support/check.h"

enum { FLASH_SIZE = 0x10000, FILE_SIZE = FLASH_SIZE + MOULT_SIM_EFUSE_SIZE };

static uint8_t bits[FILE_SIZE];
static struct moult_sim_storage storage;
static struct moult_sim_chip chip;

static enum moult_status make(void)
{
    memset(bits, 0xff, sizeof bits);
    moult_sim_storage_ram(&storage, bits, sizeof bits);
    return moult_sim_chip_create(&chip, &storage, MOULT_CHIP_ESP32C3, 4, FLASH_SIZE);
}

static void test_a_chip_is_what_it_was_made_as(void)
{
    check_equal(make(), MOULT_OK);
    struct moult_sim_chip again;
    check_equal(moult_sim_chip_open(&again, &storage), MOULT_OK);
    check_equal(again.chip_id, MOULT_CHIP_ESP32C3);
    check_equal(again.revision, 4);
    check_equal(again.version_bits, 16);
    check_equal(again.flash.size, FLASH_SIZE);
    check_equal(bits[0], 0xff); /* the flash is left alone */
}

static void test_what_is_no_device_file_is_refused(void)
{
    for (uint32_t at = 0; at < 24; at++) {
        check_equal(make(), MOULT_OK);
        bits[FLASH_SIZE + at] ^= 0x10;
        struct moult_sim_chip again;
        check_equal(moult_sim_chip_open(&again, &storage), MOULT_E_FORMAT);
    }
    moult_sim_storage_ram(&storage, bits, MOULT_SIM_EFUSE_SIZE);
    check_equal(moult_sim_chip_open(&chip, &storage), MOULT_E_FORMAT);
}

static void test_impossible_chips_are_not_made(void)
{
    moult_sim_storage_ram(&storage, bits, sizeof bits);
    check_equal(moult_sim_chip_create(&chip, &storage, 0x7777, 4, FLASH_SIZE), MOULT_E_ARG);
    check_equal(moult_sim_chip_create(&chip, &storage, 5, 4, FLASH_SIZE - 4096),
                MOULT_E_RANGE);
    check_equal(moult_sim_chip_create(&chip, &storage, 5, 4, 0), MOULT_E_RANGE);
}

static void test_fuses_only_burn_upwards(void)
{
    uint32_t version = 99;
    check_equal(make(), MOULT_OK);
    check_equal(moult_sim_efuse_read(&chip, &version), MOULT_OK);
    check_equal(version, 0);
    check_equal(moult_sim_efuse_burn(&chip, 3), MOULT_OK);
    check_equal(moult_sim_efuse_burn(&chip, 3), MOULT_OK);
    check_equal(moult_sim_efuse_burn(&chip, 2), MOULT_E_REPLAY);
    check_equal(moult_sim_efuse_burn(&chip, 17), MOULT_E_RANGE); /* a C3 has 16 */
    check_equal(moult_sim_efuse_read(&chip, &version), MOULT_OK);
    check_equal(version, 3);
    check_equal(moult_sim_efuse_burn(&chip, 16), MOULT_OK);
    check_equal(moult_sim_efuse_read(&chip, &version), MOULT_OK);
    check_equal(version, 16);
}

int main(void)
{
    check_run(test_a_chip_is_what_it_was_made_as);
    check_run(test_what_is_no_device_file_is_refused);
    check_run(test_impossible_chips_are_not_made);
    check_run(test_fuses_only_burn_upwards);
    return check_report();
}
