/* openssl_crypto_test.c - the back-end of hosts keeps every promise of formats/crypto.h. */
#include "keys/openssl_crypto.h"
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

int main(void)
{
    crypto = keys_openssl_crypto();
    check_run(test_hashes_are_sha256);
    check_run(test_signatures_are_checked_to_the_last_rule);
    check_run(test_rsa_signatures_are_checked_too);
    return check_report();
}
