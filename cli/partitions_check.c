/* partitions_check.c - moult partitions check FILE: every rule of ESP-IDF, and moult's own.
 * */
#include "cli/finding.h"
#include "cli/partition_file.h"

#define FINDINGS_MAX                                                                       \
    256u /* a table of 95 rows with two faults in each, and some to spare */

enum {
    OPT_TABLE_OFFSET,
    OPT_CHIP,
    OPT_FLASH_SIZE,
    OPT_ANTI_ROLLBACK,
    OPT_SECURE_BOOT_V1,
    OPT_IDF_ONLY,
};

static const struct cli_option options[] = {
    [OPT_TABLE_OFFSET] = {"table-offset", 0, "OFFSET", "of the table in flash (0x8000)",
                          CLI_NUMBER},
    [OPT_CHIP] = {"chip", 0, "CHIP", "for CSV tables with a bootloader row", CLI_TEXT},
    [OPT_FLASH_SIZE] = {"flash-size", 0, "MB", "the table must fit it", CLI_NUMBER},
    [OPT_ANTI_ROLLBACK] = {"anti-rollback", 0, NULL, "the product fuses secure versions",
                           CLI_FLAG},
    [OPT_SECURE_BOOT_V1] = {"secure-boot-v1", 0, NULL, "app sizes in units of 64 KB",
                            CLI_FLAG},
    [OPT_IDF_ONLY] = {"idf-only", 0, NULL, "only what ESP-IDF asks, not what moult asks",
                      CLI_FLAG},
};

struct verdict {
    struct moult_finding findings[FINDINGS_MAX];
    uint32_t count, errors;
};

static void judge(const struct partition_file *file,
                  const struct moult_partition_rules *rules, struct verdict *out)
{
    out->count = moult_partition_check(&file->table, rules, out->findings, FINDINGS_MAX);
    if (out->count > FINDINGS_MAX) { out->count = FINDINGS_MAX; }
    for (uint32_t i = 0; i < out->count; i++) {
        out->errors += !moult_partition_is_warning(out->findings[i].detail);
    }
}

static int say_json(struct cli *cli, const struct partition_file *file,
                    const struct verdict *verdict)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < verdict->count; i++) {
        const struct moult_finding *f = &verdict->findings[i];
        bool is_error = !moult_partition_is_warning(f->detail);
        json_t *item = json_pack("{s:b}", "error", is_error);
        json_t *finding = cli_finding_json(cli, f, &file->table);
        if (!item || json_object_update_new(item, finding) != 0) { return CLI_ERROR; }
        cli_json_append(&list, item);
    }
    int code =
        cli_json(cli, json_pack("{s:b,s:o}", "ok", verdict->errors == 0, "findings", list));
    return code == CLI_OK && verdict->errors > 0 ? CLI_REFUSED : code;
}

static int say_text(struct cli *cli, const struct partition_file *file,
                    const struct verdict *verdict)
{
    for (uint32_t i = 0; i < verdict->count; i++) {
        char code[8];
        const struct moult_finding *f = &verdict->findings[i];
        bool is_warning = moult_partition_is_warning(f->detail);
        moult_code_format('E', f->detail, code);
        cli_print(cli, "%s%s%s %s: %s\n", cli_color(cli, is_warning ? CLI_YELLOW : CLI_RED),
                  is_warning ? "warning" : "error", cli_color(cli, CLI_PLAIN), code,
                  cli_finding_text(cli, f, &file->table));
    }
    cli_print(cli, "%s: %u partitions, %u app slots, %u errors, %u warnings\n", file->path,
              file->table.count, moult_partition_slot_count(&file->table), verdict->errors,
              verdict->count - verdict->errors);
    return verdict->errors > 0 ? CLI_REFUSED : CLI_OK;
}

static int run(struct cli *cli)
{
    enum { MB = 1024 * 1024 };
    struct moult_partition_rules rules = {
        .secure_boot_v1 = cli_has(cli, OPT_SECURE_BOOT_V1),
        .for_moult = !cli_has(cli, OPT_IDF_ONLY),
        .anti_rollback = cli_has(cli, OPT_ANTI_ROLLBACK),
    };
    uint64_t flash_mb = cli_number(cli, OPT_FLASH_SIZE, 0);
    if (flash_mb >= 4096) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "--flash-size below 4096",
                        cli_value(cli, OPT_FLASH_SIZE));
    }
    struct partition_file *file = cli_alloc(cli, sizeof *file);
    int code = partition_offset_option(cli, OPT_TABLE_OFFSET, MOULT_PARTITION_TABLE_OFFSET,
                                       &rules.table_offset);
    if (code == CLI_OK) {
        code = partition_file_read(cli, cli_argument(cli, 0), rules.table_offset,
                                   cli_value(cli, OPT_CHIP), file);
    }
    if (code != CLI_OK) { return code; }

    rules.flash_size = (uint32_t)(flash_mb * MB);
    if (rules.flash_size == 0 && file->source == PARTITIONS_FLASH) {
        rules.flash_size = (uint32_t)file->size;
    }
    struct verdict *verdict = cli_alloc(cli, sizeof *verdict);
    judge(file, &rules, verdict);
    return cli->global.json ? say_json(cli, file, verdict) : say_text(cli, file, verdict);
}

const struct cli_command cli_partitions_check = {
    .noun = "partitions",
    .verb = "check",
    .arguments = "FILE",
    .least = 1,
    .most = 1,
    CLI_OPTIONS(options),
    .run = run,
};
