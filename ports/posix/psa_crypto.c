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

struct moult_crypto moult_psa_crypto(void)
{
    return (struct moult_crypto){
        .sha256_init = sha256_init,
        .sha256_update = sha256_update,
        .sha256_clone = sha256_clone,
        .sha256_final = sha256_final,
        .sha256_abort = sha256_abort,
        .verify_p256 = verify_p256,
    };
}
