/* keyset_create.c - moult keyset create: the first keyset of a fleet, from key files. */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "cli/statement.h"
#include "keys/key_file.h"
#include "keys/openssl_crypto.h"

enum {
    OPT_OUT,
    OPT_ROOT,
    OPT_RELEASE,
    OPT_ASSIGN,
    OPT_ROOT_THRESHOLD,
    OPT_RELEASE_THRESHOLD,
    OPT_FLEET,
    OPT_NOT_AFTER,
    OPT_MAKE_KEYS,
};

static const struct cli_option options[] = {
    [OPT_OUT] = {"out", 'o', "FILE", "where the keyset goes; never overwritten", CLI_FILE},
    [OPT_ROOT] = {"root", 0, "KEY", "a root key; repeat for each", CLI_LIST},
    [OPT_RELEASE] = {"release", 0, "KEY", "a release key, private or public; repeat",
                     CLI_LIST},
    [OPT_ASSIGN] = {"assign", 0, "KEY", "an assign key, private or public; up to 4",
                    CLI_LIST},
    [OPT_ROOT_THRESHOLD] = {"root-threshold", 0, "N",
                            "root keys that must sign (2, or 1 of one)", CLI_NUMBER},
    [OPT_RELEASE_THRESHOLD] = {"release-threshold", 0, "N",
                               "release keys that must sign a release (1)", CLI_NUMBER},
    [OPT_FLEET] = {"fleet-id", 0, "HEX", "fleet, 32 hex digits (random)", CLI_TEXT},
    [OPT_NOT_AFTER] = {"not-after", 0, "SECONDS", "unix time; devices report it, no more",
                       CLI_NUMBER},
    [OPT_MAKE_KEYS] = {"make-keys", 0, NULL, "make the key files that do not exist yet",
                       CLI_FLAG},
};

struct creation {
    struct cli *cli;
    struct moult_crypto crypto;
    struct moult_keyset keyset;
    const char *paths[MOULT_KEYSET_KEYS_MAX];
    uint8_t public_keys[MOULT_KEYSET_KEYS_MAX][MOULT_PUBKEY_SIZE];
    uint8_t fleet_id[16];
};

/* --- keys --- */

static const char *role_of_index(const struct creation *creation, unsigned index)
{
    for (unsigned role = 0; role < MOULT_ROLE_COUNT; role++) {
        const struct moult_keyset_role *holders = &creation->keyset.roles.of[role];
        for (unsigned i = 0; i < holders->count; i++) {
            if (holders->index[i] == index) {
                return statement_role((enum moult_role)role);
            }
        }
    }
    return "another role";
}

/* One key, one role: the keyset's rules say so too, but not which file. */
static int check_new(struct creation *creation, unsigned index)
{
    for (unsigned i = 0; i < index; i++) {
        if (!moult_bytes_equal(creation->public_keys[i], creation->public_keys[index],
                               MOULT_PUBKEY_SIZE)) {
            continue;
        }
        return cli_fail(creation->cli, MOULT_D_KEY_ROLE, role_of_index(creation, i),
                        creation->paths[index]);
    }
    return CLI_OK;
}

static int take_key(struct creation *creation, const char *path, enum moult_role which)
{
    struct cli *cli = creation->cli;
    struct keys_error error = {0};
    struct moult_keyset_role *role = &creation->keyset.roles.of[which];
    unsigned index = creation->keyset.key_count;
    if (index == MOULT_KEYSET_KEYS_MAX) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "at most 12 keys", path);
    }
    enum moult_status st = MOULT_OK;
    if (cli_has(cli, OPT_MAKE_KEYS) && access(path, F_OK) != 0) {
        st = keys_file_generate(path, &error);
        if (st == MOULT_OK) { cli_say(cli, "%s: made a new key\n", path); }
    }
    if (st == MOULT_OK) {
        st = keys_file_public(path, creation->public_keys[index], &error);
    }
    if (st != MOULT_OK) { return statement_fail_key(cli, path, st, &error); }
    creation->paths[index] = path;
    creation->keyset.keys[index] = creation->public_keys[index];
    int code = check_new(creation, index);
    role->index[role->count++] = (uint8_t)index;
    creation->keyset.key_count++;
    return code;
}

static int take_role(struct creation *creation, unsigned option, enum moult_role role)
{
    unsigned count = cli_count(creation->cli, option);
    if (count == 0) {
        return cli_fail(creation->cli, MOULT_D_CLI_USAGE,
                        cli_text(creation->cli, "--%s KEY", options[option].name), "none");
    }
    int code = CLI_OK;
    for (unsigned i = 0; code == CLI_OK && i < count; i++) {
        code = take_key(creation, cli_item(creation->cli, option, i), role);
    }
    return code;
}

static int take_threshold(struct creation *creation, unsigned option, enum moult_role which,
                          uint64_t otherwise)
{
    struct cli *cli = creation->cli;
    struct moult_keyset_role *role = &creation->keyset.roles.of[which];
    uint64_t most = which == MOULT_ROLE_ROOT ? MOULT_KEYSET_ROOT_THRESHOLD_MAX
                                             : MOULT_KEYSET_THRESHOLD_MAX;
    if (most > role->count) { most = role->count; }
    uint64_t threshold = cli_number(cli, option, otherwise < most ? otherwise : most);
    if (threshold < 1 || threshold > most) {
        return cli_fail(
            cli, MOULT_D_CLI_USAGE,
            cli_text(cli, "--%s of 1 to %u", options[option].name, (unsigned)most),
            cli_value(cli, option));
    }
    role->threshold = (uint8_t)threshold;
    return CLI_OK;
}

/* --- fleet --- */

static int take_fleet(struct creation *creation)
{
    struct cli *cli = creation->cli;
    const char *text = cli_value(cli, OPT_FLEET);
    creation->keyset.fleet_id = creation->fleet_id;
    if (text) {
        if (cli_unhex(text, creation->fleet_id, sizeof creation->fleet_id) == MOULT_OK) {
            return CLI_OK;
        }
        return cli_fail(cli, MOULT_D_CLI_USAGE, "--fleet-id with 32 hex digits", text);
    }
    if (getrandom(creation->fleet_id, sizeof creation->fleet_id, 0) ==
        sizeof creation->fleet_id) {
        return CLI_OK;
    }
    return cli_fail(cli, MOULT_D_CLI_FILE_READ, "random numbers", strerror(errno));
}

static int take_options(struct creation *creation)
{
    struct cli *cli = creation->cli;
    if (!cli_has(cli, OPT_OUT)) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "--out FILE", "none");
    }
    creation->keyset.version = 1;
    if (cli_has(cli, OPT_NOT_AFTER)) {
        creation->keyset.present = 1u << 7;
        creation->keyset.not_after = cli_number(cli, OPT_NOT_AFTER, 0);
    }
    int code = take_fleet(creation);
    if (code == CLI_OK) { code = take_role(creation, OPT_ROOT, MOULT_ROLE_ROOT); }
    if (code == CLI_OK) { code = take_role(creation, OPT_RELEASE, MOULT_ROLE_RELEASE); }
    if (code == CLI_OK) { code = take_role(creation, OPT_ASSIGN, MOULT_ROLE_ASSIGN); }
    if (code == CLI_OK) {
        code = take_threshold(creation, OPT_ROOT_THRESHOLD, MOULT_ROLE_ROOT, 2);
    }
    if (code == CLI_OK) {
        code = take_threshold(creation, OPT_RELEASE_THRESHOLD, MOULT_ROLE_RELEASE, 1);
    }
    creation->keyset.roles.of[MOULT_ROLE_ASSIGN].threshold = 1;
    return code;
}

/* --- signing --- */

/* Private root keys up to the threshold; root keys of which only the public half is here
 * are passed over. */
static int open_roots(struct creation *creation, struct keys_signer *roots, unsigned *count)
{
    const struct moult_keyset_role *role = &creation->keyset.roles.of[MOULT_ROLE_ROOT];
    for (unsigned i = 0; i < role->count && *count < role->threshold; i++) {
        const char *path = creation->paths[role->index[i]];
        struct keys_error error = {0};
        enum moult_status st = keys_file_open(path, &roots[*count], &error);
        if (st == MOULT_E_FORMAT) { continue; }
        if (st != MOULT_OK) { return statement_fail_key(creation->cli, path, st, &error); }
        ++*count;
    }
    if (*count == role->threshold) { return CLI_OK; }
    cli_next(creation->cli, "give private key files of enough root keys");
    return cli_fail(creation->cli, MOULT_D_KEYSET_SIG_NEW,
                    cli_text(creation->cli, "%u", role->threshold),
                    cli_text(creation->cli, "%u", *count));
}

static int sign_and_write(struct creation *creation, const struct keys_signer *roots,
                          unsigned count)
{
    struct cli *cli = creation->cli;
    const struct keys_signer *signers[MOULT_KEYSET_ROOT_THRESHOLD_MAX];
    uint8_t payload[MOULT_KEYSET_SIZE_MAX], envelope[MOULT_KEYSET_SIZE_MAX];
    struct moult_cbor_writer inner, outer;
    struct moult_keyset check;
    struct moult_finding finding = {0};
    for (unsigned i = 0; i < count; i++) {
        signers[i] = &roots[i];
    }
    moult_cbor_writer_init(&inner, payload, sizeof payload);
    moult_cbor_writer_init(&outer, envelope, sizeof envelope);
    moult_keyset_write(&inner, &creation->keyset);
    enum moult_status st = inner.status;
    if (st == MOULT_OK) {
        st = keys_sign_statement(&creation->crypto, MOULT_STATEMENT_KEYSET,
                                 moult_cbor_written(&inner), signers, count, &outer);
    }
    if (st == MOULT_OK) { /* what we hand out must pass the device's own check */
        st = moult_keyset_verify_first(&creation->crypto, moult_cbor_written(&outer), NULL,
                                       &check, &finding);
    }
    if (st != MOULT_OK) { return statement_fail(cli, "the new keyset", st, &finding); }
    return cli_write_file(cli, cli_value(cli, OPT_OUT), 0644, false, envelope, outer.size);
}

static int tell(struct creation *creation)
{
    struct cli *cli = creation->cli;
    const char *out = cli_value(cli, OPT_OUT);
    const char *fleet = cli_hex(cli, creation->fleet_id, sizeof creation->fleet_id);
    if (cli->global.json) {
        return cli_json(cli, json_pack("{s:s, s:s, s:i}", "file", out, "fleet_id", fleet,
                                       "version", 1));
    }
    cli_print(cli, "%s: keyset 1 of fleet %s\n", out, fleet);
    cli_say(cli,
            "Bake it into every image, and compare what `moult keyset show %s` prints.\n",
            out);
    return CLI_OK;
}

static int run(struct cli *cli)
{
    struct creation *creation = cli_alloc(cli, sizeof *creation);
    struct keys_signer roots[MOULT_KEYSET_ROOT_THRESHOLD_MAX] = {0};
    unsigned count = 0;
    creation->cli = cli;
    creation->crypto = keys_openssl_crypto();
    int code = take_options(creation);
    if (code == CLI_OK) { code = open_roots(creation, roots, &count); }
    if (code == CLI_OK) { code = sign_and_write(creation, roots, count); }
    for (unsigned i = 0; i < count; i++) {
        keys_signer_close(&roots[i]);
    }
    return code == CLI_OK ? tell(creation) : code;
}

const struct cli_command cli_keyset_create = {
    .noun = "keyset", .verb = "create", CLI_OPTIONS(options), .run = run};
