/* table.c - rows with aligned columns; see cli.h. */
#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "cli/cli.h"

#define COLUMNS_MAX 16u

struct row {
    struct row *next;
    const char *cell[COLUMNS_MAX];
};

struct cli_table {
    struct cli *cli;
    unsigned columns;
    size_t width[COLUMNS_MAX]; /* in characters */
    struct row head;
    struct row *last;
};

/* Characters of UTF-8 text: bytes that do not continue one. Wide characters count as one.
 */
static size_t characters(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++) {
        if (((unsigned char)*text & 0xc0u) != 0x80u) { count++; }
    }
    return count;
}

static void set_cell(struct cli_table *table, struct row *row, unsigned column,
                     const char *text)
{
    row->cell[column] = cli_text(table->cli, "%s", text && text[0] != '\0' ? text : "-");
    size_t width = characters(row->cell[column]);
    if (width > table->width[column]) { table->width[column] = width; }
}

struct cli_table *cli_table_start(struct cli *cli, ...)
{
    struct cli_table *table = cli_alloc(cli, sizeof *table);
    table->cli = cli;
    table->last = &table->head;
    va_list args;
    va_start(args, cli);
    for (const char *text; (text = va_arg(args, const char *)) != NULL; table->columns++) {
        assert(table->columns < COLUMNS_MAX);
        set_cell(table, &table->head, table->columns, text);
    }
    va_end(args);
    return table;
}

void cli_table_row(struct cli_table *table, ...)
{
    struct row *row = cli_alloc(table->cli, sizeof *row);
    va_list args;
    va_start(args, table);
    for (unsigned i = 0; i < table->columns; i++) {
        set_cell(table, row, i, va_arg(args, const char *));
    }
    va_end(args);
    table->last->next = row;
    table->last = row;
}

void cli_table_end(struct cli_table *table)
{
    struct cli *cli = table->cli;
    for (const struct row *row = &table->head; row; row = row->next) {
        bool is_head = row == &table->head;
        cli_print(cli, "%s", is_head ? cli_color(cli, CLI_BOLD) : "");
        for (unsigned i = 0; i < table->columns; i++) {
            bool is_last = i + 1 == table->columns;
            size_t pad = is_last ? 0 : table->width[i] - characters(row->cell[i]) + 2;
            cli_print(cli, "%s%*s", row->cell[i], (int)pad, "");
        }
        cli_print(cli, "%s\n", is_head ? cli_color(cli, CLI_PLAIN) : "");
    }
}
