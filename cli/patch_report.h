/* patch_report.h - what a patch is made of, for people and for programs; and a patch
 * applied to images in memory.
 *
 * Layer    cli.
 */
#ifndef MOULT_CLI_PATCH_REPORT_H
#define MOULT_CLI_PATCH_REPORT_H

#include "cli/cli.h"
#include "codec/encode/encoder.h"

#define PATCH_FILE_MAX (MOULT_PATCH_IMAGE_MAX + MOULT_PATCH_HEADER_MAX)

/* A patch that was read. */
struct patch_file {
    const char *path;
    struct moult_bytes bytes;
    struct moult_patch_header header;
};

/* Read PATCH and its header. Returns CLI_OK, or has failed. */
MOULT_MUST_CHECK int patch_read(struct cli *cli, const char *path, struct patch_file *out);

/* Header, segments and what it needs. tokens: NULL, or what `moult patch create` counted.
 */
json_t *patch_json(struct cli *cli, const struct moult_patch_header *header,
                   const struct moult_encoder_statistics *tokens);
void patch_print(struct cli *cli, const struct moult_patch_header *header,
                 const struct moult_encoder_statistics *tokens);

/* Decode over memory into `out`, which has header.new_size bytes; compares base and result
 * with what the patch says. Returns CLI_OK, or has failed. */
MOULT_MUST_CHECK int patch_decode(struct cli *cli, const struct patch_file *patch,
                                  struct moult_bytes base, const char *base_path,
                                  uint8_t *out);

#endif
