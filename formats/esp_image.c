/* esp_image.c - see esp_image.h. */
#include "formats/esp_image.h"
#include <assert.h>
#include <string.h>
#include "formats/bytes.h"
#include "formats/chip.h"
#include "formats/codes.h"
#include "formats/secure_boot.h"

enum {
    OFF_SEGMENT_COUNT = 1,
    OFF_SPI_MODE = 2,
    OFF_SPI_SPEED_SIZE = 3,
    OFF_ENTRY = 4,
    OFF_CHIP_ID = 12,
    OFF_MIN_REVISION = 15, /* unaligned, as on flash */
    OFF_MAX_REVISION = 17,
    OFF_HASH_APPENDED = 23,
    BUFFER_SIZE = 256,
};
_Static_assert(OFF_HASH_APPENDED + 1 == MOULT_ESP_HEADER_SIZE, "image header layout");
_Static_assert(sizeof(struct moult_esp_image) <= 272, "said in the header");
_Static_assert(sizeof(struct moult_esp_check) <= 312, "said in the header");

/* Bytes [offset, end) must be in the reader. */
static enum moult_status check_extent(const struct moult_reader *image, uint32_t offset,
                                      uint32_t end, struct moult_finding *finding)
{
    if (end > MOULT_ESP_IMAGE_SIZE_MAX) {
        return moult_found(finding, MOULT_E_RANGE,
                           (struct moult_finding){MOULT_D_IMAGE_LIMIT, offset,
                                                  MOULT_ESP_IMAGE_SIZE_MAX, end});
    }
    if (end > image->size) {
        return moult_found(
            finding, MOULT_E_TRUNCATED,
            (struct moult_finding){MOULT_D_ESP_TRUNCATED, offset, end, image->size});
    }
    return MOULT_OK;
}

static enum moult_status parse_header(const struct moult_reader *image,
                                      struct moult_esp_image *out,
                                      struct moult_finding *finding)
{
    uint8_t raw[MOULT_ESP_HEADER_SIZE];
    enum moult_status st = check_extent(image, 0, sizeof raw, finding);
    if (st == MOULT_OK) { st = moult_read(image, 0, raw, sizeof raw); }
    if (st != MOULT_OK) { return st; }

    if (raw[0] != MOULT_ESP_MAGIC) {
        return moult_found(
            finding, MOULT_E_FORMAT,
            (struct moult_finding){MOULT_D_ESP_MAGIC, 0, MOULT_ESP_MAGIC, raw[0]});
    }
    if (raw[OFF_SEGMENT_COUNT] > MOULT_ESP_SEGMENTS_MAX) {
        return moult_found(finding, MOULT_E_RANGE,
                           (struct moult_finding){MOULT_D_ESP_SEGMENTS, OFF_SEGMENT_COUNT,
                                                  MOULT_ESP_SEGMENTS_MAX,
                                                  raw[OFF_SEGMENT_COUNT]});
    }
    if (raw[OFF_HASH_APPENDED] >
        1) { /* ESP-IDF's own tools disagree on what 2 would mean */
        return moult_found(finding, MOULT_E_FORMAT,
                           (struct moult_finding){MOULT_D_ESP_HASH_FLAG, OFF_HASH_APPENDED,
                                                  1, raw[OFF_HASH_APPENDED]});
    }
    out->segment_count = raw[OFF_SEGMENT_COUNT];
    out->spi_mode = raw[OFF_SPI_MODE];
    out->spi_speed = raw[OFF_SPI_SPEED_SIZE] & 0x0f;
    out->spi_size = raw[OFF_SPI_SPEED_SIZE] >> 4;
    out->entry = get_le32(raw + OFF_ENTRY);
    out->chip_id = get_le16(raw + OFF_CHIP_ID);
    out->min_revision = get_le16(raw + OFF_MIN_REVISION);
    out->max_revision = get_le16(raw + OFF_MAX_REVISION);
    out->has_digest = raw[OFF_HASH_APPENDED] == 1;
    return MOULT_OK;
}

/* The segment whose header is at *offset; *offset moves behind its data. */
static enum moult_status parse_segment(const struct moult_reader *image, uint32_t *offset,
                                       struct moult_esp_segment *out,
                                       struct moult_finding *finding)
{
    uint8_t raw[MOULT_ESP_SEGMENT_HEADER_SIZE];
    uint32_t data = *offset + MOULT_ESP_SEGMENT_HEADER_SIZE;
    enum moult_status st = check_extent(image, *offset, data, finding);
    if (st == MOULT_OK) { st = moult_read(image, *offset, raw, sizeof raw); }
    if (st != MOULT_OK) { return st; }

    uint32_t size = get_le32(raw + 4);
    if (size > MOULT_ESP_SEGMENT_SIZE_MAX || size % 4 != 0) {
        return moult_found(finding, MOULT_E_RANGE,
                           (struct moult_finding){MOULT_D_ESP_SEGMENT, *offset,
                                                  MOULT_ESP_SEGMENT_SIZE_MAX, size});
    }
    st =
        check_extent(image, data, data + size, finding); /* both below 16 MB: no overflow */
    if (st != MOULT_OK) { return st; }

    *out = (struct moult_esp_segment){get_le32(raw), data, size};
    *offset = data + size;
    return MOULT_OK;
}

enum moult_status moult_esp_image_parse(const struct moult_reader *image,
                                        struct moult_esp_image *out,
                                        struct moult_finding *finding)
{
    assert(image && out);
    struct moult_esp_image parsed = {0};
    enum moult_status st = parse_header(image, &parsed, finding);
    uint32_t offset = MOULT_ESP_HEADER_SIZE;
    for (uint32_t i = 0; st == MOULT_OK && i < parsed.segment_count; i++) {
        st = parse_segment(image, &offset, &parsed.segments[i], finding);
    }
    if (st != MOULT_OK) { return st; }

    /* Zeros, then the checksum as the last byte of a block of 16: 1 to 16 bytes. */
    parsed.checksum_offset = offset | (MOULT_ESP_IMAGE_ALIGN - 1);
    parsed.size =
        parsed.checksum_offset + 1 + (parsed.has_digest ? MOULT_ESP_DIGEST_SIZE : 0);
    st = check_extent(image, offset, parsed.size, finding);
    if (st != MOULT_OK) { return st; }
    assert(parsed.checksum_offset >= offset && parsed.size % MOULT_ESP_IMAGE_ALIGN == 0);
    assert(parsed.size <= image->size);

    *out = parsed;
    return MOULT_OK;
}

static enum moult_status check_mapping(const struct moult_esp_image *image,
                                       const struct moult_chip *chip, uint32_t page_size,
                                       struct moult_finding *finding)
{
    uint32_t mask = (page_size ? page_size : MOULT_ESP_PAGE_SIZE) - 1;
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct moult_esp_segment *segment = &image->segments[i];
        if (!moult_chip_maps(chip, segment->load_address)) { continue; }
        uint32_t expected = segment->load_address & mask, found = segment->offset & mask;
        if (expected != found) {
            return moult_found(finding, MOULT_E_FORMAT,
                               (struct moult_finding){MOULT_D_ESP_SEGMENT_MAP,
                                                      segment->offset, expected, found});
        }
    }
    return MOULT_OK;
}

enum moult_status moult_esp_image_runs_on(const struct moult_esp_image *image,
                                          uint16_t chip_id, uint16_t revision,
                                          uint32_t page_size, struct moult_finding *finding)
{
    assert(image);
    const struct moult_chip *chip = moult_chip_by_id(chip_id);
    if (!chip || image->chip_id != chip_id) {
        return moult_found(
            finding, MOULT_E_INCOMPATIBLE,
            (struct moult_finding){MOULT_D_ESP_CHIP, OFF_CHIP_ID, chip_id, image->chip_id});
    }
    if (revision != UINT16_MAX &&
        !moult_chip_revision_allowed(revision, image->min_revision, image->max_revision)) {
        bool is_old = revision < image->min_revision;
        return moult_found(
            finding, MOULT_E_INCOMPATIBLE,
            (struct moult_finding){
                MOULT_D_ESP_REVISION, is_old ? OFF_MIN_REVISION : OFF_MAX_REVISION,
                is_old ? image->min_revision : image->max_revision, revision});
    }
    if (image->segment_count == 0) {
        return moult_found(
            finding, MOULT_E_FORMAT,
            (struct moult_finding){MOULT_D_ESP_SEGMENTS, OFF_SEGMENT_COUNT, 1, 0});
    }
    return check_mapping(image, chip, page_size, finding);
}

enum moult_status moult_esp_check_begin(struct moult_esp_check *check,
                                        const struct moult_reader *reader,
                                        const struct moult_crypto *crypto,
                                        const struct moult_esp_image *image)
{
    assert(check && reader && crypto && image);
    assert(image->size <= reader->size);
    *check = (struct moult_esp_check){.reader = reader,
                                      .crypto = crypto,
                                      .image = image,
                                      .checksum = MOULT_ESP_CHECKSUM_SEED};
    return crypto->sha256_init(crypto->context, &check->hash) ? MOULT_OK : MOULT_E_INTERNAL;
}

void moult_esp_check_abandon(struct moult_esp_check *check)
{
    check->crypto->sha256_abort(check->crypto->context, &check->hash);
}

/* Where the run of bytes at check->position ends: a segment's data, or what lies between.
 */
static uint32_t run_end(struct moult_esp_check *check, bool *is_data)
{
    const struct moult_esp_image *image = check->image;
    while (check->segment < image->segment_count) {
        const struct moult_esp_segment *segment = &image->segments[check->segment];
        *is_data = check->position >= segment->offset;
        if (!*is_data) { return segment->offset; }
        if (check->position < segment->offset + segment->size) {
            return segment->offset + segment->size;
        }
        check->segment++;
    }
    *is_data = false;
    return image->checksum_offset;
}

/* One read of at most max_size bytes before the checksum byte. */
static enum moult_status check_run(struct moult_esp_check *check, uint32_t max_size,
                                   uint32_t *size)
{
    uint8_t buffer[BUFFER_SIZE];
    bool is_data;
    *size = run_end(check, &is_data) - check->position;
    if (*size > max_size) { *size = max_size; }
    if (*size > sizeof buffer) { *size = sizeof buffer; }
    assert(*size >= 1);

    enum moult_status st = moult_read(check->reader, check->position, buffer, *size);
    if (st != MOULT_OK) { return st; }
    for (uint32_t i = 0; is_data && i < *size; i++) {
        check->checksum ^= buffer[i];
    }
    const struct moult_crypto *crypto = check->crypto;
    if (!crypto->sha256_update(crypto->context, &check->hash, buffer, *size)) {
        return MOULT_E_INTERNAL;
    }
    check->position += *size;
    return MOULT_OK;
}

static enum moult_status check_digest(struct moult_esp_check *check,
                                      struct moult_finding *finding)
{
    assert(check->position == check->image->checksum_offset);
    uint8_t stored[MOULT_ESP_DIGEST_SIZE], computed[MOULT_ESP_DIGEST_SIZE];
    const struct moult_crypto *crypto = check->crypto;
    uint32_t offset = check->image->checksum_offset + 1;
    if (!crypto->sha256_final(crypto->context, &check->hash, computed)) {
        return MOULT_E_INTERNAL;
    }
    if (!check->image->has_digest) { return MOULT_OK; }

    enum moult_status st = moult_read(check->reader, offset, stored, sizeof stored);
    if (st != MOULT_OK) { return st; }
    if (!moult_bytes_equal(stored, computed, sizeof stored)) {
        return moult_found(finding, MOULT_E_DIGEST,
                           (struct moult_finding){MOULT_D_ESP_DIGEST, offset,
                                                  get_be32(computed), get_be32(stored)});
    }
    return MOULT_OK;
}

/* All but the checksum byte has been read: judge. */
static enum moult_status check_end(struct moult_esp_check *check,
                                   struct moult_finding *finding)
{
    uint8_t stored;
    const struct moult_crypto *crypto = check->crypto;
    uint32_t offset = check->image->checksum_offset;
    enum moult_status st = moult_read(check->reader, offset, &stored, 1);
    if (st == MOULT_OK && stored != check->checksum) {
        st = moult_found(
            finding, MOULT_E_DIGEST,
            (struct moult_finding){MOULT_D_ESP_CHECKSUM, offset, check->checksum, stored});
    }
    if (st == MOULT_OK &&
        !crypto->sha256_update(crypto->context, &check->hash, &stored, 1)) {
        st = MOULT_E_INTERNAL;
    }
    if (st != MOULT_OK) {
        moult_esp_check_abandon(check);
        return st;
    }
    return check_digest(check, finding);
}

enum moult_status moult_esp_check_step(struct moult_esp_check *check, uint32_t max_size,
                                       struct moult_finding *finding)
{
    assert(check && max_size >= 1);
    while (max_size > 0 && check->position < check->image->checksum_offset) {
        uint32_t size;
        enum moult_status st = check_run(check, max_size, &size);
        if (st != MOULT_OK) {
            moult_esp_check_abandon(check);
            return st;
        }
        max_size -= size;
    }
    if (check->position < check->image->checksum_offset) { return MOULT_E_BUSY; }
    return check_end(check, finding);
}

enum moult_status moult_esp_image_verify(const struct moult_reader *reader,
                                         const struct moult_crypto *crypto,
                                         const struct moult_esp_image *image,
                                         struct moult_finding *finding)
{
    struct moult_esp_check check;
    enum moult_status st = moult_esp_check_begin(&check, reader, crypto, image);
    if (st != MOULT_OK) { return st; }
    return moult_esp_check_step(&check, UINT32_MAX, finding);
}

/* Whether a signature sector at `sector` is there and speaks of what precedes it. One left
 * behind by an earlier image does not count. */
static enum moult_status is_signed(const struct moult_reader *reader,
                                   const struct moult_crypto *crypto, uint32_t sector,
                                   bool *out)
{
    struct moult_sb_block block;
    uint8_t digest[MOULT_SHA256_SIZE];
    *out = false;
    enum moult_status st = moult_sb_block_read(reader, sector, 0, crypto, &block, NULL);
    if (st == MOULT_E_IO || st == MOULT_E_INTERNAL) { return st; }
    if (st != MOULT_OK) { return MOULT_OK; }

    if (block.scheme != MOULT_SB_P384) { /* whose SHA-384 is not computed here */
        st = moult_sb_image_digest(reader, sector, crypto, digest);
        if (st != MOULT_OK) { return st; }
        if (!moult_bytes_equal(digest, block.image_digest, sizeof digest)) {
            return MOULT_OK;
        }
    }
    *out = true;
    return MOULT_OK;
}

enum moult_status moult_esp_image_measure(const struct moult_reader *reader,
                                          const struct moult_crypto *crypto,
                                          const struct moult_esp_image *image,
                                          uint32_t *size, uint8_t digest[32])
{
    assert(reader && crypto && image && size && digest);
    bool has_signature;
    uint32_t sector = moult_sb_sector_offset(image->size);
    enum moult_status st = is_signed(reader, crypto, sector, &has_signature);
    if (st != MOULT_OK) { return st; }

    uint32_t end = has_signature ? sector + MOULT_SB_SECTOR_SIZE : image->size;
    assert(end <= reader->size);
    st = moult_sb_image_digest(reader, end, crypto, digest);
    if (st == MOULT_OK) { *size = end; }
    return st;
}
