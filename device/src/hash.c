/* hash.c - see hash.h. */
#include "device/src/hash.h"
#include <assert.h>

bool moult_hash_begin(struct moult_session *s)
{
    const struct moult_crypto *crypto = s->port->crypto;
    moult_hash_end(s);
    return crypto->sha256_init(crypto->context, &s->hash);
}

void moult_hash_end(struct moult_session *s)
{
    const struct moult_crypto *crypto = s->port->crypto;
    crypto->sha256_abort(crypto->context, &s->hash);
    s->hash = (struct moult_sha256){0};
}

bool moult_hash_add(struct moult_session *s, const uint8_t *data, size_t size)
{
    const struct moult_crypto *crypto = s->port->crypto;
    return crypto->sha256_update(crypto->context, &s->hash, data, size);
}

bool moult_hash_peek(struct moult_session *s, uint8_t out[32])
{
    const struct moult_crypto *crypto = s->port->crypto;
    struct moult_sha256 copy = {0};
    if (crypto->sha256_clone(crypto->context, &s->hash, &copy) &&
        crypto->sha256_final(crypto->context, &copy, out)) {
        return true;
    }
    crypto->sha256_abort(crypto->context, &copy);
    return false;
}

bool moult_hash_slot(struct moult_session *s, const struct moult_reader *reader,
                     uint32_t end)
{
    uint32_t at = s->transfer.offset;
    assert(at < end);
    uint32_t size = end - at < MOULT_SECTOR_SIZE ? end - at : MOULT_SECTOR_SIZE;
    assert(size > 0 && size <= sizeof s->work);
    if (moult_read(reader, at, s->work, size) != MOULT_OK ||
        !moult_hash_add(s, s->work, size)) {
        return false;
    }
    s->transfer.offset = at + size;
    return true;
}
