/* http_client.h - HTTPS as moult/port.h wants it: one request at a time, never blocking.
 *
 * Layer    ports/posix; TLS is ports/posix/tls.h, the parser ports/posix/http_response.h.
 * Memory   one struct of about 12 KB, the caller's; TLS buffers while a connection is open.
 * Threads  one at a time.
 * Use it   moult_http_client_init(); then start, poll until END or FAILED, or cancel. Sleep
 *          in poll(2) on what moult_http_client_wants() names. moult_http_client_end() at
 *          the end.
 *
 * A connection is kept and used again for the same host and port. When a kept one turns out
 * to have been closed before any byte of the answer came, the request is sent once more on
 * a new one. Redirects are handed to the caller as they come.
 */
#ifndef MOULT_PORTS_POSIX_HTTP_CLIENT_H
#define MOULT_PORTS_POSIX_HTTP_CLIENT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "moult/port.h"
#include "ports/posix/http_response.h"
#include "ports/posix/resolver.h"
#include "ports/posix/tls.h"
#include "ports/posix/url.h"

#define MOULT_HTTP_REQUEST_SIZE_MAX                                                        \
    1536u /* request line and headers: prefix, path of 192, ETag */
#define MOULT_HTTP_BUFFER_SIZE 4096u   /* of received bytes */
#define MOULT_HTTP_BODY_SIZE_MAX 4096u /* of a request: port.h's limit */

/* Also what is said when nothing on this list fits: errno. */
enum {
    MOULT_HTTP_E_URL = -10001,     /* not an https URL */
    MOULT_HTTP_E_REQUEST = -10002, /* head or body over its limit, or a bad byte in it */
    MOULT_HTTP_E_BUSY = -10003,    /* a request is under way */
};

struct moult_http_client {
    struct moult_tls *tls;     /* borrowed */
    uint32_t connection_count; /* opened so far; for displays and tests */

    /* private */
    uint8_t state;
    bool is_connected, is_reused, had_answer, in_body, peer_closed;
    int fd;
    struct moult_url url; /* where the connection goes */
    struct moult_resolver resolver;
    uint32_t address; /* that is tried */
    struct moult_http_failure failure;
    uint64_t moved_ms; /* when something last moved */
    uint32_t timeout_ms;
    short events;            /* what the socket is waited for */
    struct moult_bytes body; /* of the request, borrowed */
    size_t sent;             /* of head and body */
    size_t head_size;
    char head[MOULT_HTTP_REQUEST_SIZE_MAX];
    struct moult_http_parser parser;
    size_t in_at, in_size;
    uint8_t in[MOULT_HTTP_BUFFER_SIZE];
};

/* tls stays borrowed until moult_http_client_end(). */
void moult_http_client_init(struct moult_http_client *client, struct moult_tls *tls);

/* Drops everything, closes the connection. */
void moult_http_client_end(struct moult_http_client *client);

/* As http_start of moult/port.h. 0, or one of MOULT_HTTP_E_*. */
MOULT_MUST_CHECK int32_t moult_http_client_start(struct moult_http_client *client,
                                                 const struct moult_http_request *request);

/* As http_poll of moult/port.h. PROTOCOL failures carry enum moult_http_fault as native
 * number, DNS ones EAI_..., CONNECT and RESET ones errno, TLS ones the library's, CERT ones
 * X.509 flags. */
enum moult_http_event moult_http_client_poll(struct moult_http_client *client,
                                             uint8_t *buffer, size_t capacity, size_t *size,
                                             struct moult_http_reply *reply,
                                             struct moult_http_failure *failure);

/* As http_cancel of moult/port.h: a request under way takes its connection with it. */
void moult_http_client_cancel(struct moult_http_client *client);

/* What to sleep on. True: out is filled in (fd -1 while a name is looked up: look again
 * soon). False: nothing is under way and no connection is kept. */
bool moult_http_client_wants(const struct moult_http_client *client, struct pollfd *out);

/* Call when poll(2) says that something happened and no request is under way: a kept
 * connection that the peer has closed is given up. */
void moult_http_client_tend(struct moult_http_client *client);

#endif
