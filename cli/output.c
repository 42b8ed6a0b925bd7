/* output.c - what goes to stdout and stderr; see cli.h. */
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define MESSAGE_MAX                                                                        \
    1024u /* bytes of an error's words; longer ones are cut, people read them */

void cli_print(struct cli *cli, const char *format, ...)
{
    assert(!cli->global.json); /* stdout belongs to the JSON document then */
    va_list args;
    va_start(args, format);
    (void)vfprintf(cli->out, format, args); /* checked once, by ferror() in cli_main() */
    va_end(args);
}

void cli_say(struct cli *cli, const char *format, ...)
{
    if (cli->global.quiet) { return; }
    va_list args;
    va_start(args, format);
    (void)vfprintf(cli->err, format, args); /* talk may get lost */
    va_end(args);
}

void cli_warn(struct cli *cli, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("warning: ", cli->err); /* talk may get lost */
    (void)vfprintf(cli->err, format, args);
    va_end(args);
}

static int put_json(struct cli *cli, json_t *document, size_t flags)
{
    if (!document) {
        (void)fputs("moult: out of memory\n", cli->err); /* nothing is left to tell it to */
        return CLI_ERROR;
    }
    int bad = json_dumpf(document, cli->out, flags | JSON_ENCODE_ANY);
    json_decref(document);
    (void)fputc('\n', cli->out); /* checked once, by ferror() in cli_main() */
    return bad ? CLI_ERROR : CLI_OK;
}

int cli_json(struct cli *cli, json_t *document)
{
    cli->json_printed++;
    return put_json(cli, document, JSON_INDENT(2));
}

void cli_json_line(struct cli *cli, json_t *document)
{
    cli->json_printed++;
    (void)put_json(cli, document, JSON_COMPACT); /* has said so; the stream goes on */
    (void)fflush(cli->out); /* a reader at the other end waits for it */
}

void cli_next(struct cli *cli, const char *next)
{
    cli->next = next;
}

int cli_fail_words(struct cli *cli, uint16_t detail, const char *words, const char *next,
                   int exit_code)
{
    char code[8];
    moult_code_format('E', detail, code);
    bool color = cli->err_is_terminal && !cli->global.no_color && !getenv("NO_COLOR");
    (void)fflush(cli->out); /* so that data and error appear in order on a terminal */
    (void)fprintf(cli->err, "%sMOULT-%s%s %s (docs/errors/%s.md)\n  next: %s\n",
                  color ? "\033[1;31m" : "", code, color ? "\033[0m" : "", words, code,
                  next); /* stderr is the last place to complain to */
    if (cli->global.json && cli->json_printed == 0) {
        json_t *error = json_pack("{s:{s:s,s:s,s:s,s:i}}", "error", "code", code, "words",
                                  words, "next", next, "exit", exit_code);
        cli->json_printed++;
        if (put_json(cli, error, JSON_INDENT(2)) != CLI_OK) { return CLI_ERROR; }
    }
    return exit_code;
}

int cli_fail_at(struct cli *cli, const char *where, enum moult_detail detail,
                const char *want, const char *have)
{
    const struct moult_code_info *info = moult_detail_info((uint16_t)detail);
    assert(info); /* every detail of the enum is a row */
    char *words = cli_alloc(cli, MESSAGE_MAX);
    (void)moult_code_words(info, want, have, words, MESSAGE_MAX); /* cut is allowed */
    const char *text = where ? cli_text(cli, "%s: %s", where, words) : words;
    return cli_fail_words(cli, info->code, text, cli->next ? cli->next : info->next,
                          info->exit);
}

int cli_fail(struct cli *cli, enum moult_detail detail, const char *want, const char *have)
{
    return cli_fail_at(cli, NULL, detail, want, have);
}

const char *cli_color(const struct cli *cli, enum cli_color color)
{
    static const char *const sequence[] = {
        [CLI_PLAIN] = "\033[0m", [CLI_BOLD] = "\033[1m",   [CLI_DIM] = "\033[2m",
        [CLI_RED] = "\033[31m",  [CLI_GREEN] = "\033[32m", [CLI_YELLOW] = "\033[33m",
        [CLI_BLUE] = "\033[34m",
    };
    bool on = cli->out_is_terminal && !cli->global.no_color && !getenv("NO_COLOR");
    return on ? sequence[color] : "";
}

void cli_progress_start(struct cli *cli, struct cli_progress *bar, const char *label,
                        uint64_t total)
{
    *bar = (struct cli_progress){
        .cli = cli,
        .label = label,
        .total = total > 0 ? total : 1,
        .shown_permille = UINT64_MAX,
        .on = cli->err_is_terminal && !cli->global.quiet,
    };
    cli_progress_set(bar, 0);
}

void cli_progress_set(struct cli_progress *bar, uint64_t done)
{
    if (done > bar->total) { done = bar->total; }
    uint64_t permille = done * 1000 / bar->total;
    if (!bar->on || permille == bar->shown_permille) { return; }
    bar->shown_permille = permille;
    char cells[31] = "";
    for (unsigned i = 0; i < 30; i++) {
        cells[i] = i < permille * 30 / 1000 ? '#' : '.';
    }
    /* Talk may get lost. */
    (void)fprintf(bar->cli->err, "\r%s [%s] %3u %%", bar->label, cells,
                  (unsigned)(permille / 10));
    (void)fflush(bar->cli->err); /* as above */
}

void cli_progress_end(struct cli_progress *bar)
{
    if (bar->on) { (void)fputs("\r\033[K", bar->cli->err); } /* clear the line */
    bar->on = false;
}
