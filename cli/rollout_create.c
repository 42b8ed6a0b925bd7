/* rollout_create.c - moult rollout create RELEASE. */
#include "cli/remote.h"
#include "cli/rollout_phase.h"

enum {
    OPT_NAME,
    OPT_SELECTOR,
    OPT_PHASE,
    OPT_SOAK,
    OPT_MODE,
    OPT_SUCCESS_PCT,
    OPT_SUCCESS_SAMPLE,
    OPT_SUCCESS_REACHED,
    OPT_FAILURE_PCT,
    OPT_FAILURE_SAMPLE,
    OPT_FAILURE_COUNT,
    OPT_SALT,
    OPT_NO_START,
    OPT_DRY_RUN,
};

static const struct cli_option options[] = {
    [OPT_NAME] = {"name", 0, "NAME", "what the rollout is called (default: VERSION)",
                  CLI_TEXT},
    [OPT_SELECTOR] = {"selector", 's', "EXPR", "which devices (default: all of the class)",
                      CLI_TEXT},
    [OPT_PHASE] = {"phase", 'p', "PHASE",
                   "5%, 20 or rest; ,min=N ,soak=T ,approve (default: 5% 25% rest)",
                   CLI_LIST},
    [OPT_SOAK] = {"soak", 0, "T", "soak of every phase that names none", CLI_DURATION},
    [OPT_MODE] = {"mode", 0, "MODE", "forced, optional or download_only", CLI_TEXT},
    [OPT_SUCCESS_PCT] = {"success-pct", 0, "N",
                         "success gate: share of the decided, percent", CLI_NUMBER},
    [OPT_SUCCESS_SAMPLE] = {"success-sample", 0, "N",
                            "success gate: decided devices at least", CLI_NUMBER},
    [OPT_SUCCESS_REACHED] = {"success-reached", 0, "N",
                             "success gate: share of the reached that is decided, percent",
                             CLI_NUMBER},
    [OPT_FAILURE_PCT] = {"failure-pct", 0, "N",
                         "failure gate: share of the decided, percent (0: off)",
                         CLI_NUMBER},
    [OPT_FAILURE_SAMPLE] = {"failure-sample", 0, "N",
                            "failure gate: decided devices at least", CLI_NUMBER},
    [OPT_FAILURE_COUNT] = {"failure-count", 0, "N",
                           "failure gate: so many failures at any sample (0: off)",
                           CLI_NUMBER},
    [OPT_SALT] = {"salt", 0, "HEX", "repeat another rollout's order of devices", CLI_TEXT},
    [OPT_NO_START] = {"no-start", 0, NULL, "leave it a draft (moult rollout start)",
                      CLI_FLAG},
    [OPT_DRY_RUN] = {"dry-run", 0, NULL, "show the phases, create nothing", CLI_FLAG},
};

static int add_phases(struct cli *cli, json_t *phases)
{
    static const char *const usual[] = {"5%", "25%", "rest"};
    int64_t soak_s = cli_has(cli, OPT_SOAK) ? (int64_t)cli_number(cli, OPT_SOAK, 0) : -1;
    unsigned count = cli_count(cli, OPT_PHASE);
    for (unsigned i = 0; i < (count > 0 ? count : 3); i++) {
        json_t *phase = NULL;
        const char *text = count > 0 ? cli_item(cli, OPT_PHASE, i) : usual[i];
        int code = cli_phase_parse(cli, text, soak_s, &phase);
        if (code != CLI_OK) { return code; }
        if (json_array_append_new(phases, phase) != 0) { return cli_json(cli, NULL); }
    }
    return CLI_OK;
}

static int set_number(struct cli *cli, json_t *gates, const char *gate, const char *name,
                      unsigned option)
{
    if (!cli_has(cli, option)) { return CLI_OK; }
    json_t *number = json_integer((json_int_t)cli_number(cli, option, 0));
    if (!gate) {
        return json_object_set_new(gates, name, number) ? cli_json(cli, NULL) : CLI_OK;
    }
    json_t *object = json_object_get(gates, gate);
    if (!object) {
        object = json_object();
        if (json_object_set_new(gates, gate, object) != 0) {
            json_decref(number);
            return cli_json(cli, NULL);
        }
    }
    return json_object_set_new(object, name, number) ? cli_json(cli, NULL) : CLI_OK;
}

static int add_gates(struct cli *cli, json_t *body)
{
    static const struct {
        const char *gate, *name;
        unsigned option;
    } row[] = {
        {"success", "pct", OPT_SUCCESS_PCT},
        {"success", "min_sample", OPT_SUCCESS_SAMPLE},
        {"success", "min_reached", OPT_SUCCESS_REACHED},
        {"failure", "pct", OPT_FAILURE_PCT},
        {"failure", "min_sample", OPT_FAILURE_SAMPLE},
        {NULL, "failure_count", OPT_FAILURE_COUNT},
    };
    json_t *gates = json_object();
    if (!gates) { return cli_json(cli, NULL); }
    int code = CLI_OK;
    for (size_t i = 0; i < sizeof row / sizeof row[0] && code == CLI_OK; i++) {
        code = set_number(cli, gates, row[i].gate, row[i].name, row[i].option);
    }
    if (code == CLI_OK && json_object_size(gates) > 0 &&
        json_object_set(body, "gates", gates) != 0) {
        code = cli_json(cli, NULL);
    }
    json_decref(gates);
    return code;
}

static int make_body(struct cli *cli, json_t **out)
{
    const char *release = cli_argument(cli, 0);
    const char *name = cli_value(cli, OPT_NAME) ? cli_value(cli, OPT_NAME) : release;
    json_t *body = json_pack("{s:s,s:s,s:s*,s:s*,s:s*,s:b,s:[]}", "release", release,
                             "name", name, "selector", cli_value(cli, OPT_SELECTOR), "mode",
                             cli_value(cli, OPT_MODE), "salt", cli_value(cli, OPT_SALT),
                             "start", !cli_has(cli, OPT_NO_START), "phases");
    if (!body) { return cli_json(cli, NULL); }
    int code = add_phases(cli, json_object_get(body, "phases"));
    if (code == CLI_OK) { code = add_gates(cli, body); }
    if (code == CLI_OK) {
        *out = body;
    } else {
        json_decref(body);
    }
    return code;
}

static void print_counts(struct cli *cli, const json_t *list, const char *title,
                         const char *name)
{
    size_t index = 0;
    const json_t *item = NULL;
    json_array_foreach((json_t *)list, index, item)
    {
        cli_print(cli, "%s %s: %s devices\n", title, cli_member(cli, item, name),
                  cli_member(cli, item, "count"));
    }
}

static void print_preview(struct cli *cli, const json_t *rollout)
{
    const json_t *preview = cli_member_json(rollout, "preview");
    cli_print(cli, "target: %s devices\n", cli_member(cli, preview, "target"));
    size_t index = 0;
    const json_t *phase = NULL;
    json_array_foreach((json_t *)cli_member_json(preview, "phases"), index, phase)
    {
        cli_print(cli, "phase %zu: %s devices\n", index + 1,
                  cli_member(cli, phase, "devices"));
    }
    const char *version = NULL;
    json_t *count = NULL;
    json_object_foreach((json_t *)cli_member_json(preview, "versions"), version, count)
    {
        cli_print(cli, "running %s: %" JSON_INTEGER_FORMAT " devices\n", version,
                  json_integer_value(count));
    }
    print_counts(cli, cli_member_json(preview, "excluded"), "excluded,", "reason");
}

static int run(struct cli *cli)
{
    static const struct client_pair dry_run[] = {{"dry_run", "true"}, {NULL, NULL}};
    json_t *body = NULL;
    json_t *rollout = NULL;
    int code = make_body(cli, &body);
    if (code != CLI_OK) { return code; }
    code = cli_post(cli, "/rollouts", cli_has(cli, OPT_DRY_RUN) ? dry_run : NULL, body,
                    &rollout);
    json_decref(body);
    if (code != CLI_OK) { return code; }
    if (cli->global.json) { return cli_json(cli, rollout); }
    if (cli_has(cli, OPT_DRY_RUN)) {
        print_preview(cli, rollout);
    } else {
        const char *name = cli_member(cli, rollout, "name");
        cli_print(cli, "%s %s: %s, %s devices\n", cli_member(cli, rollout, "id"), name,
                  cli_member(cli, rollout, "state"), cli_member(cli, rollout, "target"));
        cli_say(cli, "next: moult rollout watch %s\n", name);
    }
    json_decref(rollout);
    return CLI_OK;
}

const struct cli_command cli_rollout_create = {
    .noun = "rollout",
    .verb = "create",
    .arguments = "RELEASE",
    .least = 1,
    .most = 1,
    CLI_OPTIONS(options),
    .run = run,
};
