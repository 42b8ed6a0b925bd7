/* slot.c - reading, erasing and programming the target slot, each write proven by reading
 * it back. */
#include <assert.h>
#include <string.h>
#include "device/src/component.h"

enum { COMPARE_SIZE = 128 };

static enum moult_status read_slot(struct moult_session *s, uint32_t slot, uint32_t offset,
                                   uint8_t *out, uint32_t size)
{
    assert(size <= MOULT_SECTOR_SIZE && offset <= s->port->slot_size - size);
    int32_t native = -1;
    for (unsigned i = 0; i < MOULT_READ_TRIES_MAX && native != 0; i++) {
        native = s->port->flash_read(s->port->context, slot, offset, out, size);
    }
    if (native == 0) { return MOULT_OK; }
    s->trouble.native = native;
    return MOULT_E_IO;
}

static enum moult_status read_running(void *context, uint32_t offset, uint8_t *out,
                                      uint32_t size)
{
    struct moult_session *s = context;
    if (!s->port->running_read) {
        return read_slot(s, s->running.boot.running, offset, out, size);
    }
    s->trouble.native = s->port->running_read(s->port->context, offset, out, size);
    return s->trouble.native == 0 ? MOULT_OK : MOULT_E_IO;
}

/* The target with the bytes that are held back in their place. */
static enum moult_status read_target(void *context, uint32_t offset, uint8_t *out,
                                     uint32_t size)
{
    struct moult_session *s = context;
    if (!moult_is_app(s)) { return s->parts.hooks->read(s, offset, out, size); }
    enum moult_status st = read_slot(s, s->plan.slot, offset, out, size);
    if (st != MOULT_OK || offset >= MOULT_ESP_HELD_BACK_SIZE) { return st; }
    uint32_t held = MOULT_ESP_HELD_BACK_SIZE - offset;
    memcpy(out, s->plan.head + offset, held < size ? held : size);
    return MOULT_OK;
}

struct moult_reader moult_running_reader(struct moult_session *s)
{
    bool can_read = s->port->running_read || s->running.boot.running < s->port->slot_count;
    return (struct moult_reader){s, read_running, can_read ? s->port->slot_size : 0};
}

struct moult_reader moult_target_reader(struct moult_session *s)
{
    assert(s->plan.has_head);
    uint32_t size = moult_is_app(s) ? s->port->slot_size : s->plan.size;
    return (struct moult_reader){s, read_target, size};
}

bool moult_is_app(const struct moult_session *s)
{
    return s->plan.component == MOULT_COMPONENT_APP;
}

bool moult_has_target(const struct moult_session *s)
{
    if (!moult_is_app(s)) { return s->parts.hooks && s->parts.hooks->has_target(s); }
    return s->plan.size >= MOULT_ESP_HELD_BACK_SIZE && s->plan.size <= s->port->slot_size &&
           s->plan.slot < s->port->slot_count && s->plan.slot != s->running.boot.running;
}

/* The rule above all others, checked where it cannot be missed. */
static bool may_write(const struct moult_session *s, uint32_t offset, uint32_t size)
{
    return s->plan.slot != s->running.boot.running && s->plan.slot < s->port->slot_count &&
           offset <= s->port->slot_size && size <= s->port->slot_size - offset;
}

static enum moult_status erase_slot(struct moult_session *s, uint32_t offset)
{
    assert(offset % MOULT_SECTOR_SIZE == 0);
    s->trouble.native = 0;
    if (!may_write(s, offset, MOULT_SECTOR_SIZE)) { return MOULT_E_IO; }
    assert(s->plan.slot != s->running.boot.running); /* on both sides of the rule */
    s->is_verified_here = false;
    int32_t native = s->port->flash_erase(s->port->context, s->plan.slot, offset);
    bool is_erased = false;
    if (native == 0) {
        native = s->port->flash_is_erased(s->port->context, s->plan.slot, offset,
                                          MOULT_SECTOR_SIZE, &is_erased);
    }
    s->trouble.native = native;
    return native == 0 && is_erased ? MOULT_OK : MOULT_E_IO;
}

enum moult_status moult_slot_disarm(struct moult_session *s)
{
    return erase_slot(s, 0);
}

enum moult_status moult_target_erase(struct moult_session *s, uint32_t offset)
{
    return moult_is_app(s) ? erase_slot(s, offset) : s->parts.hooks->erase(s, offset);
}

static enum moult_status compare(struct moult_session *s, uint32_t offset,
                                 const uint8_t *data, uint32_t size)
{
    uint8_t found[COMPARE_SIZE];
    for (uint32_t done = 0; done < size;) {
        uint32_t part = size - done < sizeof found ? size - done : (uint32_t)sizeof found;
        enum moult_status st = read_slot(s, s->plan.slot, offset + done, found, part);
        if (st != MOULT_OK) { return st; }
        if (memcmp(found, data + done, part) != 0) { return MOULT_E_DIGEST; }
        done += part;
    }
    return MOULT_OK;
}

enum moult_status moult_target_program(struct moult_session *s, uint32_t offset,
                                       const uint8_t *data, uint32_t size)
{
    assert(offset % MOULT_WRITE_UNIT == 0 && size % MOULT_WRITE_UNIT == 0 && size > 0);
    assert(offset / MOULT_SECTOR_SIZE == (offset + size - 1) / MOULT_SECTOR_SIZE);
    s->trouble.native = 0;
    if (!moult_is_app(s)) { return s->parts.hooks->program(s, offset, data, size); }
    if (!may_write(s, offset, size)) { return MOULT_E_IO; }
    assert(s->plan.slot != s->running.boot.running); /* as there */
    int32_t native =
        s->port->flash_write(s->port->context, s->plan.slot, offset, data, size);
    if (native != 0) {
        s->trouble.native = native;
        return MOULT_E_IO;
    }
    return compare(s, offset, data, size);
}
