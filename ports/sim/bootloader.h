/* bootloader.h - ESP-IDF's second stage on a simulated chip: what starts, and what it
 * writes.
 *
 * Layer    ports/sim. The decision is formats/boot_choice.h; this does its reads and
 *          writes.
 * Memory   no heap; struct moult_sim_boot (about 5 KB) is what lives in RAM from this
 *          boot to the next. It starts zeroed by every boot: nothing else passes a reset.
 * Threads  one at a time per chip.
 * Power    each otadata write is one sector erase and one 32-byte program, as in ESP-IDF; a
 *          cut between them leaves what docs/design/otadata.md lists.
 * Use it   moult_sim_boot(), look at `booted`, run the application; its side of the
 *          contract is ports/sim/ota.h.
 *
 * Left out, as not needed here: Secure Boot V1 and P-384, the RTC watchdog.
 */
#ifndef MOULT_PORTS_SIM_BOOTLOADER_H
#define MOULT_PORTS_SIM_BOOTLOADER_H

#include <stdbool.h>
#include <stdint.h>
#include "formats/boot_choice.h"
#include "formats/crypto.h"
#include "formats/partition_table.h"
#include "formats/reader.h"
#include "formats/status.h"
#include "ports/sim/chip.h"

/* How bootloader and application were built. */
struct moult_sim_build {
    bool has_rollback;        /* CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE */
    bool has_anti_rollback;   /* CONFIG_BOOTLOADER_APP_ANTI_ROLLBACK */
    bool skips_in_deep_sleep; /* CONFIG_BOOTLOADER_SKIP_VALIDATE_IN_DEEP_SLEEP */
};

struct moult_sim_boot {
    struct moult_sim_chip *chip;       /* borrowed */
    const struct moult_crypto *crypto; /* borrowed */
    struct moult_sim_build build;
    struct moult_partition_table table;
    uint32_t slot_count; /* ota_N, contiguous */
    int selected;        /* what otadata named, as in struct moult_boot_choice */
    int booted;          /* what runs */
    bool is_fallback;    /* booted is not what otadata names */
    uint8_t reset;       /* enum moult_reset of this boot */
};

/* Power is on: read the partition table, decide, write otadata, burn eFuses, and leave the
 * chip as the application finds it: otadata, nvs, data and the other slots may be written,
 * the running slot may not.
 *
 * reset   an enum moult_reset (moult/port.h), kept for the application. What it means to
 *         the chip (F11): the flash has power again; power-on, brownout and power glitch
 *         lose RTC memory and wall clock. A wake from deep sleep is an ordinary boot, or
 *         where the build skips validation starts what ran before: no look at otadata, so
 *         a trial goes on, and no check of the image but its first byte.
 * is_dry  decide and write nothing: for tools that only look. Then the chip must not run.
 *
 * MOULT_OK; MOULT_E_FORMAT: no partition table that boots; MOULT_E_NOENT: nothing boots,
 * the chip resets for ever; MOULT_E_IO: flash, or power went. */
MOULT_MUST_CHECK enum moult_status moult_sim_boot(struct moult_sim_boot *boot,
                                                  struct moult_sim_chip *chip,
                                                  const struct moult_crypto *crypto,
                                                  const struct moult_sim_build *build,
                                                  uint8_t reset, bool is_dry);

/* The partition of ota_N, or of MOULT_BOOT_FACTORY or _TEST; NULL: none. */
const struct moult_partition *moult_sim_partition(const struct moult_sim_boot *boot,
                                                  int which);

/* A reader of a partition's bytes; `part` is filled and borrowed by the reader. */
struct moult_sim_part {
    struct moult_sim_flash *flash;
    uint32_t offset;
    uint32_t size; /* of a region (ports/sim/region.h); a reader has its own */
};
struct moult_reader moult_sim_reader(struct moult_sim_flash *flash,
                                     const struct moult_partition *partition,
                                     struct moult_sim_part *part);

/* Whether the bootloader would start what is in the partition: header, chip, revision,
 * segments, checksum, digest, size, and where eFuses say so the Secure Boot V2 signature.
 * finding may be NULL. MOULT_OK; MOULT_E_NOENT: no such partition; MOULT_E_SIGNATURE,
 * _REFUSED, _UNSUPPORTED: as moult_sb_trusts(); else as formats/esp_image.h. */
MOULT_MUST_CHECK enum moult_status moult_sim_verify(const struct moult_sim_boot *boot,
                                                    int which,
                                                    struct moult_finding *finding);

/* Whether the chip's eFuses trust the signature sector at `sector` of the reader, for an
 * image whose digest is known. Returns as moult_sb_trusts(). */
MOULT_MUST_CHECK enum moult_status moult_sim_sb_judge(const struct moult_sim_boot *boot,
                                                      const struct moult_reader *reader,
                                                      uint32_t sector,
                                                      const uint8_t image_digest[32],
                                                      struct moult_finding *finding);

/* secure_version of the image in a partition. False: no descriptor there. */
bool moult_sim_secure_version(const struct moult_sim_boot *boot, int which, uint32_t *out);

/* Both otadata entries as they are on flash. */
struct moult_sim_otadata {
    uint8_t raw[2][MOULT_OTADATA_SIZE];
};

/* Read them; and one rewrite: sector erase, 32-byte program.
 * MOULT_OK; MOULT_E_NOENT: the table has no otadata; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status moult_sim_otadata_read(const struct moult_sim_boot *boot,
                                                          struct moult_sim_otadata *out);
MOULT_MUST_CHECK enum moult_status
moult_sim_otadata_write(const struct moult_sim_boot *boot,
                        const struct moult_otadata_write *write);

#endif
