/* identity.c - see identity.h. */
#include "ports/posix/identity.h"
#include <stdio.h>
#include <string.h>
#include "ports/posix/mbedtls_compat.h"
#include "ports/posix/psa_crypto.h"

enum { SPKI_SIZE_MAX = 256, NAME_SIZE_MAX = 128, SERIAL_SIZE = 16 };

static struct moult_bytes pem_bytes(const char *text)
{
    return (struct moult_bytes){(const uint8_t *)text, strlen(text) + 1};
}

static enum moult_status hash_spki(mbedtls_pk_context *key, uint8_t spki[32])
{
    uint8_t der[SPKI_SIZE_MAX];
    int size = mbedtls_pk_write_pubkey_der(key, der, sizeof der); /* at the buffer's end */
    if (size <= 0) { return MOULT_E_FORMAT; }
    struct moult_crypto crypto = moult_psa_crypto();
    return moult_sha256_once(&crypto, der + sizeof der - (size_t)size, (size_t)size, spki);
}

enum moult_status moult_identity_make_key(char out[MOULT_PEM_SIZE_MAX])
{
    mbedtls_pk_context key;
    mbedtls_pk_init(&key);
    bool is_made =
        moult_psa_start() == MOULT_OK && compat_make_key(&key) == 0 &&
        mbedtls_pk_write_key_pem(&key, (unsigned char *)out, MOULT_PEM_SIZE_MAX) == 0;
    mbedtls_pk_free(&key);
    return is_made ? MOULT_OK : MOULT_E_INTERNAL;
}

enum moult_status moult_identity_of_key(const char *text, uint8_t spki[32])
{
    mbedtls_pk_context key;
    mbedtls_pk_init(&key);
    enum moult_status st = MOULT_E_FORMAT;
    if (moult_psa_start() == MOULT_OK && compat_parse_key(&key, pem_bytes(text)) == 0) {
        st = hash_spki(&key, spki);
    }
    mbedtls_pk_free(&key);
    return st;
}

enum moult_status moult_identity_of_certificate(const char *text, uint8_t spki[32])
{
    mbedtls_x509_crt cert;
    mbedtls_x509_crt_init(&cert);
    enum moult_status st = MOULT_E_FORMAT;
    struct moult_bytes raw = pem_bytes(text);
    if (moult_psa_start() == MOULT_OK &&
        mbedtls_x509_crt_parse(&cert, raw.data, raw.size) == 0) {
        st = hash_spki(&cert.pk, spki);
    }
    mbedtls_x509_crt_free(&cert);
    return st;
}

/* The value of CN in a parsed name; NULL: none. */
static const mbedtls_x509_buf *common_name(const mbedtls_x509_name *name)
{
    static const uint8_t oid[] = {0x55, 0x04, 0x03}; /* 2.5.4.3 */
    for (; name; name = name->next) {
        if (name->oid.len == sizeof oid && memcmp(name->oid.p, oid, sizeof oid) == 0) {
            return &name->val;
        }
    }
    return NULL;
}

enum moult_status moult_identity_name(const char *certificate, char *out, size_t size)
{
    mbedtls_x509_crt cert;
    mbedtls_x509_crt_init(&cert);
    struct moult_bytes raw = pem_bytes(certificate);
    enum moult_status st = MOULT_E_FORMAT;
    out[0] = 0;
    if (mbedtls_x509_crt_parse(&cert, raw.data, raw.size) == 0) {
        const mbedtls_x509_buf *name = common_name(&cert.subject);
        st = name && name->len >= size ? MOULT_E_SPACE : MOULT_OK;
        if (name && st == MOULT_OK) {
            memcpy(out, name->p, name->len);
            out[name->len] = 0;
        }
    }
    mbedtls_x509_crt_free(&cert);
    return st;
}

/* --- Issuing ---------------------------------------------------------------------------
 */

/* What a certificate is made from. */
struct issue {
    mbedtls_pk_context key, ca_key;
    mbedtls_x509_crt ca;
    mbedtls_x509write_cert cert;
    char subject[NAME_SIZE_MAX], issuer[NAME_SIZE_MAX * 4];
};

static bool read_issuer(struct issue *issue, const char *ca, const char *ca_key)
{
    struct moult_bytes raw = pem_bytes(ca);
    return mbedtls_x509_crt_parse(&issue->ca, raw.data, raw.size) == 0 &&
           compat_parse_key(&issue->ca_key, pem_bytes(ca_key)) == 0 &&
           compat_check_pair(&issue->ca.pk, &issue->ca_key) == 0 &&
           mbedtls_x509_dn_gets(issue->issuer, sizeof issue->issuer, &issue->ca.subject) >
               0;
}

static bool describe(struct issue *issue)
{
    uint8_t serial[SERIAL_SIZE];
    if (moult_psa_random(serial, sizeof serial) != MOULT_OK) { return false; }
    serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40); /* positive, and as long as it is */
    mbedtls_x509write_crt_set_version(&issue->cert, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&issue->cert, MBEDTLS_MD_SHA256);
    return compat_set_serial(&issue->cert, serial, sizeof serial) == 0 &&
           mbedtls_x509write_crt_set_validity(&issue->cert, "20240101000000",
                                              "99991231235959") == 0 &&
           mbedtls_x509write_crt_set_basic_constraints(&issue->cert, 0, -1) == 0 &&
           mbedtls_x509write_crt_set_key_usage(&issue->cert,
                                               MBEDTLS_X509_KU_DIGITAL_SIGNATURE) == 0 &&
           mbedtls_x509write_crt_set_subject_name(&issue->cert, issue->subject) == 0 &&
           mbedtls_x509write_crt_set_issuer_name(&issue->cert, issue->issuer) == 0;
}

static enum moult_status issue_with(struct issue *issue, const char *key, const char *ca,
                                    const char *ca_key, char *out)
{
    if (compat_parse_key(&issue->key, pem_bytes(key)) != 0) { return MOULT_E_FORMAT; }
    if (ca && !read_issuer(issue, ca, ca_key)) { return MOULT_E_FORMAT; }
    if (!ca) { snprintf(issue->issuer, sizeof issue->issuer, "%s", issue->subject); }
    mbedtls_x509write_crt_set_subject_key(&issue->cert, &issue->key);
    mbedtls_x509write_crt_set_issuer_key(&issue->cert, ca ? &issue->ca_key : &issue->key);
    bool is_done =
        describe(issue) && compat_write_cert(&issue->cert, out, MOULT_PEM_SIZE_MAX) == 0;
    return is_done ? MOULT_OK : MOULT_E_INTERNAL;
}

enum moult_status moult_identity_issue(const char *key, const char *name, const char *ca,
                                       const char *ca_key, char out[MOULT_PEM_SIZE_MAX])
{
    struct issue issue;
    if (moult_psa_start() != MOULT_OK) { return MOULT_E_INTERNAL; }
    mbedtls_pk_init(&issue.key);
    mbedtls_pk_init(&issue.ca_key);
    mbedtls_x509_crt_init(&issue.ca);
    mbedtls_x509write_crt_init(&issue.cert);
    int size = snprintf(issue.subject, sizeof issue.subject, "CN=%s", name);
    bool fits = size > 0 && (size_t)size < sizeof issue.subject;
    enum moult_status st = fits ? issue_with(&issue, key, ca, ca_key, out) : MOULT_E_FORMAT;
    mbedtls_x509write_crt_free(&issue.cert);
    mbedtls_x509_crt_free(&issue.ca);
    mbedtls_pk_free(&issue.ca_key);
    mbedtls_pk_free(&issue.key);
    return st;
}

enum moult_status moult_identity_request(const char *key, const char *name,
                                         char out[MOULT_PEM_SIZE_MAX])
{
    char subject[NAME_SIZE_MAX];
    mbedtls_pk_context pk;
    mbedtls_x509write_csr csr;
    int size = snprintf(subject, sizeof subject, "CN=%s", name);
    if (size <= 0 || (size_t)size >= sizeof subject) { return MOULT_E_FORMAT; }
    if (moult_psa_start() != MOULT_OK) { return MOULT_E_INTERNAL; }
    mbedtls_pk_init(&pk);
    mbedtls_x509write_csr_init(&csr);
    enum moult_status st = MOULT_E_FORMAT;
    if (compat_parse_key(&pk, pem_bytes(key)) == 0) {
        mbedtls_x509write_csr_set_md_alg(&csr, MBEDTLS_MD_SHA256);
        mbedtls_x509write_csr_set_key(&csr, &pk);
        bool is_done = mbedtls_x509write_csr_set_subject_name(&csr, subject) == 0 &&
                       compat_write_request(&csr, out, MOULT_PEM_SIZE_MAX) == 0;
        st = is_done ? MOULT_OK : MOULT_E_INTERNAL;
    }
    mbedtls_x509write_csr_free(&csr);
    mbedtls_pk_free(&pk);
    return st;
}
