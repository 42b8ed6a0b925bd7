/* flash_show.c - moult flash show FILE: partitions, slots, otadata, and why it boots what
 * it boots.
 *
 * FILE is a whole flash: a dump, or the flash file of a virtual device.
 */
#include <inttypes.h>

#include "cli/finding.h"
#include "cli/image_report.h"
#include "cli/otadata_report.h"
#include "cli/partition_file.h"
#include "cli/partition_print.h"

enum { OPT_TABLE_OFFSET, OPT_NO_ROLLBACK, OPT_EFUSE_VERSION };

static const struct cli_option options[] = {
    [OPT_TABLE_OFFSET] = {"table-offset", 0, "OFFSET", "of the table in flash (0x8000)",
                          CLI_NUMBER},
    [OPT_NO_ROLLBACK] = {"no-rollback", 0, NULL,
                         "the bootloader was built without rollback", CLI_FLAG},
    [OPT_EFUSE_VERSION] = {"efuse-version", 0, "N",
                           "anti-rollback is on; the fuses stand at N", CLI_NUMBER},
};

/* What is in one app partition. */
struct slot {
    const struct moult_partition *row;
    int which; /* as in boot_choice.h */
    enum moult_status status;
    struct moult_finding finding;
    struct image_report report;
};

struct flash {
    struct cli *cli;
    struct partition_file file;
    struct moult_reader reader;
    uint32_t slot_count; /* app partitions */
    struct slot slots[MOULT_PARTITION_SLOTS_MAX + 2];
    bool has_otadata;
    uint8_t otadata[2][MOULT_OTADATA_SIZE];
    struct moult_boot_choice choice;
};

static int which_of(const struct moult_partition *row)
{
    uint32_t n = (uint32_t)row->subtype - MOULT_PARTITION_OTA_0;
    if (row->subtype == MOULT_PARTITION_FACTORY) { return MOULT_BOOT_FACTORY; }
    if (row->subtype == MOULT_PARTITION_TEST) { return MOULT_BOOT_TEST; }
    return n < MOULT_PARTITION_SLOTS_MAX ? (int)n : MOULT_BOOT_NONE;
}

static bool is_inside(const struct flash *flash, const struct moult_partition *row)
{
    return (uint64_t)row->offset + row->size <= flash->reader.size;
}

static void read_slot(struct flash *flash, const struct moult_partition *row)
{
    struct moult_reader_part part;
    struct slot *slot = &flash->slots[flash->slot_count++];
    slot->row = row;
    slot->which = which_of(row);
    struct moult_reader reader =
        moult_reader_of_part(&flash->reader, row->offset, row->size, &part);
    slot->status = image_report_read(&reader, true, &slot->report, &slot->finding);
}

static void read_slots(struct flash *flash)
{
    enum { ROOM = sizeof flash->slots / sizeof flash->slots[0] };
    for (uint32_t i = 0; i < flash->file.table.count && flash->slot_count < ROOM; i++) {
        const struct moult_partition *row = &flash->file.table.rows[i];
        bool is_app = row->type == MOULT_PARTITION_APP && which_of(row) != MOULT_BOOT_NONE;
        if (is_app && is_inside(flash, row)) { read_slot(flash, row); }
    }
}

static void read_otadata(struct flash *flash)
{
    const struct moult_partition *row = moult_partition_find(
        &flash->file.table, MOULT_PARTITION_DATA, MOULT_PARTITION_OTADATA);
    flash->has_otadata =
        row && is_inside(flash, row) && row->size >= MOULT_OTADATA_PARTITION_SIZE;
    if (flash->has_otadata) {
        otadata_entries(flash->file.data + row->offset, flash->otadata);
    }
}

static const struct slot *find_slot(const struct flash *flash, int which)
{
    for (uint32_t i = 0; i < flash->slot_count; i++) {
        if (flash->slots[i].which == which) { return &flash->slots[i]; }
    }
    return NULL;
}

static bool slot_verifies(void *context, int which)
{
    const struct slot *slot = find_slot(context, which);
    return slot && slot->status == MOULT_OK;
}

static bool slot_version(void *context, int which, uint32_t *out)
{
    const struct slot *slot = find_slot(context, which);
    if (!slot || slot->status != MOULT_OK || !slot->report.has_descriptor) { return false; }
    *out = slot->report.descriptor.secure_version;
    return true;
}

static int choose(struct flash *flash)
{
    struct cli *cli = flash->cli;
    uint32_t ota_count = 0; /* the bootloader counts them all, gaps or not */
    for (uint32_t i = 0; i < flash->slot_count; i++) {
        ota_count += flash->slots[i].which >= 0;
    }
    uint64_t fused = cli_number(cli, OPT_EFUSE_VERSION, 0);
    bool anti_rollback = cli_has(cli, OPT_EFUSE_VERSION);
    if (fused > 32 || (anti_rollback && cli_has(cli, OPT_NO_ROLLBACK))) {
        return cli_fail(cli, MOULT_D_CLI_USAGE,
                        "--efuse-version of at most 32, without --no-rollback",
                        cli_value(cli, OPT_EFUSE_VERSION));
    }
    struct moult_boot_table table = {
        .slot_count =
            ota_count < MOULT_OTADATA_SLOTS_MAX ? ota_count : MOULT_OTADATA_SLOTS_MAX,
        .has_otadata = flash->has_otadata,
        .has_factory = find_slot(flash, MOULT_BOOT_FACTORY),
        .has_test = find_slot(flash, MOULT_BOOT_TEST),
        .rollback = !cli_has(cli, OPT_NO_ROLLBACK),
        .anti_rollback = anti_rollback,
        .efuse_version = (uint32_t)fused,
        .efuse_bits = 32,
    };
    struct moult_boot_probe probe = {flash, slot_verifies, slot_version};
    enum moult_status st =
        moult_boot_choose(&table, (const uint8_t(*)[MOULT_OTADATA_SIZE])flash->otadata,
                          &probe, &flash->choice);
    return st == MOULT_OK ? CLI_OK : CLI_ERROR;
}

/* --- saying --- */

static const char *slot_words(struct cli *cli, const struct slot *slot)
{
    const struct image_report *r = &slot->report;
    if (slot->status != MOULT_OK) {
        bool is_erased =
            slot->finding.detail == MOULT_D_ESP_MAGIC && slot->finding.found == 255;
        return is_erased ? "empty" : cli_finding_text(cli, &slot->finding, NULL);
    }
    if (r->has_info) {
        return cli_text(cli, "%s, sequence %" PRIu64 ", %u bytes, %.16s...",
                        cli_clean(cli, r->info.version), r->info.sequence, r->proper_size,
                        cli_hex(cli, r->proper_digest, sizeof r->proper_digest));
    }
    return cli_text(cli, "%s %s, %u bytes, not made for moult",
                    r->has_descriptor ? cli_clean(cli, r->descriptor.project) : "image",
                    r->has_descriptor ? cli_clean(cli, r->descriptor.version) : "",
                    r->proper_size);
}

static int say_text(struct flash *flash)
{
    struct cli *cli = flash->cli;
    const uint8_t(*raw)[MOULT_OTADATA_SIZE] =
        (const uint8_t(*)[MOULT_OTADATA_SIZE])flash->otadata;
    partition_table_print(cli, &flash->file.table);
    cli_print(cli, "\nslots:\n");
    for (uint32_t i = 0; i < flash->slot_count; i++) {
        const struct slot *slot = &flash->slots[i];
        cli_print(cli, "  %-10s %s\n", cli_clean(cli, slot->row->label),
                  slot_words(cli, slot));
    }
    cli_print(cli, "\notadata:\n");
    if (flash->has_otadata) {
        otadata_print(cli, raw, moult_partition_slot_count(&flash->file.table));
    } else {
        cli_print(cli, "  no partition of 8 KB\n");
    }
    cli_print(cli, "\nnext boot:\n");
    boot_choice_print(cli, raw, &flash->choice);
    return CLI_OK;
}

static json_t *slots_json(struct flash *flash)
{
    struct cli *cli = flash->cli;
    json_t *list = json_array();
    for (uint32_t i = 0; i < flash->slot_count; i++) {
        const struct slot *slot = &flash->slots[i];
        bool is_good = slot->status == MOULT_OK;
        json_t *image = is_good ? image_report_json(cli, &slot->report) : json_null();
        json_t *fault = is_good ? json_null() : cli_finding_json(cli, &slot->finding, NULL);
        cli_json_append(&list, json_pack("{s:s,s:s,s:b,s:o,s:o}", "name",
                                         cli_clean(cli, slot->row->label), "kind",
                                         partition_kind(cli, slot->row), "verifies",
                                         is_good, "image", image, "fault", fault));
    }
    return list;
}

static int say_json(struct flash *flash)
{
    struct cli *cli = flash->cli;
    const uint8_t(*raw)[MOULT_OTADATA_SIZE] =
        (const uint8_t(*)[MOULT_OTADATA_SIZE])flash->otadata;
    uint32_t slots = moult_partition_slot_count(&flash->file.table);
    json_t *entries = flash->has_otadata ? otadata_json(cli, raw, slots) : json_null();
    return cli_json(cli, json_pack("{s:o,s:o,s:o,s:o}", "partitions",
                                   partition_table_json(cli, &flash->file.table), "slots",
                                   slots_json(flash), "otadata", entries, "next_boot",
                                   boot_choice_json(cli, &flash->choice)));
}

static int run(struct cli *cli)
{
    uint32_t offset = 0;
    struct flash *flash = cli_alloc(cli, sizeof *flash);
    flash->cli = cli;
    int code = partition_offset_option(cli, OPT_TABLE_OFFSET, MOULT_PARTITION_TABLE_OFFSET,
                                       &offset);
    if (code == CLI_OK) {
        code = partition_file_read(cli, cli_argument(cli, 0), offset, NULL, &flash->file);
    }
    if (code != CLI_OK) { return code; }
    if (flash->file.source != PARTITIONS_FLASH) {
        return cli_fail_at(
            cli, flash->file.path, MOULT_D_FLASH_FILE,
            cli_text(cli, "a whole flash with a partition table at 0x%x", offset),
            "a partition table alone");
    }
    struct moult_bytes bytes = {flash->file.data, flash->file.size};
    flash->reader = moult_reader_of_bytes(&bytes);
    read_slots(flash);
    read_otadata(flash);
    code = choose(flash);
    if (code != CLI_OK) { return code; }
    return cli->global.json ? say_json(flash) : say_text(flash);
}

const struct cli_command cli_flash_show = {
    .noun = "flash",
    .verb = "show",
    .arguments = "FILE",
    .least = 1,
    .most = 1,
    CLI_OPTIONS(options),
    .run = run,
};
