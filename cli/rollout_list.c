/* rollout_list.c - moult rollout list. */
#include "cli/remote.h"

enum { OPT_STATE };

static const struct cli_option options[] = {
    [OPT_STATE] = {"state", 0, "STATE", "only rollouts in this state", CLI_TEXT},
};

static void print(struct cli *cli, const json_t *rollouts)
{
    struct cli_table *table = cli_table_start(cli, "NAME", "VERSION", "STATE", "CONFIRMED",
                                              "TARGET", "SINCE", "WHY", NULL);
    size_t index = 0;
    const json_t *rollout = NULL;
    json_array_foreach((json_t *)rollouts, index, rollout)
    {
        cli_table_row(
            table, cli_member(cli, rollout, "name"), cli_member(cli, rollout, "version"),
            cli_member(cli, rollout, "state"), cli_member(cli, rollout, "counts.confirmed"),
            cli_member(cli, rollout, "target"),
            cli_ago(cli, cli_member(cli, rollout, "state_since")),
            cli_member(cli, rollout, "state_reason"));
    }
    cli_table_end(table);
}

static int run(struct cli *cli)
{
    json_t *rollouts = NULL;
    struct client_pair query[] = {{"state", cli_value(cli, OPT_STATE)}, {NULL, NULL}};
    int code = cli_get_list(cli, "/rollouts", query, 0, &rollouts);
    if (code != CLI_OK) { return code; }
    if (cli->global.json) { return cli_json(cli, json_pack("{s:o}", "items", rollouts)); }
    print(cli, rollouts);
    json_decref(rollouts);
    return CLI_OK;
}

const struct cli_command cli_rollout_list = {
    .noun = "rollout",
    .verb = "list",
    CLI_OPTIONS(options),
    .run = run,
};
