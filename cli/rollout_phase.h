/* rollout_phase.h - phases as typed on the command line.
 *
 * Layer    cli.
 * Format   "5%", "20" (devices), "rest", each with ",min=N" (percent only),
 *          ",soak=DURATION" and
 *          ",approve" behind it.
 */
#ifndef MOULT_CLI_ROLLOUT_PHASE_H
#define MOULT_CLI_ROLLOUT_PHASE_H

#include "cli/cli.h"

/* The API's object for one phase, owned by the caller. soak_s: default of the command, or
 * negative for the server's. Returns CLI_OK, or has failed with CLI_USAGE. */
MOULT_MUST_CHECK int cli_phase_parse(struct cli *cli, const char *text, int64_t soak_s,
                                     json_t **phase);

#endif
