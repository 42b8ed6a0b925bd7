/* request_body.h - a body piece by piece, wherever it is kept.
 *
 * Layer    server/http.
 * Threads  as its request; a spooled body is read from the disk: not on an I/O thread.
 */
#ifndef MOULT_SERVER_HTTP_REQUEST_BODY_H
#define MOULT_SERVER_HTTP_REQUEST_BODY_H

#include "formats/crypto.h"
#include "server/http/http_request.h"

/* Hands the body to `take` in order. MOULT_OK; MOULT_E_IO: the spooled file; or the first
 * other status of take. */
MOULT_MUST_CHECK enum moult_status request_body_each(
    const struct http_request *request,
    enum moult_status (*take)(void *context, const uint8_t *data, size_t size),
    void *context);

/* SHA-256 of `prefix` and the body. MOULT_OK; MOULT_E_IO; MOULT_E_INTERNAL: the hash. */
MOULT_MUST_CHECK enum moult_status request_body_sha256(const struct http_request *request,
                                                       const struct moult_crypto *crypto,
                                                       const char *prefix, uint8_t out[32]);

#endif
