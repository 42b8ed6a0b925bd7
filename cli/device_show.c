/* device_show.c - moult device show DEVICE. */
#include "cli/device.h"
#include "cli/remote.h"

static void line(struct cli *cli, const json_t *device, const char *label, const char *path)
{
    const char *text = cli_member(cli, device, path);
    if (text[0] != '\0') { cli_print(cli, "%-16s %s\n", label, text); }
}

static void print_map(struct cli *cli, const json_t *device, const char *name)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)cli_member_json(device, name), key, value)
    {
        const char *text = json_is_string(value) ? json_string_value(value) : NULL;
        if (!text && json_is_integer(value)) {
            text = cli_text(cli, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        }
        cli_print(cli, "%-16s %s = %s\n", name, key, text ? text : "(see --json)");
    }
}

static void print_update(struct cli *cli, const json_t *device)
{
    if (cli_member_json(device, "assignment")) {
        cli_print(cli, "%-16s %s of rollout %s, %s since %s\n", "update",
                  cli_member(cli, device, "assignment.state"),
                  cli_member(cli, device, "assignment.rollout"),
                  cli_member(cli, device, "assignment.reason"),
                  cli_ago(cli, cli_member(cli, device, "assignment.updated")));
    }
    if (cli_member_json(device, "last_failure")) {
        cli_print(cli, "%-16s %s %s: %s (%s, moult explain %s)\n", "last failure",
                  cli_member(cli, device, "last_failure.reason"),
                  cli_member(cli, device, "last_failure.reason_name"),
                  cli_member(cli, device, "last_failure.words"),
                  cli_ago(cli, cli_member(cli, device, "last_failure.at")),
                  cli_member(cli, device, "last_failure.detail"));
    }
}

static void print(struct cli *cli, const json_t *device)
{
    static const struct {
        const char *label, *path;
    } rows[] = {
        {"id", "id"},
        {"name", "name"},
        {"serial", "serial"},
        {"state", "state"},
        {"product", "product"},
        {"class", "class"},
        {"group", "group"},
        {"version", "running.version"},
        {"sequence", "running.sequence"},
        {"running digest", "running.digest"},
        {"slot", "running.slot_state"},
        {"chip", "chip"},
        {"chip revision", "chip_revision"},
        {"keyset", "keyset_version"},
        {"key", "spki_sha256"},
        {"address", "last_address"},
        {"next check-in s", "next_s"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        line(cli, device, rows[i].label, rows[i].path);
    }
    cli_print(cli, "%-16s %s\n", "first seen",
              cli_ago(cli, cli_member(cli, device, "first_seen")));
    cli_print(cli, "%-16s %s\n", "last seen",
              cli_ago(cli, cli_member(cli, device, "last_seen")));
    print_update(cli, device);
    static const char *const maps[] = {"tags", "meta", "attributes", "facts"};
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
        print_map(cli, device, maps[i]);
    }
}

static int run(struct cli *cli)
{
    const char *id = NULL;
    json_t *device = NULL;
    int code = cli_device_id(cli, cli_argument(cli, 0), &id);
    if (code != CLI_OK) { return code; }
    cli_next(cli, "moult device list");
    code = cli_get(cli, cli_text(cli, "/devices/%s", id), NULL, &device);
    if (code != CLI_OK) { return code; }
    if (cli->global.json) { return cli_json(cli, device); }
    print(cli, device);
    json_decref(device);
    return CLI_OK;
}

const struct cli_command cli_device_show = {
    .noun = "device",
    .verb = "show",
    .arguments = "DEVICE",
    .least = 1,
    .most = 1,
    .run = run,
};
