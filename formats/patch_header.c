/* patch_header.c - see patch_header.h and docs/spec/patch.md. */
#include "formats/patch_header.h"
#include <assert.h>
#include <string.h>
#include "formats/codes.h"

enum {
    OFF_MAGIC = 0,
    OFF_VERSION = 4,
    OFF_PROFILE = 5,
    OFF_ISA = 6,
    OFF_FLAGS = 7,
    OFF_CHIP = 8,
    OFF_BLOCK = 10,
    OFF_NEW_COUNT = 11,
    OFF_BASE_COUNT = 12,
    OFF_RESERVED = 13,
    OFF_MAP_COUNT = 14,
    OFF_BASE_SIZE = 16,
    OFF_NEW_SIZE = 20,
    OFF_PATCH_SIZE = 24,
    OFF_BASE_ID = 28,
    OFF_NEW_ID = 36,
    OFF_HEADER_SIZE = 44,
    OFF_PRELUDE_SIZE = 46,
};
_Static_assert(OFF_PRELUDE_SIZE + 2 == MOULT_PATCH_FIXED_SIZE, "fixed part");

/* A row's attribute byte. */
enum {
    NEW_CODE = 1,
    NEW_REACH = 1, /* shift of two bits */
    SAME_ADDRESS = 8,
    BASE_CODE = 16,
    BASE_REACH = 5,
    ROW_UNUSED = 128,
};

enum { ESP_HEADER = 24, ESP_SEGMENT_HEADER = 8, ESP_MAGIC = 0xe9, DIGEST = 32 };

static const uint8_t magic[4] = {'M', 'L', 'T', 'P'};

/* Where reading stands; fails once and for all. */
struct cursor {
    const uint8_t *data;
    size_t size, at;
    bool is_short, is_bad;
};

static uint8_t next_u8(struct cursor *c)
{
    if (c->at >= c->size) {
        c->is_short = true;
        return 0;
    }
    return c->data[c->at++];
}

static uint32_t next_u32(struct cursor *c)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < 4; i++) {
        value |= (uint32_t)next_u8(c) << 8 * i;
    }
    return value;
}

/* Unsigned LEB128, at most 5 bytes, shortest form only. */
static uint32_t next_leb(struct cursor *c)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 5; i++) {
        uint8_t byte = next_u8(c);
        value |= (uint64_t)(byte & 0x7f) << 7 * i;
        if (!(byte & 0x80)) {
            if ((byte == 0 && i > 0) || value > UINT32_MAX) { break; }
            return (uint32_t)value;
        }
    }
    c->is_bad = true;
    return 0;
}

static void put_leb(uint8_t *out, size_t *at, uint32_t value)
{
    for (; value >= 0x80; value >>= 7) {
        out[(*at)++] = (uint8_t)(value | 0x80);
    }
    out[(*at)++] = (uint8_t)value;
}

static bool has(const struct moult_patch_header *h, unsigned flag)
{
    return (h->flags & flag) != 0;
}

/* New segments of an ESP image follow each other; others say where they are. */
static void read_row(struct cursor *c, struct moult_patch_header *h, unsigned i)
{
    uint8_t attributes = next_u8(c);
    struct moult_patch_segment *made = &h->new_segments[i], *base = &h->base_segments[i];
    bool has_new = i < h->new_count, has_base = i < h->base_count;
    bool is_same = (attributes & SAME_ADDRESS) != 0;
    if ((attributes & ROW_UNUSED) || (is_same && !(has_new && has_base)) ||
        (!has_new && (attributes & 15)) || (!has_base && attributes >> 4)) {
        c->is_bad = true;
    }
    if (has_base) {
        base->is_code = (attributes & BASE_CODE) != 0;
        base->reach = attributes >> BASE_REACH & 3;
        if (base->reach == 3) { c->is_bad = true; }
        if (!has(h, MOULT_PATCH_BASE_IS_ESP)) {
            base->address = next_u32(c);
            base->size = next_leb(c);
            base->offset = next_leb(c);
        }
    }
    if (has_new) {
        made->is_code = (attributes & NEW_CODE) != 0;
        made->reach = attributes >> NEW_REACH & 3;
        if (made->reach == 3) { c->is_bad = true; }
        made->address = is_same ? base->address : next_u32(c);
        made->size = next_leb(c);
        h->same_address |= (uint16_t)(is_same << i);
        if (h->isa == MOULT_PATCH_GENERIC) {
            made->offset = next_leb(c);
        } else if (i == 0) {
            made->offset = ESP_HEADER + ESP_SEGMENT_HEADER;
        } else {
            const struct moult_patch_segment *before = made - 1;
            made->offset = before->offset + before->size + ESP_SEGMENT_HEADER;
        }
    }
}

/* Ascending, apart, inside the file. */
static bool are_placed(const struct moult_patch_segment *segments, unsigned count,
                       uint32_t file_size)
{
    uint64_t end = 0;
    for (unsigned i = 0; i < count; i++) {
        if (segments[i].offset < end) { return false; }
        end = (uint64_t)segments[i].offset + segments[i].size;
        if (end > file_size) { return false; }
    }
    return true;
}

static bool are_sizes_good(const struct moult_patch_header *h)
{
    bool has_base = has(h, MOULT_PATCH_HAS_BASE);
    if (h->new_size == 0 || h->new_size > MOULT_PATCH_IMAGE_MAX) { return false; }
    if (h->base_size > MOULT_PATCH_IMAGE_MAX) { return false; }
    if (has_base != (h->base_size > 0)) { return false; }
    if (!has_base && (h->base_count > 0 || h->map_count > 0)) { return false; }
    if (h->map_count > (h->profile == MOULT_PATCH_M8 ? 256u : 512u)) { return false; }
    if ((h->map_count == 0) != (h->prelude_size == 0)) { return false; }
    if (h->prelude_size > MOULT_PATCH_PRELUDE_MAX) { return false; }
    return h->patch_size >= (uint32_t)h->size + h->prelude_size;
}

static bool are_flags_good(const struct moult_patch_header *h)
{
    if (has(h, MOULT_PATCH_DIGEST) && !has(h, MOULT_PATCH_CHECKSUM)) { return false; }
    if (has(h, MOULT_PATCH_BASE_IS_ESP) && !has(h, MOULT_PATCH_HAS_BASE)) { return false; }
    if (has(h, MOULT_PATCH_CHECKSUM) && h->new_count == 0) { return false; }
    if (h->new_count > MOULT_PATCH_SEGMENTS_MAX) { return false; }
    if (h->base_count > MOULT_PATCH_SEGMENTS_MAX) { return false; }
    return h->block_log2 == 0 || (h->block_log2 >= 16 && h->block_log2 <= 23);
}

/* The derived bytes lie in the file, and in one block: a decoder that resumes in the
 * middle of a digest could not make the rest of it. */
static bool is_derived_good(const struct moult_patch_header *h)
{
    uint32_t size = moult_patch_derived_size(h);
    uint32_t from = moult_patch_segments_end(h);
    if (size == 0) { return true; }
    if (size > h->new_size || from > h->new_size - size) { return false; }
    uint32_t block = moult_patch_block_size(h);
    return from / block == (from + size - 1) / block;
}

static bool is_known(const uint8_t *data)
{
    uint8_t profile = data[OFF_PROFILE];
    return data[OFF_VERSION] == MOULT_PATCH_VERSION &&
           (profile == MOULT_PATCH_M8 || profile == MOULT_PATCH_M16) &&
           data[OFF_ISA] <= MOULT_PATCH_RISCV && data[OFF_FLAGS] <= MOULT_PATCH_FLAGS;
}

static void read_fixed(const uint8_t *data, struct moult_patch_header *h)
{
    *h = (struct moult_patch_header){
        .profile = data[OFF_PROFILE],
        .isa = data[OFF_ISA],
        .flags = data[OFF_FLAGS],
        .chip_id = get_le16(data + OFF_CHIP),
        .block_log2 = data[OFF_BLOCK],
        .new_count = data[OFF_NEW_COUNT],
        .base_count = data[OFF_BASE_COUNT],
        .map_count = get_le16(data + OFF_MAP_COUNT),
        .base_size = get_le32(data + OFF_BASE_SIZE),
        .new_size = get_le32(data + OFF_NEW_SIZE),
        .patch_size = get_le32(data + OFF_PATCH_SIZE),
        .size = get_le16(data + OFF_HEADER_SIZE),
        .prelude_size = get_le16(data + OFF_PRELUDE_SIZE),
    };
    memcpy(h->base_id, data + OFF_BASE_ID, MOULT_PATCH_ID_SIZE);
    memcpy(h->new_id, data + OFF_NEW_ID, MOULT_PATCH_ID_SIZE);
}

static enum moult_status bad(struct moult_finding *finding, enum moult_status status,
                             size_t where)
{
    return moult_found(
        finding, status,
        (struct moult_finding){.detail = MOULT_D_PATCH_FORMAT, .where = (uint32_t)where});
}

enum moult_status moult_patch_header_read(const uint8_t *data, size_t size,
                                          struct moult_patch_header *out,
                                          struct moult_finding *finding)
{
    assert(out);
    if (size < MOULT_PATCH_FIXED_SIZE) { return bad(finding, MOULT_E_TRUNCATED, size); }
    if (memcmp(data, magic, sizeof magic) != 0) {
        return bad(finding, MOULT_E_FORMAT, OFF_MAGIC);
    }
    if (!is_known(data)) { return bad(finding, MOULT_E_UNSUPPORTED, OFF_VERSION); }
    read_fixed(data, out);
    if (data[OFF_RESERVED] != 0) { return bad(finding, MOULT_E_FORMAT, OFF_RESERVED); }
    if (!are_flags_good(out)) { return bad(finding, MOULT_E_FORMAT, OFF_FLAGS); }
    if (!are_sizes_good(out)) { return bad(finding, MOULT_E_FORMAT, OFF_BASE_SIZE); }

    struct cursor c = {.data = data, .size = size, .at = MOULT_PATCH_FIXED_SIZE};
    unsigned rows = out->new_count > out->base_count ? out->new_count : out->base_count;
    for (unsigned i = 0; i < rows; i++) {
        read_row(&c, out, i);
    }
    if (c.is_short) { return bad(finding, MOULT_E_TRUNCATED, c.at); }
    if (c.is_bad || c.at != out->size || c.at > MOULT_PATCH_HEADER_MAX) {
        return bad(finding, MOULT_E_FORMAT, c.at);
    }
    bool is_base_good = has(out, MOULT_PATCH_BASE_IS_ESP) ||
                        are_placed(out->base_segments, out->base_count, out->base_size);
    if (!are_placed(out->new_segments, out->new_count, out->new_size) || !is_base_good ||
        !is_derived_good(out)) {
        return bad(finding, MOULT_E_FORMAT, MOULT_PATCH_FIXED_SIZE);
    }
    return MOULT_OK;
}

enum moult_status moult_patch_header_base(struct moult_patch_header *header,
                                          const struct moult_reader *base)
{
    assert(header);
    if (!has(header, MOULT_PATCH_BASE_IS_ESP)) { return MOULT_OK; }
    uint8_t raw[ESP_HEADER];
    if (header->base_size < ESP_HEADER) { return MOULT_E_FORMAT; }
    enum moult_status status = moult_read(base, 0, raw, ESP_HEADER);
    if (status != MOULT_OK) { return status; }
    if (raw[0] != ESP_MAGIC || raw[1] != header->base_count) { return MOULT_E_FORMAT; }

    uint32_t at = ESP_HEADER;
    for (unsigned i = 0; i < header->base_count; i++) {
        if (at > header->base_size || header->base_size - at < ESP_SEGMENT_HEADER) {
            return MOULT_E_FORMAT;
        }
        status = moult_read(base, at, raw, ESP_SEGMENT_HEADER);
        if (status != MOULT_OK) { return status; }
        struct moult_patch_segment *segment = &header->base_segments[i];
        segment->address = get_le32(raw);
        segment->size = get_le32(raw + 4);
        segment->offset = at + ESP_SEGMENT_HEADER;
        if (segment->size > header->base_size - segment->offset) { return MOULT_E_FORMAT; }
        at = segment->offset + segment->size;
        if (header->same_address >> i & 1) {
            header->new_segments[i].address = segment->address;
        }
    }
    return MOULT_OK;
}

static void write_row(const struct moult_patch_header *h, unsigned i, uint8_t *out,
                      size_t *at)
{
    const struct moult_patch_segment *made = &h->new_segments[i];
    const struct moult_patch_segment *base = &h->base_segments[i];
    bool has_new = i < h->new_count, has_base = i < h->base_count;
    bool is_same = (h->same_address >> i & 1) != 0;
    unsigned attributes = 0;
    if (has_new) {
        attributes |= (unsigned)made->is_code | (unsigned)made->reach << NEW_REACH;
    }
    if (is_same) { attributes |= SAME_ADDRESS; }
    if (has_base) {
        attributes |= (unsigned)base->reach << BASE_REACH;
        if (base->is_code) { attributes |= BASE_CODE; }
    }
    out[(*at)++] = (uint8_t)attributes;
    if (has_base && !has(h, MOULT_PATCH_BASE_IS_ESP)) {
        put_le32(out + *at, base->address);
        *at += 4;
        put_leb(out, at, base->size);
        put_leb(out, at, base->offset);
    }
    if (!has_new) { return; }
    if (!is_same) {
        put_le32(out + *at, made->address);
        *at += 4;
    }
    put_leb(out, at, made->size);
    if (h->isa == MOULT_PATCH_GENERIC) { put_leb(out, at, made->offset); }
}

enum moult_status moult_patch_header_write(struct moult_patch_header *header,
                                           uint8_t out[MOULT_PATCH_HEADER_MAX])
{
    enum { ROW_MAX = 1 + 2 * (4 + 5 + 5) };
    assert(header && out);
    memset(out, 0, MOULT_PATCH_FIXED_SIZE);
    memcpy(out, magic, sizeof magic);
    out[OFF_VERSION] = MOULT_PATCH_VERSION;
    out[OFF_PROFILE] = header->profile;
    out[OFF_ISA] = header->isa;
    out[OFF_FLAGS] = header->flags;
    put_le16(out + OFF_CHIP, header->chip_id);
    out[OFF_BLOCK] = header->block_log2;
    out[OFF_NEW_COUNT] = header->new_count;
    out[OFF_BASE_COUNT] = header->base_count;
    put_le16(out + OFF_MAP_COUNT, header->map_count);
    put_le32(out + OFF_BASE_SIZE, header->base_size);
    put_le32(out + OFF_NEW_SIZE, header->new_size);
    put_le32(out + OFF_PATCH_SIZE, header->patch_size);
    memcpy(out + OFF_BASE_ID, header->base_id, MOULT_PATCH_ID_SIZE);
    memcpy(out + OFF_NEW_ID, header->new_id, MOULT_PATCH_ID_SIZE);
    put_le16(out + OFF_PRELUDE_SIZE, header->prelude_size);

    size_t at = MOULT_PATCH_FIXED_SIZE;
    unsigned rows =
        header->new_count > header->base_count ? header->new_count : header->base_count;
    for (unsigned i = 0; i < rows; i++) {
        if (at + ROW_MAX > MOULT_PATCH_HEADER_MAX) { return MOULT_E_SPACE; }
        write_row(header, i, out, &at);
    }
    header->size = (uint16_t)at;
    put_le16(out + OFF_HEADER_SIZE, header->size);
    return MOULT_OK;
}

uint32_t moult_patch_segments_end(const struct moult_patch_header *header)
{
    if (header->new_count == 0) { return 0; }
    const struct moult_patch_segment *last = &header->new_segments[header->new_count - 1];
    return last->offset + last->size;
}

uint32_t moult_patch_derived_size(const struct moult_patch_header *header)
{
    if (!has(header, MOULT_PATCH_CHECKSUM)) { return 0; }
    uint32_t end = moult_patch_segments_end(header);
    uint32_t size = (end | 15u) + 1 - end; /* zeros, then the checksum at 15 mod 16 */
    return size + (has(header, MOULT_PATCH_DIGEST) ? DIGEST : 0);
}

uint32_t moult_patch_block_size(const struct moult_patch_header *header)
{
    return header->block_log2 == 0 ? MOULT_PATCH_IMAGE_MAX : 1u << header->block_log2;
}

uint32_t moult_patch_ram(uint8_t profile, uint16_t map_count)
{
    return (profile == MOULT_PATCH_M8 ? 10240u : 16896u) + 8u * map_count;
}
