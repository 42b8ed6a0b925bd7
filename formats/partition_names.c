/* partition_names.c - see partition_names.h. The words are those of ESP-IDF's generator. */
#include "formats/partition_names.h"
#include <stddef.h>
#include "formats/partition_table.h"

const struct moult_partition_word moult_partition_type_words[] = {
    {"app", 0, MOULT_PARTITION_APP},
    {"data", 0, MOULT_PARTITION_DATA},
    {"bootloader", 0, MOULT_PARTITION_BOOTLOADER},
    {"partition_table", 0, MOULT_PARTITION_PARTITION_TABLE},
    {NULL, 0, 0},
};

const struct moult_partition_word moult_partition_subtype_words[] = {
    {"factory", MOULT_PARTITION_APP, MOULT_PARTITION_FACTORY},
    {"ota_0", MOULT_PARTITION_APP, 0x10},
    {"ota_1", MOULT_PARTITION_APP, 0x11},
    {"ota_2", MOULT_PARTITION_APP, 0x12},
    {"ota_3", MOULT_PARTITION_APP, 0x13},
    {"ota_4", MOULT_PARTITION_APP, 0x14},
    {"ota_5", MOULT_PARTITION_APP, 0x15},
    {"ota_6", MOULT_PARTITION_APP, 0x16},
    {"ota_7", MOULT_PARTITION_APP, 0x17},
    {"ota_8", MOULT_PARTITION_APP, 0x18},
    {"ota_9", MOULT_PARTITION_APP, 0x19},
    {"ota_10", MOULT_PARTITION_APP, 0x1a},
    {"ota_11", MOULT_PARTITION_APP, 0x1b},
    {"ota_12", MOULT_PARTITION_APP, 0x1c},
    {"ota_13", MOULT_PARTITION_APP, 0x1d},
    {"ota_14", MOULT_PARTITION_APP, 0x1e},
    {"ota_15", MOULT_PARTITION_APP, 0x1f},
    {"test", MOULT_PARTITION_APP, MOULT_PARTITION_TEST},
    {"tee_0", MOULT_PARTITION_APP, 0x30},
    {"tee_1", MOULT_PARTITION_APP, 0x31},
    {"ota", MOULT_PARTITION_DATA, MOULT_PARTITION_OTADATA},
    {"phy", MOULT_PARTITION_DATA, 0x01},
    {"nvs", MOULT_PARTITION_DATA, MOULT_PARTITION_NVS},
    {"coredump", MOULT_PARTITION_DATA, MOULT_PARTITION_COREDUMP},
    {"nvs_keys", MOULT_PARTITION_DATA, 0x04},
    {"efuse", MOULT_PARTITION_DATA, 0x05},
    {"undefined", MOULT_PARTITION_DATA, MOULT_PARTITION_UNDEFINED},
    {"esphttpd", MOULT_PARTITION_DATA, 0x80},
    {"fat", MOULT_PARTITION_DATA, 0x81},
    {"spiffs", MOULT_PARTITION_DATA, 0x82},
    {"littlefs", MOULT_PARTITION_DATA, 0x83},
    {"tee_ota", MOULT_PARTITION_DATA, MOULT_PARTITION_TEE_OTA},
    {"primary", MOULT_PARTITION_BOOTLOADER, MOULT_PARTITION_PRIMARY},
    {"ota", MOULT_PARTITION_BOOTLOADER, 0x01},
    {"recovery", MOULT_PARTITION_BOOTLOADER, MOULT_PARTITION_RECOVERY},
    {"primary", MOULT_PARTITION_PARTITION_TABLE, MOULT_PARTITION_PRIMARY},
    {"ota", MOULT_PARTITION_PARTITION_TABLE, 0x01},
    {NULL, 0, 0},
};

const char *moult_partition_type_name(uint8_t type)
{
    for (const struct moult_partition_word *w = moult_partition_type_words; w->word; w++) {
        if (w->value == type) { return w->word; }
    }
    return NULL;
}

const char *moult_partition_subtype_name(uint8_t type, uint8_t subtype)
{
    for (const struct moult_partition_word *w = moult_partition_subtype_words; w->word;
         w++) {
        if (w->type == type && w->value == subtype) { return w->word; }
    }
    return NULL;
}
