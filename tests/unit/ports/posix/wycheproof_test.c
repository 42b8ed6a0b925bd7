/* wycheproof_test.c - ECDSA P-256 vectors of Project Wycheproof on both crypto back-ends.
 * */
#include <stdio.h>
#include <string.h>
#include "keys/openssl_crypto.h"
#include "ports/posix/psa_crypto.h"
#include "tests/support/check.h"
#include "tests/support/vectors.h"

struct tally {
    int cases, valid, invalid, other_length, wrong;
};

/* What a verifier of ours says: length first, then arithmetic. */
static bool accepts(const struct moult_crypto *crypto, const uint8_t *key,
                    const json_t *test, struct tally *tally)
{
    static uint8_t message[65536], signature[512];
    uint8_t digest[32];
    size_t size = vectors_hex(test, "msg", message, sizeof message);
    if (vectors_hex(test, "sig", signature, sizeof signature) != MOULT_SIGNATURE_SIZE) {
        tally->other_length++;
        return false;
    }
    return moult_sha256_once(crypto, message, size, digest) == MOULT_OK &&
           crypto->verify_p256(crypto->context, key, digest, signature);
}

static void run_case(const struct moult_crypto *crypto, const uint8_t *key,
                     const json_t *test, struct tally *tally)
{
    bool expected = strcmp(vectors_text(test, "result"), "valid") == 0;
    tally->cases++;
    tally->valid += expected;
    tally->invalid += strcmp(vectors_text(test, "result"), "invalid") == 0;
    if (accepts(crypto, key, test, tally) == expected) { return; }
    tally->wrong++;
    printf("tcId %d: expected %s: %s\n",
           (int)json_integer_value(json_object_get(test, "tcId")),
           vectors_text(test, "result"), vectors_text(test, "comment"));
}

static void run_all(const struct moult_crypto *crypto)
{
    json_t *root =
        vectors_load(MOULT_SOURCE_DIR, "wycheproof/ecdsa_secp256r1_sha256_p1363_test.json");
    if (!root) { return; }
    struct tally tally = {0};
    size_t i, j;
    json_t *group, *test;
    json_array_foreach(json_object_get(root, "testGroups"), i, group)
    {
        uint8_t point[65];
        size_t size = vectors_hex(json_object_get(group, "publicKey"), "uncompressed",
                                  point, sizeof point);
        check_equal(size, sizeof point);
        check_equal(point[0], 4);
        json_array_foreach(json_object_get(group, "tests"), j, test)
        {
            run_case(crypto, point + 1, test, &tally);
        }
    }
    json_decref(root);
    printf("%d cases: %d valid, %d invalid, %d of another length\n", tally.cases,
           tally.valid, tally.invalid, tally.other_length);
    check_equal(tally.wrong, 0);
    check_equal(tally.cases, 262);
    check_equal(tally.valid, 173);
    check_equal(tally.invalid, 89);
    check_equal(tally.other_length, 21);
}

static void test_openssl_gives_every_published_verdict(void)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    run_all(&crypto);
}

static void test_psa_gives_every_published_verdict(void)
{
    struct moult_crypto crypto = moult_psa_crypto();
    run_all(&crypto);
}

int main(void)
{
    if (moult_psa_start() != MOULT_OK) { return 1; }
    check_run(test_openssl_gives_every_published_verdict);
    check_run(test_psa_gives_every_published_verdict);
    return check_report();
}
