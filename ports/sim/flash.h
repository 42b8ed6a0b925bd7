/* flash.h - a NOR flash that refuses what a real one cannot do, and loses power on demand.
 *
 * Layer    ports/sim.
 * Memory   no heap; the caller's struct, bits in a moult_sim_storage.
 * Threads  one at a time per flash.
 * Power    one operation is the program of at most one 256-byte page or the erase of one
 *          4096-byte sector. A planned cut strikes an operation by its number; then the
 *          flash is off: every call fails and changes nothing until
 *          moult_sim_flash_power_on(). A SIGKILL is a cut as well (storage.h).
 * Use it   init, allow ranges, protect the running slot, then read, program, erase.
 *          docs/design/simulator.md tells the whole.
 *
 * What no driver may ever do is a panic, not a status: access outside the chip, erase off a
 * sector boundary, a program that would have to set a bit, any write outside the allowed
 * ranges or inside the protected one, and in encrypted ranges a write off the unit or onto
 * a unit that was written since its erase. The panic callback may stop the process or the
 * test; when it returns, the operation has not happened.
 */
#ifndef MOULT_PORTS_SIM_FLASH_H
#define MOULT_PORTS_SIM_FLASH_H

#include <stdbool.h>
#include <stdint.h>
#include "formats/compiler.h"
#include "formats/status.h"
#include "ports/sim/storage.h"

#define MOULT_SIM_SECTOR_SIZE 4096u /* bytes erased together */
#define MOULT_SIM_PAGE_SIZE 256u    /* bytes programmed at most together */
#define MOULT_SIM_UNIT_SIZE 16u     /* bytes encrypted together, where encryption is on */
#define MOULT_SIM_RANGES_MAX 24u    /* allowed ranges: 16 slots, otadata, nvs, data */

/* What happens at one operation; in brackets the fault models of the design page. */
enum moult_sim_fault {
    MOULT_SIM_FAULT_NONE,
    MOULT_SIM_CUT_BEFORE, /* power goes, nothing done (F1) */
    MOULT_SIM_CUT_AFTER,  /* done, power goes before the caller learns (F2) */
    MOULT_SIM_CUT_TORN,   /* only the first torn_size bytes are done (F3) */
    MOULT_SIM_CUT_MIXED,  /* every bit that changes is done or not, by seed (F4, F5) */
    MOULT_SIM_FAIL,       /* nothing done, MOULT_E_IO, power stays (F6) */
    MOULT_SIM_NOOP,       /* nothing done, MOULT_OK (F7) */
};

struct moult_sim_plan {
    enum moult_sim_fault fault;
    uint64_t at;        /* operation it strikes: the first after init is 1 */
    uint32_t torn_size; /* MOULT_SIM_CUT_TORN */
    uint64_t seed;      /* MOULT_SIM_CUT_MIXED */
};

struct moult_sim_range {
    uint32_t offset, size; /* bytes */
    bool is_encrypted;     /* 16-byte units, written once per erase */
};

struct moult_sim_flash {
    struct moult_sim_storage *storage; /* borrowed */
    uint32_t size;                     /* bytes of flash; storage may hold more behind */
    struct moult_sim_range allowed[MOULT_SIM_RANGES_MAX];
    uint32_t allowed_count;
    struct moult_sim_range protected; /* size 0: none */
    struct moult_sim_plan plan;
    uint64_t operation_count; /* since init */
    uint16_t *erase_count;    /* borrowed, one per sector; NULL: not counted */
    bool is_off;              /* a cut has happened */

    /* Both may leave by longjmp(). power_lost NULL: calls just fail. panic NULL: message,
     * abort(). */
    void (*power_lost)(void *context);
    void (*panic)(void *context, const char *what, uint32_t offset);
    void *context;
};

/* A flash of `size` bytes (a multiple of 4096, at most the storage's) with power on,
 * nothing allowed and no plan. Content is what storage holds. */
void moult_sim_flash_init(struct moult_sim_flash *flash, struct moult_sim_storage *storage,
                          uint32_t size);

/* Lets writes into [offset, offset + size). MOULT_OK; MOULT_E_RANGE: not whole sectors of
 * the flash, or more than MOULT_SIM_RANGES_MAX. */
MOULT_MUST_CHECK enum moult_status moult_sim_flash_allow(struct moult_sim_flash *flash,
                                                         uint32_t offset, uint32_t size,
                                                         bool is_encrypted);

/* Forgets all allowed and protected ranges: what a reset does. */
void moult_sim_flash_forbid_all(struct moult_sim_flash *flash);

/* Makes writes into the range a panic even where allowed: the slot that is running. */
void moult_sim_flash_protect(struct moult_sim_flash *flash, uint32_t offset, uint32_t size);

/* Power is back; the plan is used up. */
void moult_sim_flash_power_on(struct moult_sim_flash *flash);

/* size bytes at offset. MOULT_OK; MOULT_E_IO: power off or storage failed, out undefined;
 * MOULT_E_INTERNAL: panic returned. */
MOULT_MUST_CHECK enum moult_status moult_sim_flash_read(struct moult_sim_flash *flash,
                                                        uint32_t offset, uint8_t *out,
                                                        uint32_t size);

/* Programs size bytes, page by page: the flash then holds old AND new. Size 0 does nothing.
 * MOULT_OK; MOULT_E_IO: power off, planned failure or storage failed, some pages may be
 * done; MOULT_E_INTERNAL: panic returned. */
MOULT_MUST_CHECK enum moult_status moult_sim_flash_program(struct moult_sim_flash *flash,
                                                           uint32_t offset,
                                                           const uint8_t *data,
                                                           uint32_t size);

/* Erases one sector to 0xff. Returns as program. */
MOULT_MUST_CHECK enum moult_status moult_sim_flash_erase(struct moult_sim_flash *flash,
                                                         uint32_t offset);

/* Flips one bit at rest (F9), whatever is allowed: damage, not an operation.
 * MOULT_OK; MOULT_E_IO: storage failed. */
MOULT_MUST_CHECK enum moult_status moult_sim_flash_flip(struct moult_sim_flash *flash,
                                                        uint32_t offset, uint32_t bit);

#endif
