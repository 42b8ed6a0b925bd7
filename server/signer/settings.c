/* settings.c - see settings.h. */
#include "server/signer/settings.h"
#include <stddef.h>

#define TEXT(field) offsetof(struct settings, field), sizeof((struct settings *)0)->field
#define FIELD(field) offsetof(struct settings, field), 0

static const struct config_row rows[] = {
    {"socket", CONFIG_TEXT, TEXT(socket), "/run/moult/signer.sock", 1, 99, NULL,
     "Unix socket to listen on; its folder should belong to the signer's user."},
    {"key", CONFIG_TEXT, TEXT(key), "/etc/moult/assign.pem", 1, 399, NULL,
     "Private key of the assign role, PEM, mode 0600."},
    {"keyset", CONFIG_TEXT, TEXT(keyset), "/etc/moult/keyset.cbor", 1, 399, NULL,
     "The first keyset of the fleet; later ones are adopted over the socket."},
    {"data", CONFIG_TEXT, TEXT(data), "/var/lib/moult-signer", 1, 399, NULL,
     "Folder for the counter bound, the list of verified releases and adopted keysets."},
    {"allow_uid", CONFIG_COUNT, FIELD(allow_uid), "4294967295", 0, 4294967295u, NULL,
     "The one user id that may connect (moultd's); 4294967295: the signer's own."},
    {"rate_per_s", CONFIG_COUNT, FIELD(rate_per_s), "2000", 1, 100000, NULL,
     "Orders signed a second, all devices together; bursts of twice as many pass."},
    {"device_per_minute", CONFIG_COUNT, FIELD(device_per_minute), "12", 1, 60000, NULL,
     "Orders signed a minute for one device."},
    {"device_burst", CONFIG_COUNT, FIELD(device_burst), "30", 1, 10000, NULL,
     "Orders a device may get at once before device_per_minute holds."},
    {"log.level", CONFIG_CHOICE, FIELD(log_level), "info", 0, 0, "error|warn|info|debug",
     "How much is logged."},
    {"log.format", CONFIG_CHOICE, FIELD(log_format), "text", 0, 0, "text|json",
     "One line of text, or one JSON object, per event."},
};

const struct config_table settings_table = {rows, sizeof rows / sizeof rows[0]};
