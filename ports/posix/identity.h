/* identity.h - who a device is: a P-256 key, a certificate, and what follows from them.
 *
 * Layer    ports/posix, over mbedTLS. For provisioning tools; a device in the field only
 *          uses what they made.
 * Memory   heap of the library during a call. PEM texts end with a NUL.
 * Use it   make a key, take its SPKI hash (the server's allow-list) and its device id, have
 *          a certificate issued whose CN is that id in hex (which the broker maps to the
 *          topic).
 */
#ifndef MOULT_PORTS_POSIX_IDENTITY_H
#define MOULT_PORTS_POSIX_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "formats/compiler.h"
#include "formats/status.h"

#define MOULT_PEM_SIZE_MAX 2048u /* bytes of a key or certificate as PEM, NUL included */

/* A new P-256 key as PEM. MOULT_OK; MOULT_E_INTERNAL: no randomness or memory. */
MOULT_MUST_CHECK enum moult_status moult_identity_make_key(char out[MOULT_PEM_SIZE_MAX]);

/* SHA-256 of the SubjectPublicKeyInfo of a private key, or of a certificate.
 * MOULT_OK; MOULT_E_FORMAT: not PEM of that kind. */
MOULT_MUST_CHECK enum moult_status moult_identity_of_key(const char *key, uint8_t spki[32]);
MOULT_MUST_CHECK enum moult_status moult_identity_of_certificate(const char *certificate,
                                                                 uint8_t spki[32]);

/* The common name of a certificate's subject, "" when it has none.
 * MOULT_OK; MOULT_E_FORMAT: not a certificate; MOULT_E_SPACE: longer than out. */
MOULT_MUST_CHECK enum moult_status moult_identity_name(const char *certificate, char *out,
                                                       size_t size);

/* A certificate for the key, CN `name`, valid for ever, for TLS clients.
 *
 * ca, ca_key   who issues it; both NULL: the key itself.
 *
 * MOULT_OK; MOULT_E_FORMAT: key, ca or ca_key cannot be read, or ca and ca_key are no pair;
 * MOULT_E_INTERNAL. */
MOULT_MUST_CHECK enum moult_status moult_identity_issue(const char *key, const char *name,
                                                        const char *ca, const char *ca_key,
                                                        char out[MOULT_PEM_SIZE_MAX]);

/* A certificate request for the same. MOULT_OK; MOULT_E_FORMAT; MOULT_E_INTERNAL. */
MOULT_MUST_CHECK enum moult_status moult_identity_request(const char *key, const char *name,
                                                          char out[MOULT_PEM_SIZE_MAX]);

#endif
