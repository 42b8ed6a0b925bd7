/* config.h - "key = value" files, read into a struct by a table of settings.
 *
 * Layer    server/base.
 * Format   lines of `key = value`; `[section]` puts "section." before the keys below it;
 *          a key with its section written out ("device.listen") is the same setting. `#`
 *          starts a comment, at
 *          the start of a line or after white space. A value may be in double quotes (\"
 * and \\ inside). A key may be set once. Page: docs/ops/configuration.md.
 * Memory   nothing is allocated; texts are copied into the caller's struct.
 * Use it   config_defaults(), config_load(); on failure print error.text and exit 2.
 */
#ifndef MOULT_SERVER_BASE_CONFIG_H
#define MOULT_SERVER_BASE_CONFIG_H

#include <stddef.h>
#include <stdint.h>
#include "formats/status.h"
#include "server/base/buffer.h"

#define CONFIG_FILE_SIZE_MAX 65536u /* bytes */
#define CONFIG_LINE_SIZE_MAX 1024u  /* bytes */
#define CONFIG_ROWS_MAX 256u        /* settings of one table */
#define CONFIG_ERROR_SIZE 512u

enum config_type {
    CONFIG_TEXT,     /* char[size] */
    CONFIG_BOOL,     /* bool: yes | no | true | false | on | off */
    CONFIG_COUNT,    /* uint64_t */
    CONFIG_DURATION, /* uint64_t ms; "250ms", "5s", "10m", "24h", "7d"; a bare 0 is allowed
                      */
    CONFIG_SIZE,     /* uint64_t bytes; "512", "32K", "4M", "2G" (powers of 1024) */
    CONFIG_CHOICE,   /* int: index of the word in `choices` */
    CONFIG_ADDRESS,  /* char[size]: "127.0.0.1:8443", "[::1]:8443", "*:8443"; "" when off */
};

/* One setting. The table is the reference: help and the sample file are made from it. */
struct config_row {
    const char *name; /* "device.listen"; section and key */
    enum config_type type;
    size_t offset;     /* offsetof() in the caller's struct */
    size_t size;       /* TEXT and ADDRESS: bytes of the array, closing NUL included */
    const char *value; /* default, as it would be written in the file */
    uint64_t min,
        max; /* COUNT; DURATION in ms; SIZE in bytes; TEXT: least and most bytes */
    const char *choices; /* CHOICE: "text|json" */
    const char *help;    /* one sentence */
};

struct config_table {
    const struct config_row *rows; /* static */
    size_t row_count;
};

/* A text that need not end in NUL. Borrowed. */
struct config_text {
    const char *data;
    size_t size; /* bytes */
};

struct config_error {
    uint16_t code; /* enum moult_detail: CONF_SYNTAX, CONF_UNKNOWN, CONF_VALUE or
                      CLI_FILE_READ */
    char text[CONFIG_ERROR_SIZE]; /* "moultd.conf:12: device.listen: expected ..., found
                                     ..." */
};

/* Fills the settings of *settings with their defaults. A default that does not parse is a
 * bug (assert; the table's test calls this). */
void config_defaults(const struct config_table *table, void *settings);

/* Reads a file over what is in *settings. path: as printed in errors, too.
 * MOULT_OK; MOULT_E_NOENT: no such file; MOULT_E_IO; MOULT_E_FORMAT: syntax, unknown or
 * repeated key, or a value of the wrong form; MOULT_E_RANGE: a value or the file is over
 * its limits. On failure error->text says where, what was expected and what was found, and
 * *settings is partly set. */
MOULT_MUST_CHECK enum moult_status config_load(const struct config_table *table,
                                               const char *path, void *settings,
                                               struct config_error *error);

/* The same from memory; name stands for the path in errors. */
MOULT_MUST_CHECK enum moult_status config_parse(const struct config_table *table,
                                                const char *name, struct config_text text,
                                                void *settings, struct config_error *error);

/* A sample file with every setting, its default commented out, and its help. For
 * `moultd --print-config` and the documentation. */
void config_sample(const struct config_table *table, struct buffer *out);

#endif
