/* flash_fault.h - what planned faults and defects do to a simulated flash.
 *
 * Layer    ports/sim, private to it.
 * Memory   no heap; the fields of struct moult_sim_flash.
 * Threads  one at a time per flash.
 */
#ifndef MOULT_PORTS_SIM_FLASH_FAULT_H
#define MOULT_PORTS_SIM_FLASH_FAULT_H

#include <stdbool.h>
#include <stdint.h>
#include "ports/sim/flash.h"

enum moult_sim_operation { MOULT_SIM_PROGRAM, MOULT_SIM_ERASE, MOULT_SIM_BURN };

/* splitmix64: one well-mixed number per (seed, index), for whatever happens by chance. */
uint64_t moult_sim_mixed_bits(uint64_t seed, uint64_t index);

/* Counts an operation of the sector that holds `offset` and says what strikes it: a plan,
 * or a defect of the sector in the shape of one. */
struct moult_sim_plan moult_sim_fault_next(struct moult_sim_flash *flash,
                                           enum moult_sim_operation operation,
                                           uint32_t offset);

/* Counts a read. Whether it fails. */
bool moult_sim_fault_fails_read(struct moult_sim_flash *flash, uint32_t offset,
                                uint32_t size);

/* after := what a cut leaves of the change before -> after at `offset`. */
void moult_sim_fault_leave(struct moult_sim_flash *flash, const struct moult_sim_plan *plan,
                           uint32_t offset, const uint8_t *before, uint8_t *after,
                           uint32_t size);

/* out := what a read of the stored bytes `out` at `offset` gives this time. */
void moult_sim_fault_blur(struct moult_sim_flash *flash, uint32_t offset, uint8_t *out,
                          uint32_t size);

/* Cells that were programmed, or erased, are not weak any more. */
void moult_sim_fault_programmed(struct moult_sim_flash *flash, uint32_t offset,
                                const uint8_t *data, uint32_t size);
void moult_sim_fault_erased(struct moult_sim_flash *flash, uint32_t offset);

/* A sector claimed to be erased and was not; whether the last erase of it was such. */
void moult_sim_fault_add_silent(struct moult_sim_flash *flash, uint32_t offset);
bool moult_sim_fault_is_silent(const struct moult_sim_flash *flash, uint32_t offset);

#endif
