/* keyset.c - see keyset.h. */
#include "formats/keyset.h"
#include <stddef.h>
#include <string.h>
#include "formats/statement_read.h"

enum { KEY_NOT_AFTER = 7, KEY_FLOORS = 8, ID_SIZE = 16 };

/* --- the map --- */

/* [ threshold, [ indices ] ] */
static void read_role(struct moult_cbor_reader *reader, void *member)
{
    struct moult_keyset_role *role = member;
    if (moult_cbor_read_array(reader, 2, 2) != 2) { return; }
    role->threshold = (uint8_t)moult_cbor_read_u64(reader, 1, MOULT_KEYSET_THRESHOLD_MAX);
    role->count = (uint8_t)moult_cbor_read_array(reader, 1, MOULT_KEYSET_KEYS_MAX);
    for (unsigned i = 0; i < role->count; i++) {
        role->index[i] = (uint8_t)moult_cbor_read_u64(reader, 0, MOULT_KEYSET_KEYS_MAX - 1);
    }
}

static void write_role(struct moult_cbor_writer *writer, const void *member)
{
    const struct moult_keyset_role *role = member;
    moult_cbor_write_array(writer, 2);
    moult_cbor_write_u64(writer, role->threshold);
    moult_cbor_write_array(writer, role->count);
    for (unsigned i = 0; i < role->count; i++) {
        moult_cbor_write_u64(writer, role->index[i]);
    }
}

static const struct moult_field_custom role_custom = {read_role, write_role};

#define ROLE(role)                                                                         \
    {                                                                                      \
        .key = role, .kind = MOULT_KIND_CUSTOM,                                            \
        .offset = offsetof(struct moult_keyset_roles, of[role]), .custom = &role_custom    \
    }
static const struct moult_field role_fields[] = {
    ROLE(MOULT_ROLE_ROOT), ROLE(MOULT_ROLE_RELEASE), ROLE(MOULT_ROLE_ASSIGN)};
static const struct moult_map role_map = {
    .fields = role_fields,
    .field_count = MOULT_COUNT_OF(role_fields),
    .size = sizeof(struct moult_keyset_roles),
    .extensions = offsetof(struct moult_keyset_roles, extensions),
    .required = 1u << MOULT_ROLE_ROOT | 1u << MOULT_ROLE_RELEASE | 1u << MOULT_ROLE_ASSIGN,
};

/* [ class, sequence, introduced ] */
static void read_floor(struct moult_cbor_reader *reader, struct moult_keyset_floor *floor)
{
    *floor = (struct moult_keyset_floor){0};
    if (moult_cbor_read_array(reader, 3, 3) != 3) { return; }
    floor->class_id = moult_cbor_read_fixed(reader, ID_SIZE);
    floor->sequence = moult_cbor_read_u64(reader, 0, UINT64_MAX);
    floor->introduced = (uint32_t)moult_cbor_read_u64(reader, 0, UINT32_MAX);
}

/* Checked one by one, kept encoded. */
static void read_floors(struct moult_cbor_reader *reader, void *member)
{
    struct moult_cbor_list *list = member;
    list->count = (uint8_t)moult_cbor_read_array(reader, 1, MOULT_KEYSET_FLOORS_MAX);
    list->encoded.data = reader->at;
    for (unsigned i = 0; i < list->count; i++) {
        struct moult_keyset_floor floor;
        read_floor(reader, &floor);
    }
    list->encoded.size = (size_t)(reader->at - list->encoded.data);
}

static void write_floors(struct moult_cbor_writer *writer, const void *member)
{
    const struct moult_cbor_list *list = member;
    moult_cbor_write_array(writer, list->count);
    moult_cbor_write_raw(writer, list->encoded);
}

static const struct moult_field_custom floors_custom = {read_floors, write_floors};

/* [ -9, X || Y ], stored as a pointer each */
static const struct moult_field key_rows[] = {
    {.kind = MOULT_KIND_ALG},
    MOULT_FIELD_FIXED(0, 0, MOULT_PUBKEY_SIZE),
};
static const struct moult_array keys_array = {
    .rows = key_rows,
    .row_count = MOULT_COUNT_OF(key_rows),
    .stride = sizeof(const uint8_t *),
    .count = offsetof(struct moult_keyset, key_count),
};

#define AT(name) offsetof(struct moult_keyset, name)
static const struct moult_field fields[] = {
    {.key = 1, .kind = MOULT_KIND_CONST, .min = MOULT_STATEMENT_KEYSET},
    {.key = 2, .kind = MOULT_KIND_CONST, .min = MOULT_STATEMENT_FORMAT},
    MOULT_FIELD_FIXED(3, AT(fleet_id), ID_SIZE),
    {.key = 4, .kind = MOULT_KIND_U32, .offset = AT(version), .min = 1, .max = UINT32_MAX},
    {.key = 5,
     .kind = MOULT_KIND_TUPLES,
     .offset = AT(keys),
     .min = MOULT_KEYSET_KEYS_MIN,
     .max = MOULT_KEYSET_KEYS_MAX,
     .array = &keys_array},
    {.key = 6, .kind = MOULT_KIND_MAP, .offset = AT(roles), .map = &role_map},
    MOULT_FIELD_U64(KEY_NOT_AFTER, AT(not_after), 0),
    {.key = KEY_FLOORS,
     .kind = MOULT_KIND_CUSTOM,
     .offset = AT(floors),
     .custom = &floors_custom},
};
static const struct moult_map map = {
    .fields = fields,
    .field_count = MOULT_COUNT_OF(fields),
    .size = sizeof(struct moult_keyset),
    .extensions = AT(extensions),
    .required = 0x7e, /* 1..6 */
};
#undef AT

void moult_keyset_write(struct moult_cbor_writer *writer, const struct moult_keyset *keyset)
{
    moult_record_write(writer, &map, keyset);
}

bool moult_keyset_floor_next(struct moult_cbor_list *rest, struct moult_keyset_floor *floor)
{
    if (rest->count == 0) { return false; }
    struct moult_cbor_reader reader;
    moult_cbor_reader_init(&reader, rest->encoded);
    read_floor(&reader, floor);
    rest->count--;
    rest->encoded = (struct moult_bytes){reader.at, (size_t)(reader.end - reader.at)};
    return reader.status == MOULT_OK;
}

bool moult_keyset_floor_of(const struct moult_keyset *keyset, const uint8_t class_id[16],
                           struct moult_keyset_floor *floor)
{
    struct moult_cbor_list rest = keyset->floors;
    while (moult_keyset_floor_next(&rest, floor)) {
        if (memcmp(floor->class_id, class_id, ID_SIZE) == 0) { return true; }
    }
    return false;
}

void moult_keyset_floor_write(struct moult_cbor_writer *writer,
                              const struct moult_keyset_floor *floor)
{
    moult_cbor_write_array(writer, 3);
    moult_cbor_write_bytes(writer, floor->class_id, ID_SIZE);
    moult_cbor_write_u64(writer, floor->sequence);
    moult_cbor_write_u64(writer, floor->introduced);
}

/* --- rules between fields --- */

/* Indices strictly ascending and of no earlier role, threshold reachable; marks the keys.
 * */
static bool is_sound_role(const struct moult_keyset_role *role, uint32_t *used)
{
    if (role->threshold > role->count) { return false; }
    for (unsigned i = 0; i < role->count; i++) {
        uint32_t bit = UINT32_C(1) << role->index[i];
        if (*used & bit) { return false; }
        if (i > 0 && role->index[i] <= role->index[i - 1]) { return false; }
        *used |= bit;
    }
    return true;
}

/* Every key is used and no index is beyond them: both show in the marks. */
static bool are_sound_roles(const struct moult_keyset *keyset)
{
    uint32_t used = 0;
    for (unsigned i = 0; i < MOULT_ROLE_COUNT; i++) {
        if (!is_sound_role(&keyset->roles.of[i], &used)) { return false; }
    }
    const struct moult_keyset_role *assign = &keyset->roles.of[MOULT_ROLE_ASSIGN];
    return used == (UINT32_C(1) << keyset->key_count) - 1 &&
           keyset->roles.of[MOULT_ROLE_ROOT].threshold <= MOULT_KEYSET_ROOT_THRESHOLD_MAX &&
           assign->count <= MOULT_KEYSET_ASSIGN_KEYS_MAX && assign->threshold == 1;
}

/* Equal keys have equal kids, so this covers both. */
static bool are_distinct_kids(const struct moult_keyset *keyset)
{
    for (unsigned i = 1; i < keyset->key_count; i++) {
        for (unsigned j = 0; j < i; j++) {
            if (memcmp(keyset->kids[i], keyset->kids[j], MOULT_KID_SIZE) == 0) {
                return false;
            }
        }
    }
    return true;
}

static bool are_sound_floors(const struct moult_keyset *keyset)
{
    struct moult_cbor_list rest = keyset->floors;
    struct moult_keyset_floor floor;
    const uint8_t *previous = NULL;
    while (moult_keyset_floor_next(&rest, &floor)) {
        if (floor.introduced > keyset->version) { return false; }
        if (previous && memcmp(previous, floor.class_id, ID_SIZE) >= 0) { return false; }
        previous = floor.class_id;
    }
    return true;
}

static enum moult_status check_rules(const struct moult_crypto *crypto,
                                     struct moult_keyset *keyset,
                                     struct moult_finding *finding)
{
    enum moult_status st = MOULT_OK;
    for (unsigned i = 0; i < keyset->key_count && st == MOULT_OK; i++) {
        st = moult_kid(crypto, keyset->keys[i], keyset->kids[i]);
    }
    bool sound = are_sound_roles(keyset) && are_sound_floors(keyset);
    if (st == MOULT_OK && sound && are_distinct_kids(keyset)) {
        return moult_accept(finding);
    }
    if (st == MOULT_OK) { st = MOULT_E_FORMAT; }
    return moult_refuse(finding, st, MOULT_D_KEYSET_RULES, 0, 0);
}

enum moult_status moult_keyset_parse(const struct moult_crypto *crypto,
                                     struct moult_bytes payload, struct moult_keyset *out,
                                     struct moult_finding *finding)
{
    enum moult_status st =
        moult_statement_read(MOULT_STATEMENT_KEYSET, payload, &map, out, finding);
    return st == MOULT_OK ? check_rules(crypto, out, finding) : st;
}

/* --- signatures --- */

const uint8_t *moult_keyset_key(const struct moult_keyset *keyset, enum moult_role role,
                                const uint8_t kid[MOULT_KID_SIZE])
{
    const struct moult_keyset_role *holders = &keyset->roles.of[role];
    for (unsigned i = 0; i < holders->count; i++) {
        unsigned key = holders->index[i];
        if (memcmp(keyset->kids[key], kid, MOULT_KID_SIZE) == 0) {
            return keyset->keys[key];
        }
    }
    return NULL;
}

bool moult_keyset_knows_signer(const struct moult_keyset *keyset, enum moult_role role,
                               const struct moult_cose *cose)
{
    for (unsigned i = 0; i < cose->count; i++) {
        if (moult_keyset_key(keyset, role, moult_cose_kid(cose, i))) { return true; }
    }
    return false;
}

/* Kids of an envelope are distinct, and so are those of a keyset: one signature, one key.
 * */
unsigned moult_keyset_count_signatures(const struct moult_crypto *crypto,
                                       const struct moult_keyset *keyset,
                                       enum moult_role role, const struct moult_cose *cose,
                                       const uint8_t **first_kid)
{
    unsigned counted = 0;
    for (unsigned i = 0; i < cose->count; i++) {
        const uint8_t *kid = moult_cose_kid(cose, i);
        const uint8_t *key = moult_keyset_key(keyset, role, kid);
        if (!key || !moult_cose_signed_by(crypto, cose, i, key)) { continue; }
        if (counted == 0 && first_kid) { *first_kid = kid; }
        counted++;
    }
    return counted;
}

enum moult_status moult_keyset_judge(const struct moult_keyset *keyset,
                                     enum moult_role role, unsigned counted,
                                     uint16_t detail, struct moult_finding *finding)
{
    unsigned threshold = keyset->roles.of[role].threshold;
    if (threshold >= 1 && counted >= threshold) { return moult_accept(finding); }
    return moult_refuse(finding, MOULT_E_SIGNATURE, detail, threshold, counted);
}

/* The root threshold of `keyset` over an envelope. */
static enum moult_status require_root(const struct moult_crypto *crypto,
                                      const struct moult_keyset *keyset,
                                      const struct moult_cose *cose, uint16_t detail,
                                      struct moult_finding *finding)
{
    unsigned counted =
        moult_keyset_count_signatures(crypto, keyset, MOULT_ROLE_ROOT, cose, NULL);
    return moult_keyset_judge(keyset, MOULT_ROLE_ROOT, counted, detail, finding);
}

static enum moult_status check_fleet(const struct moult_keyset *keyset,
                                     const uint8_t *fleet_id, struct moult_finding *finding)
{
    if (!fleet_id || memcmp(keyset->fleet_id, fleet_id, ID_SIZE) == 0) { return MOULT_OK; }
    return moult_refuse(finding, MOULT_E_INCOMPATIBLE, MOULT_D_KEYSET_FLEET, 0, 0);
}

enum moult_status moult_keyset_verify_first(const struct moult_crypto *crypto,
                                            struct moult_bytes envelope,
                                            const uint8_t *fleet_id,
                                            struct moult_keyset *out,
                                            struct moult_finding *finding)
{
    struct moult_cose cose;
    enum moult_status st =
        moult_cose_parse(MOULT_STATEMENT_KEYSET, envelope, &cose, finding);
    if (st != MOULT_OK) { return st; }
    st = moult_statement_read(MOULT_STATEMENT_KEYSET, cose.payload, &map, out, finding);
    if (st != MOULT_OK) { return st; }
    st = check_fleet(out, fleet_id, finding);
    if (st != MOULT_OK) { return st; }
    st = check_rules(crypto, out, finding);
    if (st != MOULT_OK) { return st; }
    return require_root(crypto, out, &cose, MOULT_D_KEYSET_SIG_NEW, finding);
}

enum moult_status moult_keyset_verify_next(const struct moult_crypto *crypto,
                                           struct moult_bytes envelope,
                                           const struct moult_keyset *current,
                                           struct moult_keyset *out,
                                           struct moult_finding *finding)
{
    struct moult_cose cose;
    enum moult_status st =
        moult_cose_parse(MOULT_STATEMENT_KEYSET, envelope, &cose, finding);
    if (st != MOULT_OK) { return st; }
    st = moult_statement_read(MOULT_STATEMENT_KEYSET, cose.payload, &map, out, finding);
    if (st != MOULT_OK) { return st; }
    st = check_fleet(out, current->fleet_id, finding);
    if (st != MOULT_OK) { return st; }
    if (out->version !=
        current->version + 1) { /* which is 0, and no version, after the last */
        return moult_refuse(finding, MOULT_E_REPLAY, MOULT_D_KEYSET_VERSION,
                            current->version + 1, out->version);
    }
    st = check_rules(crypto, out, finding);
    if (st != MOULT_OK) { return st; }
    st = require_root(crypto, current, &cose, MOULT_D_KEYSET_SIG_OLD, finding);
    if (st != MOULT_OK) { return st; }
    return require_root(crypto, out, &cose, MOULT_D_KEYSET_SIG_NEW, finding);
}
