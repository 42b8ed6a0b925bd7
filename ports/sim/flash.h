/* flash.h - a NOR flash that refuses what a real one cannot do, and loses power on demand.
 *
 * Layer    ports/sim.
 * Memory   no heap; the caller's struct, bits in a moult_sim_storage.
 * Threads  one at a time per flash.
 * Power    one operation is the program of at most one 256-byte page or the erase of one
 *          4096-byte sector. A planned cut strikes an operation by its number; then the
 *          flash is off: every call fails and changes nothing until
 *          moult_sim_flash_power_on(). A SIGKILL is a cut as well (storage.h).
 * Use it   init, allow ranges, protect the running slot, then read, program, erase. Faults
 *          are the fields `plans` and `defects`: set them at any time.
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
#define MOULT_SIM_ROW_SIZE 32u      /* what ESP32 writes at once there */
#define MOULT_SIM_RANGES_MAX 24u    /* allowed ranges: 16 slots, otadata, nvs, data */
#define MOULT_SIM_PLANS_MAX 8u      /* faults planned at once: nested cuts, and some more */
#define MOULT_SIM_DEFECTS_MAX 8u    /* broken places of one chip */
#define MOULT_SIM_WEAK_MAX 64u      /* bytes with weak bits: four operations cut that way */
#define MOULT_SIM_SILENT_MAX 8u     /* sectors that only claim to have been erased */

/* What happens at one operation; in brackets the fault models of the design page. */
enum moult_sim_fault {
    MOULT_SIM_FAULT_NONE,
    MOULT_SIM_CUT_BEFORE, /* power goes, nothing done (F1, F5a) */
    MOULT_SIM_CUT_AFTER,  /* done, power goes before the caller learns (F2) */
    MOULT_SIM_CUT_TORN,   /* only the first torn_size bytes are done (F3) */
    MOULT_SIM_CUT_MIXED,  /* every bit that changes is done or not, by seed (F4, F5b) */
    MOULT_SIM_FAIL,       /* nothing done, MOULT_E_IO, power stays (F6) */
    MOULT_SIM_NOOP,       /* nothing done, MOULT_OK (F7) */
    MOULT_SIM_CUT_WEAK,   /* as good as erased, but some bits read differently at each
                           * read; likewise some bits of a program (F5c) */
    MOULT_SIM_READ_FAIL,  /* a read returns MOULT_E_IO (F6); `at` counts reads */
};

/* One fault to come. Plans lie in no order and stay through resets until they strike. */
struct moult_sim_plan {
    enum moult_sim_fault fault;
    uint64_t at;        /* operation (or read) it strikes: the first after init is 1 */
    uint32_t torn_size; /* MOULT_SIM_CUT_TORN */
    uint64_t seed;      /* MOULT_SIM_CUT_MIXED, _WEAK */
    uint32_t count;     /* FAIL, NOOP, READ_FAIL: so many in a row; 0 is 1 */
};

/* What is broken until the chip is replaced (F8). BAD: the call fails, nothing done; DEAD:
 * nothing done, and it says MOULT_OK. */
enum moult_sim_defect_kind {
    MOULT_SIM_DEFECT_NONE,
    MOULT_SIM_STUCK_BITS, /* bits `mask` of the byte at `offset` read 0 for ever */
    MOULT_SIM_BAD_ERASE,  /* these: the sector that holds `offset` */
    MOULT_SIM_BAD_PROGRAM,
    MOULT_SIM_BAD_READ,
    MOULT_SIM_DEAD_ERASE,
    MOULT_SIM_DEAD_PROGRAM,
    MOULT_SIM_BAD_BURN, /* these: every eFuse */
    MOULT_SIM_DEAD_BURN,
};

struct moult_sim_defect {
    enum moult_sim_defect_kind kind;
    uint32_t offset;
    uint8_t mask; /* MOULT_SIM_STUCK_BITS */
};

/* What operations cost, in time of the simulated chip. */
struct moult_sim_timing {
    uint32_t erase_us;          /* one sector */
    uint32_t program_us;        /* one page or a part of it */
    uint32_t read_us;           /* one read, before its first byte */
    uint32_t read_bytes_per_us; /* DIO at 40 MHz: 10 */
};

/* Data sheets of the 3.3 V chips on ESP32 modules (Winbond W25Q32 to W25Q128, GigaDevice
 * GD25Q): sector erase 45 ms typical, 400 ms at most; page program 0.7 to 0.8 ms typical, 3
 * ms at most. A read's start is what the flash driver takes to stop the cache. */
extern const struct moult_sim_timing moult_sim_timing_typical, moult_sim_timing_worst;

struct moult_sim_range {
    uint32_t offset, size; /* bytes */
    bool is_encrypted;     /* whole units, written once per erase */
};

struct moult_sim_flash {
    struct moult_sim_storage *storage; /* borrowed */
    uint32_t size;                     /* bytes of flash; storage may hold more behind */
    struct moult_sim_range allowed[MOULT_SIM_RANGES_MAX];
    uint32_t allowed_count;
    struct moult_sim_range protected;                   /* size 0: none */
    struct moult_sim_range crypt[MOULT_SIM_RANGES_MAX]; /* kept as ciphertext */
    uint32_t crypt_count;
    uint32_t unit_size; /* of writes where encrypted: MOULT_SIM_UNIT_SIZE, or _ROW_SIZE */
    struct moult_sim_plan plans[MOULT_SIM_PLANS_MAX];
    struct moult_sim_defect defects[MOULT_SIM_DEFECTS_MAX];
    struct moult_sim_timing timing; /* typical, until set otherwise */
    uint64_t operation_count;       /* programs of pages, erases and burns since init */
    uint64_t read_count;            /* calls of read since init */
    uint64_t busy_us;               /* what all of them took since init */
    uint16_t *erase_count;          /* borrowed, one per sector; NULL: not counted */
    bool is_off;                    /* a cut has happened */

    /* What faults have left behind; kept by flash_fault.c. */
    struct {
        uint32_t offset;
        uint8_t mask;
    } weak[MOULT_SIM_WEAK_MAX];
    uint64_t weak_seed;
    uint32_t weak_count;
    uint32_t silent[MOULT_SIM_SILENT_MAX]; /* offset + 1 of a sector; 0: none */
    uint32_t silent_next;

    /* Both may leave by longjmp(). power_lost NULL: calls just fail. panic NULL: message,
     * abort(). */
    void (*power_lost)(void *context);
    void (*panic)(void *context, const char *what, uint32_t offset);
    void *context;
};

/* A flash of `size` bytes (a multiple of 4096, at most the storage's) with power on,
 * nothing allowed, no plan and no defect. Content is what storage holds. */
void moult_sim_flash_init(struct moult_sim_flash *flash, struct moult_sim_storage *storage,
                          uint32_t size);

/* Lets writes into [offset, offset + size). MOULT_OK; MOULT_E_RANGE: not whole sectors of
 * the flash, or more than MOULT_SIM_RANGES_MAX. */
MOULT_MUST_CHECK enum moult_status moult_sim_flash_allow(struct moult_sim_flash *flash,
                                                         uint32_t offset, uint32_t size,
                                                         bool is_encrypted);

/* Forgets all allowed and protected ranges: what a reset does. */
void moult_sim_flash_forbid_all(struct moult_sim_flash *flash);

/* Flash encryption: what the range holds is ciphertext from now on, and read and program
 * are the decrypting and encrypting ones. Whole sectors. Erased flash then reads as noise:
 * ask moult_sim_flash_read_raw() whether it is blank. MOULT_OK; MOULT_E_RANGE. */
MOULT_MUST_CHECK enum moult_status moult_sim_flash_encrypt(struct moult_sim_flash *flash,
                                                           uint32_t offset, uint32_t size);

/* Forgets all encrypted ranges: their content reads as it is. */
void moult_sim_flash_encrypt_none(struct moult_sim_flash *flash);

/* Makes writes into the range a panic even where allowed: the slot that is running. */
void moult_sim_flash_protect(struct moult_sim_flash *flash, uint32_t offset, uint32_t size);

/* Power goes now, between two operations: what a planned cut does. Returns MOULT_E_IO. */
enum moult_status moult_sim_flash_power_off(struct moult_sim_flash *flash);

/* Power is back. Plans that did not strike yet still will. */
void moult_sim_flash_power_on(struct moult_sim_flash *flash);

/* size bytes at offset, with what defects and weak bits make of them. MOULT_OK; MOULT_E_IO:
 * power off, planned failure, bad sector or storage failed, out undefined;
 * MOULT_E_INTERNAL: panic returned. */
MOULT_MUST_CHECK enum moult_status moult_sim_flash_read(struct moult_sim_flash *flash,
                                                        uint32_t offset, uint8_t *out,
                                                        uint32_t size);

/* As read, without decryption. */
MOULT_MUST_CHECK enum moult_status moult_sim_flash_read_raw(struct moult_sim_flash *flash,
                                                            uint32_t offset, uint8_t *out,
                                                            uint32_t size);

/* What the cells hold, decrypted, also without power and whatever is broken: for a test
 * that wants to know, no operation. MOULT_OK; MOULT_E_IO: storage. */
MOULT_MUST_CHECK enum moult_status moult_sim_flash_peek(const struct moult_sim_flash *flash,
                                                        uint32_t offset, uint8_t *out,
                                                        uint32_t size);

/* What a programmer with a cable does: the bytes, encrypted where that is on, whatever was
 * there and is allowed. Whole units; no operation. MOULT_OK; MOULT_E_IO: storage. */
MOULT_MUST_CHECK enum moult_status moult_sim_flash_load(struct moult_sim_flash *flash,
                                                        uint32_t offset,
                                                        const uint8_t *data, uint32_t size);

/* Programs size bytes, page by page: the flash then holds old AND new. Size 0 does nothing.
 * A sector that only claimed to be erased is no panic: its driver cannot know.
 * MOULT_OK; MOULT_E_IO: power off, planned failure, bad sector or storage failed, some
 * pages may be done; MOULT_E_INTERNAL: panic returned. */
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
