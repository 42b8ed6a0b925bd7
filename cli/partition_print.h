/* partition_print.h - a partition table as text and as JSON.
 *
 * Layer    cli.
 */
#ifndef MOULT_CLI_PARTITION_PRINT_H
#define MOULT_CLI_PARTITION_PRINT_H

#include "cli/cli.h"
#include "formats/partition_table.h"

/* "app/ota_0", "0x40/0x07". */
const char *partition_kind(struct cli *cli, const struct moult_partition *row);

/* One line per row, and one per gap between them. */
void partition_table_print(struct cli *cli, const struct moult_partition_table *table);

/* The rows: [{"name", "type", "subtype", "offset", "size", "flags"}]. */
json_t *partition_table_json(struct cli *cli, const struct moult_partition_table *table);

#endif
