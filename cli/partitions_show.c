/* partitions_show.c - moult partitions show FILE: a table, from CSV, binary or a whole
 * flash. */
#include "cli/finding.h"
#include "cli/partition_file.h"
#include "cli/partition_print.h"
#include "formats/partition_csv.h"

enum { OPT_TABLE_OFFSET, OPT_CHIP, OPT_CSV };

static const struct cli_option options[] = {
    [OPT_TABLE_OFFSET] = {"table-offset", 0, "OFFSET", "of the table in flash (0x8000)",
                          CLI_NUMBER},
    [OPT_CHIP] = {"chip", 0, "CHIP", "for CSV tables with a bootloader row", CLI_TEXT},
    [OPT_CSV] = {"csv", 0, NULL, "print as CSV, every offset spelled out", CLI_FLAG},
};

static int print_csv(struct cli *cli, const struct partition_file *file)
{
    char *text = cli_alloc(cli, MOULT_PARTITION_CSV_SIZE_MAX);
    enum moult_status st =
        moult_partition_csv_print(&file->table, text, MOULT_PARTITION_CSV_SIZE_MAX);
    if (st != MOULT_OK) {
        return cli_fail_at(cli, file->path, MOULT_D_PT_CSV,
                           "names and flags that a CSV can carry", "others");
    }
    cli_print(cli, "%s", text);
    return CLI_OK;
}

static int run(struct cli *cli)
{
    uint32_t offset = 0;
    struct partition_file *file = cli_alloc(cli, sizeof *file);
    int code = partition_offset_option(cli, OPT_TABLE_OFFSET, MOULT_PARTITION_TABLE_OFFSET,
                                       &offset);
    if (code == CLI_OK) {
        code = partition_file_read(cli, cli_argument(cli, 0), offset,
                                   cli_value(cli, OPT_CHIP), file);
    }
    if (code != CLI_OK) { return code; }
    if (cli->global.json) {
        return cli_json(cli, json_pack("{s:o,s:i,s:b}", "partitions",
                                       partition_table_json(cli, &file->table), "slots",
                                       (int)moult_partition_slot_count(&file->table), "md5",
                                       file->table.has_md5));
    }
    if (cli_has(cli, OPT_CSV)) { return print_csv(cli, file); }
    partition_table_print(cli, &file->table);
    return CLI_OK;
}

const struct cli_command cli_partitions_show = {
    .noun = "partitions",
    .verb = "show",
    .arguments = "FILE",
    .least = 1,
    .most = 1,
    CLI_OPTIONS(options),
    .run = run,
};
