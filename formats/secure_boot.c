/* secure_boot.c - see secure_boot.h. */
#include "formats/secure_boot.h"
#include <assert.h>
#include <string.h>
#include "formats/bytes.h"
#include "formats/codes.h"

enum {
    VERSION_RSA = 2,
    VERSION_ECDSA = 3,
    CURVE_P256 = 2,
    CURVE_P384 = 3,
    SHA384_MARK = 1,
    OFF_VERSION = 1,
    OFF_SHA_VERSION = 2,
    OFF_DIGEST = 4,
    OFF_KEY = 36, /* RSA: n, e, rinv, mdash; P-256: curve, X, Y */
    OFF_P256_POINT = 37,
    OFF_P256_SIGNATURE = 101,
    OFF_KEY_P384 = 52,
    OFF_CRC = 1196,
    OFF_RSA_EXPONENT = 420,
    OFF_RSA_RINV = 424,
    OFF_RSA_MDASH = 808,
    OFF_RSA_SIGNATURE = 812,
    RSA_KEY_SIZE = 776,
    P256_KEY_SIZE = 65,
    P384_KEY_SIZE = 97,
    HEAD_SIZE = 56, /* enough to tell the scheme */
    BUFFER_SIZE = 128,
    NUMBER_SIZE = 32,
};
_Static_assert(OFF_KEY + RSA_KEY_SIZE + 384 == OFF_CRC, "RSA block layout");
_Static_assert(sizeof(struct moult_sb_block) <= 292, "said in the header");

const char *moult_sb_scheme_name(enum moult_sb_scheme scheme)
{
    switch (scheme) {
    case MOULT_SB_RSA3072:
        return "rsa3072";
    case MOULT_SB_P256:
        return "ecdsa-p256";
    case MOULT_SB_P384:
        return "ecdsa-p384";
    }
    return "?";
}

uint32_t moult_sb_sector_offset(uint32_t image_size)
{
    assert(image_size <= UINT32_MAX - 2 * MOULT_SB_SECTOR_SIZE);
    return (image_size + MOULT_SB_SECTOR_SIZE - 1) & ~(MOULT_SB_SECTOR_SIZE - 1);
}

/* SHA-256 of `size` bytes of the reader from `offset`. */
static enum moult_status hash_range(const struct moult_reader *reader, uint32_t offset,
                                    uint32_t size, const struct moult_crypto *crypto,
                                    uint8_t out[32])
{
    uint8_t buffer[BUFFER_SIZE];
    struct moult_sha256 hash;
    if (!crypto->sha256_init(crypto->context, &hash)) { return MOULT_E_INTERNAL; }

    enum moult_status st = MOULT_OK;
    while (st == MOULT_OK && size > 0) {
        uint32_t n = size < sizeof buffer ? size : (uint32_t)sizeof buffer;
        st = moult_read(reader, offset, buffer, n);
        if (st == MOULT_OK && !crypto->sha256_update(crypto->context, &hash, buffer, n)) {
            st = MOULT_E_INTERNAL;
        }
        offset += n;
        size -= n;
    }
    if (st != MOULT_OK) {
        crypto->sha256_abort(crypto->context, &hash);
        return st;
    }
    return crypto->sha256_final(crypto->context, &hash, out) ? MOULT_OK : MOULT_E_INTERNAL;
}

enum moult_status moult_sb_image_digest(const struct moult_reader *reader, uint32_t sector,
                                        const struct moult_crypto *crypto, uint8_t out[32])
{
    assert(reader && crypto && out);
    return hash_range(reader, 0, sector, crypto, out);
}

static enum moult_status check_crc(const struct moult_reader *reader, uint32_t offset,
                                   struct moult_finding *finding)
{
    uint8_t buffer[BUFFER_SIZE];
    uint32_t crc = 0, done = 0;
    while (done < OFF_CRC) {
        uint32_t n = OFF_CRC - done < BUFFER_SIZE ? OFF_CRC - done : BUFFER_SIZE;
        enum moult_status st = moult_read(reader, offset + done, buffer, n);
        if (st != MOULT_OK) { return st; }
        crc = crc32_le(crc, buffer, n);
        done += n;
    }
    enum moult_status st = moult_read(reader, offset + OFF_CRC, buffer, 4);
    if (st != MOULT_OK) { return st; }
    if (get_le32(buffer) != crc) {
        return moult_found(finding, MOULT_E_DIGEST,
                           (struct moult_finding){MOULT_D_ESP_SIG_CRC, offset + OFF_CRC,
                                                  crc, get_le32(buffer)});
    }
    return MOULT_OK;
}

/* Which scheme the first bytes of a block name. */
static enum moult_status scheme_of(const uint8_t head[HEAD_SIZE], uint32_t offset,
                                   enum moult_sb_scheme *out, struct moult_finding *finding)
{
    if (head[0] != MOULT_SB_MAGIC) {
        return moult_found(
            finding, MOULT_E_FORMAT,
            (struct moult_finding){MOULT_D_ESP_SIGBLOCK, offset, MOULT_SB_MAGIC, head[0]});
    }
    if (head[OFF_VERSION] == VERSION_RSA) {
        *out = MOULT_SB_RSA3072;
        return MOULT_OK;
    }
    if (head[OFF_VERSION] != VERSION_ECDSA) {
        return moult_found(finding, MOULT_E_FORMAT,
                           (struct moult_finding){MOULT_D_ESP_SIGBLOCK,
                                                  offset + OFF_VERSION, VERSION_ECDSA,
                                                  head[OFF_VERSION]});
    }
    if (head[OFF_SHA_VERSION] == SHA384_MARK && head[OFF_KEY_P384] == CURVE_P384) {
        *out = MOULT_SB_P384;
        return MOULT_OK;
    }
    if (head[OFF_KEY] != CURVE_P256) {
        return moult_found(finding, MOULT_E_FORMAT,
                           (struct moult_finding){MOULT_D_ESP_SIGBLOCK, offset + OFF_KEY,
                                                  CURVE_P256, head[OFF_KEY]});
    }
    *out = MOULT_SB_P256;
    return MOULT_OK;
}

/* Two little-endian numbers of 32 bytes into two big-endian ones, or the other way round.
 */
static void reverse_pair(const uint8_t from[64], uint8_t to[64])
{
    for (uint32_t i = 0; i < NUMBER_SIZE; i++) {
        to[i] = from[NUMBER_SIZE - 1 - i];
        to[NUMBER_SIZE + i] = from[2 * NUMBER_SIZE - 1 - i];
    }
}

static enum moult_status read_p256(const struct moult_reader *reader, uint32_t offset,
                                   struct moult_sb_block *out)
{
    uint8_t pair[64];
    enum moult_status st = moult_read(reader, offset + OFF_P256_POINT, pair, sizeof pair);
    if (st != MOULT_OK) { return st; }
    reverse_pair(pair, out->public_key);
    st = moult_read(reader, offset + OFF_P256_SIGNATURE, pair, sizeof pair);
    if (st != MOULT_OK) { return st; }
    reverse_pair(pair, out->signature);
    return MOULT_OK;
}

/* The fields behind the head, whose scheme is known. */
static enum moult_status read_fields(const struct moult_reader *reader, uint32_t offset,
                                     const struct moult_crypto *crypto,
                                     struct moult_sb_block *out)
{
    assert(out->scheme >= MOULT_SB_RSA3072 && out->scheme <= MOULT_SB_P384);
    bool is_p384 = out->scheme == MOULT_SB_P384;
    uint32_t key = is_p384 ? OFF_KEY_P384 : OFF_KEY;
    uint32_t key_size = is_p384                           ? P384_KEY_SIZE
                        : out->scheme == MOULT_SB_RSA3072 ? RSA_KEY_SIZE
                                                          : P256_KEY_SIZE;
    out->digest_size = is_p384 ? 48 : 32;
    enum moult_status st =
        moult_read(reader, offset + OFF_DIGEST, out->image_digest, out->digest_size);
    if (st == MOULT_OK) {
        st = hash_range(reader, offset + key, key_size, crypto, out->key_digest);
    }
    if (st == MOULT_OK && out->scheme == MOULT_SB_P256) {
        st = read_p256(reader, offset, out);
    }
    return st;
}

enum moult_status moult_sb_block_read(const struct moult_reader *reader, uint32_t sector,
                                      uint32_t index, const struct moult_crypto *crypto,
                                      struct moult_sb_block *out,
                                      struct moult_finding *finding)
{
    assert(reader && crypto && out && index < MOULT_SB_BLOCKS_MAX);
    uint8_t head[HEAD_SIZE];
    uint32_t offset = sector + index * MOULT_SB_BLOCK_SIZE;
    if (reader->size <= sector) { return MOULT_E_NOENT; }
    if (reader->size - sector < MOULT_SB_SECTOR_SIZE) {
        return moult_found(finding, MOULT_E_TRUNCATED,
                           (struct moult_finding){MOULT_D_ESP_TRUNCATED, sector,
                                                  sector + MOULT_SB_SECTOR_SIZE,
                                                  reader->size});
    }
    enum moult_status st = moult_read(reader, offset, head, sizeof head);
    if (st != MOULT_OK) { return st; }
    if (moult_bytes_all(head, sizeof head, 0xff)) { return MOULT_E_NOENT; }

    struct moult_sb_block block = {0};
    st = scheme_of(head, offset, &block.scheme, finding);
    if (st == MOULT_OK) { st = check_crc(reader, offset, finding); }
    if (st == MOULT_OK) { st = read_fields(reader, offset, crypto, &block); }
    if (st == MOULT_OK) { *out = block; }
    return st;
}

enum moult_status moult_sb_block_verify(const struct moult_sb_block *block,
                                        const struct moult_crypto *crypto,
                                        const uint8_t image_digest[32],
                                        struct moult_finding *finding)
{
    assert(block && crypto && image_digest);
    if (block->scheme == MOULT_SB_P384) { return MOULT_E_UNSUPPORTED; }
    if (!moult_bytes_equal(block->image_digest, image_digest, MOULT_SHA256_SIZE)) {
        return moult_found(finding, MOULT_E_DIGEST,
                           (struct moult_finding){MOULT_D_ESP_SIG_DIGEST, 0,
                                                  get_be32(block->image_digest),
                                                  get_be32(image_digest)});
    }
    if (block->scheme != MOULT_SB_P256) { return MOULT_E_UNSUPPORTED; }
    if (!crypto->verify_p256(crypto->context, block->public_key, image_digest,
                             block->signature)) {
        return moult_found(finding, MOULT_E_SIGNATURE,
                           (struct moult_finding){.detail = MOULT_D_ESP_SIG_WRONG});
    }
    return MOULT_OK;
}

/* Big-endian to little-endian or back. */
static void reverse(uint8_t *bytes, uint32_t size)
{
    for (uint32_t i = 0; i < size / 2; i++) {
        uint8_t byte = bytes[i];
        bytes[i] = bytes[size - 1 - i];
        bytes[size - 1 - i] = byte;
    }
}

enum moult_status moult_sb_rsa_read(const struct moult_reader *reader, uint32_t sector,
                                    uint32_t index, struct moult_sb_rsa *out)
{
    assert(reader && out && index < MOULT_SB_BLOCKS_MAX);
    uint32_t block = sector + index * MOULT_SB_BLOCK_SIZE;
    uint8_t exponent[4];
    enum moult_status st =
        moult_read(reader, block + OFF_KEY, out->modulus, sizeof out->modulus);
    if (st == MOULT_OK) {
        st = moult_read(reader, block + OFF_RSA_SIGNATURE, out->signature,
                        sizeof out->signature);
    }
    if (st == MOULT_OK) {
        st = moult_read(reader, block + OFF_RSA_EXPONENT, exponent, sizeof exponent);
    }
    if (st != MOULT_OK) { return st; }
    reverse(out->modulus, sizeof out->modulus);
    reverse(out->signature, sizeof out->signature);
    out->exponent = get_le32(exponent);
    return MOULT_OK;
}

enum moult_status moult_sb_rsa_verify(const struct moult_sb_rsa *rsa,
                                      const struct moult_crypto *crypto,
                                      const uint8_t image_digest[32],
                                      struct moult_finding *finding)
{
    assert(rsa && crypto && image_digest);
    if (!crypto->verify_rsa3072_pss) { return MOULT_E_UNSUPPORTED; }
    if (crypto->verify_rsa3072_pss(crypto->context, rsa->modulus, rsa->exponent,
                                   image_digest, rsa->signature)) {
        return MOULT_OK;
    }
    return moult_found(finding, MOULT_E_SIGNATURE,
                       (struct moult_finding){.detail = MOULT_D_ESP_SIG_WRONG});
}

/* --- What a chip trusts -------------------------------------------------------------- */

enum standing { UNKNOWN, REVOKED, TRUSTED };

static enum standing standing_of(const struct moult_sb_fuses *fuses,
                                 const uint8_t key_digest[32])
{
    enum standing found = UNKNOWN;
    assert(fuses->digest_size > 0 && fuses->digest_size <= 32);
    for (uint32_t i = 0; i < MOULT_SB_KEYS_MAX; i++) {
        if (!fuses->keys[i].is_used ||
            !moult_bytes_equal(fuses->keys[i].digest, key_digest, fuses->digest_size)) {
            continue;
        }
        if (!fuses->keys[i].is_revoked) { return TRUSTED; }
        found = REVOKED;
    }
    return found;
}

/* The signature of block `index`, whose key is trusted. */
static enum moult_status verify_trusted(const struct moult_sb_judge *judge, uint32_t index,
                                        const struct moult_sb_block *block,
                                        struct moult_finding *finding)
{
    const struct moult_crypto *crypto = judge->crypto;
    enum moult_status st =
        moult_sb_block_verify(block, crypto, judge->image_digest, finding);
    if (block->scheme == MOULT_SB_P384) { return MOULT_E_SIGNATURE; }
    if (st != MOULT_E_UNSUPPORTED) { return st; }

    st = moult_sb_rsa_read(judge->reader, judge->sector, index, judge->work);
    if (st != MOULT_OK) { return st; }
    return moult_sb_rsa_verify(judge->work, crypto, judge->image_digest, finding);
}

/* MOULT_OK, UNSUPPORTED or REFUSED as said in the header, SIGNATURE: look at the next one;
 * IO and INTERNAL: give up. */
static enum moult_status judge_block(const struct moult_sb_judge *judge, uint32_t index,
                                     struct moult_finding *finding)
{
    struct moult_sb_block block;
    enum moult_status st = moult_sb_block_read(judge->reader, judge->sector, index,
                                               judge->crypto, &block, NULL);
    if (st == MOULT_OK) {
        enum standing standing = standing_of(judge->fuses, block.key_digest);
        if (standing == UNKNOWN) { return MOULT_E_SIGNATURE; }
        if (standing == REVOKED) { return MOULT_E_REFUSED; }
        st = verify_trusted(judge, index, &block, finding);
    }
    bool is_over = st == MOULT_OK || st == MOULT_E_UNSUPPORTED || st == MOULT_E_IO ||
                   st == MOULT_E_INTERNAL;
    return is_over ? st : MOULT_E_SIGNATURE;
}

enum moult_status moult_sb_trusts(const struct moult_sb_judge *judge,
                                  struct moult_finding *finding)
{
    assert(judge && judge->work && judge->fuses->block_count <= MOULT_SB_BLOCKS_MAX);
    enum moult_status result = MOULT_E_SIGNATURE;
    if (finding) { *finding = (struct moult_finding){0}; }
    for (uint32_t i = 0; i < judge->fuses->block_count; i++) {
        enum moult_status st = judge_block(judge, i, finding);
        if (st == MOULT_OK || st == MOULT_E_IO || st == MOULT_E_INTERNAL) { return st; }
        if (st != MOULT_E_SIGNATURE && result != MOULT_E_UNSUPPORTED) { result = st; }
    }
    return result;
}

void moult_sb_block_encode_p256(const uint8_t image_digest[32],
                                const uint8_t public_key[64], const uint8_t signature[64],
                                uint8_t raw[MOULT_SB_BLOCK_SIZE])
{
    assert(image_digest && public_key && signature && raw);
    memset(raw, 0, MOULT_SB_BLOCK_SIZE);
    raw[0] = MOULT_SB_MAGIC;
    raw[OFF_VERSION] = VERSION_ECDSA;
    memcpy(raw + OFF_DIGEST, image_digest, MOULT_SHA256_SIZE);
    raw[OFF_KEY] = CURVE_P256;
    reverse_pair(public_key, raw + OFF_P256_POINT);
    reverse_pair(signature, raw + OFF_P256_SIGNATURE);
    put_le32(raw + OFF_CRC, crc32_le(0, raw, OFF_CRC));
}

void moult_sb_block_encode_rsa3072(const uint8_t image_digest[32],
                                   const struct moult_sb_rsa *rsa,
                                   const struct moult_sb_rsa_extra *extra,
                                   uint8_t raw[MOULT_SB_BLOCK_SIZE])
{
    assert(image_digest && rsa && extra && raw);
    memset(raw, 0, MOULT_SB_BLOCK_SIZE);
    raw[0] = MOULT_SB_MAGIC;
    raw[OFF_VERSION] = VERSION_RSA;
    memcpy(raw + OFF_DIGEST, image_digest, MOULT_SHA256_SIZE);
    memcpy(raw + OFF_KEY, rsa->modulus, MOULT_RSA3072_SIZE);
    memcpy(raw + OFF_RSA_RINV, extra->rinv, MOULT_RSA3072_SIZE);
    memcpy(raw + OFF_RSA_SIGNATURE, rsa->signature, MOULT_RSA3072_SIZE);
    reverse(raw + OFF_KEY, MOULT_RSA3072_SIZE);
    reverse(raw + OFF_RSA_RINV, MOULT_RSA3072_SIZE);
    reverse(raw + OFF_RSA_SIGNATURE, MOULT_RSA3072_SIZE);
    put_le32(raw + OFF_RSA_EXPONENT, rsa->exponent);
    put_le32(raw + OFF_RSA_MDASH, extra->mdash);
    put_le32(raw + OFF_CRC, crc32_le(0, raw, OFF_CRC));
}
