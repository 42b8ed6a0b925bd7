/* endpoints_report.h - an endpoint list in text and JSON, for create and show.
 *
 * Layer    cli.
 */
#ifndef MOULT_CLI_ENDPOINTS_REPORT_H
#define MOULT_CLI_ENDPOINTS_REPORT_H

#include "cli/statement.h"
#include "formats/endpoints.h"

struct endpoints_report {
    struct moult_cose cose;
    struct moult_endpoints list;       /* borrows the envelope */
    const struct moult_keyset *keyset; /* NULL: nothing was verified */
};

/* Reads and, with a keyset, verifies. Returns as moult_endpoints_verify(). */
MOULT_MUST_CHECK enum moult_status endpoints_report_read(struct moult_bytes envelope,
                                                         const struct moult_keyset *keyset,
                                                         struct endpoints_report *out,
                                                         struct moult_finding *finding);

void endpoints_report_print(struct cli *cli, const struct endpoints_report *report);
json_t *endpoints_report_json(struct cli *cli, const struct endpoints_report *report);

/* "both", "check-in", "artifact"; NULL for another number. */
const char *endpoint_role_name(unsigned role);

#endif
