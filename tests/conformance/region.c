/* region.c - promises of a stretch of flash outside the app slots (moult/component.h),
 * which a port supplies when the product updates data components.
 */
#include "moult/component.h"
#include "tests/conformance/promise.h"

enum { SECTOR = MOULT_SECTOR_SIZE, UNIT = MOULT_WRITE_UNIT };

static const struct moult_region *region_of(const struct conform *c)
{
    return c->fixture->region ? c->fixture->region(c->fixture->context) : NULL;
}

#define REGION                                                                             \
    const struct moult_region *r = region_of(c);                                           \
    NEEDS(r, "the fixture has no region: no data component to update");                    \
    EXPECT(r->size >= 3 * SECTOR && r->size % SECTOR == 0,                                 \
           "a region of three whole sectors or more", "another size")

/* False: noted. */
static bool fill_sector(struct conform *c, const struct moult_region *r, uint32_t offset,
                        uint32_t seed)
{
    conform_fill(c->a, SECTOR, seed);
    int32_t result = r->erase(r->context, offset);
    if (!conform_equal(c, result, 0, "erase of a region's sector")) { return false; }
    for (uint32_t i = 0; i < SECTOR; i += 8 * UNIT) {
        result = r->write(r->context, offset + i, c->a + i, 8 * UNIT);
        if (!conform_equal(c, result, 0, "write into an erased sector")) { return false; }
    }
    return true;
}

static bool holds(struct conform *c, const struct moult_region *r, uint32_t offset,
                  uint32_t seed, const char *what)
{
    conform_fill(c->a, SECTOR, seed);
    int32_t result = r->read(r->context, offset, c->b, SECTOR);
    return conform_equal(c, result, 0, "read of a region's sector") &&
           conform_same(c, c->b, c->a, SECTOR, what);
}

static enum conform_verdict erases_one_sector(struct conform *c)
{
    bool is_erased = false;
    REGION;
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT_DONE(fill_sector(c, r, i * SECTOR, 50 + i));
    }
    EXPECT_EQUAL(r->erase(r->context, SECTOR), 0, "erase");
    EXPECT_EQUAL(r->is_erased(r->context, SECTOR, SECTOR, &is_erased), 0, "is_erased");
    EXPECT(is_erased, "an erased sector", "one that is not");
    EXPECT_DONE(holds(c, r, 0, 50, "the sector before to stay"));
    EXPECT_DONE(holds(c, r, 2 * SECTOR, 52, "the sector behind to stay"));
    return CONFORM_KEPT;
}

static enum conform_verdict is_erased_on_raw_bytes(struct conform *c)
{
    bool is_erased = false;
    REGION;
    EXPECT_EQUAL(r->erase(r->context, 0), 0, "erase");
    memset(c->a, 0xff, UNIT);
    c->a[UNIT - 1] = 0xfe;
    EXPECT_EQUAL(r->write(r->context, SECTOR - UNIT, c->a, UNIT), 0, "write of a unit");
    EXPECT_EQUAL(r->is_erased(r->context, 0, SECTOR, &is_erased), 0, "is_erased");
    EXPECT(!is_erased, "is_erased false where the last bit is written", "true");
    EXPECT_EQUAL(r->is_erased(r->context, 0, SECTOR - UNIT, &is_erased), 0, "is_erased");
    EXPECT(is_erased, "is_erased true up to the unit that is written", "false");
    return CONFORM_KEPT;
}

static enum conform_verdict bounds(struct conform *c)
{
    bool is_erased;
    REGION;
    const uint32_t offsets[] = {r->size, r->size - UNIT, r->size * 16u,
                                UINT32_MAX - UNIT + 1};
    EXPECT_DONE(fill_sector(c, r, 0, 60)); /* else a refusal says nothing */
    EXPECT_DONE(fill_sector(c, r, r->size - SECTOR, 61));
    memset(c->a, 0, 2 * UNIT);
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        uint32_t at = offsets[i];
        if (r->read(r->context, at, c->b, 2 * UNIT) == 0 ||
            r->write(r->context, at, c->a, 2 * UNIT) == 0 ||
            r->is_erased(r->context, at, 2 * UNIT, &is_erased) == 0 ||
            (at % SECTOR == 0 && r->erase(r->context, at) == 0)) {
            return conform_broken(c, "expected an access at 0x%x of 0x%x refused, found 0",
                                  (unsigned)at, (unsigned)r->size);
        }
    }
    EXPECT_DONE(holds(c, r, 0, 60, "the region's first sector untouched"));
    EXPECT_DONE(holds(c, r, r->size - SECTOR, 61, "the region's last sector untouched"));
    return CONFORM_KEPT;
}

/* Outside the app slots: neither is the other. */
static enum conform_verdict is_apart(struct conform *c)
{
    uint32_t slot, running;
    REGION;
    EXPECT_DONE(conform_slots(c, &slot, &running));
    EXPECT_DONE(conform_write_sector(c, slot, 0, 70));
    EXPECT_DONE(conform_write_sector(c, slot, c->port.slot_size - SECTOR, 71));
    EXPECT_DONE(fill_sector(c, r, 0, 72));
    EXPECT_DONE(fill_sector(c, r, r->size - SECTOR, 73));
    EXPECT_DONE(conform_sector_holds(c, slot, 0, 70, "the free slot to stay"));
    EXPECT_DONE(conform_sector_holds(c, slot, c->port.slot_size - SECTOR, 71,
                                     "the free slot's end to stay"));
    EXPECT_DONE(holds(c, r, 0, 72, "the region to hold what was written"));
    return CONFORM_KEPT;
}

const struct conform_promise conform_region[] = {
    {"region.erase-one-sector", erases_one_sector},
    {"region.is-erased-on-raw-bytes", is_erased_on_raw_bytes},
    {"region.bounds", bounds},
    {"region.apart-from-slots", is_apart},
    {NULL, NULL},
};
