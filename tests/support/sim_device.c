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

uint32_t sim_partition_at(int which)
{
    must(which == MOULT_BOOT_FACTORY || (which >= 0 && which <= 2));
    return which < 0 ? SIM_FACTORY_AT
                     : (uint32_t)SIM_SLOT_0_AT + (uint32_t)which * SIM_SLOT_SIZE;
}

static void add_app(struct moult_partition_table *table, int which, const char *label)
{
    uint8_t subtype =
        which < 0 ? MOULT_PARTITION_FACTORY : (uint8_t)(MOULT_PARTITION_OTA_0 + which);
    struct moult_partition *row = &table->rows[table->count++];
    *row = (struct moult_partition){.offset = sim_partition_at(which),
                                    .size = SIM_SLOT_SIZE,
                                    .type = MOULT_PARTITION_APP,
                                    .subtype = subtype};
    memcpy(row->label, label, strlen(label));
}

static void put_table(struct sim_device *device, const struct sim_layout *layout)
{
    static const struct moult_partition data[] = {
        {SIM_NVS_AT, 0x3000, 0, MOULT_PARTITION_DATA, MOULT_PARTITION_NVS, "nvs"},
        {SIM_OTADATA_AT, 0x2000, 0, MOULT_PARTITION_DATA, MOULT_PARTITION_OTADATA,
         "otadata"},
    };
    static struct moult_partition_table table;
    must(layout->slot_count == 2 || layout->slot_count == 3);
    table.count = sizeof data / sizeof data[0];
    table.has_md5 = true;
    memcpy(table.rows, data, sizeof data);
    add_app(&table, 0, "ota_0");
    add_app(&table, 1, "ota_1");
    if (layout->slot_count == 3) { add_app(&table, 2, "ota_2"); }
    if (layout->has_factory) { add_app(&table, MOULT_BOOT_FACTORY, "factory"); }
    must(moult_partition_encode(&table, device->bits + MOULT_PARTITION_TABLE_OFFSET) ==
         MOULT_OK);
}

void sim_device_put_image(struct sim_device *device, uint32_t slot, const char *version,
                          uint32_t secure_version)
{
    uint8_t image[SAMPLE_IMAGE_SIZE];
    sample_image(image);
    must(strlen(version) < 32 && slot < 3);
    memset(image + VERSION_AT, 0, 32);
    memcpy(image + VERSION_AT, version, strlen(version));
    put_le32(image + SECURE_VERSION_AT, secure_version);
    sample_fix_checksum(image);
    must(moult_sha256_once(&device->crypto, image, DIGEST_AT, image + DIGEST_AT) ==
         MOULT_OK);

    uint8_t *at = device->bits + sim_partition_at((int)slot);
    memset(at, 0xff, SIM_SLOT_SIZE);
    memcpy(at, image, sizeof image);
}

void sim_device_make(struct sim_device *device)
{
    sim_device_make_as(device, &(struct sim_layout){.slot_count = 2});
}

void sim_device_make_as(struct sim_device *device, const struct sim_layout *layout)
{
    memset(device, 0, sizeof *device);
    memset(device->bits, 0xff, sizeof device->bits);
    device->crypto = keys_openssl_crypto();
    device->build.has_rollback = true;
    put_table(device, layout);
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
