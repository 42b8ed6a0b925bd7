/* http_core.h - the objects of the HTTP server; private to server/http/http_*.c.
 *
 * Layer    server/http.
 * Threads  a thread and everything it points to belongs to that thread; what is shared says
 *          so.
 * Memory   server owns threads and places; a thread owns its connections and exchanges. A
 *          connection that was closed in the middle of a batch of events is freed after the
 *          batch. An exchange that waits for its reply belongs to whoever answers, until
 *          the completion comes back, even when its connection is gone.
 */
#ifndef MOULT_SERVER_HTTP_CORE_H
#define MOULT_SERVER_HTTP_CORE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "server/base/arena.h"
#include "server/base/buffer.h"
#include "server/base/metrics.h"
#include "server/base/queue.h"
#include "server/base/tls.h"
#include "server/http/http_limits.h"
#include "server/http/http_parser.h"
#include "server/http/http_peers.h"
#include "server/http/http_reply.h"
#include "server/http/http_request.h"
#include "server/http/http_server.h"
#include "server/http/http_timers.h"
#include "server/http/http_writer.h"

/* What an epoll event is about. */
enum http_source_kind { HTTP_SOURCE_ACCEPTOR, HTTP_SOURCE_QUEUE, HTTP_SOURCE_CONN };
struct http_source {
    enum http_source_kind kind;
};

enum http_exchange_state {
    HTTP_EXCHANGE_FREE,
    HTTP_EXCHANGE_ACTIVE,  /* its thread works on it */
    HTTP_EXCHANGE_WAITING, /* somebody else does: hands off request, reply and arena */
};

/* A request on its way to its reply. */
struct http_exchange {
    enum http_exchange_state state;
    uint32_t slot;
    uint64_t generation;             /* of the slot; a handle with another one is stale */
    struct http_conn *conn;          /* borrowed; NULL: the client is gone */
    struct http_exchange *next_free; /* while free */
    struct http_thread *thread;      /* borrowed */
    struct http_request request;
    struct http_reply reply;
    struct arena arena;
    struct buffer body;
    int spool_fd; /* owned; -1 none */
    uint64_t body_received, body_at_arming;
    uint64_t started_us; /* monotonic */
    bool keep_alive;
    bool may_continue; /* 100 is to be sent before the body is read */
    uint64_t sent;
    struct http_writer writer;
    struct http_parser parser;
};

enum http_conn_state {
    HTTP_CONN_HANDSHAKE,
    HTTP_CONN_IDLE, /* nothing of a request has come */
    HTTP_CONN_HEAD,
    HTTP_CONN_BODY,
    HTTP_CONN_WAIT, /* for the reply of a handler elsewhere */
    HTTP_CONN_WRITE,
    HTTP_CONN_LINGER, /* all is said; see start_lingering() */
    HTTP_CONN_CLOSED, /* waits to be freed */
};

struct http_conn {
    struct http_source source; /* first: what epoll hands back */
    enum http_conn_state state;
    int fd;
    uint32_t events; /* epoll interest; 0 with is_watched false: not in the set any more */
    bool is_watched, is_ready, has_spki;
    struct tls_conn *tls; /* owned; NULL: plain */
    struct http_place *place;
    struct http_thread *thread;
    struct http_timer timer;
    struct http_exchange *exchange; /* owned by the thread's pool; NULL while idle */
    uint8_t *rest;                  /* owned: bytes that came while a reply was owed */
    size_t rest_from, rest_size;
    uint32_t request_count;
    uint32_t lingered; /* bytes thrown away */
    struct http_address address;
    uint8_t spki_sha256[HTTP_SPKI_SIZE];
    struct http_conn *previous, *next; /* all of the thread */
    struct http_conn *next_ready, *next_closed;
};

/* A listener and what is counted about it. Shared by the threads; counters are atomic. */
struct http_place {
    struct http_listener listener;
    uint16_t port;
    struct metric *connections, *accepted, *refused_all, *refused_address, *refused_busy;
    struct metric *handshakes_full, *handshakes_resumed, *handshakes_failed;
    struct metric *replies[6]; /* by first digit of the status */
    struct metric *sent_bytes;
    struct metric *timeouts[HTTP_TIMER_KINDS];
    struct metrics_histogram *seconds;
};

struct http_acceptor {
    struct http_source source;
    int fd; /* owned; -1 closed */
    struct http_place *place;
};

/* What comes through a thread's queue. */
struct http_message {
    bool is_completion; /* false: just look at the server's flags */
    struct http_handle handle;
};

struct http_thread {
    struct http_server *server;
    uint32_t index;
    pthread_t id;
    int epoll_fd;
    struct http_source queue_source;
    struct queue queue; /* shared: others push */
    struct http_acceptor acceptors[HTTP_LISTENERS_MAX];
    struct http_timers timers;
    struct http_conn *all, *ready, *closed;
    struct http_exchange **slots; /* owned */
    uint32_t slot_count, slot_max, free_count;
    struct http_exchange *first_free;
    uint32_t waiting_count;
    uint64_t now_ms;           /* monotonic, of this round */
    uint64_t resume_accept_ms; /* 0: accepting */
    uint64_t date_second;
    char date[CLOCK_HTTP_SIZE];
    uint64_t id_base, id_count;
    bool is_draining;
    uint8_t in[TLS_RECORD_SIZE];
    uint8_t out[HTTP_WRITE_SIZE_MAX];
};

struct http_server {
    struct http_server_options options; /* defaults filled in */
    struct http_place places[HTTP_LISTENERS_MAX];
    size_t place_count;
    struct http_thread *threads; /* owned array */
    uint32_t thread_count;
    struct http_peers *peers;    /* shared */
    struct metrics *own_metrics; /* owned; NULL: the caller's are used */
    _Atomic bool is_draining, is_cut, is_stopping;
};

#endif
