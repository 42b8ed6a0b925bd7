/* keyset_show.c - moult keyset show FILE: who holds which role, and the fingerprint to
 * compare. */
#include "cli/statement.h"
#include "keys/openssl_crypto.h"

/* SHA-256 of the payload: the same whoever signed it, so people can compare it. */
static const char *fingerprint(struct cli *cli, const struct moult_cose *cose)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    uint8_t digest[MOULT_SHA256_SIZE];
    enum moult_status st =
        moult_sha256_once(&crypto, cose->payload.data, cose->payload.size, digest);
    return st == MOULT_OK ? cli_hex(cli, digest, sizeof digest) : NULL;
}

/* --- JSON --- */

static json_t *role_json(struct cli *cli, const struct moult_keyset *keyset,
                         const struct moult_keyset_role *role)
{
    json_t *keys = json_array();
    for (unsigned i = 0; i < role->count; i++) {
        unsigned index = role->index[i];
        json_t *key =
            json_pack("{s:i, s:s, s:s}", "index", (int)index, "kid",
                      cli_hex(cli, keyset->kids[index], MOULT_KID_SIZE), "public_key",
                      cli_hex(cli, keyset->keys[index], MOULT_PUBKEY_SIZE));
        if (!key || json_array_append_new(keys, key) != 0) {
            json_decref(keys);
            return NULL;
        }
    }
    return json_pack("{s:i, s:o}", "threshold", (int)role->threshold, "keys", keys);
}

static json_t *floors_json(struct cli *cli, const struct moult_keyset *keyset)
{
    json_t *list = json_array();
    struct moult_cbor_list rest = keyset->floors;
    struct moult_keyset_floor floor;
    while (moult_keyset_floor_next(&rest, &floor)) {
        json_t *one =
            json_pack("{s:s, s:o, s:I}", "class_id", cli_hex(cli, floor.class_id, 16),
                      "sequence", statement_number(cli, floor.sequence), "introduced",
                      (json_int_t)floor.introduced);
        if (!one || json_array_append_new(list, one) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *keyset_json(struct cli *cli, const struct moult_keyset *keyset,
                           const struct moult_cose *cose)
{
    const struct moult_keyset_role *roles = keyset->roles.of;
    bool ends = keyset->present >> 7 & 1;
    json_t *by_role = json_pack(
        "{s:o, s:o, s:o}", "root", role_json(cli, keyset, &roles[0]), "release",
        role_json(cli, keyset, &roles[1]), "assign", role_json(cli, keyset, &roles[2]));
    return json_pack("{s:s, s:I, s:s, s:s?, s:o, s:o, s:o}", "fleet_id",
                     cli_hex(cli, keyset->fleet_id, 16), "version",
                     (json_int_t)keyset->version, "fingerprint", fingerprint(cli, cose),
                     "not_after", ends ? statement_time(cli, keyset->not_after) : NULL,
                     "roles", by_role, "floors", floors_json(cli, keyset), "signatures",
                     statement_signatures(cli, cose, keyset));
}

/* --- text --- */

static bool has_signed(const struct moult_cose *cose, const uint8_t *kid)
{
    for (unsigned i = 0; i < cose->count; i++) {
        if (moult_bytes_equal(moult_cose_kid(cose, i), kid, MOULT_KID_SIZE)) {
            return true;
        }
    }
    return false;
}

static void print_role(struct cli *cli, const struct moult_keyset *keyset,
                       const struct moult_cose *cose, enum moult_role which)
{
    const struct moult_keyset_role *role = &keyset->roles.of[which];
    cli_print(cli, "%-13s %u of %u must sign\n", statement_role(which), role->threshold,
              role->count);
    for (unsigned i = 0; i < role->count; i++) {
        const uint8_t *kid = keyset->kids[role->index[i]];
        bool signed_it = which == MOULT_ROLE_ROOT && has_signed(cose, kid);
        cli_print(cli, "  key %-2u      %s%s\n", role->index[i],
                  cli_hex(cli, kid, MOULT_KID_SIZE),
                  signed_it ? "  signed this keyset" : "");
    }
}

static void print_floors(struct cli *cli, const struct moult_keyset *keyset)
{
    struct moult_cbor_list rest = keyset->floors;
    struct moult_keyset_floor floor;
    while (moult_keyset_floor_next(&rest, &floor)) {
        cli_print(cli, "floor         class %s: %s, since keyset %u\n",
                  cli_hex(cli, floor.class_id, 16),
                  cli_text(cli, "%llu", (unsigned long long)floor.sequence),
                  floor.introduced);
    }
}

static void print(struct cli *cli, const struct moult_keyset *keyset,
                  const struct moult_cose *cose)
{
    cli_print(cli, "fleet         %s\nversion       %u\nfingerprint   %s\n",
              cli_hex(cli, keyset->fleet_id, 16), keyset->version, fingerprint(cli, cose));
    if (keyset->present >> 7 & 1) {
        cli_print(cli, "not after     %s\n", statement_time(cli, keyset->not_after));
    }
    for (unsigned role = 0; role < MOULT_ROLE_COUNT; role++) {
        print_role(cli, keyset, cose, (enum moult_role)role);
    }
    print_floors(cli, keyset);
}

static int run(struct cli *cli)
{
    struct moult_keyset keyset;
    struct statement_file file;
    struct moult_cose cose;
    struct moult_finding finding;
    int code = statement_keyset(cli, cli_argument(cli, 0), &keyset, &file);
    if (code != CLI_OK) { return code; }
    enum moult_status st =
        moult_cose_parse(MOULT_STATEMENT_KEYSET, file.envelope, &cose, &finding);
    if (st != MOULT_OK) { return statement_fail(cli, file.path, st, &finding); }
    if (cli->global.json) { return cli_json(cli, keyset_json(cli, &keyset, &cose)); }
    print(cli, &keyset, &cose);
    return CLI_OK;
}

const struct cli_command cli_keyset_show = {
    .noun = "keyset",
    .verb = "show",
    .arguments = "FILE",
    .least = 1,
    .most = 1,
    .run = run,
};
