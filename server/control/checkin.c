/* checkin.c - see checkin.h: who is admitted, and the answers that need no database. */
#include "server/control/checkin.h"
#include <stdio.h>
#include <string.h>
#include "formats/codes.h"
#include "server/control/internal.h"
#include "server/control/orders.h"
#include "server/control/pacing.h"
#include "server/rollout/assignment.h"

static const char *const state_words[] = {NULL,       "pending",     "accepted",
                                          "rejected", "quarantined", "retired"};

const char *device_state_word(unsigned state)
{
    return state >= 1 && state < DEVICE_STATE_COUNT ? state_words[state] : "?";
}

enum device_state device_state_parse(const char *word)
{
    for (unsigned i = 1; i < DEVICE_STATE_COUNT; i++) {
        if (strcmp(state_words[i], word) == 0) { return (enum device_state)i; }
    }
    return (enum device_state)0;
}

/* --- who may speak -------------------------------------------------------------------- */

/* 0, or the status to refuse with. */
static uint16_t refuse_state(unsigned state, uint16_t *detail)
{
    *detail = MOULT_D_NONE;
    if (state == DEVICE_REJECTED) {
        *detail = MOULT_D_API_REVOKED;
        return 401;
    }
    if (state == DEVICE_RETIRED) {
        *detail = MOULT_D_API_DEVICE_STATE;
        return 410;
    }
    return 0;
}

uint16_t control_admit(struct control *control, const uint8_t spki_sha256[32],
                       struct control_identity *out, uint16_t *detail)
{
    uint32_t index = device_table_find_spki(control->devices, spki_sha256);
    *out = (struct control_identity){.is_known = index != DEVICE_NONE};
    memcpy(out->device_id, spki_sha256, sizeof out->device_id);
    *detail = MOULT_D_NONE;
    if (!out->is_known) {
        if (control->config.trust_on_first_use) { return 0; }
        *detail = MOULT_D_API_CERT;
        return 401;
    }
    struct device_durable device;
    device_table_get(control->devices, index, &device, NULL);
    memcpy(out->device_id, device.id, sizeof out->device_id);
    out->state = (enum device_state)device.state;
    return refuse_state(device.state, detail);
}

static void refuse(const struct control *control, struct control_checkin_result *result,
                   uint16_t status, uint16_t detail)
{
    *result = (struct control_checkin_result){
        .status = status,
        .detail = detail,
        .next_s = (uint32_t)((control->config.interval_pending_ms + 999) / 1000)};
    if (control->metrics.checkins_refused) {
        metrics_add(control->metrics.checkins_refused, 1);
    }
}

/* An unknown key: a pending device, unless too many came already. */
static enum control_path first_contact(struct control *control,
                                       const struct control_checkin_request *request,
                                       struct control_checkin_result *result)
{
    if (!control->config.trust_on_first_use) {
        refuse(control, result, 401, MOULT_D_API_CERT);
        return CONTROL_DONE;
    }
    if (memcmp(request->message->device_id, request->spki_sha256, 16) != 0) {
        refuse(control, result, 403, MOULT_D_API_DEVICE_ID);
        return CONTROL_DONE;
    }
    bool has_room = device_table_state_count(control->devices, DEVICE_PENDING) <
                        control->config.pending_max &&
                    device_table_count(control->devices) < control->config.devices_max;
    uint32_t tokens = atomic_load(&control->pending_tokens);
    while (has_room && tokens > 0 &&
           !atomic_compare_exchange_weak(&control->pending_tokens, &tokens, tokens - 1)) {}
    if (!has_room || tokens == 0) {
        refuse(control, result, 503, MOULT_D_API_BUSY);
        return CONTROL_DONE;
    }
    return CONTROL_NEEDS_WRITER;
}

/* --- the idle answer ------------------------------------------------------------------ */

/* Whether the message says anything that is not known already. */
static bool has_news(const struct moult_checkin *m, const struct device_durable *d)
{
    bool speaks = m->present & (1u << MOULT_CHECKIN_FACTS | 1u << MOULT_CHECKIN_REPORTS);
    return speaks || !d->has_running || m->running_state != d->running_state ||
           m->running_sequence != d->running_sequence ||
           m->keyset_version != d->keyset_version ||
           memcmp(m->running_digest, d->running_digest, 32) != 0;
}

/* Whether an assignment wants to hear of it, or the device could be offered one now. */
static bool has_business(struct control *control, const struct device_durable *d,
                         int64_t now_ms)
{
    if (d->is_watched) { return true; }
    if (d->state != DEVICE_ACCEPTED || d->assigned_state == 0) { return false; }
    if (d->assigned_state != ASSIGNMENT_PLANNED) { return true; }
    return now_ms >= d->assigned_not_before_ms &&
           rollout_cache_may_offer(&control->rollouts, d->assigned_rollout,
                                   d->assigned_phase);
}

static enum control_path answer_idle(struct control *control, uint32_t index,
                                     const struct device_durable *d,
                                     const struct control_checkin_request *request,
                                     struct control_checkin_result *result)
{
    struct pacing pacing = {.device_id = d->id,
                            .state = d->state,
                            .assigned_state = d->assigned_state,
                            .wait_ms = d->assigned_not_before_ms - request->now_ms,
                            .now_ms = request->now_ms};
    *result = (struct control_checkin_result){
        .status = 200,
        .next_s = pacing_next_s(&control->config, &pacing),
        .keyset_version = statement_cache_newest_keyset(&control->statements),
        .endpoints_version = control->endpoints.version,
        .server_time_ms = (uint64_t)request->now_ms,
        .send_facts = !d->has_facts};
    if (d->state != DEVICE_PENDING) {
        struct order order = {.action = MOULT_ACTION_NONE,
                              .device_id = d->id,
                              .nonce = request->message->nonce,
                              .now_ms = request->now_ms,
                              .class_index = d->class_index,
                              .counter = device_table_next_counter(
                                  control->devices, index, request->message->counter,
                                  atomic_load(&control->counter_floor), request->now_ms)};
        if (order_write(control, &order, result) != MOULT_OK) {
            refuse(control, result, 500, MOULT_D_API_INTERNAL);
            return CONTROL_DONE;
        }
    }
    struct device_seen seen = {
        .now_ms = request->now_ms, .next_s = result->next_s, .address = request->address};
    device_table_seen(control->devices, index, &seen);
    if (control->metrics.checkins_fast) { metrics_add(control->metrics.checkins_fast, 1); }
    return CONTROL_DONE;
}

enum control_path control_checkin_fast(struct control *control,
                                       const struct control_checkin_request *request,
                                       struct control_checkin_result *result)
{
    uint32_t index = device_table_find_spki(control->devices, request->spki_sha256);
    if (index == DEVICE_NONE) { return first_contact(control, request, result); }
    struct device_durable d;
    device_table_get(control->devices, index, &d, NULL);
    uint16_t detail = MOULT_D_NONE;
    uint16_t refused = refuse_state(d.state, &detail);
    if (refused != 0) {
        refuse(control, result, refused, detail);
        return CONTROL_DONE;
    }
    if (memcmp(request->message->device_id, d.id, sizeof d.id) != 0) {
        refuse(control, result, 403, MOULT_D_API_DEVICE_ID);
        return CONTROL_DONE;
    }
    if (has_news(request->message, &d) || has_business(control, &d, request->now_ms)) {
        return CONTROL_NEEDS_WRITER;
    }
    return answer_idle(control, index, &d, request, result);
}

void control_checkin_reply(const struct control_checkin_result *result,
                           struct moult_bytes envelope, struct moult_cbor_writer *writer)
{
    struct moult_checkin_reply reply = {
        .next_s = result->next_s,
        .assignment = envelope,
        .keyset_version = result->keyset_version,
        .endpoints_version = result->endpoints_version,
        .server_time_ms = result->server_time_ms,
        .send_facts = result->send_facts,
    };
    for (unsigned i = 0; i < result->gone_count; i++) {
        reply.gone.deployment_id[i] = result->gone[i];
    }
    reply.gone.count = result->gone_count;
    if (envelope.size > 0) { reply.present |= 1u << MOULT_REPLY_ASSIGNMENT; }
    if (result->keyset_version) { reply.present |= 1u << MOULT_REPLY_KEYSET; }
    if (result->endpoints_version) { reply.present |= 1u << MOULT_REPLY_ENDPOINTS; }
    if (result->server_time_ms) { reply.present |= 1u << MOULT_REPLY_TIME; }
    if (result->send_facts) { reply.present |= 1u << MOULT_REPLY_SEND_FACTS; }
    if (result->gone_count) { reply.present |= 1u << MOULT_REPLY_GONE; }
    moult_checkin_reply_write(writer, &reply);
}
