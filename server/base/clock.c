/* clock.c - see clock.h. */
#include "server/base/clock.h"
#include <assert.h>
#include <stdio.h>
#include <time.h>

#define REALTIME_MS_MAX 253402300799999u /* 9999-12-31T23:59:59.999Z */

static uint64_t read_us(clockid_t id)
{
    struct timespec now;
    int rc = clock_gettime(id, &now);
    assert(rc == 0); /* both clocks exist on every Linux */
    (void)rc;        /* unused where assert is compiled out */
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static uint64_t system_realtime_ms(void *context)
{
    (void)context; /* the machine's clock has no state of ours */
    return read_us(CLOCK_REALTIME) / 1000u;
}

static uint64_t system_monotonic_us(void *context)
{
    (void)context; /* as above */
    return read_us(CLOCK_MONOTONIC);
}

static uint64_t system_monotonic_ms(void *context)
{
    return system_monotonic_us(context) / 1000u;
}

const struct clock *clock_system(void)
{
    static const struct clock clock = {
        .realtime_ms = system_realtime_ms,
        .monotonic_ms = system_monotonic_ms,
        .monotonic_us = system_monotonic_us,
    };
    return &clock;
}

static uint64_t manual_realtime_ms(void *context)
{
    struct clock_manual *manual = context;
    return atomic_load(&manual->real_ms);
}

static uint64_t manual_monotonic_us(void *context)
{
    struct clock_manual *manual = context;
    return atomic_load(&manual->mono_us);
}

static uint64_t manual_monotonic_ms(void *context)
{
    return manual_monotonic_us(context) / 1000u;
}

struct clock clock_manual(struct clock_manual *manual)
{
    return (struct clock){
        .realtime_ms = manual_realtime_ms,
        .monotonic_ms = manual_monotonic_ms,
        .monotonic_us = manual_monotonic_us,
        .context = manual,
    };
}

void clock_manual_advance(struct clock_manual *manual, uint64_t ms)
{
    atomic_fetch_add(&manual->real_ms, ms);
    atomic_fetch_add(&manual->mono_us, ms * 1000u);
}

static struct tm broken_down(uint64_t realtime_ms)
{
    time_t seconds = (time_t)(realtime_ms / 1000u);
    struct tm parts = {0};
    struct tm *ok = gmtime_r(&seconds, &parts);
    assert(ok); /* bounded by REALTIME_MS_MAX, so the year fits */
    (void)ok;   /* unused where assert is compiled out */
    return parts;
}

void clock_rfc3339(uint64_t realtime_ms, char out[CLOCK_RFC3339_SIZE])
{
    if (realtime_ms > REALTIME_MS_MAX) { realtime_ms = REALTIME_MS_MAX; }
    struct tm t = broken_down(realtime_ms);
    char text[64]; /* the compiler does not know how small the numbers are */
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", t.tm_year + 1900,
             t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec,
             (unsigned)(realtime_ms % 1000u));
    snprintf(out, CLOCK_RFC3339_SIZE, "%.24s", text);
}

void clock_http_date(uint64_t realtime_ms, char out[CLOCK_HTTP_SIZE])
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    if (realtime_ms > REALTIME_MS_MAX) { realtime_ms = REALTIME_MS_MAX; }
    struct tm t = broken_down(realtime_ms);
    char text[64];
    snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[t.tm_wday],
             t.tm_mday, months[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
    snprintf(out, CLOCK_HTTP_SIZE, "%.29s", text);
}
