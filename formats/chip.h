/* chip.h - the chips of the ESP32 family: names, numbers and what differs between them.
 *
 * Layer    formats: pure, constant tables.
 * Format   chip_id as in the image header; docs/spec/esp-image.md.
 */
#ifndef MOULT_FORMATS_CHIP_H
#define MOULT_FORMATS_CHIP_H

#include <stdbool.h>
#include <stdint.h>

/* As stored in images and named in releases: never renumber. */
enum {
    MOULT_CHIP_ESP32 = 0x0000,
    MOULT_CHIP_ESP32S2 = 0x0002,
    MOULT_CHIP_ESP32C3 = 0x0005,
    MOULT_CHIP_ESP32S3 = 0x0009,
    MOULT_CHIP_ESP32C2 = 0x000c,
    MOULT_CHIP_ESP32C6 = 0x000d,
    MOULT_CHIP_ESP32H2 = 0x0010,
    MOULT_CHIP_ESP32P4 = 0x0012,
    MOULT_CHIP_ESP32C61 = 0x0014,
    MOULT_CHIP_ESP32C5 = 0x0017,
    MOULT_CHIP_ESP32H21 = 0x0019,
    MOULT_CHIP_ESP32H4 = 0x001c,
    MOULT_CHIP_ESP32S31 = 0x0020,
    MOULT_CHIP_NONE = 0xffff, /* not bound to a chip; never in an app image */
};

/* An address range mapped from flash through the cache; [start, end). */
struct moult_chip_window {
    uint32_t start, end;
};

struct moult_chip {
    uint16_t id;
    uint8_t secure_version_bits; /* eFuse bits = highest secure_version */
    uint8_t signature_blocks;    /* Secure Boot V2 blocks that are evaluated: 1 or 3 */
    uint32_t bootloader_offset;  /* in flash */
    const char *name;            /* "esp32c3", as ESP-IDF's target */
    const char *title;           /* "ESP32-C3", as in the data sheet */
    struct moult_chip_window mapped[2]; /* code and read-only data; empty: not known here */
};

/* The chip of that number; NULL when there is none. Constant, lives for ever. */
const struct moult_chip *moult_chip_by_id(uint16_t id);

/* The chip of that name: "esp32c3" or "ESP32-C3", case and dashes do not matter. NULL:
 * unknown. */
const struct moult_chip *moult_chip_by_name(const char *name);

/* The name for messages: "esp32c3"; "unknown" for a number of no chip. */
const char *moult_chip_name(uint16_t id);

/* The i-th chip, i from 0, in order of number; NULL behind the last. For listings. */
const struct moult_chip *moult_chip_at(uint32_t i);

/* Whether an address is in one of the chip's windows onto flash. */
bool moult_chip_maps(const struct moult_chip *chip, uint32_t address);

/* Whether a chip of `revision` (major * 100 + minor) may run an image of that range; a
 * maximum of 0 or 65535 is no maximum. */
bool moult_chip_revision_allowed(uint16_t revision, uint16_t min, uint16_t max);

#endif
