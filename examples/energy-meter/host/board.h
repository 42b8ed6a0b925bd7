/* board.h - the virtual ESP32-C3 board: its file, chip, bootloader and what booted.
 *
 * Layer    examples/energy-meter/host.
 * Memory   struct board, about 8 KB, the caller's.
 * Power    opening for running is power on; closing is power off. What is in the file is
 *          all there is.
 */
#ifndef METER_HOST_BOARD_H
#define METER_HOST_BOARD_H

#include <stdbool.h>
#include <stdint.h>
#include "formats/app_desc.h"
#include "formats/image_info.h"
#include "ports/sim/chip.h"
#include "ports/sim/port.h"
#include "ports/sim/storage.h"

#define BOARD_FLASH_SIZE (4u * 1024 * 1024)
#define BOARD_FILE_SIZE (BOARD_FLASH_SIZE + MOULT_SIM_EFUSE_SIZE)
#define BOARD_CHIP_REVISION 4u      /* v0.4, what is sold today */
#define BOARD_METER_LABEL "meter"   /* partition of the readings */
#define BOARD_TARIFF_LABEL "tariff" /* of the prices; a table may do without */

struct board {
    struct moult_sim_port port; /* first: context of the simulator's callbacks */
    struct moult_sim_storage storage;
    struct moult_sim_chip chip;
    struct moult_crypto crypto;
};

/* How bootloader and firmware of this product are built. */
extern const struct moult_sim_build board_build;

/* What the image in a partition says of itself. */
struct firmware {
    struct moult_app_desc desc;
    struct moult_image_info info;
    bool is_managed; /* carries a moult_image_info */
    uint32_t size;   /* of the image proper */
    uint8_t digest[32];
    const char *version; /* of info, else of desc; in this struct */
};

/* Power on. MOULT_OK; MOULT_E_NOENT: no such file; MOULT_E_BUSY: it is running;
 * MOULT_E_FORMAT: not a device file, or no table or NVS in it; MOULT_E_STATE: no image
 * boots; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status board_power_on(struct board *board, const char *path,
                                                  uint8_t reset);
void board_power_off(struct board *board);

/* Look at a device in RAM, as a copy of its file; nothing is written. MOULT_OK;
 * MOULT_E_STATE: no image would boot, the rest is there; MOULT_E_FORMAT; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status board_look(struct board *board, uint8_t *copy,
                                              uint32_t size);

/* From a slot, verified before. `with_digest` reads it all. MOULT_OK; MOULT_E_NOENT: no
 * image there; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status board_firmware(const struct board *board, int which,
                                                  bool with_digest, struct firmware *out);

#endif
