/* endpoints_test.c - the list of addresses, and the order in which a device tries them. */
#include "formats/endpoints.h"
#include <string.h>
#include "tests/support/cbor_edit.h"
#include "tests/support/check.h"
#include "tests/support/spec.h"
#include "tests/support/statements.h"

enum {
    RELEASE_0 = 1u << STATEMENTS_RELEASE,
    RELEASE_1 = 2u << STATEMENTS_RELEASE,
    ASSIGN_0 = 1u << STATEMENTS_ASSIGN,
    ROOT_0 = 1u << STATEMENTS_ROOT,
    HELD = 6,
};

static struct statements_fleet fleet;     /* release threshold 1 */
static struct statements_fleet two_fleet; /* release threshold 2 */

static uint16_t judged(enum moult_status st, const struct moult_finding *finding)
{
    const struct moult_code_info *info = moult_detail_info(finding->detail);
    bool fits = st == MOULT_OK ? finding->detail == 0 : info && info->status == st;
    return fits ? finding->detail : 9999;
}

static uint16_t verify_as(const struct statements_fleet *with,
                          const struct statements_bytes *envelope)
{
    struct moult_endpoints list;
    struct moult_finding finding = {.detail = 9999};
    enum moult_status st = moult_endpoints_verify(&with->crypto, statements_view(envelope),
                                                  &with->keyset, HELD, &list, &finding);
    return judged(st, &finding);
}

static uint16_t verify(const struct statements_bytes *envelope)
{
    return verify_as(&fleet, envelope);
}

static struct statements_bytes good_payload(void)
{
    struct moult_endpoints list = statements_endpoints(&fleet, 7);
    return statements_endpoints_payload(&list);
}

static uint16_t verify_edited(const char *path, const char *hex)
{
    struct statements_bytes payload = good_payload();
    cbor_edit(&payload, path, hex);
    struct statements_bytes envelope = statements_sign(&fleet, payload, RELEASE_0);
    return verify(&envelope);
}

static struct moult_bytes text(const char *string)
{
    return (struct moult_bytes){(const uint8_t *)string, strlen(string)};
}

static bool is_text(struct moult_bytes bytes, const char *string)
{
    return bytes.size == strlen(string) && memcmp(bytes.data, string, bytes.size) == 0;
}

/* --- the page --- */

static void test_the_example_of_the_page_is_what_it_says(void)
{
    static struct moult_keyset keyset;
    uint8_t envelope[512], key[64], fleet_id[16];
    size_t size = spec_example("endpoints.md", "endpoints", envelope, sizeof envelope);
    check_equal(size, 198);
    check_equal(spec_example("endpoints.md", "endpoints-key", key, sizeof key), 64);
    memcpy(fleet_id, "moult-fleet-0001", 16);
    keyset = (struct moult_keyset){.fleet_id = fleet_id, .key_count = 1, .keys = {key}};
    keyset.roles.of[MOULT_ROLE_RELEASE] = (struct moult_keyset_role){1, 1, {0}};
    check_equal(moult_kid(&fleet.crypto, key, keyset.kids[0]), MOULT_OK);

    struct moult_endpoints list;
    struct moult_bytes bytes = {envelope, size};
    check_equal(moult_endpoints_verify(&fleet.crypto, bytes, &keyset, 2, &list, NULL),
                MOULT_OK);
    check_equal(list.version, 3);
    check_equal(list.count, 2);
    check_equal(list.fallback_after_s, 600);
    check(list.present & 1u << MOULT_ENDPOINTS_FALLBACK);
    check(is_text(list.list[0].url, "https://ota.example.com"));
    check(is_text(list.list[0].region, "eu"));
    check_equal(list.list[0].weight, 100);
    check(is_text(list.list[1].url, "https://ota.example.net:8443/moult"));
    check_equal(list.list[1].region.size, 0);

    struct moult_cose cose;
    check_equal(moult_cose_parse(MOULT_STATEMENT_ENDPOINTS, bytes, &cose, NULL), MOULT_OK);
    struct statements_bytes again = statements_endpoints_payload(&list);
    check_equal(again.size, cose.payload.size);
    check_bytes(again.data, cose.payload.data, cose.payload.size);

    struct moult_endpoint_query query = {MOULT_ENDPOINT_CHECKIN, "eu", fleet.device_id};
    check(moult_endpoints_pick(&list, &query, 0) == &list.list[0]);
    query.region = NULL;
    check(moult_endpoints_pick(&list, &query, 0) == &list.list[1]);
}

/* --- refusals, in order --- */

static void test_type_then_format_then_unknown_then_field(void)
{
    check_equal(verify_edited("1", "00"), MOULT_D_ENDPOINT_TYPE);
    check_equal(verify_edited("1", "01"), MOULT_D_ENDPOINT_TYPE); /* a release */
    check_equal(verify_edited("2", "02"), MOULT_D_ENDPOINT_FORMAT);
    check_equal(verify_edited("7", "00"), MOULT_D_ENDPOINT_UNKNOWN);
    check_equal(verify_edited("63", "00"), MOULT_D_ENDPOINT_UNKNOWN);
    check_equal(verify_edited("5.0.5", "00"), MOULT_D_ENDPOINT_UNKNOWN);
    check_equal(verify_edited("64", "00"), MOULT_D_NONE);
    check_equal(verify_edited("5.1.64", "f6"), MOULT_D_NONE);
    struct statements_bytes payload = good_payload();
    cbor_edit(&payload, "4", "00");
    cbor_edit(&payload, "5.0.63", "00");
    struct statements_bytes envelope = statements_sign(&fleet, payload, RELEASE_0);
    check_equal(verify(&envelope), MOULT_D_ENDPOINT_UNKNOWN);
}

static void test_fields_out_of_their_range_are_refused(void)
{
    static const struct {
        const char *path, *hex;
    } rows[] = {
        {"3", NULL},
        {"4", NULL},
        {"5", NULL},
        {"3", "40"},
        {"4", "00"},
        {"4", "1b 0000000100000000"},
        {"5", "80"},
        {"5", "00"},
        {"5.0", "00"},
        {"5.0.1", NULL},
        {"5.0.2", NULL},
        {"5.0.3", NULL},
        {"5.0.1", "67 68747470733a2f"},       /* seven characters */
        {"5.0.1", "4e 68747470733a2f2f6162"}, /* a byte string, and cut */
        {"5.0.2", "03"},
        {"5.0.3", "19 0100"},
        {"5.0.4", "60"},
        {"5.0.4", "71 4141414141414141414141414141414141"},
        {"6", "40"},
        {"6", "1b 0000000100000000"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].path);
        bool is_cut =
            strcmp(rows[i].path, "5.0.1") == 0 && rows[i].hex && rows[i].hex[0] == '4';
        uint16_t found = verify_edited(rows[i].path, rows[i].hex);
        check(found == MOULT_D_ENDPOINT_FIELD ||
              (is_cut && found == MOULT_D_ENDPOINT_CBOR));
    }
    check_row(NULL);
}

static uint16_t verify_list(const struct moult_endpoints *list)
{
    struct statements_bytes envelope =
        statements_sign(&fleet, statements_endpoints_payload(list), RELEASE_0);
    return verify(&envelope);
}

static void test_only_addresses_that_a_path_can_follow(void)
{
    static const struct {
        const char *url;
        uint16_t detail;
    } rows[] = {
        {"https://a", MOULT_D_NONE},
        {"https://a.test:8443/x/y", MOULT_D_NONE},
        {"https://[::1]:8443", MOULT_D_NONE},
        {"https://", MOULT_D_ENDPOINT_FIELD},
        {"https:///x", MOULT_D_ENDPOINT_FIELD},
        {"https://a.test/", MOULT_D_ENDPOINT_FIELD},
        {"http://a.test", MOULT_D_ENDPOINT_FIELD},
        {"HTTPS://a.test", MOULT_D_ENDPOINT_FIELD},
        {"https://a test", MOULT_D_ENDPOINT_FIELD},
        {"https://a.test?x", MOULT_D_ENDPOINT_FIELD},
        {"https://a.test#x", MOULT_D_ENDPOINT_FIELD},
        {"https://user@a.test", MOULT_D_ENDPOINT_FIELD},
        {"https://a.test\\x", MOULT_D_ENDPOINT_FIELD},
        {"https://b.test", MOULT_D_ENDPOINT_FIELD}, /* it is the second one, too */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct moult_endpoints list = statements_endpoints(&fleet, 7);
        list.list[0].url = text(rows[i].url);
        check_row(rows[i].url);
        check_equal(verify_list(&list), rows[i].detail);
    }
    check_row(NULL);
}

static void test_a_list_has_one_to_six_endpoints_and_a_place_to_check_in(void)
{
    static const char *const urls[] = {"https://a1", "https://a2", "https://a3",
                                       "https://a4", "https://a5", "https://a6"};
    struct moult_endpoints list = statements_endpoints(&fleet, 7);
    for (unsigned i = 0; i < MOULT_ENDPOINTS_MAX; i++) {
        list.list[i] = (struct moult_endpoint){.url = text(urls[i]), .role = 2};
    }
    list.count = MOULT_ENDPOINTS_MAX;
    check_equal(verify_list(&list), MOULT_D_ENDPOINT_FIELD); /* artifacts only */
    list.list[5].role = MOULT_ENDPOINT_CHECKIN;
    check_equal(verify_list(&list), MOULT_D_NONE);
    struct statements_bytes payload = statements_endpoints_payload(&list);
    cbor_edit(&payload, "5.6", "a3 01 69 68747470733a2f2f62 02 00 03 00");
    struct statements_bytes envelope = statements_sign(&fleet, payload, RELEASE_0);
    check_equal(verify(&envelope), MOULT_D_ENDPOINT_FIELD); /* seven */
}

static void test_the_threshold_counts_release_keys_only(void)
{
    struct moult_endpoints list = statements_endpoints(&two_fleet, 7);
    struct statements_bytes payload = statements_endpoints_payload(&list);
    static const struct {
        unsigned keys;
        uint16_t detail;
    } rows[] = {
        {RELEASE_0 | RELEASE_1, MOULT_D_NONE},
        {RELEASE_0, MOULT_D_ENDPOINT_SIG},
        {RELEASE_1 | ASSIGN_0 | ROOT_0, MOULT_D_ENDPOINT_SIG},
        {ASSIGN_0, MOULT_D_ENDPOINT_SIG}, /* the server's own key adds no host */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct statements_bytes envelope =
            statements_sign(&two_fleet, payload, rows[i].keys);
        check_equal(verify_as(&two_fleet, &envelope), rows[i].detail);
    }
}

static void test_fleet_then_version(void)
{
    static const uint8_t other[16] = "another-fleet-id";
    struct moult_endpoints list = statements_endpoints(&fleet, HELD);
    struct moult_finding finding;
    struct moult_endpoints read;
    struct statements_bytes envelope =
        statements_sign(&fleet, statements_endpoints_payload(&list), RELEASE_0);
    check_equal(moult_endpoints_verify(&fleet.crypto, statements_view(&envelope),
                                       &fleet.keyset, HELD, &read, &finding),
                MOULT_E_REPLAY);
    check_equal(finding.detail, MOULT_D_ENDPOINT_VERSION);
    check_equal(finding.expected, HELD + 1);
    check_equal(finding.found, HELD);
    check_equal(moult_endpoints_verify(&fleet.crypto, statements_view(&envelope),
                                       &fleet.keyset, HELD - 1, &read, NULL),
                MOULT_OK);
    list.fleet_id = other;
    check_equal(verify_list(&list), MOULT_D_ENDPOINT_FLEET);
    list.version = HELD + 1;
    check_equal(verify_list(&list), MOULT_D_ENDPOINT_FLEET);
}

static void test_envelope_shape_size_and_profile(void)
{
    struct moult_endpoints list = statements_endpoints(&fleet, 7);
    struct statements_bytes payload = statements_endpoints_payload(&list);
    struct statements_bytes good = statements_sign(&fleet, payload, RELEASE_0);
    struct statements_bytes bad = good;
    bad.data[3] = 0x41; /* body header */
    check(verify(&bad) == MOULT_D_ENDPOINT_COSE || verify(&bad) == MOULT_D_ENDPOINT_CBOR);
    bad = good;
    bad.data[bad.size++] = 0;
    check_equal(verify(&bad), MOULT_D_ENDPOINT_SIZE);
    check_equal(verify_edited("4", "18 07"), MOULT_D_ENDPOINT_CBOR);
    static char hex[2 * 900 + 8];
    memcpy(hex, "590384", 6);
    memset(hex + 6, '0', 2 * 900);
    cbor_edit(&payload, "64", hex);
    bad = statements_sign(&fleet, payload, RELEASE_0);
    check_equal(verify(&bad), MOULT_D_ENDPOINT_SIZE);
    check_equal(verify(&good), MOULT_D_NONE);
}

static void test_two_signatures_by_one_key_are_no_envelope(void)
{
    struct moult_endpoints list = statements_endpoints(&two_fleet, 7);
    struct statements_bytes envelope = statements_sign(
        &two_fleet, statements_endpoints_payload(&list), RELEASE_0 | RELEASE_1);
    uint8_t *second = envelope.data + envelope.size - MOULT_COSE_SIGNATURE_SIZE;
    memcpy(second, second - MOULT_COSE_SIGNATURE_SIZE, MOULT_COSE_SIGNATURE_SIZE);
    check_equal(verify_as(&two_fleet, &envelope), MOULT_D_ENDPOINT_COSE);
}

static void test_no_truncation_and_no_flipped_bit_is_accepted(void)
{
    struct moult_endpoints list = statements_endpoints(&fleet, 7);
    struct statements_bytes good =
        statements_sign(&fleet, statements_endpoints_payload(&list), RELEASE_0);
    struct statements_bytes bad = good;
    while (bad.size-- > 0) {
        check_equal(verify(&bad), MOULT_D_ENDPOINT_CBOR);
    }
    bad = good;
    for (size_t bit = 0; bit < bad.size * 8; bit++) {
        bad.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        uint16_t detail = verify(&bad);
        check(detail != MOULT_D_NONE && detail != 9999);
        bad.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    check_equal(verify(&bad), MOULT_D_NONE);
}

/* --- the order --- */

static unsigned order_of(const struct moult_endpoints *list,
                         const struct moult_endpoint_query *query, uint8_t *out)
{
    unsigned count = 0;
    const struct moult_endpoint *one;
    while ((one = moult_endpoints_pick(list, query, count)) != NULL) {
        out[count++] = (uint8_t)(one - list->list);
    }
    return count;
}

static void test_region_then_weight_then_role_decide(void)
{
    struct moult_endpoints list = {
        .count = 6,
        .list = {{.url = text("https://0"), .weight = 9},
                 {.url = text("https://1"), .weight = 5, .region = text("eu")},
                 {.url = text("https://2"), .weight = 7, .region = text("eu")},
                 {.url = text("https://3"), .weight = 255, .region = text("us")},
                 {.url = text("https://4"), .weight = 1, .role = 2, .region = text("eu")},
                 {.url = text("https://5"), .weight = 8, .role = 1}},
    };
    static const struct {
        enum moult_endpoint_role role;
        const char *region;
        uint8_t order[6];
        unsigned count;
    } rows[] = {
        {MOULT_ENDPOINT_CHECKIN, "eu", {2, 1, 0, 5, 3}, 5},
        {MOULT_ENDPOINT_CHECKIN, "us", {3, 0, 5, 2, 1}, 5},
        {MOULT_ENDPOINT_CHECKIN, NULL, {0, 5, 3, 2, 1}, 5},
        {MOULT_ENDPOINT_CHECKIN, "", {0, 5, 3, 2, 1}, 5},
        {MOULT_ENDPOINT_CHECKIN, "e", {0, 5, 3, 2, 1}, 5},
        {MOULT_ENDPOINT_ARTIFACT, "eu", {2, 1, 4, 0, 3}, 5},
        {MOULT_ENDPOINT_ARTIFACT, NULL, {0, 3, 2, 1, 4}, 5},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct moult_endpoint_query query = {rows[i].role, rows[i].region, fleet.device_id};
        uint8_t order[6] = {0};
        check_equal(order_of(&list, &query, order), rows[i].count);
        check_bytes(order, rows[i].order, rows[i].count);
    }
}

static void test_equal_endpoints_share_the_devices(void)
{
    struct moult_endpoints list = statements_endpoints(&fleet, 7);
    list.list[1].weight = list.list[0].weight;
    unsigned first[2] = {0, 0};
    struct chance chance = chance_start("endpoints", 0x5eed);
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t id[16];
        chance_fill(&chance, id, sizeof id);
        struct moult_endpoint_query query = {MOULT_ENDPOINT_CHECKIN, NULL, id};
        const struct moult_endpoint *one = moult_endpoints_pick(&list, &query, 0);
        check(one == moult_endpoints_pick(&list, &query, 0)); /* and stay where they are */
        check(one != moult_endpoints_pick(&list, &query, 1));
        check(moult_endpoints_pick(&list, &query, 2) == NULL);
        first[one - list.list]++;
    }
    check(first[0] > 400 && first[1] > 400);
}

static void test_what_lies_under_an_endpoint(void)
{
    static const struct {
        const char *base, *url;
        bool is_covered;
    } rows[] = {
        {"https://a.test", "https://a.test/x", true},
        {"https://a.test/p", "https://a.test/p/x", true},
        {"https://a.test", "https://a.test", false},
        {"https://a.test", "https://a.test.evil/x", false},
        {"https://a.test", "https://a.test:443/x", false},
        {"https://a.test/p", "https://a.test/px", false},
        {"https://a.test", "https://b.test/x", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].url);
        check_equal(moult_endpoint_covers(text(rows[i].base), text(rows[i].url)),
                    rows[i].is_covered);
    }
    check_row(NULL);
}

int main(void)
{
    static const struct statements_options two = {.release_threshold = 2};
    statements_fleet_make(&fleet, NULL);
    statements_fleet_make(&two_fleet, &two);
    check_run(test_the_example_of_the_page_is_what_it_says);
    check_run(test_type_then_format_then_unknown_then_field);
    check_run(test_fields_out_of_their_range_are_refused);
    check_run(test_only_addresses_that_a_path_can_follow);
    check_run(test_a_list_has_one_to_six_endpoints_and_a_place_to_check_in);
    check_run(test_the_threshold_counts_release_keys_only);
    check_run(test_fleet_then_version);
    check_run(test_envelope_shape_size_and_profile);
    check_run(test_two_signatures_by_one_key_are_no_envelope);
    check_run(test_no_truncation_and_no_flipped_bit_is_accepted);
    check_run(test_region_then_weight_then_role_decide);
    check_run(test_equal_endpoints_share_the_devices);
    check_run(test_what_lies_under_an_endpoint);
    statements_fleet_free(&fleet);
    statements_fleet_free(&two_fleet);
    return check_report();
}
