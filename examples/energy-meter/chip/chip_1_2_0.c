/* chip_1_2_0.c - firmware 1.2.0 on the chip. */
#include "examples/energy-meter/chip/console.h"

static const struct console_command *const commands[] = {
    &command_help, &command_version, &command_reading,  &command_health,  &command_house,
    &command_wave, &command_image,   &command_spectrum, &command_thermal, NULL,
};

const struct chip_version chip_version = {&meter_version_1_2_0, commands};
