/* flash.c - see flash.h. */
#include "ports/sim/flash.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "formats/bytes.h"

_Static_assert(MOULT_SIM_SECTOR_SIZE % MOULT_SIM_PAGE_SIZE == 0, "whole pages per sector");

void moult_sim_flash_init(struct moult_sim_flash *flash, struct moult_sim_storage *storage,
                          uint32_t size)
{
    assert(flash && storage && size > 0 && size % MOULT_SIM_SECTOR_SIZE == 0);
    assert(size <= storage->size);
    *flash = (struct moult_sim_flash){.storage = storage, .size = size};
}

enum moult_status moult_sim_flash_allow(struct moult_sim_flash *flash, uint32_t offset,
                                        uint32_t size, bool is_encrypted)
{
    bool is_whole =
        offset % MOULT_SIM_SECTOR_SIZE == 0 && size % MOULT_SIM_SECTOR_SIZE == 0;
    bool is_inside = offset <= flash->size && size <= flash->size - offset;
    if (!is_whole || !is_inside || flash->allowed_count == MOULT_SIM_RANGES_MAX) {
        return MOULT_E_RANGE;
    }
    flash->allowed[flash->allowed_count++] = (struct moult_sim_range){
        .offset = offset, .size = size, .is_encrypted = is_encrypted};
    return MOULT_OK;
}

void moult_sim_flash_forbid_all(struct moult_sim_flash *flash)
{
    flash->allowed_count = 0;
    flash->protected = (struct moult_sim_range){0};
}

void moult_sim_flash_protect(struct moult_sim_flash *flash, uint32_t offset, uint32_t size)
{
    flash->protected = (struct moult_sim_range){.offset = offset, .size = size};
}

void moult_sim_flash_power_on(struct moult_sim_flash *flash)
{
    flash->is_off = false;
    flash->plan = (struct moult_sim_plan){0};
}

static enum moult_status panic_at(struct moult_sim_flash *flash, const char *what,
                                  uint32_t offset)
{
    if (flash->panic) {
        flash->panic(flash->context, what, offset);
        return MOULT_E_INTERNAL;
    }
    fprintf(stderr, "moult sim flash: %s at 0x%06x: a bug in the code that called it\n",
            what, (unsigned)offset);
    abort();
}

static enum moult_status lose_power(struct moult_sim_flash *flash)
{
    flash->is_off = true;
    if (flash->power_lost) { flash->power_lost(flash->context); }
    return MOULT_E_IO;
}

static bool contains(const struct moult_sim_range *range, uint32_t offset, uint32_t size)
{
    return offset >= range->offset && offset - range->offset <= range->size &&
           size <= range->size - (offset - range->offset);
}

static bool overlaps(const struct moult_sim_range *range, uint32_t offset, uint32_t size)
{
    return range->size > 0 && offset < range->offset + range->size &&
           range->offset < offset + size;
}

/* The allowed range that holds all of the bytes, NULL after a panic that returned. */
static const struct moult_sim_range *writable(struct moult_sim_flash *flash,
                                              uint32_t offset, uint32_t size)
{
    const char *what = "write outside the allowed ranges";
    if (offset > flash->size || size > flash->size - offset) {
        what = "write outside the flash";
    } else if (overlaps(&flash->protected, offset, size)) {
        what = "write into the running slot";
    } else {
        for (uint32_t i = 0; i < flash->allowed_count; i++) {
            if (contains(&flash->allowed[i], offset, size)) { return &flash->allowed[i]; }
        }
    }
    (void)panic_at(flash, what, offset); /* NULL says it all to the caller */
    return NULL;
}

/* Counts an operation and says what is planned for it. */
static enum moult_sim_fault next_fault(struct moult_sim_flash *flash)
{
    flash->operation_count++;
    bool is_struck = flash->plan.fault != MOULT_SIM_FAULT_NONE &&
                     flash->plan.at == flash->operation_count;
    return is_struck ? flash->plan.fault : MOULT_SIM_FAULT_NONE;
}

/* splitmix64: one well-mixed number per (seed, index). */
static uint64_t mixed_bits(uint64_t seed, uint64_t index)
{
    uint64_t x = seed + (index + 1) * 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* after := what a power cut leaves of the change before -> after. index: bytes of the same
 * operation in front of these. */
static void leave_part(const struct moult_sim_plan *plan, uint32_t index,
                       const uint8_t *before, uint8_t *after, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        uint8_t done = 0xff; /* which bits of this byte got their new value */
        if (plan->fault == MOULT_SIM_CUT_TORN) {
            done = index + i < plan->torn_size ? 0xff : 0;
        } else if (plan->fault == MOULT_SIM_CUT_MIXED) {
            done = (uint8_t)mixed_bits(plan->seed, index + i);
        }
        after[i] = (uint8_t)((after[i] & done) | (before[i] & (uint8_t)~done));
    }
}

/* The planned fault, then the write of the page where it leaves any. before and after: size
 * bytes. */
static enum moult_status finish_page(struct moult_sim_flash *flash, uint32_t offset,
                                     const uint8_t *before, uint8_t *after, uint32_t size)
{
    enum moult_sim_fault fault = next_fault(flash);
    if (fault == MOULT_SIM_CUT_BEFORE) { return lose_power(flash); }
    if (fault == MOULT_SIM_FAIL) { return MOULT_E_IO; }
    if (fault == MOULT_SIM_NOOP) { return MOULT_OK; }
    if (fault != MOULT_SIM_FAULT_NONE) { leave_part(&flash->plan, 0, before, after, size); }

    enum moult_status st = moult_sim_storage_write(flash->storage, offset, after, size);
    return fault == MOULT_SIM_FAULT_NONE ? st : lose_power(flash);
}

static enum moult_status program_page(struct moult_sim_flash *flash, uint32_t offset,
                                      const uint8_t *data, uint32_t size, bool is_encrypted)
{
    uint8_t before[MOULT_SIM_PAGE_SIZE], after[MOULT_SIM_PAGE_SIZE];
    assert(size > 0 && size <= sizeof before);
    enum moult_status st = moult_sim_storage_read(flash->storage, offset, before, size);
    if (st != MOULT_OK) { return st; }

    if (is_encrypted && !moult_bytes_all(before, size, 0xff)) {
        return panic_at(flash, "second program of an encrypted unit", offset);
    }
    for (uint32_t i = 0; i < size; i++) {
        after[i] = before[i] & data[i];
        if (after[i] != data[i]) {
            return panic_at(flash, "program of a bit from 0 to 1", offset + i);
        }
    }
    return finish_page(flash, offset, before, after, size);
}

enum moult_status moult_sim_flash_read(struct moult_sim_flash *flash, uint32_t offset,
                                       uint8_t *out, uint32_t size)
{
    if (offset > flash->size || size > flash->size - offset) {
        return panic_at(flash, "read outside the flash", offset);
    }
    if (flash->is_off) { return MOULT_E_IO; }
    return moult_sim_storage_read(flash->storage, offset, out, size);
}

enum moult_status moult_sim_flash_program(struct moult_sim_flash *flash, uint32_t offset,
                                          const uint8_t *data, uint32_t size)
{
    if (flash->is_off) { return MOULT_E_IO; }
    if (size == 0) { return MOULT_OK; }
    const struct moult_sim_range *range = writable(flash, offset, size);
    if (!range) { return MOULT_E_INTERNAL; }
    bool is_encrypted = range->is_encrypted;
    if (is_encrypted && (offset % MOULT_SIM_UNIT_SIZE || size % MOULT_SIM_UNIT_SIZE)) {
        return panic_at(flash, "encrypted program off the 16-byte unit", offset);
    }
    while (size > 0) {
        uint32_t room = MOULT_SIM_PAGE_SIZE - offset % MOULT_SIM_PAGE_SIZE;
        uint32_t part = size < room ? size : room;
        enum moult_status st = program_page(flash, offset, data, part, is_encrypted);
        if (st != MOULT_OK) { return st; }
        offset += part;
        data += part;
        size -= part;
    }
    return MOULT_OK;
}

/* What a cut erase leaves of the sector, page by page. */
static enum moult_status erase_in_part(struct moult_sim_flash *flash, uint32_t offset)
{
    uint8_t before[MOULT_SIM_PAGE_SIZE], after[MOULT_SIM_PAGE_SIZE];
    for (uint32_t at = 0; at < MOULT_SIM_SECTOR_SIZE; at += MOULT_SIM_PAGE_SIZE) {
        enum moult_status st =
            moult_sim_storage_read(flash->storage, offset + at, before, sizeof before);
        if (st != MOULT_OK) { return st; }
        memset(after, 0xff, sizeof after);
        leave_part(&flash->plan, at, before, after, sizeof after);
        st = moult_sim_storage_write(flash->storage, offset + at, after, sizeof after);
        if (st != MOULT_OK) { return st; }
    }
    return MOULT_OK;
}

static enum moult_status erase_whole(struct moult_sim_flash *flash, uint32_t offset)
{
    uint8_t erased[MOULT_SIM_SECTOR_SIZE];
    memset(erased, 0xff, sizeof erased);
    if (flash->erase_count) { flash->erase_count[offset / MOULT_SIM_SECTOR_SIZE]++; }
    return moult_sim_storage_write(flash->storage, offset, erased, sizeof erased);
}

enum moult_status moult_sim_flash_erase(struct moult_sim_flash *flash, uint32_t offset)
{
    if (flash->is_off) { return MOULT_E_IO; }
    if (offset % MOULT_SIM_SECTOR_SIZE) {
        return panic_at(flash, "erase off a sector boundary", offset);
    }
    if (!writable(flash, offset, MOULT_SIM_SECTOR_SIZE)) { return MOULT_E_INTERNAL; }

    enum moult_status st;
    switch (next_fault(flash)) {
    case MOULT_SIM_FAULT_NONE:
        return erase_whole(flash, offset);
    case MOULT_SIM_NOOP:
        return MOULT_OK;
    case MOULT_SIM_FAIL:
        return MOULT_E_IO;
    case MOULT_SIM_CUT_BEFORE:
        return lose_power(flash);
    case MOULT_SIM_CUT_AFTER:
        st = erase_whole(flash, offset);
        break;
    case MOULT_SIM_CUT_TORN:
    case MOULT_SIM_CUT_MIXED:
    default:
        st = erase_in_part(flash, offset);
        break;
    }
    (void)st; /* the power is going: nobody is left to be told that the storage failed as
                 well */
    return lose_power(flash);
}

enum moult_status moult_sim_flash_flip(struct moult_sim_flash *flash, uint32_t offset,
                                       uint32_t bit)
{
    assert(offset < flash->size && bit < 8);
    uint8_t byte;
    enum moult_status st = moult_sim_storage_read(flash->storage, offset, &byte, 1);
    if (st != MOULT_OK) { return st; }
    byte = (uint8_t)(byte ^ (1u << bit));
    return moult_sim_storage_write(flash->storage, offset, &byte, 1);
}
