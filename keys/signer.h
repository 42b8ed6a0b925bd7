/* signer.h - something that can sign with one P-256 key, wherever the key lives.
 *
 * Layer    keys.
 * Memory   the back-end's state is on the heap until keys_signer_close().
 * Threads  one thread at a time per signer.
 * Use it   keys_file_open() (key_file.h), keys_sign() as often as needed,
 *          keys_signer_close(). Statements: keys_sign_statement().
 *
 * Back-ends fill in this struct. The file back-end is for development; an exec hook and
 * PKCS#11 stand behind the same two functions.
 */
#ifndef MOULT_KEYS_SIGNER_H
#define MOULT_KEYS_SIGNER_H

#include "formats/cose.h"
#include "formats/crypto.h"

struct keys_signer {
    void *context;                         /* of the back-end */
    uint8_t public_key[MOULT_PUBKEY_SIZE]; /* X || Y */
    uint8_t kid[MOULT_KID_SIZE];
    char name[64]; /* for messages: file name, token label; never a secret */
    enum moult_status (*sign)(void *context, const uint8_t kid[MOULT_KID_SIZE],
                              const uint8_t digest[MOULT_SHA256_SIZE],
                              uint8_t signature[MOULT_SIGNATURE_SIZE]);
    void (*close)(void *context); /* wipes and frees; NULL allowed */
};

/* Signs a digest and verifies the result against public_key before handing it out.
 * MOULT_OK; MOULT_E_SIGNATURE: the back-end gave something that does not verify, signature
 * zeroed; or the status of the back-end. */
MOULT_MUST_CHECK enum moult_status keys_sign(const struct moult_crypto *crypto,
                                             const struct keys_signer *signer,
                                             const uint8_t digest[MOULT_SHA256_SIZE],
                                             uint8_t signature[MOULT_SIGNATURE_SIZE]);

/* Signs a payload with each of `count` signers (1..MOULT_COSE_SIGNATURES_MAX) and composes
 * the envelope.
 *
 * out  an initialised writer; the envelope is appended.
 *
 * MOULT_OK; as keys_sign() and moult_cose_compose(). */
MOULT_MUST_CHECK enum moult_status
keys_sign_statement(const struct moult_crypto *crypto, enum moult_statement kind,
                    struct moult_bytes payload, const struct keys_signer *const *signers,
                    unsigned count, struct moult_cbor_writer *out);

/* Ends a signer; harmless on a zeroed one. */
void keys_signer_close(struct keys_signer *signer);

#endif
