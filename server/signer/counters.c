/* counters.c - see counters.h. */
#include "server/signer/counters.h"
#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "formats/bytes.h"
#include "server/base/mem.h"
#include "server/signer/durable.h"

/* "MSCB", u64 bound, CRC-32 of both; little-endian. */
enum { BOUND_SIZE = 16, CAPACITY_FIRST = 1024 };
static const uint8_t magic[4] = {'M', 'S', 'C', 'B'};

static enum moult_status read_bound(const char *path, uint64_t *bound)
{
    uint8_t raw[BOUND_SIZE];
    size_t size = 0;
    enum moult_status st = durable_read(path, raw, sizeof raw, &size);
    if (st == MOULT_E_NOENT) {
        *bound = 0;
        return MOULT_OK;
    }
    if (st == MOULT_E_RANGE) { return MOULT_E_FORMAT; }
    if (st != MOULT_OK) { return st; }
    bool good = size == BOUND_SIZE && memcmp(raw, magic, sizeof magic) == 0 &&
                get_le32(raw + 12) == crc32_le(0, raw, 12);
    if (!good) { return MOULT_E_FORMAT; }
    *bound = get_le64(raw + 4);
    return MOULT_OK;
}

static enum moult_status write_bound(const struct counters *counters, uint64_t bound)
{
    uint8_t raw[BOUND_SIZE];
    memcpy(raw, magic, sizeof magic);
    put_le64(raw + 4, bound);
    put_le32(raw + 12, crc32_le(0, raw, 12));
    return durable_replace(counters->path, raw, sizeof raw);
}

enum moult_status counters_open(struct counters *counters, const char *path,
                                const struct counters_rate *rate)
{
    assert(rate->global_per_s > 0 && rate->device_per_minute > 0 && rate->device_burst > 0);
    memset(counters, 0, sizeof *counters);
    counters->rate = *rate;
    int n = snprintf(counters->path, sizeof counters->path, "%s", path);
    if (n < 0 || n >= (int)sizeof counters->path) { return MOULT_E_RANGE; }
    enum moult_status st = read_bound(path, &counters->start);
    if (st != MOULT_OK) { return st; }
    counters->stored = counters->start;
    counters->table = mem_alloc_array(CAPACITY_FIRST, sizeof counters->table[0]);
    if (!counters->table) { return MOULT_E_NOMEM; }
    counters->capacity = CAPACITY_FIRST;
    return MOULT_OK;
}

void counters_close(struct counters *counters)
{
    mem_free(counters->table);
    counters->table = NULL;
}

/* Device ids are digests, so their own bytes are the hash. The table is never full. */
static struct counters_entry *place_of(struct counters_entry *table, size_t capacity,
                                       const uint8_t device_id[16])
{
    size_t i = (size_t)get_le64(device_id) & (capacity - 1);
    while (table[i].counter != 0 && memcmp(table[i].device_id, device_id, 16) != 0) {
        i = (i + 1) & (capacity - 1);
    }
    return &table[i];
}

static enum moult_status grow(struct counters *counters)
{
    size_t capacity = counters->capacity * 2;
    struct counters_entry *table = mem_alloc_array(capacity, sizeof table[0]);
    if (!table) { return MOULT_E_NOMEM; }
    for (size_t i = 0; i < counters->capacity; i++) {
        const struct counters_entry *old = &counters->table[i];
        if (old->counter != 0) { *place_of(table, capacity, old->device_id) = *old; }
    }
    mem_free(counters->table);
    counters->table = table;
    counters->capacity = capacity;
    return MOULT_OK;
}

/* Generic cell rate: an allowance of `burst` that refills by one every `interval`. full_at
 * is when it is full again; taking one moves it on by one interval. */
static bool may_take(uint64_t full_at, uint64_t now, uint64_t interval, uint64_t burst)
{
    return full_at <= now || full_at - now <= interval * (burst - 1);
}

static uint64_t taken(uint64_t full_at, uint64_t now, uint64_t interval)
{
    return (full_at > now ? full_at : now) + interval;
}

static enum moult_status make_room(struct counters *counters)
{
    if (counters->count >= COUNTERS_DEVICES_MAX) { return MOULT_E_SPACE; }
    return counters->count * 4 >= counters->capacity * 3 ? grow(counters) : MOULT_OK;
}

static enum moult_status raise_bound(struct counters *counters, uint64_t counter)
{
    if (counter <= counters->stored) { return MOULT_OK; }
    uint64_t bound =
        counter > UINT64_MAX - COUNTERS_AHEAD ? UINT64_MAX : counter + COUNTERS_AHEAD;
    enum moult_status st = write_bound(counters, bound);
    if (st == MOULT_OK) { counters->stored = bound; }
    return st;
}

enum moult_status counters_take(struct counters *counters, const uint8_t device_id[16],
                                uint64_t counter, uint64_t now_ms, uint64_t *floor)
{
    enum moult_status st = make_room(counters);
    if (st != MOULT_OK) { return st; }
    struct counters_entry *entry = place_of(counters->table, counters->capacity, device_id);
    bool is_new = entry->counter == 0;
    *floor = entry->counter > counters->start ? entry->counter : counters->start;
    if (counter <= *floor) { return MOULT_E_REPLAY; }

    const struct counters_rate *rate = &counters->rate;
    uint64_t device_ms = 60000u / rate->device_per_minute;
    uint64_t global_us = 1000000u / rate->global_per_s;
    uint64_t full_at = is_new ? 0 : entry->full_at;
    if (!may_take(full_at, now_ms, device_ms, rate->device_burst) ||
        !may_take(counters->global_full_at_us, now_ms * 1000u, global_us,
                  2u * (uint64_t)rate->global_per_s)) {
        return MOULT_E_BUSY;
    }
    st = raise_bound(counters, counter);
    if (st != MOULT_OK) { return st; }

    memcpy(entry->device_id, device_id, 16);
    entry->counter = counter;
    entry->full_at = taken(full_at, now_ms, device_ms);
    counters->global_full_at_us =
        taken(counters->global_full_at_us, now_ms * 1000u, global_us);
    counters->count += is_new;
    return MOULT_OK;
}
