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

/* 10: [ chunk size, digest of the chunk list ] */
static void read_chunks(struct moult_cbor_reader *reader, void *record)
{
    struct moult_source *source = record;
    const uint8_t *start = reader->at;
    if (moult_cbor_read_array(reader, 2, 2) != 2) { return; }
    uint32_t size =
        (uint32_t)moult_cbor_read_u64(reader, MOULT_CHUNK_SIZE_MIN, MOULT_CHUNK_SIZE_MAX);
    source->chunk_size = size;
    source->chunk_digest = moult_cbor_read_fixed(reader, MOULT_SHA256_SIZE);
    if ((size & (size - 1)) != 0) { moult_cbor_reject(reader, MOULT_E_RANGE, start); }
}

static void write_chunks(struct moult_cbor_writer *writer, const void *record)
{
    const struct moult_source *source = record;
    moult_cbor_write_array(writer, 2);
    moult_cbor_write_u64(writer, source->chunk_size);
    moult_cbor_write_bytes(writer, source->chunk_digest, MOULT_SHA256_SIZE);
}

static const struct moult_field_custom chunks_custom = {read_chunks, write_chunks};

#define AT(name) offsetof(struct moult_source, name)
static const struct moult_field source_fields[] = {
    {1, MOULT_KIND_U8, AT(component), 0, UINT8_MAX, NULL},
    {2, MOULT_KIND_U8, AT(kind), 0, MOULT_SOURCE_DELTA, NULL},
    {3, MOULT_KIND_U8, AT(encoding), 0, UINT8_MAX, NULL},
    {4, MOULT_KIND_U32, AT(size), 1, UINT32_MAX, NULL},
    {5, MOULT_KIND_FIXED, AT(digest), MOULT_SHA256_SIZE, MOULT_SHA256_SIZE, NULL},
    {6, MOULT_KIND_TEXT, AT(url), 1, MOULT_SOURCE_URL_MAX, NULL},
    {MOULT_SOURCE_BASE_DIGEST, MOULT_KIND_FIXED, AT(base_digest), MOULT_SHA256_SIZE,
     MOULT_SHA256_SIZE, NULL},
    {MOULT_SOURCE_BASE_SIZE, MOULT_KIND_U32, AT(base_size), 0, UINT32_MAX, NULL},
    {MOULT_SOURCE_DECODER_RAM, MOULT_KIND_U32, AT(decoder_ram), 0, UINT32_MAX, NULL},
    {MOULT_SOURCE_CHUNKS, MOULT_KIND_CUSTOM, 0, 0, 0, &chunks_custom},
    {MOULT_SOURCE_ENCRYPTION, MOULT_KIND_ANY, AT(encryption), 0, 0, NULL},
};
static const struct moult_map source_map = {
    .fields = source_fields,
    .count = MOULT_FIELD_COUNT_OF(source_fields),
    .size = sizeof(struct moult_source),
    .extensions = AT(extensions),
    .required = 0x7e, /* 1..6 */
};
#undef AT

/* Base digest and size go with a delta, the RAM bound with an encoding. */
static bool is_sound_source(const struct moult_source *source)
{
    bool is_delta = source->kind == MOULT_SOURCE_DELTA;
    bool is_encoded = source->encoding != MOULT_ENCODING_NONE;
    return has(source->present, MOULT_SOURCE_BASE_DIGEST) == is_delta &&
           has(source->present, MOULT_SOURCE_BASE_SIZE) == is_delta &&
           has(source->present, MOULT_SOURCE_DECODER_RAM) == is_encoded;
}

static void read_sources(struct moult_cbor_reader *reader, void *record)
{
    struct moult_assignment *assignment = record;
    uint32_t count = moult_cbor_read_array(reader, 1, MOULT_ASSIGNMENT_SOURCES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *start = reader->at;
        moult_map_read(reader, &source_map, &assignment->sources[i]);
        if (!is_sound_source(&assignment->sources[i])) {
            moult_cbor_reject(reader, MOULT_E_RANGE, start);
        }
    }
    assignment->source_count = (uint8_t)count;
}

static void write_sources(struct moult_cbor_writer *writer, const void *record)
{
    const struct moult_assignment *assignment = record;
    moult_cbor_write_array(writer, assignment->source_count);
    for (unsigned i = 0; i < assignment->source_count; i++) {
        moult_map_write(writer, &source_map, &assignment->sources[i]);
    }
}

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

/* 3: [ [ use, from, to ], ... ], by from */
static void read_windows(struct moult_cbor_reader *reader, void *record)
{
    struct moult_policy *policy = record;
    uint32_t count = moult_cbor_read_array(reader, 1, MOULT_ASSIGNMENT_WINDOWS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct moult_window *window = &policy->windows[i];
        const uint8_t *start = reader->at;
        if (moult_cbor_read_array(reader, 3, 3) != 3) { continue; } /* it was skipped */
        window->use = (uint8_t)moult_cbor_read_u64(reader, 0, MOULT_WINDOW_ACTIVATE);
        window->from_s = moult_cbor_read_u64(reader, 0, UINT64_MAX);
        window->to_s = moult_cbor_read_u64(reader, 0, UINT64_MAX);
        bool ordered = i == 0 || window[-1].from_s <= window->from_s;
        if (!ordered || window->from_s > window->to_s) {
            moult_cbor_reject(reader, MOULT_E_RANGE, start);
        }
    }
    policy->window_count = (uint8_t)count;
}

static void write_windows(struct moult_cbor_writer *writer, const void *record)
{
    const struct moult_policy *policy = record;
    moult_cbor_write_array(writer, policy->window_count);
    for (unsigned i = 0; i < policy->window_count; i++) {
        moult_cbor_write_array(writer, 3);
        moult_cbor_write_u64(writer, policy->windows[i].use);
        moult_cbor_write_u64(writer, policy->windows[i].from_s);
        moult_cbor_write_u64(writer, policy->windows[i].to_s);
    }
}

static const struct moult_field_custom windows_custom = {read_windows, write_windows};

#define AT(name) offsetof(struct moult_policy, name)
static const struct moult_field policy_fields[] = {
    {MOULT_POLICY_GIVE_UP, MOULT_KIND_U32, AT(give_up_s), 0, UINT32_MAX, NULL},
    {MOULT_POLICY_ATTEMPTS, MOULT_KIND_U8, AT(attempts), 0, UINT8_MAX, NULL},
    {MOULT_POLICY_WINDOWS, MOULT_KIND_CUSTOM, 0, 0, 0, &windows_custom},
    {MOULT_POLICY_BATTERY, MOULT_KIND_U8, AT(battery_percent), 0, 100, NULL},
    {MOULT_POLICY_CONFIRM, MOULT_KIND_U32, AT(confirm_timeout_s), 30, 86400, NULL},
    {MOULT_POLICY_CONSENT, MOULT_KIND_U8, AT(consent), 0, 1, NULL},
    {MOULT_POLICY_STAGE_ONLY, MOULT_KIND_U8, AT(stage_only), 0, 1, NULL},
    {MOULT_POLICY_DEFERRALS, MOULT_KIND_U8, AT(deferrals), 0, UINT8_MAX, NULL},
    {MOULT_POLICY_CONSENT_UNTIL, MOULT_KIND_U32, AT(consent_until_s), 0, UINT32_MAX, NULL},
    {MOULT_POLICY_SIGNAL, MOULT_KIND_U8, AT(signal_dbm), 0, 127, NULL},
    {MOULT_POLICY_LIFT_BLOCK, MOULT_KIND_U8, AT(lift_block), 0, 1, NULL},
};
static const struct moult_map policy_map = {
    .fields = policy_fields,
    .count = MOULT_FIELD_COUNT_OF(policy_fields),
    .size = sizeof(struct moult_policy),
    .extensions = AT(extensions),
};
#undef AT

static void read_policy(struct moult_cbor_reader *reader, void *record)
{
    struct moult_policy *policy = &((struct moult_assignment *)record)->policy;
    const uint8_t *start = reader->at;
    moult_map_read(reader, &policy_map, policy);
    bool about_consent = has(policy->present, MOULT_POLICY_DEFERRALS) ||
                         has(policy->present, MOULT_POLICY_CONSENT_UNTIL);
    if (about_consent && !has(policy->present, MOULT_POLICY_CONSENT)) {
        moult_cbor_reject(reader, MOULT_E_RANGE, start);
    }
}

static void write_policy(struct moult_cbor_writer *writer, const void *record)
{
    moult_map_write(writer, &policy_map,
                    &((const struct moult_assignment *)record)->policy);
}

/* --- assignment --- */

static const struct moult_field_custom sources_custom = {read_sources, write_sources};
static const struct moult_field_custom policy_custom = {read_policy, write_policy};

#define AT(name) offsetof(struct moult_assignment, name)
static const struct moult_field fields[] = {
    {1, MOULT_KIND_CONST, 0, MOULT_STATEMENT_ASSIGNMENT, 0, NULL},
    {2, MOULT_KIND_CONST, 0, MOULT_STATEMENT_FORMAT, 0, NULL},
    {3, MOULT_KIND_FIXED, AT(fleet_id), ID_SIZE, ID_SIZE, NULL},
    {4, MOULT_KIND_FIXED, AT(device_id), ID_SIZE, ID_SIZE, NULL},
    {5, MOULT_KIND_U8, AT(action), 0, MOULT_ACTION_KEYSET, NULL},
    {MOULT_ASSIGNMENT_NONCE, MOULT_KIND_FIXED, AT(nonce), MOULT_NONCE_SIZE,
     MOULT_NONCE_SIZE, NULL},
    {7, MOULT_KIND_U64, AT(counter), 0, 0, NULL},
    {8, MOULT_KIND_U64, AT(iat_s), 0, 0, NULL},
    {9, MOULT_KIND_U32, AT(ttl_s), 1, MOULT_ASSIGNMENT_TTL_MAX, NULL},
    {MOULT_ASSIGNMENT_DEPLOYMENT, MOULT_KIND_FIXED, AT(deployment_id), ID_SIZE, ID_SIZE,
     NULL},
    {MOULT_ASSIGNMENT_RELEASE, MOULT_KIND_FIXED, AT(release_digest), MOULT_SHA256_SIZE,
     MOULT_SHA256_SIZE, NULL},
    {KEYSET_VERSION, MOULT_KIND_U32, AT(keyset_version), 0, UINT32_MAX, NULL},
    {MOULT_ASSIGNMENT_SOURCES, MOULT_KIND_NESTED, 0, 0, 0, &sources_custom},
    {MOULT_ASSIGNMENT_POLICY, MOULT_KIND_NESTED, 0, 0, 0, &policy_custom},
    {MOULT_ASSIGNMENT_NEWEST_SEQUENCE, MOULT_KIND_U64, AT(newest_sequence), 0, 0, NULL},
};
static const struct moult_map map = {
    .fields = fields,
    .count = MOULT_FIELD_COUNT_OF(fields),
    .size = sizeof(struct moult_assignment),
    .extensions = AT(extensions),
    .required = 0x3be | 1u << KEYSET_VERSION, /* 1..5, 7..9 */
};
#undef AT

enum moult_status moult_assignment_parse(struct moult_bytes payload,
                                         struct moult_assignment *out,
                                         struct moult_finding *finding)
{
    enum moult_status st =
        moult_statement_read(MOULT_STATEMENT_ASSIGNMENT, payload, &map, out, finding);
    if (st != MOULT_OK) { return st; }
    bool is_complete = has(out->present, MOULT_ASSIGNMENT_RELEASE) &&
                       has(out->present, MOULT_ASSIGNMENT_SOURCES);
    if (out->action != MOULT_ACTION_INSTALL || is_complete) { return MOULT_OK; }
    return moult_statement_bad_field(MOULT_STATEMENT_ASSIGNMENT, payload, NULL, finding);
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
