/* main.c - the program `moult`: see cli.h for what a subcommand is. */
#include <locale.h>
#include <signal.h>
#include <unistd.h>

#include "cli/cli.h"
#include "client/mem.h"

int main(int argc, char **argv)
{
    (void)setlocale(LC_CTYPE, ""); /* only widths of typed text depend on it */
    (void)signal(SIGPIPE,
                 SIG_IGN); /* `moult ... | head` ends by a write error, not a signal */
    client_mem_serve_json();

    struct cli cli = {
        .out = stdout,
        .err = stderr,
        .out_is_terminal = isatty(STDOUT_FILENO) != 0,
        .err_is_terminal = isatty(STDERR_FILENO) != 0,
    };
    int code = cli_main(&cli, argc - 1, argv + 1);
    cli_end(&cli);
    return code;
}
