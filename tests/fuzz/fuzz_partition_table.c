/* fuzz_partition_table.c - formats/partition_table.c, partition_check.c, partition_print.c.
 *
 * What parses encodes to a table that parses the same; a table printed as CSV reads back
 * the same whenever its rows are in the order a CSV needs.
 */
#include <stdlib.h>
#include <string.h>
#include "formats/partition_csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) { abort(); }
}

static bool is_same(const struct moult_partition_table *a,
                    const struct moult_partition_table *b)
{
    bool is = a->count == b->count;
    for (uint32_t i = 0; is && i < a->count; i++) {
        const struct moult_partition *x = &a->rows[i], *y = &b->rows[i];
        is = x->offset == y->offset && x->size == y->size && x->flags == y->flags &&
             x->type == y->type && x->subtype == y->subtype &&
             strcmp(x->label, y->label) == 0;
    }
    return is;
}

static void check_csv(const struct moult_partition_table *table)
{
    static char text[MOULT_PARTITION_CSV_SIZE_MAX];
    static struct moult_partition_table back;
    struct moult_partition_csv_options options = {0x8000, 0};
    if (moult_partition_csv_print(table, text, sizeof text) != MOULT_OK) { return; }
    struct moult_bytes bytes = {(const uint8_t *)text, strlen(text)};
    if (moult_partition_csv_parse(bytes, &options, &back, NULL) != MOULT_OK) { return; }
    for (uint32_t i = 0; i < back.count;
         i++) { /* those two types have places of their own */
        if (back.rows[i].type == MOULT_PARTITION_BOOTLOADER ||
            back.rows[i].type == MOULT_PARTITION_PARTITION_TABLE) {
            return;
        }
    }
    must(is_same(table, &back));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t raw[MOULT_PARTITION_TABLE_SIZE];
    static struct moult_partition_table table, back;
    struct moult_finding finding = {0}, findings[8];
    memset(raw, 0xff, sizeof raw);
    memcpy(raw, data, size < sizeof raw ? size : sizeof raw);
    enum moult_status st = moult_partition_parse(raw, &table, &finding);
    must((st == MOULT_OK) == (finding.detail == 0));
    if (st != MOULT_OK) { return 0; }

    must(table.count <= MOULT_PARTITION_ROWS_MAX);
    must(moult_partition_encode(&table, raw) == MOULT_OK);
    must(moult_partition_parse(raw, &back, NULL) == MOULT_OK);
    must(is_same(&table, &back) && table.has_md5 == back.has_md5);
    struct moult_partition_rules rules = {.table_offset = 0x8000,
                                          .flash_size = 0x400000,
                                          .for_moult = true,
                                          .anti_rollback = true};
    uint32_t count = moult_partition_check(&table, &rules, findings, 8);
    for (uint32_t i = 0; i < count && i < 8; i++) {
        must(findings[i].detail != 0 && findings[i].where <= table.count);
    }
    must(moult_partition_slot_count(&table) <= MOULT_PARTITION_SLOTS_MAX);
    check_csv(&table);
    return 0;
}
