/* dev_config.c - see dev_config.h. */
#include "cli/dev_config.h"
#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include "client/mem.h"

/* Seconds instead of days, so that a rollout can be watched. */
static const char demo_server[] =
    "\n# Intervals of the demonstration; without these lines production's apply.\n"
    "interval.min = 1s\n"
    "interval.idle = 5s\n"
    "interval.busy = 2s\n"
    "interval.trial = 1s\n"
    "interval.pending = 2s\n"
    "interval.expected = 5s\n"
    "interval.tick = 200ms\n"
    "interval.flush = 500ms\n"
    "rollout.soak_first = 3s\n"
    "rollout.soak = 3s\n"
    "order.confirm = 30s\n"
    "limit.silent_min = 60s\n"
    "limit.outage_min = 2s\n"
    "wake.spread = 1s\n"
    "retry.base = 2s\n"
    "http.per_address_max = 4096   # all devices of the demonstration have one address\n";

static const char demo_signer[] =
    "\n# Devices of the demonstration check in every few seconds.\n"
    "device_per_minute = 600\n"
    "device_burst = 600\n";

static int put(struct cli *cli, const struct dev_config *config, const char *name,
               unsigned mode, const char *text)
{
    const char *path = cli_text(cli, "%s/%s", config->folder, name);
    return cli_write_file(cli, path, mode, false, text, strlen(text));
}

static const char *server_text(struct cli *cli, const struct dev_config *c)
{
    const char *d = c->folder;
    const char *first =
        cli_text(cli,
                 "# moultd.conf - made by `moult dev init`; `moultd --help` "
                 "lists every setting.\n"
                 "data = \"%s/data\"\n"
                 "keyset = \"%s/keyset.cbor\"\n"
                 "fleet_id = %s\n"
                 "product = %s\n"
                 "classes = %s:%s:%s\n"
                 "device.listen = %s:%" PRIu64 "\n"
                 "device.cert = \"%s/server.pem\"\n"
                 "device.key = \"%s/server.key\"\n",
                 d, d, c->fleet_id, c->product, c->class_name, c->class_id, c->chip,
                 c->host, c->device_port, d, d);
    const char *second = cli_text(cli,
                                  "operator.listen = %s:%" PRIu64 "\n"
                                  "operator.cert = \"%s/server.pem\"\n"
                                  "operator.key = \"%s/server.key\"\n"
                                  "operator.token_file = \"%s/token\"\n"
                                  "operator.metrics_open = yes\n"
                                  "signer.socket = \"%s/signer.sock\"\n",
                                  c->host, c->operator_port, d, d, d, d);
    return cli_text(cli,
                    "%s%s"
                    "mqtt.broker = %s:%" PRIu64 "\n"
                    "mqtt.ca = \"%s/ca.pem\"\n"
                    "mqtt.cert = \"%s/moultd-mqtt.pem\"\n"
                    "mqtt.key = \"%s/moultd-mqtt.key\"\n%s",
                    first, second, c->host, c->broker_port, d, d, d,
                    c->is_demo ? demo_server : "");
}

static const char *signer_text(struct cli *cli, const struct dev_config *c)
{
    const char *d = c->folder;
    return cli_text(cli,
                    "# signer.conf - made by `moult dev init`; `moult-signer --help` lists "
                    "every setting.\n"
                    "socket = \"%s/signer.sock\"\n"
                    "key = \"%s/assign.pem\"\n"
                    "keyset = \"%s/keyset.cbor\"\n"
                    "data = \"%s/signer\"\n%s",
                    d, d, d, d, c->is_demo ? demo_signer : "");
}

static const char *broker_text(struct cli *cli, const struct dev_config *c)
{
    const char *d = c->folder;
    return cli_text(cli,
                    "# mosquitto.conf - made by `moult dev init`\n"
                    "listener %" PRIu64 " %s\n"
                    "cafile %s/ca.pem\n"
                    "certfile %s/server.pem\n"
                    "keyfile %s/server.key\n"
                    "require_certificate true\n"
                    "use_identity_as_username true\n"
                    "acl_file %s/mosquitto.acl\n"
                    "persistence true\n"
                    "persistence_location %s/mosquitto/\n"
                    "autosave_interval 5\n"
                    "log_dest stderr\n"
                    "log_type error\n"
                    "log_type warning\n"
                    "log_type notice\n%s",
                    c->broker_port, c->host, d, d, d, d, d,
                    /* Started by root it would become a user who cannot read this. */
                    geteuid() == 0 ? "user root\n" : "");
}

static const char broker_acl[] =
    "# moultd wakes, a device reads its own topic and no other\n"
    "user moultd\n"
    "topic readwrite moult/1/+/wake\n"
    "pattern read moult/1/%u/wake\n";

static const char *profile_text(struct cli *cli, const struct dev_config *c)
{
    return cli_text(cli,
                    "# moult.conf - profile for the CLI: export MOULT_PROFILE=%s\n"
                    "server = https://%s:%" PRIu64 "\n"
                    "token = %s\n"
                    "ca = ca.pem\n",
                    c->folder, c->host, c->operator_port, c->token);
}

static int put_fleet(struct cli *cli, const struct dev_config *c)
{
    json_t *fleet = json_pack("{s:s, s:s, s:s, s:s, s:s}", "product", c->product,
                              "fleet_id", c->fleet_id, "class", c->class_name, "class_id",
                              c->class_id, "chip", c->chip);
    char *text = fleet ? json_dumps(fleet, JSON_INDENT(2)) : NULL;
    json_decref(fleet);
    int rc = text ? put(cli, c, "fleet.json", 0644, text)
                  : cli_fail(cli, MOULT_D_CLI_FILE_WRITE, "fleet.json", "no memory");
    client_mem_free(text);
    return rc;
}

int dev_config_write(struct cli *cli, const struct dev_config *config)
{
    const struct {
        const char *name;
        unsigned mode;
        const char *text;
    } files[] = {
        {"moultd.conf", 0644, server_text(cli, config)},
        {"signer.conf", 0644, signer_text(cli, config)},
        {"mosquitto.conf", 0644, broker_text(cli, config)},
        {"mosquitto.acl", 0600, broker_acl},
        {"moult.conf", 0600, profile_text(cli, config)},
        {"token", 0600, cli_text(cli, "%s\n", config->token)},
    };
    int rc = CLI_OK;
    for (size_t i = 0; rc == CLI_OK && i < sizeof files / sizeof files[0]; i++) {
        rc = put(cli, config, files[i].name, files[i].mode, files[i].text);
    }
    return rc == CLI_OK ? put_fleet(cli, config) : rc;
}
