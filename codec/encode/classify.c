/* classify.c - what kind of images these are: segments, instruction set, what can be
 * derived. The decoder knows no chips; all of that is here. */
#include <string.h>
#include "codec/encode/work.h"
#include "formats/chip.h"
#include "formats/esp_image.h"

static bool parse(struct moult_bytes bytes, struct moult_esp_image *image)
{
    struct moult_reader reader = moult_reader_of_bytes(&bytes);
    return moult_esp_image_parse(&reader, image, NULL) == MOULT_OK;
}

static bool is_xtensa_chip(uint16_t chip)
{
    return chip == MOULT_CHIP_ESP32 || chip == MOULT_CHIP_ESP32S2 ||
           chip == MOULT_CHIP_ESP32S3;
}

static uint8_t isa_of(uint16_t chip)
{
    if (chip == MOULT_CHIP_ESP32S3) { return MOULT_PATCH_XTENSA_WIDE; }
    return is_xtensa_chip(chip) ? MOULT_PATCH_XTENSA : MOULT_PATCH_RISCV;
}

/* Chips whose instruction and data buses see the same addresses: there the place says
 * nothing, but the linker puts data first and what lies behind the code last. */
static bool is_unified(uint16_t chip)
{
    return chip == MOULT_CHIP_ESP32C6 || chip == MOULT_CHIP_ESP32H2 ||
           chip == MOULT_CHIP_ESP32C5 || chip == MOULT_CHIP_ESP32C61;
}

static bool is_code(const struct moult_esp_image *image, unsigned i)
{
    if (is_unified(image->chip_id)) { return i > 0 && i + 1u < image->segment_count; }
    uint32_t top = image->segments[i].load_address >> 24;
    return top != 0x3f && top != 0x3c && top != 0x50 && top != 0x60;
}

static bool is_in(uint32_t address, uint32_t from, uint32_t end)
{
    return address >= from && address < end;
}

static bool is_flash(uint16_t chip, uint32_t address)
{
    return is_in(address, 0x3f000000, 0x3f800000) || address >> 24 == 0x42 ||
           address >> 24 == 0x3c || is_in(address, 0x400c0000, 0x40800000) ||
           (chip == MOULT_CHIP_ESP32S2 && is_in(address, 0x40080000, 0x40400000));
}

/* What lies behind a segment without being loaded: bss behind RAM data, read-only data that
 * is only mapped behind flash data. */
static uint8_t reach_of(uint16_t chip, uint32_t address, bool is_code_segment)
{
    if (is_flash(chip, address)) { return is_code_segment ? 0 : 1; }
    return is_code_segment && is_xtensa_chip(chip) ? 0 : 2;
}

static uint8_t list(const struct moult_esp_image *image,
                    struct moult_patch_segment segments[MOULT_PATCH_SEGMENTS_MAX])
{
    for (unsigned i = 0; i < image->segment_count; i++) {
        const struct moult_esp_segment *s = &image->segments[i];
        bool code = is_code(image, i);
        segments[i] = (struct moult_patch_segment){
            .address = s->load_address,
            .size = s->size,
            .offset = s->offset,
            .is_code = code,
            .reach = reach_of(image->chip_id, s->load_address, code),
        };
    }
    return image->segment_count;
}

/* --- derived bytes ------------------------------------------------------------------- */

static bool has_checksum(const struct moult_work *w, uint32_t end)
{
    uint32_t at = end | 15u;
    if (at >= w->result.size) { return false; }
    uint8_t sum = MOULT_ESP_CHECKSUM_SEED;
    for (unsigned i = 0; i < w->header.new_count; i++) {
        const struct moult_patch_segment *s = &w->header.new_segments[i];
        for (uint32_t k = 0; k < s->size; k++) {
            sum ^= w->result.data[s->offset + k];
        }
    }
    return moult_bytes_all(w->result.data + end, at - end, 0) && w->result.data[at] == sum;
}

static bool has_digest(const struct moult_work *w, uint32_t end)
{
    uint32_t at = (end | 15u) + 1;
    uint8_t digest[MOULT_ESP_DIGEST_SIZE];
    if (w->result.size - at < sizeof digest) { return false; }
    const struct moult_crypto *crypto = w->options->crypto;
    return moult_sha256_once(crypto, w->result.data, at, digest) == MOULT_OK &&
           memcmp(digest, w->result.data + at, sizeof digest) == 0;
}

/* Derived bytes may not lie across a block border; the smallest block is 64 KB. */
static bool is_in_one_block(const struct moult_patch_header *h)
{
    uint32_t from = moult_patch_segments_end(h), size = moult_patch_derived_size(h);
    return from >> 16 == (from + size - 1) >> 16;
}

static void derive(struct moult_work *w)
{
    struct moult_patch_header *h = &w->header;
    uint32_t end = moult_patch_segments_end(h);
    if (h->new_count == 0 || !has_checksum(w, end)) { return; }
    h->flags |= MOULT_PATCH_CHECKSUM;
    if (has_digest(w, end)) { h->flags |= MOULT_PATCH_DIGEST; }
    if (!is_in_one_block(h)) {
        h->flags &= (uint8_t) ~(MOULT_PATCH_CHECKSUM | MOULT_PATCH_DIGEST);
    }
    w->derived_from = end;
    w->derived_size = moult_patch_derived_size(h);
}

static void match_addresses(struct moult_patch_header *h)
{
    for (unsigned i = 0; i < h->new_count && i < h->base_count; i++) {
        bool is_same = h->new_segments[i].address == h->base_segments[i].address;
        h->same_address |= (uint16_t)(is_same << i);
    }
}

void moult_enc_classify(struct moult_work *w)
{
    struct moult_patch_header *h = &w->header;
    struct moult_esp_image base, result;
    h->profile = w->options->profile;
    h->base_size = (uint32_t)w->base.size;
    h->new_size = (uint32_t)w->result.size;
    h->flags = w->base.size > 0 ? MOULT_PATCH_HAS_BASE : 0;
    h->chip_id = MOULT_PATCH_CHIP_NONE;

    bool is_esp = parse(w->result, &result);
    if (is_esp && w->base.size > 0) {
        is_esp = parse(w->base, &base) && isa_of(base.chip_id) == isa_of(result.chip_id);
    }
    if (is_esp) {
        h->chip_id = result.chip_id;
        h->isa = isa_of(result.chip_id);
        h->new_count = list(&result, h->new_segments);
        if (w->base.size > 0) {
            h->base_count = list(&base, h->base_segments);
            h->flags |= MOULT_PATCH_BASE_IS_ESP;
        }
        match_addresses(h);
        derive(w);
    }
}
