/* clock.h - the time of a simulated chip, turned by hand.
 *
 * Layer    ports/sim.
 * Memory   no heap; struct below. No time of its own: only what it is told passes.
 * Use it   in struct moult_sim_chip, where moult_sim_boot() resets it. Faults (F13) are
 *          moult_sim_clock_jump(), and losing the RTC at a reset.
 *
 * Two clocks, as on an ESP32: milliseconds since the last reset, which only ever grow, and
 * the wall clock of the RTC, which survives resets but not a loss of power, and which
 * software or a bad server may set to anything. The update engine sees the first alone.
 */
#ifndef MOULT_PORTS_SIM_CLOCK_H
#define MOULT_PORTS_SIM_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct moult_sim_clock {
    uint64_t life_us; /* since it was made, time without power included */
    uint64_t boot_us; /* life_us at the last reset */
    bool has_rtc;     /* false: no time; to be set before it tells one */
    uint64_t rtc_us;  /* unix time minus life_us, modulo 2^64 */
};

/* Time passes, with power or without. */
void moult_sim_clock_pass(struct moult_sim_clock *clock, uint64_t us);

/* A reset: the milliseconds begin again; keeps_rtc false: the wall clock is gone. */
void moult_sim_clock_reset(struct moult_sim_clock *clock, bool keeps_rtc);

/* Milliseconds since the last reset. */
uint64_t moult_sim_clock_ms(const struct moult_sim_clock *clock);

/* Sets the wall clock. Or moves it, forwards or back (F13); nothing without time. */
void moult_sim_clock_set(struct moult_sim_clock *clock, uint64_t unix_s);
void moult_sim_clock_jump(struct moult_sim_clock *clock, int64_t seconds);

/* Unix time; false: none is known. */
bool moult_sim_clock_unix(const struct moult_sim_clock *clock, uint64_t *unix_s);

#endif
