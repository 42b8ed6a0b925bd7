/* secure_boot_test.c - device/src/: an update of a chip with Secure Boot V2 and
 * anti-rollback: what the bootloader would refuse is refused before the slot is armed, and
 * eFuses are burnt after the image has proved itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "formats/codes.h"
#include "keys/sb_signer.h"
#include "tests/support/check.h"
#include "tests/support/update_world.h"

static struct world w, fresh;
static struct keys_sb_key *keys[3]; /* 0 and 1 in eFuses, RSA and P-256; 2 is not */

static void must(bool claim)
{
    if (!claim) { abort(); }
}

static void sign(struct world_image *image, unsigned key)
{
    const struct keys_sb_key *signers[] = {keys[key]};
    struct keys_sb_image out = {image->data, image->size, sizeof image->data};
    must(keys_sb_sign_image(&out, signers, 1, &w.device.crypto) == MOULT_OK);
    image->size = out.size;
    must(moult_sha256_once(&w.device.crypto, image->data, image->size, image->digest) ==
         MOULT_OK);
}

static void enable(void)
{
    uint8_t digest[32];
    struct moult_sim_chip *chip = &w.device.chip;
    for (unsigned i = 0; i < 2; i++) {
        must(keys_sb_key_digest(keys[i], &w.device.crypto, digest) == MOULT_OK);
        must(moult_sim_key_burn(chip, i, digest) == MOULT_OK);
    }
    must(moult_sim_switch_burn(chip, MOULT_SIM_SECURE_BOOT) == MOULT_OK);
}

/* The old image runs, signed with key 0. */
static void begin(void)
{
    world_copy(&w, &fresh);
    enable();
    sign(&w.old, 0);
    world_put(&w, 0, &w.old);
}

static void offer(unsigned key)
{
    sign(&w.new, key);
    world_offer(&w, &w.new);
}

static void test_a_signed_update_goes_through_with_either_scheme(void)
{
    for (unsigned key = 0; key < 2; key++) {
        begin();
        offer(key);
        check(world_boot(&w, MOULT_RESET_POWER_ON));
        check(world_settle(&w));
        check(world_runs(&w, &w.new));
        check_equal(world_count(&w, MOULT_REPORT_CONFIRMED), 1);
        check_equal(world_count(&w, MOULT_REPORT_FAILED), 0);
    }
}

static void unsigned_at_all(void)
{
    begin();
}

static void by_an_unknown_key(void)
{
    begin();
    offer(2);
}

static void with_a_wrong_signature(void)
{
    begin();
    sign(&w.new, 1);
    struct moult_bytes bytes = {w.new.data, w.new.size};
    uint32_t sector = w.new.size - 4096;
    uint8_t digest[32], raw[MOULT_SB_BLOCK_SIZE], zero[64] = {1};
    struct moult_reader reader = moult_reader_of_bytes(&bytes);
    struct moult_sb_block block;
    must(moult_sb_block_read(&reader, sector, 0, &w.device.crypto, &block, NULL) ==
         MOULT_OK);
    must(moult_sha256_once(&w.device.crypto, w.new.data, sector, digest) == MOULT_OK);
    moult_sb_block_encode_p256(digest, block.public_key, zero, raw);
    memcpy(w.new.data + sector, raw, sizeof raw);
    must(moult_sha256_once(&w.device.crypto, w.new.data, w.new.size, w.new.digest) ==
         MOULT_OK);
    world_offer(&w, &w.new);
}

static void by_a_revoked_key(void)
{
    begin();
    offer(1);
    must(moult_sim_switch_burn(&w.device.chip, MOULT_SIM_REVOKE_0 + 1) == MOULT_OK);
}

static void test_what_the_bootloader_would_refuse_is_never_armed(void)
{
    static const struct world_refusal rows[] = {
        {"unsigned", unsigned_at_all, MOULT_D_SECURE_BOOT, MOULT_REPORT_FAILED, true},
        {"unknown key", by_an_unknown_key, MOULT_D_SECURE_BOOT, MOULT_REPORT_FAILED, true},
        {"bad signature", with_a_wrong_signature, MOULT_D_SECURE_BOOT, MOULT_REPORT_FAILED,
         true},
        {"revoked", by_a_revoked_key, MOULT_D_SBV2_REVOKED, MOULT_REPORT_FAILED, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].name);
        check(world_refuses(&w, &rows[i]));
        check(world_runs(&w, &w.old));
        check(!world_slot_boots(&w, 1));
        struct moult_boot_info info;
        check_equal(w.port.boot_info(w.port.context, &info), 0);
        check_equal(info.selected, 0);
    }
    check_row(NULL);
}

/* A key that is revoked while the image waits: the boot slot is not set, nothing loops. */
static void revoke_now(struct world *world)
{
    if (moult_sim_switch_burn(&world->device.chip, MOULT_SIM_REVOKE_0 + 1) != MOULT_OK) {
        abort();
    }
}

static void test_a_key_revoked_behind_the_check_is_found_by_set_boot(void)
{
    begin();
    offer(1);
    w.hook_state = "ARM";
    w.hook = revoke_now;
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    check(world_hears(&w, MOULT_D_SET_BOOT));
    check(world_runs(&w, &w.old));
    check(!world_slot_boots(&w, 1));
}

/* --- Step 17 ------------------------------------------------------------------------- */

/* Version 1.1.0 has secure_version 3; the product raises it. */
static void begin_raising(void)
{
    world_copy(&w, &fresh);
    w.device.build.has_anti_rollback = true;
    world_image(&w, &w.new,
                &(struct world_image_options){
                    .sequence = 2, .version = "1.1.0", .secure_version = 3});
    world_offer(&w, &w.new);
    w.release.components[0].secure_version = 3;
    world_sign_release(&w, 0);
}

static uint32_t burnt(void)
{
    uint32_t version = 99;
    must(moult_sim_efuse_read(&w.device.chip, &version) == MOULT_OK);
    return version;
}

static void expect_nothing_burnt(struct world *world)
{
    (void)world;
    must(burnt() == 0);
}

static void test_secure_version_is_burnt_after_the_confirm_and_not_before(void)
{
    begin_raising();
    w.hook_state = "CONFIRM";
    w.hook = expect_nothing_burnt;
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check_equal(burnt(), 3);
    check(!world_report_with(&w, MOULT_D_EFUSE));
}

static void test_a_burn_that_does_not_happen_is_told_and_the_image_stays(void)
{
    static const enum moult_sim_defect_kind kinds[] = {MOULT_SIM_BAD_BURN,
                                                       MOULT_SIM_DEAD_BURN};
    for (size_t i = 0; i < 2; i++) {
        begin_raising();
        w.device.chip.flash.defects[0].kind = kinds[i];
        check(world_boot(&w, MOULT_RESET_POWER_ON));
        check(world_hears(&w, MOULT_D_EFUSE));
        check(world_settle(&w));
        check(world_runs(&w, &w.new));
        check_equal(world_count(&w, MOULT_REPORT_CONFIRMED), 1);
        check_equal(world_report_with(&w, MOULT_D_EFUSE)->kind, MOULT_REPORT_EVENT);
        check_equal(burnt(), 0);
    }
}

/* F12 in a whole update: any subset of the three bits, at any operation of the confirm. The
 * image stays, and where a hole keeps the floor short the server hears of it. */
static void test_a_burn_that_is_cut_never_costs_the_image(void)
{
    unsigned holes = 0, runs = 0;
    begin_raising();
    check(world_boot(&w, MOULT_RESET_POWER_ON) && world_until(&w, "CONFIRM"));
    uint64_t first = w.device.chip.flash.operation_count;
    begin_raising();
    check(world_boot(&w, MOULT_RESET_POWER_ON) && world_settle(&w));
    uint64_t last = w.device.chip.flash.operation_count;
    check(last > first && last - first < 100);
    for (uint64_t at = first + 1; at <= last; at++) {
        for (uint64_t subset = 0; subset < 8; subset++) {
            begin_raising();
            w.device.chip.flash.plans[0] = (struct moult_sim_plan){
                .fault = MOULT_SIM_CUT_MIXED, .at = at, .seed = subset};
            check(world_boot(&w, MOULT_RESET_POWER_ON));
            check(!world_settle(&w) && w.device.chip.flash.is_off);
            check(world_boot(&w, MOULT_RESET_POWER_ON));
            check(world_settle(&w));
            check(world_runs(&w, &w.new));
            check_equal(world_count(&w, MOULT_REPORT_CONFIRMED), 1);
            check((burnt() < 3) == (world_report_with(&w, MOULT_D_EFUSE) != NULL));
            holes += burnt() < 3;
            runs++;
        }
    }
    check(holes > 0);
    printf("  %u cuts of the confirm, %u left a hole in secure_version\n", runs, holes);
}

int main(void)
{
    world_make(&fresh);
    for (unsigned i = 0; i < 3; i++) {
        must(keys_sb_key_make(i == 0 ? MOULT_SB_RSA3072 : MOULT_SB_P256, &keys[i]) ==
             MOULT_OK);
    }
    check_run(test_a_signed_update_goes_through_with_either_scheme);
    check_run(test_what_the_bootloader_would_refuse_is_never_armed);
    check_run(test_a_key_revoked_behind_the_check_is_found_by_set_boot);
    check_run(test_secure_version_is_burnt_after_the_confirm_and_not_before);
    check_run(test_a_burn_that_does_not_happen_is_told_and_the_image_stays);
    check_run(test_a_burn_that_is_cut_never_costs_the_image);
    for (unsigned i = 0; i < 3; i++) {
        keys_sb_key_free(keys[i]);
    }
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
