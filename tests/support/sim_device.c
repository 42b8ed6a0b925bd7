/* sim_device.c - see sim_device.h. */
#include "tests/support/sim_device.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "formats/bytes.h"
#include "formats/chip.h"
#include "keys/openssl_crypto.h"
#include "moult/port.h"
#include "tests/support/sample_image.h"

enum { VERSION_AT = 48, SECURE_VERSION_AT = 36, DIGEST_AT = 304 };

static void must(bool claim)
{
    if (!claim) { abort(); } /* also where assert() is compiled out */
}

static void put_table(struct sim_device *device)
{
    static const struct moult_partition rows[] = {
        {SIM_NVS_AT, 0x3000, 0, MOULT_PARTITION_DATA, MOULT_PARTITION_NVS, "nvs"},
        {SIM_OTADATA_AT, 0x2000, 0, MOULT_PARTITION_DATA, MOULT_PARTITION_OTADATA,
         "otadata"},
        {SIM_SLOT_0_AT, SIM_SLOT_SIZE, 0, MOULT_PARTITION_APP, MOULT_PARTITION_OTA_0,
         "ota_0"},
        {SIM_SLOT_1_AT, SIM_SLOT_SIZE, 0, MOULT_PARTITION_APP, MOULT_PARTITION_OTA_0 + 1,
         "ota_1"},
    };
    static struct moult_partition_table table;
    table.count = sizeof rows / sizeof rows[0];
    table.has_md5 = true;
    memcpy(table.rows, rows, sizeof rows);
    must(moult_partition_encode(&table, device->bits + MOULT_PARTITION_TABLE_OFFSET) ==
         MOULT_OK);
}

void sim_device_put_image(struct sim_device *device, uint32_t slot, const char *version,
                          uint32_t secure_version)
{
    uint8_t image[SAMPLE_IMAGE_SIZE];
    sample_image(image);
    must(strlen(version) < 32 && slot < 2);
    memset(image + VERSION_AT, 0, 32);
    memcpy(image + VERSION_AT, version, strlen(version));
    put_le32(image + SECURE_VERSION_AT, secure_version);
    sample_fix_checksum(image);
    must(moult_sha256_once(&device->crypto, image, DIGEST_AT, image + DIGEST_AT) ==
         MOULT_OK);

    uint8_t *at = device->bits + (slot == 0 ? SIM_SLOT_0_AT : SIM_SLOT_1_AT);
    memset(at, 0xff, SIM_SLOT_SIZE);
    memcpy(at, image, sizeof image);
}

void sim_device_make(struct sim_device *device)
{
    memset(device, 0, sizeof *device);
    memset(device->bits, 0xff, sizeof device->bits);
    device->crypto = keys_openssl_crypto();
    device->build.has_rollback = true;
    put_table(device);
    moult_sim_storage_ram(&device->storage, device->bits, sizeof device->bits);
    must(moult_sim_chip_create(&device->chip, &device->storage, MOULT_CHIP_ESP32C3, 4,
                               SIM_FLASH_SIZE) == MOULT_OK);
    sim_device_put_image(device, 0, "1.0.0", 0);
}

enum moult_status sim_device_boot(struct sim_device *device, uint8_t reset)
{
    moult_sim_flash_power_on(&device->chip.flash);
    return moult_sim_port_power_on(&device->port, &device->chip, &device->crypto,
                                   &device->build, reset);
}
