/* parse.h - argv to struct cli: finds the command, reads its options and the global ones.
 *
 * Layer    cli.
 */
#ifndef MOULT_CLI_PARSE_H
#define MOULT_CLI_PARSE_H

#include "cli/cli.h"

/* The global options, for help and completion; *count is set. */
const struct cli_option *cli_global_options(size_t *count);

/* Fill cli->command, ->given, ->arguments and ->global. Without a command (`moult`, `moult
 * --help`, `moult help`) cli->command stays NULL and global.help is set. `moult help NOUN
 * [VERB]` is the same as `moult NOUN VERB --help`; for a noun alone cli->arguments[0] is
 * the noun.
 *
 * CLI_OK, or CLI_USAGE after it has said what is wrong. Borrows argv until the command
 * ends. */
MOULT_MUST_CHECK int cli_parse(struct cli *cli, int argc, char **argv);

#endif
