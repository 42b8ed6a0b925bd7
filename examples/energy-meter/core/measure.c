/* measure.c - see measure.h. */
#include "examples/energy-meter/core/measure.h"
#include <assert.h>

uint32_t integer_root(uint64_t n)
{
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 62; bit != 0; bit >>= 2) {
        uint64_t trial = root + bit;
        root >>= 1;
        if (n >= trial) {
            n -= trial;
            root += bit;
        }
    }
    return (uint32_t)root;
}

/* Root mean square of the deviation from the mean, in thousandths of a count. At most 4095
 * counts and 1000 samples: n^2 * variance * 10^6 stays below 2^63. */
static uint64_t rms_milli_counts(uint64_t n, uint64_t sum, uint64_t squares)
{
    uint64_t variance = n * squares - sum * sum; /* times n^2 */
    return integer_root(variance / n * 1000000 / n);
}

/* Covariance of voltage and current to milliwatts; both scales are below 2^18. */
static int32_t power_mw(const struct meter_sums *sums, const struct meter_traits *traits)
{
    int64_t n = (int64_t)sums->count;
    int64_t covariance = n * (int64_t)sums->product -
                         (int64_t)sums->voltage * (int64_t)sums->current; /* times n^2 */
    int64_t microvolt_counts = covariance / n * (int64_t)traits->voltage_uv_per_count / n;
    return (int32_t)(microvolt_counts / 1000 * (int64_t)traits->current_ua_per_count /
                     1000000);
}

static uint32_t frequency_mhz(const struct meter_sums *sums)
{
    uint64_t span_ms = sums->last_crossing_ms - sums->first_crossing_ms;
    if (sums->crossings < 2 || span_ms == 0) { return 0; }
    return (uint32_t)((sums->crossings - 1) * UINT64_C(1000000) / span_ms);
}

void measure(const struct meter_sums *sums, const struct meter_traits *traits,
             struct meter_reading *reading)
{
    assert(sums->count > 0);
    uint64_t n = sums->count;
    uint64_t voltage = rms_milli_counts(n, sums->voltage, sums->voltage_squared);
    uint64_t current = rms_milli_counts(n, sums->current, sums->current_squared);
    reading->voltage_mv = (uint32_t)(voltage * traits->voltage_uv_per_count / 1000000);
    reading->current_ma = (uint32_t)(current * traits->current_ua_per_count / 1000000);
    reading->power_mw = power_mw(sums, traits);
    reading->frequency_mhz = frequency_mhz(sums);
}

void measure_power_factor(struct meter_reading *reading)
{
    uint64_t apparent_mw = (uint64_t)reading->voltage_mv * reading->current_ma / 1000;
    int64_t power = reading->power_mw;
    uint64_t active_mw = (uint64_t)(power < 0 ? -power : power);
    if (apparent_mw == 0) { return; }
    uint64_t permille = active_mw * 1000 / apparent_mw;
    reading->power_factor_permille = permille > 1000 ? 1000 : (uint16_t)permille;
}
