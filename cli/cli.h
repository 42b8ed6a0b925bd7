/* cli.h - what a subcommand of `moult` is made of.
 *
 * Layer    cli.
 * Memory   cli_alloc() and cli_text() last until the command ends; nothing need be freed.
 *          Out of memory ends the program with exit code 1 and a message.
 * Threads  one.
 * Use it   A new command is: a file cli/<noun>_<verb>.c that defines `const struct
 *          cli_command cli_<noun>_<verb>`, one row in cli/commands.h, and the page
 *          docs/cli/<noun>-<verb>.md, which becomes `moult <noun> <verb> --help`.
 *
 *              enum { OPT_OUT, OPT_FORCE };
 *              static const struct cli_option options[] = {
 *                  [OPT_OUT] = {"out", 'o', "FILE", "where the image goes", CLI_FILE},
 *                  [OPT_FORCE] = {"force", 0, NULL, "overwrite FILE", CLI_FLAG},
 *              };
 *              static int run(struct cli *cli) { const char *out = cli_value(cli, OPT_OUT);
 * ... } const struct cli_command cli_image_make = { .noun = "image", .verb = "make",
 * .arguments = "ELF", .least = 1, .most = 1, CLI_OPTIONS(options), .run = run,
 *              };
 *
 * Data goes to stdout (cli_print, cli_json), talk to stderr (cli_say, cli_warn, cli_fail).
 * With
 * --json stdout holds exactly one JSON document, also on failure.
 */
#ifndef MOULT_CLI_CLI_H
#define MOULT_CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "formats/codes.h"
#include "formats/compiler.h"
#include "formats/status.h"

#define CLI_OPTIONS_MAX 24u      /* options of one command */
#define CLI_REPEAT_MAX 64u       /* times a CLI_LIST option may be given, and arguments */
#define CLI_VALUE_MAX 4096u      /* bytes of one value; a selector has the same limit */
#define CLI_SMALL_FILE_MAX 65536 /* bytes of a configuration, key or statement file */

/* Exit codes, stable for scripts (docs/cli/moult.md). */
enum cli_exit {
    CLI_OK = 0,              /* done, or the condition was reached */
    CLI_ERROR = 1,           /* other error */
    CLI_USAGE = 2,           /* usage, bad selector, bad configuration */
    CLI_NOT_FOUND = 3,       /* no such object */
    CLI_NOT_ALLOWED = 4,     /* not authenticated, or not allowed */
    CLI_CONFLICT = 5,        /* wrong state, stale version, exists already */
    CLI_REFUSED = 6,         /* refused by a check */
    CLI_WAIT_TIMEOUT = 7,    /* wait: time-out */
    CLI_WAIT_IMPOSSIBLE = 8, /* wait: the condition can no longer be met */
    CLI_ROLLOUT_ENDED = 9,   /* the rollout ended paused, aborted or rolled back */
    CLI_UNREACHABLE = 10,    /* server unreachable or overloaded */
    CLI_PARTIAL = 11,        /* a bulk verb did a part; details in the output */
};

enum cli_kind {
    CLI_FLAG,     /* no value */
    CLI_TEXT,     /* any text */
    CLI_FILE,     /* a path; shells complete it as one */
    CLI_NUMBER,   /* u64, decimal or 0x */
    CLI_DURATION, /* seconds, or a number with s, m, h or d */
    CLI_LIST,     /* text; may be repeated */
};

struct cli_option {
    const char *name;     /* long name without dashes */
    char letter;          /* short name, or 0 */
    const char *argument; /* what the value is called in --help; NULL for a flag */
    const char *help;     /* one line, no full stop */
    enum cli_kind kind;
};

struct cli;

struct cli_command {
    const char *noun;      /* "release" */
    const char *verb;      /* "create"; NULL when the noun is all (`moult why`) */
    const char *arguments; /* "FILE [OTHER...]", or NULL: for usage and messages */
    unsigned least, most;  /* how many arguments */
    const struct cli_option *options;
    size_t option_count;
    int (*run)(struct cli *cli); /* returns an enum cli_exit */
};

#define CLI_OPTIONS(table)                                                                 \
    .options = (table), .option_count = sizeof(table) / sizeof((table)[0])

struct cli_given {  /* one option as given */
    unsigned count; /* times it was given */
    const char *text[CLI_REPEAT_MAX];
    uint64_t number; /* CLI_NUMBER; CLI_DURATION in seconds */
};

struct cli_globals {
    bool json, quiet, no_color, yes, help;
    const char *profile, *server;
};

struct cli {
    FILE *out, *err; /* stdout and stderr, or what a test reads */
    bool out_is_terminal, err_is_terminal;
    struct cli_globals global;
    const struct cli_command *command;
    struct cli_given given[CLI_OPTIONS_MAX];
    unsigned argument_count;
    const char *arguments[CLI_REPEAT_MAX];
    struct cli_block *blocks; /* of cli_alloc() */
    struct client *client;    /* of cli_connect() */
    const char *next;         /* next step to print instead of the code's own; cli_next() */
    unsigned json_printed;    /* documents so far */
};

/* --- running (main.c and tests) --- */

/* Parse argv (without the program's name), run the command; returns the exit code. */
int cli_main(struct cli *cli, int argc, char **argv);

/* Free what the command allocated. */
void cli_end(struct cli *cli);

/* --- what was given --- */

bool cli_has(const struct cli *cli, unsigned option);          /* given at least once */
const char *cli_value(const struct cli *cli, unsigned option); /* last text, or NULL */
uint64_t cli_number(const struct cli *cli, unsigned option,
                    uint64_t otherwise);                    /* or seconds */
unsigned cli_count(const struct cli *cli, unsigned option); /* times given */
const char *cli_item(const struct cli *cli, unsigned option,
                     unsigned index);                            /* of a CLI_LIST */
const char *cli_argument(const struct cli *cli, unsigned index); /* or NULL */

/* --- saying --- */

/* Data, to stdout. Call it only when !cli->global.json. */
void cli_print(struct cli *cli, const char *format, ...) MOULT_PRINTF(2, 3);

/* Talk, to stderr; silent with --quiet. */
void cli_say(struct cli *cli, const char *format, ...) MOULT_PRINTF(2, 3);

/* A warning, to stderr, also with --quiet. */
void cli_warn(struct cli *cli, const char *format, ...) MOULT_PRINTF(2, 3);

/* The one JSON document of the command, to stdout; document is moved. Returns CLI_OK;
 * CLI_ERROR when document is NULL (jansson had no memory). */
MOULT_MUST_CHECK int cli_json(struct cli *cli, json_t *document);

/* One line of a stream of JSON lines (`rollout watch --json`); document is moved. */
void cli_json_line(struct cli *cli, json_t *document);

/* The command failed with this detail. want and have fill the words of the code's row; NULL
 * where the row has no such place. Prints "MOULT-E2301 ... (docs/errors/E2301.md)" and the
 * next step; with --json also {"error":{...}} as the document. Returns the row's exit code:
 * `return cli_fail(...)`. */
int cli_fail(struct cli *cli, enum moult_detail detail, const char *want, const char *have);

/* The same with a place in front of the words: a file name, or "release.bin: component 0".
 */
int cli_fail_at(struct cli *cli, const char *where, enum moult_detail detail,
                const char *want, const char *have);

/* The same when the words are complete already. Returns exit_code. */
int cli_fail_words(struct cli *cli, uint16_t detail, const char *words, const char *next,
                   int exit_code);

/* What to do next if the command fails now, better than the code's row can know: "moult
 * rollout show demo". Borrowed until the command ends; NULL goes back to the row's. */
void cli_next(struct cli *cli, const char *next);

enum cli_color { CLI_PLAIN, CLI_BOLD, CLI_DIM, CLI_RED, CLI_GREEN, CLI_YELLOW, CLI_BLUE };

/* The escape sequence for stdout, or "" where colours are off. */
const char *cli_color(const struct cli *cli, enum cli_color color);

/* --- a table on stdout: rows are collected, columns aligned, then printed --- */

struct cli_table;

/* Headings, ended by NULL. */
struct cli_table *cli_table_start(struct cli *cli, ...);
/* As many texts as headings (NULL and "" print "-"); copied. */
void cli_table_row(struct cli_table *table, ...);
void cli_table_end(struct cli_table *table);

/* --- a progress bar on stderr: only on a terminal, and not with --quiet --- */

struct cli_progress {
    struct cli *cli;
    const char *label;
    uint64_t total, shown_permille;
    bool on;
};

void cli_progress_start(struct cli *cli, struct cli_progress *bar, const char *label,
                        uint64_t total);
void cli_progress_set(struct cli_progress *bar, uint64_t done);
void cli_progress_end(struct cli_progress *bar);

/* --- memory, text, files --- */

void *cli_alloc(struct cli *cli, size_t size); /* zeroed; never NULL */

/* For commands that run long: free what was allocated since the mark. */
struct cli_block *cli_mark(const struct cli *cli);
void cli_release(struct cli *cli, struct cli_block *mark);
const char *cli_text(struct cli *cli, const char *format, ...) MOULT_PRINTF(2, 3);
const char *cli_hex(struct cli *cli, const void *bytes, size_t size); /* lower case */

/* Exactly size bytes from 2 * size hex digits. MOULT_E_FORMAT: out is untouched. */
MOULT_MUST_CHECK enum moult_status cli_unhex(const char *text, void *out, size_t size);

/* Read a whole file of at most limit bytes ("-" is stdin); *data lasts until the command
 * ends and has a zero byte behind it. Returns CLI_OK, or has failed with CLI_FILE_READ or
 * _SIZE. */
MOULT_MUST_CHECK int cli_read_file(struct cli *cli, const char *path, size_t limit,
                                   uint8_t **data, size_t *size);

/* Write path as a whole: a temporary name, synced, renamed. mode e.g. 0644, 0600 for keys.
 * With replace false an existing file is CLI_EXISTS. Returns CLI_OK, or has failed. */
MOULT_MUST_CHECK int cli_write_file(struct cli *cli, const char *path, unsigned mode,
                                    bool replace, const void *data, size_t size);

/* mkdir -p with mode for what is made. Returns CLI_OK, or has failed with CLI_FILE_WRITE.
 */
MOULT_MUST_CHECK int cli_make_folder(struct cli *cli, const char *path, unsigned mode);

/* "3d", "12h", "90s", "90" -> seconds. MOULT_E_FORMAT, MOULT_E_RANGE. */
MOULT_MUST_CHECK enum moult_status cli_parse_duration(const char *text, uint64_t *seconds);

#endif
