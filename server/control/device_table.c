/* device_table.c - see device_table.h. Entries lie in blocks in order of num; two
 * open-addressing indexes of 32-bit numbers lead to them by key and by id. */
#include "server/control/device_table.h"
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include "formats/bytes.h"
#include "server/base/mem.h"

enum { BLOCK_SIZE = 1024, INDEX_FIRST = 2048 };

struct entry {
    struct device_durable durable;
    struct device_live live;
    bool is_dirty;
};

/* Places hold entry number + 1; 0 is empty, GONE was used. */
struct index {
    uint32_t *places;
    uint32_t size; /* a power of two */
    uint32_t used; /* not empty */
};
#define GONE UINT32_MAX

struct device_table {
    uint32_t capacity;
    _Atomic uint32_t count;
    _Atomic uint32_t by_state[DEVICE_STATE_COUNT];
    struct entry **blocks;       /* capacity / BLOCK_SIZE + 1 */
    pthread_rwlock_t index_lock; /* over the two indexes and blocks[] */
    struct index by_spki, by_id;
    pthread_mutex_t stripes[DEVICE_TABLE_STRIPES]; /* over entries */
};

static struct entry *entry_at(struct device_table *table, uint32_t number)
{
    return &table->blocks[number / BLOCK_SIZE][number % BLOCK_SIZE];
}

static void lock_entry(struct device_table *table, uint32_t number)
{
    pthread_mutex_lock(&table->stripes[number % DEVICE_TABLE_STRIPES]);
}

static void unlock_entry(struct device_table *table, uint32_t number)
{
    pthread_mutex_unlock(&table->stripes[number % DEVICE_TABLE_STRIPES]);
}

/* --- indexes ------------------------------------------------------------------------- */

typedef const uint8_t *(*key_of)(const struct entry *entry);

static const uint8_t *spki_of(const struct entry *entry)
{
    return entry->durable.spki;
}

static const uint8_t *id_of(const struct entry *entry)
{
    return entry->durable.id;
}

/* Keys are hashes already; an attacker who grinds keys for collisions here gains a slower
 * lookup of his own pending devices, of which there are at most pending_max. */
static uint32_t place_of(const struct index *index, const uint8_t *key)
{
    return (uint32_t)(get_be64(key) * 0x9e3779b97f4a7c15u >> 32) & (index->size - 1);
}

static uint32_t index_find(struct device_table *table, const struct index *index,
                           key_of key_of_entry, const uint8_t *key, size_t key_size)
{
    for (uint32_t at = place_of(index, key);; at = (at + 1) & (index->size - 1)) {
        uint32_t place = index->places[at];
        if (place == 0) { return DEVICE_NONE; }
        if (place == GONE) { continue; }
        if (memcmp(key_of_entry(entry_at(table, place - 1)), key, key_size) == 0) {
            return place - 1;
        }
    }
}

static void index_insert(struct index *index, const uint8_t *key, uint32_t number)
{
    uint32_t at = place_of(index, key);
    while (index->places[at] != 0 && index->places[at] != GONE) {
        at = (at + 1) & (index->size - 1);
    }
    if (index->places[at] == 0) { index->used++; }
    index->places[at] = number + 1;
}

static void index_delete(struct index *index, const uint8_t *key, uint32_t number)
{
    uint32_t at = place_of(index, key);
    while (index->places[at] != 0 && index->places[at] != number + 1) {
        at = (at + 1) & (index->size - 1);
    }
    if (index->places[at] != 0) { index->places[at] = GONE; }
}

/* Room for one more. False: no memory. */
static bool index_reserve(struct device_table *table, struct index *index,
                          key_of key_of_entry)
{
    if (index->used + 1 <= index->size / 2) { return true; }
    struct index larger = {.size = index->size * 2};
    larger.places = mem_alloc_array(larger.size, sizeof larger.places[0]);
    if (!larger.places) { return false; }
    for (uint32_t i = 0; i < index->size; i++) {
        uint32_t place = index->places[i];
        if (place == 0 || place == GONE) { continue; }
        index_insert(&larger, key_of_entry(entry_at(table, place - 1)), place - 1);
    }
    mem_free(index->places);
    *index = larger;
    return true;
}

/* --- life ---------------------------------------------------------------------------- */

struct device_table *device_table_create(uint32_t capacity)
{
    struct device_table *table = mem_alloc(sizeof *table);
    if (!table) { return NULL; }
    table->capacity = capacity;
    table->blocks = mem_alloc_array(capacity / BLOCK_SIZE + 1, sizeof table->blocks[0]);
    table->by_spki.size = table->by_id.size = INDEX_FIRST;
    table->by_spki.places = mem_alloc_array(INDEX_FIRST, sizeof(uint32_t));
    table->by_id.places = mem_alloc_array(INDEX_FIRST, sizeof(uint32_t));
    pthread_rwlock_init(&table->index_lock, NULL);
    for (unsigned i = 0; i < DEVICE_TABLE_STRIPES; i++) {
        pthread_mutex_init(&table->stripes[i], NULL);
    }
    if (!table->blocks || !table->by_spki.places || !table->by_id.places) {
        device_table_destroy(table);
        return NULL;
    }
    return table;
}

void device_table_destroy(struct device_table *table)
{
    if (!table) { return; }
    for (uint32_t i = 0; table->blocks && i <= table->capacity / BLOCK_SIZE; i++) {
        mem_free(table->blocks[i]);
    }
    for (unsigned i = 0; i < DEVICE_TABLE_STRIPES; i++) {
        pthread_mutex_destroy(&table->stripes[i]);
    }
    pthread_rwlock_destroy(&table->index_lock);
    mem_free(table->by_spki.places);
    mem_free(table->by_id.places);
    mem_free(table->blocks);
    mem_free(table);
}

/* --- finding ------------------------------------------------------------------------- */

uint32_t device_table_find_spki(struct device_table *table, const uint8_t spki[32])
{
    pthread_rwlock_rdlock(&table->index_lock);
    uint32_t number = index_find(table, &table->by_spki, spki_of, spki, 32);
    pthread_rwlock_unlock(&table->index_lock);
    return number;
}

uint32_t device_table_find_id(struct device_table *table, const uint8_t id[16])
{
    pthread_rwlock_rdlock(&table->index_lock);
    uint32_t number = index_find(table, &table->by_id, id_of, id, 16);
    pthread_rwlock_unlock(&table->index_lock);
    return number;
}

uint32_t device_table_find_num(struct device_table *table, int64_t num)
{
    uint32_t low = 0, high = atomic_load(&table->count);
    while (low < high) { /* nums rise with the entry's number */
        uint32_t middle = low + (high - low) / 2;
        if (entry_at(table, middle)->durable.num < num) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool is_there =
        low < atomic_load(&table->count) && entry_at(table, low)->durable.num == num;
    return is_there ? low : DEVICE_NONE;
}

void device_table_get(struct device_table *table, uint32_t number,
                      struct device_durable *durable, struct device_live *live)
{
    struct entry *entry = entry_at(table, number);
    lock_entry(table, number);
    if (durable) { *durable = entry->durable; }
    if (live) { *live = entry->live; }
    unlock_entry(table, number);
}

/* --- changing ------------------------------------------------------------------------ */

static void count_state(struct device_table *table, unsigned from, unsigned to)
{
    assert(from < DEVICE_STATE_COUNT && to < DEVICE_STATE_COUNT);
    if (from == to) { return; }
    if (from != 0) { atomic_fetch_sub(&table->by_state[from], 1); }
    if (to != 0) { atomic_fetch_add(&table->by_state[to], 1); }
}

/* Under the index lock. False: full, or no memory. */
static bool append(struct device_table *table, const struct device_durable *durable,
                   const struct device_live *live)
{
    uint32_t number = atomic_load(&table->count);
    if (number >= table->capacity) { return false; }
    assert(number == 0 || entry_at(table, number - 1)->durable.num < durable->num);
    struct entry **block = &table->blocks[number / BLOCK_SIZE];
    if (!*block) { *block = mem_alloc_array(BLOCK_SIZE, sizeof **block); }
    if (!*block || !index_reserve(table, &table->by_spki, spki_of) ||
        !index_reserve(table, &table->by_id, id_of)) {
        return false;
    }
    struct entry *entry = entry_at(table, number);
    entry->durable = *durable;
    if (live) { entry->live = *live; }
    index_insert(&table->by_spki, durable->spki, number);
    index_insert(&table->by_id, durable->id, number);
    atomic_store(&table->count, number + 1);
    count_state(table, 0, durable->state);
    return true;
}

/* Under the index lock: a device that got a new key is found by it from now on. */
static bool move_key(struct device_table *table, uint32_t number,
                     const struct device_durable *durable)
{
    struct entry *entry = entry_at(table, number);
    if (memcmp(entry->durable.spki, durable->spki, 32) == 0) { return true; }
    if (!index_reserve(table, &table->by_spki, spki_of)) { return false; }
    index_delete(&table->by_spki, entry->durable.spki, number);
    index_insert(&table->by_spki, durable->spki, number);
    return true;
}

bool device_table_put(struct device_table *table, const struct device_durable *durable,
                      const struct device_live *live)
{
    uint32_t number = device_table_find_num(table, durable->num);
    pthread_rwlock_wrlock(&table->index_lock);
    bool ok = number == DEVICE_NONE ? append(table, durable, live)
                                    : move_key(table, number, durable);
    if (ok && number != DEVICE_NONE) {
        lock_entry(table, number);
        struct entry *entry = entry_at(table, number);
        count_state(table, entry->durable.state, durable->state);
        entry->durable = *durable;
        unlock_entry(table, number);
    }
    pthread_rwlock_unlock(&table->index_lock);
    return ok;
}

void device_table_remove(struct device_table *table, int64_t num)
{
    uint32_t number = device_table_find_num(table, num);
    if (number == DEVICE_NONE) { return; }
    pthread_rwlock_wrlock(&table->index_lock);
    lock_entry(table, number);
    struct entry *entry = entry_at(table, number);
    index_delete(&table->by_spki, entry->durable.spki, number);
    index_delete(&table->by_id, entry->durable.id, number);
    count_state(table, entry->durable.state, 0);
    entry->durable = (struct device_durable){.num = num};
    entry->is_dirty = false;
    unlock_entry(table, number);
    pthread_rwlock_unlock(&table->index_lock);
}

static void note_gap(struct device_live *live, const struct device_seen *seen)
{
    int64_t gap_ms = seen->now_ms - live->last_seen_ms;
    bool counts = live->last_seen_ms != 0 && gap_ms >= 0 && !seen->is_gap_odd;
    if (counts && gap_ms / 1000 <= UINT32_MAX) {
        rhythm_note(&live->rhythm, (uint32_t)(gap_ms / 1000));
    }
}

void device_table_seen(struct device_table *table, uint32_t number,
                       const struct device_seen *seen)
{
    struct entry *entry = entry_at(table, number);
    lock_entry(table, number);
    note_gap(&entry->live, seen);
    entry->live.last_seen_ms = seen->now_ms;
    entry->live.next_s = seen->next_s;
    if (seen->address) {
        snprintf(entry->live.address, sizeof entry->live.address, "%s", seen->address);
    }
    entry->is_dirty = true;
    unlock_entry(table, number);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

uint64_t device_table_next_counter(struct device_table *table, uint32_t number,
                                   uint64_t reported, uint64_t floor, int64_t now_ms)
{
    struct entry *entry = entry_at(table, number);
    uint64_t least = larger(reported, floor) + 1;
    lock_entry(table, number);
    uint64_t counter = larger(entry->live.counter + 1, least);
    counter = larger(counter, now_ms > 0 ? (uint64_t)now_ms : 0);
    entry->live.counter = counter;
    entry->is_dirty = true;
    unlock_entry(table, number);
    return counter;
}

uint64_t device_table_next_wake(struct device_table *table, uint32_t number, int64_t now_ms)
{
    struct entry *entry = entry_at(table, number);
    lock_entry(table, number);
    uint64_t seq = larger(entry->live.wake_seq + 1, now_ms > 0 ? (uint64_t)now_ms : 0);
    entry->live.wake_seq = seq;
    unlock_entry(table, number);
    return seq;
}

/* --- looking over all ---------------------------------------------------------------- */

uint32_t device_table_count(struct device_table *table)
{
    return atomic_load(&table->count);
}

uint32_t device_table_state_count(struct device_table *table, unsigned state)
{
    return state < DEVICE_STATE_COUNT ? atomic_load(&table->by_state[state]) : 0;
}

size_t device_table_collect(struct device_table *table, uint32_t from, uint32_t *out,
                            size_t max, uint32_t *next)
{
    uint32_t count = atomic_load(&table->count);
    size_t found = 0;
    uint32_t number = from;
    for (; number < count && found < max; number++) {
        struct entry *entry = entry_at(table, number);
        lock_entry(table, number);
        if (entry->is_dirty) {
            entry->is_dirty = false;
            out[found++] = number;
        }
        unlock_entry(table, number);
    }
    *next = number;
    return found;
}

void device_table_mark(struct device_table *table, uint32_t number)
{
    lock_entry(table, number);
    entry_at(table, number)->is_dirty = true;
    unlock_entry(table, number);
}
