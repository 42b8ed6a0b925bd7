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
