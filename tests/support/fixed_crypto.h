/* fixed_crypto.h - keys and signatures that are the same in every run, and a fast crypto.
 *
 * Why      a run of the power suite is replayed from one line, down to the last byte of the
 *          key-value store: so keys are derived from a number, and a signature from its key
 *          and digest. And there are hundreds of thousands of runs: SHA-256 without heap,
 *          so that a world can be copied with its running hashes; a signature that was
 *          made or verified once is looked up by all of its bytes.
 * Threads  one thread: the caches are static.
 *
 * For tests only: anybody can compute these private keys.
 */
#ifndef MOULT_TESTS_SUPPORT_FIXED_CRYPTO_H
#define MOULT_TESTS_SUPPORT_FIXED_CRYPTO_H

#include "formats/crypto.h"
#include "keys/signer.h"

/* OpenSSL's SHA-256 with its state inside struct moult_sha256, and ECDSA behind a cache of
 * exact inputs. */
struct moult_crypto fixed_crypto(void);

/* Key `number`. Nothing to close. Aborts when OpenSSL fails. */
void fixed_signer(unsigned number, struct keys_signer *out);

/* How often ECDSA was computed, and how often it was looked up, by this process. */
struct fixed_crypto_counts {
    uint64_t signed_new, signed_known, verified_new, verified_known;
};
struct fixed_crypto_counts fixed_crypto_counts(void);

#endif
