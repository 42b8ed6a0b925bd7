/* rollout_cache.c - see rollout_cache.h; the conversion to rows is in rollout_rows.c. */
#include "server/control/rollout_cache.h"
#include <assert.h>
#include <string.h>
#include "server/base/mem.h"
#include "server/control/ids.h"
#include "server/control/rollout_rows.h"

enum moult_status rollout_cache_init(struct rollout_cache *cache)
{
    memset(cache, 0, sizeof *cache);
    cache->slots = mem_alloc_array(ROLLOUTS_MAX, sizeof cache->slots[0]);
    if (!cache->slots) { return MOULT_E_NOMEM; }
    if (pthread_rwlock_init(&cache->lock, NULL) != 0) {
        mem_free(cache->slots);
        cache->slots = NULL;
        return MOULT_E_NOMEM;
    }
    return MOULT_OK;
}

static void free_slot(struct rollout_slot *slot)
{
    mem_free(slot->work);
    mem_free(slot->shown);
    mem_free(slot->before);
    mem_free(slot->selector);
    memset(slot, 0, sizeof *slot);
}

void rollout_cache_release(struct rollout_cache *cache)
{
    if (!cache->slots) { return; }
    for (size_t i = 0; i < cache->count; i++) {
        free_slot(&cache->slots[i]);
    }
    mem_free(cache->slots);
    pthread_rwlock_destroy(&cache->lock);
    memset(cache, 0, sizeof *cache);
}

static void forget_before(struct rollout_cache *cache)
{
    for (size_t i = 0; i < cache->count; i++) {
        mem_free(cache->slots[i].before);
        cache->slots[i].before = NULL;
    }
}

/* A slot at the end with its own working copy. NULL: full, or no memory. */
static struct rollout_slot *append(struct rollout_cache *cache,
                                   const struct control_rollout *rollout,
                                   const char *selector)
{
    if (cache->count >= ROLLOUTS_MAX) { return NULL; }
    struct rollout_slot slot = {.work = mem_copy(rollout, sizeof *rollout),
                                .selector = mem_copy_text(selector)};
    if (!slot.work || !slot.selector) {
        free_slot(&slot);
        return NULL;
    }
    slot.work->selector = slot.selector;
    cache->slots[cache->count] = slot;
    return &cache->slots[cache->count++];
}

/* Readers' copies borrow the selector, so slots that are there stay and are filled anew. */
static bool load_one(void *context, const struct store_rollout *row)
{
    struct rollout_cache *cache = context;
    struct control_rollout rollout;
    rollout_from_row(row, &rollout);
    struct rollout_slot *slot = rollout_cache_find(cache, row->num);
    if (!slot) { slot = append(cache, &rollout, row->selector); }
    if (slot && !slot->shown) { slot->shown = mem_alloc(sizeof *slot->shown); }
    cache->is_short = !slot || !slot->shown;
    if (cache->is_short) { return false; }
    rollout.selector = slot->selector;
    *slot->work = *slot->shown = rollout;
    slot->is_dirty = false;
    return true;
}

enum moult_status rollout_cache_load(struct rollout_cache *cache, struct store_db *db)
{
    pthread_rwlock_wrlock(&cache->lock);
    forget_before(cache);
    while (cache->count > 0 && cache->slots[cache->count - 1].is_new) {
        free_slot(&cache->slots[--cache->count]);
    }
    cache->is_short = false;
    enum moult_status st = store_rollout_each(db, load_one, cache);
    if (st == MOULT_OK && cache->is_short) { st = MOULT_E_NOMEM; }
    cache->shown_count = cache->job_count = cache->count;
    pthread_rwlock_unlock(&cache->lock);
    return st;
}

/* --- writer --------------------------------------------------------------------------- */

enum moult_status rollout_cache_insert(struct rollout_cache *cache, struct store_db *db,
                                       struct control_rollout *rollout,
                                       const char *selector)
{
    if (cache->count >= ROLLOUTS_MAX) { return MOULT_E_SPACE; }
    struct store_rollout *row = mem_alloc(sizeof *row);
    if (!row) { return MOULT_E_NOMEM; }
    rollout_to_row(rollout, selector, row);
    enum moult_status st = store_rollout_insert(db, row);
    rollout->num = row->num;
    mem_free(row);
    if (st != MOULT_OK) { return st; }
    struct rollout_slot *slot = append(cache, rollout, selector);
    if (!slot) { return MOULT_E_NOMEM; }
    slot->is_new = true;
    rollout->selector = slot->selector;
    return MOULT_OK;
}

struct rollout_slot *rollout_cache_find(struct rollout_cache *cache, int64_t num)
{
    for (size_t i = cache->count; i-- > 0;) { /* the newest are asked for most */
        if (cache->slots[i].work->num == num) { return &cache->slots[i]; }
    }
    return NULL;
}

static bool is_named(const struct control_rollout *rollout, const char *text)
{
    uint8_t id[ID_SIZE];
    if (id_parse("rol", text, id)) { return memcmp(rollout->id, id, sizeof id) == 0; }
    return strcmp(rollout->name, text) == 0;
}

struct rollout_slot *rollout_cache_by_name(struct rollout_cache *cache, const char *id)
{
    for (size_t i = 0; i < cache->count; i++) {
        if (is_named(cache->slots[i].work, id)) { return &cache->slots[i]; }
    }
    return NULL;
}

struct rollout_slot *rollout_cache_at(struct rollout_cache *cache, size_t index)
{
    return index < cache->count ? &cache->slots[index] : NULL;
}

struct control_rollout *rollout_cache_touch(struct rollout_cache *cache,
                                            struct rollout_slot *slot)
{
    if (!slot->before) {
        slot->before = mem_copy(slot->work, sizeof *slot->work);
        if (!slot->before) { cache->is_short = true; }
    }
    slot->is_dirty = true;
    return slot->work;
}

void rollout_cache_job_begins(struct rollout_cache *cache)
{
    forget_before(cache);
    cache->job_count = cache->count;
    cache->is_short = false;
}

void rollout_cache_job_undone(struct rollout_cache *cache)
{
    while (cache->count > cache->job_count) {
        free_slot(&cache->slots[--cache->count]);
    }
    for (size_t i = 0; i < cache->count; i++) {
        struct rollout_slot *slot = &cache->slots[i];
        if (!slot->before) { continue; }
        mem_free(slot->work);
        slot->work = slot->before;
        slot->before = NULL;
    }
}

enum moult_status rollout_cache_save(struct rollout_cache *cache, struct store_db *db)
{
    enum moult_status st = MOULT_OK;
    struct store_rollout *row = NULL;
    for (size_t i = 0; i < cache->count && st == MOULT_OK; i++) {
        struct rollout_slot *slot = &cache->slots[i];
        if (!slot->is_dirty) { continue; }
        if (!row) { row = mem_alloc(sizeof *row); }
        if (!row) { return MOULT_E_NOMEM; }
        rollout_to_row(slot->work, slot->selector, row);
        st = store_rollout_save(db, row);
    }
    mem_free(row);
    return st;
}

void rollout_cache_committed(struct rollout_cache *cache)
{
    forget_before(cache);
    pthread_rwlock_wrlock(&cache->lock);
    for (size_t i = 0; i < cache->count; i++) {
        struct rollout_slot *slot = &cache->slots[i];
        if (!slot->is_dirty && !slot->is_new) { continue; }
        if (!slot->shown) { slot->shown = mem_alloc(sizeof *slot->shown); }
        if (!slot->shown) { break; } /* shown at the next COMMIT */
        *slot->shown = *slot->work;
        slot->is_dirty = slot->is_new = false;
        if (i + 1 > cache->shown_count) { cache->shown_count = i + 1; }
    }
    pthread_rwlock_unlock(&cache->lock);
}

/* --- any thread ----------------------------------------------------------------------- */

static const struct control_rollout *shown_of(const struct rollout_cache *cache,
                                              int64_t num)
{
    for (size_t i = cache->shown_count; i-- > 0;) {
        const struct control_rollout *rollout = cache->slots[i].shown;
        if (rollout && rollout->num == num) { return rollout; }
    }
    return NULL;
}

bool rollout_cache_may_offer(struct rollout_cache *cache, int64_t num, uint8_t phase)
{
    pthread_rwlock_rdlock(&cache->lock);
    const struct control_rollout *rollout = shown_of(cache, num);
    bool may = rollout && rollout_may_offer(&rollout->engine, phase);
    pthread_rwlock_unlock(&cache->lock);
    return may;
}

bool rollout_cache_copy(struct rollout_cache *cache, int64_t num,
                        struct control_rollout *out)
{
    pthread_rwlock_rdlock(&cache->lock);
    const struct control_rollout *rollout = shown_of(cache, num);
    if (rollout) { *out = *rollout; }
    pthread_rwlock_unlock(&cache->lock);
    return rollout != NULL;
}

static bool has_name(const void *want, const struct control_rollout *rollout)
{
    return is_named(rollout, want);
}

bool rollout_cache_copy_by_name(struct rollout_cache *cache, const char *id,
                                struct control_rollout *out)
{
    return rollout_cache_copy_before(cache, 0, has_name, id, out);
}

bool rollout_cache_copy_before(struct rollout_cache *cache, int64_t before,
                               bool (*matches)(const void *want,
                                               const struct control_rollout *rollout),
                               const void *want, struct control_rollout *out)
{
    bool is_found = false;
    pthread_rwlock_rdlock(&cache->lock);
    for (size_t i = cache->shown_count; i-- > 0 && !is_found;) {
        const struct control_rollout *rollout = cache->slots[i].shown;
        if (!rollout || (before != 0 && rollout->num >= before)) { continue; }
        is_found = !matches || matches(want, rollout);
        if (is_found) { *out = *rollout; }
    }
    pthread_rwlock_unlock(&cache->lock);
    return is_found;
}
