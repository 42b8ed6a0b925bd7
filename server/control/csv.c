/* csv.c - see csv.h. */
#include "server/control/csv.h"
#include <stdbool.h>
#include <string.h>

void csv_init(struct csv_reader *reader, struct moult_bytes text)
{
    reader->rest = text;
    reader->line = reader->next_line = 1;
    reader->field_count = 0;
    if (text.size >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0) {
        reader->rest = (struct moult_bytes){text.data + 3, text.size - 3};
    }
}

static int peek(const struct csv_reader *reader, size_t ahead)
{
    return ahead < reader->rest.size ? reader->rest.data[ahead] : -1;
}

static void skip(struct csv_reader *reader, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        reader->next_line += reader->rest.data[i] == '\n';
    }
    reader->rest.data += count;
    reader->rest.size -= count;
}

/* Bytes of the line end here: 0 none, 1 LF, 2 CRLF. */
static size_t line_end(const struct csv_reader *reader)
{
    if (peek(reader, 0) == '\n') { return 1; }
    return peek(reader, 0) == '\r' && peek(reader, 1) == '\n' ? 2 : 0;
}

static void skip_line(struct csv_reader *reader)
{
    const uint8_t *end = memchr(reader->rest.data, '\n', reader->rest.size);
    skip(reader, end ? (size_t)(end - reader->rest.data) + 1 : reader->rest.size);
}

/* One more character of the field. */
static bool put(struct csv_reader *reader, size_t *used, int c)
{
    if (*used - reader->field_count >= CSV_ROW_SIZE_MAX) { return false; } /* NULs aside */
    reader->text[(*used)++] = (char)c;
    return true;
}

static enum moult_status read_quoted(struct csv_reader *reader, size_t *used)
{
    skip(reader, 1);
    for (;;) {
        int c = peek(reader, 0);
        if (c <= 0) { return MOULT_E_FORMAT; }
        if (c == '"' && peek(reader, 1) != '"') { break; }
        if (!put(reader, used, c)) { return MOULT_E_RANGE; }
        skip(reader, c == '"' ? 2 : 1);
    }
    skip(reader, 1);
    int next = peek(reader, 0);
    return next == -1 || next == ',' || line_end(reader) ? MOULT_OK : MOULT_E_FORMAT;
}

static enum moult_status read_plain(struct csv_reader *reader, size_t *used)
{
    for (;;) {
        int c = peek(reader, 0);
        if (c == -1 || c == ',' || line_end(reader)) { return MOULT_OK; }
        if (c == 0 || c == '"') { return MOULT_E_FORMAT; }
        if (!put(reader, used, c)) { return MOULT_E_RANGE; }
        skip(reader, 1);
    }
}

static enum moult_status read_row(struct csv_reader *reader)
{
    size_t used = 0; /* a NUL per field is in the room beyond CSV_ROW_SIZE_MAX */
    for (;;) {
        if (reader->field_count == CSV_FIELDS_MAX) { return MOULT_E_RANGE; }
        size_t start = used;
        enum moult_status st =
            peek(reader, 0) == '"' ? read_quoted(reader, &used) : read_plain(reader, &used);
        if (st != MOULT_OK) { return st; }
        reader->field[reader->field_count++] = &reader->text[start];
        reader->text[used++] = '\0';
        if (peek(reader, 0) != ',') { return MOULT_OK; }
        skip(reader, 1);
    }
}

enum moult_status csv_next(struct csv_reader *reader)
{
    while (line_end(reader)) {
        skip(reader, line_end(reader));
    }
    reader->field_count = 0;
    reader->line = reader->next_line;
    if (reader->rest.size == 0) { return MOULT_E_NOENT; }
    enum moult_status st = read_row(reader);
    if (st != MOULT_OK) {
        skip_line(reader);
        return st;
    }
    skip(reader, line_end(reader));
    return MOULT_OK;
}
