/* device_change.c - moult device accept|reject|quarantine|release|retire: one verb table.
 */
#include <string.h>

#include "cli/device.h"
#include "cli/remote.h"

enum { OPT_SELECTOR, OPT_EXPECT, OPT_DRY_RUN };

static const struct cli_option options[] = {
    [OPT_SELECTOR] = {"selector", 's', "EXPR", "all devices that EXPR selects", CLI_TEXT},
    [OPT_EXPECT] = {"expect-count", 0, "N",
                    "with --selector: change nothing unless N devices match", CLI_NUMBER},
    [OPT_DRY_RUN] = {"dry-run", 0, NULL, "check only, change nothing", CLI_FLAG},
};

/* An explicit list: each device on its own, so that one refusal does not stop the rest. */
static int change_listed(struct cli *cli, const char *verb, json_t *changed)
{
    static const struct client_pair dry_run[] = {{"dry_run", "true"}, {NULL, NULL}};
    int worst = CLI_OK;
    for (unsigned i = 0; i < cli->argument_count; i++) {
        const char *id = NULL;
        json_t *device = NULL;
        int code = cli_device_id(cli, cli_argument(cli, i), &id);
        if (code == CLI_OK) {
            code = cli_post(cli, cli_text(cli, "/devices/%s/%s", id, verb),
                            cli_has(cli, OPT_DRY_RUN) ? dry_run : NULL, NULL, &device);
        }
        if (code == CLI_UNREACHABLE) { return code; } /* the others would fail alike */
        if (code != CLI_OK) {
            worst = code;
            continue;
        }
        cli_say(cli, "%s is %s\n", id, cli_member(cli, device, "state"));
        if (json_array_append_new(changed, device) != 0) { return cli_json(cli, NULL); }
    }
    if (worst != CLI_OK && json_array_size(changed) > 0) {
        return cli_fail(cli, MOULT_D_CLI_PARTIAL, cli_text(cli, "%u", cli->argument_count),
                        cli_text(cli, "%zu", json_array_size(changed)));
    }
    return worst;
}

static int post_action(struct cli *cli, const char *verb, const json_t *expect,
                       bool dry_run, json_t **reply)
{
    struct client_pair query[] = {{"dry_run", dry_run ? "true" : NULL}, {NULL, NULL}};
    json_t *body = json_pack("{s:s,s:s,s:O*}", "verb", verb, "selector",
                             cli_value(cli, OPT_SELECTOR), "expect_count", expect);
    if (!body) { return cli_json(cli, NULL); }
    int code = cli_post(cli, "/devices/actions", query, body, reply);
    json_decref(body);
    return code;
}

/* How many devices match now; asks before it goes on, unless --yes or the number was given.
 */
static int count_matches(struct cli *cli, const char *verb, json_t **count)
{
    json_t *preview = NULL;
    int code = post_action(cli, verb, NULL, true, &preview);
    if (code != CLI_OK) { return code; }
    *count = json_incref(json_object_get(preview, "matched"));
    json_decref(preview);
    const char *devices =
        cli_text(cli, "%" JSON_INTEGER_FORMAT " devices", json_integer_value(*count));
    if (cli->global.yes || cli_has(cli, OPT_DRY_RUN)) { return CLI_OK; }
    json_decref(*count);
    *count = NULL;
    return cli_fail(cli, MOULT_D_CLI_CONFIRM, NULL, devices);
}

static int change_selected(struct cli *cli, const char *verb)
{
    json_t *expect = NULL;
    json_t *reply = NULL;
    int code = CLI_OK;
    if (cli_has(cli, OPT_EXPECT)) {
        expect = json_integer((json_int_t)cli_number(cli, OPT_EXPECT, 0));
    } else {
        code = count_matches(cli, verb, &expect);
    }
    if (code == CLI_OK) {
        code = post_action(cli, verb, expect, cli_has(cli, OPT_DRY_RUN), &reply);
    }
    json_decref(expect);
    if (code != CLI_OK) { return code; }
    if (cli->global.json) { return cli_json(cli, reply); }
    cli_print(cli, "%s matched, %s changed\n", cli_member(cli, reply, "matched"),
              cli_member(cli, reply, "changed"));
    json_decref(reply);
    return CLI_OK;
}

static int run(struct cli *cli)
{
    const char *verb = cli->command->verb;
    bool by_selector = cli_has(cli, OPT_SELECTOR);
    if (by_selector == (cli->argument_count > 0)) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "either DEVICE... or --selector",
                        by_selector ? "both" : "neither");
    }
    if (by_selector) { return change_selected(cli, verb); }
    json_t *changed = json_array();
    if (!changed) { return cli_json(cli, NULL); }
    int code = change_listed(cli, verb, changed);
    if (cli->global.json && (code == CLI_OK || code == CLI_PARTIAL)) {
        int printed = cli->json_printed > 0
                          ? CLI_OK
                          : cli_json(cli, json_pack("{s:O}", "items", changed));
        if (printed != CLI_OK) { code = printed; }
    } else if (!cli->global.json) {
        size_t index = 0;
        json_t *device = NULL;
        json_array_foreach(changed, index, device)
        {
            cli_print(cli, "%s %s\n", cli_member(cli, device, "id"),
                      cli_member(cli, device, "state"));
        }
    }
    json_decref(changed);
    return code;
}

/* clang-format off */
#define VERB(name)                                                                         \
    const struct cli_command cli_device_##name = {                                         \
        .noun = "device", .verb = #name, .arguments = "DEVICE...",                         \
        .least = 0, .most = CLI_REPEAT_MAX, CLI_OPTIONS(options), .run = run,              \
    };
/* clang-format on */
VERB(accept)
VERB(reject)
VERB(quarantine)
VERB(release)
VERB(retire)
