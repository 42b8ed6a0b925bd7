/* http_timers_test.c - deadlines of all kinds against a plain model. */
#include <stdlib.h>
#include "server/http/http_timers.h"
#include "tests/support/unit.h"

enum { TIMERS = 20 };

static void test_timers_agree_with_a_model(void **state)
{
    (void)state; /* cmocka's signature */
    struct http_timers timers = {0};
    struct http_timer timer[TIMERS];
    uint64_t deadline[TIMERS] = {0}; /* 0: not armed */
    enum http_timer_kind armed_as[TIMERS] = {0};
    uint64_t now_ms = 1000;
    uint32_t seed = 1;
    for (int k = 0; k < HTTP_TIMER_KINDS; k++) {
        timers.duration_ms[k] = 10u + 37u * (unsigned)k;
    }
    for (int i = 0; i < TIMERS; i++) {
        http_timer_init(&timer[i]);
    }
    for (int step = 0; step < 20000; step++) {
        seed = seed * 1103515245u + 12345u;
        unsigned i = seed >> 16 & 0xffffu, which = i % TIMERS;
        if (i % 7 < 4) {
            armed_as[which] = (enum http_timer_kind)(i / 7 % HTTP_TIMER_KINDS);
            http_timer_arm(&timers, &timer[which], armed_as[which], now_ms);
            deadline[which] = now_ms + timers.duration_ms[armed_as[which]];
        } else if (i % 7 == 4) {
            http_timer_disarm(&timers, &timer[which]);
            deadline[which] = 0;
        } else {
            now_ms += i % 40;
        }
        struct http_timer *expired;
        enum http_timer_kind kind;
        while ((expired = http_timers_expired(&timers, now_ms, &kind))) {
            size_t at = (size_t)(expired - timer);
            assert_in_range(deadline[at], 1, now_ms);
            assert_int_equal(kind, armed_as[at]);
            deadline[at] = 0;
        }
        uint64_t next = UINT64_MAX;
        for (int k = 0; k < TIMERS; k++) {
            if (deadline[k] == 0) { continue; }
            assert_true(deadline[k] > now_ms);
            if (deadline[k] < next) { next = deadline[k]; }
        }
        int expected = next - now_ms < 100 ? (int)(next - now_ms) : 100;
        assert_int_equal(http_timers_wait_ms(&timers, now_ms, 100), expected);
    }
}

static void test_a_deadline_in_the_past_waits_for_nothing(void **state)
{
    (void)state;
    struct http_timers timers = {.duration_ms = {10, 10, 10, 10, 10, 10, 10}};
    struct http_timer timer;
    http_timer_init(&timer);
    http_timer_arm(&timers, &timer, HTTP_TIMER_IDLE, 0);
    assert_int_equal(http_timers_wait_ms(&timers, 10, 100), 0);
    assert_int_equal(http_timers_wait_ms(&timers, 500, 100), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers_agree_with_a_model),
        cmocka_unit_test(test_a_deadline_in_the_past_waits_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
