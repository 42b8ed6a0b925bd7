/* crypto.c - see crypto.h. */
#include "formats/crypto.h"
#include <string.h>

enum moult_status moult_sha256_once(const struct moult_crypto *crypto, const uint8_t *data,
                                    size_t size, uint8_t out[32])
{
    struct moult_sha256 hash = {0};
    if (crypto->sha256_init(crypto->context, &hash) &&
        crypto->sha256_update(crypto->context, &hash, data, size) &&
        crypto->sha256_final(crypto->context, &hash, out)) {
        return MOULT_OK;
    }
    crypto->sha256_abort(crypto->context, &hash);
    memset(out, 0, MOULT_SHA256_SIZE);
    return MOULT_E_INTERNAL;
}

enum moult_status moult_kid(const struct moult_crypto *crypto, const uint8_t public_key[64],
                            uint8_t out[8])
{
    uint8_t digest[MOULT_SHA256_SIZE];
    enum moult_status st = moult_sha256_once(crypto, public_key, MOULT_PUBKEY_SIZE, digest);
    if (st == MOULT_OK) { memcpy(out, digest, MOULT_KID_SIZE); }
    return st;
}
