/* image_report.h - everything there is to say about an application image.
 *
 * Layer    cli. Used by `image inspect`, `image make` and `flash show`.
 * Memory   struct image_report about 2 KB, the caller's.
 */
#ifndef MOULT_CLI_IMAGE_REPORT_H
#define MOULT_CLI_IMAGE_REPORT_H

#include "cli/cli.h"
#include "formats/app_desc.h"
#include "formats/esp_image.h"
#include "formats/image_info.h"
#include "formats/secure_boot.h"

#define IMAGE_REPORT_WARNINGS_MAX 4u /* one each: chip, descriptor, record, bytes behind */

struct image_report {
    struct moult_esp_image image;
    bool has_descriptor;
    struct moult_app_desc descriptor;
    bool has_info;
    struct moult_image_info info;
    uint32_t block_count;
    struct moult_sb_block blocks[MOULT_SB_BLOCKS_MAX];
    bool is_block_verified
        [MOULT_SB_BLOCKS_MAX]; /* false: a scheme that is not verified here */
    uint32_t proper_size;      /* of a release component */
    uint8_t proper_digest[32];
    uint8_t checksum;
    uint8_t digest[32]; /* appended; meaningful where the image has one */
    uint32_t warning_count;
    struct moult_finding warnings[IMAGE_REPORT_WARNINGS_MAX];
};

/* Read and verify an image.
 *
 * is_slot  the reader is a whole slot: erased or old bytes behind the image are normal.
 *
 * MOULT_OK, with warnings; or what is wrong with it, in finding. */
MOULT_MUST_CHECK enum moult_status image_report_read(const struct moult_reader *reader,
                                                     bool is_slot, struct image_report *out,
                                                     struct moult_finding *finding);

/* The report as lines of text. */
void image_report_print(struct cli *cli, const char *path,
                        const struct image_report *report);

/* The report as JSON (docs/cli/image-inspect.md). */
json_t *image_report_json(struct cli *cli, const struct image_report *report);

/* "0.3 to 1.99", "any". */
const char *image_report_revisions(struct cli *cli, const struct moult_esp_image *image);

#endif
