/* tables_test.c - codec/decode/tables.c: the constants follow from their rules, worked out
 * again here with integers only. */
#include <string.h>
#include "codec/decode/tables.h"
#include "formats/bytes.h"
#include "keys/openssl_crypto.h"
#include "tests/support/check.h"

__extension__ typedef unsigned __int128 uint128;

enum { STEPS = 6200 };

/* e^(-k/512) with 62 bits behind the point: each from the one before. */
static uint64_t e[STEPS];

static void make_e(void)
{
    const uint64_t factor = 4602687609541841169u; /* e^(-1/512) */
    e[0] = (uint64_t)1 << 62;
    for (unsigned k = 1; k < STEPS; k++) {
        e[k] = (uint64_t)((uint128)e[k - 1] * factor >> 62);
    }
}

static void test_the_logistic_curve(void)
{
    for (unsigned k = 0; k < 97; k++) {
        uint128 one = (uint128)1 << 62;
        uint64_t p = (uint64_t)(65536 * one / (one + e[64 * k]));
        check_equal(moult_sq[k], p > 65532 ? 65532 : p);
    }
}

static void test_its_inverse(void)
{
    for (unsigned i = 0; i < 256; i++) {
        if (i >= 128 && i < 136) {
            check_equal(moult_st[i], 0);
            continue;
        }
        uint64_t a = i < 128 ? 2 * i + 1 : 2 * (16 * (i - 128) + 8);
        unsigned s = 0;
        while (s < 2047 && !((uint128)(8192 - a) * e[2 * s + 1] < ((uint128)a << 62))) {
            s++;
        }
        check_equal(moult_st[i], s);
    }
}

static void test_how_fast_flags_learn(void)
{
    for (unsigned n = 0; n < 251; n++) {
        check_equal(moult_rate16[n], 655360 / (10 * n + 16));
    }
}

/* The digests that the specification prints. */
static void test_the_bytes_are_those_of_the_specification(void)
{
    struct moult_crypto crypto = keys_openssl_crypto();
    uint8_t bytes[512], digest[32], expected[32];
    for (unsigned k = 0; k < 97; k++) {
        put_le16(bytes + 2 * k, moult_sq[k]);
    }
    check_equal(moult_sha256_once(&crypto, bytes, 194, digest), MOULT_OK);
    check(moult_hex_decode(
        "0faf9a27c9b295b7cf381d3d0e8e8bae68eb6bf0b234776b096ad5ea3c7887bf", expected, 32));
    check_bytes(digest, expected, 32);
    for (unsigned i = 0; i < 256; i++) {
        put_le16(bytes + 2 * i, (uint16_t)moult_st[i]);
    }
    check_equal(moult_sha256_once(&crypto, bytes, 512, digest), MOULT_OK);
    check(moult_hex_decode(
        "a81dfc84256dff759a1a1bb5948299c3ddca16e0f1b3761466feff25ea90dc64", expected, 32));
    check_bytes(digest, expected, 32);
}

static void test_squash_and_stretch_undo_each_other(void)
{
    for (uint32_t p = 16; p < 65520; p += 16) {
        uint32_t back = moult_squash(moult_stretch(p));
        uint32_t off = back > p ? back - p : p - back;
        check(off <= 32 + p / 64 + (65536 - p) / 64);
    }
    check_equal(moult_squash(0), 32768);
    check_equal(moult_squash(5000), moult_squash(3071));
    check_equal(moult_squash(-5000) + moult_squash(5000), 65536);
}

static void test_signed_arithmetic_does_not_depend_on_the_compiler(void)
{
    check_equal(moult_asr(-1, 16), -1);
    check_equal(moult_asr(-65536, 16), -1);
    check_equal(moult_asr(-65537, 16), -2);
    check_equal(moult_asr(65535, 16), 0);
    check_equal(moult_sx(0x800, 12), -2048);
    check_equal(moult_sx(0x7ff, 12), 2047);
    check_equal(moult_sx(0xfffff7ff, 12), 2047);
    check_equal(moult_sx(0x80000000, 32), INT32_MIN);
}

int main(void)
{
    make_e();
    check_run(test_the_logistic_curve);
    check_run(test_its_inverse);
    check_run(test_how_fast_flags_learn);
    check_run(test_the_bytes_are_those_of_the_specification);
    check_run(test_squash_and_stretch_undo_each_other);
    check_run(test_signed_arithmetic_does_not_depend_on_the_compiler);
    return check_report();
}
