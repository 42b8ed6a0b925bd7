/* image_build.c - see image_build.h. The layout is that of `esptool elf2image`. */
#include "formats/image_build.h"
#include <assert.h>
#include <string.h>
#include "formats/app_desc.h"
#include "formats/chip.h"
#include "formats/codes.h"

enum { PADDING_LEAST = 4 };

_Static_assert(sizeof(struct moult_image_plan) <= 520, "said in the header");

static uint32_t up_to_4(size_t size)
{
    return (uint32_t)((size + 3) & ~(size_t)3);
}

/* --- layout --------------------------------------------------------------------------- */

/* The parts that are copied to RAM, taken from the front; they fill gaps between mapped
 * ones. */
struct ram {
    const struct moult_image_parts *parts;
    const struct moult_chip *chip;
    uint32_t part; /* next part; those that are mapped are passed over */
    uint32_t used; /* bytes of it that are placed */
};

struct layout {
    struct moult_image_plan *plan;
    struct ram ram;
    uint32_t offset; /* in the image, of the next segment header */
    uint32_t page_size;
    bool is_full; /* more segments, or bytes, than an image may have */
};

static void add_segment(struct layout *layout, uint32_t load_address,
                        struct moult_bytes data, uint32_t size)
{
    struct moult_image_plan *plan = layout->plan;
    if (plan->segment_count == MOULT_ESP_SEGMENTS_MAX ||
        size > MOULT_ESP_SEGMENT_SIZE_MAX) {
        layout->is_full = true;
        return;
    }
    uint32_t i = plan->segment_count++;
    plan->segments[i].load_address = load_address;
    plan->segments[i].size = size;
    plan->segments[i].data = data;
    layout->offset += MOULT_ESP_SEGMENT_HEADER_SIZE + size;
    if (layout->offset > MOULT_ESP_IMAGE_SIZE_MAX) { layout->is_full = true; }
}

/* The next RAM part that has bytes left; NULL: none. */
static const struct moult_image_part *next_ram(struct ram *ram)
{
    while (ram->part < ram->parts->part_count) {
        const struct moult_image_part *part = &ram->parts->parts[ram->part];
        bool is_mapped = moult_chip_maps(ram->chip, part->load_address);
        if (!is_mapped && ram->used < up_to_4(part->data.size)) { return part; }
        ram->part++;
        ram->used = 0;
    }
    return NULL;
}

/* A segment of at most max_size bytes from the front of a RAM part. */
static void add_ram(struct layout *layout, const struct moult_image_part *part,
                    uint32_t max_size)
{
    uint32_t used = layout->ram.used, left = up_to_4(part->data.size) - used;
    assert(left > 0 && max_size % 4 == 0);
    uint32_t size = left < max_size ? left : max_size;
    size_t bytes = part->data.size - used < size ? part->data.size - used : size;
    struct moult_bytes data = {part->data.data + used, bytes};
    add_segment(layout, part->load_address + used, data, size);
    layout->ram.used += size;
}

/* Fill with RAM parts, else with zeros, until a segment of that address may start. */
static void align_for(struct layout *layout, uint32_t load_address)
{
    const struct moult_bytes zeros = {NULL, 0};
    uint32_t mask = layout->page_size - 1;
    assert((layout->page_size & mask) == 0 && load_address % 4 == 0);
    while (!layout->is_full) {
        uint32_t data = layout->offset + MOULT_ESP_SEGMENT_HEADER_SIZE;
        uint32_t gap = (load_address - data) & mask;
        if (gap == 0) { return; }
        /* The filler needs a header of its own, and some bytes. */
        if (gap < MOULT_ESP_SEGMENT_HEADER_SIZE + PADDING_LEAST) {
            gap += layout->page_size;
        }
        gap -= MOULT_ESP_SEGMENT_HEADER_SIZE;
        const struct moult_image_part *part = next_ram(&layout->ram);
        if (part) {
            add_ram(layout, part, gap);
        } else {
            add_segment(layout, 0, zeros, gap);
        }
    }
}

static void lay_out(struct layout *layout)
{
    const struct moult_image_parts *parts = layout->ram.parts;
    for (uint32_t i = 0; i < parts->part_count; i++) {
        const struct moult_image_part *part = &parts->parts[i];
        if (!moult_chip_maps(layout->ram.chip, part->load_address)) { continue; }
        align_for(layout, part->load_address);
        add_segment(layout, part->load_address, part->data, up_to_4(part->data.size));
    }
    for (const struct moult_image_part *part; (part = next_ram(&layout->ram));) {
        if (layout->is_full) { return; }
        add_ram(layout, part, MOULT_ESP_SEGMENT_SIZE_MAX);
    }
}

/* --- rules ---------------------------------------------------------------------------- */

static enum moult_status check_part(const struct moult_image_parts *parts, uint32_t i,
                                    struct moult_finding *finding)
{
    const struct moult_image_part *part = &parts->parts[i];
    if (part->data.size == 0 || part->data.size > MOULT_ESP_SEGMENT_SIZE_MAX) {
        return moult_found(
            finding, MOULT_E_ARG,
            (struct moult_finding){MOULT_D_ESP_SEGMENT, i, MOULT_ESP_SEGMENT_SIZE_MAX,
                                   (uint32_t)(part->data.size & UINT32_MAX)});
    }
    if (part->load_address % 4 != 0) {
        return moult_found(finding, MOULT_E_ARG,
                           (struct moult_finding){MOULT_D_IMAGE_LAYOUT, i,
                                                  part->load_address & ~3u,
                                                  part->load_address});
    }
    return MOULT_OK;
}

/* The first part: mapped, its data at image offset 32 of a page, descriptor in front. */
static enum moult_status check_first(const struct moult_image_parts *parts,
                                     const struct moult_chip *chip, uint32_t page_size,
                                     struct moult_finding *finding)
{
    const struct moult_image_part *first = &parts->parts[0];
    uint32_t address = first->load_address;
    if (!moult_chip_maps(chip, address) || address % page_size != MOULT_APP_DESC_OFFSET) {
        return moult_found(
            finding, MOULT_E_ARG,
            (struct moult_finding){MOULT_D_IMAGE_LAYOUT, 0,
                                   address / page_size * page_size + MOULT_APP_DESC_OFFSET,
                                   address});
    }
    uint32_t magic =
        first->data.size >= MOULT_APP_DESC_SIZE ? get_le32(first->data.data) : 0;
    if (magic != MOULT_APP_DESC_MAGIC) {
        return moult_found(
            finding, MOULT_E_ARG,
            (struct moult_finding){MOULT_D_ESP_DESC, 0, MOULT_APP_DESC_MAGIC, magic});
    }
    return MOULT_OK;
}

static enum moult_status check_parts(const struct moult_image_parts *parts,
                                     const struct moult_chip *chip, uint32_t page_size,
                                     struct moult_finding *finding)
{
    if (!chip || chip->mapped[0].end == 0) {
        return moult_found(
            finding, MOULT_E_UNSUPPORTED,
            (struct moult_finding){.detail = MOULT_D_ESP_CHIP, .found = parts->chip_id});
    }
    if (parts->part_count < 1 || parts->part_count > MOULT_IMAGE_PARTS_MAX) {
        return moult_found(finding, MOULT_E_ARG,
                           (struct moult_finding){MOULT_D_IMAGE_SEGMENTS, 0,
                                                  MOULT_IMAGE_PARTS_MAX,
                                                  parts->part_count});
    }
    for (uint32_t i = 0; i < parts->part_count; i++) {
        enum moult_status st = check_part(parts, i, finding);
        if (st != MOULT_OK) { return st; }
    }
    return check_first(parts, chip, page_size, finding);
}

enum moult_status moult_image_plan(const struct moult_image_parts *parts,
                                   struct moult_image_plan *plan,
                                   struct moult_finding *finding)
{
    assert(parts && plan);
    const struct moult_chip *chip = moult_chip_by_id(parts->chip_id);
    uint32_t page_size = parts->page_size ? parts->page_size : MOULT_ESP_PAGE_SIZE;
    enum moult_status st = check_parts(parts, chip, page_size, finding);
    if (st != MOULT_OK) { return st; }

    memset(plan, 0, sizeof *plan);
    struct layout layout = {.plan = plan,
                            .ram = {.parts = parts, .chip = chip},
                            .offset = MOULT_ESP_HEADER_SIZE,
                            .page_size = page_size};
    lay_out(&layout);
    plan->size = (layout.offset | (MOULT_ESP_IMAGE_ALIGN - 1)) + 1 + MOULT_ESP_DIGEST_SIZE;
    if (layout.is_full && plan->segment_count == MOULT_ESP_SEGMENTS_MAX) {
        return moult_found(finding, MOULT_E_RANGE,
                           (struct moult_finding){MOULT_D_IMAGE_SEGMENTS, 0,
                                                  MOULT_ESP_SEGMENTS_MAX,
                                                  MOULT_ESP_SEGMENTS_MAX + 1});
    }
    if (layout.is_full || plan->size > MOULT_ESP_IMAGE_SIZE_MAX) {
        return moult_found(finding, MOULT_E_RANGE,
                           (struct moult_finding){MOULT_D_IMAGE_LIMIT, 0,
                                                  MOULT_ESP_IMAGE_SIZE_MAX, plan->size});
    }
    return MOULT_OK;
}

/* --- writing -------------------------------------------------------------------------- */

struct output {
    const struct moult_crypto *crypto;
    const struct moult_writer *writer;
    struct moult_sha256 hash;
    uint32_t offset;
    uint8_t checksum;
    enum moult_status status; /* sticky: looked at once, at the end */
};

static void put(struct output *output, const uint8_t *data, uint32_t size)
{
    const struct moult_crypto *crypto = output->crypto;
    if (output->status != MOULT_OK || size == 0) { return; }
    if (!crypto->sha256_update(crypto->context, &output->hash, data, size)) {
        output->status = MOULT_E_INTERNAL;
        return;
    }
    output->status = output->writer->write(output->writer->context, data, size);
    output->offset += size;
}

static void put_zeros(struct output *output, uint32_t size)
{
    static const uint8_t zeros[64];
    for (; size > 0 && output->status == MOULT_OK;) {
        uint32_t n = size < sizeof zeros ? size : (uint32_t)sizeof zeros;
        put(output, zeros, n);
        size -= n;
    }
}

static void put_header(struct output *output, const struct moult_image_parts *parts,
                       uint32_t segment_count)
{
    uint8_t raw[MOULT_ESP_HEADER_SIZE] = {0};
    raw[0] = MOULT_ESP_MAGIC;
    raw[1] = (uint8_t)segment_count;
    raw[2] = parts->spi_mode;
    raw[3] = (uint8_t)(parts->spi_size << 4 | (parts->spi_speed & 0x0f));
    put_le32(raw + 4, parts->entry);
    raw[8] = 0xee; /* wp_pin: not used */
    put_le16(raw + 12, parts->chip_id);
    raw[14] = (uint8_t)(parts->min_revision / 100); /* legacy field: the major number */
    put_le16(raw + 15, parts->min_revision);
    put_le16(raw + 17, parts->max_revision);
    raw[23] = 1; /* a SHA-256 follows */
    put(output, raw, sizeof raw);
}

static void put_segments(struct output *output, const struct moult_image_plan *plan)
{
    uint8_t raw[MOULT_ESP_SEGMENT_HEADER_SIZE];
    for (uint32_t i = 0; i < plan->segment_count; i++) {
        const struct moult_bytes *data = &plan->segments[i].data;
        assert(data->size <= plan->segments[i].size);
        put_le32(raw, plan->segments[i].load_address);
        put_le32(raw + 4, plan->segments[i].size);
        put(output, raw, sizeof raw);
        for (size_t k = 0; k < data->size; k++) {
            output->checksum ^= data->data[k];
        }
        put(output, data->data, (uint32_t)data->size);
        put_zeros(output, plan->segments[i].size - (uint32_t)data->size);
    }
}

/* Zeros up to the last byte of a block of 16, the checksum there, then the digest. */
static void put_tail(struct output *output)
{
    uint8_t digest[MOULT_ESP_DIGEST_SIZE];
    const struct moult_crypto *crypto = output->crypto;
    uint32_t checksum_offset = output->offset | (MOULT_ESP_IMAGE_ALIGN - 1);
    put_zeros(output, checksum_offset - output->offset);
    put(output, &output->checksum, 1);
    if (output->status != MOULT_OK) {
        crypto->sha256_abort(crypto->context, &output->hash);
        return;
    }
    if (!crypto->sha256_final(crypto->context, &output->hash, digest)) {
        output->status = MOULT_E_INTERNAL;
        return;
    }
    output->status = output->writer->write(output->writer->context, digest, sizeof digest);
}

enum moult_status moult_image_write(const struct moult_image_parts *parts,
                                    const struct moult_image_plan *plan,
                                    const struct moult_crypto *crypto,
                                    const struct moult_writer *writer)
{
    assert(parts && plan && crypto && writer);
    struct output output = {
        .crypto = crypto, .writer = writer, .checksum = MOULT_ESP_CHECKSUM_SEED};
    if (!crypto->sha256_init(crypto->context, &output.hash)) { return MOULT_E_INTERNAL; }
    put_header(&output, parts, plan->segment_count);
    put_segments(&output, plan);
    put_tail(&output);
    return output.status;
}
