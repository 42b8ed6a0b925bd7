/* release_report.c - see release_report.h. */
#include "cli/release_report.h"
#include <inttypes.h>
#include "formats/chip.h"
#include "keys/openssl_crypto.h"

enum moult_status release_report_read(struct moult_bytes envelope,
                                      const struct moult_keyset *keyset,
                                      struct release_report *out,
                                      struct moult_finding *finding)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    struct moult_release_expect expect = {.keyset = keyset};
    *out = (struct release_report){.size = envelope.size, .keyset = keyset};
    enum moult_status st =
        moult_cose_parse(MOULT_STATEMENT_RELEASE, envelope, &out->cose, finding);
    if (st != MOULT_OK) { return st; }
    st = keyset ? moult_release_verify(&crypto, envelope, &expect, &out->release, finding)
                : moult_release_parse(out->cose.payload, &out->release, finding);
    if (st != MOULT_OK) { return st; }
    return moult_sha256_once(&crypto, out->cose.payload.data, out->cose.payload.size,
                             out->digest);
}

static bool has(const struct moult_release *release, unsigned key)
{
    return release->present >> key & 1;
}

static const char *component_name(struct cli *cli, uint8_t id)
{
    switch (id) {
    case MOULT_COMPONENT_APP:
        return "app";
    case MOULT_COMPONENT_FILESYSTEM:
        return "filesystem";
    case MOULT_COMPONENT_BOOTLOADER:
        return "bootloader";
    default:
        return cli_text(cli, "component %u", id);
    }
}

static const char *chip_name(const struct moult_component *component)
{
    return component->chip_id == MOULT_CHIP_ANY ? "any"
                                                : moult_chip_name(component->chip_id);
}

static const char *text_of(struct cli *cli, struct moult_bytes text)
{
    return cli_text(cli, "%.*s", (int)text.size, (const char *)text.data);
}

/* --- text --- */

static void line(struct cli *cli, const char *label, const char *value)
{
    cli_print(cli, "%-15s %s\n", label, value);
}

static const char *revisions(struct cli *cli, const struct moult_component *component)
{
    unsigned min = component->revision_min, max = component->revision_max;
    if (max == UINT16_MAX) {
        return min == 0 ? "any" : cli_text(cli, "%u.%u and later", min / 100, min % 100);
    }
    return cli_text(cli, "%u.%u to %u.%u", min / 100, min % 100, max / 100, max % 100);
}

static void print_component(struct cli *cli, const struct moult_component *component)
{
    bool is_app = component->format == MOULT_FORMAT_ESP_APP;
    line(
        cli, component_name(cli, component->id),
        cli_text(cli, "%u bytes, %s", component->size, is_app ? "ESP application" : "raw"));
    line(cli, "  digest", cli_hex(cli, component->digest, MOULT_SHA256_SIZE));
    line(cli, "  chip",
         cli_text(cli, "%s, revision %s", chip_name(component), revisions(cli, component)));
    if (is_app) {
        line(cli, "  secure_version", cli_text(cli, "%u", component->secure_version));
    }
    if (component->label.size > 0) {
        line(cli, "  partition", text_of(cli, component->label));
    }
    for (unsigned i = 0; i < component->dependency_count; i++) {
        const struct moult_dependency *need = &component->dependencies[i];
        line(cli, "  needs",
             cli_text(cli, "%s of sequence %" PRIu64 " or later",
                      component_name(cli, need->component), need->sequence));
    }
}

static void print_optional(struct cli *cli, const struct moult_release *release)
{
    if (has(release, MOULT_RELEASE_CREATED)) {
        line(cli, "created", statement_time(cli, release->created));
    }
    if (has(release, MOULT_RELEASE_USE_BEFORE)) {
        line(cli, "use before", statement_time(cli, release->use_before));
    }
    if (has(release, MOULT_RELEASE_SOURCE_SEQUENCE)) {
        line(cli, "only from",
             cli_text(cli, "sequence %" PRIu64 " or later", release->source_sequence));
    }
    if (release->flags & MOULT_RELEASE_FLAG_SECURITY) { line(cli, "flag", "security fix"); }
    if (release->flags & MOULT_RELEASE_FLAG_MANDATORY) { line(cli, "flag", "mandatory"); }
    if (release->sbom) { line(cli, "SBOM", cli_hex(cli, release->sbom, 32)); }
    if (release->provenance) {
        line(cli, "provenance", cli_hex(cli, release->provenance, 32));
    }
    if (release->notes) { line(cli, "notes", cli_hex(cli, release->notes, 32)); }
}

static const char *signature_words(struct cli *cli, const struct release_report *report,
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

void release_report_print(struct cli *cli, const struct release_report *report)
{
    const struct moult_release *release = &report->release;
    line(cli, "version", text_of(cli, release->version));
    line(cli, "sequence", cli_text(cli, "%" PRIu64, release->sequence));
    line(cli, "rollback to",
         release->rollback_floor == release->sequence
             ? "no way back"
             : cli_text(cli, "sequence %" PRIu64 " or later", release->rollback_floor));
    line(cli, "class", cli_hex(cli, release->class_id, 16));
    line(cli, "fleet", cli_hex(cli, release->fleet_id, 16));
    print_optional(cli, release);
    for (unsigned i = 0; i < release->component_count; i++) {
        print_component(cli, &release->components[i]);
    }
    line(cli, "payload", cli_hex(cli, report->digest, sizeof report->digest));
    for (unsigned i = 0; i < report->cose.count; i++) {
        line(cli, "signature", signature_words(cli, report, i));
    }
}

/* --- JSON --- */

static json_t *hex_json(struct cli *cli, const uint8_t *bytes, size_t size)
{
    return bytes ? json_string(cli_hex(cli, bytes, size)) : json_null();
}

static json_t *needs_json(struct cli *cli, const struct moult_component *component)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < component->dependency_count; i++) {
        const struct moult_dependency *need = &component->dependencies[i];
        json_t *one = json_pack("{s:i, s:o}", "component", need->component, "sequence",
                                statement_number(cli, need->sequence));
        if (!one || json_array_append_new(list, one) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *component_json(struct cli *cli, const struct moult_component *component)
{
    const char *label = component->label.size > 0 ? text_of(cli, component->label) : NULL;
    return json_pack(
        "{s:i, s:s, s:I, s:o, s:s, s:i, s:s, s:[i,i], s:i, s:s?, s:o}", "component",
        component->id, "name", component_name(cli, component->id), "size",
        (json_int_t)component->size, "sha256", hex_json(cli, component->digest, 32),
        "format", component->format == MOULT_FORMAT_ESP_APP ? "esp-app" : "raw", "chip_id",
        component->chip_id, "chip", chip_name(component), "revisions",
        component->revision_min, component->revision_max, "secure_version",
        component->secure_version, "partition", label, "needs", needs_json(cli, component));
}

static json_t *components_json(struct cli *cli, const struct moult_release *release)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < release->component_count; i++) {
        json_t *one = component_json(cli, &release->components[i]);
        if (!one || json_array_append_new(list, one) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *optional_json(struct cli *cli, const struct moult_release *release)
{
    const char *created =
        has(release, MOULT_RELEASE_CREATED) ? statement_time(cli, release->created) : NULL;
    const char *use_before = has(release, MOULT_RELEASE_USE_BEFORE)
                                 ? statement_time(cli, release->use_before)
                                 : NULL;
    return json_pack(
        "{s:s?, s:s?, s:o, s:b, s:b, s:o, s:o, s:o}", "created", created, "use_before",
        use_before, "min_running_sequence", statement_number(cli, release->source_sequence),
        "security", (release->flags & MOULT_RELEASE_FLAG_SECURITY) != 0, "mandatory",
        (release->flags & MOULT_RELEASE_FLAG_MANDATORY) != 0, "sbom",
        hex_json(cli, release->sbom, 32), "provenance",
        hex_json(cli, release->provenance, 32), "notes", hex_json(cli, release->notes, 32));
}

json_t *release_report_json(struct cli *cli, const struct release_report *report)
{
    const struct moult_release *release = &report->release;
    json_t *root = json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:I, s:o, s:b, s:o, s:o}", "version",
        text_of(cli, release->version), "sequence",
        statement_number(cli, release->sequence), "rollback_floor",
        statement_number(cli, release->rollback_floor), "class_id",
        hex_json(cli, release->class_id, 16), "fleet_id",
        hex_json(cli, release->fleet_id, 16), "size", (json_int_t)report->size,
        "payload_sha256", hex_json(cli, report->digest, sizeof report->digest), "verified",
        report->keyset != NULL, "components", components_json(cli, release), "signatures",
        statement_signatures(cli, &report->cose, report->keyset));
    json_t *optional = optional_json(cli, release);
    if (root && optional && json_object_update(root, optional) == 0) {
        json_decref(optional);
        return root;
    }
    json_decref(optional);
    json_decref(root);
    return NULL;
}
