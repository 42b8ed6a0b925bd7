/* component_stage.c - the data components of a release, one after the other, until each is
 * in its staging area and read back (state COMPONENT). What is there already is not fetched
 * again: live, in the bank of the running slot, or staged before a reset. */
#include <assert.h>
#include <string.h>
#include "device/src/component_io.h"
#include "device/src/hash.h"

enum { PICK, LIVE, DISARM, CARRY, STAGED };

static enum moult_state look(struct moult_session *s, unsigned phase)
{
    s->transfer.offset = 0;
    s->transfer.request_ms = s->now_ms;
    s->phase = (uint8_t)phase;
    if (moult_hash_begin(s)) { return MOULT_STATE_COMPONENT; }
    moult_trouble_as(s, MOULT_D_RESULT_DIGEST, MOULT_R_DEC_MEMORY, 0);
    return moult_flow_fail(s);
}

/* All are staged: the application's turn. */
static enum moult_state leave(struct moult_session *s)
{
    s->parts.id = 0;
    if (s->parts.is_proving) { return MOULT_STATE_RECHECK; }
    s->offer.component = MOULT_COMPONENT_APP;
    s->offer.size = s->parts.app_size;
    memcpy(s->offer.digest, s->parts.app_digest, 32);
    s->source_index = 0;
    return MOULT_STATE_SOURCE;
}

static enum moult_state pick(struct moult_session *s)
{
    struct moult_data_component *c = s->parts.first;
    while (c && (!c->work.is_wanted || (c->work.is_staged && c->work.is_proven))) {
        c = c->work.next;
    }
    if (!c) { return leave(s); }
    s->parts.id = c->id;
    s->parts.is_written = s->parts.is_written && s->plan.component == c->id;
    bool has_live = c->peripheral || moult_component_live(c);
    bool is_in_bank = c->banks && c->work.is_staged;
    bool skips = s->parts.is_written || is_in_bank || !has_live;
    return look(s, skips ? STAGED : LIVE);
}

/* It is where it belongs. Journalled, since a reset must not forget what is to follow the
 * application. */
static enum moult_state settle(struct moult_session *s, struct moult_data_component *c)
{
    bool was_staged = c->work.is_staged;
    c->work.is_staged = c->work.is_proven = true;
    s->parts.is_written = false;
    s->phase = PICK;
    if (was_staged || moult_component_store(s) == MOULT_OK) {
        return MOULT_STATE_COMPONENT;
    }
    c->work.is_staged = false;
    moult_trouble(s, MOULT_D_PLAN_WRITE, s->trouble.native);
    return moult_flow_fail(s);
}

/* To be fetched; the plan is of this component then. */
static enum moult_state fetch(struct moult_session *s, struct moult_data_component *c)
{
    c->work.is_staged = c->work.is_proven = false;
    s->offer.component = c->id;
    s->offer.size = c->work.staged.size;
    memcpy(s->offer.digest, c->work.staged.digest, 32);
    s->source_index = 0;
    return MOULT_STATE_SOURCE;
}

static enum moult_state refused(struct moult_session *s)
{
    s->parts.is_proving = false;
    moult_trouble(s, MOULT_D_RESULT_DIGEST, s->trouble.native);
    return moult_flow_drop(s);
}

static enum moult_state look_at_peripheral(struct moult_session *s,
                                           struct moult_data_component *c)
{
    uint8_t digest[32];
    const struct moult_peripheral *p = c->peripheral;
    int32_t native = p->digest(p->context, c->work.staged.size, digest);
    if (moult_component_waits(s, native)) { return MOULT_STATE_COMPONENT; }
    bool is_right = native == 0 && moult_bytes_equal(digest, c->work.staged.digest, 32);
    return is_right ? settle(s, c) : look(s, STAGED);
}

static enum moult_state look_at_live(struct moult_session *s,
                                     struct moult_data_component *c)
{
    if (c->peripheral) { return look_at_peripheral(s, c); }
    const struct moult_region *live = moult_component_live(c);
    bool may_be = live->size >= c->work.staged.size && !c->work.is_incomplete;
    enum moult_hashing got =
        may_be ? moult_component_hash(s, live, &c->work.staged) : MOULT_HASH_WRONG;
    switch (got) {
    case MOULT_HASHING:
        return MOULT_STATE_COMPONENT;
    case MOULT_HASH_RIGHT:
        if (!c->banks) { return settle(s, c); }
        return look(s, DISARM); /* unchanged: from bank to bank, not over the network */
    case MOULT_HASH_WRONG:
        break;
    }
    return look(s, STAGED);
}

/* The bank is about to change: what is in its slot may not start with it any more. */
static enum moult_state disarm(struct moult_session *s, struct moult_data_component *c)
{
    s->plan.slot = c->work.slot;
    c->work.tries = 0;
    if (moult_slot_disarm(s) == MOULT_OK) { return look(s, CARRY); }
    moult_trouble(s, MOULT_D_ERASE, s->trouble.native);
    return moult_flow_fail(s);
}

static enum moult_state carry(struct moult_session *s, struct moult_data_component *c)
{
    struct moult_copy copy = {moult_component_live(c), moult_component_staging(c),
                              c->work.staged.size};
    if (s->transfer.offset >= copy.size) { return look(s, STAGED); }
    switch (moult_component_copy(s, c, &copy)) {
    case MOULT_OK:
        s->transfer.offset += MOULT_SECTOR_SIZE;
        return MOULT_STATE_COMPONENT;
    case MOULT_E_BUSY:
        return MOULT_STATE_COMPONENT;
    default:
        return moult_flow_fail(s);
    }
}

static enum moult_state look_at_staged(struct moult_session *s,
                                       struct moult_data_component *c)
{
    const struct moult_region *staging = moult_component_staging(c);
    switch (moult_component_hash(s, staging, &c->work.staged)) {
    case MOULT_HASHING:
        return MOULT_STATE_COMPONENT;
    case MOULT_HASH_RIGHT:
        return settle(s, c);
    case MOULT_HASH_WRONG:
        break;
    }
    bool is_final = s->parts.is_written || s->parts.is_proving;
    return is_final ? refused(s) : fetch(s, c);
}

enum moult_state moult_component_stage(struct moult_session *s)
{
    struct moult_data_component *c = moult_component_find(s, s->parts.id);
    if (s->phase == PICK) { return pick(s); }
    assert(c);
    if (!c->work.is_wanted || c->work.slot == s->running.boot.running) {
        return MOULT_STATE_IDLE;
    }
    switch (s->phase) {
    case LIVE:
        return look_at_live(s, c);
    case DISARM:
        return disarm(s, c);
    case CARRY:
        return carry(s, c);
    default:
        return look_at_staged(s, c);
    }
}
