/* certificate.h - X.509 certificates on P-256, for development fleets and for fingerprints.
 *
 * Layer    keys.
 * Why      authorisation is the SHA-256 of a key's SPKI, so a certificate only carries the
 *          key and
 *          a name; production uses its own CA.
 * Format   PEM files.
 */
#ifndef MOULT_KEYS_CERTIFICATE_H
#define MOULT_KEYS_CERTIFICATE_H

#include <stdbool.h>
#include "keys/key_file.h"

#define KEYS_SPKI_SIZE 32u /* SHA-256 of the SubjectPublicKeyInfo */

struct keys_certificate_options {
    const char *key_path;    /* private key whose public half is certified */
    const char *common_name; /* 1..64 bytes */
    const char *alt_names;   /* "DNS:localhost,IP:127.0.0.1", or NULL */
    bool is_ca;              /* may sign others; then self-signed */
    const char *issuer_path; /* certificate of the CA; NULL: self-signed */
    const char *issuer_key_path;
    const char *out_path; /* a new file, mode 0644 */
};

/* Valid from a minute ago to 9999-12-31 (RFC 5280's "no expiry"): devices have no clock to
 * check
 * it by, and the fingerprint list revokes at once. error may be NULL.
 *
 * MOULT_OK; MOULT_E_EXISTS: out_path is there; MOULT_E_IO; MOULT_E_FORMAT: a key or the
 * issuer
 * cannot be used; MOULT_E_ARG: a name; MOULT_E_INTERNAL. */
MOULT_MUST_CHECK enum moult_status
keys_certificate_create(const struct keys_certificate_options *options,
                        struct keys_error *error);

/* SHA-256 of the SPKI of a public key X || Y; what the server knows a device by. */
MOULT_MUST_CHECK enum moult_status keys_spki_sha256(const uint8_t public_key[64],
                                                    uint8_t out[KEYS_SPKI_SIZE]);

#endif
