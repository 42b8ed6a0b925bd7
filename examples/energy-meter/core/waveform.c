/* waveform.c - see waveform.h. */
#include "examples/energy-meter/core/waveform.h"
#include "examples/energy-meter/core/scale.h"

enum {
    MIDDLE = 2048,
    COUNTS_MAX = 4095,
    VOLTAGE_PEAK_COUNTS = 1800,
    FREQUENCY_MHZ = 50000,
    FUSE_MA = 50000, /* a load manager keeps the house below */
    SPREAD_MHZ =
        40, /* a house is at 49.96 to 50.04 Hz, so every point of a period is seen */
};

/* A number of 32 bits that looks random; the same for the same input. */
static uint32_t scramble(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    return x ^ x >> 16;
}

/* Point of the mains period at a time; the period is cut in WAVEFORM_POINTS. */
static uint32_t point_at(const struct waveform *house, uint64_t time_ms)
{
    uint32_t mhz =
        FREQUENCY_MHZ - SPREAD_MHZ + scramble(house->seed) % (2 * SPREAD_MHZ + 1);
    return (uint32_t)(time_ms * mhz / 1000 % WAVEFORM_POINTS);
}

int waveform_is_on(const struct waveform *house, unsigned i, uint64_t time_ms)
{
    const struct waveform_appliance *appliance = &waveform_appliances[i];
    uint32_t mine = scramble(house->seed * 64u + i);
    if (i != 0 && mine % 3 == 0) { return 0; } /* this house does not have it */
    uint64_t phase_s = time_ms / 1000 + mine % appliance->period_s;
    return phase_s % appliance->period_s < appliance->on_s;
}

static uint16_t to_counts(int32_t counts)
{
    counts += MIDDLE;
    if (counts < 0) { return 0; }
    return counts > COUNTS_MAX ? COUNTS_MAX : (uint16_t)counts;
}

/* Current in microamperes, from the tables of what is on. */
static int64_t current_ua(const struct waveform *house, uint64_t time_ms, uint32_t point)
{
    int64_t sum = 0;
    uint32_t rated_ma = 0;
    for (unsigned i = 0; i < WAVEFORM_COUNT; i++) {
        const struct waveform_appliance *appliance = &waveform_appliances[i];
        if (!waveform_is_on(house, i, time_ms)) { continue; }
        if (rated_ma + appliance->rated_ma > FUSE_MA) { continue; }
        rated_ma += appliance->rated_ma;
        sum += (int64_t)appliance->rated_ma * (*appliance->points)[point];
    }
    return sum * 1414 / WAVEFORM_UNIT; /* rms to peak, thousandths: mA to uA */
}

void waveform_sample(const struct waveform *house, uint64_t time_ms, uint16_t *voltage,
                     uint16_t *current)
{
    uint32_t point = point_at(house, time_ms);
    int32_t noise = (int32_t)(scramble((uint32_t)time_ms ^ house->seed) % 5) - 2;
    int32_t volts = waveform_mains[point] * VOLTAGE_PEAK_COUNTS / WAVEFORM_UNIT;
    int64_t amperes =
        current_ua(house, time_ms, point) / (int64_t)METER_CURRENT_UA_PER_COUNT;
    *voltage = to_counts(volts + noise);
    *current = to_counts((int32_t)amperes + noise / 2);
}
