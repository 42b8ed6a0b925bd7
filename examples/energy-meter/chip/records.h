/* records.h - the two records at the front of the running image, as bytes.
 *
 * Layer    examples/energy-meter/chip. Mapped from flash; filled in by `moult image make`.
 */
#ifndef MOULT_EXAMPLES_RECORDS_H
#define MOULT_EXAMPLES_RECORDS_H

#include <stdint.h>
#include "formats/app_desc.h"
#include "formats/image_info.h"

extern const uint8_t app_descriptor[MOULT_APP_DESC_SIZE];
extern const uint8_t app_info[MOULT_IMAGE_INFO_SIZE + MOULT_IMAGE_INFO_KEYSET_SIZE_MAX];

#endif
