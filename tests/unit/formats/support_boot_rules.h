/* support_boot_rules.h - what an ESP-IDF bootloader does, as tables of rules.
 *
 * Written from the rules of docs/spec/otadata.md (which come from bootloader_utility.c),
 * row by row, to produce vectors that formats/boot_choice.c is held against. On purpose it
 * shares nothing with that code: no header of formats/, no CRC function (sequence numbers
 * come with their CRC), another shape. A mistake would have to be made twice.
 */
#ifndef MOULT_TESTS_UNIT_FORMATS_SUPPORT_BOOT_RULES_H
#define MOULT_TESTS_UNIT_FORMATS_SUPPORT_BOOT_RULES_H

#include <stdbool.h>
#include <stdint.h>

enum {
    RULES_SLOTS_MAX = 4,
    RULES_FACTORY = -1,
    RULES_TEST = -2,
    RULES_NOTHING = -3,
    RULES_IMAGES = RULES_SLOTS_MAX + 2, /* slots, then factory, then test */
};

/* The three words of an entry that count; `good` is the CRC that seq should have. */
struct rules_entry {
    uint32_t seq, state, crc, good;
};

struct rules_image {
    bool is_there, verifies;
    uint32_t version; /* secure_version */
};

struct rules_chip {
    bool has_otadata, has_rollback, has_anti_rollback;
    unsigned slots;
    struct rules_image images[RULES_IMAGES];
    uint32_t fuses, fuse_bits;
    struct rules_entry entries[2];
};

/* One boot of the chip: what starts. Entries and fuses are changed as the bootloader
 * changes them; *rewrites counts the sectors it wrote. */
int rules_boot(struct rules_chip *chip, unsigned *rewrites);

/* The entry that would be the active one now, or -1. */
int rules_active(const struct rules_chip *chip);

#endif
