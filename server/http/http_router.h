/* http_router.h - the table of endpoints, and which row a request belongs to.
 *
 * Layer    server/http: pure.
 * Memory   the table is the caller's and static.
 */
#ifndef MOULT_SERVER_HTTP_ROUTER_H
#define MOULT_SERVER_HTTP_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "formats/status.h"
#include "server/http/http_reply.h"
#include "server/http/http_request.h"

/* What handlers work with: store, clock, randomness, signer. Defined by whoever writes
 * handlers; this layer passes it on. */
struct env;

/* Where a handler runs. */
enum http_where {
    HTTP_ON_IO,     /* on the connection's thread: must neither block nor take > 1 ms */
    HTTP_ON_READER, /* handed to options.readers: may read the store */
    HTTP_ON_WRITER, /* handed to options.writers: may change the store; replied after COMMIT
                     */
};

/* MOULT_OK: *reply is set (or http_reply_later() was called). Anything else: the server
 * answers 500 (503 for MOULT_E_BUSY and MOULT_E_NOMEM), and logs the status with the
 * request's id. */
typedef enum moult_status (*http_handler)(struct http_request *request,
                                          const struct env *env, struct http_reply *reply);

struct http_route {
    enum http_method method; /* GET rows serve HEAD too */
    const char *path; /* "/device/v1/artifact/{sha256}"; a param is a whole segment */
    unsigned scope;   /* what admit() demands; means nothing to this layer */
    enum http_where where;
    uint32_t body_size_max; /* bytes; 0: no body */
    http_handler handle;
};

struct http_routes {
    const struct http_route *rows;
    size_t count; /* <= HTTP_ROUTES_MAX */
};

/* Whether the table can be served: patterns well formed, no two rows alike. *bad: index of
 * the first bad row. For a test and an assert at start. */
bool http_routes_check(const struct http_routes *routes, size_t *bad);

enum http_match {
    HTTP_MATCH_FOUND,
    HTTP_MATCH_NO_PATH,   /* 404 */
    HTTP_MATCH_NO_METHOD, /* 405; *allow has a bit (1 << method) for each method there is */
    HTTP_MATCH_NO_MEMORY, /* 503 */
};

/* The row for request->method and ->path. A literal segment wins over a {param}. On FOUND
 * sets request->route and ->params (values in the request's arena). */
enum http_match http_route_find(const struct http_routes *routes,
                                struct http_request *request, unsigned *allow);

#define HTTP_ALLOW_SIZE 64u
/* "GET, HEAD, POST" for the bits of `allow`. */
void http_allow_text(unsigned allow, char out[HTTP_ALLOW_SIZE]);

#endif
