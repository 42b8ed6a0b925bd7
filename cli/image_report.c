/* image_report.c - reading; see image_report.h. Printing is in image_print.c. */
#include "cli/image_report.h"

#include <string.h>

#include "formats/chip.h"
#include "keys/openssl_crypto.h"

static void warn(struct image_report *report, struct moult_finding what)
{
    if (report->warning_count < IMAGE_REPORT_WARNINGS_MAX) {
        report->warnings[report->warning_count++] = what;
    }
}

/* Chip and mapping. A chip that this build does not know is no fault of the image. */
static enum moult_status check_chip(struct image_report *report,
                                    struct moult_finding *finding)
{
    const struct moult_esp_image *image = &report->image;
    if (!moult_chip_by_id(image->chip_id)) {
        warn(report, (struct moult_finding){.detail = MOULT_D_ESP_CHIP,
                                            .expected = MOULT_CHIP_ESP32C3,
                                            .found = image->chip_id});
        return MOULT_OK;
    }
    uint32_t page = 0;
    if (report->has_descriptor) { page = moult_app_desc_page_size(&report->descriptor); }
    return moult_esp_image_runs_on(image, image->chip_id, UINT16_MAX, page, finding);
}

static enum moult_status read_descriptor(const struct moult_reader *reader,
                                         struct image_report *report)
{
    uint8_t magic[4];
    enum moult_status st = moult_app_desc_read(reader, &report->descriptor);
    report->has_descriptor = st == MOULT_OK;
    if (st != MOULT_E_NOENT && st != MOULT_E_TRUNCATED) { return st; }
    uint32_t found = 0;
    if (moult_read(reader, MOULT_APP_DESC_OFFSET, magic, 4) == MOULT_OK) {
        found = get_le32(magic);
    }
    warn(report, (struct moult_finding){MOULT_D_ESP_DESC, MOULT_APP_DESC_OFFSET,
                                        MOULT_APP_DESC_MAGIC, found});
    return MOULT_OK;
}

/* A record of moult: absent is well, of another format is a warning, broken is an error. */
static enum moult_status read_info(const struct moult_reader *reader,
                                   struct image_report *report,
                                   struct moult_finding *finding)
{
    struct moult_finding what = {0};
    enum moult_status st = moult_image_info_read(reader, &report->info, &what);
    report->has_info = st == MOULT_OK;
    if (st == MOULT_E_NOENT) { return MOULT_OK; }
    if (st == MOULT_E_UNSUPPORTED) {
        warn(report, what);
        return MOULT_OK;
    }
    *finding = what;
    return st;
}

/* Whether what is at the sector claims to be a signature block. */
static bool has_signature(const struct moult_reader *reader, uint32_t sector)
{
    uint8_t magic;
    return moult_read(reader, sector, &magic, 1) == MOULT_OK && magic == MOULT_SB_MAGIC;
}

static enum moult_status read_block(const struct moult_reader *reader, uint32_t sector,
                                    const uint8_t digest[32], struct image_report *report,
                                    struct moult_finding *finding)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    uint32_t i = report->block_count;
    struct moult_sb_block *block = &report->blocks[i];
    enum moult_status st = moult_sb_block_read(reader, sector, i, &crypto, block, finding);
    if (st != MOULT_OK) { return st; }

    st = moult_sb_block_verify(block, &crypto, digest, finding);
    if (st == MOULT_E_UNSUPPORTED && block->scheme == MOULT_SB_RSA3072) {
        struct moult_sb_rsa rsa;
        st = moult_sb_rsa_read(reader, sector, i, &rsa);
        if (st == MOULT_OK) { st = moult_sb_rsa_verify(&rsa, &crypto, digest, finding); }
    }
    if (st != MOULT_OK && st != MOULT_E_UNSUPPORTED) {
        finding->where = sector + i * MOULT_SB_BLOCK_SIZE;
        return st;
    }
    report->is_block_verified[i] = st == MOULT_OK;
    report->block_count++;
    return MOULT_OK;
}

static enum moult_status read_blocks(const struct moult_reader *reader,
                                     struct image_report *report,
                                     struct moult_finding *finding)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    uint8_t digest[32];
    uint32_t sector = moult_sb_sector_offset(report->image.size);
    if (!has_signature(reader, sector)) { return MOULT_OK; }

    enum moult_status st = moult_sb_image_digest(reader, sector, &crypto, digest);
    while (st == MOULT_OK && report->block_count < MOULT_SB_BLOCKS_MAX) {
        st = read_block(reader, sector, digest, report, finding);
    }
    return st == MOULT_E_NOENT ? MOULT_OK : st;
}

/* Bytes of a file behind the image proper; a release must not have them. */
static void check_end(const struct moult_reader *reader, struct image_report *report)
{
    if (reader->size > report->proper_size) {
        warn(report, (struct moult_finding){.detail = MOULT_D_ESP_TRAILING,
                                            .expected = report->proper_size,
                                            .found = reader->size});
    }
}

static enum moult_status read_ends(const struct moult_reader *reader,
                                   struct image_report *report)
{
    const struct moult_esp_image *image = &report->image;
    enum moult_status st = moult_read(reader, image->checksum_offset, &report->checksum, 1);
    if (st == MOULT_OK && image->has_digest) {
        st = moult_read(reader, image->checksum_offset + 1, report->digest,
                        sizeof report->digest);
    }
    return st;
}

enum moult_status image_report_read(const struct moult_reader *reader, bool is_slot,
                                    struct image_report *out, struct moult_finding *finding)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    memset(out, 0, sizeof *out);
    memset(finding, 0, sizeof *finding);
    enum moult_status st = moult_esp_image_parse(reader, &out->image, finding);
    if (st == MOULT_OK) {
        st = moult_esp_image_verify(reader, &crypto, &out->image, finding);
    }
    if (st == MOULT_OK) { st = read_ends(reader, out); }
    if (st == MOULT_OK) { st = read_descriptor(reader, out); }
    if (st == MOULT_OK) { st = check_chip(out, finding); }
    if (st == MOULT_OK) { st = read_info(reader, out, finding); }
    if (st == MOULT_OK) { st = read_blocks(reader, out, finding); }
    if (st == MOULT_OK) {
        st = moult_esp_image_measure(reader, &crypto, &out->image, &out->proper_size,
                                     out->proper_digest);
    }
    if (st == MOULT_OK && !is_slot) { check_end(reader, out); }
    return st;
}
