/* admin.c - audit, events and idempotent answers for operators. See admin.h. */
#include "server/control/admin.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "formats/bytes.h"
#include "server/base/mem.h"
#include "server/control/audit.h"
#include "server/control/ids.h"
#include "server/control/internal.h"
#include "server/control/page.h"
#include "server/control/problem.h"
#include "server/store/store_admin.h"
#include "server/store/store_device.h"
#include "server/store/store_event.h"
#include "server/store/store_rollout.h"

#define IDEMPOTENCY_KEPT_MS ((int64_t)24 * 3600 * 1000)

static json_t *json_of_text(const char *text)
{
    json_t *object = text ? json_loads(text, 0, NULL) : NULL;
    return object ? object : json_object();
}

/* --- audit ---------------------------------------------------------------------------- */

static bool add_audit(void *context, const struct store_audit *row)
{
    char time[CLOCK_RFC3339_SIZE], hash[65], cursor[ID_TEXT_SIZE];
    clock_rfc3339((uint64_t)row->time_ms, time);
    moult_hex_encode(row->hash, 32, hash);
    snprintf(cursor, sizeof cursor, "%" PRIu64, row->index);
    json_t *item = json_pack("{s:I, s:s, s:s, s:s, s:s, s:o, s:s?, s:s}", "index",
                             (json_int_t)row->index, "time", time, "actor", row->actor,
                             "action", row->action, "object", row->object, "detail",
                             json_of_text(row->detail), "peer", row->peer, "hash", hash);
    return page_add(context, item, cursor);
}

enum moult_status control_audit_list(const struct control_call *call,
                                     const struct control_page *page, json_t **out)
{
    struct page_builder builder;
    int64_t after = 0;
    enum moult_status st = page_number(call, page, &after);
    if (st != MOULT_OK) { return st; }
    st = page_begin(page, &builder);
    if (st != MOULT_OK) { return problem_store(call, st); }
    st =
        store_audit_each(call->db, (uint64_t)after, builder.limit + 1, add_audit, &builder);
    return problem_store(call, page_end(&builder, st, out));
}

enum moult_status control_audit_verify(const struct control_call *call)
{
    struct audit_chain chain = {.crypto = call->control->parts.crypto,
                                .fleet_id = call->control->config.fleet_id};
    uint64_t rows = 0, bad = 0;
    enum moult_status st = audit_verify(call->db, &chain, &rows, &bad);
    if (st == MOULT_E_DIGEST) {
        char have[64];
        snprintf(have, sizeof have, "audit row %" PRIu64 " does not continue the chain",
                 bad);
        problem_set(call->problem, MOULT_D_STORE_CORRUPT, "an unbroken chain", have);
        return st;
    }
    return problem_store(call, st);
}

/* --- events --------------------------------------------------------------------------- */

static bool add_event(void *context, const struct store_event *event)
{
    char time[CLOCK_RFC3339_SIZE], id[ID_TEXT_SIZE], device[33], rollout[ID_TEXT_SIZE];
    clock_rfc3339((uint64_t)event->time_ms, time);
    event_id_write(event->time_ms, event->num, id);
    moult_hex_encode(event->device_id, 16, device);
    id_write("rol", event->rollout_id, rollout);
    json_t *item = json_pack("{s:s, s:s, s:s?, s:s?, s:s, s:s, s:o}", "id", id, "time",
                             time, "device", event->has_device ? device : NULL, "rollout",
                             event->has_rollout ? rollout : NULL, "kind", event->kind,
                             "text", event->text, "data", json_of_text(event->data));
    return page_add(context, item, id);
}

static enum moult_status device_num(const struct control_call *call, const char *text,
                                    int64_t *num)
{
    struct store_device device;
    enum moult_status st = device_named(call, text, &device);
    if (st == MOULT_OK) { *num = device.num; }
    return st;
}

static enum moult_status rollout_num(const struct control_call *call, const char *text,
                                     int64_t *num)
{
    struct control_rollout rollout;
    if (!rollout_cache_copy_by_name(&call->control->rollouts, text, &rollout)) {
        return problem_field(call->problem, MOULT_D_API_NOT_FOUND, "rollout", "rollout",
                             text);
    }
    *num = rollout.num;
    return MOULT_OK;
}

static enum moult_status list_events(const struct control_call *call,
                                     const struct store_event_query *query,
                                     const struct control_page *page, json_t **out)
{
    struct page_builder builder;
    struct store_event_query wanted = *query;
    const char *cursor = page->cursor;
    if (cursor && !event_id_parse(cursor, &wanted.after)) {
        return problem_field(call->problem, MOULT_D_API_QUERY, "cursor", "an event's id",
                             cursor);
    }
    enum moult_status st = page_begin(page, &builder);
    if (st != MOULT_OK) { return problem_store(call, st); }
    wanted.limit = builder.limit + 1;
    st = store_event_each(call->db, &wanted, add_event, &builder);
    return problem_store(call, page_end(&builder, st, out));
}

enum moult_status control_event_list(const struct control_call *call,
                                     const struct control_event_filter *filter,
                                     const struct control_page *page, json_t **out)
{
    struct store_event_query query = {0};
    struct control_page from = *page;
    if (!from.cursor) { from.cursor = filter->after; }
    enum moult_status st = MOULT_OK;
    if (filter->device) { st = device_num(call, filter->device, &query.device); }
    if (st == MOULT_OK && filter->rollout) {
        st = rollout_num(call, filter->rollout, &query.rollout);
    }
    return st == MOULT_OK ? list_events(call, &query, &from, out) : st;
}

enum moult_status control_device_history(const struct control_call *call, const char *id,
                                         const struct control_page *page, json_t **out)
{
    struct store_event_query query = {.newest_first = true};
    enum moult_status st = device_num(call, id, &query.device);
    return st == MOULT_OK ? list_events(call, &query, page, out) : st;
}

/* --- idempotency ---------------------------------------------------------------------- */

static void keep_reply(void *context, const char *reply)
{
    *(json_t **)context = json_loads(reply, JSON_DECODE_ANY, NULL);
}

/* Room for one more. */
static enum moult_status check_room(const struct control_call *call)
{
    uint32_t count = 0;
    enum moult_status st = store_idempotency_count(call->db, &count);
    if (st != MOULT_OK || count < IDEMPOTENCY_KEYS_MAX) { return st; }
    st = store_idempotency_purge(call->db, call->now_ms - IDEMPOTENCY_KEPT_MS);
    if (st == MOULT_OK) { st = store_idempotency_count(call->db, &count); }
    if (st != MOULT_OK || count < IDEMPOTENCY_KEYS_MAX) { return st; }
    problem_field(call->problem, MOULT_D_API_BUSY, "Idempotency-Key",
                  "10,000 answers kept for a day", "more");
    problem_hint(call->problem, "leave Idempotency-Key out, or wait");
    return MOULT_E_BUSY;
}

enum moult_status control_idempotency_find(const struct control_call *call,
                                           const struct control_idempotency *use,
                                           uint16_t *status, json_t **reply)
{
    struct store_idempotency row = {.token = use->token, .key = use->key};
    json_t *kept = NULL;
    enum moult_status st = store_idempotency_find(call->db, &row, keep_reply, &kept);
    if (st == MOULT_OK && row.time_ms < call->now_ms - IDEMPOTENCY_KEPT_MS) {
        st = MOULT_E_NOENT;
    }
    if (st == MOULT_OK && memcmp(row.body_sha256, use->body_sha256, 32) != 0) {
        problem_field(call->problem, MOULT_D_API_IDEMPOTENCY, "Idempotency-Key",
                      "the same request", use->key);
        st = MOULT_E_CONFLICT;
    }
    if (st == MOULT_OK && !kept) { st = MOULT_E_NOMEM; }
    if (st != MOULT_OK) {
        json_decref(kept);
        if (st == MOULT_E_NOENT) { st = check_room(call); }
        return st == MOULT_OK ? MOULT_E_NOENT : problem_store(call, st);
    }
    *status = row.status;
    *reply = kept;
    return MOULT_OK;
}

enum moult_status control_idempotency_store(const struct control_call *call,
                                            const struct control_idempotency *use,
                                            uint16_t status, struct moult_bytes reply)
{
    enum moult_status st =
        store_idempotency_purge(call->db, call->now_ms - IDEMPOTENCY_KEPT_MS);
    if (st != MOULT_OK) { return st; }
    char *text = mem_alloc(reply.size + 1); /* zeroed */
    if (!text) { return MOULT_E_NOMEM; }
    if (reply.size > 0) { memcpy(text, reply.data, reply.size); }
    struct store_idempotency row = {.token = use->token,
                                    .key = use->key,
                                    .status = status,
                                    .reply = text,
                                    .time_ms = call->now_ms};
    memcpy(row.body_sha256, use->body_sha256, 32);
    st = store_idempotency_put(call->db, &row);
    mem_free(text);
    return st;
}
