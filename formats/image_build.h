/* image_build.h - writes an application image the way ESP-IDF's image tool does.
 *
 * Layer    formats: pure; bytes go to a callback, in order, each once.
 * Format   docs/spec/esp-image.md.
 * Memory   struct moult_image_plan about 700 bytes, the caller's.
 * Use it   fill a struct moult_image_parts, moult_image_plan() lays it out,
 *          moult_image_write().
 */
#ifndef MOULT_FORMATS_IMAGE_BUILD_H
#define MOULT_FORMATS_IMAGE_BUILD_H

#include <stdint.h>
#include "formats/bytes.h"
#include "formats/crypto.h"
#include "formats/esp_image.h"
#include "formats/status.h"

#define MOULT_IMAGE_PARTS_MAX 12u /* input segments; padding segments come on top */

/* Where the image goes. */
struct moult_writer {
    void *context;
    /* MOULT_OK, or what moult_image_write() then returns. size >= 1. */
    enum moult_status (*write)(void *context, const uint8_t *data, uint32_t size);
};

/* What an image is made of. Segments in flash windows keep their order; the first must be
 * the read-only data that begins with the app descriptor. */
struct moult_image_part {
    uint32_t load_address;   /* multiple of 4 */
    struct moult_bytes data; /* borrowed until the image is written; padded with 0 to 4 */
};

struct moult_image_parts {
    uint16_t chip_id;
    uint16_t min_revision, max_revision; /* major * 100 + minor; max 0 or 65535: none */
    uint32_t entry;
    uint8_t spi_mode, spi_speed, spi_size; /* as in the header */
    uint32_t page_size;                    /* MMU page; 0: 64 KB */
    uint32_t part_count;
    struct moult_image_part parts[MOULT_IMAGE_PARTS_MAX];
};

/* The layout: output segments in file order. */
struct moult_image_plan {
    uint32_t segment_count;
    struct {
        uint32_t load_address, size; /* size is padded to 4 */
        struct moult_bytes data;     /* data.data NULL: zeros (a padding segment) */
    } segments[MOULT_ESP_SEGMENTS_MAX];
    uint32_t size; /* bytes of the image, digest included */
};

/* Lay the parts out: mapped segments at offsets congruent to their address modulo the page,
 * RAM segments in the gaps before them, split where that fills a gap, padding segments
 * where none is left.
 *
 * MOULT_OK; MOULT_E_ARG: a part breaks a rule above (finding: `where` is its index);
 * MOULT_E_RANGE: more than 16 segments or 16 MB; MOULT_E_UNSUPPORTED: a chip whose flash
 * windows are not known here. */
MOULT_MUST_CHECK enum moult_status moult_image_plan(const struct moult_image_parts *parts,
                                                    struct moult_image_plan *plan,
                                                    struct moult_finding *finding);

/* Write header, segments, checksum and digest.
 * MOULT_OK; MOULT_E_INTERNAL: crypto; whatever the writer returns. */
MOULT_MUST_CHECK enum moult_status moult_image_write(const struct moult_image_parts *parts,
                                                     const struct moult_image_plan *plan,
                                                     const struct moult_crypto *crypto,
                                                     const struct moult_writer *writer);

#endif
