/* server_status.c - moult server status. */
#include "cli/remote.h"

static void print_devices(struct cli *cli, const json_t *status)
{
    const char *state = NULL;
    json_t *count = NULL;
    cli_print(cli, "%-10s", "devices");
    json_object_foreach((json_t *)cli_member_json(status, "devices"), state, count)
    {
        cli_print(cli, " %" JSON_INTEGER_FORMAT " %s", json_integer_value(count), state);
    }
    cli_print(cli, "\n");
}

static void print(struct cli *cli, const json_t *status)
{
    bool has_broker = json_is_true(cli_member_json(status, "broker.configured"));
    bool broker_on = json_is_true(cli_member_json(status, "broker.connected"));
    bool signer_on = json_is_true(cli_member_json(status, "signer.connected"));
    cli_print(cli, "%-10s %s, up %s s\n", "moultd", cli_member(cli, status, "version"),
              cli_member(cli, status, "uptime_s"));
    cli_print(cli, "%-10s %s\n", "fleet", cli_member(cli, status, "fleet_id"));
    print_devices(cli, status);
    cli_print(cli, "%-10s %s\n", "signer", signer_on ? "connected" : "not connected");
    cli_print(cli, "%-10s %s\n", "broker",
              !has_broker ? "none configured; devices poll"
                          : (broker_on ? "connected" : "not connected; devices poll"));
    cli_print(cli, "%-10s version %s\n", "keyset",
              cli_member(cli, status, "keyset_version"));
    cli_print(cli, "%-10s %s writes waiting\n", "store",
              cli_member(cli, status, "store.queue"));
    size_t outages = json_array_size(cli_member_json(status, "outages"));
    if (outages > 0) { cli_print(cli, "%-10s %zu; see --json\n", "outages", outages); }
}

static int run(struct cli *cli)
{
    json_t *status = NULL;
    int code = cli_get(cli, "/status", NULL, &status);
    if (code != CLI_OK) { return code; }
    if (cli->global.json) { return cli_json(cli, status); }
    print(cli, status);
    json_decref(status);
    return CLI_OK;
}

const struct cli_command cli_server_status = {
    .noun = "server", .verb = "status", .run = run};
