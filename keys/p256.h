/* p256.h - P-256 keys and signatures between raw bytes and OpenSSL's objects.
 *
 * Layer    keys, private to it.
 */
#ifndef MOULT_KEYS_P256_H
#define MOULT_KEYS_P256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/evp.h>

#define KEYS_P256_DER_MAX 72u /* SEQUENCE of two INTEGERs of up to 33 bytes */

/* A public key from X || Y; the caller frees it. NULL: not a point of the curve, or no
 * memory. */
EVP_PKEY *keys_p256_public(const uint8_t xy[64]);

/* Whether the key is an EC key on P-256. */
bool keys_p256_is(const EVP_PKEY *key);

/* X || Y of a key. False: it has no public part on P-256; out zeroed. */
bool keys_p256_xy(const EVP_PKEY *key, uint8_t xy[64]);

/* r || s to DER, bytes written; 0 when OpenSSL has no memory. Any r and s, also 0 and >=
 * n. */
size_t keys_p256_to_der(const uint8_t rs[64], uint8_t der[KEYS_P256_DER_MAX]);

/* DER to r || s. False: not such a DER, or a number over 32 bytes; out zeroed. */
bool keys_p256_from_der(const uint8_t *der, size_t size, uint8_t rs[64]);

/* Signs a digest with a private key. False: OpenSSL refused; out zeroed. */
bool keys_p256_sign(EVP_PKEY *key, const uint8_t digest[32], uint8_t rs[64]);

/* Empties OpenSSL's error queue of this thread: our callers get a status, and a queue that
 * nobody reads would mislead the next reader. */
void keys_p256_forget_errors(void);

#endif
