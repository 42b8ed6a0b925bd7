/* partition_plan.c - see partition_plan.h. */
#include "cli/partition_plan.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define SECTOR 0x1000u
#define GAPS_MAX                                                                           \
    (3u * (MOULT_PARTITION_ROWS_MAX + 1u) + 1u) /* head, body and tail of each; begin_at */

/* Free flash. */
struct gap {
    uint32_t from, end;
};

struct gaps {
    struct gap list[GAPS_MAX];
    uint32_t count;
};

static uint32_t up(uint32_t value, uint32_t unit)
{
    return (value + unit - 1) / unit * unit;
}

static uint32_t down(uint32_t value, uint32_t unit)
{
    return value / unit * unit;
}

static bool is_slot(const struct moult_partition *row)
{
    return row->type == MOULT_PARTITION_APP && row->subtype >= MOULT_PARTITION_OTA_0 &&
           row->subtype < MOULT_PARTITION_OTA_0 + MOULT_PARTITION_SLOTS_MAX;
}

static bool is_given_up(const struct partition_wish *wish,
                        const struct moult_partition *row)
{
    for (uint32_t i = 0; i < wish->given_up_count; i++) {
        if (strcmp(wish->given_up[i], row->label) == 0) { return true; }
    }
    return false;
}

/* --- Rows, ascending by offset -------------------------------------------------------- */

static bool add_row(struct moult_partition_table *table, const struct moult_partition *row)
{
    if (table->count == MOULT_PARTITION_ROWS_MAX - 1u) {
        return false;
    } /* and an MD5 row */
    uint32_t at = table->count;
    while (at > 0 && table->rows[at - 1].offset > row->offset) {
        at--;
    }
    memmove(&table->rows[at + 1], &table->rows[at],
            (table->count - at) * sizeof table->rows[0]);
    table->rows[at] = *row;
    table->count++;
    return true;
}

static bool keep_old(const struct partition_wish *wish, struct partition_plan *plan)
{
    for (uint32_t i = 0; wish->old && i < wish->old->count; i++) {
        const struct moult_partition *row = &wish->old->rows[i];
        if (is_slot(row)) { continue; }
        if (is_given_up(wish, row)) {
            plan->keeps_all = false;
            continue;
        }
        bool is_inside =
            row->offset <= wish->flash_size && row->size <= wish->flash_size - row->offset;
        if (!is_inside || !add_row(&plan->table, row)) { return false; }
        plan->kept_count++;
    }
    return true;
}

/* --- What is free --------------------------------------------------------------------- */

/* Whole units of 64 KB, and what is left in front of and behind them, apart. */
static void add_gap(struct gaps *gaps, uint32_t from, uint32_t end)
{
    uint32_t body = up(from, PLAN_SLOT_UNIT);
    uint32_t tail = down(end, PLAN_SLOT_UNIT);
    uint32_t cut[4] = {from, body, tail, end};
    if (body >= tail) { /* no whole unit */
        cut[1] = cut[2] = from;
    }
    for (int i = 0; i < 3; i++) {
        if (cut[i] < cut[i + 1]) {
            gaps->list[gaps->count++] = (struct gap){cut[i], cut[i + 1]};
        }
    }
}

static void find_gaps(const struct partition_wish *wish,
                      const struct moult_partition_table *table, struct gaps *gaps)
{
    uint32_t from = wish->table_offset + SECTOR;
    gaps->count = 0;
    for (uint32_t i = 0; i < table->count; i++) {
        const struct moult_partition *row = &table->rows[i];
        uint32_t end = up(row->offset + row->size, SECTOR);
        if (row->offset > from) { add_gap(gaps, from, down(row->offset, SECTOR)); }
        if (end > from) { from = end; }
    }
    if (wish->flash_size > from) { add_gap(gaps, from, wish->flash_size); }
}

static bool is_body(const struct gap *gap)
{
    return gap->from % PLAN_SLOT_UNIT == 0 && gap->end % PLAN_SLOT_UNIT == 0;
}

/* A fragment that no slot can use, the smallest that is large enough; else the end of the
 * last body that is. False: none. */
static bool find_place(const struct gaps *gaps, uint32_t size, uint32_t *offset)
{
    const struct gap *best = NULL;
    for (uint32_t i = 0; i < gaps->count; i++) {
        const struct gap *gap = &gaps->list[i];
        if (gap->end - gap->from < size) { continue; }
        bool is_better = !best || (is_body(best) && !is_body(gap)) ||
                         (is_body(best) == is_body(gap) &&
                          (is_body(gap) || gap->end - gap->from < best->end - best->from));
        if (is_better) { best = gap; }
    }
    if (!best) { return false; }
    *offset = is_body(best) ? best->end - size : best->from;
    return true;
}

static bool find_low_place(const struct gaps *gaps, uint32_t size, uint32_t *offset)
{
    for (uint32_t i = 0; i < gaps->count; i++) {
        uint32_t end = gaps->list[i].end; /* pieces of one gap follow each other */
        for (uint32_t k = i + 1; k < gaps->count && gaps->list[k].from == end; k++) {
            end = gaps->list[k].end;
        }
        if (end - gaps->list[i].from >= size) {
            *offset = gaps->list[i].from;
            return true;
        }
    }
    return false;
}

/* --- Parts ---------------------------------------------------------------------------- */

/* Whether the table has it already. otadata and core dump are found by their type, whatever
 * they are called; others by their name, as applications do. */
static bool has_part(const struct partition_plan *plan, const struct plan_part *part)
{
    bool is_only =
        part->type == MOULT_PARTITION_DATA && (part->subtype == MOULT_PARTITION_OTADATA ||
                                               part->subtype == MOULT_PARTITION_COREDUMP);
    if (is_only) { return moult_partition_find(&plan->table, part->type, part->subtype); }
    const struct moult_partition *row =
        moult_partition_find_label(&plan->table, part->label);
    return row && row->type == part->type && row->subtype == part->subtype &&
           row->size >= part->size;
}

static enum moult_status add_part(const struct partition_wish *wish,
                                  const struct plan_part *part, struct partition_plan *plan)
{
    struct gaps gaps;
    struct moult_partition row = {
        .size = up(part->size, SECTOR), .type = part->type, .subtype = part->subtype};
    if (part->size == 0 || part->size > wish->flash_size) { return MOULT_E_SPACE; }
    if (has_part(plan, part)) { return MOULT_OK; }
    if (moult_partition_find_label(&plan->table, part->label)) { return MOULT_E_EXISTS; }
    find_gaps(wish, &plan->table, &gaps);
    bool has_place = part->is_low ? find_low_place(&gaps, row.size, &row.offset)
                                  : find_place(&gaps, row.size, &row.offset);
    if (!has_place) { return MOULT_E_SPACE; }
    (void)snprintf(row.label, sizeof row.label, "%s", part->label); /* 15 at most: asked */
    return add_row(&plan->table, &row) ? MOULT_OK : MOULT_E_RANGE;
}

/* --- Slots ---------------------------------------------------------------------------- */

static uint32_t slots_of(const struct gaps *gaps, uint32_t size)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < gaps->count; i++) {
        if (is_body(&gaps->list[i])) {
            count += (gaps->list[i].end - gaps->list[i].from) / size;
        }
    }
    return count;
}

/* The largest size of which `count` slots fit; 0: none. */
static uint32_t largest_slot(const struct gaps *gaps, uint32_t count)
{
    uint32_t size = PLAN_SLOT_SIZE_MAX;
    while (size > 0 && slots_of(gaps, size) < count) {
        size -= PLAN_SLOT_UNIT;
    }
    return size;
}

/* The body that holds `offset` begins there, and comes first: so ota_0 begins there. False:
 * no body holds it. */
static bool begin_at(struct gaps *gaps, uint32_t offset)
{
    for (uint32_t i = 0; i < gaps->count; i++) {
        struct gap *gap = &gaps->list[i];
        if (!is_body(gap) || offset < gap->from || offset >= gap->end) { continue; }
        struct gap first = {offset, gap->end};
        gap->end = offset;
        memmove(&gaps->list[1], &gaps->list[0], gaps->count * sizeof gaps->list[0]);
        gaps->list[0] = first;
        gaps->count++;
        return true;
    }
    return false;
}

static bool place_slots(const struct gaps *gaps, uint32_t count,
                        struct partition_plan *plan)
{
    uint32_t number = 0;
    for (uint32_t i = 0; i < gaps->count && number < count; i++) {
        if (!is_body(&gaps->list[i])) { continue; }
        uint32_t at = gaps->list[i].from;
        for (; number < count && gaps->list[i].end - at >= plan->slot_size;
             at += plan->slot_size) {
            struct moult_partition row = {.offset = at,
                                          .size = plan->slot_size,
                                          .type = MOULT_PARTITION_APP,
                                          .subtype =
                                              (uint8_t)(MOULT_PARTITION_OTA_0 + number)};
            (void)snprintf(row.label, sizeof row.label, "ota_%u", number); /* fits */
            number++;
            if (!add_row(&plan->table, &row)) { return false; }
        }
    }
    assert(number == count);
    return true;
}

/* Slots from where ota_0 was, when they are large enough so; else from anywhere. */
static enum moult_status add_slots(const struct partition_wish *wish,
                                   struct partition_plan *plan)
{
    struct gaps free_gaps, from_ota_0;
    const struct moult_partition *ota_0 =
        wish->old
            ? moult_partition_find(wish->old, MOULT_PARTITION_APP, MOULT_PARTITION_OTA_0)
            : NULL;
    find_gaps(wish, &plan->table, &free_gaps);
    from_ota_0 = free_gaps;
    const struct gaps *gaps = &free_gaps;
    if (ota_0 && ota_0->offset % PLAN_SLOT_UNIT == 0 &&
        begin_at(&from_ota_0, ota_0->offset)) {
        uint32_t size = largest_slot(&from_ota_0, wish->slot_count);
        uint32_t first = from_ota_0.list[0].end - from_ota_0.list[0].from;
        plan->slot_size = size < first ? size : first; /* or ota_0 would begin elsewhere */
        plan->keeps_ota_0 = plan->slot_size > 0 && plan->slot_size >= wish->slot_least;
        if (plan->keeps_ota_0) { gaps = &from_ota_0; }
    }
    if (!plan->keeps_ota_0) { plan->slot_size = largest_slot(gaps, wish->slot_count); }
    if (plan->slot_size == 0 || plan->slot_size < wish->slot_least) {
        return MOULT_E_SPACE;
    }
    return place_slots(gaps, wish->slot_count, plan) ? MOULT_OK : MOULT_E_RANGE;
}

enum moult_status partition_plan_make(const struct partition_wish *wish,
                                      struct partition_plan *plan)
{
    assert(wish && plan && wish->part_count <= PLAN_PARTS_MAX);
    memset(plan, 0, sizeof *plan);
    plan->table.has_md5 = true;
    plan->keeps_all = wish->old != NULL;
    bool is_sane = wish->flash_size % PLAN_SLOT_UNIT == 0 &&
                   wish->table_offset % SECTOR == 0 &&
                   wish->table_offset < wish->flash_size && wish->slot_count >= 2 &&
                   wish->slot_count <= MOULT_PARTITION_SLOTS_MAX;
    if (!is_sane || !keep_old(wish, plan)) { return MOULT_E_RANGE; }
    for (int is_low = 1; is_low >= 0; is_low--) { /* low ones first */
        for (uint32_t i = 0; i < wish->part_count; i++) {
            if (wish->parts[i].is_low != is_low) { continue; }
            enum moult_status st = add_part(wish, &wish->parts[i], plan);
            if (st != MOULT_OK) { return st; }
        }
    }
    enum moult_status st = add_slots(wish, plan);
    plan->keeps_all = plan->keeps_all && plan->keeps_ota_0;
    return st;
}
