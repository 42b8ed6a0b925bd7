/* crypto_promises.c - see crypto_promises.h. */
#include "tests/support/crypto_promises.h"
#include <stdio.h>
#include <string.h>
#include "formats/reader.h"
#include "formats/secure_boot.h"
#include "keys/key_file.h"
#include "keys/sb_signer.h"
#include "tests/support/spec.h"

static bool promise(bool kept, const char *what)
{
    if (!kept) { printf("crypto promise broken: %s\n", what); }
    return kept;
}

/* --- hash --- */

static bool digest_is(const struct moult_crypto *crypto, const char *data, size_t size,
                      const char *hex)
{
    uint8_t want[32], have[32];
    (void)hex_bytes(hex, want, sizeof want); /* 32 by construction */
    return moult_sha256_once(crypto, (const uint8_t *)data, size, have) == MOULT_OK &&
           memcmp(want, have, 32) == 0;
}

static bool in_pieces(const struct moult_crypto *crypto, size_t piece, uint8_t out[32])
{
    uint8_t data[300];
    struct moult_sha256 hash = {0};
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)i;
    }
    bool good = crypto->sha256_init(crypto->context, &hash);
    for (size_t at = 0; at < sizeof data; at += piece) {
        size_t size = sizeof data - at < piece ? sizeof data - at : piece;
        good = good && crypto->sha256_update(crypto->context, &hash, data + at, size);
    }
    return good && crypto->sha256_final(crypto->context, &hash, out);
}

static bool pieces_do_not_matter(const struct moult_crypto *crypto)
{
    uint8_t whole[32], part[32];
    if (!in_pieces(crypto, 300, whole)) { return false; }
    static const size_t pieces[] = {1, 7, 63, 64, 65, 128};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        if (!in_pieces(crypto, pieces[i], part) || memcmp(whole, part, 32) != 0) {
            return false;
        }
    }
    return true;
}

/* A clone goes its own way; both end right. */
static bool clones_are_independent(const struct moult_crypto *crypto)
{
    struct moult_sha256 hash = {0}, clone = {0};
    uint8_t abc[32], abd[32], want[32];
    bool good = crypto->sha256_init(crypto->context, &hash) &&
                crypto->sha256_update(crypto->context, &hash, (const uint8_t *)"ab", 2) &&
                crypto->sha256_clone(crypto->context, &hash, &clone) &&
                crypto->sha256_update(crypto->context, &hash, (const uint8_t *)"c", 1) &&
                crypto->sha256_update(crypto->context, &clone, (const uint8_t *)"d", 1) &&
                crypto->sha256_final(crypto->context, &hash, abc) &&
                crypto->sha256_final(crypto->context, &clone, abd);
    good = good && moult_sha256_once(crypto, (const uint8_t *)"abc", 3, want) == MOULT_OK &&
           memcmp(abc, want, 32) == 0;
    return good && moult_sha256_once(crypto, (const uint8_t *)"abd", 3, want) == MOULT_OK &&
           memcmp(abd, want, 32) == 0;
}

static bool ends_are_harmless(const struct moult_crypto *crypto)
{
    struct moult_sha256 hash = {0};
    uint8_t out[32];
    crypto->sha256_abort(crypto->context, &hash); /* zeroed */
    bool good = crypto->sha256_init(crypto->context, &hash) &&
                crypto->sha256_update(crypto->context, &hash, (const uint8_t *)"a", 1);
    crypto->sha256_abort(crypto->context, &hash); /* running */
    crypto->sha256_abort(crypto->context, &hash); /* ended */
    good = good && crypto->sha256_init(crypto->context, &hash) &&
           crypto->sha256_update(crypto->context, &hash, NULL, 0) &&
           crypto->sha256_final(crypto->context, &hash, out);
    crypto->sha256_abort(crypto->context, &hash); /* finished */
    return good;
}

bool crypto_promises_hash(const struct moult_crypto *crypto)
{
    static const char two_blocks[] =
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    bool known =
        digest_is(crypto, "", 0,
                  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855") &&
        digest_is(crypto, "abc", 3,
                  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad") &&
        digest_is(crypto, two_blocks, sizeof two_blocks - 1,
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    return promise(known, "known digests") &&
           promise(pieces_do_not_matter(crypto), "pieces do not matter") &&
           promise(clones_are_independent(crypto), "clones are independent") &&
           promise(ends_are_harmless(crypto), "abort is harmless at any time");
}

/* --- signatures --- */

/* Order of the base point of P-256. */
static const char order_hex[] =
    "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

struct trial {
    struct keys_signer signer;
    uint8_t digest[32], signature[64];
};

static bool passes(const struct moult_crypto *crypto, const struct trial *trial,
                   const uint8_t *signature)
{
    return crypto->verify_p256(crypto->context, trial->signer.public_key, trial->digest,
                               signature);
}

/* r, s or both replaced by `number` in an otherwise good signature. */
static bool number_is_refused(const struct moult_crypto *crypto, const struct trial *trial,
                              const uint8_t number[32])
{
    for (unsigned which = 1; which <= 3; which++) {
        uint8_t signature[64];
        memcpy(signature, trial->signature, sizeof signature);
        if (which & 1) { memcpy(signature, number, 32); }
        if (which & 2) { memcpy(signature + 32, number, 32); }
        if (passes(crypto, trial, signature)) { return false; }
    }
    return true;
}

static bool numbers_outside_are_refused(const struct moult_crypto *crypto,
                                        const struct trial *trial)
{
    uint8_t zero[32] = {0}, order[32], above[32], largest[32];
    (void)hex_bytes(order_hex, order, sizeof order); /* 32 by construction */
    memcpy(above, order, sizeof above);
    above[31]++;
    memset(largest, 0xff, sizeof largest);
    return number_is_refused(crypto, trial, zero) &&
           number_is_refused(crypto, trial, order) &&
           number_is_refused(crypto, trial, above) &&
           number_is_refused(crypto, trial, largest);
}

/* r + n and s + n are the same numbers modulo n: an implementation that reduces would
 * accept. */
static bool reduced_numbers_are_refused(const struct moult_crypto *crypto,
                                        const struct trial *trial)
{
    uint8_t order[32];
    (void)hex_bytes(order_hex, order, sizeof order); /* 32 by construction */
    for (unsigned half = 0; half < 64; half += 32) {
        uint8_t signature[64];
        unsigned carry = 0;
        memcpy(signature, trial->signature, sizeof signature);
        for (unsigned i = 32; i-- > 0;) {
            carry += signature[half + i] + (unsigned)order[i];
            signature[half + i] = (uint8_t)carry;
            carry >>= 8;
        }
        if (carry == 0 && passes(crypto, trial, signature)) { return false; }
    }
    return true;
}

static bool bits_matter(const struct moult_crypto *crypto, struct trial *trial)
{
    for (unsigned bit = 0; bit < 512; bit += 3) { /* of each byte at least two */
        trial->signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
        bool passed = passes(crypto, trial, trial->signature);
        trial->signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (passed) { return false; }
    }
    for (unsigned bit = 0; bit < 256; bit += 5) {
        trial->digest[bit / 8] ^= (uint8_t)(1u << bit % 8);
        bool passed = passes(crypto, trial, trial->signature);
        trial->digest[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (passed) { return false; }
    }
    return passes(crypto, trial, trial->signature);
}

static bool bad_points_are_refused(const struct moult_crypto *crypto,
                                   const struct trial *trial)
{
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000"
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000001"
        "0000000000000000000000000000000000000000000000000000000000000001",
        /* the field's prime, and all ones: not reduced */
        "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"
        "0000000000000000000000000000000000000000000000000000000000000001",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    };
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        uint8_t key[64];
        (void)hex_bytes(points[i], key, sizeof key); /* 64 by construction */
        if (crypto->verify_p256(crypto->context, key, trial->digest, trial->signature)) {
            return false;
        }
    }
    uint8_t off[64];
    memcpy(off, trial->signer.public_key, sizeof off);
    off[63] ^= 1; /* beside the curve */
    return !crypto->verify_p256(crypto->context, off, trial->digest, trial->signature);
}

bool crypto_promises_verify(const struct moult_crypto *crypto)
{
    struct trial trial = {0};
    memset(trial.digest, 0x5a, sizeof trial.digest);
    if (keys_memory_generate(&trial.signer) != MOULT_OK) { return promise(false, "a key"); }
    bool good =
        promise(trial.signer.sign(trial.signer.context, trial.signer.kid, trial.digest,
                                  trial.signature) == MOULT_OK,
                "a signature to try") &&
        promise(passes(crypto, &trial, trial.signature), "a good one passes") &&
        promise(numbers_outside_are_refused(crypto, &trial), "1 <= r, s <= n - 1") &&
        promise(reduced_numbers_are_refused(crypto, &trial), "r and s are not reduced") &&
        promise(bits_matter(crypto, &trial), "bits of signature and digest matter") &&
        promise(bad_points_are_refused(crypto, &trial), "the key is on the curve");
    keys_signer_close(&trial.signer);
    return good;
}

/* --- RSA-3072-PSS --- */

struct rsa_trial {
    uint8_t digest[32];
    struct moult_sb_rsa rsa;
};

static bool rsa_passes(const struct moult_crypto *crypto, const struct rsa_trial *trial)
{
    return crypto->verify_rsa3072_pss(crypto->context, trial->rsa.modulus,
                                      trial->rsa.exponent, trial->digest,
                                      trial->rsa.signature);
}

static bool make_rsa_trial(struct rsa_trial *trial)
{
    struct keys_sb_key *key;
    uint8_t raw[MOULT_SB_BLOCK_SIZE];
    memset(trial->digest, 0xa5, sizeof trial->digest);
    if (keys_sb_key_make(MOULT_SB_RSA3072, &key) != MOULT_OK) { return false; }
    bool good = keys_sb_sign(key, trial->digest, raw) == MOULT_OK;
    keys_sb_key_free(key);
    struct moult_bytes bytes = {raw, sizeof raw};
    struct moult_reader reader = moult_reader_of_bytes(&bytes);
    return good && moult_sb_rsa_read(&reader, 0, 0, &trial->rsa) == MOULT_OK;
}

static bool rsa_bits_matter(const struct moult_crypto *crypto,
                            const struct rsa_trial *trial)
{
    for (unsigned bit = 0; bit < 8 * MOULT_RSA3072_SIZE; bit += 61) {
        struct rsa_trial bad[3] = {*trial, *trial, *trial};
        uint8_t mask = (uint8_t)(1u << bit % 8);
        bad[0].rsa.signature[bit / 8] ^= mask;
        bad[1].rsa.modulus[bit / 8] ^= mask;
        bad[2].digest[bit / 8 % 32] ^= mask;
        for (unsigned i = 0; i < 3; i++) {
            if (rsa_passes(crypto, &bad[i])) { return false; }
        }
    }
    return true;
}

static bool rsa_numbers_outside_are_refused(const struct moult_crypto *crypto,
                                            const struct rsa_trial *trial)
{
    static const uint32_t exponents[] = {0, 1, 2, 3, 65539, UINT32_MAX};
    for (size_t i = 0; i < sizeof exponents / sizeof exponents[0]; i++) {
        struct rsa_trial bad = *trial;
        bad.rsa.exponent = exponents[i];
        if (rsa_passes(crypto, &bad)) { return false; }
    }
    struct rsa_trial as_modulus = *trial, zero = *trial, no_key = *trial;
    memcpy(as_modulus.rsa.signature, trial->rsa.modulus, MOULT_RSA3072_SIZE);
    memset(zero.rsa.signature, 0, MOULT_RSA3072_SIZE);
    memset(no_key.rsa.modulus, 0, MOULT_RSA3072_SIZE);
    return !rsa_passes(crypto, &as_modulus) && !rsa_passes(crypto, &zero) &&
           !rsa_passes(crypto, &no_key);
}

bool crypto_promises_rsa(const struct moult_crypto *crypto)
{
    struct rsa_trial trial = {0};
    return promise(make_rsa_trial(&trial), "an RSA signature to try") &&
           promise(rsa_passes(crypto, &trial), "a good RSA signature passes") &&
           promise(rsa_bits_matter(crypto, &trial), "bits of RSA numbers matter") &&
           promise(rsa_numbers_outside_are_refused(crypto, &trial),
                   "RSA numbers have a range");
}
