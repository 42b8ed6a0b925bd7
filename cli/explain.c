/* explain.c - moult explain CODE: what a code means and what to do, without a network. */
#include <string.h>

#include "cli/cli.h"
#include "cli/error_pages.h"

static const char *class_words(char letter)
{
    static const struct {
        char letter;
        const char *words;
    } row[] = {
        {'T', "transport"}, {'D', "device condition"}, {'A', "authenticity"},
        {'F', "firmware"},  {'P', "policy"},           {'S', "server-derived"},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        if (row[i].letter == letter) { return row[i].words; }
    }
    return "unknown";
}

static int explain_as_json(struct cli *cli, const char *code, const char *reason,
                           const struct moult_code_info *info, const char *page)
{
    char letter[2] = {info->class_letter, '\0'};
    return cli_json(
        cli, json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:s*}", "code", code, "name",
                       info->name, "reason", reason, "class", letter, "retry", info->retry,
                       "status", moult_status_name(info->status), "words", info->words,
                       "next", info->next, "exit", (int)info->exit, "page", page));
}

static int run(struct cli *cli)
{
    const char *text = cli_argument(cli, 0);
    char letter = 0;
    uint16_t number = 0;
    if (moult_code_parse(text, &letter, &number) != MOULT_OK) {
        return cli_fail(cli, MOULT_D_CLI_CODE, "E0902, R107 or PRE_BUSY", text);
    }
    const struct moult_code_info *info =
        letter == 'E' ? moult_detail_info(number) : moult_reason_info(number);
    char code[8];
    char reason[8];
    moult_code_format(letter, info->code, code);
    moult_code_format('R', info->reason, reason);
    const char *page = moult_error_page(letter, number);
    if (cli->global.json) { return explain_as_json(cli, code, reason, info, page); }
    if (page) {
        cli_print(cli, "%s", page);
    } else { /* only a build without docs/errors has no page */
        cli_print(cli, "%s %s\n\n%s\n\nclass: %s, retry: %s\nnext: %s\n", code, info->name,
                  info->words, class_words(info->class_letter), info->retry, info->next);
    }
    return CLI_OK;
}

const struct cli_command cli_explain = {
    .noun = "explain",
    .arguments = "CODE",
    .least = 1,
    .most = 1,
    .run = run,
};
