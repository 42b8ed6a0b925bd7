/* component_apply.c - the staged components take their place, once the application that
 * they came with is confirmed (state APPLY). Everything here may be cut and begun again:
 * until the journal says INCOMPLETE nothing live was touched, and from then on the staged
 * bytes, which were read back before, are written until they read back from their place. */
#include <assert.h>
#include <string.h>
#include "device/src/component_io.h"
#include "device/src/hash.h"
#include "device/src/outbox.h"

enum { PICK, LIVE, ASK, PROVE, WRITE, WRITTEN, CHECK };
enum { ASK_MS = 1000 };

/* The release whose application runs here, and for good. */
static bool is_settled(const struct moult_session *s)
{
    bool is_on_trial = s->trial.is_on || (s->running.boot.state == MOULT_SLOT_PENDING &&
                                          s->plan.stage != MOULT_STAGE_PASSED);
    return !is_on_trial && !s->disabled && s->running.is_managed &&
           (s->plan.stage < MOULT_STAGE_ARMED || s->plan.stage == MOULT_STAGE_PASSED);
}

static bool is_due(const struct moult_session *s, const struct moult_data_component *c)
{
    const struct moult_component_work *w = &c->work;
    return w->is_staged && !w->is_given_up &&
           w->staged.sequence == s->running.info.sequence && is_settled(s);
}

bool moult_component_is_due(const struct moult_session *s)
{
    for (const struct moult_data_component *c = s->parts.first; c; c = c->work.next) {
        if (is_due(s, c)) { return true; }
    }
    return false;
}

/* --- ends --- */

static enum moult_state leave(struct moult_session *s)
{
    s->parts.id = 0;
    return s->plan.stage == MOULT_STAGE_PASSED ? MOULT_STATE_CONFIRM : MOULT_STATE_IDLE;
}

/* Not before the next reset: the staged bytes stay, and what is incomplete stays known. */
static enum moult_state give_up(struct moult_session *s, struct moult_data_component *c,
                                enum moult_detail detail)
{
    c->work.is_given_up = true;
    s->phase = PICK;
    moult_trouble(s, detail, s->trouble.native);
    if (s->plan.stage == MOULT_STAGE_PASSED || s->contact.is_installing) {
        s->parts.is_failed = true;
        moult_flow_fail(s);
    } else {
        moult_flow_tell(s, MOULT_REPORT_EVENT);
    }
    return MOULT_STATE_APPLY;
}

/* Told before it is journalled: a cut between them only tells it again. */
static enum moult_state settle(struct moult_session *s, struct moult_data_component *c,
                               bool is_news)
{
    char text[32] = "";
    struct moult_news news = {.kind = MOULT_REPORT_EVENT,
                              .deployment = s->contact.deployment,
                              .offset = c->work.staged.size,
                              .text = text};
    s->parts.hooks->words(s, text);
    memcpy(text + strlen(text), " applied", sizeof " applied");
    if (is_news) { moult_outbox_add(s, &news); }
    struct moult_component_work before = c->work;
    c->work.live = c->work.staged;
    c->work.is_staged = c->work.is_incomplete = c->work.is_interrupted = false;
    s->phase = PICK;
    if (moult_component_store(s) == MOULT_OK) { return MOULT_STATE_APPLY; }
    c->work = before;
    return give_up(s, c, MOULT_D_PLAN_WRITE);
}

static enum moult_state look(struct moult_session *s, struct moult_data_component *c,
                             unsigned phase)
{
    s->transfer.offset = 0;
    s->transfer.request_ms = s->now_ms;
    s->phase = (uint8_t)phase;
    return moult_hash_begin(s) ? MOULT_STATE_APPLY : give_up(s, c, MOULT_D_RESULT_DIGEST);
}

/* --- before the first live byte changes --- */

static enum moult_state pick(struct moult_session *s)
{
    struct moult_data_component *c = s->parts.first;
    while (c && !is_due(s, c)) {
        c = c->work.next;
    }
    if (!c) { return leave(s); }
    s->parts.id = c->id;
    c->work.tries = c->work.rounds = 0;
    if (c->banks) { return settle(s, c, true); } /* changed places with the application */
    bool may_be = c->peripheral || !c->work.is_incomplete;
    return look(s, c, may_be ? LIVE : ASK);
}

/* LATER: not all is hashed, or a peripheral is busy. */
enum seen { SEEN_RIGHT, SEEN_WRONG, SEEN_LATER };

static enum seen look_at_live(struct moult_session *s, const struct moult_data_component *c)
{
    static const enum seen seen_of[] = {[MOULT_HASHING] = SEEN_LATER,
                                        [MOULT_HASH_RIGHT] = SEEN_RIGHT,
                                        [MOULT_HASH_WRONG] = SEEN_WRONG};
    uint8_t digest[32];
    const struct moult_peripheral *p = c->peripheral;
    if (!p) { return seen_of[moult_component_hash(s, c->live, &c->work.staged)]; }
    s->trouble.native = p->digest(p->context, c->work.staged.size, digest);
    if (moult_component_waits(s, s->trouble.native)) { return SEEN_LATER; }
    bool is_right =
        s->trouble.native == 0 && moult_bytes_equal(digest, c->work.staged.digest, 32);
    return is_right ? SEEN_RIGHT : SEEN_WRONG;
}

/* Check-ins go on while the application will not have it. */
static enum moult_state rest(struct moult_session *s)
{
    if (s->now_ms >= s->contact.due_ms) { return MOULT_STATE_CHECKIN; }
    moult_wait_for(s, ASK_MS);
    return MOULT_STATE_APPLY;
}

static enum moult_state ask(struct moult_session *s, struct moult_data_component *c)
{
    bool is_free = !c->may_apply || c->may_apply(c->context) == MOULT_ANSWER_YES;
    return is_free ? look(s, c, PROVE) : rest(s);
}

/* The staged bytes once more, then the journal: from here on the live ones do not count. */
static enum moult_state prove(struct moult_session *s, struct moult_data_component *c)
{
    switch (moult_component_hash(s, moult_component_staging(c), &c->work.staged)) {
    case MOULT_HASHING:
        return MOULT_STATE_APPLY;
    case MOULT_HASH_WRONG:
        return give_up(s, c, MOULT_D_RESULT_DIGEST);
    case MOULT_HASH_RIGHT:
        break;
    }
    bool was_incomplete = c->work.is_incomplete;
    c->work.is_incomplete = true;
    if (!was_incomplete && moult_component_store(s) != MOULT_OK) {
        c->work.is_incomplete = false;
        return give_up(s, c, MOULT_D_PLAN_WRITE);
    }
    s->transfer.offset = s->transfer.fill = 0;
    s->transfer.request_ms = s->now_ms;
    s->phase = WRITE;
    return MOULT_STATE_APPLY;
}

/* --- the live bytes --- */

/* A sector that was being written when power went may read right and not be: the last one
 * that looks as it should, before the first that does not, is written again. True: go on
 * with that one. */
static bool steps_back(struct moult_session *s, struct moult_data_component *c)
{
    bool was_interrupted = c->work.is_interrupted;
    c->work.is_interrupted = false;
    if (!was_interrupted || s->transfer.offset == 0) { return false; }
    s->transfer.offset -= MOULT_SECTOR_SIZE;
    c->work.is_forced = true;
    return true;
}

static enum moult_state copy_on(struct moult_session *s, struct moult_data_component *c)
{
    struct moult_copy copy = {moult_component_staging(c), c->live, c->work.staged.size};
    if (s->transfer.offset >= c->live->size) {
        return steps_back(s, c) ? MOULT_STATE_APPLY : look(s, c, CHECK);
    }
    enum moult_status st = moult_component_copy(s, c, &copy);
    switch (st) {
    case MOULT_OK:
        s->transfer.offset += MOULT_SECTOR_SIZE;
        return MOULT_STATE_APPLY;
    case MOULT_E_BUSY:
        steps_back(s, c);
        return MOULT_STATE_APPLY;
    default:
        return give_up(s, c, (enum moult_detail)s->trouble.detail);
    }
}

/* The next call to a peripheral; transfer.offset is what it has, transfer.fill that begin()
 * was done. */
static int32_t call(struct moult_session *s, struct moult_data_component *c)
{
    const struct moult_peripheral *p = c->peripheral;
    uint32_t size = c->work.staged.size, at = s->transfer.offset;
    if (s->phase == WRITTEN) { return p->end(p->context); }
    if (s->transfer.fill == 0) { return p->begin(p->context, size); }
    const struct moult_region *from = moult_component_staging(c);
    uint32_t part = size - at < MOULT_SECTOR_SIZE ? size - at : MOULT_SECTOR_SIZE;
    int32_t native = from->read(from->context, at, s->work, part);
    return native != 0 ? native : p->write(p->context, at, s->work, part);
}

static enum moult_state call_on(struct moult_session *s, struct moult_data_component *c)
{
    int32_t native = call(s, c);
    if (moult_component_waits(s, native)) { return MOULT_STATE_APPLY; }
    s->transfer.request_ms = s->now_ms;
    if (native != 0) {
        s->trouble.native = native;
        s->transfer.offset = s->transfer.fill = 0;
        s->phase = WRITE; /* from its beginning */
        bool may_again = ++c->work.tries < MOULT_COPY_TRIES_MAX;
        return may_again ? MOULT_STATE_APPLY : give_up(s, c, MOULT_D_FLASH_WRITE);
    }
    if (s->phase == WRITTEN) { return look(s, c, CHECK); }
    if (s->transfer.fill == 0) {
        s->transfer.fill = 1;
    } else {
        s->transfer.offset += MOULT_SECTOR_SIZE;
    }
    if (s->transfer.offset >= c->work.staged.size) { s->phase = WRITTEN; }
    return MOULT_STATE_APPLY;
}

static enum moult_state check(struct moult_session *s, struct moult_data_component *c)
{
    switch (look_at_live(s, c)) {
    case SEEN_LATER:
        return MOULT_STATE_APPLY;
    case SEEN_RIGHT:
        return settle(s, c, true);
    case SEEN_WRONG:
        break;
    }
    bool may_again = ++c->work.rounds < MOULT_COPY_TRIES_MAX;
    return may_again ? look(s, c, PROVE) : give_up(s, c, MOULT_D_RESULT_DIGEST);
}

static enum moult_state begin_or_skip(struct moult_session *s,
                                      struct moult_data_component *c)
{
    switch (look_at_live(s, c)) {
    case SEEN_LATER:
        return MOULT_STATE_APPLY;
    case SEEN_RIGHT:
        return settle(s, c, c->work.is_incomplete);
    case SEEN_WRONG:
        break;
    }
    s->phase = ASK;
    return MOULT_STATE_APPLY;
}

enum moult_state moult_component_apply(struct moult_session *s)
{
    struct moult_data_component *c = moult_component_find(s, s->parts.id);
    if (s->is_paused) { return rest(s); }
    if (s->phase == PICK) { return pick(s); }
    assert(c && !c->banks);
    switch (s->phase) {
    case LIVE:
        return begin_or_skip(s, c);
    case ASK:
        return ask(s, c);
    case PROVE:
        return prove(s, c);
    case CHECK:
        return check(s, c);
    default:
        return c->peripheral ? call_on(s, c) : copy_on(s, c);
    }
}
