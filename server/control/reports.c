/* reports.c - see reports.h. */
#include "server/control/reports.h"
#include <string.h>
#include "formats/codes.h"
#include "server/control/events.h"
#include "server/control/rollout_work.h"

static void add_gone(struct control_checkin_result *result, const uint8_t deployment[16])
{
    for (unsigned i = 0; i < result->gone_count; i++) {
        if (memcmp(result->gone[i], deployment, 16) == 0) { return; }
    }
    if (result->gone_count == MOULT_REPORTS_MAX) {
        return;
    } /* the rest is told next time */
    memcpy(result->gone[result->gone_count++], deployment, 16);
}

static bool is_of(const struct assigned *a, const uint8_t deployment[16])
{
    return a->is_there && a->row.has_deployment &&
           memcmp(a->row.deployment, deployment, 16) == 0;
}

/* Whose report it is: the one that is open, one that has ended, or nobody's. */
enum owner { OWNER_OPEN, OWNER_ENDED, OWNER_NONE };

/* *rollout: num of the rollout that the report belongs to; 0 none. */
static enum moult_status find_owner(struct assigned *a, const uint8_t deployment[16],
                                    enum owner *owner, int64_t *rollout)
{
    *owner = OWNER_NONE;
    *rollout = 0;
    if (moult_bytes_all(deployment, 16, 0)) { return MOULT_OK; }
    if (is_of(a, deployment)) {
        *owner = OWNER_OPEN;
        *rollout = a->row.rollout;
        return MOULT_OK;
    }
    struct store_assignment row;
    enum moult_status st = store_assignment_by_deployment(a->db, deployment, &row);
    if (st == MOULT_E_NOENT) { return MOULT_OK; }
    if (st == MOULT_OK && row.device == a->device->num) {
        *owner = OWNER_ENDED;
        *rollout = row.rollout;
    }
    return st;
}

/* A rollback that the server inferred still gets the device's own reason. */
static enum moult_status give_reason(struct assigned *open, const struct moult_report *r)
{
    struct store_assignment row;
    enum moult_status st = store_assignment_by_deployment(open->db, r->deployment_id, &row);
    if (st != MOULT_OK) { return st; }
    struct assigned ended;
    assigned_init(&ended, open->control, open->db, open->device, open->now_ms);
    ended.is_slot_free = !open->is_there || !assignment_is_active(open->engine.state);
    st = assigned_open(&ended, &row);
    struct assignment_event event = {.kind = ASSIGNMENT_EV_ROLLED_BACK,
                                     .now_ms = open->now_ms,
                                     .reason = r->reason,
                                     .detail = r->detail};
    struct assignment_effect effect;
    if (st == MOULT_OK) { st = assigned_step(&ended, &event, r, &effect); }
    return st == MOULT_OK ? assigned_save(&ended) : st;
}

static enum moult_status move(struct assigned *a, const struct moult_report *r,
                              bool *went_rebooting)
{
    struct assignment_event event = {
        .now_ms = a->now_ms, .reason = r->reason, .detail = r->detail, .offset = r->offset};
    bool download_only = a->slot->work->engine.mode == ROLLOUT_DOWNLOAD_ONLY;
    if (!assignment_report_event(r->kind, download_only, &event.kind)) { return MOULT_OK; }
    struct assignment_effect effect;
    enum moult_status st = assigned_step(a, &event, r, &effect);
    if (effect.is_moved && a->engine.state == ASSIGNMENT_REBOOTING) {
        *went_rebooting = true;
    }
    return st;
}

static enum moult_status apply_one(struct assigned *a, const struct moult_report *r,
                                   struct control_checkin_result *result,
                                   bool *went_rebooting)
{
    enum owner owner;
    int64_t rollout = 0;
    enum moult_status st = find_owner(a, r->deployment_id, &owner, &rollout);
    if (st != MOULT_OK) { return st; }
    bool is_ended = owner == OWNER_OPEN && !assignment_is_active(a->engine.state) &&
                    a->engine.state != ASSIGNMENT_SILENT &&
                    a->engine.state != ASSIGNMENT_ROLLED_BACK;
    st = event_put_report(a->db, a->device->num, rollout, a->now_ms, r);
    if (st == MOULT_E_EXISTS) { return MOULT_OK; } /* a repetition: everything is done */
    if (st != MOULT_OK) { return st; }
    if (owner == OWNER_OPEN && !is_ended) { return move(a, r, went_rebooting); }
    bool is_late_reason =
        owner == OWNER_ENDED && r->kind == MOULT_REPORT_ROLLED_BACK && r->reason != 0;
    if (is_late_reason) { st = give_reason(a, r); }
    bool has_deployment = !moult_bytes_all(r->deployment_id, 16, 0);
    if (st == MOULT_OK && has_deployment) { add_gone(result, r->deployment_id); }
    return st;
}

enum moult_status reports_apply(struct assigned *a, struct moult_cbor_list reports,
                                struct control_checkin_result *result, bool *went_rebooting)
{
    struct moult_report report;
    enum moult_status st = MOULT_OK;
    while (st == MOULT_OK && moult_report_next(&reports, &report)) {
        st = apply_one(a, &report, result, went_rebooting);
    }
    return st;
}

/* --- POST report ---------------------------------------------------------------------- */

static enum moult_status apply_all(struct assigned *a,
                                   const struct moult_cbor_list *reports,
                                   struct control_checkin_result *result)
{
    bool went_rebooting = false;
    enum moult_status st = assigned_active(a);
    if (st == MOULT_OK) { st = reports_apply(a, *reports, result, &went_rebooting); }
    if (st == MOULT_OK) { st = assigned_save(a); }
    if (st == MOULT_OK) { st = rollouts_join(a); }
    if (st == MOULT_OK) { assigned_publish(a); }
    if (st == MOULT_OK) { st = rollouts_settle(a->control, a->db, a->now_ms); }
    return st == MOULT_OK ? effects_status(&a->control->effects) : st;
}

enum moult_status control_report_write(struct control *control, struct store_db *db,
                                       const uint8_t spki_sha256[32],
                                       const struct moult_cbor_list *reports,
                                       int64_t now_ms,
                                       struct control_checkin_result *result)
{
    struct store_device device;
    *result = (struct control_checkin_result){.status = 200};
    enum moult_status st = store_device_by_spki(db, spki_sha256, &device);
    if (st == MOULT_E_NOENT) {
        result->status = 401;
        result->detail = MOULT_D_API_CERT;
        return MOULT_OK;
    }
    if (st != MOULT_OK) { return st; }
    bool is_refused = device.state == DEVICE_REJECTED || device.state == DEVICE_RETIRED;
    if (is_refused) {
        result->status = device.state == DEVICE_RETIRED ? 410 : 401;
        result->detail =
            device.state == DEVICE_RETIRED ? MOULT_D_API_DEVICE_STATE : MOULT_D_API_REVOKED;
        return MOULT_OK;
    }
    struct assigned a;
    assigned_init(&a, control, db, &device, now_ms);
    return apply_all(&a, reports, result);
}
