/* dev_init.c - moult dev init: everything a development fleet needs, in one folder.
 *
 * Root, release and assign keys lie side by side here, which production must never do.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "cli/cli.h"
#include "cli/dev_config.h"
#include "formats/chip.h"
#include "formats/keyset.h"
#include "formats/token.h"
#include "keys/certificate.h"
#include "keys/key_file.h"
#include "keys/openssl_crypto.h"

enum {
    OPT_DIR,
    OPT_HOST,
    OPT_DEVICE,
    OPT_OPERATOR,
    OPT_BROKER,
    OPT_PRODUCT,
    OPT_CHIP,
    OPT_DEMO
};

static const struct cli_option options[] = {
    [OPT_DIR] = {"dir", 'd', "DIR", "folder to make; must not hold a fleet yet", CLI_FILE},
    [OPT_HOST] = {"host", 0, "ADDRESS", "address to listen on (127.0.0.1)", CLI_TEXT},
    [OPT_DEVICE] = {"device-port", 0, "PORT", "for devices (8443)", CLI_NUMBER},
    [OPT_OPERATOR] = {"operator-port", 0, "PORT", "for operators (8444)", CLI_NUMBER},
    [OPT_BROKER] = {"broker-port", 0, "PORT", "of the MQTT broker (8883)", CLI_NUMBER},
    [OPT_PRODUCT] = {"product", 0, "NAME", "name of the product (energy-meter)", CLI_TEXT},
    [OPT_CHIP] = {"chip", 0, "CHIP", "chip of its one class (esp32c3)", CLI_TEXT},
    [OPT_DEMO] = {"demo", 0, NULL, "intervals of a demonstration: seconds, not hours",
                  CLI_FLAG},
};

/* Order of the keyset's keys, and the files they are in. */
enum { KEY_ROOT = 0, KEY_RELEASE = 3, KEY_ASSIGN = 5, KEY_COUNT = 6 };
static const char *const key_files[KEY_COUNT] = {"root-1.pem",    "root-2.pem",
                                                 "root-3.pem",    "release-1.pem",
                                                 "release-2.pem", "assign.pem"};
enum { ROOT_THRESHOLD = 2 };

static const char *in(struct cli *cli, const struct dev_config *config, const char *name)
{
    return cli_text(cli, "%s/%s", config->folder, name);
}

static int key_failed(struct cli *cli, const char *path, enum moult_status status,
                      const struct keys_error *error)
{
    if (status == MOULT_E_EXISTS) {
        cli_next(cli, "name another folder: keys are never overwritten");
        return cli_fail(cli, MOULT_D_CLI_EXISTS, NULL, path);
    }
    return cli_fail(cli, MOULT_D_CLI_FILE_WRITE, path,
                    error->found[0] ? error->found : moult_status_name(status));
}

static int make_key(struct cli *cli, const char *path)
{
    struct keys_error error = {0};
    enum moult_status st = keys_file_generate(path, &error);
    return st == MOULT_OK ? CLI_OK : key_failed(cli, path, st, &error);
}

static int random_hex(struct cli *cli, const char **out)
{
    uint8_t bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
        return cli_fail(cli, MOULT_D_CLI_FILE_READ, "random numbers", strerror(errno));
    }
    *out = cli_hex(cli, bytes, sizeof bytes);
    return CLI_OK;
}

static int make_token(struct cli *cli, const char **out)
{
    uint8_t secret[MOULT_TOKEN_SECRET_SIZE];
    char *text = cli_alloc(cli, MOULT_TOKEN_SIZE);
    if (getrandom(secret, sizeof secret, 0) != sizeof secret) {
        return cli_fail(cli, MOULT_D_CLI_FILE_READ, "random numbers", strerror(errno));
    }
    moult_token_write(secret, text);
    *out = text;
    return CLI_OK;
}

/* --- certificates --- */

static int make_certificate(struct cli *cli, const struct dev_config *config,
                            const char *name, const char *common_name, const char *names)
{
    const char *key = in(cli, config, cli_text(cli, "%s.key", name));
    const char *out = in(cli, config, cli_text(cli, "%s.pem", name));
    bool is_ca = strcmp(name, "ca") == 0;
    struct keys_certificate_options wanted = {
        .key_path = key,
        .common_name = common_name,
        .alt_names = names,
        .is_ca = is_ca,
        .issuer_path = is_ca ? NULL : in(cli, config, "ca.pem"),
        .issuer_key_path = is_ca ? NULL : in(cli, config, "ca.key"),
        .out_path = out,
    };
    struct keys_error error = {0};
    int rc = make_key(cli, key);
    if (rc != CLI_OK) { return rc; }
    enum moult_status st = keys_certificate_create(&wanted, &error);
    return st == MOULT_OK ? CLI_OK : key_failed(cli, out, st, &error);
}

static int make_certificates(struct cli *cli, const struct dev_config *config)
{
    bool is_local = strcmp(config->host, "127.0.0.1") == 0;
    const char *names =
        is_local
            ? "DNS:localhost,IP:127.0.0.1"
            : cli_text(cli, "DNS:localhost,IP:127.0.0.1,%s:%s",
                       strspn(config->host, "0123456789.:") == strlen(config->host) ? "IP"
                                                                                    : "DNS",
                       config->host);
    int rc = make_certificate(cli, config, "ca", "moult development CA", NULL);
    if (rc == CLI_OK) {
        rc = make_certificate(cli, config, "server", "moultd server", names);
    }
    /* The broker's access list knows moultd by this name. */
    if (rc == CLI_OK) { rc = make_certificate(cli, config, "moultd-mqtt", "moultd", NULL); }
    return rc;
}

/* --- keyset --- */

static void fill_role(struct moult_keyset_role *role, uint8_t threshold, uint8_t first,
                      uint8_t count)
{
    role->threshold = threshold;
    role->count = count;
    for (uint8_t i = 0; i < count; i++) {
        role->index[i] = (uint8_t)(first + i);
    }
}

static int sign_keyset(struct cli *cli, const struct dev_config *config,
                       struct moult_cbor_writer *payload)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    struct keys_signer root[ROOT_THRESHOLD] = {0};
    const struct keys_signer *signers[ROOT_THRESHOLD];
    struct keys_error error = {0};
    enum moult_status st = MOULT_OK;
    for (int i = 0; st == MOULT_OK && i < ROOT_THRESHOLD; i++) {
        st = keys_file_open(in(cli, config, key_files[KEY_ROOT + i]), &root[i], &error);
        signers[i] = &root[i];
    }
    uint8_t bytes[MOULT_KEYSET_SIZE_MAX];
    struct moult_cbor_writer envelope;
    moult_cbor_writer_init(&envelope, bytes, sizeof bytes);
    if (st == MOULT_OK) {
        st = keys_sign_statement(&crypto, MOULT_STATEMENT_KEYSET,
                                 moult_cbor_written(payload), signers, ROOT_THRESHOLD,
                                 &envelope);
    }
    struct moult_keyset check;
    if (st == MOULT_OK) { /* what we hand out must pass the device's own check */
        st = moult_keyset_verify_first(&crypto, moult_cbor_written(&envelope), NULL, &check,
                                       NULL);
    }
    for (int i = 0; i < ROOT_THRESHOLD; i++) {
        keys_signer_close(&root[i]);
    }
    if (st != MOULT_OK) { return key_failed(cli, "keyset.cbor", st, &error); }
    return cli_write_file(cli, in(cli, config, "keyset.cbor"), 0644, false, bytes,
                          envelope.size);
}

static int make_keyset(struct cli *cli, const struct dev_config *config)
{
    uint8_t public_keys[KEY_COUNT][MOULT_PUBKEY_SIZE], fleet_id[16];
    struct moult_keyset keyset = {
        .version = 1, .key_count = KEY_COUNT, .fleet_id = fleet_id};
    struct keys_error error = {0};
    int rc = CLI_OK;
    if (cli_unhex(config->fleet_id, fleet_id, sizeof fleet_id) != MOULT_OK) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "32 hex digits", config->fleet_id);
    }
    for (int i = 0; rc == CLI_OK && i < KEY_COUNT; i++) {
        const char *path = in(cli, config, key_files[i]);
        rc = make_key(cli, path);
        if (rc != CLI_OK) { return rc; }
        enum moult_status st = keys_file_public(path, public_keys[i], &error);
        if (st != MOULT_OK) { return key_failed(cli, path, st, &error); }
        keyset.keys[i] = public_keys[i];
    }
    fill_role(&keyset.roles.of[MOULT_ROLE_ROOT], ROOT_THRESHOLD, KEY_ROOT, 3);
    fill_role(&keyset.roles.of[MOULT_ROLE_RELEASE], 1, KEY_RELEASE, 2);
    fill_role(&keyset.roles.of[MOULT_ROLE_ASSIGN], 1, KEY_ASSIGN, 1);

    uint8_t bytes[MOULT_KEYSET_SIZE_MAX];
    struct moult_cbor_writer payload;
    moult_cbor_writer_init(&payload, bytes, sizeof bytes);
    moult_keyset_write(&payload, &keyset);
    return sign_keyset(cli, config, &payload);
}

/* --- the command --- */

static int make_folders(struct cli *cli, struct dev_config *config)
{
    const char *given = cli_value(cli, OPT_DIR);
    int rc = cli_make_folder(cli, given, 0700);
    if (rc != CLI_OK) { return rc; }
    char *absolute = cli_alloc(cli, PATH_MAX);
    if (!realpath(given, absolute)) {
        return cli_fail(cli, MOULT_D_CLI_FILE_WRITE, given, strerror(errno));
    }
    config->folder = absolute;
    static const char *const inside[] = {"data", "signer", "mosquitto"};
    for (size_t i = 0; rc == CLI_OK && i < sizeof inside / sizeof inside[0]; i++) {
        rc = cli_make_folder(cli, in(cli, config, inside[i]), 0700);
    }
    return rc;
}

static int take_options(struct cli *cli, struct dev_config *config)
{
    const char *host = cli_value(cli, OPT_HOST), *product = cli_value(cli, OPT_PRODUCT);
    const char *chip = cli_value(cli, OPT_CHIP);
    *config = (struct dev_config){
        .host = host ? host : "127.0.0.1",
        .device_port = cli_number(cli, OPT_DEVICE, 8443),
        .operator_port = cli_number(cli, OPT_OPERATOR, 8444),
        .broker_port = cli_number(cli, OPT_BROKER, 8883),
        .product = product ? product : "energy-meter",
        .chip = chip ? chip : "esp32c3",
        .is_demo = cli_has(cli, OPT_DEMO),
    };
    if (!cli_has(cli, OPT_DIR)) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "--dir DIR", "none");
    }
    if (!moult_chip_by_name(config->chip)) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "a chip such as esp32c3", config->chip);
    }
    if (config->device_port > 65535 || config->operator_port > 65535 ||
        config->broker_port > 65535) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "ports up to 65535", "a larger one");
    }
    config->class_name = cli_text(cli, "%s-%s", config->product, config->chip);
    return CLI_OK;
}

static int tell(struct cli *cli, const struct dev_config *c)
{
    if (cli->global.json) {
        return cli_json(cli,
                        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "dir", c->folder,
                                  "product", c->product, "fleet_id", c->fleet_id, "class",
                                  c->class_name, "class_id", c->class_id, "chip", c->chip));
    }
    cli_print(cli, "fleet     %s\nclass     %s (%s)\nfolder    %s\n", c->fleet_id,
              c->class_name, c->class_id, c->folder);
    cli_say(cli,
            "\nNext:\n"
            "  mosquitto -c %s/mosquitto.conf &\n"
            "  moult-signer --config %s/signer.conf &\n"
            "  moultd --config %s/moultd.conf &\n"
            "  export MOULT_PROFILE=%s\n"
            "  moult server status\n\n"
            "These keys are for development: all roles lie in one folder.\n",
            c->folder, c->folder, c->folder, c->folder);
    return CLI_OK;
}

static int run(struct cli *cli)
{
    struct dev_config config;
    int rc = take_options(cli, &config);
    if (rc == CLI_OK) { rc = random_hex(cli, &config.fleet_id); }
    if (rc == CLI_OK) { rc = random_hex(cli, &config.class_id); }
    if (rc == CLI_OK) { rc = make_token(cli, &config.token); }
    if (rc == CLI_OK) { rc = make_folders(cli, &config); }
    if (rc == CLI_OK) { rc = make_keyset(cli, &config); }
    if (rc == CLI_OK) { rc = make_certificates(cli, &config); }
    if (rc == CLI_OK) { rc = dev_config_write(cli, &config); }
    return rc == CLI_OK ? tell(cli, &config) : rc;
}

const struct cli_command cli_dev_init = {
    .noun = "dev", .verb = "init", CLI_OPTIONS(options), .run = run};
