/* choose.h - command line into settings, with keys and certificates read or made.
 *
 * Layer    examples/energy-meter/host.
 */
#ifndef METER_HOST_CHOOSE_H
#define METER_HOST_CHOOSE_H

#include <stdbool.h>
#include "examples/energy-meter/host/arguments.h"
#include "examples/energy-meter/host/settings.h"

/* What was given on the command line over what settings holds. False: a message has been
 * printed. */
bool choose_settings(const struct arguments *arguments, struct settings *settings);

/* For a new device: key and certificate from files or made, device id, name, trigger. */
bool choose_identity(const struct arguments *arguments, struct settings *settings);

/* Write certificate and request where --cert-out and --csr-out say. */
bool write_papers(const struct arguments *arguments, const struct settings *settings);

#endif
