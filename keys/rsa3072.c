/* rsa3072.c - see rsa3072.h. */
#include "keys/rsa3072.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

enum { BITS = 3072, SALT_SIZE = 32 };

static OSSL_PARAM *public_params(const BIGNUM *n, const BIGNUM *e)
{
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    if (builder && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1) {
        params = OSSL_PARAM_BLD_to_param(builder);
    }
    OSSL_PARAM_BLD_free(builder);
    return params;
}

EVP_PKEY *keys_rsa3072_public(const uint8_t modulus[384], uint32_t exponent)
{
    EVP_PKEY *key = NULL;
    BIGNUM *n = BN_bin2bn(modulus, MOULT_RSA3072_SIZE, NULL), *e = BN_new();
    bool is_sane = n && e && BN_num_bits(n) == BITS && BN_is_odd(n) && exponent >= 3 &&
                   exponent % 2 == 1 && BN_set_word(e, exponent) == 1;
    OSSL_PARAM *params = is_sane ? public_params(n, e) : NULL;
    EVP_PKEY_CTX *maker = params ? EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL) : NULL;
    if (!maker || EVP_PKEY_fromdata_init(maker) != 1 ||
        EVP_PKEY_fromdata(maker, &key, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    EVP_PKEY_CTX_free(maker);
    OSSL_PARAM_free(params);
    BN_free(n);
    BN_free(e);
    return key;
}

bool keys_rsa3072_is(const EVP_PKEY *key)
{
    return EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) == BITS;
}

bool keys_rsa3072_use_pss(EVP_PKEY_CTX *context)
{
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(context, SALT_SIZE) == 1;
}

/* rinv = 2^6144 mod n; mdash = -(n^-1) mod 2^32. */
static bool make_extra(const BIGNUM *n, struct moult_sb_rsa_extra *out)
{
    BN_CTX *scratch = BN_CTX_new();
    BIGNUM *number = BN_new(), *word = BN_new();
    bool good = scratch && number && word && BN_set_bit(number, 2 * BITS) == 1 &&
                BN_mod(number, number, n, scratch) == 1 &&
                BN_bn2binpad(number, out->rinv, MOULT_RSA3072_SIZE) == MOULT_RSA3072_SIZE;
    good = good && BN_set_bit(word, 32) == 1 && BN_mod_inverse(number, n, word, scratch);
    if (good) { out->mdash = (uint32_t)(0x100000000u - BN_get_word(number)); }
    BN_free(number);
    BN_free(word);
    BN_CTX_free(scratch);
    return good;
}

static bool sign(EVP_PKEY *key, const uint8_t digest[32], uint8_t out[384])
{
    size_t size = MOULT_RSA3072_SIZE;
    EVP_PKEY_CTX *signer = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    bool good = signer && EVP_PKEY_sign_init(signer) == 1 && keys_rsa3072_use_pss(signer) &&
                EVP_PKEY_sign(signer, out, &size, digest, 32) == 1 &&
                size == MOULT_RSA3072_SIZE;
    EVP_PKEY_CTX_free(signer);
    return good;
}

bool keys_rsa3072_sign(EVP_PKEY *key, const uint8_t digest[32], struct moult_sb_rsa *out,
                       struct moult_sb_rsa_extra *extra)
{
    BIGNUM *n = NULL, *e = NULL;
    bool good = keys_rsa3072_is(key) &&
                EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
                EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1 &&
                BN_num_bits(e) <= 32 &&
                BN_bn2binpad(n, out->modulus, MOULT_RSA3072_SIZE) == MOULT_RSA3072_SIZE;
    if (good) { out->exponent = (uint32_t)BN_get_word(e); }
    good = good && make_extra(n, extra) && sign(key, digest, out->signature);
    BN_free(n);
    BN_free(e);
    return good;
}
