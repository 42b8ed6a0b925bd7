/* image_info.h - what an image says of itself to moult: fleet, class, sequence, version,
 * keyset.
 *
 * Layer    formats: pure.
 * Format   104 bytes at image offset 288, then the baked keyset; docs/spec/image-info.md.
 * Memory   struct moult_image_info 96 bytes.
 *
 * The record is the identity of a release on flash: `moult release create` refuses an image
 * whose record is missing or disagrees with the statement, and the device compares it
 * before it boots.
 */
#ifndef MOULT_FORMATS_IMAGE_INFO_H
#define MOULT_FORMATS_IMAGE_INFO_H

#include <stdint.h>
#include "formats/reader.h"
#include "formats/status.h"

#define MOULT_IMAGE_INFO_OFFSET                                                            \
    288u /* behind header, segment header and app descriptor   \
                                      */
#define MOULT_IMAGE_INFO_SIZE 104u
#define MOULT_IMAGE_INFO_FORMAT 1u
#define MOULT_IMAGE_INFO_KEYSET_OFFSET 392u    /* 288 + 104 */
#define MOULT_IMAGE_INFO_KEYSET_SIZE_MAX 2048u /* the limit of a keyset envelope */
#define MOULT_IMAGE_INFO_VERSION_SIZE_MAX 31u  /* characters, as in a release statement */

struct moult_image_info {
    uint8_t fleet_id[16];
    uint8_t class_id[16];
    uint64_t sequence;       /* >= 1 */
    uint64_t rollback_floor; /* <= sequence */
    uint64_t build_time_s;   /* unix time */
    char version[MOULT_IMAGE_INFO_VERSION_SIZE_MAX +
                 1];      /* printable ASCII, 1..31 and a NUL */
    uint16_t keyset_size; /* bytes of the baked keyset envelope; 0: none */
};

/* The record's 104 bytes.
 *
 * MOULT_OK; MOULT_E_NOENT: no record (the magic is not there); MOULT_E_UNSUPPORTED: a
 * format this build does not know; MOULT_E_FORMAT: a field breaks a rule (finding: byte in
 * the record). out untouched on failure; finding may be NULL. */
MOULT_MUST_CHECK enum moult_status
moult_image_info_parse(const uint8_t raw[MOULT_IMAGE_INFO_SIZE],
                       struct moult_image_info *out, struct moult_finding *finding);

/* The opposite. MOULT_OK; MOULT_E_FORMAT: a field that parse would refuse, raw untouched.
 */
MOULT_MUST_CHECK enum moult_status
moult_image_info_encode(const struct moult_image_info *info,
                        uint8_t raw[MOULT_IMAGE_INFO_SIZE]);

/* From an image. Also requires record and keyset, zero-padded to 4, to lie in the image's
 * first segment.
 *
 * image     of the reader's start; may be a slot whose first 32 bytes come from elsewhere.
 * finding   `where` is the offset in the image. May be NULL.
 *
 * As moult_image_info_parse(); MOULT_E_NOENT also when the image ends before the record;
 * MOULT_E_FORMAT also when the keyset leaves the first segment or its padding is not 0;
 * MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status moult_image_info_read(const struct moult_reader *image,
                                                         struct moult_image_info *out,
                                                         struct moult_finding *finding);

/* The keyset envelope behind the record into out, info->keyset_size bytes.
 * MOULT_OK; MOULT_E_NOENT: none baked in; MOULT_E_SPACE: out_size is smaller;
 * MOULT_E_TRUNCATED; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status
moult_image_info_read_keyset(const struct moult_reader *image,
                             const struct moult_image_info *info, uint8_t *out,
                             uint32_t out_size);

#endif
