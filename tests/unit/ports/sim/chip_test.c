/* chip_test.c - a device file says what chip it is, and its eFuses only ever gain bits. */
#include "ports/sim/chip.h"
#include <string.h>
#include "formats/bytes.h"
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

/* F12: after a cut burn any subset of the new bits is burnt, and nothing else. */
static void test_a_cut_burn_leaves_any_subset_of_the_new_bits(void)
{
    bool is_seen[8] = {false};
    for (uint32_t subset = 0; subset < 8; subset++) {
        check_equal(make(), MOULT_OK);
        check_equal(moult_sim_efuse_burn(&chip, 1), MOULT_OK);
        chip.flash.plans[0] = (struct moult_sim_plan){.fault = MOULT_SIM_CUT_MIXED,
                                                      .at = chip.flash.operation_count + 1,
                                                      .seed = subset};
        check_equal(moult_sim_efuse_burn(&chip, 4), MOULT_E_IO);
        check(chip.flash.is_off);
        moult_sim_flash_power_on(&chip.flash);
        uint32_t fuses = get_le32(bits + FLASH_SIZE + 32);
        check_equal(fuses & 1, 1);
        check(fuses >> 4 == 0);
        is_seen[fuses >> 1] = true;
        uint32_t version;
        check_equal(moult_sim_efuse_read(&chip, &version), MOULT_OK);
        /* ESP-IDF goes by the number of bits, so what a hole costs is lost for good. */
        check_equal(moult_sim_efuse_burn(&chip, 4), MOULT_OK);
        check_equal(moult_sim_efuse_read(&chip, &version), MOULT_OK);
        check_equal(version == 4, subset == 0 || subset == 1 || subset == 3 || subset == 7);
        check(version >= 1 && version <= 4);
    }
    for (uint32_t subset = 0; subset < 8; subset++) {
        check(is_seen[subset]);
    }
}

static void test_faults_of_a_burn(void)
{
    static const struct {
        const char *name;
        enum moult_sim_fault fault;
        uint32_t version;
        enum moult_status status;
        bool is_off;
    } rows[] = {
        {"none", MOULT_SIM_FAULT_NONE, 3, MOULT_OK, false},
        {"cut before", MOULT_SIM_CUT_BEFORE, 0, MOULT_E_IO, true},
        {"cut after", MOULT_SIM_CUT_AFTER, 3, MOULT_E_IO, true},
        {"torn behind two bits", MOULT_SIM_CUT_TORN, 2, MOULT_E_IO, true},
        {"fails", MOULT_SIM_FAIL, 0, MOULT_E_IO, false},
        {"silently not done", MOULT_SIM_NOOP, 0, MOULT_OK, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].name);
        uint32_t version;
        check_equal(make(), MOULT_OK);
        chip.flash.plans[0] =
            (struct moult_sim_plan){.fault = rows[i].fault, .at = 1, .torn_size = 2};
        check_equal(moult_sim_efuse_burn(&chip, 3), rows[i].status);
        check_equal(chip.flash.is_off, rows[i].is_off);
        if (rows[i].is_off) { check_equal(moult_sim_efuse_burn(&chip, 3), MOULT_E_IO); }
        moult_sim_flash_power_on(&chip.flash);
        check_equal(moult_sim_efuse_read(&chip, &version), MOULT_OK);
        check_equal(version, rows[i].version);
    }
    check_row(NULL);
}

static void test_key_digests_are_burnt_once_and_revoked_for_ever(void)
{
    uint8_t digest[32];
    struct moult_sb_fuses fuses;
    bool is_on = true;
    memset(digest, 0x3c, sizeof digest);
    check_equal(make(), MOULT_OK);
    check_equal(moult_sim_switch_read(&chip, MOULT_SIM_SECURE_BOOT, &is_on), MOULT_OK);
    check(!is_on);
    check_equal(moult_sim_key_burn(&chip, 1, digest), MOULT_OK);
    check_equal(moult_sim_key_burn(&chip, 1, digest), MOULT_E_EXISTS);
    check_equal(moult_sim_key_burn(&chip, 3, digest), MOULT_E_RANGE);
    check_equal(moult_sim_switch_burn(&chip, MOULT_SIM_SECURE_BOOT), MOULT_OK);
    check_equal(moult_sim_switch_burn(&chip, MOULT_SIM_REVOKE_0 + 1), MOULT_OK);

    struct moult_sim_chip again; /* it is in the file */
    check_equal(moult_sim_chip_open(&again, &storage), MOULT_OK);
    check_equal(moult_sim_switch_read(&again, MOULT_SIM_SECURE_BOOT, &is_on), MOULT_OK);
    check(is_on);
    check_equal(moult_sim_fuses_read(&again, &fuses), MOULT_OK);
    check_equal(fuses.block_count, 3);
    check_equal(fuses.digest_size, 32);
    check(!fuses.keys[0].is_used && !fuses.keys[0].is_revoked);
    check(fuses.keys[1].is_used && fuses.keys[1].is_revoked);
    check_bytes(fuses.keys[1].digest, digest, 32);
}

/* Format 1 as it was before there were switches: 36 bytes, then 0xff. */
static void test_older_device_files_open_with_nothing_burnt(void)
{
    struct moult_sb_fuses fuses;
    bool is_on = true;
    check_equal(make(), MOULT_OK);
    memset(bits + FLASH_SIZE + 36, 0xff, MOULT_SIM_EFUSE_SIZE - 36);
    check_equal(moult_sim_chip_open(&chip, &storage), MOULT_OK);
    check_equal(moult_sim_switch_read(&chip, MOULT_SIM_FLASH_CRYPT, &is_on), MOULT_OK);
    check(!is_on);
    check_equal(moult_sim_fuses_read(&chip, &fuses), MOULT_OK);
    for (unsigned i = 0; i < 3; i++) {
        check(!fuses.keys[i].is_used && !fuses.keys[i].is_revoked);
    }
}

int main(void)
{
    check_run(test_a_chip_is_what_it_was_made_as);
    check_run(test_what_is_no_device_file_is_refused);
    check_run(test_impossible_chips_are_not_made);
    check_run(test_fuses_only_burn_upwards);
    check_run(test_a_cut_burn_leaves_any_subset_of_the_new_bits);
    check_run(test_faults_of_a_burn);
    check_run(test_key_digests_are_burnt_once_and_revoked_for_ever);
    check_run(test_older_device_files_open_with_nothing_burnt);
    return check_report();
}
