/* sample_image.h - the smallest valid ESP32-C3 application image, made byte by byte.
 *
 * Its bytes do not come from formats/image_build.c, so that a mistake there cannot hide
 * here: docs/spec/esp-image.md has them as a worked example, with the digests that two
 * other implementations computed.
 */
#ifndef MOULT_TESTS_SUPPORT_SAMPLE_IMAGE_H
#define MOULT_TESTS_SUPPORT_SAMPLE_IMAGE_H

#include <stdint.h>

#define SAMPLE_IMAGE_SIZE 336u
#define SAMPLE_SIGNED_SIZE 8192u /* padded to 4 KB, then the signature sector */
#define SAMPLE_CHECKSUM_OFFSET 303u

/* One segment, version "1.2.3", project "moult-vec", secure_version 3, IDF v5.5. */
void sample_image(uint8_t out[SAMPLE_IMAGE_SIZE]);

/* The same with a P-256 signature sector: private key 1, nonce 2, for tests only. */
void sample_signed_image(uint8_t out[SAMPLE_SIGNED_SIZE]);

/* XOR seed of all segment data into the checksum byte; for tests that change segment data.
 * */
void sample_fix_checksum(uint8_t image[SAMPLE_IMAGE_SIZE]);

#endif
