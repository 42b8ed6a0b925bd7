/* handle_releases.c - /api/v1/releases: what may be rolled out. */
#include "formats/cose.h"
#include "server/control/releases.h"
#include "server/http/idempotency.h"
#include "server/http/operator_api.h"

/* --- POST /releases: checked on a reader, stored by the writer, shown to the signer --- */

struct release_call {
    const struct env *env;
    struct http_handle handle;
    struct http_request *request;
    struct http_reply *reply;
    struct operator_call call;
    struct idempotency use;
    struct control_release_fit fit;
    bool is_new; /* not there before; 201 */
};

static void finish(struct release_call *call, enum moult_status status)
{
    if (status != MOULT_OK) { operator_reply_lost(call->request, call->reply, status); }
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

static enum moult_status create(struct release_call *call)
{
    json_t *object = NULL;
    enum moult_status st = control_release_create(&call->call.control, call->request->body,
                                                  &call->is_new, &object);
    if (st != MOULT_OK) {
        call->is_new = false;
        return operator_reply(call->request, &call->call, st, NULL, call->reply);
    }
    call->is_new = call->is_new && !call->call.control.dry_run;
    st = control_release_warn(&call->fit, object);
    if (st != MOULT_OK) {
        json_decref(object);
        return st;
    }
    st = operator_reply_as(call->request, call->reply, call->is_new ? 201 : 200, object);
    return st == MOULT_OK ? idempotency_keep(&call->call, &call->use, call->reply) : st;
}

/* A refusal leaves its audit entry, so the job itself is fine. */
static enum moult_status run_create(struct store_db *db, void *context)
{
    struct release_call *call = context;
    call->call.control.db = db;
    if (!idempotency_begin(call->request, &call->call, &call->use, call->reply)) {
        return MOULT_OK;
    }
    return create(call);
}

static void done_create(void *context, enum moult_status status)
{
    struct release_call *call = context;
    if (status != MOULT_OK || !call->is_new ||
        signer_client_ask(call->env->signer, SIGNER_RELEASE, call->request->body, on_listed,
                          call) != MOULT_OK) {
        finish(call, status);
    }
}

/* Reads what it can before the writer does: afterwards the artifacts are hashed. What it
 * finds wrong the writer finds again, and leaves the audit entry. */
static enum moult_status run_check(struct store_db *db, void *context)
{
    struct release_call *call = context;
    call->call.control.db = db;
    enum moult_status st =
        control_release_check(&call->call.control, call->request->body, &call->fit);
    (void)st; /* see above */
    return MOULT_OK;
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
    if (!operator_call_begin(request, env, NULL, &call->call, reply) ||
        !idempotency_read(request, env, &call->call, &call->use, reply)) {
        return MOULT_OK;
    }
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
