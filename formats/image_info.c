/* image_info.c - see image_info.h and docs/spec/image-info.md. */
#include "formats/image_info.h"
#include <assert.h>
#include <string.h>
#include "formats/bytes.h"
#include "formats/codes.h"
#include "formats/esp_image.h"

enum {
    OFF_FORMAT = 8,
    OFF_KEYSET_SIZE = 10,
    OFF_RESERVED = 12,
    OFF_FLEET_ID = 16,
    OFF_CLASS_ID = 32,
    OFF_SEQUENCE = 48,
    OFF_FLOOR = 56,
    OFF_BUILD_TIME = 64,
    OFF_VERSION = 72,
    VERSION_FIELD_SIZE = 32,
};
_Static_assert(OFF_VERSION + VERSION_FIELD_SIZE == MOULT_IMAGE_INFO_SIZE, "record layout");
_Static_assert(MOULT_APP_DESC_OFFSET + MOULT_APP_DESC_SIZE == MOULT_IMAGE_INFO_OFFSET,
               "the record is behind the app descriptor");

static const uint8_t magic[8] = {'M', 'O', 'U', 'L', 'T', 'I', 'N', 'F'};

/* 1..31 printable characters, then NULs to the end of the field. */
static bool is_version(const uint8_t field[VERSION_FIELD_SIZE])
{
    uint32_t size = 0;
    while (size < VERSION_FIELD_SIZE && field[size] >= 0x20 && field[size] <= 0x7e) {
        size++;
    }
    return size >= 1 && size <= MOULT_IMAGE_INFO_VERSION_SIZE_MAX &&
           moult_bytes_all(field + size, VERSION_FIELD_SIZE - size, 0);
}

/* Offset of the first field that breaks its rule, with what it may be; -1: none. */
static int bad_field(const uint8_t *raw, struct moult_finding *finding)
{
    uint64_t sequence = get_le64(raw + OFF_SEQUENCE), floor = get_le64(raw + OFF_FLOOR);
    finding->expected = MOULT_IMAGE_INFO_KEYSET_SIZE_MAX;
    finding->found = get_le16(raw + OFF_KEYSET_SIZE);
    if (finding->found > finding->expected) { return OFF_KEYSET_SIZE; }
    finding->expected = 0;
    finding->found = get_le32(raw + OFF_RESERVED);
    if (finding->found != 0) { return OFF_RESERVED; }
    finding->expected = 1;
    finding->found = 0;
    if (sequence == 0) { return OFF_SEQUENCE; }
    finding->expected = (uint32_t)sequence; /* low halves: a hint for people */
    finding->found = (uint32_t)floor;
    if (floor > sequence) { return OFF_FLOOR; }
    finding->expected = MOULT_IMAGE_INFO_VERSION_SIZE_MAX;
    finding->found = raw[OFF_VERSION];
    return is_version(raw + OFF_VERSION) ? -1 : OFF_VERSION;
}

enum moult_status moult_image_info_parse(const uint8_t raw[MOULT_IMAGE_INFO_SIZE],
                                         struct moult_image_info *out,
                                         struct moult_finding *finding)
{
    assert(raw && out);
    if (memcmp(raw, magic, sizeof magic) != 0) {
        return moult_found(finding, MOULT_E_NOENT,
                           (struct moult_finding){MOULT_D_ESP_INFO_MISSING, 0,
                                                  get_be32(magic), get_be32(raw)});
    }
    if (get_le16(raw + OFF_FORMAT) != MOULT_IMAGE_INFO_FORMAT) {
        return moult_found(finding, MOULT_E_UNSUPPORTED,
                           (struct moult_finding){MOULT_D_ESP_INFO_FORMAT, OFF_FORMAT,
                                                  MOULT_IMAGE_INFO_FORMAT,
                                                  get_le16(raw + OFF_FORMAT)});
    }
    struct moult_finding what = {.detail = MOULT_D_ESP_INFO};
    int bad = bad_field(raw, &what);
    if (bad >= 0) {
        what.where = (uint32_t)bad;
        return moult_found(finding, MOULT_E_FORMAT, what);
    }
    memset(out, 0, sizeof *out);
    memcpy(out->fleet_id, raw + OFF_FLEET_ID, sizeof out->fleet_id);
    memcpy(out->class_id, raw + OFF_CLASS_ID, sizeof out->class_id);
    out->sequence = get_le64(raw + OFF_SEQUENCE);
    out->rollback_floor = get_le64(raw + OFF_FLOOR);
    out->build_time_s = get_le64(raw + OFF_BUILD_TIME);
    memcpy(out->version, raw + OFF_VERSION, sizeof out->version);
    assert(out->version[0] != '\0' && out->version[sizeof out->version - 1] == '\0');
    out->keyset_size = get_le16(raw + OFF_KEYSET_SIZE);
    return MOULT_OK;
}

enum moult_status moult_image_info_encode(const struct moult_image_info *info,
                                          uint8_t raw[MOULT_IMAGE_INFO_SIZE])
{
    assert(info && raw);
    uint8_t record[MOULT_IMAGE_INFO_SIZE] = {0};
    struct moult_finding ignored;
    const char *end = memchr(info->version, '\0', sizeof info->version);
    size_t version_size = end ? (size_t)(end - info->version) : sizeof info->version;
    memcpy(record, magic, sizeof magic);
    put_le16(record + OFF_FORMAT, MOULT_IMAGE_INFO_FORMAT);
    put_le16(record + OFF_KEYSET_SIZE, info->keyset_size);
    memcpy(record + OFF_FLEET_ID, info->fleet_id, sizeof info->fleet_id);
    memcpy(record + OFF_CLASS_ID, info->class_id, sizeof info->class_id);
    put_le64(record + OFF_SEQUENCE, info->sequence);
    put_le64(record + OFF_FLOOR, info->rollback_floor);
    put_le64(record + OFF_BUILD_TIME, info->build_time_s);
    memcpy(record + OFF_VERSION, info->version, version_size);
    if (bad_field(record, &ignored) >= 0) { return MOULT_E_FORMAT; }

    memcpy(raw, record, sizeof record);
    return MOULT_OK;
}

/* Record, keyset and padding must lie in the first segment's data; the padding is 0. */
static enum moult_status check_keyset(const struct moult_reader *image,
                                      uint32_t keyset_size, struct moult_finding *finding)
{
    uint8_t segment[MOULT_ESP_SEGMENT_HEADER_SIZE], padding[3];
    enum moult_status st =
        moult_read(image, MOULT_ESP_HEADER_SIZE, segment, sizeof segment);
    if (st != MOULT_OK) { return st; }

    uint64_t segment_end = (uint64_t)MOULT_APP_DESC_OFFSET + get_le32(segment + 4);
    uint32_t end = MOULT_IMAGE_INFO_KEYSET_OFFSET + keyset_size;
    uint32_t padding_size = (4 - keyset_size % 4) % 4;
    struct moult_finding what = {
        MOULT_D_ESP_INFO_KEYSET, MOULT_IMAGE_INFO_KEYSET_OFFSET, end + padding_size,
        segment_end > UINT32_MAX ? UINT32_MAX : (uint32_t)segment_end};
    if (segment_end < end + padding_size) {
        return moult_found(finding, MOULT_E_FORMAT, what);
    }
    st = moult_read(image, end, padding, padding_size);
    if (st != MOULT_OK && st != MOULT_E_TRUNCATED) { return st; }
    if (st == MOULT_E_TRUNCATED || !moult_bytes_all(padding, padding_size, 0)) {
        return moult_found(finding, MOULT_E_FORMAT, what);
    }
    return MOULT_OK;
}

enum moult_status moult_image_info_read(const struct moult_reader *image,
                                        struct moult_image_info *out,
                                        struct moult_finding *finding)
{
    assert(image && out);
    uint8_t raw[MOULT_IMAGE_INFO_SIZE];
    struct moult_image_info info;
    struct moult_finding what = {MOULT_D_ESP_INFO_MISSING, MOULT_IMAGE_INFO_OFFSET,
                                 MOULT_IMAGE_INFO_KEYSET_OFFSET, image->size};
    enum moult_status st = moult_read(image, MOULT_IMAGE_INFO_OFFSET, raw, sizeof raw);
    if (st == MOULT_E_TRUNCATED) { return moult_found(finding, MOULT_E_NOENT, what); }
    if (st != MOULT_OK) { return st; }

    st = moult_image_info_parse(raw, &info, &what);
    if (st != MOULT_OK) {
        what.where += MOULT_IMAGE_INFO_OFFSET; /* from the record to the image */
        return moult_found(finding, st, what);
    }
    st = check_keyset(image, info.keyset_size, finding);
    if (st == MOULT_OK) { *out = info; }
    return st;
}

enum moult_status moult_image_info_read_keyset(const struct moult_reader *image,
                                               const struct moult_image_info *info,
                                               uint8_t *out, uint32_t out_size)
{
    assert(image && info && out);
    if (info->keyset_size == 0) { return MOULT_E_NOENT; }
    if (info->keyset_size > out_size) { return MOULT_E_SPACE; }
    return moult_read(image, MOULT_IMAGE_INFO_KEYSET_OFFSET, out, info->keyset_size);
}
