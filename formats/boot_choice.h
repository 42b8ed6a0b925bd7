/* boot_choice.h - everything an ESP-IDF bootloader decides, as one pure function.
 *
 * Layer    formats: pure; asks the caller whether a slot's image verifies.
 * Format   bootloader_utility.c of ESP-IDF 5.3 to 6.x; the algorithm is in
 *          docs/spec/otadata.md.
 * Memory   struct moult_boot_choice about 150 bytes, the caller's.
 * Power    the actions are in order; a cut between any two leaves what the real
 *          bootloader would leave. Do each write as one sector erase and one 32-byte
 *          program.
 * Use it   read otadata, moult_boot_choose(), do the writes, burn the eFuse, start what
 *          it names.
 */
#ifndef MOULT_FORMATS_BOOT_CHOICE_H
#define MOULT_FORMATS_BOOT_CHOICE_H

#include <stdbool.h>
#include <stdint.h>
#include "formats/otadata.h"
#include "formats/status.h"

/* What can be started: 0..15 is ota_N. */
enum {
    MOULT_BOOT_FACTORY = -1,
    MOULT_BOOT_TEST = -2,
    MOULT_BOOT_NONE = -3, /* nothing boots: the bootloader resets, for ever */
};

#define MOULT_BOOT_WRITES_MAX                                                              \
    4u /* two aborts, one trial or one stamp, and one to spare   \
                                  */

struct moult_boot_table {
    uint32_t slot_count; /* ota_N partitions, 0..16 */
    bool has_otadata;    /* a data/ota partition of at least 8 KB exists */
    bool has_factory;
    bool has_test;
    bool rollback;          /* as in struct moult_otadata_rules */
    bool anti_rollback;     /* likewise; requires rollback */
    uint32_t efuse_version; /* secure_version in eFuse now */
    uint32_t efuse_bits; /* its field's size = highest value; 32 on ESP32, 16 on ESP32-C3 */
};

/* Questions about the partition `which` (0..15, FACTORY, TEST); it exists in the table. */
struct moult_boot_probe {
    void *context;

    /* Whether the image there verifies as the bootloader verifies it (esp_image.h,
     * signature). */
    bool (*verifies)(void *context, int which);

    /* Its app descriptor's secure_version into *out; false when there is no descriptor.
     * Asked for in anti-rollback builds only. */
    bool (*secure_version)(void *context, int which, uint32_t *out);
};

struct moult_boot_choice {
    int selected; /* what otadata selects: 0..15, or MOULT_BOOT_FACTORY (also: nothing) */
    int booted;   /* what starts: 0..15, FACTORY, TEST or NONE */
    int entry;    /* otadata entry that counts; -1: none */
    bool is_fallback; /* booted is not what otadata names, and otadata was not corrected */
    uint32_t write_count; /* otadata sectors to rewrite, in order */
    struct moult_otadata_write writes[MOULT_BOOT_WRITES_MAX];
    uint32_t
        efuse_version; /* burn up to this value when higher than before, after the writes */
};

/* Decide one boot (not a wake from deep sleep with validation skipped).
 *
 * raw      both entries as read; not looked at when the table has no otadata.
 *
 * MOULT_OK, also when nothing boots (booted is MOULT_BOOT_NONE); MOULT_E_RANGE: slot_count;
 * MOULT_E_ARG: anti_rollback without rollback. out untouched on failure. */
MOULT_MUST_CHECK enum moult_status
moult_boot_choose(const struct moult_boot_table *table,
                  const uint8_t raw[2][MOULT_OTADATA_SIZE],
                  const struct moult_boot_probe *probe, struct moult_boot_choice *out);

#endif
