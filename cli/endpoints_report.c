/* endpoints_report.c - see endpoints_report.h. */
#include "cli/endpoints_report.h"
#include "keys/openssl_crypto.h"

const char *endpoint_role_name(unsigned role)
{
    static const char *const names[] = {"both", "check-in", "artifact"};
    return role < sizeof names / sizeof names[0] ? names[role] : NULL;
}

enum moult_status endpoints_report_read(struct moult_bytes envelope,
                                        const struct moult_keyset *keyset,
                                        struct endpoints_report *out,
                                        struct moult_finding *finding)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    *out = (struct endpoints_report){.keyset = keyset};
    enum moult_status st =
        moult_cose_parse(MOULT_STATEMENT_ENDPOINTS, envelope, &out->cose, finding);
    if (st != MOULT_OK) { return st; }
    return keyset
               ? moult_endpoints_verify(&crypto, envelope, keyset, 0, &out->list, finding)
               : moult_endpoints_parse(out->cose.payload, &out->list, finding);
}

static const char *text_of(struct cli *cli, struct moult_bytes text)
{
    return cli_text(cli, "%.*s", (int)text.size, (const char *)text.data);
}

static bool has_fallback(const struct moult_endpoints *list)
{
    return list->present >> MOULT_ENDPOINTS_FALLBACK & 1;
}

/* --- text --- */

static const char *signature_words(struct cli *cli, const struct endpoints_report *report,
                                   unsigned index)
{
    const uint8_t *kid = moult_cose_kid(&report->cose, index);
    const char *hex = cli_hex(cli, kid, MOULT_KID_SIZE);
    if (!report->keyset) { return cli_text(cli, "key %s, not checked", hex); }
    struct moult_crypto crypto = keys_openssl_crypto();
    const uint8_t *key = moult_keyset_key(report->keyset, MOULT_ROLE_RELEASE, kid);
    if (!key) { return cli_text(cli, "key %s, no release key: ignored", hex); }
    bool good = moult_cose_signed_by(&crypto, &report->cose, index, key);
    return cli_text(cli, "key %s, %s", hex, good ? "valid" : "INVALID: ignored");
}

void endpoints_report_print(struct cli *cli, const struct endpoints_report *report)
{
    const struct moult_endpoints *list = &report->list;
    cli_print(cli, "version    %u\n", list->version);
    cli_print(cli, "fleet      %s\n", cli_hex(cli, list->fleet_id, 16));
    cli_print(cli, "fall back  %s\n",
              has_fallback(list) ? cli_text(cli, "after %u s", list->fallback_after_s)
                                 : "after three failures in a row");
    for (unsigned i = 0; i < list->count; i++) {
        const struct moult_endpoint *one = &list->list[i];
        cli_print(cli, "endpoint   %s, %s, weight %u%s%s\n", text_of(cli, one->url),
                  endpoint_role_name(one->role), one->weight,
                  one->region.size > 0 ? ", region " : "", text_of(cli, one->region));
    }
    for (unsigned i = 0; i < report->cose.count; i++) {
        cli_print(cli, "signature  %s\n", signature_words(cli, report, i));
    }
}

/* --- JSON --- */

static json_t *list_json(struct cli *cli, const struct moult_endpoints *list)
{
    json_t *all = json_array();
    for (unsigned i = 0; i < list->count; i++) {
        const struct moult_endpoint *one = &list->list[i];
        const char *region = one->region.size > 0 ? text_of(cli, one->region) : NULL;
        json_t *entry = json_pack("{s:s, s:s, s:i, s:s?}", "url", text_of(cli, one->url),
                                  "role", endpoint_role_name(one->role), "weight",
                                  one->weight, "region", region);
        if (!entry || json_array_append_new(all, entry) != 0) {
            json_decref(all);
            return NULL;
        }
    }
    return all;
}

json_t *endpoints_report_json(struct cli *cli, const struct endpoints_report *report)
{
    const struct moult_endpoints *list = &report->list;
    json_t *fallback =
        has_fallback(list) ? json_integer(list->fallback_after_s) : json_null();
    return json_pack("{s:I, s:s, s:o, s:o, s:b, s:o}", "version", (json_int_t)list->version,
                     "fleet_id", cli_hex(cli, list->fleet_id, 16), "fallback_after_s",
                     fallback, "endpoints", list_json(cli, list), "is_verified",
                     report->keyset != NULL, "signatures",
                     statement_signatures(cli, &report->cose, report->keyset));
}
