/* secure_boot_test.c - formats/secure_boot.c, with the worked example of
 * docs/spec/esp-image.md */
#include "formats/secure_boot.h"
#include <string.h>
#include "formats/bytes.h"
#include "formats/codes.h"
#include "keys/openssl_crypto.h"
#include "tests/support/check.h"
#include "tests/support/sample_image.h"

enum { SECTOR = 4096, CRC = 1196 };

static uint8_t image[SAMPLE_SIGNED_SIZE];
static struct moult_bytes bytes;
static struct moult_reader reader;
static struct moult_crypto crypto;

static void load(void)
{
    crypto = keys_openssl_crypto();
    sample_signed_image(image);
    bytes = (struct moult_bytes){image, sizeof image};
    reader = moult_reader_of_bytes(&bytes);
}

static void fix_crc(void)
{
    put_le32(image + SECTOR + CRC, crc32_le(0, image + SECTOR, CRC));
}

static enum moult_status read_block(uint32_t index, struct moult_sb_block *out,
                                    struct moult_finding *finding)
{
    memset(finding, 0, sizeof *finding);
    return moult_sb_block_read(&reader, SECTOR, index, &crypto, out, finding);
}

static void check_hex(const uint8_t *found, const char *hex)
{
    uint8_t expected[32];
    check(moult_hex_decode(hex, expected, 32));
    check_bytes(found, expected, 32);
}

static void test_worked_example(void)
{
    struct moult_sb_block block;
    struct moult_finding finding;
    uint8_t digest[32];
    load();
    check_equal(moult_sb_sector_offset(SAMPLE_IMAGE_SIZE), SECTOR);
    check_equal(read_block(0, &block, &finding), MOULT_OK);
    check_equal(block.scheme, MOULT_SB_P256);
    check_equal(block.digest_size, 32);
    check_hex(block.key_digest,
              "5908ff09f652723954169b269890241b0405fc45b6087f0db026debac4934a8d");
    check_hex(block.signature,
              "7cf27b188d034f7e8a52380304b51ac3c08969e277f21b35a60b48fc47669978");
    check_hex(block.signature + 32,
              "aa27a2c3347c91e383422e1ffbb56f54ba0d21cd59cb829331f1b3c36e057faa");
    check_equal(moult_sb_image_digest(&reader, SECTOR, &crypto, digest), MOULT_OK);
    check_hex(digest, "d75cca6ddbf5d4487c32243cf2b5c3e5b390d9b83ba4e9f0bdd81e8a94a465dc");
    check_equal(moult_sb_block_verify(&block, &crypto, digest, &finding), MOULT_OK);
    check_equal(read_block(1, &block, &finding), MOULT_E_NOENT);
}

static void test_sector_is_at_the_next_4_kb(void)
{
    check_equal(moult_sb_sector_offset(1), 4096);
    check_equal(moult_sb_sector_offset(4095), 4096);
    check_equal(moult_sb_sector_offset(4096), 4096);
    check_equal(moult_sb_sector_offset(4097), 8192);
}

static void test_encoding_gives_the_worked_example(void)
{
    struct moult_sb_block block;
    struct moult_finding finding;
    uint8_t raw[MOULT_SB_BLOCK_SIZE], digest[32];
    load();
    check_equal(read_block(0, &block, &finding), MOULT_OK);
    moult_sb_block_encode_p256(block.image_digest, block.public_key, block.signature, raw);
    check_bytes(raw, image + SECTOR, sizeof raw);
    check_equal(moult_sha256_once(&crypto, raw, sizeof raw, digest), MOULT_OK);
    check_hex(digest, "68c69579463bac9c4755f5f89d71c01d927f4428a1156da4fa575b56ea14a4d5");
    check_equal(moult_sha256_once(&crypto, image + SECTOR, 4096, digest), MOULT_OK);
    check_hex(digest, "9e8faec0b0d101695b8c274f638d05e7471169b006a9496c3ab0e782f7282462");
}

static void test_every_flipped_bit_of_the_covered_part_is_found(void)
{
    struct moult_sb_block block;
    struct moult_finding finding;
    for (uint32_t bit = 0; bit < (CRC + 4) * 8; bit++) {
        load();
        image[SECTOR + bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum moult_status st = read_block(0, &block, &finding);
        check(st == MOULT_E_FORMAT || st == MOULT_E_DIGEST);
        check(finding.detail == MOULT_D_ESP_SIGBLOCK ||
              finding.detail == MOULT_D_ESP_SIG_CRC);
        check(finding.where >= SECTOR && finding.where < SECTOR + MOULT_SB_BLOCK_SIZE);
    }
}

static void test_blocks_that_break_a_rule(void)
{
    static const struct {
        const char *name;
        uint32_t offset;
        uint8_t value;
        uint32_t expected;
    } rows[] = {
        {"magic", 0, 0xe8, 0xe7},
        {"version 1", 1, 1, 3},
        {"version 4", 1, 4, 3},
        {"P-192", 36, 1, 2},
    };
    struct moult_sb_block block;
    struct moult_finding finding;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].name);
        load();
        image[SECTOR + rows[i].offset] = rows[i].value;
        fix_crc();
        check_equal(read_block(0, &block, &finding), MOULT_E_FORMAT);
        check_equal(finding.detail, MOULT_D_ESP_SIGBLOCK);
        check_equal(finding.where, SECTOR + rows[i].offset);
        check_equal(finding.expected, rows[i].expected);
        check_equal(finding.found, rows[i].value);
    }
    check_row(NULL);
}

static void test_a_block_of_another_image_is_refused(void)
{
    struct moult_sb_block block;
    struct moult_finding finding;
    uint8_t digest[32];
    load();
    image[3000] = 0;
    check_equal(read_block(0, &block, &finding), MOULT_OK);
    check_equal(moult_sb_image_digest(&reader, SECTOR, &crypto, digest), MOULT_OK);
    check_equal(moult_sb_block_verify(&block, &crypto, digest, &finding), MOULT_E_DIGEST);
    check_equal(finding.detail, MOULT_D_ESP_SIG_DIGEST);
    check_equal(finding.expected, 0xd75cca6d);
}

static void test_a_signature_by_another_key_is_refused(void)
{
    struct moult_sb_block block;
    struct moult_finding finding;
    load();
    image[SECTOR + 101] ^= 1; /* r */
    fix_crc();
    check_equal(read_block(0, &block, &finding), MOULT_OK);
    check_equal(moult_sb_block_verify(&block, &crypto, block.image_digest, &finding),
                MOULT_E_SIGNATURE);
    check_equal(finding.detail, MOULT_D_ESP_SIG_WRONG);
}

/* An RSA block with a key of ascending bytes: structure and identity, no signature check.
 * */
static void test_rsa_blocks_are_identified_but_not_verified(void)
{
    struct moult_sb_block block;
    struct moult_finding finding;
    uint8_t key_digest[32];
    load();
    uint8_t *raw = image + SECTOR;
    raw[1] = 2;
    for (int i = 36; i < CRC; i++) {
        raw[i] = (uint8_t)i;
    }
    fix_crc();
    check_equal(read_block(0, &block, &finding), MOULT_OK);
    check_equal(block.scheme, MOULT_SB_RSA3072);
    check_equal(moult_sha256_once(&crypto, raw + 36, 776, key_digest), MOULT_OK);
    check_bytes(block.key_digest, key_digest, 32);
    check_equal(moult_sb_block_verify(&block, &crypto, block.image_digest, &finding),
                MOULT_E_UNSUPPORTED);
    uint8_t other[32] = {0};
    check_equal(moult_sb_block_verify(&block, &crypto, other, &finding), MOULT_E_DIGEST);
}

static void test_p384_blocks_are_recognised(void)
{
    struct moult_sb_block block;
    struct moult_finding finding;
    uint8_t key_digest[32], other[32] = {0};
    load();
    uint8_t *raw = image + SECTOR;
    raw[2] = 1;
    memset(raw + 4, 0xa5, 48);
    raw[52] = 3;
    raw[2] = 0; /* a P-256 block with these bytes by chance is one of an unknown curve */
    fix_crc();
    check_equal(read_block(0, &block, &finding), MOULT_E_FORMAT);
    raw[2] = 1;
    raw[52] = 2;
    fix_crc();
    check_equal(read_block(0, &block, &finding), MOULT_E_FORMAT);
    raw[52] = 3;
    fix_crc();
    check_equal(read_block(0, &block, &finding), MOULT_OK);
    check_equal(block.scheme, MOULT_SB_P384);
    check_equal(block.digest_size, 48);
    check_equal(moult_sha256_once(&crypto, raw + 52, 97, key_digest), MOULT_OK);
    check_bytes(block.key_digest, key_digest, 32);
    check_equal(moult_sb_block_verify(&block, &crypto, other, &finding),
                MOULT_E_UNSUPPORTED);
}

static void test_second_and_third_block_are_read_in_place(void)
{
    struct moult_sb_block block;
    struct moult_finding finding;
    load();
    for (uint32_t i = 1; i < MOULT_SB_BLOCKS_MAX; i++) {
        memcpy(image + SECTOR + i * MOULT_SB_BLOCK_SIZE, image + SECTOR,
               MOULT_SB_BLOCK_SIZE);
        check_equal(read_block(i, &block, &finding), MOULT_OK);
        check_equal(block.scheme, MOULT_SB_P256);
    }
}

static void test_a_sector_that_is_cut_short_is_told_from_none(void)
{
    struct moult_sb_block block;
    struct moult_finding finding;
    load();
    reader.size = SECTOR;
    check_equal(read_block(0, &block, &finding), MOULT_E_NOENT);
    reader.size = SECTOR + 1;
    check_equal(read_block(0, &block, &finding), MOULT_E_TRUNCATED);
    check_equal(finding.detail, MOULT_D_ESP_TRUNCATED);
    check_equal(finding.expected, SAMPLE_SIGNED_SIZE);
    reader.size = SAMPLE_SIGNED_SIZE - 1;
    check_equal(read_block(0, &block, &finding), MOULT_E_TRUNCATED);
}

int main(void)
{
    check_run(test_worked_example);
    check_run(test_sector_is_at_the_next_4_kb);
    check_run(test_encoding_gives_the_worked_example);
    check_run(test_every_flipped_bit_of_the_covered_part_is_found);
    check_run(test_blocks_that_break_a_rule);
    check_run(test_a_block_of_another_image_is_refused);
    check_run(test_a_signature_by_another_key_is_refused);
    check_run(test_rsa_blocks_are_identified_but_not_verified);
    check_run(test_p384_blocks_are_recognised);
    check_run(test_second_and_third_block_are_read_in_place);
    check_run(test_a_sector_that_is_cut_short_is_told_from_none);
    return check_report();
}
