/* app_desc_test.c - formats/app_desc.c */
#include "formats/app_desc.h"
#include <string.h>
#include "tests/support/check.h"
#include "tests/support/sample_image.h"

static void test_fields_of_the_worked_example(void)
{
    uint8_t image[SAMPLE_IMAGE_SIZE];
    sample_image(image);
    struct moult_bytes bytes = {image, sizeof image};
    struct moult_reader reader = moult_reader_of_bytes(&bytes);
    struct moult_app_desc desc;
    check_equal(moult_app_desc_read(&reader, &desc), MOULT_OK);
    check_equal(desc.secure_version, 3);
    check(strcmp(desc.version, "1.2.3") == 0);
    check(strcmp(desc.project, "moult-vec") == 0);
    check(strcmp(desc.time, "12:34:56") == 0);
    check(strcmp(desc.date, "Jan  1 2026") == 0);
    check(strcmp(desc.idf_version, "v5.5") == 0);
    check_equal(desc.elf_sha256[31], 0x1f);
    check_equal(desc.efuse_block_revision_min, 0);
    check_equal(desc.efuse_block_revision_max, 65535);
    check_equal(moult_app_desc_page_size(&desc), 65536);
    uint8_t raw[MOULT_APP_DESC_SIZE];
    moult_app_desc_encode(&desc, raw);
    check_bytes(raw, image + MOULT_APP_DESC_OFFSET, sizeof raw);
}

static void test_a_full_field_needs_no_nul(void)
{
    uint8_t raw[MOULT_APP_DESC_SIZE] = {0x32, 0x54, 0xcd, 0xab};
    struct moult_app_desc desc;
    memset(raw + 16, 'v', 32);
    memset(raw + 48, 'p', 32);
    memset(raw + 80, 't', 16);
    check_equal(moult_app_desc_parse(raw, &desc), MOULT_OK);
    check_equal(strlen(desc.version), 32);
    check_equal(strlen(desc.project), 32);
    check_equal(strlen(desc.time), 16);
    uint8_t again[MOULT_APP_DESC_SIZE];
    moult_app_desc_encode(&desc, again);
    check_bytes(again, raw, sizeof raw);
}

static void test_every_field_has_its_place(void)
{
    uint8_t raw[MOULT_APP_DESC_SIZE], again[MOULT_APP_DESC_SIZE];
    struct moult_app_desc desc;
    for (uint32_t i = 0; i < sizeof raw; i++) {
        raw[i] = (uint8_t)(i | 1);
    } /* no NUL */
    memcpy(raw, "\x32\x54\xcd\xab", 4);
    memset(raw + 8, 0, 8);
    memset(raw + 182, 0, 74);
    check_equal(moult_app_desc_parse(raw, &desc), MOULT_OK);
    check_equal(strlen(desc.version), 32);
    check_equal(strlen(desc.time), 16);
    check_equal(strlen(desc.date), 16);
    check_equal(strlen(desc.idf_version), 32);
    check_equal(desc.efuse_block_revision_min, 0xb1b1);
    check_equal(desc.efuse_block_revision_max, 0xb3b3);
    check_equal(desc.mmu_page_log2, 0xb5);
    check_equal(desc.spi_flash_mode, 0xb5);
    moult_app_desc_encode(&desc, again);
    check_bytes(again, raw, sizeof raw);
}

static void test_no_descriptor_is_told_from_a_short_image(void)
{
    uint8_t image[SAMPLE_IMAGE_SIZE];
    struct moult_app_desc desc = {.secure_version = 77};
    sample_image(image);
    image[MOULT_APP_DESC_OFFSET] = 0x50; /* a bootloader's descriptor */
    struct moult_bytes bytes = {image, sizeof image};
    struct moult_reader reader = moult_reader_of_bytes(&bytes);
    check_equal(moult_app_desc_read(&reader, &desc), MOULT_E_NOENT);
    reader.size = MOULT_APP_DESC_OFFSET + MOULT_APP_DESC_SIZE - 1;
    check_equal(moult_app_desc_read(&reader, &desc), MOULT_E_TRUNCATED);
    check_equal(desc.secure_version, 77);
}

static void test_page_size_outside_the_chips_range_is_the_default(void)
{
    struct moult_app_desc desc = {.mmu_page_log2 = 13};
    check_equal(moult_app_desc_page_size(&desc), 8192);
    desc.mmu_page_log2 = 16;
    check_equal(moult_app_desc_page_size(&desc), 65536);
    desc.mmu_page_log2 = 0;
    check_equal(moult_app_desc_page_size(&desc), 65536);
    desc.mmu_page_log2 = 255;
    check_equal(moult_app_desc_page_size(&desc), 65536);
}

int main(void)
{
    check_run(test_fields_of_the_worked_example);
    check_run(test_a_full_field_needs_no_nul);
    check_run(test_every_field_has_its_place);
    check_run(test_no_descriptor_is_told_from_a_short_image);
    check_run(test_page_size_outside_the_chips_range_is_the_default);
    return check_report();
}
