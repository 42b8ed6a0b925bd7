/* measure.h - from sums of samples to volts, amperes, watts.
 *
 * Layer    examples/energy-meter: pure, integers only.
 */
#ifndef MOULT_EXAMPLES_MEASURE_H
#define MOULT_EXAMPLES_MEASURE_H

#include "examples/energy-meter/core/meter.h"

/* Fill voltage, current, power and frequency from a full interval. */
void measure(const struct meter_sums *sums, const struct meter_traits *traits,
             struct meter_reading *reading);

/* Power factor from voltage, current and power: what version 1.1.0 measures more. */
void measure_power_factor(struct meter_reading *reading);

/* The largest whole number whose square is at most n. */
uint32_t integer_root(uint64_t n);

#endif
