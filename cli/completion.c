/* completion.c - moult completion SHELL: the script is made from the command table. */
#include <string.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/parse.h"

static void print_global_options(struct cli *cli)
{
    size_t count = 0;
    const struct cli_option *options = cli_global_options(&count);
    for (size_t i = 0; i < count; i++) {
        cli_print(cli, " --%s", options[i].name);
    }
}

static bool is_first_of_noun(const struct cli_command *const *commands, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(commands[i]->noun, commands[index]->noun) == 0) { return false; }
    }
    return true;
}

static void print_nouns(struct cli *cli)
{
    size_t count = 0;
    const struct cli_command *const *commands = cli_commands(&count);
    for (size_t i = 0; i < count; i++) {
        if (is_first_of_noun(commands, i)) { cli_print(cli, " %s", commands[i]->noun); }
    }
}

static void print_verbs(struct cli *cli, const char *noun)
{
    size_t count = 0;
    const struct cli_command *const *commands = cli_commands(&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(commands[i]->noun, noun) == 0 && commands[i]->verb) {
            cli_print(cli, " %s", commands[i]->verb);
        }
    }
}

static void print_options_of(struct cli *cli, const struct cli_command *command)
{
    for (size_t i = 0; i < command->option_count; i++) {
        cli_print(cli, " --%s", command->options[i].name);
    }
}

/* Word lists by command, in the syntax bash and zsh share. */
static void print_cases(struct cli *cli)
{
    size_t count = 0;
    const struct cli_command *const *commands = cli_commands(&count);
    cli_print(cli, "    case \"$noun $verb\" in\n");
    for (size_t i = 0; i < count; i++) {
        cli_print(cli, "    \"%s %s\"*) options=\"", commands[i]->noun,
                  commands[i]->verb ? commands[i]->verb : "");
        print_options_of(cli, commands[i]);
        cli_print(cli, "\" ;;\n");
    }
    cli_print(cli, "    esac\n    case \"$noun\" in\n");
    for (size_t i = 0; i < count; i++) {
        if (!commands[i]->verb || !is_first_of_noun(commands, i)) { continue; }
        cli_print(cli, "    %s) verbs=\"", commands[i]->noun);
        print_verbs(cli, commands[i]->noun);
        cli_print(cli, "\" ;;\n");
    }
    cli_print(cli, "    esac\n");
}

static void print_bash(struct cli *cli)
{
    cli_print(cli,
              "# bash completion for moult: moult completion bash > "
              "~/.local/share/bash-completion/completions/moult\n"
              "_moult() {\n    local word=${COMP_WORDS[COMP_CWORD]} noun=${COMP_WORDS[1]} "
              "verb=${COMP_WORDS[2]} options= verbs=\n    COMPREPLY=()\n");
    print_cases(cli);
    cli_print(cli,
              "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        COMPREPLY=($(compgen -W \"");
    print_nouns(cli);
    cli_print(
        cli,
        "\" -- \"$word\"))\n    elif [ \"$COMP_CWORD\" -eq 2 ] && [ -n \"$verbs\" ]; then\n"
        "        COMPREPLY=($(compgen -W \"$verbs\" -- \"$word\"))\n"
        "    elif [ \"${word#-}\" != \"$word\" ]; then\n"
        "        COMPREPLY=($(compgen -W \"$options");
    print_global_options(cli);
    cli_print(cli, "\" -- \"$word\"))\n    else\n"
                   "        COMPREPLY=($(compgen -f -- \"$word\"))\n    fi\n}\n"
                   "complete -o filenames -F _moult moult\n");
}

static void print_zsh(struct cli *cli)
{
    cli_print(cli, "#compdef moult\n# zsh completion for moult: moult completion zsh > "
                   "_moult, in a folder of $fpath\n"
                   "_moult() {\n    local noun=$words[2] verb=$words[3] options= verbs=\n");
    print_cases(cli);
    cli_print(cli, "    if (( CURRENT == 2 )); then\n        compadd -- ");
    print_nouns(cli);
    cli_print(cli,
              "\n    elif (( CURRENT == 3 )) && [[ -n $verbs ]]; then\n"
              "        compadd -- ${=verbs}\n"
              "    elif [[ $words[CURRENT] == -* ]]; then\n        compadd -- ${=options}");
    print_global_options(cli);
    cli_print(cli,
              "\n    else\n        _files\n    fi\n}\n"
              "if [ \"$funcstack[1]\" = _moult ]; then _moult \"$@\"; else compdef _moult "
              "moult; fi\n");
}

static void print_fish_command(struct cli *cli, const struct cli_command *command)
{
    const char *seen = command->verb ? "__fish_seen_subcommand_from" : NULL;
    if (command->verb) {
        cli_print(cli,
                  "complete -c moult -n '__fish_seen_subcommand_from %s; and test (count "
                  "(commandline -opc)) -eq 2' -f -a %s -d \"%s\"\n",
                  command->noun, command->verb, cli_page_summary(cli_page_find(command)));
    }
    for (size_t i = 0; i < command->option_count; i++) {
        const struct cli_option *option = &command->options[i];
        cli_print(cli,
                  "complete -c moult -n '__fish_seen_subcommand_from %s%s%s%s' -l %s%s -d "
                  "\"%s\"\n",
                  command->noun, seen ? "; and " : "", seen ? seen : "",
                  seen ? cli_text(cli, " %s", command->verb) : "", option->name,
                  option->kind == CLI_FLAG ? "" : " -r", option->help);
    }
}

static void print_fish(struct cli *cli)
{
    cli_print(cli, "# fish completion for moult: moult completion fish > "
                   "~/.config/fish/completions/moult.fish\n");
    cli_print(cli, "complete -c moult -n __fish_use_subcommand -f -a \"");
    print_nouns(cli);
    cli_print(cli, "\"\n");
    size_t count = 0;
    const struct cli_command *const *commands = cli_commands(&count);
    for (size_t i = 0; i < count; i++) {
        print_fish_command(cli, commands[i]);
    }
    const struct cli_option *options = cli_global_options(&count);
    for (size_t i = 0; i < count; i++) {
        cli_print(cli, "complete -c moult -l %s -d \"%s\"\n", options[i].name,
                  options[i].help);
    }
}

static int run(struct cli *cli)
{
    static const struct {
        const char *name;
        void (*print)(struct cli *cli);
    } shell[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
    cli->global.json = false; /* a script is what was asked for */
    for (size_t i = 0; i < sizeof shell / sizeof shell[0]; i++) {
        if (strcmp(cli_argument(cli, 0), shell[i].name) != 0) { continue; }
        shell[i].print(cli);
        return CLI_OK;
    }
    return cli_fail(cli, MOULT_D_CLI_USAGE, "bash, zsh or fish", cli_argument(cli, 0));
}

const struct cli_command cli_completion = {
    .noun = "completion",
    .arguments = "bash|zsh|fish",
    .least = 1,
    .most = 1,
    .run = run,
};
