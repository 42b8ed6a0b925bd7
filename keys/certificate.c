/* certificate.c - see certificate.h. */
#include "keys/certificate.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include "keys/p256.h"

enum { SERIAL_SIZE = 16, NAME_MAX_BYTES = 64, START_EARLIER_S = -60 };

/* RFC 5280, 4.1.2.5: a certificate without a known end. */
static const char never_ends[] = "99991231235959Z";

static enum moult_status say(struct keys_error *error, enum moult_status status,
                             const char *expected, const char *found)
{
    keys_p256_forget_errors();
    if (error) {
        error->detail = MOULT_D_KEY_FILE;
        snprintf(error->expected, sizeof error->expected, "%s", expected);
        snprintf(error->found, sizeof error->found, "%s", found);
    }
    return status;
}

static EVP_PKEY *read_key(const char *path)
{
    FILE *f = fopen(path, "r");
    EVP_PKEY *key = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;
    if (f) { fclose(f); }
    return key;
}

static X509 *read_certificate(const char *path)
{
    FILE *f = fopen(path, "r");
    X509 *certificate = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
    if (f) { fclose(f); }
    return certificate;
}

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool ok = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

static bool set_serial(X509 *certificate)
{
    uint8_t bytes[SERIAL_SIZE];
    if (RAND_bytes(bytes, sizeof bytes) != 1) { return false; }
    bytes[0] &= 0x7f; /* a positive number */
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool ok =
        number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return ok;
}

static bool fill_in(X509 *certificate, X509 *issuer, EVP_PKEY *key,
                    const struct keys_certificate_options *options)
{
    X509_NAME *subject = X509_get_subject_name(certificate);
    const unsigned char *name = (const unsigned char *)options->common_name;
    bool ok =
        X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
        X509_gmtime_adj(X509_getm_notBefore(certificate), START_EARLIER_S) &&
        ASN1_TIME_set_string_X509(X509_getm_notAfter(certificate), never_ends) == 1 &&
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, name, -1, -1, 0) == 1 &&
        X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
        X509_set_pubkey(certificate, key) == 1;
    ok = ok && add_extension(certificate, issuer, NID_basic_constraints,
                             options->is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    ok = ok && add_extension(certificate, issuer, NID_key_usage,
                             options->is_ca ? "critical,keyCertSign,cRLSign"
                                            : "critical,digitalSignature");
    ok = ok && add_extension(certificate, issuer, NID_subject_key_identifier, "hash");
    if (ok && options->alt_names) {
        ok = add_extension(certificate, issuer, NID_subject_alt_name, options->alt_names);
    }
    return ok;
}

static enum moult_status write_new(const char *path, X509 *certificate,
                                   struct keys_error *error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) {
        return say(error, errno == EEXIST ? MOULT_E_EXISTS : MOULT_E_IO, "a new file",
                   strerror(errno));
    }
    FILE *f = fdopen(fd, "w");
    bool ok = f && PEM_write_X509(f, certificate) == 1;
    if (f) {
        ok = fclose(f) == 0 && ok;
    } else {
        close(fd);
    }
    if (!ok) { unlink(path); }
    return ok ? MOULT_OK : say(error, MOULT_E_IO, "room for a certificate", path);
}

/* The objects of one certificate under way. */
struct making {
    EVP_PKEY *key, *issuer_key; /* issuer_key may be key */
    X509 *certificate, *issuer; /* issuer may be certificate */
};

static enum moult_status load(struct making *making,
                              const struct keys_certificate_options *options,
                              struct keys_error *error)
{
    bool is_self = options->issuer_path == NULL;
    making->key = read_key(options->key_path);
    making->certificate = X509_new();
    if (!making->key || !keys_p256_is(making->key)) {
        return say(error, MOULT_E_FORMAT, "a P-256 private key in PEM", options->key_path);
    }
    if (!making->certificate) { return say(error, MOULT_E_INTERNAL, "memory", "none"); }
    making->issuer = is_self ? making->certificate : read_certificate(options->issuer_path);
    making->issuer_key = is_self ? making->key : read_key(options->issuer_key_path);
    if (!making->issuer || !making->issuer_key) {
        return say(error, MOULT_E_FORMAT, "certificate and key of a CA in PEM",
                   options->issuer_path);
    }
    if (!is_self && X509_check_private_key(making->issuer, making->issuer_key) != 1) {
        return say(error, MOULT_E_FORMAT, "a key that belongs to the CA's certificate",
                   options->issuer_key_path);
    }
    return MOULT_OK;
}

static void release(struct making *making)
{
    if (making->issuer != making->certificate) { X509_free(making->issuer); }
    if (making->issuer_key != making->key) { EVP_PKEY_free(making->issuer_key); }
    X509_free(making->certificate);
    EVP_PKEY_free(making->key);
}

enum moult_status keys_certificate_create(const struct keys_certificate_options *options,
                                          struct keys_error *error)
{
    size_t name_size = strlen(options->common_name);
    if (name_size < 1 || name_size > NAME_MAX_BYTES) {
        return say(error, MOULT_E_ARG, "a common name of 1 to 64 bytes",
                   options->common_name);
    }
    struct making making = {0};
    enum moult_status st = load(&making, options, error);
    if (st == MOULT_OK &&
        (!fill_in(making.certificate, making.issuer, making.key, options) ||
         X509_sign(making.certificate, making.issuer_key, EVP_sha256()) <= 0)) {
        st = say(error, MOULT_E_ARG, "names that fit a certificate", options->common_name);
    }
    if (st == MOULT_OK) { st = write_new(options->out_path, making.certificate, error); }
    release(&making);
    return st;
}

enum moult_status keys_spki_sha256(const uint8_t public_key[64],
                                   uint8_t out[KEYS_SPKI_SIZE])
{
    EVP_PKEY *key = keys_p256_public(public_key);
    unsigned char *der = NULL;
    int size = key ? i2d_PUBKEY(key, &der) : -1;
    bool ok = size > 0 && SHA256(der, (size_t)size, out) != NULL;
    OPENSSL_free(der);
    EVP_PKEY_free(key);
    keys_p256_forget_errors();
    return ok ? MOULT_OK : MOULT_E_INTERNAL;
}
