/* rsa3072.h - RSA-3072 keys and PSS signatures between raw bytes and OpenSSL's objects.
 *
 * Layer    keys, private to it. For Secure Boot V2 only: statements are signed with P-256.
 */
#ifndef MOULT_KEYS_RSA3072_H
#define MOULT_KEYS_RSA3072_H

#include <stdbool.h>
#include <stdint.h>
#include <openssl/evp.h>
#include "formats/secure_boot.h"

/* A public key from a big-endian modulus; the caller frees it. NULL: not 3,072 bits, an
 * even number, or no memory. */
EVP_PKEY *keys_rsa3072_public(const uint8_t modulus[384], uint32_t exponent);

/* Whether the key is an RSA key of 3,072 bits. */
bool keys_rsa3072_is(const EVP_PKEY *key);

/* PSS with SHA-256, MGF1 with SHA-256 and 32 bytes of salt, for a context that was
 * initialised to sign or verify. False: OpenSSL refused. */
bool keys_rsa3072_use_pss(EVP_PKEY_CTX *context);

/* Signs a digest and gives all the numbers of a signature block. False: OpenSSL refused, or
 * an exponent over 32 bits; out undefined. */
bool keys_rsa3072_sign(EVP_PKEY *key, const uint8_t digest[32], struct moult_sb_rsa *out,
                       struct moult_sb_rsa_extra *extra);

#endif
