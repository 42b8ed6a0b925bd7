/* http_request.h - what a handler sees of a request.
 *
 * Layer    server/http.
 * Memory   the request and all it points to live until its reply is sent; for asynchronous
 *          replies, until http_complete(). Nothing here is freed by a handler.
 * Threads  belongs to one at a time: the I/O thread, or whoever holds the job.
 */
#ifndef MOULT_SERVER_HTTP_REQUEST_H
#define MOULT_SERVER_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "formats/bytes.h"
#include "server/base/arena.h"
#include "server/http/http_limits.h"

enum http_method {
    HTTP_GET,
    HTTP_HEAD, /* served by the GET route; the writer leaves the body out */
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_METHOD_COUNT,
};
/* "GET"; static. */
const char *http_method_name(enum http_method method);

struct http_header {
    const char *name;  /* in requests: lower case */
    const char *value; /* no white space at either end */
};

struct http_param {
    const char *name; /* without braces; static */
    const char *value;
};

#define HTTP_PEER_SIZE 46u       /* longest textual IPv6 address and NUL */
#define HTTP_REQUEST_ID_SIZE 17u /* 16 hex digits and NUL */
#define HTTP_SPKI_SIZE 32u

struct http_route;

struct http_request {
    enum http_method method;
    const char
        *path; /* percent-decoded, starts with '/', no empty, "." or ".." segment, UTF-8 */
    const char *query; /* as sent, without '?'; "" if none. See http_request_query() */
    const struct http_header *headers;
    size_t header_count;
    struct http_param params[HTTP_PARAMS_MAX]; /* of the route's pattern, in its order */
    size_t param_count;

    uint64_t body_size;      /* bytes */
    struct moult_bytes body; /* the body when body_fd is -1 */
    int body_fd; /* larger bodies: an unlinked file, at offset 0; borrowed. Else -1 */

    char peer[HTTP_PEER_SIZE]; /* address without port */
    bool has_spki;             /* the client showed a certificate */
    uint8_t spki_sha256[HTTP_SPKI_SIZE];

    char id[HTTP_REQUEST_ID_SIZE]; /* in log, reply, audit entry */
    uint64_t realtime_ms;          /* when the head was complete */
    uint64_t monotonic_ms;
    struct arena *arena;            /* borrowed; cleared with the request */
    const struct http_route *route; /* static */
    void *principal;                /* whatever admit() left here; NULL before */
};

/* The value of a field, name in lower case. NULL: not sent. Of fields sent more than once,
 * the first; those that must not be repeated (host, content-length, if-range, range,
 * authorization, if-match, if-none-match, content-type, expect, idempotency-key) were
 * refused by the parser. */
const char *http_request_header(const struct http_request *request, const char *name);

/* The value of a {name} in the route's pattern; never NULL for a name that the pattern has.
 */
const char *http_request_param(const struct http_request *request, const char *name);

/* The decoded value of a query key ('+' is a space), in the arena. NULL: not there, not
 * decodable, or no memory. A key given twice counts as not decodable: see
 * http_query_check(). */
const char *http_request_query(struct http_request *request, const char *key);

/* Whether the query is well formed (each key once, decodable to UTF-8 without NUL, at most
 * HTTP_QUERY_PAIRS_MAX) and every key is in `known`, a NULL-ended list. On false, *bad is
 * the first bad key (in the arena, or a literal), for a problem's `field`. */
bool http_query_check(struct http_request *request, const char *const *known,
                      const char **bad);

#endif
