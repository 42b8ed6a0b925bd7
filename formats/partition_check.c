/* partition_check.c - the rules of a partition table; see partition_table.h. */
#include <assert.h>
#include <string.h>
#include "formats/codes.h"
#include "formats/partition_names.h"
#include "formats/partition_table.h"
#include "formats/utf8.h"

enum {
    APP_ALIGN = 0x10000,
    SECTOR_SIZE = 0x1000,
    OTADATA_SIZE = 0x2000,
    NVS_WRITABLE_SIZE_MIN = 0x3000,
    SLOTS_MIN = 2,
    MOULT_LABEL_SIZE_MAX = 15, /* so that every label on flash ends with a NUL */
};

/* A table being judged. */
struct check {
    const struct moult_partition_table *table;
    const struct moult_partition_rules *rules;
    struct moult_finding *findings;
    uint32_t capacity, count;
};

static void report(struct check *check, uint16_t detail, uint32_t row, uint32_t expected,
                   uint32_t found)
{
    assert(detail != 0 && row <= check->table->count);
    if (check->count < check->capacity) {
        check->findings[check->count] =
            (struct moult_finding){detail, row, expected, found};
    }
    check->count++;
}

static bool is(const struct moult_partition *row, uint8_t type, uint8_t subtype)
{
    return row->type == type && row->subtype == subtype;
}

static bool is_slot(const struct moult_partition *row)
{
    return row->type == MOULT_PARTITION_APP && row->subtype >= MOULT_PARTITION_OTA_0 &&
           row->subtype < MOULT_PARTITION_OTA_0 + MOULT_PARTITION_SLOTS_MAX;
}

static uint64_t end_of(const struct moult_partition *row)
{
    return (uint64_t)row->offset + row->size;
}

static uint32_t clip(uint64_t value)
{
    return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static void check_alignment(struct check *check)
{
    uint32_t app_unit = check->rules->secure_boot_v1 ? APP_ALIGN : SECTOR_SIZE;
    for (uint32_t i = 0; i < check->table->count; i++) {
        const struct moult_partition *row = &check->table->rows[i];
        bool is_app = row->type == MOULT_PARTITION_APP;
        uint32_t unit = is_app ? APP_ALIGN : SECTOR_SIZE;
        if (row->offset % unit != 0) {
            report(check, MOULT_D_PT_ALIGN, i, unit, row->offset);
        }
        if (is_app && row->size % app_unit != 0) {
            report(check, MOULT_D_PT_SIZE_ALIGN, i, app_unit, row->size);
        }
    }
}

/* One breach per row: the one that starts later (or, equal, comes later) is reported. */
static void check_pairs(struct check *check)
{
    const struct moult_partition *rows = check->table->rows;
    for (uint32_t i = 0; i < check->table->count; i++) {
        bool has_twin = false, overlaps = false;
        for (uint32_t k = 0; k < check->table->count && !(has_twin && overlaps); k++) {
            if (k < i && !has_twin && strcmp(rows[i].label, rows[k].label) == 0) {
                has_twin = true;
                report(check, MOULT_D_PT_NAME_TWICE, i, k, i);
            }
            bool is_later = rows[i].offset > rows[k].offset ||
                            (rows[i].offset == rows[k].offset && i > k);
            if (is_later && !overlaps && rows[i].offset < end_of(&rows[k])) {
                overlaps = true;
                report(check, MOULT_D_PT_OVERLAP, i, clip(end_of(&rows[k])),
                       rows[i].offset);
            }
        }
    }
}

static void check_bounds(struct check *check)
{
    uint32_t first = check->rules->table_offset + SECTOR_SIZE;
    uint64_t flash = check->rules->flash_size ? check->rules->flash_size : UINT32_MAX;
    for (uint32_t i = 0; i < check->table->count; i++) {
        const struct moult_partition *row = &check->table->rows[i];
        bool is_primary = (row->type == MOULT_PARTITION_BOOTLOADER ||
                           row->type == MOULT_PARTITION_PARTITION_TABLE) &&
                          row->subtype == MOULT_PARTITION_PRIMARY;
        if (row->offset < first && !is_primary) {
            report(check, MOULT_D_PT_LOW, i, first, row->offset);
        }
        if (end_of(row) > flash) {
            report(check, MOULT_D_PT_FLASH, i, clip(flash), clip(end_of(row)));
        }
    }
}

/* At most one of data/subtype, of 8 KB. */
static void check_only(struct check *check, uint8_t subtype, uint16_t twice, uint16_t size)
{
    int first = -1;
    for (uint32_t i = 0; i < check->table->count; i++) {
        const struct moult_partition *row = &check->table->rows[i];
        if (!is(row, MOULT_PARTITION_DATA, subtype)) { continue; }
        if (first >= 0) { report(check, twice, i, (uint32_t)first, i); }
        if (first < 0) { first = (int)i; }
        if (row->size != OTADATA_SIZE) { report(check, size, i, OTADATA_SIZE, row->size); }
    }
}

static void check_data(struct check *check)
{
    check_only(check, MOULT_PARTITION_OTADATA, MOULT_D_PT_OTADATA_TWICE,
               MOULT_D_PT_OTADATA);
    check_only(check, MOULT_PARTITION_TEE_OTA, MOULT_D_PT_TEE_OTA_TWICE,
               MOULT_D_PT_TEE_OTA_SIZE);
    for (uint32_t i = 0; i < check->table->count; i++) {
        const struct moult_partition *row = &check->table->rows[i];
        bool is_readonly = (row->flags & MOULT_PARTITION_READONLY) != 0;
        if (is(row, MOULT_PARTITION_DATA, MOULT_PARTITION_NVS) && !is_readonly &&
            row->size < NVS_WRITABLE_SIZE_MIN) {
            report(check, MOULT_D_PT_NVS_SIZE, i, NVS_WRITABLE_SIZE_MIN, row->size);
        }
        if (is_readonly && (is(row, MOULT_PARTITION_DATA, MOULT_PARTITION_OTADATA) ||
                            is(row, MOULT_PARTITION_DATA, MOULT_PARTITION_COREDUMP))) {
            report(check, MOULT_D_PT_READONLY, i, 0, row->flags);
        }
    }
}

/* Whether a label is the word of a type or subtype that the row does not have. */
static bool is_false_word(const struct moult_partition *row)
{
    bool is_word = false;
    for (const struct moult_partition_word *w = moult_partition_type_words; w->word; w++) {
        if (strcmp(row->label, w->word) != 0) { continue; }
        if (w->value != row->type) { return true; }
    }
    for (const struct moult_partition_word *w = moult_partition_subtype_words; w->word;
         w++) {
        if (strcmp(row->label, w->word) != 0) { continue; }
        if (is(row, w->type, w->value)) { return false; }
        is_word = true;
    }
    return is_word;
}

static void check_oddities(struct check *check)
{
    const uint32_t known = MOULT_PARTITION_ENCRYPTED | MOULT_PARTITION_READONLY;
    for (uint32_t i = 0; i < check->table->count; i++) {
        const struct moult_partition *row = &check->table->rows[i];
        if (row->flags & ~known) { report(check, MOULT_D_PT_FLAGS, i, known, row->flags); }
        struct moult_bytes label = {(const uint8_t *)row->label, strlen(row->label)};
        if (!moult_utf8_is_valid(label)) { report(check, MOULT_D_PT_NAME, i, 0, 0); }
        if (is_false_word(row)) { report(check, MOULT_D_PT_NAME_KEYWORD, i, 0, 0); }
    }
}

static uint32_t first_slot_behind(const struct moult_partition_table *table, uint32_t n)
{
    for (uint32_t s = n; s < MOULT_PARTITION_SLOTS_MAX; s++) {
        uint8_t subtype = (uint8_t)(MOULT_PARTITION_OTA_0 + s);
        if (moult_partition_find(table, MOULT_PARTITION_APP, subtype)) { return s; }
    }
    return MOULT_PARTITION_SLOTS_MAX;
}

/* The bootloader counts all slots and the app the contiguous ones: with a gap they
 * disagree. */
static void check_slots(struct check *check)
{
    uint32_t n = moult_partition_slot_count(check->table);
    uint32_t stray = first_slot_behind(check->table, n);
    const struct moult_partition *first =
        moult_partition_find(check->table, MOULT_PARTITION_APP, MOULT_PARTITION_OTA_0);
    for (uint32_t i = 0; i < check->table->count; i++) {
        const struct moult_partition *row = &check->table->rows[i];
        if (!is_slot(row)) { continue; }
        if ((uint32_t)row->subtype == MOULT_PARTITION_OTA_0 + stray) {
            report(check, MOULT_D_PT_SLOT_GAP, i, n, stray);
        }
        if (moult_partition_find(check->table, row->type, row->subtype) != row) {
            report(check, MOULT_D_PT_SLOT_TWICE, i, 1,
                   row->subtype - MOULT_PARTITION_OTA_0);
        }
        if (first && row->size != first->size) {
            report(check, MOULT_D_PT_SLOT_SIZES, i, first->size, row->size);
        }
    }
    if (n < SLOTS_MIN) {
        report(check, MOULT_D_PT_SLOTS, check->table->count, SLOTS_MIN, n);
    }
}

static void check_for_moult(struct check *check)
{
    check_slots(check);
    if (!moult_partition_find(check->table, MOULT_PARTITION_DATA,
                              MOULT_PARTITION_OTADATA)) {
        report(check, MOULT_D_PT_OTADATA, check->table->count, OTADATA_SIZE, 0);
    }
    for (uint32_t i = 0; i < check->table->count; i++) {
        const struct moult_partition *row = &check->table->rows[i];
        size_t size = strlen(row->label);
        if (size > MOULT_LABEL_SIZE_MAX) {
            report(check, MOULT_D_PT_NAME_LONG, i, MOULT_LABEL_SIZE_MAX, (uint32_t)size);
        }
        if (check->rules->anti_rollback &&
            (is(row, MOULT_PARTITION_APP, MOULT_PARTITION_FACTORY) ||
             is(row, MOULT_PARTITION_APP, MOULT_PARTITION_TEST))) {
            report(check, MOULT_D_PT_ANTI_ROLLBACK, i, 0, row->subtype);
        }
    }
}

uint32_t moult_partition_check(const struct moult_partition_table *table,
                               const struct moult_partition_rules *rules,
                               struct moult_finding *findings, uint32_t capacity)
{
    assert(table && rules && (findings || capacity == 0));
    assert(table->count <= MOULT_PARTITION_ROWS_MAX);
    struct check check = {table, rules, findings, capacity, 0};
    check_alignment(&check);
    check_pairs(&check);
    check_bounds(&check);
    check_data(&check);
    check_oddities(&check);
    if (rules->for_moult) { check_for_moult(&check); }
    return check.count;
}

bool moult_partition_is_warning(uint16_t detail)
{
    return detail == MOULT_D_PT_FLAGS || detail == MOULT_D_PT_NAME_KEYWORD;
}
