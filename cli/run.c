/* run.c - from argv to an exit code; see cli.h. */
#include <errno.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/help.h"
#include "cli/parse.h"

int cli_main(struct cli *cli, int argc, char **argv)
{
    int code = cli_parse(cli, argc, argv);
    if (code != CLI_OK) { return code; }
    if (argc == 0) {
        (void)cli_help(cli); /* usage is an error here, and the exit code says so */
        return CLI_USAGE;
    }
    code = cli->global.help ? cli_help(cli) : cli->command->run(cli);
    if (fflush(cli->out) != 0 || ferror(cli->out)) {
        if (errno != EPIPE) { /* a reader that has seen enough is no error */
            (void)cli_fail(cli, MOULT_D_CLI_FILE_WRITE, "stdout", strerror(errno));
        }
        if (code == CLI_OK) { code = CLI_ERROR; }
    }
    return code;
}
