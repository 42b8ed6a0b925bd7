/* statement_cache.c - see statement_cache.h. Searches are linear: a class has tens of
 * releases, and the hot path keeps what it found. */
#include "server/control/statement_cache.h"
#include <string.h>
#include "formats/release.h"
#include "server/base/mem.h"

enum moult_status statement_cache_init(struct statement_cache *cache)
{
    memset(cache, 0, sizeof *cache);
    cache->keysets = mem_alloc_array(KEYSETS_MAX, sizeof cache->keysets[0]);
    cache->releases = mem_alloc_array(RELEASES_MAX, sizeof cache->releases[0]);
    if (!cache->keysets || !cache->releases ||
        pthread_rwlock_init(&cache->lock, NULL) != 0) {
        mem_free(cache->keysets);
        mem_free(cache->releases);
        memset(cache, 0, sizeof *cache);
        return MOULT_E_NOMEM;
    }
    return MOULT_OK;
}

static void cut(struct statement_cache *cache, size_t keysets, size_t releases)
{
    while (cache->keyset_count > keysets) {
        mem_free(cache->keysets[--cache->keyset_count]);
    }
    while (cache->release_count > releases) {
        mem_free(cache->releases[--cache->release_count]);
    }
}

void statement_cache_release(struct statement_cache *cache)
{
    if (!cache->keysets) { return; }
    cut(cache, 0, 0);
    mem_free(cache->keysets);
    mem_free(cache->releases);
    pthread_rwlock_destroy(&cache->lock);
    memset(cache, 0, sizeof *cache);
}

static bool load_keyset(void *context, uint32_t version, struct moult_bytes envelope)
{
    struct statement_cache *cache = context;
    struct cached_keyset *keyset = mem_alloc(sizeof *keyset);
    cache->is_short = !keyset;
    if (!keyset) { return false; }
    keyset->version = version;
    keyset->size =
        envelope.size < sizeof keyset->envelope ? envelope.size : sizeof keyset->envelope;
    memcpy(keyset->envelope, envelope.data, keyset->size);
    cache->is_short = !statement_cache_add_keyset(cache, keyset);
    return !cache->is_short;
}

static bool load_release(void *context, const struct store_release *release)
{
    struct statement_cache *cache = context;
    struct store_release *copy = mem_copy(release, sizeof *release);
    cache->is_short = !copy || !statement_cache_add_release(cache, copy);
    return !cache->is_short;
}

enum moult_status statement_cache_load(struct statement_cache *cache, struct store_db *db)
{
    enum moult_status st = store_keyset_each(db, load_keyset, cache);
    if (st == MOULT_OK) { st = store_release_each(db, load_release, cache); }
    return st == MOULT_OK && cache->is_short ? MOULT_E_NOMEM : st;
}

bool statement_cache_add_keyset(struct statement_cache *cache, struct cached_keyset *keyset)
{
    pthread_rwlock_wrlock(&cache->lock);
    bool has_room = cache->keyset_count < KEYSETS_MAX;
    if (has_room) { cache->keysets[cache->keyset_count++] = keyset; }
    pthread_rwlock_unlock(&cache->lock);
    if (!has_room) { mem_free(keyset); }
    return has_room;
}

bool statement_cache_add_release(struct statement_cache *cache,
                                 struct store_release *release)
{
    pthread_rwlock_wrlock(&cache->lock);
    bool has_room = cache->release_count < RELEASES_MAX;
    if (has_room) { cache->releases[cache->release_count++] = release; }
    pthread_rwlock_unlock(&cache->lock);
    if (!has_room) { mem_free(release); }
    return has_room;
}

/* --- keysets -------------------------------------------------------------------------- */

bool statement_cache_keyset(struct statement_cache *cache, uint32_t version,
                            struct cached_keyset *out)
{
    bool is_found = false;
    pthread_rwlock_rdlock(&cache->lock);
    for (size_t i = cache->keyset_count; i-- > 0 && !is_found;) {
        const struct cached_keyset *keyset = cache->keysets[i];
        if (version != 0 && keyset->version != version) { continue; }
        *out = *keyset;
        is_found = true;
    }
    pthread_rwlock_unlock(&cache->lock);
    return is_found;
}

uint32_t statement_cache_newest_keyset(struct statement_cache *cache)
{
    pthread_rwlock_rdlock(&cache->lock);
    uint32_t version =
        cache->keyset_count > 0 ? cache->keysets[cache->keyset_count - 1]->version : 0;
    pthread_rwlock_unlock(&cache->lock);
    return version;
}

/* --- releases ------------------------------------------------------------------------- */

bool statement_cache_find(struct statement_cache *cache,
                          bool (*matches)(const void *want,
                                          const struct store_release *release),
                          const void *want, struct store_release *out)
{
    bool is_found = false;
    pthread_rwlock_rdlock(&cache->lock);
    for (size_t i = cache->release_count; i-- > 0 && !is_found;) { /* newest first */
        is_found = matches(want, cache->releases[i]);
        if (is_found && out) { *out = *cache->releases[i]; }
    }
    pthread_rwlock_unlock(&cache->lock);
    return is_found;
}

static bool has_num(const void *want, const struct store_release *release)
{
    return release->num == *(const int64_t *)want;
}

bool statement_cache_by_num(struct statement_cache *cache, int64_t num,
                            struct store_release *out)
{
    return statement_cache_find(cache, has_num, &num, out);
}

static bool has_payload(const void *want, const struct store_release *release)
{
    return memcmp(release->payload_sha256, want, 32) == 0;
}

bool statement_cache_by_payload(struct statement_cache *cache, const uint8_t sha256[32],
                                struct store_release *out)
{
    return statement_cache_find(cache, has_payload, sha256, out);
}

const struct store_component *release_app(const struct store_release *release)
{
    for (unsigned i = 0; i < release->component_count; i++) {
        if (release->components[i].id == MOULT_COMPONENT_APP) {
            return &release->components[i];
        }
    }
    return NULL;
}

static bool has_image(const void *want, const struct store_release *release)
{
    const struct store_component *app = release_app(release);
    return app && memcmp(app->sha256, want, 32) == 0;
}

bool statement_cache_by_image(struct statement_cache *cache, const uint8_t sha256[32],
                              struct store_release *out)
{
    return statement_cache_find(cache, has_image, sha256, out);
}

uint64_t statement_cache_newest_sequence(struct statement_cache *cache,
                                         const uint8_t class_id[16])
{
    uint64_t newest = 0;
    pthread_rwlock_rdlock(&cache->lock);
    for (size_t i = 0; i < cache->release_count; i++) {
        const struct store_release *release = cache->releases[i];
        if (release->state == STORE_RELEASE_PUBLISHED && release->sequence > newest &&
            memcmp(release->class_id, class_id, 16) == 0) {
            newest = release->sequence;
        }
    }
    pthread_rwlock_unlock(&cache->lock);
    return newest;
}

void statement_cache_each(struct statement_cache *cache,
                          bool (*each)(void *context, const struct store_release *release),
                          void *context)
{
    pthread_rwlock_rdlock(&cache->lock);
    for (size_t i = 0; i < cache->release_count; i++) {
        if (!each(context, cache->releases[i])) { break; }
    }
    pthread_rwlock_unlock(&cache->lock);
}
