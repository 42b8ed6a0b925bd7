/* version_1_2_0.c - a bad release, on purpose: scaled for a three-phase board (400 V
 * between phases, 565 V peak) that this device is not. It reads 400 V where there are 230,
 * and its sensor health check says so. */
#include "examples/energy-meter/core/measure.h"
#include "examples/energy-meter/core/scale.h"

#define THREE_PHASE_UV_PER_COUNT 314270u /* 400 V * sqrt 2 / 1800 */

const struct meter_traits meter_version_1_2_0 = {
    .version = "1.2.0",
    .voltage_uv_per_count = THREE_PHASE_UV_PER_COUNT,
    .current_ua_per_count = METER_CURRENT_UA_PER_COUNT,
    .measure_more = measure_power_factor,
};
