/* rollout_change.c - moult rollout start|pause|resume|abort|advance|retry: one verb table.
 */
#include <string.h>

#include "cli/remote.h"

enum { OPT_REMARK, OPT_DRY_RUN };

static const struct cli_option options[] = {
    [OPT_REMARK] = {"remark", 'm', "TEXT", "why, for the audit log (advance needs one)",
                    CLI_TEXT},
    [OPT_DRY_RUN] = {"dry-run", 0, NULL, "check only, change nothing", CLI_FLAG},
};

static int run(struct cli *cli)
{
    const char *verb = cli->command->verb;
    const char *remark = cli_value(cli, OPT_REMARK);
    if (strcmp(verb, "advance") == 0 && !remark) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "--remark: why the gate is passed by hand",
                        "none");
    }
    struct client_pair query[] = {{"dry_run", cli_has(cli, OPT_DRY_RUN) ? "true" : NULL},
                                  {NULL, NULL}};
    json_t *rollout = NULL;
    json_t *body = json_pack("{s:s*}", "remark", remark);
    if (!body) { return cli_json(cli, NULL); }
    const char *name = cli_argument(cli, 0);
    cli_next(cli, cli_text(cli, "moult rollout show %s", name));
    int code = cli_post(cli, cli_text(cli, "/rollouts/%s/%s", cli_escape(cli, name), verb),
                        query, body, &rollout);
    json_decref(body);
    if (code != CLI_OK) { return code; }
    if (cli->global.json) { return cli_json(cli, rollout); }
    cli_print(cli, "%s %s: %s\n", cli_member(cli, rollout, "name"),
              cli_member(cli, rollout, "state"), cli_member(cli, rollout, "state_reason"));
    json_decref(rollout);
    return CLI_OK;
}

/* clang-format off */
#define VERB(name)                                                                         \
    const struct cli_command cli_rollout_##name = {                                        \
        .noun = "rollout", .verb = #name, .arguments = "ROLLOUT",                          \
        .least = 1, .most = 1, CLI_OPTIONS(options), .run = run,                           \
    };
/* clang-format on */
VERB(start)
VERB(pause)
VERB(resume)
VERB(abort)
VERB(advance)
VERB(retry)
