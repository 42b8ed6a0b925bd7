/* fuzz_otadata.c - formats/otadata.c and boot_choice.c.
 *
 * Input: 64 bytes of entries, then slots, flags, what verifies, versions. Beyond no crash:
 * only what verifies starts; a second boot of what was left behind starts the same or falls
 * back; a selected slot is what boots next; the fuses never go down.
 */
#include <stdlib.h>
#include <string.h>
#include "formats/boot_choice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ENTRIES = 64, INPUT = ENTRIES + 6 };

static void must(bool holds)
{
    if (!holds) { abort(); }
}

struct world {
    uint32_t good; /* bit which + 2 */
    uint8_t versions;
};

static bool verifies(void *context, int which)
{
    const struct world *world = context;
    return world->good >> (which + 2) & 1u;
}

static bool version_of(void *context, int which, uint32_t *out)
{
    const struct world *world = context;
    *out = (world->versions >> (which & 3)) & 3u;
    return which != 3;
}

static void check_choice(const struct moult_boot_table *table,
                         const struct moult_boot_choice *choice, struct world *world)
{
    must(choice->write_count <= MOULT_BOOT_WRITES_MAX);
    must(choice->efuse_version >= table->efuse_version);
    must(choice->booted == MOULT_BOOT_NONE || verifies(world, choice->booted));
    must(choice->booted < (int)table->slot_count);
    must(choice->entry >= 0 || !choice->is_fallback);
}

static void apply(uint8_t raw[2][MOULT_OTADATA_SIZE],
                  const struct moult_boot_choice *choice)
{
    for (uint32_t i = 0; i < choice->write_count; i++) {
        memcpy(raw[choice->writes[i].sector], choice->writes[i].raw, MOULT_OTADATA_SIZE);
    }
}

static void check_select(const uint8_t raw[2][MOULT_OTADATA_SIZE], uint32_t slot,
                         uint32_t slot_count)
{
    struct moult_otadata_write write;
    struct moult_otadata_choice choice;
    struct moult_otadata_rules rules = {.slot_count = slot_count, .rollback = true};
    uint8_t after[2][MOULT_OTADATA_SIZE];
    if (moult_otadata_select(raw, slot, slot_count, MOULT_OTADATA_NEW, &write) !=
        MOULT_OK) {
        return;
    }
    memcpy(after, raw, sizeof after);
    memcpy(after[write.sector], write.raw, MOULT_OTADATA_SIZE);
    const uint8_t(*entries)[MOULT_OTADATA_SIZE] =
        (const uint8_t(*)[MOULT_OTADATA_SIZE])after;
    must(moult_otadata_choose(entries, &rules, &choice) == MOULT_OK);
    must(choice.slot == slot);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < INPUT) { return 0; }
    uint8_t raw[2][MOULT_OTADATA_SIZE];
    memcpy(raw, data, ENTRIES);
    const uint8_t(*entries)[MOULT_OTADATA_SIZE] = (const uint8_t(*)[MOULT_OTADATA_SIZE])raw;
    const uint8_t *knobs = data + ENTRIES;
    struct moult_boot_table table = {.slot_count = knobs[0] % 18,
                                     .has_otadata = knobs[1] & 1,
                                     .has_factory = knobs[1] & 2,
                                     .has_test = knobs[1] & 4,
                                     .rollback = knobs[1] & 8,
                                     .anti_rollback = knobs[1] & 16,
                                     .efuse_version = knobs[2] % 4,
                                     .efuse_bits = 16};
    struct world world = {knobs[3] | (uint32_t)knobs[4] << 8, knobs[5]};
    struct moult_boot_probe probe = {&world, verifies, version_of};
    struct moult_boot_choice first, second;
    enum moult_status st = moult_boot_choose(&table, entries, &probe, &first);
    bool is_wrong = table.slot_count > 16 || (table.anti_rollback && !table.rollback);
    must((st == MOULT_OK) != is_wrong);
    if (st != MOULT_OK) { return 0; }

    check_choice(&table, &first, &world);
    check_select(entries, knobs[5] % 16, table.slot_count);
    apply(raw, &first);
    table.efuse_version = first.efuse_version;
    must(moult_boot_choose(&table, entries, &probe, &second) == MOULT_OK);
    check_choice(&table, &second, &world);
    apply(raw, &second);
    must(moult_boot_choose(&table, entries, &probe, &first) == MOULT_OK);
    must(first.booted == second.booted || first.efuse_version != second.efuse_version ||
         second.write_count > 0); /* nothing rewritten: nothing changes any more */
    return 0;
}
