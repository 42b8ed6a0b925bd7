/* chip.c - see chip.h. */
#include "ports/sim/chip.h"
#include <assert.h>
#include <string.h>
#include "formats/bytes.h"
#include "formats/chip.h"

enum {
    BLOCK_SIZE = 36,
    FORMAT_AT = 8,
    CHIP_AT = 10,
    REVISION_AT = 12,
    FLASH_SIZE_AT = 16,
    CRC_AT = 20,
    FUSES_AT = 32, /* u32, bits that are burnt */
    FORMAT = 1,
};
static const char MAGIC[] = "MOULTCHP";

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
    return MOULT_OK;
}

static enum moult_status read_fuses(const struct moult_sim_chip *chip, uint32_t *fuses)
{
    uint8_t raw[4];
    enum moult_status st =
        moult_sim_storage_read(chip->storage, chip->flash.size + FUSES_AT, raw, sizeof raw);
    if (st == MOULT_OK) { *fuses = get_le32(raw); }
    return st;
}

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
    enum moult_status st = read_fuses(chip, &fuses);
    if (st == MOULT_OK) { *version = count_bits(fuses); }
    return st;
}

enum moult_status moult_sim_efuse_burn(struct moult_sim_chip *chip, uint32_t version)
{
    uint32_t fuses;
    if (version > chip->version_bits) { return MOULT_E_RANGE; }
    enum moult_status st = read_fuses(chip, &fuses);
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
    return moult_sim_storage_write(chip->storage, chip->flash.size + FUSES_AT, raw,
                                   sizeof raw);
}
