/* device_history.c - moult device history DEVICE: what happened, newest first. */
#include "cli/device.h"
#include "cli/remote.h"

enum { OPT_LIMIT };

#define LIMIT_DEFAULT 100u /* people read the newest; --limit 0 gives all */

static const struct cli_option options[] = {
    [OPT_LIMIT] = {"limit", 'n', "N", "at most N events (default: 100; 0: all)",
                   CLI_NUMBER},
};

static void print(struct cli *cli, const json_t *events)
{
    struct cli_table *table = cli_table_start(cli, "TIME", "KIND", "TEXT", NULL);
    size_t index = 0;
    const json_t *event = NULL;
    json_array_foreach((json_t *)events, index, event)
    {
        cli_table_row(table, cli_member(cli, event, "time"), cli_member(cli, event, "kind"),
                      cli_member(cli, event, "text"));
    }
    cli_table_end(table);
}

static int run(struct cli *cli)
{
    const char *id = NULL;
    json_t *events = NULL;
    int code = cli_device_id(cli, cli_argument(cli, 0), &id);
    if (code != CLI_OK) { return code; }
    cli_next(cli, "moult device list");
    code = cli_get_list(cli, cli_text(cli, "/devices/%s/history", id), NULL,
                        cli_number(cli, OPT_LIMIT, LIMIT_DEFAULT), &events);
    if (code != CLI_OK) { return code; }
    if (cli->global.json) { return cli_json(cli, json_pack("{s:o}", "items", events)); }
    print(cli, events);
    json_decref(events);
    return CLI_OK;
}

const struct cli_command cli_device_history = {
    .noun = "device",
    .verb = "history",
    .arguments = "DEVICE",
    .least = 1,
    .most = 1,
    CLI_OPTIONS(options),
    .run = run,
};
