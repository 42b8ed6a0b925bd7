/* idempotency.c - see idempotency.h. */
#include "server/http/idempotency.h"
#include <string.h>
#include "server/http/request_body.h"

enum { KEY_SIZE_MAX = 128 };

static bool read_digest(struct http_request *request, const struct env *env,
                        uint8_t out[32])
{
    char *prefix = arena_printf(request->arena, "%s %s\n",
                                http_method_name(request->method), request->path);
    return prefix && request_body_sha256(request, env->crypto, prefix, out) == MOULT_OK;
}

bool idempotency_read(struct http_request *request, const struct env *env,
                      const struct operator_call *call, struct idempotency *out,
                      struct http_reply *reply)
{
    memset(out, 0, sizeof *out);
    const char *key = http_request_header(request, "idempotency-key");
    if (!key || call->control.dry_run) { return true; }
    if (strlen(key) < 1 || strlen(key) > KEY_SIZE_MAX) {
        http_fail(request, reply, MOULT_D_API_FIELD, "Idempotency-Key of 1 to 128 bytes",
                  key);
        return false;
    }
    if (!read_digest(request, env, out->use.body_sha256)) {
        http_fail(request, reply, MOULT_D_API_INTERNAL, "a digest", "none");
        return false;
    }
    out->use.token = call->control.actor.name;
    out->use.key = key;
    return true;
}

bool idempotency_begin(struct http_request *request, struct operator_call *call,
                       const struct idempotency *use, struct http_reply *reply)
{
    uint16_t status = 0;
    json_t *first = NULL;
    if (!use->use.key) { return true; }
    enum moult_status st =
        control_idempotency_find(&call->control, &use->use, &status, &first);
    if (st == MOULT_E_NOENT) { return true; }
    if (st == MOULT_OK) {
        st = operator_reply_as(request, reply, status, first);
    } else if (call->problem.detail != 0) {
        st = operator_reply_problem(request, &call->problem, reply);
    }
    if (st != MOULT_OK) {
        http_fail(request, reply, MOULT_D_API_INTERNAL, "the first answer",
                  moult_status_name(st));
    }
    return false;
}

enum moult_status idempotency_keep(const struct operator_call *call,
                                   const struct idempotency *use,
                                   const struct http_reply *reply)
{
    if (!use->use.key || reply->status < 200 || reply->status > 299) { return MOULT_OK; }
    return control_idempotency_store(&call->control, &use->use, reply->status,
                                     reply->bytes);
}

enum moult_status operator_once(struct http_request *request, const struct env *env,
                                struct http_reply *reply, http_handler handle)
{
    struct operator_call call;
    struct idempotency use;
    if (!operator_call_begin(request, env, NULL, &call, reply) ||
        !idempotency_read(request, env, &call, &use, reply) ||
        !idempotency_begin(request, &call, &use, reply)) {
        return MOULT_OK;
    }
    enum moult_status st = handle(request, env, reply);
    return st == MOULT_OK ? idempotency_keep(&call, &use, reply) : st;
}
