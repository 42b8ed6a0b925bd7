/* config.c - see config.h. One loop over lines, one function per type. */
#include "server/base/config.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "formats/codes.h"
#include "server/base/mem.h"
#include "server/base/text.h"

enum {
    NAME_SIZE_MAX = 64,  /* of "section.key" */
    SHOWN_SIZE_MAX = 60, /* bytes of a found value in an error */
};

struct reader {
    const struct config_table *table;
    const char *file;
    unsigned line;
    char section[NAME_SIZE_MAX];
    uint16_t set_at[CONFIG_ROWS_MAX]; /* line in which a row was set; 0 not yet */
    struct config_error *error;
};

/* One value on its way into its place. */
struct value {
    const struct config_row *row;
    const char *text; /* NUL-terminated */
    uint8_t *place;
    char *expected; /* what an error should say was expected, CONFIG_ERROR_SIZE / 2 */
};

static enum moult_status fail(struct reader *reader, uint16_t code, enum moult_status st,
                              const char *format, ...) MOULT_PRINTF(4, 5);

static enum moult_status fail(struct reader *reader, uint16_t code, enum moult_status st,
                              const char *format, ...)
{
    reader->error->code = code;
    char what[CONFIG_ERROR_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    char where[16] = "";
    if (reader->line > 0) { snprintf(where, sizeof where, ":%u", reader->line); }
    snprintf(reader->error->text, sizeof reader->error->text, "%.120s%s: %.370s",
             reader->file, where, what);
    return st;
}

/* --- values --- */

static void expect(struct value *value, const char *format, ...) MOULT_PRINTF(2, 3);

static void expect(struct value *value, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(value->expected, CONFIG_ERROR_SIZE / 2, format, args);
    va_end(args);
}

/* A whole number; *rest is what follows it. False: none, or over 2^63 - 1. */
static bool read_number(const char *text, uint64_t *out, const char **rest)
{
    uint64_t number = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (number > (INT64_MAX - digit) / 10) { return false; }
        number = number * 10 + digit;
    }
    *out = number;
    *rest = p;
    return p != text;
}

struct unit {
    const char *name;
    uint64_t factor;
};
static const struct unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
static const struct unit size_units[] = {
    {"", 1}, {"B", 1}, {"K", 1u << 10}, {"M", 1u << 20}, {"G", 1u << 30}};
static const struct unit count_units[] = {{"", 1}};

#define UNITS(array) (array), sizeof(array) / sizeof(array)[0]

static enum moult_status read_quantity(struct value *value, const struct unit *units,
                                       size_t unit_count)
{
    uint64_t number, factor = 0;
    const char *rest;
    if (!read_number(value->text, &number, &rest)) { return MOULT_E_FORMAT; }
    for (size_t i = 0; i < unit_count; i++) {
        if (strcmp(rest, units[i].name) == 0) { factor = units[i].factor; }
    }
    if (number == 0 && *rest == '\0') { factor = 1; } /* 0 needs no unit */
    if (factor == 0) { return MOULT_E_FORMAT; }
    if (number > UINT64_MAX / factor) { return MOULT_E_RANGE; }
    number *= factor;
    if (number < value->row->min || number > value->row->max) { return MOULT_E_RANGE; }
    memcpy(value->place, &number, sizeof number);
    return MOULT_OK;
}

/* n in the largest unit that holds it exactly. */
static void write_quantity(char out[32], uint64_t n, const struct unit *units,
                           size_t unit_count)
{
    const struct unit *best = &units[0];
    for (size_t i = 0; i < unit_count; i++) {
        if (units[i].name[0] != 'B' && n % units[i].factor == 0 && n >= units[i].factor) {
            best = &units[i];
        }
    }
    snprintf(out, 32, "%llu%s", (unsigned long long)(n / best->factor), best->name);
}

static enum moult_status parse_quantity(struct value *value, const char *example,
                                        const struct unit *units, size_t unit_count)
{
    char least[32], most[32];
    write_quantity(least, value->row->min, units, unit_count);
    write_quantity(most, value->row->max, units, unit_count);
    expect(value, "%s from %s to %s", example, least, most);
    return read_quantity(value, units, unit_count);
}

static enum moult_status parse_bool(struct value *value)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on"};
    expect(value, "yes or no");
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(value->text, words[i]) == 0) {
            *(bool *)(void *)value->place = i % 2 == 1;
            return MOULT_OK;
        }
    }
    return MOULT_E_FORMAT;
}

static enum moult_status parse_choice(struct value *value)
{
    expect(value, "one of %s", value->row->choices);
    size_t size = strlen(value->text);
    int index = 0;
    for (const char *p = value->row->choices;; index++) {
        size_t word = strcspn(p, "|");
        if (word == size && size > 0 && memcmp(p, value->text, size) == 0) {
            memcpy(value->place, &index, sizeof index);
            return MOULT_OK;
        }
        if (p[word] == '\0') { return MOULT_E_FORMAT; }
        p += word + 1;
    }
}

static enum moult_status parse_text(struct value *value)
{
    const struct config_row *row = value->row;
    uint64_t most = row->max > 0 && row->max < row->size ? row->max : row->size - 1;
    size_t size = strlen(value->text);
    expect(value, "%llu to %llu bytes of text", (unsigned long long)row->min,
           (unsigned long long)most);
    if (size < row->min || size > most) { return MOULT_E_RANGE; }
    memcpy(value->place, value->text, size + 1);
    return MOULT_OK;
}

/* host:port; the host is checked for its form only, it is resolved where it is used. */
static bool is_address(const char *text)
{
    const char *colon = strrchr(text, ':');
    uint64_t port;
    const char *rest;
    if (!colon || colon == text || !read_number(colon + 1, &port, &rest)) { return false; }
    if (*rest != '\0' || port > 65535) { return false; }
    size_t host = (size_t)(colon - text);
    if (text[0] == '[') {
        return host > 3 && text[host - 1] == ']' &&
               strspn(text + 1, "0123456789abcdefABCDEF:.") == host - 2;
    }
    if (text[0] == '*') { return host == 1; }
    return strcspn(text, ":[] \t") == host;
}

static enum moult_status parse_address(struct value *value)
{
    expect(value, "an address such as 127.0.0.1:8443, [::1]:8443 or *:8443");
    size_t size = strlen(value->text);
    if (size > 0 && !is_address(value->text)) { return MOULT_E_FORMAT; }
    if (size >= value->row->size) { return MOULT_E_RANGE; }
    memcpy(value->place, value->text, size + 1);
    return MOULT_OK;
}

static enum moult_status parse_value(struct value *value)
{
    switch (value->row->type) {
    case CONFIG_TEXT:
        return parse_text(value);
    case CONFIG_BOOL:
        return parse_bool(value);
    case CONFIG_COUNT:
        return parse_quantity(value, "a number", UNITS(count_units));
    case CONFIG_DURATION:
        return parse_quantity(value, "a time such as 5s, 10m or 24h,",
                              UNITS(duration_units));
    case CONFIG_SIZE:
        return parse_quantity(value, "a size such as 512, 32K or 4M,", UNITS(size_units));
    case CONFIG_CHOICE:
        return parse_choice(value);
    case CONFIG_ADDRESS:
        return parse_address(value);
    }
    return MOULT_E_INTERNAL;
}

void config_defaults(const struct config_table *table, void *settings)
{
    assert(table->row_count <= CONFIG_ROWS_MAX);
    for (size_t i = 0; i < table->row_count; i++) {
        const struct config_row *row = &table->rows[i];
        char expected[CONFIG_ERROR_SIZE / 2];
        struct value value = {.row = row,
                              .text = row->value,
                              .place = (uint8_t *)settings + row->offset,
                              .expected = expected};
        enum moult_status st = parse_value(&value);
        assert(st == MOULT_OK); /* the table is wrong */
        (void)st;               /* unused where assert is compiled out */
    }
}

/* --- names --- */

/* How many single-character changes turn a into b, at most about `enough`. */
static unsigned distance(const char *a, const char *b, unsigned enough)
{
    unsigned row[NAME_SIZE_MAX + 1];
    size_t size_b = strnlen(b, NAME_SIZE_MAX);
    for (size_t j = 0; j <= size_b; j++) {
        row[j] = (unsigned)j;
    }
    for (size_t i = 0; a[i] != '\0' && i < NAME_SIZE_MAX; i++) {
        unsigned diagonal = row[0], least = UINT32_MAX;
        row[0] = (unsigned)i + 1;
        for (size_t j = 1; j <= size_b; j++) {
            unsigned change = diagonal + (a[i] != b[j - 1]);
            diagonal = row[j];
            unsigned move = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = change < move ? change : move;
            if (row[j] < least) { least = row[j]; }
        }
        if (least > enough) { return least; }
    }
    return row[size_b];
}

static const char *nearest(const struct config_table *table, const char *name)
{
    unsigned best = 4; /* more changes than that are another word */
    const char *found = NULL;
    for (size_t i = 0; i < table->row_count; i++) {
        unsigned d = distance(name, table->rows[i].name, best);
        if (d < best) {
            best = d;
            found = table->rows[i].name;
        }
    }
    return found;
}

static enum moult_status fail_unknown(struct reader *reader, const char *name)
{
    const char *near = nearest(reader->table, name);
    if (near) {
        return fail(reader, MOULT_D_CONF_UNKNOWN, MOULT_E_FORMAT,
                    "no setting %.64s; did you mean %s?", name, near);
    }
    return fail(reader, MOULT_D_CONF_UNKNOWN, MOULT_E_FORMAT,
                "no setting %.64s; docs/ops/configuration.md lists them", name);
}

/* --- lines --- */

static enum moult_status set_row(struct reader *reader, size_t index, const char *text,
                                 void *settings)
{
    const struct config_row *row = &reader->table->rows[index];
    if (reader->set_at[index] != 0) {
        return fail(reader, MOULT_D_CONF_SYNTAX, MOULT_E_FORMAT,
                    "%s expects to be set once, found it in line %u too", row->name,
                    reader->set_at[index]);
    }
    char expected[CONFIG_ERROR_SIZE / 2] = "";
    struct value value = {.row = row,
                          .text = text,
                          .place = (uint8_t *)settings + row->offset,
                          .expected = expected};
    enum moult_status st = parse_value(&value);
    if (st != MOULT_OK) {
        return fail(reader, MOULT_D_CONF_VALUE, st, "%s: expected %.200s, found \"%.*s\"",
                    row->name, expected, SHOWN_SIZE_MAX, text);
    }
    reader->set_at[index] = (uint16_t)reader->line;
    return MOULT_OK;
}

static enum moult_status set_named(struct reader *reader, const char *key, const char *text,
                                   void *settings)
{
    char name[2 * NAME_SIZE_MAX + 2];
    bool in_section = reader->section[0] != '\0' && !strchr(key, '.');
    snprintf(name, sizeof name, "%s%s%.64s", in_section ? reader->section : "",
             in_section ? "." : "", key);
    for (size_t i = 0; i < reader->table->row_count; i++) {
        if (strcmp(reader->table->rows[i].name, name) == 0) {
            return set_row(reader, i, text, settings);
        }
    }
    return fail_unknown(reader, name);
}

/* Cuts white space at both ends, in place. */
static char *trim(char *text)
{
    while (*text == ' ' || *text == '\t') {
        text++;
    }
    size_t size = strlen(text);
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t')) {
        size--;
    }
    text[size] = '\0';
    return text;
}

/* Undoes the quotes of text ("..." with nothing but a comment behind), in place. False:
 * broken. */
static bool unquote(char *text)
{
    char *out = text;
    char *p = text + 1;
    for (; *p != '"'; p++) {
        if (*p == '\\' && (p[1] == '"' || p[1] == '\\')) { p++; }
        if (*p == '\0') { return false; }
        *out++ = *p;
    }
    char *rest = trim(p + 1);
    bool is_end = *rest == '\0' || *rest == '#';
    *out = '\0';
    return is_end;
}

/* Ends the line at a comment: '#' at the start or after white space. */
static void cut_comment(char *text)
{
    for (char *p = text; *p != '\0'; p++) {
        if (*p == '#' && (p == text || p[-1] == ' ' || p[-1] == '\t')) {
            *p = '\0';
            return;
        }
    }
}

static bool is_name(const char *text)
{
    size_t size = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.-");
    return size > 0 && size < NAME_SIZE_MAX && text[size] == '\0';
}

static enum moult_status read_section(struct reader *reader, char *text)
{
    cut_comment(text);
    text = trim(text);
    size_t size = strlen(text);
    if (size < 3 || text[size - 1] != ']') {
        return fail(reader, MOULT_D_CONF_SYNTAX, MOULT_E_FORMAT,
                    "expected [section], found \"%.*s\"", SHOWN_SIZE_MAX, text);
    }
    text[size - 1] = '\0';
    if (!is_name(text + 1)) {
        return fail(reader, MOULT_D_CONF_SYNTAX, MOULT_E_FORMAT,
                    "expected a section name of a-z 0-9 _ . -, found \"%.*s\"",
                    SHOWN_SIZE_MAX, text + 1);
    }
    snprintf(reader->section, sizeof reader->section, "%s", text + 1);
    return MOULT_OK;
}

static enum moult_status read_line(struct reader *reader, char *text, void *settings)
{
    text = trim(text);
    if (*text == '\0' || *text == '#') { return MOULT_OK; }
    if (*text == '[') { return read_section(reader, text); }
    char *equals = strchr(text, '=');
    if (!equals) {
        return fail(reader, MOULT_D_CONF_SYNTAX, MOULT_E_FORMAT,
                    "expected `key = value`, found \"%.*s\"", SHOWN_SIZE_MAX, text);
    }
    *equals = '\0';
    char *key = trim(text), *value = trim(equals + 1);
    if (!is_name(key)) {
        return fail(reader, MOULT_D_CONF_SYNTAX, MOULT_E_FORMAT,
                    "expected a key of a-z 0-9 _ . -, found \"%.*s\"", SHOWN_SIZE_MAX, key);
    }
    if (*value == '"') {
        if (!unquote(value)) {
            return fail(reader, MOULT_D_CONF_SYNTAX, MOULT_E_FORMAT,
                        "%s: expected a closing quote and nothing behind it", key);
        }
    } else {
        cut_comment(value);
        value = trim(value);
    }
    return set_named(reader, key, value, settings);
}

static enum moult_status read_lines(struct reader *reader, struct config_text text,
                                    void *settings)
{
    char line[CONFIG_LINE_SIZE_MAX + 1];
    for (size_t i = 0; i < text.size;) {
        const char *end = memchr(text.data + i, '\n', text.size - i);
        size_t size = end ? (size_t)(end - (text.data + i)) : text.size - i;
        size_t next = i + size + 1;
        reader->line++;
        if (size > 0 && text.data[i + size - 1] == '\r') {
            size--;
        } /* files from Windows */
        if (size > CONFIG_LINE_SIZE_MAX) {
            return fail(reader, MOULT_D_CONF_SYNTAX, MOULT_E_RANGE,
                        "expected at most %u bytes in a line, found %zu",
                        CONFIG_LINE_SIZE_MAX, size);
        }
        if (!text_is_utf8(text.data + i, size)) {
            return fail(reader, MOULT_D_CONF_SYNTAX, MOULT_E_FORMAT,
                        "expected UTF-8 text, found other bytes");
        }
        memcpy(line, text.data + i, size);
        line[size] = '\0';
        enum moult_status st = read_line(reader, line, settings);
        if (st != MOULT_OK) { return st; }
        i = next;
    }
    return MOULT_OK;
}

enum moult_status config_parse(const struct config_table *table, const char *name,
                               struct config_text text, void *settings,
                               struct config_error *error)
{
    assert(table->row_count <= CONFIG_ROWS_MAX);
    struct reader reader = {.table = table, .file = name, .error = error};
    error->text[0] = '\0';
    if (text.size > CONFIG_FILE_SIZE_MAX) {
        return fail(&reader, MOULT_D_CONF_SYNTAX, MOULT_E_RANGE,
                    "expected at most %u bytes, found %zu", CONFIG_FILE_SIZE_MAX,
                    text.size);
    }
    return read_lines(&reader, text, settings);
}

/* Reads the open file into text (CONFIG_FILE_SIZE_MAX + 1 bytes). */
static enum moult_status read_all(int fd, char *text, size_t *size)
{
    *size = 0;
    while (*size <= CONFIG_FILE_SIZE_MAX) {
        ssize_t got = read(fd, text + *size, CONFIG_FILE_SIZE_MAX + 1 - *size);
        if (got < 0 && errno == EINTR) { continue; }
        if (got < 0) { return MOULT_E_IO; }
        if (got == 0) { return MOULT_OK; }
        *size += (size_t)got;
    }
    return MOULT_OK; /* one byte too many: config_parse() says so */
}

enum moult_status config_load(const struct config_table *table, const char *path,
                              void *settings, struct config_error *error)
{
    struct reader reader = {.table = table, .file = path, .error = error};
    enum moult_status st = MOULT_E_IO;
    char *text = NULL;
    size_t size;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        st = errno == ENOENT ? MOULT_E_NOENT : MOULT_E_IO;
        return fail(&reader, MOULT_D_CLI_FILE_READ, st, "cannot be read: %s",
                    strerror(errno));
    }
    text = mem_alloc(CONFIG_FILE_SIZE_MAX + 1);
    if (!text) {
        st = fail(&reader, MOULT_D_CLI_FILE_READ, MOULT_E_NOMEM, "no memory to read it");
        goto out_close;
    }
    st = read_all(fd, text, &size);
    if (st != MOULT_OK) {
        st =
            fail(&reader, MOULT_D_CLI_FILE_READ, st, "cannot be read: %s", strerror(errno));
        goto out_free;
    }
    st = config_parse(table, path, (struct config_text){text, size}, settings, error);
out_free:
    mem_free(text);
out_close:
    close(fd);
    return st;
}

static const char *unit_words(const struct config_row *row)
{
    switch (row->type) {
    case CONFIG_BOOL:
        return "yes | no";
    case CONFIG_COUNT:
        return "number";
    case CONFIG_DURATION:
        return "time: ms s m h d";
    case CONFIG_SIZE:
        return "bytes: K M G";
    case CONFIG_CHOICE:
        return row->choices;
    case CONFIG_ADDRESS:
        return "host:port";
    case CONFIG_TEXT:
        break;
    }
    return "text";
}

void config_sample(const struct config_table *table, struct buffer *out)
{
    char section[NAME_SIZE_MAX] = "";
    for (size_t i = 0; i < table->row_count; i++) {
        const struct config_row *row = &table->rows[i];
        const char *key = strrchr(row->name, '.');
        int size = key ? (int)(key - row->name) : 0;
        char own[NAME_SIZE_MAX];
        snprintf(own, sizeof own, "%.*s", size, row->name);
        if (strcmp(own, section) != 0) { buffer_printf(out, "\n[%s]\n", own); }
        memcpy(section, own, sizeof section);
        buffer_printf(out, "# %s (%s)\n#%s = %s\n", row->help, unit_words(row),
                      key ? key + 1 : row->name, row->value);
    }
}
