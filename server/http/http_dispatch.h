/* http_dispatch.h - from a parsed request to a reply: route, admission, body, handler.
 *
 * Layer    server/http, private. Knows nothing of sockets.
 */
#ifndef MOULT_SERVER_HTTP_DISPATCH_H
#define MOULT_SERVER_HTTP_DISPATCH_H

#include "server/http/http_core.h"

enum http_next {
    HTTP_NEXT_BODY,  /* read the body, http_dispatch_body(), then http_dispatch_run() */
    HTTP_NEXT_RUN,   /* there is none: http_dispatch_run() */
    HTTP_NEXT_REPLY, /* exchange->reply is set: send it */
    HTTP_NEXT_WAIT,  /* a completion will come */
};

/* The parser is DONE: fills the request, finds the route, asks admit(). */
enum http_next http_dispatch_head(struct http_exchange *exchange);

/* Takes bytes of the body. False: it cannot be kept; the reply is set. */
bool http_dispatch_body(struct http_exchange *exchange, const uint8_t *data, size_t size);

/* The request is complete: runs the handler, or hands it over. */
enum http_next http_dispatch_run(struct http_exchange *exchange);

/* Sets the reply to a request that the parser refused, or that took too long. */
void http_dispatch_refuse(struct http_exchange *exchange);
void http_dispatch_timeout(struct http_exchange *exchange, enum http_timer_kind kind);

#endif
