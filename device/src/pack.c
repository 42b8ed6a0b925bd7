/* pack.c - see pack.h. */
#include "device/src/pack.h"
#include <assert.h>
#include <string.h>

static uint8_t *take(struct moult_pack *pack, size_t size)
{
    if (pack->is_bad || (size_t)(pack->end - pack->at) < size) {
        pack->is_bad = true;
        return NULL;
    }
    uint8_t *at = pack->at;
    pack->at += size;
    return at;
}

void moult_put(struct moult_pack *pack, uint64_t value, size_t size)
{
    assert(size >= 1 && size <= 8);
    assert(size == 8 || value >> (8 * size) == 0); /* a field too narrow is a bug */
    uint8_t *at = take(pack, size);
    for (size_t i = 0; at && i < size; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

void moult_put_bytes(struct moult_pack *pack, const void *data, size_t size)
{
    uint8_t *at = take(pack, size);
    if (at) { memcpy(at, data, size); }
}

uint64_t moult_get(struct moult_pack *pack, size_t size)
{
    assert(size >= 1 && size <= 8);
    const uint8_t *at = take(pack, size);
    uint64_t value = 0;
    for (size_t i = 0; at && i < size; i++) {
        value |= (uint64_t)at[i] << (8 * i);
    }
    return value;
}

void moult_get_bytes(struct moult_pack *pack, void *out, size_t size)
{
    const uint8_t *at = take(pack, size);
    if (at) {
        memcpy(out, at, size);
    } else {
        memset(out, 0, size);
    }
}

/* A number of 1, 2, 4 or 8 bytes in the struct, whatever the byte order of the machine. */
static uint64_t load(const uint8_t *from, size_t size)
{
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    switch (size) {
    case 1:
        return *from;
    case 2:
        memcpy(&two, from, sizeof two);
        return two;
    case 4:
        memcpy(&four, from, sizeof four);
        return four;
    default:
        assert(size == 8);
        memcpy(&eight, from, sizeof eight);
        return eight;
    }
}

static void save(uint8_t *to, size_t size, uint64_t value)
{
    uint16_t two = (uint16_t)value;
    uint32_t four = (uint32_t)value;
    switch (size) {
    case 1:
        *to = (uint8_t)value;
        break;
    case 2:
        memcpy(to, &two, sizeof two);
        break;
    case 4:
        memcpy(to, &four, sizeof four);
        break;
    default:
        assert(size == 8);
        memcpy(to, &value, sizeof value);
        break;
    }
}

void moult_put_members(struct moult_pack *pack, const struct moult_member *members,
                       size_t count, const void *from)
{
    for (size_t i = 0; i < count; i++) {
        const struct moult_member *m = &members[i];
        const uint8_t *at = (const uint8_t *)from + m->offset;
        if (m->kind == MOULT_MEMBER_BYTES) {
            moult_put_bytes(pack, at, m->size);
        } else {
            moult_put(pack, load(at, m->size), m->size);
        }
    }
}

void moult_get_members(struct moult_pack *pack, const struct moult_member *members,
                       size_t count, void *to)
{
    for (size_t i = 0; i < count; i++) {
        const struct moult_member *m = &members[i];
        uint8_t *at = (uint8_t *)to + m->offset;
        if (m->kind == MOULT_MEMBER_BYTES) {
            moult_get_bytes(pack, at, m->size);
        } else {
            uint64_t value = moult_get(pack, m->size);
            save(at, m->size, m->kind == MOULT_MEMBER_FLAG ? value == 1 : value);
        }
    }
}
