/* version_1_1_0.c - adds the power factor. */
#include "examples/energy-meter/core/measure.h"
#include "examples/energy-meter/core/scale.h"

const struct meter_traits meter_version_1_1_0 = {
    .version = "1.1.0",
    .voltage_uv_per_count = METER_VOLTAGE_UV_PER_COUNT,
    .current_ua_per_count = METER_CURRENT_UA_PER_COUNT,
    .measure_more = measure_power_factor,
};
