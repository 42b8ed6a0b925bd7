/* rollout_show.c - moult rollout show ROLLOUT. */
#include "cli/remote.h"
#include "cli/rollout_view.h"

enum { OPT_DEVICES };

static const struct cli_option options[] = {
    [OPT_DEVICES] = {"devices", 'd', NULL, "also list its devices", CLI_FLAG},
};

static void print_devices(struct cli *cli, const json_t *assignments)
{
    struct cli_table *table =
        cli_table_start(cli, "DEVICE", "PHASE", "STATE", "REASON", "DETAIL", "TEXT", NULL);
    size_t index = 0;
    const json_t *item = NULL;
    json_array_foreach((json_t *)assignments, index, item)
    {
        const char *phase =
            cli_text(cli, "%lld", (long long)cli_member_number(item, "phase") + 1);
        cli_table_row(table, cli_member(cli, item, "device"), phase,
                      cli_member(cli, item, "state"), cli_member(cli, item, "reason"),
                      cli_member(cli, item, "detail"), cli_member(cli, item, "text"));
    }
    cli_table_end(table);
}

static int show(struct cli *cli, json_t *rollout, const char *path)
{
    json_t *assignments = NULL;
    if (cli_has(cli, OPT_DEVICES)) {
        int code =
            cli_get_list(cli, cli_text(cli, "%s/devices", path), NULL, 0, &assignments);
        if (code != CLI_OK) { return code; }
    }
    if (cli->global.json) {
        if (assignments && json_object_set_new(rollout, "devices", assignments) != 0) {
            return cli_json(cli, NULL);
        }
        return cli_json(cli, json_incref(rollout));
    }
    (void)cli_rollout_view(cli, rollout, 0,
                           cli->out); /* number of lines: nothing is redrawn */
    if (assignments) { print_devices(cli, assignments); }
    json_decref(assignments);
    return CLI_OK;
}

static int run(struct cli *cli)
{
    json_t *rollout = NULL;
    const char *path = cli_text(cli, "/rollouts/%s", cli_escape(cli, cli_argument(cli, 0)));
    cli_next(cli, "moult rollout list");
    int code = cli_get(cli, path, NULL, &rollout);
    if (code != CLI_OK) { return code; }
    code = show(cli, rollout, path);
    json_decref(rollout);
    return code;
}

const struct cli_command cli_rollout_show = {
    .noun = "rollout",
    .verb = "show",
    .arguments = "ROLLOUT",
    .least = 1,
    .most = 1,
    CLI_OPTIONS(options),
    .run = run,
};
