/* trouble.c - how things go wrong: noted, logged, reported once, and nothing else changed.
 * */
#include <string.h>
#include "device/src/component.h"
#include "device/src/contact.h"
#include "device/src/outbox.h"

void moult_note(struct moult_session *s, enum moult_log_level level, uint16_t id,
                uint32_t a, uint32_t b)
{
    if (s->port->log) { s->port->log(s->port->context, level, id, a, b); }
}

void moult_trouble_as(struct moult_session *s, enum moult_detail detail,
                      enum moult_reason reason, int32_t native)
{
    s->trouble = (struct moult_trouble){(uint16_t)detail, (uint16_t)reason, native};
    moult_note(s, MOULT_LOG_WARN, (uint16_t)detail, reason, (uint32_t)native);
}

void moult_trouble(struct moult_session *s, enum moult_detail detail, int32_t native)
{
    moult_trouble_as(s, detail, (enum moult_reason)moult_detail_reason((uint16_t)detail),
                     native);
}

void moult_unstored(struct moult_session *s, enum moult_status status)
{
    if (status == MOULT_OK) { return; }
    moult_note(s, MOULT_LOG_ERROR, MOULT_LOG_UNSTORED, s->state,
               (uint32_t)s->trouble.native);
}

/* Whether this was told already, of this deployment. Remembers it as told. */
static struct moult_told *told_of(struct moult_session *s)
{
    /* Apart, or a keyset and an order that are refused in turns would be news for ever. */
    bool is_keyset = s->state == MOULT_STATE_KEYSET;
    return is_keyset ? &s->contact.told_keyset : &s->contact.told;
}

static bool was_told(struct moult_session *s, uint8_t kind, const uint8_t deployment[16])
{
    struct moult_told *told = told_of(s);
    bool is_same = told->detail == s->trouble.detail && told->reason == s->trouble.reason &&
                   told->kind == kind && memcmp(told->deployment, deployment, 16) == 0;
    told->detail = s->trouble.detail;
    told->reason = s->trouble.reason;
    told->kind = kind;
    memcpy(told->deployment, deployment, 16);
    return is_same;
}

/* "component 16" for what concerns one; "last E1002" for E_NO_SOURCE: native carries the
 * code of the last source. */
static const char *words_of(const struct moult_session *s, char text[16])
{
    if (s->parts.id != 0) { return s->parts.hooks->words(s, text); }
    if (s->trouble.detail != MOULT_D_NO_SOURCE || s->trouble.native == 0) { return NULL; }
    memcpy(text, "last ", 5);
    moult_code_format('E', (uint16_t)s->trouble.native, text + 5);
    return text;
}

/* False: the store refused it. Then it counts as untold, and is told when it comes again.
 */
static bool tell(struct moult_session *s, enum moult_report_kind kind,
                 const uint8_t *deployment)
{
    static const uint8_t none[16];
    char text[16];
    if (was_told(s, (uint8_t)kind, deployment ? deployment : none)) { return true; }
    struct moult_news news = {
        .kind = kind,
        .deployment = deployment,
        .trouble = &s->trouble,
        .offset = deployment ? s->transfer.mark.offset : 0,
        .text = words_of(s, text),
    };
    bool is_told = moult_outbox_add(s, &news);
    if (!is_told) { told_of(s)->detail = UINT16_MAX; } /* no detail's number */
    if (kind != MOULT_REPORT_DEFERRED && kind != MOULT_REPORT_USER_DEFERRED) {
        moult_contact_soon(s);
    }
    return is_told;
}

enum moult_state moult_flow_refuse(struct moult_session *s)
{
    tell(s, MOULT_REPORT_EVENT, NULL); /* untold: an event, and it comes again */
    return MOULT_STATE_IDLE;
}

enum moult_state moult_flow_fail(struct moult_session *s)
{
    /* Untold it has not ended: the next order comes here again, or nobody would ever hear
     * of it. */
    if (tell(s, MOULT_REPORT_FAILED, s->contact.deployment)) {
        memcpy(s->contact.ended, s->contact.deployment, sizeof s->contact.ended);
    }
    return MOULT_STATE_IDLE;
}

void moult_flow_was_told(struct moult_session *s, enum moult_report_kind kind)
{
    (void)was_told(s, (uint8_t)kind, s->contact.deployment); /* only the remembering */
}

/* What the advice on a deferral says: not to be looked at again before. */
static void hold(struct moult_session *s)
{
    enum { MINUTE_MS = 60000 };
    enum moult_advice advice = moult_reason_advice(s->trouble.reason);
    uint32_t minutes = advice == MOULT_ADVICE_BACKOFF_15_MIN ? 15
                       : advice == MOULT_ADVICE_BACKOFF_1_H  ? 60
                                                             : 0;
    s->contact.held_until_ms = s->now_ms + minutes * MINUTE_MS;
}

enum moult_state moult_flow_tell(struct moult_session *s, enum moult_report_kind kind)
{
    if (kind == MOULT_REPORT_DEFERRED) { hold(s); }
    tell(s, kind, s->contact.deployment); /* untold: told with the next order */
    return MOULT_STATE_IDLE;
}

enum moult_state moult_flow_drop(struct moult_session *s)
{
    moult_flow_fail(s);
    moult_plan_end(s); /* false: the next boot, or the next order, ends it */
    return MOULT_STATE_IDLE;
}

enum moult_state moult_flow_give_up(struct moult_session *s)
{
    if (s->plan.attempts < UINT8_MAX) { s->plan.attempts++; }
    /* Not stored: this attempt is not counted after a reset; the server counts its own. */
    moult_unstored(s, moult_journal_stage(s, (enum moult_stage)s->plan.stage));
    return moult_flow_fail(s);
}

bool moult_plan_end(struct moult_session *s)
{
    if (s->plan.stage == MOULT_STAGE_NONE) { return true; }
    /* Without its first sector no bootloader accepts the slot, whatever otadata says. A
     * slot that cannot be erased stays as it is: what it holds was never approved by
     * set_boot, or failed. */
    if (s->plan.slot != s->running.boot.running) {
        moult_unstored(s, moult_slot_disarm(s));
    }
    s->is_verified_here = false;
    memset(&s->transfer.mark, 0, sizeof s->transfer.mark);
    bool is_journalled = moult_journal_stage(s, MOULT_STAGE_NONE) == MOULT_OK;
    s->plan.stage = MOULT_STAGE_NONE; /* in this boot, whatever the store says */
    return is_journalled;
}
