/* patch_info.c - moult patch info PATCH: what its header says. */
#include "cli/patch_report.h"

static int run(struct cli *cli)
{
    struct patch_file patch;
    int code = patch_read(cli, cli_argument(cli, 0), &patch);
    if (code != CLI_OK) { return code; }
    if (cli->global.json) { return cli_json(cli, patch_json(cli, &patch.header, NULL)); }
    patch_print(cli, &patch.header, NULL);
    return CLI_OK;
}

const struct cli_command cli_patch_info = {
    .noun = "patch",
    .verb = "info",
    .arguments = "PATCH",
    .least = 1,
    .most = 1,
    .run = run,
};
