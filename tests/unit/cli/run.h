/* run.h - run `moult` inside a test and read what it said.
 *
 * Use it   struct run run = run_words("device list --json");
 *          look at run.code, run.out, run.err; run_free(&run);
 */
#ifndef MOULT_TESTS_UNIT_CLI_RUN_H
#define MOULT_TESTS_UNIT_CLI_RUN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/parse.h"

#define RUN_WORDS_MAX 64

struct run {
    int code;
    char *out, *err;
    char text[4096];            /* the words, cut in place */
    char *words[RUN_WORDS_MAX]; /* argv without the program */
    int count;
};

/* Words as a shell cuts them: blanks, '...' and "..."; |, > and < end the command. */
static inline void run_cut(struct run *run, const char *text)
{
    char *out = run->text;
    const char *p = text;
    run->count = 0;
    for (;;) {
        while (*p == ' ') {
            p++;
        }
        if (*p == '\0' || *p == '|' || *p == '>' || *p == '<') { return; }
        run->words[run->count++] = out;
        char quote = 0;
        for (; *p != '\0' && (quote || *p != ' '); p++) {
            if (quote ? *p == quote : (*p == '\'' || *p == '"')) {
                quote = quote ? 0 : *p;
            } else {
                *out++ = *p;
            }
        }
        *out++ = '\0';
    }
}

static inline struct run run_words(const char *text)
{
    struct run run = {0};
    size_t out_size = 0;
    size_t err_size = 0;
    run_cut(&run, text);
    struct cli cli = {.out = open_memstream(&run.out, &out_size),
                      .err = open_memstream(&run.err, &err_size)};
    run.code = cli_main(&cli, run.count, run.words);
    cli_end(&cli);
    fclose(cli.out);
    fclose(cli.err);
    return run;
}

static inline void run_free(struct run *run)
{
    free(run->out);
    free(run->err);
}

#endif
