/* endpoints.c - the endpoint list of control.h: one file, verified as a device does. */
#include <string.h>
#include "formats/endpoints.h"
#include "server/control/internal.h"
#include "server/control/problem.h"
#include "server/control/release_check.h"

enum moult_status control_endpoints_set(const struct control_call *call,
                                        struct moult_bytes envelope)
{
    struct control *control = call->control;
    const struct moult_crypto *crypto = control->parts.crypto;
    struct cached_keyset newest;
    struct moult_keyset keyset;
    struct moult_endpoints list;
    struct moult_finding finding = {0};
    if (!statement_cache_keyset(&control->statements, 0, &newest)) {
        return problem_set(call->problem, MOULT_D_ENDPOINT_SIG, "a keyset", "none");
    }
    struct moult_bytes bytes = {newest.envelope, newest.size};
    enum moult_status st = moult_keyset_verify_first(
        crypto, bytes, control->config.fleet_id, &keyset, &finding);
    if (st == MOULT_OK) {
        st = moult_endpoints_verify(crypto, envelope, &keyset, 0, &list, &finding);
    }
    if (st != MOULT_OK) { return problem_finding(call->problem, st, &finding); }
    memcpy(control->endpoints.envelope, envelope.data, envelope.size);
    control->endpoints.size = envelope.size;
    control->endpoints.version = list.version;
    return MOULT_OK;
}

enum moult_status control_endpoints_read(struct control *control, uint32_t version,
                                         uint8_t *out, size_t capacity, size_t *size)
{
    if (version == 0 || version != control->endpoints.version) { return MOULT_E_NOENT; }
    if (control->endpoints.size > capacity) { return MOULT_E_SPACE; }
    memcpy(out, control->endpoints.envelope, control->endpoints.size);
    *size = control->endpoints.size;
    return MOULT_OK;
}
