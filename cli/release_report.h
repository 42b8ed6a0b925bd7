/* release_report.h - a release statement as text and as JSON.
 *
 * Layer    cli. Used by `release create` and `release inspect`.
 */
#ifndef MOULT_CLI_RELEASE_REPORT_H
#define MOULT_CLI_RELEASE_REPORT_H

#include "cli/statement.h"

struct release_report {
    struct moult_release release;
    struct moult_cose cose;
    size_t size;                       /* bytes of the envelope */
    uint8_t digest[MOULT_SHA256_SIZE]; /* of the payload: key 11 of assignments */
    const struct moult_keyset
        *keyset; /* verified against it; NULL: signatures not checked */
};

/* Reads an envelope, against a keyset or, without one, its contents only. The report
 * borrows both. MOULT_OK, or what is wrong with it, in finding. */
MOULT_MUST_CHECK enum moult_status release_report_read(struct moult_bytes envelope,
                                                       const struct moult_keyset *keyset,
                                                       struct release_report *out,
                                                       struct moult_finding *finding);

void release_report_print(struct cli *cli, const struct release_report *report);

/* docs/cli/release-inspect.md */
json_t *release_report_json(struct cli *cli, const struct release_report *report);

#endif
