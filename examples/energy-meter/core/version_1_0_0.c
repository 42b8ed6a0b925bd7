/* version_1_0_0.c - the first release: voltage, current, power, energy. */
#include <stddef.h>
#include "examples/energy-meter/core/meter.h"
#include "examples/energy-meter/core/scale.h"

const struct meter_traits meter_version_1_0_0 = {
    .version = "1.0.0",
    .voltage_uv_per_count = METER_VOLTAGE_UV_PER_COUNT,
    .current_ua_per_count = METER_CURRENT_UA_PER_COUNT,
    .measure_more = NULL,
};
