/* chip.c - see chip.h. */
#include "ports/sim/chip.h"
#include <assert.h>
#include <string.h>
#include "formats/bytes.h"
#include "formats/chip.h"
#include "ports/sim/flash_fault.h"

enum {
    BLOCK_SIZE = 136,
    FORMAT_AT = 8,
    CHIP_AT = 10,
    REVISION_AT = 12,
    FLASH_SIZE_AT = 16,
    CRC_AT = 20,
    FUSES_AT = 32,    /* u32, bits that are burnt */
    SWITCHES_AT = 36, /* u32, inverted */
    KEYS_AT = 40,     /* inverted */
    KEY_SIZE = 32,
    FORMAT = 1,
};
static const char MAGIC[] = "MOULTCHP";
_Static_assert(KEYS_AT + MOULT_SB_KEYS_MAX * KEY_SIZE == BLOCK_SIZE, "block layout");

enum moult_status moult_sim_chip_create(struct moult_sim_chip *chip,
                                        struct moult_sim_storage *storage, uint16_t chip_id,
                                        uint16_t revision, uint32_t flash_size)
{
    assert(chip && storage);
    if (flash_size == 0 || flash_size % MOULT_SIM_SECTOR_SIZE ||
        storage->size < MOULT_SIM_EFUSE_SIZE ||
        storage->size - MOULT_SIM_EFUSE_SIZE != flash_size) {
        return MOULT_E_RANGE;
    }
    if (!moult_chip_by_id(chip_id)) { return MOULT_E_ARG; }

    uint8_t block[BLOCK_SIZE] = {0};
    memcpy(block, MAGIC, sizeof MAGIC - 1);
    put_le16(block + FORMAT_AT, FORMAT);
    put_le16(block + CHIP_AT, chip_id);
    put_le16(block + REVISION_AT, revision);
    put_le32(block + FLASH_SIZE_AT, flash_size);
    put_le32(block + CRC_AT, crc32_le(0, block, CRC_AT));
    memset(block + SWITCHES_AT, 0xff, BLOCK_SIZE - SWITCHES_AT);
    enum moult_status st =
        moult_sim_storage_write(storage, flash_size, block, sizeof block);
    return st == MOULT_OK ? moult_sim_chip_open(chip, storage) : st;
}

enum moult_status moult_sim_chip_open(struct moult_sim_chip *chip,
                                      struct moult_sim_storage *storage)
{
    assert(chip && storage);
    if (storage->size <= MOULT_SIM_EFUSE_SIZE) { return MOULT_E_FORMAT; }
    uint32_t flash_size = storage->size - MOULT_SIM_EFUSE_SIZE;
    uint8_t block[BLOCK_SIZE];
    enum moult_status st = moult_sim_storage_read(storage, flash_size, block, sizeof block);
    if (st != MOULT_OK) { return st; }

    const struct moult_chip *kind = moult_chip_by_id(get_le16(block + CHIP_AT));
    if (memcmp(block, MAGIC, sizeof MAGIC - 1) != 0 || !kind ||
        get_le16(block + FORMAT_AT) != FORMAT ||
        get_le32(block + FLASH_SIZE_AT) != flash_size ||
        flash_size % MOULT_SIM_SECTOR_SIZE != 0 ||
        get_le32(block + CRC_AT) != crc32_le(0, block, CRC_AT)) {
        return MOULT_E_FORMAT;
    }
    *chip = (struct moult_sim_chip){.storage = storage,
                                    .chip_id = kind->id,
                                    .revision = get_le16(block + REVISION_AT),
                                    .version_bits = kind->secure_version_bits};
    moult_sim_flash_init(&chip->flash, storage, flash_size);
    if (kind->id == MOULT_CHIP_ESP32) { chip->flash.unit_size = MOULT_SIM_ROW_SIZE; }
    return MOULT_OK;
}

/* --- Burning ------------------------------------------------------------------------- */

static uint32_t fuses_at(const struct moult_sim_chip *chip, uint32_t at)
{
    return chip->flash.size + at;
}

static bool is_burnt_by(const struct moult_sim_plan *plan, uint32_t new_bit)
{
    switch (plan->fault) {
    case MOULT_SIM_CUT_TORN:
        return new_bit < plan->torn_size;
    case MOULT_SIM_CUT_MIXED:
    case MOULT_SIM_CUT_WEAK:
        return (plan->seed >> (new_bit % 64) & 1) != 0;
    default:
        return plan->fault == MOULT_SIM_FAULT_NONE || plan->fault == MOULT_SIM_CUT_AFTER;
    }
}

/* after := before and those of the new bits of after that `plan` lets through. */
static void leave_burnt(const struct moult_sim_plan *plan, const uint8_t *before,
                        uint8_t *after, uint32_t size)
{
    uint32_t new_bit = 0;
    for (uint32_t bit = 0; bit < 8 * size; bit++) {
        uint8_t mask = (uint8_t)(1u << bit % 8);
        if (((before[bit / 8] ^ after[bit / 8]) & mask) == 0) { continue; }
        if (!is_burnt_by(plan, new_bit++)) { after[bit / 8] ^= mask; }
    }
}

/* One burn: the bytes at `at` become `after`, which has all that they have and more. */
static enum moult_status burn(struct moult_sim_chip *chip, uint32_t at, uint8_t *after,
                              uint32_t size)
{
    uint8_t before[KEY_SIZE];
    struct moult_sim_flash *flash = &chip->flash;
    assert(size <= sizeof before);
    if (flash->is_off) { return MOULT_E_IO; }
    enum moult_status st =
        moult_sim_storage_read(chip->storage, fuses_at(chip, at), before, size);
    if (st != MOULT_OK) { return st; }
    struct moult_sim_plan plan =
        moult_sim_fault_next(flash, MOULT_SIM_BURN, fuses_at(chip, at));
    if (plan.fault == MOULT_SIM_FAIL) { return MOULT_E_IO; }
    leave_burnt(&plan, before, after, size);
    st = moult_sim_storage_write(chip->storage, fuses_at(chip, at), after, size);
    bool goes_on = plan.fault == MOULT_SIM_FAULT_NONE || plan.fault == MOULT_SIM_NOOP;
    return goes_on ? st : moult_sim_flash_power_off(flash);
}

static enum moult_status read_word(const struct moult_sim_chip *chip, uint32_t at,
                                   uint32_t *word)
{
    uint8_t raw[4];
    if (chip->flash.is_off) { return MOULT_E_IO; }
    enum moult_status st =
        moult_sim_storage_read(chip->storage, fuses_at(chip, at), raw, sizeof raw);
    if (st == MOULT_OK) { *word = get_le32(raw); }
    return st;
}

/* --- secure_version ------------------------------------------------------------------ */

static uint32_t count_bits(uint32_t word)
{
    uint32_t count = 0;
    for (; word; word &= word - 1) {
        count++;
    }
    return count;
}

enum moult_status moult_sim_efuse_read(const struct moult_sim_chip *chip, uint32_t *version)
{
    uint32_t fuses;
    enum moult_status st = read_word(chip, FUSES_AT, &fuses);
    if (st == MOULT_OK) { *version = count_bits(fuses); }
    return st;
}

enum moult_status moult_sim_efuse_burn(struct moult_sim_chip *chip, uint32_t version)
{
    uint32_t fuses;
    if (version > chip->version_bits) { return MOULT_E_RANGE; }
    enum moult_status st = read_word(chip, FUSES_AT, &fuses);
    if (st != MOULT_OK) { return st; }
    uint32_t burnt = count_bits(fuses);
    if (burnt > version) { return MOULT_E_REPLAY; }
    if (burnt == version) { return MOULT_OK; }

    /* As ESP-IDF does: the bits [burnt, version), whichever were set before. */
    for (uint32_t bit = burnt; bit < version; bit++) {
        fuses |= 1u << bit;
    }
    uint8_t raw[4];
    put_le32(raw, fuses);
    return burn(chip, FUSES_AT, raw, sizeof raw);
}

/* --- Switches and key digests -------------------------------------------------------- */

enum moult_status moult_sim_switch_read(const struct moult_sim_chip *chip,
                                        enum moult_sim_switch which, bool *is_on)
{
    uint32_t word;
    assert((uint32_t)which < 32);
    enum moult_status st = read_word(chip, SWITCHES_AT, &word);
    if (st == MOULT_OK) { *is_on = (word >> which & 1) == 0; }
    return st;
}

enum moult_status moult_sim_switch_burn(struct moult_sim_chip *chip,
                                        enum moult_sim_switch which)
{
    uint32_t word;
    uint8_t raw[4];
    assert((uint32_t)which < 32);
    enum moult_status st = read_word(chip, SWITCHES_AT, &word);
    if (st != MOULT_OK || (word >> which & 1) == 0) { return st; }
    put_le32(raw, word & ~(UINT32_C(1) << which));
    return burn(chip, SWITCHES_AT, raw, sizeof raw);
}

/* ESP32 and ESP32-C2 have one digest, the others three. */
static uint32_t key_count(const struct moult_sim_chip *chip)
{
    return moult_chip_by_id(chip->chip_id)->signature_blocks;
}

enum moult_status moult_sim_key_burn(struct moult_sim_chip *chip, uint32_t slot,
                                     const uint8_t digest[32])
{
    if (slot >= key_count(chip)) { return MOULT_E_RANGE; }
    bool is_used;
    enum moult_sim_switch used = (enum moult_sim_switch)(MOULT_SIM_KEY_USED_0 + slot);
    enum moult_status st = moult_sim_switch_read(chip, used, &is_used);
    if (st != MOULT_OK) { return st; }
    if (is_used) { return MOULT_E_EXISTS; }

    uint8_t inverted[KEY_SIZE];
    uint32_t at = KEYS_AT + slot * KEY_SIZE;
    st = moult_sim_storage_read(chip->storage, fuses_at(chip, at), inverted, KEY_SIZE);
    for (uint32_t i = 0; i < KEY_SIZE; i++) {
        inverted[i] &= (uint8_t)~digest[i];
    }
    if (st == MOULT_OK) { st = burn(chip, at, inverted, sizeof inverted); }
    return st == MOULT_OK ? moult_sim_switch_burn(chip, used) : st;
}

enum moult_status moult_sim_fuses_read(const struct moult_sim_chip *chip,
                                       struct moult_sb_fuses *out)
{
    uint8_t raw[MOULT_SB_KEYS_MAX * KEY_SIZE];
    uint32_t word;
    enum moult_status st = read_word(chip, SWITCHES_AT, &word);
    if (st == MOULT_OK) {
        st =
            moult_sim_storage_read(chip->storage, fuses_at(chip, KEYS_AT), raw, sizeof raw);
    }
    if (st != MOULT_OK) { return st; }
    *out = (struct moult_sb_fuses){
        .block_count = (uint8_t)key_count(chip),
        .digest_size = chip->chip_id == MOULT_CHIP_ESP32C2 ? 16 : 32,
    };
    for (uint32_t i = 0; i < MOULT_SB_KEYS_MAX; i++) {
        out->keys[i].is_used = (word >> (MOULT_SIM_KEY_USED_0 + i) & 1) == 0;
        out->keys[i].is_revoked = (word >> (MOULT_SIM_REVOKE_0 + i) & 1) == 0;
        for (uint32_t k = 0; k < KEY_SIZE; k++) {
            out->keys[i].digest[k] = (uint8_t)~raw[i * KEY_SIZE + k];
        }
    }
    return MOULT_OK;
}
