/* fuzz_partition_csv.c - formats/partition_csv.c: what reads prints and reads the same, and
 * its binary form parses to the same. */
#include <stdlib.h>
#include <string.h>
#include "formats/partition_csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) { abort(); }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct moult_partition_table table, back;
    static char text[2 * MOULT_PARTITION_CSV_SIZE_MAX];
    static uint8_t raw[MOULT_PARTITION_TABLE_SIZE];
    struct moult_partition_csv_options options = {0x8000, 0x1000};
    struct moult_finding finding = {0};
    struct moult_bytes bytes = {data, size};
    enum moult_status st = moult_partition_csv_parse(bytes, &options, &table, &finding);
    must((st == MOULT_OK) == (finding.detail == 0));
    if (st != MOULT_OK) { return 0; }

    must(table.count >= 1 && table.count < MOULT_PARTITION_ROWS_MAX);
    must(moult_partition_encode(&table, raw) == MOULT_OK);
    must(moult_partition_parse(raw, &back, NULL) == MOULT_OK);
    must(memcmp(&table, &back, sizeof table) == 0);
    if (moult_partition_csv_print(&table, text, sizeof text) != MOULT_OK) { return 0; }
    struct moult_bytes printed = {(const uint8_t *)text, strlen(text)};
    must(moult_partition_csv_parse(printed, &options, &back, NULL) == MOULT_OK);
    must(memcmp(&table, &back, sizeof table) == 0);
    return 0;
}
