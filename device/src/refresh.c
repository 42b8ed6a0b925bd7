/* refresh.c - step 3: newer keysets, one after the other (states KEYSET, ENDPOINTS). */
#include <assert.h>
#include <string.h>
#include "device/src/contact.h"
#include "device/src/flow.h"
#include "device/src/route.h"
#include "device/src/store.h"
#include "device/src/trust.h"

enum { HOPS_MAX = 16 }; /* keysets adopted per contact */

enum moult_state moult_after_keyset(struct moult_session *s)
{
    if (s->routes && s->routes->hooks->wants(s)) { return MOULT_STATE_ENDPOINTS; }
    return s->contact.order.size > 0 ? MOULT_STATE_ORDER : MOULT_STATE_IDLE;
}

enum moult_state moult_state_ENDPOINTS(struct moult_session *s)
{
    return s->routes ? s->routes->hooks->work(s) : moult_after_keyset(s);
}

static enum moult_state refused(struct moult_session *s, enum moult_detail detail,
                                int32_t native)
{
    moult_trouble(s, detail, native);
    moult_flow_refuse(s);
    return moult_after_keyset(s);
}

/* Looked for, with or without a find: the week begins anew. */
static void looked(struct moult_session *s)
{
    uint64_t now_s = moult_now_s(s);
    s->contact.looked_ms = s->now_ms;
    if (now_s != 0) { moult_unstored(s, moult_floor_refreshed(s, now_s)); }
}

static enum moult_state begin(struct moult_session *s)
{
    static const char prefix[] = "/device/v1/keyset/";
    s->contact.keyset_tried = true;
    memcpy(s->url, prefix, sizeof prefix);
    moult_decimal(s->url + sizeof prefix - 1, s->trust.keyset.version + 1);
    s->work_size = 0;
    s->phase = 1;
    if (moult_fetch_begin(s, s->url, (struct moult_bytes){NULL, 0})) {
        return MOULT_STATE_KEYSET;
    }
    return refused(s, MOULT_D_KEYSET_FETCH, s->trouble.native);
}

static enum moult_state adopt(struct moult_session *s)
{
    struct moult_finding why;
    if (moult_trust_adopt(s, &why) != MOULT_OK) {
        bool is_unstored = why.detail == MOULT_D_KEYSET_WRITE;
        return refused(s, (enum moult_detail)why.detail,
                       is_unstored ? s->trouble.native : 0);
    }
    uint32_t version = s->trust.keyset.version;
    s->contact.told_keyset.detail = 0; /* the next refusal is news again */
    assert(s->trust.is_good && s->contact.keyset_hops < HOPS_MAX);
    moult_note(s, MOULT_LOG_INFO, MOULT_LOG_KEYSET, version, s->floor.applied);
    /* Up to the version that was named; for an order by an unknown key, one; for the weekly
     * look, all. */
    uint32_t hint = s->contact.keyset_hint;
    bool is_enough = hint >= version ? hint == version : s->contact.order.size > 0;
    if (is_enough) {
        looked(s);
        return moult_after_keyset(s);
    }
    if (++s->contact.keyset_hops >= HOPS_MAX) {
        return refused(s, MOULT_D_KEYSET_HOPS, (int32_t)version);
    }
    s->phase = 0; /* and the one after that */
    return MOULT_STATE_KEYSET;
}

enum moult_state moult_state_KEYSET(struct moult_session *s)
{
    enum { NOT_FOUND = 404 };
    if (!s->trust.is_good) { return moult_after_keyset(s); }
    if (s->phase == 0) { return begin(s); }
    enum moult_fetch got = moult_fetch_poll(s, s->work + MOULT_RECORD_HEADER,
                                            MOULT_KEYSET_SIZE_MAX, &s->work_size);
    switch (got) {
    case MOULT_FETCH_BUSY:
        return MOULT_STATE_KEYSET;
    case MOULT_FETCH_DONE:
        return adopt(s);
    case MOULT_FETCH_TOO_LARGE:
        return refused(s, MOULT_D_KEYSET_SIZE, 0);
    case MOULT_FETCH_FAILED:
        break;
    }
    bool is_newest = s->contact.keyset_hint <= s->trust.keyset.version &&
                     s->trouble.detail == MOULT_D_HTTP && s->trouble.native == NOT_FOUND;
    if (is_newest) { /* nobody said that there is one */
        looked(s);
        return moult_after_keyset(s);
    }
    return refused(s, MOULT_D_KEYSET_FETCH, s->trouble.native);
}
