/* boot_choice.c - see boot_choice.h. Checked against a transcription of ESP-IDF's
 * bootloader. */
#include "formats/boot_choice.h"
#include <assert.h>
#include <string.h>
#include "formats/bytes.h"

enum { OFF_STATE = 24 };

/* One boot being decided. */
struct boot {
    const struct moult_boot_table *table;
    const struct moult_boot_probe *probe;
    struct moult_boot_choice *out;
    bool stamps; /* otadata was never used: what boots is written down as VALID */
};

static void add_write(struct moult_boot_choice *out, uint32_t sector,
                      const uint8_t raw[MOULT_OTADATA_SIZE])
{
    assert(out->write_count < MOULT_BOOT_WRITES_MAX);
    struct moult_otadata_write *write = &out->writes[out->write_count++];
    write->sector = sector;
    memcpy(write->raw, raw, MOULT_OTADATA_SIZE);
}

/* seq and CRC words are written back as read, good or bad. */
static void add_state(struct moult_boot_choice *out, uint32_t sector,
                      const uint8_t raw[MOULT_OTADATA_SIZE], uint32_t state)
{
    uint8_t changed[MOULT_OTADATA_SIZE];
    if (get_le32(raw + OFF_STATE) == state) { return; }
    memcpy(changed, raw, sizeof changed);
    put_le32(changed + OFF_STATE, state);
    add_write(out, sector, changed);
}

static bool exists(const struct moult_boot_table *table, int which)
{
    if (which == MOULT_BOOT_FACTORY) { return table->has_factory; }
    if (which == MOULT_BOOT_TEST) { return table->has_test; }
    return which >= 0 && (uint32_t)which < table->slot_count;
}

/* Whether anti-rollback, where built in, lets this partition boot. */
static bool is_new_enough(const struct boot *boot, int which)
{
    uint32_t version;
    if (!boot->table->anti_rollback) { return true; }
    return boot->probe->secure_version(boot->probe->context, which, &version) &&
           version >= boot->out->efuse_version;
}

/* Raise the eFuse to the secure_version of what is in `which`; a value over the field's
 * size burns nothing. */
static void raise_efuse(const struct boot *boot, int which)
{
    uint32_t version;
    if (!boot->probe->secure_version(boot->probe->context, which, &version)) { return; }
    assert(boot->table->anti_rollback);
    if (version > boot->out->efuse_version && version <= boot->table->efuse_bits) {
        boot->out->efuse_version = version;
    }
}

/* Slots of the entries whose secure_version is not below the eFuse's, as a bit mask. */
static uint16_t slots_allowed(const struct boot *boot,
                              const uint8_t raw[2][MOULT_OTADATA_SIZE])
{
    uint16_t allowed = 0;
    for (int i = 0; i < 2; i++) {
        struct moult_otadata_entry entry = moult_otadata_decode(raw[i]);
        if (boot->table->slot_count == 0 || !moult_otadata_is_valid(&entry)) { continue; }
        uint32_t slot = moult_otadata_slot(entry.seq, boot->table->slot_count);
        if (is_new_enough(boot, (int)slot)) { allowed |= (uint16_t)(1u << slot); }
    }
    return allowed;
}

/* Which partition otadata names, with the rewrites that come with the answer. */
static enum moult_status select_slot(struct boot *boot,
                                     const uint8_t raw[2][MOULT_OTADATA_SIZE])
{
    const struct moult_boot_table *table = boot->table;
    struct moult_otadata_rules rules = {.slot_count = table->slot_count,
                                        .rollback = table->rollback,
                                        .anti_rollback = table->anti_rollback};
    if (table->anti_rollback) { rules.slots_allowed = slots_allowed(boot, raw); }

    struct moult_otadata_choice choice;
    enum moult_status st = moult_otadata_choose(raw, &rules, &choice);
    if (st != MOULT_OK && st != MOULT_E_NOENT) { return st; }

    boot->stamps = choice.is_fresh && (table->anti_rollback || !table->has_factory);
    boot->out->entry = choice.entry;
    if (choice.entry >= 0) { boot->out->selected = (int)choice.slot; }
    for (uint32_t i = 0; i < 2; i++) { /* what was on trial is aborted first ... */
        if ((int)i != choice.entry) { add_state(boot->out, i, raw[i], choice.state[i]); }
    }
    if (choice.entry >= 0) { /* ... then the chosen one's trial begins */
        uint32_t i = (uint32_t)choice.entry;
        add_state(boot->out, i, raw[i], choice.state[i]);
    }
    if (table->anti_rollback && choice.is_confirmed) {
        raise_efuse(boot, (int)choice.slot);
    }
    return MOULT_OK;
}

static void stamp(struct boot *boot, int which)
{
    uint8_t raw[MOULT_OTADATA_SIZE];
    if (!boot->stamps || which < 0) { return; }
    moult_otadata_encode((uint32_t)which + 1, MOULT_OTADATA_VALID, raw);
    add_write(boot->out, 0, raw);
    if (boot->table->anti_rollback) { raise_efuse(boot, which); }
}

static bool try_boot(struct boot *boot, int which)
{
    if (!exists(boot->table, which) || !is_new_enough(boot, which) ||
        !boot->probe->verifies(boot->probe->context, which)) {
        return false;
    }
    assert(exists(boot->table, which));
    boot->out->booted = which;
    stamp(boot, which);
    return true;
}

/* Down from the selected one to factory, then up from behind it, then the test app. */
static void load(struct boot *boot)
{
    int selected = boot->out->selected;
    for (int i = selected; i >= MOULT_BOOT_FACTORY; i--) {
        if (try_boot(boot, i)) { return; }
    }
    for (int i = selected + 1; i < (int)boot->table->slot_count; i++) {
        if (try_boot(boot, i)) { return; }
    }
    if (!try_boot(boot, MOULT_BOOT_TEST)) { boot->out->booted = MOULT_BOOT_NONE; }
}

enum moult_status moult_boot_choose(const struct moult_boot_table *table,
                                    const uint8_t raw[2][MOULT_OTADATA_SIZE],
                                    const struct moult_boot_probe *probe,
                                    struct moult_boot_choice *out)
{
    assert(table && probe && out);
    if (table->slot_count > MOULT_OTADATA_SLOTS_MAX) { return MOULT_E_RANGE; }
    if (table->anti_rollback && !table->rollback) { return MOULT_E_ARG; }

    *out = (struct moult_boot_choice){.selected = MOULT_BOOT_FACTORY,
                                      .booted = MOULT_BOOT_NONE,
                                      .entry = -1,
                                      .efuse_version = table->efuse_version};
    struct boot boot = {.table = table, .probe = probe, .out = out};
    if (table->has_otadata) {
        enum moult_status st = select_slot(&boot, raw);
        assert(st == MOULT_OK); /* the rules were checked above */
        if (st != MOULT_OK) { return st; }
    }
    load(&boot);
    out->is_fallback = out->entry >= 0 && out->booted != out->selected;
    return MOULT_OK;
}
