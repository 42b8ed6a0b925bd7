/* console.h - a serial console: one line, one command.
 *
 * Layer    examples/energy-meter/chip.
 * Use it   console_poll() from the main loop; never waits for a character.
 */
#ifndef MOULT_EXAMPLES_CONSOLE_H
#define MOULT_EXAMPLES_CONSOLE_H

#include <stddef.h>
#include "examples/energy-meter/core/meter.h"
#include "examples/energy-meter/core/waveform.h"

#define CONSOLE_LINE_SIZE 64u /* a longer line is refused */

/* What commands may look at. */
struct console_view {
    const struct meter *meter;
    const struct waveform *house;
    const struct chip_version *version;
};

struct console_command {
    const char *name, *help;
    void (*run)(const struct console_view *view, const char *argument); /* "" when none */
};

/* A version of the firmware: what it measures and what its console offers. */
struct chip_version {
    const struct meter_traits *traits;
    const struct console_command *const *commands; /* ended by NULL */
};

/* The version this image was built as; in one of chip_1_0_0.c, chip_1_1_0.c, chip_1_2_0.c.
 * */
extern const struct chip_version chip_version;

extern const struct console_command command_help, command_version, command_reading,
    command_house, command_wave, command_health, command_image;
extern const struct console_command command_spectrum, command_thermal; /* from 1.1.0 */

void console_poll(const struct console_view *view);

#endif
