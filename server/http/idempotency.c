/* idempotency.c - see idempotency.h. */
#include "server/http/idempotency.h"
#include <string.h>

enum { KEY_SIZE_MAX = 128 };

/* What makes two requests the same: method, path and body. */
static bool digest_of(const struct moult_crypto *crypto, const struct http_request *request,
                      uint8_t out[32])
{
    struct moult_sha256 hash = {0};
    const char *method = http_method_name(request->method);
    bool ok = crypto->sha256_init(crypto->context, &hash) &&
              crypto->sha256_update(crypto->context, &hash, (const uint8_t *)method,
                                    strlen(method) + 1) &&
              crypto->sha256_update(crypto->context, &hash, (const uint8_t *)request->path,
                                    strlen(request->path) + 1) &&
              crypto->sha256_update(crypto->context, &hash, request->body.data,
                                    request->body.size) &&
              crypto->sha256_final(crypto->context, &hash, out);
    if (!ok) { crypto->sha256_abort(crypto->context, &hash); }
    return ok;
}

bool idempotency_begin(struct http_request *request, const struct env *env,
                       struct operator_call *call, struct idempotency *out,
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
    if (!digest_of(env->crypto, request, out->use.body_sha256)) {
        http_fail(request, reply, MOULT_D_API_INTERNAL, "a digest", "none");
        return false;
    }
    out->use.token = call->control.actor.name;
    out->use.key = key;
    uint16_t status = 0;
    json_t *first = NULL;
    enum moult_status st =
        control_idempotency_find(&call->control, &out->use, &status, &first);
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
                                   const struct idempotency *use, uint16_t status,
                                   const json_t *reply)
{
    if (!use->use.key) { return MOULT_OK; }
    return control_idempotency_store(&call->control, &use->use, status, reply);
}
