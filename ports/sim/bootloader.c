/* bootloader.c - see bootloader.h. */
#include "ports/sim/bootloader.h"
#include <assert.h>
#include <string.h>
#include "formats/app_desc.h"
#include "formats/esp_image.h"
#include "formats/secure_boot.h"
#include "moult/port.h"

static enum moult_status read_flash(void *context, uint32_t offset, uint8_t *out,
                                    uint32_t size)
{
    const struct moult_sim_part *part = context;
    enum moult_status st =
        moult_sim_flash_read(part->flash, part->offset + offset, out, size);
    return st == MOULT_OK ? MOULT_OK : MOULT_E_IO;
}

struct moult_reader moult_sim_reader(struct moult_sim_flash *flash,
                                     const struct moult_partition *partition,
                                     struct moult_sim_part *part)
{
    *part = (struct moult_sim_part){.flash = flash, .offset = partition->offset};
    return (struct moult_reader){
        .context = part, .read = read_flash, .size = partition->size};
}

const struct moult_partition *moult_sim_partition(const struct moult_sim_boot *boot,
                                                  int which)
{
    assert(which < (int)MOULT_PARTITION_SLOTS_MAX);
    uint8_t subtype = which == MOULT_BOOT_FACTORY ? MOULT_PARTITION_FACTORY
                      : which == MOULT_BOOT_TEST  ? MOULT_PARTITION_TEST
                                                 : (uint8_t)(MOULT_PARTITION_OTA_0 + which);
    return moult_partition_find(&boot->table, MOULT_PARTITION_APP, subtype);
}

/* The signature behind an image of `size` bytes, where Secure Boot is on. */
static enum moult_status verify_signature(const struct moult_sim_boot *boot,
                                          const struct moult_reader *reader, uint32_t size,
                                          struct moult_finding *finding)
{
    bool is_on;
    enum moult_status st = moult_sim_switch_read(boot->chip, MOULT_SIM_SECURE_BOOT, &is_on);
    if (st != MOULT_OK || !is_on) { return st; }
    uint8_t digest[MOULT_SHA256_SIZE];
    uint32_t sector = moult_sb_sector_offset(size);
    if (reader->size < MOULT_SB_SECTOR_SIZE ||
        sector > reader->size - MOULT_SB_SECTOR_SIZE) {
        return MOULT_E_SIGNATURE;
    }
    st = moult_sb_image_digest(reader, sector, boot->crypto, digest);
    return st == MOULT_OK ? moult_sim_sb_judge(boot, reader, sector, digest, finding) : st;
}

enum moult_status moult_sim_sb_judge(const struct moult_sim_boot *boot,
                                     const struct moult_reader *reader, uint32_t sector,
                                     const uint8_t image_digest[32],
                                     struct moult_finding *finding)
{
    struct moult_sb_fuses fuses;
    struct moult_sb_rsa work;
    enum moult_status st = moult_sim_fuses_read(boot->chip, &fuses);
    if (st != MOULT_OK) { return st; }
    struct moult_sb_judge judge = {.reader = reader,
                                   .sector = sector,
                                   .image_digest = image_digest,
                                   .fuses = &fuses,
                                   .crypto = boot->crypto,
                                   .work = &work};
    return moult_sb_trusts(&judge, finding);
}

enum moult_status moult_sim_verify(const struct moult_sim_boot *boot, int which,
                                   struct moult_finding *finding)
{
    const struct moult_partition *partition = moult_sim_partition(boot, which);
    if (!partition) { return MOULT_E_NOENT; }
    struct moult_sim_part part;
    struct moult_reader reader = moult_sim_reader(&boot->chip->flash, partition, &part);
    struct moult_esp_image image;
    struct moult_app_desc desc = {0};
    enum moult_status st = moult_esp_image_parse(&reader, &image, finding);
    if (st != MOULT_OK) { return st; }

    st = moult_app_desc_read(&reader, &desc); /* without one the page size is the default */
    if (st == MOULT_E_IO) { return st; }
    st = moult_esp_image_runs_on(&image, boot->chip->chip_id, boot->chip->revision,
                                 moult_app_desc_page_size(&desc), finding);
    if (st != MOULT_OK) { return st; }
    st = moult_esp_image_verify(&reader, boot->crypto, &image, finding);
    return st == MOULT_OK ? verify_signature(boot, &reader, image.size, finding) : st;
}

bool moult_sim_secure_version(const struct moult_sim_boot *boot, int which, uint32_t *out)
{
    const struct moult_partition *partition = moult_sim_partition(boot, which);
    if (!partition) { return false; }
    struct moult_sim_part part;
    struct moult_reader reader = moult_sim_reader(&boot->chip->flash, partition, &part);
    struct moult_app_desc desc;
    if (moult_app_desc_read(&reader, &desc) != MOULT_OK) { return false; }
    *out = desc.secure_version;
    return true;
}

static const struct moult_partition *find_otadata(const struct moult_sim_boot *boot)
{
    const struct moult_partition *found =
        moult_partition_find(&boot->table, MOULT_PARTITION_DATA, MOULT_PARTITION_OTADATA);
    return found && found->size >= MOULT_OTADATA_PARTITION_SIZE ? found : NULL;
}

enum moult_status moult_sim_otadata_read(const struct moult_sim_boot *boot,
                                         struct moult_sim_otadata *out)
{
    const struct moult_partition *otadata = find_otadata(boot);
    if (!otadata) { return MOULT_E_NOENT; }
    enum moult_status st = MOULT_OK;
    for (uint32_t i = 0; i < 2 && st == MOULT_OK; i++) {
        st = moult_sim_flash_read(&boot->chip->flash,
                                  otadata->offset + i * MOULT_OTADATA_SECTOR_SIZE,
                                  out->raw[i], MOULT_OTADATA_SIZE);
    }
    return st;
}

enum moult_status moult_sim_otadata_write(const struct moult_sim_boot *boot,
                                          const struct moult_otadata_write *write)
{
    const struct moult_partition *otadata = find_otadata(boot);
    if (!otadata) { return MOULT_E_NOENT; }
    uint32_t at = otadata->offset + write->sector * MOULT_OTADATA_SECTOR_SIZE;
    enum moult_status st = moult_sim_flash_erase(&boot->chip->flash, at);
    if (st != MOULT_OK) { return st; }
    return moult_sim_flash_program(&boot->chip->flash, at, write->raw, sizeof write->raw);
}

/* --- One boot ------------------------------------------------------------------------ */

static bool probe_verifies(void *context, int which)
{
    return moult_sim_verify(context, which, NULL) == MOULT_OK;
}

static bool probe_secure_version(void *context, int which, uint32_t *out)
{
    return moult_sim_secure_version(context, which, out);
}

static enum moult_status read_table(struct moult_sim_boot *boot)
{
    uint8_t raw[MOULT_PARTITION_TABLE_SIZE];
    if (boot->chip->flash.size < MOULT_PARTITION_TABLE_OFFSET + MOULT_SIM_SECTOR_SIZE) {
        return MOULT_E_FORMAT;
    }
    enum moult_status st = moult_sim_flash_read(
        &boot->chip->flash, MOULT_PARTITION_TABLE_OFFSET, raw, sizeof raw);
    if (st != MOULT_OK) { return st; }
    if (moult_partition_parse(raw, &boot->table, NULL) != MOULT_OK) {
        return MOULT_E_FORMAT;
    }
    for (uint32_t i = 0; i < boot->table.count; i++) {
        const struct moult_partition *row = &boot->table.rows[i];
        if (row->offset > boot->chip->flash.size ||
            row->size > boot->chip->flash.size - row->offset) {
            return MOULT_E_FORMAT; /* the bootloader refuses a table larger than the chip */
        }
    }
    boot->slot_count = moult_partition_slot_count(&boot->table);
    return MOULT_OK;
}

/* Apps, otadata, keys of NVS, and what the table says. (The table itself stays plain here:
 * nothing depends on it.) */
static bool is_kept_encrypted(const struct moult_partition *row)
{
    bool is_data = row->type == MOULT_PARTITION_DATA;
    return row->type == MOULT_PARTITION_APP || (row->flags & MOULT_PARTITION_ENCRYPTED) ||
           (is_data && (row->subtype == MOULT_PARTITION_OTADATA ||
                        row->subtype == MOULT_PARTITION_NVS_KEYS));
}

static enum moult_status start_decryption(struct moult_sim_boot *boot)
{
    bool is_on;
    enum moult_status st = moult_sim_switch_read(boot->chip, MOULT_SIM_FLASH_CRYPT, &is_on);
    moult_sim_flash_encrypt_none(&boot->chip->flash);
    for (uint32_t i = 0; st == MOULT_OK && is_on && i < boot->table.count; i++) {
        const struct moult_partition *row = &boot->table.rows[i];
        if (!is_kept_encrypted(row)) { continue; }
        st = moult_sim_flash_encrypt(&boot->chip->flash, row->offset, row->size);
    }
    return st == MOULT_E_RANGE ? MOULT_E_FORMAT : st;
}

static enum moult_status decide(struct moult_sim_boot *boot, uint32_t efuse_version,
                                struct moult_boot_choice *choice)
{
    struct moult_boot_table table = {
        .slot_count = boot->slot_count,
        .has_otadata = find_otadata(boot) != NULL,
        .has_factory = moult_sim_partition(boot, MOULT_BOOT_FACTORY) != NULL,
        .has_test = moult_sim_partition(boot, MOULT_BOOT_TEST) != NULL,
        .rollback = boot->build.has_rollback,
        .anti_rollback = boot->build.has_anti_rollback,
        .efuse_version = efuse_version,
        .efuse_bits = boot->chip->version_bits,
    };
    struct moult_boot_probe probe = {.context = boot,
                                     .verifies = probe_verifies,
                                     .secure_version = probe_secure_version};
    struct moult_sim_otadata read = {0};
    const struct moult_sim_otadata *otadata = &read;
    if (table.has_otadata) {
        enum moult_status st = moult_sim_otadata_read(boot, &read);
        if (st != MOULT_OK) { return st; }
    }
    return moult_boot_choose(&table, otadata->raw, &probe, choice);
}

/* Whether the application may write there: data of its own, and slots it does not run from.
 */
static bool is_writable(const struct moult_sim_boot *boot,
                        const struct moult_partition *row)
{
    if (row->flags & MOULT_PARTITION_READONLY) { return false; }
    if (row->type == MOULT_PARTITION_APP) {
        return row != moult_sim_partition(boot, boot->booted) &&
               row->subtype >= MOULT_PARTITION_OTA_0 &&
               row->subtype < MOULT_PARTITION_OTA_0 + MOULT_PARTITION_SLOTS_MAX;
    }
    return row->type == MOULT_PARTITION_DATA;
}

static enum moult_status open_for_app(struct moult_sim_boot *boot)
{
    struct moult_sim_flash *flash = &boot->chip->flash;
    moult_sim_flash_forbid_all(flash);
    for (uint32_t i = 0; i < boot->table.count; i++) {
        const struct moult_partition *row = &boot->table.rows[i];
        if (!is_writable(boot, row)) { continue; }
        enum moult_status st = moult_sim_flash_allow(flash, row->offset, row->size, false);
        if (st != MOULT_OK) { return MOULT_E_FORMAT; }
    }
    const struct moult_partition *running = moult_sim_partition(boot, boot->booted);
    assert(running);
    moult_sim_flash_protect(flash, running->offset, running->size);
    return MOULT_OK;
}

/* Only otadata is the bootloader's to write. */
static enum moult_status carry_out(struct moult_sim_boot *boot,
                                   const struct moult_boot_choice *choice,
                                   uint32_t efuse_version)
{
    moult_sim_flash_forbid_all(&boot->chip->flash);
    const struct moult_partition *otadata = find_otadata(boot);
    enum moult_status st = MOULT_OK;
    if (otadata) {
        st = moult_sim_flash_allow(&boot->chip->flash, otadata->offset,
                                   MOULT_OTADATA_PARTITION_SIZE, false);
    }
    for (uint32_t i = 0; i < choice->write_count && st == MOULT_OK; i++) {
        st = moult_sim_otadata_write(boot, &choice->writes[i]);
    }
    if (st == MOULT_OK && choice->efuse_version > efuse_version) {
        st = moult_sim_efuse_burn(boot->chip, choice->efuse_version);
    }
    return st;
}

/* --- Resets -------------------------------------------------------------------------- */

static bool loses_rtc(uint8_t reset)
{
    return reset == MOULT_RESET_POWER_ON || reset == MOULT_RESET_BROWNOUT ||
           reset == MOULT_RESET_POWER_GLITCH;
}

/* Whether what ran before starts without a look at otadata; like ESP-IDF's, only when it
 * still begins like an image. */
static bool wakes_up(const struct moult_sim_boot *boot)
{
    const struct moult_sim_rtc *rtc = &boot->chip->rtc;
    if (boot->reset != MOULT_RESET_DEEP_SLEEP || !boot->build.skips_in_deep_sleep ||
        !rtc->has_boot) {
        return false;
    }
    const struct moult_partition *slept = moult_sim_partition(boot, rtc->booted);
    uint8_t first;
    return slept &&
           moult_sim_flash_read(&boot->chip->flash, slept->offset, &first, 1) == MOULT_OK &&
           first == MOULT_ESP_MAGIC;
}

/* The ordinary way: otadata decides, and is written. */
static enum moult_status start_anew(struct moult_sim_boot *boot, bool is_dry)
{
    struct moult_boot_choice choice;
    uint32_t efuse_version;
    enum moult_status st = moult_sim_efuse_read(boot->chip, &efuse_version);
    if (st == MOULT_OK) { st = decide(boot, efuse_version, &choice); }
    if (st != MOULT_OK) { return st; }
    boot->selected = choice.selected;
    boot->booted = choice.booted;
    boot->is_fallback = choice.is_fallback;
    return is_dry ? MOULT_OK : carry_out(boot, &choice, efuse_version);
}

/* What a reset does to the chip before any software runs. */
static void reset_chip(struct moult_sim_chip *chip, uint8_t reset)
{
    if (loses_rtc(reset)) { chip->rtc.has_boot = false; }
    moult_sim_clock_reset(&chip->clock, !loses_rtc(reset));
}

enum moult_status moult_sim_boot(struct moult_sim_boot *boot, struct moult_sim_chip *chip,
                                 const struct moult_crypto *crypto,
                                 const struct moult_sim_build *build, uint8_t reset,
                                 bool is_dry)
{
    assert(boot && chip && crypto && build);
    memset(boot, 0, sizeof *boot);
    boot->chip = chip;
    boot->crypto = crypto;
    boot->build = *build;
    boot->reset = reset;
    if (!is_dry) { reset_chip(chip, reset); }

    enum moult_status st = read_table(boot);
    if (st == MOULT_OK) { st = start_decryption(boot); }
    if (st == MOULT_OK && wakes_up(boot)) {
        boot->selected = boot->booted = chip->rtc.booted;
    } else if (st == MOULT_OK) {
        st = start_anew(boot, is_dry);
    }
    if (st != MOULT_OK) { return st; }
    if (boot->booted == MOULT_BOOT_NONE) { return MOULT_E_NOENT; }
    if (is_dry) { return MOULT_OK; }
    chip->rtc = (struct moult_sim_rtc){.has_boot = true, .booted = boot->booted};
    return open_for_app(boot);
}
