/* release_components.h - the data components of `moult release create`: --component and
 * --needs.
 *
 * Layer    cli.
 */
#ifndef MOULT_CLI_RELEASE_COMPONENTS_H
#define MOULT_CLI_RELEASE_COMPONENTS_H

#include "cli/statement.h"

/* Adds them to a release that has its application. Their bytes live as long as the command.
 *
 * files   options: "ID=FILE" or "ID:LABEL=FILE", each one more component.
 * needs   options: "ID:OTHER:SEQUENCE": component ID needs OTHER from a release of at least
 *         that sequence.
 *
 * CLI_OK, or the exit code of what is wrong, which has been told. */
int release_components_add(struct cli *cli, unsigned files, unsigned needs,
                           struct moult_release *release);

#endif
