/* idempotency.h - Idempotency-Key: a repeated POST gets the first answer, and does nothing.
 *
 * Layer    server/http.
 */
#ifndef MOULT_SERVER_HTTP_IDEMPOTENCY_H
#define MOULT_SERVER_HTTP_IDEMPOTENCY_H

#include "server/control/admin.h"
#include "server/http/operator_api.h"

struct idempotency {
    struct control_idempotency use; /* key NULL: the request has none */
};

/* False: the reply is set: the first answer again, or a refusal. */
bool idempotency_begin(struct http_request *request, const struct env *env,
                       struct operator_call *call, struct idempotency *out,
                       struct http_reply *reply);

/* Keeps the answer in the same job. MOULT_OK, also without a key; or the store's status. */
MOULT_MUST_CHECK enum moult_status idempotency_keep(const struct operator_call *call,
                                                    const struct idempotency *use,
                                                    uint16_t status, const json_t *reply);

#endif
