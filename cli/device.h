/* device.h - devices as people name them.
 *
 * Layer    cli.
 */
#ifndef MOULT_CLI_DEVICE_H
#define MOULT_CLI_DEVICE_H

#include "cli/cli.h"

/* The id of the device that `text` names: 32 hex digits as they are; anything else is
 * looked up as the beginning of an id, name or serial, and must match one device only. *id
 * lasts until the command ends. Returns CLI_OK, or has failed (3 none, 5 several). */
MOULT_MUST_CHECK int cli_device_id(struct cli *cli, const char *text, const char **id);

#endif
