/* damage_test.c - device/src/: steps 11 to 16 of the verification order, provoked to say
 * no.
 *
 * Each row breaks one thing. The device must name it by its code, keep the old image
 * running and leave a target slot that no bootloader accepts. `fetches` says whether the
 * artifact may have been asked for: what can be known before the download is refused before
 * it.
 */
#include <string.h>
#include "formats/codes.h"
#include "tests/support/check.h"
#include "tests/support/update_world.h"

static struct world w, fresh;

enum { FAILED = MOULT_REPORT_FAILED };

/* --- steps 11 and 12: transfer and flash --- */

static void plan_cannot_be_stored(void)
{
    w.kv_fails = "plan";
}

static void marks_cannot_be_stored(void)
{
    w.kv_fails = "mark";
}

static void flash_does_not_erase(void)
{
    w.erase_fails = 100;
}

static void flash_does_not_write(void)
{
    w.write_fails = 100;
}

static void flash_forgets_writes(void)
{
    w.write_noops = 100;
}

static void transfer_is(enum world_transfer how, uint32_t at)
{
    w.transfer = how;
    w.transfer_at = at;
    w.config.backoff_max_ms = w.config.backoff_first_ms = 100;
    w.config.transfer_tries_max = 3;
}

static void wrong_total(void)
{
    transfer_is(WORLD_WRONG_TOTAL, 0);
}

static void wrong_length(void)
{
    transfer_is(WORLD_WRONG_LENGTH, 0);
}

static void too_long(void)
{
    transfer_is(WORLD_TOO_LONG, 0);
}

static void unsatisfiable(void)
{
    transfer_is(WORLD_STATUS, 416);
}

static void wrong_range(void)
{
    transfer_is(WORLD_WRONG_RANGE, 0);
}

static void redirected(void)
{
    transfer_is(WORLD_STATUS, 302);
}

static void not_found(void)
{
    transfer_is(WORLD_STATUS, 404);
}

static void always_unavailable(void)
{
    transfer_is(WORLD_STATUS, 503);
}

static void connection_refused(void)
{
    transfer_is(WORLD_REFUSE, 0);
}

static void always_cut(void)
{
    transfer_is(WORLD_CUT, 4000); /* less than a sector: no progress */
}

static void always_short(void)
{
    transfer_is(WORLD_SHORT, 4000);
}

static void dribbling(void)
{
    transfer_is(WORLD_DRIBBLE, 0);
    w.config.http_timeout_ms = 60000;
}

static void slower_than_the_deadline(void)
{
    w.config.transfer_deadline_s = 3;
    w.config.rate_min_bps = 1;
    w.transfer = WORLD_CUT;
    w.transfer_at = 4200; /* a sector each time */
    w.config.backoff_first_ms = w.config.backoff_max_ms = 2000;
}

static void flipped_bit(void)
{
    transfer_is(WORLD_FLIPPED, 0);
}

/* --- step 13: what flash holds --- */

static void flip_a_bit(struct world *world)
{
    world->device.bits[SIM_SLOT_1_AT + 6000] ^= 4;
}

static void bit_rots_before_verification(void)
{
    w.hook_state = "VERIFY";
    w.hook = flip_a_bit;
}

static void leave_something_behind(struct world *world)
{
    world->device.bits[SIM_SLOT_1_AT + world->new.size + 2000] = 0;
}

static void something_behind_the_image(void)
{
    w.hook_state = "VERIFY";
    w.hook = leave_something_behind;
}

/* --- step 14: signed, but not what it says --- */

static void offer_spoiled(uint32_t at, uint8_t value)
{
    w.new.data[at] = value;
    if (moult_sha256_once(&w.fleet.crypto, w.new.data, w.new.size, w.new.digest) !=
        MOULT_OK) {
        return;
    }
    world_offer(&w, &w.new);
}

static void signed_image_without_magic(void)
{
    offer_spoiled(0, 0xe8);
}

static void signed_image_with_bad_checksum(void)
{
    offer_spoiled(5000, (uint8_t)(w.new.data[5000] ^ 1));
}

static void offer_made(const struct world_image_options *options)
{
    world_image(&w, &w.new, options);
    world_offer(&w, &w.new);
}

static void signed_image_of_another_chip(void)
{
    offer_spoiled(12, 9);
}

static void signed_image_of_another_secure_version(void)
{
    offer_made(&(struct world_image_options){
        .sequence = 2, .version = "1.1.0", .secure_version = 1});
}

static void signed_image_without_record(void)
{
    offer_made(&(struct world_image_options){
        .sequence = 2, .version = "1.1.0", .without_record = true});
}

static void signed_image_of_another_class(void)
{
    offer_made(
        &(struct world_image_options){.sequence = 2,
                                      .version = "1.1.0",
                                      .class_id = (const uint8_t *)"some-other-class"});
}

static void signed_image_of_another_version(void)
{
    offer_made(&(struct world_image_options){.sequence = 2, .version = "9.9.9"});
}

/* --- steps 15 and 16 --- */

static void swap_the_stored_release(struct world *world)
{
    uint8_t frame[1200];
    size_t size = 0;
    struct moult_port *port = &world->port;
    if (port->kv_get(port->context, "release.0", frame, sizeof frame, &size) != 0) {
        return;
    }
    frame[60] ^= 1;
    if (port->kv_set(port->context, "release.0", frame, size) != 0) { return; }
}

static void stored_release_changes(void)
{
    w.hook_state = "RECHECK";
    w.hook = swap_the_stored_release;
}

static void change_the_plan(struct world *world)
{
    world->session.plan.digest[31] ^= 0x80;
}

static void plan_changes_in_ram(void)
{
    w.hook_state = "RECHECK";
    w.hook = change_the_plan;
}

static void revoke_the_stored_order(struct world *world)
{
    memset(world->session.config.device_id, 0, 16);
}

static void stored_order_is_for_another_device(void)
{
    w.hook_state = "RECHECK";
    w.hook = revoke_the_stored_order;
}

static void boot_slot_cannot_be_set(void)
{
    w.set_boot_error = 0x1503;
}

static const struct world_refusal rows[] = {
    {"plan not stored", plan_cannot_be_stored, MOULT_D_PLAN_WRITE, FAILED, false},
    {"marks not stored", marks_cannot_be_stored, MOULT_D_PLAN_WRITE, FAILED, false},
    {"no erase", flash_does_not_erase, MOULT_D_ERASE, FAILED, false},
    {"no write", flash_does_not_write, MOULT_D_FLASH_WRITE, FAILED, true},
    {"forgets writes", flash_forgets_writes, MOULT_D_FLASH_WRITE, FAILED, true},
    {"wrong total", wrong_total, MOULT_D_XFER_SIZE, FAILED, true},
    {"wrong length", wrong_length, MOULT_D_XFER_SIZE, FAILED, true},
    {"too long", too_long, MOULT_D_XFER_SIZE, FAILED, true},
    {"416", unsatisfiable, MOULT_D_XFER_SIZE, FAILED, true},
    {"wrong range", wrong_range, MOULT_D_HTTP, FAILED, true},
    {"redirected", redirected, MOULT_D_REDIRECT, FAILED, true},
    {"404", not_found, MOULT_D_HTTP, FAILED, true},
    {"503 for ever", always_unavailable, MOULT_D_HTTP, FAILED, true},
    {"connection refused", connection_refused, MOULT_D_NET, FAILED, true},
    {"always cut", always_cut, MOULT_D_NET, FAILED, true},
    {"always short", always_short, MOULT_D_NET, FAILED, true},
    {"dribbling", dribbling, MOULT_D_XFER_SLOW, FAILED, true},
    {"transfer deadline", slower_than_the_deadline, MOULT_D_XFER_DEADLINE, FAILED, true},
    {"flipped bit", flipped_bit, MOULT_D_XFER_DIGEST, FAILED, true},
    {"rotten bit", bit_rots_before_verification, MOULT_D_RESULT_DIGEST, FAILED, true},
    {"something behind", something_behind_the_image, MOULT_D_TAIL, FAILED, true},
    {"no magic", signed_image_without_magic, MOULT_D_IMAGE_HEADER, FAILED, true},
    {"bad checksum", signed_image_with_bad_checksum, MOULT_D_IMAGE_HEADER, FAILED, true},
    {"image chip", signed_image_of_another_chip, MOULT_D_IMAGE_CHIP, FAILED, true},
    {"image secver", signed_image_of_another_secure_version, MOULT_D_IMAGE_SECVER, FAILED,
     true},
    {"no record", signed_image_without_record, MOULT_D_IMAGE_INFO, FAILED, true},
    {"image class", signed_image_of_another_class, MOULT_D_IMAGE_INFO, FAILED, true},
    {"image version", signed_image_of_another_version, MOULT_D_IMAGE_INFO, FAILED, true},
    {"stored release changes", stored_release_changes, MOULT_D_RECHECK, FAILED, true},
    {"plan changes in RAM", plan_changes_in_ram, MOULT_D_RECHECK, FAILED, true},
    {"stored order", stored_order_is_for_another_device, MOULT_D_RECHECK, FAILED, true},
    {"boot slot", boot_slot_cannot_be_set, MOULT_D_SET_BOOT, FAILED, true},
};

static void test_each_refusal_has_its_code_and_leaves_the_old_image(void)
{
    unsigned failures = 0;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        world_copy(&w, &fresh);
        failures += !world_refuses(&w, &rows[i]);
    }
    check_equal(failures, 0);
}

int main(void)
{
    world_make(&fresh);
    fresh.keeps_offering = true;
    check_run(test_each_refusal_has_its_code_and_leaves_the_old_image);
    fresh.keeps_offering = false;
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
