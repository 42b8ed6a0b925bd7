/* http_timers.c - see http_timers.h. */
#include "server/http/http_timers.h"

static const char *const names[HTTP_TIMER_KINDS] = {
    [HTTP_TIMER_HANDSHAKE] = "handshake", [HTTP_TIMER_HEADER] = "header",
    [HTTP_TIMER_BODY] = "body",           [HTTP_TIMER_WRITE] = "write",
    [HTTP_TIMER_IDLE] = "idle",           [HTTP_TIMER_REPLY] = "reply",
    [HTTP_TIMER_LINGER] = "linger",
};

const char *http_timer_name(enum http_timer_kind kind)
{
    return names[kind];
}

void http_timer_init(struct http_timer *timer)
{
    *timer = (struct http_timer){.kind = HTTP_TIMER_NONE};
}

void http_timer_disarm(struct http_timers *timers, struct http_timer *timer)
{
    if (timer->kind == HTTP_TIMER_NONE) { return; }
    if (timer->previous) {
        timer->previous->next = timer->next;
    } else {
        timers->first[timer->kind] = timer->next;
    }
    if (timer->next) {
        timer->next->previous = timer->previous;
    } else {
        timers->last[timer->kind] = timer->previous;
    }
    http_timer_init(timer);
}

void http_timer_arm(struct http_timers *timers, struct http_timer *timer,
                    enum http_timer_kind kind, uint64_t now_ms)
{
    http_timer_disarm(timers, timer);
    timer->kind = kind;
    timer->deadline_ms = now_ms + timers->duration_ms[kind];
    timer->previous = timers->last[kind];
    if (timer->previous) {
        timer->previous->next = timer;
    } else {
        timers->first[kind] = timer;
    }
    timers->last[kind] = timer;
}

struct http_timer *http_timers_expired(struct http_timers *timers, uint64_t now_ms,
                                       enum http_timer_kind *kind)
{
    for (int i = 0; i < HTTP_TIMER_KINDS; i++) {
        struct http_timer *timer = timers->first[i];
        if (!timer || timer->deadline_ms > now_ms) { continue; }
        *kind = (enum http_timer_kind)i;
        http_timer_disarm(timers, timer);
        return timer;
    }
    return NULL;
}

int http_timers_wait_ms(const struct http_timers *timers, uint64_t now_ms, int most)
{
    for (int i = 0; i < HTTP_TIMER_KINDS; i++) {
        const struct http_timer *timer = timers->first[i];
        if (!timer) { continue; }
        if (timer->deadline_ms <= now_ms) { return 0; }
        uint64_t left = timer->deadline_ms - now_ms;
        if (left < (uint64_t)most) { most = (int)left; }
    }
    return most;
}
