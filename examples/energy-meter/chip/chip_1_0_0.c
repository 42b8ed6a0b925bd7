/* chip_1_0_0.c - firmware 1.0.0 on the chip. */
#include "examples/energy-meter/chip/console.h"

static const struct console_command *const commands[] = {
    &command_help,  &command_version, &command_reading, &command_health,
    &command_house, &command_wave,    &command_image,

    NULL,
};

const struct chip_version chip_version = {&meter_version_1_0_0, commands};
