/* settings.c - see settings.h. */
#include "server/main/settings.h"
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include "formats/bytes.h"
#include "formats/chip.h"

#define TEXT(field) offsetof(struct settings, field), sizeof((struct settings *)0)->field
#define FIELD(field) offsetof(struct settings, field), 0
#define SECOND 1000u
#define MINUTE (60u * SECOND)
#define HOUR (60u * MINUTE)
#define DAY ((uint64_t)24 * HOUR)

/* One row per setting. Keep the order of docs/ops/moultd.md. */
static const struct config_row rows[] = {
    {"data", CONFIG_TEXT, TEXT(data), "/var/lib/moultd", 1, 399, NULL,
     "Folder for the database (moult.db) and artifacts."},
    {"keyset", CONFIG_TEXT, TEXT(keyset), "/etc/moult/keyset.cbor", 1, 399, NULL,
     "Newest keyset of the fleet; a newer one in the database wins."},
    {"endpoints", CONFIG_TEXT, TEXT(endpoints), "", 0, 399, NULL,
     "Signed list of the fleet's server addresses, handed to devices; empty: none."},
    {"fleet_id", CONFIG_TEXT, TEXT(fleet_id), "", 0, 32, NULL,
     "The fleet's 16 bytes as 32 hex digits; must be the keyset's."},
    {"product", CONFIG_TEXT, TEXT(control.product), "default", 1, 64, NULL,
     "Name of the product."},
    {"classes", CONFIG_TEXT, TEXT(classes), "", 0, 999, NULL,
     "Hardware classes, NAME:CLASS_ID:CHIP separated by commas."},
    {"device.listen", CONFIG_ADDRESS, TEXT(device_listen), "*:8443", 0, 0, NULL,
     "Where devices connect (TLS with client certificates)."},
    {"device.cert", CONFIG_TEXT, TEXT(device_cert), "/etc/moult/server.pem", 1, 399, NULL,
     "Server certificate and chain for devices, PEM."},
    {"device.key", CONFIG_TEXT, TEXT(device_key), "/etc/moult/server.key", 1, 399, NULL,
     "Its private key, PEM."},
    {"operator.listen", CONFIG_ADDRESS, TEXT(operator_listen), "127.0.0.1:8444", 0, 0, NULL,
     "Where operators, the CLI and Prometheus connect (TLS, tokens)."},
    {"operator.cert", CONFIG_TEXT, TEXT(operator_cert), "/etc/moult/server.pem", 1, 399,
     NULL, "Server certificate and chain for operators, PEM."},
    {"operator.key", CONFIG_TEXT, TEXT(operator_key), "/etc/moult/server.key", 1, 399, NULL,
     "Its private key, PEM."},
    {"operator.token_file", CONFIG_TEXT, TEXT(token_file), "", 0, 399, NULL,
     "File with the first token, mode 0600; it holds every role. Empty: none."},
    {"operator.metrics_open", CONFIG_BOOL, FIELD(metrics_open), "no", 0, 0, NULL,
     "Whether /metrics needs no token from loopback addresses."},
    {"http.threads", CONFIG_COUNT, FIELD(threads), "0", 0, 64, NULL,
     "I/O threads; 0: one per CPU, at most 8."},
    {"http.connections_max", CONFIG_COUNT, FIELD(connections_max), "12000", 16, 1000000,
     NULL, "Connections at once; more are closed."},
    {"http.per_address_max", CONFIG_COUNT, FIELD(per_address_max), "256", 1, 1000000, NULL,
     "Connections at once from one IPv4 address or IPv6 /64."},
    {"signer.socket", CONFIG_TEXT, TEXT(signer_socket), "/run/moult/signer.sock", 1, 99,
     NULL, "Unix socket of moult-signer."},
    {"mqtt.broker", CONFIG_ADDRESS, TEXT(mqtt_broker), "", 0, 0, NULL,
     "MQTT broker for wakes, HOST:PORT with TLS. Empty: devices poll only."},
    {"mqtt.ca", CONFIG_TEXT, TEXT(mqtt_ca), "/etc/moult/ca.pem", 1, 399, NULL,
     "CA of the broker's certificate, PEM."},
    {"mqtt.cert", CONFIG_TEXT, TEXT(mqtt_cert), "/etc/moult/moultd-mqtt.pem", 1, 399, NULL,
     "moultd's certificate for the broker, PEM."},
    {"mqtt.key", CONFIG_TEXT, TEXT(mqtt_key), "/etc/moult/moultd-mqtt.key", 1, 399, NULL,
     "Its private key, PEM."},
    {"interval.idle", CONFIG_DURATION, FIELD(control.interval_ms), "1h", SECOND, 31 * DAY,
     NULL, "Between check-ins of a device with nothing to do."},
    {"interval.busy", CONFIG_DURATION, FIELD(control.interval_busy_ms), "5m", SECOND, DAY,
     NULL, "Between check-ins of a device with an assignment."},
    {"interval.trial", CONFIG_DURATION, FIELD(control.interval_trial_ms), "60s", SECOND,
     DAY, NULL, "Between check-ins on trial and at the start of a soak."},
    {"interval.pending", CONFIG_DURATION, FIELD(control.interval_pending_ms), "15m", SECOND,
     31 * DAY, NULL, "Told to devices that wait to be accepted."},
    {"interval.min", CONFIG_DURATION, FIELD(control.interval_min_ms), "30s", SECOND, HOUR,
     NULL, "No device is told less."},
    {"interval.expected", CONFIG_DURATION, FIELD(control.expected_interval_ms), "24h",
     SECOND, 31 * DAY, NULL, "Rhythm assumed of a device too new to have one."},
    {"interval.tick", CONFIG_DURATION, FIELD(control.tick_ms), "5s", 100, HOUR, NULL,
     "How often gates and time limits are looked at."},
    {"interval.flush", CONFIG_DURATION, FIELD(control.flush_ms), "2s", 100, MINUTE, NULL,
     "How often last_seen is written; so much of it a crash may lose."},
    {"rollout.soak_first", CONFIG_DURATION, FIELD(control.soak_first_ms), "24h", 0,
     31 * DAY, NULL, "Default soak of the first phase."},
    {"rollout.soak", CONFIG_DURATION, FIELD(control.soak_ms), "4h", 0, 31 * DAY, NULL,
     "Default soak of later phases."},
    {"rollout.device_soak", CONFIG_DURATION, FIELD(control.device_soak_ms), "1h", 0,
     31 * DAY, NULL, "Soak of a device before it counts as success; at most its phase's."},
    {"rollout.phase_max", CONFIG_DURATION, FIELD(control.phase_max_ms), "14d", MINUTE,
     365 * DAY, NULL, "A phase that cannot be decided holds after this."},
    {"rollout.min_devices", CONFIG_COUNT, FIELD(control.min_devices), "3", 1, 10000, NULL,
     "Least devices of a percent phase."},
    {"rollout.offers_per_minute", CONFIG_COUNT, FIELD(control.offers_per_minute), "0", 0,
     1000000, NULL, "Default rate of a rollout; 0: no limit."},
    {"order.offer_ttl", CONFIG_DURATION, FIELD(control.offer_ttl_ms), "7d", MINUTE,
     365 * DAY, NULL, "An offer nobody takes up is issued again after this."},
    {"order.ttl", CONFIG_DURATION, FIELD(control.assignment_ttl_ms), "10m", SECOND, HOUR,
     NULL, "Validity of a signed order."},
    {"order.confirm", CONFIG_DURATION, FIELD(control.confirm_ms), "5m", 30 * SECOND, DAY,
     NULL, "A new image must confirm within this, or returns to the old one."},
    {"limit.stall", CONFIG_DURATION, FIELD(control.stall_min_ms), "1h", SECOND, 31 * DAY,
     NULL, "Least time without progress that counts as stalled."},
    {"limit.total", CONFIG_DURATION, FIELD(control.total_min_ms), "24h", SECOND, 365 * DAY,
     NULL, "Least time for one download in all."},
    {"limit.silent_min", CONFIG_DURATION, FIELD(control.silent_min_ms), "15m", SECOND,
     31 * DAY, NULL, "Least silence after an update that counts as failure."},
    {"limit.silent_max", CONFIG_DURATION, FIELD(control.silent_max_ms), "30d", SECOND,
     365 * DAY, NULL, "Most silence that is waited for."},
    {"limit.silent_factor", CONFIG_COUNT, FIELD(control.silent_factor), "3", 1, 100, NULL,
     "Rhythms without contact that count as silence."},
    {"limit.outage_min", CONFIG_DURATION, FIELD(control.outage_min_ms), "60s", SECOND, DAY,
     NULL, "A longer stop of this server is forgiven to the devices."},
    {"retry.base", CONFIG_DURATION, FIELD(control.retry_base_ms), "60s", 100, HOUR, NULL,
     "First back-off of a retry; doubles."},
    {"retry.cap", CONFIG_DURATION, FIELD(control.retry_cap_ms), "24h", SECOND, 31 * DAY,
     NULL, "Longest back-off."},
    {"wake.spread", CONFIG_DURATION, FIELD(control.wake_spread_ms), "30s", 0, DAY, NULL,
     "Devices woken together start within this."},
    {"wake.per_s", CONFIG_COUNT, FIELD(control.wakes_per_s), "200", 1, 100000, NULL,
     "Wakes published a second at most."},
    {"enrol.trust_on_first_use", CONFIG_BOOL, FIELD(control.trust_on_first_use), "yes", 0,
     0, NULL, "Whether unknown devices wait to be accepted (no: they are refused)."},
    {"enrol.accept_on_first_use", CONFIG_BOOL, FIELD(control.accept_on_first_use), "no", 0,
     0, NULL, "Accept them at once. For demonstrations only."},
    {"enrol.pending_max", CONFIG_COUNT, FIELD(control.pending_max), "10000", 0, 1000000,
     NULL, "Devices that may wait to be accepted."},
    {"enrol.pending_per_minute", CONFIG_COUNT, FIELD(control.pending_per_minute), "600", 1,
     1000000, NULL, "New ones a minute."},
    {"enrol.devices_max", CONFIG_COUNT, FIELD(control.devices_max), "1000000", 1, 10000000,
     NULL, "Devices in the registry."},
    {"log.level", CONFIG_CHOICE, FIELD(log_level), "info", 0, 0, "error|warn|info|debug",
     "How much is logged."},
    {"log.format", CONFIG_CHOICE, FIELD(log_format), "text", 0, 0, "text|json",
     "One line of text, or one JSON object, per event."},
    {"log.trace", CONFIG_TEXT, TEXT(log_trace), "", 0, 199, NULL,
     "Components whose debug lines pass, e.g. http,control."},
    {"port_file", CONFIG_TEXT, TEXT(port_file), "", 0, 399, NULL,
     "File that gets 'device PORT' and 'operator PORT' once listening; for port 0."},
};

const struct config_table settings_table = {rows, sizeof rows / sizeof rows[0]};

/* "NAME:CLASS_ID:CHIP" into one class. text is changed. */
static bool parse_class(char *text, struct control_class *out)
{
    char *id = strchr(text, ':');
    char *chip = id ? strchr(id + 1, ':') : NULL;
    if (!chip) { return false; }
    *id++ = '\0';
    *chip++ = '\0';
    const struct moult_chip *known = moult_chip_by_name(chip);
    size_t name_size = strlen(text);
    if (!known || name_size == 0 || name_size >= sizeof out->name || strlen(id) != 32 ||
        !moult_hex_decode(id, out->id, sizeof out->id)) {
        return false;
    }
    memcpy(out->name, text, name_size + 1);
    out->chip_id = known->id;
    return true;
}

static enum moult_status parse_classes(const char *path, struct settings *settings,
                                       struct config_error *error)
{
    char text[sizeof settings->classes];
    memcpy(text, settings->classes, sizeof text);
    char *rest = text;
    for (char *part; (part = strsep(&rest, ",")) != NULL;) {
        part += strspn(part, " \t");
        part[strcspn(part, " \t")] = '\0';
        size_t index = settings->control.class_count;
        if (index >= CONTROL_CLASSES_MAX ||
            !parse_class(part, &settings->control.classes[index])) {
            snprintf(error->text, sizeof error->text,
                     "%s: classes: expected up to %u of NAME:32 HEX DIGITS:CHIP (esp32c3, "
                     "...), found \"%.200s\"",
                     path, CONTROL_CLASSES_MAX, settings->classes);
            return MOULT_E_FORMAT;
        }
        settings->control.class_count++;
    }
    return MOULT_OK;
}

enum moult_status settings_load(const char *path, struct settings *out,
                                struct config_error *error)
{
    memset(out, 0, sizeof *out);
    control_config_default(&out->control);
    out->control.class_count = 0;
    config_defaults(&settings_table, out);
    enum moult_status st = config_load(&settings_table, path, out, error);
    if (st != MOULT_OK) { return st; }
    if (strlen(out->fleet_id) != 32 ||
        !moult_hex_decode(out->fleet_id, out->control.fleet_id, 16)) {
        snprintf(error->text, sizeof error->text,
                 "%s: fleet_id: expected 32 hex digits, found \"%s\"", path, out->fleet_id);
        return MOULT_E_FORMAT;
    }
    return parse_classes(path, out, error);
}
