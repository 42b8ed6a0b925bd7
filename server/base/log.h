/* log.h - one line per event: a name, then keys and values.
 *
 * Layer    server/base.
 * Memory   nothing is allocated; a line has at most LOG_LINE_SIZE_MAX bytes, longer
 *          values are cut with a visible mark.
 * Threads  any; a line is one write(2).
 * Use it   log_info(log, "release_stored", "digest", hex, "size", size, "request", id);
 *          Keys are literals. Values: bool, any integer, const char * (NULL prints as -).
 *          Names are words with underscores, listed in the page of their module. Never a
 *          key, token, password or Wi-Fi name: a key that is called so prints [hidden].
 */
#ifndef MOULT_SERVER_BASE_LOG_H
#define MOULT_SERVER_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "server/base/clock.h"

#define LOG_LINE_SIZE_MAX 2048u
#define LOG_FIELDS_MAX 10u

enum log_level {
    LOG_ERROR, /* someone must act */
    LOG_WARN,  /* someone should know */
    LOG_INFO,  /* a state changed */
    LOG_DEBUG, /* only for traced components */
};

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Where lines go. One per process (or per test); set up once, then read only. */
struct log_sink {
    enum log_level level; /* lines above it are dropped; LOG_DEBUG passes all components */
    enum log_format format;
    const char *trace; /* components whose debug lines pass, "rollout,store"; may be NULL */
    const struct clock *clock; /* borrowed */
    int fd;                    /* where lines are written */
    /* When set, called instead of writing to fd; line has no newline. Must be thread safe.
     */
    void (*take)(void *context, const char *line, size_t size);
    void *context;
};

/* A component's handle: small, copied freely. */
struct log {
    const struct log_sink *sink; /* borrowed; NULL: everything is dropped */
    const char *component;       /* static; printed as component= */
    enum log_level level;        /* highest level that passes, computed by log_open() */
};

/* A handle for a component, e.g. log_open(&sink, "store"). */
struct log log_open(const struct log_sink *sink, const char *component);

/* "error" | "warn" | "info" | "debug". False, *out untouched, for anything else. */
bool log_level_parse(const char *text, enum log_level *out);

struct log_value {
    enum { LOG_VALUE_TEXT, LOG_VALUE_SIGNED, LOG_VALUE_UNSIGNED, LOG_VALUE_BOOL } type;
    union {
        const char *text;
        int64_t number;
        uint64_t count;
    } is;
};
struct log_field {
    const char *key;
    struct log_value value;
};

/* What the macros call. */
void log_write(const struct log *log, enum log_level level, const char *event,
               const struct log_field *fields, size_t field_count);

static inline struct log_value log_text(const char *v)
{
    return (struct log_value){.type = LOG_VALUE_TEXT, .is.text = v};
}
static inline struct log_value log_signed(long long v)
{
    return (struct log_value){.type = LOG_VALUE_SIGNED, .is.number = v};
}
static inline struct log_value log_unsigned(unsigned long long v)
{
    return (struct log_value){.type = LOG_VALUE_UNSIGNED, .is.count = v};
}
static inline struct log_value log_bool(bool v)
{
    return (struct log_value){.type = LOG_VALUE_BOOL, .is.count = v};
}

/* clang-format off */
#define LOG_VALUE(v) _Generic((v), \
    char *: log_text, const char *: log_text, bool: log_bool, \
    signed char: log_signed, short: log_signed, int: log_signed, long: log_signed, \
    long long: log_signed, unsigned char: log_unsigned, unsigned short: log_unsigned, \
    unsigned: log_unsigned, unsigned long: log_unsigned, \
    unsigned long long: log_unsigned)(v)

/* Pairs as initialisers of struct log_field. */
#define LOG_F2(k, v) {(k), LOG_VALUE(v)}
#define LOG_F4(k, v, ...) {(k), LOG_VALUE(v)}, LOG_F2(__VA_ARGS__)
#define LOG_F6(k, v, ...) {(k), LOG_VALUE(v)}, LOG_F4(__VA_ARGS__)
#define LOG_F8(k, v, ...) {(k), LOG_VALUE(v)}, LOG_F6(__VA_ARGS__)
#define LOG_F10(k, v, ...) {(k), LOG_VALUE(v)}, LOG_F8(__VA_ARGS__)
#define LOG_F12(k, v, ...) {(k), LOG_VALUE(v)}, LOG_F10(__VA_ARGS__)
#define LOG_F14(k, v, ...) {(k), LOG_VALUE(v)}, LOG_F12(__VA_ARGS__)
#define LOG_F16(k, v, ...) {(k), LOG_VALUE(v)}, LOG_F14(__VA_ARGS__)
#define LOG_F18(k, v, ...) {(k), LOG_VALUE(v)}, LOG_F16(__VA_ARGS__)
#define LOG_F20(k, v, ...) {(k), LOG_VALUE(v)}, LOG_F18(__VA_ARGS__)

#define LOG_FIELDS(fields, ...) ((const struct log_field[]){fields(__VA_ARGS__)})
#define LOG_PAIRS(fields, log, level, event, ...) \
    log_write((log), (level), (event), LOG_FIELDS(fields, __VA_ARGS__), \
              sizeof LOG_FIELDS(fields, __VA_ARGS__) / sizeof(struct log_field))
#define LOG_0(log, level, event) log_write((log), (level), (event), NULL, 0)
#define LOG_2(log, level, ...) LOG_PAIRS(LOG_F2, log, level, __VA_ARGS__)
#define LOG_4(log, level, ...) LOG_PAIRS(LOG_F4, log, level, __VA_ARGS__)
#define LOG_6(log, level, ...) LOG_PAIRS(LOG_F6, log, level, __VA_ARGS__)
#define LOG_8(log, level, ...) LOG_PAIRS(LOG_F8, log, level, __VA_ARGS__)
#define LOG_10(log, level, ...) LOG_PAIRS(LOG_F10, log, level, __VA_ARGS__)
#define LOG_12(log, level, ...) LOG_PAIRS(LOG_F12, log, level, __VA_ARGS__)
#define LOG_14(log, level, ...) LOG_PAIRS(LOG_F14, log, level, __VA_ARGS__)
#define LOG_16(log, level, ...) LOG_PAIRS(LOG_F16, log, level, __VA_ARGS__)
#define LOG_18(log, level, ...) LOG_PAIRS(LOG_F18, log, level, __VA_ARGS__)
#define LOG_20(log, level, ...) LOG_PAIRS(LOG_F20, log, level, __VA_ARGS__)

/* Picks one of them by the number of arguments: the event alone, or the event and pairs. An
 * odd number behind the event names a macro that does not exist: LOG_HALF_A_PAIR. */
#define LOG_PICK(e, a, b, c, d, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, it, ...) it
#define LOG_CHOOSE(...) \
    LOG_PICK(__VA_ARGS__, LOG_20, LOG_HALF_A_PAIR, LOG_18, LOG_HALF_A_PAIR, LOG_16, \
             LOG_HALF_A_PAIR, LOG_14, LOG_HALF_A_PAIR, LOG_12, LOG_HALF_A_PAIR, LOG_10, \
             LOG_HALF_A_PAIR, LOG_8, LOG_HALF_A_PAIR, LOG_6, LOG_HALF_A_PAIR, LOG_4, \
             LOG_HALF_A_PAIR, LOG_2, LOG_HALF_A_PAIR, LOG_0, 0)
#define LOG_LINE(logger, severity, ...) do { \
    if ((severity) <= (logger)->level) { \
        LOG_CHOOSE(__VA_ARGS__)(logger, severity, __VA_ARGS__); \
    } \
} while (0)
/* clang-format on */

#define log_error(log, ...) LOG_LINE(log, LOG_ERROR, __VA_ARGS__)
#define log_warn(log, ...) LOG_LINE(log, LOG_WARN, __VA_ARGS__)
#define log_info(log, ...) LOG_LINE(log, LOG_INFO, __VA_ARGS__)
#define log_debug(log, ...) LOG_LINE(log, LOG_DEBUG, __VA_ARGS__)

#endif
