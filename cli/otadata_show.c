/* otadata_show.c - moult otadata show FILE: which slot the bootloader would start, and why.
 * */
#include "cli/otadata_report.h"

enum { OPT_SLOTS, OPT_NO_ROLLBACK };

static const struct cli_option options[] = {
    [OPT_SLOTS] = {"slots", 0, "N", "how many ota_N partitions there are (default: 2)",
                   CLI_NUMBER},
    [OPT_NO_ROLLBACK] = {"no-rollback", 0, NULL,
                         "the bootloader was built without rollback", CLI_FLAG},
};

/* The file holds otadata alone: every image is taken to be good. */
static bool is_good(void *context, int which)
{
    (void)context;
    (void)which;
    return true;
}

static int run(struct cli *cli)
{
    const char *path = cli_argument(cli, 0);
    uint8_t *data = NULL;
    size_t size = 0;
    uint64_t slots = cli_number(cli, OPT_SLOTS, 2);
    if (slots < 1 || slots > MOULT_OTADATA_SLOTS_MAX) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "--slots from 1 to 16",
                        cli_value(cli, OPT_SLOTS));
    }
    int code = cli_read_file(cli, path, MOULT_OTADATA_PARTITION_SIZE, &data, &size);
    if (code != CLI_OK) { return code; }
    if (size != MOULT_OTADATA_PARTITION_SIZE) {
        return cli_fail_at(cli, path, MOULT_D_OTADATA_SIZE,
                           cli_text(cli, "%u", MOULT_OTADATA_PARTITION_SIZE),
                           cli_text(cli, "%zu", size));
    }
    uint8_t raw[2][MOULT_OTADATA_SIZE];
    otadata_entries(data, raw);
    struct moult_boot_table table = {.slot_count = (uint32_t)slots,
                                     .has_otadata = true,
                                     .rollback = !cli_has(cli, OPT_NO_ROLLBACK)};
    struct moult_boot_probe probe = {.verifies = is_good};
    struct moult_boot_choice choice;
    const uint8_t(*entries)[MOULT_OTADATA_SIZE] = (const uint8_t(*)[MOULT_OTADATA_SIZE])raw;
    if (moult_boot_choose(&table, entries, &probe, &choice) != MOULT_OK) {
        return CLI_ERROR;
    }
    if (cli->global.json) {
        return cli_json(cli, json_pack("{s:o,s:o}", "entries",
                                       otadata_json(cli, entries, table.slot_count),
                                       "next_boot", boot_choice_json(cli, &choice)));
    }
    otadata_print(cli, entries, table.slot_count);
    cli_print(cli, "next boot, if the images are good:\n");
    boot_choice_print(cli, entries, &choice);
    return CLI_OK;
}

const struct cli_command cli_otadata_show = {
    .noun = "otadata",
    .verb = "show",
    .arguments = "FILE",
    .least = 1,
    .most = 1,
    CLI_OPTIONS(options),
    .run = run,
};
