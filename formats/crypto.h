/* crypto.h - the primitives that formats need, as callbacks.
 *
 * Layer    formats: declarations only. Implemented over PSA in ports/, over OpenSSL in
 *          keys/.
 * Why      statements are verified by the same code on device, server and CLI, each with
 *          its own
 *          crypto library.
 */
#ifndef MOULT_FORMATS_CRYPTO_H
#define MOULT_FORMATS_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "formats/status.h"

#define MOULT_SHA256_SIZE 32u    /* bytes of a digest */
#define MOULT_PUBKEY_SIZE 64u    /* P-256 public key, X || Y, big-endian */
#define MOULT_SIGNATURE_SIZE 64u /* ECDSA P-256 signature, r || s, big-endian */
#define MOULT_KID_SIZE 8u        /* first bytes of SHA-256(X || Y) */
#define MOULT_RSA3072_SIZE 384u  /* bytes of an RSA-3072 modulus or signature */

/* Room for one running SHA-256 of any supported library; a port asserts that its state
 * fits. */
struct moult_sha256 {
    uint64_t opaque[32];
};

/* All callbacks get `context` first, never NULL functions. They may be called from one
 * thread at a
 * time per context unless the implementation says more. */
struct moult_crypto {
    void *context; /* borrowed as long as this struct is used */

    /* A running hash. init and update return false when the library fails (out of memory,
     * hardware); the caller then stops. final writes 32 bytes and ends the hash; abort ends
     * it
     * without a result and is harmless on a zeroed or ended one. clone copies a running
     * hash. */
    bool (*sha256_init)(void *context, struct moult_sha256 *hash);
    bool (*sha256_update)(void *context, struct moult_sha256 *hash, const uint8_t *data,
                          size_t size);
    bool (*sha256_clone)(void *context, const struct moult_sha256 *from,
                         struct moult_sha256 *to);
    bool (*sha256_final)(void *context, struct moult_sha256 *hash, uint8_t out[32]);
    void (*sha256_abort)(void *context, struct moult_sha256 *hash);

    /* Whether signature is a valid ECDSA P-256 signature over digest by public_key. Must
     * refuse r
     * or s outside 1..n-1 and points not on the curve. False on any error. */
    bool (*verify_p256)(void *context, const uint8_t public_key[64],
                        const uint8_t digest[32], const uint8_t signature[64]);

    /* Optional: NULL where nothing needs it. Whether signature is a valid RSA-3072-PSS
     * signature (SHA-256, MGF1 with SHA-256, 32 bytes of salt) over digest by the key; both
     * numbers big-endian. False on any error. Statements are never signed so: this is for
     * Secure Boot V2. */
    bool (*verify_rsa3072_pss)(void *context, const uint8_t modulus[384], uint32_t exponent,
                               const uint8_t digest[32], const uint8_t signature[384]);
};

/* SHA-256 of one byte string. MOULT_OK; MOULT_E_INTERNAL when the library fails, out
 * zeroed. */
MOULT_MUST_CHECK enum moult_status moult_sha256_once(const struct moult_crypto *crypto,
                                                     const uint8_t *data, size_t size,
                                                     uint8_t out[32]);

/* kid of a public key (trust design: first 8 bytes of SHA-256(X || Y)).
 * MOULT_OK; MOULT_E_INTERNAL as above. */
MOULT_MUST_CHECK enum moult_status moult_kid(const struct moult_crypto *crypto,
                                             const uint8_t public_key[64], uint8_t out[8]);

#endif
