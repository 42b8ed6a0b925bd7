/* cose_vectors_test.c - COSE_Sign and COSE_Sign1 messages of the COSE working group.
 *
 * Three tests: our strict reader refuses all of them, by design; a lenient reader that
 * exists only here, with our Sig_structure and ECDSA, gives the outcomes published; and
 * ECDSA alone over the published bytes does.
 */
#include <stdio.h>
#include <string.h>
#include "formats/cose.h"
#include "keys/openssl_crypto.h"
#include "ports/posix/psa_crypto.h"
#include "tests/support/check.h"
#include "tests/support/vectors.h"

enum outcome { VERIFIES, UNTAGGED, WRONG_TAG, WRONG_ALG, WRONG_SIGNATURE };

struct row {
    const char *file;
    enum outcome outcome; /* of the lenient reader */
    bool same_bytes;      /* rebuilt bytes equal the published ones */
    bool signature_good;  /* over the published bytes */
};

static const struct row rows[] = {
    {"sign-tests/ecdsa-01", VERIFIES, true, true},
    {"sign-tests/sign-pass-01", VERIFIES, true, true},
    {"sign-tests/sign-pass-02", VERIFIES, true, true},
    {"sign-tests/sign-pass-03", UNTAGGED, true, true},
    {"sign-tests/sign-fail-01", WRONG_TAG, true, true},
    {"sign-tests/sign-fail-02", WRONG_SIGNATURE, true, false},
    {"sign-tests/sign-fail-03", WRONG_ALG, false, true},
    {"sign-tests/sign-fail-04", WRONG_ALG, false, true},
    {"sign-tests/sign-fail-06", WRONG_SIGNATURE, false, true},
    {"sign-tests/sign-fail-07", WRONG_SIGNATURE, false, true},
    {"sign1-tests/sign-pass-01", VERIFIES, true, true},
    {"sign1-tests/sign-pass-02", VERIFIES, true, true},
    {"sign1-tests/sign-pass-03", UNTAGGED, true, true},
    {"sign1-tests/sign-fail-01", WRONG_TAG, true, true},
    {"sign1-tests/sign-fail-02", WRONG_SIGNATURE, false, true},
    {"sign1-tests/sign-fail-03", WRONG_ALG, false, true},
    {"sign1-tests/sign-fail-04", WRONG_ALG, false, true},
    {"sign1-tests/sign-fail-06", WRONG_SIGNATURE, false, true},
    {"sign1-tests/sign-fail-07", WRONG_SIGNATURE, false, true},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

/* One file, taken apart. */
struct vector {
    json_t *root;
    bool is_sign1;
    uint8_t message[512], published[512], external[64], key[64];
    size_t message_size, published_size, external_size;
    int64_t tag; /* -1: none */
    struct moult_bytes body_protected, body_unprotected, sign_protected, payload, signature;
};

static const json_t *signer_of(const struct vector *vector)
{
    const json_t *input = json_object_get(vector->root, "input");
    if (vector->is_sign1) { return json_object_get(input, "sign0"); }
    const json_t *sign = json_object_get(input, "sign");
    return json_array_get(json_object_get(sign, "signers"), 0);
}

static const json_t *intermediates_of(const struct vector *vector)
{
    const json_t *object = json_object_get(vector->root, "intermediates");
    if (vector->is_sign1) { return object; }
    return json_array_get(json_object_get(object, "signers"), 0);
}

/* h'a0' counts as a header of no bytes (RFC 9052, section 4.4). */
static struct moult_bytes header(struct moult_bytes bytes)
{
    if (bytes.size == 1 && bytes.data[0] == 0xa0) { bytes.size = 0; }
    return bytes;
}

/* The parts of [ protected, {}, payload, signature ] and of
 * [ protected, {}, payload, [ [ protected, {}, signature ] ] ]. */
static bool take_apart(struct vector *vector)
{
    struct moult_cbor_reader reader;
    moult_cbor_reader_init(&reader,
                           (struct moult_bytes){vector->message, vector->message_size});
    vector->tag = -1;
    if (*reader.at >> 5 == MOULT_CBOR_TAG) { /* one-byte argument at most, in all files */
        bool is_long = (*reader.at & 31) == 25, is_short = (*reader.at & 31) < 24;
        vector->tag = is_long    ? get_be16(reader.at + 1)
                      : is_short ? *reader.at & 31
                                 : reader.at[1];
        reader.at += is_long ? 3 : is_short ? 1 : 2;
    }
    if (moult_cbor_read_array(&reader, 4, 4) != 4) { return false; }
    vector->body_protected = header(moult_cbor_read_bytes(&reader, 0, 64));
    vector->body_unprotected = moult_cbor_read_any(&reader);
    vector->payload = moult_cbor_read_bytes(&reader, 0, 256);
    if (!vector->is_sign1) {
        (void)moult_cbor_read_array(&reader, 1, 1); /* failures are in the status */
        (void)moult_cbor_read_array(&reader, 3, 3); /* failures are in the status */
        vector->sign_protected = header(moult_cbor_read_bytes(&reader, 0, 64));
        (void)moult_cbor_read_any(&reader); /* unprotected */
    }
    vector->signature = moult_cbor_read_bytes(&reader, 64, 64);
    return reader.status == MOULT_OK && reader.at == reader.end;
}

static bool load(const struct row *row, struct vector *vector)
{
    char name[128];
    memset(vector, 0, sizeof *vector);
    snprintf(name, sizeof name, "cose-wg-examples/%s.json", row->file);
    vector->root = vectors_load(MOULT_SOURCE_DIR, name);
    if (!vector->root) { return false; }
    vector->is_sign1 = strncmp(row->file, "sign1", 5) == 0;
    const json_t *signer = signer_of(vector);
    const json_t *key = json_object_get(signer, "key");
    vectors_base64url32(key, "x", vector->key);
    vectors_base64url32(key, "y", vector->key + 32);
    vector->message_size = vectors_hex(json_object_get(vector->root, "output"), "cbor",
                                       vector->message, sizeof vector->message);
    vector->published_size = vectors_hex(intermediates_of(vector), "ToBeSign_hex",
                                         vector->published, sizeof vector->published);
    if (json_object_get(signer, "external")) {
        vector->external_size =
            vectors_hex(signer, "external", vector->external, sizeof vector->external);
    }
    return true;
}

/* The bytes to be signed, rebuilt from the message. */
static size_t rebuild(const struct vector *vector, uint8_t *out, size_t capacity)
{
    struct moult_cbor_writer writer;
    const char *context = vector->is_sign1 ? "Signature1" : "Signature";
    moult_cbor_writer_init(&writer, out, capacity);
    moult_cbor_write_array(&writer, vector->is_sign1 ? 4 : 5);
    moult_cbor_write_text(&writer,
                          (struct moult_bytes){(const uint8_t *)context, strlen(context)});
    moult_cbor_write_bytes(&writer, vector->body_protected.data,
                           vector->body_protected.size);
    if (!vector->is_sign1) {
        moult_cbor_write_bytes(&writer, vector->sign_protected.data,
                               vector->sign_protected.size);
    }
    moult_cbor_write_bytes(&writer, vector->external, vector->external_size);
    moult_cbor_write_bytes(&writer, vector->payload.data, vector->payload.size);
    return writer.status == MOULT_OK ? writer.size : 0;
}

/* The header that names the algorithm holds entry 1 = -7. COSE_Sign1 has it in the body,
 * and where no header is protected, in the unprotected one. */
static bool is_es256(const struct vector *vector)
{
    struct moult_bytes names =
        vector->is_sign1 ? vector->body_protected : vector->sign_protected;
    if (names.size == 0) { names = vector->body_unprotected; }
    struct moult_cbor_reader reader;
    moult_cbor_reader_init(&reader, names);
    for (uint32_t left = moult_cbor_read_map(&reader, 0, 9); left > 0; left--) {
        if (moult_cbor_read_u64(&reader, 0, 99) == 1) {
            return moult_cbor_read_alg(&reader) == MOULT_CBOR_ES256;
        }
        (void)moult_cbor_read_any(&reader); /* another entry */
    }
    return false;
}

static bool verifies(const struct moult_crypto *crypto, const struct vector *vector,
                     const uint8_t *bytes, size_t size)
{
    uint8_t digest[32];
    return moult_sha256_once(crypto, bytes, size, digest) == MOULT_OK &&
           crypto->verify_p256(crypto->context, vector->key, digest,
                               vector->signature.data);
}

static enum outcome judge(const struct moult_crypto *crypto, const struct vector *vector)
{
    uint8_t bytes[512];
    if (vector->tag < 0) { return UNTAGGED; }
    if (vector->tag != (vector->is_sign1 ? 18 : 98)) { return WRONG_TAG; }
    if (!is_es256(vector)) { return WRONG_ALG; }
    size_t size = rebuild(vector, bytes, sizeof bytes);
    return verifies(crypto, vector, bytes, size) ? VERIFIES : WRONG_SIGNATURE;
}

/* --- the three tests --- */

static void test_the_strict_reader_refuses_all_of_them(void)
{
    for (size_t i = 0; i < ROWS; i++) {
        struct vector vector;
        if (!load(&rows[i], &vector)) { return; }
        static const enum moult_statement kinds[] = {
            MOULT_STATEMENT_KEYSET, MOULT_STATEMENT_RELEASE, MOULT_STATEMENT_ASSIGNMENT};
        check_row(rows[i].file);
        for (size_t k = 0; k < 3; k++) {
            struct moult_cose cose;
            struct moult_finding finding;
            struct moult_bytes envelope = {vector.message, vector.message_size};
            check(moult_cose_parse(kinds[k], envelope, &cose, &finding) != MOULT_OK);
            const struct moult_statement_codes *codes = moult_statement_codes(kinds[k]);
            check(finding.detail == codes->cose || finding.detail == codes->cbor ||
                  finding.detail == codes->size);
        }
        json_decref(vector.root);
    }
    check_row(NULL);
}

static void lenient_over(const struct moult_crypto *crypto)
{
    for (size_t i = 0; i < ROWS; i++) {
        struct vector vector;
        uint8_t bytes[512];
        if (!load(&rows[i], &vector)) { return; }
        check_row(rows[i].file);
        check(take_apart(&vector));
        check_equal(judge(crypto, &vector), rows[i].outcome);
        size_t size = rebuild(&vector, bytes, sizeof bytes);
        bool same =
            size == vector.published_size && memcmp(bytes, vector.published, size) == 0;
        check_equal(same, rows[i].same_bytes);
        if (rows[i].outcome == UNTAGGED) { /* verifies when told what it is */
            check(verifies(crypto, &vector, bytes, size));
        }
        json_decref(vector.root);
    }
    check_row(NULL);
}

/* Our own builder knows no body header and no external data: where a file has neither, it
 * must hash exactly the published bytes. */
static void test_our_sig_structure_is_the_published_one(void)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    unsigned compared = 0;
    for (size_t i = 0; i < ROWS; i++) {
        struct vector vector;
        uint8_t want[32], have[32];
        if (!load(&rows[i], &vector)) { return; }
        check_row(rows[i].file);
        check(take_apart(&vector));
        bool fits = !vector.is_sign1 && rows[i].same_bytes &&
                    vector.body_protected.size == 0 && vector.external_size == 0;
        if (fits) {
            compared++;
            check_equal(
                moult_sha256_once(&crypto, vector.published, vector.published_size, want),
                MOULT_OK);
            check_equal(moult_cose_sig_structure_digest(&crypto, vector.sign_protected,
                                                        vector.payload, have),
                        MOULT_OK);
            check_bytes(have, want, sizeof want);
        }
        json_decref(vector.root);
    }
    check_row(NULL);
    check(compared >= 3);
}

static void published_over(const struct moult_crypto *crypto)
{
    for (size_t i = 0; i < ROWS; i++) {
        struct vector vector;
        if (!load(&rows[i], &vector)) { return; }
        check_row(rows[i].file);
        check(take_apart(&vector));
        check_equal(verifies(crypto, &vector, vector.published, vector.published_size),
                    rows[i].signature_good);
        json_decref(vector.root);
    }
    check_row(NULL);
}

static void test_a_lenient_reader_gives_the_published_outcomes_with_openssl(void)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    lenient_over(&crypto);
}

static void test_a_lenient_reader_gives_the_published_outcomes_with_psa(void)
{
    struct moult_crypto crypto = moult_psa_crypto();
    lenient_over(&crypto);
}

static void test_signatures_over_the_published_bytes_with_openssl(void)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    published_over(&crypto);
}

static void test_signatures_over_the_published_bytes_with_psa(void)
{
    struct moult_crypto crypto = moult_psa_crypto();
    published_over(&crypto);
}

int main(void)
{
    if (moult_psa_start() != MOULT_OK) { return 1; }
    check_run(test_the_strict_reader_refuses_all_of_them);
    check_run(test_a_lenient_reader_gives_the_published_outcomes_with_openssl);
    check_run(test_a_lenient_reader_gives_the_published_outcomes_with_psa);
    check_run(test_our_sig_structure_is_the_published_one);
    check_run(test_signatures_over_the_published_bytes_with_openssl);
    check_run(test_signatures_over_the_published_bytes_with_psa);
    return check_report();
}
