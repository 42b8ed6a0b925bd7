/* finding.h - a finding of formats/ in words: where it is, what was expected, what was
 * found.
 *
 * Layer    cli.
 * Memory   texts last until the command ends.
 */
#ifndef MOULT_CLI_FINDING_H
#define MOULT_CLI_FINDING_H

#include "cli/cli.h"
#include "formats/partition_table.h"
#include "formats/reader.h"

/* Text out of a file, fit for a terminal and for JSON: control characters, and all that is
 * not UTF-8, become question marks. */
const char *cli_clean(struct cli *cli, const char *text);

struct finding_words {
    const char *place; /* "offset 0x18", "row 3 (ota_0)", "line 7"; "" when it has none */
    const char *want, *have; /* for the words of the code; NULL: it has no such place */
};

/* The parts. table: names rows; may be NULL. */
struct finding_words cli_finding_words(struct cli *cli, const struct moult_finding *finding,
                                       const struct moult_partition_table *table);

/* The whole sentence: "row 3 (ota_0): partition expects to start at ...". */
const char *cli_finding_text(struct cli *cli, const struct moult_finding *finding,
                             const struct moult_partition_table *table);

/* The same as a JSON object: code, place, words. */
json_t *cli_finding_json(struct cli *cli, const struct moult_finding *finding,
                         const struct moult_partition_table *table);

/* item at the end of *list; both are moved. Without memory *list becomes NULL, and so does
 * the document made of it, which cli_json() then reports. */
void cli_json_append(json_t **list, json_t *item);

/* The command fails with the finding, of a file. status: for the case that there is no
 * finding (a file that cannot be read, a library that fails). Returns the exit code. */
int cli_fail_finding(struct cli *cli, const char *path, enum moult_status status,
                     const struct moult_finding *finding);

#endif
