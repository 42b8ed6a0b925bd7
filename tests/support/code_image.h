/* code_image.h - images with made-up code that is linked like real code: calls, literals,
 * upper and lower halves of addresses, pointers in data. Two versions of one program differ
 * as two builds do: most of the code only moved.
 *
 * Use it   struct code_program a; code_program_make(&a, chip, seed); b = a;
 *          code_program_edit(&b, seed); code_image_link(&a, buffer, capacity).
 *
 * Deterministic: the same seeds give the same bytes.
 */
#ifndef MOULT_TESTS_SUPPORT_CODE_IMAGE_H
#define MOULT_TESTS_SUPPORT_CODE_IMAGE_H

#include <stdint.h>

enum { CODE_FUNCTIONS = 200, CODE_IMAGE_MAX = 128 * 1024 };

struct code_program {
    uint16_t chip_id; /* formats/chip.h: ESP32, S3 or C3 */
    unsigned count;
    struct {
        uint32_t name; /* who is meant by calls; stays when code is inserted */
        uint32_t seed; /* of the body */
        unsigned size; /* operations */
    } functions[CODE_FUNCTIONS + 8];
    uint32_t text_seed; /* of the read-only data */
    unsigned text_size;
};

void code_program_make(struct code_program *p, uint16_t chip_id, uint32_t seed);

/* A few functions change, grow and appear; some read-only data is inserted. */
void code_program_edit(struct code_program *p, uint32_t seed);

/* The image with checksum and digest; its size. Asserts that it fits. */
uint32_t code_image_link(const struct code_program *p, uint8_t *out, uint32_t capacity);

#endif
