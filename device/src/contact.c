/* contact.c - see contact.h: the timers. */
#include "device/src/contact.h"
#include <assert.h>
#include <string.h>
#include "device/src/flow.h"
#include "device/src/outbox.h"
#include "device/src/route.h"
#include "formats/wake.h"

void moult_wait_until(struct moult_session *s, uint64_t at_ms)
{
    s->wait_until_ms = at_ms;
}

void moult_wait_for(struct moult_session *s, uint32_t ms)
{
    s->wait_until_ms = s->now_ms + ms;
}

uint32_t moult_jitter(struct moult_session *s, uint32_t bound)
{
    uint8_t raw[4];
    if (bound == UINT32_MAX || !s->port->random(s->port->context, raw, sizeof raw)) {
        return bound / 2;
    }
    return (uint32_t)(((uint64_t)get_le32(raw) * (bound + 1u)) >> 32);
}

uint64_t moult_now_s(const struct moult_session *s)
{
    if (s->time_base_s == 0) { return 0; }
    assert(s->now_ms >= s->time_at_ms); /* uptime never goes back */
    return s->time_base_s + (s->now_ms - s->time_at_ms) / 1000;
}

static void set_due(struct moult_session *s, uint64_t at_ms)
{
    assert(at_ms >= s->now_ms);
    s->contact.due_ms = at_ms > s->contact.not_before_ms ? at_ms : s->contact.not_before_ms;
}

/* Something that the server waits for: obey its interval even where routine polls are rare.
 * */
static bool has_business(const struct moult_session *s)
{
    return s->trial.is_on || s->contact.is_installing || moult_outbox_count(s) > 0;
}

void moult_contact_boot(struct moult_session *s)
{
    uint32_t spread_s = s->config.cold_boot_wait_max_s;
    if (spread_s == UINT32_MAX || has_business(s)) { spread_s = 0; }
    if (spread_s > s->config.interval_s) { spread_s = s->config.interval_s; }
    set_due(s, s->now_ms + moult_jitter(s, spread_s * 1000));
}

void moult_contact_next(struct moult_session *s, uint32_t next_s)
{
    uint32_t least = s->config.interval_min_s;
    uint32_t interval = next_s < least ? least : next_s;
    if (interval > MOULT_INTERVAL_MAX_S) { interval = MOULT_INTERVAL_MAX_S; }
    s->contact.interval_s = interval;
    if (s->config.trigger == MOULT_TRIGGER_PUSH && !has_business(s) &&
        interval < MOULT_PUSH_INTERVAL_S) {
        interval = MOULT_PUSH_INTERVAL_S;
    }
    if (s->trial.is_on && interval > s->config.trial_interval_s) {
        interval = s->config.trial_interval_s;
    }
    assert(interval >= least && interval <= MOULT_INTERVAL_MAX_S);
    uint32_t ms = interval * 1000; /* 31 d fit 32 bits */
    uint32_t wait = ms - ms / 10 + moult_jitter(s, ms / 5);
    s->contact.not_before_ms = s->now_ms;
    set_due(s, s->now_ms + (wait < least * 1000 ? least * 1000 : wait));
    /* Woken while this check-in was under way: its answer may be older than the wake. */
    uint64_t wake_at = s->contact.wake_at_ms;
    if (wake_at > s->contact.nonce_ms && wake_at < s->contact.due_ms) {
        set_due(s, wake_at > s->now_ms ? wake_at : s->now_ms);
    }
}

void moult_contact_soon(struct moult_session *s)
{
    uint64_t at = s->now_ms + moult_jitter(s, s->config.interval_min_s * 1000);
    if (at < s->contact.due_ms) { set_due(s, at); }
}

void moult_contact_now(struct moult_session *s, uint32_t spread_ms)
{
    uint64_t at = s->now_ms + moult_jitter(s, spread_ms);
    if (at < s->contact.due_ms) { set_due(s, at); }
}

uint32_t moult_backoff_ms(struct moult_session *s, uint32_t failures)
{
    uint32_t delay = s->config.backoff_first_ms;
    assert(failures > 0 && delay > 0);
    for (uint32_t i = 1; i < failures && delay < s->config.backoff_max_ms; i++) {
        delay = delay > UINT32_MAX / 2 ? UINT32_MAX : delay * 2;
    }
    if (delay > s->config.backoff_max_ms) { delay = s->config.backoff_max_ms; }
    delay = delay - delay / 2 + moult_jitter(s, delay);

    uint32_t retry_s = s->http.retry_after_s;
    s->http.retry_after_s = 0; /* obeyed once */
    if (retry_s > MOULT_RETRY_AFTER_MAX_S) { retry_s = MOULT_RETRY_AFTER_MAX_S; }
    uint32_t least =
        retry_s * 1000 + moult_jitter(s, retry_s * 100); /* never all at once */
    return delay > least ? delay : least;
}

void moult_contact_failed(struct moult_session *s)
{
    enum {
        TRIAL_DOUBLINGS = 4
    }; /* the trial's clock runs: 16 times the first delay at most */
    if (s->contact.failures == 0) { s->contact.failure = s->trouble; }
    s->contact.failures++;
    s->contact.has_nonce = false;
    uint32_t failures = s->routes ? s->routes->hooks->failed(s) : s->contact.failures;
    if (s->trial.is_on && failures > TRIAL_DOUBLINGS) { failures = TRIAL_DOUBLINGS; }
    s->contact.not_before_ms = s->now_ms + moult_backoff_ms(s, failures);
    set_due(s, s->contact.not_before_ms);
}

void moult_contact_worked(struct moult_session *s)
{
    enum { WORTH_TELLING = 3 }; /* failures in a row; fewer are everyday radio */
    if (s->contact.failures >= WORTH_TELLING) {
        struct moult_news news = {.kind = MOULT_REPORT_EVENT,
                                  .trouble = &s->contact.failure};
        moult_outbox_add(s, &news);
    }
    s->contact.failures = 0;
}

bool moult_is_transient(const struct moult_session *s)
{
    int32_t status = s->trouble.native;
    switch (moult_reason_advice(s->trouble.reason)) {
    case MOULT_ADVICE_BACKOFF:
    case MOULT_ADVICE_BACKOFF_15_MIN:
    case MOULT_ADVICE_BACKOFF_1_H:
        return true;
    case MOULT_ADVICE_BACKOFF_4XX: /* below 100: no status, the answer was no HTTP */
        return status == 408 || status == 429 || status >= 500 || status < 100;
    default:
        return false;
    }
}

void moult_wake(struct moult_session *s, const uint8_t *payload, size_t size,
                uint64_t now_ms)
{
    struct moult_wake wake;
    struct moult_bytes bytes = {payload, size};
    if (s->config.trigger == MOULT_TRIGGER_PULL) { return; }
    if (moult_wake_read(bytes, &wake) != MOULT_OK || wake.seq <= s->contact.wake_seq) {
        return;
    }
    s->contact.wake_seq = wake.seq;
    uint32_t spread_s =
        wake.spread_s < MOULT_SPREAD_MAX_S ? wake.spread_s : MOULT_SPREAD_MAX_S;
    s->now_ms = now_ms;
    /* Whoever wakes is not known: no oftener than the shortest interval. */
    uint64_t at = now_ms + moult_jitter(s, spread_s * 1000);
    uint64_t least = s->contact.nonce_ms + (uint64_t)s->config.interval_min_s * 1000;
    if (s->contact.nonce_ms != 0 && at < least) { at = least; }
    s->contact.wake_at_ms = at;
    if (at < s->contact.due_ms) { set_due(s, at); }
}

void moult_check_now(struct moult_session *s, uint64_t now_ms)
{
    s->now_ms = now_ms;
    s->contact.held_until_ms = 0; /* somebody asks: look again at what was deferred */
    moult_contact_now(s, 0);
}
