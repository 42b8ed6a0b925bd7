/* chip.h - one simulated chip: its flash, and the eFuses that no erase brings back.
 *
 * Layer    ports/sim.
 * Format   a device file is the flash, byte for byte, and one sector more: "MOULTCHP",
 *          u16 format 1, u16 chip_id, u16 revision (major * 100 + minor), u16 0, u32 flash
 *          size, u32 CRC-32 of the 20 bytes before; at 32 the 32 bits of secure_version.
 * Memory   no heap; struct below, bits in a moult_sim_storage.
 * Power    a burn is one write of four bytes, in which bits are only ever set.
 */
#ifndef MOULT_PORTS_SIM_CHIP_H
#define MOULT_PORTS_SIM_CHIP_H

#include <stdint.h>
#include "formats/compiler.h"
#include "formats/status.h"
#include "ports/sim/flash.h"
#include "ports/sim/storage.h"

#define MOULT_SIM_EFUSE_SIZE 4096u /* bytes behind the flash in a device file */
#define MOULT_SIM_EFUSE_BITS_MAX 32u

struct moult_sim_chip {
    struct moult_sim_storage *storage; /* borrowed */
    struct moult_sim_flash flash;
    uint16_t chip_id;     /* formats/chip.h */
    uint16_t revision;    /* major * 100 + minor */
    uint8_t version_bits; /* size of the secure_version field */
};

/* Makes a chip as it leaves the factory in storage of flash_size + MOULT_SIM_EFUSE_SIZE
 * bytes; the flash part keeps its content. The chip is open then.
 * MOULT_OK; MOULT_E_RANGE: sizes do not fit or are not whole sectors; MOULT_E_ARG: no such
 * chip; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status
moult_sim_chip_create(struct moult_sim_chip *chip, struct moult_sim_storage *storage,
                      uint16_t chip_id, uint16_t revision, uint32_t flash_size);

/* Opens one. MOULT_OK; MOULT_E_FORMAT: not a device file; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status moult_sim_chip_open(struct moult_sim_chip *chip,
                                                       struct moult_sim_storage *storage);

/* How many secure_version bits are burnt. MOULT_OK; MOULT_E_IO, out untouched. */
MOULT_MUST_CHECK enum moult_status moult_sim_efuse_read(const struct moult_sim_chip *chip,
                                                        uint32_t *version);

/* Burns bits until `version` of them are. MOULT_OK, also when they were; MOULT_E_REPLAY:
 * more are burnt already; MOULT_E_RANGE: the chip has fewer, nothing burnt; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status moult_sim_efuse_burn(struct moult_sim_chip *chip,
                                                        uint32_t version);

#endif
