/* clock.c - see clock.h. */
#include "ports/sim/clock.h"
#include <assert.h>

enum { US_PER_MS = 1000, US_PER_S = 1000000 };

void moult_sim_clock_pass(struct moult_sim_clock *clock, uint64_t us)
{
    assert(us <= UINT64_MAX - clock->life_us);
    clock->life_us += us;
}

void moult_sim_clock_reset(struct moult_sim_clock *clock, bool keeps_rtc)
{
    clock->boot_us = clock->life_us;
    clock->has_rtc = clock->has_rtc && keeps_rtc;
}

uint64_t moult_sim_clock_ms(const struct moult_sim_clock *clock)
{
    assert(clock->boot_us <= clock->life_us);
    return (clock->life_us - clock->boot_us) / US_PER_MS;
}

void moult_sim_clock_set(struct moult_sim_clock *clock, uint64_t unix_s)
{
    clock->has_rtc = true;
    clock->rtc_us = unix_s * US_PER_S - clock->life_us;
}

void moult_sim_clock_jump(struct moult_sim_clock *clock, int64_t seconds)
{
    clock->rtc_us += (uint64_t)seconds * US_PER_S;
}

bool moult_sim_clock_unix(const struct moult_sim_clock *clock, uint64_t *unix_s)
{
    if (!clock->has_rtc) { return false; }
    *unix_s = (clock->rtc_us + clock->life_us) / US_PER_S;
    return true;
}
