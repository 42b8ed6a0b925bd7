/* assignment.c - see assignment.h. */
#include "formats/assignment.h"
#include <stddef.h>
#include <string.h>
#include "formats/statement_read.h"

enum { ID_SIZE = 16, KEYSET_VERSION = 12 };

static bool has(uint32_t present, unsigned key)
{
    return present >> key & 1;
}

/* --- source --- */

/* [ chunk size, digest of the chunk list ]; offsets within the source */
static const struct moult_field chunk_rows[] = {
    {.kind = MOULT_KIND_U32,
     .offset = offsetof(struct moult_source, chunk_size),
     .min = MOULT_CHUNK_SIZE_MIN,
     .max = MOULT_CHUNK_SIZE_MAX},
    MOULT_FIELD_FIXED(0, offsetof(struct moult_source, chunk_digest), MOULT_SHA256_SIZE),
};
static const struct moult_array chunks_array = {chunk_rows, 2, 0, 0};

/* Base digest and size go with a delta, the RAM bound with an encoding; chunk sizes are
 * powers of two. */
static bool is_sound_source(const void *record)
{
    const struct moult_source *source = record;
    bool is_delta = source->kind == MOULT_SOURCE_DELTA;
    bool is_encoded = source->encoding != MOULT_ENCODING_NONE;
    return has(source->present, MOULT_SOURCE_BASE_DIGEST) == is_delta &&
           has(source->present, MOULT_SOURCE_BASE_SIZE) == is_delta &&
           has(source->present, MOULT_SOURCE_DECODER_RAM) == is_encoded &&
           (source->chunk_size & (source->chunk_size - 1)) == 0;
}

#define AT(name) offsetof(struct moult_source, name)
#define NUMBER(key_, kind_, member, min_, max_)                                            \
    {                                                                                      \
        .key = key_, .kind = kind_, .offset = AT(member), .min = min_, .max = max_         \
    }
static const struct moult_field source_fields[] = {
    NUMBER(1, MOULT_KIND_U8, component, 0, UINT8_MAX),
    NUMBER(2, MOULT_KIND_U8, kind, 0, MOULT_SOURCE_DELTA),
    NUMBER(3, MOULT_KIND_U8, encoding, 0, UINT8_MAX),
    NUMBER(4, MOULT_KIND_U32, size, 1, UINT32_MAX),
    MOULT_FIELD_FIXED(5, AT(digest), MOULT_SHA256_SIZE),
    NUMBER(6, MOULT_KIND_TEXT, url, 1, MOULT_SOURCE_URL_MAX),
    MOULT_FIELD_FIXED(MOULT_SOURCE_BASE_DIGEST, AT(base_digest), MOULT_SHA256_SIZE),
    NUMBER(MOULT_SOURCE_BASE_SIZE, MOULT_KIND_U32, base_size, 0, UINT32_MAX),
    NUMBER(MOULT_SOURCE_DECODER_RAM, MOULT_KIND_U32, decoder_ram, 0, UINT32_MAX),
    {.key = MOULT_SOURCE_CHUNKS, .kind = MOULT_KIND_TUPLE, .array = &chunks_array},
    NUMBER(MOULT_SOURCE_ENCRYPTION, MOULT_KIND_ANY, encryption, 0, 0),
};
static const struct moult_map source_map = {
    .fields = source_fields,
    .field_count = MOULT_COUNT_OF(source_fields),
    .size = sizeof(struct moult_source),
    .extensions = AT(extensions),
    .count = offsetof(struct moult_assignment, source_count),
    .required = 0x7e, /* 1..6 */
    .is_sound = is_sound_source,
};
#undef AT

bool moult_source_is_usable(const struct moult_source *source,
                            struct moult_finding *finding)
{
    bool known =
        source->encoding == MOULT_ENCODING_PATCH_V1 ||
        (source->encoding == MOULT_ENCODING_NONE && source->kind == MOULT_SOURCE_FULL);
    uint16_t detail = known ? MOULT_D_NONE : MOULT_D_ENCODING;
    if (known && has(source->present, MOULT_SOURCE_ENCRYPTION)) {
        detail = MOULT_D_ENCRYPTION;
    }
    (void)moult_refuse(finding, MOULT_OK, detail, 0,
                       source->encoding); /* only sets *finding */
    return detail == MOULT_D_NONE;
}

/* --- policy --- */

/* [ use, from, to ] */
#define AT(name) offsetof(struct moult_window, name)
static const struct moult_field window_rows[] = {
    NUMBER(0, MOULT_KIND_U8, use, 0, MOULT_WINDOW_ACTIVATE),
    MOULT_FIELD_U64(0, AT(from_s), 0),
    MOULT_FIELD_U64(0, AT(to_s), 0),
};
#undef AT
static const struct moult_array windows_array = {
    .rows = window_rows,
    .row_count = 3,
    .stride = sizeof(struct moult_window),
    .count = offsetof(struct moult_policy, window_count),
};

/* Windows come by their start; deferrals and the like are about consent. */
static bool is_sound_policy(const void *record)
{
    const struct moult_policy *policy = record;
    uint64_t previous = 0;
    for (unsigned i = 0; i < policy->window_count; i++) {
        const struct moult_window *window = &policy->windows[i];
        if (window->from_s < previous || window->from_s > window->to_s) { return false; }
        previous = window->from_s;
    }
    bool about_consent = has(policy->present, MOULT_POLICY_DEFERRALS) ||
                         has(policy->present, MOULT_POLICY_CONSENT_UNTIL);
    return !about_consent || has(policy->present, MOULT_POLICY_CONSENT);
}

#define AT(name) offsetof(struct moult_policy, name)
static const struct moult_field policy_fields[] = {
    NUMBER(MOULT_POLICY_GIVE_UP, MOULT_KIND_U32, give_up_s, 0, UINT32_MAX),
    NUMBER(MOULT_POLICY_ATTEMPTS, MOULT_KIND_U8, attempts, 0, UINT8_MAX),
    {.key = MOULT_POLICY_WINDOWS,
     .kind = MOULT_KIND_TUPLES,
     .offset = AT(windows),
     .min = 1,
     .max = MOULT_ASSIGNMENT_WINDOWS_MAX,
     .array = &windows_array},
    NUMBER(MOULT_POLICY_BATTERY, MOULT_KIND_U8, battery_percent, 0, 100),
    NUMBER(MOULT_POLICY_CONFIRM, MOULT_KIND_U32, confirm_timeout_s, 30, 86400),
    NUMBER(MOULT_POLICY_CONSENT, MOULT_KIND_U8, consent, 0, 1),
    NUMBER(MOULT_POLICY_STAGE_ONLY, MOULT_KIND_U8, stage_only, 0, 1),
    NUMBER(MOULT_POLICY_DEFERRALS, MOULT_KIND_U8, deferrals, 0, UINT8_MAX),
    NUMBER(MOULT_POLICY_CONSENT_UNTIL, MOULT_KIND_U32, consent_until_s, 0, UINT32_MAX),
    NUMBER(MOULT_POLICY_SIGNAL, MOULT_KIND_U8, signal_dbm, 0, 127),
    NUMBER(MOULT_POLICY_LIFT_BLOCK, MOULT_KIND_U8, lift_block, 0, 1),
};
static const struct moult_map policy_map = {
    .fields = policy_fields,
    .field_count = MOULT_COUNT_OF(policy_fields),
    .size = sizeof(struct moult_policy),
    .extensions = AT(extensions),
    .is_sound = is_sound_policy,
};
#undef AT

/* --- assignment --- */

static bool is_sound_assignment(const void *record)
{
    const struct moult_assignment *order = record;
    return order->action != MOULT_ACTION_INSTALL ||
           (has(order->present, MOULT_ASSIGNMENT_RELEASE) &&
            has(order->present, MOULT_ASSIGNMENT_SOURCES));
}

#define AT(name) offsetof(struct moult_assignment, name)
static const struct moult_field fields[] = {
    {.key = 1, .kind = MOULT_KIND_CONST, .min = MOULT_STATEMENT_ASSIGNMENT},
    {.key = 2, .kind = MOULT_KIND_CONST, .min = MOULT_STATEMENT_FORMAT},
    MOULT_FIELD_FIXED(3, AT(fleet_id), ID_SIZE),
    MOULT_FIELD_FIXED(4, AT(device_id), ID_SIZE),
    NUMBER(5, MOULT_KIND_U8, action, 0, MOULT_ACTION_KEYSET),
    MOULT_FIELD_FIXED(MOULT_ASSIGNMENT_NONCE, AT(nonce), MOULT_NONCE_SIZE),
    MOULT_FIELD_U64(7, AT(counter), 0),
    MOULT_FIELD_U64(8, AT(iat_s), 0),
    NUMBER(9, MOULT_KIND_U32, ttl_s, 1, MOULT_ASSIGNMENT_TTL_MAX),
    MOULT_FIELD_FIXED(MOULT_ASSIGNMENT_DEPLOYMENT, AT(deployment_id), ID_SIZE),
    MOULT_FIELD_FIXED(MOULT_ASSIGNMENT_RELEASE, AT(release_digest), MOULT_SHA256_SIZE),
    NUMBER(KEYSET_VERSION, MOULT_KIND_U32, keyset_version, 0, UINT32_MAX),
    {.key = MOULT_ASSIGNMENT_SOURCES,
     .kind = MOULT_KIND_MAPS,
     .offset = AT(sources),
     .min = 1,
     .max = MOULT_ASSIGNMENT_SOURCES_MAX,
     .map = &source_map},
    {.key = MOULT_ASSIGNMENT_POLICY,
     .kind = MOULT_KIND_MAP,
     .offset = AT(policy),
     .map = &policy_map},
    MOULT_FIELD_U64(MOULT_ASSIGNMENT_NEWEST_SEQUENCE, AT(newest_sequence), 0),
};
static const struct moult_map map = {
    .fields = fields,
    .field_count = MOULT_COUNT_OF(fields),
    .size = sizeof(struct moult_assignment),
    .extensions = AT(extensions),
    .required = 0x3be | 1u << KEYSET_VERSION, /* 1..5, 7..9 */
    .is_sound = is_sound_assignment,
};
#undef AT

enum moult_status moult_assignment_parse(struct moult_bytes payload,
                                         struct moult_assignment *out,
                                         struct moult_finding *finding)
{
    return moult_statement_read(MOULT_STATEMENT_ASSIGNMENT, payload, &map, out, finding);
}

void moult_assignment_write(struct moult_cbor_writer *writer,
                            const struct moult_assignment *assignment)
{
    moult_record_write(writer, &map, assignment);
}

/* --- step 4 --- */

static const struct moult_order_record *
record_of(const struct moult_assignment_expect *expect, const uint8_t *kid)
{
    for (unsigned i = 0; i < expect->record_count; i++) {
        if (memcmp(expect->records[i].kid, kid, MOULT_KID_SIZE) == 0) {
            return &expect->records[i];
        }
    }
    return NULL;
}

static bool is_answer(const struct moult_assignment *order, const uint8_t *nonce)
{
    if (!nonce) { return !order->nonce; }
    return order->nonce && moult_bytes_equal(order->nonce, nonce, MOULT_NONCE_SIZE);
}

/* With a nonce the last counter may come again; without, it must rise. */
static bool is_fresh_counter(const struct moult_assignment *order,
                             const struct moult_order_record *last, bool has_nonce)
{
    if (!last) { return true; }
    return has_nonce ? order->counter >= last->counter : order->counter > last->counter;
}

/* A matched nonce is younger than any bound; iat and ttl may be anything, also near the end
 * of their range. */
static bool is_stale(const struct moult_assignment *order,
                     const struct moult_assignment_expect *expect)
{
    if (expect->nonce || order->iat_s > UINT64_MAX - order->ttl_s) { return false; }
    return order->iat_s + order->ttl_s < expect->now_lower_bound_s;
}

static enum moult_status check_identity(const struct moult_assignment *order,
                                        const struct moult_assignment_expect *expect,
                                        struct moult_finding *finding)
{
    if (memcmp(order->fleet_id, expect->keyset->fleet_id, ID_SIZE) != 0) {
        return moult_refuse(finding, MOULT_E_INCOMPATIBLE, MOULT_D_ASSIGN_FLEET, 0, 0);
    }
    if (expect->device_id && memcmp(order->device_id, expect->device_id, ID_SIZE) != 0) {
        return moult_refuse(finding, MOULT_E_INCOMPATIBLE, MOULT_D_ASSIGN_DEVICE, 0, 0);
    }
    return MOULT_OK;
}

static enum moult_status check_freshness(const struct moult_assignment *order,
                                         const struct moult_assignment_expect *expect,
                                         struct moult_finding *finding)
{
    if (!is_answer(order, expect->nonce)) {
        return moult_refuse(finding, MOULT_E_REPLAY, MOULT_D_NONCE, 0, 0);
    }
    if (!is_fresh_counter(order, record_of(expect, order->kid), expect->nonce != NULL)) {
        return moult_refuse(finding, MOULT_E_REPLAY, MOULT_D_COUNTER, 0, 0);
    }
    if (is_stale(order, expect)) {
        return moult_refuse(finding, MOULT_E_REPLAY, MOULT_D_STALE, 0, 0);
    }
    return MOULT_OK;
}

static enum moult_status check_keyset(const struct moult_assignment *order,
                                      const struct moult_keyset *keyset,
                                      struct moult_finding *finding)
{
    uint32_t theirs = order->keyset_version, ours = keyset->version;
    if (theirs > ours) {
        return moult_refuse(finding, MOULT_E_INCOMPATIBLE, MOULT_D_KEYSET_BEHIND, theirs,
                            ours);
    }
    if (theirs < ours) { /* reported, no failure */
        return moult_refuse(finding, MOULT_OK, MOULT_D_SERVER_BEHIND, ours, theirs);
    }
    return moult_accept(finding);
}

enum moult_status moult_assignment_verify(const struct moult_crypto *crypto,
                                          const struct moult_cose *cose,
                                          const struct moult_assignment_expect *expect,
                                          struct moult_assignment *out,
                                          struct moult_finding *finding)
{
    const uint8_t *kid = NULL;
    unsigned counted = moult_keyset_count_signatures(crypto, expect->keyset,
                                                     MOULT_ROLE_ASSIGN, cose, &kid);
    enum moult_status st = moult_keyset_judge(expect->keyset, MOULT_ROLE_ASSIGN, counted,
                                              MOULT_D_ASSIGN_SIG, finding);
    if (st != MOULT_OK) { return st; }
    st = moult_assignment_parse(cose->payload, out, finding);
    if (st != MOULT_OK) { return st; }
    memcpy(out->kid, kid, MOULT_KID_SIZE);
    st = check_identity(out, expect, finding);
    if (st != MOULT_OK) { return st; }
    st = check_freshness(out, expect, finding);
    if (st != MOULT_OK) { return st; }
    return check_keyset(out, expect->keyset, finding);
}
