/* log.h - a device's log on a host: one line per event, for people or as JSON.
 *
 * Layer    ports/posix.
 * Memory   none; a line has at most MOULT_LOG_LINE_SIZE bytes, longer ones are cut with a
 *          mark.
 * Threads  any: a line is one write(2).
 *
 * Lines are for people; nothing parses them. Never a key, certificate or password.
 */
#ifndef MOULT_PORTS_POSIX_LOG_H
#define MOULT_PORTS_POSIX_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "moult/port.h"

#define MOULT_LOG_LINE_SIZE 512u

struct moult_device_log {
    const char *device; /* printed with every line; borrowed */
    int fd;
    bool is_json;
    enum moult_log_level most; /* lines above it are dropped */
};

/* A value: text when it is not NULL, else the number. */
struct moult_log_field {
    const char *key, *text;
    long long number;
};

/* event: a word; fields: count of them, at most 8. */
void moult_device_log(const struct moult_device_log *log, enum moult_log_level level,
                      const char *event, const struct moult_log_field *fields,
                      size_t count);

/* A line of the engine: as port.log, with the words of moult/log.h and of the codes. */
void moult_device_log_engine(const struct moult_device_log *log, enum moult_log_level level,
                             uint16_t id, uint32_t a, uint32_t b);

/* "error", "warn", "info", "debug". Constant. */
const char *moult_log_level_word(enum moult_log_level level);

#endif
