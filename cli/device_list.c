/* device_list.c - moult device list. */
#include "cli/remote.h"

enum { OPT_SELECTOR, OPT_STATE, OPT_SEARCH, OPT_LIMIT };

static const struct cli_option options[] = {
    [OPT_SELECTOR] = {"selector", 's', "EXPR", "only devices that EXPR selects", CLI_TEXT},
    [OPT_STATE] = {"state", 0, "STATE",
                   "pending, accepted, rejected, quarantined or retired", CLI_TEXT},
    [OPT_SEARCH] = {"search", 0, "TEXT", "beginning of an id, name or serial", CLI_TEXT},
    [OPT_LIMIT] = {"limit", 'n', "N", "at most N devices (default: all)", CLI_NUMBER},
};

static void print(struct cli *cli, const json_t *devices)
{
    struct cli_table *table = cli_table_start(cli, "ID", "NAME", "STATE", "VERSION", "SLOT",
                                              "UPDATE", "LAST SEEN", NULL);
    size_t index = 0;
    const json_t *device = NULL;
    json_array_foreach((json_t *)devices, index, device)
    {
        const char *name = cli_member(cli, device, "name");
        if (name[0] == '\0') { name = cli_member(cli, device, "serial"); }
        cli_table_row(table, cli_member(cli, device, "id"), name,
                      cli_member(cli, device, "state"),
                      cli_member(cli, device, "running.version"),
                      cli_member(cli, device, "running.slot_state"),
                      cli_member(cli, device, "assignment.state"),
                      cli_ago(cli, cli_member(cli, device, "last_seen")));
    }
    cli_table_end(table);
}

static int run(struct cli *cli)
{
    json_t *devices = NULL;
    struct client_pair query[] = {{"selector", cli_value(cli, OPT_SELECTOR)},
                                  {"state", cli_value(cli, OPT_STATE)},
                                  {"q", cli_value(cli, OPT_SEARCH)},
                                  {NULL, NULL}};
    int code =
        cli_get_list(cli, "/devices", query, cli_number(cli, OPT_LIMIT, 0), &devices);
    if (code != CLI_OK) { return code; }
    if (cli->global.json) { return cli_json(cli, json_pack("{s:o}", "items", devices)); }
    print(cli, devices);
    size_t count = json_array_size(devices);
    cli_say(cli, "%zu device%s\n", count, count == 1 ? "" : "s");
    json_decref(devices);
    return CLI_OK;
}

const struct cli_command cli_device_list = {
    .noun = "device",
    .verb = "list",
    CLI_OPTIONS(options),
    .run = run,
};
