/* handle_artifact_put.c - PUT /api/v1/artifacts/{sha256}: an image, before its release.
 *
 * The file is stored on a reader thread, then the writer adds the audit entry. Killed in
 * between, a file is there that no entry tells of: it serves nobody before a signed release
 * names it, and the client, who got no answer, comes again.
 */
#include <string.h>
#include "server/control/releases.h"
#include "server/http/operator_api.h"
#include "server/http/request_body.h"

struct put_call {
    const struct env *env;
    struct http_handle handle;
    struct http_request *request;
    struct http_reply *reply;
    struct operator_call call;
    struct control_artifact what;
    uint8_t sha256[32];
};

static enum moult_status reply_stored(struct put_call *call)
{
    const struct control_artifact *what = &call->what;
    json_t *object =
        json_pack("{s:s, s:I}", "sha256", what->sha256, "size", (json_int_t)what->size);
    if (!object) { return MOULT_E_NOMEM; }
    bool is_dry = call->call.control.dry_run;
    if (is_dry) { json_object_set_new(object, "dry_run", json_true()); }
    return operator_reply_as(call->request, call->reply,
                             what->is_new && !is_dry ? 201 : 200, object);
}

static enum moult_status refuse(struct put_call *call, uint16_t code, const char *want,
                                const char *have)
{
    call->what.refused = code;
    return http_fail(call->request, call->reply, code, want, have);
}

static enum moult_status refuse_digest(struct put_call *call, const uint8_t found[32])
{
    char have[65];
    moult_hex_encode(found, 32, have);
    return refuse(call, MOULT_D_ARTIFACT_DIGEST, call->what.sha256, have);
}

static enum moult_status write_piece(void *context, const uint8_t *data, size_t size)
{
    return artifact_upload_write(context, data, size);
}

static enum moult_status store_body(struct put_call *call, struct artifact_upload *upload)
{
    uint8_t found[32] = {0};
    enum moult_status st = request_body_each(call->request, write_piece, upload);
    if (st == MOULT_OK) {
        st = artifact_upload_finish(upload, &call->what.size, found);
    } else {
        artifact_upload_abandon(upload);
    }
    if (st == MOULT_E_DIGEST) { return refuse_digest(call, found); }
    if (st == MOULT_E_SPACE) { return refuse(call, MOULT_D_STORE_FULL, "more", "too few"); }
    return st == MOULT_OK ? reply_stored(call) : st;
}

/* The same checks on the same bytes, and nothing is kept. */
static enum moult_status check_body(struct put_call *call, struct artifact_upload *upload)
{
    uint8_t found[32];
    artifact_upload_abandon(upload);
    enum moult_status st = request_body_sha256(call->request, call->env->crypto, "", found);
    if (st != MOULT_OK) { return st; }
    return memcmp(found, call->sha256, 32) == 0 ? reply_stored(call)
                                                : refuse_digest(call, found);
}

static enum moult_status run_store(struct store_db *db, void *context)
{
    (void)db; /* a reader thread is used for its time, not for its database */
    struct put_call *call = context;
    struct artifact_upload *upload = NULL;
    enum moult_status st =
        artifact_upload_begin(call->env->artifacts, call->sha256, &upload);
    if (st == MOULT_E_EXISTS) { return reply_stored(call); }
    if (st != MOULT_OK) { return st; }
    call->what.is_new = true;
    return call->call.control.dry_run ? check_body(call, upload) : store_body(call, upload);
}

static enum moult_status run_note(struct store_db *db, void *context)
{
    struct put_call *call = context;
    call->call.control.db = db;
    return control_artifact_note(&call->call.control, &call->what);
}

static void done_note(void *context, enum moult_status status)
{
    struct put_call *call = context;
    if (status != MOULT_OK) { operator_reply_lost(call->request, call->reply, status); }
    http_complete(call->env->server, call->handle);
}

static void done_store(void *context, enum moult_status status)
{
    struct put_call *call = context;
    struct store_job job = {
        .kind = "api", .run = run_note, .done = done_note, .context = call};
    if (status == MOULT_OK) { status = store_write(call->env->store, &job); }
    if (status != MOULT_OK) { done_note(call, status); }
}

enum moult_status handle_artifact_put(struct http_request *request, const struct env *env,
                                      struct http_reply *reply)
{
    struct put_call *call = arena_alloc(request->arena, sizeof *call);
    if (!call) { return MOULT_E_NOMEM; }
    const char *name = http_request_param(request, "sha256");
    *call = (struct put_call){.env = env, .request = request, .reply = reply};
    call->what = (struct control_artifact){.sha256 = name, .size = request->body_size};
    if (!operator_call_begin(request, env, NULL, &call->call, reply)) { return MOULT_OK; }
    if (strlen(name) != 64 || !moult_hex_decode(name, call->sha256, 32)) {
        return http_fail(request, reply, MOULT_D_API_FIELD, "64 hex digits in the path",
                         name);
    }
    if (request->body_size == 0) {
        return http_fail(request, reply, MOULT_D_API_BODY, "the artifact's bytes",
                         "nothing");
    }
    call->handle = http_reply_later(request, reply);
    struct store_job job = {
        .kind = "api", .run = run_store, .done = done_store, .context = call};
    enum moult_status st = store_read(env->store, &job);
    if (st != MOULT_OK) { done_note(call, st); }
    return MOULT_OK;
}
