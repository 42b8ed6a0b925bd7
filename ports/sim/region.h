/* region.h - a data partition of a simulated chip, as moult/component.h wants it.
 *
 * Layer    ports/sim.
 * Memory   `part` is the caller's, and borrowed by the region's callbacks.
 * Power    as flash.h.
 * Use it   struct moult_region www = moult_sim_region(&part, &chip.flash, offset, size);
 *          moult_sim_region_find() takes both from the partition table.
 */
#ifndef MOULT_PORTS_SIM_REGION_H
#define MOULT_PORTS_SIM_REGION_H

#include "moult/component.h"
#include "ports/sim/bootloader.h"

/* Bytes [offset, offset + size) of a flash; offset a multiple of the sector. */
struct moult_region moult_sim_region(struct moult_sim_part *part,
                                     struct moult_sim_flash *flash, uint32_t offset,
                                     uint32_t size);

/* The partition with that label. MOULT_OK; MOULT_E_NOENT: the table has none, or it is no
 * data partition of the application's own. */
MOULT_MUST_CHECK enum moult_status moult_sim_region_find(const struct moult_sim_boot *boot,
                                                         const char *label,
                                                         struct moult_sim_part *part,
                                                         struct moult_region *out);

#endif
