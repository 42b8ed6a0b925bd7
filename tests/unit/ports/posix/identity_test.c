/* identity_test.c - keys and certificates made here are what OpenSSL takes them for. */
#include "ports/posix/identity.h"
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include "tests/support/check.h"

static char key[MOULT_PEM_SIZE_MAX], cert[MOULT_PEM_SIZE_MAX], ca_key[MOULT_PEM_SIZE_MAX],
    ca_cert[MOULT_PEM_SIZE_MAX];

static X509 *read_cert(const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    X509 *out = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return out;
}

/* SHA-256 of the certificate's SubjectPublicKeyInfo, by OpenSSL. */
static void spki_of(X509 *from, uint8_t out[32])
{
    uint8_t *der = NULL;
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(from), &der);
    if (size <= 0 || EVP_Digest(der, (size_t)size, out, NULL, EVP_sha256(), NULL) != 1) {
        abort();
    }
    OPENSSL_free(der);
}

static void test_a_self_signed_certificate_carries_key_and_name(void)
{
    uint8_t of_key[32], of_cert[32], expected[32];
    char name[64];
    check_equal(moult_identity_make_key(key), MOULT_OK);
    check_equal(moult_identity_issue(key, "0011aabb", NULL, NULL, cert), MOULT_OK);
    check_equal(moult_identity_of_key(key, of_key), MOULT_OK);
    check_equal(moult_identity_of_certificate(cert, of_cert), MOULT_OK);
    check_bytes(of_key, of_cert, 32);
    check_equal(moult_identity_name(cert, name, sizeof name), MOULT_OK);
    check(strcmp(name, "0011aabb") == 0);
    check_equal(moult_identity_name(cert, name, 8), MOULT_E_SPACE);

    X509 *parsed = read_cert(cert);
    check(parsed != NULL);
    spki_of(parsed, expected);
    check_bytes(of_cert, expected, 32);
    check_equal(X509_verify(parsed, X509_get0_pubkey(parsed)), 1);
    check_equal(X509_check_ca(parsed), 0);
    check_equal(X509_cmp_current_time(X509_get0_notAfter(parsed)), 1);
    check_equal(X509_cmp_current_time(X509_get0_notBefore(parsed)), -1);
    X509_free(parsed);
}

static void test_a_ca_issues_and_only_with_its_own_key(void)
{
    check_equal(moult_identity_make_key(ca_key), MOULT_OK);
    check_equal(moult_identity_issue(ca_key, "some CA", NULL, NULL, ca_cert), MOULT_OK);
    check_equal(moult_identity_make_key(key), MOULT_OK);
    check_equal(moult_identity_issue(key, "0011", ca_cert, ca_key, cert), MOULT_OK);
    X509 *parsed = read_cert(cert), *ca = read_cert(ca_cert);
    check(parsed && ca);
    check_equal(X509_verify(parsed, X509_get0_pubkey(ca)), 1);
    check_equal(X509_NAME_cmp(X509_get_issuer_name(parsed), X509_get_subject_name(ca)), 0);
    X509_free(parsed);
    X509_free(ca);
    check_equal(moult_identity_issue(key, "0011", ca_cert, key, cert), MOULT_E_FORMAT);
}

static void test_a_request_is_signed_by_its_key(void)
{
    char request[MOULT_PEM_SIZE_MAX];
    check_equal(moult_identity_make_key(key), MOULT_OK);
    check_equal(moult_identity_request(key, "0011", request), MOULT_OK);
    BIO *bio = BIO_new_mem_buf(request, -1);
    X509_REQ *parsed = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
    BIO_free(bio);
    check(parsed != NULL);
    check_equal(X509_REQ_verify(parsed, X509_REQ_get0_pubkey(parsed)), 1);
    X509_REQ_free(parsed);
}

static void test_two_keys_differ(void)
{
    uint8_t first[32], second[32];
    check_equal(moult_identity_make_key(key), MOULT_OK);
    check_equal(moult_identity_of_key(key, first), MOULT_OK);
    check_equal(moult_identity_make_key(key), MOULT_OK);
    check_equal(moult_identity_of_key(key, second), MOULT_OK);
    check(memcmp(first, second, 32) != 0);
}

static void test_what_is_no_pem_is_refused(void)
{
    uint8_t spki[32];
    char name[64], long_name[300];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    check_equal(moult_identity_make_key(key), MOULT_OK);
    check_equal(moult_identity_of_key("nothing", spki), MOULT_E_FORMAT);
    check_equal(moult_identity_of_certificate(key, spki), MOULT_E_FORMAT);
    check_equal(moult_identity_name("nothing", name, sizeof name), MOULT_E_FORMAT);
    check_equal(moult_identity_issue("nothing", "0011", NULL, NULL, cert), MOULT_E_FORMAT);
    check_equal(moult_identity_issue(key, long_name, NULL, NULL, cert), MOULT_E_FORMAT);
    check_equal(moult_identity_request("nothing", "0011", cert), MOULT_E_FORMAT);
}

int main(void)
{
    check_run(test_a_self_signed_certificate_carries_key_and_name);
    check_run(test_a_ca_issues_and_only_with_its_own_key);
    check_run(test_a_request_is_signed_by_its_key);
    check_run(test_two_keys_differ);
    check_run(test_what_is_no_pem_is_refused);
    return check_report();
}
