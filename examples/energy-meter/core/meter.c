/* meter.c - see meter.h. Sampling, the ring, and what is said of the sensors. */
#include "examples/energy-meter/core/meter.h"
#include <assert.h>
#include <string.h>
#include "examples/energy-meter/core/measure.h"

enum {
    SAMPLE_MS = 1000 / METER_RATE_HZ,
    CONVERTER_MIDDLE = 2048,
    VOLTAGE_MV_MIN = 180000, /* 230 V less 20 % */
    VOLTAGE_MV_MAX = 265000, /* and plus 15 % */
    CURRENT_MA_MAX = 66000,  /* 60 A and 10 %: soon the converter clips */
    FREQUENCY_MHZ_MIN = 45000,
    FREQUENCY_MHZ_MAX = 65000,
};
_Static_assert(SAMPLE_MS *METER_RATE_HZ == 1000, "whole milliseconds between samples");

static void begin_interval(struct meter *meter, uint64_t now_ms, uint16_t flags)
{
    memset(&meter->sums, 0, sizeof meter->sums);
    meter->next_sample_ms = now_ms + SAMPLE_MS;
    meter->interval_end_ms = now_ms + METER_INTERVAL_MS;
    meter->next_flags = flags;
}

void meter_start(struct meter *meter, const struct meter_traits *traits,
                 const struct meter_port *port, const struct meter_reading *last,
                 uint64_t now_ms)
{
    assert(meter && traits && port && port->sample && port->store);
    memset(meter, 0, sizeof *meter);
    meter->traits = traits;
    meter->port = *port;
    meter->next_sequence = last ? last->sequence + 1 : 1;
    meter->energy_uj = last ? last->energy_uj : 0;
    begin_interval(meter, now_ms, METER_READING_AFTER_GAP);
}

static enum meter_health judge(const struct meter_reading *reading)
{
    if (reading->voltage_mv == 0) { return METER_HEALTH_FLAT; }
    if (reading->voltage_mv < VOLTAGE_MV_MIN || reading->voltage_mv > VOLTAGE_MV_MAX) {
        return METER_HEALTH_VOLTAGE;
    }
    if (reading->current_ma > CURRENT_MA_MAX) { return METER_HEALTH_CURRENT; }
    if (reading->frequency_mhz < FREQUENCY_MHZ_MIN ||
        reading->frequency_mhz > FREQUENCY_MHZ_MAX) {
        return METER_HEALTH_FREQUENCY;
    }
    return METER_HEALTH_GOOD;
}

/* Into the ring; a full ring gives up its oldest. */
static void keep(struct meter *meter, const struct meter_reading *reading)
{
    if (meter->ring_count == METER_RING_READINGS) {
        meter->ring_first = (meter->ring_first + 1) % METER_RING_READINGS;
        meter->ring_count--;
        meter->lost_count++;
    }
    uint32_t at = (meter->ring_first + meter->ring_count) % METER_RING_READINGS;
    meter->ring[at] = *reading;
    meter->ring_count++;
}

static void offer(struct meter *meter)
{
    while (meter->ring_count > 0 &&
           meter->port.store(meter->port.context, &meter->ring[meter->ring_first])) {
        meter->ring_first = (meter->ring_first + 1) % METER_RING_READINGS;
        meter->ring_count--;
    }
}

static void finish_interval(struct meter *meter)
{
    struct meter_reading reading = {.sequence = meter->next_sequence++,
                                    .time_ms = meter->interval_end_ms,
                                    .flags = meter->next_flags};
    measure(&meter->sums, meter->traits, &reading);
    if (meter->traits->measure_more) { meter->traits->measure_more(&reading); }
    if (reading.power_mw > 0) {
        meter->energy_uj += (uint64_t)reading.power_mw * METER_INTERVAL_MS;
    }
    reading.energy_uj = meter->energy_uj;
    meter->health = judge(&reading);
    meter->latest = reading;
    keep(meter, &reading);
    begin_interval(meter, meter->interval_end_ms, 0);
}

static void take_sample(struct meter *meter)
{
    uint16_t voltage = 0, current = 0;
    uint64_t time_ms = meter->next_sample_ms;
    meter->port.sample(meter->port.context, time_ms, &voltage, &current);
    struct meter_sums *sums = &meter->sums;
    sums->count++;
    sums->voltage += voltage;
    sums->current += current;
    sums->voltage_squared += (uint64_t)voltage * voltage;
    sums->current_squared += (uint64_t)current * current;
    sums->product += (uint64_t)voltage * current;

    bool is_above = voltage >= CONVERTER_MIDDLE;
    if (is_above && !meter->was_above && sums->count > 1) {
        if (sums->crossings++ == 0) { sums->first_crossing_ms = time_ms; }
        sums->last_crossing_ms = time_ms;
    }
    meter->was_above = is_above;
    meter->next_sample_ms += SAMPLE_MS;
    if (time_ms >= meter->interval_end_ms) { finish_interval(meter); }
}

/* Nobody called for long, or the clock was set back: go on from now. */
static void leave_gap(struct meter *meter, uint64_t now_ms)
{
    if (now_ms > meter->next_sample_ms) {
        meter->skipped_ms += now_ms - meter->next_sample_ms;
    }
    begin_interval(meter, now_ms, METER_READING_AFTER_GAP);
}

bool meter_run(struct meter *meter, uint64_t now_ms)
{
    assert(meter && meter->traits);
    if (now_ms > meter->next_sample_ms + METER_CATCH_UP_MS_MAX ||
        meter->next_sample_ms > now_ms + METER_CATCH_UP_MS_MAX) {
        leave_gap(meter, now_ms);
    }
    uint32_t left = METER_RUN_SAMPLES_MAX;
    for (; left > 0 && meter->next_sample_ms <= now_ms; left--) {
        take_sample(meter);
    }
    offer(meter);
    return meter->next_sample_ms > now_ms;
}

uint32_t meter_backlog(const struct meter *meter)
{
    return meter->ring_count;
}

enum meter_health meter_health(const struct meter *meter)
{
    return meter->health;
}

const char *meter_health_words(enum meter_health health)
{
    switch (health) {
    case METER_HEALTH_UNKNOWN:
        return "no reading yet";
    case METER_HEALTH_GOOD:
        return "plausible";
    case METER_HEALTH_VOLTAGE:
        return "voltage not plausible";
    case METER_HEALTH_CURRENT:
        return "current over range";
    case METER_HEALTH_FREQUENCY:
        return "frequency not plausible";
    case METER_HEALTH_FLAT:
        return "converter gives one value only";
    }
    return "?";
}
