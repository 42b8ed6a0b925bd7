/* store.c - see store.h. */
#include "device/src/store.h"
#include <assert.h>
#include <string.h>
#include "device/src/pack.h"
#include "device/src/record.h"
#include "formats/bytes.h"

enum { FLOOR_SIZE = 21, ORDER_SIZE = 24, BLOCK_SIZE = 49, DEFERRAL_SIZE = 25 };

static const struct moult_member floor_members[] = {
    MOULT_MEMBER(struct moult_floor, stored, NUMBER),
    MOULT_MEMBER(struct moult_floor, applied, NUMBER),
    MOULT_MEMBER(struct moult_floor, is_own_muted, FLAG),
    MOULT_MEMBER(struct moult_floor, refreshed_s, NUMBER),
};
static const struct moult_member order_members[] = {
    MOULT_MEMBER(struct moult_order_record, kid, BYTES),
    MOULT_MEMBER(struct moult_order_record, counter, NUMBER),
    MOULT_MEMBER(struct moult_order_record, iat_s, NUMBER),
};
static const struct moult_member block_members[] = {
    MOULT_MEMBER(struct moult_block, release, BYTES),
    MOULT_MEMBER(struct moult_block, deployment, BYTES),
    MOULT_MEMBER(struct moult_block, failures, NUMBER),
};
static const struct moult_member deferral_members[] = {
    MOULT_MEMBER(struct moult_deferral, deployment, BYTES),
    MOULT_MEMBER(struct moult_deferral, left, NUMBER),
    MOULT_MEMBER(struct moult_deferral, since_s, NUMBER),
};
enum { FLOOR_MEMBERS = 4, ORDER_MEMBERS = 3, BLOCK_MEMBERS = 3, DEFERRAL_MEMBERS = 3 };

/* Load a record whose loss is only worth a note: NOENT is nothing stored, unless it was
 * damaged. */
static enum moult_status load_soft(struct moult_session *s, enum moult_record kind,
                                   size_t *size)
{
    bool is_damaged;
    enum moult_status st =
        moult_record_load(s, kind, moult_small_frame(s), size, &is_damaged);
    if (st == MOULT_E_NOENT && is_damaged) { return MOULT_E_IO; }
    return st;
}

/* --- floor --- */

static enum moult_status store_floor(struct moult_session *s,
                                     const struct moult_floor *floor)
{
    struct moult_pack pack = moult_record_pack(moult_small_frame(s), FLOOR_SIZE);
    moult_put_members(&pack, floor_members, FLOOR_MEMBERS, floor);
    assert(!pack.is_bad && pack.at == pack.end);
    enum moult_status st =
        moult_record_store(s, MOULT_RECORD_FLOOR, moult_small_frame(s), FLOOR_SIZE);
    if (st == MOULT_OK) { s->floor = *floor; }
    return st;
}

enum moult_status moult_floor_load(struct moult_session *s)
{
    size_t size;
    memset(&s->floor, 0, sizeof s->floor);
    enum moult_status st = load_soft(s, MOULT_RECORD_FLOOR, &size);
    if (st == MOULT_E_NOENT) { return MOULT_OK; }
    if (st != MOULT_OK) { return st; }

    struct moult_pack pack = moult_record_pack(moult_small_frame(s), size);
    struct moult_floor found = {0};
    moult_get_members(&pack, floor_members, FLOOR_MEMBERS, &found);
    if (pack.is_bad) { return MOULT_E_IO; }
    s->floor = found;
    return MOULT_OK;
}

uint64_t moult_floor_effective(const struct moult_session *s)
{
    uint64_t own = s->floor.is_own_muted ? 0 : s->running.info.rollback_floor;
    return own > s->floor.stored ? own : s->floor.stored;
}

enum moult_status moult_floor_adopt(struct moult_session *s)
{
    struct moult_keyset_floor entry;
    if (!s->trust.is_good ||
        !moult_keyset_floor_of(&s->trust.keyset, s->running.info.class_id, &entry) ||
        entry.introduced <= s->floor.applied) {
        return MOULT_OK;
    }
    struct moult_floor next = s->floor;
    next.stored = entry.sequence;
    next.applied = s->trust.keyset.version;
    next.is_own_muted = true;
    return store_floor(s, &next);
}

enum moult_status moult_floor_raise(struct moult_session *s, uint64_t sequence)
{
    struct moult_floor next = s->floor;
    if (sequence > next.stored) { next.stored = sequence; }
    next.is_own_muted = false;
    if (next.stored == s->floor.stored && !s->floor.is_own_muted) { return MOULT_OK; }
    return store_floor(s, &next);
}

enum moult_status moult_floor_refreshed(struct moult_session *s, uint64_t now_s)
{
    struct moult_floor next = s->floor;
    next.refreshed_s = now_s;
    return store_floor(s, &next);
}

/* --- orders --- */

static enum moult_status store_orders(struct moult_session *s)
{
    size_t size = 1 + (size_t)s->order_count * ORDER_SIZE;
    assert(s->order_count <= MOULT_KEYSET_ASSIGN_KEYS_MAX);
    struct moult_pack pack = moult_record_pack(moult_small_frame(s), size);
    moult_put(&pack, s->order_count, 1);
    for (unsigned i = 0; i < s->order_count; i++) {
        moult_put_members(&pack, order_members, ORDER_MEMBERS, &s->orders[i]);
    }
    assert(!pack.is_bad && pack.at == pack.end);
    return moult_record_store(s, MOULT_RECORD_ORDERS, moult_small_frame(s), size);
}

enum moult_status moult_orders_load(struct moult_session *s)
{
    size_t size;
    s->order_count = 0;
    enum moult_status st = load_soft(s, MOULT_RECORD_ORDERS, &size);
    if (st == MOULT_E_NOENT) { return MOULT_OK; }
    if (st != MOULT_OK) { return st; }

    struct moult_pack pack = moult_record_pack(moult_small_frame(s), size);
    uint64_t count = moult_get(&pack, 1);
    if (count > MOULT_KEYSET_ASSIGN_KEYS_MAX) { return MOULT_E_IO; }
    for (unsigned i = 0; i < count; i++) {
        moult_get_members(&pack, order_members, ORDER_MEMBERS, &s->orders[i]);
    }
    if (pack.is_bad) { return MOULT_E_IO; }
    s->order_count = (uint8_t)count;
    return MOULT_OK;
}

static struct moult_order_record *order_of(struct moult_session *s,
                                           const uint8_t kid[MOULT_KID_SIZE])
{
    for (unsigned i = 0; i < s->order_count; i++) {
        if (memcmp(s->orders[i].kid, kid, MOULT_KID_SIZE) == 0) { return &s->orders[i]; }
    }
    return NULL;
}

enum moult_status moult_orders_accept(struct moult_session *s,
                                      const struct moult_assignment *order)
{
    struct moult_order_record *record = order_of(s, order->kid);
    if (!record) {
        /* Pruned to the keyset's assign keys, of which there are no more than records. */
        assert(s->order_count < MOULT_KEYSET_ASSIGN_KEYS_MAX);
        record = &s->orders[s->order_count++];
        memset(record, 0, sizeof *record);
        memcpy(record->kid, order->kid, MOULT_KID_SIZE);
    } else if (record->counter == order->counter && record->iat_s >= order->iat_s) {
        return MOULT_OK;
    }
    record->counter = order->counter;
    if (order->iat_s > record->iat_s) { record->iat_s = order->iat_s; }
    return store_orders(s);
}

enum moult_status moult_orders_prune(struct moult_session *s)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < s->order_count; i++) {
        if (moult_keyset_key(&s->trust.keyset, MOULT_ROLE_ASSIGN, s->orders[i].kid)) {
            s->orders[kept++] = s->orders[i];
        }
    }
    if (kept == s->order_count) { return MOULT_OK; }
    s->order_count = (uint8_t)kept;
    return store_orders(s);
}

uint64_t moult_orders_highest(const struct moult_session *s)
{
    uint64_t highest = 0;
    for (unsigned i = 0; i < s->order_count; i++) {
        if (s->orders[i].counter > highest) { highest = s->orders[i].counter; }
    }
    return highest;
}

/* --- deferral --- */

enum moult_status moult_deferral_store(struct moult_session *s)
{
    struct moult_pack pack = moult_record_pack(moult_small_frame(s), DEFERRAL_SIZE);
    moult_put_members(&pack, deferral_members, DEFERRAL_MEMBERS, &s->deferral);
    assert(!pack.is_bad && pack.at == pack.end);
    return moult_record_store(s, MOULT_RECORD_DEFERRAL, moult_small_frame(s),
                              DEFERRAL_SIZE);
}

enum moult_status moult_deferral_load(struct moult_session *s)
{
    size_t size;
    enum moult_status st = load_soft(s, MOULT_RECORD_DEFERRAL, &size);
    if (st == MOULT_E_NOENT) { return MOULT_OK; }
    if (st != MOULT_OK) { return st; }

    struct moult_pack pack = moult_record_pack(moult_small_frame(s), size);
    struct moult_deferral found = {.left = 0};
    moult_get_members(&pack, deferral_members, DEFERRAL_MEMBERS, &found);
    if (pack.is_bad) { return MOULT_E_IO; }
    s->deferral = found;
    return MOULT_OK;
}

/* --- blocks --- */

static enum moult_status store_blocks(struct moult_session *s)
{
    enum { SIZE = MOULT_BLOCKS_MAX * BLOCK_SIZE };
    struct moult_pack pack = moult_record_pack(moult_small_frame(s), SIZE);
    for (unsigned i = 0; i < MOULT_BLOCKS_MAX; i++) {
        moult_put_members(&pack, block_members, BLOCK_MEMBERS, &s->blocks[i]);
    }
    assert(!pack.is_bad && pack.at == pack.end);
    return moult_record_store(s, MOULT_RECORD_BLOCKS, moult_small_frame(s), SIZE);
}

enum moult_status moult_blocks_load(struct moult_session *s)
{
    size_t size;
    memset(s->blocks, 0, sizeof s->blocks);
    enum moult_status st = load_soft(s, MOULT_RECORD_BLOCKS, &size);
    if (st == MOULT_E_NOENT) { return MOULT_OK; }
    if (st != MOULT_OK) { return st; }

    struct moult_pack pack = moult_record_pack(moult_small_frame(s), size);
    for (unsigned i = 0; i < MOULT_BLOCKS_MAX; i++) {
        moult_get_members(&pack, block_members, BLOCK_MEMBERS, &s->blocks[i]);
    }
    return pack.is_bad ? MOULT_E_IO : MOULT_OK;
}

const struct moult_block *moult_blocks_find(const struct moult_session *s,
                                            const uint8_t release[32])
{
    for (unsigned i = 0; i < MOULT_BLOCKS_MAX; i++) {
        const struct moult_block *block = &s->blocks[i];
        if (block->failures > 0 && memcmp(block->release, release, 32) == 0) {
            return block;
        }
    }
    return NULL;
}

enum moult_status moult_blocks_count(struct moult_session *s)
{
    const struct moult_block *found = moult_blocks_find(s, s->plan.release);
    struct moult_block next = {.failures = 0};
    unsigned at = MOULT_BLOCKS_MAX - 1; /* a new one comes first; the oldest goes */
    if (found) {
        next = *found;
        at = (unsigned)(found - s->blocks);
        /* A cut between this record and the end of the plan would count twice. */
        if (memcmp(next.deployment, s->plan.deployment, 16) == 0) { return MOULT_OK; }
    }
    memcpy(next.release, s->plan.release, 32);
    memcpy(next.deployment, s->plan.deployment, 16);
    if (next.failures < UINT8_MAX) { next.failures++; }
    assert(at < MOULT_BLOCKS_MAX && next.failures > 0);
    memmove(&s->blocks[1], &s->blocks[0], at * sizeof s->blocks[0]);
    s->blocks[0] = next;
    return store_blocks(s);
}

enum moult_status moult_blocks_lift(struct moult_session *s, const uint8_t release[32])
{
    const struct moult_block *found = moult_blocks_find(s, release);
    if (!found) { return MOULT_OK; }
    memset(&s->blocks[found - s->blocks], 0, sizeof s->blocks[0]);
    return store_blocks(s);
}
