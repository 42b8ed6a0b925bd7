/* fixed_crypto.c - see fixed_crypto.h. */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA256_*: the only API whose state is plain bytes */
#include "tests/support/fixed_crypto.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <openssl/sha.h>
#include "formats/bytes.h"
#include "keys/openssl_crypto.h"

static void must(bool claim, const char *what)
{
    if (claim) { return; }
    fprintf(stderr, "fixed_crypto.c: %s failed\n", what);
    abort();
}

/* --- SHA-256 --- */

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct moult_sha256), "the state fits");

static SHA256_CTX *state_of(struct moult_sha256 *hash)
{
    return (SHA256_CTX *)(void *)hash->opaque;
}

static bool sha256_init(void *context, struct moult_sha256 *hash)
{
    (void)context;
    return SHA256_Init(state_of(hash)) == 1;
}

static bool sha256_update(void *context, struct moult_sha256 *hash, const uint8_t *data,
                          size_t size)
{
    (void)context;
    return SHA256_Update(state_of(hash), data, size) == 1;
}

static bool sha256_clone(void *context, const struct moult_sha256 *from,
                         struct moult_sha256 *to)
{
    (void)context;
    *to = *from;
    return true;
}

static bool sha256_final(void *context, struct moult_sha256 *hash, uint8_t out[32])
{
    (void)context;
    return SHA256_Final(out, state_of(hash)) == 1;
}

static void sha256_abort(void *context, struct moult_sha256 *hash)
{
    (void)context;
    memset(hash, 0, sizeof *hash);
}

/* --- what is known --- */

enum { KNOWN_COUNT = 1 << 15 };

struct known_signature {
    uint8_t kid[MOULT_KID_SIZE], digest[32], signature[64];
};
struct known_verdict {
    uint8_t key[64], digest[32], signature[64];
    bool is_set, is_good;
};

static struct known_signature *signatures;
static struct known_verdict *verdicts;
static struct fixed_crypto_counts counts;

struct fixed_crypto_counts fixed_crypto_counts(void)
{
    return counts;
}

static void make_room(void)
{
    if (signatures) { return; }
    signatures = calloc(KNOWN_COUNT, sizeof *signatures);
    verdicts = calloc(KNOWN_COUNT, sizeof *verdicts);
    must(signatures && verdicts, "memory");
}

/* A digest is random already. */
static unsigned place_of(const uint8_t digest[32], const uint8_t more[4])
{
    return (get_le32(digest) ^ get_le32(more)) % KNOWN_COUNT;
}

/* --- ECDSA --- */

static bool verify_p256(void *context, const uint8_t public_key[64],
                        const uint8_t digest[32], const uint8_t signature[64])
{
    (void)context;
    struct known_verdict *known = &verdicts[place_of(digest, signature)];
    bool is_known = known->is_set && memcmp(known->key, public_key, 64) == 0 &&
                    memcmp(known->digest, digest, 32) == 0 &&
                    memcmp(known->signature, signature, 64) == 0;
    counts.verified_known += is_known;
    if (is_known) { return known->is_good; }
    counts.verified_new++;
    struct moult_crypto real = keys_openssl_crypto();
    known->is_good = real.verify_p256(NULL, public_key, digest, signature);
    known->is_set = true;
    memcpy(known->key, public_key, 64);
    memcpy(known->digest, digest, 32);
    memcpy(known->signature, signature, 64);
    return known->is_good;
}

struct moult_crypto fixed_crypto(void)
{
    make_room();
    return (struct moult_crypto){
        .sha256_init = sha256_init,
        .sha256_update = sha256_update,
        .sha256_clone = sha256_clone,
        .sha256_final = sha256_final,
        .sha256_abort = sha256_abort,
        .verify_p256 = verify_p256,
    };
}

/* --- keys --- */

enum { FIXED_KEYS = 16 };

static struct fixed_key {
    uint8_t kid[MOULT_KID_SIZE];
    BIGNUM *secret;
} fixed_keys[FIXED_KEYS];
static EC_GROUP *curve;
static BN_CTX *numbers;

/* A number of 1..n-1 that is a function of the bytes. */
static BIGNUM *scalar_of(const uint8_t *bytes, size_t size)
{
    uint8_t digest[32];
    SHA256(bytes, size, digest);
    BIGNUM *out = BN_bin2bn(digest, sizeof digest, NULL);
    BIGNUM *most = BN_dup(EC_GROUP_get0_order(curve));
    must(out && most && BN_sub_word(most, 1) && BN_mod(out, out, most, numbers) &&
             BN_add_word(out, 1),
         "scalar");
    BN_free(most);
    return out;
}

/* x (and y) of scalar * G. */
static void multiply(const BIGNUM *scalar, BIGNUM *x, BIGNUM *y)
{
    EC_POINT *point = EC_POINT_new(curve);
    must(point && EC_POINT_mul(curve, point, scalar, NULL, NULL, numbers) == 1 &&
             EC_POINT_get_affine_coordinates(curve, point, x, y, numbers) == 1,
         "point");
    EC_POINT_free(point);
}

/* ECDSA with a nonce that is a function of key and digest: for tests, not RFC 6979. */
static void sign_anew(const BIGNUM *secret, const uint8_t digest[32], uint8_t out[64])
{
    uint8_t both[64];
    must(BN_bn2binpad(secret, both, 32) == 32, "secret");
    memcpy(both + 32, digest, 32);
    const BIGNUM *order = EC_GROUP_get0_order(curve);
    BIGNUM *nonce = scalar_of(both, sizeof both);
    BIGNUM *r = BN_new(), *s = BN_new(), *z = BN_bin2bn(digest, 32, NULL);
    must(r && s && z, "memory");
    multiply(nonce, r, NULL);
    must(BN_mod(r, r, order, numbers) && BN_mod_mul(s, r, secret, order, numbers) &&
             BN_mod_add(s, s, z, order, numbers) &&
             BN_mod_inverse(nonce, nonce, order, numbers) &&
             BN_mod_mul(s, s, nonce, order, numbers) && BN_bn2binpad(r, out, 32) == 32 &&
             BN_bn2binpad(s, out + 32, 32) == 32,
         "signature");
    BN_clear_free(nonce);
    BN_free(r);
    BN_free(s);
    BN_free(z);
}

static enum moult_status sign(void *context, const uint8_t kid[MOULT_KID_SIZE],
                              const uint8_t digest[32], uint8_t signature[64])
{
    const struct fixed_key *key = context;
    struct known_signature *known = &signatures[place_of(digest, kid)];
    bool is_known = memcmp(known->kid, kid, MOULT_KID_SIZE) == 0 &&
                    memcmp(known->digest, digest, 32) == 0;
    counts.signed_known += is_known;
    if (!is_known) {
        counts.signed_new++;
        sign_anew(key->secret, digest, known->signature);
        memcpy(known->kid, kid, MOULT_KID_SIZE);
        memcpy(known->digest, digest, 32);
    }
    memcpy(signature, known->signature, 64);
    return MOULT_OK;
}

void fixed_signer(unsigned number, struct keys_signer *out)
{
    struct moult_crypto crypto = fixed_crypto();
    must(number < FIXED_KEYS, "key number");
    if (!curve) {
        curve = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
        numbers = BN_CTX_new();
        must(curve && numbers, "curve");
    }
    char name[24];
    int size = snprintf(name, sizeof name, "moult test key %u", number);
    struct fixed_key *key = &fixed_keys[number];
    if (!key->secret) { key->secret = scalar_of((const uint8_t *)name, (size_t)size); }
    BIGNUM *x = BN_new(), *y = BN_new();
    must(x && y, "memory");
    multiply(key->secret, x, y);
    *out = (struct keys_signer){.context = key, .sign = sign};
    must(BN_bn2binpad(x, out->public_key, 32) == 32 &&
             BN_bn2binpad(y, out->public_key + 32, 32) == 32 &&
             moult_kid(&crypto, out->public_key, out->kid) == MOULT_OK,
         "public key");
    BN_free(x);
    BN_free(y);
}
