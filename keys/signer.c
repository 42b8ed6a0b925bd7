/* signer.c - see signer.h. */
#include "keys/signer.h"
#include <string.h>

enum moult_status keys_sign(const struct moult_crypto *crypto,
                            const struct keys_signer *signer,
                            const uint8_t digest[MOULT_SHA256_SIZE],
                            uint8_t signature[MOULT_SIGNATURE_SIZE])
{
    enum moult_status st = signer->sign(signer->context, signer->kid, digest, signature);
    bool is_right =
        st == MOULT_OK &&
        crypto->verify_p256(crypto->context, signer->public_key, digest, signature);
    if (is_right) { return MOULT_OK; }
    memset(signature, 0, MOULT_SIGNATURE_SIZE);
    return st == MOULT_OK ? MOULT_E_SIGNATURE : st;
}

enum moult_status keys_sign_statement(const struct moult_crypto *crypto,
                                      enum moult_statement kind, struct moult_bytes payload,
                                      const struct keys_signer *const *signers,
                                      unsigned count, struct moult_cbor_writer *out)
{
    struct moult_cose_signature signatures[MOULT_COSE_SIGNATURES_MAX];
    if (count < 1 || count > MOULT_COSE_SIGNATURES_MAX) { return MOULT_E_ARG; }
    for (unsigned i = 0; i < count; i++) {
        struct moult_cose_signature *signature = &signatures[i];
        uint8_t digest[MOULT_SHA256_SIZE];
        memcpy(signature->kid, signers[i]->kid, MOULT_KID_SIZE);
        signature->alg = MOULT_CBOR_ESP256;
        enum moult_status st = moult_cose_tbs_digest(crypto, signature->kid,
                                                     MOULT_CBOR_ESP256, payload, digest);
        if (st == MOULT_OK) {
            st = keys_sign(crypto, signers[i], digest, signature->bytes);
        }
        if (st != MOULT_OK) { return st; }
    }
    return moult_cose_compose(kind, payload, signatures, count, out);
}

void keys_signer_close(struct keys_signer *signer)
{
    if (signer->close) { signer->close(signer->context); }
    *signer = (struct keys_signer){0};
}
