/* key_file.h - P-256 private keys in PEM files: the development back-end.
 *
 * Layer    keys.
 * Format   PKCS#8 "PRIVATE KEY" or SEC1 "EC PRIVATE KEY", unencrypted, mode 0600 and owned
 *          by the user; public keys as "PUBLIC KEY".
 * Memory   an open key is on the heap until keys_signer_close(), which wipes it.
 * Threads  any; one open key serves one thread at a time.
 */
#ifndef MOULT_KEYS_KEY_FILE_H
#define MOULT_KEYS_KEY_FILE_H

#include "formats/codes.h"
#include "keys/signer.h"

/* Largest PEM file that is read, bytes: a P-256 key has 241, comments allowed. */
#define KEYS_FILE_SIZE_MAX 8192u

/* What is wrong with a key file, for messages. */
struct keys_error {
    uint16_t detail; /* MOULT_D_KEY_FILE, KEY_MODE or KEY_CURVE */
    char expected[64];
    char found[128];
};

/* Makes a new key in a new file with mode 0600. error may be NULL.
 * MOULT_OK; MOULT_E_EXISTS: the file is there, untouched; MOULT_E_IO; MOULT_E_INTERNAL. */
MOULT_MUST_CHECK enum moult_status keys_file_generate(const char *path,
                                                      struct keys_error *error);

/* Opens a private key. error may be NULL.
 * MOULT_OK; MOULT_E_IO: not readable; MOULT_E_REFUSED: mode lets others read it (KEY_MODE);
 * MOULT_E_FORMAT: not a PEM key; MOULT_E_UNSUPPORTED: not on P-256 (KEY_CURVE).
 * out is zeroed on failure. */
MOULT_MUST_CHECK enum moult_status keys_file_open(const char *path, struct keys_signer *out,
                                                  struct keys_error *error);

/* Reads the public key of a PEM file that holds a private or a public key; the mode does
 * not matter. As keys_file_open() otherwise. */
MOULT_MUST_CHECK enum moult_status keys_file_public(const char *path,
                                                    uint8_t public_key[MOULT_PUBKEY_SIZE],
                                                    struct keys_error *error);

/* A key that exists only in memory, for tests and simulators.
 * MOULT_OK; MOULT_E_INTERNAL, out zeroed. */
MOULT_MUST_CHECK enum moult_status keys_memory_generate(struct keys_signer *out);

#endif
