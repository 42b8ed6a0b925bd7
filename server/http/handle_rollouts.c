/* handle_rollouts.c - /api/v1/rollouts. */
#include "server/control/rollouts.h"
#include "server/http/operator_api.h"
#include "server/http/idempotency.h"

static enum moult_status rollout_create(struct http_request *request, const struct env *env,
                                        struct http_reply *reply)
{
    struct operator_call call;
    json_t *rollout = NULL;
    if (!operator_call_begin(request, env, NULL, &call, reply)) { return MOULT_OK; }
    json_t *body = operator_body(request, reply);
    if (!body) { return MOULT_OK; }
    enum moult_status st = control_rollout_create(&call.control, body, &rollout);
    json_decref(body);
    if (st != MOULT_OK) { return operator_reply(request, &call, st, NULL, reply); }
    uint16_t status = call.control.dry_run ? 200 : 201;
    return operator_reply_as(request, reply, status, rollout);
}

enum moult_status handle_rollout_create(struct http_request *request, const struct env *env,
                                        struct http_reply *reply)
{
    return operator_once(request, env, reply, rollout_create);
}

enum moult_status handle_rollout_list(struct http_request *request, const struct env *env,
                                      struct http_reply *reply)
{
    static const char *const known[] = {"state", NULL};
    struct operator_call call;
    struct control_page page;
    json_t *list = NULL;
    if (!operator_call_begin(request, env, known, &call, reply) ||
        !operator_page(request, &page, reply)) {
        return MOULT_OK;
    }
    enum moult_status st = control_rollout_list(
        &call.control, http_request_query(request, "state"), &page, &list);
    return operator_reply(request, &call, st, list, reply);
}

enum moult_status handle_rollout_show(struct http_request *request, const struct env *env,
                                      struct http_reply *reply)
{
    struct operator_call call;
    json_t *rollout = NULL;
    if (!operator_call_begin(request, env, NULL, &call, reply)) { return MOULT_OK; }
    enum moult_status st =
        control_rollout_show(&call.control, http_request_param(request, "id"), &rollout);
    return operator_reply(request, &call, st, rollout, reply);
}

/* If-Match without its quotes, as control compares it; NULL: not sent. */
static const char *if_match(struct http_request *request)
{
    const char *given = http_request_header(request, "if-match");
    if (!given || given[0] != '"') { return given; }
    size_t size = 0;
    while (given[1 + size] && given[1 + size] != '"') {
        size++;
    }
    return arena_text(request->arena, given + 1, size);
}

static enum moult_status rollout_verb(struct http_request *request, const struct env *env,
                                      struct http_reply *reply)
{
    struct operator_call call;
    json_t *rollout = NULL;
    if (!operator_call_begin(request, env, NULL, &call, reply)) { return MOULT_OK; }
    json_t *body = operator_body(request, reply);
    if (!body) { return MOULT_OK; }
    struct control_rollout_change change = {
        .id = http_request_param(request, "id"),
        .verb = http_request_param(request, "verb"),
        .remark = json_string_value(json_object_get(body, "remark")),
        .if_match = if_match(request),
    };
    enum moult_status st = control_rollout_verb(&call.control, &change, &rollout);
    json_decref(body);
    return operator_reply(request, &call, st, rollout, reply);
}

enum moult_status handle_rollout_verb(struct http_request *request, const struct env *env,
                                      struct http_reply *reply)
{
    return operator_once(request, env, reply, rollout_verb);
}

enum moult_status handle_rollout_devices(struct http_request *request,
                                         const struct env *env, struct http_reply *reply)
{
    static const char *const known[] = {"state", NULL};
    struct operator_call call;
    struct control_page page;
    json_t *list = NULL;
    if (!operator_call_begin(request, env, known, &call, reply) ||
        !operator_page(request, &page, reply)) {
        return MOULT_OK;
    }
    enum moult_status st =
        control_rollout_devices(&call.control, http_request_param(request, "id"),
                                http_request_query(request, "state"), &page, &list);
    return operator_reply(request, &call, st, list, reply);
}
