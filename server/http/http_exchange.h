/* http_exchange.h - the pool of exchanges of one I/O thread.
 *
 * Layer    server/http, private.
 * Memory   at most options.requests_open_max per thread; HTTP_POOL_MAX free ones are kept.
 */
#ifndef MOULT_SERVER_HTTP_EXCHANGE_H
#define MOULT_SERVER_HTTP_EXCHANGE_H

#include "server/http/http_core.h"

/* An empty exchange for conn, which may be NULL. NULL: all are in use, or no memory. */
struct http_exchange *http_exchange_take(struct http_thread *thread,
                                         struct http_conn *conn);

/* Back into the pool; closes files, forgets memory. It must not be waiting. */
void http_exchange_give(struct http_exchange *exchange);

/* The waiting exchange that handle names, or NULL: stale. */
struct http_exchange *http_exchange_find(struct http_thread *thread,
                                         struct http_handle handle);

struct http_handle http_exchange_handle(const struct http_exchange *exchange);

/* Frees the pool. Waiting exchanges are left alone: somebody else may be writing to
 * them. */
void http_exchange_free_all(struct http_thread *thread);

#endif
