/* code_words.c - codes as people read and write them; see codes.h (made from
 * api/codes.tsv). */
#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include "formats/codes.h"

struct sink {
    char *out;
    size_t size;
    size_t length; /* of the whole text, also what did not fit */
};

static void put_char(struct sink *sink, char c)
{
    if (sink->length + 1 < sink->size) { sink->out[sink->length] = c; }
    sink->length++;
}

static void put_text(struct sink *sink, const char *text)
{
    for (; *text != '\0'; text++) {
        put_char(sink, *text);
    }
}

/* Replace one {want} or {have} at p. Returns where the template goes on; p when there is
 * none. */
static const char *put_value(struct sink *sink, const char *p, const char *name,
                             const char *value)
{
    size_t size = strlen(name);
    if (strncmp(p, name, size) != 0) { return p; }
    put_text(sink, value ? value : "?");
    return p + size;
}

size_t moult_code_words(const struct moult_code_info *info, const char *want,
                        const char *have, char *out, size_t size)
{
    assert(info && (out || size == 0));
    struct sink sink = {.out = out, .size = size};
    const char *p = info->words;
    while (*p != '\0') {
        const char *next = put_value(&sink, p, "{want}", want);
        if (next == p) { next = put_value(&sink, p, "{have}", have); }
        if (next == p) { put_char(&sink, *next++); }
        p = next;
    }
    if (have && have[0] != '\0' && !strstr(info->words, "{have}")) {
        put_text(&sink, " (");
        put_text(&sink, have);
        put_char(&sink, ')');
    }
    if (size > 0) { out[sink.length < size ? sink.length : size - 1] = '\0'; }
    return sink.length;
}

void moult_code_format(char letter, uint16_t code, char out[8])
{
    size_t digits = letter == 'E' ? 4 : 3;
    for (unsigned least = letter == 'E' ? 10000u : 1000u; code >= least && digits < 5;
         least *= 10u) {
        digits++; /* a number of another release: shown whole */
    }
    unsigned rest = code;
    out[0] = letter;
    for (size_t i = digits; i > 0; i--) {
        out[i] = (char)('0' + rest % 10u);
        rest /= 10u;
    }
    out[digits + 1] = '\0';
}

/* c in upper case, ASCII only: a locale must not change what a code is. */
static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool equal_no_case(const char *a, const char *b)
{
    while (*a != '\0' && upper(*a) == upper(*b)) {
        a++;
        b++;
    }
    return *a == '\0' && *b == '\0';
}

/* What follows prefix in text; text itself when it does not start with it. */
static const char *without_prefix(const char *text, const char *prefix)
{
    const char *p = text;
    while (*prefix != '\0' && upper(*p) == *prefix) {
        p++;
        prefix++;
    }
    return *prefix == '\0' ? p : text;
}

/* digits decimal digits and then the end. */
static bool read_number(const char *text, size_t digits, uint16_t *number)
{
    unsigned value = 0;
    for (size_t i = 0; i < digits; i++) {
        if (text[i] < '0' || text[i] > '9') { return false; }
        value = value * 10u + (unsigned)(text[i] - '0');
    }
    if (text[digits] != '\0') { return false; }
    *number = (uint16_t)value;
    return true;
}

static enum moult_status find_name(const char *name, char *letter, uint16_t *code)
{
    size_t count = 0;
    const struct moult_code_info *row = moult_detail_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (!equal_no_case(name, without_prefix(row[i].name, "MOULT_D_"))) { continue; }
        *letter = 'E';
        *code = row[i].code;
        return MOULT_OK;
    }
    row = moult_reason_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (!equal_no_case(name, without_prefix(row[i].name, "MOULT_R_"))) { continue; }
        *letter = 'R';
        *code = row[i].code;
        return MOULT_OK;
    }
    return MOULT_E_NOENT;
}

static bool is_name(const char *text)
{
    if (*text == '\0') { return false; }
    for (; *text != '\0'; text++) {
        char c = upper(*text);
        if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')) {
            return false;
        }
    }
    return true;
}

enum moult_status moult_code_parse(const char *text, char *letter, uint16_t *code)
{
    assert(text && letter && code);
    text = without_prefix(text, "MOULT-");
    uint16_t number = 0;
    char first = upper(text[0]);
    if (first == 'E' && read_number(text + 1, 4, &number)) {
        if (!moult_detail_info(number)) { return MOULT_E_NOENT; }
    } else if (first == 'R' && read_number(text + 1, 3, &number)) {
        if (!moult_reason_info(number)) { return MOULT_E_NOENT; }
    } else if (!is_name(text)) {
        return MOULT_E_ARG;
    } else {
        const char *name = without_prefix(text, "MOULT_D_");
        if (name == text) { name = without_prefix(text, "MOULT_R_"); }
        if (name == text) { name = without_prefix(text, "E_"); }
        return find_name(name, letter, code);
    }
    *letter = first;
    *code = number;
    return MOULT_OK;
}
