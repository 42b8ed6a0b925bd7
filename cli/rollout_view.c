/* rollout_view.c - see rollout_view.h. */
#include "cli/rollout_view.h"

#include <string.h>

#include "cli/remote.h"

/* In the order of an update's life, so that counts read from left to right. */
static const struct state {
    const char *name, *words;
} states[] = {
    {"planned", "waiting"},
    {"offered", "offered"},
    {"awaiting_consent", "awaiting consent"},
    {"downloading", "downloading"},
    {"written", "written"},
    {"verified", "verified"},
    {"rebooting", "rebooting"},
    {"trial", "on trial"},
    {"soaking", "soaking"},
    {"confirmed", "confirmed"},
    {"staged", "staged"},
    {"rolled_back", "rolled back"},
    {"failed", "failed"},
    {"silent", "silent"},
    {"superseded", "superseded"},
    {"cancelled", "cancelled"},
};

enum cli_rollout_end cli_rollout_end(const json_t *rollout)
{
    const char *state = json_string_value(json_object_get(rollout, "state"));
    if (!state) { return CLI_ROLLOUT_GOES_ON; }
    if (strcmp(state, "completed") == 0) { return CLI_ROLLOUT_DONE; }
    if (strcmp(state, "paused") == 0) { return CLI_ROLLOUT_PAUSED; }
    bool stopped = strcmp(state, "aborted") == 0 || strcmp(state, "rolled_back") == 0 ||
                   strcmp(state, "rolling_back") == 0;
    return stopped ? CLI_ROLLOUT_STOPPED : CLI_ROLLOUT_GOES_ON;
}

unsigned cli_rollout_phase(const json_t *rollout)
{
    size_t index = 0;
    const json_t *phase = NULL;
    unsigned opened = 0;
    json_array_foreach(json_object_get(rollout, "phases"), index, phase)
    {
        const char *state = json_string_value(json_object_get(phase, "state"));
        if (state && strcmp(state, "waiting") != 0) { opened = (unsigned)index + 1; }
    }
    return opened;
}

static uint64_t cells_of(uint64_t count, uint64_t target)
{
    uint64_t cells = count * CLI_VIEW_BAR / target;
    return count > 0 && cells == 0 ? 1 : cells;
}

void cli_rollout_bar(uint64_t target, uint64_t confirmed, uint64_t failed, uint64_t busy,
                     char *out)
{
    const struct {
        uint64_t count;
        char cell;
    } part[] = {{confirmed, '#'}, {failed, 'x'}, {busy, '>'}};
    memset(out, '.', CLI_VIEW_BAR);
    out[CLI_VIEW_BAR] = '\0';
    if (target == 0) { return; }
    uint64_t at = 0;
    for (size_t i = 0; i < sizeof part / sizeof part[0]; i++) {
        uint64_t cells = cells_of(part[i].count < target ? part[i].count : target, target);
        for (; cells > 0 && at < CLI_VIEW_BAR; cells--) {
            out[at++] = part[i].cell;
        }
    }
}

static const char *rule_words(struct cli *cli, const json_t *phase)
{
    const json_t *rule = cli_member_json(phase, "rule");
    if (json_is_true(json_object_get(rule, "rest"))) { return "rest"; }
    if (cli_member_json(rule, "count")) {
        return cli_text(cli, "%s devices", cli_member(cli, rule, "count"));
    }
    return cli_text(cli, "%s %%", cli_member(cli, rule, "percent"));
}

struct sink { /* where the view goes, and how far it got */
    struct cli *cli;
    FILE *out;
    unsigned width, lines;
};

/* One line, cut at the terminal's width: a wrapped line would spoil the redrawing. */
static void put(struct sink *sink, enum cli_color color, const char *text)
{
    int size = (int)strlen(text);
    if (sink->width > 0 && size > (int)sink->width - 1) { size = (int)sink->width - 1; }
    /* The screen is drawn again in a moment; a lost line comes back. */
    (void)fprintf(sink->out, "%s%.*s%s\n",
                  color == CLI_PLAIN ? "" : cli_color(sink->cli, color), size, text,
                  color == CLI_PLAIN ? "" : cli_color(sink->cli, CLI_PLAIN));
    sink->lines++;
}

static uint64_t count_of(const json_t *object, const char *name)
{
    int64_t number = cli_member_number(object, name);
    return number > 0 ? (uint64_t)number : 0;
}

static void put_phase(struct sink *sink, size_t index, const json_t *phase)
{
    struct cli *cli = sink->cli;
    char bar[CLI_VIEW_BAR + 1];
    uint64_t confirmed = count_of(phase, "confirmed");
    uint64_t failed = count_of(phase, "failed"); /* silent ones are in it */
    uint64_t attempted = count_of(phase, "attempted");
    uint64_t ended = confirmed + failed;
    uint64_t busy = attempted > ended ? attempted - ended : 0;
    cli_rollout_bar(count_of(phase, "target"), confirmed, failed, busy, bar);
    const char *state = cli_member(cli, phase, "state");
    const char *words = cli_member(cli, phase, "gate.words");
    bool is_waiting = strcmp(state, "waiting") == 0;
    enum cli_color color = strcmp(state, "passed") == 0   ? CLI_GREEN
                           : strcmp(state, "failed") == 0 ? CLI_RED
                           : is_waiting                   ? CLI_DIM
                                                          : CLI_PLAIN;
    put(sink, color,
        cli_text(cli, "  phase %zu  %-10s [%s] %3llu/%-3s %-8s %s", index + 1,
                 rule_words(cli, phase), bar, (unsigned long long)confirmed,
                 cli_member(cli, phase, "target"), state, is_waiting ? "" : words));
}

static const char *counts_words(struct cli *cli, const json_t *rollout)
{
    const char *words = "";
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        uint64_t count = count_of(cli_member_json(rollout, "counts"), states[i].name);
        if (count == 0) { continue; }
        words = cli_text(cli, "%s%s%llu %s", words, words[0] != '\0' ? ", " : "",
                         (unsigned long long)count, states[i].words);
    }
    return words[0] != '\0' ? words : "no device yet";
}

static enum cli_color state_color(const json_t *rollout)
{
    switch (cli_rollout_end(rollout)) {
    case CLI_ROLLOUT_DONE:
        return CLI_GREEN;
    case CLI_ROLLOUT_STOPPED:
    case CLI_ROLLOUT_PAUSED:
        return CLI_RED;
    default:
        return CLI_BOLD;
    }
}

unsigned cli_rollout_view(struct cli *cli, const json_t *rollout, unsigned width, FILE *out)
{
    struct sink sink = {.cli = cli, .out = out, .width = width};
    put(&sink, CLI_BOLD,
        cli_text(cli, "%s: version %s for %s devices (%s)",
                 cli_member(cli, rollout, "name"), cli_member(cli, rollout, "version"),
                 cli_member(cli, rollout, "target"), cli_member(cli, rollout, "selector")));
    put(&sink, state_color(rollout),
        cli_text(cli, "  %s %s: %s", cli_member(cli, rollout, "state"),
                 cli_ago(cli, cli_member(cli, rollout, "state_since")),
                 cli_member(cli, rollout, "state_reason")));
    size_t index = 0;
    const json_t *item = NULL;
    json_array_foreach((json_t *)cli_member_json(rollout, "phases"), index, item)
    {
        put_phase(&sink, index, item);
    }
    put(&sink, CLI_PLAIN, cli_text(cli, "  %s", counts_words(cli, rollout)));
    json_array_foreach((json_t *)cli_member_json(rollout, "failures"), index, item)
    {
        put(&sink, CLI_RED,
            cli_text(cli, "  %s x %s %s: %s", cli_member(cli, item, "count"),
                     cli_member(cli, item, "reason"), cli_member(cli, item, "name"),
                     cli_member(cli, item, "words")));
    }
    return sink.lines;
}

const char *cli_rollout_line(struct cli *cli, const json_t *rollout)
{
    return cli_text(cli, "%s, phase %u of %zu: %s", cli_member(cli, rollout, "state"),
                    cli_rollout_phase(rollout),
                    json_array_size(cli_member_json(rollout, "phases")),
                    counts_words(cli, rollout));
}
