/* clock_test.c - dates as text, and a clock turned by hand. */
#include "server/base/clock.h"
#include "tests/support/unit.h"

static void test_dates_are_written_as_the_standards_say(void **state)
{
    (void)state; /* cmocka's signature */
    static const struct {
        uint64_t ms;
        const char *rfc3339, *http;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 GMT"},
        {784111777042, "1994-11-06T08:49:37.042Z", "Sun, 06 Nov 1994 08:49:37 GMT"},
        {1709164800000, "2024-02-29T00:00:00.000Z", "Thu, 29 Feb 2024 00:00:00 GMT"},
        {4102444799999, "2099-12-31T23:59:59.999Z", "Thu, 31 Dec 2099 23:59:59 GMT"},
        {UINT64_MAX, "9999-12-31T23:59:59.999Z", "Fri, 31 Dec 9999 23:59:59 GMT"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char rfc3339[CLOCK_RFC3339_SIZE], http[CLOCK_HTTP_SIZE];
        clock_rfc3339(rows[i].ms, rfc3339);
        clock_http_date(rows[i].ms, http);
        assert_string_equal(rfc3339, rows[i].rfc3339);
        assert_string_equal(http, rows[i].http);
    }
}

static void test_the_manual_clock_stands_still_until_advanced(void **state)
{
    (void)state;
    struct clock_manual manual = {.real_ms = 1000, .mono_us = 5000};
    struct clock clock = clock_manual(&manual);
    assert_int_equal(clock_realtime_ms(&clock), 1000);
    assert_int_equal(clock_monotonic_ms(&clock), 5);
    clock_manual_advance(&manual, 250);
    assert_int_equal(clock_realtime_ms(&clock), 1250);
    assert_int_equal(clock_monotonic_ms(&clock), 255);
    assert_int_equal(clock_monotonic_us(&clock), 255000);
}

static void test_the_system_clock_goes_forward_and_knows_the_year(void **state)
{
    (void)state;
    const struct clock *clock = clock_system();
    uint64_t first = clock_monotonic_us(clock);
    assert_true(clock_monotonic_us(clock) >= first);
    assert_true(clock_realtime_ms(clock) > 1700000000000); /* November 2023 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dates_are_written_as_the_standards_say),
        cmocka_unit_test(test_the_manual_clock_stands_still_until_advanced),
        cmocka_unit_test(test_the_system_clock_goes_forward_and_knows_the_year),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
