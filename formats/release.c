/* release.c - see release.h. */
#include "formats/release.h"
#include <stddef.h>
#include <string.h>
#include "formats/statement_read.h"

enum {
    ID_SIZE = 16,
    FLAGS_ALL = MOULT_RELEASE_FLAG_SECURITY | MOULT_RELEASE_FLAG_MANDATORY
};

/* --- component --- */

/* 6: [ min, max ] */
static void read_revisions(struct moult_cbor_reader *reader, void *record)
{
    struct moult_component *component = record;
    const uint8_t *start = reader->at;
    if (moult_cbor_read_array(reader, 2, 2) != 2) { return; }
    component->revision_min = (uint16_t)moult_cbor_read_u64(reader, 0, UINT16_MAX);
    component->revision_max = (uint16_t)moult_cbor_read_u64(reader, 0, UINT16_MAX);
    if (component->revision_min > component->revision_max) {
        moult_cbor_reject(reader, MOULT_E_RANGE, start);
    }
}

static void write_revisions(struct moult_cbor_writer *writer, const void *record)
{
    const struct moult_component *component = record;
    moult_cbor_write_array(writer, 2);
    moult_cbor_write_u64(writer, component->revision_min);
    moult_cbor_write_u64(writer, component->revision_max);
}

/* 9: [ [ component, sequence ], ... ] */
static void read_dependencies(struct moult_cbor_reader *reader, void *record)
{
    struct moult_component *component = record;
    uint32_t count = moult_cbor_read_array(reader, 1, MOULT_RELEASE_DEPENDENCIES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct moult_dependency *dependency = &component->dependencies[i];
        const uint8_t *start = reader->at;
        if (moult_cbor_read_array(reader, 2, 2) != 2) { continue; } /* it was skipped */
        dependency->component = (uint8_t)moult_cbor_read_u64(reader, 0, UINT8_MAX);
        dependency->sequence = moult_cbor_read_u64(reader, 0, UINT64_MAX);
        if (dependency->component == component->id) {
            moult_cbor_reject(reader, MOULT_E_RANGE, start);
        }
    }
    component->dependency_count = (uint8_t)count;
}

static void write_dependencies(struct moult_cbor_writer *writer, const void *record)
{
    const struct moult_component *component = record;
    moult_cbor_write_array(writer, component->dependency_count);
    for (unsigned i = 0; i < component->dependency_count; i++) {
        moult_cbor_write_array(writer, 2);
        moult_cbor_write_u64(writer, component->dependencies[i].component);
        moult_cbor_write_u64(writer, component->dependencies[i].sequence);
    }
}

static const struct moult_field_custom revisions_custom = {read_revisions, write_revisions};
static const struct moult_field_custom dependencies_custom = {read_dependencies,
                                                              write_dependencies};

#define AT(name) offsetof(struct moult_component, name)
static const struct moult_field component_fields[] = {
    {1, MOULT_KIND_U8, AT(id), 0, UINT8_MAX, NULL},
    {2, MOULT_KIND_U32, AT(size), 1, UINT32_MAX, NULL},
    {3, MOULT_KIND_FIXED, AT(digest), MOULT_SHA256_SIZE, MOULT_SHA256_SIZE, NULL},
    {4, MOULT_KIND_U8, AT(format), 0, MOULT_FORMAT_ESP_APP, NULL},
    {5, MOULT_KIND_U16, AT(chip_id), 0, UINT16_MAX, NULL},
    {6, MOULT_KIND_CUSTOM, 0, 0, 0, &revisions_custom},
    {7, MOULT_KIND_U8, AT(secure_version), 0, UINT8_MAX, NULL},
    {MOULT_COMPONENT_LABEL, MOULT_KIND_TEXT, AT(label), 1, MOULT_RELEASE_LABEL_MAX, NULL},
    {MOULT_COMPONENT_DEPENDENCIES, MOULT_KIND_CUSTOM, 0, 0, 0, &dependencies_custom},
};
static const struct moult_map component_map = {
    .fields = component_fields,
    .count = MOULT_FIELD_COUNT_OF(component_fields),
    .size = sizeof(struct moult_component),
    .extensions = AT(extensions),
    .required = 0xfe, /* 1..7 */
};
#undef AT

static bool is_sound_component(const struct moult_component *component)
{
    if (component->format == MOULT_FORMAT_ESP_APP) {
        return component->chip_id != MOULT_CHIP_ANY;
    }
    return component->secure_version == 0;
}

/* 7: [ component, ... ], ascending by id */
static void read_components(struct moult_cbor_reader *reader, void *record)
{
    struct moult_release *release = record;
    uint32_t count = moult_cbor_read_array(reader, 1, MOULT_RELEASE_COMPONENTS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct moult_component *component = &release->components[i];
        const uint8_t *start = reader->at;
        moult_map_read(reader, &component_map, component);
        bool ascends = i == 0 || component->id > component[-1].id;
        if (!ascends || !is_sound_component(component)) {
            moult_cbor_reject(reader, MOULT_E_RANGE, start);
        }
    }
    release->component_count = (uint8_t)count;
}

static void write_components(struct moult_cbor_writer *writer, const void *record)
{
    const struct moult_release *release = record;
    moult_cbor_write_array(writer, release->component_count);
    for (unsigned i = 0; i < release->component_count; i++) {
        moult_map_write(writer, &component_map, &release->components[i]);
    }
}

/* --- release --- */

static const struct moult_field_custom components_custom = {read_components,
                                                            write_components};

#define AT(name) offsetof(struct moult_release, name)
#define DIGEST(key, name)                                                                  \
    {                                                                                      \
        key, MOULT_KIND_FIXED, AT(name), MOULT_SHA256_SIZE, MOULT_SHA256_SIZE, NULL        \
    }
static const struct moult_field fields[] = {
    {1, MOULT_KIND_CONST, 0, MOULT_STATEMENT_RELEASE, 0, NULL},
    {2, MOULT_KIND_CONST, 0, MOULT_STATEMENT_FORMAT, 0, NULL},
    {3, MOULT_KIND_FIXED, AT(fleet_id), ID_SIZE, ID_SIZE, NULL},
    {4, MOULT_KIND_FIXED, AT(class_id), ID_SIZE, ID_SIZE, NULL},
    {5, MOULT_KIND_U64, AT(sequence), 1, 0, NULL},
    {6, MOULT_KIND_TEXT, AT(version), 1, MOULT_RELEASE_VERSION_MAX, NULL},
    {7, MOULT_KIND_NESTED, 0, 0, 0, &components_custom},
    {MOULT_RELEASE_CREATED, MOULT_KIND_U64, AT(created), 0, 0, NULL},
    {MOULT_RELEASE_USE_BEFORE, MOULT_KIND_U64, AT(use_before), 0, 0, NULL},
    {MOULT_RELEASE_SOURCE_SEQUENCE, MOULT_KIND_U64, AT(source_sequence), 0, 0, NULL},
    DIGEST(MOULT_RELEASE_SBOM, sbom),
    {MOULT_RELEASE_FLAGS, MOULT_KIND_U32, AT(flags), 0, FLAGS_ALL, NULL},
    DIGEST(MOULT_RELEASE_PROVENANCE, provenance),
    DIGEST(MOULT_RELEASE_NOTES, notes),
    {MOULT_RELEASE_ROLLBACK_FLOOR, MOULT_KIND_U64, AT(rollback_floor), 0, 0, NULL},
};
static const struct moult_map map = {
    .fields = fields,
    .count = MOULT_FIELD_COUNT_OF(fields),
    .size = sizeof(struct moult_release),
    .extensions = AT(extensions),
    .required = 0xfe, /* 1..7 */
};
#undef AT

enum moult_status moult_release_parse(struct moult_bytes payload, struct moult_release *out,
                                      struct moult_finding *finding)
{
    enum moult_status st =
        moult_statement_read(MOULT_STATEMENT_RELEASE, payload, &map, out, finding);
    if (st != MOULT_OK) { return st; }
    bool has_floor = out->present >> MOULT_RELEASE_ROLLBACK_FLOOR & 1;
    if (!has_floor) { out->rollback_floor = out->sequence; }
    if (out->rollback_floor <= out->sequence) { return MOULT_OK; }
    return moult_statement_bad_field(MOULT_STATEMENT_RELEASE, payload, NULL, finding);
}

void moult_release_write(struct moult_cbor_writer *writer,
                         const struct moult_release *release)
{
    moult_record_write(writer, &map, release);
}

const struct moult_component *moult_release_component(const struct moult_release *release,
                                                      uint8_t id)
{
    for (unsigned i = 0; i < release->component_count; i++) {
        if (release->components[i].id == id) { return &release->components[i]; }
    }
    return NULL;
}

/* --- step 7 --- */

static enum moult_status check_identity(const struct moult_crypto *crypto,
                                        struct moult_bytes payload,
                                        const struct moult_release_expect *expect,
                                        const struct moult_release *release,
                                        struct moult_finding *finding)
{
    uint8_t digest[MOULT_SHA256_SIZE];
    if (expect->payload_digest) {
        enum moult_status st =
            moult_sha256_once(crypto, payload.data, payload.size, digest);
        if (st != MOULT_OK) {
            return moult_refuse(finding, st, MOULT_D_RELEASE_BIND, 0, 0);
        }
        if (!moult_bytes_equal(digest, expect->payload_digest, sizeof digest)) {
            return moult_refuse(finding, MOULT_E_DIGEST, MOULT_D_RELEASE_BIND, 0, 0);
        }
    }
    if (memcmp(release->fleet_id, expect->keyset->fleet_id, ID_SIZE) != 0) {
        return moult_refuse(finding, MOULT_E_INCOMPATIBLE, MOULT_D_RELEASE_FLEET, 0, 0);
    }
    if (expect->class_id && memcmp(release->class_id, expect->class_id, ID_SIZE) != 0) {
        return moult_refuse(finding, MOULT_E_INCOMPATIBLE, MOULT_D_RELEASE_CLASS, 0, 0);
    }
    return moult_accept(finding);
}

enum moult_status moult_release_verify(const struct moult_crypto *crypto,
                                       struct moult_bytes envelope,
                                       const struct moult_release_expect *expect,
                                       struct moult_release *out,
                                       struct moult_finding *finding)
{
    struct moult_cose cose;
    enum moult_status st =
        moult_cose_parse(MOULT_STATEMENT_RELEASE, envelope, &cose, finding);
    if (st != MOULT_OK) { return st; }
    unsigned counted = moult_keyset_count_signatures(crypto, expect->keyset,
                                                     MOULT_ROLE_RELEASE, &cose, NULL);
    st = moult_keyset_judge(expect->keyset, MOULT_ROLE_RELEASE, counted,
                            MOULT_D_RELEASE_SIG, finding);
    if (st != MOULT_OK) { return st; }
    st = moult_release_parse(cose.payload, out, finding);
    if (st != MOULT_OK) { return st; }
    return check_identity(crypto, cose.payload, expect, out, finding);
}

/* --- step 8 --- */

static bool has_dependency(const struct moult_rollback_facts *facts,
                           const struct moult_dependency *need)
{
    for (unsigned i = 0; i < facts->installed_count; i++) {
        const struct moult_dependency *have = &facts->installed[i];
        if (have->component == need->component && have->sequence >= need->sequence) {
            return true;
        }
    }
    return false;
}

static bool has_dependencies(const struct moult_rollback_facts *facts,
                             const struct moult_component *component)
{
    for (unsigned i = 0; i < component->dependency_count; i++) {
        if (!has_dependency(facts, &component->dependencies[i])) { return false; }
    }
    return true;
}

/* Only images have a secure_version; for raw data it is always 0. */
static bool is_above_fuse(const struct moult_component *component, uint8_t fused)
{
    return component->format != MOULT_FORMAT_ESP_APP || component->secure_version >= fused;
}

enum moult_status moult_release_check_rollback(const struct moult_release *release,
                                               const struct moult_rollback_facts *facts,
                                               struct moult_finding *finding)
{
    if (release->sequence < facts->floor) {
        return moult_refuse(finding, MOULT_E_REPLAY, MOULT_D_SEQ_FLOOR, 0, 0);
    }
    if (facts->running_sequence < release->source_sequence) {
        return moult_refuse(finding, MOULT_E_INCOMPATIBLE, MOULT_D_SEQ_SOURCE, 0, 0);
    }
    for (unsigned i = 0; i < release->component_count; i++) {
        const struct moult_component *component = &release->components[i];
        if (is_above_fuse(component, facts->secure_version_fused)) { continue; }
        return moult_refuse(finding, MOULT_E_REPLAY, MOULT_D_SECVER,
                            facts->secure_version_fused, component->secure_version);
    }
    bool has_end = release->present >> MOULT_RELEASE_USE_BEFORE & 1;
    if (has_end && facts->now_s != 0 && facts->now_s >= release->use_before) {
        return moult_refuse(finding, MOULT_E_REPLAY, MOULT_D_RELEASE_EXPIRED, 0, 0);
    }
    for (unsigned i = 0; i < release->component_count; i++) {
        if (has_dependencies(facts, &release->components[i])) { continue; }
        return moult_refuse(finding, MOULT_E_INCOMPATIBLE, MOULT_D_DEPENDENCY, 0, 0);
    }
    return moult_accept(finding);
}
