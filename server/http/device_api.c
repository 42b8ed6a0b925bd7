/* device_api.c - see device_api.h. */
#include "server/http/device_api.h"
#include "formats/message_report.h"
#include "server/control/checkin.h"

static const struct http_route rows[] = {
    {HTTP_POST, "/device/v1/checkin", DEVICE_SCOPE_ANY, HTTP_ON_IO, MOULT_REQUEST_SIZE_MAX,
     handle_checkin},
    {HTTP_POST, "/device/v1/report", DEVICE_SCOPE_ACCEPTED, HTTP_ON_WRITER,
     MOULT_REQUEST_SIZE_MAX, handle_report},
    {HTTP_GET, "/device/v1/artifact/{sha256}", DEVICE_SCOPE_ACCEPTED, HTTP_ON_IO, 0,
     handle_artifact},
    {HTTP_GET, "/device/v1/release/{sha256}", DEVICE_SCOPE_ACCEPTED, HTTP_ON_IO, 0,
     handle_release_statement},
    {HTTP_GET, "/device/v1/keyset/{version}", DEVICE_SCOPE_ACCEPTED, HTTP_ON_IO, 0,
     handle_keyset},
    {HTTP_GET, "/device/v1/endpoints/{version}", DEVICE_SCOPE_ACCEPTED, HTTP_ON_IO, 0,
     handle_endpoints},
};

const struct http_routes device_routes = {rows, sizeof rows / sizeof rows[0]};

bool device_admit(const struct env *env, struct http_request *request,
                  struct http_reply *reply)
{
    if (!request->has_spki) {
        http_fail(request, reply, MOULT_D_API_CERT, "a certificate", "none");
        return false;
    }
    struct control_identity *identity = arena_alloc(request->arena, sizeof *identity);
    if (!identity) {
        http_fail(request, reply, MOULT_D_API_BUSY, "memory", "none");
        return false;
    }
    uint16_t detail = 0;
    uint16_t status = control_admit(env->control, request->spki_sha256, identity, &detail);
    if (status != 0) {
        const char *state =
            identity->is_known ? device_state_word(identity->state) : "unknown";
        struct http_problem problem = {
            .status = status, .code = detail, .want = "accepted", .have = state};
        http_problem(request, reply, &problem);
        return false;
    }
    bool may = identity->is_known && (identity->state == DEVICE_ACCEPTED ||
                                      identity->state == DEVICE_QUARANTINED);
    if (request->route->scope == DEVICE_SCOPE_ACCEPTED && !may) {
        http_fail(request, reply, MOULT_D_API_DEVICE_STATE, "accepted",
                  identity->is_known ? device_state_word(identity->state) : "unknown");
        return false;
    }
    request->principal = identity;
    return true;
}
