/* nvs_fault.h - what becomes of a key-value store in the field (F14).
 *
 * Layer    ports/sim.
 * Memory   no heap.
 * Power    moult_sim_nvs_fill() and _unfill() are ordinary use of the store, operation by
 *          operation; the others are damage at rest, whatever is allowed and no operation.
 *          The store in RAM does not know of damage: mount it again, as a reset does.
 */
#ifndef MOULT_PORTS_SIM_NVS_FAULT_H
#define MOULT_PORTS_SIM_NVS_FAULT_H

#include <stdint.h>
#include "formats/compiler.h"
#include "formats/status.h"
#include "ports/sim/nvs.h"

/* Full: keys "fill.N" of `space` until not one entry more fits; no other key changes.
 * MOULT_OK; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status moult_sim_nvs_fill(struct moult_sim_nvs *nvs,
                                                      uint8_t space);

/* Room again: takes those keys away. MOULT_OK; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status moult_sim_nvs_unfill(struct moult_sim_nvs *nvs,
                                                        uint8_t space);

/* Partition erased: what an application does that meets ESP_ERR_NVS_NO_FREE_PAGES.
 * MOULT_OK; MOULT_E_IO: storage. */
MOULT_MUST_CHECK enum moult_status moult_sim_nvs_wipe(const struct moult_sim_nvs *nvs);

/* Key torn: flips a bit of the value of one key, or of its header where the value is empty.
 * MOULT_OK; MOULT_E_NOENT: no such key; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status moult_sim_nvs_tear(const struct moult_sim_nvs *nvs,
                                                      uint8_t space, const char *key,
                                                      uint64_t seed);

/* Page rotted: flips one bit in eight of page `page` (below nvs->page_count), by seed.
 * MOULT_OK; MOULT_E_IO: storage. */
MOULT_MUST_CHECK enum moult_status moult_sim_nvs_rot(const struct moult_sim_nvs *nvs,
                                                     uint32_t page, uint64_t seed);

#endif
