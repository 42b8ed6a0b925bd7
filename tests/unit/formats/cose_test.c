/* cose_test.c - the envelope: one shape, every other one refused with its code. */
#include "formats/cose.h"
#include <string.h>
#include "tests/support/check.h"
#include "tests/support/spec.h"
#include "tests/support/statements.h"

static struct statements_fleet fleet;

/* Payload 42 02 03: the envelope does not look into it beyond the profile. */
static const char good[] =
    "d8 62 84 40 a0 43 42 02 03"
    "81 83 4d a2 01 28 04 48 0102030405060708 a0 58 40"
    "1111111111111111111111111111111111111111111111111111111111111111"
    "2222222222222222222222222222222222222222222222222222222222222222";
enum { GOOD_SIZE = 10 + MOULT_COSE_SIGNATURE_SIZE };

static uint16_t detail_of(enum moult_statement kind, const uint8_t *bytes, size_t size)
{
    static uint8_t exact[4096]; /* ends where the input ends, for the address sanitizer */
    memcpy(exact + sizeof exact - size, bytes, size);
    struct moult_bytes envelope = {exact + sizeof exact - size, size};
    struct moult_cose cose;
    struct moult_finding finding = {.detail = 9999};
    enum moult_status st = moult_cose_parse(kind, envelope, &cose, &finding);
    if ((st == MOULT_OK) != (finding.detail == MOULT_D_NONE)) { return 9999; }
    const struct moult_code_info *info = moult_detail_info(finding.detail);
    if (info && info->status != st) { return 9998; }
    return finding.detail;
}

static uint16_t release_detail(const uint8_t *bytes, size_t size)
{
    return detail_of(MOULT_STATEMENT_RELEASE, bytes, size);
}

static void test_the_parts_of_an_envelope_are_found(void)
{
    uint8_t bytes[128];
    struct moult_bytes envelope = {bytes, hex_bytes(good, bytes, sizeof bytes)};
    check_equal(envelope.size, GOOD_SIZE);
    struct moult_cose cose;
    struct moult_finding finding;
    check_equal(moult_cose_parse(MOULT_STATEMENT_RELEASE, envelope, &cose, &finding),
                MOULT_OK);
    check_equal(finding.detail, MOULT_D_NONE);
    check_equal(cose.payload.size, 3);
    check_equal(cose.count, 1);
    check_equal(cose.kind, MOULT_STATEMENT_RELEASE);
    check_bytes(moult_cose_kid(&cose, 0), "\1\2\3\4\5\6\7\10", 8);
    check_equal(moult_cose_signature_bytes(&cose, 0)[0], 0x11);
    check_equal(moult_cose_signature_bytes(&cose, 0)[63], 0x22);
    check_equal(moult_cose_alg(&cose, 0), -9);
    bytes[14] = 0x26;
    check_equal(moult_cose_parse(MOULT_STATEMENT_RELEASE, envelope, &cose, NULL), MOULT_OK);
    check_equal(moult_cose_alg(&cose, 0), -7);
}

static void test_each_kind_of_statement_has_its_own_codes(void)
{
    static const struct {
        enum moult_statement kind;
        uint16_t size, cbor, cose;
    } rows[] = {
        {MOULT_STATEMENT_KEYSET, MOULT_D_KEYSET_SIZE, MOULT_D_KEYSET_CBOR,
         MOULT_D_KEYSET_COSE},
        {MOULT_STATEMENT_RELEASE, MOULT_D_RELEASE_SIZE, MOULT_D_RELEASE_CBOR,
         MOULT_D_RELEASE_COSE},
        {MOULT_STATEMENT_ASSIGNMENT, MOULT_D_ASSIGN_SIZE, MOULT_D_ASSIGN_CBOR,
         MOULT_D_ASSIGN_COSE},
        {MOULT_STATEMENT_ENDPOINTS, MOULT_D_ENDPOINT_SIZE, MOULT_D_ENDPOINT_CBOR,
         MOULT_D_ENDPOINT_COSE},
    };
    uint8_t bytes[128];
    size_t size = hex_bytes(good, bytes, sizeof bytes - 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum moult_statement kind = rows[i].kind;
        check_equal(detail_of(kind, bytes, size), MOULT_D_NONE);
        check_equal(detail_of(kind, bytes, size + 1), rows[i].size);
        check_equal(detail_of(kind, bytes, size - 1), rows[i].cbor);
        check_equal(detail_of(kind, bytes + 2, size - 2), rows[i].cose); /* no tag */
    }
    struct moult_cose cose;
    struct moult_bytes envelope = {bytes, size};
    check_equal(moult_cose_parse(MOULT_STATEMENT_CHECKPOINT, envelope, &cose, NULL),
                MOULT_E_ARG);
    check_equal(moult_cose_parse((enum moult_statement)5, envelope, &cose, NULL),
                MOULT_E_ARG);
}

static void test_any_other_shape_is_refused(void)
{
    enum {
        CBOR = MOULT_D_RELEASE_CBOR,
        COSE = MOULT_D_RELEASE_COSE,
        SIZE = MOULT_D_RELEASE_SIZE
    };
#define SIGNATURE                                                                          \
    "83 4d a2 01 28 04 48 0102030405060708 a0 58 40"                                       \
    "1111111111111111111111111111111111111111111111111111111111111111"                     \
    "2222222222222222222222222222222222222222222222222222222222222222"
    static const struct {
        const char *hex;
        uint16_t detail;
    } rows[] = {
        {"d2 84 40 a0 43 420203 81" SIGNATURE, CBOR},       /* COSE_Sign1 */
        {"d9 03e6 84 40 a0 43 420203 81" SIGNATURE, CBOR},  /* tag 998 */
        {"84 40 a0 43 420203 81" SIGNATURE, COSE},          /* untagged */
        {"d8 62 98 04 40 a0 43 420203 81" SIGNATURE, CBOR}, /* long head */
        {"d8 62 83 40 a0 43 420203", COSE},                 /* three items */
        {"d8 62 84 41 a0 a0 43 420203 81" SIGNATURE, COSE}, /* h'a0' */
        {"d8 62 84 60 a0 43 420203 81" SIGNATURE, COSE},    /* empty text for a header */
        {"d8 62 84 00 a0 43 420203 81" SIGNATURE, COSE},
        {"d8 62 84 40 80 43 420203 81" SIGNATURE, COSE},        /* an array for a map */
        {"d8 62 84 43 a10126 a0 43 420203 81" SIGNATURE, COSE}, /* body alg */
        {"d8 62 84 58 00 a0 43 420203 81" SIGNATURE, CBOR},
        {"d8 62 84 40 a1 01 00 43 420203 81" SIGNATURE, COSE}, /* unprotected body entry */
        {"d8 62 84 40 a0 f6 81" SIGNATURE, CBOR},              /* detached: nil */
        {"d8 62 84 40 a0 63 414243 81" SIGNATURE, COSE},       /* text payload */
        {"d8 62 84 40 a0 58 03 420203 81" SIGNATURE, CBOR},
        {"d8 62 84 40 a0 40 81" SIGNATURE, CBOR},     /* empty payload */
        {"d8 62 84 40 a0 43 420203 80", COSE},        /* no signature */
        {"d8 62 84 40 a0 43 420203 43 010203", COSE}, /* no array of them */
        {"d8 62 84 40 a0 43 420203 98 01" SIGNATURE, CBOR},
        {"d8 62 84 40 a0 43 420203 a1 01 00", COSE},
        {"d8 62 84 40 a0 42 18 01 81" SIGNATURE, CBOR},     /* payload: long head */
        {"d8 62 84 40 a0 44 420203 00 81" SIGNATURE, SIZE}, /* payload: trailing */
        {"d8 62 84 40 a0 43 820203 81" SIGNATURE "00", SIZE},
        {"d8 62 84 40 a0 41 20 81" SIGNATURE, CBOR}, /* payload: negative */
        /* a payload of a keyset, where -9 would be allowed, is none of a release */
        {"d8 62 84 40 a0 46 a1 05 81 82 28 40 81" SIGNATURE, CBOR},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t bytes[256];
        check_row(rows[i].hex);
        check_equal(release_detail(bytes, hex_bytes(rows[i].hex, bytes, sizeof bytes)),
                    rows[i].detail);
    }
    check_row(NULL);
}

/* One byte of the fixed parts changed: positions within the good envelope. */
static void test_every_fixed_byte_of_a_signature_matters(void)
{
    static const uint8_t fixed[] = {10, 11, 12, 13, 14, 15, 16, 25, 26, 27};
    for (size_t i = 0; i < sizeof fixed; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            uint8_t bytes[128];
            size_t size = hex_bytes(good, bytes, sizeof bytes);
            bytes[fixed[i]] ^= (uint8_t)(1u << bit);
            uint16_t detail = release_detail(bytes, size);
            check(detail == MOULT_D_RELEASE_COSE || detail == MOULT_D_RELEASE_CBOR ||
                  detail == MOULT_D_RELEASE_SIZE);
        }
    }
}

static void test_algorithms_other_than_p256_are_refused(void)
{
    for (unsigned alg = 0; alg < 256; alg++) {
        uint8_t bytes[128];
        size_t size = hex_bytes(good, bytes, sizeof bytes);
        bytes[14] = (uint8_t)alg;
        uint16_t want = alg == 0x28 || alg == 0x26 ? MOULT_D_NONE : MOULT_D_RELEASE_COSE;
        check_equal(release_detail(bytes, size), want);
    }
}

static void test_every_truncation_is_refused(void)
{
    uint8_t bytes[128];
    size_t size = hex_bytes(good, bytes, sizeof bytes);
    for (size_t cut = 0; cut < size; cut++) {
        check_equal(release_detail(bytes, cut), MOULT_D_RELEASE_CBOR);
    }
}

/* --- composing --- */

static struct moult_bytes payload_of(size_t size)
{
    static uint8_t bytes[4096];
    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, bytes, sizeof bytes);
    size_t head = size <= 24 ? 1 : size <= 257 ? 2 : 3;
    moult_cbor_write_bytes_head(&writer, size - head);
    memset(bytes + writer.size, 0x77, size - head);
    return (struct moult_bytes){bytes, size};
}

static unsigned make_signatures(struct moult_cose_signature *out, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        memset(&out[i], (int)(9 - i), sizeof out[i]);
        out[i].alg = 0;
    }
    return count;
}

static void test_signatures_are_put_in_the_order_of_their_kids(void)
{
    struct moult_cose_signature signatures[MOULT_COSE_SIGNATURES_MAX];
    for (unsigned count = 1; count <= MOULT_COSE_SIGNATURES_MAX; count++) {
        uint8_t bytes[1024];
        struct moult_cbor_writer writer;
        moult_cbor_writer_init(&writer, bytes, sizeof bytes);
        make_signatures(signatures, count);
        check_equal(moult_cose_compose(MOULT_STATEMENT_RELEASE, payload_of(300), signatures,
                                       count, &writer),
                    MOULT_OK);
        check_equal(writer.size, 9 + 300 + count * MOULT_COSE_SIGNATURE_SIZE);
        struct moult_cose cose;
        check_equal(moult_cose_parse(MOULT_STATEMENT_RELEASE, moult_cbor_written(&writer),
                                     &cose, NULL),
                    MOULT_OK);
        check_equal(cose.count, count);
        check_equal(moult_cose_kid(&cose, 0)[0], 10 - count);
        struct moult_cose_signature again[MOULT_COSE_SIGNATURES_MAX];
        check_equal(moult_cose_signatures(&cose, again), count);
        check_equal(again[count - 1].kid[0], 9);
        check_equal(again[0].alg, -9);
    }
}

static void test_composing_refuses_what_reading_would(void)
{
    struct moult_cose_signature signatures[7];
    uint8_t bytes[4096];
    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, bytes, sizeof bytes);
    make_signatures(signatures, 7);
    enum moult_statement kind = MOULT_STATEMENT_RELEASE;
    check_equal(moult_cose_compose(kind, payload_of(9), signatures, 0, &writer),
                MOULT_E_ARG);
    check_equal(moult_cose_compose(kind, payload_of(9), signatures, 7, &writer),
                MOULT_E_ARG);
    signatures[3] = signatures[1];
    check_equal(moult_cose_compose(kind, payload_of(9), signatures, 4, &writer),
                MOULT_E_EXISTS);
    check_equal(writer.size, 0);
    moult_cbor_writer_init(&writer, bytes, 50);
    check_equal(moult_cose_compose(kind, payload_of(9), signatures, 1, &writer),
                MOULT_E_SPACE);
}

static void test_the_limit_of_an_envelope_is_exact(void)
{
    static const struct {
        enum moult_statement kind;
        size_t limit;
    } rows[] = {{MOULT_STATEMENT_RELEASE, 1024},
                {MOULT_STATEMENT_ASSIGNMENT, 1024},
                {MOULT_STATEMENT_ENDPOINTS, 1024},
                {MOULT_STATEMENT_KEYSET, 2048}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct moult_cose_signature signatures[2];
        static uint8_t bytes[4096];
        size_t room = rows[i].limit - 9 - 2 * MOULT_COSE_SIGNATURE_SIZE;
        for (size_t extra = 0; extra <= 1; extra++) {
            struct moult_cbor_writer writer;
            moult_cbor_writer_init(&writer, bytes, sizeof bytes);
            enum moult_status st =
                moult_cose_compose(rows[i].kind, payload_of(room + extra), signatures,
                                   make_signatures(signatures, 2), &writer);
            check_equal(st, extra ? MOULT_E_RANGE : MOULT_OK);
            if (extra) { /* a good envelope, but for a keyset */
                st = moult_cose_compose(MOULT_STATEMENT_KEYSET, payload_of(room + extra),
                                        signatures, 2, &writer);
                if (st != MOULT_OK) { continue; } /* too large even there */
                check_equal(detail_of(rows[i].kind, bytes, writer.size),
                            moult_statement_codes(rows[i].kind)->size);
                continue;
            }
            check_equal(writer.size, rows[i].limit);
            check_equal(detail_of(rows[i].kind, bytes, writer.size), MOULT_D_NONE);
            bytes[writer.size] = 0;
            check_equal(detail_of(rows[i].kind, bytes, writer.size + 1),
                        moult_statement_codes(rows[i].kind)->size);
        }
    }
}

/* --- what is signed --- */

static void test_the_signed_bytes_are_the_sig_structure(void)
{
    uint8_t payload[300], tbs[400], want[32], have[32];
    static const size_t sizes[] = {0, 1, 23, 24, 255, 256, 300};
    static const uint8_t kid[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    memset(payload, 0x55, sizeof payload);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t size = hex_bytes("85 69 5369676e6174757265 40 4d a2 01 28 04 48 "
                                "0102030405060708 40",
                                tbs, sizeof tbs);
        struct moult_cbor_writer writer;
        moult_cbor_writer_init(&writer, tbs + size, sizeof tbs - size);
        moult_cbor_write_bytes(&writer, payload, sizes[i]);
        check_equal(moult_sha256_once(&fleet.crypto, tbs, size + writer.size, want),
                    MOULT_OK);
        check_equal(moult_cose_tbs_digest(&fleet.crypto, kid, MOULT_CBOR_ESP256,
                                          (struct moult_bytes){payload, sizes[i]}, have),
                    MOULT_OK);
        check_bytes(have, want, 32);
    }
}

static void test_a_signature_under_the_old_algorithm_number_counts(void)
{
    static const int algs[] = {MOULT_CBOR_ESP256, MOULT_CBOR_ES256};
    const struct keys_signer *signer = &fleet.signers[0];
    for (size_t i = 0; i < 2; i++) {
        struct moult_cose_signature signature = {.alg = (int8_t)algs[i]};
        uint8_t digest[32], bytes[256];
        memcpy(signature.kid, signer->kid, sizeof signature.kid);
        check_equal(moult_cose_tbs_digest(&fleet.crypto, signature.kid, algs[i],
                                          payload_of(40), digest),
                    MOULT_OK);
        check_equal(keys_sign(&fleet.crypto, signer, digest, signature.bytes), MOULT_OK);
        struct moult_cbor_writer writer;
        moult_cbor_writer_init(&writer, bytes, sizeof bytes);
        check_equal(moult_cose_compose(MOULT_STATEMENT_RELEASE, payload_of(40), &signature,
                                       1, &writer),
                    MOULT_OK);
        struct moult_cose cose;
        check_equal(moult_cose_parse(MOULT_STATEMENT_RELEASE, moult_cbor_written(&writer),
                                     &cose, NULL),
                    MOULT_OK);
        check_equal(moult_cose_alg(&cose, 0), algs[i]);
        check(moult_cose_signed_by(&fleet.crypto, &cose, 0, signer->public_key));
        check(!moult_cose_signed_by(&fleet.crypto, &cose, 0, fleet.signers[1].public_key));
        bytes[41] ^= 1; /* a byte of the payload */
        check(!moult_cose_signed_by(&fleet.crypto, &cose, 0, signer->public_key));
        bytes[41] ^= 1;
        uint8_t *alg = bytes + writer.size - MOULT_COSE_SIGNATURE_SIZE + 4;
        *alg = i == 0 ? 0x26 : 0x28; /* the number is signed too */
        check(!moult_cose_signed_by(&fleet.crypto, &cose, 0, signer->public_key));
    }
}

int main(void)
{
    statements_fleet_make(&fleet, NULL);
    check_run(test_the_parts_of_an_envelope_are_found);
    check_run(test_each_kind_of_statement_has_its_own_codes);
    check_run(test_any_other_shape_is_refused);
    check_run(test_every_fixed_byte_of_a_signature_matters);
    check_run(test_algorithms_other_than_p256_are_refused);
    check_run(test_every_truncation_is_refused);
    check_run(test_signatures_are_put_in_the_order_of_their_kids);
    check_run(test_composing_refuses_what_reading_would);
    check_run(test_the_limit_of_an_envelope_is_exact);
    check_run(test_the_signed_bytes_are_the_sig_structure);
    check_run(test_a_signature_under_the_old_algorithm_number_counts);
    statements_fleet_free(&fleet);
    return check_report();
}
