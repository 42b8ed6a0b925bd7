/* trial.c - the new image proves itself, or goes back: steps 16 and 17 (states CONFIRM,
 * ROLLBACK). */
#include <assert.h>
#include <string.h>
#include "device/src/component.h"
#include "device/src/contact.h"
#include "device/src/outbox.h"
#include "device/src/store.h"

enum { POLL_MS = 1000 }; /* between two questions to the health checks */
enum {
    MARK_TRIES_MAX = 3
};                        /* attempts at marking the image, at its report, at going back */
enum { RETRY_MS = 1000 }; /* between them, and between attempts to journal the verdict */

static bool tell(struct moult_session *s, enum moult_report_kind kind, bool is_trouble)
{
    struct moult_news news = {.kind = kind,
                              .deployment = s->plan.deployment,
                              .trouble = is_trouble ? &s->trouble : NULL,
                              .with_reset = kind == MOULT_REPORT_TRIAL};
    return moult_outbox_add(s, &news);
}

bool moult_is_unconfirmed(struct moult_session *s)
{
    struct moult_boot_info boot;
    return s->port->boot_info(s->port->context, &boot) == 0 &&
           boot.state == MOULT_SLOT_PENDING && boot.selected == boot.running;
}

void moult_trial_begin(struct moult_session *s)
{
    /* If it cannot be journalled the trial goes on as ARMED, which the next boot reads as
     * well. */
    moult_unstored(s, moult_journal_stage(s, MOULT_STAGE_TRIAL));
    assert(!s->trial.is_on && s->plan.slot == s->running.boot.running);
    s->trial.is_on = true;
    s->trial.begun_ms = s->now_ms;
    tell(s, MOULT_REPORT_TRIAL, false);
}

/* --- the verdict --- */

static uint32_t timeout_ms(const struct moult_session *s)
{
    uint32_t timeout_s = s->plan.confirm_timeout_s;
    return (timeout_s ? timeout_s : s->config.confirm_timeout_s) * 1000;
}

static void join(char *out, size_t size, const char *first, const char *second)
{
    size_t a = strlen(first), b = strlen(second);
    if (a > size - 1) { a = size - 1; }
    if (b > size - 1 - a) { b = size - 1 - a; }
    memcpy(out, first, a);
    memcpy(out + a, second, b);
    out[a + b] = '\0';
}

static enum moult_state condemn(struct moult_session *s, enum moult_detail detail,
                                enum moult_reason reason, const char *name, const char *how)
{
    moult_trouble_as(s, detail, reason, 0);
    s->plan.verdict = s->trouble;
    join(s->plan.verdict_text, sizeof s->plan.verdict_text, name, how);
    return MOULT_STATE_ROLLBACK;
}

/* Ask the next check that is still waiting; at most one per step. */
static enum moult_state ask_check(struct moult_session *s, uint64_t age_ms)
{
    uint8_t i = s->trial.next;
    assert(s->trial.count <= MOULT_HEALTH_MAX);
    if (i >= s->trial.count) { return (enum moult_state)s->state; }
    s->trial.next++;
    if (s->trial.result[i] == MOULT_HEALTH_OK) { return (enum moult_state)s->state; }

    const struct moult_health_check *check = &s->trial.checks[i];
    enum moult_health result = check->run(check->context);
    if (result != MOULT_HEALTH_WAIT) {
        moult_note(s, MOULT_LOG_INFO, MOULT_LOG_HEALTH, i, result);
    }
    s->trial.result[i] = (uint8_t)result;
    enum moult_reason reason =
        check->reason ? (enum moult_reason)check->reason : MOULT_R_TRIAL_SELFTEST;
    if (result == MOULT_HEALTH_FAILED) {
        return condemn(s, MOULT_D_SELFTEST, reason, check->name, "");
    }
    uint32_t deadline = check->deadline_ms;
    if (result == MOULT_HEALTH_WAIT && deadline != 0 && age_ms >= deadline) {
        return condemn(s, MOULT_D_SELFTEST, reason, check->name, ": no answer");
    }
    return (enum moult_state)s->state;
}

/* The first check that has not passed; count: all have. */
static unsigned missing_check(const struct moult_session *s)
{
    unsigned i = 0;
    while (i < s->trial.count && s->trial.result[i] == MOULT_HEALTH_OK) {
        i++;
    }
    return i;
}

static bool is_proven(const struct moult_session *s)
{
    return missing_check(s) == s->trial.count && s->trial.has_contact;
}

static enum moult_state time_out(struct moult_session *s)
{
    unsigned i = missing_check(s);
    uint16_t why = s->contact.failure.reason;
    bool no_link =
        s->contact.failures > 0 && (why == MOULT_R_NET_DNS || why == MOULT_R_NET_CONNECT);
    enum moult_reason reason = no_link ? MOULT_R_TRIAL_NO_NETWORK : MOULT_R_TRIAL_NO_SERVER;
    const char *what = "server";
    if (i < s->trial.count) {
        uint16_t own = s->trial.checks[i].reason;
        what = s->trial.checks[i].name;
        reason = own ? (enum moult_reason)own : MOULT_R_TRIAL_TIMEOUT;
    }
    return condemn(s, MOULT_D_CONFIRM_TIMEOUT, reason, what, ": missing");
}

enum moult_state moult_trial_tick(struct moult_session *s)
{
    enum moult_state stay = (enum moult_state)s->state;
    if (!s->trial.is_on) { return stay; }
    uint64_t age_ms = s->now_ms - s->trial.begun_ms;
    enum moult_state next = stay;
    if (s->trial.is_rejected) {
        next = condemn(s, MOULT_D_REVERTED, MOULT_R_TRIAL_MANUAL, "given up", "");
    } else if (s->trial.next < s->trial.count) {
        next = ask_check(s, age_ms);
    } else if (s->now_ms >= s->trial.poll_ms) {
        s->trial.next = 0; /* another round */
        s->trial.poll_ms = s->now_ms + POLL_MS;
    }
    if (next == stay && is_proven(s)) { next = MOULT_STATE_CONFIRM; }
    if (next == stay && age_ms >= timeout_ms(s)) { next = time_out(s); }
    if (next == stay) { return stay; }
    s->port->http_cancel(s->port->context);
    s->trial.is_on = false;
    return next;
}

/* --- CONFIRM: verdict journalled, marked valid, floor, eFuses, report --- */

/* The image that runs is the one that otadata selects and the journal names: anything else
 * would mark another slot valid. */
static bool may_confirm(struct moult_session *s)
{
    struct moult_boot_info boot;
    return s->port->boot_info(s->port->context, &boot) == 0 &&
           boot.running == s->plan.slot && boot.selected == boot.running &&
           memcmp(s->running.digest, s->plan.digest, 32) == 0;
}

static enum moult_state mark_valid(struct moult_session *s)
{
    bool may = may_confirm(s);
    int32_t native = may ? s->port->mark_valid(s->port->context) : 0;
    /* And looked at again: a write that only claimed to be done confirms nothing. */
    if (may && native == 0 && !moult_is_unconfirmed(s)) {
        s->running.boot.state = MOULT_SLOT_VALID;
        s->phase++;
        return MOULT_STATE_CONFIRM;
    }
    moult_wait_for(s, RETRY_MS);
    if (++s->trial.mark_tries < MARK_TRIES_MAX) { return MOULT_STATE_CONFIRM; }
    moult_trouble_as(s, may ? MOULT_D_SET_BOOT : MOULT_D_SLOT_MISMATCH,
                     MOULT_R_CONFIRM_FAILED, native);
    s->plan.verdict = s->trouble;
    join(s->plan.verdict_text, sizeof s->plan.verdict_text, "mark valid", "");
    return MOULT_STATE_ROLLBACK;
}

static void raise_floor(struct moult_session *s)
{
    assert(s->plan.rollback_floor <= s->plan.sequence);
    if (moult_floor_raise(s, s->plan.rollback_floor) == MOULT_OK) { return; }
    /* The image is good and stays; its own record still holds the floor up. */
    moult_trouble(s, MOULT_D_FLOOR_WRITE, s->trouble.native);
    tell(s, MOULT_REPORT_EVENT, true);
}

/* Where the product raises it. Asked for again afterwards: a burn that was cut can leave a
 * hole, and the number of bits then stays short for good. */
static void raise_secure_version(struct moult_session *s)
{
    const struct moult_port *port = s->port;
    uint32_t wanted = s->plan.secure_version;
    if (!port->raise_secure_version || !port->secure_version ||
        port->secure_version(port->context) >= wanted) {
        return;
    }
    int32_t native = port->raise_secure_version(port->context, wanted);
    if (native == 0 && port->secure_version(port->context) >= wanted) { return; }
    moult_trouble(s, MOULT_D_EFUSE, native); /* the image is good and stays */
    tell(s, MOULT_REPORT_EVENT, true);
}

static enum moult_state finish(struct moult_session *s)
{
    moult_note(s, MOULT_LOG_INFO, MOULT_LOG_CONFIRMED, s->plan.slot,
               (uint32_t)s->plan.sequence);
    /* Not journalled: the next boot comes here again, finds the report waiting, and ends it
     * then. */
    moult_unstored(s, moult_journal_stage(s, MOULT_STAGE_NONE));
    s->plan.stage = MOULT_STAGE_NONE;
    s->contact.facts_due = true;
    moult_contact_soon(s);
    return MOULT_STATE_IDLE;
}

enum moult_state moult_state_CONFIRM(struct moult_session *s)
{
    enum { VERDICT, MARK, FLOOR, FUSES, REPORT, FINISH };
    switch (s->phase) {
    case VERDICT:
        if (s->plan.stage == MOULT_STAGE_NONE) { return MOULT_STATE_IDLE; }
        if (s->plan.stage != MOULT_STAGE_PASSED &&
            moult_journal_stage(s, MOULT_STAGE_PASSED) != MOULT_OK) {
            moult_wait_for(s,
                           RETRY_MS); /* unjournalled, a cut now would look like a crash */
            if (++s->trial.mark_tries < MARK_TRIES_MAX) { return MOULT_STATE_CONFIRM; }
        }
        s->trial.mark_tries = 0;
        break;
    case MARK:
        return mark_valid(s);
    case FLOOR:
        /* The image is valid, there is no way back now: its data may take their place. */
        if (moult_components_are_due(s)) { return MOULT_STATE_APPLY; }
        raise_floor(s);
        break;
    case FUSES:
        raise_secure_version(s);
        break;
    case REPORT:
        if (s->parts.is_failed) { break; }
        if (!tell(s, MOULT_REPORT_CONFIRMED, false) &&
            ++s->trial.mark_tries < MARK_TRIES_MAX) {
            moult_wait_for(s, RETRY_MS);
            return MOULT_STATE_CONFIRM;
        } /* lost: the server sees what runs, and is told when it orders it again */
        break;
    default:
        return finish(s);
    }
    s->phase++;
    return MOULT_STATE_CONFIRM;
}

/* --- ROLLBACK: verdict journalled, marked invalid, reboot --- */

/* Nothing else to boot, or nobody to ask: it stays, unconfirmed, and says so. */
static enum moult_state stay(struct moult_session *s)
{
    tell(s, MOULT_REPORT_EVENT, true);
    moult_contact_soon(s);
    return MOULT_STATE_IDLE;
}

/* A bootloader without rollback knows neither state. */
static bool has_rollback(const struct moult_boot_info *boot)
{
    return boot->state == MOULT_SLOT_PENDING || boot->state == MOULT_SLOT_VALID;
}

/* 0: otadata does not select this image any more. */
static int32_t take_back(struct moult_session *s, const struct moult_boot_info *boot)
{
    const struct moult_port *port = s->port;
    /* An attempt that failed half way has taken this image's entry away already: now the
     * entry that counts is the old image's, and marking would mark that one. */
    if (boot->selected != boot->running) { return 0; }
    int32_t native = port->mark_invalid_and_reboot(port->context);
    /* Without rollback: select the old slot ourselves. Never the running one, and never
     * where there is rollback: the old image would be on trial, and unconfirmed lose its
     * place at the next reset. */
    bool may_select = !has_rollback(boot) && s->plan.from < port->slot_count &&
                      s->plan.from != boot->running;
    return native != 0 && may_select ? port->set_boot(port->context, s->plan.from) : native;
}

static enum moult_state go_back(struct moult_session *s)
{
    struct moult_boot_info boot;
    if (s->config.before_reboot) { s->config.before_reboot(s->config.context); }
    int32_t native = s->port->boot_info(s->port->context, &boot);
    if (native == 0) { native = take_back(s, &boot); }
    if (native == 0) { return MOULT_STATE_REBOOT; }
    if (++s->trial.mark_tries < MARK_TRIES_MAX) {
        moult_wait_for(s, RETRY_MS);
        return MOULT_STATE_ROLLBACK;
    }
    moult_trouble(s, MOULT_D_SET_BOOT, native);
    return moult_is_unconfirmed(s) ? MOULT_STATE_REBOOT : stay(s);
}

enum moult_state moult_state_ROLLBACK(struct moult_session *s)
{
    s->trial.is_on = false;
    if (s->plan.stage == MOULT_STAGE_NONE) { return MOULT_STATE_IDLE; }
    if (s->phase == 0) {
        /* Unjournalled, the old image reports a crash instead of the reason: go back all
         * the same. */
        moult_unstored(s, moult_journal_stage(s, MOULT_STAGE_FAILED));
        s->phase = 1;
        s->trial.mark_tries = 0;
        return MOULT_STATE_ROLLBACK;
    }
    return go_back(s);
}

enum moult_state moult_state_REBOOT(struct moult_session *s)
{
    if (!s->is_rebooting) { s->port->reboot(s->port->context); }
    s->is_rebooting = true;
    return MOULT_STATE_REBOOT;
}
