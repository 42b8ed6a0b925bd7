/* given.c - what the user gave; see cli.h. */
#include <assert.h>

#include "cli/cli.h"

bool cli_has(const struct cli *cli, unsigned option)
{
    assert(option < cli->command->option_count);
    return cli->given[option].count > 0;
}

const char *cli_value(const struct cli *cli, unsigned option)
{
    assert(cli->command->options[option].kind != CLI_FLAG);
    const struct cli_given *given = &cli->given[option];
    return given->count > 0 ? given->text[given->count - 1] : NULL;
}

uint64_t cli_number(const struct cli *cli, unsigned option, uint64_t otherwise)
{
    assert(cli->command->options[option].kind == CLI_NUMBER ||
           cli->command->options[option].kind == CLI_DURATION);
    return cli_has(cli, option) ? cli->given[option].number : otherwise;
}

unsigned cli_count(const struct cli *cli, unsigned option)
{
    assert(option < cli->command->option_count);
    return cli->given[option].count;
}

const char *cli_item(const struct cli *cli, unsigned option, unsigned index)
{
    assert(index < cli->given[option].count);
    return cli->given[option].text[index];
}

const char *cli_argument(const struct cli *cli, unsigned index)
{
    return index < cli->argument_count ? cli->arguments[index] : NULL;
}
