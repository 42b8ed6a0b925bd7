/* wait.c - moult wait rollout ROLLOUT --until EXPR: for scripts and CI. */
#include <string.h>

#include "cli/remote.h"
#include "cli/rollout_view.h"
#include "cli/watching.h"
#include "formats/selector.h"

#define TIMEOUT_DEFAULT_S 3600u
#define INTERVAL_MS 1000u

enum { OPT_UNTIL, OPT_TIMEOUT, OPT_THROUGH_PAUSES };

static const struct cli_option options[] = {
    [OPT_UNTIL] = {"until", 0, "EXPR", "the condition (default: state = completed)",
                   CLI_TEXT},
    [OPT_TIMEOUT] = {"timeout", 0, "T", "give up after this time (default: 1h)",
                     CLI_DURATION},
    [OPT_THROUGH_PAUSES] = {"through-pauses", 0, NULL,
                            "a paused rollout is waited for, not an end", CLI_FLAG},
};

/* Fields of the condition. Those behind FIELD_STATES are counts of devices in that state.
 */
enum {
    FIELD_STATE,
    FIELD_PHASE,
    FIELD_PHASES,
    FIELD_TARGET,
    FIELD_NAME,
    FIELD_VERSION,
    FIELD_STATES
};

static const char *const names[] = {
    "state",     "phase",   "phases",           "target",      "name",    "version",
    "planned",   "offered", "awaiting_consent", "downloading", "written", "verified",
    "rebooting", "trial",   "soaking",          "confirmed",   "staged",  "rolled_back",
    "failed",    "silent",  "superseded",       "cancelled",
};

static const struct moult_selector_fields fields = {
    .names = names, .count = sizeof names / sizeof names[0], .has_device_tests = false};

static struct moult_value number_value(int64_t number)
{
    return (struct moult_value){.type = MOULT_VALUE_INTEGER, .number = number};
}

static struct moult_value text_value(const json_t *rollout, const char *name)
{
    const char *text = json_string_value(json_object_get(rollout, name));
    if (!text) { return (struct moult_value){.type = MOULT_VALUE_MISSING}; }
    return (struct moult_value){.type = MOULT_VALUE_STRING,
                                .text = {(const uint8_t *)text, strlen(text)}};
}

static struct moult_value version_value(const json_t *rollout)
{
    struct moult_value value = text_value(rollout, "version");
    if (value.type == MOULT_VALUE_STRING) { value.type = MOULT_VALUE_VERSION; }
    return value;
}

static struct moult_value field_value(const void *context, unsigned field,
                                      struct moult_bytes ident)
{
    const json_t *rollout = context;
    switch (field) {
    case FIELD_STATE:
        return text_value(rollout, "state");
    case FIELD_NAME:
        return text_value(rollout, "name");
    case FIELD_VERSION:
        return version_value(rollout);
    case FIELD_PHASE:
        return number_value(cli_rollout_phase(rollout));
    case FIELD_PHASES:
        return number_value((int64_t)json_array_size(json_object_get(rollout, "phases")));
    case FIELD_TARGET:
        return number_value(cli_member_number(rollout, "target"));
    default:
        break;
    }
    if (field >= sizeof names / sizeof names[0] || ident.size > MOULT_SELECTOR_IDENT_MAX) {
        return (struct moult_value){.type = MOULT_VALUE_MISSING};
    }
    const json_t *counts = json_object_get(rollout, "counts");
    return number_value((int64_t)json_integer_value(json_object_get(counts, names[field])));
}

static int parse(struct cli *cli, const char *text, struct moult_selector *selector)
{
    struct moult_selector_error error = {0};
    struct moult_bytes bytes = {(const uint8_t *)text, strlen(text)};
    if (moult_selector_parse(&fields, bytes, selector, &error) == MOULT_OK) {
        return CLI_OK;
    }
    const char *want = error.nearest
                           ? cli_text(cli, "%s (%s?)", error.expected, error.nearest)
                           : error.expected;
    const char *have = error.size > 0
                           ? cli_text(cli, "\"%.*s\" at character %u", (int)error.size,
                                      text + error.position, error.position + 1)
                           : cli_text(cli, "the end at character %u", error.position + 1);
    return cli_fail(cli, MOULT_D_CLI_CONDITION, want, have);
}

struct wait {
    struct cli *cli;
    struct cli_watching watching;
    const char *path, *until;
    struct moult_selector selector;
    char last[400]; /* the rollout in a line, as last seen */
};

/* The condition does not hold: may it still come true? */
static int judge_end(struct wait *wait, const json_t *rollout, bool *done)
{
    struct cli *cli = wait->cli;
    enum cli_rollout_end how = cli_rollout_end(rollout);
    *done = how == CLI_ROLLOUT_DONE || how == CLI_ROLLOUT_STOPPED ||
            (how == CLI_ROLLOUT_PAUSED && !cli_has(cli, OPT_THROUGH_PAUSES));
    if (!*done) { return CLI_OK; }
    cli_next(cli, cli_text(cli, "moult rollout show %s", cli_member(cli, rollout, "name")));
    const char *have = cli_text(cli, "%s: %s", cli_member(cli, rollout, "state"),
                                cli_member(cli, rollout, "state_reason"));
    if (how == CLI_ROLLOUT_DONE) {
        return cli_fail(cli, MOULT_D_CLI_WAIT_IMPOSSIBLE, wait->until, have);
    }
    return cli_fail(cli, MOULT_D_CLI_ROLLOUT_ENDED, wait->until, have);
}

static int look(struct wait *wait, bool *done)
{
    struct cli *cli = wait->cli;
    json_t *rollout = NULL;
    int code = cli_watching_get(cli, &wait->watching, wait->path, NULL, &rollout);
    *done = code != CLI_OK;
    if (!rollout) { return code; }
    struct moult_selector_subject subject = {.context = rollout, .field = field_value};
    const char *line = cli_rollout_line(cli, rollout);
    if (strncmp(line, wait->last, sizeof wait->last - 1) != 0) {
        cli_say(cli, "%s\n", line);
    }
    /* Only compared and shown: it may be cut. */
    (void)snprintf(wait->last, sizeof wait->last, "%s", line);
    if (moult_selector_matches(&wait->selector, &subject)) {
        *done = true;
        code = cli->global.json ? cli_json(cli, json_incref(rollout)) : CLI_OK;
    } else {
        code = judge_end(wait, rollout, done);
    }
    json_decref(rollout);
    return code;
}

static int run(struct cli *cli)
{
    if (strcmp(cli_argument(cli, 0), "rollout") != 0) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "rollout ROLLOUT after \"wait\"",
                        cli_argument(cli, 0));
    }
    struct wait *wait = cli_alloc(cli, sizeof *wait);
    wait->cli = cli;
    wait->path = cli_text(cli, "/rollouts/%s", cli_escape(cli, cli_argument(cli, 1)));
    wait->until =
        cli_value(cli, OPT_UNTIL) ? cli_value(cli, OPT_UNTIL) : "state = completed";
    int code = parse(cli, wait->until, &wait->selector);
    if (code != CLI_OK) { return code; }
    uint64_t timeout_s = cli_number(cli, OPT_TIMEOUT, TIMEOUT_DEFAULT_S);
    int64_t end_ms = cli_now_ms() + (int64_t)timeout_s * 1000;
    struct cli_block *mark = cli_mark(cli);
    for (;;) {
        bool done = false;
        code = look(wait, &done);
        if (done) { return code; }
        if (cli_now_ms() >= end_ms) {
            cli_next(cli, cli_text(cli, "moult rollout show %s", cli_argument(cli, 1)));
            return cli_fail(cli, MOULT_D_CLI_WAIT_TIMEOUT,
                            cli_text(cli, "%llu s", (unsigned long long)timeout_s),
                            wait->last);
        }
        cli_release(cli, mark);
        cli_pause_ms(INTERVAL_MS);
    }
}

const struct cli_command cli_wait = {
    .noun = "wait",
    .arguments = "rollout ROLLOUT",
    .least = 2,
    .most = 2,
    CLI_OPTIONS(options),
    .run = run,
};
