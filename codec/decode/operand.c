/* operand.c - see operand.h. */
#include "codec/decode/operand.h"
#include <string.h>
#include "codec/decode/codec.h"
#include "codec/decode/tables.h"
#include "formats/bytes.h"

enum {
    OPCODE_STORE = 0x23,
    JAL_MASK = (int)0xfffff000,
    SPLIT_MASK = (int)0xfe000f80, /* of branches and stores */
    LOW_MASK = (int)0xfff00000,
};

static bool fits(int32_t offset, int32_t limit)
{
    return offset >= -limit && offset < limit;
}

int32_t moult_jal_offset(uint32_t w)
{
    return moult_sx((w >> 31) << 20 | (w >> 12 & 0xff) << 12 | (w >> 20 & 1) << 11 |
                        (w >> 21 & 0x3ff) << 1,
                    21);
}

static bool put_jal(uint32_t *word, int32_t offset)
{
    if (offset % 2 != 0 || !fits(offset, 1 << 20)) { return false; }
    uint32_t x = (uint32_t)offset;
    *word = (*word & 0xfff) | (x >> 20 & 1) << 31 | (x >> 1 & 0x3ff) << 21 |
            (x >> 11 & 1) << 20 | (x >> 12 & 0xff) << 12;
    return true;
}

int32_t moult_branch_offset(uint32_t w)
{
    return moult_sx((w >> 31) << 12 | (w >> 7 & 1) << 11 | (w >> 25 & 0x3f) << 5 |
                        (w >> 8 & 0xf) << 1,
                    13);
}

static bool put_branch(uint32_t *word, int32_t offset)
{
    if (offset % 2 != 0 || !fits(offset, 1 << 12)) { return false; }
    uint32_t x = (uint32_t)offset;
    *word = (*word & ~(uint32_t)SPLIT_MASK) | (x >> 12 & 1) << 31 | (x >> 5 & 0x3f) << 25 |
            (x >> 1 & 0xf) << 8 | (x >> 11 & 1) << 7;
    return true;
}

/* C.JAL and C.J reach further than C.BEQZ and C.BNEZ. */
static bool is_compressed_jump(uint32_t half)
{
    uint32_t f = half >> 13 & 7;
    return f == 1 || f == 5;
}

int32_t moult_compressed_offset(uint32_t h)
{
    if (is_compressed_jump(h)) {
        return moult_sx((h >> 12 & 1) << 11 | (h >> 8 & 1) << 10 | (h >> 9 & 3) << 8 |
                            (h >> 6 & 1) << 7 | (h >> 7 & 1) << 6 | (h >> 2 & 1) << 5 |
                            (h >> 11 & 1) << 4 | (h >> 3 & 7) << 1,
                        12);
    }
    return moult_sx((h >> 12 & 1) << 8 | (h >> 5 & 3) << 6 | (h >> 2 & 1) << 5 |
                        (h >> 10 & 3) << 3 | (h >> 3 & 3) << 1,
                    9);
}

static bool put_compressed(uint32_t *half, int32_t offset)
{
    uint32_t x = (uint32_t)offset;
    bool is_jump = is_compressed_jump(*half);
    if (offset % 2 != 0 || !fits(offset, is_jump ? 1 << 11 : 1 << 8)) { return false; }
    if (is_jump) {
        *half = (*half & 0xe003) | (x >> 11 & 1) << 12 | (x >> 10 & 1) << 8 |
                (x >> 8 & 3) << 9 | (x >> 7 & 1) << 6 | (x >> 6 & 1) << 7 |
                (x >> 5 & 1) << 2 | (x >> 4 & 1) << 11 | (x >> 1 & 7) << 3;
    } else {
        *half = (*half & 0xe383) | (x >> 8 & 1) << 12 | (x >> 6 & 3) << 5 |
                (x >> 5 & 1) << 2 | (x >> 3 & 3) << 10 | (x >> 1 & 3) << 3;
    }
    return true;
}

int32_t moult_store_offset(uint32_t w)
{
    return moult_sx((w >> 25) << 5 | (w >> 7 & 31), 12);
}

static uint32_t put_low(uint32_t w, uint32_t low)
{
    low &= 0xfff;
    if ((w & 0x7f) == OPCODE_STORE) {
        return (w & ~(uint32_t)SPLIT_MASK) | (low >> 5) << 25 | (low & 31) << 7;
    }
    return (w & ~(uint32_t)LOW_MASK) | low << 20;
}

static uint32_t low_of(uint32_t w)
{
    bool is_store = (w & 0x7f) == OPCODE_STORE;
    return (uint32_t)(is_store ? moult_store_offset(w) : moult_sx(w >> 20, 12));
}

/* Xtensa's offsets count words or bytes from here. */
static uint32_t xtensa_origin(const struct moult_unit *u, uint32_t address)
{
    if (u->type == MOULT_UNIT_CALL) { return (address & ~3u) + 4; }
    if (u->type == MOULT_UNIT_L32R) { return (address + 3) & ~3u; }
    return address + 4;
}

static bool put_xtensa(const struct moult_unit *u, uint32_t *w, int32_t offset)
{
    if (u->type == MOULT_UNIT_BR) {
        unsigned low = 24u - u->field;
        if (!fits(offset, 1 << (u->field - 1))) { return false; }
        *w = (*w & ((1u << low) - 1)) | ((uint32_t)offset << low & 0xffffff);
        return true;
    }
    if (offset % 4 != 0) { return false; }
    offset /= 4;
    if (u->type == MOULT_UNIT_CALL) {
        if (!fits(offset, 1 << 17)) { return false; }
        *w = (*w & 63) | ((uint32_t)offset << 6 & 0xffffff);
        return true;
    }
    if (offset < -65536 || offset >= 0) { return false; }
    *w = (*w & 0xff) | ((uint32_t)offset & 0xffff) << 8;
    return true;
}

static uint32_t get_xtensa(const struct moult_unit *u, uint32_t w, uint32_t address)
{
    uint32_t origin = xtensa_origin(u, address);
    if (u->type == MOULT_UNIT_CALL) { return origin + 4u * (uint32_t)moult_sx(w >> 6, 18); }
    if (u->type == MOULT_UNIT_L32R) { return origin + 4u * ((w >> 8 & 0xffff) - 65536u); }
    return origin + (uint32_t)moult_sx(w >> (24 - u->field), u->field);
}

static bool put_riscv(const struct moult_unit *u, uint32_t *w, uint32_t address,
                      uint32_t target)
{
    int32_t offset = (int32_t)(target - address);
    if (u->type == MOULT_UNIT_BR) { return put_branch(w, offset); }
    if (u->type == MOULT_UNIT_BC) { return put_compressed(w, offset); }
    if (u->type == MOULT_UNIT_JAL || u->type == MOULT_UNIT_J) { return put_jal(w, offset); }
    int32_t low = (int32_t)(target - u->high);
    if (u->type != MOULT_UNIT_LO || !fits(low, 2048)) { return false; }
    *w = put_low(*w, (uint32_t)low);
    return true;
}

bool moult_operand_put(const struct moult_unit *u, uint32_t address, bool is_riscv,
                       uint32_t target, uint8_t out[4])
{
    uint32_t w = get_le32(u->old);
    bool is_done = true;
    switch (u->type) {
    case MOULT_UNIT_PTR:
        w = target;
        break;
    case MOULT_UNIT_PCR:
        w = target - address;
        break;
    case MOULT_UNIT_PCN:
        w = address - target;
        break;
    case MOULT_UNIT_CALL:
    case MOULT_UNIT_L32R:
    case MOULT_UNIT_BR:
    case MOULT_UNIT_BC:
    case MOULT_UNIT_JAL:
    case MOULT_UNIT_J:
    case MOULT_UNIT_LO:
        if (is_riscv) {
            is_done = put_riscv(u, &w, address, target);
        } else {
            is_done = put_xtensa(u, &w, (int32_t)(target - xtensa_origin(u, address)));
        }
        break;
    default:
        is_done = false;
        break;
    }
    put_le32(out, w);
    return is_done;
}

uint32_t moult_operand_mask(const struct moult_unit *u, bool is_riscv)
{
    uint32_t w = get_le32(u->old);
    switch (u->type) {
    case MOULT_UNIT_PTR:
    case MOULT_UNIT_PCR:
    case MOULT_UNIT_PCN:
        return UINT32_MAX;
    case MOULT_UNIT_CALL:
        return 0xffffc0;
    case MOULT_UNIT_L32R:
        return 0xffff00;
    case MOULT_UNIT_JAL:
    case MOULT_UNIT_J:
        return (uint32_t)JAL_MASK;
    case MOULT_UNIT_BR:
        if (is_riscv) { return (uint32_t)SPLIT_MASK; }
        return 0xffffff & ~((1u << (24 - u->field)) - 1);
    case MOULT_UNIT_BC:
        return is_compressed_jump(w & 0xffff) ? 0x1ffc : 0x1c7c;
    case MOULT_UNIT_LO:
        return (uint32_t)((w & 0x7f) == OPCODE_STORE ? SPLIT_MASK : LOW_MASK);
    default:
        return 0;
    }
}

uint32_t moult_operand_get(const struct moult_unit *u, uint32_t address, bool is_riscv,
                           const uint8_t bytes[4])
{
    uint32_t w = get_le32(bytes);
    switch (u->type) {
    case MOULT_UNIT_PTR:
        return w;
    case MOULT_UNIT_PCR:
        return w + address;
    case MOULT_UNIT_PCN:
        return address - w;
    case MOULT_UNIT_BC:
        return address + (uint32_t)moult_compressed_offset(w & 0xffff);
    case MOULT_UNIT_JAL:
    case MOULT_UNIT_J:
        return address + (uint32_t)moult_jal_offset(w);
    case MOULT_UNIT_LO:
        return u->high + low_of(w);
    case MOULT_UNIT_BR:
        if (is_riscv) { return address + (uint32_t)moult_branch_offset(w); }
        return get_xtensa(u, w, address);
    default:
        return get_xtensa(u, w, address);
    }
}
