/* address.c - where a target of the base is in the new image: map, corrections, recent
 * covers. */
#include "codec/decode/codec.h"

/* The walker over output predicts without any of them: targets stay. */
uint32_t moult_mapped(const struct moult_codec *c, uint32_t target)
{
    if (c->walker.is_relocating || c->map_count == 0 || target < c->map[0].address) {
        return target;
    }
    uint32_t low = 0, high = c->map_count;
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (c->map[middle].address <= target) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return target + c->map[low].shift;
}

static uint32_t slot_of(const struct moult_codec *c, uint32_t target)
{
    return (target * 0x9E3779B1u) >> 20 & (c->profile->cache - 1u);
}

struct moult_correction *moult_correction_of(struct moult_codec *c, uint32_t target)
{
    return &c->cache[slot_of(c, target)];
}

static bool is_corrected(const struct moult_codec *c, uint32_t target, uint32_t *out)
{
    const struct moult_correction *known = &c->cache[slot_of(c, target)];
    if (c->walker.is_relocating || known->target != target) { return false; }
    *out = target + known->shift;
    return true;
}

uint32_t moult_corrected(const struct moult_codec *c, uint32_t target)
{
    uint32_t out;
    return is_corrected(c, target, &out) ? out : moult_mapped(c, target);
}

uint32_t moult_branched(const struct moult_codec *c, const struct moult_unit *unit)
{
    uint32_t out, address = moult_new_address(c, c->at);
    if (is_corrected(c, unit->target, &out)) { return out; }
    uint32_t at = c->unit_at + (unit->target - unit->address);
    uint32_t count = c->walker.is_relocating ? 0 : c->recent_count;
    for (uint32_t i = 0; i < count; i++) {
        const struct moult_recent *r = &c->recent[i];
        if (at - r->from < r->size) { return address + (at + r->shift - c->at); }
    }
    return unit->target + address - unit->address;
}

bool moult_is_local(const struct moult_unit *unit)
{
    enum { NEAR = 4096 };
    if (unit->type == MOULT_UNIT_BR || unit->type == MOULT_UNIT_BC) { return true; }
    uint32_t away = unit->target - unit->address;
    return unit->type == MOULT_UNIT_J && away + NEAR <= 2 * NEAR;
}

uint32_t moult_unit_expected(const struct moult_codec *c, const struct moult_unit *unit)
{
    if (moult_is_local(unit)) { return moult_branched(c, unit); }
    bool by_cache = unit->type == MOULT_UNIT_CALL || unit->type == MOULT_UNIT_L32R;
    return by_cache ? moult_corrected(c, unit->target) : moult_mapped(c, unit->target);
}

void moult_recent_push(struct moult_codec *c, uint32_t old, uint32_t size)
{
    if (c->recent_count < MOULT_CODEC_RECENT) { c->recent_count++; }
    for (uint32_t i = c->recent_count - 1; i > 0; i--) {
        c->recent[i] = c->recent[i - 1];
    }
    c->recent[0] = (struct moult_recent){old, size, c->at - old};
}
