/* ota.h - what ESP-IDF's app_update does for an application, on a simulated chip.
 *
 * Layer    ports/sim. Rules of esp_ota_ops.c; docs/design/simulator.md lists them.
 * Memory   none of its own.
 * Power    every change is one otadata rewrite: sector erase, 32-byte program.
 *
 * Results  0, or an esp_err_t of ESP-IDF, since that is what a device reports as native
 *          error.
 */
#ifndef MOULT_PORTS_SIM_OTA_H
#define MOULT_PORTS_SIM_OTA_H

#include <stdint.h>
#include "formats/compiler.h"
#include "moult/port.h"
#include "ports/sim/bootloader.h"

enum {
    MOULT_SIM_ESP_OK = 0,
    MOULT_SIM_ESP_FAIL = -1,
    MOULT_SIM_ESP_INVALID_ARG = 0x102,
    MOULT_SIM_ESP_INVALID_SIZE = 0x104,
    MOULT_SIM_ESP_NOT_FOUND = 0x105,
    MOULT_SIM_ESP_OTA_SELECT_INFO_INVALID = 0x1502,
    MOULT_SIM_ESP_OTA_VALIDATE_FAILED = 0x1503,
    MOULT_SIM_ESP_OTA_SMALL_SEC_VER = 0x1504,
    MOULT_SIM_ESP_OTA_ROLLBACK_FAILED = 0x1505,
    MOULT_SIM_ESP_FLASH_OP_FAIL = 0x6001,
};

/* esp_ota_set_boot_partition: verifies the image again, then selects it, as NEW in a build
 * with rollback. 0; INVALID_ARG: no such slot; VALIDATE_FAILED; SMALL_SEC_VER: below the
 * eFuse, and the slot has been erased; SELECT_INFO_INVALID; FLASH_OP_FAIL. */
MOULT_MUST_CHECK int32_t moult_sim_set_boot(struct moult_sim_boot *boot, uint32_t slot);

/* esp_ota_mark_app_valid_cancel_rollback: the selected entry becomes VALID; with
 * anti-rollback the eFuse follows the running image. 0, also when it was VALID; FAIL: no
 * entry selects; FLASH_OP_FAIL. */
MOULT_MUST_CHECK int32_t moult_sim_mark_valid(struct moult_sim_boot *boot);

/* esp_ota_mark_app_invalid_rollback, without the reboot: the selected entry becomes
 * INVALID. 0; FAIL: no entry selects; ROLLBACK_FAILED: nothing else would boot;
 * FLASH_OP_FAIL. */
MOULT_MUST_CHECK int32_t moult_sim_mark_invalid(struct moult_sim_boot *boot);

/* What runs and what is selected now. 0; FLASH_OP_FAIL. */
MOULT_MUST_CHECK int32_t moult_sim_boot_info(const struct moult_sim_boot *boot,
                                             struct moult_boot_info *out);

/* esp_ota_get_state_partition: of the first entry with a good CRC that names the slot,
 * MOULT_SLOT_NO_ENTRY when there is none. 0; FLASH_OP_FAIL. */
MOULT_MUST_CHECK int32_t moult_sim_slot_state(const struct moult_sim_boot *boot,
                                              uint32_t slot, enum moult_slot_state *out);

#endif
