/* handle_releases.c - /api/v1/artifacts and /api/v1/releases: what may be rolled out. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "formats/cose.h"
#include "server/control/releases.h"
#include "server/http/operator_api.h"

/* --- PUT /artifacts/{sha256} ------------------------------------------------------------
 * */

static enum moult_status copy_body(const struct http_request *request,
                                   struct artifact_upload *upload)
{
    if (request->body_fd < 0) {
        return artifact_upload_write(upload, request->body.data, request->body.size);
    }
    uint8_t piece[16384];
    uint64_t at = 0;
    while (at < request->body_size) {
        ssize_t n = pread(request->body_fd, piece, sizeof piece, (off_t)at);
        if (n < 0 && errno == EINTR) { continue; }
        if (n <= 0) { return MOULT_E_IO; }
        enum moult_status st = artifact_upload_write(upload, piece, (size_t)n);
        if (st != MOULT_OK) { return st; }
        at += (uint64_t)n;
    }
    return MOULT_OK;
}

static enum moult_status reply_stored(struct http_request *request,
                                      struct http_reply *reply, uint16_t status,
                                      uint64_t size)
{
    json_t *object =
        json_pack("{s:s, s:I}", "sha256", http_request_param(request, "sha256"), "size",
                  (json_int_t)size);
    return object ? operator_reply_as(request, reply, status, object) : MOULT_E_NOMEM;
}

static enum moult_status store_body(struct http_request *request, const struct env *env,
                                    const uint8_t sha256[32], struct http_reply *reply)
{
    struct artifact_upload *upload = NULL;
    uint64_t size = request->body_size;
    uint8_t found[32] = {0};
    enum moult_status st = artifact_upload_begin(env->artifacts, sha256, &upload);
    if (st == MOULT_E_EXISTS) { return reply_stored(request, reply, 200, size); }
    if (st != MOULT_OK) { return st; }
    st = copy_body(request, upload);
    if (st == MOULT_OK) {
        st = artifact_upload_finish(upload, &size, found);
    } else {
        artifact_upload_abandon(upload);
    }
    if (st == MOULT_E_DIGEST) {
        char have[65];
        moult_hex_encode(found, 32, have);
        return http_fail(request, reply, MOULT_D_ARTIFACT_DIGEST,
                         http_request_param(request, "sha256"), have);
    }
    if (st == MOULT_E_SPACE) {
        return http_fail(request, reply, MOULT_D_STORE_FULL, "more", "too few");
    }
    return st == MOULT_OK ? reply_stored(request, reply, 201, size) : st;
}

enum moult_status handle_artifact_put(struct http_request *request, const struct env *env,
                                      struct http_reply *reply)
{
    const char *name = http_request_param(request, "sha256");
    uint8_t sha256[32];
    if (strlen(name) != 64 || !moult_hex_decode(name, sha256, 32)) {
        return http_fail(request, reply, MOULT_D_API_FIELD, "64 hex digits in the path",
                         name);
    }
    if (request->body_size == 0) {
        return http_fail(request, reply, MOULT_D_API_BODY, "the artifact's bytes",
                         "nothing");
    }
    return store_body(request, env, sha256, reply);
}

/* --- POST /releases: checked on a reader, stored by the writer, shown to the signer --- */

struct release_call {
    const struct env *env;
    struct http_handle handle;
    struct http_request *request;
    struct http_reply *reply;
    struct operator_call call;
    json_t *object; /* owned until answered */
    bool is_new;
};

static void finish(struct release_call *call, enum moult_status status)
{
    if (status == MOULT_OK) {
        uint16_t code = call->is_new && !call->call.control.dry_run ? 201 : 200;
        status = operator_reply_as(call->request, call->reply, code, call->object);
    } else if (call->call.problem.detail != 0) {
        status = operator_reply_problem(call->request, &call->call.problem, call->reply);
    }
    if (status != MOULT_OK) {
        http_fail(call->request, call->reply, MOULT_D_API_INTERNAL, "success",
                  moult_status_name(status));
    }
    http_complete(call->env->server, call->handle);
}

static void on_listed(void *context, uint16_t detail, struct moult_bytes body)
{
    struct release_call *call = context;
    if (detail != 0) {
        /* Not lost: it is handed over again when the signer connects. */
        log_warn(&call->env->log, "release_not_listed", "detail", detail, "request",
                 call->request->id);
    }
    (void)body; /* the digest we know, or words that the signer has logged itself */
    finish(call, MOULT_OK);
}

static enum moult_status run_create(struct store_db *db, void *context)
{
    struct release_call *call = context;
    call->call.control.db = db;
    enum moult_status st = control_release_create(&call->call.control, call->request->body,
                                                  &call->is_new, &call->object);
    /* A refusal leaves its audit entry, so the job itself is fine. */
    return st != MOULT_OK && call->call.problem.detail == 0 ? st : MOULT_OK;
}

static void done_create(void *context, enum moult_status status)
{
    struct release_call *call = context;
    if (status == MOULT_OK && !call->object) { status = MOULT_E_REFUSED; }
    if (status != MOULT_OK && call->object) {
        json_decref(call->object);
        call->object = NULL;
    }
    if (status != MOULT_OK || call->call.control.dry_run ||
        signer_client_ask(call->env->signer, SIGNER_RELEASE, call->request->body, on_listed,
                          call) != MOULT_OK) {
        finish(call, status);
    }
}

static enum moult_status run_check(struct store_db *db, void *context)
{
    (void)db; /* reads files only */
    struct release_call *call = context;
    return control_release_check(call->env->control, call->request->body,
                                 &call->call.problem);
}

static void done_check(void *context, enum moult_status status)
{
    struct release_call *call = context;
    struct store_job job = {
        .kind = "api", .run = run_create, .done = done_create, .context = call};
    if (status == MOULT_OK) { status = store_write(call->env->store, &job); }
    if (status != MOULT_OK) { finish(call, status); }
}

enum moult_status handle_release_create(struct http_request *request, const struct env *env,
                                        struct http_reply *reply)
{
    struct release_call *call = arena_alloc(request->arena, sizeof *call);
    if (!call) { return MOULT_E_NOMEM; }
    call->env = env;
    call->request = request;
    call->reply = reply;
    if (!operator_call_begin(request, env, NULL, &call->call, reply)) { return MOULT_OK; }
    if (request->body.size == 0) {
        return http_fail(request, reply, MOULT_D_API_BODY, "a release statement",
                         "nothing");
    }
    call->handle = http_reply_later(request, reply);
    struct store_job job = {
        .kind = "api", .run = run_check, .done = done_check, .context = call};
    enum moult_status st = store_read(env->store, &job);
    if (st != MOULT_OK) { finish(call, st); }
    return MOULT_OK;
}

/* --- GET --------------------------------------------------------------------------------
 * */

enum moult_status handle_release_list(struct http_request *request, const struct env *env,
                                      struct http_reply *reply)
{
    static const char *const known[] = {"class", NULL};
    struct operator_call call;
    struct control_page page;
    json_t *list = NULL;
    if (!operator_call_begin(request, env, known, &call, reply) ||
        !operator_page(request, &page, reply)) {
        return MOULT_OK;
    }
    enum moult_status st = control_release_list(
        &call.control, http_request_query(request, "class"), &page, &list);
    return operator_reply(request, &call, st, list, reply);
}

enum moult_status handle_release_show(struct http_request *request, const struct env *env,
                                      struct http_reply *reply)
{
    struct operator_call call;
    json_t *release = NULL;
    if (!operator_call_begin(request, env, NULL, &call, reply)) { return MOULT_OK; }
    enum moult_status st =
        control_release_show(&call.control, http_request_param(request, "id"), &release);
    return operator_reply(request, &call, st, release, reply);
}

enum moult_status handle_release_envelope(struct http_request *request,
                                          const struct env *env, struct http_reply *reply)
{
    struct operator_call call;
    if (!operator_call_begin(request, env, NULL, &call, reply)) { return MOULT_OK; }
    uint8_t *data = arena_alloc(request->arena, MOULT_STATEMENT_SIZE_MAX);
    size_t size = 0;
    if (!data) { return MOULT_E_NOMEM; }
    enum moult_status st =
        control_release_statement(&call.control, http_request_param(request, "id"), data,
                                  MOULT_STATEMENT_SIZE_MAX, &size);
    if (st != MOULT_OK) { return operator_reply(request, &call, st, NULL, reply); }
    http_reply_bytes(reply, 200, "application/cose", data, size);
    return MOULT_OK;
}
