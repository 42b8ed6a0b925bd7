/* policy.c - what the assignment's policy and the application allow, and when. */
#include <assert.h>
#include <string.h>
#include "device/src/flow.h"
#include "device/src/store.h"

static bool has(const struct moult_session *s, unsigned key)
{
    assert(key >= MOULT_POLICY_GIVE_UP && key <= MOULT_POLICY_LIFT_BLOCK);
    return s->policy.present & (1u << key);
}

static bool is_past(const struct moult_session *s, uint32_t after_iat_s)
{
    uint64_t now_s = moult_now_s(s);
    return now_s != 0 && now_s > s->iat_s + after_iat_s;
}

enum moult_gate moult_policy_admits(struct moult_session *s, const uint8_t release[32],
                                    const uint8_t deployment[16])
{
    const struct moult_block *block = moult_blocks_find(s, release);
    bool is_same = block && memcmp(block->deployment, deployment, 16) == 0;
    bool is_lifted = block && !is_same && s->policy.lift_block == 1;
    if (is_lifted) {
        if (moult_blocks_lift(s, release) == MOULT_OK) {
            block = NULL;
        } /* else it still holds */
    }
    if (block && block->failures >= s->config.failures_max) {
        moult_trouble(s, MOULT_D_BLOCKED, block->failures);
        return MOULT_GATE_ENDED;
    }
    bool is_plan = s->plan.stage != MOULT_STAGE_NONE &&
                   memcmp(s->plan.deployment, deployment, 16) == 0;
    uint32_t made = is_plan ? s->plan.attempts : 0;
    bool is_used_up =
        has(s, MOULT_POLICY_ATTEMPTS) && made >= s->policy.attempts && made > 0;
    if (is_used_up ||
        (block && is_same)) { /* lost its trial: never again under this order */
        moult_trouble(s, MOULT_D_ATTEMPTS, (int32_t)made);
        return MOULT_GATE_ENDED;
    }
    if (has(s, MOULT_POLICY_GIVE_UP) && is_past(s, s->policy.give_up_s)) {
        moult_trouble(s, MOULT_D_DEADLINE, 0);
        return MOULT_GATE_ENDED;
    }
    return MOULT_GATE_OPEN;
}

static bool is_window_open(const struct moult_session *s, uint8_t use)
{
    bool is_free = true;
    assert(use == MOULT_WINDOW_DOWNLOAD || use == MOULT_WINDOW_ACTIVATE);
    assert(s->policy.window_count <= MOULT_ASSIGNMENT_WINDOWS_MAX);
    uint64_t now_s = moult_now_s(s);
    for (unsigned i = 0; i < s->policy.window_count; i++) {
        const struct moult_window *w = &s->policy.windows[i];
        if (w->use != MOULT_WINDOW_BOTH && w->use != use) { continue; }
        is_free = false;
        if (now_s != 0 && now_s >= w->from_s && now_s < w->to_s) { return true; }
    }
    return is_free;
}

static bool is_battery_low(const struct moult_session *s)
{
    uint8_t percent;
    uint16_t millivolt;
    return has(s, MOULT_POLICY_BATTERY) && s->port->battery &&
           s->port->battery(s->port->context, &percent, &millivolt) &&
           percent < s->policy.battery_percent;
}

static bool is_signal_weak(const struct moult_session *s)
{
    if (!has(s, MOULT_POLICY_SIGNAL) || !s->port->signal) { return false; }
    return s->port->signal(s->port->context) > s->policy.signal_dbm;
}

enum moult_gate moult_policy_gate(struct moult_session *s, uint8_t use)
{
    if (has(s, MOULT_POLICY_GIVE_UP) && is_past(s, s->policy.give_up_s)) {
        moult_trouble(s, MOULT_D_DEADLINE, 0);
        return MOULT_GATE_ENDED;
    }
    if (!is_window_open(s, use)) {
        moult_trouble(s, MOULT_D_DEFER_WINDOW, 0);
        return MOULT_GATE_CLOSED;
    }
    if (is_battery_low(s)) {
        moult_trouble(s, MOULT_D_DEFER_BATTERY, 0);
        return MOULT_GATE_CLOSED;
    }
    if (use == MOULT_WINDOW_DOWNLOAD && is_signal_weak(s)) {
        moult_trouble_as(s, MOULT_D_NONE, MOULT_R_PRE_LINK_POOR, 0);
        return MOULT_GATE_CLOSED;
    }
    return MOULT_GATE_OPEN;
}

/* --- consent --- */

enum { DEFERRAL_S = 86400 }; /* so long a "later" lasts */

static bool is_deferral_known(const struct moult_session *s)
{
    return memcmp(s->deferral.deployment, s->contact.deployment, 16) == 0;
}

/* The server's number, or what this device counted down to: the lower one. */
static uint8_t deferrals_left(const struct moult_session *s)
{
    uint8_t given = s->policy.deferrals;
    return is_deferral_known(s) && s->deferral.left < given ? s->deferral.left : given;
}

static bool is_put_off(const struct moult_session *s)
{
    uint64_t now_s = moult_now_s(s);
    return is_deferral_known(s) && s->deferral.since_s != 0 && now_s != 0 &&
           now_s < s->deferral.since_s + DEFERRAL_S;
}

/* "Later", where the policy limits how often. False: it was said often enough. */
static bool put_off(struct moult_session *s)
{
    if (!has(s, MOULT_POLICY_DEFERRALS) || is_put_off(s)) { return true; }
    uint8_t left = deferrals_left(s);
    if (left == 0) { return false; }
    memcpy(s->deferral.deployment, s->contact.deployment, 16);
    s->deferral.left = (uint8_t)(left - 1);
    s->deferral.since_s = moult_now_s(s);
    s->contact.told.detail = 0; /* each is told: the server counts them, too */
    moult_unstored(s, moult_deferral_store(s));
    return true;
}

enum moult_gate moult_policy_ask(struct moult_session *s, const struct moult_offer *offer,
                                 enum moult_report_kind *kind)
{
    enum moult_answer answer =
        offer->consent_needed ? MOULT_ANSWER_LATER : MOULT_ANSWER_YES;
    if (s->config.may_update) { answer = s->config.may_update(s->config.context, offer); }
    bool was_put_off = is_put_off(s);
    if (answer == MOULT_ANSWER_LATER && offer->consent_needed && !put_off(s)) {
        answer = MOULT_ANSWER_YES; /* the last deferral was taken before */
    }
    *kind = MOULT_REPORT_DEFERRED;
    switch (answer) {
    case MOULT_ANSWER_YES:
        return MOULT_GATE_OPEN;
    case MOULT_ANSWER_NO:
        moult_trouble_as(s, MOULT_D_DEFER_CONSENT, MOULT_R_PRE_USER_DECLINED, 0);
        return MOULT_GATE_ENDED;
    case MOULT_ANSWER_LATER:
        break;
    }
    if (offer->consent_needed) {
        *kind = MOULT_REPORT_USER_DEFERRED;
        moult_trouble(s, MOULT_D_DEFER_CONSENT, 0);
        if (was_put_off) { moult_flow_was_told(s, *kind); }
    } else {
        moult_trouble_as(s, MOULT_D_DEFER_CONSENT, MOULT_R_PRE_BUSY, 0);
    }
    return MOULT_GATE_CLOSED;
}

/* The offer as the application sees it. */
struct moult_offer moult_policy_offer(const struct moult_session *s,
                                      const struct moult_plan *plan)
{
    bool is_waived =
        has(s, MOULT_POLICY_CONSENT_UNTIL) && is_past(s, s->policy.consent_until_s);
    return (struct moult_offer){
        .version = plan->version,
        .sequence = plan->sequence,
        .size = plan->size,
        .consent_needed = s->policy.consent == 1 && !is_waived,
        .deferrals_left = deferrals_left(s),
    };
}
