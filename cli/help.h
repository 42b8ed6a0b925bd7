/* help.h - pages of docs/cli/, printed as --help.
 *
 * Layer    cli.
 * Format   the pages are built in by tools/gen-cli-help (gen/cli/help_pages.c).
 */
#ifndef MOULT_CLI_HELP_H
#define MOULT_CLI_HELP_H

#include "cli/cli.h"

struct cli_page {
    const char *name;         /* "image-make" */
    const char *const *lines; /* ended by NULL, without line ends */
};

/* All pages, from docs/cli/ at build time; *count is set. */
const struct cli_page *cli_pages(size_t *count);

/* The page of a command, or NULL. */
const struct cli_page *cli_page_find(const struct cli_command *command);

/* The page's first sentence: what the command does, in one line. "" where there is no page.
 */
const char *cli_page_summary(const struct cli_page *page);

/* --help of cli->command; of a noun (cli->arguments[0]); of the program. Returns CLI_OK. */
int cli_help(struct cli *cli);

#endif
