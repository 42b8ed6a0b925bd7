/* boot_vectors_test.c - formats/boot_choice.c against vectors made from tables of ESP-IDF's
 * rules (support_boot_rules.c), which were written without it.
 *
 * boot_choice_test.c compares with a transcription of the bootloader's functions instead;
 * the two comparisons have nothing in common but the code under test.
 */
#include <stdio.h>
#include <string.h>
#include "formats/boot_choice.h"
#include "tests/support/check.h"
#include "tests/unit/formats/support_boot_rules.h"

/* Sequence numbers with their CRCs, computed with Python's zlib.crc32(seq, 0xffffffff). */
static const struct {
    uint32_t seq, crc;
} sequences[] = {
    {1, 0x4743989a}, {2, 0x55f63774}, {3, 0xed4a5011},          {4, 0x709d68a8},
    {5, 0xc8210fcd}, {0, 0xffffffff}, {0xfffffffe, 0x99f8b879}, {0xffffffff, 0xffffffff},
};
static const uint32_t states[] = {0, 1, 2, 3, 4, 5, 0xffffffff};
enum {
    SEQUENCES = sizeof sequences / sizeof sequences[0],
    STATES = sizeof states / sizeof states[0],
    ENTRIES = SEQUENCES * STATES * 2,
};

static struct rules_entry entry_of(unsigned number)
{
    unsigned seq = number / 2 / STATES;
    uint32_t good = sequences[seq].crc;
    return (struct rules_entry){.seq = sequences[seq].seq,
                                .state = states[number / 2 % STATES],
                                .crc = number % 2 ? good ^ 0x100u : good,
                                .good = good};
}

typedef uint8_t entry_bytes[32];

/* --- The model on the same chip ------------------------------------------------------ */

static void put_word(uint8_t *at, uint32_t word)
{
    for (unsigned i = 0; i < 4; i++) {
        at[i] = (uint8_t)(word >> 8 * i);
    }
}

static uint32_t word_at(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void raw_of(const struct rules_entry *e, uint8_t raw[32])
{
    memset(raw, 0xff, 32);
    put_word(raw, e->seq);
    put_word(raw + 24, e->state);
    put_word(raw + 28, e->crc);
}

static const struct rules_image *image_at(void *context, int which)
{
    const struct rules_chip *chip = context;
    return &chip->images[which >= 0                    ? which
                         : which == MOULT_BOOT_FACTORY ? RULES_SLOTS_MAX
                                                       : RULES_SLOTS_MAX + 1];
}

static bool verifies(void *context, int which)
{
    return image_at(context, which)->verifies;
}

static bool secure_version(void *context, int which, uint32_t *out)
{
    *out = image_at(context, which)->version;
    return true;
}

struct outcome {
    int booted;
    unsigned rewrites;
    uint32_t fuses;
    entry_bytes raw[2];
};

static bool ask_model(const struct rules_chip *chip, struct outcome *out)
{
    struct rules_chip asked = *chip;
    struct moult_boot_table table = {
        .slot_count = chip->slots,
        .has_otadata = chip->has_otadata,
        .has_factory = chip->images[RULES_SLOTS_MAX].is_there,
        .has_test = chip->images[RULES_SLOTS_MAX + 1].is_there,
        .rollback = chip->has_rollback,
        .anti_rollback = chip->has_anti_rollback,
        .efuse_version = chip->fuses,
        .efuse_bits = chip->fuse_bits,
    };
    struct moult_boot_probe probe = {&asked, verifies, secure_version};
    struct moult_boot_choice choice;
    const entry_bytes *raw = (const entry_bytes *)out->raw;
    raw_of(&chip->entries[0], out->raw[0]);
    raw_of(&chip->entries[1], out->raw[1]);
    if (moult_boot_choose(&table, raw, &probe, &choice) != MOULT_OK) { return false; }
    for (uint32_t i = 0; i < choice.write_count; i++) {
        memcpy(out->raw[choice.writes[i].sector], choice.writes[i].raw, 32);
    }
    out->booted = choice.booted;
    out->rewrites = choice.write_count;
    out->fuses = choice.efuse_version;
    return true;
}

/* --- Comparing ----------------------------------------------------------------------- */

static unsigned long cases;

static void print_case(const struct rules_chip *chip, const struct outcome *found,
                       const struct rules_chip *after, int booted, unsigned rewrites)
{
    printf("slots %u rollback %d anti %d fuses %u of %u\n", chip->slots, chip->has_rollback,
           chip->has_anti_rollback, chip->fuses, chip->fuse_bits);
    for (unsigned i = 0; i < 2; i++) {
        const struct rules_entry *e = &chip->entries[i], *a = &after->entries[i];
        printf("  entry %u: seq %x state %x crc %s; model leaves %x %x, rules %x %x\n", i,
               e->seq, e->state, e->crc == e->good ? "good" : "bad", word_at(found->raw[i]),
               word_at(found->raw[i] + 24), a->seq, a->state);
    }
    for (unsigned i = 0; i < RULES_IMAGES; i++) {
        printf("  image %u: there %d verifies %d version %u\n", i, chip->images[i].is_there,
               chip->images[i].verifies, chip->images[i].version);
    }
    printf("  boots: model %d, rules %d; rewrites %u, %u; fuses %u, %u\n", found->booted,
           booted, found->rewrites, rewrites, found->fuses, after->fuses);
}

static bool agrees(const struct rules_chip *chip)
{
    struct rules_chip after = *chip;
    struct outcome found;
    unsigned rewrites;
    int booted = rules_boot(&after, &rewrites);
    cases++;
    bool is_same = ask_model(chip, &found) && found.booted == booted &&
                   found.rewrites == rewrites && found.fuses == after.fuses;
    for (unsigned i = 0; i < 2 && is_same; i++) {
        uint8_t raw[32];
        raw_of(&after.entries[i], raw);
        is_same = memcmp(raw, found.raw[i], 32) == 0;
    }
    if (!is_same) { print_case(chip, &found, &after, booted, rewrites); }
    return is_same;
}

static bool agrees_on_all_entries(struct rules_chip *chip)
{
    for (unsigned a = 0; a < ENTRIES; a++) {
        chip->entries[0] = entry_of(a);
        for (unsigned b = 0; b < ENTRIES; b++) {
            chip->entries[1] = entry_of(b);
            if (!agrees(chip)) { return false; }
        }
    }
    return true;
}

static struct rules_chip chip_of(unsigned slots, bool has_factory, bool has_test)
{
    struct rules_chip chip = {.has_otadata = true, .slots = slots, .fuse_bits = 16};
    for (unsigned i = 0; i < RULES_IMAGES; i++) {
        chip.images[i] = (struct rules_image){.is_there = i < slots, .verifies = true};
    }
    chip.images[RULES_SLOTS_MAX].is_there = has_factory;
    chip.images[RULES_SLOTS_MAX + 1].is_there = has_test;
    return chip;
}

/* Sequence x state x CRC of both entries, 0 to 4 slots, factory, rollback, and of the
 * images: all good, all but one, one alone. */
static void test_agrees_with_the_rules_without_anti_rollback(void)
{
    cases = 0;
    for (unsigned i = 0; i < 5u * 2 * 2; i++) {
        struct rules_chip chip = chip_of(i % 5, i / 5 % 2, i / 5 % 2);
        chip.has_rollback = i / 10;
        check(agrees_on_all_entries(&chip));
        for (unsigned k = 0; k < RULES_IMAGES; k++) {
            if (!chip.images[k].is_there) { continue; }
            chip.images[k].verifies = false;
            check(agrees_on_all_entries(&chip));
            for (unsigned j = 0; j < RULES_IMAGES; j++) {
                chip.images[j].verifies = j == k;
            }
            check(agrees_on_all_entries(&chip));
            for (unsigned j = 0; j < RULES_IMAGES; j++) {
                chip.images[j].verifies = true;
            }
        }
    }
    printf("  %lu cases\n", cases);
    check(cases >= 300000);
}

/* The same with anti-rollback: each slot of secure_version 0 or 2, fuses 0 to 3, a field of
 * 16, 2 or 1 bits, and a factory app that such a table should not have. */
static void test_agrees_with_the_rules_with_anti_rollback(void)
{
    static const uint32_t bits[] = {16, 2, 1};
    cases = 0;
    for (unsigned i = 0; i < 3u * 4 * 16 * 3; i++) {
        unsigned slots = 2 + i % 3, newer = i / 12 % 16;
        if (newer >> slots) { continue; }
        struct rules_chip chip = chip_of(slots, i % 7 == 0, i % 5 == 0);
        chip.has_rollback = chip.has_anti_rollback = true;
        chip.fuses = i / 3 % 4;
        chip.fuse_bits = bits[i / 192];
        for (unsigned k = 0; k < slots; k++) {
            chip.images[k].version = newer >> k & 1 ? 2 : 0;
        }
        chip.images[i % slots].verifies = i % 2;
        check(agrees_on_all_entries(&chip));
    }
    printf("  %lu cases\n", cases);
    check(cases >= 300000);
}

/* F4: a program that tears can leave any state word, and any CRC. */
static void test_agrees_with_the_rules_on_torn_words(void)
{
    uint64_t x = 0x5eed;
    cases = 0;
    for (unsigned i = 0; i < 200000; i++) {
        struct rules_chip chip = chip_of(2 + i % 3, i / 3 % 2, false);
        chip.has_rollback = i / 6 % 2;
        for (unsigned k = 0; k < 2; k++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            chip.entries[k] = entry_of((unsigned)(x >> 33) % ENTRIES);
            uint32_t torn = (uint32_t)(x >> 16) | (uint32_t)(x >> 40);
            chip.entries[k].state |= torn & (i % 2 ? 0xffffffffu : 0u);
            chip.entries[k].crc |= torn & (i % 5 ? 0u : 0xffffffffu);
        }
        check(agrees(&chip));
    }
    printf("  %lu cases\n", cases);
}

static void test_agrees_with_the_rules_without_otadata(void)
{
    for (unsigned i = 0; i < 5u * 4 * 64; i++) {
        struct rules_chip chip = chip_of(i % 5, i / 5 % 2, i / 10 % 2);
        chip.has_otadata = false;
        for (unsigned k = 0; k < RULES_IMAGES; k++) {
            chip.images[k].verifies = i / 20 >> k & 1;
        }
        chip.entries[0] = chip.entries[1] = entry_of(i % ENTRIES);
        check(agrees(&chip));
    }
}

/* --- Every row of the table of power cuts (docs/spec/otadata.md) ---------------------- */

enum { CUTS = 9 }; /* before the erase, before each of eight words */
enum { A = 0, B = 1 };

struct cut_row {
    const char *name;
    uint32_t before[2][2]; /* seq and state of both entries */
    unsigned sector;       /* that is rewritten ... */
    uint32_t to[2];        /* ... to this seq and state */
    int first, others;     /* what boots after the first cut, and after the other eight */
    uint32_t first_state;  /* of the rewritten entry then */
};

static struct rules_entry made(const uint32_t fields[2])
{
    for (unsigned i = 0; i < SEQUENCES; i++) {
        if (sequences[i].seq == fields[0]) {
            return (struct rules_entry){fields[0], fields[1], sequences[i].crc,
                                        sequences[i].crc};
        }
    }
    return (struct rules_entry){0};
}

/* The entry after a cut before operation `cut` of 1 erase and 8 words. */
static struct rules_entry after_cut(const struct rules_entry *old,
                                    const struct rules_entry *wanted, unsigned cut)
{
    if (cut == 0) { return *old; }
    struct rules_entry left = {0xffffffffu, 0xffffffffu, 0xffffffffu, wanted->good};
    if (cut > 1) { left.seq = wanted->seq; } /* words 1 to 5 are the label */
    if (cut > 7) { left.state = wanted->state; }
    return left;
}

static void test_every_row_of_the_table_of_power_cuts(void)
{
    enum { NEW = 0, PENDING = 1, VALID = 2, INVALID = 3, ABORTED = 4 };
    const uint32_t none = 0xffffffffu;
    const struct cut_row rows[] = {
        {"set boot B", {{1, VALID}, {none, none}}, 1, {2, NEW}, A, A, none},
        {"first boot of B", {{1, VALID}, {2, NEW}}, 1, {2, PENDING}, B, A, PENDING},
        {"mark B valid", {{1, VALID}, {2, PENDING}}, 1, {2, VALID}, A, A, ABORTED},
        {"mark B invalid", {{1, VALID}, {2, PENDING}}, 1, {2, INVALID}, A, A, ABORTED},
        {"reboot while pending",
         {{1, VALID}, {2, PENDING}},
         1,
         {2, ABORTED},
         A,
         A,
         ABORTED},
        {"cancel by set boot B", {{none, none}, {2, VALID}}, 1, {2, NEW}, B, A, VALID},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].name);
        for (unsigned cut = 0; cut < CUTS; cut++) {
            struct rules_chip chip = chip_of(2, false, false);
            unsigned rewrites;
            chip.has_rollback = true;
            chip.entries[0] = made(rows[i].before[0]);
            chip.entries[1] = made(rows[i].before[1]);
            struct rules_entry wanted = made(rows[i].to);
            struct rules_entry *struck = &chip.entries[rows[i].sector];
            *struck = after_cut(struck, &wanted, cut);
            check(agrees(&chip)); /* the model does what the rules say ... */
            bool has_other = chip.entries[0].seq != none;
            check_equal(rules_boot(&chip, &rewrites),
                        cut == 0 ? rows[i].first : rows[i].others);
            if (cut == 0) { check_equal(struck->state, rows[i].first_state); }
            if (has_other || cut == 0) { continue; }
            /* ... also where nobody approved what boots: C in slot 0, stamped VALID once */
            check_equal(chip.entries[0].state == VALID, cut == 1);
        }
    }
    check_row("begin of a second update: the inactive entry is erased");
    struct rules_chip chip = chip_of(2, false, false);
    unsigned rewrites;
    chip.has_rollback = true;
    chip.entries[0] = made((const uint32_t[2]){none, none});
    chip.entries[1] = made((const uint32_t[2]){2, VALID});
    check(agrees(&chip));
    check_equal(rules_boot(&chip, &rewrites), B);
    check_row(NULL);
}

int main(void)
{
    check_run(test_agrees_with_the_rules_without_anti_rollback);
    check_run(test_agrees_with_the_rules_with_anti_rollback);
    check_run(test_agrees_with_the_rules_on_torn_words);
    check_run(test_agrees_with_the_rules_without_otadata);
    check_run(test_every_row_of_the_table_of_power_cuts);
    return check_report();
}
