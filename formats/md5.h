/* md5.h - the digest in ESP-IDF's partition tables, for nothing else: MD5 protects nobody.
 *
 * Layer    formats: pure.
 * Format   RFC 1321.
 * Memory   a 64-byte block on the stack.
 */
#ifndef MOULT_FORMATS_MD5_H
#define MOULT_FORMATS_MD5_H

#include <stddef.h>
#include <stdint.h>

#define MOULT_MD5_SIZE 16u

/* MD5 of one byte string; data is borrowed for the call. */
void moult_md5(const uint8_t *data, size_t size, uint8_t out[MOULT_MD5_SIZE]);

#endif
