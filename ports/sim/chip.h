/* chip.h - one simulated chip: its flash, and the eFuses that no erase brings back.
 *
 * Layer    ports/sim.
 * Format   a device file is the flash, byte for byte, and one sector more: "MOULTCHP",
 *          u16 format 1, u16 chip_id, u16 revision (major * 100 + minor), u16 0, u32 flash
 *          size, u32 CRC-32 of the 20 bytes before; at 32 the 32 bits of secure_version;
 *          at 36 u32 switches and at 40 three key digests of 32 bytes, both inverted: a
 *          burnt bit is 0. Files from before that have 0xff there, so nothing burnt.
 * Memory   no heap; struct below, bits in a moult_sim_storage.
 * Power    a burn is one operation of the flash's count, so the flash's plans strike it; it
 *          only ever sets bits. A burn that is cut leaves any subset of its new bits
 *          (F12): new bit k, counted from the lowest, is burnt when bit k mod 64 of the
 *          plan's seed is set (CUT_MIXED, CUT_WEAK) or k < torn_size (CUT_TORN).
 */
#ifndef MOULT_PORTS_SIM_CHIP_H
#define MOULT_PORTS_SIM_CHIP_H

#include <stdbool.h>
#include <stdint.h>
#include "formats/compiler.h"
#include "formats/secure_boot.h"
#include "formats/status.h"
#include "ports/sim/clock.h"
#include "ports/sim/flash.h"
#include "ports/sim/storage.h"

#define MOULT_SIM_EFUSE_SIZE 4096u /* bytes behind the flash in a device file */
#define MOULT_SIM_EFUSE_BITS_MAX 32u

/* What the bootloader keeps in RTC memory: survives resets and deep sleep, not a loss of
 * power. Clear has_boot to lose it at any other reset as well. */
struct moult_sim_rtc {
    bool has_boot;
    int booted; /* as in struct moult_boot_choice */
};

struct moult_sim_chip {
    struct moult_sim_storage *storage; /* borrowed */
    struct moult_sim_flash flash;
    uint16_t chip_id;     /* formats/chip.h */
    uint16_t revision;    /* major * 100 + minor */
    uint8_t version_bits; /* size of the secure_version field */
    struct moult_sim_clock clock;
    struct moult_sim_rtc rtc;
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

/* Burns bits until `version` of them are, as ESP-IDF does: the bits [burnt, version) where
 * `burnt` is how many are. A cut burn may have left others, and then it stays below
 * `version` without saying so. MOULT_OK, also when they were; MOULT_E_REPLAY: more are
 * burnt already; MOULT_E_RANGE: the chip has fewer, nothing burnt; MOULT_E_IO: planned
 * failure, power or storage. */
MOULT_MUST_CHECK enum moult_status moult_sim_efuse_burn(struct moult_sim_chip *chip,
                                                        uint32_t version);

/* One-way switches. */
enum moult_sim_switch {
    MOULT_SIM_SECURE_BOOT = 0, /* the bootloader verifies signatures */
    MOULT_SIM_REVOKE_0 = 1,    /* key digest 0 does not count any more; 2 and 3: 1 and 2 */
    MOULT_SIM_KEY_USED_0 = 4,  /* key digest 0 is there; 5 and 6: 1 and 2 */
    MOULT_SIM_FLASH_CRYPT = 7, /* flash encryption is on */
};

/* Whether it is burnt. MOULT_OK; MOULT_E_IO, out untouched. */
MOULT_MUST_CHECK enum moult_status moult_sim_switch_read(const struct moult_sim_chip *chip,
                                                         enum moult_sim_switch which,
                                                         bool *is_on);

/* Burns it. MOULT_OK, also when it was; MOULT_E_IO as above. */
MOULT_MUST_CHECK enum moult_status moult_sim_switch_burn(struct moult_sim_chip *chip,
                                                         enum moult_sim_switch which);

/* Burns a key digest into slot 0..2, then that it is used: two operations.
 * MOULT_OK; MOULT_E_EXISTS: the slot is used, nothing burnt; MOULT_E_RANGE: the chip has
 * fewer slots; MOULT_E_IO as above. */
MOULT_MUST_CHECK enum moult_status
moult_sim_key_burn(struct moult_sim_chip *chip, uint32_t slot, const uint8_t digest[32]);

/* What all of them say of Secure Boot. MOULT_OK; MOULT_E_IO, out undefined. */
MOULT_MUST_CHECK enum moult_status moult_sim_fuses_read(const struct moult_sim_chip *chip,
                                                        struct moult_sb_fuses *out);

#endif
