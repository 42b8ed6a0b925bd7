/* key_file.c - see key_file.h. */
#include "keys/key_file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include "keys/openssl_crypto.h"
#include "keys/p256.h"

enum { OTHERS = 077 }; /* mode bits of group and world */

static void explain(struct keys_error *error, uint16_t detail, const char *expected,
                    const char *found)
{
    if (!error) { return; }
    *error = (struct keys_error){.detail = detail};
    snprintf(error->expected, sizeof error->expected, "%s", expected);
    snprintf(error->found, sizeof error->found, "%s", found);
}

static enum moult_status bad_file(struct keys_error *error, enum moult_status status,
                                  const char *expected, const char *found)
{
    explain(error, MOULT_D_KEY_FILE, expected, found);
    return status;
}

/* --- reading --- */

/* Others could read a private key, or its owner is a stranger who could exchange it. */
static enum moult_status check_mode(const struct stat *file, struct keys_error *error)
{
    char found[32];
    if ((file->st_mode & OTHERS) != 0) {
        snprintf(found, sizeof found, "%04o", (unsigned)file->st_mode & 07777);
        explain(error, MOULT_D_KEY_MODE, "0600", found);
        return MOULT_E_REFUSED;
    }
    if (file->st_uid != geteuid() && file->st_uid != 0) {
        snprintf(found, sizeof found, "owner uid %lu", (unsigned long)file->st_uid);
        explain(error, MOULT_D_KEY_MODE, "0600 and your own file", found);
        return MOULT_E_REFUSED;
    }
    return MOULT_OK;
}

/* Whole file into buffer. */
static enum moult_status read_all(int fd, uint8_t *buffer, size_t *size,
                                  struct keys_error *error)
{
    *size = 0;
    while (*size < KEYS_FILE_SIZE_MAX + 1) {
        ssize_t n = read(fd, buffer + *size, KEYS_FILE_SIZE_MAX + 1 - *size);
        if (n < 0 && errno == EINTR) { continue; }
        if (n < 0) {
            return bad_file(error, MOULT_E_IO, "a readable file", strerror(errno));
        }
        if (n == 0) { return MOULT_OK; }
        *size += (size_t)n;
    }
    return bad_file(error, MOULT_E_FORMAT, "at most 8192 bytes of PEM", "a larger file");
}

static enum moult_status read_file(const char *path, bool is_private, uint8_t *buffer,
                                   size_t *size, struct keys_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) { return bad_file(error, MOULT_E_IO, "a readable file", strerror(errno)); }
    struct stat file;
    enum moult_status st = MOULT_OK;
    if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode)) {
        st = bad_file(error, MOULT_E_IO, "a regular file", "something else");
    }
    if (st == MOULT_OK && is_private) { st = check_mode(&file, error); }
    if (st == MOULT_OK) { st = read_all(fd, buffer, size, error); }
    close(fd);
    return st;
}

/* No file of ours has a passphrase; asking for one would block a daemon. */
static int no_passphrase(char *buffer, int size, int is_writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)is_writing;
    (void)context;
    return -1;
}

static EVP_PKEY *parse_pem(const uint8_t *pem, size_t size, bool is_private)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)size);
    if (!bio) { return NULL; }
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    if (!key && !is_private && BIO_reset(bio) == 1) {
        key = PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
    }
    BIO_free(bio);
    keys_p256_forget_errors();
    return key;
}

static enum moult_status load(const char *path, bool is_private, EVP_PKEY **out,
                              struct keys_error *error)
{
    uint8_t pem[KEYS_FILE_SIZE_MAX + 1];
    size_t size = 0;
    enum moult_status st = read_file(path, is_private, pem, &size, error);
    EVP_PKEY *key = st == MOULT_OK ? parse_pem(pem, size, is_private) : NULL;
    OPENSSL_cleanse(pem, sizeof pem);
    if (st != MOULT_OK) { return st; }
    if (!key) {
        return bad_file(error, MOULT_E_FORMAT,
                        is_private ? "an unencrypted PEM private key" : "a PEM key",
                        "other contents");
    }
    if (!keys_p256_is(key)) {
        explain(error, MOULT_D_KEY_CURVE, "P-256", EVP_PKEY_get0_type_name(key));
        EVP_PKEY_free(key);
        return MOULT_E_UNSUPPORTED;
    }
    *out = key;
    return MOULT_OK;
}

/* --- signer --- */

static enum moult_status sign(void *context, const uint8_t kid[MOULT_KID_SIZE],
                              const uint8_t digest[MOULT_SHA256_SIZE],
                              uint8_t signature[MOULT_SIGNATURE_SIZE])
{
    (void)kid;
    return keys_p256_sign(context, digest, signature) ? MOULT_OK : MOULT_E_INTERNAL;
}

static void close_key(void *context)
{
    EVP_PKEY_free(context); /* OpenSSL wipes private numbers */
}

/* Takes over `key`. */
static enum moult_status fill_in(EVP_PKEY *key, const char *name, struct keys_signer *out)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    *out = (struct keys_signer){.context = key, .sign = sign, .close = close_key};
    snprintf(out->name, sizeof out->name, "%s", name);
    if (keys_p256_xy(key, out->public_key) &&
        moult_kid(&crypto, out->public_key, out->kid) == MOULT_OK) {
        return MOULT_OK;
    }
    keys_signer_close(out);
    return MOULT_E_INTERNAL;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

enum moult_status keys_file_open(const char *path, struct keys_signer *out,
                                 struct keys_error *error)
{
    *out = (struct keys_signer){0};
    EVP_PKEY *key = NULL;
    enum moult_status st = load(path, true, &key, error);
    if (st != MOULT_OK) { return st; }
    st = fill_in(key, base_name(path), out);
    return st == MOULT_OK ? st : bad_file(error, st, "a whole key pair", "no public part");
}

enum moult_status keys_file_public(const char *path, uint8_t public_key[MOULT_PUBKEY_SIZE],
                                   struct keys_error *error)
{
    EVP_PKEY *key = NULL;
    enum moult_status st = load(path, false, &key, error);
    if (st != MOULT_OK) { return st; }
    if (!keys_p256_xy(key, public_key)) {
        st = bad_file(error, MOULT_E_FORMAT, "a public key", "no public part");
    }
    EVP_PKEY_free(key);
    return st;
}

enum moult_status keys_memory_generate(struct keys_signer *out)
{
    *out = (struct keys_signer){0};
    EVP_PKEY *key = EVP_EC_gen("P-256");
    return key ? fill_in(key, "memory", out) : MOULT_E_INTERNAL;
}

/* --- generation --- */

/* PEM of a private key into secure memory; the caller frees it. NULL: no memory. */
static BIO *to_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    if (bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1) {
        return bio;
    }
    BIO_free(bio);
    return NULL;
}

static bool write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR) { continue; }
        if (n <= 0) { return false; }
        data += n;
        size -= (size_t)n;
    }
    return fsync(fd) == 0;
}

static enum moult_status write_new(const char *path, BIO *pem, struct keys_error *error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        bool exists = errno == EEXIST;
        return bad_file(error, exists ? MOULT_E_EXISTS : MOULT_E_IO, "a new file",
                        strerror(errno));
    }
    char *data;
    long size = BIO_get_mem_data(pem, &data);
    /* fchmod: the umask may have taken bits away, never added any */
    bool good = fchmod(fd, 0600) == 0 && write_all(fd, data, (size_t)size);
    int cause = errno;
    good = close(fd) == 0 && good;
    if (good) { return MOULT_OK; }
    /* Half a key is of no use; should this fail, the next run says that the file exists. */
    (void)unlink(path);
    return bad_file(error, MOULT_E_IO, "a writable file", strerror(cause));
}

enum moult_status keys_file_generate(const char *path, struct keys_error *error)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    BIO *pem = key ? to_pem(key) : NULL;
    enum moult_status st =
        pem ? write_new(path, pem, error)
            : bad_file(error, MOULT_E_INTERNAL, "a new key", "OpenSSL failed");
    BIO_free(pem);
    EVP_PKEY_free(key);
    keys_p256_forget_errors();
    return st;
}
