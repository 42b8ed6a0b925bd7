/* dryrun.c - see dryrun.h. */
#include "server/control/dryrun.h"
#include "server/control/audit.h"
#include "server/control/events.h"
#include "server/control/problem.h"

enum moult_status change_begin(const struct control_call *call)
{
    call->problem->detail = 0;
    return problem_store(call, store_savepoint(call->db));
}

static void undo(const struct control_call *call)
{
    store_savepoint_undo(call->db);
    effects_job_undone(&call->control->effects);
    rollout_cache_job_undone(&call->control->rollouts);
}

enum moult_status change_end(const struct control_call *call, const struct change *change,
                             enum moult_status status, json_t **out)
{
    json_t *detail = change->detail ? change->detail : json_object();
    if (status == MOULT_OK) { status = effects_status(&call->control->effects); }
    if (status == MOULT_OK && call->dry_run) {
        json_object_set_new(*out, "dry_run", json_true());
        undo(call);
    } else if (status == MOULT_OK) {
        status = store_savepoint_keep(call->db);
    } else {
        problem_store(call, status); /* a refusal has its words already */
        json_object_set_new(detail, "refused", json_detail(call->problem->detail));
        undo(call);
    }
    enum moult_status st = control_audit(call, change->action, change->object, detail);
    if (st != MOULT_OK) { status = problem_store(call, st); }
    if (status != MOULT_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}
