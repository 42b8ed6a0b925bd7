/* p256.c - see p256.h. */
#include "keys/p256.h"
#include <string.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/params.h>

static char group_name[] = "prime256v1";

EVP_PKEY *keys_p256_public(const uint8_t xy[64])
{
    uint8_t point[65] = {4}; /* uncompressed */
    memcpy(point + 1, xy, 64);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group_name, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    bool good = maker && EVP_PKEY_fromdata_init(maker) == 1 &&
                EVP_PKEY_fromdata(maker, &key, EVP_PKEY_PUBLIC_KEY, params) == 1;
    EVP_PKEY_CTX_free(maker);
    if (good) { return key; }
    EVP_PKEY_free(key);
    return NULL;
}

bool keys_p256_is(const EVP_PKEY *key)
{
    char name[32];
    size_t size = 0;
    return EVP_PKEY_is_a(key, "EC") &&
           EVP_PKEY_get_group_name(key, name, sizeof name, &size) == 1 &&
           strcmp(name, group_name) == 0;
}

static bool coordinate(const EVP_PKEY *key, const char *name, uint8_t out[32])
{
    BIGNUM *number = NULL;
    bool good = EVP_PKEY_get_bn_param(key, name, &number) == 1 &&
                BN_bn2binpad(number, out, 32) == 32;
    BN_free(number);
    return good;
}

bool keys_p256_xy(const EVP_PKEY *key, uint8_t xy[64])
{
    bool good = keys_p256_is(key) && coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X, xy) &&
                coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y, xy + 32);
    if (!good) { memset(xy, 0, 64); }
    keys_p256_forget_errors();
    return good;
}

size_t keys_p256_to_der(const uint8_t rs[64], uint8_t der[KEYS_P256_DER_MAX])
{
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(rs, 32, NULL);
    BIGNUM *s = BN_bin2bn(rs + 32, 32, NULL);
    if (!pair || !r || !s || ECDSA_SIG_set0(pair, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(pair);
        return 0;
    }
    uint8_t *end = der;
    int size = i2d_ECDSA_SIG(pair, &end);
    ECDSA_SIG_free(pair); /* with r and s */
    return size > 0 ? (size_t)size : 0;
}

bool keys_p256_from_der(const uint8_t *der, size_t size, uint8_t rs[64])
{
    const uint8_t *at = der;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)size);
    bool good = pair && at == der + size &&
                BN_bn2binpad(ECDSA_SIG_get0_r(pair), rs, 32) == 32 &&
                BN_bn2binpad(ECDSA_SIG_get0_s(pair), rs + 32, 32) == 32;
    ECDSA_SIG_free(pair);
    if (!good) { memset(rs, 0, 64); }
    return good;
}

bool keys_p256_sign(EVP_PKEY *key, const uint8_t digest[32], uint8_t rs[64])
{
    uint8_t der[KEYS_P256_DER_MAX];
    size_t size = sizeof der;
    EVP_PKEY_CTX *signing = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    bool good = signing && EVP_PKEY_sign_init(signing) == 1 &&
                EVP_PKEY_sign(signing, der, &size, digest, 32) == 1 &&
                keys_p256_from_der(der, size, rs);
    EVP_PKEY_CTX_free(signing);
    if (!good) { memset(rs, 0, 64); }
    keys_p256_forget_errors();
    return good;
}

void keys_p256_forget_errors(void)
{
    ERR_clear_error();
}
