/* log.c - see log.h. */
#include "server/base/log.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "server/base/text.h"

enum {
    VALUE_SIZE_MAX = 512, /* bytes of one text value; longer ones end in LOG_CUT */
    TAIL_SIZE = 16,       /* kept free for the closing of a line that does not fit */
};
#define LOG_CUT "[cut]"

static const char *const level_names[] = {
    [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

/* Substrings of keys whose values must never be printed. A net under the rule, not the
 * rule. */
static const char *const secret_words[] = {"token",       "password",      "passwd",
                                           "secret",      "authorization", "cookie",
                                           "private_key", "ssid"};

struct line {
    char text[LOG_LINE_SIZE_MAX];
    size_t size;
    bool is_json;
    bool is_full; /* something did not fit; the rest is left out */
};

static bool names_component(const char *list, const char *component)
{
    size_t size = strlen(component);
    for (const char *p = list; p && *p;) {
        size_t word = strcspn(p, ",");
        if (word == size && strncmp(p, component, size) == 0) { return true; }
        p += word + (p[word] == ',');
    }
    return false;
}

struct log log_open(const struct log_sink *sink, const char *component)
{
    struct log log = {.sink = sink, .component = component, .level = LOG_ERROR};
    if (!sink) { return log; }
    log.level = names_component(sink->trace, component) ? LOG_DEBUG : sink->level;
    return log;
}

bool log_level_parse(const char *text, enum log_level *out)
{
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

static void put(struct line *line, const char *text, size_t size)
{
    if (line->is_full) { return; }
    if (size > sizeof line->text - TAIL_SIZE - line->size) {
        line->is_full = true;
        return;
    }
    memcpy(line->text + line->size, text, size);
    line->size += size;
}

static void put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* In quotes, control characters and bad UTF-8 escaped, so that no value can fake a line. */
static void put_quoted(struct line *line, const char *text)
{
    put(line, "\"", 1);
    size_t taken = 0;
    while (text[taken] != '\0' && taken < VALUE_SIZE_MAX) {
        char escaped[TEXT_JSON_SIZE];
        taken += text_json_char(text + taken, escaped);
        put_text(line, escaped);
    }
    if (text[taken] != '\0') { put_text(line, LOG_CUT); }
    put(line, "\"", 1);
}

static bool is_plain_word(const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/+@%,[]*";
    size_t size = strspn(text, plain);
    return size > 0 && size <= VALUE_SIZE_MAX && text[size] == '\0';
}

static bool is_secret(const char *key)
{
    for (size_t i = 0; i < sizeof secret_words / sizeof secret_words[0]; i++) {
        if (strstr(key, secret_words[i])) { return true; }
    }
    return false;
}

static void put_text_value(struct line *line, const char *text)
{
    if (!line->is_json && is_plain_word(text)) {
        put_text(line, text);
    } else {
        put_quoted(line, text);
    }
}

static void put_value(struct line *line, const struct log_value *value)
{
    char number[24];
    switch (value->type) {
    case LOG_VALUE_TEXT:
        if (value->is.text) {
            put_text_value(line, value->is.text);
        } else {
            put_text(line, line->is_json ? "null" : "-");
        }
        break;
    case LOG_VALUE_SIGNED:
        snprintf(number, sizeof number, "%lld", (long long)value->is.number);
        put_text(line, number);
        break;
    case LOG_VALUE_UNSIGNED:
        snprintf(number, sizeof number, "%llu", (unsigned long long)value->is.count);
        put_text(line, number);
        break;
    case LOG_VALUE_BOOL:
        put_text(line, value->is.count ? "true" : "false");
        break;
    }
}

static void put_field(struct line *line, const char *key, const struct log_value *value)
{
    static const struct log_value hidden = {.type = LOG_VALUE_TEXT, .is.text = "[hidden]"};
    size_t before = line->size;
    put_text(line, line->is_json ? ",\"" : " ");
    put_text(line, key);
    put_text(line, line->is_json ? "\":" : "=");
    put_value(line, is_secret(key) ? &hidden : value);
    if (line->is_full) { line->size = before; } /* a field is whole or absent */
}

static void put_start(struct line *line, const struct log *log, enum log_level level,
                      const char *event)
{
    char time[CLOCK_RFC3339_SIZE];
    clock_rfc3339(clock_realtime_ms(log->sink->clock), time);
    char start[160];
    if (line->is_json) {
        snprintf(start, sizeof start,
                 "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%.60s\"", time,
                 level_names[level], event);
    } else {
        snprintf(start, sizeof start, "%s %-5s %.60s", time, level_names[level], event);
    }
    put_text(line, start);
    struct log_value component = log_text(log->component);
    put_field(line, "component", &component);
}

static void put_end(struct line *line)
{
    if (line->is_full) { /* TAIL_SIZE was kept for this */
        line->is_full = false;
        memcpy(line->text + line->size, line->is_json ? ",\"cut\":true" : " cut=true",
               line->is_json ? 11 : 9);
        line->size += line->is_json ? 11 : 9;
    }
    if (line->is_json) { line->text[line->size++] = '}'; }
    line->text[line->size] = '\n';
}

void log_write(const struct log *log, enum log_level level, const char *event,
               const struct log_field *fields, size_t field_count)
{
    if (!log->sink || level > log->level) { return; }
    const struct log_sink *sink = log->sink;
    struct line line;
    line.size = 0;
    line.is_full = false;
    line.is_json = sink->format == LOG_FORMAT_JSON;
    put_start(&line, log, level, event);
    for (size_t i = 0; i < field_count && i < LOG_FIELDS_MAX; i++) {
        put_field(&line, fields[i].key, &fields[i].value);
    }
    put_end(&line);
    if (sink->take) {
        line.text[line.size] = '\0';
        sink->take(sink->context, line.text, line.size);
        return;
    }
    ssize_t rc;
    do {
        rc = write(sink->fd, line.text, line.size + 1);
    } while (rc < 0 && errno == EINTR); /* any other failure: nowhere left to say it */
}
