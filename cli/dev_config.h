/* dev_config.h - the configuration files that `moult dev init` writes.
 *
 * Layer    cli.
 */
#ifndef MOULT_CLI_DEV_CONFIG_H
#define MOULT_CLI_DEV_CONFIG_H

#include "cli/cli.h"

/* What the files are made of; texts are borrowed. */
struct dev_config {
    const char *folder; /* absolute */
    const char *host;   /* address the server listens on */
    uint64_t device_port, operator_port, broker_port;
    const char *product, *class_name, *chip;
    const char *fleet_id, *class_id; /* hex */
    const char *token;
    bool is_demo; /* intervals of a demonstration instead of production's */
};

/* moultd.conf, signer.conf, mosquitto.conf, mosquitto.acl, moult.conf, token, fleet.json.
 * Existing files are CLI_EXISTS. Returns CLI_OK, or has failed. */
MOULT_MUST_CHECK int dev_config_write(struct cli *cli, const struct dev_config *config);

#endif
