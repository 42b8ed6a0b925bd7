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

/* [ min, max ] */
static const struct moult_field revision_rows[] = {
    {.kind = MOULT_KIND_U16, .offset = 0, .max = UINT16_MAX},
    {.kind = MOULT_KIND_U16, .offset = sizeof(uint16_t), .max = UINT16_MAX},
};
static const struct moult_array revisions_array = {revision_rows, 2, 0, 0};
_Static_assert(offsetof(struct moult_component, revision_max) ==
                   offsetof(struct moult_component, revision_min) + sizeof(uint16_t),
               "a pair");

/* [ component, sequence ] */
static const struct moult_field dependency_rows[] = {
    {.kind = MOULT_KIND_U8,
     .offset = offsetof(struct moult_dependency, component),
     .max = UINT8_MAX},
    MOULT_FIELD_U64(0, offsetof(struct moult_dependency, sequence), 0),
};
static const struct moult_array dependencies_array = {
    .rows = dependency_rows,
    .row_count = 2,
    .stride = sizeof(struct moult_dependency),
    .count = offsetof(struct moult_component, dependency_count),
};

static bool is_sound_component(const void *record)
{
    const struct moult_component *component = record;
    for (unsigned i = 0; i < component->dependency_count; i++) {
        if (component->dependencies[i].component == component->id) { return false; }
    }
    if (component->revision_min > component->revision_max) { return false; }
    if (component->format == MOULT_FORMAT_ESP_APP) {
        return component->chip_id != MOULT_CHIP_ANY;
    }
    return component->secure_version == 0;
}

#define AT(name) offsetof(struct moult_component, name)
#define U8(key_, member, max_)                                                             \
    {                                                                                      \
        .key = key_, .kind = MOULT_KIND_U8, .offset = AT(member), .max = max_              \
    }
static const struct moult_field component_fields[] = {
    U8(1, id, UINT8_MAX),
    {.key = 2, .kind = MOULT_KIND_U32, .offset = AT(size), .min = 1, .max = UINT32_MAX},
    MOULT_FIELD_FIXED(3, AT(digest), MOULT_SHA256_SIZE),
    U8(4, format, MOULT_FORMAT_ESP_APP),
    {.key = 5, .kind = MOULT_KIND_U16, .offset = AT(chip_id), .max = UINT16_MAX},
    {.key = 6,
     .kind = MOULT_KIND_TUPLE,
     .offset = AT(revision_min),
     .array = &revisions_array},
    U8(7, secure_version, UINT8_MAX),
    {.key = MOULT_COMPONENT_LABEL,
     .kind = MOULT_KIND_TEXT,
     .offset = AT(label),
     .min = 1,
     .max = MOULT_RELEASE_LABEL_MAX},
    {.key = MOULT_COMPONENT_DEPENDENCIES,
     .kind = MOULT_KIND_TUPLES,
     .offset = AT(dependencies),
     .min = 1,
     .max = MOULT_RELEASE_DEPENDENCIES_MAX,
     .array = &dependencies_array},
};
static const struct moult_map component_map = {
    .fields = component_fields,
    .field_count = MOULT_COUNT_OF(component_fields),
    .size = sizeof(struct moult_component),
    .extensions = AT(extensions),
    .count = offsetof(struct moult_release, component_count),
    .required = 0xfe, /* 1..7 */
    .is_sound = is_sound_component,
};
#undef AT

/* --- release --- */

static bool has(const struct moult_release *release, unsigned key)
{
    return release->present >> key & 1;
}

static bool is_sound_release(const void *record)
{
    const struct moult_release *release = record;
    for (unsigned i = 1; i < release->component_count; i++) {
        if (release->components[i].id <= release->components[i - 1].id) { return false; }
    }
    return !has(release, MOULT_RELEASE_ROLLBACK_FLOOR) ||
           release->rollback_floor <= release->sequence;
}

#define AT(name) offsetof(struct moult_release, name)
static const struct moult_field fields[] = {
    {.key = 1, .kind = MOULT_KIND_CONST, .min = MOULT_STATEMENT_RELEASE},
    {.key = 2, .kind = MOULT_KIND_CONST, .min = MOULT_STATEMENT_FORMAT},
    MOULT_FIELD_FIXED(3, AT(fleet_id), ID_SIZE),
    MOULT_FIELD_FIXED(4, AT(class_id), ID_SIZE),
    MOULT_FIELD_U64(5, AT(sequence), 1),
    {.key = 6,
     .kind = MOULT_KIND_TEXT,
     .offset = AT(version),
     .min = 1,
     .max = MOULT_RELEASE_VERSION_MAX},
    {.key = 7,
     .kind = MOULT_KIND_MAPS,
     .offset = AT(components),
     .min = 1,
     .max = MOULT_RELEASE_COMPONENTS_MAX,
     .map = &component_map},
    MOULT_FIELD_U64(MOULT_RELEASE_CREATED, AT(created), 0),
    MOULT_FIELD_U64(MOULT_RELEASE_USE_BEFORE, AT(use_before), 0),
    MOULT_FIELD_U64(MOULT_RELEASE_SOURCE_SEQUENCE, AT(source_sequence), 0),
    MOULT_FIELD_FIXED(MOULT_RELEASE_SBOM, AT(sbom), MOULT_SHA256_SIZE),
    {.key = MOULT_RELEASE_FLAGS,
     .kind = MOULT_KIND_U32,
     .offset = AT(flags),
     .max = FLAGS_ALL},
    MOULT_FIELD_FIXED(MOULT_RELEASE_PROVENANCE, AT(provenance), MOULT_SHA256_SIZE),
    MOULT_FIELD_FIXED(MOULT_RELEASE_NOTES, AT(notes), MOULT_SHA256_SIZE),
    MOULT_FIELD_U64(MOULT_RELEASE_ROLLBACK_FLOOR, AT(rollback_floor), 0),
};
static const struct moult_map map = {
    .fields = fields,
    .field_count = MOULT_COUNT_OF(fields),
    .size = sizeof(struct moult_release),
    .extensions = AT(extensions),
    .required = 0xfe, /* 1..7 */
    .is_sound = is_sound_release,
};
#undef AT

enum moult_status moult_release_parse(struct moult_bytes payload, struct moult_release *out,
                                      struct moult_finding *finding)
{
    enum moult_status st =
        moult_statement_read(MOULT_STATEMENT_RELEASE, payload, &map, out, finding);
    if (st != MOULT_OK) { return st; }
    if (!has(out, MOULT_RELEASE_ROLLBACK_FLOOR)) { out->rollback_floor = out->sequence; }
    return MOULT_OK;
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
    bool has_end = has(release, MOULT_RELEASE_USE_BEFORE);
    if (has_end && facts->now_s != 0 && facts->now_s >= release->use_before) {
        return moult_refuse(finding, MOULT_E_REPLAY, MOULT_D_RELEASE_EXPIRED, 0, 0);
    }
    for (unsigned i = 0; i < release->component_count; i++) {
        if (has_dependencies(facts, &release->components[i])) { continue; }
        return moult_refuse(finding, MOULT_E_INCOMPATIBLE, MOULT_D_DEPENDENCY, 0, 0);
    }
    return moult_accept(finding);
}
