/* secure_boot.h - the signature sector of Secure Boot V2.
 *
 * Layer    formats: pure; reads through a moult_reader, hashes and verifies through
 *          moult_crypto.
 * Format   docs/spec/esp-image.md, "Signature sector".
 * Memory   struct moult_sb_block 292 bytes and struct moult_sb_rsa 772 bytes, the caller's;
 *          a 128-byte buffer on the stack.
 * Use it   to look at a block: moult_sb_block_read(), moult_sb_block_verify(). To judge as
 *          the chip does: moult_sb_trusts() with what its eFuses say.
 *
 * RSA-3072 and P-256 are verified, RSA where moult_crypto can. P-384 blocks are recognised:
 * their image digest is a SHA-384, not computed here.
 */
#ifndef MOULT_FORMATS_SECURE_BOOT_H
#define MOULT_FORMATS_SECURE_BOOT_H

#include <stdbool.h>
#include <stdint.h>
#include "formats/crypto.h"
#include "formats/reader.h"
#include "formats/status.h"

#define MOULT_SB_SECTOR_SIZE 4096u
#define MOULT_SB_BLOCK_SIZE 1216u
#define MOULT_SB_BLOCKS_MAX 3u
#define MOULT_SB_KEYS_MAX 3u /* key digests that eFuses hold */
#define MOULT_SB_MAGIC 0xe7u

enum moult_sb_scheme {
    MOULT_SB_RSA3072 = 1,
    MOULT_SB_P256 = 2,
    MOULT_SB_P384 = 3,
};

struct moult_sb_block {
    enum moult_sb_scheme scheme;
    uint8_t digest_size;      /* 32; 48 for P-384 */
    uint8_t image_digest[48]; /* as stored: a claim, never what is trusted */
    uint8_t key_digest[32];   /* SHA-256 over the public key: what eFuses hold */
    uint8_t public_key[64];   /* P-256 only: X || Y, big-endian */
    uint8_t signature[64];    /* P-256 only: r || s, big-endian */
};

/* The numbers of an RSA-3072 block, big-endian. */
struct moult_sb_rsa {
    uint8_t modulus[MOULT_RSA3072_SIZE];
    uint8_t signature[MOULT_RSA3072_SIZE];
    uint32_t exponent;
};

/* What a chip's eFuses say of Secure Boot V2. */
struct moult_sb_fuses {
    uint8_t block_count; /* blocks of a sector that are looked at: 3; ESP32 and C2: 1 */
    uint8_t digest_size; /* bytes of a digest that are held and compared: 32; C2: 16 */
    struct {
        bool is_used, is_revoked;
        uint8_t digest[32];
    } keys[MOULT_SB_KEYS_MAX];
};

/* "rsa3072", "ecdsa-p256", "ecdsa-p384". */
const char *moult_sb_scheme_name(enum moult_sb_scheme scheme);

/* Where a signature sector of an image of that size would start: rounded up to 4 KB. */
uint32_t moult_sb_sector_offset(uint32_t image_size);

/* Block `index` (0..2) of the sector at `sector`.
 *
 * MOULT_OK; MOULT_E_NOENT: erased there, or the reader ends before it; MOULT_E_TRUNCATED:
 * the reader ends inside the sector (ESP_TRUNCATED); MOULT_E_FORMAT: something else than a
 * block, or of an unknown version or curve (ESP_SIGBLOCK); MOULT_E_DIGEST: ESP_SIG_CRC;
 * MOULT_E_IO; MOULT_E_INTERNAL: crypto. finding->where is an offset of the reader; out
 * untouched on failure. */
MOULT_MUST_CHECK enum moult_status moult_sb_block_read(const struct moult_reader *reader,
                                                       uint32_t sector, uint32_t index,
                                                       const struct moult_crypto *crypto,
                                                       struct moult_sb_block *out,
                                                       struct moult_finding *finding);

/* SHA-256 of [0, sector): what RSA-3072 and P-256 blocks sign. MOULT_OK; MOULT_E_IO;
 * MOULT_E_TRUNCATED; MOULT_E_INTERNAL. */
MOULT_MUST_CHECK enum moult_status moult_sb_image_digest(const struct moult_reader *reader,
                                                         uint32_t sector,
                                                         const struct moult_crypto *crypto,
                                                         uint8_t out[32]);

/* Whether the block speaks of this image: stored digest against computed one, then the
 * signature where it can be verified.
 *
 * MOULT_OK: P-256 and good; MOULT_E_UNSUPPORTED: digest good (not looked at for P-384),
 * signature of a scheme that is not verified here; MOULT_E_DIGEST: SB_DIGEST;
 * MOULT_E_SIGNATURE. */
MOULT_MUST_CHECK enum moult_status moult_sb_block_verify(const struct moult_sb_block *block,
                                                         const struct moult_crypto *crypto,
                                                         const uint8_t image_digest[32],
                                                         struct moult_finding *finding);

/* The numbers of block `index`, which is an RSA-3072 block. MOULT_OK; MOULT_E_TRUNCATED;
 * MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status moult_sb_rsa_read(const struct moult_reader *reader,
                                                     uint32_t sector, uint32_t index,
                                                     struct moult_sb_rsa *out);

/* Whether the numbers of a block are a signature of this image digest. MOULT_OK;
 * MOULT_E_SIGNATURE; MOULT_E_UNSUPPORTED: no RSA in `crypto`. */
MOULT_MUST_CHECK enum moult_status moult_sb_rsa_verify(const struct moult_sb_rsa *rsa,
                                                       const struct moult_crypto *crypto,
                                                       const uint8_t image_digest[32],
                                                       struct moult_finding *finding);

/* An image with its signature sector, and who judges it. All is borrowed. */
struct moult_sb_judge {
    const struct moult_reader *reader;
    uint32_t sector;             /* offset of the signature sector */
    const uint8_t *image_digest; /* what moult_sb_image_digest() gives for it */
    const struct moult_sb_fuses *fuses;
    const struct moult_crypto *crypto;
    struct moult_sb_rsa *work; /* scratch */
};

/* Whether a chip with these fuses trusts the image: some block's key digest, computed and
 * not as stored, is one of a used and unrevoked key, and its signature verifies over the
 * image digest. finding, where MOULT_E_SIGNATURE: why the last block by a trusted key did
 * not do; detail 0 when there is none.
 *
 * MOULT_OK; MOULT_E_SIGNATURE: no block will do; MOULT_E_REFUSED: the only known keys are
 * revoked; MOULT_E_UNSUPPORTED: an RSA block by a trusted key whose digest is right, and no
 * RSA in `crypto`; MOULT_E_IO; MOULT_E_INTERNAL. */
MOULT_MUST_CHECK enum moult_status moult_sb_trusts(const struct moult_sb_judge *judge,
                                                   struct moult_finding *finding);

/* A P-256 block: public key and signature big-endian, as signers give them. */
void moult_sb_block_encode_p256(const uint8_t image_digest[32],
                                const uint8_t public_key[64], const uint8_t signature[64],
                                uint8_t raw[MOULT_SB_BLOCK_SIZE]);

/* What else is inside an RSA key's digest: numbers that a verifier in ROM wants ready. */
struct moult_sb_rsa_extra {
    uint8_t rinv[MOULT_RSA3072_SIZE]; /* 2^6144 mod n, big-endian */
    uint32_t mdash;                   /* -(n^-1) mod 2^32 */
};

/* An RSA-3072 block. */
void moult_sb_block_encode_rsa3072(const uint8_t image_digest[32],
                                   const struct moult_sb_rsa *rsa,
                                   const struct moult_sb_rsa_extra *extra,
                                   uint8_t raw[MOULT_SB_BLOCK_SIZE]);

#endif
