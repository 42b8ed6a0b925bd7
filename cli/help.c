/* help.c - see help.h. */
#include "cli/help.h"

#include <string.h>

#include "cli/commands.h"
#include "cli/parse.h"

static const struct cli_page *find_page(const char *name)
{
    size_t count = 0;
    const struct cli_page *pages = cli_pages(&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(pages[i].name, name) == 0) { return &pages[i]; }
    }
    return NULL;
}

const struct cli_page *cli_page_find(const struct cli_command *command)
{
    char name[64];
    cli_command_name(command, name, sizeof name);
    for (char *p = name; *p != '\0'; p++) {
        if (*p == ' ') { *p = '-'; }
    }
    return find_page(name);
}

/* A page is: "# moult noun verb", an empty line, the summary, more. */
const char *cli_page_summary(const struct cli_page *page)
{
    if (!page) { return ""; }
    for (size_t i = 0; page->lines[i]; i++) {
        if (page->lines[i][0] != '#' && page->lines[i][0] != '\0') {
            return page->lines[i];
        }
    }
    return "";
}

static void print_option(struct cli *cli, const struct cli_option *option)
{
    const char *letter =
        option->letter != 0 ? cli_text(cli, "-%c, ", option->letter) : "    ";
    const char *left =
        cli_text(cli, "%s--%s%s%s", letter, option->name, option->argument ? " " : "",
                 option->argument ? option->argument : "");
    cli_print(cli, "  %-26s %s%s\n", left, option->help,
              option->kind == CLI_LIST ? " (may be repeated)" : "");
}

static void print_options(struct cli *cli, const struct cli_command *command)
{
    if (command && command->option_count > 0) {
        cli_print(cli, "%sOptions%s\n", cli_color(cli, CLI_BOLD),
                  cli_color(cli, CLI_PLAIN));
        for (size_t i = 0; i < command->option_count; i++) {
            print_option(cli, &command->options[i]);
        }
        cli_print(cli, "\n");
    }
    cli_print(cli, "%sOptions of every command%s\n", cli_color(cli, CLI_BOLD),
              cli_color(cli, CLI_PLAIN));
    size_t count = 0;
    const struct cli_option *options = cli_global_options(&count);
    for (size_t i = 0; i < count; i++) {
        print_option(cli, &options[i]);
    }
}

static void print_usage(struct cli *cli, const struct cli_command *command)
{
    char name[64];
    cli_command_name(command, name, sizeof name);
    cli_print(cli, "Usage: moult %s%s%s%s\n\n", name,
              command->option_count > 0 ? " [OPTIONS]" : "", command->arguments ? " " : "",
              command->arguments ? command->arguments : "");
}

/* Markdown as a terminal likes it: headings bold, no backticks around words. */
static void print_line(struct cli *cli, const char *line)
{
    if (line[0] == '#') {
        while (*line == '#') {
            line++;
        }
        cli_print(cli, "%s%s%s\n", cli_color(cli, CLI_BOLD), line + 1,
                  cli_color(cli, CLI_PLAIN));
        return;
    }
    bool is_code = strncmp(line, "    ", 4) == 0;
    for (; *line != '\0'; line++) {
        if (*line != '`' || is_code) { cli_print(cli, "%c", *line); }
    }
    cli_print(cli, "\n");
}

static void help_of_command(struct cli *cli)
{
    const struct cli_page *page = cli_page_find(cli->command);
    print_usage(cli, cli->command);
    bool options_done = false;
    for (size_t i = 0; page && page->lines[i]; i++) {
        const char *line = page->lines[i];
        if (line[0] == '#' && line[1] == ' ') { continue; } /* the usage says it already */
        if (i == 1 && line[0] == '\0') { continue; }
        if (strcmp(line, "## Examples") == 0) {
            print_options(cli, cli->command);
            cli_print(cli, "\n");
            options_done = true;
        }
        print_line(cli, line);
    }
    if (!options_done) { print_options(cli, cli->command); }
}

static void list_commands(struct cli *cli, const char *noun)
{
    size_t count = 0;
    const struct cli_command *const *commands = cli_commands(&count);
    for (size_t i = 0; i < count; i++) {
        if (noun && strcmp(commands[i]->noun, noun) != 0) { continue; }
        char name[64];
        cli_command_name(commands[i], name, sizeof name);
        cli_print(cli, "  %-20s %s\n", name, cli_page_summary(cli_page_find(commands[i])));
    }
}

/* What holds for every command: streams, profiles, exit codes. */
static void print_program_page(struct cli *cli)
{
    const struct cli_page *page = find_page("moult");
    for (size_t i = 2; page && page->lines[i]; i++) {
        print_line(cli, page->lines[i]);
    }
}

int cli_help(struct cli *cli)
{
    cli->global.json = false; /* help is for people */
    if (cli->command) {
        help_of_command(cli);
        return CLI_OK;
    }
    const char *noun = cli_argument(cli, 0);
    cli_print(cli, "Usage: moult %s VERB [OPTIONS] [ARGUMENTS]\n\n", noun ? noun : "NOUN");
    list_commands(cli, noun);
    if (!noun) {
        cli_print(cli, "\n");
        print_options(cli, NULL);
        print_program_page(cli);
    }
    cli_print(cli, "\nMore: moult help %s\n", noun ? noun : "NOUN VERB");
    return CLI_OK;
}
