/* release_test.c - the author's statement and what a device asks of it. */
#include "formats/release.h"
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
                          const struct statements_bytes *envelope,
                          const struct moult_release_expect *expect)
{
    struct moult_release release;
    struct moult_finding finding = {.detail = 9999};
    enum moult_status st = moult_release_verify(&with->crypto, statements_view(envelope),
                                                expect, &release, &finding);
    return judged(st, &finding);
}

static uint16_t verify(const struct statements_bytes *envelope)
{
    struct moult_release_expect expect = {&fleet.keyset, NULL, fleet.class_id};
    return verify_as(&fleet, envelope, &expect);
}

static struct statements_bytes good_payload(void)
{
    struct moult_release release = statements_release(&fleet, 7);
    return statements_release_payload(&release);
}

static uint16_t verify_edited(const char *path, const char *hex)
{
    struct statements_bytes payload = good_payload();
    cbor_edit(&payload, path, hex);
    struct statements_bytes envelope = statements_sign(&fleet, payload, RELEASE_0);
    return verify(&envelope);
}

static void test_a_release_says_what_it_is(void)
{
    struct moult_release release = statements_release(&fleet, 7);
    struct statements_bytes envelope = statements_signed_release(&fleet, &release);
    struct moult_release_expect expect = {&fleet.keyset, NULL, NULL};
    struct moult_release read;
    check_equal(moult_release_verify(&fleet.crypto, statements_view(&envelope), &expect,
                                     &read, NULL),
                MOULT_OK);
    check_equal(read.sequence, 7);
    check_equal(read.rollback_floor, 7); /* key 15 absent: no way back */
    check_equal(read.version.size, 5);
    check_bytes(read.version.data, "1.1.0", 5);
    check_bytes(read.class_id, fleet.class_id, 16);
    check_equal(read.component_count, 1);
    check_equal(read.components[0].size, 65536);
    check_equal(read.components[0].chip_id, 5);
    check_equal(read.components[0].revision_max, 65535);
    check_bytes(read.components[0].digest, fleet.digest, 32);
    check(moult_release_component(&read, MOULT_COMPONENT_APP) == &read.components[0]);
    check(!moult_release_component(&read, MOULT_COMPONENT_FILESYSTEM));
}

static void test_sizes_are_those_of_the_design(void)
{
    struct moult_release release = statements_release(&fleet, 7);
    release.present |= 1u << MOULT_RELEASE_SBOM;
    release.sbom = fleet.digest;
    struct statements_bytes payload = statements_release_payload(&release);
    struct statements_bytes one = statements_sign(&fleet, payload, RELEASE_0);
    struct statements_bytes two = statements_sign(&fleet, payload, RELEASE_0 | RELEASE_1);
    check(one.size >= 217 && one.size <= 265); /* 241 +- 10 % */
    check(two.size >= 291 && two.size <= 355); /* 323 +- 10 % */
    check_equal(two.size - one.size, MOULT_COSE_SIGNATURE_SIZE);
}

/* --- contents --- */

static void test_type_then_format_then_unknown_then_field(void)
{
    check_equal(verify_edited("1", "00"), MOULT_D_RELEASE_TYPE);
    check_equal(verify_edited("1", "02"), MOULT_D_RELEASE_TYPE); /* an assignment */
    check_equal(verify_edited("1", "03"), MOULT_D_RELEASE_TYPE); /* a checkpoint */
    check_equal(verify_edited("2", "02"), MOULT_D_RELEASE_FORMAT);
    check_equal(verify_edited("16", "00"), MOULT_D_RELEASE_UNKNOWN);
    check_equal(verify_edited("63", "00"), MOULT_D_RELEASE_UNKNOWN);
    check_equal(verify_edited("7.0.0", "00"), MOULT_D_RELEASE_UNKNOWN);
    check_equal(verify_edited("7.0.10", "00"), MOULT_D_RELEASE_UNKNOWN);
    struct statements_bytes payload = good_payload();
    cbor_edit(&payload, "5", "00");
    cbor_edit(&payload, "7.0.63", "00");
    struct statements_bytes envelope = statements_sign(&fleet, payload, RELEASE_0);
    check_equal(verify(&envelope), MOULT_D_RELEASE_UNKNOWN);
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
        {"7", NULL},
        {"3", "40"},
        {"4", "51 0001020304050607080910111213141516"},
        {"4", "00"},
        {"5", "00"},
        {"5", "40"},
        {"6", "60"},
        {"6", "41 41"},
        {"6", "78 20 4141414141414141414141414141414141414141414141414141414141414141"},
        {"7", "80"},
        {"7", "00"},
        {"7.0", "00"},
        {"7.0.1", NULL},
        {"7.0.2", NULL},
        {"7.0.3", NULL},
        {"7.0.4", NULL},
        {"7.0.5", NULL},
        {"7.0.6", NULL},
        {"7.0.7", NULL},
        {"7.0.1", "19 0100"},
        {"7.0.2", "00"},
        {"7.0.2", "1b 0000000100000000"},
        {"7.0.3", "41 00"},
        {"7.0.4", "02"},
        {"7.0.5", "1a 00010000"},
        {"7.0.5", "19 ffff"}, /* an image bound to no chip */
        {"7.0.6", "81 00"},
        {"7.0.6", "82 01 00"},
        {"7.0.6", "82 00 1a 00010000"},
        {"7.0.6", "83 00 00 00"},
        {"7.0.6", "00"},
        {"7.0.7", "19 0100"},
        {"7.0.8", "60"},
        {"7.0.8", "71 4141414141414141414141414141414141"},
        {"7.0.9", "80"},
        {"7.0.9", "85 82 01 00 82 02 00 82 03 00 82 04 00 82 05 00"},
        {"7.0.9", "81 82 00 05"}, /* depends on itself */
        {"7.0.9", "81 81 01"},
        {"7.0.9", "81 82 19 0100 05"},
        {"7.0.9", "82 00 82 01 05"},
        {"8", "40"},
        {"9", "60"},
        {"10", "40"},
        {"11", "41 00"},
        {"12", "04"},
        {"12", "40"},
        {"13", "00"},
        {"14", "40"},
        {"15", "08"},
        {"15", "40"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].path);
        check_equal(verify_edited(rows[i].path, rows[i].hex), MOULT_D_RELEASE_FIELD);
    }
    check_row(NULL);
}

static void test_raw_data_needs_no_chip_and_has_no_secure_version(void)
{
    struct moult_release release = statements_release(&fleet, 7);
    release.components[0].format = MOULT_FORMAT_RAW;
    release.components[0].chip_id = MOULT_CHIP_ANY;
    struct statements_bytes envelope = statements_signed_release(&fleet, &release);
    check_equal(verify(&envelope), MOULT_D_NONE);
    release.components[0].secure_version = 1;
    envelope = statements_signed_release(&fleet, &release);
    check_equal(verify(&envelope), MOULT_D_RELEASE_FIELD);
}

static struct moult_release with_components(const uint8_t *ids, uint8_t count)
{
    struct moult_release release = statements_release(&fleet, 7);
    release.component_count = count;
    for (uint8_t i = 0; i < count; i++) {
        release.components[i] = release.components[0];
        release.components[i].id = ids[i];
    }
    return release;
}

static void test_components_ascend(void)
{
    static const struct {
        uint8_t ids[4], count;
        uint16_t detail;
    } rows[] = {
        {{0, 1, 2, 16}, 4, MOULT_D_NONE},
        {{0, 1, 17}, 3, MOULT_D_NONE},
        {{1}, 1, MOULT_D_NONE},
        {{1, 0}, 2, MOULT_D_RELEASE_FIELD},
        {{0, 0}, 2, MOULT_D_RELEASE_FIELD},
        {{0, 2, 2}, 3, MOULT_D_RELEASE_FIELD},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct moult_release release = with_components(rows[i].ids, rows[i].count);
        struct statements_bytes envelope = statements_signed_release(&fleet, &release);
        check_equal(verify(&envelope), rows[i].detail);
    }
    struct statements_bytes payload = good_payload();
    static const char *const paths[] = {"7.1", "7.2", "7.3", "7.4"};
    for (unsigned i = 0; i < 4; i++) {
        cbor_edit(&payload, paths[i], "a0");
    }
    struct statements_bytes envelope = statements_sign(&fleet, payload, RELEASE_0);
    check_equal(verify(&envelope), MOULT_D_RELEASE_FIELD); /* five of them */
}

/* --- who, for whom, which one --- */

static void test_the_threshold_counts_release_keys_only(void)
{
    struct moult_release release = statements_release(&two_fleet, 7);
    struct statements_bytes payload = statements_release_payload(&release);
    static const struct {
        unsigned keys;
        uint16_t detail;
        unsigned found;
    } rows[] = {
        {RELEASE_0 | RELEASE_1, MOULT_D_NONE, 0},
        {RELEASE_0 | RELEASE_1 | ASSIGN_0, MOULT_D_NONE, 0},
        {RELEASE_0, MOULT_D_RELEASE_SIG, 1}, /* one of two */
        {RELEASE_1 | ASSIGN_0 | ROOT_0, MOULT_D_RELEASE_SIG, 1},
        {ASSIGN_0, MOULT_D_RELEASE_SIG, 0}, /* signed by the assign key */
        {ASSIGN_0 | ROOT_0, MOULT_D_RELEASE_SIG, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct statements_bytes envelope =
            statements_sign(&two_fleet, payload, rows[i].keys);
        struct moult_release_expect expect = {&two_fleet.keyset, NULL, two_fleet.class_id};
        struct moult_release read;
        struct moult_finding finding;
        enum moult_status st = moult_release_verify(
            &two_fleet.crypto, statements_view(&envelope), &expect, &read, &finding);
        check_equal(judged(st, &finding), rows[i].detail);
        check_equal(finding.found, rows[i].found);
        check_equal(finding.expected, st == MOULT_OK ? 0 : 2);
    }
}

static void test_the_signature_comes_before_any_meaning(void)
{
    struct statements_bytes payload = good_payload();
    cbor_edit(&payload, "1", "02");
    struct statements_bytes envelope = statements_sign(&fleet, payload, ASSIGN_0);
    check_equal(verify(&envelope), MOULT_D_RELEASE_SIG);
}

static void test_binding_fleet_and_class_come_in_order(void)
{
    struct moult_release release = statements_release(&fleet, 7);
    static const uint8_t other_fleet[16] = "another-fleet-id",
                         other_class[16] = "another-class-id";
    struct statements_bytes envelope = statements_signed_release(&fleet, &release);
    uint8_t digest[32];
    statements_payload_digest(&fleet, &envelope, digest);
    struct moult_release_expect expect = {&fleet.keyset, digest, fleet.class_id};
    check_equal(verify_as(&fleet, &envelope, &expect), MOULT_D_NONE);

    release.fleet_id = other_fleet;
    release.class_id = other_class;
    envelope = statements_signed_release(&fleet, &release);
    check_equal(verify_as(&fleet, &envelope, &expect), MOULT_D_RELEASE_BIND); /* swapped */
    expect.payload_digest = NULL;
    check_equal(verify_as(&fleet, &envelope, &expect), MOULT_D_RELEASE_FLEET);
    release.fleet_id = fleet.fleet_id;
    envelope = statements_signed_release(&fleet, &release);
    check_equal(verify_as(&fleet, &envelope, &expect), MOULT_D_RELEASE_CLASS);
    expect.class_id = NULL;
    check_equal(verify_as(&fleet, &envelope, &expect), MOULT_D_NONE);
}

/* --- rollback --- */

static uint16_t rollback(const struct moult_release *release,
                         struct moult_rollback_facts facts)
{
    struct moult_finding finding = {.detail = 9999};
    enum moult_status st = moult_release_check_rollback(release, &facts, &finding);
    return judged(st, &finding);
}

static void test_a_sequence_below_the_floor_is_refused(void)
{
    struct moult_release release = statements_release(&fleet, 7);
    check_equal(rollback(&release, (struct moult_rollback_facts){.floor = 6}),
                MOULT_D_NONE);
    check_equal(rollback(&release, (struct moult_rollback_facts){.floor = 7}),
                MOULT_D_NONE);
    check_equal(rollback(&release, (struct moult_rollback_facts){.floor = 8}),
                MOULT_D_SEQ_FLOOR);
}

static void test_a_stepping_stone_is_asked_for(void)
{
    struct moult_release release = statements_release(&fleet, 7);
    release.present |= 1u << MOULT_RELEASE_SOURCE_SEQUENCE;
    release.source_sequence = 5;
    struct moult_rollback_facts facts = {.running_sequence = 4};
    check_equal(rollback(&release, facts), MOULT_D_SEQ_SOURCE);
    facts.running_sequence = 5;
    check_equal(rollback(&release, facts), MOULT_D_NONE);
}

static void test_every_secure_version_reaches_the_fuses(void)
{
    static const uint8_t ids[] = {0, 1, 16};
    struct moult_release release = with_components(ids, 3);
    release.components[0].secure_version = 3;
    release.components[1].format = MOULT_FORMAT_RAW; /* always 0, and no image */
    release.components[2].secure_version = 2;
    struct moult_rollback_facts facts = {.secure_version_fused = 2};
    check_equal(rollback(&release, facts), MOULT_D_NONE);
    facts.secure_version_fused = 3;
    check_equal(rollback(&release, facts), MOULT_D_SECVER);
}

static void test_use_before_is_judged_with_trusted_time_only(void)
{
    struct moult_release release = statements_release(&fleet, 7);
    release.present |= 1u << MOULT_RELEASE_USE_BEFORE;
    release.use_before = 1000;
    check_equal(rollback(&release, (struct moult_rollback_facts){.now_s = 999}),
                MOULT_D_NONE);
    check_equal(rollback(&release, (struct moult_rollback_facts){.now_s = 1000}),
                MOULT_D_RELEASE_EXPIRED);
    release.use_before = 0; /* always over, for who has the time */
    check_equal(rollback(&release, (struct moult_rollback_facts){.now_s = 1}),
                MOULT_D_RELEASE_EXPIRED);
    check_equal(rollback(&release, (struct moult_rollback_facts){.now_s = 0}),
                MOULT_D_NONE);
}

static void test_dependencies_must_be_installed(void)
{
    static const uint8_t ids[] = {0, 1};
    struct moult_release release = with_components(ids, 2);
    release.components[1].dependency_count = 2;
    release.components[1].dependencies[0] = (struct moult_dependency){16, 4};
    release.components[1].dependencies[1] = (struct moult_dependency){17, 2};
    struct moult_dependency installed[] = {{17, 9}, {16, 4}, {2, 1}};
    struct moult_rollback_facts facts = {.installed = installed, .installed_count = 3};
    check_equal(rollback(&release, facts), MOULT_D_NONE);
    installed[1].sequence = 3;
    check_equal(rollback(&release, facts), MOULT_D_DEPENDENCY);
    installed[1].sequence = 5;
    facts.installed_count = 1;
    check_equal(rollback(&release, facts), MOULT_D_DEPENDENCY);
}

static void test_rollback_checks_come_in_order(void)
{
    static const uint8_t ids[] = {0};
    struct moult_release release = with_components(ids, 1);
    release.present |= 1u << MOULT_RELEASE_USE_BEFORE | 1u << MOULT_RELEASE_SOURCE_SEQUENCE;
    release.source_sequence = 5;
    release.use_before = 1;
    release.components[0].dependency_count = 1;
    release.components[0].dependencies[0] = (struct moult_dependency){16, 4};
    struct moult_rollback_facts facts = {.floor = 8, .secure_version_fused = 1, .now_s = 2};
    check_equal(rollback(&release, facts), MOULT_D_SEQ_FLOOR);
    facts.floor = 0;
    check_equal(rollback(&release, facts), MOULT_D_SEQ_SOURCE);
    facts.running_sequence = 5;
    check_equal(rollback(&release, facts), MOULT_D_SECVER);
    facts.secure_version_fused = 0;
    check_equal(rollback(&release, facts), MOULT_D_RELEASE_EXPIRED);
    facts.now_s = 0;
    check_equal(rollback(&release, facts), MOULT_D_DEPENDENCY);
}

/* --- every other byte string --- */

static void test_no_truncation_is_accepted(void)
{
    struct moult_release release = statements_release(&fleet, 7);
    struct statements_bytes cut = statements_signed_release(&fleet, &release);
    while (cut.size-- > 0) {
        check_equal(verify(&cut), MOULT_D_RELEASE_CBOR);
    }
}

static void test_no_single_bit_flip_is_accepted(void)
{
    const struct statements_fleet *fleets[] = {&fleet, &two_fleet};
    for (unsigned f = 0; f < 2; f++) { /* exactly the threshold: one, and two */
        struct moult_release release = statements_release(fleets[f], 7);
        struct statements_bytes flipped = statements_signed_release(fleets[f], &release);
        struct moult_release_expect expect = {&fleets[f]->keyset, NULL,
                                              fleets[f]->class_id};
        for (size_t bit = 0; bit < flipped.size * 8; bit++) {
            flipped.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            uint16_t detail = verify_as(fleets[f], &flipped, &expect);
            check(detail != MOULT_D_NONE && detail != 9999);
            flipped.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        check_equal(verify_as(fleets[f], &flipped, &expect), MOULT_D_NONE);
    }
}

static void test_each_longer_head_is_refused(void)
{
    /* the sequence, the size and the version in every longer form */
    static const struct {
        const char *path, *hex;
    } rows[] = {
        {"5", "18 07"},
        {"5", "19 0007"},
        {"5", "1a 00000007"},
        {"5", "1b 0000000000000007"},
        {"7.0.2", "1b 0000000000010000"},
        {"6", "78 05 312e312e30"},
        {"6", "79 0005 312e312e30"},
        {"6", "7a 00000005 312e312e30"},
        {"6", "7b 0000000000000005 312e312e30"},
        {"7.0.6", "98 02 00 19 ffff"},
        {"7.0.6", "82 18 00 19 ffff"},
        {"11", "59 0020 0000000000000000000000000000000000000000000000000000000000000000"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].path);
        check_equal(verify_edited(rows[i].path, rows[i].hex), MOULT_D_RELEASE_CBOR);
    }
    check_row(NULL);
}

static void test_an_oversize_or_longer_statement_is_refused(void)
{
    struct statements_bytes payload = good_payload();
    static char hex[2 * 900 + 8];
    memcpy(hex, "590384", 6);
    memset(hex + 6, '0', 2 * 900);
    cbor_edit(&payload, "64", hex);
    struct statements_bytes envelope = statements_sign(&fleet, payload, RELEASE_0);
    check(envelope.size > MOULT_STATEMENT_SIZE_MAX);
    check_equal(verify(&envelope), MOULT_D_RELEASE_SIZE);
    payload = good_payload();
    payload.data[payload.size++] = 0;
    envelope = statements_sign(&fleet, payload, RELEASE_0);
    check_equal(verify(&envelope), MOULT_D_RELEASE_SIZE);
}

static void test_what_is_accepted_is_reproduced_byte_for_byte(void)
{
    struct chance chance = chance_start("release", 0x5eed);
    unsigned with_extension = 0;
    for (int round = 0; round < 500; round++) {
        struct moult_release release =
            statements_release(&fleet, 1 + (chance_next(&chance) >> 8));
        release.present = (uint32_t)chance_next(&chance) & 0xff00u;
        release.created = chance_next(&chance) >> chance_below(&chance, 64);
        release.use_before = chance_next(&chance);
        release.source_sequence = chance_next(&chance) >> 40;
        release.sbom = release.provenance = release.notes = fleet.digest;
        release.flags = chance_below(&chance, 4);
        release.rollback_floor = release.sequence - chance_below(&chance, 2);
        release.component_count = (uint8_t)(1 + chance_below(&chance, 4));
        for (uint8_t i = 0; i < release.component_count; i++) {
            struct moult_component *component = &release.components[i];
            *component = release.components[0];
            component->id = (uint8_t)(i * 5);
            component->present = chance_below(&chance, 4) << 8;
            component->label = release.version;
            component->dependency_count = (uint8_t)(1 + chance_below(&chance, 4));
            for (uint8_t j = 0; j < 4; j++) {
                component->dependencies[j] =
                    (struct moult_dependency){99, chance_next(&chance)};
            }
        }
        struct statements_bytes payload = statements_release_payload(&release);
        if (chance_below(&chance, 2)) {
            cbor_edit(&payload, "7.0.64", "a2 01 f4 02 81 f6");
            cbor_edit(&payload, "1000", "43 010203");
            with_extension++;
        }
        struct moult_release read;
        struct moult_finding finding;
        check_equal(moult_release_parse(statements_view(&payload), &read, &finding),
                    MOULT_OK);
        struct statements_bytes again = statements_release_payload(&read);
        check_equal(again.size, payload.size);
        check_bytes(again.data, payload.data, payload.size);
    }
    check(with_extension > 100);
}

static void test_nine_extensions_are_too_many(void)
{
    struct statements_bytes payload = good_payload();
    char path[8];
    for (unsigned i = 0; i < 9; i++) {
        struct statements_bytes envelope = statements_sign(&fleet, payload, RELEASE_0);
        check_equal(verify(&envelope), MOULT_D_NONE);
        path[0] = '7';
        path[1] = (char)('0' + i);
        path[2] = '\0';
        cbor_edit(&payload, path, "f5");
    }
    struct statements_bytes envelope = statements_sign(&fleet, payload, RELEASE_0);
    check_equal(verify(&envelope), MOULT_D_RELEASE_CBOR);
}

int main(void)
{
    static const struct statements_options two = {.release_threshold = 2};
    statements_fleet_make(&fleet, NULL);
    statements_fleet_make(&two_fleet, &two);
    check_run(test_a_release_says_what_it_is);
    check_run(test_sizes_are_those_of_the_design);
    check_run(test_type_then_format_then_unknown_then_field);
    check_run(test_fields_out_of_their_range_are_refused);
    check_run(test_raw_data_needs_no_chip_and_has_no_secure_version);
    check_run(test_components_ascend);
    check_run(test_the_threshold_counts_release_keys_only);
    check_run(test_the_signature_comes_before_any_meaning);
    check_run(test_binding_fleet_and_class_come_in_order);
    check_run(test_a_sequence_below_the_floor_is_refused);
    check_run(test_a_stepping_stone_is_asked_for);
    check_run(test_every_secure_version_reaches_the_fuses);
    check_run(test_use_before_is_judged_with_trusted_time_only);
    check_run(test_dependencies_must_be_installed);
    check_run(test_rollback_checks_come_in_order);
    check_run(test_no_truncation_is_accepted);
    check_run(test_no_single_bit_flip_is_accepted);
    check_run(test_each_longer_head_is_refused);
    check_run(test_an_oversize_or_longer_statement_is_refused);
    check_run(test_what_is_accepted_is_reproduced_byte_for_byte);
    check_run(test_nine_extensions_are_too_many);
    statements_fleet_free(&fleet);
    statements_fleet_free(&two_fleet);
    return check_report();
}
