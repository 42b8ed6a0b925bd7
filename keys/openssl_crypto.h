/* openssl_crypto.h - hash and signature check of statements over OpenSSL 3, for hosts.
 *
 * Layer    keys: the only folder besides server/base that includes OpenSSL.
 * Memory   a running hash holds one heap object until final or abort.
 * Threads  the callbacks share nothing: one struct may be used by any number of threads.
 */
#ifndef MOULT_KEYS_OPENSSL_CRYPTO_H
#define MOULT_KEYS_OPENSSL_CRYPTO_H

#include "formats/crypto.h"

/* Ready to use; `context` is NULL. */
struct moult_crypto keys_openssl_crypto(void);

#endif
