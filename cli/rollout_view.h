/* rollout_view.h - a rollout as text: what `rollout show` prints and `rollout watch`
 * redraws.
 *
 * Layer    cli.
 */
#ifndef MOULT_CLI_ROLLOUT_VIEW_H
#define MOULT_CLI_ROLLOUT_VIEW_H

#include "cli/cli.h"

#define CLI_VIEW_BAR 30u /* cells of a phase's bar */

enum cli_rollout_end {
    CLI_ROLLOUT_GOES_ON, /* running, holding, scheduled, draft */
    CLI_ROLLOUT_DONE,    /* completed */
    CLI_ROLLOUT_STOPPED, /* aborted, rolled back */
    CLI_ROLLOUT_PAUSED,
};

enum cli_rollout_end cli_rollout_end(const json_t *rollout);

/* Number of the phase that was opened last, from 1; 0: none. */
unsigned cli_rollout_phase(const json_t *rollout);

/* The view, line by line, appended to a text of the caller; width is the terminal's, 0
 * unbounded. Returns the number of lines. */
unsigned cli_rollout_view(struct cli *cli, const json_t *rollout, unsigned width,
                          FILE *out);

/* One line: "running, phase 2 of 3: 5 of 13 confirmed, 2 downloading". */
const char *cli_rollout_line(struct cli *cli, const json_t *rollout);

/* A bar of CLI_VIEW_BAR cells into out (at least CLI_VIEW_BAR + 1 bytes): '#' confirmed,
 * 'x' failed,
 * '>' on its way, '.' not begun. Any device that exists gets a cell when there is room for
 * it. */
void cli_rollout_bar(uint64_t target, uint64_t confirmed, uint64_t failed, uint64_t busy,
                     char *out);

#endif
