/* bytes.h - little and big endian numbers in byte strings, CRC-32, checked sums.
 *
 * Layer    formats: pure functions.
 * Memory   pointers are borrowed for the call; alignment does not matter.
 */
#ifndef MOULT_FORMATS_BYTES_H
#define MOULT_FORMATS_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A byte string that belongs to someone else. data may be NULL when size is 0. */
struct moult_bytes {
    const uint8_t *data;
    size_t size; /* bytes */
};

uint16_t get_le16(const uint8_t *p);
uint32_t get_le32(const uint8_t *p);
uint64_t get_le64(const uint8_t *p);
uint16_t get_be16(const uint8_t *p);
uint32_t get_be32(const uint8_t *p);
uint64_t get_be64(const uint8_t *p);
void put_le16(uint8_t *p, uint16_t value);
void put_le32(uint8_t *p, uint32_t value);
void put_le64(uint8_t *p, uint64_t value);
void put_be16(uint8_t *p, uint16_t value);
void put_be32(uint8_t *p, uint32_t value);
void put_be64(uint8_t *p, uint64_t value);

/* CRC-32, reflected polynomial 0xEDB88320, in the convention of ESP-IDF's ROM function: the
 * seed
 * is inverted on entry and the result on exit. crc32_le(0, ...) is the ordinary CRC-32
 * (zlib);
 * crc32_le(UINT32_MAX, ...) is otadata's. Continue a CRC by passing the previous result. */
uint32_t crc32_le(uint32_t seed, const uint8_t *data, size_t size);

/* sum = a + b. False, sum untouched, when it does not fit 32 bits. */
bool moult_add_u32(uint32_t a, uint32_t b, uint32_t *sum);

/* Whether n bytes are all `value` (0xff: erased flash). */
bool moult_bytes_all(const uint8_t *data, size_t size, uint8_t value);

/* Equality in time that depends on size only. For digests and tokens. */
bool moult_bytes_equal(const uint8_t *a, const uint8_t *b, size_t size);

/* size bytes as 2 * size lower-case hex digits and a NUL into out (2 * size + 1 bytes). */
void moult_hex_encode(const uint8_t *data, size_t size, char *out);

/* Exactly 2 * size hex digits of either case from text into out. False, out undefined, on
 * any
 * other character or a NUL before the end; what follows the digits is not looked at. */
bool moult_hex_decode(const char *text, uint8_t *out, size_t size);

#endif
