/* nvs_fault.c - see nvs_fault.h. */
#include "ports/sim/nvs_fault.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "ports/sim/flash_fault.h"

/* A key for each entry of the largest store is more than can ever fit. */
enum { FILL_KEYS_MAX = MOULT_SIM_NVS_PAGES_MAX * MOULT_SIM_NVS_ENTRIES };

static const char *fill_key(unsigned number, char out[MOULT_SIM_NVS_KEY_MAX + 1])
{
    snprintf(out, MOULT_SIM_NVS_KEY_MAX + 1, "fill.%u", number % FILL_KEYS_MAX);
    return out;
}

enum moult_status moult_sim_nvs_fill(struct moult_sim_nvs *nvs, uint8_t space)
{
    static const uint8_t bytes[MOULT_SIM_NVS_BLOB_MAX] = {1};
    char key[MOULT_SIM_NVS_KEY_MAX + 1];
    uint32_t size = sizeof bytes;
    for (unsigned i = 0; i < FILL_KEYS_MAX;) {
        enum moult_status st = moult_sim_nvs_set(nvs, space, fill_key(i, key), bytes, size);
        if (st == MOULT_E_SPACE && size == 0) { return MOULT_OK; }
        if (st == MOULT_E_SPACE) {
            size /= 2; /* smaller ones may still fit */
        } else if (st != MOULT_OK) {
            return st;
        } else {
            i++;
        }
    }
    return MOULT_OK;
}

enum moult_status moult_sim_nvs_unfill(struct moult_sim_nvs *nvs, uint8_t space)
{
    char key[MOULT_SIM_NVS_KEY_MAX + 1];
    struct moult_sim_nvs_record record;
    for (unsigned i = 0; i < FILL_KEYS_MAX; i++) {
        enum moult_status st = moult_sim_nvs_find(nvs, space, fill_key(i, key), &record);
        if (st == MOULT_E_NOENT) { return MOULT_OK; }
        if (st == MOULT_OK) { st = moult_sim_nvs_erase(nvs, space, key); }
        if (st != MOULT_OK) { return st; }
    }
    return MOULT_OK;
}

enum moult_status moult_sim_nvs_wipe(const struct moult_sim_nvs *nvs)
{
    uint8_t erased[MOULT_SIM_SECTOR_SIZE];
    memset(erased, 0xff, sizeof erased);
    for (uint32_t page = 0; page < nvs->page_count; page++) {
        enum moult_status st = moult_sim_storage_write(
            nvs->flash->storage, nvs->offset + page * MOULT_SIM_SECTOR_SIZE, erased,
            sizeof erased);
        if (st != MOULT_OK) { return st; }
    }
    return MOULT_OK;
}

enum moult_status moult_sim_nvs_tear(const struct moult_sim_nvs *nvs, uint8_t space,
                                     const char *key, uint64_t seed)
{
    struct moult_sim_nvs_record record;
    enum moult_status st = moult_sim_nvs_find(nvs, space, key, &record);
    if (st != MOULT_OK) { return st; }
    uint64_t chance = moult_sim_mixed_bits(seed, 0);
    uint32_t at = moult_sim_nvs_record_offset(nvs, &record);
    if (record.size > 0) {
        at += MOULT_SIM_NVS_ENTRY_SIZE + (uint32_t)((chance >> 3) % record.size);
    }
    return moult_sim_flash_flip(nvs->flash, at, (uint32_t)(chance & 7));
}

enum moult_status moult_sim_nvs_rot(const struct moult_sim_nvs *nvs, uint32_t page,
                                    uint64_t seed)
{
    assert(page < nvs->page_count);
    uint32_t at = nvs->offset + page * MOULT_SIM_SECTOR_SIZE;
    for (uint32_t i = 0; i < MOULT_SIM_SECTOR_SIZE; i++) {
        enum moult_status st = moult_sim_flash_flip(
            nvs->flash, at + i, (uint32_t)(moult_sim_mixed_bits(seed, i) & 7));
        if (st != MOULT_OK) { return st; }
    }
    return MOULT_OK;
}
