/* statement_cache.h - keysets and releases in memory: few, immutable, asked for all the
 * time.
 *
 * Layer    server/control, private to this folder.
 * Memory   about 1.7 KB per release, 2 KB per keyset; at most RELEASES_MAX and KEYSETS_MAX.
 * Threads  any, under one lock; add: writer, after COMMIT (effects.h).
 */
#ifndef MOULT_SERVER_CONTROL_STATEMENT_CACHE_H
#define MOULT_SERVER_CONTROL_STATEMENT_CACHE_H

#include <pthread.h>
#include <stdbool.h>
#include "formats/bytes.h"
#include "formats/cose.h"
#include "server/store/store_release.h"

#define RELEASES_MAX 4096u /* of all classes; archive is for a later day */
#define KEYSETS_MAX 256u   /* versions */

struct cached_keyset {
    uint32_t version;
    size_t size;
    uint8_t envelope[MOULT_KEYSET_SIZE_MAX];
};

struct statement_cache {
    pthread_rwlock_t lock;
    struct cached_keyset **keysets;  /* KEYSETS_MAX, by rising version; owned */
    struct store_release **releases; /* RELEASES_MAX, in order of num; owned */
    size_t keyset_count, release_count;
    bool is_short; /* loading: something did not fit */
};

MOULT_MUST_CHECK enum moult_status statement_cache_init(struct statement_cache *cache);
void statement_cache_release(struct statement_cache *cache);
/* Fills it from the database. */
MOULT_MUST_CHECK enum moult_status statement_cache_load(struct statement_cache *cache,
                                                        struct store_db *db);

/* The block is moved in. False: full; the block is then freed. */
bool statement_cache_add_keyset(struct statement_cache *cache,
                                struct cached_keyset *keyset);
bool statement_cache_add_release(struct statement_cache *cache,
                                 struct store_release *release);

/* Copies out. version 0: the newest. False: there is none. */
bool statement_cache_keyset(struct statement_cache *cache, uint32_t version,
                            struct cached_keyset *out);
uint32_t statement_cache_newest_keyset(struct statement_cache *cache); /* 0: none */

/* Copies the first release for which `matches` says yes. False: none. */
bool statement_cache_find(struct statement_cache *cache,
                          bool (*matches)(const void *want,
                                          const struct store_release *release),
                          const void *want, struct store_release *out);
bool statement_cache_by_num(struct statement_cache *cache, int64_t num,
                            struct store_release *out);
bool statement_cache_by_payload(struct statement_cache *cache, const uint8_t sha256[32],
                                struct store_release *out);
/* The release whose app component is the image with this digest. */
bool statement_cache_by_image(struct statement_cache *cache, const uint8_t sha256[32],
                              struct store_release *out);
/* Highest published sequence of a class; 0: none. */
uint64_t statement_cache_newest_sequence(struct statement_cache *cache,
                                         const uint8_t class_id[16]);
/* Visits in order of num, under the lock: be short. Stops when `each` says false. */
void statement_cache_each(struct statement_cache *cache,
                          bool (*each)(void *context, const struct store_release *release),
                          void *context);

/* The component that a device boots: id 0. NULL: a release without one. */
const struct store_component *release_app(const struct store_release *release);

#endif
