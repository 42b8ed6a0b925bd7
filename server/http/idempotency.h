/* idempotency.h - Idempotency-Key: a repeated POST gets the first answer, and does nothing.
 *
 * Layer    server/http. Format: docs/spec/operator-api.md.
 * Why      the answer is kept in the transaction of the change: there is never one without
 *          the other. Only answers of success are kept: a refusal changed nothing, and
 *          asking again may well be what its hint says.
 * Use it   idempotency_begin() before the change, idempotency_keep() after it, in one write
 *          job; a handler of a WRITER route is simply run by operator_once().
 */
#ifndef MOULT_SERVER_HTTP_IDEMPOTENCY_H
#define MOULT_SERVER_HTTP_IDEMPOTENCY_H

#include "server/control/admin.h"
#include "server/http/operator_api.h"

struct idempotency {
    struct control_idempotency use; /* key NULL: the request has none */
};

/* Reads the header and hashes method, path and body. A dry run uses no key. Not on an I/O
 * thread when the body is spooled. False: the reply is set. */
bool idempotency_read(struct http_request *request, const struct env *env,
                      const struct operator_call *call, struct idempotency *out,
                      struct http_reply *reply);

/* Inside the write job. False: the reply is set: the first answer again, or a refusal. */
bool idempotency_begin(struct http_request *request, struct operator_call *call,
                       const struct idempotency *use, struct http_reply *reply);

/* Keeps a reply of success, in the same job. MOULT_OK, also without a key; or the store's
 * status. */
MOULT_MUST_CHECK enum moult_status idempotency_keep(const struct operator_call *call,
                                                    const struct idempotency *use,
                                                    const struct http_reply *reply);

/* All of this around a handler of a WRITER route. Returns as the handler. */
enum moult_status operator_once(struct http_request *request, const struct env *env,
                                struct http_reply *reply, http_handler handle);

#endif
