/* psa_crypto.h - hash and signature check of statements over the PSA crypto API.
 *
 * Layer    ports: the only PSA names of this port are in psa_crypto.c.
 * Memory   static storage of the PSA library.
 * Threads  mbedTLS 2.28 is built without locks for PSA: all users of one process on one
 *          thread, or under one lock of the caller.
 *
 * Plain PSA (psa_hash_*, psa_verify_hash, psa_import_key), so the same file compiles
 * against mbedTLS 2.28, 3.6 and 4.
 */
#ifndef MOULT_PORTS_POSIX_PSA_CRYPTO_H
#define MOULT_PORTS_POSIX_PSA_CRYPTO_H

#include "formats/crypto.h"

/* Starts the PSA library; calling it again is harmless. MOULT_OK; MOULT_E_INTERNAL. */
MOULT_MUST_CHECK enum moult_status moult_psa_start(void);

/* Ready to use after moult_psa_start(); `context` is NULL. */
struct moult_crypto moult_psa_crypto(void);

/* size random bytes of the PSA generator. MOULT_OK; MOULT_E_INTERNAL, out zeroed. */
MOULT_MUST_CHECK enum moult_status moult_psa_random(uint8_t *out, size_t size);

#endif
