/* facts.c - see facts.h. */
#include "server/control/facts.h"
#include <stdio.h>
#include <string.h>
#include "formats/chip.h"

static bool has(const struct moult_facts *facts, unsigned key)
{
    return facts->present & (1u << key);
}

static void set_number(json_t *out, const struct moult_facts *facts, unsigned key,
                       const char *name, uint32_t value)
{
    if (has(facts, key)) { json_object_set_new(out, name, json_integer(value)); }
}

static void set_text(json_t *out, const struct moult_facts *facts, unsigned key,
                     const char *name, struct moult_bytes text)
{
    if (!has(facts, key)) { return; }
    json_object_set_new(out, name, json_stringn((const char *)text.data, text.size));
}

static void set_digest(json_t *out, const struct moult_facts *facts, unsigned key,
                       const char *name, const uint8_t *digest)
{
    char hex[65];
    if (!has(facts, key)) { return; }
    moult_hex_encode(digest, 32, hex);
    json_object_set_new(out, name, json_string(hex));
}

json_t *facts_json(const struct moult_facts *f)
{
    json_t *out = json_object();
    if (has(f, MOULT_FACTS_CHIP)) {
        json_object_set_new(out, "chip", json_string(moult_chip_name(f->chip_id)));
    }
    set_number(out, f, MOULT_FACTS_REVISION, "chip_revision", f->revision);
    set_number(out, f, MOULT_FACTS_FLASH_SIZE, "flash_size", f->flash_size);
    set_number(out, f, MOULT_FACTS_SLOT_SIZE, "slot_size", f->slot_size);
    set_number(out, f, MOULT_FACTS_SLOT, "slot", f->slot);
    set_digest(out, f, MOULT_FACTS_OTHER_DIGEST, "other_slot_digest", f->other_digest);
    set_digest(out, f, MOULT_FACTS_TABLE_DIGEST, "partition_table_digest", f->table_digest);
    set_text(out, f, MOULT_FACTS_VERSION, "version", f->version);
    set_number(out, f, MOULT_FACTS_BOOTLOADER, "bootloader_version", f->bootloader_version);
    set_number(out, f, MOULT_FACTS_NVS_SCHEMA, "nvs_schema", f->nvs_schema);
    set_number(out, f, MOULT_FACTS_SECURE_VERSION, "secure_version", f->secure_version);
    set_number(out, f, MOULT_FACTS_PATCH_PROFILES, "patch_profiles", f->patch_profiles);
    set_number(out, f, MOULT_FACTS_DECODER_RAM, "decoder_ram", f->decoder_ram);
    set_number(out, f, MOULT_FACTS_POSTURE, "posture", f->posture);
    set_text(out, f, MOULT_FACTS_SERIAL, "serial", f->serial);
    return out;
}

/* Attributes of this check-in replace those of the last one. */
static enum moult_status store_attributes(struct store_db *db, int64_t device,
                                          const struct moult_facts *facts, int64_t now_ms)
{
    if (!has(facts, MOULT_FACTS_ATTRIBUTES)) { return MOULT_OK; }
    struct moult_cbor_list rest = facts->attributes;
    struct moult_bytes name, value;
    enum moult_status st = store_attribute_clear(db, device, STORE_ATTR);
    while (st == MOULT_OK && moult_attribute_next(&rest, &name, &value)) {
        char name_text[MOULT_ATTRIBUTE_NAME_MAX + 1];
        char value_text[MOULT_ATTRIBUTE_VALUE_MAX + 1];
        snprintf(name_text, sizeof name_text, "%.*s", (int)name.size,
                 (const char *)name.data);
        snprintf(value_text, sizeof value_text, "%.*s", (int)value.size,
                 value.size > 0 ? (const char *)value.data : "");
        st = store_attribute_set(db, device, STORE_ATTR, name_text, value_text, now_ms);
    }
    return st;
}

static void take_text(char *out, size_t size, struct moult_bytes text)
{
    snprintf(out, size, "%.*s", (int)text.size, (const char *)text.data);
}

enum moult_status facts_store(struct store_db *db, struct store_device *device,
                              const struct moult_facts *facts, int64_t now_ms)
{
    char text[STORE_FACTS_MAX];
    json_t *json = facts_json(facts);
    size_t size = json ? json_dumpb(json, text, sizeof text - 1, JSON_COMPACT) : 0;
    json_decref(json);
    if (size == 0 || size >= sizeof text) { return MOULT_E_NOMEM; }
    text[size] = '\0';
    device->has_facts = true;
    if (has(facts, MOULT_FACTS_CHIP)) {
        device->has_chip = true;
        device->chip_id = facts->chip_id;
        device->revision = facts->revision;
    }
    device->secure_version = facts->secure_version;
    if (has(facts, MOULT_FACTS_VERSION)) {
        take_text(device->running_version, sizeof device->running_version, facts->version);
    }
    enum moult_status st = store_device_save_facts(db, device, text);
    if (st == MOULT_OK && has(facts, MOULT_FACTS_SERIAL) && !device->serial[0]) {
        take_text(device->serial, sizeof device->serial, facts->serial);
        st = store_device_save_labels(db, device);
    }
    return st == MOULT_OK ? store_attributes(db, device->num, facts, now_ms) : st;
}

uint8_t facts_class_index(const struct control_config *config,
                          const struct moult_facts *facts)
{
    if (!has(facts, MOULT_FACTS_CHIP)) { return 0; }
    for (size_t i = 0; i < config->class_count; i++) {
        if (config->classes[i].chip_id == facts->chip_id) { return (uint8_t)i; }
    }
    return 0;
}
