/* partition_print.c - a table as CSV text; see partition_csv.h. */
#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include "formats/partition_csv.h"
#include "formats/utf8.h"

struct sink {
    char *out;
    uint32_t capacity, size;
    bool is_full;
};

static void put_text(struct sink *sink, const char *text)
{
    size_t n = strlen(text);
    assert(sink->size < sink->capacity);
    if (n >= sink->capacity - sink->size) {
        sink->is_full = true;
        return;
    }
    memcpy(sink->out + sink->size, text, n + 1);
    sink->size += (uint32_t)n;
}

static void put_hex(struct sink *sink, uint32_t value)
{
    char text[11] = "0x"; /* 0x, 8 digits, NUL */
    uint32_t n = 2;
    for (int shift = 28; shift >= 0; shift -= 4) {
        uint32_t digit = value >> shift & 15u;
        if (digit != 0 || n > 2 || shift == 0) { text[n++] = "0123456789ABCDEF"[digit]; }
    }
    text[n] = '\0';
    put_text(sink, text);
}

static void put_word(struct sink *sink, const char *word, uint32_t value)
{
    if (word) {
        put_text(sink, word);
    } else {
        put_hex(sink, value);
    }
}

static void put_flags(struct sink *sink, uint32_t flags)
{
    bool is_encrypted = flags & MOULT_PARTITION_ENCRYPTED;
    bool is_readonly = flags & MOULT_PARTITION_READONLY;
    put_text(sink, is_encrypted ? "encrypted" : "");
    put_text(sink, is_encrypted && is_readonly ? ":" : "");
    put_text(sink, is_readonly ? "readonly" : "");
}

static bool is_edge(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Whether CSV can carry the row: what parse would read back is the same. */
static bool is_printable(const struct moult_partition *row)
{
    const char *label = row->label;
    size_t n = strlen(label);
    struct moult_bytes text = {(const uint8_t *)label, n};
    bool is_known =
        (row->flags & ~(MOULT_PARTITION_ENCRYPTED | MOULT_PARTITION_READONLY)) == 0;
    bool has_edges =
        n > 0 && (is_edge(label[0]) || is_edge(label[n - 1]) || label[0] == '#');
    return is_known && !has_edges && !strpbrk(label, ",\n$") && moult_utf8_is_valid(text) &&
           row->type != UINT8_MAX && row->subtype != UINT8_MAX;
}

static void put_row(struct sink *sink, const struct moult_partition *row)
{
    put_text(sink, row->label);
    put_text(sink, ",");
    put_word(sink, moult_partition_type_name(row->type), row->type);
    put_text(sink, ",");
    put_word(sink, moult_partition_subtype_name(row->type, row->subtype), row->subtype);
    put_text(sink, ",");
    put_hex(sink, row->offset);
    put_text(sink, ",");
    put_hex(sink, row->size);
    put_text(sink, ",");
    put_flags(sink, row->flags);
    put_text(sink, "\n");
}

enum moult_status moult_partition_csv_print(const struct moult_partition_table *table,
                                            char *out, uint32_t capacity)
{
    assert(table && out && capacity >= 1);
    struct sink sink = {.out = out, .capacity = capacity};
    out[0] = '\0';
    for (uint32_t i = 0; i < table->count; i++) {
        if (!is_printable(&table->rows[i])) {
            out[0] = '\0';
            return MOULT_E_FORMAT;
        }
    }
    put_text(&sink, "# Name, Type, SubType, Offset, Size, Flags\n");
    for (uint32_t i = 0; i < table->count; i++) {
        put_row(&sink, &table->rows[i]);
    }
    if (!sink.is_full) { return MOULT_OK; }
    out[0] = '\0';
    return MOULT_E_SPACE;
}
