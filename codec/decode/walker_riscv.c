/* walker_riscv.c - units of RV32IMC code, with the registers that hold upper parts of
 * addresses. */
#include "codec/decode/walker.h"
#include "codec/decode/operand.h"
#include "codec/decode/tables.h"
#include "formats/bytes.h"

enum {
    OPCODE_LOAD = 0x03,
    OPCODE_IMMEDIATE = 0x13,
    OPCODE_AUIPC = 0x17,
    OPCODE_STORE = 0x23,
    OPCODE_LUI = 0x37,
    OPCODE_BRANCH = 0x63,
    OPCODE_JALR = 0x67,
    OPCODE_JAL = 0x6f,

    LOOK_AHEAD = 48, /* units in which the other half of an address is looked for */
    AGE_MAX = 400,   /* units after which a register is not believed */
    NEAR = 4096,     /* bytes; a jump so far is inside its function */
};

static unsigned opcode_of(uint32_t w)
{
    return w & 0x7f;
}

static unsigned rd_of(uint32_t w)
{
    return w >> 7 & 31;
}

static unsigned rs1_of(uint32_t w)
{
    return w >> 15 & 31;
}

/* ADDI, a load or JALR: what adds twelve bits to a register. */
static bool adds_low(uint32_t w)
{
    unsigned opcode = opcode_of(w);
    return (opcode == OPCODE_IMMEDIATE && (w >> 12 & 7) == 0) || opcode == OPCODE_LOAD ||
           opcode == OPCODE_JALR;
}

static void aim(struct moult_unit *u, unsigned type, uint32_t target)
{
    u->type = (uint8_t)type;
    u->has_target = true;
    u->target = target;
}

/* --- registers ----------------------------------------------------------------------- */

static void empty(struct moult_walker *w, unsigned rd)
{
    w->high[rd].seen = MOULT_HIGH_NONE;
}

/* A call: what the callee may change. */
static void empty_by_call(struct moult_walker *w)
{
    static const uint32_t changed = 1u << 1 | 7u << 5 | 0xffu << 10 | 0xfu << 28;
    for (unsigned i = 1; i < 32; i++) {
        if (changed >> i & 1) { empty(w, i); }
    }
}

static void remember(struct moult_walker *w, uint32_t word, uint32_t old, uint32_t place)
{
    unsigned kind = opcode_of(word) == OPCODE_LUI ? MOULT_HIGH_LUI : MOULT_HIGH_AUIPC;
    w->high[rd_of(word)] = (struct moult_high){old, place, w->count << 2 | kind};
}

/* --- 16 bit -------------------------------------------------------------------------- */

/* The register that a 16-bit instruction changes; 0: none. */
static unsigned compressed_rd(uint32_t h, bool *is_call)
{
    unsigned quadrant = h & 3, f = h >> 13, rd = h >> 7 & 31;
    switch (quadrant << 3 | f) {
    case 0 << 3 | 0:
    case 0 << 3 | 2:
        return 8 + (h >> 2 & 7);
    case 1 << 3 | 0:
    case 1 << 3 | 2:
    case 1 << 3 | 3:
    case 2 << 3 | 0:
    case 2 << 3 | 2:
        return rd;
    case 1 << 3 | 1:
        *is_call = true;
        return 0;
    case 1 << 3 | 4:
        return 8 + (h >> 7 & 7);
    case 2 << 3 | 4:
        if (h >> 2 & 31) { return rd; }
        *is_call = (h & 0x1000) != 0;
        return 0;
    default:
        return 0;
    }
}

static void walk_half(struct moult_codec *c, const struct moult_place *place)
{
    uint32_t h = get_le16(place->bytes);
    c->unit.key = place->bytes[1];
    bool is_call = false;
    unsigned rd = compressed_rd(h, &is_call), f = h >> 13;
    if (rd > 0) { empty(&c->walker, rd); }
    if (is_call) { empty_by_call(&c->walker); }
    if ((h & 3) == 1 && (f == 1 || f >= 5)) {
        uint32_t offset = (uint32_t)moult_compressed_offset(h);
        aim(&c->unit, MOULT_UNIT_BC, place->address + offset);
    }
}

/* --- 32 bit -------------------------------------------------------------------------- */

static void jump(struct moult_codec *c, const struct moult_place *place, uint32_t w)
{
    if (rd_of(w) != 0) { empty_by_call(&c->walker); }
    int32_t offset = moult_jal_offset(w);
    uint32_t target = place->address + (uint32_t)offset;
    bool is_near = rd_of(w) == 0 && offset <= NEAR && offset >= -NEAR;
    if (is_near || moult_is_plausible(&c->walker, target)) {
        aim(&c->unit, rd_of(w) != 0 ? MOULT_UNIT_JAL : MOULT_UNIT_J, target);
    }
}

/* Look ahead for the instruction that adds the lower part. */
static bool find_low(struct moult_codec *c, const struct moult_place *place, uint32_t w,
                     uint32_t *low)
{
    struct moult_walker *walker = &c->walker;
    unsigned rd = rd_of(w);
    uint32_t at = place->at + 4;
    for (unsigned k = 0; k < LOOK_AHEAD && walker->end - at >= 4 && at < walker->end; k++) {
        uint8_t bytes[4];
        moult_walker_read(c, at, bytes, sizeof bytes, true);
        if ((bytes[0] & 3) != 3) {
            at += 2;
            continue;
        }
        uint32_t next = get_le32(bytes);
        unsigned opcode = opcode_of(next);
        if (rs1_of(next) == rd && adds_low(next)) {
            *low = (uint32_t)moult_sx(next >> 20, 12);
            return true;
        }
        if (rs1_of(next) == rd && opcode == OPCODE_STORE) {
            *low = (uint32_t)moult_store_offset(next);
            return true;
        }
        bool writes = opcode != OPCODE_STORE && opcode != OPCODE_BRANCH;
        if (writes && rd_of(next) == rd) { return false; }
        at += 4;
    }
    return false;
}

/* Before a cover, the upper part may stand in the output already: at the same distance. */
static void remember_dry(struct moult_codec *c, const struct moult_place *place, uint32_t w)
{
    uint32_t there = place->at + c->walker.place_shift;
    bool is_below = there < c->at && c->at - there >= 4;
    if (is_below && opcode_of(w) == OPCODE_LUI &&
        ((moult_output_word(c, there) ^ w) & 0xfff) == 0) {
        remember(&c->walker, w, w & 0xfffff000, there);
    }
}

static void upper(struct moult_codec *c, const struct moult_place *place, uint32_t w)
{
    bool is_pc = opcode_of(w) == OPCODE_AUIPC;
    uint32_t old = (w & 0xfffff000) + (is_pc ? place->address : 0), low = 0;
    empty(&c->walker, rd_of(w));
    bool is_found = find_low(c, place, w, &low);
    uint32_t target = old + low;
    if (!is_found || !(is_pc || moult_is_plausible(&c->walker, target))) { return; }
    if (c->walker.is_dry) {
        remember_dry(c, place, w);
        return;
    }
    aim(&c->unit, MOULT_UNIT_HI, target);
    uint32_t now = moult_mapped(c, target) - (is_pc ? place->new_address : 0);
    put_le32(c->unit.predicted, (w & 0xfff) | ((now + 0x800) & 0xfffff000));
    remember(&c->walker, w, old, c->at);
}

/* ADDI, load, JALR or store with a register that holds an upper part. */
static void lower(struct moult_codec *c, uint32_t w)
{
    const struct moult_walker *walker = &c->walker;
    const struct moult_high *high = &walker->high[rs1_of(w)];
    unsigned kind = high->seen & 3;
    if (rs1_of(w) == 0 || kind == MOULT_HIGH_NONE || walker->is_dry ||
        walker->count - (high->seen >> 2) >= AGE_MAX) {
        return;
    }
    bool is_store = opcode_of(w) == OPCODE_STORE;
    int32_t low = is_store ? moult_store_offset(w) : moult_sx(w >> 20, 12);
    uint32_t target = high->old + (uint32_t)low;
    bool is_below = high->place < c->at && c->at - high->place >= 4;
    if (!is_below || !(kind == MOULT_HIGH_AUIPC || moult_is_plausible(walker, target))) {
        return;
    }
    uint32_t now = moult_output_word(c, high->place);
    if (opcode_of(now) != OPCODE_LUI && opcode_of(now) != OPCODE_AUIPC) { return; }
    c->unit.high = now & 0xfffff000;
    if (kind == MOULT_HIGH_AUIPC) { c->unit.high += moult_new_address(c, high->place); }
    aim(&c->unit, MOULT_UNIT_LO, target);
}

static void walk_word(struct moult_codec *c, const struct moult_place *place)
{
    uint32_t w = get_le32(place->bytes);
    unsigned opcode = opcode_of(w), rd = rd_of(w);
    if (opcode == OPCODE_JAL) {
        jump(c, place, w);
    } else if (opcode == OPCODE_BRANCH) {
        aim(&c->unit, MOULT_UNIT_BR, place->address + (uint32_t)moult_branch_offset(w));
    } else if (opcode == OPCODE_AUIPC || opcode == OPCODE_LUI) {
        upper(c, place, w);
    } else if (opcode == OPCODE_STORE) {
        lower(c, w);
    } else if (adds_low(w)) {
        lower(c, w);
        empty(&c->walker, rd);
        if (opcode == OPCODE_JALR && rd != 0) { empty_by_call(&c->walker); }
    } else {
        empty(&c->walker, rd);
    }
}

void moult_walk_riscv(struct moult_codec *c, const struct moult_place *place)
{
    const uint8_t *b = place->bytes;
    struct moult_unit *u = &c->unit;
    u->key = b[0];
    u->type = MOULT_UNIT_RAW;
    u->size = 1;
    if (place->at % 2 != 0) { return; }
    unsigned size = (b[0] & 3) == 3 ? 4 : 2;
    c->walker.count++;
    if (size > place->left) {
        u->size = (uint8_t)place->left;
        return;
    }
    u->size = (uint8_t)size;
    u->type = size == 4 ? MOULT_UNIT_R4 : MOULT_UNIT_R2;
    if (size == 4) {
        walk_word(c, place);
    } else {
        walk_half(c, place);
    }
}
