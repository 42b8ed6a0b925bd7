/* release_keys.c - see release_keys.h. */
#include "cli/release_keys.h"
#include <string.h>
#include "keys/key_file.h"
#include "keys/openssl_crypto.h"

int release_keys_keyset(struct cli *cli, unsigned keyset_option, unsigned dir_option,
                        struct moult_keyset *out, struct statement_file *file)
{
    const char *path = cli_value(cli, keyset_option);
    if (!path && cli_has(cli, dir_option)) {
        path = cli_text(cli, "%s/keyset.cbor", cli_value(cli, dir_option));
    }
    if (!path) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "--keyset FILE or --dir DIR", "neither");
    }
    return statement_keyset(cli, path, out, file);
}

static int open_key(struct cli *cli, const char *path, const struct moult_keyset *keyset,
                    enum moult_detail missing, struct release_keys *out)
{
    struct keys_error error = {0};
    if (out->count == MOULT_COSE_SIGNATURES_MAX) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "at most 6 keys", path);
    }
    struct keys_signer *signer = &out->signers[out->count];
    enum moult_status st = keys_file_open(path, signer, &error);
    if (st != MOULT_OK) { return statement_fail_key(cli, path, st, &error); }
    out->count++;
    const char *role = statement_role_of(keyset, signer->kid);
    if (role && strcmp(role, "release") == 0) { return CLI_OK; }
    return cli_fail_at(cli, path, missing,
                       cli_text(cli, "%u", keyset->roles.of[MOULT_ROLE_RELEASE].threshold),
                       role ? cli_text(cli, "a key of role %s", role)
                            : cli_text(cli, "key %s, which keyset %u does not know",
                                       cli_hex(cli, signer->kid, MOULT_KID_SIZE),
                                       keyset->version));
}

int release_keys_open(struct cli *cli, const struct moult_keyset *keyset,
                      const unsigned options[2], enum moult_detail missing,
                      struct release_keys *out)
{
    unsigned key = options[0], dir = options[1];
    unsigned given = cli_count(cli, key);
    unsigned threshold = keyset->roles.of[MOULT_ROLE_RELEASE].threshold;
    if (given == 0 && !cli_has(cli, dir)) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "--key FILE or --dir DIR", "neither");
    }
    int code = CLI_OK;
    for (unsigned i = 0; code == CLI_OK && i < (given ? given : threshold); i++) {
        const char *path =
            given ? cli_item(cli, key, i)
                  : cli_text(cli, "%s/release-%u.pem", cli_value(cli, dir), i + 1);
        code = open_key(cli, path, keyset, missing, out);
    }
    return code;
}

int release_keys_sign(struct cli *cli, const struct release_keys *keys,
                      enum moult_statement kind, const struct moult_cbor_writer *payload,
                      struct moult_bytes *envelope)
{
    const struct keys_signer *signers[MOULT_COSE_SIGNATURES_MAX];
    struct moult_crypto crypto = keys_openssl_crypto();
    struct moult_cbor_writer writer;
    uint8_t *room = cli_alloc(cli, MOULT_STATEMENT_SIZE_MAX);
    for (unsigned i = 0; i < keys->count; i++) {
        signers[i] = &keys->signers[i];
    }
    moult_cbor_writer_init(&writer, room, MOULT_STATEMENT_SIZE_MAX);
    enum moult_status st = payload->status;
    if (st == MOULT_OK) {
        st = keys_sign_statement(&crypto, kind, moult_cbor_written(payload), signers,
                                 keys->count, &writer);
    }
    if (st == MOULT_E_EXISTS) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "different keys", "one key twice");
    }
    if (st != MOULT_OK) {
        return cli_fail(cli, MOULT_D_SIGN_BACKEND, keys->signers[0].name,
                        moult_status_name(st));
    }
    *envelope = moult_cbor_written(&writer);
    return CLI_OK;
}

void release_keys_close(struct release_keys *keys)
{
    for (unsigned i = 0; i < keys->count; i++) {
        keys_signer_close(&keys->signers[i]);
    }
    keys->count = 0;
}
