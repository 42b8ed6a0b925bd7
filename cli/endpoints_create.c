/* endpoints_create.c - moult endpoints create FILE: sign the list of a fleet's addresses,
 * offline. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "cli/endpoints_report.h"
#include "cli/release_keys.h"

#define FALLBACK_MAX_S 86400u /* devices wait no longer, whatever the list says */

enum { OPT_VERSION, OPT_ENDPOINT, OPT_FALLBACK, OPT_DIR, OPT_KEYSET, OPT_KEY, OPT_FORCE };

static const struct cli_option options[] = {
    [OPT_VERSION] = {"version", 0, "N", "must be higher than that of every list before",
                     CLI_NUMBER},
    [OPT_ENDPOINT] = {"endpoint", 'e', "URL[,...]",
                      "an address, with role=, weight=, region=; up to 6", CLI_LIST},
    [OPT_FALLBACK] = {"fallback-after", 0, "SECONDS",
                      "an endpoint may fail so long (three failures in a row)", CLI_NUMBER},
    [OPT_DIR] = {"dir", 'd', "DIR", "keyset and release keys of moult dev init", CLI_FILE},
    [OPT_KEYSET] = {"keyset", 'k', "FILE", "keyset that the list is checked against",
                    CLI_FILE},
    [OPT_KEY] = {"key", 0, "FILE", "private release key; repeat up to the threshold",
                 CLI_LIST},
    [OPT_FORCE] = {"force", 'f', NULL, "overwrite FILE", CLI_FLAG},
};

struct creation {
    struct cli *cli;
    struct moult_keyset keyset;
    struct statement_file keyset_file;
    struct moult_endpoints list;
    struct release_keys keys;
};

/* --- one endpoint --- */

static struct moult_bytes bytes_of(const char *text)
{
    return (struct moult_bytes){(const uint8_t *)text, strlen(text)};
}

static int bad_part(struct cli *cli, const char *part)
{
    return cli_fail(cli, MOULT_D_CLI_USAGE,
                    "URL[,role=both|check-in|artifact][,weight=0..255][,region=NAME]",
                    part);
}

static int take_role(struct cli *cli, const char *word, struct moult_endpoint *out)
{
    for (unsigned role = 0; endpoint_role_name(role); role++) {
        if (strcmp(word, endpoint_role_name(role)) != 0) { continue; }
        out->role = (uint8_t)role;
        return CLI_OK;
    }
    return bad_part(cli, cli_text(cli, "role=%s", word));
}

static int take_weight(struct cli *cli, const char *word, struct moult_endpoint *out)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(word, &end, 10);
    bool is_number = word[0] >= '0' && word[0] <= '9' && *end == '\0' && errno == 0;
    if (!is_number || number > UINT8_MAX) {
        return bad_part(cli, cli_text(cli, "weight=%s", word));
    }
    out->weight = (uint8_t)number;
    return CLI_OK;
}

static int take_part(struct cli *cli, char *part, struct moult_endpoint *out)
{
    enum { REGION = 7, ROLE = 5, WEIGHT = 7 };
    if (strncmp(part, "role=", ROLE) == 0) { return take_role(cli, part + ROLE, out); }
    if (strncmp(part, "weight=", WEIGHT) == 0) {
        return take_weight(cli, part + WEIGHT, out);
    }
    if (strncmp(part, "region=", REGION) != 0) { return bad_part(cli, part); }
    out->region = bytes_of(part + REGION);
    out->present |= 1u << MOULT_ENDPOINT_REGION;
    return CLI_OK;
}

/* "https://ota.example.com,weight=10,region=eu" */
static int take_endpoint(struct creation *creation, const char *given)
{
    struct cli *cli = creation->cli;
    struct moult_endpoints *list = &creation->list;
    if (list->count == MOULT_ENDPOINTS_MAX) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "at most 6 endpoints", given);
    }
    struct moult_endpoint *out = &list->list[list->count++];
    char *rest = cli_alloc(cli, strlen(given) + 1);
    memcpy(rest, given, strlen(given) + 1);
    out->url = bytes_of(strsep(&rest, ","));
    int code = CLI_OK;
    while (code == CLI_OK && rest) {
        code = take_part(cli, strsep(&rest, ","), out);
    }
    return code;
}

/* --- the list --- */

static int fill(struct creation *creation)
{
    struct cli *cli = creation->cli;
    struct moult_endpoints *list = &creation->list;
    uint64_t version = cli_number(cli, OPT_VERSION, 0);
    uint64_t fallback = cli_number(cli, OPT_FALLBACK, 0);
    list->fleet_id = creation->keyset.fleet_id;
    if (version < 1 || version > UINT32_MAX) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "--version of 1 to 4294967295",
                        cli_has(cli, OPT_VERSION) ? cli_value(cli, OPT_VERSION) : "none");
    }
    if (fallback > FALLBACK_MAX_S) {
        return cli_fail(cli, MOULT_D_CLI_USAGE,
                        cli_text(cli, "--fallback-after of 0 to %u", FALLBACK_MAX_S),
                        cli_value(cli, OPT_FALLBACK));
    }
    list->version = (uint32_t)version;
    list->fallback_after_s = (uint32_t)fallback;
    if (cli_has(cli, OPT_FALLBACK)) { list->present |= 1u << MOULT_ENDPOINTS_FALLBACK; }
    if (cli_count(cli, OPT_ENDPOINT) == 0) {
        return cli_fail(cli, MOULT_D_CLI_USAGE, "--endpoint URL", "none");
    }
    int code = CLI_OK;
    for (unsigned i = 0; code == CLI_OK && i < cli_count(cli, OPT_ENDPOINT); i++) {
        code = take_endpoint(creation, cli_item(cli, OPT_ENDPOINT, i));
    }
    return code;
}

/* Judged by the code of the device before anything is written. A list with too few
 * signatures is of use all the same: the others add theirs. */
static int judge(struct creation *creation, struct moult_bytes envelope,
                 struct endpoints_report *report)
{
    struct cli *cli = creation->cli;
    const char *out = cli_argument(cli, 0);
    struct moult_finding finding;
    enum moult_status st =
        endpoints_report_read(envelope, &creation->keyset, report, &finding);
    if (st == MOULT_E_SIGNATURE) {
        cli_warn(cli, "%s carries %u of %u signatures: no device accepts it yet\n", out,
                 finding.found, finding.expected);
        st = endpoints_report_read(envelope, NULL, report, &finding);
    }
    return st == MOULT_OK ? CLI_OK : statement_fail(cli, out, st, &finding);
}

static int sign_and_write(struct creation *creation)
{
    struct cli *cli = creation->cli;
    static const unsigned key_options[] = {OPT_KEY, OPT_DIR};
    const char *out = cli_argument(cli, 0);
    uint8_t payload[MOULT_STATEMENT_SIZE_MAX];
    struct moult_cbor_writer writer;
    struct moult_bytes envelope;
    struct endpoints_report *report = cli_alloc(cli, sizeof *report);
    moult_cbor_writer_init(&writer, payload, sizeof payload);
    moult_endpoints_write(&writer, &creation->list);
    int code = release_keys_open(cli, &creation->keyset, key_options, MOULT_D_ENDPOINT_SIG,
                                 &creation->keys);
    if (code == CLI_OK) {
        code = release_keys_sign(cli, &creation->keys, MOULT_STATEMENT_ENDPOINTS, &writer,
                                 &envelope);
    }
    if (code == CLI_OK) { code = judge(creation, envelope, report); }
    if (code == CLI_OK) {
        code = cli_write_file(cli, out, 0644, cli_has(cli, OPT_FORCE), envelope.data,
                              envelope.size);
    }
    if (code != CLI_OK) { return code; }
    if (cli->global.json) { return cli_json(cli, endpoints_report_json(cli, report)); }
    endpoints_report_print(cli, report);
    return CLI_OK;
}

static int run(struct cli *cli)
{
    struct creation *creation = cli_alloc(cli, sizeof *creation);
    creation->cli = cli;
    int code = release_keys_keyset(cli, OPT_KEYSET, OPT_DIR, &creation->keyset,
                                   &creation->keyset_file);
    if (code == CLI_OK) { code = fill(creation); }
    if (code == CLI_OK) { code = sign_and_write(creation); }
    release_keys_close(&creation->keys);
    return code;
}

const struct cli_command cli_endpoints_create = {
    .noun = "endpoints",
    .verb = "create",
    .arguments = "FILE",
    .least = 1,
    .most = 1,
    CLI_OPTIONS(options),
    .run = run,
};
