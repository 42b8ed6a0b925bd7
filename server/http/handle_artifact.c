/* handle_artifact.c - GET /device/v1/artifact/{sha256}: the bytes that devices download.
 *
 * The first open of a file in this process hashes it, which is work for a reader thread;
 * from then on it is served on the connection's thread.
 */
#include <string.h>
#include "server/http/device_api.h"

struct artifact_call {
    const struct env *env;
    struct http_handle handle;
    struct http_request *request;
    struct http_reply *reply;
    uint8_t sha256[32];
};

static void serve(struct artifact_call *call)
{
    int fd = -1;
    uint64_t size = 0;
    const char *name = http_request_param(call->request, "sha256");
    enum moult_status st = artifact_open(call->env->artifacts, call->sha256, &fd, &size);
    if (st == MOULT_OK) {
        http_reply_file(call->reply, HTTP_TYPE_BINARY, fd, size, name);
        return;
    }
    uint16_t code = st == MOULT_E_DIGEST  ? MOULT_D_ARTIFACT_DIGEST
                    : st == MOULT_E_NOENT ? MOULT_D_ARTIFACT_MISSING
                                          : MOULT_D_API_INTERNAL;
    if (st != MOULT_E_NOENT) {
        log_error(&call->env->log, "artifact_unusable", "sha256", name, "status",
                  moult_status_name(st));
    }
    http_fail(call->request, call->reply, code, name, name);
}

static enum moult_status run_check(struct store_db *db, void *context)
{
    (void)db; /* a reader thread is used for its time, not for its database */
    serve(context);
    return MOULT_OK;
}

static void done_check(void *context, enum moult_status status)
{
    struct artifact_call *call = context;
    if (status != MOULT_OK) {
        http_fail(call->request, call->reply, MOULT_D_API_BUSY, "readers", "none");
    }
    http_complete(call->env->server, call->handle);
}

enum moult_status handle_artifact(struct http_request *request, const struct env *env,
                                  struct http_reply *reply)
{
    struct artifact_call *call = arena_alloc(request->arena, sizeof *call);
    if (!call) { return MOULT_E_NOMEM; }
    *call = (struct artifact_call){.env = env, .request = request, .reply = reply};
    const char *name = http_request_param(request, "sha256");
    if (strlen(name) != 64 || !moult_hex_decode(name, call->sha256, 32)) {
        return http_fail(request, reply, MOULT_D_API_NOT_FOUND, "artifact", name);
    }
    if (artifact_is_checked(env->artifacts, call->sha256)) {
        serve(call);
        return MOULT_OK;
    }
    struct store_job job = {
        .kind = "artifact", .run = run_check, .done = done_check, .context = call};
    call->handle = http_reply_later(request, reply);
    if (store_read(env->store, &job) != MOULT_OK) { done_check(call, MOULT_E_BUSY); }
    return MOULT_OK;
}
