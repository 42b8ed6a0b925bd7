/* test_certs.c - see test_certs.h. */
#include "tests/support/test_certs.h"
#include <stdio.h>
#include <stdlib.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

/* assert() is compiled out of release builds, and tests run there too. */
static void must(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "test_certs: %s failed\n", what);
        abort();
    }
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    must(extension != NULL, value);
    must(X509_add_ext(cert, extension, -1), "X509_add_ext");
    X509_EXTENSION_free(extension);
}

static void make_cert(struct test_cert *out, const char *name,
                      const struct test_cert *issuer)
{
    out->cert = X509_new();
    must(out->cert != NULL, "X509_new");
    X509_set_version(out->cert, X509_VERSION_3);
    uint8_t serial[8];
    must(RAND_bytes(serial, sizeof serial) == 1, "RAND_bytes");
    BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(out->cert));
    BN_free(number);
    X509_gmtime_adj(X509_getm_notBefore(out->cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(out->cert), 86400);
    X509_NAME *subject = X509_get_subject_name(out->cert);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
                               -1, 0);
    X509 *by = issuer ? issuer->cert : out->cert;
    X509_set_issuer_name(out->cert, X509_get_subject_name(by));
    X509_set_pubkey(out->cert, out->key);
    if (issuer) {
        char names[128];
        snprintf(names, sizeof names, "DNS:%s,IP:127.0.0.1", name);
        add_extension(out->cert, by, NID_subject_alt_name, names);
    } else {
        add_extension(out->cert, by, NID_basic_constraints, "critical,CA:TRUE");
    }
    must(X509_sign(out->cert, issuer ? issuer->key : out->key, EVP_sha256()) > 0,
         "X509_sign");
}

void test_cert_make(struct test_cert *out, const char *name, const struct test_cert *issuer)
{
    out->key = EVP_EC_gen("P-256");
    must(out->key != NULL, "EVP_EC_gen");
    make_cert(out, name, issuer);
}

void test_cert_make_rsa(struct test_cert *out, const char *name, unsigned bits)
{
    out->key = EVP_RSA_gen(bits);
    must(out->key != NULL, "EVP_RSA_gen");
    make_cert(out, name, NULL);
}

void test_cert_save(const struct test_cert *cert, const char *cert_path,
                    const char *key_path)
{
    if (cert_path) {
        FILE *f = fopen(cert_path, "w");
        must(f && PEM_write_X509(f, cert->cert) && fclose(f) == 0, cert_path);
    }
    if (key_path) {
        FILE *f = fopen(key_path, "w");
        must(f && PEM_write_PrivateKey(f, cert->key, NULL, NULL, 0, NULL, NULL) &&
                 fclose(f) == 0,
             key_path);
    }
}

void test_cert_spki(const struct test_cert *cert, uint8_t out[32])
{
    uint8_t *der = NULL;
    int size = i2d_PUBKEY(cert->key, &der);
    must(size > 0, "i2d_PUBKEY");
    must(EVP_Digest(der, (size_t)size, out, NULL, EVP_sha256(), NULL) == 1, "EVP_Digest");
    OPENSSL_free(der);
}

void test_cert_free(struct test_cert *cert)
{
    EVP_PKEY_free(cert->key);
    X509_free(cert->cert);
    *cert = (struct test_cert){0};
}
