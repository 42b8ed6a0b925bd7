/* test_certs.h - keys and certificates made while a test runs; none is ever in the tree.
 *
 * Use it   struct test_cert ca, server;
 *          test_cert_make(&ca, "test CA", NULL); test_cert_make(&server, "localhost", &ca);
 *          test_cert_save(&server, "cert.pem", "key.pem"); ... test_cert_free(&server);
 *          Every function asserts: a test without its certificates has nothing to say.
 */
#ifndef MOULT_TESTS_SUPPORT_TEST_CERTS_H
#define MOULT_TESTS_SUPPORT_TEST_CERTS_H

#include <stdint.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

struct test_cert {
    EVP_PKEY *key; /* owned; ECDSA P-256 */
    X509 *cert;    /* owned */
};

/* A certificate for `name` (CN, and DNS name when it is not a CA), signed by issuer, or by
 * itself (and then a CA) when issuer is NULL. 127.0.0.1 is among its names. Valid for a
 * day. */
void test_cert_make(struct test_cert *out, const char *name,
                    const struct test_cert *issuer);

/* The same with an RSA key of that many bits. */
void test_cert_make_rsa(struct test_cert *out, const char *name, unsigned bits);

/* PEM files; either path may be NULL. */
void test_cert_save(const struct test_cert *cert, const char *cert_path,
                    const char *key_path);

/* SHA-256 of the SubjectPublicKeyInfo, computed from the certificate's own DER. */
void test_cert_spki(const struct test_cert *cert, uint8_t out[32]);

void test_cert_free(struct test_cert *cert);

#endif
