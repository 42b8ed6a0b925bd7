/* bytes_test.c - formats/bytes.c */
#include "formats/bytes.h"
#include <string.h>
#include "tests/support/check.h"

static void test_numbers_survive_a_round_trip(void)
{
    uint8_t p[8];
    put_le64(p, 0x0123456789abcdefu);
    check_equal(p[0], 0xef);
    check_equal(get_le64(p), 0x0123456789abcdef);
    check_equal(get_le32(p), 0x89abcdef);
    check_equal(get_le16(p), 0xcdef);
    put_be64(p, 0x0123456789abcdefu);
    check_equal(p[0], 0x01);
    check_equal(get_be64(p), 0x0123456789abcdef);
    check_equal(get_be32(p), 0x01234567);
    check_equal(get_be16(p), 0x0123);
}

static void test_crc32_in_both_conventions(void)
{
    const uint8_t *nine = (const uint8_t *)"123456789";
    check_equal(crc32_le(0, nine, 9),
                0xcbf43926); /* the well-known check value of CRC-32 */
    check_equal(crc32_le(crc32_le(0, nine, 4), nine + 4, 5), 0xcbf43926);
    const uint8_t seq1[4] = {1, 0, 0, 0};
    check_equal(crc32_le(UINT32_MAX, seq1, 4), 0x4743989a); /* otadata, sequence 1 */
}

static void test_sum_over_32_bits_is_refused(void)
{
    uint32_t sum = 7;
    check(moult_add_u32(UINT32_MAX - 1, 1, &sum));
    check_equal(sum, UINT32_MAX);
    check(!moult_add_u32(UINT32_MAX, 1, &sum));
    check_equal(sum, UINT32_MAX);
}

static void test_hex(void)
{
    char text[9];
    uint8_t raw[4];
    moult_hex_encode((const uint8_t *)"\x00\xff\x1a\xc0", 4, text);
    check(strcmp(text, "00ff1ac0") == 0);
    check(moult_hex_decode("00Ff1aC0", raw, 4));
    check_bytes(raw, "\x00\xff\x1a\xc0", 4);
    check(!moult_hex_decode("00fg1ac0", raw, 4));
    check(!moult_hex_decode("00f", raw, 2));
}

static void test_comparisons(void)
{
    check(moult_bytes_equal((const uint8_t *)"abc", (const uint8_t *)"abc", 3));
    check(!moult_bytes_equal((const uint8_t *)"abc", (const uint8_t *)"abd", 3));
    check(moult_bytes_all((const uint8_t *)"\xff\xff", 2, 0xff));
    check(!moult_bytes_all((const uint8_t *)"\xff\xfe", 2, 0xff));
}

int main(void)
{
    check_run(test_numbers_survive_a_round_trip);
    check_run(test_crc32_in_both_conventions);
    check_run(test_sum_over_32_bits_is_refused);
    check_run(test_hex);
    check_run(test_comparisons);
    return check_report();
}
