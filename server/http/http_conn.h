/* http_conn.h - one connection: bytes in, requests in order, bytes out.
 *
 * Layer    server/http, private. The states are in http_core.h.
 */
#ifndef MOULT_SERVER_HTTP_CONN_H
#define MOULT_SERVER_HTTP_CONN_H

#include "server/http/http_core.h"

/* A connection on an accepted socket, counted in the thread's peers already. fd: moved,
 * closed on failure too. False: no memory, or epoll refused; the peer is then uncounted. */
bool http_conn_open(struct http_thread *thread, struct http_place *place, int fd,
                    const struct http_address *address);

/* What epoll says about it. */
void http_conn_event(struct http_conn *conn, uint32_t events);

/* Goes on where a wake-up's share ended (conn->is_ready was set). */
void http_conn_ready(struct http_conn *conn);

/* Its timer of that kind ran out. */
void http_conn_timeout(struct http_conn *conn, enum http_timer_kind kind);

/* The reply of its exchange is set. */
void http_conn_completed(struct http_conn *conn);

/* Ends it at once. It is freed later, by http_conn_free_closed(). */
void http_conn_close(struct http_conn *conn);

/* Draining: ends it when it owes nothing. */
void http_conn_drain(struct http_conn *conn);

/* Frees the closed ones; after a batch of events, when the ready list has been run. */
void http_conn_free_closed(struct http_thread *thread);

#endif
