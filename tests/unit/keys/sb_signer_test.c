/* sb_signer_test.c - images signed here are what Secure Boot V2 wants: judged by
 * formats/secure_boot.c, and by Espressif's espsecure where it is installed (PATH, or
 * MOULT_ESPSECURE names it). */
#include "keys/sb_signer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "formats/bytes.h"
#include "formats/codes.h"
#include "keys/openssl_crypto.h"
#include "tests/support/check.h"
#include "tests/support/sample_image.h"

enum { ROOM = 3 * 4096, SECTOR = 4096 };

static struct moult_crypto crypto;
static struct keys_sb_key *keys[4]; /* 0 and 1 RSA, 2 and 3 P-256 */
static uint8_t digests[4][32];
static uint8_t image[ROOM];

static bool make_keys(void)
{
    crypto = keys_openssl_crypto();
    for (unsigned i = 0; i < 4; i++) {
        if (keys_sb_key_make(i < 2 ? MOULT_SB_RSA3072 : MOULT_SB_P256, &keys[i]) !=
                MOULT_OK ||
            keys_sb_key_digest(keys[i], &crypto, digests[i]) != MOULT_OK) {
            return false;
        }
    }
    return true;
}

/* The sample image with a block by each of these keys. */
static bool sign(const unsigned *which, uint32_t count)
{
    const struct keys_sb_key *signers[3];
    for (uint32_t i = 0; i < count; i++) {
        signers[i] = keys[which[i]];
    }
    sample_image(image);
    struct keys_sb_image out = {image, SAMPLE_IMAGE_SIZE, sizeof image};
    return keys_sb_sign_image(&out, signers, count, &crypto) == MOULT_OK &&
           out.size == 2 * 4096;
}

/* Fuses of a chip with these keys: -1 none; 10 + N: key N, revoked. */
static struct moult_sb_fuses fuses_of(int a, int b, int c)
{
    struct moult_sb_fuses fuses = {.block_count = 3, .digest_size = 32};
    const int slots[3] = {a, b, c};
    for (unsigned i = 0; i < 3; i++) {
        if (slots[i] < 0) { continue; }
        fuses.keys[i].is_used = true;
        fuses.keys[i].is_revoked = slots[i] >= 10;
        memcpy(fuses.keys[i].digest, digests[slots[i] % 10], 32);
    }
    return fuses;
}

static enum moult_status judge_with(const struct moult_crypto *with,
                                    const struct moult_sb_fuses *fuses,
                                    struct moult_finding *finding)
{
    static struct moult_sb_rsa work;
    struct moult_bytes bytes = {image, 2 * 4096};
    struct moult_reader reader = moult_reader_of_bytes(&bytes);
    uint8_t digest[32];
    enum moult_status st = moult_sb_image_digest(&reader, SECTOR, &crypto, digest);
    struct moult_sb_judge judge = {&reader, SECTOR, digest, fuses, with, &work};
    return st == MOULT_OK ? moult_sb_trusts(&judge, finding) : st;
}

static enum moult_status judge(const struct moult_sb_fuses *fuses)
{
    return judge_with(&crypto, fuses, NULL);
}

static void test_what_a_chip_trusts(void)
{
    static const struct {
        const char *name;
        unsigned signers[3];
        uint32_t count;
        int fused[3];
        enum moult_status status;
    } rows[] = {
        {"RSA, its key", {0}, 1, {0, -1, -1}, MOULT_OK},
        {"P-256, its key", {2}, 1, {2, -1, -1}, MOULT_OK},
        {"key in the third slot", {2}, 1, {0, 1, 2}, MOULT_OK},
        {"another key", {1}, 1, {0, -1, -1}, MOULT_E_SIGNATURE},
        {"another P-256 key", {3}, 1, {2, -1, -1}, MOULT_E_SIGNATURE},
        {"no key at all", {0}, 1, {-1, -1, -1}, MOULT_E_SIGNATURE},
        {"revoked", {0}, 1, {10, -1, -1}, MOULT_E_REFUSED},
        {"revoked P-256", {2}, 1, {0, 12, -1}, MOULT_E_REFUSED},
        {"the second block is by a key that counts", {0, 1}, 2, {10, 1, -1}, MOULT_OK},
        {"the third is", {0, 2, 1}, 3, {1, -1, -1}, MOULT_OK},
        {"one revoked, one unknown", {0, 1}, 2, {10, -1, -1}, MOULT_E_REFUSED},
        {"revoked here, counts there", {0}, 1, {10, 0, -1}, MOULT_OK},
        {"RSA and P-256 blocks together", {0, 2}, 2, {2, -1, -1}, MOULT_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].name);
        check(sign(rows[i].signers, rows[i].count));
        struct moult_sb_fuses fuses =
            fuses_of(rows[i].fused[0], rows[i].fused[1], rows[i].fused[2]);
        check_equal(judge(&fuses), rows[i].status);
    }
    check_row(NULL);
}

static void test_chips_with_one_block_and_half_a_digest(void)
{
    const unsigned both[] = {1, 0};
    check(sign(both, 2));
    struct moult_sb_fuses fuses = fuses_of(0, -1, -1);
    fuses.block_count = 1; /* ESP32: what is in block 1 does not count */
    check_equal(judge(&fuses), MOULT_E_SIGNATURE);
    fuses = fuses_of(1, -1, -1);
    fuses.block_count = 1;
    fuses.digest_size = 16; /* ESP32-C2 */
    memset(fuses.keys[0].digest + 16, 0, 16);
    check_equal(judge(&fuses), MOULT_OK);
    fuses.keys[0].digest[15] ^= 1;
    check_equal(judge(&fuses), MOULT_E_SIGNATURE);
}

/* Any changed byte of image or block, CRC mended: never trusted. The four words behind the
 * CRC and the reserved byte pair are the only ones that nobody looks at. */
static void test_every_changed_byte_is_found(void)
{
    for (unsigned key = 0; key < 4; key += 2) {
        struct moult_sb_fuses fuses = fuses_of((int)key, -1, -1);
        uint32_t covered = key == 0 ? 1196 : 165;
        for (uint32_t at = 0; at < SECTOR + covered; at += at < SECTOR ? 37 : 1) {
            uint32_t in_block = at - SECTOR;
            bool is_free = at >= SECTOR && (in_block == 2 || in_block == 3);
            check(at > 0 || sign(&key, 1));
            image[at] ^= 0x40;
            uint8_t *crc = image + SECTOR + 1196, kept[4];
            memcpy(kept, crc, 4);
            put_le32(crc, crc32_le(0, image + SECTOR, 1196));
            enum moult_status st = judge(&fuses);
            check(st == (is_free ? MOULT_OK : MOULT_E_SIGNATURE));
            image[at] ^= 0x40;
            memcpy(crc, kept, 4);
        }
        check_equal(judge(&fuses), MOULT_OK);
        image[SECTOR + 1196] ^= 1; /* the CRC itself */
        check_equal(judge(&fuses), MOULT_E_SIGNATURE);
    }
}

static void test_without_rsa_the_key_and_the_digest_are_still_judged(void)
{
    const unsigned key = 0;
    struct moult_crypto without = crypto;
    struct moult_finding finding;
    without.verify_rsa3072_pss = NULL;
    check(sign(&key, 1));
    struct moult_sb_fuses fuses = fuses_of(0, -1, -1), other = fuses_of(1, -1, -1);
    check_equal(judge_with(&without, &fuses, &finding), MOULT_E_UNSUPPORTED);
    check_equal(judge_with(&without, &other, &finding), MOULT_E_SIGNATURE);
    check_equal(finding.detail, 0);
    image[9] ^= 1;
    check_equal(judge_with(&without, &fuses, &finding), MOULT_E_SIGNATURE);
    check_equal(finding.detail, MOULT_D_ESP_SIG_DIGEST);
}

static void test_an_image_that_leaves_no_room_stays_as_it_is(void)
{
    const struct keys_sb_key *signers[] = {keys[2]};
    memset(image, 0x11, sizeof image);
    struct keys_sb_image out = {image, 4097, ROOM - 1};
    check_equal(keys_sb_sign_image(&out, signers, 1, &crypto), MOULT_E_SPACE);
    check_equal(out.size, 4097);
    check(moult_bytes_all(image, sizeof image, 0x11));
}

/* --- Against espsecure --------------------------------------------------------------- */

static char folder[] = "sb_signer_test.XXXXXX";

/* Runs a command in the folder; its output is shown when it fails. */
static bool runs(const char *tool, const char *arguments)
{
    char command[512];
    snprintf(command, sizeof command, "cd %s && '%s' %s > out.txt 2>&1", folder, tool,
             arguments);
    if (system(command) == 0) { return true; }
    snprintf(command, sizeof command, "cat %s/out.txt", folder);
    (void)system(command); /* only for whoever reads it */
    printf("  failed: %s\n", arguments);
    return false;
}

static bool write_file(const char *name, const uint8_t *data, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file) { return false; }
    bool good = fwrite(data, 1, size, file) == size;
    return fclose(file) == 0 && good;
}

static bool read_file(const char *name, uint8_t *data, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file) { return false; }
    bool good = fread(data, 1, size, file) == size;
    fclose(file);
    return good;
}

/* What we sign espsecure verifies; what it signs we trust; and both compute one digest. */
static bool agrees_with_espsecure(const char *tool, unsigned key)
{
    char path[64];
    uint8_t digest[32];
    struct moult_sb_fuses fuses = fuses_of((int)key, -1, -1);
    snprintf(path, sizeof path, "%s/key%u.pem", folder, key);
    if (keys_sb_key_save(keys[key], path) != MOULT_OK || !sign(&key, 1) ||
        !write_file("ours.bin", image, 2 * 4096)) {
        return false;
    }
    char arguments[160];
    snprintf(arguments, sizeof arguments, "verify-signature -v 2 -k key%u.pem ours.bin",
             key);
    if (!runs(tool, arguments)) { return false; }
    snprintf(arguments, sizeof arguments,
             "digest-sbv2-public-key -k key%u.pem -o digest.bin", key);
    if (!runs(tool, arguments) || !read_file("digest.bin", digest, 32) ||
        memcmp(digest, digests[key], 32) != 0) {
        return false;
    }
    sample_image(image);
    if (!write_file("plain.bin", image, SAMPLE_IMAGE_SIZE)) { return false; }
    snprintf(arguments, sizeof arguments,
             "sign-data -v 2 -k key%u.pem -o theirs.bin plain.bin", key);
    return runs(tool, arguments) && read_file("theirs.bin", image, 2 * 4096) &&
           judge(&fuses) == MOULT_OK;
}

static void test_espsecure_agrees(void)
{
    const char *tool = getenv("MOULT_ESPSECURE");
    if (!tool) { tool = "espsecure"; }
    char command[300];
    snprintf(command, sizeof command, "'%s' --help > /dev/null 2>&1", tool);
    if (system(command) != 0) {
        printf("SKIP: no espsecure (pip install esptool, or MOULT_ESPSECURE=path)\n");
        return;
    }
    check(mkdtemp(folder) != NULL);
    check(agrees_with_espsecure(tool, 0));
    check(agrees_with_espsecure(tool, 2));
    printf("espsecure agrees: RSA-3072 and P-256, both ways\n");
    snprintf(command, sizeof command, "rm -r %s", folder);
    check_equal(system(command), 0);
}

static void test_keys_are_saved_and_read_back(void)
{
    struct keys_sb_key *key;
    uint8_t digest[32];
    char path[64];
    struct stat info;
    snprintf(path, sizeof path, "sb_signer_test.%ld.pem", (long)getpid());
    check_equal(keys_sb_key_open(path, &key), MOULT_E_NOENT);
    check_equal(keys_sb_key_save(keys[2], path), MOULT_OK);
    check_equal(keys_sb_key_save(keys[2], path), MOULT_E_EXISTS);
    check(stat(path, &info) == 0 && (info.st_mode & 0777) == 0600);
    check_equal(keys_sb_key_open(path, &key), MOULT_OK);
    check_equal(keys_sb_key_digest(key, &crypto, digest), MOULT_OK);
    check_bytes(digest, digests[2], 32);
    keys_sb_key_free(key);
    check_equal(truncate(path, 20), 0);
    check_equal(keys_sb_key_open(path, &key), MOULT_E_FORMAT);
    unlink(path);
    check_equal(keys_sb_key_make(MOULT_SB_P384, &key), MOULT_E_UNSUPPORTED);
}

int main(void)
{
    if (!make_keys()) { return 1; }
    check_run(test_what_a_chip_trusts);
    check_run(test_chips_with_one_block_and_half_a_digest);
    check_run(test_every_changed_byte_is_found);
    check_run(test_without_rsa_the_key_and_the_digest_are_still_judged);
    check_run(test_an_image_that_leaves_no_room_stays_as_it_is);
    check_run(test_keys_are_saved_and_read_back);
    check_run(test_espsecure_agrees);
    for (unsigned i = 0; i < 4; i++) {
        keys_sb_key_free(keys[i]);
    }
    return check_report();
}
