/* otadata_report.h - the two otadata entries, and what a bootloader makes of them.
 *
 * Layer    cli. Used by `otadata show` and `flash show`.
 */
#ifndef MOULT_CLI_OTADATA_REPORT_H
#define MOULT_CLI_OTADATA_REPORT_H

#include "cli/cli.h"
#include "formats/boot_choice.h"
#include "formats/otadata.h"

/* Both entries out of an otadata partition of MOULT_OTADATA_PARTITION_SIZE bytes. */
void otadata_entries(const uint8_t *partition, uint8_t raw[2][MOULT_OTADATA_SIZE]);

void otadata_print(struct cli *cli, const uint8_t raw[2][MOULT_OTADATA_SIZE],
                   uint32_t slot_count);

json_t *otadata_json(struct cli *cli, const uint8_t raw[2][MOULT_OTADATA_SIZE],
                     uint32_t slot_count);

/* "ota_1", "factory", "test", "nothing". */
const char *boot_target(struct cli *cli, int which);

/* The bootloader's reasons, a sentence each: what it rewrites, selects, starts. */
void boot_choice_print(struct cli *cli, const uint8_t raw[2][MOULT_OTADATA_SIZE],
                       const struct moult_boot_choice *choice);

json_t *boot_choice_json(struct cli *cli, const struct moult_boot_choice *choice);

#endif
