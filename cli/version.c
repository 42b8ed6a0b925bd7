/* version.c - moult version. */
#include "cli/cli.h"

static int run(struct cli *cli)
{
    if (cli->global.json) {
        return cli_json(cli, json_pack("{s:s,s:s}", "version", MOULT_VERSION, "api", "v1"));
    }
    cli_print(cli, "moult %s (operator API v1)\n", MOULT_VERSION);
    return CLI_OK;
}

const struct cli_command cli_version = {.noun = "version", .run = run};
