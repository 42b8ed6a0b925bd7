/* parse.c - see parse.h. */
#include "cli/parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"

enum {
    GLOBAL_JSON,
    GLOBAL_QUIET,
    GLOBAL_NO_COLOR,
    GLOBAL_YES,
    GLOBAL_PROFILE,
    GLOBAL_SERVER,
    GLOBAL_HELP
};

static const struct cli_option global_options[] = {
    [GLOBAL_JSON] = {"json", 0, NULL, "one JSON document on stdout", CLI_FLAG},
    [GLOBAL_QUIET] = {"quiet", 'q', NULL, "no talk on stderr, only warnings and errors",
                      CLI_FLAG},
    [GLOBAL_NO_COLOR] = {"no-color", 0, NULL,
                         "no colours (also: NO_COLOR in the environment)", CLI_FLAG},
    [GLOBAL_YES] = {"yes", 'y', NULL, "do not ask back", CLI_FLAG},
    [GLOBAL_PROFILE] =
        {"profile", 0, "NAME",
         "server and token to use (also: MOULT_PROFILE); see moult help login", CLI_TEXT},
    [GLOBAL_SERVER] = {"server", 0, "URL", "server to use (also: MOULT_SERVER)", CLI_TEXT},
    [GLOBAL_HELP] = {"help", 'h', NULL, "this page", CLI_FLAG},
};

const struct cli_option *cli_global_options(size_t *count)
{
    *count = sizeof global_options / sizeof global_options[0];
    return global_options;
}

struct word { /* one argv item that is an option, taken apart */
    const struct cli_option *option;
    bool is_global;
    unsigned index;
    const char *value; /* from --name=value or -nvalue, or NULL */
};

static int usage(struct cli *cli, const char *want, const char *have)
{
    char name[64] = "";
    if (cli->command) { cli_command_name(cli->command, name, sizeof name); }
    if (!cli->next) {
        cli_next(cli, cli->command ? cli_text(cli, "moult %s --help", name) : "moult help");
    }
    return cli_fail(cli, MOULT_D_CLI_USAGE, want, have);
}

static const struct cli_option *find_long(const struct cli_option *options, size_t count,
                                          const char *name, size_t size, unsigned *index)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(options[i].name) == size && memcmp(options[i].name, name, size) == 0) {
            *index = (unsigned)i;
            return &options[i];
        }
    }
    return NULL;
}

static const struct cli_option *find_letter(const struct cli_option *options, size_t count,
                                            char letter, unsigned *index)
{
    for (size_t i = 0; i < count; i++) {
        if (options[i].letter != 0 && options[i].letter == letter) {
            *index = (unsigned)i;
            return &options[i];
        }
    }
    return NULL;
}

static const struct cli_option *find_option(const struct cli_option *options, size_t count,
                                            const char *text, struct word *word)
{
    if (text[1] != '-') {
        word->value = text[2] != '\0' ? text + 2 : NULL;
        return find_letter(options, count, text[1], &word->index);
    }
    const char *equal = strchr(text, '=');
    size_t size = equal ? (size_t)(equal - text) - 2 : strlen(text) - 2;
    word->value = equal ? equal + 1 : NULL;
    return find_long(options, count, text + 2, size, &word->index);
}

/* The command's own options come first, so that one may give a global letter its own
 * meaning. */
static bool look_up(const struct cli *cli, const char *text, struct word *word)
{
    const struct cli_command *command = cli->command;
    *word = (struct word){0};
    if (command && command->option_count > 0) {
        word->option = find_option(command->options, command->option_count, text, word);
        if (word->option) { return true; }
    }
    size_t count = 0;
    const struct cli_option *options = cli_global_options(&count);
    word->option = find_option(options, count, text, word);
    word->is_global = true;
    return word->option != NULL;
}

static void nearest_in(const struct cli_option *options, size_t count, const char *name,
                       const char **best, unsigned *best_distance)
{
    for (size_t i = 0; i < count; i++) {
        unsigned distance = cli_edit_distance(name, options[i].name);
        if (distance < *best_distance) {
            *best = options[i].name;
            *best_distance = distance;
        }
    }
}

static int unknown_option(struct cli *cli, const char *text)
{
    char name[64] = "moult";
    if (cli->command) { cli_command_name(cli->command, name, sizeof name); }
    const char *best = NULL;
    unsigned distance = 3;
    size_t count = 0;
    const struct cli_option *options = cli_global_options(&count);
    const char *bare = text[1] == '-' ? text + 2 : text + 1;
    nearest_in(options, count, bare, &best, &distance);
    if (cli->command && cli->command->option_count > 0) {
        nearest_in(cli->command->options, cli->command->option_count, bare, &best,
                   &distance);
    }
    return usage(cli,
                 best ? cli_text(cli, "an option of \"%s\" (--%s?)", name, best)
                      : cli_text(cli, "an option of \"%s\"", name),
                 text);
}

static int set_global(struct cli *cli, unsigned index, const char *value)
{
    switch (index) {
    case GLOBAL_JSON:
        cli->global.json = true;
        break;
    case GLOBAL_QUIET:
        cli->global.quiet = true;
        break;
    case GLOBAL_NO_COLOR:
        cli->global.no_color = true;
        break;
    case GLOBAL_YES:
        cli->global.yes = true;
        break;
    case GLOBAL_PROFILE:
        cli->global.profile = value;
        break;
    case GLOBAL_SERVER:
        cli->global.server = value;
        break;
    default:
        cli->global.help = true;
        break;
    }
    return CLI_OK;
}

static bool read_number(const char *text, uint64_t *number)
{
    if (text[0] < '0' || text[0] > '9') { return false; } /* strtoull would take "-1" */
    bool is_hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    char *end = NULL;
    errno = 0;
    *number = strtoull(text, &end, is_hex ? 16 : 10);
    return errno == 0 && *end == '\0' && end != text;
}

static int set_own(struct cli *cli, const struct word *word, const char *value)
{
    struct cli_given *given = &cli->given[word->index];
    const char *name = word->option->name;
    if (given->count >= CLI_REPEAT_MAX) {
        return usage(cli, cli_text(cli, "--%s at most %u times", name, CLI_REPEAT_MAX),
                     "more");
    }
    if (value && strlen(value) > CLI_VALUE_MAX) {
        return usage(cli, cli_text(cli, "at most %u bytes for --%s", CLI_VALUE_MAX, name),
                     cli_text(cli, "%zu", strlen(value)));
    }
    if (word->option->kind == CLI_NUMBER && !read_number(value, &given->number)) {
        return usage(cli, cli_text(cli, "a number for --%s", name), value);
    }
    if (word->option->kind == CLI_DURATION &&
        cli_parse_duration(value, &given->number) != MOULT_OK) {
        return usage(cli, cli_text(cli, "a duration (90, 90s, 10m, 2h, 3d) for --%s", name),
                     value);
    }
    if (word->option->kind != CLI_LIST && word->option->kind != CLI_FLAG) {
        given->count = 0;
    }
    given->text[given->count++] = value;
    return CLI_OK;
}

/* One option at argv[*at]; moves *at over a value in the next item. */
static int take_option(struct cli *cli, int argc, char **argv, int *at)
{
    struct word word;
    const char *text = argv[*at];
    if (!look_up(cli, text, &word)) { return unknown_option(cli, text); }
    if (word.option->kind == CLI_FLAG) {
        if (word.value) {
            return usage(cli, cli_text(cli, "--%s without a value", word.option->name),
                         text);
        }
    } else if (!word.value) {
        if (*at + 1 >= argc) {
            return usage(cli, cli_text(cli, "%s after %s", word.option->argument, text),
                         "nothing");
        }
        word.value = argv[++*at];
    }
    return word.is_global ? set_global(cli, word.index, word.value)
                          : set_own(cli, &word, word.value);
}

static bool is_option(const char *text)
{
    return text[0] == '-' && text[1] != '\0'; /* "-" alone is stdin, an argument */
}

static int no_such_command(struct cli *cli, const char *noun, const char *verb)
{
    if (!cli_noun_exists(noun)) {
        const char *near = cli_nearest_name(NULL, noun);
        return usage(cli, near ? cli_text(cli, "a command (%s?)", near) : "a command",
                     noun);
    }
    const char *near = verb ? cli_nearest_name(noun, verb) : NULL;
    cli_next(cli, cli_text(cli, "moult help %s", noun));
    const char *want = near ? cli_text(cli, "a verb of \"%s\" (%s?)", noun, near)
                            : cli_text(cli, "a verb of \"%s\"", noun);
    return usage(cli, want, verb ? verb : "nothing");
}

/* `moult help`, `moult help NOUN`, `moult help NOUN VERB`, `moult NOUN --help`. */
static int find_help(struct cli *cli, const char *noun, const char *verb)
{
    cli->global.help = true;
    if (!noun) { return CLI_OK; }
    cli->command = cli_command_find(noun, verb);
    if (cli->command) { return CLI_OK; }
    if (!cli_noun_exists(noun) || verb) { return no_such_command(cli, noun, verb); }
    cli->arguments[0] = noun;
    cli->argument_count = 1;
    return CLI_OK;
}

/* Options before the noun, the noun, options between, the verb. Sets *at behind them. */
static int find_command(struct cli *cli, int argc, char **argv, int *at)
{
    const char *name[3] = {NULL, NULL, NULL};
    unsigned names = 0;
    for (; *at < argc && names < 3; ++*at) {
        if (is_option(argv[*at])) {
            int code = take_option(cli, argc, argv, at);
            if (code != CLI_OK) { return code; }
            continue;
        }
        name[names++] = argv[*at];
        if (names == 1 && strcmp(name[0], "help") == 0) { continue; }
        bool is_help = strcmp(name[0], "help") == 0;
        if (is_help ? names == 3 : names == 2) {
            ++*at;
            break;
        }
        if (!is_help && (cli->command = cli_command_find(name[0], NULL)) != NULL) {
            ++*at;
            return CLI_OK;
        }
    }
    if (name[0] && strcmp(name[0], "help") == 0) {
        return find_help(cli, name[1], name[2]);
    }
    if (!name[0] || (cli->global.help && !name[1])) {
        return find_help(cli, name[0], NULL);
    }
    cli->command = cli_command_find(name[0], name[1]);
    return cli->command ? CLI_OK : no_such_command(cli, name[0], name[1]);
}

static int check_arguments(struct cli *cli)
{
    const struct cli_command *command = cli->command;
    unsigned count = cli->argument_count;
    if (count >= command->least && count <= command->most) { return CLI_OK; }
    char name[64];
    cli_command_name(command, name, sizeof name);
    const char *want = command->arguments
                           ? cli_text(cli, "%s after \"%s\"", command->arguments, name)
                           : cli_text(cli, "no argument after \"%s\"", name);
    return usage(cli, want,
                 count > command->most
                     ? cli->arguments[command->most]
                     : cli_text(cli, "%u argument%s", count, count == 1 ? "" : "s"));
}

/* --json decides how errors look, so it must be known before the first one. */
static void look_for_json(struct cli *cli, int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0) { cli->global.json = true; }
    }
}

int cli_parse(struct cli *cli, int argc, char **argv)
{
    int at = 0;
    look_for_json(cli, argc, argv);
    int code = find_command(cli, argc, argv, &at);
    if (code != CLI_OK || !cli->command) { return code; }
    bool options_end = false;
    for (; at < argc; at++) {
        if (!options_end && strcmp(argv[at], "--") == 0) {
            options_end = true;
        } else if (!options_end && is_option(argv[at])) {
            code = take_option(cli, argc, argv, &at);
            if (code != CLI_OK) { return code; }
        } else if (cli->argument_count >= CLI_REPEAT_MAX) {
            return usage(cli, cli_text(cli, "at most %u arguments", CLI_REPEAT_MAX),
                         "more");
        } else {
            cli->arguments[cli->argument_count++] = argv[at];
        }
    }
    return cli->global.help ? CLI_OK : check_arguments(cli);
}
