/* order.c - steps 4 to 6: who says so, to whom, how fresh; then what is to be done (state
 * ORDER). */
#include <assert.h>
#include <string.h>
#include "device/src/component.h"
#include "device/src/contact.h"
#include "device/src/outbox.h"
#include "device/src/route.h"
#include "device/src/store.h"

static enum moult_state refused(struct moult_session *s, enum moult_detail detail,
                                int32_t native)
{
    moult_trouble(s, detail, native);
    s->contact.order = (struct moult_bytes){NULL, 0};
    return moult_flow_refuse(s);
}

/* A newer keyset may know the signer, or be what the order asks for: look once per contact.
 * */
static bool should_look(struct moult_session *s, const struct moult_cose *cose)
{
    return !s->contact.keyset_tried &&
           !moult_keyset_knows_signer(&s->trust.keyset, MOULT_ROLE_ASSIGN, cose);
}

static struct moult_assignment_expect expectations(const struct moult_session *s)
{
    return (struct moult_assignment_expect){
        .keyset = &s->trust.keyset,
        .device_id = s->config.device_id,
        .nonce = s->contact.nonce,
        .records = s->orders,
        .record_count = s->order_count,
    };
}

/* Believed: trusted time, and what a trial waits for. */
static void accept(struct moult_session *s, const struct moult_assignment *order,
                   enum moult_detail note)
{
    s->time_base_s = order->iat_s;
    s->time_at_ms = s->now_ms;
    s->contact.has_nonce = false;
    if (s->trial.is_on) { s->trial.has_contact = true; }
    if (s->routes) { s->routes->hooks->believed(s); }
    uint64_t not_after = s->trust.keyset.not_after;
    if (note == MOULT_D_NONE && not_after != 0 && order->iat_s > not_after) {
        note = MOULT_D_KEYSET_EXPIRED; /* advisory: said, and nothing more */
    }
    if (note == MOULT_D_NONE) {
        bool is_event = moult_bytes_all(s->contact.told.deployment, 16, 0);
        if (is_event) { s->contact.told.detail = 0; } /* the next refusal is news again */
        return;
    }
    moult_trouble(s, note, 0);
    moult_flow_refuse(s); /* only the telling of it: the order stands */
}

/* On trial without a journal that says so (the store was lost): the other slot is the only
 * way back and is not to be written. Nobody will ever confirm this image, so after the time
 * that a trial may take the device makes the reset that brings the old one back. */
static enum moult_state leave_unconfirmed(struct moult_session *s)
{
    moult_trouble_as(s, MOULT_D_NONE, MOULT_R_PRE_PENDING_VERIFY, 0);
    moult_flow_tell(s, MOULT_REPORT_DEFERRED);
    bool is_over = s->now_ms / 1000 >= s->config.confirm_timeout_s;
    return is_over ? MOULT_STATE_REBOOT : MOULT_STATE_IDLE;
}

static enum moult_state begin_install(struct moult_session *s,
                                      const struct moult_assignment *order)
{
    static const uint8_t none[16];
    const uint8_t *deployment = order->deployment_id ? order->deployment_id : none;
    bool is_new = memcmp(s->contact.deployment, deployment, 16) != 0;
    if (is_new) { s->contact.held_until_ms = 0; }
    s->policy = order->policy;
    s->iat_s = order->iat_s;
    memcpy(s->contact.deployment, deployment, 16);
    memcpy(s->offer.deployment, deployment, 16);
    memcpy(s->offer.release, order->release_digest, 32);
    s->source_index = 0;
    /* The server may not have heard yet that this one has failed. */
    bool is_over = deployment != none && memcmp(s->contact.ended, deployment, 16) == 0;
    if (is_over || s->now_ms < s->contact.held_until_ms) { return MOULT_STATE_IDLE; }

    if (moult_policy_admits(s, s->offer.release, deployment) == MOULT_GATE_ENDED) {
        return s->trouble.detail == MOULT_D_DEADLINE ? moult_flow_drop(s)
                                                     : moult_flow_fail(s);
    }
    if (moult_is_unconfirmed(s)) { return leave_unconfirmed(s); }
    bool is_proven = s->plan.stage == MOULT_STAGE_VERIFIED &&
                     memcmp(s->plan.release, s->offer.release, 32) == 0;
    uint8_t use = is_proven ? MOULT_WINDOW_ACTIVATE : MOULT_WINDOW_DOWNLOAD;
    switch (moult_policy_gate(s, use)) {
    case MOULT_GATE_OPEN:
        return MOULT_STATE_RELEASE;
    case MOULT_GATE_CLOSED:
        return moult_flow_tell(s, MOULT_REPORT_DEFERRED);
    case MOULT_GATE_ENDED:
        break;
    }
    return moult_flow_drop(s);
}

/* A plan that a reset left behind its verdict, or a verdict that could not be stored. */
static bool end_old_plan(struct moult_session *s)
{
    bool is_lost =
        s->plan.stage == MOULT_STAGE_FAILED && s->plan.slot != s->running.boot.running;
    return is_lost ? moult_verdict_settle(s) : moult_plan_end(s);
}

/* Step 5. What is left of the last plan is ended first. */
static enum moult_state act(struct moult_session *s, const struct moult_assignment *order)
{
    if (s->trial.is_on || moult_components_are_due(s)) {
        return MOULT_STATE_IDLE;
    } /* one thing at a time: first the verdict, and what follows from it */
    if (s->plan.stage >= MOULT_STAGE_ARMED && !end_old_plan(s)) { return MOULT_STATE_IDLE; }
    s->contact.is_installing = order->action == MOULT_ACTION_INSTALL;
    bool is_rare = s->config.trigger == MOULT_TRIGGER_PUSH;
    if (s->contact.is_installing && is_rare) { /* the server's interval counts now */
        moult_contact_next(s, s->contact.interval_s);
    }
    switch (order->action) {
    case MOULT_ACTION_NONE:
        return MOULT_STATE_IDLE;
    case MOULT_ACTION_ABORT:
        moult_plan_end(s);
        return MOULT_STATE_IDLE;
    case MOULT_ACTION_KEYSET:
        s->contact.order = (struct moult_bytes){NULL, 0};
        return s->contact.keyset_tried ? MOULT_STATE_IDLE : MOULT_STATE_KEYSET;
    case MOULT_ACTION_INSTALL:
        return begin_install(s, order);
    default:
        return refused(s, MOULT_D_ACTION, order->action);
    }
}

static enum moult_state judge(struct moult_session *s, const struct moult_cose *cose)
{
    struct moult_assignment *order = &s->scratch.assignment;
    struct moult_assignment_expect expect = expectations(s);
    struct moult_finding why = {0};
    if (should_look(s, cose)) { return MOULT_STATE_KEYSET; }
    enum moult_status st =
        moult_assignment_verify(s->port->crypto, cose, &expect, order, &why);
    if (why.detail == MOULT_D_KEYSET_BEHIND && !s->contact.keyset_tried) {
        return MOULT_STATE_KEYSET;
    }
    if (st != MOULT_OK) {
        s->contact.has_nonce = false; /* one use, whatever came of it */
        return refused(s, (enum moult_detail)why.detail, 0);
    }
    accept(s, order, (enum moult_detail)why.detail);
    if (moult_orders_accept(s, order) != MOULT_OK) {
        return refused(s, MOULT_D_COUNTER_WRITE, s->trouble.native);
    }
    moult_note(s, MOULT_LOG_INFO, MOULT_LOG_ORDER, order->action, s->contact.interval_s);
    return act(s, order);
}

enum moult_state moult_state_ORDER(struct moult_session *s)
{
    struct moult_cose cose;
    struct moult_finding finding;
    if (s->disabled || !s->trust.is_good || s->contact.order.size == 0) {
        return MOULT_STATE_IDLE; /* told at boot; nothing an order says is believed */
    }
    if (moult_cose_parse(MOULT_STATEMENT_ASSIGNMENT, s->contact.order, &cose, &finding) !=
        MOULT_OK) {
        return refused(s, (enum moult_detail)finding.detail, 0);
    }
    bool is_fresh =
        s->contact.has_nonce && s->now_ms - s->contact.nonce_ms <= MOULT_NONCE_AGE_MAX_MS;
    if (!is_fresh) { return refused(s, MOULT_D_NONCE, 0); }
    return judge(s, &cose);
}
