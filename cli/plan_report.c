/* plan_report.c - see plan_report.h. */
#include "cli/plan_report.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "cli/finding.h"
#include "cli/partition_print.h"
#include "formats/partition_csv.h"

#define BAR 40u /* cells of a slot's bar, and of the flash map */
#define MAP 64u

/* --- Words ---------------------------------------------------------------------------- */

static const char *percent(struct cli *cli, uint64_t part, uint64_t whole)
{
    return cli_text(cli, "%llu %%", (unsigned long long)(whole ? part * 100 / whole : 0));
}

static const char *signed_words(struct cli *cli, double bytes)
{
    const char *size = plan_size_words(cli, (uint64_t)fabs(bytes));
    return cli_text(cli, "%c%s", bytes < 0 ? '-' : '+', size);
}

/* '#' used, '.' free. */
static const char *bar(struct cli *cli, uint64_t used, uint64_t whole)
{
    char *cells = cli_alloc(cli, BAR + 1);
    uint64_t filled = whole ? (used * BAR + whole - 1) / whole : 0;
    memset(cells, '.', BAR);
    memset(cells, '#', filled < BAR ? (size_t)filled : BAR);
    return cells;
}

static bool is_slot(const struct moult_partition *row)
{
    return row->type == MOULT_PARTITION_APP && row->subtype >= MOULT_PARTITION_OTA_0 &&
           row->subtype < MOULT_PARTITION_OTA_0 + MOULT_PARTITION_SLOTS_MAX;
}

/* How many more releases fit into a slot. */
struct left {
    uint32_t likely, least, most, reach;
};

static struct left releases_left(const struct plan_case *c, uint32_t slot_size)
{
    const struct growth *g = &c->growth;
    uint32_t room = slot_size > c->image.size ? slot_size - c->image.size : 0;
    uint32_t reach = GROWTH_REACH * g->count;
    return (struct left){growth_left(g->slope, room, reach),
                         growth_left(g->high, room, reach),
                         growth_left(g->low, room, reach), reach};
}

static const char *count_words(struct cli *cli, uint32_t count, uint32_t reach)
{
    return count == reach ? cli_text(cli, "%u or more", reach) : cli_text(cli, "%u", count);
}

static void print_left(struct cli *cli, const struct plan_case *c, uint32_t slot_size)
{
    const struct growth *g = &c->growth;
    if (!g->is_known) { return; }
    struct left left = releases_left(c, slot_size);
    cli_print(cli, "headroom  %s more releases fit (%s to %s)%s\n",
              count_words(cli, left.likely, left.reach),
              count_words(cli, left.least, left.reach),
              count_words(cli, left.most, left.reach),
              left.most == left.reach
                  ? cli_text(cli, "; past %u, three times the history, nothing is said",
                             left.reach)
                  : "");
    uint32_t room = slot_size > c->image.size ? slot_size - c->image.size : 0;
    if (g->largest_step > 0) {
        cli_print(cli, "          a step like the largest fits %llu times\n",
                  (unsigned long long)(room / (uint64_t)g->largest_step));
    }
}

/* --- What there is -------------------------------------------------------------------- */

static void print_growth(struct cli *cli, const struct plan_case *c)
{
    const struct growth *g = &c->growth;
    if (c->history.count == 0) {
        cli_print(cli, "growth    not known: no --history, --from-server or several "
                       "--image\n");
        return;
    }
    if (!g->is_known) {
        cli_print(cli,
                  "growth    not enough history: %u releases, at least %u are needed to "
                  "say anything\n",
                  g->count, GROWTH_LEAST);
        return;
    }
    uint32_t first = c->history.count - g->count;
    cli_print(cli, "growth    %u releases: %s each (between %s and %s, 90 %%)\n", g->count,
              signed_words(cli, g->slope), signed_words(cli, g->low),
              signed_words(cli, g->high));
    cli_print(cli, "          largest step %s, after %s\n",
              signed_words(cli, (double)g->largest_step),
              c->history.list[first + g->largest_after].version);
}

static void print_old(struct cli *cli, const struct plan_case *c)
{
    cli_print(cli, "table     %s: %u partitions, %u app slots, %u errors, %u warnings\n",
              c->old->path, c->old->table.count, c->old_slot_count, c->error_count,
              c->finding_count - c->error_count);
    for (uint32_t i = 0; i < c->finding_count; i++) {
        char code[8];
        moult_code_format('E', c->findings[i].detail, code);
        cli_print(cli, "          %s %s\n", code,
                  cli_finding_text(cli, &c->findings[i], &c->old->table));
    }
    if (c->old_slot_size == 0) { return; }
    if (c->image.size > c->old_slot_size) {
        cli_print(cli, "slots     %s: the image of %s does not fit\n",
                  plan_size_words(cli, c->old_slot_size),
                  plan_size_words(cli, c->image.size));
        return;
    }
    cli_print(cli, "slots     %s  %s of %s, %s free\n",
              bar(cli, c->image.size, c->old_slot_size),
              percent(cli, c->image.size, c->old_slot_size),
              plan_size_words(cli, c->old_slot_size),
              plan_size_words(cli, c->old_slot_size - c->image.size));
    print_left(cli, c, c->old_slot_size);
}

/* --- The proposal --------------------------------------------------------------------- */

/* The flash from 0 to its end, a cell for each part of it: what holds most of the cell. */
static void print_map(struct cli *cli, const struct plan_case *c)
{
    char cells[MAP + 1];
    memset(cells, '.', MAP);
    cells[MAP] = '\0';
    for (uint32_t i = 0; i < c->plan.table.count; i++) {
        const struct moult_partition *row = &c->plan.table.rows[i];
        uint64_t from = (uint64_t)row->offset * MAP / c->flash_size;
        uint64_t end = ((uint64_t)row->offset + row->size) * MAP / c->flash_size;
        char cell = is_slot(row) ? (char)('0' + (row->subtype - MOULT_PARTITION_OTA_0) % 10)
                    : row->type == MOULT_PARTITION_APP ? 'f'
                                                       : 'd';
        for (uint64_t at = from; at < MAP && (at < end || at == from); at++) {
            if (cells[at] == '.') { cells[at] = cell; }
        }
    }
    if (cells[0] == '.') { cells[0] = 'b'; }
    cli_print(cli,
              "\n0 [%s] %s\n  b bootloader and table, d data, f factory or test, 0.. "
              "slots\n",
              cells, plan_size_words(cli, c->flash_size));
}

static void print_kept(struct cli *cli, const struct plan_case *c)
{
    const char *names = "";
    for (uint32_t i = 0; i < c->old->table.count; i++) {
        const struct moult_partition *row = &c->old->table.rows[i];
        const struct moult_partition *now =
            moult_partition_find_label(&c->plan.table, row->label);
        if (is_slot(row) || !now || now->offset != row->offset) { continue; }
        names = cli_text(cli, "%s%s%s", names, names[0] ? ", " : "",
                         cli_clean(cli, row->label));
    }
    cli_print(cli, "in place  %s\n", names[0] ? names : "nothing");
}

static bool is_same(const struct plan_case *c)
{
    const struct moult_partition_table *a = &c->old->table, *b = &c->plan.table;
    bool same = a->count == b->count;
    for (uint32_t i = 0; same && i < a->count; i++) {
        const struct moult_partition *row = moult_partition_find_label(b, a->rows[i].label);
        same = row && row->offset == a->rows[i].offset && row->size == a->rows[i].size;
    }
    return same;
}

/* Whether only the table's sector would have to be written while ota_0 runs. */
static bool is_swap(const struct plan_case *c)
{
    return c->plan.keeps_all && c->old_slot_count == c->wish.slot_count &&
           moult_partition_find(&c->old->table, MOULT_PARTITION_DATA,
                                MOULT_PARTITION_OTADATA);
}

static void print_why_cable(struct cli *cli, const struct plan_case *c)
{
    if (c->old_slot_count != c->wish.slot_count) {
        cli_print(cli,
                  "          the number of slots changes from %u to %u: otadata would name "
                  "another slot\n",
                  c->old_slot_count, c->wish.slot_count);
    }
    if (!c->plan.keeps_ota_0) {
        cli_print(cli, "          ota_0 begins elsewhere: what runs would not be found\n");
    }
    for (uint32_t i = 0; i < c->old->table.count; i++) {
        const struct moult_partition *row = &c->old->table.rows[i];
        const struct moult_partition *now =
            moult_partition_find_label(&c->plan.table, row->label);
        if (is_slot(row) || (now && now->offset == row->offset)) { continue; }
        cli_print(cli, "          %s %s: its content is lost, unless it is saved first\n",
                  cli_clean(cli, row->label), now ? "moves" : "goes");
    }
}

static void print_way(struct cli *cli, const struct plan_case *c)
{
    if (is_same(c)) {
        cli_print(cli, "the way   none needed: this is the table that you have\n");
        return;
    }
    print_kept(cli, c);
    if (is_swap(c)) {
        cli_print(cli,
                  "the way   a cable. moult never writes a table: that is one sector, and "
                  "a power cut in it\n"
                  "          leaves a chip that does not boot. Everything else stays "
                  "in place, so a program\n"
                  "          of yours that takes that risk has to write nothing more, "
                  "while ota_0 runs\n"
                  "          (a device in another slot needs one update first)\n");
        return;
    }
    cli_print(cli, "the way   a cable, and nothing else:\n");
    print_why_cable(cli, c);
}

static void print_plan(struct cli *cli, const struct plan_case *c)
{
    uint32_t room = c->plan.slot_size - c->image.size;
    cli_print(cli, "\n%sproposal for %s of flash%s\n\n", cli_color(cli, CLI_BOLD),
              plan_size_words(cli, c->flash_size), cli_color(cli, CLI_PLAIN));
    partition_table_print(cli, &c->plan.table);
    print_map(cli, c);
    cli_print(cli, "\nslots     %s  %s of %s, %s free\n",
              bar(cli, c->image.size, c->plan.slot_size),
              percent(cli, c->image.size, c->plan.slot_size),
              plan_size_words(cli, c->plan.slot_size), plan_size_words(cli, room));
    print_left(cli, c, c->plan.slot_size);
    if (c->in_the_way) {
        const char *label = cli_clean(cli, c->in_the_way);
        cli_print(cli,
                  "in the way %s: slots of %s without it (--drop %s; --data %s=... puts it "
                  "elsewhere, empty)\n",
                  label, plan_size_words(cli, c->slot_without), label, label);
    }
    if (c->old) { print_way(cli, c); }
}

/* --- Moving something out of the image ------------------------------------------------ */

static uint32_t smaller_image(const struct plan_case *c)
{
    return c->image.size > c->moved.size ? c->image.size - c->moved.size : 0;
}

static void print_moved(struct cli *cli, const struct plan_case *c)
{
    if (c->moved.size == 0) { return; }
    cli_print(cli, "\n%smoving %s out of the image into a partition \"%s\"%s\n",
              cli_color(cli, CLI_BOLD), plan_size_words(cli, c->moved.size), c->moved.label,
              cli_color(cli, CLI_PLAIN));
    if (c->moved_status != MOULT_OK) {
        cli_print(cli, "          the partition has no place in this flash\n");
        return;
    }
    uint32_t before = c->plan.slot_size - c->image.size;
    uint32_t after = c->moved_plan.slot_size - smaller_image(c);
    cli_print(cli,
              "image     %s instead of %s: %u B less in every slot and every full "
              "update\n",
              plan_size_words(cli, smaller_image(c)), plan_size_words(cli, c->image.size),
              c->moved.size);
    cli_print(cli, "slots     %s instead of %s, %s free instead of %s: %s\n",
              plan_size_words(cli, c->moved_plan.slot_size),
              plan_size_words(cli, c->plan.slot_size), plan_size_words(cli, after),
              plan_size_words(cli, before),
              signed_words(cli, (double)after - (double)before));
    if (c->growth.is_known && c->growth.slope > 0) {
        cli_print(
            cli, "headroom  %s releases, if what stays grows as before\n",
            cli_text(cli, "%+.0f", ((double)after - (double)before) / c->growth.slope));
    }
    cli_print(cli, "updates   of it wait behind the image in the free slot, or in a "
                   "partition of their own (--staging)\n");
}

void plan_report_print(struct cli *cli, const struct plan_case *c)
{
    cli_print(cli, "image     %s, %s (%u B)\n", c->image.version,
              plan_size_words(cli, c->image.size), c->image.size);
    print_growth(cli, c);
    if (c->old) { print_old(cli, c); }
    if (c->status == MOULT_OK) {
        print_plan(cli, c);
        print_moved(cli, c);
    }
}

/* --- JSON and CSV --------------------------------------------------------------------- */

static json_t *left_json(const struct plan_case *c, uint32_t slot_size)
{
    if (!c->growth.is_known) { return json_null(); }
    struct left left = releases_left(c, slot_size);
    return json_pack("{s:i,s:i,s:i,s:i}", "likely", (int)left.likely, "least",
                     (int)left.least, "most", (int)left.most, "counted_up_to",
                     (int)left.reach);
}

static json_t *growth_json(const struct plan_case *c)
{
    const struct growth *g = &c->growth;
    if (!g->is_known) {
        return json_pack("{s:i,s:b,s:i}", "releases", (int)g->count, "known", 0, "needed",
                         (int)GROWTH_LEAST);
    }
    return json_pack("{s:i,s:b,s:f,s:f,s:f,s:I}", "releases", (int)g->count, "known", 1,
                     "bytes_per_release", g->slope, "least", g->low, "most", g->high,
                     "largest_step", (json_int_t)g->largest_step);
}

static json_t *slots_json(const struct plan_case *c, uint32_t count, uint32_t size)
{
    return json_pack("{s:i,s:I,s:I,s:o}", "count", (int)count, "size", (json_int_t)size,
                     "free", (json_int_t)size - (json_int_t)c->image.size, "releases_left",
                     left_json(c, size));
}

static json_t *old_json(struct cli *cli, const struct plan_case *c)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < c->finding_count; i++) {
        cli_json_append(&list, cli_finding_json(cli, &c->findings[i], &c->old->table));
    }
    return json_pack("{s:s,s:b,s:o,s:o}", "file", c->old->path, "ok", c->error_count == 0,
                     "findings", list, "slots",
                     slots_json(c, c->old_slot_count, c->old_slot_size));
}

static json_t *plan_json(struct cli *cli, const struct plan_case *c)
{
    if (c->status != MOULT_OK) { return json_null(); }
    json_t *plan =
        json_pack("{s:o,s:o}", "partitions", partition_table_json(cli, &c->plan.table),
                  "slots", slots_json(c, c->wish.slot_count, c->plan.slot_size));
    if (!plan || !c->old) { return plan; }
    bool is_set =
        json_object_set_new(plan, "in_place", json_boolean(c->plan.keeps_all)) == 0 &&
        json_object_set_new(plan, "table_only", json_boolean(is_swap(c))) == 0 &&
        json_object_set_new(plan, "same", json_boolean(is_same(c))) == 0;
    if (is_set) { return plan; }
    json_decref(plan);
    return NULL;
}

/* What no table could give. */
static json_t *refused_json(const struct plan_case *c)
{
    if (c->status == MOULT_OK) { return json_null(); }
    return json_pack("{s:i,s:I,s:I}", "slots", (int)c->wish.slot_count, "needed",
                     (json_int_t)c->wish.slot_least, "possible",
                     (json_int_t)c->plan.slot_size);
}

static json_t *moved_json(const struct plan_case *c)
{
    if (c->status != MOULT_OK || c->moved.size == 0 || c->moved_status != MOULT_OK) {
        return json_null();
    }
    int64_t before = (int64_t)c->plan.slot_size - c->image.size;
    int64_t after = (int64_t)c->moved_plan.slot_size - smaller_image(c);
    return json_pack("{s:s,s:I,s:I,s:I,s:I}", "name", c->moved.label, "image_size",
                     (json_int_t)smaller_image(c), "slot_size",
                     (json_int_t)c->moved_plan.slot_size, "free", (json_int_t)after, "gain",
                     (json_int_t)(after - before));
}

json_t *plan_report_json(struct cli *cli, const struct plan_case *c)
{
    return json_pack("{s:I,s:{s:s,s:I},s:o,s:o,s:o,s:o,s:o}", "flash_size",
                     (json_int_t)c->flash_size, "image", "version", c->image.version,
                     "size", (json_int_t)c->image.size, "growth",
                     c->history.count ? growth_json(c) : json_null(), "table",
                     c->old ? old_json(cli, c) : json_null(), "proposal", plan_json(cli, c),
                     "refused", refused_json(c), "moved", moved_json(c));
}

int plan_report_csv(struct cli *cli, const struct plan_case *c)
{
    char *text = cli_alloc(cli, MOULT_PARTITION_CSV_SIZE_MAX);
    if (moult_partition_csv_print(&c->plan.table, text, MOULT_PARTITION_CSV_SIZE_MAX) !=
        MOULT_OK) {
        return cli_fail_at(cli, c->old ? c->old->path : "proposal", MOULT_D_PT_CSV,
                           "names and flags that a CSV can carry", "others");
    }
    cli_print(
        cli,
        "# moult partitions plan: %u slots of %u KB for an image of %u bytes in %u KB "
        "of flash\n%s",
        c->wish.slot_count, c->plan.slot_size / 1024, c->image.size, c->flash_size / 1024,
        text);
    return CLI_OK;
}
