/* handle_status.c - version, status, products, events, audit, metrics. */
#include "server/base/buffer.h"
#include "server/control/admin.h"
#include "server/http/operator_api.h"

enum { METRICS_SIZE_MAX = 1024 * 1024 };

enum moult_status handle_version(struct http_request *request, const struct env *env,
                                 struct http_reply *reply)
{
    (void)env; /* nothing of the server's is told without a token */
    json_t *object = json_pack("{s:s, s:s}", "version", MOULT_VERSION, "api", "v1");
    return object ? operator_reply_as(request, reply, 200, object) : MOULT_E_NOMEM;
}

enum moult_status handle_status(struct http_request *request, const struct env *env,
                                struct http_reply *reply)
{
    struct operator_call call;
    json_t *status = NULL;
    if (!operator_call_begin(request, env, NULL, &call, reply)) { return MOULT_OK; }
    enum moult_status st = control_status(&call.control, &status);
    if (st != MOULT_OK) { return operator_reply(request, &call, st, NULL, reply); }

    char now[CLOCK_RFC3339_SIZE];
    clock_rfc3339(request->realtime_ms, now);
    bool connected = env->broker_connected && env->broker_connected(env->broker);
    json_t *more = json_pack(
        "{s:s, s:I, s:s, s:{s:b, s:b}, s:{s:b}}", "version", MOULT_VERSION, "uptime_s",
        (json_int_t)((request->monotonic_ms - env->started_ms) / 1000u), "time", now,
        "broker", "configured", env->broker_connected != NULL, "connected", connected,
        "signer", "connected", signer_client_is_connected(env->signer));
    if (!more || json_object_update(status, more) != 0) {
        json_decref(more);
        json_decref(status);
        return MOULT_E_NOMEM;
    }
    json_decref(more);
    return operator_reply_as(request, reply, 200, status);
}

enum moult_status handle_products(struct http_request *request, const struct env *env,
                                  struct http_reply *reply)
{
    struct operator_call call;
    json_t *list = NULL;
    if (!operator_call_begin(request, env, NULL, &call, reply)) { return MOULT_OK; }
    enum moult_status st = control_products(&call.control, &list);
    return operator_reply(request, &call, st, list, reply);
}

enum moult_status handle_events(struct http_request *request, const struct env *env,
                                struct http_reply *reply)
{
    static const char *const known[] = {"rollout", "device", "after", NULL};
    struct operator_call call;
    struct control_page page;
    json_t *list = NULL;
    if (!operator_call_begin(request, env, known, &call, reply) ||
        !operator_page(request, &page, reply)) {
        return MOULT_OK;
    }
    struct control_event_filter filter = {.rollout = http_request_query(request, "rollout"),
                                          .device = http_request_query(request, "device"),
                                          .after = http_request_query(request, "after")};
    enum moult_status st = control_event_list(&call.control, &filter, &page, &list);
    return operator_reply(request, &call, st, list, reply);
}

enum moult_status handle_audit(struct http_request *request, const struct env *env,
                               struct http_reply *reply)
{
    struct operator_call call;
    struct control_page page;
    json_t *list = NULL;
    if (!operator_call_begin(request, env, NULL, &call, reply) ||
        !operator_page(request, &page, reply)) {
        return MOULT_OK;
    }
    enum moult_status st = control_audit_list(&call.control, &page, &list);
    return operator_reply(request, &call, st, list, reply);
}

enum moult_status handle_metrics(struct http_request *request, const struct env *env,
                                 struct http_reply *reply)
{
    struct buffer text;
    buffer_init(&text, METRICS_SIZE_MAX);
    metrics_render(env->metrics, &text);
    void *kept = text.failed ? NULL : arena_copy(request->arena, text.data, text.size);
    size_t size = text.size;
    buffer_release(&text);
    if (!kept) { return MOULT_E_NOMEM; }
    http_reply_bytes(reply, 200, HTTP_TYPE_METRICS, kept, size);
    return MOULT_OK;
}
