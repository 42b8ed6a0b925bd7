/* port.c - see port.h. */
#include "ports/sim/port.h"
#include <assert.h>
#include <string.h>
#include "formats/bytes.h"
#include "ports/sim/ota.h"

_Static_assert(MOULT_SECTOR_SIZE == MOULT_SIM_SECTOR_SIZE, "one sector size");
_Static_assert(MOULT_KV_KEY_MAX == MOULT_SIM_NVS_KEY_MAX, "one key size");
_Static_assert(MOULT_KV_BLOB_MAX <= MOULT_SIM_NVS_BLOB_MAX, "the store takes every blob");
_Static_assert(offsetof(struct moult_sim_port, boot) == 0, "no padding before the first");

static int32_t flash_result(enum moult_status st)
{
    return st == MOULT_OK ? MOULT_SIM_ESP_OK : MOULT_SIM_ESP_FLASH_OP_FAIL;
}

/* --- App slots ----------------------------------------------------------------------- */

/* Where [offset, offset + size) of a slot is in flash. False: not inside it. */
static bool locate(const struct moult_sim_port *port, uint32_t slot, uint32_t offset,
                   size_t size, uint32_t *at)
{
    if (slot >= port->boot.slot_count) { return false; }
    const struct moult_partition *partition = moult_sim_partition(&port->boot, (int)slot);
    if (offset > partition->size || size > partition->size - offset) { return false; }
    *at = partition->offset + offset;
    return true;
}

static int32_t flash_read(void *context, uint32_t slot, uint32_t offset, uint8_t *out,
                          size_t size)
{
    struct moult_sim_port *port = context;
    uint32_t at;
    if (!locate(port, slot, offset, size, &at)) { return MOULT_SIM_ESP_INVALID_SIZE; }
    return flash_result(
        moult_sim_flash_read(&port->boot.chip->flash, at, out, (uint32_t)size));
}

/* The engine's promises, which a chip would not check: the running slot is left alone. */
static bool may_write(const struct moult_sim_port *port, uint32_t slot, uint32_t offset,
                      size_t size, uint32_t *at)
{
    return (int)slot != port->boot.booted && locate(port, slot, offset, size, at);
}

static int32_t flash_erase(void *context, uint32_t slot, uint32_t offset)
{
    struct moult_sim_port *port = context;
    uint32_t at;
    if (!may_write(port, slot, offset, MOULT_SECTOR_SIZE, &at)) {
        return MOULT_SIM_ESP_INVALID_ARG;
    }
    return flash_result(moult_sim_flash_erase(&port->boot.chip->flash, at));
}

static int32_t flash_write(void *context, uint32_t slot, uint32_t offset,
                           const uint8_t *data, size_t size)
{
    struct moult_sim_port *port = context;
    uint32_t at;
    if (offset % MOULT_WRITE_UNIT || size % MOULT_WRITE_UNIT ||
        !may_write(port, slot, offset, size, &at)) {
        return MOULT_SIM_ESP_INVALID_ARG;
    }
    return flash_result(
        moult_sim_flash_program(&port->boot.chip->flash, at, data, (uint32_t)size));
}

/* Of the cells themselves: erased flash decrypts to noise. */
static int32_t flash_is_erased(void *context, uint32_t slot, uint32_t offset, size_t size,
                               bool *is_erased)
{
    struct moult_sim_port *port = context;
    uint8_t found[MOULT_SIM_PAGE_SIZE];
    uint32_t at;
    *is_erased = true;
    if (!locate(port, slot, offset, size, &at)) { return MOULT_SIM_ESP_INVALID_SIZE; }
    for (uint32_t done = 0; done < size;) {
        uint32_t part = (uint32_t)size - done;
        if (part > sizeof found) { part = sizeof found; }
        enum moult_status st =
            moult_sim_flash_read_raw(&port->boot.chip->flash, at + done, found, part);
        if (st != MOULT_OK) { return flash_result(st); }
        if (!moult_bytes_all(found, part, 0xff)) { *is_erased = false; }
        done += part;
    }
    return MOULT_SIM_ESP_OK;
}

/* --- Boot control -------------------------------------------------------------------- */

static int32_t boot_info(void *context, struct moult_boot_info *out)
{
    struct moult_sim_port *port = context;
    return moult_sim_boot_info(&port->boot, out);
}

static int32_t slot_state(void *context, uint32_t slot, enum moult_slot_state *out)
{
    struct moult_sim_port *port = context;
    return moult_sim_slot_state(&port->boot, slot, out);
}

static int32_t set_boot(void *context, uint32_t slot)
{
    struct moult_sim_port *port = context;
    return moult_sim_set_boot(&port->boot, slot);
}

static int32_t mark_valid(void *context)
{
    struct moult_sim_port *port = context;
    return moult_sim_mark_valid(&port->boot);
}

static void reboot(void *context)
{
    struct moult_sim_port *port = context;
    port->reboot_wanted = true;
}

static int32_t mark_invalid_and_reboot(void *context)
{
    struct moult_sim_port *port = context;
    int32_t result = moult_sim_mark_invalid(&port->boot);
    if (result == MOULT_SIM_ESP_OK) { reboot(port); }
    return result;
}

static uint32_t secure_version(void *context)
{
    struct moult_sim_port *port = context;
    uint32_t version = 0;
    if (moult_sim_efuse_read(port->boot.chip, &version) != MOULT_OK) {
        return 0; /* the host's disk failed: the flash will say so next */
    }
    return version;
}

static int32_t raise_secure_version(void *context, uint32_t version)
{
    struct moult_sim_port *port = context;
    switch (moult_sim_efuse_burn(port->boot.chip, version)) {
    case MOULT_OK:
    case MOULT_E_REPLAY: /* more are burnt */
        return MOULT_SIM_ESP_OK;
    case MOULT_E_RANGE:
        return MOULT_SIM_ESP_INVALID_ARG;
    default:
        return MOULT_SIM_ESP_FAIL;
    }
}

static enum moult_status secure_boot(void *context, const struct moult_reader *image,
                                     uint32_t sector, const uint8_t digest[32])
{
    struct moult_sim_port *port = context;
    bool is_on;
    enum moult_status st =
        moult_sim_switch_read(port->boot.chip, MOULT_SIM_SECURE_BOOT, &is_on);
    if (st != MOULT_OK || !is_on) { return st; }
    if (sector == 0) { return MOULT_E_SIGNATURE; }
    return moult_sim_sb_judge(&port->boot, image, sector, digest, NULL);
}

static int32_t table_digest(void *context, uint8_t out[32])
{
    struct moult_sim_port *port = context;
    uint8_t raw[MOULT_PARTITION_TABLE_SIZE];
    enum moult_status st = moult_sim_flash_read(
        &port->boot.chip->flash, MOULT_PARTITION_TABLE_OFFSET, raw, sizeof raw);
    if (st == MOULT_OK) { st = moult_sha256_once(port->boot.crypto, raw, sizeof raw, out); }
    return flash_result(st);
}

/* --- Key-value store ----------------------------------------------------------------- */

static int32_t kv_result(enum moult_status st)
{
    switch (st) {
    case MOULT_OK:
        return MOULT_SIM_ESP_OK;
    case MOULT_E_SPACE:
        return MOULT_SIM_ESP_NVS_NOT_ENOUGH_SPACE;
    case MOULT_E_RANGE:
        return MOULT_SIM_ESP_NVS_INVALID_LENGTH;
    default:
        return MOULT_SIM_ESP_FLASH_OP_FAIL;
    }
}

static int32_t kv_get(void *context, const char *key, uint8_t *out, size_t capacity,
                      size_t *size)
{
    struct moult_sim_port *port = context;
    uint32_t found = 0;
    enum moult_status st = moult_sim_nvs_get(&port->nvs, MOULT_SIM_SPACE_ENGINE, key, out,
                                             (uint32_t)capacity, &found);
    if (st == MOULT_E_NOENT || st == MOULT_E_DIGEST) { /* rotten is gone, as in ESP-IDF */
        *size = 0;
        return MOULT_SIM_ESP_OK;
    }
    if (st == MOULT_E_SPACE) { return MOULT_SIM_ESP_NVS_INVALID_LENGTH; }
    *size = found;
    return kv_result(st);
}

static int32_t kv_set(void *context, const char *key, const uint8_t *data, size_t size)
{
    struct moult_sim_port *port = context;
    if (size > MOULT_KV_BLOB_MAX) { return MOULT_SIM_ESP_NVS_INVALID_LENGTH; }
    return kv_result(
        moult_sim_nvs_set(&port->nvs, MOULT_SIM_SPACE_ENGINE, key, data, (uint32_t)size));
}

static int32_t kv_erase(void *context, const char *key)
{
    struct moult_sim_port *port = context;
    return kv_result(moult_sim_nvs_erase(&port->nvs, MOULT_SIM_SPACE_ENGINE, key));
}

/* --- Power --------------------------------------------------------------------------- */

static enum moult_status mount_nvs(struct moult_sim_port *port, bool is_writable)
{
    const struct moult_partition *nvs =
        moult_partition_find(&port->boot.table, MOULT_PARTITION_DATA, MOULT_PARTITION_NVS);
    if (!nvs) { return MOULT_E_FORMAT; }
    enum moult_status st = moult_sim_nvs_mount(&port->nvs, &port->boot.chip->flash,
                                               nvs->offset, nvs->size, is_writable);
    return st == MOULT_E_RANGE ? MOULT_E_FORMAT : st;
}

static bool slots_are_equal(const struct moult_sim_boot *boot)
{
    for (uint32_t i = 1; i < boot->slot_count; i++) {
        if (moult_sim_partition(boot, (int)i)->size != moult_sim_partition(boot, 0)->size) {
            return false;
        }
    }
    return boot->slot_count >= 2;
}

enum moult_status moult_sim_port_power_on(struct moult_sim_port *port,
                                          struct moult_sim_chip *chip,
                                          const struct moult_crypto *crypto,
                                          const struct moult_sim_build *build,
                                          uint8_t reset)
{
    memset(port, 0, sizeof *port);
    enum moult_status st = moult_sim_boot(&port->boot, chip, crypto, build, reset, false);
    if (st != MOULT_OK) { return st; }
    return slots_are_equal(&port->boot) ? mount_nvs(port, true) : MOULT_E_FORMAT;
}

enum moult_status moult_sim_port_look(struct moult_sim_port *port,
                                      struct moult_sim_chip *chip,
                                      const struct moult_crypto *crypto,
                                      const struct moult_sim_build *build)
{
    memset(port, 0, sizeof *port);
    enum moult_status st =
        moult_sim_boot(&port->boot, chip, crypto, build, MOULT_RESET_UNKNOWN, true);
    if (st != MOULT_OK && st != MOULT_E_NOENT) { return st; }
    enum moult_status mounted = mount_nvs(port, false);
    return mounted == MOULT_OK ? st : mounted;
}

void moult_sim_port_callbacks(struct moult_sim_port *port, struct moult_port *out)
{
    out->context = port;
    out->slot_count = port->boot.slot_count;
    out->slot_size = moult_sim_partition(&port->boot, 0)->size;
    out->flash_read = flash_read;
    out->flash_erase = flash_erase;
    out->flash_write = flash_write;
    out->flash_is_erased = flash_is_erased;
    out->boot_info = boot_info;
    out->slot_state = slot_state;
    out->set_boot = set_boot;
    out->mark_valid = mark_valid;
    out->mark_invalid_and_reboot = mark_invalid_and_reboot;
    out->reboot = reboot;
    out->secure_version = secure_version;
    out->raise_secure_version =
        port->boot.build.has_anti_rollback ? raise_secure_version : NULL;
    out->secure_boot = secure_boot;
    out->table_digest = table_digest;
    out->kv_get = kv_get;
    out->kv_set = kv_set;
    out->kv_erase = kv_erase;
    out->crypto = port->boot.crypto;
}
