/* http_server.h - HTTP/1.1 over TLS for tens of thousands of mostly idle clients.
 *
 * Layer    server/http.
 * Why      architecture.md, section 3. Page: docs/design/http.md.
 * Threads  options.threads I/O threads, each with its own epoll and SO_REUSEPORT sockets; a
 *          connection never leaves its thread. All functions here may be called from any
 * thread.
 * Memory   the server is owned by who started it. Idle connections hold no request
 *          memory.
 * Use it   http_server_start(); on SIGTERM http_server_drain(); then stop the executors
 *          (each job must have been finished); then http_server_stop().
 */
#ifndef MOULT_SERVER_HTTP_SERVER_H
#define MOULT_SERVER_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "formats/status.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/base/random.h"
#include "server/base/tls.h"
#include "server/http/http_reply.h"
#include "server/http/http_request.h"
#include "server/http/http_router.h"

struct http_server;

/* Names an exchange that waits for its reply. Stale ones are recognised and ignored. */
struct http_handle {
    uint32_t thread;
    uint32_t slot;
    uint64_t generation;
};

/* A request whose handler must run elsewhere. Copied by value into the executor's queue.
 * Request and reply belong to the executor until http_job_finish(). */
struct http_job {
    struct http_server *server;
    struct http_handle handle;
    struct http_request *request;
    struct http_reply *reply;
};

/* A queue with threads behind it. */
struct http_executor {
    /* MOULT_OK: the job will be finished, whatever happens. MOULT_E_BUSY: full; the client
     * gets 503 with Retry-After. Must not block. NULL when no route needs this executor. */
    enum moult_status (*submit)(void *context, const struct http_job *job);
    void *context; /* borrowed */
};

struct http_listener {
    const char *name;    /* static; "device" | "operator": in logs and metrics */
    const char *address; /* "127.0.0.1:8443", "[::1]:0", "*:8443"; port 0: a free one */
    struct tls_context
        *tls; /* borrowed; NULL: plain HTTP (tests, behind a proxy on loopback) */
    struct http_routes routes; /* borrowed */
    /* Called on the I/O thread when the head is complete and its route is known, before any
     * of the body is read. False: *reply is set (401, 403, 429) and sent. Must not block.
     * May set request->principal. NULL: everything is admitted. */
    bool (*admit)(const struct env *env, struct http_request *request,
                  struct http_reply *reply);
};

/* Times in ms. A zero takes the default in brackets. */
struct http_server_options {
    const struct http_listener *listeners; /* copied */
    size_t listener_count;                 /* 1..HTTP_LISTENERS_MAX */
    unsigned threads;                      /* [number of CPUs, at most 8] */

    const struct env *env; /* for handlers on I/O threads, and admit(); borrowed */
    struct http_executor readers, writers;

    uint32_t connections_max; /* all threads [12000]; more are closed at once */
    uint32_t per_address_max; /* per IPv4 address or IPv6 /64 [256]; UINT32_MAX: no limit */
    uint32_t handshake_ms;    /* TLS handshake, total [10000] */
    uint32_t header_ms;       /* first byte to end of head, total [10000] */
    uint32_t body_ms;         /* each 16 KB of the body [15000] */
    uint32_t write_ms;     /* between two moments at which the socket took bytes [60000] */
    uint32_t idle_ms;      /* kept alive without a request [30000] */
    uint32_t reply_ms;     /* an asynchronous reply [30000]; then 503 and close */
    uint32_t linger_ms;    /* for the peer to read our last words [2000] */
    uint32_t requests_max; /* per connection [100000]; then Connection: close */
    uint32_t
        requests_open_max; /* read or answered at a time, per thread [4096]: 15 KB each */
    const char *spool_folder; /* for bodies over HTTP_BODY_MEMORY_MAX [/tmp] */

    const struct clock *clock;   /* borrowed [clock_system()] */
    const struct random *random; /* borrowed [random_system()] */
    struct log log;
    struct metrics *metrics; /* borrowed; NULL: none */
};

struct http_server_error {
    char text[256]; /* "operator: cannot listen on 127.0.0.1:8080: address in use" */
};

/* Listens and starts the threads. options is borrowed for the call. *out moved; it is set
 * before the first thread starts, so that handlers may find it in their env.
 * Raises the process's soft limit of open files to what connections_max needs, if it may.
 * MOULT_OK; MOULT_E_ARG: an address or the routes; MOULT_E_EXISTS: address in use;
 * MOULT_E_IO; MOULT_E_NOMEM. On failure error->text says why, nothing is left running. */
MOULT_MUST_CHECK enum moult_status
http_server_start(const struct http_server_options *options, struct http_server **out,
                  struct http_server_error *error);

/* The port a listener got (address with port 0). */
uint16_t http_server_port(const struct http_server *server, size_t listener);

/* No new connections; idle ones are closed, others after the reply they are owed. Returns
 * when all are gone or timeout_ms have passed: then the rest is cut. */
void http_server_drain(struct http_server *server, uint32_t timeout_ms);

/* Ends the threads and frees everything. All jobs must have been finished. NULL is allowed.
 */
void http_server_stop(struct http_server *server);

/* --- asynchronous replies ------------------------------------------------------------- */

/* For handlers on I/O threads: "I will answer later". The request, its arena and *reply
 * belong to the caller until http_complete(handle); that call must come, once, even when
 * the client is gone. Then return MOULT_OK. */
struct http_handle http_reply_later(struct http_request *request, struct http_reply *reply);

/* *reply is set; send it. A handle that is not waiting (already completed) is ignored and
 * logged. */
void http_complete(struct http_server *server, struct http_handle handle);

/* For executors: runs the job's handler with this thread's env; failures become problem
 * replies. Does not send: a writer commits first. */
void http_job_run(const struct http_job *job, const struct env *env);

/* Sends the reply. status other than MOULT_OK (COMMIT failed): what the handler answered is
 * replaced by 503. */
void http_job_finish(const struct http_job *job, enum moult_status status);

#endif
