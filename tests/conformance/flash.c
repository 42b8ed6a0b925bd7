/* flash.c - promises of the port as a whole, and of its app slots. */
#include "tests/conformance/promise.h"

enum { SECTOR = MOULT_SECTOR_SIZE, UNIT = MOULT_WRITE_UNIT };

/* --- The port as a whole -------------------------------------------------------------- */

static enum conform_verdict callbacks(struct conform *c)
{
    (void)c; /* without them no promise is judged: conform.c */
    return CONFORM_KEPT;
}

static enum conform_verdict geometry(struct conform *c)
{
    EXPECT(c->port.slot_count >= 2 && c->port.slot_count <= 16, "slot_count in 2..16",
           "another");
    EXPECT_EQUAL(c->port.slot_size % SECTOR, 0, "slot_size modulo the sector size");
    EXPECT(c->port.slot_size >= 4 * SECTOR, "slots of at least four sectors", "less");
    return CONFORM_KEPT;
}

const struct conform_promise conform_port[] = {
    {"port.callbacks", callbacks}, {"port.geometry", geometry}, {NULL, NULL}};

/* --- Erasing and writing -------------------------------------------------------------- */

static enum conform_verdict erases_one_sector(struct conform *c)
{
    uint32_t slot, running;
    bool is_erased = false;
    EXPECT_DONE(conform_slots(c, &slot, &running));
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT_DONE(conform_write_sector(c, slot, i * SECTOR, i));
    }
    EXPECT_EQUAL(c->port.flash_erase(c->port.context, slot, SECTOR), 0, "flash_erase");
    EXPECT_EQUAL(c->port.flash_is_erased(c->port.context, slot, SECTOR, SECTOR, &is_erased),
                 0, "flash_is_erased");
    EXPECT(is_erased, "an erased sector", "one that is not");
    EXPECT_DONE(conform_sector_holds(c, slot, 0, 0, "the sector before to stay"));
    EXPECT_DONE(conform_sector_holds(c, slot, 2 * SECTOR, 2, "the sector behind to stay"));
    return CONFORM_KEPT;
}

/* Unit by unit, out of order: each is written once, and none touches another. */
static enum conform_verdict writes_units(struct conform *c)
{
    uint32_t slot, running;
    EXPECT_DONE(conform_slots(c, &slot, &running));
    EXPECT_EQUAL(c->port.flash_erase(c->port.context, slot, 0), 0, "flash_erase");
    conform_fill(c->a, SECTOR, 7);
    for (uint32_t i = 0; i < SECTOR / UNIT; i++) {
        uint32_t at = i * 37 % (SECTOR / UNIT) * UNIT; /* 37 and 128 share no factor */
        EXPECT_EQUAL(c->port.flash_write(c->port.context, slot, at, c->a + at, UNIT), 0,
                     "flash_write of one unit");
    }
    EXPECT_EQUAL(c->port.flash_read(c->port.context, slot, 0, c->b, SECTOR), 0,
                 "flash_read");
    EXPECT_BYTES(c->b, c->a, SECTOR, "every unit as it was written");
    return CONFORM_KEPT;
}

static enum conform_verdict reads_back(struct conform *c)
{
    static const struct {
        uint32_t offset, size;
    } rows[] = {{0, 1},     {1, 1},    {3, 7},     {31, 2},
                {13, 4000}, {4095, 1}, {255, 258}, {0, 4096}};
    uint32_t slot, running;
    uint8_t *out = c->b;
    EXPECT_DONE(conform_slots(c, &slot, &running));
    EXPECT_DONE(conform_write_sector(c, slot, SECTOR, 3));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(out, 0x5a, SECTOR);
        EXPECT_EQUAL(c->port.flash_read(c->port.context, slot, SECTOR + rows[i].offset, out,
                                        rows[i].size),
                     0, "flash_read at any alignment");
        EXPECT_BYTES(out, c->a + rows[i].offset, rows[i].size,
                     "the bytes that were written");
        EXPECT(rows[i].size == SECTOR || out[rows[i].size] == 0x5a,
               "flash_read to leave what is behind its size", "it overwritten");
    }
    EXPECT_EQUAL(c->port.flash_read(c->port.context, slot, 2 * SECTOR - 100, out, SECTOR),
                 0, "flash_read across a sector's end");
    EXPECT_BYTES(out, c->a + SECTOR - 100, 100, "the bytes before the boundary");
    return CONFORM_KEPT;
}

/* Neighbours of what a page program writes stay as they are, and stay writable. */
static enum conform_verdict leaves_the_rest_erased(struct conform *c)
{
    uint32_t slot, running;
    bool before = false, behind = false;
    EXPECT_DONE(conform_slots(c, &slot, &running));
    EXPECT_EQUAL(c->port.flash_erase(c->port.context, slot, 0), 0, "flash_erase");
    conform_fill(c->a, SECTOR, 8);
    EXPECT_EQUAL(c->port.flash_write(c->port.context, slot, 992, c->a, 320), 0,
                 "flash_write of 320 bytes across a page's end");
    EXPECT_EQUAL(c->port.flash_is_erased(c->port.context, slot, 0, 992, &before), 0,
                 "flash_is_erased");
    EXPECT_EQUAL(
        c->port.flash_is_erased(c->port.context, slot, 1312, SECTOR - 1312, &behind), 0,
        "flash_is_erased");
    EXPECT(before && behind, "the rest of the sector still erased", "it written");
    EXPECT_EQUAL(c->port.flash_read(c->port.context, slot, 992, c->b, 320), 0,
                 "flash_read");
    EXPECT_BYTES(c->b, c->a, 320, "what was written");
    return CONFORM_KEPT;
}

static enum conform_verdict tells_what_is_erased(struct conform *c)
{
    uint32_t slot, running;
    bool is_erased = false;
    EXPECT_DONE(conform_slots(c, &slot, &running));
    EXPECT_EQUAL(c->port.flash_erase(c->port.context, slot, SECTOR), 0, "flash_erase");
    EXPECT_EQUAL(c->port.flash_is_erased(c->port.context, slot, SECTOR, SECTOR, &is_erased),
                 0, "flash_is_erased");
    EXPECT(is_erased,
           "is_erased of an erased sector (of raw bytes, where encryption is on)", "false");
    memset(c->a, 0xff, UNIT);
    c->a[UNIT - 1] = 0xfe; /* one bit, in the last place that is looked at */
    EXPECT_EQUAL(c->port.flash_write(c->port.context, slot, 2 * SECTOR - UNIT, c->a, UNIT),
                 0, "flash_write of the last unit");
    EXPECT_EQUAL(c->port.flash_is_erased(c->port.context, slot, SECTOR, SECTOR, &is_erased),
                 0, "flash_is_erased");
    EXPECT(!is_erased, "is_erased false where the last bit is written", "true");
    EXPECT_EQUAL(
        c->port.flash_is_erased(c->port.context, slot, SECTOR, SECTOR - UNIT, &is_erased),
        0, "flash_is_erased");
    EXPECT(is_erased, "is_erased true up to the unit that is written", "false");
    EXPECT_EQUAL(
        c->port.flash_is_erased(c->port.context, slot, 2 * SECTOR - UNIT, UNIT, &is_erased),
        0, "flash_is_erased");
    EXPECT(!is_erased, "is_erased false for that unit alone", "true");
    return CONFORM_KEPT;
}

/* --- What is refused ------------------------------------------------------------------ */

/* Running slot at `offset`: its bytes before and after are the same. */
static enum conform_verdict running_stays(struct conform *c, uint32_t running,
                                          uint32_t offset)
{
    EXPECT_EQUAL(c->port.flash_read(c->port.context, running, offset, c->a, SECTOR), 0,
                 "flash_read of the running slot");
    int32_t erased = c->port.flash_erase(c->port.context, running, offset);
    memset(c->b, 0, UNIT);
    int32_t written = c->port.flash_write(c->port.context, running, offset, c->b, UNIT);
    EXPECT_EQUAL(c->port.flash_read(c->port.context, running, offset, c->b, SECTOR), 0,
                 "flash_read of the running slot");
    EXPECT_BYTES(c->b, c->a, SECTOR, "the running slot untouched");
    EXPECT(erased != 0, "flash_erase of the running slot refused", "0");
    EXPECT(written != 0, "flash_write into the running slot refused", "0");
    return CONFORM_KEPT;
}

static enum conform_verdict refuses_the_running_slot(struct conform *c)
{
    uint32_t slot, running;
    EXPECT_DONE(conform_slots(c, &slot, &running));
    EXPECT_DONE(conform_write_sector(c, slot, 0, 1)); /* else a refusal says nothing */
    NEEDS(running != MOULT_SLOT_NONE, "a factory app runs: no slot does");
    enum conform_verdict verdict = running_stays(c, running, 0);
    return verdict == CONFORM_KEPT ? running_stays(c, running, c->port.slot_size - SECTOR)
                                   : verdict;
}

static enum conform_verdict keeps_within_the_slot(struct conform *c)
{
    const uint32_t size = c->port.slot_size;
    const struct {
        const char *name;
        uint32_t slot_ahead, offset, size; /* slot: how many behind the free one */
    } rows[] = {
        {"behind the slot's end", 0, size, UNIT},
        {"over the slot's end", 0, size - UNIT, 2 * UNIT},
        {"far behind the slot's end", 0, size * 16u, UNIT},
        {"at an offset that wraps", 0, UINT32_MAX - UNIT + 1, 2 * UNIT},
        {"in a slot that does not exist", 16, 0, UNIT},
    };
    uint32_t slot, running;
    bool is_erased;
    EXPECT_DONE(conform_slots(c, &slot, &running));
    EXPECT_DONE(conform_write_sector(c, slot, 0, 1)); /* else a refusal says nothing */
    EXPECT_DONE(conform_write_sector(c, slot, size - SECTOR, 2));
    memset(c->a, 0, 2 * UNIT);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t in = rows[i].slot_ahead ? c->port.slot_count : slot;
        uint32_t at = rows[i].offset;
        if (c->port.flash_read(c->port.context, in, at, c->b, rows[i].size) == 0 ||
            c->port.flash_write(c->port.context, in, at, c->a, rows[i].size) == 0 ||
            c->port.flash_is_erased(c->port.context, in, at, rows[i].size, &is_erased) ==
                0 ||
            (at % SECTOR == 0 && c->port.flash_erase(c->port.context, in, at) == 0)) {
            return conform_broken(c, "expected an access %s refused, found 0",
                                  rows[i].name);
        }
    }
    EXPECT_DONE(conform_sector_holds(c, slot, 0, 1, "the slot's first sector untouched"));
    EXPECT_DONE(conform_sector_holds(c, slot, size - SECTOR, 2,
                                     "the slot's last sector untouched"));
    return CONFORM_KEPT;
}

/* --- Slots ---------------------------------------------------------------------------- */

/* Every slot can be used up to its last byte, and none is another. */
static enum conform_verdict slots_are_equal(struct conform *c)
{
    uint32_t slot, running;
    const uint32_t last = c->port.slot_size - SECTOR;
    EXPECT_DONE(conform_slots(c, &slot, &running));
    for (uint32_t i = 0; i < c->port.slot_count; i++) {
        if (i == running) { continue; }
        EXPECT_DONE(conform_write_sector(c, i, 0, 2 * i));
        EXPECT_DONE(conform_write_sector(c, i, last, 2 * i + 1));
    }
    for (uint32_t i = 0; i < c->port.slot_count; i++) {
        if (i == running) {
            EXPECT_EQUAL(c->port.flash_read(c->port.context, i, last, c->b, SECTOR), 0,
                         "flash_read of the running slot's end");
            continue;
        }
        EXPECT_DONE(conform_sector_holds(c, i, 0, 2 * i, "the slot's own first sector"));
        EXPECT_DONE(conform_sector_holds(c, i, last, 2 * i + 1, "the slot's own end"));
    }
    return CONFORM_KEPT;
}

static enum conform_verdict running_read(struct conform *c)
{
    uint32_t slot, running;
    EXPECT_DONE(conform_slots(c, &slot, &running));
    if (!c->port.running_read) {
        NEEDS(running == MOULT_SLOT_NONE,
              "running_read is NULL: flash_read of the running slot is used");
        return conform_broken(c, "expected running_read for a factory app, found NULL");
    }
    EXPECT_EQUAL(c->port.running_read(c->port.context, 0, c->a, SECTOR), 0, "running_read");
    if (running == MOULT_SLOT_NONE) {
        EXPECT_EQUAL(c->a[0], 0xe9, "the first byte of the image that runs");
        return CONFORM_KEPT;
    }
    EXPECT_EQUAL(c->port.flash_read(c->port.context, running, 0, c->b, SECTOR), 0,
                 "flash_read of the running slot");
    EXPECT_BYTES(c->a, c->b, SECTOR, "running_read to give the running slot's bytes");
    return CONFORM_KEPT;
}

static enum conform_verdict survives_a_reset(struct conform *c)
{
    uint32_t slot, running;
    EXPECT_DONE(conform_slots(c, &slot, &running));
    if (c->phase == 0) {
        EXPECT_DONE(conform_write_sector(c, slot, SECTOR, 21));
        return CONFORM_RESTART;
    }
    EXPECT_DONE(
        conform_sector_holds(c, slot, SECTOR, 21, "what was written before a reset"));
    return CONFORM_KEPT;
}

/* A cut inside an erase or a write may spoil that sector, and nothing else. */
static enum conform_verdict cut_harms_one_sector(struct conform *c)
{
    uint32_t slot, running;
    NEEDS(c->fixture->cut, "the fixture cannot cut power");
    EXPECT_DONE(conform_slots(c, &slot, &running));
    if (c->phase == 0) {
        EXPECT_DONE(conform_write_sector(c, slot, 0, 31));
        EXPECT_DONE(conform_write_sector(c, slot, 2 * SECTOR, 33));
    }
    EXPECT_DONE(conform_sector_holds(c, slot, 0, 31, "the sector before the cut one"));
    EXPECT_DONE(
        conform_sector_holds(c, slot, 2 * SECTOR, 33, "the sector behind the cut one"));
    conform_arm(c, c->phase);
    conform_fill(c->a, SECTOR, c->phase);
    int32_t result = c->port.flash_erase(c->port.context, slot, SECTOR);
    if (result == 0) {
        result = c->port.flash_write(c->port.context, slot, SECTOR, c->a, SECTOR);
    }
    c->how = MOULT_RESET_POWER_ON;
    return result == 0 ? CONFORM_KEPT : CONFORM_RESTART; /* 0: the cut came too late */
}

const struct conform_promise conform_flash[] = {
    {"flash.erase-one-sector", erases_one_sector},
    {"flash.write-units", writes_units},
    {"flash.read-any-alignment", reads_back},
    {"flash.write-touches-nothing-else", leaves_the_rest_erased},
    {"flash.is-erased-on-raw-bytes", tells_what_is_erased},
    {"flash.running-slot-refused", refuses_the_running_slot},
    {"flash.bounds", keeps_within_the_slot},
    {"flash.equal-slots", slots_are_equal},
    {"flash.running-read", running_read},
    {"flash.survives-reset", survives_a_reset},
    {"flash.cut-harms-one-sector", cut_harms_one_sector},
    {NULL, NULL},
};
