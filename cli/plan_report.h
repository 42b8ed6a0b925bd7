/* plan_report.h - what `moult partitions plan` found, as text, JSON and CSV.
 *
 * Layer    cli.
 */
#ifndef MOULT_CLI_PLAN_REPORT_H
#define MOULT_CLI_PLAN_REPORT_H

#include "cli/partition_file.h"
#include "cli/partition_plan.h"
#include "cli/plan_sizes.h"
#include "cli/size_growth.h"

#define PLAN_FINDINGS_MAX 256u /* as partitions check */

/* All there is to say. */
struct plan_case {
    uint32_t flash_size;
    struct plan_release image;   /* the newest */
    struct plan_history history; /* the newest included; empty: none given */
    struct growth growth;

    struct partition_file *old;                       /* NULL: none given */
    uint32_t old_slot_count, old_slot_size;           /* the smallest; 0: it has none */
    struct moult_finding findings[PLAN_FINDINGS_MAX]; /* of the old table */
    uint32_t finding_count, error_count;

    struct partition_wish wish;
    enum moult_status status; /* of the plan */
    struct partition_plan plan;

    const char
        *in_the_way; /* the kept row that costs the slots most; NULL: none costs much */
    uint32_t slot_without; /* bytes of a slot if it were given up */

    struct plan_part moved; /* out of the image into a partition; size 0: not asked */
    enum moult_status moved_status;
    struct partition_plan moved_plan;
};

void plan_report_print(struct cli *cli, const struct plan_case *c);
/* NULL: no memory. */
json_t *plan_report_json(struct cli *cli, const struct plan_case *c);
/* Returns CLI_OK, or has failed: a kept row that a CSV cannot carry. */
MOULT_MUST_CHECK int plan_report_csv(struct cli *cli, const struct plan_case *c);

#endif
