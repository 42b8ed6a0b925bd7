/* walker_xtensa.c - units of Xtensa code: 16 and 24 bit, on the ESP32-S3 also 32. */
#include "codec/decode/walker.h"
#include "codec/decode/tables.h"
#include "formats/bytes.h"

/* Whether control never goes on behind this instruction: J, RET, RETW, JX, RET.N, RETW.N.
 * Zeros there are padding. */
static bool is_last(const uint8_t *b, uint32_t left)
{
    uint8_t op0 = b[0] & 15;
    if (op0 == 6) { return (b[0] >> 4 & 3) == 0; }
    if (op0 == 0) {
        return left >= 3 && b[2] == 0 && (b[1] & 0xf0) == 0 &&
               (b[0] == 0x80 || b[0] == 0x90 || b[0] == 0xa0);
    }
    return op0 == 13 && left >= 2 && b[1] == 0xf0 && (b[0] == 0x0d || b[0] == 0x1d);
}

static unsigned natural_size(const struct moult_codec *c, uint8_t op0)
{
    if (op0 >= 8 && op0 < 14) { return 2; }
    return op0 >= 14 && c->header->isa == MOULT_PATCH_XTENSA_WIDE ? 4 : 3;
}

/* A literal or a function that begins inside would put everything out of step: the unit
 * ends there. */
static unsigned cut_size(const struct moult_codec *c, const struct moult_place *place,
                         unsigned size)
{
    unsigned to = (4u - place->at % 4) % 4;
    if (to == 0 || to >= size || place->left < to + 4) { return size; }
    const uint8_t *b = place->bytes + to;
    bool is_cut = moult_is_plausible(&c->walker, get_le32(b)) || moult_is_entry(b);
    return is_cut ? to : size;
}

static void aim(struct moult_unit *u, unsigned type, uint32_t target)
{
    u->type = (uint8_t)type;
    u->has_target = true;
    u->target = target;
}

static void call(struct moult_codec *c, const struct moult_place *place, uint32_t w)
{
    enum { ROM = 0x400 };
    uint32_t target = (place->address & ~3u) + 4u * (uint32_t)moult_sx(w >> 6, 18) + 4;
    if (moult_is_plausible(&c->walker, target) || target >> 20 == ROM) {
        aim(&c->unit, MOULT_UNIT_CALL, target);
    }
}

static void literal_load(struct moult_codec *c, const struct moult_place *place, uint32_t w)
{
    uint32_t target = ((place->address + 3) & ~3u) + 4u * ((w >> 8 & 0xffff) - 65536u);
    bool is_before = target >= place->segment->address && target < place->address;
    if (is_before || moult_is_in_code(&c->walker, target)) {
        aim(&c->unit, MOULT_UNIT_L32R, target);
    }
}

/* Bits of the offset of a jump or branch; 0: it is none. */
static unsigned branch_field(uint8_t first)
{
    unsigned op0 = first & 15u, n = first >> 4 & 3u, m = first >> 6;
    if (op0 == 7) { return 8; }
    if (op0 != 6) { return 0; }
    switch (n) {
    case 0:
        return 18;
    case 1:
        return 12;
    case 2:
        return 8;
    default:
        return m != 0 ? 8 : 0;
    }
}

static void operand(struct moult_codec *c, const struct moult_place *place)
{
    const uint8_t *b = place->bytes;
    uint32_t w = get_le32(b) & 0xffffff;
    unsigned op0 = b[0] & 15u, field = branch_field(b[0]);
    if (op0 == 5) {
        call(c, place, w);
    } else if (op0 == 1) {
        literal_load(c, place, w);
    } else if (field > 0) {
        uint32_t offset = (uint32_t)moult_sx(w >> (24 - field), field);
        aim(&c->unit, MOULT_UNIT_BR, place->address + 4 + offset);
        c->unit.field = (uint8_t)field;
    }
}

void moult_walk_xtensa(struct moult_codec *c, const struct moult_place *place)
{
    const uint8_t *b = place->bytes;
    struct moult_unit *u = &c->unit;
    u->key = b[0];
    if (c->walker.after_jump && b[0] == 0) {
        u->type = MOULT_UNIT_RAW;
        u->size = 1;
        return;
    }
    c->walker.after_jump = is_last(b, place->left);
    unsigned natural = natural_size(c, b[0] & 15);
    if (natural > place->left) { natural = place->left; }
    unsigned size = cut_size(c, place, natural);
    u->size = (uint8_t)size;
    u->type = size == 1 ? MOULT_UNIT_RAW : size == 2 ? MOULT_UNIT_X2 : MOULT_UNIT_X3;
    bool is_whole = size == natural && size == 3;
    if (is_whole) { operand(c, place); }
}
