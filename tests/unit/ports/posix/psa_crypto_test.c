/* psa_crypto_test.c - the back-end of devices keeps every promise of formats/crypto.h. */
#include "ports/posix/psa_crypto.h"
#include "formats/bytes.h"
#include "tests/support/check.h"
#include "tests/support/crypto_promises.h"

static struct moult_crypto crypto;

static void test_hashes_are_sha256(void)
{
    check(crypto_promises_hash(&crypto));
}

static void test_signatures_are_checked_to_the_last_rule(void)
{
    check(crypto_promises_verify(&crypto));
}

static void test_rsa_signatures_are_checked_too(void)
{
    check(crypto_promises_rsa(&crypto));
}

static void test_nothing_random_comes_from_a_library_that_was_not_started(void)
{
    uint8_t bytes[16] = {1};
    check_equal(moult_psa_random(bytes, sizeof bytes), MOULT_E_INTERNAL);
    check(moult_bytes_all(bytes, sizeof bytes, 0));
}

static void test_random_bytes_differ(void)
{
    uint8_t one[16], other[16];
    check_equal(moult_psa_random(one, sizeof one), MOULT_OK);
    check_equal(moult_psa_random(other, sizeof other), MOULT_OK);
    check(!moult_bytes_equal(one, other, sizeof one));
}

int main(void)
{
    check_run(test_nothing_random_comes_from_a_library_that_was_not_started);
    if (moult_psa_start() != MOULT_OK || moult_psa_start() != MOULT_OK) { return 1; }
    crypto = moult_psa_crypto();
    check_run(test_hashes_are_sha256);
    check_run(test_signatures_are_checked_to_the_last_rule);
    check_run(test_rsa_signatures_are_checked_too);
    check_run(test_random_bytes_differ);
    return check_report();
}
