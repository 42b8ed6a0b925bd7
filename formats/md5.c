/* md5.c - see md5.h. Names follow RFC 1321. */
#include "formats/md5.h"
#include <assert.h>
#include <string.h>
#include "formats/bytes.h"

enum { BLOCK_SIZE = 64, LENGTH_SIZE = 8, STEPS = 64 };

/* floor(2^32 * |sin(i + 1)|) */
static const uint32_t sines[STEPS] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613,
    0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193,
    0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d,
    0x02441453, 0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed,
    0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122,
    0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa,
    0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244,
    0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb,
    0xeb86d391};

static const uint8_t shifts[4][4] = {
    {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

static uint32_t rotate(uint32_t x, uint32_t n)
{
    return x << n | x >> (32 - n);
}

/* The function of a round, and which word of the block its step takes. */
static uint32_t mix(uint32_t i, const uint32_t s[4], uint32_t *word)
{
    uint32_t b = s[1], c = s[2], d = s[3];
    switch (i / 16) {
    case 0:
        *word = i;
        return (b & c) | (~b & d);
    case 1:
        *word = (5 * i + 1) % 16;
        return (b & d) | (c & ~d);
    case 2:
        *word = (3 * i + 5) % 16;
        return b ^ c ^ d;
    default:
        *word = 7 * i % 16;
        return c ^ (b | ~d);
    }
}

static void take_block(uint32_t state[4], const uint8_t block[BLOCK_SIZE])
{
    uint32_t s[4];
    memcpy(s, state, sizeof s);
    for (uint32_t i = 0; i < STEPS; i++) {
        uint32_t word;
        uint32_t f = mix(i, s, &word);
        uint32_t sum = s[0] + f + sines[i] + get_le32(block + 4 * word);
        s[0] = s[3];
        s[3] = s[2];
        s[2] = s[1];
        s[1] += rotate(sum, shifts[i / 16][i % 4]);
    }
    for (int i = 0; i < 4; i++) {
        state[i] += s[i];
    }
}

void moult_md5(const uint8_t *data, size_t size, uint8_t out[MOULT_MD5_SIZE])
{
    assert((data || size == 0) && out);
    uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    uint8_t block[BLOCK_SIZE] = {0};
    size_t left = size;
    for (; left >= BLOCK_SIZE; left -= BLOCK_SIZE, data += BLOCK_SIZE) {
        take_block(state, data);
    }
    if (left > 0) { memcpy(block, data, left); }
    block[left] = 0x80;
    if (left >= BLOCK_SIZE - LENGTH_SIZE) { /* no room for the length */
        take_block(state, block);
        memset(block, 0, sizeof block);
    }
    put_le64(block + BLOCK_SIZE - LENGTH_SIZE, (uint64_t)size * 8);
    take_block(state, block);
    for (int i = 0; i < 4; i++) {
        put_le32(out + 4 * i, state[i]);
    }
}
