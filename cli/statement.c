/* statement.c - see statement.h. */
#include "cli/statement.h"
#include <inttypes.h>
#include <time.h>
#include "keys/key_file.h"
#include "keys/openssl_crypto.h"

/* --- files --- */

static const char *kind_name(enum moult_statement kind)
{
    switch (kind) {
    case MOULT_STATEMENT_KEYSET:
        return "a keyset";
    case MOULT_STATEMENT_RELEASE:
        return "a release";
    case MOULT_STATEMENT_ASSIGNMENT:
        return "an assignment";
    case MOULT_STATEMENT_ENDPOINTS:
        return "an endpoint list";
    default:
        return "another statement";
    }
}

/* What a file that may be mixed up with another holds. False: no statement at all. */
static bool kind_of(struct moult_bytes envelope, enum moult_statement *kind)
{
    struct moult_cose cose;
    struct moult_cbor_reader reader;
    /* A keyset's limit and profile admit every other kind. */
    if (moult_cose_parse(MOULT_STATEMENT_KEYSET, envelope, &cose, NULL) != MOULT_OK) {
        return false;
    }
    moult_cbor_reader_init(&reader, cose.payload);
    (void)moult_cbor_read_map(&reader, 1, MOULT_CBOR_ENTRIES_MAX); /* judged below */
    (void)moult_cbor_read_u64(&reader, 1, 1);                      /* judged below */
    uint64_t type = moult_cbor_read_u64(&reader, 0, MOULT_STATEMENT_ENDPOINTS);
    *kind = (enum moult_statement)type;
    return reader.status == MOULT_OK;
}

int statement_read(struct cli *cli, enum moult_statement kind, const char *path,
                   struct statement_file *out)
{
    uint8_t *data = NULL;
    size_t size = 0;
    int code = cli_read_file(cli, path, CLI_SMALL_FILE_MAX, &data, &size);
    if (code != CLI_OK) { return code; }
    *out = (struct statement_file){path, {data, size}};
    enum moult_statement holds;
    if (kind_of(out->envelope, &holds) && holds != kind) {
        return cli_fail_at(cli, path, MOULT_D_STATEMENT_TYPE, kind_name(kind),
                           kind_name(holds));
    }
    size_t limit = moult_statement_size_max(kind);
    if (size <= limit) { return CLI_OK; }
    return cli_fail_at(cli, path, (enum moult_detail)moult_statement_codes(kind)->size,
                       cli_text(cli, "%zu", limit), cli_text(cli, "%zu", size));
}

int statement_keyset(struct cli *cli, const char *path, struct moult_keyset *out,
                     struct statement_file *file)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    struct moult_finding finding;
    int code = statement_read(cli, MOULT_STATEMENT_KEYSET, path, file);
    if (code != CLI_OK) { return code; }
    enum moult_status st =
        moult_keyset_verify_first(&crypto, file->envelope, NULL, out, &finding);
    return st == MOULT_OK ? CLI_OK : statement_fail(cli, path, st, &finding);
}

/* --- findings --- */

/* Details whose numbers are counts, sizes or versions; the others have a place only. */
static bool has_numbers(uint16_t detail)
{
    switch (detail) {
    case MOULT_D_KEYSET_SIZE:
    case MOULT_D_KEYSET_TYPE:
    case MOULT_D_KEYSET_FORMAT:
    case MOULT_D_KEYSET_VERSION:
    case MOULT_D_KEYSET_SIG_OLD:
    case MOULT_D_KEYSET_SIG_NEW:
    case MOULT_D_RELEASE_SIZE:
    case MOULT_D_RELEASE_TYPE:
    case MOULT_D_RELEASE_FORMAT:
    case MOULT_D_RELEASE_SIG:
    case MOULT_D_ENDPOINT_SIZE:
    case MOULT_D_ENDPOINT_TYPE:
    case MOULT_D_ENDPOINT_FORMAT:
    case MOULT_D_ENDPOINT_SIG:
        return true;
    default:
        return false;
    }
}

static bool has_place(uint16_t detail)
{
    switch (detail) {
    case MOULT_D_KEYSET_CBOR:
    case MOULT_D_KEYSET_COSE:
    case MOULT_D_KEYSET_FIELD:
    case MOULT_D_KEYSET_UNKNOWN:
    case MOULT_D_RELEASE_CBOR:
    case MOULT_D_RELEASE_COSE:
    case MOULT_D_RELEASE_FIELD:
    case MOULT_D_RELEASE_UNKNOWN:
    case MOULT_D_ENDPOINT_CBOR:
    case MOULT_D_ENDPOINT_COSE:
    case MOULT_D_ENDPOINT_FIELD:
    case MOULT_D_ENDPOINT_UNKNOWN:
        return true;
    default:
        return false;
    }
}

/* What the words of the others expect; docs/spec has the rules. */
static const char *expected_words(uint16_t detail)
{
    switch (detail) {
    case MOULT_D_KEYSET_RULES:
        return "the rules of docs/spec/keyset.md";
    case MOULT_D_KEYSET_FIELD:
        return "what docs/spec/keyset.md says";
    case MOULT_D_RELEASE_FIELD:
        return "what docs/spec/release.md says";
    case MOULT_D_ENDPOINT_FIELD:
        return "what docs/spec/endpoints.md says";
    case MOULT_D_KEYSET_CBOR:
    case MOULT_D_RELEASE_CBOR:
    case MOULT_D_ENDPOINT_CBOR:
        return "what docs/spec/cbor-profile.md accepts";
    case MOULT_D_KEYSET_COSE:
    case MOULT_D_RELEASE_COSE:
    case MOULT_D_ENDPOINT_COSE:
        return "the shape of docs/spec/envelope.md";
    default:
        return NULL;
    }
}

int statement_fail(struct cli *cli, const char *path, enum moult_status status,
                   const struct moult_finding *finding)
{
    enum moult_detail detail = (enum moult_detail)finding->detail;
    if (detail == MOULT_D_NONE) {
        return cli_fail(cli, MOULT_D_CLI_FILE_READ, path, moult_status_name(status));
    }
    if (has_numbers(finding->detail)) {
        return cli_fail_at(cli, path, detail, cli_text(cli, "%u", finding->expected),
                           cli_text(cli, "%u", finding->found));
    }
    const char *have = has_place(finding->detail)
                           ? cli_text(cli, "something else at byte %u", finding->where)
                           : "something else";
    return cli_fail_at(cli, path, detail, expected_words(finding->detail), have);
}

int statement_fail_key(struct cli *cli, const char *path, enum moult_status status,
                       const struct keys_error *error)
{
    if (status == MOULT_E_EXISTS) {
        cli_next(cli, "name another file: keys are never overwritten");
        return cli_fail(cli, MOULT_D_CLI_EXISTS, NULL, path);
    }
    if (error->detail == MOULT_D_NONE) {
        return cli_fail(cli, MOULT_D_KEY_FILE, path, moult_status_name(status));
    }
    if (error->detail == MOULT_D_KEY_FILE) {
        return cli_fail(
            cli, MOULT_D_KEY_FILE, path,
            cli_text(cli, "expects %s, found %s", error->expected, error->found));
    }
    return cli_fail_at(cli, path, (enum moult_detail)error->detail, error->expected,
                       error->found);
}

/* --- words --- */

const char *statement_role(enum moult_role role)
{
    static const char *const names[MOULT_ROLE_COUNT] = {"root", "release", "assign"};
    return names[role];
}

const char *statement_role_of(const struct moult_keyset *keyset, const uint8_t *kid)
{
    for (unsigned role = 0; role < MOULT_ROLE_COUNT; role++) {
        if (moult_keyset_key(keyset, (enum moult_role)role, kid)) {
            return statement_role((enum moult_role)role);
        }
    }
    return NULL;
}

const char *statement_time(struct cli *cli, uint64_t unix_s)
{
    char text[32];
    struct tm parts;
    time_t time = (time_t)unix_s;
    bool has_year = unix_s < UINT64_C(253402300800); /* the year 10000 */
    if (!has_year || !gmtime_r(&time, &parts) ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        return cli_text(cli, "%" PRIu64, unix_s);
    }
    return cli_text(cli, "%s", text);
}

json_t *statement_number(struct cli *cli, uint64_t number)
{
    if (number <= (uint64_t)INT64_MAX) { return json_integer((json_int_t)number); }
    return json_string(cli_text(cli, "%" PRIu64, number));
}

/* Whether signature `index` is valid under the key of its kid, in any role. */
static bool is_valid(const struct moult_cose *cose, unsigned index,
                     const struct moult_keyset *keyset)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    for (unsigned role = 0; role < MOULT_ROLE_COUNT; role++) {
        const uint8_t *key =
            moult_keyset_key(keyset, (enum moult_role)role, moult_cose_kid(cose, index));
        if (key) { return moult_cose_signed_by(&crypto, cose, index, key); }
    }
    return false;
}

json_t *statement_signatures(struct cli *cli, const struct moult_cose *cose,
                             const struct moult_keyset *keyset)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < cose->count; i++) {
        const uint8_t *kid = moult_cose_kid(cose, i);
        const char *role = keyset ? statement_role_of(keyset, kid) : NULL;
        json_t *valid = keyset ? json_boolean(is_valid(cose, i, keyset)) : json_null();
        json_t *one = json_pack("{s:s, s:i, s:s?, s:o}", "kid",
                                cli_hex(cli, kid, MOULT_KID_SIZE), "algorithm",
                                moult_cose_alg(cose, i), "role", role, "is_valid", valid);
        if (!one || json_array_append_new(list, one) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}
