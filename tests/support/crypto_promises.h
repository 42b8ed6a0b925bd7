/* crypto_promises.h - what every implementation of struct moult_crypto must do.
 *
 * Use it   check(crypto_promises_hash(&crypto) && crypto_promises_verify(&crypto));
 *
 * Each prints the promise that is broken. Signatures to try are made with OpenSSL, so that
 * a back-end is never judged by itself alone.
 */
#ifndef MOULT_TESTS_SUPPORT_CRYPTO_PROMISES_H
#define MOULT_TESTS_SUPPORT_CRYPTO_PROMISES_H

#include <stdbool.h>
#include "formats/crypto.h"

/* Known digests, in one piece and in many; clones; ends that are harmless. */
bool crypto_promises_hash(const struct moult_crypto *crypto);

/* Good signatures pass. Flipped bits of one, r or s of 0, n and above, and public keys
 * that are no point of P-256 do not. */
bool crypto_promises_verify(const struct moult_crypto *crypto);

/* Good RSA-3072-PSS signatures pass. Changed ones, other keys, other digests, exponents
 * and numbers as large as the modulus do not. */
bool crypto_promises_rsa(const struct moult_crypto *crypto);

#endif
