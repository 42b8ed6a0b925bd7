/* flash.c - see flash.h. */
#include "ports/sim/flash.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "formats/bytes.h"
#include "ports/sim/flash_crypt.h"
#include "ports/sim/flash_fault.h"

_Static_assert(MOULT_SIM_SECTOR_SIZE % MOULT_SIM_PAGE_SIZE == 0, "whole pages per sector");
_Static_assert(MOULT_SIM_UNIT_SIZE == MOULT_SIM_CRYPT_UNIT, "one unit");
_Static_assert(MOULT_SIM_PAGE_SIZE % MOULT_SIM_ROW_SIZE == 0, "whole units per page");

const struct moult_sim_timing moult_sim_timing_typical = {
    .erase_us = 45000, .program_us = 800, .read_us = 20, .read_bytes_per_us = 10};
const struct moult_sim_timing moult_sim_timing_worst = {
    .erase_us = 400000, .program_us = 3000, .read_us = 20, .read_bytes_per_us = 10};

void moult_sim_flash_init(struct moult_sim_flash *flash, struct moult_sim_storage *storage,
                          uint32_t size)
{
    assert(flash && storage && size > 0 && size % MOULT_SIM_SECTOR_SIZE == 0);
    assert(size <= storage->size);
    *flash = (struct moult_sim_flash){.storage = storage,
                                      .size = size,
                                      .unit_size = MOULT_SIM_UNIT_SIZE,
                                      .timing = moult_sim_timing_typical};
}

/* Adds [offset, offset + size) to a list of ranges of this flash. */
static enum moult_status add_range(const struct moult_sim_flash *flash,
                                   struct moult_sim_range *list, uint32_t *count,
                                   struct moult_sim_range range)
{
    bool is_whole = range.offset % MOULT_SIM_SECTOR_SIZE == 0 &&
                    range.size % MOULT_SIM_SECTOR_SIZE == 0;
    bool is_inside =
        range.offset <= flash->size && range.size <= flash->size - range.offset;
    if (!is_whole || !is_inside || *count == MOULT_SIM_RANGES_MAX) { return MOULT_E_RANGE; }
    list[(*count)++] = range;
    return MOULT_OK;
}

enum moult_status moult_sim_flash_allow(struct moult_sim_flash *flash, uint32_t offset,
                                        uint32_t size, bool is_encrypted)
{
    return add_range(flash, flash->allowed, &flash->allowed_count,
                     (struct moult_sim_range){offset, size, is_encrypted});
}

enum moult_status moult_sim_flash_encrypt(struct moult_sim_flash *flash, uint32_t offset,
                                          uint32_t size)
{
    return add_range(flash, flash->crypt, &flash->crypt_count,
                     (struct moult_sim_range){offset, size, true});
}

void moult_sim_flash_encrypt_none(struct moult_sim_flash *flash)
{
    flash->crypt_count = 0;
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

enum moult_status moult_sim_flash_power_off(struct moult_sim_flash *flash)
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

/* The fault that strikes, then the write of the page where it leaves any. before and after:
 * size bytes. */
static enum moult_status finish_page(struct moult_sim_flash *flash, uint32_t offset,
                                     const uint8_t *before, uint8_t *after, uint32_t size)
{
    struct moult_sim_plan plan = moult_sim_fault_next(flash, MOULT_SIM_PROGRAM, offset);
    if (plan.fault == MOULT_SIM_CUT_BEFORE) { return moult_sim_flash_power_off(flash); }
    flash->busy_us += flash->timing.program_us;
    if (plan.fault == MOULT_SIM_FAIL) { return MOULT_E_IO; }
    if (plan.fault == MOULT_SIM_NOOP) { return MOULT_OK; }
    if (plan.fault != MOULT_SIM_FAULT_NONE) {
        moult_sim_fault_leave(flash, &plan, offset, before, after, size);
    }
    moult_sim_fault_programmed(flash, offset, after, size);
    enum moult_status st = moult_sim_storage_write(flash->storage, offset, after, size);
    return plan.fault == MOULT_SIM_FAULT_NONE ? st : moult_sim_flash_power_off(flash);
}

/* Whether a byte is kept as ciphertext. Ranges are whole sectors, so its unit is, too. */
static bool is_ciphertext(const struct moult_sim_flash *flash, uint32_t offset)
{
    for (uint32_t i = 0; i < flash->crypt_count; i++) {
        if (contains(&flash->crypt[i], offset, 1)) { return true; }
    }
    return false;
}

/* How a write of the sector is to be done. */
struct write_rules {
    bool once;    /* encrypted units: no second program before an erase */
    bool ciphers; /* and they are really encrypted */
};

static enum moult_status program_page(struct moult_sim_flash *flash, uint32_t offset,
                                      const uint8_t *data, uint32_t size,
                                      struct write_rules rules)
{
    uint8_t before[MOULT_SIM_PAGE_SIZE], after[MOULT_SIM_PAGE_SIZE];
    assert(size > 0 && size <= sizeof before);
    enum moult_status st = moult_sim_storage_read(flash->storage, offset, before, size);
    if (st != MOULT_OK) { return st; }

    bool is_silent = moult_sim_fault_is_silent(flash, offset);
    if (rules.once && !is_silent && !moult_bytes_all(before, size, 0xff)) {
        return panic_at(flash, "second program of an encrypted unit", offset);
    }
    memcpy(after, data, size);
    for (uint32_t i = 0; rules.ciphers && i < size; i += MOULT_SIM_UNIT_SIZE) {
        moult_sim_encrypt_unit(offset + i, after + i);
    }
    for (uint32_t i = 0; i < size; i++) {
        uint8_t wanted = after[i];
        after[i] &= before[i];
        if (after[i] != wanted && !is_silent) {
            return panic_at(flash, "program of a bit from 0 to 1", offset + i);
        }
    }
    return finish_page(flash, offset, before, after, size);
}

/* --- Reading ------------------------------------------------------------------------- */

/* Cells into out, with what faults make of them this time. */
static enum moult_status read_cells(struct moult_sim_flash *flash, uint32_t offset,
                                    uint8_t *out, uint32_t size)
{
    enum moult_status st = moult_sim_storage_read(flash->storage, offset, out, size);
    moult_sim_fault_blur(flash, offset, out, size);
    return st;
}

typedef enum moult_status (*read_fn)(struct moult_sim_flash *flash, uint32_t offset,
                                     uint8_t *out, uint32_t size);

/* size bytes at offset, which may begin and end inside a unit, decrypted where that is on;
 * `cells` reads whole units. */
static enum moult_status read_plain(struct moult_sim_flash *flash, read_fn cells,
                                    uint32_t offset, uint8_t *out, uint32_t size)
{
    for (uint32_t done = 0; done < size;) {
        uint8_t unit[MOULT_SIM_UNIT_SIZE];
        uint32_t at = offset + done, skip = at % MOULT_SIM_UNIT_SIZE;
        uint32_t part = MOULT_SIM_UNIT_SIZE - skip;
        if (part > size - done) { part = size - done; }
        enum moult_status st = cells(flash, at - skip, unit, sizeof unit);
        if (st != MOULT_OK) { return st; }
        if (is_ciphertext(flash, at)) { moult_sim_decrypt_unit(at - skip, unit); }
        memcpy(out + done, unit + skip, part);
        done += part;
    }
    return MOULT_OK;
}

/* Counts a read and its time; whether it can be done. */
static enum moult_status begin_read(struct moult_sim_flash *flash, uint32_t offset,
                                    uint32_t size)
{
    if (offset > flash->size || size > flash->size - offset) {
        return panic_at(flash, "read outside the flash", offset);
    }
    if (flash->is_off) { return MOULT_E_IO; }
    bool fails = moult_sim_fault_fails_read(flash, offset, size);
    flash->busy_us += flash->timing.read_us + size / flash->timing.read_bytes_per_us;
    return fails ? MOULT_E_IO : MOULT_OK;
}

enum moult_status moult_sim_flash_read_raw(struct moult_sim_flash *flash, uint32_t offset,
                                           uint8_t *out, uint32_t size)
{
    enum moult_status st = begin_read(flash, offset, size);
    return st == MOULT_OK ? read_cells(flash, offset, out, size) : st;
}

enum moult_status moult_sim_flash_read(struct moult_sim_flash *flash, uint32_t offset,
                                       uint8_t *out, uint32_t size)
{
    if (flash->crypt_count == 0) {
        return moult_sim_flash_read_raw(flash, offset, out, size);
    }
    enum moult_status st = begin_read(flash, offset, size);
    return st == MOULT_OK ? read_plain(flash, read_cells, offset, out, size) : st;
}

static enum moult_status peek_cells(struct moult_sim_flash *flash, uint32_t offset,
                                    uint8_t *out, uint32_t size)
{
    return moult_sim_storage_read(flash->storage, offset, out, size);
}

enum moult_status moult_sim_flash_peek(const struct moult_sim_flash *flash, uint32_t offset,
                                       uint8_t *out, uint32_t size)
{
    assert(offset <= flash->size && size <= flash->size - offset);
    struct moult_sim_flash copy = *flash; /* nothing of it changes: not a read */
    return read_plain(&copy, peek_cells, offset, out, size);
}

enum moult_status moult_sim_flash_load(struct moult_sim_flash *flash, uint32_t offset,
                                       const uint8_t *data, uint32_t size)
{
    assert(offset % MOULT_SIM_UNIT_SIZE == 0 && size % MOULT_SIM_UNIT_SIZE == 0);
    assert(offset <= flash->size && size <= flash->size - offset);
    for (uint32_t done = 0; done < size; done += MOULT_SIM_UNIT_SIZE) {
        uint8_t unit[MOULT_SIM_UNIT_SIZE];
        memcpy(unit, data + done, sizeof unit);
        if (is_ciphertext(flash, offset + done)) {
            moult_sim_encrypt_unit(offset + done, unit);
        }
        enum moult_status st =
            moult_sim_storage_write(flash->storage, offset + done, unit, sizeof unit);
        if (st != MOULT_OK) { return st; }
    }
    return MOULT_OK;
}

/* --- Writing ------------------------------------------------------------------------- */

enum moult_status moult_sim_flash_program(struct moult_sim_flash *flash, uint32_t offset,
                                          const uint8_t *data, uint32_t size)
{
    if (flash->is_off) { return MOULT_E_IO; }
    if (size == 0) { return MOULT_OK; }
    const struct moult_sim_range *range = writable(flash, offset, size);
    if (!range) { return MOULT_E_INTERNAL; }
    bool ciphers = is_ciphertext(flash, offset);
    struct write_rules rules = {.once = ciphers || range->is_encrypted, .ciphers = ciphers};
    if (rules.once && (offset % flash->unit_size || size % flash->unit_size)) {
        return panic_at(flash, "encrypted program off the unit", offset);
    }
    while (size > 0) {
        uint32_t room = MOULT_SIM_PAGE_SIZE - offset % MOULT_SIM_PAGE_SIZE;
        uint32_t part = size < room ? size : room;
        enum moult_status st = program_page(flash, offset, data, part, rules);
        if (st != MOULT_OK) { return st; }
        offset += part;
        data += part;
        size -= part;
    }
    return MOULT_OK;
}

/* The sector as the erase leaves it, whole or by `plan`. */
static enum moult_status erase_bits(struct moult_sim_flash *flash, uint32_t offset,
                                    const struct moult_sim_plan *plan)
{
    uint8_t before[MOULT_SIM_SECTOR_SIZE], after[MOULT_SIM_SECTOR_SIZE];
    memset(after, 0xff, sizeof after);
    if (flash->erase_count) { flash->erase_count[offset / MOULT_SIM_SECTOR_SIZE]++; }
    moult_sim_fault_erased(flash, offset);
    if (plan->fault != MOULT_SIM_FAULT_NONE) {
        enum moult_status st =
            moult_sim_storage_read(flash->storage, offset, before, sizeof before);
        if (st != MOULT_OK) { return st; }
        moult_sim_fault_leave(flash, plan, offset, before, after, sizeof after);
    }
    return moult_sim_storage_write(flash->storage, offset, after, sizeof after);
}

enum moult_status moult_sim_flash_erase(struct moult_sim_flash *flash, uint32_t offset)
{
    if (flash->is_off) { return MOULT_E_IO; }
    if (offset % MOULT_SIM_SECTOR_SIZE) {
        return panic_at(flash, "erase off a sector boundary", offset);
    }
    if (!writable(flash, offset, MOULT_SIM_SECTOR_SIZE)) { return MOULT_E_INTERNAL; }

    struct moult_sim_plan plan = moult_sim_fault_next(flash, MOULT_SIM_ERASE, offset);
    if (plan.fault == MOULT_SIM_CUT_BEFORE) { return moult_sim_flash_power_off(flash); }
    flash->busy_us += flash->timing.erase_us;
    if (plan.fault == MOULT_SIM_FAIL) { return MOULT_E_IO; }
    if (plan.fault == MOULT_SIM_NOOP) {
        moult_sim_fault_add_silent(flash, offset);
        return MOULT_OK;
    }
    enum moult_status st = erase_bits(flash, offset, &plan);
    if (plan.fault == MOULT_SIM_FAULT_NONE) { return st; }
    return moult_sim_flash_power_off(
        flash); /* nobody is left to be told that the storage failed too */
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
