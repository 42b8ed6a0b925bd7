/* pack.h - fields of a stored record, one after the other, little-endian.
 *
 * Layer    device, private. Pure.
 * Use it   encode and decode are the same list of calls; look at `is_bad` once, at the end.
 */
#ifndef MOULT_DEVICE_PACK_H
#define MOULT_DEVICE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct moult_pack {
    uint8_t *at, *end; /* next byte, and behind the last */
    bool is_bad;       /* ran over the end; nothing was touched behind it */
};

void moult_put(struct moult_pack *pack, uint64_t value, size_t size); /* size 1..8 bytes */
void moult_put_bytes(struct moult_pack *pack, const void *data, size_t size);
uint64_t moult_get(struct moult_pack *pack, size_t size); /* 0 when it ran over */
void moult_get_bytes(struct moult_pack *pack, void *out, size_t size); /* zeros then */

/* A struct's members in their order on flash, as data: written and read by one list. */
struct moult_member {
    uint16_t offset; /* in the struct */
    uint8_t size;    /* in the struct and on flash */
    enum moult_member_kind {
        MOULT_MEMBER_BYTES,
        MOULT_MEMBER_NUMBER,
        MOULT_MEMBER_FLAG
    } kind;
};
#define MOULT_MEMBER(type, member, kind)                                                   \
    {                                                                                      \
        offsetof(type, member), sizeof(((type *)0)->member), MOULT_MEMBER_##kind           \
    }

void moult_put_members(struct moult_pack *pack, const struct moult_member *members,
                       size_t count, const void *from);
void moult_get_members(struct moult_pack *pack, const struct moult_member *members,
                       size_t count, void *to);

#endif
