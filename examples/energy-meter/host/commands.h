/* commands.h - what moult-device can do; each returns the exit status.
 *
 * Layer    examples/energy-meter/host.
 */
#ifndef METER_HOST_COMMANDS_H
#define METER_HOST_COMMANDS_H

#include "examples/energy-meter/host/arguments.h"

int command_provision(const struct arguments *arguments);
int command_set(const struct arguments *arguments);
int command_show(const struct arguments *arguments);

/* argv is used again when the device reboots: the process then replaces itself. */
int command_run(const struct arguments *arguments, char **argv);

#endif
