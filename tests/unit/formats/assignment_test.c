/* assignment_test.c - the order to one device, and what makes it fresh. */
#include "formats/assignment.h"
#include <string.h>
#include "tests/support/cbor_edit.h"
#include "tests/support/check.h"
#include "tests/support/spec.h"
#include "tests/support/statements.h"

enum {
    RELEASE_0 = 1u << STATEMENTS_RELEASE,
    ASSIGN_0 = 1u << STATEMENTS_ASSIGN,
    ASSIGN_1 = 2u << STATEMENTS_ASSIGN,
};

static struct statements_fleet fleet;

static uint16_t judged(enum moult_status st, const struct moult_finding *finding)
{
    bool reported = finding->detail == MOULT_D_SERVER_BEHIND; /* travels with OK */
    const struct moult_code_info *info = moult_detail_info(finding->detail);
    bool fits =
        st == MOULT_OK ? finding->detail == 0 || reported : info && info->status == st;
    return fits ? finding->detail : 9999;
}

static struct moult_assignment_expect pull(void)
{
    return (struct moult_assignment_expect){
        .keyset = &fleet.keyset,
        .device_id = fleet.device_id,
        .nonce = fleet.nonce,
    };
}

static struct moult_assignment_expect push(void)
{
    struct moult_assignment_expect expect = pull();
    expect.nonce = NULL;
    return expect;
}

/* Steps 2 and 4. */
static uint16_t verify_as(const struct statements_bytes *envelope,
                          const struct moult_assignment_expect *expect,
                          struct moult_assignment *out)
{
    struct moult_cose cose;
    struct moult_finding finding = {.detail = 9999};
    enum moult_status st = moult_cose_parse(MOULT_STATEMENT_ASSIGNMENT,
                                            statements_view(envelope), &cose, &finding);
    if (st == MOULT_OK) {
        st = moult_assignment_verify(&fleet.crypto, &cose, expect, out, &finding);
    }
    return judged(st, &finding);
}

static uint16_t verify(const struct statements_bytes *envelope)
{
    struct moult_assignment_expect expect = pull();
    struct moult_assignment out;
    return verify_as(envelope, &expect, &out);
}

static struct statements_bytes good_payload(void)
{
    struct moult_assignment order = statements_install(&fleet, fleet.digest, 100);
    return statements_assignment_payload(&order);
}

static uint16_t verify_edited(const char *path, const char *hex)
{
    struct statements_bytes payload = good_payload();
    cbor_edit(&payload, path, hex);
    struct statements_bytes envelope = statements_sign(&fleet, payload, ASSIGN_0);
    return verify(&envelope);
}

static uint16_t verify_order(const struct moult_assignment *order,
                             const struct moult_assignment_expect *expect)
{
    struct statements_bytes envelope = statements_signed_assignment(&fleet, order);
    struct moult_assignment out;
    return verify_as(&envelope, expect, &out);
}

static void test_an_install_says_what_to_fetch(void)
{
    struct statements_bytes envelope = statements_sign(&fleet, good_payload(), ASSIGN_1);
    struct moult_assignment_expect expect = pull();
    struct moult_assignment order;
    check_equal(verify_as(&envelope, &expect, &order), MOULT_D_NONE);
    check_equal(order.action, MOULT_ACTION_INSTALL);
    check_bytes(order.kid, fleet.signers[STATEMENTS_ASSIGN + 1].kid, MOULT_KID_SIZE);
    check_bytes(order.nonce, fleet.nonce, 16);
    check_equal(order.counter, 100);
    check_equal(order.ttl_s, 3600);
    check_bytes(order.release_digest, fleet.digest, 32);
    check_equal(order.source_count, 1);
    check_equal(order.sources[0].size, 65536);
    check_equal(order.sources[0].url.data[0], '/');
    check_equal(order.policy.present, 0);
    check(!order.sources[0].base_digest);
}

static void test_sizes_are_those_of_the_design(void)
{
    struct moult_assignment order = statements_none(&fleet, 1767225600123);
    struct statements_bytes none = statements_signed_assignment(&fleet, &order);
    check(none.size >= 151 && none.size <= 183); /* 167 +- 10 % */

    order = statements_install(&fleet, fleet.digest, 1767225600123);
    order.sources[0].url.size = 39; /* "/device/v1/artifact/" and a short name */
    struct statements_bytes full = statements_signed_assignment(&fleet, &order);
    check(full.size >= 268 && full.size <= 326); /* 297 +- 10 % */
}

/* --- contents --- */

static void test_type_then_format_then_unknown_then_field(void)
{
    check_equal(verify_edited("1", "01"), MOULT_D_ASSIGN_TYPE);
    check_equal(verify_edited("1", NULL), MOULT_D_ASSIGN_TYPE);
    check_equal(verify_edited("2", "02"), MOULT_D_ASSIGN_FORMAT);
    check_equal(verify_edited("16", "00"), MOULT_D_ASSIGN_UNKNOWN);
    check_equal(verify_edited("13.0.12", "00"), MOULT_D_ASSIGN_UNKNOWN);
    check_equal(verify_edited("14", "a1 0c 00"), MOULT_D_ASSIGN_UNKNOWN);
    struct statements_bytes payload = good_payload();
    cbor_edit(&payload, "9", "00");
    cbor_edit(&payload, "13.0.63", "00");
    struct statements_bytes envelope = statements_sign(&fleet, payload, ASSIGN_0);
    check_equal(verify(&envelope), MOULT_D_ASSIGN_UNKNOWN);
}

#define DIGEST "5820 0000000000000000000000000000000000000000000000000000000000000000"

static void test_fields_out_of_their_range_are_refused(void)
{
    static const struct {
        const char *path, *hex;
    } rows[] = {
        {"3", NULL},
        {"4", NULL},
        {"5", NULL},
        {"7", NULL},
        {"8", NULL},
        {"9", NULL},
        {"12", NULL},
        {"3", "40"},
        {"4", "40"},
        {"5", "04"},
        {"5", "40"},
        {"6", "41 00"},
        {"7", "40"},
        {"8", "60"},
        {"9", "00"},
        {"9", "1a 00278d01"},
        {"10", "40"},
        {"11", "40"},
        {"12", "1b 0000000100000000"},
        {"15", "40"},
        {"11", NULL},
        {"13", NULL}, /* install without release, without source */
        {"13", "80"},
        {"13", "00"},
        {"13.0", "80"},
        {"13.0.1", NULL},
        {"13.0.2", NULL},
        {"13.0.3", NULL},
        {"13.0.4", NULL},
        {"13.0.5", NULL},
        {"13.0.6", NULL},
        {"13.0.1", "19 0100"},
        {"13.0.2", "02"},
        {"13.0.3", "19 0100"},
        {"13.0.4", "00"},
        {"13.0.5", "41 00"},
        {"13.0.6", "60"},
        {"13.0.6", "41 2f"},
        {"13.0.7", DIGEST},
        {"13.0.8", "05"}, /* base of a full source */
        {"13.0.2", "01"}, /* delta without base */
        {"13.0.9", "00"}, /* RAM bound without encoding */
        {"13.0.3", "01"}, /* encoding without RAM bound */
        {"13.0.10", "00"},
        {"13.0.10", "82 19 1001 " DIGEST},
        {"13.0.10", "82 19 0800 " DIGEST},
        {"13.0.10", "82 1a 00200000 " DIGEST},
        {"13.0.10", "82 19 1000 40"},
        {"13.0.10", "81 19 1000"},
        {"14", "80"},
        {"14", "a1 01 40"},
        {"14", "a1 02 19 0100"},
        {"14", "a1 03 80"},
        {"14", "a1 03 81 83 03 00 01"},
        {"14", "a1 03 81 82 00 00"},
        {"14", "a1 03 81 83 00 02 01"},             /* ends before it starts */
        {"14", "a1 03 82 83 00 02 03 83 00 01 04"}, /* not by start */
        {"14", "a1 03 87 83000102 83000102 83000102 83000102 83000102 83000102 83000102"},
        {"14", "a1 04 18 65"},
        {"14", "a1 05 18 1d"},
        {"14", "a1 05 1a 00015181"},
        {"14", "a1 06 02"},
        {"14", "a1 07 02"},
        {"14", "a1 0a 18 80"},
        {"14", "a1 0b 02"},
        {"14", "a1 08 01"},
        {"14", "a1 09 01"}, /* about consent, without consent */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].path);
        check_equal(verify_edited(rows[i].path, rows[i].hex), MOULT_D_ASSIGN_FIELD);
    }
    check_row(NULL);
}

static void test_every_part_of_a_policy_is_read(void)
{
    struct statements_bytes payload = good_payload();
    cbor_edit(&payload, "14",
              "ab 01 19 0e10 02 05 03 82 83 00 0a 14 83 02 0a 18 1e 04 18 64 05 18 1e 06 01"
              "07 01 08 03 09 19 1c20 0a 18 5a 0b 01");
    struct statements_bytes envelope = statements_sign(&fleet, payload, ASSIGN_0);
    struct moult_assignment_expect expect = pull();
    struct moult_assignment order;
    check_equal(verify_as(&envelope, &expect, &order), MOULT_D_NONE);
    const struct moult_policy *policy = &order.policy;
    check_equal(policy->present, 0xffe);
    check_equal(policy->give_up_s, 3600);
    check_equal(policy->attempts, 5);
    check_equal(policy->window_count, 2);
    check_equal(policy->windows[1].use, MOULT_WINDOW_ACTIVATE);
    check_equal(policy->windows[1].from_s, 10);
    check_equal(policy->windows[1].to_s, 30);
    check_equal(policy->battery_percent, 100);
    check_equal(policy->confirm_timeout_s, 30);
    check_equal(policy->consent, 1);
    check_equal(policy->stage_only, 1);
    check_equal(policy->deferrals, 3);
    check_equal(policy->consent_until_s, 7200);
    check_equal(policy->signal_dbm, 90);
    check_equal(policy->lift_block, 1);
}

static void test_a_delta_names_its_base(void)
{
    struct statements_bytes payload = good_payload();
    cbor_edit(&payload, "13.0.2", "01");
    cbor_edit(&payload, "13.0.3", "01");
    cbor_edit(&payload, "13.0.7", DIGEST);
    cbor_edit(&payload, "13.0.8", "1a 00010000");
    cbor_edit(&payload, "13.0.9", "19 2000");
    cbor_edit(&payload, "13.0.10", "82 19 1000 " DIGEST);
    struct statements_bytes envelope = statements_sign(&fleet, payload, ASSIGN_0);
    struct moult_assignment_expect expect = pull();
    struct moult_assignment order;
    check_equal(verify_as(&envelope, &expect, &order), MOULT_D_NONE);
    check_equal(order.sources[0].base_size, 65536);
    check_equal(order.sources[0].decoder_ram, 8192);
    check_equal(order.sources[0].chunk_size, 4096);
    check(order.sources[0].base_digest && order.sources[0].chunk_digest);
}

static void test_an_unknown_encoding_spoils_only_its_source(void)
{
    static const struct {
        uint8_t kind, encoding;
        const char *encryption;
        uint16_t detail;
    } rows[] = {
        {MOULT_SOURCE_FULL, 0, NULL, MOULT_D_NONE},
        {MOULT_SOURCE_FULL, 1, NULL, MOULT_D_NONE},
        {MOULT_SOURCE_DELTA, 1, NULL, MOULT_D_NONE},
        {MOULT_SOURCE_DELTA, 0, NULL, MOULT_D_ENCODING},
        {MOULT_SOURCE_FULL, 2, NULL, MOULT_D_ENCODING},
        {MOULT_SOURCE_FULL, 3, NULL, MOULT_D_ENCODING},
        {MOULT_SOURCE_DELTA, 4, NULL, MOULT_D_ENCODING},
        {MOULT_SOURCE_FULL, 255, NULL, MOULT_D_ENCODING},
        {MOULT_SOURCE_FULL, 0, "83 00 40 a1 01 43 010203", MOULT_D_ENCRYPTION},
        {MOULT_SOURCE_FULL, 2, "00", MOULT_D_ENCODING},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct moult_assignment order = statements_install(&fleet, fleet.digest, 100);
        struct moult_source *source = &order.sources[0];
        source->kind = rows[i].kind;
        source->encoding = rows[i].encoding;
        source->base_digest = fleet.digest;
        if (source->kind == MOULT_SOURCE_DELTA) {
            source->present |= 3u << MOULT_SOURCE_BASE_DIGEST;
        }
        if (source->encoding != 0) { source->present |= 1u << MOULT_SOURCE_DECODER_RAM; }
        struct statements_bytes payload = statements_assignment_payload(&order);
        if (rows[i].encryption) { cbor_edit(&payload, "13.0.11", rows[i].encryption); }
        struct statements_bytes envelope = statements_sign(&fleet, payload, ASSIGN_0);
        struct moult_assignment_expect expect = pull();
        struct moult_assignment read;
        check_equal(verify_as(&envelope, &expect, &read), MOULT_D_NONE);
        struct moult_finding finding = {.detail = 9999};
        check_equal(moult_source_is_usable(&read.sources[0], &finding),
                    rows[i].detail == MOULT_D_NONE);
        check_equal(finding.detail, rows[i].detail);
    }
}

/* --- who, for whom, when --- */

static void test_only_an_assign_key_gives_orders(void)
{
    struct statements_bytes payload = good_payload();
    static const struct {
        unsigned keys;
        uint16_t detail;
        bool known;
    } rows[] = {
        {ASSIGN_0, MOULT_D_NONE, true},
        {ASSIGN_0 | ASSIGN_1 | RELEASE_0, MOULT_D_NONE, true},
        {RELEASE_0, MOULT_D_ASSIGN_SIG, false},
        {RELEASE_0 | 1u, MOULT_D_ASSIGN_SIG, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct statements_bytes envelope = statements_sign(&fleet, payload, rows[i].keys);
        check_equal(verify(&envelope), rows[i].detail);
        struct moult_cose cose;
        check_equal(moult_cose_parse(MOULT_STATEMENT_ASSIGNMENT, statements_view(&envelope),
                                     &cose, NULL),
                    MOULT_OK);
        check_equal(moult_keyset_knows_signer(&fleet.keyset, MOULT_ROLE_ASSIGN, &cose),
                    rows[i].known);
    }
}

static void test_with_two_valid_signatures_the_lowest_kid_counts(void)
{
    struct statements_bytes envelope =
        statements_sign(&fleet, good_payload(), ASSIGN_0 | ASSIGN_1);
    struct moult_assignment_expect expect = pull();
    struct moult_assignment order;
    check_equal(verify_as(&envelope, &expect, &order), MOULT_D_NONE);
    const uint8_t *a = fleet.signers[STATEMENTS_ASSIGN].kid;
    const uint8_t *b = fleet.signers[STATEMENTS_ASSIGN + 1].kid;
    check_bytes(order.kid, memcmp(a, b, 8) < 0 ? a : b, 8);
}

static void test_another_fleet_or_device_is_refused(void)
{
    static const uint8_t other[16] = "somebody-else-16";
    struct moult_assignment_expect expect = pull();
    struct moult_assignment order = statements_none(&fleet, 100);
    order.device_id = other;
    check_equal(verify_order(&order, &expect), MOULT_D_ASSIGN_DEVICE);
    order.fleet_id = other;
    check_equal(verify_order(&order, &expect), MOULT_D_ASSIGN_FLEET);
    order.fleet_id = fleet.fleet_id;
    expect.device_id = NULL;
    check_equal(verify_order(&order, &expect), MOULT_D_NONE);
}

static void test_the_nonce_must_be_the_one_that_was_sent(void)
{
    uint8_t stale[16];
    memset(stale, 0xa6, sizeof stale);
    struct moult_assignment order = statements_none(&fleet, 100);
    struct moult_assignment_expect expect = pull();
    expect.nonce = stale;
    check_equal(verify_order(&order, &expect), MOULT_D_NONCE);
    expect = push(); /* an answer is no offline order */
    check_equal(verify_order(&order, &expect), MOULT_D_NONCE);
    order.present = 0; /* and an offline order is no answer */
    order.nonce = NULL;
    check_equal(verify_order(&order, &expect), MOULT_D_NONE);
    expect = pull();
    check_equal(verify_order(&order, &expect), MOULT_D_NONCE);
}

static void test_the_counter_of_the_signing_key_does_not_go_back(void)
{
    struct moult_order_record records[2] = {{.counter = 100}, {.counter = 5000}};
    memcpy(records[0].kid, fleet.signers[STATEMENTS_ASSIGN].kid, MOULT_KID_SIZE);
    memcpy(records[1].kid, fleet.signers[STATEMENTS_ASSIGN + 1].kid, MOULT_KID_SIZE);
    static const struct {
        uint64_t counter;
        uint16_t pull, push;
    } rows[] = {
        {99, MOULT_D_COUNTER, MOULT_D_COUNTER},
        {100, MOULT_D_NONE, MOULT_D_COUNTER}, /* the nonce already proves it is new */
        {101, MOULT_D_NONE, MOULT_D_NONE},
        {UINT64_MAX, MOULT_D_NONE, MOULT_D_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct moult_assignment order = statements_none(&fleet, rows[i].counter);
        struct moult_assignment_expect expect = pull();
        expect.records = records;
        expect.record_count = 2;
        check_equal(verify_order(&order, &expect), rows[i].pull);
        order.present = 0;
        order.nonce = NULL;
        expect.nonce = NULL;
        check_equal(verify_order(&order, &expect), rows[i].push);
    }
    struct moult_assignment order = statements_none(&fleet, 7);
    struct moult_assignment_expect expect = pull();
    expect.records = records + 1; /* nothing known of the signing key */
    expect.record_count = 1;
    check_equal(verify_order(&order, &expect), MOULT_D_NONE);
}

static void test_an_order_without_nonce_grows_stale(void)
{
    static const struct {
        uint64_t iat, bound;
        uint16_t push;
    } rows[] = {
        {1000, 4600, MOULT_D_NONE}, /* ttl 3600 */
        {1000, 4601, MOULT_D_STALE},
        {0, 3601, MOULT_D_STALE},
        {UINT64_MAX - 3600, UINT64_MAX, MOULT_D_NONE},
        {UINT64_MAX, UINT64_MAX, MOULT_D_NONE}, /* the sum does not wrap */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct moult_assignment order = statements_none(&fleet, 100);
        order.iat_s = rows[i].iat;
        struct moult_assignment_expect expect = pull();
        expect.now_lower_bound_s = rows[i].bound;
        check_equal(verify_order(&order, &expect), MOULT_D_NONE);
        order.present = 0;
        order.nonce = NULL;
        expect.nonce = NULL;
        check_equal(verify_order(&order, &expect), rows[i].push);
    }
}

static void test_keyset_versions_are_compared(void)
{
    struct moult_assignment order = statements_none(&fleet, 100);
    struct moult_assignment_expect expect = pull();
    order.keyset_version = 2;
    check_equal(verify_order(&order, &expect), MOULT_D_KEYSET_BEHIND);
    struct moult_keyset newer = fleet.keyset;
    newer.version = 3;
    expect.keyset = &newer;
    check_equal(verify_order(&order, &expect), MOULT_D_SERVER_BEHIND); /* accepted */
    newer.version = 2;
    check_equal(verify_order(&order, &expect), MOULT_D_NONE);
}

static void test_checks_come_in_order(void)
{
    static const uint8_t other[16] = "somebody-else-16";
    struct moult_order_record record = {.counter = 200};
    memcpy(record.kid, fleet.signers[STATEMENTS_ASSIGN].kid, MOULT_KID_SIZE);
    struct moult_assignment order = statements_none(&fleet, 100);
    struct moult_assignment_expect expect = {
        .keyset = &fleet.keyset,
        .device_id = other,
        .nonce = NULL,
        .records = &record,
        .record_count = 1,
        .now_lower_bound_s = UINT64_MAX,
    };
    order.fleet_id = other;
    order.keyset_version = 9;
    check_equal(verify_order(&order, &expect), MOULT_D_ASSIGN_FLEET);
    order.fleet_id = fleet.fleet_id;
    check_equal(verify_order(&order, &expect), MOULT_D_ASSIGN_DEVICE);
    expect.device_id = fleet.device_id;
    check_equal(verify_order(&order, &expect), MOULT_D_NONCE);
    order.present = 0;
    order.nonce = NULL;
    check_equal(verify_order(&order, &expect), MOULT_D_COUNTER);
    order.counter = 201;
    check_equal(verify_order(&order, &expect), MOULT_D_STALE);
    expect.now_lower_bound_s = 0;
    check_equal(verify_order(&order, &expect), MOULT_D_KEYSET_BEHIND);
    order.keyset_version = 1;
    check_equal(verify_order(&order, &expect), MOULT_D_NONE);
}

/* --- every other byte string --- */

static void test_no_truncation_is_accepted(void)
{
    struct statements_bytes cut = statements_sign(&fleet, good_payload(), ASSIGN_0);
    while (cut.size-- > 0) {
        check_equal(verify(&cut), MOULT_D_ASSIGN_CBOR);
    }
}

static void test_no_single_bit_flip_is_accepted(void)
{
    struct statements_bytes flipped = statements_sign(&fleet, good_payload(), ASSIGN_0);
    for (size_t bit = 0; bit < flipped.size * 8; bit++) {
        flipped.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        uint16_t detail = verify(&flipped);
        check(detail != MOULT_D_NONE && detail != 9999);
        flipped.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    check_equal(verify(&flipped), MOULT_D_NONE);
}

static void test_what_is_accepted_is_reproduced_byte_for_byte(void)
{
    struct chance chance = chance_start("assignment", 0x5eed);
    for (int round = 0; round < 500; round++) {
        struct moult_assignment order =
            statements_install(&fleet, fleet.digest, chance_next(&chance));
        order.present =
            (uint32_t)chance_next(&chance) &
            (1u << MOULT_ASSIGNMENT_NONCE | 1u << MOULT_ASSIGNMENT_DEPLOYMENT |
             1u << MOULT_ASSIGNMENT_POLICY | 1u << MOULT_ASSIGNMENT_NEWEST_SEQUENCE);
        order.present |= 1u << MOULT_ASSIGNMENT_RELEASE | 1u << MOULT_ASSIGNMENT_SOURCES;
        order.iat_s = chance_next(&chance) >> chance_below(&chance, 64);
        order.newest_sequence = chance_next(&chance);
        order.source_count = (uint8_t)(1 + chance_below(&chance, 3));
        for (uint8_t i = 0; i < order.source_count; i++) {
            struct moult_source *source = &order.sources[i];
            *source = order.sources[0];
            source->kind = (uint8_t)chance_below(&chance, 2);
            source->encoding = (uint8_t)chance_below(&chance, 3);
            source->present = chance_below(&chance, 2) << MOULT_SOURCE_CHUNKS;
            if (source->kind) { source->present |= 3u << MOULT_SOURCE_BASE_DIGEST; }
            if (source->encoding) { source->present |= 1u << MOULT_SOURCE_DECODER_RAM; }
            source->chunk_size = 4096u << chance_below(&chance, 9);
            source->base_digest = source->chunk_digest = fleet.digest;
            source->base_size = (uint32_t)chance_next(&chance);
        }
        order.policy.present = (uint32_t)chance_next(&chance) & 0xffe;
        order.policy.present |=
            order.policy.present & 0x300 ? 1u << MOULT_POLICY_CONSENT : 0;
        order.policy.confirm_timeout_s = 30 + chance_below(&chance, 86371);
        order.policy.window_count = (uint8_t)(1 + chance_below(&chance, 6));
        for (unsigned i = 0; i < 6; i++) {
            order.policy.windows[i] = (struct moult_window){
                (uint8_t)chance_below(&chance, 3), i * 1000, i * 1000 + 1};
        }
        struct statements_bytes payload = statements_assignment_payload(&order);
        if (chance_below(&chance, 2)) {
            cbor_edit(&payload, "13.0.11", "a1 01 43 010203");
            cbor_edit(&payload, "13.0.70", "f5");
            cbor_edit(&payload, "65", "81 f6");
        }
        struct moult_assignment read;
        struct moult_finding finding;
        check_equal(moult_assignment_parse(statements_view(&payload), &read, &finding),
                    MOULT_OK);
        struct statements_bytes again = statements_assignment_payload(&read);
        check_equal(again.size, payload.size);
        check_bytes(again.data, payload.data, payload.size);
    }
}

int main(void)
{
    statements_fleet_make(&fleet, NULL);
    check_run(test_an_install_says_what_to_fetch);
    check_run(test_sizes_are_those_of_the_design);
    check_run(test_type_then_format_then_unknown_then_field);
    check_run(test_fields_out_of_their_range_are_refused);
    check_run(test_every_part_of_a_policy_is_read);
    check_run(test_a_delta_names_its_base);
    check_run(test_an_unknown_encoding_spoils_only_its_source);
    check_run(test_only_an_assign_key_gives_orders);
    check_run(test_with_two_valid_signatures_the_lowest_kid_counts);
    check_run(test_another_fleet_or_device_is_refused);
    check_run(test_the_nonce_must_be_the_one_that_was_sent);
    check_run(test_the_counter_of_the_signing_key_does_not_go_back);
    check_run(test_an_order_without_nonce_grows_stale);
    check_run(test_keyset_versions_are_compared);
    check_run(test_checks_come_in_order);
    check_run(test_no_truncation_is_accepted);
    check_run(test_no_single_bit_flip_is_accepted);
    check_run(test_what_is_accepted_is_reproduced_byte_for_byte);
    statements_fleet_free(&fleet);
    return check_report();
}
