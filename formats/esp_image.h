/* esp_image.h - ESP application images: where everything is, and whether it is whole.
 *
 * Layer    formats: pure; reads through a moult_reader, hashes through moult_crypto.
 * Format   esp_image_header_t and what follows; docs/spec/esp-image.md, byte for byte.
 * Memory   struct moult_esp_image 272 bytes, struct moult_esp_check 312 bytes, both the
 *          caller's; a 256-byte buffer on the stack.
 * Use it   moult_esp_image_parse() reads headers only. Then moult_esp_image_verify() in
 *          one go, or moult_esp_check_begin() and _step() where the caller must not be
 *          away for long. moult_esp_image_measure() gives the "running digest" that
 *          releases are signed over.
 *
 * Findings carry a byte offset in `where`.
 */
#ifndef MOULT_FORMATS_ESP_IMAGE_H
#define MOULT_FORMATS_ESP_IMAGE_H

#include <stdbool.h>
#include <stdint.h>
#include "formats/app_desc.h"
#include "formats/crypto.h"
#include "formats/reader.h"
#include "formats/status.h"

#define MOULT_ESP_MAGIC 0xe9u
#define MOULT_ESP_HEADER_SIZE 24u
#define MOULT_ESP_SEGMENT_HEADER_SIZE 8u
#define MOULT_ESP_SEGMENTS_MAX 16u           /* the bootloader's limit */
#define MOULT_ESP_SEGMENT_SIZE_MAX 0xfffffcu /* < 16 MB, multiple of 4 */
#define MOULT_ESP_IMAGE_SIZE_MAX 0x1000000u  /* 16 MB, the largest partition */
#define MOULT_ESP_IMAGE_ALIGN 16u
#define MOULT_ESP_CHECKSUM_SEED 0xefu
#define MOULT_ESP_DIGEST_SIZE 32u
#define MOULT_ESP_PAGE_SIZE 0x10000u /* MMU page unless the descriptor says otherwise */
#define MOULT_ESP_HELD_BACK_SIZE 32u /* header and first segment header: written last */

struct moult_esp_segment {
    uint32_t load_address;
    uint32_t offset; /* of its data in the image */
    uint32_t size;   /* bytes of data */
};

struct moult_esp_image {
    uint32_t entry;
    uint16_t chip_id;
    uint16_t min_revision;                 /* major * 100 + minor */
    uint16_t max_revision;                 /* 0 or 65535: none */
    uint8_t spi_mode, spi_speed, spi_size; /* as stored: mode, low nibble, high nibble */
    uint8_t segment_count;
    bool has_digest;          /* a SHA-256 follows the checksum */
    uint32_t checksum_offset; /* of the one checksum byte */
    uint32_t size;            /* header to checksum or appended digest */
    struct moult_esp_segment segments[MOULT_ESP_SEGMENTS_MAX];
};

/* Header, segment headers and the extent of everything; no data is read.
 *
 * image     the reader may be longer than the image: a whole slot, a file with a signature.
 * out       untouched on failure.
 * finding   may be NULL.
 *
 * MOULT_OK; MOULT_E_FORMAT: not an image (ESP_MAGIC), or a header breaks a rule;
 * MOULT_E_RANGE: a count or size over its limit; MOULT_E_TRUNCATED: it goes on behind the
 * reader's end; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status moult_esp_image_parse(const struct moult_reader *image,
                                                         struct moult_esp_image *out,
                                                         struct moult_finding *finding);

/* Whether the image is an application for that chip, as the bootloader asks before it
 * loads: chip number, revision range (skipped when revision is UINT16_MAX: unknown), one
 * segment or more, mapped segments congruent to their address modulo page_size (0: 64 KB).
 *
 * MOULT_OK; MOULT_E_INCOMPATIBLE: other chip or revision; MOULT_E_FORMAT: cannot be mapped.
 */
MOULT_MUST_CHECK enum moult_status
moult_esp_image_runs_on(const struct moult_esp_image *image, uint16_t chip_id,
                        uint16_t revision, uint32_t page_size,
                        struct moult_finding *finding);

/* A check of checksum and appended digest, in pieces. */
struct moult_esp_check {
    const struct moult_reader *reader;   /* borrowed until the check ends */
    const struct moult_crypto *crypto;   /* likewise */
    const struct moult_esp_image *image; /* likewise */
    uint32_t position;                   /* next byte to read */
    uint32_t segment;                    /* in or before this segment's data */
    uint8_t checksum;                    /* so far */
    struct moult_sha256 hash;            /* of [0, position) */
};

/* MOULT_OK; MOULT_E_INTERNAL: the crypto library fails. */
MOULT_MUST_CHECK enum moult_status
moult_esp_check_begin(struct moult_esp_check *check, const struct moult_reader *reader,
                      const struct moult_crypto *crypto,
                      const struct moult_esp_image *image);

/* Read on by at most max_size bytes (>= 1) and judge when the end is reached.
 *
 * MOULT_E_BUSY: not done, call again. All others end the check: MOULT_OK: whole;
 * MOULT_E_DIGEST: checksum (ESP_CHECKSUM) or digest (ESP_DIGEST; expected and found are
 * the first four bytes, big-endian) differ; MOULT_E_IO; MOULT_E_INTERNAL. */
MOULT_MUST_CHECK enum moult_status moult_esp_check_step(struct moult_esp_check *check,
                                                        uint32_t max_size,
                                                        struct moult_finding *finding);

/* End a check early: frees what the crypto library holds. */
void moult_esp_check_abandon(struct moult_esp_check *check);

/* All of it at once. Returns as moult_esp_check_step(), never MOULT_E_BUSY. */
MOULT_MUST_CHECK enum moult_status
moult_esp_image_verify(const struct moult_reader *reader, const struct moult_crypto *crypto,
                       const struct moult_esp_image *image, struct moult_finding *finding);

/* Where the image proper ends and its SHA-256: header to appended digest, or to the end of
 * the signature sector when one that belongs to this image follows (formats/secure_boot.h).
 * Size and digest of an esp-app component, and the running digest that a device reports,
 * are these.
 *
 * image    as parsed from the same reader.
 *
 * MOULT_OK; MOULT_E_IO; MOULT_E_INTERNAL. out parameters untouched on failure. */
MOULT_MUST_CHECK enum moult_status moult_esp_image_measure(
    const struct moult_reader *reader, const struct moult_crypto *crypto,
    const struct moult_esp_image *image, uint32_t *size, uint8_t digest[32]);

#endif
