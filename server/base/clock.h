/* clock.h - time comes in through this struct, so that tests turn it by hand.
 *
 * Layer    server/base.
 * Threads  any; the manual clock too.
 */
#ifndef MOULT_SERVER_BASE_CLOCK_H
#define MOULT_SERVER_BASE_CLOCK_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct clock {
    uint64_t (*realtime_ms)(void *context); /* Unix time; may jump either way */
    uint64_t (*monotonic_ms)(
        void *context); /* never goes back; for deadlines and durations */
    uint64_t (*monotonic_us)(void *context); /* the same clock, finer; for histograms */
    void *context;                           /* borrowed */
};

/* The machine's clock; static storage. */
const struct clock *clock_system(void);

/* A clock that stands still until it is told otherwise. */
struct clock_manual {
    _Atomic uint64_t real_ms;
    _Atomic uint64_t mono_us;
};

/* A clock reading `manual`, which is borrowed as long as the result is used. */
struct clock clock_manual(struct clock_manual *manual);

/* Both times go forward. */
void clock_manual_advance(struct clock_manual *manual, uint64_t ms);

static inline uint64_t clock_realtime_ms(const struct clock *clock)
{
    return clock->realtime_ms(clock->context);
}

static inline uint64_t clock_monotonic_ms(const struct clock *clock)
{
    return clock->monotonic_ms(clock->context);
}

static inline uint64_t clock_monotonic_us(const struct clock *clock)
{
    return clock->monotonic_us(clock->context);
}

#define CLOCK_RFC3339_SIZE 25u /* "2026-01-31T23:59:59.123Z" and NUL */
#define CLOCK_HTTP_SIZE 30u    /* "Sat, 31 Jan 2026 23:59:59 GMT" and NUL */

/* Unix time as text; years 1970..9999, later ones are written as the last moment of 9999.
 */
void clock_rfc3339(uint64_t realtime_ms, char out[CLOCK_RFC3339_SIZE]);
void clock_http_date(uint64_t realtime_ms, char out[CLOCK_HTTP_SIZE]);

#endif
