/* rollout_watch.c - moult rollout watch ROLLOUT: the view of rollout_view.h, kept up to
 * date. */
#include <string.h>
#include <sys/ioctl.h>

#include "cli/remote.h"
#include "cli/rollout_view.h"
#include "cli/watching.h"

#define INTERVAL_MS_DEFAULT 1000u
#define EVENTS_SHOWN 6u    /* latest events under the view */
#define EVENTS_FETCH "100" /* of one look; more come with the next */
#define EVENT_SIZE 200u    /* bytes shown of one */
#define LINE_SIZE 400u     /* bytes of a rollout in one line */

enum { OPT_END_ON_PAUSE, OPT_INTERVAL };

static const struct cli_option options[] = {
    [OPT_END_ON_PAUSE] = {"end-on-pause", 0, NULL,
                          "a pause ends the watch, with exit code 9", CLI_FLAG},
    [OPT_INTERVAL] = {"interval-ms", 0, "MS", "time between two looks (default: 1000)",
                      CLI_NUMBER},
};

struct watch { /* outlives one look, whose memory is given back */
    struct cli *cli;
    struct cli_watching watching;
    const char *path;     /* "/rollouts/<name>" */
    char after[64];       /* id of the last event seen, or "" */
    char line[LINE_SIZE]; /* what was said last, or "" */
    char events[EVENTS_SHOWN][EVENT_SIZE];
    unsigned event_count, lines; /* events shown; lines of the last drawing */
    bool is_live;                /* redraws on a terminal */
};

static unsigned terminal_width(const struct cli *cli)
{
    struct winsize size;
    if (ioctl(fileno(cli->out), TIOCGWINSZ, &size) == 0 && size.ws_col > 20) {
        return size.ws_col;
    }
    return 80;
}

static void keep_event(struct watch *watch, const char *text)
{
    if (watch->event_count == EVENTS_SHOWN) {
        memmove(watch->events[0], watch->events[1], (EVENTS_SHOWN - 1) * EVENT_SIZE);
        watch->event_count--;
    }
    /* A line of a view may be cut. */
    (void)snprintf(watch->events[watch->event_count++], EVENT_SIZE, "%s", text);
}

/* Events of the rollout itself; what single devices do is in the counts. */
static void take_event(struct watch *watch, const json_t *event)
{
    struct cli *cli = watch->cli;
    /* An id has 30 characters. */
    (void)snprintf(watch->after, sizeof watch->after, "%s", cli_member(cli, event, "id"));
    if (cli_member_json(event, "device")) { return; }
    const char *time = cli_member(cli, event, "time");
    const char *kind = cli_member(cli, event, "kind");
    bool is_state = strncmp(kind, "rollout.", 8) == 0; /* its text says why, not what */
    const char *text = cli_text(cli, "%.8s  %s%s%s", strlen(time) > 11 ? time + 11 : time,
                                is_state ? kind + 8 : "", is_state ? ": " : "",
                                cli_member(cli, event, "text"));
    if (watch->is_live) {
        keep_event(watch, text);
    } else if (!cli->global.json) {
        cli_print(cli, "%s\n", text);
    }
}

static int look_at_events(struct watch *watch, const char *rollout)
{
    struct cli *cli = watch->cli;
    json_t *page = NULL;
    struct client_pair query[] = {{"rollout", rollout},
                                  {"after", watch->after[0] != '\0' ? watch->after : NULL},
                                  {"limit", EVENTS_FETCH},
                                  {NULL, NULL}};
    int code = cli_watching_get(cli, &watch->watching, "/events", query, &page);
    if (code != CLI_OK) { return code; }
    size_t index = 0;
    json_t *event = NULL;
    json_array_foreach(json_object_get(page, "items"), index, event)
    {
        take_event(watch, event);
    }
    json_decref(page);
    return CLI_OK;
}

static void draw(struct watch *watch, const json_t *rollout)
{
    struct cli *cli = watch->cli;
    unsigned width = terminal_width(cli);
    if (watch->lines > 0) { cli_print(cli, "\033[%uA\033[J", watch->lines); }
    watch->lines = cli_rollout_view(cli, rollout, width, cli->out);
    for (unsigned i = 0; i < watch->event_count; i++) {
        cli_print(cli, "  %s%.*s%s\n", cli_color(cli, CLI_DIM), (int)width - 3,
                  watch->events[i], cli_color(cli, CLI_PLAIN));
        watch->lines++;
    }
}

static void show(struct watch *watch, json_t *rollout)
{
    struct cli *cli = watch->cli;
    const char *line = cli_rollout_line(cli, rollout);
    bool changed = strncmp(line, watch->line, LINE_SIZE - 1) != 0;
    /* Only compared: a cut at the same place is the same line. */
    (void)snprintf(watch->line, LINE_SIZE, "%s", line);
    if (cli->global.json) {
        if (changed) { cli_json_line(cli, json_incref(rollout)); }
    } else if (watch->is_live) {
        draw(watch, rollout);
    } else if (changed) {
        cli_print(cli, "%s\n", line);
    }
    /* A reader at the other end of a pipe sees it now; a broken pipe shows at the end. */
    (void)fflush(cli->out);
}

/* Not live: the whole view once, so that a log says why it ended. */
static int end(struct watch *watch, const json_t *rollout)
{
    struct cli *cli = watch->cli;
    if (!watch->is_live && !cli->global.json) {
        watch->lines = cli_rollout_view(cli, rollout, 0, cli->out);
    }
    if (cli_rollout_end(rollout) == CLI_ROLLOUT_DONE) { return CLI_OK; }
    const char *name = cli_member(cli, rollout, "name");
    cli_next(cli,
             cli_text(cli, "moult rollout show --devices %s, then moult why DEVICE", name));
    return cli_fail(cli, MOULT_D_CLI_ROLLOUT_ENDED, "completed",
                    cli_text(cli, "%s: %s", cli_member(cli, rollout, "state"),
                             cli_member(cli, rollout, "state_reason")));
}

static bool is_over(const struct cli *cli, const json_t *rollout)
{
    enum cli_rollout_end how = cli_rollout_end(rollout);
    return how == CLI_ROLLOUT_DONE || how == CLI_ROLLOUT_STOPPED ||
           (how == CLI_ROLLOUT_PAUSED && cli_has(cli, OPT_END_ON_PAUSE));
}

/* One look. *done: the watch is over, with the code that is returned. */
static int look(struct watch *watch, bool *done)
{
    struct cli *cli = watch->cli;
    json_t *rollout = NULL;
    int code = cli_watching_get(cli, &watch->watching, watch->path, NULL, &rollout);
    *done = code != CLI_OK;
    if (!rollout) { return code; }
    code = look_at_events(watch, cli_member(cli, rollout, "id"));
    *done = code != CLI_OK;
    if (code == CLI_OK) {
        show(watch, rollout);
        *done = is_over(cli, rollout);
        if (*done) { code = end(watch, rollout); }
    }
    json_decref(rollout);
    return code;
}

static int run(struct cli *cli)
{
    struct watch watch = {
        .cli = cli,
        .path = cli_text(cli, "/rollouts/%s", cli_escape(cli, cli_argument(cli, 0))),
        .is_live = cli->out_is_terminal && !cli->global.json,
    };
    struct cli_block *mark = cli_mark(cli);
    for (;;) {
        bool done = false;
        int code = look(&watch, &done);
        if (done || ferror(cli->out)) { return code; }
        cli_release(cli, mark);
        cli_pause_ms(cli_number(cli, OPT_INTERVAL, INTERVAL_MS_DEFAULT));
    }
}

const struct cli_command cli_rollout_watch = {
    .noun = "rollout",
    .verb = "watch",
    .arguments = "ROLLOUT",
    .least = 1,
    .most = 1,
    CLI_OPTIONS(options),
    .run = run,
};
