/* descriptor.c - the two records at the front of the image, to be filled in by `moult image
 * make`.
 *
 * Their places are fixed: docs/spec/esp-image.md and docs/spec/image-info.md. Only the
 * magic of the descriptor is here, so that an image nobody filled in says so.
 */
#include "examples/energy-meter/chip/records.h"

/* Kept by the linker script in this order, in front of all other constants. */
__attribute__((section(".rodata_desc"), used, aligned(4)))
const uint8_t app_descriptor[MOULT_APP_DESC_SIZE] = {0x32, 0x54, 0xcd, 0xab};

/* Room for moult_image_info: its magic, format 0, and how large a keyset may be (2048). */
__attribute__((section(".rodata_custom_desc"), used, aligned(4)))
const uint8_t app_info[MOULT_IMAGE_INFO_SIZE + MOULT_IMAGE_INFO_KEYSET_SIZE_MAX] = {
    'M', 'O', 'U', 'L', 'T', 'I', 'N', 'F', 0, 0, 0x00, 0x08,
};
