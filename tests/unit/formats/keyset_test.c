/* keyset_test.c - who may sign what, and how one keyset follows another. */
#include "formats/keyset.h"
#include <string.h>
#include "tests/support/cbor_edit.h"
#include "tests/support/check.h"
#include "tests/support/spec.h"
#include "tests/support/statements.h"

enum {
    ROOT_0 = 1u << STATEMENTS_ROOT,
    ROOT_1 = 2u << STATEMENTS_ROOT,
    ROOT_2 = 4u << STATEMENTS_ROOT,
    RELEASE_0 = 1u << STATEMENTS_RELEASE,
    ASSIGN_0 = 1u << STATEMENTS_ASSIGN,
    TWO_ROOTS = ROOT_0 | ROOT_1,
};

static struct statements_fleet fleet;

/* The detail of a judgement; 9999 when status and detail do not belong together. */
static uint16_t judged(enum moult_status st, const struct moult_finding *finding)
{
    const struct moult_code_info *info = moult_detail_info(finding->detail);
    bool fits = st == MOULT_OK ? finding->detail == 0 : info && info->status == st;
    return fits ? finding->detail : 9999;
}

static uint16_t first(const struct statements_bytes *envelope)
{
    struct moult_keyset keyset;
    struct moult_finding finding = {.detail = 9999};
    enum moult_status st = moult_keyset_verify_first(
        &fleet.crypto, statements_view(envelope), fleet.fleet_id, &keyset, &finding);
    return judged(st, &finding);
}

static uint16_t next(const struct statements_bytes *envelope)
{
    struct moult_keyset keyset;
    struct moult_finding finding = {.detail = 9999};
    enum moult_status st = moult_keyset_verify_next(
        &fleet.crypto, statements_view(envelope), &fleet.keyset, &keyset, &finding);
    return judged(st, &finding);
}

static struct statements_bytes good_payload(void)
{
    struct moult_keyset keyset = statements_keyset(&fleet, 1);
    return statements_keyset_payload(&keyset);
}

static uint16_t first_of(const struct moult_keyset *keyset)
{
    struct statements_bytes envelope =
        statements_sign(&fleet, statements_keyset_payload(keyset), TWO_ROOTS);
    return first(&envelope);
}

static uint16_t first_edited(const char *path, const char *hex)
{
    struct statements_bytes payload = good_payload();
    cbor_edit(&payload, path, hex);
    struct statements_bytes envelope = statements_sign(&fleet, payload, TWO_ROOTS);
    return first(&envelope);
}

static void test_a_keyset_says_who_holds_which_role(void)
{
    const struct moult_keyset *keyset = &fleet.keyset;
    check_equal(keyset->version, 1);
    check_equal(keyset->key_count, 7);
    check_bytes(keyset->fleet_id, fleet.fleet_id, 16);
    check_equal(keyset->roles.of[MOULT_ROLE_ROOT].threshold, 2);
    check_equal(keyset->roles.of[MOULT_ROLE_ROOT].count, 3);
    for (unsigned i = 0; i < STATEMENTS_KEYS; i++) {
        check_bytes(keyset->keys[i], fleet.signers[i].public_key, MOULT_PUBKEY_SIZE);
        check_bytes(keyset->kids[i], fleet.signers[i].kid, MOULT_KID_SIZE);
        enum moult_role role = i < 3   ? MOULT_ROLE_ROOT
                               : i < 5 ? MOULT_ROLE_RELEASE
                                       : MOULT_ROLE_ASSIGN;
        for (unsigned other = 0; other < MOULT_ROLE_COUNT; other++) {
            const uint8_t *key =
                moult_keyset_key(keyset, (enum moult_role)other, fleet.signers[i].kid);
            check(other == role ? key == keyset->keys[i] : key == NULL);
        }
    }
}

static void test_sizes_are_those_of_the_design(void)
{
    struct moult_keyset keyset = statements_keyset(&fleet, 1);
    keyset.present = 1u << 7;
    keyset.not_after = 1893456000;
    struct statements_bytes payload = statements_keyset_payload(&keyset);
    struct statements_bytes envelope = statements_sign(&fleet, payload, TWO_ROOTS);
    check(payload.size >= 477 && payload.size <= 583);   /* 530 +- 10 % */
    check(envelope.size >= 633 && envelope.size <= 773); /* 703 +- 10 % */
    check_equal(first(&envelope), MOULT_D_NONE);
}

/* --- contents --- */

static void test_type_then_format_then_unknown_then_field(void)
{
    check_equal(first_edited("1", "01"), MOULT_D_KEYSET_TYPE);
    check_equal(first_edited("1", "18 40"), MOULT_D_KEYSET_TYPE);
    check_equal(first_edited("1", "40"), MOULT_D_KEYSET_TYPE);
    check_equal(first_edited("1", NULL), MOULT_D_KEYSET_TYPE);
    check_equal(first_edited("0", "00"),
                MOULT_D_KEYSET_TYPE); /* something before the type */
    check_equal(first_edited("2", "02"), MOULT_D_KEYSET_FORMAT);
    check_equal(first_edited("2", NULL), MOULT_D_KEYSET_FORMAT);
    check_equal(first_edited("9", "00"), MOULT_D_KEYSET_UNKNOWN);
    check_equal(first_edited("31", "00"), MOULT_D_KEYSET_UNKNOWN);
    check_equal(first_edited("63", "00"), MOULT_D_KEYSET_UNKNOWN);
    check_equal(first_edited("6.3", "82 01 81 00"), MOULT_D_KEYSET_UNKNOWN);

    /* an unknown key outweighs a bad field, wherever each is */
    struct statements_bytes payload = good_payload();
    cbor_edit(&payload, "4", "00");
    cbor_edit(&payload, "9", "00");
    struct statements_bytes envelope = statements_sign(&fleet, payload, TWO_ROOTS);
    check_equal(first(&envelope), MOULT_D_KEYSET_UNKNOWN);
    cbor_edit(&payload, "2", "02");
    envelope = statements_sign(&fleet, payload, TWO_ROOTS);
    check_equal(first(&envelope), MOULT_D_KEYSET_FORMAT);

    payload = (struct statements_bytes){.data = {0x81, 0x00}, .size = 2}; /* no map */
    envelope = statements_sign(&fleet, payload, TWO_ROOTS);
    check_equal(first(&envelope), MOULT_D_KEYSET_TYPE);
}

static void test_fields_out_of_their_range_are_refused(void)
{
    static const struct {
        const char *path, *hex;
    } rows[] = {
        {"3", NULL},
        {"4", NULL},
        {"5", NULL},
        {"6", NULL},
        {"6.0", NULL},
        {"6.1", NULL},
        {"6.2", NULL},
        {"3", "4f 000102030405060708090a0b0c0d0e"},
        {"3", "00"},
        {"4", "00"},
        {"4", "1b 0000000100000000"},
        {"4", "40"},
        {"5", "80"},
        {"5", "00"},
        {"5.0", "80"},
        {"5.0", "00"},
        {"5.0.0", "26"},
        {"5.0.0", "00"},
        {"5.0.1", "41 00"},
        {"5.0.2", "00"},
        {"6", "80"},
        {"6.0", "00"},
        {"6.0.0", "00"},
        {"6.0.0", "07"},
        {"6.0.1", "80"},
        {"6.0.1", "00"},
        {"6.0.1.0", "0c"},
        {"6.0.1.0", "40"},
        {"6.0.2", "00"},
        {"7", "40"},
        {"8", "80"},
        {"8", "00"},
        {"8", "81 80"},
        {"8", "81 83 40 00 00"},
        {"8", "81 83 50 000102030405060708090a0b0c0d0e0f 00 1b 0000000100000000"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].path);
        check_equal(first_edited(rows[i].path, rows[i].hex), MOULT_D_KEYSET_FIELD);
    }
    check_row(NULL);
    check_equal(first_edited("5", "82 82 28 40 82 28 40"), MOULT_D_KEYSET_FIELD);
}

static void test_the_finding_points_at_the_byte(void)
{
    struct statements_bytes payload = good_payload();
    cbor_edit(&payload, "4", "00");
    struct moult_keyset keyset;
    struct moult_finding finding;
    enum moult_status st =
        moult_keyset_parse(&fleet.crypto, statements_view(&payload), &keyset, &finding);
    check_equal(st, MOULT_E_FORMAT);
    check_equal(finding.detail, MOULT_D_KEYSET_FIELD);
    check_equal(payload.data[finding.where], 0x00);
    check_equal(payload.data[finding.where - 1], 0x04); /* behind its key */
}

static struct moult_keyset_role role(uint8_t threshold, uint8_t count, const char *indices)
{
    struct moult_keyset_role made = {.threshold = threshold, .count = count};
    for (unsigned i = 0; i < count; i++) {
        made.index[i] = (uint8_t)(indices[i] - '0');
    }
    return made;
}

static void test_roles_must_make_sense(void)
{
    static const struct {
        const char *name;
        uint8_t root_threshold, root_count;
        const char *root;
        uint8_t release_threshold, release_count;
        const char *release;
        uint8_t assign_threshold, assign_count;
        const char *assign;
        uint16_t detail;
    } rows[] = {
        {"good", 2, 3, "012", 2, 2, "34", 1, 2, "56", MOULT_D_NONE},
        {"other split", 2, 3, "012", 1, 1, "3", 1, 3, "456", MOULT_D_NONE},
        {"any order of keys", 2, 3, "046", 1, 2, "15", 1, 2, "23", MOULT_D_KEYSET_SIG_NEW},
        {"root threshold", 4, 3, "012", 1, 2, "34", 1, 2, "56", MOULT_D_KEYSET_RULES},
        {"root above 3", 4, 4, "0123", 1, 1, "4", 1, 2, "56", MOULT_D_KEYSET_RULES},
        {"release threshold", 2, 3, "012", 3, 2, "34", 1, 2, "56", MOULT_D_KEYSET_RULES},
        {"assign threshold", 2, 3, "012", 1, 2, "34", 2, 2, "56", MOULT_D_KEYSET_RULES},
        {"five assign keys", 1, 1, "0", 1, 1, "1", 1, 5, "23456", MOULT_D_KEYSET_RULES},
        {"not ascending", 2, 3, "021", 1, 2, "34", 1, 2, "56", MOULT_D_KEYSET_RULES},
        {"twice", 2, 3, "011", 1, 2, "34", 1, 2, "56", MOULT_D_KEYSET_RULES},
        {"two roles", 2, 3, "012", 1, 2, "23", 1, 3, "456", MOULT_D_KEYSET_RULES},
        {"unused", 2, 3, "012", 1, 1, "3", 1, 2, "56", MOULT_D_KEYSET_RULES},
        {"out of range", 2, 3, "012", 1, 2, "34", 1, 3, "567", MOULT_D_KEYSET_RULES},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct moult_keyset keyset = statements_keyset(&fleet, 1);
        keyset.roles.of[MOULT_ROLE_ROOT] =
            role(rows[i].root_threshold, rows[i].root_count, rows[i].root);
        keyset.roles.of[MOULT_ROLE_RELEASE] =
            role(rows[i].release_threshold, rows[i].release_count, rows[i].release);
        keyset.roles.of[MOULT_ROLE_ASSIGN] =
            role(rows[i].assign_threshold, rows[i].assign_count, rows[i].assign);
        check_row(rows[i].name);
        check_equal(first_of(&keyset), rows[i].detail);
    }
    check_row(NULL);
}

static void test_one_key_cannot_stand_for_two(void)
{
    struct moult_keyset keyset = statements_keyset(&fleet, 1);
    keyset.keys[1] = keyset.keys[0];
    check_equal(first_of(&keyset), MOULT_D_KEYSET_RULES);
    keyset = statements_keyset(&fleet, 1);
    keyset.keys[6] = keyset.keys[0]; /* the same key in two roles, under two indices */
    check_equal(first_of(&keyset), MOULT_D_KEYSET_RULES);
}

/* --- floors --- */

static struct moult_cbor_list floors_of(uint8_t *buffer, size_t capacity,
                                        const char *classes, const uint32_t *introduced)
{
    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, buffer, capacity);
    uint8_t count = 0;
    for (; classes[count]; count++) {
        uint8_t class_id[16];
        memset(class_id, classes[count], sizeof class_id);
        struct moult_keyset_floor floor = {class_id, 10u + count, introduced[count]};
        moult_keyset_floor_write(&writer, &floor);
    }
    return (struct moult_cbor_list){moult_cbor_written(&writer), count};
}

static void test_floors_are_found_by_class(void)
{
    uint8_t buffer[512];
    static const uint32_t introduced[] = {1, 1, 1};
    struct moult_keyset keyset = statements_keyset(&fleet, 1);
    keyset.present = 1u << 8;
    keyset.floors = floors_of(buffer, sizeof buffer, "abd", introduced);
    struct statements_bytes envelope =
        statements_sign(&fleet, statements_keyset_payload(&keyset), TWO_ROOTS);
    struct moult_keyset read;
    check_equal(moult_keyset_verify_first(&fleet.crypto, statements_view(&envelope), NULL,
                                          &read, NULL),
                MOULT_OK);
    check_equal(read.floors.count, 3);
    uint8_t class_id[16];
    struct moult_keyset_floor floor;
    memset(class_id, 'b', sizeof class_id);
    check(moult_keyset_floor_of(&read, class_id, &floor));
    check_equal(floor.sequence, 11);
    check_equal(floor.introduced, 1);
    memset(class_id, 'c', sizeof class_id);
    check(!moult_keyset_floor_of(&read, class_id, &floor));
    check(!moult_keyset_floor_of(&fleet.keyset, class_id, &floor));
}

static void test_floors_ascend_and_are_not_from_the_future(void)
{
    static const struct {
        const char *classes;
        uint32_t introduced[3];
        uint16_t detail;
    } rows[] = {
        {"abc", {2, 1, 3}, MOULT_D_NONE},
        {"acb", {1, 1, 1}, MOULT_D_KEYSET_RULES},
        {"aab", {1, 1, 1}, MOULT_D_KEYSET_RULES},
        {"abc", {1, 1, 4}, MOULT_D_KEYSET_RULES},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t buffer[512];
        struct moult_keyset keyset = statements_keyset(&fleet, 3);
        keyset.present = 1u << 8;
        keyset.floors =
            floors_of(buffer, sizeof buffer, rows[i].classes, rows[i].introduced);
        check_equal(first_of(&keyset), rows[i].detail);
    }
}

/* --- signatures --- */

static void test_a_first_keyset_needs_its_own_root_threshold(void)
{
    static const struct {
        unsigned keys;
        uint16_t detail;
        unsigned found;
    } rows[] = {
        {ROOT_0 | ROOT_1, MOULT_D_NONE, 0},
        {ROOT_1 | ROOT_2, MOULT_D_NONE, 0},
        {ROOT_0 | ROOT_1 | ROOT_2, MOULT_D_NONE, 0},
        {ROOT_0 | ROOT_1 | RELEASE_0 | ASSIGN_0, MOULT_D_NONE, 0},
        {ROOT_0, MOULT_D_KEYSET_SIG_NEW, 1},
        {ROOT_2 | RELEASE_0, MOULT_D_KEYSET_SIG_NEW, 1}, /* another role counts nothing */
        {RELEASE_0 | ASSIGN_0, MOULT_D_KEYSET_SIG_NEW, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct statements_bytes envelope =
            statements_sign(&fleet, good_payload(), rows[i].keys);
        check_equal(first(&envelope), rows[i].detail);
        struct moult_keyset keyset;
        struct moult_finding finding;
        enum moult_status st = moult_keyset_verify_first(
            &fleet.crypto, statements_view(&envelope), NULL, &keyset, &finding);
        check_equal(finding.found, rows[i].found);
        check_equal(finding.expected, st == MOULT_OK ? 0 : 2);
    }
}

static void test_the_same_key_twice_is_no_threshold(void)
{
    struct statements_bytes one = statements_sign(&fleet, good_payload(), ROOT_0);
    const uint8_t *signature = one.data + one.size - MOULT_COSE_SIGNATURE_SIZE;
    struct statements_bytes twice = one;
    memcpy(twice.data + twice.size, signature, MOULT_COSE_SIGNATURE_SIZE);
    twice.size += MOULT_COSE_SIGNATURE_SIZE;
    twice.data[one.size - MOULT_COSE_SIGNATURE_SIZE - 1] = 0x82;
    check_equal(first(&twice), MOULT_D_KEYSET_COSE); /* kids must ascend strictly */
}

static void test_another_fleet_is_refused_before_the_signatures(void)
{
    struct moult_keyset keyset = statements_keyset(&fleet, 1);
    static const uint8_t other[16] = "another-fleet-id";
    keyset.fleet_id = other;
    check_equal(first_of(&keyset), MOULT_D_KEYSET_FLEET);
    struct moult_finding finding;
    struct statements_bytes envelope =
        statements_sign(&fleet, statements_keyset_payload(&keyset), TWO_ROOTS);
    check_equal(moult_keyset_verify_first(&fleet.crypto, statements_view(&envelope), NULL,
                                          &keyset, &finding),
                MOULT_OK);
}

/* --- the next one --- */

static uint16_t next_of(const struct moult_keyset *keyset, unsigned keys)
{
    struct statements_bytes envelope =
        statements_sign(&fleet, statements_keyset_payload(keyset), keys);
    return next(&envelope);
}

static void test_only_the_very_next_version_follows(void)
{
    static const struct {
        uint32_t version;
        uint16_t detail;
    } rows[] = {{2, MOULT_D_NONE},
                {1, MOULT_D_KEYSET_VERSION}, /* replayed */
                {3, MOULT_D_KEYSET_VERSION}, /* skipped */
                {UINT32_MAX, MOULT_D_KEYSET_VERSION}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct moult_keyset keyset = statements_keyset(&fleet, rows[i].version);
        check_equal(next_of(&keyset, TWO_ROOTS), rows[i].detail);
    }
    struct moult_keyset last = statements_keyset(&fleet, 1);
    struct moult_keyset current = fleet.keyset;
    current.version = UINT32_MAX; /* nothing can follow */
    struct statements_bytes envelope =
        statements_sign(&fleet, statements_keyset_payload(&last), TWO_ROOTS);
    struct moult_finding finding;
    check_equal(moult_keyset_verify_next(&fleet.crypto, statements_view(&envelope),
                                         &current, &last, &finding),
                MOULT_E_REPLAY);
}

/* Root of the successor: keys 2 and two new ones, made of the release keys of `other`. */
static void test_old_and_new_root_must_both_sign(void)
{
    static struct statements_fleet other;
    statements_fleet_make(&other, NULL);
    struct moult_keyset keyset = statements_keyset(&fleet, 2);
    keyset.keys[0] = other.signers[0].public_key;
    keyset.keys[1] = other.signers[1].public_key;
    struct statements_bytes payload = statements_keyset_payload(&keyset);
    static const struct {
        const char *name;
        unsigned old_keys, new_keys;
        uint16_t detail;
    } rows[] = {
        {"both", ROOT_0 | ROOT_2, ROOT_0, MOULT_D_NONE}, /* key 2 counts on both sides */
        {"all six", ROOT_0 | ROOT_1 | ROOT_2, ROOT_0 | ROOT_1, MOULT_D_NONE},
        {"old root only", ROOT_0 | ROOT_1, 0, MOULT_D_KEYSET_SIG_NEW},
        {"new root only", ROOT_2, ROOT_0 | ROOT_1, MOULT_D_KEYSET_SIG_OLD},
        {"one of two, old", ROOT_0, ROOT_0 | ROOT_1, MOULT_D_KEYSET_SIG_OLD},
        {"one of two, new", ROOT_0 | ROOT_1, ROOT_0, MOULT_D_KEYSET_SIG_NEW},
        {"neither", RELEASE_0, RELEASE_0, MOULT_D_KEYSET_SIG_OLD},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct statements_fleet mixed = fleet; /* signers 0..2 old, 3.. the new ones */
        mixed.signers[3] = other.signers[0];
        mixed.signers[4] = other.signers[1];
        unsigned keys = (rows[i].old_keys & 7u) | (rows[i].new_keys & 3u) << 3;
        if (rows[i].old_keys & RELEASE_0) { keys = ASSIGN_0; }
        struct statements_bytes envelope = statements_sign(&mixed, payload, keys);
        check_row(rows[i].name);
        check_equal(next(&envelope), rows[i].detail);
    }
    check_row(NULL);
    statements_fleet_free(&other);
}

static void test_a_whole_new_root_of_threshold_three_fits(void)
{
    static struct statements_fleet other;
    statements_fleet_make(&other, NULL);
    struct moult_keyset keyset = statements_keyset(&fleet, 2);
    for (unsigned i = 0; i < 3; i++) {
        keyset.keys[i] = other.signers[i].public_key;
    }
    keyset.roles.of[MOULT_ROLE_ROOT].threshold = 3;
    struct statements_fleet mixed = fleet;
    for (unsigned i = 0; i < 3; i++) {
        mixed.signers[3 + i] = other.signers[i];
    }
    struct statements_bytes envelope =
        statements_sign(&mixed, statements_keyset_payload(&keyset), 0x3f);
    check_equal(next(&envelope), MOULT_D_NONE);
    envelope = statements_sign(&mixed, statements_keyset_payload(&keyset), 0x1f);
    check_equal(next(&envelope), MOULT_D_KEYSET_SIG_NEW);
    statements_fleet_free(&other);
}

static void test_checks_of_the_next_one_come_in_order(void)
{
    struct moult_keyset keyset = statements_keyset(&fleet, 3);
    static const uint8_t other[16] = "another-fleet-id";
    keyset.fleet_id = other;
    keyset.roles.of[MOULT_ROLE_ROOT].threshold = 6;
    check_equal(next_of(&keyset, ASSIGN_0), MOULT_D_KEYSET_FLEET);
    keyset.fleet_id = fleet.fleet_id;
    check_equal(next_of(&keyset, ASSIGN_0), MOULT_D_KEYSET_VERSION);
    keyset.version = 2;
    check_equal(next_of(&keyset, ASSIGN_0), MOULT_D_KEYSET_RULES);
    keyset.roles.of[MOULT_ROLE_ROOT].threshold = 2;
    check_equal(next_of(&keyset, ASSIGN_0), MOULT_D_KEYSET_SIG_OLD);
}

/* --- every other byte string --- */

static void test_no_truncation_is_accepted(void)
{
    struct statements_bytes cut = fleet.envelope;
    while (cut.size-- > 0) {
        check_equal(first(&cut), MOULT_D_KEYSET_CBOR);
    }
}

static void test_no_single_bit_flip_is_accepted(void)
{
    struct statements_bytes flipped = fleet.envelope; /* exactly two signatures of two */
    for (size_t bit = 0; bit < flipped.size * 8; bit++) {
        flipped.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        uint16_t detail = first(&flipped);
        check(detail != MOULT_D_NONE && detail != 9999);
        flipped.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    check_equal(first(&flipped), MOULT_D_NONE);
}

static void test_bytes_behind_it_and_size_are_limited(void)
{
    struct statements_bytes longer = fleet.envelope;
    longer.data[longer.size++] = 0;
    check_equal(first(&longer), MOULT_D_KEYSET_SIZE);
    static uint8_t large[MOULT_KEYSET_SIZE_MAX + 1];
    memcpy(large, fleet.envelope.data, fleet.envelope.size);
    struct moult_keyset keyset;
    struct moult_finding finding;
    struct moult_bytes bytes = {large, sizeof large};
    check_equal(moult_keyset_verify_first(&fleet.crypto, bytes, NULL, &keyset, &finding),
                MOULT_E_RANGE);
    check_equal(finding.detail, MOULT_D_KEYSET_SIZE);
    check_equal(finding.expected, MOULT_KEYSET_SIZE_MAX);
    check_equal(finding.found, MOULT_KEYSET_SIZE_MAX + 1);
}

/* --- extensions and reproduction --- */

static void test_extensions_are_skipped_and_kept(void)
{
    struct statements_bytes payload = good_payload();
    cbor_edit(&payload, "64", "83 f5 f6 a1 00 43 616263");
    cbor_edit(&payload, "4294967295", "1a 00010000");
    cbor_edit(&payload, "6.100", "62 4142");
    cbor_edit(&payload, "7", "1a 70dbd880");
    cbor_edit(&payload, "8", "81 83 50 000102030405060708090a0b0c0d0e0f 05 01");
    struct statements_bytes envelope = statements_sign(&fleet, payload, TWO_ROOTS);
    struct moult_keyset keyset;
    check_equal(moult_keyset_verify_first(&fleet.crypto, statements_view(&envelope), NULL,
                                          &keyset, NULL),
                MOULT_OK);
    check_equal(keyset.extensions.count, 2);
    check_equal(keyset.roles.extensions.count, 1);
    check_equal(keyset.not_after, 0x70dbd880);
    struct statements_bytes again = statements_keyset_payload(&keyset);
    check_equal(again.size, payload.size);
    check_bytes(again.data, payload.data, payload.size);
}

static void test_a_written_keyset_is_read_back_the_same(void)
{
    struct chance chance = chance_start("keyset", 0x5eed);
    for (int round = 0; round < 200; round++) {
        struct moult_keyset keyset =
            statements_keyset(&fleet, 1 + chance_below(&chance, 100000));
        uint8_t buffer[512];
        static const uint32_t introduced[] = {1, 0, 1};
        keyset.present = chance_below(&chance, 4) << 7;
        keyset.not_after = chance_next(&chance);
        keyset.floors =
            floors_of(buffer, sizeof buffer, &"abc"[chance_below(&chance, 3)], introduced);
        keyset.roles.of[MOULT_ROLE_RELEASE].threshold =
            (uint8_t)(1 + chance_below(&chance, 2));
        struct statements_bytes payload = statements_keyset_payload(&keyset);
        struct moult_keyset read;
        struct moult_finding finding;
        check_equal(
            moult_keyset_parse(&fleet.crypto, statements_view(&payload), &read, &finding),
            MOULT_OK);
        check_equal(read.version, keyset.version);
        struct statements_bytes again = statements_keyset_payload(&read);
        check_equal(again.size, payload.size);
        check_bytes(again.data, payload.data, payload.size);
    }
}

static bool failing_init(void *context, struct moult_sha256 *hash)
{
    (void)context;
    (void)hash;
    return false;
}

static void test_a_failing_hash_is_no_pass(void)
{
    struct moult_crypto broken = fleet.crypto;
    broken.sha256_init = failing_init;
    struct moult_keyset keyset;
    struct moult_finding finding;
    check_equal(moult_keyset_verify_first(&broken, statements_view(&fleet.envelope), NULL,
                                          &keyset, &finding),
                MOULT_E_INTERNAL);
    check_equal(finding.detail, MOULT_D_KEYSET_RULES);
}

int main(void)
{
    statements_fleet_make(&fleet, NULL);
    check_run(test_a_keyset_says_who_holds_which_role);
    check_run(test_sizes_are_those_of_the_design);
    check_run(test_type_then_format_then_unknown_then_field);
    check_run(test_fields_out_of_their_range_are_refused);
    check_run(test_the_finding_points_at_the_byte);
    check_run(test_roles_must_make_sense);
    check_run(test_one_key_cannot_stand_for_two);
    check_run(test_floors_are_found_by_class);
    check_run(test_floors_ascend_and_are_not_from_the_future);
    check_run(test_a_first_keyset_needs_its_own_root_threshold);
    check_run(test_the_same_key_twice_is_no_threshold);
    check_run(test_another_fleet_is_refused_before_the_signatures);
    check_run(test_only_the_very_next_version_follows);
    check_run(test_old_and_new_root_must_both_sign);
    check_run(test_a_whole_new_root_of_threshold_three_fits);
    check_run(test_checks_of_the_next_one_come_in_order);
    check_run(test_no_truncation_is_accepted);
    check_run(test_no_single_bit_flip_is_accepted);
    check_run(test_bytes_behind_it_and_size_are_limited);
    check_run(test_extensions_are_skipped_and_kept);
    check_run(test_a_written_keyset_is_read_back_the_same);
    check_run(test_a_failing_hash_is_no_pass);
    statements_fleet_free(&fleet);
    return check_report();
}
