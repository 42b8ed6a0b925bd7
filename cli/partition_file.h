/* partition_file.h - a partition table out of whatever file it is in.
 *
 * Layer    cli.
 */
#ifndef MOULT_CLI_PARTITION_FILE_H
#define MOULT_CLI_PARTITION_FILE_H

#include "cli/cli.h"
#include "formats/partition_table.h"
#include "formats/reader.h"

#define FLASH_FILE_MAX (128u * 1024 * 1024) /* the largest flash an image header can name */

enum partition_source {
    PARTITIONS_CSV,    /* text */
    PARTITIONS_BINARY, /* the table alone */
    PARTITIONS_FLASH,  /* a whole flash: the table is at its offset */
};

/* A table, and the file it came from. */
struct partition_file {
    const char *path;
    enum partition_source source;
    uint8_t *data;
    size_t size;
    struct moult_partition_table table;
};

/* Read a file and find the table in it: a CSV, a binary table, or a flash with the table at
 * table_offset. chip_name gives the bootloader's offset to CSV tables with a bootloader
 * row; NULL: esp32c3. Returns CLI_OK, or has failed. */
MOULT_MUST_CHECK int partition_file_read(struct cli *cli, const char *path,
                                         uint32_t table_offset, const char *chip_name,
                                         struct partition_file *out);

/* An option that is an offset in flash: a multiple of 4 KB below 4 GB. Returns CLI_OK, or
 * has failed with CLI_USAGE. */
MOULT_MUST_CHECK int partition_offset_option(struct cli *cli, unsigned option,
                                             uint32_t otherwise, uint32_t *out);

#endif
