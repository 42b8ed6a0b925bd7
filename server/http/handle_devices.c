/* handle_devices.c - /api/v1/devices: the registry as operators see it. */
#include "server/control/registry.h"
#include "server/control/why.h"
#include "server/http/idempotency.h"
#include "server/http/operator_api.h"

enum moult_status handle_device_list(struct http_request *request, const struct env *env,
                                     struct http_reply *reply)
{
    static const char *const known[] = {"selector", "state", "q", NULL};
    struct operator_call call;
    struct control_page page;
    json_t *list = NULL;
    if (!operator_call_begin(request, env, known, &call, reply) ||
        !operator_page(request, &page, reply)) {
        return MOULT_OK;
    }
    struct control_device_filter filter = {.selector =
                                               http_request_query(request, "selector"),
                                           .state = http_request_query(request, "state"),
                                           .q = http_request_query(request, "q")};
    enum moult_status st = control_device_list(&call.control, &filter, &page, &list);
    return operator_reply(request, &call, st, list, reply);
}

enum moult_status handle_device_show(struct http_request *request, const struct env *env,
                                     struct http_reply *reply)
{
    struct operator_call call;
    json_t *device = NULL;
    if (!operator_call_begin(request, env, NULL, &call, reply)) { return MOULT_OK; }
    enum moult_status st =
        control_device_show(&call.control, http_request_param(request, "id"), &device);
    return operator_reply(request, &call, st, device, reply);
}

enum moult_status handle_device_history(struct http_request *request, const struct env *env,
                                        struct http_reply *reply)
{
    struct operator_call call;
    struct control_page page;
    json_t *list = NULL;
    if (!operator_call_begin(request, env, NULL, &call, reply) ||
        !operator_page(request, &page, reply)) {
        return MOULT_OK;
    }
    enum moult_status st = control_device_history(
        &call.control, http_request_param(request, "id"), &page, &list);
    return operator_reply(request, &call, st, list, reply);
}

enum moult_status handle_device_why(struct http_request *request, const struct env *env,
                                    struct http_reply *reply)
{
    static const char *const known[] = {"rollout", NULL};
    struct operator_call call;
    json_t *why = NULL;
    if (!operator_call_begin(request, env, known, &call, reply)) { return MOULT_OK; }
    enum moult_status st = control_why(&call.control, http_request_param(request, "id"),
                                       http_request_query(request, "rollout"), &why);
    return operator_reply(request, &call, st, why, reply);
}

static enum moult_status device_verb(struct http_request *request, const struct env *env,
                                     struct http_reply *reply)
{
    struct operator_call call;
    json_t *device = NULL;
    if (!operator_call_begin(request, env, NULL, &call, reply)) { return MOULT_OK; }
    enum moult_status st =
        control_device_verb(&call.control, http_request_param(request, "id"),
                            http_request_param(request, "verb"), &device);
    return operator_reply(request, &call, st, device, reply);
}

enum moult_status handle_device_verb(struct http_request *request, const struct env *env,
                                     struct http_reply *reply)
{
    return operator_once(request, env, reply, device_verb);
}

static enum moult_status device_actions(struct http_request *request, const struct env *env,
                                        struct http_reply *reply)
{
    struct operator_call call;
    json_t *counts = NULL;
    if (!operator_call_begin(request, env, NULL, &call, reply)) { return MOULT_OK; }
    json_t *body = operator_body(request, reply);
    if (!body) { return MOULT_OK; }
    enum moult_status st = control_device_actions(&call.control, body, &counts);
    json_decref(body);
    return operator_reply(request, &call, st, counts, reply);
}

enum moult_status handle_device_actions(struct http_request *request, const struct env *env,
                                        struct http_reply *reply)
{
    return operator_once(request, env, reply, device_actions);
}
