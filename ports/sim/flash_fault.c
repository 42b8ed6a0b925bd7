/* flash_fault.c - see flash_fault.h. */
#include "ports/sim/flash_fault.h"
#include <assert.h>
#include <string.h>

/* Bytes that one cut leaves weak, at most. */
enum { WEAK_PER_CUT = MOULT_SIM_WEAK_MAX / 4 };

uint64_t moult_sim_mixed_bits(uint64_t seed, uint64_t index)
{
    uint64_t x = seed + (index + 1) * 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint32_t sector_of(uint32_t offset)
{
    return offset - offset % MOULT_SIM_SECTOR_SIZE;
}

/* --- What strikes -------------------------------------------------------------------- */

static bool strikes(const struct moult_sim_plan *plan, uint64_t number)
{
    uint32_t count = plan->count > 0 ? plan->count : 1;
    return plan->fault != MOULT_SIM_FAULT_NONE && number >= plan->at &&
           number - plan->at < count;
}

/* The fault that a defect of the sector, or of the eFuses, causes. */
static enum moult_sim_fault defect_of(const struct moult_sim_flash *flash,
                                      enum moult_sim_operation operation, uint32_t offset)
{
    static const struct {
        enum moult_sim_defect_kind fails, does_nothing;
    } kinds[] = {
        [MOULT_SIM_PROGRAM] = {MOULT_SIM_BAD_PROGRAM, MOULT_SIM_DEAD_PROGRAM},
        [MOULT_SIM_ERASE] = {MOULT_SIM_BAD_ERASE, MOULT_SIM_DEAD_ERASE},
        [MOULT_SIM_BURN] = {MOULT_SIM_BAD_BURN, MOULT_SIM_DEAD_BURN},
    };
    for (uint32_t i = 0; i < MOULT_SIM_DEFECTS_MAX; i++) {
        const struct moult_sim_defect *defect = &flash->defects[i];
        bool is_here =
            operation == MOULT_SIM_BURN || sector_of(defect->offset) == sector_of(offset);
        if (is_here && defect->kind == kinds[operation].fails) { return MOULT_SIM_FAIL; }
        if (is_here && defect->kind == kinds[operation].does_nothing) {
            return MOULT_SIM_NOOP;
        }
    }
    return MOULT_SIM_FAULT_NONE;
}

struct moult_sim_plan moult_sim_fault_next(struct moult_sim_flash *flash,
                                           enum moult_sim_operation operation,
                                           uint32_t offset)
{
    uint64_t number = ++flash->operation_count;
    for (uint32_t i = 0; i < MOULT_SIM_PLANS_MAX; i++) {
        const struct moult_sim_plan *plan = &flash->plans[i];
        if (plan->fault != MOULT_SIM_READ_FAIL && strikes(plan, number)) { return *plan; }
    }
    return (struct moult_sim_plan){.fault = defect_of(flash, operation, offset)};
}

bool moult_sim_fault_fails_read(struct moult_sim_flash *flash, uint32_t offset,
                                uint32_t size)
{
    uint64_t number = ++flash->read_count;
    for (uint32_t i = 0; i < MOULT_SIM_PLANS_MAX; i++) {
        const struct moult_sim_plan *plan = &flash->plans[i];
        if (plan->fault == MOULT_SIM_READ_FAIL && strikes(plan, number)) { return true; }
    }
    for (uint32_t i = 0; i < MOULT_SIM_DEFECTS_MAX; i++) {
        const struct moult_sim_defect *defect = &flash->defects[i];
        uint32_t sector = sector_of(defect->offset);
        if (defect->kind == MOULT_SIM_BAD_READ && size > 0 &&
            offset < sector + MOULT_SIM_SECTOR_SIZE && sector < offset + size) {
            return true;
        }
    }
    return false;
}

/* --- What is left -------------------------------------------------------------------- */

static void add_weak(struct moult_sim_flash *flash, uint32_t offset, uint8_t mask)
{
    if (flash->weak_count == MOULT_SIM_WEAK_MAX) { /* the oldest have to settle */
        flash->weak_count -= WEAK_PER_CUT;
        memmove(flash->weak, flash->weak + WEAK_PER_CUT,
                flash->weak_count * sizeof flash->weak[0]);
    }
    flash->weak[flash->weak_count].offset = offset;
    flash->weak[flash->weak_count++].mask = mask;
}

/* Leaves the cells that change in between, some of them for every read to decide. Stored
 * they are 1, so that software which saw them so may program them. */
static void leave_weak(struct moult_sim_flash *flash, const struct moult_sim_plan *plan,
                       uint32_t offset, const uint8_t *before, uint8_t *after,
                       uint32_t size)
{
    uint32_t changed = 0, seen = 0;
    for (uint32_t i = 0; i < size; i++) {
        changed += before[i] != after[i];
    }
    uint32_t stride = (changed + WEAK_PER_CUT - 1) / WEAK_PER_CUT;
    uint32_t chosen = stride ? (uint32_t)(moult_sim_mixed_bits(plan->seed, 0) % stride) : 0;
    flash->weak_seed = plan->seed;
    for (uint32_t i = 0; i < size; i++) {
        uint8_t bits = before[i] ^ after[i];
        if (bits == 0 || seen++ % stride != chosen) { continue; }
        uint8_t mask = bits & (uint8_t)moult_sim_mixed_bits(plan->seed, offset + i);
        after[i] |= mask;
        if (mask) { add_weak(flash, offset + i, mask); }
    }
}

void moult_sim_fault_leave(struct moult_sim_flash *flash, const struct moult_sim_plan *plan,
                           uint32_t offset, const uint8_t *before, uint8_t *after,
                           uint32_t size)
{
    assert(plan->fault == MOULT_SIM_CUT_AFTER || plan->fault == MOULT_SIM_CUT_TORN ||
           plan->fault == MOULT_SIM_CUT_MIXED || plan->fault == MOULT_SIM_CUT_WEAK);
    if (plan->fault == MOULT_SIM_CUT_WEAK) {
        leave_weak(flash, plan, offset, before, after, size);
        return;
    }
    for (uint32_t i = 0; i < size; i++) {
        uint8_t done = 0xff; /* which bits of this byte got their new value */
        if (plan->fault == MOULT_SIM_CUT_TORN) {
            done = i < plan->torn_size ? 0xff : 0;
        } else if (plan->fault == MOULT_SIM_CUT_MIXED) {
            done = (uint8_t)moult_sim_mixed_bits(plan->seed, i);
        }
        after[i] = (uint8_t)((after[i] & done) | (before[i] & (uint8_t)~done));
    }
}

void moult_sim_fault_blur(struct moult_sim_flash *flash, uint32_t offset, uint8_t *out,
                          uint32_t size)
{
    for (uint32_t i = 0; i < flash->weak_count; i++) {
        uint32_t at = flash->weak[i].offset;
        if (at < offset || at - offset >= size) { continue; }
        uint64_t chance = moult_sim_mixed_bits(flash->weak_seed + flash->read_count, at);
        out[at - offset] &= (uint8_t) ~(flash->weak[i].mask & (uint8_t)chance);
    }
    for (uint32_t i = 0; i < MOULT_SIM_DEFECTS_MAX; i++) {
        const struct moult_sim_defect *defect = &flash->defects[i];
        if (defect->kind == MOULT_SIM_STUCK_BITS && defect->offset >= offset &&
            defect->offset - offset < size) {
            out[defect->offset - offset] &= (uint8_t)~defect->mask;
        }
    }
}

/* Weak bits of [offset, offset + size) that data has as 0, or all of them where data is
 * NULL, are weak no more. */
static void filter_weak(struct moult_sim_flash *flash, uint32_t offset, uint32_t size,
                        const uint8_t *data)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < flash->weak_count; i++) {
        uint32_t at = flash->weak[i].offset;
        bool is_inside = at >= offset && at - offset < size;
        uint8_t keeps = !is_inside ? 0xff : data ? data[at - offset] : 0;
        uint8_t mask = flash->weak[i].mask & keeps;
        if (mask == 0) { continue; }
        flash->weak[kept].offset = at;
        flash->weak[kept++].mask = mask;
    }
    flash->weak_count = kept;
}

void moult_sim_fault_programmed(struct moult_sim_flash *flash, uint32_t offset,
                                const uint8_t *data, uint32_t size)
{
    filter_weak(flash, offset, size, data); /* a cell programmed to 0 is 0 */
}

void moult_sim_fault_erased(struct moult_sim_flash *flash, uint32_t offset)
{
    filter_weak(flash, offset, MOULT_SIM_SECTOR_SIZE, NULL);
    for (uint32_t i = 0; i < MOULT_SIM_SILENT_MAX; i++) {
        if (flash->silent[i] == offset + 1) { flash->silent[i] = 0; }
    }
}

void moult_sim_fault_add_silent(struct moult_sim_flash *flash, uint32_t offset)
{
    if (moult_sim_fault_is_silent(flash, offset)) { return; }
    flash->silent[flash->silent_next] = offset + 1;
    flash->silent_next = (flash->silent_next + 1) % MOULT_SIM_SILENT_MAX;
}

bool moult_sim_fault_is_silent(const struct moult_sim_flash *flash, uint32_t offset)
{
    for (uint32_t i = 0; i < MOULT_SIM_SILENT_MAX; i++) {
        if (flash->silent[i] == sector_of(offset) + 1) { return true; }
    }
    return false;
}
