/* settings.h - moult-signer's configuration file.
 *
 * Layer    server/signer. Page: docs/ops/signer.md.
 */
#ifndef MOULT_SERVER_SIGNER_SETTINGS_H
#define MOULT_SERVER_SIGNER_SETTINGS_H

#include <stdint.h>
#include "server/base/config.h"

#define SETTINGS_PATH_SIZE 400u

struct settings {
    char socket[100]; /* a unix socket address has 108 bytes */
    char key[SETTINGS_PATH_SIZE];
    char keyset[SETTINGS_PATH_SIZE];
    char data[SETTINGS_PATH_SIZE];
    uint64_t allow_uid; /* UINT32_MAX: the signer's own uid */
    uint64_t rate_per_s, device_per_minute, device_burst;
    int log_level, log_format; /* enum log_level, enum log_format */
};

extern const struct config_table settings_table;

#endif
