/* partition_file.c - see partition_file.h. */
#include "cli/partition_file.h"

#include "cli/finding.h"
#include "formats/chip.h"
#include "formats/partition_csv.h"

enum { SECTOR_SIZE = 4096, MAGIC = 0x50aa };

static enum partition_source source_of(const struct partition_file *file,
                                       uint32_t table_offset)
{
    if (file->size >= 2 && get_le16(file->data) == MAGIC) { return PARTITIONS_BINARY; }
    bool is_flash = file->size > table_offset && file->size % SECTOR_SIZE == 0 &&
                    file->size > MOULT_PARTITION_CSV_SIZE_MAX;
    return is_flash ? PARTITIONS_FLASH : PARTITIONS_CSV;
}

static int parse_csv(struct cli *cli, uint32_t table_offset, const char *chip_name,
                     struct partition_file *file)
{
    struct moult_finding finding = {0};
    const struct moult_chip *chip = moult_chip_by_name(chip_name ? chip_name : "esp32c3");
    if (!chip) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "--chip such as esp32c3", chip_name);
    }
    struct moult_partition_csv_options options = {table_offset, chip->bootloader_offset};
    struct moult_bytes text = {file->data, file->size};
    enum moult_status st =
        moult_partition_csv_parse(text, &options, &file->table, &finding);
    return st == MOULT_OK ? CLI_OK : cli_fail_finding(cli, file->path, st, &finding);
}

static int parse_binary(struct cli *cli, size_t offset, struct partition_file *file)
{
    struct moult_finding finding = {0};
    if (file->size < offset + MOULT_PARTITION_TABLE_SIZE) {
        return cli_fail_at(
            cli, file->path, MOULT_D_FLASH_FILE,
            cli_text(cli, "a partition table of 3072 bytes at 0x%zx", offset),
            cli_text(cli, "%zu bytes", file->size));
    }
    enum moult_status st =
        moult_partition_parse(file->data + offset, &file->table, &finding);
    return st == MOULT_OK ? CLI_OK : cli_fail_finding(cli, file->path, st, &finding);
}

int partition_file_read(struct cli *cli, const char *path, uint32_t table_offset,
                        const char *chip_name, struct partition_file *out)
{
    out->path = path;
    int code = cli_read_file(cli, path, FLASH_FILE_MAX, &out->data, &out->size);
    if (code != CLI_OK) { return code; }

    out->source = source_of(out, table_offset);
    switch (out->source) {
    case PARTITIONS_BINARY:
        return parse_binary(cli, 0, out);
    case PARTITIONS_FLASH:
        return parse_binary(cli, table_offset, out);
    case PARTITIONS_CSV:
        break;
    }
    return parse_csv(cli, table_offset, chip_name, out);
}

int partition_offset_option(struct cli *cli, unsigned option, uint32_t otherwise,
                            uint32_t *out)
{
    uint64_t value = cli_number(cli, option, otherwise);
    if (value % SECTOR_SIZE != 0 || value > UINT32_MAX - SECTOR_SIZE) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "an offset in flash, a multiple of 0x1000",
                        cli_value(cli, option));
    }
    *out = (uint32_t)value;
    return CLI_OK;
}
