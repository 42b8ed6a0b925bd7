/* sql_values.c - see sql_values.h. */
#include "server/store/sql_values.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

void value_bytes(struct sql_statement *statement, int column, uint8_t *out, size_t size)
{
    struct moult_bytes bytes = sql_bytes(statement, column);
    if (bytes.size == size) {
        memcpy(out, bytes.data, size);
    } else {
        memset(out, 0, size);
    }
}

void value_text(struct sql_statement *statement, int column, char *out, size_t size)
{
    const char *text = sql_text(statement, column);
    snprintf(out, size, "%s", text ? text : "");
}

void bind_text(struct sql_statement *statement, int index, const char *text)
{
    sql_bind_text(statement, index, text && text[0] ? text : NULL);
}

void bind_time(struct sql_statement *statement, int index, int64_t time_ms)
{
    if (time_ms == 0) {
        sql_bind_null(statement, index);
    } else {
        sql_bind_int(statement, index, time_ms);
    }
}

enum moult_status run_one(struct store_db *db, struct sql_statement *statement)
{
    enum moult_status st = sql_run(statement);
    if (st != MOULT_OK) { return st; }
    return sql_changes(db) == 1 ? MOULT_OK : MOULT_E_NOENT;
}

void value_list_write(const uint32_t *numbers, size_t count, char out[VALUE_LIST_SIZE])
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        int n = snprintf(out + at, VALUE_LIST_SIZE - at, i == 0 ? "%u" : ",%u",
                         (unsigned)numbers[i]);
        assert(n > 0 && (size_t)n < VALUE_LIST_SIZE - at); /* 11 characters a number */
        at += (size_t)n;
    }
}

/* One number and what ends it (',' or the end). False: neither. */
static bool read_number(const char **text, uint32_t *number)
{
    uint64_t value = 0;
    const char *p = *text;
    if (*p < '0' || *p > '9') { return false; }
    for (; *p >= '0' && *p <= '9'; p++) {
        value = value * 10 + (uint64_t)(*p - '0');
        if (value > UINT32_MAX) { return false; }
    }
    if (*p != ',' && *p != '\0') { return false; }
    *number = (uint32_t)value;
    *text = *p == ',' ? p + 1 : p;
    return true;
}

bool value_list_read(const char *text, uint32_t *numbers, size_t count)
{
    if (!text) { return false; }
    for (size_t i = 0; i < count; i++) {
        if (!read_number(&text, &numbers[i])) { return false; }
    }
    return *text == '\0';
}
