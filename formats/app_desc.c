/* app_desc.c - see app_desc.h. */
#include "formats/app_desc.h"
#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include "formats/bytes.h"

enum {
    OFF_SECURE_VERSION = 4,
    OFF_VERSION = 16,
    OFF_PROJECT = 48,
    OFF_TIME = 80,
    OFF_DATE = 96,
    OFF_IDF_VERSION = 112,
    OFF_ELF_SHA256 = 144,
    OFF_BLOCK_MIN = 176,
    OFF_BLOCK_MAX = 178,
    OFF_PAGE = 180,
    OFF_SPI_MODE = 181,
    OFF_RESERVED = 182,
};
_Static_assert(OFF_RESERVED + 74 == MOULT_APP_DESC_SIZE, "app descriptor layout");

/* One string field: its size on flash, which is one less than in the struct. */
struct text {
    uint32_t offset, size;
    char *text;
};

enum { TEXT_COUNT = 5 };

static void texts_of(struct moult_app_desc *desc, struct text out[TEXT_COUNT])
{
    out[0] = (struct text){OFF_VERSION, sizeof desc->version - 1, desc->version};
    out[1] = (struct text){OFF_PROJECT, sizeof desc->project - 1, desc->project};
    out[2] = (struct text){OFF_TIME, sizeof desc->time - 1, desc->time};
    out[3] = (struct text){OFF_DATE, sizeof desc->date - 1, desc->date};
    out[4] =
        (struct text){OFF_IDF_VERSION, sizeof desc->idf_version - 1, desc->idf_version};
}

enum moult_status moult_app_desc_parse(const uint8_t raw[MOULT_APP_DESC_SIZE],
                                       struct moult_app_desc *out)
{
    assert(raw && out);
    if (get_le32(raw) != MOULT_APP_DESC_MAGIC) { return MOULT_E_FORMAT; }

    memset(out, 0, sizeof *out);
    out->secure_version = get_le32(raw + OFF_SECURE_VERSION);
    memcpy(out->elf_sha256, raw + OFF_ELF_SHA256, sizeof out->elf_sha256);
    out->efuse_block_revision_min = get_le16(raw + OFF_BLOCK_MIN);
    out->efuse_block_revision_max = get_le16(raw + OFF_BLOCK_MAX);
    out->mmu_page_log2 = raw[OFF_PAGE];
    out->spi_flash_mode = raw[OFF_SPI_MODE];

    struct text texts[TEXT_COUNT];
    texts_of(out, texts);
    for (int i = 0; i < TEXT_COUNT; i++) { /* may fill the field without a NUL */
        for (uint32_t k = 0; k < texts[i].size && raw[texts[i].offset + k]; k++) {
            texts[i].text[k] = (char)raw[texts[i].offset + k];
        }
    }
    return MOULT_OK;
}

void moult_app_desc_encode(const struct moult_app_desc *desc,
                           uint8_t raw[MOULT_APP_DESC_SIZE])
{
    assert(desc && raw);
    memset(raw, 0, MOULT_APP_DESC_SIZE);
    put_le32(raw, MOULT_APP_DESC_MAGIC);
    put_le32(raw + OFF_SECURE_VERSION, desc->secure_version);
    memcpy(raw + OFF_ELF_SHA256, desc->elf_sha256, sizeof desc->elf_sha256);
    put_le16(raw + OFF_BLOCK_MIN, desc->efuse_block_revision_min);
    put_le16(raw + OFF_BLOCK_MAX, desc->efuse_block_revision_max);
    raw[OFF_PAGE] = desc->mmu_page_log2;
    raw[OFF_SPI_MODE] = desc->spi_flash_mode;

    struct moult_app_desc copy = *desc;
    struct text texts[TEXT_COUNT];
    texts_of(&copy, texts);
    for (int i = 0; i < TEXT_COUNT; i++) {
        size_t size = strlen(texts[i].text);
        assert(size <= texts[i].size);
        memcpy(raw + texts[i].offset, texts[i].text, size);
    }
}

enum moult_status moult_app_desc_read(const struct moult_reader *image,
                                      struct moult_app_desc *out)
{
    uint8_t raw[MOULT_APP_DESC_SIZE];
    enum moult_status st = moult_read(image, MOULT_APP_DESC_OFFSET, raw, sizeof raw);
    if (st != MOULT_OK) { return st; }

    return moult_app_desc_parse(raw, out) == MOULT_OK ? MOULT_OK : MOULT_E_NOENT;
}

uint32_t moult_app_desc_page_size(const struct moult_app_desc *desc)
{
    enum { SMALLEST_LOG2 = 13, LARGEST_LOG2 = 16 };
    uint8_t log2 = desc->mmu_page_log2;
    bool is_known = log2 >= SMALLEST_LOG2 && log2 <= LARGEST_LOG2;
    return is_known ? 1u << log2 : 1u << LARGEST_LOG2;
}
