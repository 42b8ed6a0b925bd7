/* sb_signer.c - see sb_signer.h. */
#include "keys/sb_signer.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include "keys/p256.h"
#include "keys/rsa3072.h"

/* A key is an OpenSSL key by another name: nothing here needs more. */
static EVP_PKEY *pkey(const struct keys_sb_key *key)
{
    return (EVP_PKEY *)(uintptr_t)key;
}

enum moult_status keys_sb_key_make(enum moult_sb_scheme scheme, struct keys_sb_key **out)
{
    if (scheme != MOULT_SB_RSA3072 && scheme != MOULT_SB_P256) {
        return MOULT_E_UNSUPPORTED;
    }
    EVP_PKEY *key = scheme == MOULT_SB_RSA3072 ? EVP_RSA_gen(3072) : EVP_EC_gen("P-256");
    keys_p256_forget_errors();
    if (!key) { return MOULT_E_INTERNAL; }
    *out = (struct keys_sb_key *)key;
    return MOULT_OK;
}

enum moult_status keys_sb_key_open(const char *path, struct keys_sb_key **out)
{
    FILE *file = fopen(path, "r");
    if (!file) { return MOULT_E_NOENT; }
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, "");
    fclose(file);
    keys_p256_forget_errors();
    if (!key) { return MOULT_E_FORMAT; }
    if (!keys_rsa3072_is(key) && !keys_p256_is(key)) {
        EVP_PKEY_free(key);
        return MOULT_E_UNSUPPORTED;
    }
    *out = (struct keys_sb_key *)key;
    return MOULT_OK;
}

void keys_sb_key_free(struct keys_sb_key *key)
{
    EVP_PKEY_free(pkey(key));
}

enum moult_status keys_sb_key_save(const struct keys_sb_key *key, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) { return errno == EEXIST ? MOULT_E_EXISTS : MOULT_E_IO; }
    FILE *file = fdopen(fd, "w");
    if (!file) {
        close(fd);
        return MOULT_E_IO;
    }
    bool good = PEM_write_PrivateKey(file, pkey(key), NULL, NULL, 0, NULL, NULL) == 1;
    good = fclose(file) == 0 && good;
    keys_p256_forget_errors();
    return good ? MOULT_OK : MOULT_E_IO;
}

static bool sign_p256(EVP_PKEY *key, const uint8_t digest[32], uint8_t *raw)
{
    uint8_t public_key[MOULT_PUBKEY_SIZE], signature[MOULT_SIGNATURE_SIZE];
    if (!keys_p256_xy(key, public_key) || !keys_p256_sign(key, digest, signature)) {
        return false;
    }
    moult_sb_block_encode_p256(digest, public_key, signature, raw);
    return true;
}

static bool sign_rsa(EVP_PKEY *key, const uint8_t digest[32], uint8_t *raw)
{
    struct moult_sb_rsa rsa;
    struct moult_sb_rsa_extra extra;
    if (!keys_rsa3072_sign(key, digest, &rsa, &extra)) { return false; }
    moult_sb_block_encode_rsa3072(digest, &rsa, &extra, raw);
    return true;
}

enum moult_status keys_sb_sign(const struct keys_sb_key *key,
                               const uint8_t digest[MOULT_SHA256_SIZE],
                               uint8_t raw[MOULT_SB_BLOCK_SIZE])
{
    assert(key && digest && raw);
    bool good = keys_rsa3072_is(pkey(key)) ? sign_rsa(pkey(key), digest, raw)
                                           : sign_p256(pkey(key), digest, raw);
    keys_p256_forget_errors();
    if (good) { return MOULT_OK; }
    memset(raw, 0, MOULT_SB_BLOCK_SIZE);
    return MOULT_E_INTERNAL;
}

enum moult_status keys_sb_sign_image(struct keys_sb_image *image,
                                     const struct keys_sb_key *const *keys, uint32_t count,
                                     const struct moult_crypto *crypto)
{
    assert(count >= 1 && count <= MOULT_SB_BLOCKS_MAX && image->size <= image->capacity);
    uint32_t sector = moult_sb_sector_offset(image->size);
    if (sector + MOULT_SB_SECTOR_SIZE > image->capacity) { return MOULT_E_SPACE; }
    memset(image->data + image->size, 0xff, sector + MOULT_SB_SECTOR_SIZE - image->size);
    uint8_t digest[MOULT_SHA256_SIZE];
    enum moult_status st = moult_sha256_once(crypto, image->data, sector, digest);
    for (uint32_t i = 0; i < count && st == MOULT_OK; i++) {
        st = keys_sb_sign(keys[i], digest, image->data + sector + i * MOULT_SB_BLOCK_SIZE);
    }
    if (st == MOULT_OK) { image->size = sector + MOULT_SB_SECTOR_SIZE; }
    return st;
}

enum moult_status keys_sb_key_digest(const struct keys_sb_key *key,
                                     const struct moult_crypto *crypto, uint8_t out[32])
{
    uint8_t sector[MOULT_SB_SECTOR_SIZE];
    static const uint8_t any[MOULT_SHA256_SIZE];
    memset(sector, 0xff, sizeof sector);
    enum moult_status st = keys_sb_sign(key, any, sector);
    if (st != MOULT_OK) { return st; }
    struct moult_bytes bytes = {sector, sizeof sector};
    struct moult_reader reader = moult_reader_of_bytes(&bytes);
    struct moult_sb_block block;
    st = moult_sb_block_read(&reader, 0, 0, crypto, &block, NULL);
    if (st != MOULT_OK) { return MOULT_E_INTERNAL; }
    memcpy(out, block.key_digest, sizeof block.key_digest);
    return MOULT_OK;
}
