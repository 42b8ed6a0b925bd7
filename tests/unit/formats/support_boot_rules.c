/* support_boot_rules.c - see support_boot_rules.h. */
#include "tests/unit/formats/support_boot_rules.h"

#define EMPTY 0xffffffffu
#define CRC_OF_SEQ_1 0x4743989au /* of a stamp: slot + 1 */

/* States by number; any other boots and never changes. */
static const struct {
    bool boots;
    bool is_trial;     /* a reset ends it: ABORTED */
    bool wants_trial;  /* being chosen begins it: PENDING_VERIFY */
    bool is_confirmed; /* being chosen raises the fuses */
} states[] = {
    /* 0 NEW            */ {true, false, true, false},
    /* 1 PENDING_VERIFY */ {true, true, false, false},
    /* 2 VALID          */ {true, false, false, true},
    /* 3 INVALID        */ {false, false, false, false},
    /* 4 ABORTED        */ {false, false, false, false},
    /* any other        */ {true, false, false, false},
};
enum { PENDING = 1, VALID = 2, ABORTED = 4, OTHER = 5 };

static unsigned row_of(uint32_t state)
{
    return state < OTHER ? state : OTHER;
}

/* --- Facts that the rules ask for ---------------------------------------------------- */

enum {
    NO_OTADATA = 1 << 0,
    ANTI_ROLLBACK = 1 << 1,
    BOTH_UNUSABLE = 1 << 2,  /* each: empty, INVALID or ABORTED; whatever its CRC */
    BOTH_UNWRITTEN = 1 << 3, /* each: empty or of a wrong CRC; whatever its state */
    NO_SLOTS = 1 << 4,
    FACTORY = 1 << 5,
    ACTIVE = 1 << 6, /* an entry is usable, of a right CRC, and with anti-rollback its
                      * image is new enough */
};

static bool unusable(const struct rules_entry *e)
{
    return e->seq == EMPTY || !states[row_of(e->state)].boots;
}

static bool unwritten(const struct rules_entry *e)
{
    return e->seq == EMPTY || e->crc != e->good;
}

static unsigned slot_of(const struct rules_chip *chip, const struct rules_entry *e)
{
    return (unsigned)((e->seq - 1u) % chip->slots);
}

static bool passes_fuses(const struct rules_chip *chip, unsigned image)
{
    return !chip->has_anti_rollback || chip->images[image].version >= chip->fuses;
}

static bool counts(const struct rules_chip *chip, const struct rules_entry *e)
{
    return chip->slots > 0 && !unusable(e) && e->crc == e->good &&
           passes_fuses(chip, slot_of(chip, e));
}

int rules_active(const struct rules_chip *chip)
{
    const struct rules_entry *e = chip->entries;
    unsigned who = (counts(chip, &e[0]) ? 1u : 0u) | (counts(chip, &e[1]) ? 2u : 0u);
    static const int alone[] = {-1, 0, 1};
    if (who < 3) { return alone[who]; }
    return e[1].seq > e[0].seq ? 1 : 0;
}

static unsigned facts_of(const struct rules_chip *chip)
{
    const struct rules_entry *e = chip->entries;
    return (chip->has_otadata ? 0u : NO_OTADATA) |
           (chip->has_anti_rollback ? ANTI_ROLLBACK : 0u) |
           (unusable(&e[0]) && unusable(&e[1]) ? BOTH_UNUSABLE : 0u) |
           (unwritten(&e[0]) && unwritten(&e[1]) ? BOTH_UNWRITTEN : 0u) |
           (chip->slots == 0 ? NO_SLOTS : 0u) |
           (chip->images[RULES_SLOTS_MAX].is_there ? FACTORY : 0u) |
           (rules_active(chip) >= 0 ? ACTIVE : 0u);
}

/* --- Selection: the first row whose facts all hold ----------------------------------- */

enum start { AT_FACTORY, AT_SLOT_0, AT_ACTIVE };

static const struct {
    unsigned facts;
    enum start start;
    bool stamps; /* the slot that boots is written into entry 0 as VALID */
} selection[] = {
    {NO_OTADATA, AT_FACTORY, false},
    {ANTI_ROLLBACK | BOTH_UNWRITTEN, AT_FACTORY, true},
    {ANTI_ROLLBACK | ACTIVE, AT_ACTIVE, false},
    {ANTI_ROLLBACK, AT_FACTORY, false},
    {BOTH_UNUSABLE | FACTORY, AT_FACTORY, false},
    {BOTH_UNUSABLE | BOTH_UNWRITTEN, AT_SLOT_0, true},
    {BOTH_UNUSABLE, AT_SLOT_0, false},
    {NO_SLOTS | FACTORY, AT_FACTORY, false},
    {NO_SLOTS | BOTH_UNWRITTEN, AT_SLOT_0, true},
    {NO_SLOTS, AT_SLOT_0, false},
    {ACTIVE, AT_ACTIVE, false},
    {0, AT_FACTORY, false},
};

static unsigned select_row(unsigned facts)
{
    unsigned row = 0;
    while ((selection[row].facts & facts) != selection[row].facts) {
        row++;
    }
    return row;
}

/* --- What it writes ------------------------------------------------------------------ */

static void raise_fuses(struct rules_chip *chip, unsigned image)
{
    uint32_t version = chip->images[image].version;
    bool is_burnt = chip->has_anti_rollback && version <= chip->fuse_bits;
    if (is_burnt && version > chip->fuses) { chip->fuses = version; }
}

static void end_trials(struct rules_chip *chip, unsigned *rewrites)
{
    for (unsigned i = 0; i < 2 && chip->has_otadata && chip->has_rollback; i++) {
        struct rules_entry *e = &chip->entries[i];
        if (!states[row_of(e->state)].is_trial) { continue; }
        e->state = ABORTED;
        ++*rewrites;
    }
}

static void choose(struct rules_chip *chip, struct rules_entry *e, unsigned *rewrites)
{
    if (chip->has_rollback && states[row_of(e->state)].wants_trial) {
        e->state = PENDING;
        ++*rewrites;
    } else if (states[row_of(e->state)].is_confirmed) {
        raise_fuses(chip, slot_of(chip, e));
    }
}

static void stamp(struct rules_chip *chip, unsigned slot, unsigned *rewrites)
{
    static const uint32_t crcs[] = {CRC_OF_SEQ_1, 0x55f63774u, 0xed4a5011u, 0x709d68a8u};
    chip->entries[0] = (struct rules_entry){slot + 1, VALID, crcs[slot], crcs[slot]};
    ++*rewrites;
    raise_fuses(chip, slot);
}

/* --- Loading: the order of trying, then the first that will do ----------------------- */

static unsigned list_candidates(const struct rules_chip *chip, int start,
                                int out[2 * RULES_IMAGES])
{
    unsigned count = 0;
    for (int down = start; down >= 0; down--) {
        out[count++] = down;
    }
    out[count++] = RULES_FACTORY;
    for (int up = start + 1; up < (int)chip->slots; up++) {
        out[count++] = up;
    }
    out[count++] = RULES_TEST;
    return count;
}

static unsigned image_of(int candidate)
{
    return candidate >= 0 ? (unsigned)candidate
                          : (unsigned)(RULES_SLOTS_MAX - 1 - candidate);
}

static bool will_do(const struct rules_chip *chip, int candidate)
{
    const struct rules_image *image = &chip->images[image_of(candidate)];
    return candidate < (int)chip->slots && image->is_there && image->verifies &&
           passes_fuses(chip, image_of(candidate));
}

int rules_boot(struct rules_chip *chip, unsigned *rewrites)
{
    *rewrites = 0;
    end_trials(chip, rewrites);
    unsigned row = select_row(facts_of(chip));
    int start = selection[row].start == AT_SLOT_0 ? 0 : RULES_FACTORY;
    if (selection[row].start == AT_ACTIVE) {
        struct rules_entry *active = &chip->entries[rules_active(chip)];
        start = (int)slot_of(chip, active);
        choose(chip, active, rewrites);
    }
    int candidates[2 * RULES_IMAGES];
    unsigned count = list_candidates(chip, start, candidates);
    for (unsigned i = 0; i < count; i++) {
        if (!will_do(chip, candidates[i])) { continue; }
        if (selection[row].stamps && candidates[i] >= 0) {
            stamp(chip, (unsigned)candidates[i], rewrites);
        }
        return candidates[i];
    }
    return RULES_NOTHING;
}
