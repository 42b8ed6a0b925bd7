/* sb_signer.h - signs application images for Secure Boot V2, as espsecure does.
 *
 * Layer    keys.
 * Format   docs/spec/esp-image.md, "Signature sector".
 * Memory   a key is on the heap until keys_sb_key_free(); the rest is the caller's.
 * Threads  one at a time per key.
 *
 * For tests and for products that sign on the host they build on. Keys in hardware sign
 * with espsecure, whose images are as good.
 */
#ifndef MOULT_KEYS_SB_SIGNER_H
#define MOULT_KEYS_SB_SIGNER_H

#include <stdint.h>
#include "formats/crypto.h"
#include "formats/secure_boot.h"
#include "formats/status.h"

/* A private key, RSA-3072 or P-256. */
struct keys_sb_key;

/* A new one; free it. MOULT_OK; MOULT_E_UNSUPPORTED: another scheme; MOULT_E_INTERNAL:
 * OpenSSL. */
MOULT_MUST_CHECK enum moult_status keys_sb_key_make(enum moult_sb_scheme scheme,
                                                    struct keys_sb_key **out);

/* The key of a PEM file (PKCS#8, PKCS#1, SEC1; not encrypted); free it.
 * MOULT_OK; MOULT_E_NOENT: cannot be opened; MOULT_E_FORMAT: no private key in it;
 * MOULT_E_UNSUPPORTED: neither RSA-3072 nor P-256; MOULT_E_INTERNAL. */
MOULT_MUST_CHECK enum moult_status keys_sb_key_open(const char *path,
                                                    struct keys_sb_key **out);

/* Wipes and frees; NULL allowed. */
void keys_sb_key_free(struct keys_sb_key *key);

/* Writes the key as PEM (PKCS#8), mode 0600, into a file that does not exist yet.
 * MOULT_OK; MOULT_E_EXISTS; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status keys_sb_key_save(const struct keys_sb_key *key,
                                                    const char *path);

/* One signature block over an image digest (moult_sb_image_digest()).
 * MOULT_OK; MOULT_E_INTERNAL: OpenSSL, raw zeroed. */
MOULT_MUST_CHECK enum moult_status keys_sb_sign(const struct keys_sb_key *key,
                                                const uint8_t digest[MOULT_SHA256_SIZE],
                                                uint8_t raw[MOULT_SB_BLOCK_SIZE]);

/* Pads an image of `size` bytes with 0xff to 4 KB and puts a signature sector behind it,
 * with a block for each of `count` keys (1..3).
 *
 * image->size then is that of the whole, sector included.
 *
 * MOULT_OK; MOULT_E_SPACE: it does not fit, nothing changed; MOULT_E_INTERNAL. */
struct keys_sb_image {
    uint8_t *data;
    uint32_t size, capacity;
};
MOULT_MUST_CHECK enum moult_status keys_sb_sign_image(struct keys_sb_image *image,
                                                      const struct keys_sb_key *const *keys,
                                                      uint32_t count,
                                                      const struct moult_crypto *crypto);

/* SHA-256 of the public key, as eFuses hold it. MOULT_OK; MOULT_E_INTERNAL. */
MOULT_MUST_CHECK enum moult_status keys_sb_key_digest(const struct keys_sb_key *key,
                                                      const struct moult_crypto *crypto,
                                                      uint8_t out[32]);

#endif
