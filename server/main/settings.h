/* settings.h - moultd's configuration file.
 *
 * Layer    server/main. Page: docs/ops/moultd.md; `moultd --help` prints the table.
 */
#ifndef MOULT_SERVER_MAIN_SETTINGS_H
#define MOULT_SERVER_MAIN_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include "server/base/config.h"
#include "server/control/control.h"

#define SETTINGS_PATH_SIZE 400u
#define SETTINGS_ADDRESS_SIZE 64u

struct settings {
    char data[SETTINGS_PATH_SIZE];
    char keyset[SETTINGS_PATH_SIZE];
    char endpoints[SETTINGS_PATH_SIZE];
    char fleet_id[33];
    char classes[1000];
    char device_listen[SETTINGS_ADDRESS_SIZE], operator_listen[SETTINGS_ADDRESS_SIZE];
    char device_cert[SETTINGS_PATH_SIZE], device_key[SETTINGS_PATH_SIZE];
    char operator_cert[SETTINGS_PATH_SIZE], operator_key[SETTINGS_PATH_SIZE];
    char token_file[SETTINGS_PATH_SIZE];
    bool metrics_open;
    uint64_t threads, connections_max, per_address_max;
    char signer_socket[100];
    char mqtt_broker[SETTINGS_ADDRESS_SIZE];
    char mqtt_ca[SETTINGS_PATH_SIZE], mqtt_cert[SETTINGS_PATH_SIZE];
    char mqtt_key[SETTINGS_PATH_SIZE];
    int log_level, log_format; /* enum log_level, enum log_format */
    char log_trace[200];
    char port_file[SETTINGS_PATH_SIZE];
    struct control_config control; /* intervals and limits */
};

extern const struct config_table settings_table;

/* Reads a file over the defaults and checks what one row alone cannot: fleet id, classes.
 * MOULT_OK; otherwise error->text says what was expected and what was found. */
MOULT_MUST_CHECK enum moult_status settings_load(const char *path, struct settings *out,
                                                 struct config_error *error);

#endif
