/* csv.h - rows of a CSV text, one at a time, without copying the text.
 *
 * Layer    server/control, private to this folder: pure.
 * Format   RFC 4180: commas, CRLF or LF, fields in double quotes may hold commas, line ends
 *          and doubled quotes. A UTF-8 mark at the start and empty lines are skipped.
 * Memory   the text is borrowed; fields live in the reader until the next row.
 */
#ifndef MOULT_SERVER_CONTROL_CSV_H
#define MOULT_SERVER_CONTROL_CSV_H

#include "formats/bytes.h"
#include "formats/status.h"

#define CSV_FIELDS_MAX 64u     /* columns: id, name ... and as many tag:* and meta:* */
#define CSV_ROW_SIZE_MAX 8192u /* bytes of one row; a certificate in PEM has about 700 */

struct csv_reader {
    struct moult_bytes rest;
    unsigned line; /* of the row's first character, from 1 */
    unsigned next_line;
    char text[CSV_ROW_SIZE_MAX + CSV_FIELDS_MAX]; /* the row's fields, NUL-terminated */
    const char *field[CSV_FIELDS_MAX];
    size_t field_count;
};

void csv_init(struct csv_reader *reader, struct moult_bytes text);

/* The next row into field[] and field_count; `line` says where it began.
 * MOULT_OK; MOULT_E_NOENT: the end; MOULT_E_RANGE: over a limit; MOULT_E_FORMAT: a quote
 * that is not closed, or text behind a closing quote, or NUL. After RANGE and FORMAT the
 * reader stands behind the bad line: go on with the next row. */
MOULT_MUST_CHECK enum moult_status csv_next(struct csv_reader *reader);

#endif
