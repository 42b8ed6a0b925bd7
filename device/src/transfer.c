/* transfer.c - step 11: the bytes, in ranges, at the network's pace (states FETCH, RECEIVE,
 * BACKOFF). */
#include <assert.h>
#include <string.h>
#include "device/src/contact.h"
#include "device/src/flow.h"
#include "device/src/hash.h"
#include "device/src/outbox.h"
#include "device/src/route.h"

enum { SLOW_AFTER_MS = 10000 }; /* a request this young is not judged slow */
enum { LONG_MS = 60000 };       /* in a longer pause check-ins go on */

static void close_request(struct moult_session *s)
{
    if (s->transfer.is_open) { s->port->http_cancel(s->port->context); }
    s->transfer.is_open = false;
    s->transfer.fill = 0; /* less than a sector: fetched again */
    s->transfer.skip = 0;
}

/* Begin again at 0, with this source or another. Unjournalled, the re-hash after a reset
 * finds out. */
static void forget_progress(struct moult_session *s)
{
    memset(&s->transfer.mark, 0, sizeof s->transfer.mark);
    moult_unstored(s, moult_journal_mark(s));
}

/* Another host for the same path, if a list names one; else another source. */
static enum moult_state next_source(struct moult_session *s)
{
    bool is_path = s->url[0] == '/';
    bool has_host = is_path && s->routes && s->routes->hooks->next_artifact(s);
    s->transfer.is_second = false;
    s->plan.etag[0] = '\0'; /* another server's name for the same bytes */
    if (!has_host) { s->source_index++; }
    return MOULT_STATE_SOURCE;
}

/* The advice of R308 and R601: from 0, once. What is on flash may have come from another
 * source, or before a reset; only when this one alone gave it all is this one to blame. */
static enum moult_state from_start(struct moult_session *s)
{
    forget_progress(s);
    if (s->transfer.is_second) { return next_source(s); }
    s->transfer.is_second = true;
    return MOULT_STATE_PREPARE;
}

/* s->trouble says what happened: try again later, elsewhere, or not under this order. */
static enum moult_state failed(struct moult_session *s)
{
    close_request(s);
    if (!moult_is_transient(s)) { return next_source(s); }
    if (++s->transfer.failures < s->config.transfer_tries_max) {
        s->transfer.next_ms = s->now_ms + moult_backoff_ms(s, s->transfer.failures);
        return MOULT_STATE_BACKOFF;
    }
    s->transfer.failures = 0;
    return next_source(s); /* from where this one stopped */
}

/* An answer that was wrong ends the plan. A network that was away leaves it for the next
 * order, or, where the policy grants attempts, for a later round. */
enum moult_state moult_sources_used_up(struct moult_session *s)
{
    if (!moult_is_transient(s)) { return moult_flow_drop(s); }
    bool may_again =
        s->plan.attempts + 1 < s->policy.attempts; /* 0 where the policy names none */
    if (!may_again) { return moult_flow_give_up(s); }
    s->plan.attempts++;
    moult_unstored(s, moult_journal_stage(s, MOULT_STAGE_TRANSFER));
    s->transfer.next_ms = s->now_ms + s->config.backoff_max_ms;
    s->source_index = 0;
    return MOULT_STATE_SOURCE;
}

static enum moult_state refused(struct moult_session *s, enum moult_detail detail,
                                int32_t native)
{
    close_request(s);
    moult_trouble(s, detail, native);
    return next_source(s);
}

/* --- BACKOFF --- */

enum moult_state moult_state_BACKOFF(struct moult_session *s)
{
    if (!moult_has_target(s)) { return MOULT_STATE_IDLE; }
    bool is_over = s->now_ms >= s->transfer.next_ms;
    if (is_over && !s->is_paused) { return MOULT_STATE_FETCH; }
    bool is_long = s->is_paused || s->transfer.next_ms - s->now_ms > LONG_MS;
    if (is_long && s->now_ms >= s->contact.due_ms) { return MOULT_STATE_CHECKIN; }
    uint64_t until = is_over ? UINT64_MAX : s->transfer.next_ms;
    moult_wait_until(s, is_long && s->contact.due_ms < until ? s->contact.due_ms : until);
    return MOULT_STATE_BACKOFF;
}

/* --- FETCH --- */

static bool is_late(const struct moult_session *s)
{
    uint64_t limit_ms = (uint64_t)s->config.transfer_deadline_s * 1000;
    return s->transfer.begun_ms != 0 && s->now_ms - s->transfer.begun_ms > limit_ms;
}

/* "downloading", at the start and then now and again. True: there is something to deliver.
 * */
static bool report_progress(struct moult_session *s)
{
    uint64_t every_ms = (uint64_t)s->config.progress_s * 1000;
    uint64_t last_ms = s->transfer.reported_ms;
    if (last_ms != 0 && s->now_ms - last_ms < every_ms) { return false; }
    s->transfer.reported_ms = s->now_ms ? s->now_ms : 1;
    struct moult_news news = {.kind = MOULT_REPORT_DOWNLOADING,
                              .deployment = s->plan.deployment,
                              .offset = s->transfer.mark.offset};
    moult_outbox_add(s, &news);
    s->contact.next_state = MOULT_STATE_FETCH;
    return true;
}

/* All bytes are on flash: are they the ones that were promised? */
static enum moult_state complete(struct moult_session *s)
{
    uint8_t digest[MOULT_SHA256_SIZE];
    bool is_right = moult_hash_peek(s, digest) &&
                    moult_bytes_equal(digest, s->plan.transfer_digest, sizeof digest);
    s->parts.is_written = is_right;
    if (is_right) { return moult_is_app(s) ? MOULT_STATE_CLEAN : MOULT_STATE_COMPONENT; }
    moult_trouble(s, MOULT_D_XFER_DIGEST, 0);
    return from_start(s);
}

static enum moult_state request(struct moult_session *s)
{
    uint32_t from = s->transfer.mark.offset;
    assert(!s->transfer.is_open && from < s->plan.transfer_size);
    assert(from % MOULT_SECTOR_SIZE ==
           0); /* so that a request begins with an empty buffer */
    uint32_t left = s->plan.transfer_size - from;
    uint32_t size = left < s->config.window ? left : s->config.window;
    struct moult_http_request range = {
        .method = MOULT_HTTP_GET,
        .base = s->url[0] == '/' ? moult_base(s, true) : NULL,
        .path = s->url,
        .has_range = true,
        .range_from = from,
        .range_to = from + size - 1,
        .if_range = s->plan.etag[0] != '\0' && from > 0 ? s->plan.etag : NULL,
        .timeout_ms = s->config.http_timeout_ms,
    };
    memset(&s->http, 0, sizeof s->http);
    s->transfer.request_left = size;
    s->transfer.request_bytes = 0;
    s->transfer.request_ms = s->now_ms;
    s->transfer.fill = 0;
    s->transfer.skip = 0;
    s->transfer.has_headers = false;
    moult_note(s, MOULT_LOG_DEBUG, MOULT_LOG_RANGE, from, from + size);
    int32_t native = s->port->http_start(s->port->context, &range);
    s->transfer.is_open = native == 0;
    if (native == 0) { return MOULT_STATE_RECEIVE; }
    moult_trouble(s, MOULT_D_NET, native);
    return failed(s);
}

enum moult_state moult_state_FETCH(struct moult_session *s)
{
    if (!moult_has_target(s) || s->plan.transfer_size == 0) { return MOULT_STATE_IDLE; }
    if (s->transfer.mark.offset >= s->plan.transfer_size) { return complete(s); }
    if (s->is_paused || s->now_ms < s->transfer.next_ms) { return MOULT_STATE_BACKOFF; }
    switch (moult_policy_gate(s, MOULT_WINDOW_DOWNLOAD)) {
    case MOULT_GATE_OPEN:
        break;
    case MOULT_GATE_CLOSED:
        return moult_flow_tell(s, MOULT_REPORT_DEFERRED);
    case MOULT_GATE_ENDED:
        return moult_flow_drop(s);
    }
    if (s->transfer.begun_ms == 0) { s->transfer.begun_ms = s->now_ms ? s->now_ms : 1; }
    if (is_late(s)) {
        s->transfer.begun_ms = 0;
        moult_trouble(s, MOULT_D_XFER_DEADLINE, 0);
        return moult_flow_give_up(s);
    }
    return report_progress(s) ? MOULT_STATE_REPORT : request(s);
}

/* --- RECEIVE --- */

/* A file that changed under its name: nothing of the old one may stay. Counted apart from
 * failures, which progress forgives: a file that changes with every answer never ends. */
static enum moult_state changed(struct moult_session *s)
{
    memcpy(s->plan.etag, s->http.etag, sizeof s->plan.etag);
    close_request(s);
    forget_progress(s);
    if (++s->transfer.changes < s->config.transfer_tries_max) {
        return MOULT_STATE_PREPARE;
    }
    s->transfer.changes = 0;
    moult_trouble(s, MOULT_D_XFER_DIGEST, 0);
    return moult_flow_give_up(s);
}

static bool is_changed(const struct moult_session *s)
{
    return s->transfer.mark.offset > 0 && s->plan.etag[0] != '\0' &&
           s->http.etag[0] != '\0' && strcmp(s->plan.etag, s->http.etag) != 0;
}

/* 200: the whole file, read over up to the offset. */
static enum moult_state at_whole(struct moult_session *s)
{
    uint32_t total = s->plan.transfer_size;
    if (s->http.has_length && s->http.length != total) {
        return refused(s, MOULT_D_XFER_SIZE, (int32_t)s->http.length);
    }
    s->transfer.skip = s->transfer.mark.offset;
    s->transfer.request_left = total;
    return MOULT_STATE_RECEIVE;
}

static enum moult_state at_part(struct moult_session *s)
{
    const struct moult_http_reply *h = &s->http;
    uint32_t from = s->transfer.mark.offset;
    if (!h->has_range || h->range_from != from || h->range_to < from) {
        close_request(s);
        moult_trouble_as(s, MOULT_D_HTTP, MOULT_R_HTTP_RANGE_IGNORED, h->status);
        return from_start(s);
    }
    uint32_t size = h->range_to - from + 1;
    bool is_total_wrong = h->range_total != 0 && h->range_total != s->plan.transfer_size;
    if (is_total_wrong || size > s->transfer.request_left ||
        (h->has_length && h->length != size)) {
        return refused(s, MOULT_D_XFER_SIZE, (int32_t)h->range_total);
    }
    s->transfer.request_left = size; /* fewer than asked for is allowed */
    return MOULT_STATE_RECEIVE;
}

static enum moult_state at_headers(struct moult_session *s)
{
    enum { OK = 200, PART = 206, REDIRECTS = 300, NOT_MODIFIED = 304, UNSATISFIABLE = 416 };
    uint16_t status = s->http.status;
    s->transfer.has_headers = true;
    if (status == OK || status == PART) {
        if (is_changed(s)) { return changed(s); }
        if (s->plan.etag[0] == '\0' || s->transfer.mark.offset == 0) {
            memcpy(s->plan.etag, s->http.etag, sizeof s->plan.etag);
        }
        return status == OK ? at_whole(s) : at_part(s);
    }
    if (status == UNSATISFIABLE) { return refused(s, MOULT_D_XFER_SIZE, status); }
    bool is_redirect = status >= REDIRECTS && status < 400 && status != NOT_MODIFIED;
    if (is_redirect) {
        return refused(s, MOULT_D_REDIRECT, status);
    } /* to no listed host */
    moult_http_trouble(s, status);
    return failed(s);
}

static void pace(struct moult_session *s, uint32_t size)
{
    uint32_t limit = s->transfer.throttle_bps;
    if (limit == 0) { return; }
    uint64_t from = s->transfer.next_ms > s->now_ms ? s->transfer.next_ms : s->now_ms;
    s->transfer.next_ms = from + (uint64_t)size * 1000 / limit;
}

static bool is_slow(const struct moult_session *s)
{
    uint64_t age_ms = s->now_ms - s->transfer.request_ms;
    uint32_t least = s->config.rate_min_bps;
    bool is_throttled =
        s->transfer.throttle_bps != 0 && s->transfer.throttle_bps < 2 * least;
    return age_ms >= SLOW_AFTER_MS && !is_throttled &&
           (uint64_t)s->transfer.request_bytes * 1000 < (uint64_t)least * age_ms;
}

static enum moult_state at_body(struct moult_session *s, uint32_t size)
{
    if (!s->transfer.has_headers || size > s->transfer.request_left) {
        return refused(s, MOULT_D_XFER_SIZE, (int32_t)size);
    }
    assert(size > 0 && s->transfer.fill + size <= MOULT_SECTOR_SIZE);
    s->transfer.request_left -= size;
    s->transfer.request_bytes += size;
    pace(s, size);
    if (s->transfer.skip > 0) {
        assert(size <= s->transfer.skip); /* the read was capped */
        s->transfer.skip -= size;
        return MOULT_STATE_RECEIVE;
    }
    s->transfer.fill = (uint16_t)(s->transfer.fill + size);
    uint32_t behind = s->transfer.mark.offset + s->transfer.fill;
    bool is_full = s->transfer.fill == MOULT_SECTOR_SIZE || behind == s->plan.transfer_size;
    return is_full ? MOULT_STATE_ERASE : MOULT_STATE_RECEIVE;
}

static enum moult_state at_end(struct moult_session *s)
{
    s->transfer.is_open = false;
    /* Less than asked for is allowed; what does not fill a sector is fetched again, and an
     * answer that filled none is a failure: it may be all this server ever gives. */
    if (s->transfer.request_left == 0 && s->transfer.fill == 0) {
        return MOULT_STATE_FETCH;
    }
    moult_net_trouble(s, &(struct moult_http_failure){MOULT_NET_RESET, 0}); /* cut short */
    return failed(s);
}

/* How much may be read now: a piece, within the sector, within what is to be skipped. With
 * nothing left to come one byte is asked for, to see that it does not come. */
static size_t room(const struct moult_session *s)
{
    uint32_t size = s->config.piece;
    uint32_t sector = MOULT_SECTOR_SIZE - s->transfer.fill;
    if (size > sector) { size = sector; }
    if (s->transfer.skip > 0 && size > s->transfer.skip) { size = s->transfer.skip; }
    uint32_t left = s->transfer.request_left;
    if (left > 0 && size > left) { size = left; }
    return left > 0 ? size : 1;
}

static enum moult_state poll(struct moult_session *s)
{
    struct moult_http_failure failure = {MOULT_NET_RESET, 0};
    size_t got = 0;
    enum moult_http_event event = s->port->http_poll(
        s->port->context, s->work + s->transfer.fill, room(s), &got, &s->http, &failure);
    switch (event) {
    case MOULT_HTTP_NOT_YET:
        moult_wait_for(s, MOULT_POLL_MS);
        break;
    case MOULT_HTTP_HEADERS:
        return at_headers(s);
    case MOULT_HTTP_BODY:
        return at_body(s, (uint32_t)got);
    case MOULT_HTTP_END:
        return at_end(s);
    case MOULT_HTTP_FAILED:
        s->transfer.is_open = false;
        if (s->transfer.has_headers && s->transfer.request_left == 0) {
            return MOULT_STATE_FETCH; /* every byte has come */
        }
        moult_net_trouble(s, &failure);
        return failed(s);
    }
    if (!is_slow(s)) { return MOULT_STATE_RECEIVE; }
    moult_trouble(s, MOULT_D_XFER_SLOW, (int32_t)s->transfer.request_bytes);
    return failed(s);
}

enum moult_state moult_state_RECEIVE(struct moult_session *s)
{
    if (!moult_has_target(s) || !s->transfer.is_open) { return MOULT_STATE_IDLE; }
    if (s->is_paused) {
        close_request(s);
        return MOULT_STATE_BACKOFF;
    }
    if (s->transfer.throttle_bps != 0 && s->now_ms < s->transfer.next_ms) {
        moult_wait_until(s, s->transfer.next_ms);
        return MOULT_STATE_RECEIVE;
    }
    return poll(s);
}
