/* boot.c - promises of boot control.
 *
 * The image that runs is copied to the free slot and started there: what runs must boot, so
 * no other image is needed. note[0]: the slot that ran at first; note[1]: the other one.
 */
#include <stdio.h>
#include "formats/esp_image.h"
#include "formats/secure_boot.h"
#include "tests/conformance/promise.h"

enum { SECTOR = MOULT_SECTOR_SIZE, STABLE_READS = 3 };

/* --- A copy of what runs -------------------------------------------------------------- */

static int32_t read_running(struct conform *c, uint32_t running, uint32_t offset,
                            uint8_t *out, size_t size)
{
    if (c->port.running_read) {
        return c->port.running_read(c->port.context, offset, out, size);
    }
    return c->port.flash_read(c->port.context, running, offset, out, size);
}

struct running {
    struct conform *c;
    uint32_t slot;
};

static enum moult_status read_image(void *context, uint32_t offset, uint8_t *out,
                                    uint32_t size)
{
    struct running *r = context;
    return read_running(r->c, r->slot, offset, out, size) == 0 ? MOULT_OK : MOULT_E_IO;
}

/* 0: noted. */
static uint32_t running_size(struct conform *c, uint32_t slot)
{
    struct running running = {c, slot};
    struct moult_reader reader = {&running, read_image, c->port.slot_size};
    struct moult_esp_image image;
    struct moult_sb_block block;
    uint8_t digest[32];
    uint32_t size = 0;
    if (c->fixture->image_size) { return c->fixture->image_size; }
    if (moult_esp_image_parse(&reader, &image, NULL) != MOULT_OK ||
        moult_esp_image_measure(&reader, c->real->crypto, &image, &size, digest) !=
            MOULT_OK) {
        (void)conform_broken(c, "expected an ESP image in the running slot, found "
                                "something else"); /* the caller returns it */
        return 0;
    }
    uint32_t sector = moult_sb_sector_offset(size);
    if (moult_sb_block_read(&reader, sector, 0, c->real->crypto, &block, NULL) ==
        MOULT_OK) {
        size = sector + MOULT_SB_SECTOR_SIZE;
    }
    return size;
}

/* The image that runs, into `to`, with one bit of its middle flipped if asked. Written as
 * the engine does, whole sectors at a time. */
static bool copy_running(struct conform *c, uint32_t from, uint32_t to, bool is_spoiled)
{
    uint32_t size = running_size(c, from);
    if (size == 0) { return false; }
    for (uint32_t at = 0; at < size; at += SECTOR) {
        int32_t result = read_running(c, from, at, c->a, SECTOR);
        if (is_spoiled && size / 2 >= at && size / 2 < at + SECTOR) {
            c->a[size / 2 - at] ^= 0x10;
        }
        if (result == 0) { result = c->port.flash_erase(c->port.context, to, at); }
        if (result == 0) {
            result = c->port.flash_write(c->port.context, to, at, c->a, SECTOR);
        }
        if (!conform_equal(c, result, 0, "copying the running image to a free slot")) {
            return false;
        }
    }
    return true;
}

static int32_t set_boot(struct conform *c, uint32_t slot)
{
    return c->real->set_boot(c->real->context, slot);
}

/* --- Looking -------------------------------------------------------------------------- */

static bool boots(struct conform *c, uint32_t running, uint32_t selected, const char *when)
{
    struct moult_boot_info info = {0};
    char words[96];
    int32_t result = c->port.boot_info(c->port.context, &info);
    if (!conform_equal(c, result, 0, "the result of boot_info")) { return false; }
    (void)snprintf(words, sizeof words, "the running slot %s", when); /* may be cut */
    if (!conform_equal(c, info.running, running, words)) { return false; }
    (void)snprintf(words, sizeof words, "the selected slot %s", when); /* may be cut */
    return conform_equal(c, info.selected, selected, words);
}

static bool has_state(struct conform *c, uint32_t slot, enum moult_slot_state state,
                      const char *when)
{
    char words[96];
    enum moult_slot_state found = MOULT_SLOT_NO_ENTRY;
    int32_t result = c->port.slot_state(c->port.context, slot, &found);
    (void)snprintf(words, sizeof words, "slot_state %s", when); /* may be cut */
    return conform_equal(c, result, 0, "the result of slot_state") &&
           conform_equal(c, found, state, words);
}

static enum conform_verdict info(struct conform *c)
{
    struct moult_boot_info found = {0xee, 0xee, 0xee, 0xee};
    if (c->phase == 0) {
        EXPECT_EQUAL(c->port.boot_info(c->port.context, &found), 0, "boot_info");
        EXPECT(found.running < c->port.slot_count || found.running == MOULT_SLOT_NONE,
               "running below slot_count, or 0xff", "another");
        EXPECT(found.selected < c->port.slot_count || found.selected == MOULT_SLOT_NONE,
               "selected below slot_count, or 0xff", "another");
        EXPECT(found.state <= MOULT_SLOT_NO_ENTRY, "a state of enum moult_slot_state",
               "another");
        EXPECT(found.selected == found.running || found.state == MOULT_SLOT_NO_ENTRY,
               "a fresh device to run what is selected", "another slot");
        return CONFORM_RESTART;
    }
    EXPECT_EQUAL(c->port.boot_info(c->port.context, &found), 0, "boot_info");
    EXPECT_EQUAL(found.reset, MOULT_RESET_SOFTWARE, "reset after a restart by software");
    return CONFORM_KEPT;
}

static enum conform_verdict never_selected_has_no_entry(struct conform *c)
{
    uint32_t slot, running;
    enum moult_slot_state state;
    EXPECT_DONE(conform_slots(c, &slot, &running));
    if (c->port.slot_state(c->port.context, c->port.slot_count, &state) == 0) {
        EXPECT_EQUAL(state, MOULT_SLOT_NO_ENTRY,
                     "slot_state of a slot that does not exist");
    }
    EXPECT_EQUAL(c->port.slot_state(c->port.context, slot, &state), 0, "slot_state");
    EXPECT(state <= MOULT_SLOT_NO_ENTRY, "a state of enum moult_slot_state", "another");
    return CONFORM_KEPT;
}

/* --- Selecting ------------------------------------------------------------------------ */

static enum conform_verdict verifies(struct conform *c)
{
    uint32_t slot, running;
    struct moult_boot_info before = {0};
    EXPECT_DONE(conform_slots(c, &slot, &running));
    EXPECT_EQUAL(c->port.boot_info(c->port.context, &before), 0, "boot_info");
    EXPECT_EQUAL(c->port.flash_erase(c->port.context, slot, 0), 0, "flash_erase");
    EXPECT(set_boot(c, slot) != 0, "set_boot of an erased slot refused", "0");
    EXPECT_DONE(copy_running(c, running, slot, true));
    EXPECT(set_boot(c, slot) != 0, "set_boot of an image with a flipped bit refused", "0");
    EXPECT(set_boot(c, c->port.slot_count) != 0,
           "set_boot of a slot that does not exist refused", "0");
    EXPECT_DONE(boots(c, running, before.selected, "after set_boot was refused"));
    EXPECT_DONE(copy_running(c, running, slot, false)); /* else a refusal says nothing */
    EXPECT_EQUAL(set_boot(c, slot), 0, "set_boot of a good image");
    return CONFORM_KEPT;
}

/* Phase 0 of the trials: the copy is selected. */
static enum conform_verdict select_copy(struct conform *c)
{
    EXPECT_DONE(conform_slots(c, &c->progress.note[1], &c->progress.note[0]));
    NEEDS(c->progress.note[0] != MOULT_SLOT_NONE, "a factory app runs: start from a slot");
    EXPECT_DONE(copy_running(c, c->progress.note[0], c->progress.note[1], false));
    EXPECT_EQUAL(set_boot(c, c->progress.note[1]), 0, "set_boot of a good image");
    return CONFORM_RESTART;
}

static enum conform_verdict selects(struct conform *c)
{
    if (c->phase == 0) {
        enum conform_verdict verdict = select_copy(c);
        if (verdict != CONFORM_RESTART) { return verdict; }
        EXPECT(!c->fixture->reboot_asked || !c->fixture->reboot_asked(c->fixture->context),
               "set_boot not to reboot", "that it did");
        EXPECT_DONE(boots(c, c->progress.note[0], c->progress.note[1], "after set_boot"));
        EXPECT_DONE(has_state(c, c->progress.note[1], MOULT_SLOT_NEW,
                              "after set_boot (NEW; build with rollback)"));
        return CONFORM_RESTART;
    }
    EXPECT_DONE(boots(c, c->progress.note[1], c->progress.note[1], "after the reset"));
    EXPECT_DONE(has_state(c, c->progress.note[1], MOULT_SLOT_PENDING,
                          "in the first boot (PENDING; build with rollback)"));
    return CONFORM_KEPT;
}

static enum conform_verdict unconfirmed_goes_back(struct conform *c)
{
    if (c->phase == 0) { return select_copy(c); }
    if (c->phase == 1) {
        EXPECT_DONE(boots(c, c->progress.note[1], c->progress.note[1], "on trial"));
        return CONFORM_RESTART;
    }
    struct moult_boot_info found = {0};
    EXPECT_EQUAL(c->port.boot_info(c->port.context, &found), 0, "boot_info");
    EXPECT_EQUAL(found.running, c->progress.note[0],
                 "the running slot after a reset on trial");
    EXPECT_DONE(has_state(c, c->progress.note[1], MOULT_SLOT_ABORTED,
                          "of the slot that was reset on trial (ABORTED)"));
    return CONFORM_KEPT;
}

static enum conform_verdict marks_valid(struct conform *c)
{
    if (c->phase == 0) { return select_copy(c); }
    if (c->phase == 1) {
        EXPECT_EQUAL(c->port.mark_valid(c->port.context), 0, "mark_valid on trial");
        EXPECT_DONE(has_state(c, c->progress.note[1], MOULT_SLOT_VALID,
                              "after mark_valid (VALID)"));
        EXPECT_EQUAL(c->port.mark_valid(c->port.context), 0, "mark_valid once more");
        return CONFORM_RESTART;
    }
    EXPECT_DONE(boots(c, c->progress.note[1], c->progress.note[1], "once confirmed"));
    EXPECT_DONE(
        has_state(c, c->progress.note[1], MOULT_SLOT_VALID, "after a reset (VALID)"));
    return c->phase < 3 ? CONFORM_RESTART : CONFORM_KEPT;
}

static enum conform_verdict marks_invalid(struct conform *c)
{
    if (c->phase == 0) { return select_copy(c); }
    if (c->phase == 1) {
        EXPECT_DONE(boots(c, c->progress.note[1], c->progress.note[1], "on trial"));
        EXPECT_EQUAL(c->real->mark_invalid_and_reboot(c->real->context), 0,
                     "mark_invalid_and_reboot on trial");
        EXPECT(!c->fixture->reboot_asked || c->fixture->reboot_asked(c->fixture->context),
               "mark_invalid_and_reboot to ask for a reset", "that it did not");
        return CONFORM_RESTART;
    }
    struct moult_boot_info found = {0};
    EXPECT_EQUAL(c->port.boot_info(c->port.context, &found), 0, "boot_info");
    EXPECT_EQUAL(found.running, c->progress.note[0],
                 "the running slot after mark_invalid_and_reboot");
    EXPECT_DONE(has_state(c, c->progress.note[1], MOULT_SLOT_INVALID,
                          "of the slot that gave itself up (INVALID)"));
    return CONFORM_KEPT;
}

static enum conform_verdict reboots(struct conform *c)
{
    if (c->phase == 0) {
        c->real->reboot(c->real->context); /* a chip is gone here */
        NEEDS(c->fixture->reboot_asked, "reboot returned, and the fixture cannot tell");
        EXPECT(c->fixture->reboot_asked(c->fixture->context), "reboot to ask for a reset",
               "that it did not");
        return CONFORM_RESTART;
    }
    return CONFORM_KEPT;
}

/* A cut anywhere in set_boot: the old image boots, or the new one, never nothing. */
static enum conform_verdict cut_set_boot_leaves_a_boot(struct conform *c)
{
    NEEDS(c->fixture->cut, "the fixture cannot cut power");
    struct moult_boot_info found = {0};
    if (c->phase == 0) {
        EXPECT_DONE(conform_slots(c, &c->progress.note[1], &c->progress.note[0]));
        NEEDS(c->progress.note[0] != MOULT_SLOT_NONE,
              "a factory app runs: start from a slot");
        EXPECT_DONE(copy_running(c, c->progress.note[0], c->progress.note[1], false));
    }
    EXPECT_EQUAL(c->port.boot_info(c->port.context, &found), 0, "boot_info");
    EXPECT(found.running == c->progress.note[0] || found.running == c->progress.note[1],
           "one of the two images to boot after a cut", "another");
    if (found.state == MOULT_SLOT_PENDING) {
        EXPECT_EQUAL(c->port.mark_valid(c->port.context), 0, "mark_valid after a cut");
    }
    uint32_t other =
        found.running == c->progress.note[0] ? c->progress.note[1] : c->progress.note[0];
    conform_arm(c, c->phase);
    c->how = MOULT_RESET_POWER_ON;
    return set_boot(c, other) == 0 ? CONFORM_KEPT
                                   : CONFORM_RESTART; /* 0: it came too late */
}

/* --- Optional facts ------------------------------------------------------------------- */

static enum conform_verdict table_digest(struct conform *c)
{
    NEEDS(c->real->table_digest, "table_digest is NULL: the table is not compared");
    EXPECT_EQUAL(c->real->table_digest(c->real->context, c->a), 0, "table_digest");
    uint32_t seen;
    memcpy(&seen, c->a, sizeof seen);
    for (int i = 0; i < STABLE_READS; i++) {
        EXPECT_EQUAL(c->real->table_digest(c->real->context, c->b), 0, "table_digest");
        EXPECT_BYTES(c->b, c->a, 32, "the same digest every time");
    }
    memset(c->b, c->a[0], 32);
    EXPECT(memcmp(c->a, c->b, 32) != 0, "a digest", "32 equal bytes");
    if (c->phase == 0) {
        c->progress.note[0] = seen;
        return CONFORM_RESTART;
    }
    EXPECT_EQUAL(seen, c->progress.note[0], "the digest's first bytes after a reset");
    return CONFORM_KEPT;
}

static enum conform_verdict secure_version(struct conform *c)
{
    NEEDS(c->real->secure_version, "secure_version is NULL: no anti-rollback");
    uint32_t found = c->real->secure_version(c->real->context);
    EXPECT(found <= 32, "a number of burnt bits, 0..32", "more");
    if (c->phase == 0) {
        c->progress.note[0] = found;
        return CONFORM_RESTART;
    }
    EXPECT_EQUAL(found, c->progress.note[0], "secure_version after a reset");
    return CONFORM_KEPT;
}

/* What may be burnt: never more than the image that runs has, or nothing boots again. */
static bool may_raise_to(struct conform *c, uint32_t burnt, uint32_t *version)
{
    struct moult_boot_info info = {0};
    struct moult_app_desc desc;
    if (!c->fixture->may_burn || c->port.boot_info(c->port.context, &info) != 0) {
        return false;
    }
    struct running running = {c, info.running};
    struct moult_reader reader = {&running, read_image, c->port.slot_size};
    if (moult_app_desc_read(&reader, &desc) != MOULT_OK) { return false; }
    *version = desc.secure_version;
    return desc.secure_version > burnt;
}

static enum conform_verdict raise_secure_version(struct conform *c)
{
    const struct moult_port *port = c->real;
    NEEDS(port->raise_secure_version, "raise_secure_version is NULL: it is not raised");
    EXPECT(port->secure_version, "secure_version beside raise_secure_version", "NULL");
    if (c->phase == 0) {
        uint32_t burnt = port->secure_version(port->context);
        EXPECT_EQUAL(port->raise_secure_version(port->context, burnt), 0,
                     "raise_secure_version to what is burnt");
        EXPECT_EQUAL(port->secure_version(port->context), burnt, "secure_version after it");
        if (may_raise_to(c, burnt, &burnt)) {
            EXPECT_EQUAL(port->raise_secure_version(port->context, burnt), 0,
                         "raise_secure_version to that of the image that runs");
            EXPECT_EQUAL(port->secure_version(port->context), burnt,
                         "secure_version after it was raised");
        }
        c->progress.note[0] = port->secure_version(port->context);
        return CONFORM_RESTART;
    }
    EXPECT_EQUAL(port->secure_version(port->context), c->progress.note[0],
                 "secure_version after a reset");
    EXPECT_EQUAL(port->raise_secure_version(port->context, c->progress.note[0]), 0,
                 "raise_secure_version to what is burnt");
    return CONFORM_KEPT;
}

static bool is_trusted(enum moult_status st)
{
    return st == MOULT_OK || st == MOULT_E_UNSUPPORTED; /* set_boot verifies the rest */
}

/* What runs must be trusted; with Secure Boot on, nothing else may be. */
static enum conform_verdict secure_boot(struct conform *c)
{
    const struct moult_port *port = c->real;
    uint8_t digest[32] = {0};
    NEEDS(port->secure_boot, "secure_boot is NULL: no Secure Boot");
    EXPECT_DONE(conform_slots(c, &c->progress.note[1], &c->progress.note[0]));
    struct running running = {c, c->progress.note[0]};
    struct moult_reader reader = {&running, read_image, c->port.slot_size};
    uint32_t size = running_size(c, c->progress.note[0]);
    EXPECT_DONE(size > 0);
    bool is_on = port->secure_boot(port->context, &reader, 0, digest) != MOULT_OK;
    if (!is_on) { return CONFORM_KEPT; }
    uint32_t sector = size - MOULT_SB_SECTOR_SIZE;
    EXPECT(size % MOULT_SB_SECTOR_SIZE == 0 && sector > 0,
           "a signed image to run where Secure Boot is on", "one that is not");
    EXPECT_EQUAL(moult_sb_image_digest(&reader, sector, port->crypto, digest), MOULT_OK,
                 "the digest of the image");
    EXPECT(is_trusted(port->secure_boot(port->context, &reader, sector, digest)),
           "the image that runs trusted", "it refused");
    digest[31] ^= 1;
    EXPECT(!is_trusted(port->secure_boot(port->context, &reader, sector, digest)),
           "another digest under that signature refused", "it trusted");
    return CONFORM_KEPT;
}

const struct conform_promise conform_boot[] = {
    {"boot.info", info},
    {"boot.slot-state", never_selected_has_no_entry},
    {"boot.set-boot-verifies", verifies},
    {"boot.set-boot-selects", selects},
    {"boot.unconfirmed-goes-back", unconfirmed_goes_back},
    {"boot.mark-valid", marks_valid},
    {"boot.mark-invalid", marks_invalid},
    {"boot.reboot", reboots},
    {"boot.cut-set-boot-leaves-a-boot", cut_set_boot_leaves_a_boot},
    {"boot.table-digest", table_digest},
    {"boot.secure-version", secure_version},
    {"boot.raise-secure-version", raise_secure_version},
    {"boot.secure-boot", secure_boot},
    {NULL, NULL},
};
