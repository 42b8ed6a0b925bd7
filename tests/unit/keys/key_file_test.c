/* key_file_test.c - private keys in PEM files: modes, mistakes, and what is signed. */
#include "keys/key_file.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include "keys/openssl_crypto.h"
#include "tests/support/check.h"

static char folder[] = "/tmp/moult-keys-XXXXXX";
static struct moult_crypto crypto;

static const char *at(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void put(const char *name, const char *contents, mode_t mode)
{
    FILE *file = fopen(at(name), "wb");
    if (!file || fputs(contents, file) == EOF || fclose(file) != 0 ||
        chmod(at(name), mode) != 0) {
        perror(name);
        abort();
    }
}

/* A PEM private key of OpenSSL's making. */
static void put_key(const char *name, EVP_PKEY *key, const EVP_CIPHER *cipher)
{
    FILE *file = fopen(at(name), "wb");
    char passphrase[] = "secret";
    bool good = file && key &&
                PEM_write_PKCS8PrivateKey(file, key, cipher, cipher ? passphrase : NULL,
                                          cipher ? 6 : 0, NULL, NULL) == 1 &&
                fclose(file) == 0 && chmod(at(name), 0600) == 0;
    EVP_PKEY_free(key);
    if (!good) { abort(); }
}

static void test_a_new_key_is_in_a_new_file_of_mode_0600(void)
{
    struct keys_error error = {0};
    mode_t before = umask(0);
    enum moult_status st = keys_file_generate(at("new.pem"), &error);
    umask(before);
    check_equal(st, MOULT_OK);
    struct stat file;
    check_equal(stat(at("new.pem"), &file), 0);
    check_equal(file.st_mode & 07777, 0600);
    check_equal(keys_file_generate(at("new.pem"), &error), MOULT_E_EXISTS);
    check_equal(error.detail, MOULT_D_KEY_FILE);
    check_equal(keys_file_generate(at("no/such/folder.pem"), &error), MOULT_E_IO);
    check(strstr(error.found, strerror(ENOENT)));
}

static void test_what_a_key_signs_verifies_under_its_public_half(void)
{
    struct keys_signer signer;
    uint8_t digest[32] = {1}, signature[64], public_key[64], kid[8];
    check_equal(keys_file_generate(at("sign.pem"), NULL), MOULT_OK);
    check_equal(keys_file_open(at("sign.pem"), &signer, NULL), MOULT_OK);
    check(strcmp(signer.name, "sign.pem") == 0);
    check_equal(keys_sign(&crypto, &signer, digest, signature), MOULT_OK);
    check(crypto.verify_p256(NULL, signer.public_key, digest, signature));
    check_equal(keys_file_public(at("sign.pem"), public_key, NULL), MOULT_OK);
    check_bytes(public_key, signer.public_key, sizeof public_key);
    check_equal(moult_kid(&crypto, public_key, kid), MOULT_OK);
    check_bytes(kid, signer.kid, sizeof kid);
    keys_signer_close(&signer);
    check(!signer.sign);
    keys_signer_close(&signer);
}

static void test_two_new_keys_differ(void)
{
    struct keys_signer one, other;
    check_equal(keys_memory_generate(&one), MOULT_OK);
    check_equal(keys_memory_generate(&other), MOULT_OK);
    check(memcmp(one.public_key, other.public_key, sizeof one.public_key) != 0);
    keys_signer_close(&one);
    keys_signer_close(&other);
}

static void test_a_key_that_others_may_read_is_refused(void)
{
    static const mode_t modes[] = {0640, 0604, 0660, 0644, 0610, 0601, 0602, 0777};
    check_equal(keys_file_generate(at("mode.pem"), NULL), MOULT_OK);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        struct keys_signer signer;
        struct keys_error error = {0};
        char found[8];
        check_equal(chmod(at("mode.pem"), modes[i]), 0);
        check_equal(keys_file_open(at("mode.pem"), &signer, &error), MOULT_E_REFUSED);
        check_equal(error.detail, MOULT_D_KEY_MODE);
        snprintf(found, sizeof found, "%04o", (unsigned)modes[i]);
        check(strcmp(error.expected, "0600") == 0);
        check(strcmp(error.found, found) == 0);
        check(!signer.sign);
        uint8_t public_key[64]; /* its public half is no secret */
        check_equal(keys_file_public(at("mode.pem"), public_key, NULL), MOULT_OK);
    }
    struct keys_signer signer;
    check_equal(chmod(at("mode.pem"), 0400), 0);
    check_equal(keys_file_open(at("mode.pem"), &signer, NULL), MOULT_OK);
    keys_signer_close(&signer);
}

static void test_other_contents_are_told_apart(void)
{
    struct keys_signer signer;
    struct keys_error error;
    put("empty.pem", "", 0600);
    put("text.pem", "no key at all\n", 0600);
    put("broken.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        0600);
    put_key("p384.pem", EVP_EC_gen("P-384"), NULL);
    put_key("k256.pem", EVP_EC_gen("secp256k1"), NULL);
    put_key("rsa.pem", EVP_RSA_gen(1024), NULL);
    put_key("ed.pem", EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL);
    put_key("locked.pem", EVP_EC_gen("P-256"), EVP_aes_128_cbc());
    static const struct {
        const char *name;
        enum moult_status status;
        uint16_t detail;
    } rows[] = {
        {"missing.pem", MOULT_E_IO, MOULT_D_KEY_FILE},
        {"", MOULT_E_IO, MOULT_D_KEY_FILE}, /* the folder itself */
        {"empty.pem", MOULT_E_FORMAT, MOULT_D_KEY_FILE},
        {"text.pem", MOULT_E_FORMAT, MOULT_D_KEY_FILE},
        {"broken.pem", MOULT_E_FORMAT, MOULT_D_KEY_FILE},
        {"locked.pem", MOULT_E_FORMAT,
         MOULT_D_KEY_FILE}, /* and nobody is asked for anything */
        {"p384.pem", MOULT_E_UNSUPPORTED, MOULT_D_KEY_CURVE},
        {"k256.pem", MOULT_E_UNSUPPORTED, MOULT_D_KEY_CURVE},
        {"rsa.pem", MOULT_E_UNSUPPORTED, MOULT_D_KEY_CURVE},
        {"ed.pem", MOULT_E_UNSUPPORTED, MOULT_D_KEY_CURVE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].name);
        error = (struct keys_error){0};
        check_equal(keys_file_open(at(rows[i].name), &signer, &error), rows[i].status);
        check_equal(error.detail, rows[i].detail);
        check(error.expected[0] && error.found[0]);
    }
    check_row(NULL);
}

static void test_a_file_over_the_limit_is_not_read(void)
{
    static char large[KEYS_FILE_SIZE_MAX + 2];
    struct keys_signer signer;
    struct keys_error error;
    memset(large, '\n', sizeof large - 1);
    put("large.pem", large, 0600);
    check_equal(keys_file_open(at("large.pem"), &signer, &error), MOULT_E_FORMAT);
    check_equal(error.detail, MOULT_D_KEY_FILE);
}

static void test_a_public_key_file_is_read(void)
{
    struct keys_signer signer;
    uint8_t public_key[64];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    FILE *file = fopen(at("public.pem"), "wb");
    check(key && file && PEM_write_PUBKEY(file, key) == 1 && fclose(file) == 0);
    EVP_PKEY_free(key);
    check_equal(keys_file_public(at("public.pem"), public_key, NULL), MOULT_OK);
    check_equal(chmod(at("public.pem"), 0600), 0);
    check_equal(keys_file_open(at("public.pem"), &signer, NULL), MOULT_E_FORMAT);
}

/* --- signers that misbehave --- */

static enum moult_status sign_nothing(void *context, const uint8_t kid[8],
                                      const uint8_t digest[32], uint8_t signature[64])
{
    (void)kid;
    (void)digest;
    memset(signature, 0x11, 64);
    return *(enum moult_status *)context;
}

static void test_a_signature_that_does_not_verify_is_never_handed_out(void)
{
    struct keys_signer good;
    uint8_t digest[32] = {1}, signature[64];
    enum moult_status result = MOULT_OK;
    check_equal(keys_memory_generate(&good), MOULT_OK);
    struct keys_signer bad = good;
    bad.sign = sign_nothing;
    bad.context = &result;
    check_equal(keys_sign(&crypto, &bad, digest, signature), MOULT_E_SIGNATURE);
    check(moult_bytes_all(signature, sizeof signature, 0));
    result = MOULT_E_TIMEOUT; /* the back-end's own words are passed on */
    check_equal(keys_sign(&crypto, &bad, digest, signature), MOULT_E_TIMEOUT);
    check(moult_bytes_all(signature, sizeof signature, 0));

    uint8_t bytes[256];
    struct moult_cbor_writer writer;
    const struct keys_signer *signers[] = {&good, &bad};
    moult_cbor_writer_init(&writer, bytes, sizeof bytes);
    struct moult_bytes payload = {(const uint8_t *)"\xa0", 1};
    check_equal(
        keys_sign_statement(&crypto, MOULT_STATEMENT_RELEASE, payload, signers, 2, &writer),
        MOULT_E_TIMEOUT);
    check_equal(writer.size, 0);
    signers[1] = &good;
    check_equal(
        keys_sign_statement(&crypto, MOULT_STATEMENT_RELEASE, payload, signers, 2, &writer),
        MOULT_E_EXISTS);
    check_equal(
        keys_sign_statement(&crypto, MOULT_STATEMENT_RELEASE, payload, signers, 0, &writer),
        MOULT_E_ARG);
    keys_signer_close(&good);
}

int main(void)
{
    crypto = keys_openssl_crypto();
    if (!mkdtemp(folder)) { return 1; }
    check_run(test_a_new_key_is_in_a_new_file_of_mode_0600);
    check_run(test_what_a_key_signs_verifies_under_its_public_half);
    check_run(test_two_new_keys_differ);
    check_run(test_a_key_that_others_may_read_is_refused);
    check_run(test_other_contents_are_told_apart);
    check_run(test_a_file_over_the_limit_is_not_read);
    check_run(test_a_public_key_file_is_read);
    check_run(test_a_signature_that_does_not_verify_is_never_handed_out);
    static const char *const names[] = {
        "new.pem",    "sign.pem",  "mode.pem",  "empty.pem", "text.pem",
        "broken.pem", "p384.pem",  "k256.pem",  "rsa.pem",   "ed.pem",
        "locked.pem", "large.pem", "public.pem"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        unlink(at(names[i]));
    }
    rmdir(folder);
    return check_report();
}
