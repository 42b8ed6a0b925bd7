/* fuzz_esp_image.c - formats/esp_image.c, secure_boot.c, app_desc.c, chip.c.
 *
 * Beyond no crash: extents lie in the input; every shorter input is truncated; any step
 * size gives the verdict of one go; what measures as signed is signed; a chip trusts what
 * verifies, and no revoked key.
 */
#include <stdlib.h>
#include <string.h>
#include "formats/app_desc.h"
#include "formats/esp_image.h"
#include "formats/secure_boot.h"
#include "keys/openssl_crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) { abort(); }
}

static void check_extents(const struct moult_esp_image *image, size_t size)
{
    uint32_t end = MOULT_ESP_HEADER_SIZE;
    must(image->size <= size && image->segment_count <= MOULT_ESP_SEGMENTS_MAX);
    for (uint32_t i = 0; i < image->segment_count; i++) {
        must(image->segments[i].offset == end + MOULT_ESP_SEGMENT_HEADER_SIZE);
        end = image->segments[i].offset + image->segments[i].size;
    }
    must(image->checksum_offset >= end && image->checksum_offset < end + 16);
    must(image->size % 16 == 0);
}

static void check_steps(const struct moult_reader *reader,
                        const struct moult_esp_image *image, uint32_t step)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    struct moult_esp_check check;
    struct moult_finding once = {0}, stepped = {0};
    enum moult_status st, whole = moult_esp_image_verify(reader, &crypto, image, &once);
    must(moult_esp_check_begin(&check, reader, &crypto, image) == MOULT_OK);
    while ((st = moult_esp_check_step(&check, step, &stepped)) == MOULT_E_BUSY) {}
    must(st == whole && once.detail == stepped.detail && once.where == stepped.where);
    must((st == MOULT_OK) == (once.detail == 0));
}

static void check_signature(struct moult_reader *reader,
                            const struct moult_esp_image *image)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    uint32_t size = 0, sector = moult_sb_sector_offset(image->size);
    uint8_t digest[32];
    must(moult_esp_image_measure(reader, &crypto, image, &size, digest) == MOULT_OK);
    must(size == image->size || size == sector + MOULT_SB_SECTOR_SIZE);
    must(size <= reader->size);
    for (uint32_t i = 0; i < MOULT_SB_BLOCKS_MAX; i++) {
        struct moult_sb_block block;
        struct moult_finding finding = {0};
        enum moult_status st =
            moult_sb_block_read(reader, sector, i, &crypto, &block, &finding);
        must(st == MOULT_OK || st == MOULT_E_NOENT || finding.detail != 0);
        must(size == image->size || i > 0 || st == MOULT_OK);
    }
}

/* A chip whose eFuses hold the very keys of the blocks trusts what verifies block by block,
 * and nothing once they are revoked. */
static void check_trust(const struct moult_reader *reader, uint32_t sector)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    struct moult_sb_fuses fuses = {.block_count = MOULT_SB_BLOCKS_MAX, .digest_size = 32};
    struct moult_sb_rsa work;
    uint8_t digest[32];
    bool verifies = false, is_io = false;
    if (moult_sb_image_digest(reader, sector, &crypto, digest) != MOULT_OK) { return; }
    for (uint32_t i = 0; i < MOULT_SB_BLOCKS_MAX; i++) {
        struct moult_sb_block block;
        if (moult_sb_block_read(reader, sector, i, &crypto, &block, NULL) != MOULT_OK) {
            continue;
        }
        fuses.keys[i].is_used = true;
        memcpy(fuses.keys[i].digest, block.key_digest, 32);
        enum moult_status st = moult_sb_block_verify(&block, &crypto, digest, NULL);
        if (st == MOULT_E_UNSUPPORTED && block.scheme == MOULT_SB_RSA3072) {
            is_io = moult_sb_rsa_read(reader, sector, i, &work) != MOULT_OK;
            st = moult_sb_rsa_verify(&work, &crypto, digest, NULL);
        }
        verifies = verifies || st == MOULT_OK;
    }
    struct moult_sb_judge judge = {reader, sector, digest, &fuses, &crypto, &work};
    must(!is_io && (moult_sb_trusts(&judge, NULL) == MOULT_OK) == verifies);
    for (uint32_t i = 0; i < MOULT_SB_BLOCKS_MAX; i++) {
        fuses.keys[i].is_revoked = true;
    }
    must(moult_sb_trusts(&judge, NULL) != MOULT_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct moult_bytes bytes = {data, size};
    struct moult_reader reader = moult_reader_of_bytes(&bytes);
    struct moult_esp_image image, shorter;
    struct moult_app_desc desc;
    struct moult_finding finding = {0};
    enum moult_status st = moult_esp_image_parse(&reader, &image, &finding);
    must((st == MOULT_OK) == (finding.detail == 0));
    if (moult_app_desc_read(&reader, &desc) == MOULT_OK) {
        must(moult_app_desc_page_size(&desc) >= 8192);
    }
    if (st != MOULT_OK) { return 0; }

    check_extents(&image, size);
    check_steps(&reader, &image, data[size - 1] + 1u);
    check_signature(&reader, &image);
    check_trust(&reader, moult_sb_sector_offset(image.size));
    reader.size = image.size - 1;
    must(moult_esp_image_parse(&reader, &shorter, NULL) == MOULT_E_TRUNCATED);
    return 0;
}
