/* component_io.c - see component_io.h. */
#include "device/src/component_io.h"
#include <assert.h>
#include <string.h>
#include "device/src/hash.h"

enum { COMPARE_SIZE = 128 };

struct moult_data_component *moult_component_find(const struct moult_session *s, uint8_t id)
{
    struct moult_data_component *c = s->parts.first;
    while (c && c->id != id) {
        c = c->work.next;
    }
    return c;
}

bool moult_component_waits(struct moult_session *s, int32_t native)
{
    enum { POLL_MS = 20, BUSY_MAX_MS = 300000 };
    bool is_late = s->now_ms - s->transfer.request_ms > BUSY_MAX_MS;
    if (native != MOULT_NOT_YET || is_late) { return false; }
    moult_wait_for(s, POLL_MS);
    return true;
}

static bool read_on(struct moult_session *s, const struct moult_region *from, uint32_t at,
                    uint32_t size)
{
    assert(size <= MOULT_SECTOR_SIZE && at <= from->size && size <= from->size - at);
    s->trouble.native = size ? from->read(from->context, at, s->work, size) : 0;
    return s->trouble.native == 0;
}

static uint32_t part_at(uint32_t size, uint32_t at)
{
    if (at >= size) { return 0; }
    return size - at < MOULT_SECTOR_SIZE ? size - at : MOULT_SECTOR_SIZE;
}

enum moult_hashing moult_component_hash(struct moult_session *s,
                                        const struct moult_region *region,
                                        const struct moult_component_bytes *bytes)
{
    uint8_t digest[MOULT_SHA256_SIZE];
    uint32_t part = part_at(bytes->size, s->transfer.offset);
    if (part == 0) {
        bool is_right = moult_hash_peek(s, digest) &&
                        moult_bytes_equal(digest, bytes->digest, sizeof digest);
        return is_right ? MOULT_HASH_RIGHT : MOULT_HASH_WRONG;
    }
    if (bytes->size > region->size || !read_on(s, region, s->transfer.offset, part) ||
        !moult_hash_add(s, s->work, part)) {
        return MOULT_HASH_WRONG;
    }
    s->transfer.offset += part;
    return MOULT_HASHING;
}

/* --- one sector --- */

static bool is_erased(struct moult_session *s, const struct moult_region *r, uint32_t at,
                      uint32_t size)
{
    bool is = false;
    if (size == 0) { return true; }
    s->trouble.native = r->is_erased(r->context, at, size, &is);
    return s->trouble.native == 0 && is;
}

static bool holds(struct moult_session *s, const struct moult_region *to, uint32_t at,
                  struct moult_bytes data)
{
    uint8_t found[COMPARE_SIZE];
    for (size_t done = 0; done < data.size;) {
        size_t part = data.size - done < sizeof found ? data.size - done : sizeof found;
        s->trouble.native = to->read(to->context, at + (uint32_t)done, found, part);
        if (s->trouble.native != 0 || memcmp(found, data.data + done, part) != 0) {
            return false;
        }
        done += part;
    }
    return true;
}

enum moult_status moult_region_erase(struct moult_session *s, const struct moult_region *to,
                                     uint32_t offset)
{
    assert(offset % MOULT_SECTOR_SIZE == 0 && offset < to->size);
    s->trouble.native = to->erase(to->context, offset);
    if (s->trouble.native != 0) { return MOULT_E_IO; }
    return is_erased(s, to, offset, MOULT_SECTOR_SIZE) ? MOULT_OK : MOULT_E_IO;
}

enum moult_status moult_region_program(struct moult_session *s,
                                       const struct moult_region *to, uint32_t offset,
                                       struct moult_bytes data)
{
    assert(offset <= to->size && data.size <= to->size - offset);
    s->trouble.native = to->write(to->context, offset, data.data, data.size);
    if (s->trouble.native != 0) { return MOULT_E_IO; }
    return holds(s, to, offset, data) ? MOULT_OK : MOULT_E_DIGEST;
}

/* --- copying --- */

static enum moult_status failed(struct moult_session *s, struct moult_data_component *c,
                                enum moult_detail detail, enum moult_reason reason)
{
    c->work.is_forced = true; /* whatever it left: begin with the erase */
    if (++c->work.tries < MOULT_COPY_TRIES_MAX) { return MOULT_E_BUSY; }
    c->work.tries = 0;
    moult_trouble_as(s, detail, reason, s->trouble.native);
    return MOULT_E_IO;
}

static enum moult_status erase(struct moult_session *s, struct moult_data_component *c,
                               const struct moult_region *to)
{
    c->work.is_forced = false;
    if (moult_region_erase(s, to, s->transfer.offset) == MOULT_OK) { return MOULT_E_BUSY; }
    return failed(s, c, MOULT_D_ERASE, MOULT_R_FLASH_ERASE);
}

enum moult_status moult_component_copy(struct moult_session *s,
                                       struct moult_data_component *c,
                                       const struct moult_copy *copy)
{
    const struct moult_region *to = copy->to;
    uint32_t at = s->transfer.offset, part = part_at(copy->size, at);
    uint32_t size = (part + MOULT_WRITE_UNIT - 1) / MOULT_WRITE_UNIT * MOULT_WRITE_UNIT;
    struct moult_bytes data = {s->work, size};
    memset(s->work, 0xff, MOULT_SECTOR_SIZE);
    if (!read_on(s, copy->from, at, part)) {
        return failed(s, c, MOULT_D_FLASH_WRITE, MOULT_R_FLASH_READBACK);
    }
    if (c->work.is_forced) { return erase(s, c, to); }
    bool is_there =
        holds(s, to, at, data) && is_erased(s, to, at + size, MOULT_SECTOR_SIZE - size);
    if (is_there) {
        c->work.tries = 0;
        return MOULT_OK;
    }
    /* Of a sector that a reset may have struck even "erased" is not to be believed. */
    bool may_write = !c->work.is_interrupted && is_erased(s, to, at, MOULT_SECTOR_SIZE);
    if (!may_write) { return erase(s, c, to); }
    if (moult_region_program(s, to, at, data) == MOULT_OK) { return MOULT_E_BUSY; }
    return failed(s, c, MOULT_D_FLASH_WRITE, MOULT_R_FLASH_WRITE);
}
