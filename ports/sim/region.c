/* region.c - see region.h. */
#include "ports/sim/region.h"
#include <string.h>
#include "formats/bytes.h"
#include "ports/sim/ota.h"

static int32_t result_of(enum moult_status st)
{
    return st == MOULT_OK ? MOULT_SIM_ESP_OK : MOULT_SIM_ESP_FLASH_OP_FAIL;
}

/* Whether [offset, offset + size) lies in the region: what is behind it belongs to
 * others. */
static bool is_inside(const struct moult_sim_part *part, uint32_t offset, size_t size)
{
    return offset <= part->size && size <= part->size - offset;
}

static int32_t read_part(void *context, uint32_t offset, uint8_t *out, size_t size)
{
    struct moult_sim_part *part = context;
    if (!is_inside(part, offset, size)) { return MOULT_SIM_ESP_INVALID_SIZE; }
    return result_of(
        moult_sim_flash_read(part->flash, part->offset + offset, out, (uint32_t)size));
}

static int32_t erase_part(void *context, uint32_t offset)
{
    struct moult_sim_part *part = context;
    if (!is_inside(part, offset, MOULT_SECTOR_SIZE)) { return MOULT_SIM_ESP_INVALID_ARG; }
    return result_of(moult_sim_flash_erase(part->flash, part->offset + offset));
}

static int32_t write_part(void *context, uint32_t offset, const uint8_t *data, size_t size)
{
    struct moult_sim_part *part = context;
    if (offset % MOULT_WRITE_UNIT || size % MOULT_WRITE_UNIT ||
        !is_inside(part, offset, size)) {
        return MOULT_SIM_ESP_INVALID_ARG;
    }
    return result_of(
        moult_sim_flash_program(part->flash, part->offset + offset, data, (uint32_t)size));
}

/* Of the cells themselves: the partition may be encrypted. */
static int32_t is_part_erased(void *context, uint32_t offset, size_t size, bool *is_erased)
{
    struct moult_sim_part *part = context;
    uint8_t found[MOULT_SIM_PAGE_SIZE];
    if (!is_inside(part, offset, size)) { return MOULT_SIM_ESP_INVALID_SIZE; }
    *is_erased = true;
    for (uint32_t done = 0; done < size;) {
        uint32_t step = (uint32_t)size - done;
        if (step > sizeof found) { step = sizeof found; }
        enum moult_status st = moult_sim_flash_read_raw(
            part->flash, part->offset + offset + done, found, step);
        if (st != MOULT_OK) { return result_of(st); }
        if (!moult_bytes_all(found, step, 0xff)) { *is_erased = false; }
        done += step;
    }
    return MOULT_SIM_ESP_OK;
}

struct moult_region moult_sim_region(struct moult_sim_part *part,
                                     struct moult_sim_flash *flash, uint32_t offset,
                                     uint32_t size)
{
    *part = (struct moult_sim_part){flash, offset, size};
    return (struct moult_region){part,       size,       read_part,
                                 erase_part, write_part, is_part_erased};
}

/* otadata and NVS are not the engine's to replace. */
static bool is_own(const struct moult_partition *row)
{
    bool is_system = row->subtype == MOULT_PARTITION_OTADATA ||
                     row->subtype == MOULT_PARTITION_NVS ||
                     row->subtype == MOULT_PARTITION_COREDUMP;
    return row->type == MOULT_PARTITION_DATA && !is_system &&
           !(row->flags & MOULT_PARTITION_READONLY);
}

enum moult_status moult_sim_region_find(const struct moult_sim_boot *boot,
                                        const char *label, struct moult_sim_part *part,
                                        struct moult_region *out)
{
    for (uint32_t i = 0; i < boot->table.count; i++) {
        const struct moult_partition *row = &boot->table.rows[i];
        if (!is_own(row) || strcmp(row->label, label) != 0) { continue; }
        *out = moult_sim_region(part, &boot->chip->flash, row->offset, row->size);
        return MOULT_OK;
    }
    return MOULT_E_NOENT;
}
