/* hash.h - the session's one running SHA-256.
 *
 * Layer    device, private.
 */
#ifndef MOULT_DEVICE_HASH_H
#define MOULT_DEVICE_HASH_H

#include "moult/session.h"

/* Start afresh, whatever was under way. False: the crypto library failed, as in all of
 * these. */
bool moult_hash_begin(struct moult_session *s);
bool moult_hash_add(struct moult_session *s, const uint8_t *data, size_t size);
/* Give back what the crypto library holds; harmless without a hash. */
void moult_hash_end(struct moult_session *s);
/* The digest so far; the hash goes on. */
bool moult_hash_peek(struct moult_session *s, uint8_t out[32]);

/* Read the next <= 4 KB of [transfer.offset, end) into work, hash them, move on. False: I/O
 * or crypto; trouble.native is set for I/O. */
bool moult_hash_slot(struct moult_session *s, const struct moult_reader *reader,
                     uint32_t end);

#endif
