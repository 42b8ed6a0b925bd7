/* token.c - see token.h. */
#include "formats/token.h"
#include <string.h>
#include "formats/bytes.h"

#define PREFIX "moult_"
enum { PREFIX_SIZE = 6, SECRET_DIGITS = 43, CHECK_DIGITS = 6 };
enum { CHECKED_SIZE = PREFIX_SIZE + SECRET_DIGITS };
_Static_assert(CHECKED_SIZE + CHECK_DIGITS + 1 == MOULT_TOKEN_SIZE, "token size");

static const char digits[] =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* The big-endian number in bytes (used up) as exactly `count` digits. */
static void base62(uint8_t *bytes, size_t size, char *out, size_t count)
{
    for (size_t d = count; d > 0; d--) {
        unsigned rest = 0;
        for (size_t i = 0; i < size; i++) {
            unsigned value = rest << 8 | bytes[i];
            bytes[i] = (uint8_t)(value / 62u);
            rest = value % 62u;
        }
        out[d - 1] = digits[rest];
    }
}

static void checksum(const char *text, char out[CHECK_DIGITS])
{
    uint8_t crc[4];
    put_be32(crc, crc32_le(0, (const uint8_t *)text, CHECKED_SIZE));
    base62(crc, sizeof crc, out, CHECK_DIGITS);
}

void moult_token_write(const uint8_t secret[MOULT_TOKEN_SECRET_SIZE],
                       char out[MOULT_TOKEN_SIZE])
{
    uint8_t number[MOULT_TOKEN_SECRET_SIZE];
    memcpy(number, secret, sizeof number);
    memcpy(out, PREFIX, PREFIX_SIZE);
    base62(number, sizeof number, out + PREFIX_SIZE, SECRET_DIGITS);
    checksum(out, out + CHECKED_SIZE);
    out[MOULT_TOKEN_SIZE - 1] = '\0';
}

bool moult_token_is_well_formed(const char *text)
{
    char check[CHECK_DIGITS];
    if (strlen(text) != MOULT_TOKEN_SIZE - 1 || memcmp(text, PREFIX, PREFIX_SIZE) != 0) {
        return false;
    }
    checksum(text, check);
    return memcmp(check, text + CHECKED_SIZE, CHECK_DIGITS) == 0;
}
