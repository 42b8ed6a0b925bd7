/* partitions_plan.c - moult partitions plan: a table for a flash and an image that grows.
 */
#include <string.h>

#include "cli/finding.h"
#include "cli/image_report.h"
#include "cli/plan_report.h"

#define KB 1024u
#define MB (1024u * 1024u)
#define FLASH_MIN (1u * MB)
#define FLASH_MAX (128u * MB)
#define HEADROOM 25u /* percent of the image, where nothing else is asked */
#define HEADROOM_MAX 1000u
#define NVS_SIZE (24u * KB)
#define COREDUMP_SIZE (64u * KB)
#define LABEL_SIZE_MAX 15u

enum {
    OPT_FLASH,
    OPT_IMAGE,
    OPT_SIZE,
    OPT_TABLE,
    OPT_HISTORY,
    OPT_FROM_SERVER,
    OPT_HEADROOM,
    OPT_SLOTS,
    OPT_NVS,
    OPT_COREDUMP,
    OPT_DATA,
    OPT_STAGING,
    OPT_MOVE,
    OPT_DROP,
    OPT_ANTI_ROLLBACK,
    OPT_CHIP,
    OPT_TABLE_OFFSET,
    OPT_CSV,
};

static const struct cli_option options[] = {
    [OPT_FLASH] = {"flash", 0, "SIZE", "of the flash: 4M, 8M, 16M", CLI_TEXT},
    [OPT_IMAGE] = {"image", 0, "FILE", "the image; several: oldest first", CLI_LIST},
    [OPT_SIZE] = {"size", 0, "SIZE", "of the image, instead of --image", CLI_TEXT},
    [OPT_TABLE] = {"table", 0, "FILE", "the table there is: CSV, binary or a whole flash",
                   CLI_FILE},
    [OPT_HISTORY] = {"history", 0, "FILE", "version,size of past releases, oldest first",
                     CLI_FILE},
    [OPT_FROM_SERVER] = {"from-server", 0, "CLASS", "past releases of that class",
                         CLI_TEXT},
    [OPT_HEADROOM] = {"headroom", 0, "PERCENT", "that a slot must be larger (25)",
                      CLI_NUMBER},
    [OPT_SLOTS] = {"slots", 0, "N", "app slots (2, or as the table has)", CLI_NUMBER},
    [OPT_NVS] = {"nvs", 0, "SIZE", "of nvs in a new table (24K)", CLI_TEXT},
    [OPT_COREDUMP] = {"coredump", 0, "SIZE", "64K in a new table; 0: none", CLI_TEXT},
    [OPT_DATA] = {"data", 0, "NAME=SIZE[,SUBTYPE]",
                  "a data partition, undefined without SUBTYPE", CLI_LIST},
    [OPT_STAGING] = {"staging", 0, "SIZE", "where updates of data components wait",
                     CLI_TEXT},
    [OPT_MOVE] = {"move", 0, "NAME=SIZE", "what moving that out of the image would gain",
                  CLI_TEXT},
    [OPT_DROP] = {"drop", 0, "NAME", "a partition of the table to give up", CLI_LIST},
    [OPT_ANTI_ROLLBACK] = {"anti-rollback", 0, NULL, "the product fuses secure versions",
                           CLI_FLAG},
    [OPT_CHIP] = {"chip", 0, "CHIP", "for CSV tables with a bootloader row", CLI_TEXT},
    [OPT_TABLE_OFFSET] = {"table-offset", 0, "OFFSET", "of the table in flash (0x8000)",
                          CLI_NUMBER},
    [OPT_CSV] = {"csv", 0, NULL, "print the proposal as CSV for ESP-IDF", CLI_FLAG},
};

static int usage(struct cli *cli, const char *want, const char *have)
{
    return cli_fail(cli, MOULT_D_CLI_USAGE, want, have);
}

/* --- The old table -------------------------------------------------------------------- */

static void look_at_slots(struct plan_case *c)
{
    const struct moult_partition_table *table = &c->old->table;
    c->old_slot_count = moult_partition_slot_count(table);
    for (uint32_t i = 0; i < c->old_slot_count; i++) {
        const struct moult_partition *row = moult_partition_find(
            table, MOULT_PARTITION_APP, (uint8_t)(MOULT_PARTITION_OTA_0 + i));
        if (c->old_slot_size == 0 || row->size < c->old_slot_size) {
            c->old_slot_size = row->size;
        }
    }
}

static int read_old(struct cli *cli, struct plan_case *c)
{
    const char *path = cli_value(cli, OPT_TABLE);
    if (!path) { return CLI_OK; }
    c->old = cli_alloc(cli, sizeof *c->old);
    int code = partition_file_read(cli, path, c->wish.table_offset,
                                   cli_value(cli, OPT_CHIP), c->old);
    if (code != CLI_OK) { return code; }
    look_at_slots(c);
    c->wish.old = &c->old->table;
    return CLI_OK;
}

static void judge_old(struct cli *cli, struct plan_case *c)
{
    if (!c->old) { return; }
    const struct moult_partition_rules rules = {.table_offset = c->wish.table_offset,
                                                .flash_size = c->flash_size,
                                                .for_moult = true,
                                                .anti_rollback =
                                                    cli_has(cli, OPT_ANTI_ROLLBACK)};
    c->finding_count =
        moult_partition_check(&c->old->table, &rules, c->findings, PLAN_FINDINGS_MAX);
    if (c->finding_count > PLAN_FINDINGS_MAX) { c->finding_count = PLAN_FINDINGS_MAX; }
    for (uint32_t i = 0; i < c->finding_count; i++) {
        c->error_count += !moult_partition_is_warning(c->findings[i].detail);
    }
}

/* As asked; else of the dump; else the smallest that holds the old table. */
static int find_flash(struct cli *cli, struct plan_case *c)
{
    uint32_t size = 0;
    int code = plan_size_option(cli, OPT_FLASH, 0, &size);
    if (code != CLI_OK) { return code; }
    if (!cli_has(cli, OPT_FLASH) && !c->old) { return usage(cli, "--flash SIZE", "none"); }
    if (!cli_has(cli, OPT_FLASH) && c->old->source == PARTITIONS_FLASH) {
        size = (uint32_t)c->old->size / PLAN_SLOT_UNIT * PLAN_SLOT_UNIT;
    } else if (!cli_has(cli, OPT_FLASH)) {
        uint64_t end = 0;
        for (uint32_t i = 0; i < c->old->table.count; i++) {
            const struct moult_partition *row = &c->old->table.rows[i];
            uint64_t row_end = (uint64_t)row->offset + row->size;
            if (row_end > end) { end = row_end; }
        }
        for (size = FLASH_MIN; size < end && size < FLASH_MAX; size *= 2) {}
    }
    if (size < FLASH_MIN || size > FLASH_MAX || size % PLAN_SLOT_UNIT != 0) {
        return usage(cli, "--flash from 1M to 128M, a multiple of 64K",
                     cli_has(cli, OPT_FLASH) ? cli_value(cli, OPT_FLASH)
                                             : plan_size_words(cli, size));
    }
    c->flash_size = c->wish.flash_size = size;
    return CLI_OK;
}

/* --- The image and its past ----------------------------------------------------------- */

/* The largest image that verifies in a slot of a flash dump. */
static void find_in_dump(struct cli *cli, struct plan_case *c)
{
    for (uint32_t i = 0; i < c->old->table.count; i++) {
        const struct moult_partition *row = &c->old->table.rows[i];
        uint64_t end = (uint64_t)row->offset + row->size;
        if (row->type != MOULT_PARTITION_APP || end > c->old->size) { continue; }
        struct moult_bytes bytes = {c->old->data + row->offset, row->size};
        struct moult_reader reader = moult_reader_of_bytes(&bytes);
        struct moult_finding finding = {0};
        struct image_report *report = cli_alloc(cli, sizeof *report);
        if (image_report_read(&reader, true, report, &finding) != MOULT_OK) { continue; }
        uint32_t size = report->proper_size;
        if (report->block_count > 0) { size = (size + 4095u) / 4096u * 4096u + 4096u; }
        if (size > c->image.size) {
            const char *label = cli_clean(cli, row->label);
            c->image = (struct plan_release){cli_text(cli, "what is in %s", label), size};
        }
    }
}

static int read_past(struct cli *cli, struct plan_case *c)
{
    const char *path = cli_value(cli, OPT_HISTORY);
    const char *class_name = cli_value(cli, OPT_FROM_SERVER);
    unsigned images = cli_count(cli, OPT_IMAGE);
    if (path && class_name) {
        return usage(cli, "one of --history and --from-server", "both");
    }
    int code = path         ? plan_history_read(cli, path, &c->history)
               : class_name ? plan_history_fetch(cli, class_name, &c->history)
                            : CLI_OK;
    for (unsigned i = 0; code == CLI_OK && i < images; i++) {
        code = plan_image_size(cli, cli_item(cli, OPT_IMAGE, i), &c->image);
        bool is_past = path || class_name || images > 1;
        uint32_t count = c->history.count;
        bool is_last = count > 0 && c->history.list[count - 1].size == c->image.size;
        if (code == CLI_OK && is_past && !is_last) {
            plan_history_add(cli, &c->history, c->image.version, c->image.size);
        }
    }
    return code;
}

/* --image, --size, the newest of the past, or what a dump holds. */
static int find_image(struct cli *cli, struct plan_case *c)
{
    uint32_t size = 0;
    int code = read_past(cli, c);
    if (code == CLI_OK) { code = plan_size_option(cli, OPT_SIZE, 0, &size); }
    if (code != CLI_OK) { return code; }
    if (cli_has(cli, OPT_SIZE)) {
        if (cli_has(cli, OPT_IMAGE) || size == 0) {
            return usage(cli, "one of --image and --size, above 0",
                         cli_has(cli, OPT_IMAGE) ? "both" : "0");
        }
        c->image = (struct plan_release){"as given", size};
    } else if (c->image.size == 0 && c->history.count > 0) {
        c->image = c->history.list[c->history.count - 1];
    } else if (c->image.size == 0 && c->old && c->old->source == PARTITIONS_FLASH) {
        find_in_dump(cli, c);
    }
    if (c->image.size == 0) {
        return usage(cli, "--image FILE, --size SIZE or --history FILE", "none of them");
    }
    uint32_t *sizes = cli_alloc(cli, (c->history.count + 1) * sizeof *sizes);
    double *work = cli_alloc(cli, GROWTH_WORK_MAX * sizeof *work);
    for (uint32_t i = 0; i < c->history.count; i++) {
        sizes[i] = c->history.list[i].size;
    }
    growth_fit(sizes, c->history.count, work, &c->growth);
    return CLI_OK;
}

/* --- What is wished ------------------------------------------------------------------- */

static int add_part(struct cli *cli, struct partition_wish *wish, struct plan_part part)
{
    if (part.size == 0) { return CLI_OK; }
    if (wish->part_count == PLAN_PARTS_MAX) {
        return usage(cli, cli_text(cli, "at most %u partitions", PLAN_PARTS_MAX), "more");
    }
    wish->parts[wish->part_count++] = part;
    return CLI_OK;
}

/* A subtype of data by its word. False: none. */
static bool find_subtype(const char *word, uint8_t *out)
{
    for (unsigned i = 0; i < UINT8_MAX; i++) {
        const char *name = moult_partition_subtype_name(MOULT_PARTITION_DATA, (uint8_t)i);
        if (name && strcmp(name, word) == 0) {
            *out = (uint8_t)i;
            return true;
        }
    }
    return false;
}

/* "www=512K", "www=512K,littlefs" */
static int read_part(struct cli *cli, const char *text, struct plan_part *out)
{
    const char *sign = strchr(text, '=');
    const char *comma = sign ? strchr(sign, ',') : NULL;
    size_t size = sign ? (size_t)(sign - text) : 0;
    *out = (struct plan_part){.type = MOULT_PARTITION_DATA,
                              .subtype = MOULT_PARTITION_UNDEFINED};
    bool is_good = size > 0 && size <= LABEL_SIZE_MAX &&
                   (!comma || find_subtype(comma + 1, &out->subtype));
    const char *bytes = !is_good ? ""
                        : comma  ? cli_text(cli, "%.*s", (int)(comma - sign) - 1, sign + 1)
                                 : sign + 1;
    if (!is_good || plan_size(bytes, &out->size) != MOULT_OK || out->size == 0) {
        return usage(
            cli,
            "NAME=SIZE[,SUBTYPE] such as www=512K or www=512K,littlefs; NAME of at "
            "most 15 bytes",
            text);
    }
    out->label = cli_text(cli, "%.*s", (int)size, text);
    return CLI_OK;
}

static int wish_for_data(struct cli *cli, struct plan_case *c)
{
    struct plan_part part;
    int code = CLI_OK;
    for (unsigned i = 0; code == CLI_OK && i < cli_count(cli, OPT_DATA); i++) {
        code = read_part(cli, cli_item(cli, OPT_DATA, i), &part);
        if (code == CLI_OK) { code = add_part(cli, &c->wish, part); }
    }
    part = (struct plan_part){"staging", MOULT_PARTITION_DATA, MOULT_PARTITION_UNDEFINED, 0,
                              false};
    if (code == CLI_OK) { code = plan_size_option(cli, OPT_STAGING, 0, &part.size); }
    if (code == CLI_OK) { code = add_part(cli, &c->wish, part); }
    if (code == CLI_OK && cli_has(cli, OPT_MOVE)) {
        code = read_part(cli, cli_value(cli, OPT_MOVE), &c->moved);
    }
    return code;
}

/* Bytes of an nvs that is kept are as they are; of a new one as usual. */
static uint32_t default_nvs(const struct plan_case *c)
{
    bool is_kept = c->old && moult_partition_find_label(&c->old->table, "nvs");
    for (uint32_t i = 0; i < c->wish.given_up_count; i++) {
        if (strcmp(c->wish.given_up[i], "nvs") == 0) { is_kept = false; }
    }
    return is_kept ? 1 : NVS_SIZE;
}

/* A new table gets all of it; an old one what no table can do without. */
static int wish_for_system(struct cli *cli, struct plan_case *c)
{
    enum { PHY = 0x01 };
    struct plan_part parts[] = {
        {"nvs", MOULT_PARTITION_DATA, MOULT_PARTITION_NVS, 0, true},
        {"otadata", MOULT_PARTITION_DATA, MOULT_PARTITION_OTADATA, 8 * KB, true},
        {"phy_init", MOULT_PARTITION_DATA, PHY, c->old ? 0 : 4 * KB, true},
        {"coredump", MOULT_PARTITION_DATA, MOULT_PARTITION_COREDUMP, 0, false},
    };
    int code = plan_size_option(cli, OPT_NVS, default_nvs(c), &parts[0].size);
    if (code == CLI_OK) {
        code =
            plan_size_option(cli, OPT_COREDUMP, c->old ? 0 : COREDUMP_SIZE, &parts[3].size);
    }
    for (size_t i = 0; code == CLI_OK && i < sizeof parts / sizeof parts[0]; i++) {
        code = add_part(cli, &c->wish, parts[i]);
    }
    return code;
}

static int find_wish(struct cli *cli, struct plan_case *c)
{
    uint64_t slots =
        cli_number(cli, OPT_SLOTS, c->old_slot_count >= 2 ? c->old_slot_count : 2);
    uint64_t headroom = cli_number(cli, OPT_HEADROOM, HEADROOM);
    if (slots < 2 || slots > MOULT_PARTITION_SLOTS_MAX) {
        return usage(cli, "--slots from 2 to 16", cli_value(cli, OPT_SLOTS));
    }
    if (headroom > HEADROOM_MAX) {
        return usage(cli, "--headroom up to 1000", cli_value(cli, OPT_HEADROOM));
    }
    uint64_t least = (uint64_t)c->image.size * (100 + headroom) / 100;
    least = (least + PLAN_SLOT_UNIT - 1) / PLAN_SLOT_UNIT * PLAN_SLOT_UNIT;
    c->wish.slot_count = (uint32_t)slots;
    c->wish.slot_least = least > UINT32_MAX ? UINT32_MAX : (uint32_t)least;
    c->wish.given_up_count = cli_count(cli, OPT_DROP);
    c->wish.given_up = cli->given[OPT_DROP].text;
    for (unsigned i = 0; i < c->wish.given_up_count; i++) {
        const char *label = cli_item(cli, OPT_DROP, i);
        if (!c->old || !moult_partition_find_label(&c->old->table, label)) {
            return usage(cli, "--drop with a partition of --table", label);
        }
    }
    int code = wish_for_system(cli, c);
    return code == CLI_OK ? wish_for_data(cli, c) : code;
}

/* --- Planning ------------------------------------------------------------------------- */

static int fail_plan(struct cli *cli, const struct plan_case *c)
{
    switch (c->status) {
    case MOULT_E_EXISTS:
        return usage(cli, "names that the table does not have yet, or --drop of them",
                     "one that it has");
    case MOULT_E_RANGE:
        return cli_fail(cli, MOULT_D_PLAN_SPACE,
                        cli_text(cli, "%u within %s of flash", c->wish.slot_count,
                                 plan_size_words(cli, c->flash_size)),
                        "a table that reaches beyond it");
    default:
        break;
    }
    const char *next = "a larger flash, a smaller image, or --drop of what is not needed";
    if (c->plan.slot_size >= c->image.size) {
        uint64_t room = c->plan.slot_size - c->image.size;
        next = cli_text(cli, "--headroom %llu would do; or less --data, --drop, --move",
                        (unsigned long long)(room * 100 / c->image.size));
    }
    cli_next(cli, next);
    return cli_fail(cli, MOULT_D_PLAN_SPACE,
                    cli_text(cli, "%u of %s: the image and %s of headroom",
                             c->wish.slot_count, plan_size_words(cli, c->wish.slot_least),
                             plan_size_words(cli, c->wish.slot_least - c->image.size)),
                    c->plan.slot_size ? cli_text(cli, "room for %s each",
                                                 plan_size_words(cli, c->plan.slot_size))
                                      : "no room for all partitions");
}

/* A proposal never goes out unchecked: rows that are kept may break rules. */
static int check_plan(struct cli *cli, const struct plan_case *c)
{
    struct moult_finding *findings = cli_alloc(cli, PLAN_FINDINGS_MAX * sizeof *findings);
    const struct moult_partition_rules rules = {.table_offset = c->wish.table_offset,
                                                .flash_size = c->flash_size,
                                                .for_moult = true,
                                                .anti_rollback =
                                                    cli_has(cli, OPT_ANTI_ROLLBACK)};
    uint32_t count =
        moult_partition_check(&c->plan.table, &rules, findings, PLAN_FINDINGS_MAX);
    for (uint32_t i = 0; i < count && i < PLAN_FINDINGS_MAX; i++) {
        if (moult_partition_is_warning(findings[i].detail)) { continue; }
        const struct finding_words words =
            cli_finding_words(cli, &findings[i], &c->plan.table);
        cli_next(cli, "--drop of the partition, or correct it in the table");
        return cli_fail_at(cli, cli_text(cli, "what is kept of the table: %s", words.place),
                           (enum moult_detail)findings[i].detail, words.want, words.have);
    }
    return CLI_OK;
}

/* The kept row without which the slots would be a tenth larger, and most so. */
static void find_in_the_way(struct cli *cli, struct plan_case *c)
{
    struct partition_plan *plan = cli_alloc(cli, sizeof *plan);
    const char **given_up = cli_alloc(cli, (c->wish.given_up_count + 1) * sizeof *given_up);
    struct partition_wish wish = c->wish;
    if (!c->old || c->status != MOULT_OK) { return; }
    for (uint32_t i = 0; i < wish.given_up_count; i++) {
        given_up[i] = wish.given_up[i];
    }
    wish.given_up = given_up;
    wish.given_up_count++;
    uint32_t best = c->plan.slot_size + c->plan.slot_size / 10;
    for (uint32_t i = 0; i < c->old->table.count; i++) {
        given_up[wish.given_up_count - 1] = c->old->table.rows[i].label;
        if (partition_plan_make(&wish, plan) == MOULT_OK && plan->slot_size > best) {
            best = plan->slot_size;
            c->in_the_way = c->old->table.rows[i].label;
            c->slot_without = best;
        }
    }
}

static void plan_moved(struct plan_case *c)
{
    if (c->moved.size == 0 || c->wish.part_count == PLAN_PARTS_MAX) {
        c->moved_status = MOULT_E_RANGE;
        return;
    }
    struct partition_wish wish = c->wish;
    wish.slot_least = 0;
    wish.parts[wish.part_count++] = c->moved;
    c->moved_status = partition_plan_make(&wish, &c->moved_plan);
}

static int run(struct cli *cli)
{
    struct plan_case *c = cli_alloc(cli, sizeof *c);
    int code = partition_offset_option(cli, OPT_TABLE_OFFSET, MOULT_PARTITION_TABLE_OFFSET,
                                       &c->wish.table_offset);
    if (code == CLI_OK) { code = read_old(cli, c); }
    if (code == CLI_OK) { code = find_flash(cli, c); }
    if (code == CLI_OK) { code = find_image(cli, c); }
    if (code == CLI_OK) { code = find_wish(cli, c); }
    if (code != CLI_OK) { return code; }
    judge_old(cli, c);
    c->status = partition_plan_make(&c->wish, &c->plan);
    plan_moved(c);
    find_in_the_way(cli, c);
    bool is_talk = !cli->global.json && !cli_has(cli, OPT_CSV);
    if (is_talk) { plan_report_print(cli, c); }
    if (c->status == MOULT_E_SPACE && cli->global.json) { /* what was found still counts */
        code = cli_json(cli, plan_report_json(cli, c));
        return code == CLI_OK ? CLI_REFUSED : code;
    }
    if (c->status != MOULT_OK) { return fail_plan(cli, c); }
    code = check_plan(cli, c);
    if (code != CLI_OK || is_talk) { return code; }
    if (cli->global.json) { return cli_json(cli, plan_report_json(cli, c)); }
    return plan_report_csv(cli, c);
}

const struct cli_command cli_partitions_plan = {
    .noun = "partitions",
    .verb = "plan",
    CLI_OPTIONS(options),
    .run = run,
};
