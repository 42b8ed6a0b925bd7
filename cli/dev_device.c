/* dev_device.c - moult dev device NAME...: keys and certificates of development devices.
 *
 * The common name is the device's id, which is how the broker's access list knows it.
 */
#include <string.h>
#include "cli/cli.h"
#include "keys/certificate.h"
#include "keys/key_file.h"

enum { OPT_DIR, OPT_OUT };

static const struct cli_option options[] = {
    [OPT_DIR] = {"dir", 'd', "DIR", "folder of moult dev init, for its CA", CLI_FILE},
    [OPT_OUT] = {"out", 'o', "FOLDER", "where NAME.key and NAME.pem go", CLI_FILE},
};

static int failed(struct cli *cli, const char *path, enum moult_status status,
                  const struct keys_error *error)
{
    if (status == MOULT_E_EXISTS) { return cli_fail(cli, MOULT_D_CLI_EXISTS, NULL, path); }
    return cli_fail(cli, MOULT_D_CLI_FILE_WRITE, path,
                    error->found[0] ? error->found : moult_status_name(status));
}

static int make_device(struct cli *cli, const char *name, json_t *list)
{
    const char *dir = cli_value(cli, OPT_DIR);
    const char *key = cli_text(cli, "%s/%s.key", cli_value(cli, OPT_OUT), name);
    const char *out = cli_text(cli, "%s/%s.pem", cli_value(cli, OPT_OUT), name);
    struct keys_error error = {0};
    uint8_t public_key[64], spki[KEYS_SPKI_SIZE];
    enum moult_status st = keys_file_generate(key, &error);
    if (st == MOULT_OK) { st = keys_file_public(key, public_key, &error); }
    if (st == MOULT_OK) { st = keys_spki_sha256(public_key, spki); }
    if (st != MOULT_OK) { return failed(cli, key, st, &error); }

    const char *id = cli_hex(cli, spki, 16);
    struct keys_certificate_options wanted = {
        .key_path = key,
        .common_name = id,
        .issuer_path = cli_text(cli, "%s/ca.pem", dir),
        .issuer_key_path = cli_text(cli, "%s/ca.key", dir),
        .out_path = out};
    st = keys_certificate_create(&wanted, &error);
    if (st != MOULT_OK) { return failed(cli, out, st, &error); }
    json_t *device =
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", name, "id", id, "spki_sha256",
                  cli_hex(cli, spki, sizeof spki), "key", key, "cert", out);
    if (!device || json_array_append_new(list, device) != 0) {
        return cli_fail(cli, MOULT_D_CLI_FILE_WRITE, name, "no memory");
    }
    return CLI_OK;
}

static void print(struct cli *cli, const json_t *list)
{
    struct cli_table *table = cli_table_start(cli, "NAME", "ID", "SPKI SHA-256", NULL);
    size_t i;
    json_t *device;
    json_array_foreach(list, i, device)
    {
        cli_table_row(table, json_string_value(json_object_get(device, "name")),
                      json_string_value(json_object_get(device, "id")),
                      json_string_value(json_object_get(device, "spki_sha256")));
    }
    cli_table_end(table);
}

static int run(struct cli *cli)
{
    if (!cli_has(cli, OPT_DIR) || !cli_has(cli, OPT_OUT)) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "--dir DIR and --out FOLDER",
                        "one missing");
    }
    int rc = cli_make_folder(cli, cli_value(cli, OPT_OUT), 0700);
    json_t *list = json_array();
    for (unsigned i = 0; rc == CLI_OK && i < cli->argument_count; i++) {
        const char *name = cli_argument(cli, i);
        rc = strchr(name, '/') ? cli_fail(cli, MOULT_D_CLI_USAGE, "a name without /", name)
                               : make_device(cli, name, list);
    }
    if (rc == CLI_OK && cli->global.json) { return cli_json(cli, list); }
    if (rc == CLI_OK) { print(cli, list); }
    json_decref(list);
    return rc;
}

const struct cli_command cli_dev_device = {.noun = "dev",
                                           .verb = "device",
                                           .arguments = "NAME [NAME...]",
                                           .least = 1,
                                           .most = CLI_REPEAT_MAX,
                                           CLI_OPTIONS(options),
                                           .run = run};
