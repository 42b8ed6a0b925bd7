/* sim_device.h - a small simulated ESP32-C3 in RAM: table, slots, an image each.
 *
 * Use it   static struct sim_device device; sim_device_make(&device); then boot it with
 *          sim_device_boot(). Deterministic; about 330 KB. Every function asserts: a test
 *          whose device cannot be made has nothing to say.
 */
#ifndef MOULT_TESTS_SUPPORT_SIM_DEVICE_H
#define MOULT_TESTS_SUPPORT_SIM_DEVICE_H

#include <stdint.h>
#include "formats/crypto.h"
#include "ports/sim/bootloader.h"
#include "ports/sim/chip.h"
#include "ports/sim/port.h"

enum {
    SIM_NVS_AT = 0x9000, /* 3 sectors */
    SIM_OTADATA_AT = 0xc000,
    SIM_SLOT_0_AT = 0x10000,
    SIM_SLOT_1_AT = 0x20000,
    SIM_SLOT_2_AT = 0x30000,
    SIM_FACTORY_AT = 0x40000,
    SIM_SLOT_SIZE = 0x10000, /* of the factory partition as well */
    SIM_FLASH_SIZE = 0x50000,
};

/* What the partition table has beside NVS and otadata. */
struct sim_layout {
    uint32_t slot_count; /* 2 or 3 */
    bool has_factory;
};

struct sim_device {
    uint8_t bits[SIM_FLASH_SIZE + MOULT_SIM_EFUSE_SIZE];
    struct moult_sim_storage storage;
    struct moult_sim_chip chip;
    struct moult_crypto crypto;
    struct moult_sim_build build; /* rollback on; tests may change it */
    struct moult_sim_port port;
};

/* Blank otadata and NVS, version "1.0.0" in ota_0, nothing in ota_1. */
void sim_device_make(struct sim_device *device);
/* The same with another table. */
void sim_device_make_as(struct sim_device *device, const struct sim_layout *layout);

/* Where a partition begins: 0..2 is ota_N, MOULT_BOOT_FACTORY. */
uint32_t sim_partition_at(int which);

/* The 336-byte sample image, with that version and secure_version, whole and valid,
 * straight into a slot, whatever is protected. */
void sim_device_put_image(struct sim_device *device, uint32_t slot, const char *version,
                          uint32_t secure_version);

/* Reset and boot. Returns as moult_sim_port_power_on(). */
MOULT_MUST_CHECK enum moult_status sim_device_boot(struct sim_device *device,
                                                   uint8_t reset);

#endif
