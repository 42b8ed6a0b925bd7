/* app_desc.h - the descriptor at the front of every ESP-IDF application.
 *
 * Layer    formats: pure.
 * Format   esp_app_desc_t, 256 bytes at image offset 32; docs/spec/esp-image.md.
 *
 * Arduino builds carry the name and version of the core's builder here, not of the product:
 * use it as a cross-check that warns, never as identity. Identity is formats/image_info.h.
 */
#ifndef MOULT_FORMATS_APP_DESC_H
#define MOULT_FORMATS_APP_DESC_H

#include <stdint.h>
#include "formats/reader.h"
#include "formats/status.h"

#define MOULT_APP_DESC_OFFSET 32u /* in the image: header 24, segment header 8 */
#define MOULT_APP_DESC_SIZE 256u
#define MOULT_APP_DESC_MAGIC 0xabcd5432u

/* Strings are NUL terminated here; on flash they may fill their field without a NUL. */
struct moult_app_desc {
    uint32_t secure_version; /* eFuse anti-rollback */
    char version[33];
    char project[33];
    char time[17];
    char date[17];
    char idf_version[33];
    uint8_t elf_sha256[32];
    uint16_t efuse_block_revision_min; /* major * 100 + minor */
    uint16_t efuse_block_revision_max; /* 0 or 65535: none */
    uint8_t mmu_page_log2;             /* as stored; 0: the chip's default of 64 KB */
    uint8_t spi_flash_mode;            /* as stored; 0: not recorded */
};

/* MOULT_OK; MOULT_E_FORMAT: no magic, out untouched. */
MOULT_MUST_CHECK enum moult_status
moult_app_desc_parse(const uint8_t raw[MOULT_APP_DESC_SIZE], struct moult_app_desc *out);

/* The opposite; reserved bytes become 0. Strings longer than their field are a bug
 * (asserted). */
void moult_app_desc_encode(const struct moult_app_desc *desc,
                           uint8_t raw[MOULT_APP_DESC_SIZE]);

/* From an image. MOULT_OK; MOULT_E_NOENT: no descriptor there (a bootloader, or not an
 * app); MOULT_E_TRUNCATED; MOULT_E_IO. out untouched on failure. */
MOULT_MUST_CHECK enum moult_status moult_app_desc_read(const struct moult_reader *image,
                                                       struct moult_app_desc *out);

/* Bytes of an MMU page of flash as the image says: 64 KB unless the descriptor names 8,
 * 16, 32. */
uint32_t moult_app_desc_page_size(const struct moult_app_desc *desc);

#endif
