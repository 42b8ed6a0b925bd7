/* bootloader_test.c - a simulated chip boots as an ESP32 does, after every cut as well.
 *
 * The decision itself is tested in formats/boot_choice; here it meets flash, eFuses, and
 * the application's half of the contract (ports/sim/ota.h).
 */
#include "ports/sim/bootloader.h"
#include <stdlib.h>
#include <string.h>
#include "formats/bytes.h"
#include "keys/sb_signer.h"
#include "ports/sim/ota.h"
#include "tests/support/check.h"
#include "tests/support/sim_device.h"

static struct sim_device device;

static const uint8_t *entry(int index)
{
    return device.bits + SIM_OTADATA_AT + index * 0x1000;
}

static uint32_t state_of_entry(int index)
{
    return get_le32(entry(index) + 24);
}

static bool entry_is(int index, uint32_t seq, uint32_t state)
{
    uint8_t expected[MOULT_OTADATA_SIZE];
    moult_otadata_encode(seq, state, expected);
    return memcmp(entry(index), expected, sizeof expected) == 0;
}

static bool boots(int which, uint8_t reset)
{
    return sim_device_boot(&device, reset) == MOULT_OK && device.port.boot.booted == which;
}

/* Version 1.0.0 confirmed in ota_0, version 1.1.0 complete in ota_1, not selected. */
static bool make_updated(void)
{
    sim_device_make(&device);
    sim_device_put_image(&device, 1, "1.1.0", 0);
    return boots(0, MOULT_RESET_POWER_ON);
}

static void test_a_fresh_device_boots_slot_0_and_stamps_it_valid(void)
{
    sim_device_make(&device);
    check(boots(0, MOULT_RESET_POWER_ON));
    check(entry_is(0, 1, MOULT_OTADATA_VALID));
    check(moult_bytes_all(entry(1), MOULT_OTADATA_SIZE, 0xff));
    struct moult_boot_info info;
    check_equal(moult_sim_boot_info(&device.port.boot, &info), 0);
    check_equal(info.running, 0);
    check_equal(info.selected, 0);
    check_equal(info.state, MOULT_SLOT_VALID);
    check_equal(info.reset, MOULT_RESET_POWER_ON);
}

static void test_an_update_is_tried_and_confirmed(void)
{
    struct moult_boot_info info;
    enum moult_slot_state state;
    check(make_updated());
    check_equal(moult_sim_set_boot(&device.port.boot, 1), 0);
    check(entry_is(1, 2, MOULT_OTADATA_NEW));
    check(boots(1, MOULT_RESET_SOFTWARE));
    check(entry_is(1, 2, MOULT_OTADATA_PENDING_VERIFY));
    check_equal(moult_sim_boot_info(&device.port.boot, &info), 0);
    check_equal(info.running, 1);
    check_equal(info.state, MOULT_SLOT_PENDING);
    check_equal(moult_sim_mark_valid(&device.port.boot), 0);
    check_equal(moult_sim_mark_valid(&device.port.boot), 0);
    check_equal(moult_sim_slot_state(&device.port.boot, 1, &state), 0);
    check_equal(state, MOULT_SLOT_VALID);
    check(boots(1, MOULT_RESET_POWER_ON));
    check(entry_is(1, 2, MOULT_OTADATA_VALID));
}

/* F11: every class of esp_reset_reason_t, and one from the future. */
static void test_any_reset_during_a_trial_returns_to_the_old_image(void)
{
    for (uint8_t reset = MOULT_RESET_UNKNOWN; reset <= MOULT_RESET_CPU_LOCKUP + 1;
         reset++) {
        struct moult_boot_info info;
        check(make_updated());
        check_equal(moult_sim_set_boot(&device.port.boot, 1), 0);
        check(boots(1, MOULT_RESET_SOFTWARE));
        check(boots(0, reset));
        check_equal(state_of_entry(1), MOULT_OTADATA_ABORTED);
        check_equal(moult_sim_boot_info(&device.port.boot, &info), 0);
        check_equal(info.reset, reset);
        check(boots(0, MOULT_RESET_POWER_ON));
    }
}

static void test_a_wake_that_skips_validation_goes_on_with_the_trial(void)
{
    check(make_updated());
    device.build.skips_in_deep_sleep = true;
    check_equal(moult_sim_set_boot(&device.port.boot, 1), 0);
    check(boots(1, MOULT_RESET_SOFTWARE));
    uint64_t before = device.chip.flash.operation_count;
    for (unsigned i = 0; i < 3; i++) {
        check(boots(1, MOULT_RESET_DEEP_SLEEP));
        check_equal(state_of_entry(1), MOULT_OTADATA_PENDING_VERIFY);
        check(!device.port.boot.is_fallback);
    }
    check_equal(device.chip.flash.operation_count, before);
    device.bits[SIM_SLOT_1_AT + 200] ^= 1; /* nobody looks ... */
    check(boots(1, MOULT_RESET_DEEP_SLEEP));
    device.bits[SIM_SLOT_1_AT] = 0; /* ... but at the first byte */
    check(boots(0, MOULT_RESET_DEEP_SLEEP));
    check_equal(state_of_entry(1), MOULT_OTADATA_ABORTED);
}

static void test_a_wake_without_rtc_memory_is_an_ordinary_boot(void)
{
    check(make_updated());
    device.build.skips_in_deep_sleep = true;
    check_equal(moult_sim_set_boot(&device.port.boot, 1), 0);
    check(boots(1, MOULT_RESET_SOFTWARE));
    device.chip.rtc.has_boot = false; /* lost */
    check(boots(0, MOULT_RESET_DEEP_SLEEP));
    check(boots(0, MOULT_RESET_DEEP_SLEEP));
    check_equal(moult_sim_set_boot(&device.port.boot, 1), 0);
    check(boots(0, MOULT_RESET_DEEP_SLEEP)); /* selected or not: what ran, runs */
    check(boots(1, MOULT_RESET_BROWNOUT));   /* which loses RTC memory */
}

static void test_a_factory_app_is_the_start_and_the_last_resort(void)
{
    sim_device_make_as(&device, &(struct sim_layout){.slot_count = 3, .has_factory = true});
    sim_device_put_image(&device, 0, "1.0.0", 0);
    sim_device_put_image(&device, 2, "1.2.0", 0);
    memcpy(device.bits + SIM_FACTORY_AT, device.bits + SIM_SLOT_0_AT, SIM_SLOT_SIZE);
    check(boots(MOULT_BOOT_FACTORY, MOULT_RESET_POWER_ON));
    check(moult_bytes_all(entry(0), MOULT_OTADATA_SIZE, 0xff)); /* no stamp */
    check_equal(moult_sim_set_boot(&device.port.boot, 2), 0);
    check(boots(2, MOULT_RESET_SOFTWARE));
    check_equal(moult_sim_mark_valid(&device.port.boot), 0);
    device.bits[SIM_SLOT_2_AT + 200] ^= 1;
    check(boots(0, MOULT_RESET_POWER_ON)); /* past the empty slot 1 */
    device.bits[SIM_SLOT_0_AT + 200] ^= 1;
    check(boots(MOULT_BOOT_FACTORY, MOULT_RESET_POWER_ON));
    check(device.port.boot.is_fallback);
    device.bits[SIM_FACTORY_AT + 200] ^= 1;
    check_equal(sim_device_boot(&device, MOULT_RESET_POWER_ON), MOULT_E_NOENT);
}

static void test_an_image_may_give_itself_up(void)
{
    check(make_updated());
    check_equal(moult_sim_set_boot(&device.port.boot, 1), 0);
    check(boots(1, MOULT_RESET_SOFTWARE));
    check_equal(moult_sim_mark_invalid(&device.port.boot), 0);
    check_equal(state_of_entry(1), MOULT_OTADATA_INVALID);
    check(boots(0, MOULT_RESET_SOFTWARE));
}

static void test_the_only_image_that_boots_cannot_give_itself_up(void)
{
    sim_device_make(&device);
    check(boots(0, MOULT_RESET_POWER_ON));
    check_equal(moult_sim_mark_invalid(&device.port.boot),
                MOULT_SIM_ESP_OTA_ROLLBACK_FAILED);
    check(entry_is(0, 1, MOULT_OTADATA_VALID));

    check(make_updated()); /* nor when the old one was damaged meanwhile */
    check_equal(moult_sim_set_boot(&device.port.boot, 1), 0);
    check(boots(1, MOULT_RESET_SOFTWARE));
    device.bits[SIM_SLOT_0_AT + 100] ^= 1;
    check_equal(moult_sim_mark_invalid(&device.port.boot),
                MOULT_SIM_ESP_OTA_ROLLBACK_FAILED);
}

static void test_an_image_that_does_not_verify_is_not_selected(void)
{
    check(make_updated());
    device.bits[SIM_SLOT_1_AT] = 0xff; /* the first bytes are written last */
    check_equal(moult_sim_set_boot(&device.port.boot, 1),
                MOULT_SIM_ESP_OTA_VALIDATE_FAILED);
    sim_device_put_image(&device, 1, "1.1.0", 0);
    device.bits[SIM_SLOT_1_AT + 200] ^= 1;
    check_equal(moult_sim_set_boot(&device.port.boot, 1),
                MOULT_SIM_ESP_OTA_VALIDATE_FAILED);
    check_equal(moult_sim_set_boot(&device.port.boot, 2), MOULT_SIM_ESP_INVALID_ARG);
    check(moult_bytes_all(entry(1), MOULT_OTADATA_SIZE, 0xff));
    check(boots(0, MOULT_RESET_SOFTWARE));
}

static void test_an_image_for_another_chip_does_not_boot(void)
{
    check(make_updated());
    device.chip.chip_id = 9; /* as if the flash had been moved to an ESP32-S3 */
    check_equal(sim_device_boot(&device, MOULT_RESET_POWER_ON), MOULT_E_NOENT);
}

static void test_a_damaged_image_is_passed_over_and_otadata_left_wrong(void)
{
    check(make_updated());
    check_equal(moult_sim_set_boot(&device.port.boot, 1), 0);
    device.bits[SIM_SLOT_1_AT + 200] ^= 1;
    check(boots(0, MOULT_RESET_SOFTWARE));
    struct moult_boot_info info;
    check(device.port.boot.is_fallback);
    check_equal(moult_sim_boot_info(&device.port.boot, &info), 0);
    check_equal(info.running, 0);
    check_equal(info.selected, 1); /* so confirming now would confirm the bad slot */
}

static void test_nothing_boots_without_table_or_image(void)
{
    sim_device_make(&device);
    device.bits[SIM_SLOT_0_AT] = 0;
    check_equal(sim_device_boot(&device, MOULT_RESET_POWER_ON), MOULT_E_NOENT);
    sim_device_make(&device);
    device.bits[MOULT_PARTITION_TABLE_OFFSET + 5] ^= 1; /* its MD5 no longer matches */
    check_equal(sim_device_boot(&device, MOULT_RESET_POWER_ON), MOULT_E_FORMAT);
}

static void test_looking_writes_nothing(void)
{
    static struct sim_device before;
    check(make_updated());
    check_equal(moult_sim_set_boot(&device.port.boot, 1), 0);
    before = device;
    check_equal(
        moult_sim_port_look(&device.port, &device.chip, &device.crypto, &device.build),
        MOULT_OK);
    check_equal(device.port.boot.booted, 1);
    check_bytes(device.bits, before.bits, sizeof device.bits);
}

static void test_anti_rollback_burns_at_confirm_and_refuses_older_images(void)
{
    uint32_t burnt;
    sim_device_make(&device);
    device.build.has_anti_rollback = true;
    sim_device_put_image(&device, 0, "1.0.0", 1);
    sim_device_put_image(&device, 1, "1.1.0", 2);
    check(boots(0, MOULT_RESET_POWER_ON)); /* fresh: stamped and burnt */
    check_equal(moult_sim_efuse_read(&device.chip, &burnt), MOULT_OK);
    check_equal(burnt, 1);
    check_equal(moult_sim_set_boot(&device.port.boot, 1), 0);
    check(boots(1, MOULT_RESET_SOFTWARE));
    check_equal(moult_sim_efuse_read(&device.chip, &burnt), MOULT_OK);
    check_equal(burnt, 1); /* a trial never raises the floor */
    check_equal(moult_sim_mark_valid(&device.port.boot), 0);
    check_equal(moult_sim_efuse_read(&device.chip, &burnt), MOULT_OK);
    check_equal(burnt, 2);

    check_equal(moult_sim_set_boot(&device.port.boot, 0), MOULT_SIM_ESP_OTA_SMALL_SEC_VER);
    check(moult_bytes_all(device.bits + SIM_SLOT_0_AT, SIM_SLOT_SIZE, 0xff));
    check(boots(1, MOULT_RESET_SOFTWARE));
}

/* --- Secure Boot V2 ------------------------------------------------------------------- */

static struct keys_sb_key *sb_keys[2]; /* RSA and P-256 */

/* Signs what sim_device_put_image() put into a slot. */
static bool sign_slot(uint32_t slot, unsigned key)
{
    const struct keys_sb_key *signers[] = {sb_keys[key]};
    struct keys_sb_image image = {device.bits + (slot ? SIM_SLOT_1_AT : SIM_SLOT_0_AT), 336,
                                  SIM_SLOT_SIZE};
    return keys_sb_sign_image(&image, signers, 1, &device.crypto) == MOULT_OK;
}

/* Both slots signed, ota_0 with key 0, ota_1 with key 1; both keys in eFuses. */
static bool make_secure(void)
{
    uint8_t digest[32];
    sim_device_make(&device);
    sim_device_put_image(&device, 1, "1.1.0", 0);
    for (unsigned i = 0; i < 2; i++) {
        enum moult_sb_scheme scheme = i == 0 ? MOULT_SB_RSA3072 : MOULT_SB_P256;
        if ((!sb_keys[i] && keys_sb_key_make(scheme, &sb_keys[i]) != MOULT_OK) ||
            keys_sb_key_digest(sb_keys[i], &device.crypto, digest) != MOULT_OK ||
            moult_sim_key_burn(&device.chip, i, digest) != MOULT_OK || !sign_slot(i, i)) {
            return false;
        }
    }
    return moult_sim_switch_burn(&device.chip, MOULT_SIM_SECURE_BOOT) == MOULT_OK;
}

static void test_secure_boot_starts_what_its_keys_have_signed(void)
{
    check(make_secure());
    check(boots(0, MOULT_RESET_POWER_ON));
    check_equal(moult_sim_set_boot(&device.port.boot, 1), 0);
    check(boots(1, MOULT_RESET_SOFTWARE));
}

static void test_secure_boot_passes_over_what_is_not_signed(void)
{
    check(make_secure());
    check(boots(0, MOULT_RESET_POWER_ON));
    sim_device_put_image(&device, 1, "1.1.0", 0); /* whole and right, but unsigned */
    check_equal(moult_sim_set_boot(&device.port.boot, 1),
                MOULT_SIM_ESP_OTA_VALIDATE_FAILED);
    check(sign_slot(1, 1));
    check_equal(moult_sim_set_boot(&device.port.boot, 1), 0);
    device.bits[SIM_SLOT_1_AT + 4096 + 110] ^= 1; /* of the signature */
    check(boots(0, MOULT_RESET_SOFTWARE));
    check(device.port.boot.is_fallback);
}

static void test_a_revoked_key_starts_nothing_any_more(void)
{
    check(make_secure());
    check(boots(0, MOULT_RESET_POWER_ON));
    check_equal(moult_sim_switch_burn(&device.chip, MOULT_SIM_REVOKE_0), MOULT_OK);
    check(boots(1, MOULT_RESET_POWER_ON)); /* the other slot is by the other key */
    check_equal(moult_sim_verify(&device.port.boot, 0, NULL), MOULT_E_REFUSED);
    check_equal(moult_sim_switch_burn(&device.chip, MOULT_SIM_REVOKE_0 + 1), MOULT_OK);
    check_equal(sim_device_boot(&device, MOULT_RESET_POWER_ON), MOULT_E_NOENT);
}

/* A signature sector that an older, signed image left behind an unsigned copy of it. */
static void test_a_stale_signature_signs_its_own_bytes_again(void)
{
    check(make_secure());
    check(boots(0, MOULT_RESET_POWER_ON));
    uint8_t sector[4096];
    memcpy(sector, device.bits + SIM_SLOT_1_AT + 4096, sizeof sector);
    sim_device_put_image(&device, 1, "1.1.0", 0); /* the same, without */
    check_equal(moult_sim_verify(&device.port.boot, 1, NULL), MOULT_E_SIGNATURE);
    memcpy(device.bits + SIM_SLOT_1_AT + 4096, sector, sizeof sector);
    check_equal(moult_sim_verify(&device.port.boot, 1, NULL), MOULT_OK);
    sim_device_put_image(&device, 1, "1.2.0", 0);
    memcpy(device.bits + SIM_SLOT_1_AT + 4096, sector, sizeof sector);
    check_equal(moult_sim_verify(&device.port.boot, 1, NULL), MOULT_E_SIGNATURE);
}

static void test_an_image_that_fills_its_slot_has_no_room_for_a_signature(void)
{
    check(make_secure());
    check(boots(0, MOULT_RESET_POWER_ON));
    struct moult_partition *row = NULL;
    for (uint32_t i = 0; i < device.port.boot.table.count; i++) {
        if (device.port.boot.table.rows[i].offset == SIM_SLOT_1_AT) {
            row = &device.port.boot.table.rows[i];
        }
    }
    check(row != NULL);
    row->size = 4096;
    check_equal(moult_sim_verify(&device.port.boot, 1, NULL), MOULT_E_SIGNATURE);
}

static void test_the_application_cannot_write_what_runs_or_the_table(void)
{
    check(make_updated());
    const struct moult_sim_flash *flash = &device.chip.flash;
    check(flash->protected.offset == SIM_SLOT_0_AT &&
          flash->protected.size == SIM_SLOT_SIZE);
    for (uint32_t i = 0; i < flash->allowed_count; i++) {
        check(flash->allowed[i].offset >= SIM_NVS_AT);
        check(flash->allowed[i].offset != SIM_SLOT_0_AT);
    }
}

/* --- The power-cut table of docs/design/otadata.md: one erase, eight words, nine cuts --
 */

enum act { SET_BOOT, FIRST_BOOT, MARK_VALID, MARK_INVALID, BOOT_WHILE_PENDING };

/* Bring the device to where the act begins. */
static bool prepare(enum act act)
{
    if (!make_updated()) { return false; }
    if (act == SET_BOOT) { return true; }
    if (moult_sim_set_boot(&device.port.boot, 1) != 0) { return false; }
    return act == FIRST_BOOT || boots(1, MOULT_RESET_SOFTWARE);
}

static void perform(enum act act)
{
    struct moult_sim_boot *boot = &device.port.boot;
    int32_t result = 0;
    switch (act) {
    case SET_BOOT:
        result = moult_sim_set_boot(boot, 1);
        break;
    case MARK_VALID:
        result = moult_sim_mark_valid(boot);
        break;
    case MARK_INVALID:
        result = moult_sim_mark_invalid(boot);
        break;
    case FIRST_BOOT:
    case BOOT_WHILE_PENDING: {
        enum moult_status st =
            moult_sim_boot(boot, &device.chip, &device.crypto, &device.build, 1, false);
        result = st == MOULT_OK ? 0 : -1;
        break;
    }
    }
    if (result == 0) { abort(); } /* the cut must have come */
}

/* Cut 0 comes before the erase, 1 before the program, 2..8 tear it behind 1..7 words. */
static struct moult_sim_plan plan_of_cut(uint32_t cut)
{
    uint64_t first = device.chip.flash.operation_count + 1;
    if (cut == 0) {
        return (struct moult_sim_plan){.fault = MOULT_SIM_CUT_BEFORE, .at = first};
    }
    if (cut == 1) {
        return (struct moult_sim_plan){.fault = MOULT_SIM_CUT_BEFORE, .at = first + 1};
    }
    return (struct moult_sim_plan){
        .fault = MOULT_SIM_CUT_TORN, .at = first + 1, .torn_size = 4 * (cut - 1)};
}

static void test_what_boots_after_each_cut_of_an_otadata_update(void)
{
    static const struct {
        const char *name;
        enum act act;
        int after_first_cut, after_others; /* slot that boots */
    } rows[] = {
        {"set boot", SET_BOOT, 0, 0},
        {"first boot: the activation is silently lost", FIRST_BOOT, 1, 0},
        {"mark valid: a good image is reverted", MARK_VALID, 0, 0},
        {"mark invalid", MARK_INVALID, 0, 0},
        {"reset while pending", BOOT_WHILE_PENDING, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].name);
        for (uint32_t cut = 0; cut < 9; cut++) {
            check(prepare(rows[i].act));
            device.chip.flash.plans[0] = plan_of_cut(cut);
            perform(rows[i].act);
            check(device.chip.flash.is_off);
            check(boots(cut == 0 ? rows[i].after_first_cut : rows[i].after_others, 1));
            check(boots(device.port.boot.booted == 1 ? 0 : device.port.boot.booted, 1));
        }
    }
    check_row(NULL);
}

int main(void)
{
    check_run(test_a_fresh_device_boots_slot_0_and_stamps_it_valid);
    check_run(test_an_update_is_tried_and_confirmed);
    check_run(test_any_reset_during_a_trial_returns_to_the_old_image);
    check_run(test_a_wake_that_skips_validation_goes_on_with_the_trial);
    check_run(test_a_wake_without_rtc_memory_is_an_ordinary_boot);
    check_run(test_a_factory_app_is_the_start_and_the_last_resort);
    check_run(test_an_image_may_give_itself_up);
    check_run(test_the_only_image_that_boots_cannot_give_itself_up);
    check_run(test_an_image_that_does_not_verify_is_not_selected);
    check_run(test_an_image_for_another_chip_does_not_boot);
    check_run(test_a_damaged_image_is_passed_over_and_otadata_left_wrong);
    check_run(test_nothing_boots_without_table_or_image);
    check_run(test_looking_writes_nothing);
    check_run(test_anti_rollback_burns_at_confirm_and_refuses_older_images);
    check_run(test_secure_boot_starts_what_its_keys_have_signed);
    check_run(test_secure_boot_passes_over_what_is_not_signed);
    check_run(test_a_revoked_key_starts_nothing_any_more);
    check_run(test_a_stale_signature_signs_its_own_bytes_again);
    check_run(test_an_image_that_fills_its_slot_has_no_room_for_a_signature);
    check_run(test_the_application_cannot_write_what_runs_or_the_table);
    check_run(test_what_boots_after_each_cut_of_an_otadata_update);
    keys_sb_key_free(sb_keys[0]);
    keys_sb_key_free(sb_keys[1]);
    return check_report();
}
