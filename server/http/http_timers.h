/* http_timers.h - deadlines of one I/O thread.
 *
 * Layer    server/http: pure; intrusive lists, no allocation.
 * Why      every kind of deadline has one duration, so a list per kind in order of arming
 *          is in order of expiry: arming, disarming and finding the next one take constant
 *          time.
 */
#ifndef MOULT_SERVER_HTTP_TIMERS_H
#define MOULT_SERVER_HTTP_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_timer_kind {
    HTTP_TIMER_HANDSHAKE,
    HTTP_TIMER_HEADER,
    HTTP_TIMER_BODY,
    HTTP_TIMER_WRITE,
    HTTP_TIMER_IDLE,
    HTTP_TIMER_REPLY,
    HTTP_TIMER_LINGER,
    HTTP_TIMER_KINDS,
    HTTP_TIMER_NONE = HTTP_TIMER_KINDS, /* not armed */
};
/* "idle"; static. For metrics and logs. */
const char *http_timer_name(enum http_timer_kind kind);

/* Inside what it times. Zeroed memory is not a valid timer: http_timer_init(). */
struct http_timer {
    struct http_timer *previous, *next;
    uint64_t deadline_ms; /* monotonic */
    enum http_timer_kind kind;
};

struct http_timers {
    struct http_timer *first[HTTP_TIMER_KINDS], *last[HTTP_TIMER_KINDS];
    uint64_t duration_ms[HTTP_TIMER_KINDS]; /* set once, before use */
};

void http_timer_init(struct http_timer *timer);

/* (Re)arms; a timer has one kind at a time. */
void http_timer_arm(struct http_timers *timers, struct http_timer *timer,
                    enum http_timer_kind kind, uint64_t now_ms);
void http_timer_disarm(struct http_timers *timers, struct http_timer *timer);

/* A timer whose deadline has passed, disarmed; its kind was *kind. NULL: none. */
struct http_timer *http_timers_expired(struct http_timers *timers, uint64_t now_ms,
                                       enum http_timer_kind *kind);

/* Ms until the next deadline, at most `most`. */
int http_timers_wait_ms(const struct http_timers *timers, uint64_t now_ms, int most);

#endif
