/* handle_checkin.c - POST /device/v1/checkin: what a device asks all day long.
 *
 * An idle check-in is answered on the connection's thread from memory; anything that
 * changes the registry or a rollout goes through the writer and is answered after COMMIT.
 * Either way the order in the reply is signed by moult-signer, which answers on its
 * client's thread.
 */
#include "server/control/checkin.h"
#include "server/http/device_api.h"

/* One check-in under way; in the request's arena, which is ours until http_complete(). */
struct checkin_call {
    const struct env *env;
    struct http_handle handle;
    struct http_request *request;
    struct http_reply *reply;
    struct moult_checkin message;
    struct control_checkin_request asked;
    struct control_checkin_result result;
    uint64_t started_us;
};

static void complete(struct checkin_call *call)
{
    const struct env *env = call->env;
    metrics_observe_us(env->counts.checkin_us,
                       clock_monotonic_us(env->clock) - call->started_us);
    http_complete(env->server, call->handle);
}

static void set_busy(struct checkin_call *call, const char *have)
{
    uint64_t jitter = 0;
    if (!random_below(call->env->random, 10, &jitter)) { jitter = 5; }
    struct http_problem problem = {.status = 503,
                                   .code = MOULT_D_API_SIGNER,
                                   .have = have,
                                   .retry_after_s = 5u + (uint32_t)jitter};
    http_problem(call->request, call->reply, &problem);
}

static void set_reply(struct checkin_call *call, struct moult_bytes envelope)
{
    uint8_t *body = arena_alloc(call->request->arena, MOULT_REPLY_SIZE_MAX);
    struct moult_cbor_writer writer = {.status = MOULT_E_SPACE};
    if (body) {
        moult_cbor_writer_init(&writer, body, MOULT_REPLY_SIZE_MAX);
        control_checkin_reply(&call->result, envelope, &writer);
    }
    if (writer.status != MOULT_OK) {
        set_busy(call, "no memory");
        return;
    }
    http_reply_bytes(call->reply, 200, HTTP_TYPE_CBOR, body, writer.size);
}

static void set_refusal(struct checkin_call *call)
{
    const struct control_checkin_result *result = &call->result;
    struct http_problem problem = {.status = result->status,
                                   .code = result->detail,
                                   .want = "the rules of this code's page",
                                   .have = "see the page",
                                   .retry_after_s = result->next_s};
    http_problem(call->request, call->reply, &problem);
}

static void on_signed(void *context, uint16_t detail, struct moult_bytes body)
{
    struct checkin_call *call = context;
    if (detail == 0) {
        set_reply(call, body);
    } else {
        char *why = arena_text(call->request->arena, (const char *)body.data, body.size);
        log_warn(&call->env->log, "order_not_signed", "detail", detail, "why",
                 why ? why : "-", "request", call->request->id);
        set_busy(call, "the order was not signed");
    }
    complete(call);
}

/* The result is final: sign the order if there is one, answer. */
static void answer(struct checkin_call *call)
{
    if (call->result.status != 200) {
        set_refusal(call);
        complete(call);
        return;
    }
    if (!call->result.is_order) {
        set_reply(call, (struct moult_bytes){0});
        complete(call);
        return;
    }
    struct moult_bytes payload = {call->result.payload, call->result.payload_size};
    enum moult_status st =
        signer_client_ask(call->env->signer, SIGNER_SIGN, payload, on_signed, call);
    if (st != MOULT_OK) {
        set_busy(call, moult_status_name(st));
        complete(call);
    }
}

static enum moult_status run_write(struct store_db *db, void *context)
{
    struct checkin_call *call = context;
    return control_checkin_write(call->env->control, db, &call->asked, &call->result);
}

static void done_write(void *context, enum moult_status status)
{
    struct checkin_call *call = context;
    if (status == MOULT_OK) {
        answer(call);
        return;
    }
    set_busy(call, "the store could not keep it");
    complete(call);
}

enum moult_status handle_checkin(struct http_request *request, const struct env *env,
                                 struct http_reply *reply)
{
    struct checkin_call *call = arena_alloc(request->arena, sizeof *call);
    if (!call) { return MOULT_E_NOMEM; }
    call->env = env;
    call->request = request;
    call->reply = reply;
    call->started_us = clock_monotonic_us(env->clock);
    struct moult_finding finding;
    if (moult_checkin_read(request->body, &call->message, &finding) != MOULT_OK) {
        metrics_add(env->counts.checkin_refused, 1);
        return http_fail(request, reply, MOULT_D_API_BODY, "a check-in message",
                         "other bytes");
    }
    call->asked = (struct control_checkin_request){.address = request->peer,
                                                   .message = &call->message,
                                                   .now_ms = (int64_t)request->realtime_ms};
    for (size_t i = 0; i < sizeof call->asked.spki_sha256; i++) {
        call->asked.spki_sha256[i] = request->spki_sha256[i];
    }
    enum control_path path =
        control_checkin_fast(env->control, &call->asked, &call->result);
    call->handle = http_reply_later(request, reply);
    if (path == CONTROL_DONE) {
        answer(call);
        return MOULT_OK;
    }
    struct store_job job = {
        .kind = "checkin", .run = run_write, .done = done_write, .context = call};
    if (store_write(env->store, &job) != MOULT_OK) {
        set_busy(call, "the writer's queue is full");
        complete(call);
    }
    return MOULT_OK;
}
