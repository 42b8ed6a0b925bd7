/* openssl_crypto.c - see openssl_crypto.h. */
#include "keys/openssl_crypto.h"
#include <string.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include "keys/p256.h"
#include "keys/rsa3072.h"

/* --- SHA-256: a running hash is a pointer to OpenSSL's context --- */

static EVP_MD_CTX *get(const struct moult_sha256 *hash)
{
    EVP_MD_CTX *running;
    memcpy(&running, hash->opaque, sizeof running);
    return running;
}

static void set(struct moult_sha256 *hash, EVP_MD_CTX *running)
{
    memcpy(hash->opaque, &running, sizeof running);
}

static void sha256_abort(void *context, struct moult_sha256 *hash)
{
    (void)context;
    EVP_MD_CTX_free(get(hash));
    set(hash, NULL);
}

static bool sha256_init(void *context, struct moult_sha256 *hash)
{
    (void)context;
    EVP_MD_CTX *running = EVP_MD_CTX_new();
    set(hash, running);
    if (running && EVP_DigestInit_ex(running, EVP_sha256(), NULL) == 1) { return true; }
    sha256_abort(NULL, hash);
    return false;
}

static bool sha256_update(void *context, struct moult_sha256 *hash, const uint8_t *data,
                          size_t size)
{
    (void)context;
    return size == 0 || EVP_DigestUpdate(get(hash), data, size) == 1;
}

static bool sha256_clone(void *context, const struct moult_sha256 *from,
                         struct moult_sha256 *to)
{
    (void)context;
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    set(to, copy);
    if (copy && EVP_MD_CTX_copy_ex(copy, get(from)) == 1) { return true; }
    sha256_abort(NULL, to);
    return false;
}

static bool sha256_final(void *context, struct moult_sha256 *hash, uint8_t out[32])
{
    bool good = EVP_DigestFinal_ex(get(hash), out, NULL) == 1;
    sha256_abort(context, hash);
    return good;
}

/* --- ECDSA --- */

static bool verify_p256(void *context, const uint8_t public_key[64],
                        const uint8_t digest[32], const uint8_t signature[64])
{
    (void)context;
    uint8_t der[KEYS_P256_DER_MAX];
    size_t der_size = keys_p256_to_der(signature, der);
    EVP_PKEY *key = keys_p256_public(public_key);
    EVP_PKEY_CTX *check = key ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
    bool good = check && der_size > 0 && EVP_PKEY_verify_init(check) == 1 &&
                EVP_PKEY_verify(check, der, der_size, digest, 32) == 1;
    EVP_PKEY_CTX_free(check);
    EVP_PKEY_free(key);
    keys_p256_forget_errors();
    return good;
}

/* --- RSA --- */

static bool verify_rsa3072_pss(void *context, const uint8_t modulus[384], uint32_t exponent,
                               const uint8_t digest[32], const uint8_t signature[384])
{
    (void)context;
    EVP_PKEY *key = keys_rsa3072_public(modulus, exponent);
    EVP_PKEY_CTX *check = key ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
    bool good = check && EVP_PKEY_verify_init(check) == 1 && keys_rsa3072_use_pss(check) &&
                EVP_PKEY_verify(check, signature, MOULT_RSA3072_SIZE, digest, 32) == 1;
    EVP_PKEY_CTX_free(check);
    EVP_PKEY_free(key);
    keys_p256_forget_errors();
    return good;
}

struct moult_crypto keys_openssl_crypto(void)
{
    return (struct moult_crypto){
        .sha256_init = sha256_init,
        .sha256_update = sha256_update,
        .sha256_clone = sha256_clone,
        .sha256_final = sha256_final,
        .sha256_abort = sha256_abort,
        .verify_p256 = verify_p256,
        .verify_rsa3072_pss = verify_rsa3072_pss,
    };
}
