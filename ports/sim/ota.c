/* ota.c - see ota.h. */
#include "ports/sim/ota.h"
#include <assert.h>

static int32_t flash_result(enum moult_status st)
{
    if (st == MOULT_OK) { return MOULT_SIM_ESP_OK; }
    return st == MOULT_E_NOENT ? MOULT_SIM_ESP_NOT_FOUND : MOULT_SIM_ESP_FLASH_OP_FAIL;
}

static enum moult_slot_state state_of(const struct moult_otadata_entry *entry)
{
    return entry->state <= MOULT_OTADATA_ABORTED ? (enum moult_slot_state)entry->state
                                                 : MOULT_SLOT_UNDEFINED;
}

/* Whether anti-rollback lets the image boot. */
static bool is_new_enough(const struct moult_sim_boot *boot, int which)
{
    uint32_t burnt, version;
    if (!boot->build.has_anti_rollback) { return true; }
    return moult_sim_efuse_read(boot->chip, &burnt) == MOULT_OK &&
           moult_sim_secure_version(boot, which, &version) && version >= burnt;
}

static int32_t erase_slot(struct moult_sim_boot *boot, uint32_t slot)
{
    const struct moult_partition *partition = moult_sim_partition(boot, (int)slot);
    for (uint32_t at = 0; at < partition->size; at += MOULT_SIM_SECTOR_SIZE) {
        enum moult_status st =
            moult_sim_flash_erase(&boot->chip->flash, partition->offset + at);
        if (st != MOULT_OK) { return flash_result(st); }
    }
    return MOULT_SIM_ESP_OK;
}

int32_t moult_sim_set_boot(struct moult_sim_boot *boot, uint32_t slot)
{
    if (slot >= boot->slot_count) { return MOULT_SIM_ESP_INVALID_ARG; }
    if (moult_sim_verify(boot, (int)slot, NULL) != MOULT_OK) {
        return MOULT_SIM_ESP_OTA_VALIDATE_FAILED;
    }
    if (!is_new_enough(boot, (int)slot)) {
        int32_t result = erase_slot(boot, slot);
        return result ? result : MOULT_SIM_ESP_OTA_SMALL_SEC_VER;
    }
    struct moult_sim_otadata read;
    const struct moult_sim_otadata *otadata = &read;
    enum moult_status st = moult_sim_otadata_read(boot, &read);
    if (st != MOULT_OK) { return flash_result(st); }
    struct moult_otadata_write write;
    uint32_t state = boot->build.has_rollback ? MOULT_OTADATA_NEW : MOULT_OTADATA_UNDEFINED;
    if (moult_otadata_select(otadata->raw, slot, boot->slot_count, state, &write) !=
        MOULT_OK) {
        return MOULT_SIM_ESP_OTA_SELECT_INFO_INVALID;
    }
    return flash_result(moult_sim_otadata_write(boot, &write));
}

int32_t moult_sim_mark_valid(struct moult_sim_boot *boot)
{
    struct moult_sim_otadata read;
    const struct moult_sim_otadata *otadata = &read;
    enum moult_status st = moult_sim_otadata_read(boot, &read);
    if (st != MOULT_OK) { return flash_result(st); }
    struct moult_otadata_write write;
    st = moult_otadata_mark(otadata->raw, MOULT_OTADATA_VALID, &write);
    if (st == MOULT_E_EXISTS) { return MOULT_SIM_ESP_OK; }
    if (st != MOULT_OK) { return MOULT_SIM_ESP_FAIL; }
    st = moult_sim_otadata_write(boot, &write);

    uint32_t
        version; /* of what runs, which a fallback makes another than what was marked */
    if (st == MOULT_OK && boot->build.has_anti_rollback &&
        moult_sim_secure_version(boot, boot->booted, &version)) {
        st = moult_sim_efuse_burn(boot->chip, version);
    }
    return flash_result(st);
}

/* Whether something else would boot when the active entry is gone. */
static bool has_fallback(const struct moult_sim_boot *boot,
                         const struct moult_sim_otadata *otadata)
{
    int active = moult_otadata_active(otadata->raw);
    assert(active >= 0);
    struct moult_otadata_entry other = moult_otadata_decode(otadata->raw[active ^ 1]);
    if (moult_otadata_is_valid(&other)) {
        int slot = (int)moult_otadata_slot(other.seq, boot->slot_count);
        return is_new_enough(boot, slot) && moult_sim_verify(boot, slot, NULL) == MOULT_OK;
    }
    return !boot->build.has_anti_rollback &&
           moult_sim_verify(boot, MOULT_BOOT_FACTORY, NULL) == MOULT_OK;
}

int32_t moult_sim_mark_invalid(struct moult_sim_boot *boot)
{
    struct moult_sim_otadata read;
    const struct moult_sim_otadata *otadata = &read;
    enum moult_status st = moult_sim_otadata_read(boot, &read);
    if (st != MOULT_OK) { return flash_result(st); }
    struct moult_otadata_write write;
    st = moult_otadata_mark(otadata->raw, MOULT_OTADATA_INVALID, &write);
    if (st != MOULT_OK) { return MOULT_SIM_ESP_FAIL; }
    if (!has_fallback(boot, otadata)) { return MOULT_SIM_ESP_OTA_ROLLBACK_FAILED; }
    return flash_result(moult_sim_otadata_write(boot, &write));
}

int32_t moult_sim_boot_info(const struct moult_sim_boot *boot, struct moult_boot_info *out)
{
    *out = (struct moult_boot_info){
        .running = boot->booted >= 0 ? (uint8_t)boot->booted : MOULT_SLOT_NONE,
        .selected = MOULT_SLOT_NONE,
        .state = MOULT_SLOT_NO_ENTRY,
        .reset = boot->reset,
    };
    struct moult_sim_otadata read;
    const struct moult_sim_otadata *otadata = &read;
    enum moult_status st = moult_sim_otadata_read(boot, &read);
    if (st == MOULT_E_NOENT || boot->slot_count == 0) { return MOULT_SIM_ESP_OK; }
    if (st != MOULT_OK) { return flash_result(st); }

    int active = moult_otadata_active(otadata->raw);
    if (active >= 0) {
        struct moult_otadata_entry entry = moult_otadata_decode(otadata->raw[active]);
        out->selected = (uint8_t)moult_otadata_slot(entry.seq, boot->slot_count);
        out->state = (uint8_t)state_of(&entry);
    } else if (!moult_sim_partition(boot, MOULT_BOOT_FACTORY)) {
        out->selected = 0; /* as esp_ota_get_boot_partition: the first OTA slot */
    }
    return MOULT_SIM_ESP_OK;
}

int32_t moult_sim_slot_state(const struct moult_sim_boot *boot, uint32_t slot,
                             enum moult_slot_state *out)
{
    struct moult_sim_otadata read;
    const struct moult_sim_otadata *otadata = &read;
    enum moult_status st = moult_sim_otadata_read(boot, &read);
    if (st != MOULT_OK) { return flash_result(st); }
    *out = MOULT_SLOT_NO_ENTRY;
    for (int i = 1; i >= 0; i--) { /* entry 0 has the last word */
        struct moult_otadata_entry entry = moult_otadata_decode(otadata->raw[i]);
        if (entry.has_good_crc && entry.seq != 0 && entry.seq != UINT32_MAX &&
            moult_otadata_slot(entry.seq, boot->slot_count) == slot) {
            *out = state_of(&entry);
        }
    }
    return MOULT_SIM_ESP_OK;
}
