/* log.c - see log.h. */
#include "ports/posix/log.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "formats/codes.h"
#include "moult/log.h"

enum { FIELDS_MAX = 8, TIME_SIZE = 32 };

struct line {
    char text[MOULT_LOG_LINE_SIZE];
    size_t size;
    bool is_cut;
};

MOULT_PRINTF(2, 3)
static void add(struct line *line, const char *format, ...)
{
    size_t room = sizeof line->text - 8 - line->size; /* 8: for the end of the line */
    va_list args;
    va_start(args, format);
    int size = vsnprintf(line->text + line->size, room, format, args);
    va_end(args);
    if (size >= 0 && (size_t)size < room) {
        line->size += (size_t)size;
    } else {
        line->is_cut = true;
    }
}

/* A JSON string. */
static void add_quoted(struct line *line, const char *text)
{
    add(line, "\"");
    for (; *text && !line->is_cut; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            add(line, "\\%c", c);
        } else if (c < 0x20 || c > 0x7e) {
            add(line, "\\u%04x", (unsigned)c);
        } else {
            add(line, "%c", c);
        }
    }
    add(line, "\"");
}

static bool is_plain(const char *text)
{
    return *text && !strpbrk(text, " \"=\\\n\r\t");
}

static void add_field(struct line *line, bool is_json, const struct moult_log_field *field)
{
    add(line, is_json ? ",\"%s\":" : " %s=", field->key);
    if (!field->text) {
        add(line, "%lld", field->number);
    } else if (!is_json && is_plain(field->text)) {
        add(line, "%s", field->text);
    } else {
        add_quoted(line, field->text);
    }
}

static void format_time(char out[TIME_SIZE])
{
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t size = strftime(out, TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out + size, TIME_SIZE - size, ".%03ldZ", now.tv_nsec / 1000000);
}

const char *moult_log_level_word(enum moult_log_level level)
{
    static const char *const words[] = {"error", "warn", "info", "debug"};
    return (unsigned)level < sizeof words / sizeof words[0] ? words[level] : "?";
}

void moult_device_log(const struct moult_device_log *log, enum moult_log_level level,
                      const char *event, const struct moult_log_field *fields, size_t count)
{
    assert(count <= FIELDS_MAX);
    if (level > log->most) { return; }
    struct line line = {.size = 0};
    char now[TIME_SIZE];
    format_time(now);
    add(&line,
        log->is_json
            ? "{\"time\":\"%s\",\"device\":\"%s\",\"level\":\"%s\",\"event\":\"%s\""
            : "%s %s %s %s",
        now, log->device, moult_log_level_word(level), event);
    for (size_t i = 0; i < count && !line.is_cut; i++) {
        size_t before = line.size;
        add_field(&line, log->is_json, &fields[i]);
        if (line.is_cut) { line.size = before; } /* no halves: a JSON line stays JSON */
    }
    const char *end = log->is_json ? "}\n" : line.is_cut ? " ...\n" : "\n";
    memcpy(line.text + line.size, end, strlen(end));
    line.size += strlen(end);
    if (write(log->fd, line.text, line.size) < 0) {
        return;
    } /* a log that fails has no log */
}

/* A detail code: what went wrong, in words; a: its reason; b: the platform's number. */
static void log_detail(const struct moult_device_log *log, enum moult_log_level level,
                       uint16_t detail, uint32_t reason, uint32_t native)
{
    char code[8], reason_code[8], words[160];
    const struct moult_code_info *info = moult_detail_info(detail);
    moult_code_format('E', detail, code);
    moult_code_format('R', (uint16_t)reason, reason_code);
    words[0] = 0;
    if (info) { moult_code_words(info, NULL, NULL, words, sizeof words); }
    const struct moult_log_field fields[] = {{"code", code, 0},
                                             {"reason", reason_code, 0},
                                             {"native", NULL, (int32_t)native},
                                             {"words", words, 0}};
    moult_device_log(log, level, "trouble", fields, sizeof fields / sizeof fields[0]);
}

void moult_device_log_engine(const struct moult_device_log *log, enum moult_log_level level,
                             uint16_t id, uint32_t a, uint32_t b)
{
    if (level > log->most) { return; }
    const struct moult_log_words *words = moult_log_words(id);
    if (!words) {
        log_detail(log, level, id, a, b);
        return;
    }
    bool is_state = id == MOULT_LOG_STATE;
    const struct moult_log_field fields[] = {
        {words->a, is_state ? moult_state_name(a) : NULL, a},
        {words->b, is_state ? moult_state_name(b) : NULL, b},
    };
    moult_device_log(log, level, words->event, fields, 2);
}
