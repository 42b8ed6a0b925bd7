/* certificate_test.c - keys/certificate.c, read back by OpenSSL itself */
#include "keys/certificate.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include "tests/support/check.h"

static X509 *read_back(const char *path)
{
    FILE *f = fopen(path, "r");
    X509 *certificate = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
    if (f) { fclose(f); }
    return certificate;
}

static void remove_all(void)
{
    static const char *const files[] = {"ct-ca.key", "ct-ca.pem", "ct.key", "ct.pem"};
    for (size_t i = 0; i < 4; i++) {
        unlink(files[i]);
    }
}

static void make_ca(void)
{
    remove_all();
    check_equal(keys_file_generate("ct-ca.key", NULL), MOULT_OK);
    struct keys_certificate_options options = {.key_path = "ct-ca.key",
                                               .common_name = "test CA",
                                               .is_ca = true,
                                               .out_path = "ct-ca.pem"};
    check_equal(keys_certificate_create(&options, NULL), MOULT_OK);
}

static struct keys_certificate_options leaf(void)
{
    return (struct keys_certificate_options){.key_path = "ct.key",
                                             .common_name = "0123456789abcdef",
                                             .alt_names = "DNS:localhost,IP:127.0.0.1",
                                             .issuer_path = "ct-ca.pem",
                                             .issuer_key_path = "ct-ca.key",
                                             .out_path = "ct.pem"};
}

static void test_a_chain_of_two_verifies(void)
{
    make_ca();
    check_equal(keys_file_generate("ct.key", NULL), MOULT_OK);
    struct keys_certificate_options options = leaf();
    check_equal(keys_certificate_create(&options, NULL), MOULT_OK);
    X509 *ca = read_back("ct-ca.pem"), *cert = read_back("ct.pem");
    check(ca && cert);
    X509_STORE *trusted = X509_STORE_new();
    X509_STORE_add_cert(trusted, ca);
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509_STORE_CTX_init(context, trusted, cert, NULL);
    int verdict = X509_verify_cert(context);
    X509_STORE_CTX_free(context);
    X509_STORE_free(trusted);
    check_equal(verdict, 1);
    check_equal(X509_check_ip_asc(cert, "127.0.0.1", 0), 1);
    check_equal(X509_check_host(cert, "localhost", 0, 0, NULL), 1);
    check_equal(X509_check_ca(cert), 0);
    check_equal(X509_check_ca(ca), 1);
    X509_free(ca);
    X509_free(cert);
}

static void test_spki_is_that_of_the_certificate(void)
{
    make_ca();
    uint8_t public_key[64], found[32], expected[32];
    check_equal(keys_file_public("ct-ca.key", public_key, NULL), MOULT_OK);
    check_equal(keys_spki_sha256(public_key, found), MOULT_OK);
    X509 *ca = read_back("ct-ca.pem");
    check(ca != NULL);
    unsigned char *der = NULL;
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(ca), &der);
    SHA256(der, (size_t)size, expected);
    OPENSSL_free(der);
    X509_free(ca);
    check_bytes(found, expected, 32);
}

static void test_nothing_is_overwritten_and_bad_input_is_named(void)
{
    make_ca();
    struct keys_error error = {0};
    struct keys_certificate_options options = {
        .key_path = "ct-ca.key", .common_name = "again", .out_path = "ct-ca.pem"};
    check_equal(keys_certificate_create(&options, &error), MOULT_E_EXISTS);
    options.out_path = "ct.pem";
    options.key_path = "ct-ca.pem"; /* not a private key */
    check_equal(keys_certificate_create(&options, &error), MOULT_E_FORMAT);
    check(strstr(error.found, "ct-ca.pem") != NULL);
    options.key_path = "ct-ca.key";
    options.common_name = "";
    check_equal(keys_certificate_create(&options, &error), MOULT_E_ARG);
    check(access("ct.pem", F_OK) != 0);
    check_equal(keys_file_generate("ct.key", NULL), MOULT_OK);
    options = leaf();
    options.issuer_key_path = "ct.key"; /* not the CA's */
    check_equal(keys_certificate_create(&options, &error), MOULT_E_FORMAT);
    remove_all();
}

int main(void)
{
    check_run(test_a_chain_of_two_verifies);
    check_run(test_spki_is_that_of_the_certificate);
    check_run(test_nothing_is_overwritten_and_bad_input_is_named);
    return check_report();
}
