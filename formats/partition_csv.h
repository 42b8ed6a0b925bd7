/* partition_csv.h - partition tables as ESP-IDF users write them.
 *
 * Layer    formats: pure.
 * Format   CSV as read by ESP-IDF's gen_esp32part.py; grammar in
 *          docs/spec/partition-table.md.
 *
 * Findings carry a line number, from 1, in `where`.
 */
#ifndef MOULT_FORMATS_PARTITION_CSV_H
#define MOULT_FORMATS_PARTITION_CSV_H

#include "formats/bytes.h"
#include "formats/partition_table.h"

#define MOULT_PARTITION_CSV_SIZE_MAX                                                       \
    65536u /* bytes of text: 95 rows of 120 and room to comment */

struct moult_partition_csv_options {
    uint32_t table_offset;      /* where the table will be; rows start a sector behind it */
    uint32_t bootloader_offset; /* of the primary bootloader (formats/chip.h) */
};

/* Read a CSV table; empty offsets are filled in as ESP-IDF's generator does.
 *
 * out       has_md5 is set; undefined on failure.
 *
 * MOULT_OK; MOULT_E_FORMAT: a line breaks the grammar; MOULT_E_RANGE: text or row count
 * over its limit. finding may be NULL. */
MOULT_MUST_CHECK enum moult_status
moult_partition_csv_parse(struct moult_bytes text,
                          const struct moult_partition_csv_options *options,
                          struct moult_partition_table *out, struct moult_finding *finding);

/* Write a table as CSV, every offset spelled out, so that parsing it gives the same table.
 *
 * out     gets at most capacity bytes including a NUL; truncated text is never left: on
 *         failure out holds "".
 *
 * MOULT_OK; MOULT_E_SPACE; MOULT_E_FORMAT: a label, number or flag that CSV cannot carry.
 */
MOULT_MUST_CHECK enum moult_status
moult_partition_csv_print(const struct moult_partition_table *table, char *out,
                          uint32_t capacity);

#endif
