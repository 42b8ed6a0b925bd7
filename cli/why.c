/* why.c - moult why DEVICE: why it has, or has not, what one expects it to have. */
#include <string.h>

#include "cli/device.h"
#include "cli/remote.h"

enum { OPT_ROLLOUT };

static const struct cli_option options[] = {
    [OPT_ROLLOUT] = {"rollout", 0, "ROLLOUT", "ask about this rollout", CLI_TEXT},
};

static enum cli_color color_of(const char *verdict)
{
    if (strcmp(verdict, "pass") == 0) { return CLI_GREEN; }
    if (strcmp(verdict, "fail") == 0) { return CLI_RED; }
    return strcmp(verdict, "wait") == 0 ? CLI_YELLOW : CLI_DIM;
}

static void print(struct cli *cli, const json_t *why)
{
    cli_print(cli, "%s\n", cli_member(cli, why, "summary"));
    size_t index = 0;
    const json_t *check = NULL;
    json_array_foreach((json_t *)cli_member_json(why, "checks"), index, check)
    {
        const char *verdict = cli_member(cli, check, "verdict");
        cli_print(cli, "  %s%-4s%s  %-14s %s\n", cli_color(cli, color_of(verdict)), verdict,
                  cli_color(cli, CLI_PLAIN), cli_member(cli, check, "check"),
                  cli_member(cli, check, "words"));
    }
}

static int run(struct cli *cli)
{
    const char *id = NULL;
    json_t *why = NULL;
    struct client_pair query[] = {{"rollout", cli_value(cli, OPT_ROLLOUT)}, {NULL, NULL}};
    int code = cli_device_id(cli, cli_argument(cli, 0), &id);
    if (code != CLI_OK) { return code; }
    cli_next(cli, "moult device list");
    code = cli_get(cli, cli_text(cli, "/devices/%s/why", id), query, &why);
    if (code != CLI_OK) { return code; }
    if (cli->global.json) { return cli_json(cli, why); }
    print(cli, why);
    json_decref(why);
    return CLI_OK;
}

const struct cli_command cli_why = {
    .noun = "why",
    .arguments = "DEVICE",
    .least = 1,
    .most = 1,
    CLI_OPTIONS(options),
    .run = run,
};
