/* handle_import.c - POST /api/v1/devices/import: a CSV of devices, a thousand rows a job,
 * so that check-ins go on between them; and GET /api/v1/devices/export, the same columns.
 *
 * An import that is cut off has no answer to repeat under its Idempotency-Key; but doing it
 * again is the same as going on with it.
 */
#include <sys/mman.h>
#include "server/control/registry.h"
#include "server/http/idempotency.h"
#include "server/http/operator_api.h"

struct import_call {
    const struct env *env;
    struct http_handle handle;
    struct http_request *request;
    struct http_reply *reply;
    struct operator_call call;
    struct idempotency use;
    struct control_import *import;
    void *mapped; /* of a spooled body; NULL: it was in memory */
    bool is_begun, is_done;
};

static void finish(struct import_call *call, enum moult_status status)
{
    const struct control_problem *problem = &call->call.problem;
    if (status != MOULT_OK && problem->detail != 0) {
        operator_reply_problem(call->request, problem, call->reply);
    } else if (status != MOULT_OK) {
        operator_reply_lost(call->request, call->reply, status);
    }
    control_import_end(call->import);
    if (call->mapped) { munmap(call->mapped, call->request->body_size); }
    http_complete(call->env->server, call->handle);
}

static enum moult_status answer(struct import_call *call)
{
    json_t *result = control_import_result(call->import);
    if (!result) { return MOULT_E_NOMEM; }
    if (call->call.control.dry_run) { json_object_set_new(result, "dry_run", json_true()); }
    enum moult_status st = operator_reply_as(call->request, call->reply, 200, result);
    return st == MOULT_OK ? idempotency_keep(&call->call, &call->use, call->reply) : st;
}

static enum moult_status run_step(struct store_db *db, void *context)
{
    struct import_call *call = context;
    call->call.control.db = db;
    if (!call->is_begun &&
        !idempotency_begin(call->request, &call->call, &call->use, call->reply)) {
        call->is_done = true;
        return MOULT_OK;
    }
    call->is_begun = true;
    enum moult_status st =
        control_import_step(&call->call.control, call->import, &call->is_done);
    return st == MOULT_OK && call->is_done ? answer(call) : st;
}

static void done_step(void *context, enum moult_status status);

static void post_step(struct import_call *call)
{
    struct store_job job = {
        .kind = "import", .run = run_step, .done = done_step, .context = call};
    enum moult_status st = store_write(call->env->store, &job);
    if (st != MOULT_OK) { finish(call, st); }
}

static void done_step(void *context, enum moult_status status)
{
    struct import_call *call = context;
    if (status != MOULT_OK || call->is_done) {
        finish(call, status);
    } else {
        post_step(call);
    }
}

/* Megabytes to hash are a reader's work; so is what comes before the first row. */
static enum moult_status run_read(struct store_db *db, void *context)
{
    (void)db; /* reads the body only */
    struct import_call *call = context;
    call->is_done =
        !idempotency_read(call->request, call->env, &call->call, &call->use, call->reply);
    return MOULT_OK;
}

/* The whole body as bytes: in memory already, or mapped from its spool file. */
static bool body_bytes(struct import_call *call, struct moult_bytes *out)
{
    const struct http_request *request = call->request;
    *out = request->body;
    if (request->body_fd < 0) { return true; }
    void *mapped =
        mmap(NULL, request->body_size, PROT_READ, MAP_PRIVATE, request->body_fd, 0);
    if (mapped == MAP_FAILED) { return false; }
    call->mapped = mapped;
    *out = (struct moult_bytes){mapped, request->body_size};
    return true;
}

enum moult_status handle_device_import(struct http_request *request, const struct env *env,
                                       struct http_reply *reply)
{
    struct import_call *call = arena_alloc(request->arena, sizeof *call);
    if (!call) { return MOULT_E_NOMEM; }
    call->env = env;
    call->request = request;
    call->reply = reply;
    if (!operator_call_begin(request, env, NULL, &call->call, reply)) { return MOULT_OK; }
    struct moult_bytes csv;
    if (!body_bytes(call, &csv)) { return MOULT_E_IO; }
    enum moult_status st =
        control_import_begin(env->control, csv, &call->import, &call->call.problem);
    if (st != MOULT_OK) {
        st = operator_reply(request, &call->call, st, NULL, reply);
        if (call->mapped) { munmap(call->mapped, request->body_size); }
        return st;
    }
    call->handle = http_reply_later(request, reply);
    struct store_job job = {
        .kind = "import", .run = run_read, .done = done_step, .context = call};
    st = store_read(env->store, &job);
    if (st != MOULT_OK) { finish(call, st); }
    return MOULT_OK;
}

enum {
    EXPORT_SIZE_MAX = 900000
}; /* of one reply's arena; larger fleets are listed by pages */

enum moult_status handle_device_export(struct http_request *request, const struct env *env,
                                       struct http_reply *reply)
{
    struct operator_call call;
    if (!operator_call_begin(request, env, NULL, &call, reply)) { return MOULT_OK; }
    struct buffer csv;
    buffer_init(&csv, EXPORT_SIZE_MAX);
    enum moult_status st = control_device_export(&call.control, &csv);
    void *kept = st == MOULT_OK ? arena_copy(request->arena, csv.data, csv.size) : NULL;
    size_t size = csv.size;
    buffer_release(&csv);
    if (st != MOULT_OK) { return operator_reply(request, &call, st, NULL, reply); }
    if (!kept) { return MOULT_E_NOMEM; }
    http_reply_bytes(reply, 200, "text/csv; charset=utf-8", kept, size);
    return MOULT_OK;
}
