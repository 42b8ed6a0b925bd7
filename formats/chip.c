/* chip.c - see chip.h. Numbers are those of ESP-IDF's esp_chip_id_t, windows those of
 * soc.h. */
#include "formats/chip.h"
#include <assert.h>
#include <stddef.h>

/* clang-format off */
static const struct moult_chip chips[] = {
    /* id, secure_version bits, signature blocks, bootloader offset, names, windows */
    {MOULT_CHIP_ESP32, 32, 1, 0x1000, "esp32", "ESP32",
     {{0x400d0000, 0x40400000}, {0x3f400000, 0x3f800000}}},
    {MOULT_CHIP_ESP32S2, 16, 3, 0x1000, "esp32s2", "ESP32-S2",
     {{0x40080000, 0x40c00000}, {0x3f000000, 0x3ff80000}}},
    {MOULT_CHIP_ESP32C3, 16, 3, 0x0, "esp32c3", "ESP32-C3",
     {{0x42000000, 0x42800000}, {0x3c000000, 0x3c800000}}},
    {MOULT_CHIP_ESP32S3, 16, 3, 0x0, "esp32s3", "ESP32-S3",
     {{0x42000000, 0x44000000}, {0x3c000000, 0x3e000000}}},
    {MOULT_CHIP_ESP32C2, 4, 1, 0x0, "esp32c2", "ESP32-C2",
     {{0x42000000, 0x42400000}, {0x3c000000, 0x3c400000}}},
    {MOULT_CHIP_ESP32C6, 16, 3, 0x0, "esp32c6", "ESP32-C6",
     {{0x42000000, 0x43000000}, {0, 0}}},
    {MOULT_CHIP_ESP32H2, 16, 3, 0x0, "esp32h2", "ESP32-H2",
     {{0x42000000, 0x43000000}, {0, 0}}},
    {MOULT_CHIP_ESP32P4, 16, 3, 0x2000, "esp32p4", "ESP32-P4",
     {{0x40000000, 0x4c000000}, {0, 0}}},
    {MOULT_CHIP_ESP32C61, 16, 3, 0x0, "esp32c61", "ESP32-C61",
     {{0x42000000, 0x44000000}, {0, 0}}},
    {MOULT_CHIP_ESP32C5, 9, 3, 0x2000, "esp32c5", "ESP32-C5",
     {{0x42000000, 0x44000000}, {0, 0}}},
    {MOULT_CHIP_ESP32H21, 16, 3, 0x0, "esp32h21", "ESP32-H21", {{0, 0}, {0, 0}}},
    {MOULT_CHIP_ESP32H4, 16, 3, 0x2000, "esp32h4", "ESP32-H4", {{0, 0}, {0, 0}}},
    {MOULT_CHIP_ESP32S31, 16, 3, 0x2000, "esp32s31", "ESP32-S31", {{0, 0}, {0, 0}}},
};
/* clang-format on */

enum { CHIP_COUNT = sizeof chips / sizeof chips[0] };

const struct moult_chip *moult_chip_at(uint32_t i)
{
    return i < CHIP_COUNT ? &chips[i] : NULL;
}

const struct moult_chip *moult_chip_by_id(uint16_t id)
{
    for (uint32_t i = 0; i < CHIP_COUNT; i++) {
        if (chips[i].id == id) { return &chips[i]; }
    }
    return NULL;
}

static const char *skip_dashes(const char *text)
{
    while (*text == '-') {
        text++;
    }
    return text;
}

static bool is_same_name(const char *given, const char *name)
{
    for (given = skip_dashes(given); *given; given = skip_dashes(given + 1), name++) {
        char c = *given;
        if (c >= 'A' && c <= 'Z') { c = (char)(c - 'A' + 'a'); }
        if (c != *name) { return false; }
    }
    return *name == '\0';
}

const struct moult_chip *moult_chip_by_name(const char *name)
{
    assert(name);
    for (uint32_t i = 0; i < CHIP_COUNT; i++) {
        if (is_same_name(name, chips[i].name)) { return &chips[i]; }
    }
    return NULL;
}

const char *moult_chip_name(uint16_t id)
{
    const struct moult_chip *chip = moult_chip_by_id(id);
    return chip ? chip->name : "unknown";
}

bool moult_chip_maps(const struct moult_chip *chip, uint32_t address)
{
    assert(chip);
    for (int i = 0; i < 2; i++) {
        const struct moult_chip_window *window = &chip->mapped[i];
        if (address >= window->start && address < window->end) { return true; }
    }
    return false;
}

bool moult_chip_revision_allowed(uint16_t revision, uint16_t min, uint16_t max)
{
    bool has_max = max != 0 && max != UINT16_MAX;
    return revision >= min && (!has_max || revision <= max);
}
