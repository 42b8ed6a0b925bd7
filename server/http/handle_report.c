/* handle_report.c - POST /device/v1/report: reports outside a check-in.
 *
 * 2xx means stored: the device then drops them from its outbox.
 */
#include "server/control/checkin.h"
#include "server/http/device_api.h"

static enum moult_status reply_gone(struct http_request *request,
                                    const struct control_checkin_result *result,
                                    struct http_reply *reply)
{
    struct moult_gone gone = {.count = result->gone_count};
    uint8_t *body = arena_alloc(request->arena, MOULT_REPLY_SIZE_MAX);
    if (!body) { return MOULT_E_NOMEM; }
    for (size_t i = 0; i < result->gone_count; i++) {
        gone.deployment_id[i] = result->gone[i];
    }
    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, body, MOULT_REPLY_SIZE_MAX);
    moult_report_reply_write(&writer, &gone);
    if (writer.status != MOULT_OK) { return MOULT_E_INTERNAL; }
    http_reply_bytes(reply, 200, HTTP_TYPE_CBOR, body, writer.size);
    return MOULT_OK;
}

enum moult_status handle_report(struct http_request *request, const struct env *env,
                                struct http_reply *reply)
{
    struct moult_cbor_list reports;
    struct moult_finding finding;
    if (moult_report_batch_read(request->body, &reports, &finding) != MOULT_OK) {
        return http_fail(request, reply, MOULT_D_API_BODY, "a batch of reports",
                         "other bytes");
    }
    struct control_checkin_result *result = arena_alloc(request->arena, sizeof *result);
    if (!result) { return MOULT_E_NOMEM; }
    enum moult_status st =
        control_report_write(env->control, env->db, request->spki_sha256, &reports,
                             (int64_t)request->realtime_ms, result);
    if (st != MOULT_OK) { return st; }
    if (result->status != 200) {
        struct http_problem problem = {.status = result->status,
                                       .code = result->detail,
                                       .want = "an accepted device",
                                       .have = "another state"};
        return http_problem(request, reply, &problem);
    }
    return reply_gone(request, result, reply);
}
