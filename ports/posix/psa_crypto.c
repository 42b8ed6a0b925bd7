/* psa_crypto.c - see psa_crypto.h. */
#include "ports/posix/psa_crypto.h"
#include <string.h>
#include <psa/crypto.h>

_Static_assert(sizeof(psa_hash_operation_t) <= sizeof(struct moult_sha256),
               "a running hash of this PSA library does not fit struct moult_sha256");

enum moult_status moult_psa_start(void)
{
    return psa_crypto_init() == PSA_SUCCESS ? MOULT_OK : MOULT_E_INTERNAL;
}

enum moult_status moult_psa_random(uint8_t *out, size_t size)
{
    if (psa_generate_random(out, size) == PSA_SUCCESS) { return MOULT_OK; }
    memset(out, 0, size);
    return MOULT_E_INTERNAL;
}

static psa_hash_operation_t *operation(struct moult_sha256 *hash)
{
    return (psa_hash_operation_t *)(void *)hash->opaque;
}

static void sha256_abort(void *context, struct moult_sha256 *hash)
{
    (void)context;
    (void)psa_hash_abort(operation(hash)); /* nothing to do when wiping fails */
}

static bool sha256_init(void *context, struct moult_sha256 *hash)
{
    (void)context;
    *operation(hash) = psa_hash_operation_init();
    return psa_hash_setup(operation(hash), PSA_ALG_SHA_256) == PSA_SUCCESS;
}

static bool sha256_update(void *context, struct moult_sha256 *hash, const uint8_t *data,
                          size_t size)
{
    (void)context;
    return size == 0 || psa_hash_update(operation(hash), data, size) == PSA_SUCCESS;
}

static bool sha256_clone(void *context, const struct moult_sha256 *from,
                         struct moult_sha256 *to)
{
    (void)context;
    const psa_hash_operation_t *source = (const void *)from->opaque;
    *operation(to) = psa_hash_operation_init();
    return psa_hash_clone(source, operation(to)) == PSA_SUCCESS;
}

static bool sha256_final(void *context, struct moult_sha256 *hash, uint8_t out[32])
{
    (void)context;
    size_t size = 0;
    psa_status_t st = psa_hash_finish(operation(hash), out, MOULT_SHA256_SIZE, &size);
    return st == PSA_SUCCESS && size == MOULT_SHA256_SIZE;
}

static bool verify_p256(void *context, const uint8_t public_key[64],
                        const uint8_t digest[32], const uint8_t signature[64])
{
    (void)context;
    const psa_algorithm_t algorithm = PSA_ALG_ECDSA(PSA_ALG_SHA_256);
    uint8_t point[1 + MOULT_PUBKEY_SIZE] = {4}; /* uncompressed */
    memcpy(point + 1, public_key, MOULT_PUBKEY_SIZE);
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1));
    psa_set_key_bits(&attributes, 256);
    psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_VERIFY_HASH);
    psa_set_key_algorithm(&attributes, algorithm);
    psa_key_id_t key = 0;
    if (psa_import_key(&attributes, point, sizeof point, &key) != PSA_SUCCESS) {
        return false;
    }
    psa_status_t st = psa_verify_hash(key, algorithm, digest, MOULT_SHA256_SIZE, signature,
                                      MOULT_SIGNATURE_SIZE);
    (void)psa_destroy_key(key); /* a volatile public key: nothing to protect or to do */
    return st == PSA_SUCCESS;
}

/* PSA takes RSA public keys as the DER of SEQUENCE { INTEGER n, INTEGER e }. */
enum { DER_HEAD = 4 + 4 + 1, DER_MAX = DER_HEAD + MOULT_RSA3072_SIZE + 2 + 5 };

static size_t encode_rsa_key(const uint8_t modulus[384], uint32_t exponent,
                             uint8_t out[DER_MAX])
{
    uint8_t number[5] = {0, (uint8_t)(exponent >> 24), (uint8_t)(exponent >> 16),
                         (uint8_t)(exponent >> 8), (uint8_t)exponent};
    size_t skip = 0; /* leading zeros, but one where the next byte would read negative */
    while (skip < 4 && number[skip] == 0 && number[skip + 1] < 0x80) {
        skip++;
    }
    size_t exponent_size = sizeof number - skip;
    size_t inner = 4 + 1 + MOULT_RSA3072_SIZE + 2 + exponent_size;
    const uint8_t head[DER_HEAD] = {
        0x30, 0x82, (uint8_t)(inner >> 8), (uint8_t)inner, 0x02, 0x82, 0x01, 0x81, 0x00};
    memcpy(out, head, sizeof head);
    memcpy(out + DER_HEAD, modulus, MOULT_RSA3072_SIZE);
    uint8_t *tail = out + DER_HEAD + MOULT_RSA3072_SIZE;
    tail[0] = 0x02;
    tail[1] = (uint8_t)exponent_size;
    memcpy(tail + 2, number + skip, exponent_size);
    return 4 + inner;
}

static bool verify_rsa3072_pss(void *context, const uint8_t modulus[384], uint32_t exponent,
                               const uint8_t digest[32], const uint8_t signature[384])
{
    (void)context;
    const psa_algorithm_t algorithm = PSA_ALG_RSA_PSS(PSA_ALG_SHA_256);
    uint8_t der[DER_MAX];
    size_t der_size = encode_rsa_key(modulus, exponent, der);
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_set_key_type(&attributes, PSA_KEY_TYPE_RSA_PUBLIC_KEY);
    psa_set_key_bits(&attributes, 8 * MOULT_RSA3072_SIZE);
    psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_VERIFY_HASH);
    psa_set_key_algorithm(&attributes, algorithm);
    psa_key_id_t key = 0;
    if (psa_import_key(&attributes, der, der_size, &key) != PSA_SUCCESS) { return false; }
    psa_status_t st = psa_verify_hash(key, algorithm, digest, MOULT_SHA256_SIZE, signature,
                                      MOULT_RSA3072_SIZE);
    (void)psa_destroy_key(key); /* as above */
    return st == PSA_SUCCESS;
}

struct moult_crypto moult_psa_crypto(void)
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
