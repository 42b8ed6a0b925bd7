/* http_thread.h - one I/O thread: accepts, waits for events, deadlines and completions.
 *
 * Layer    server/http, private.
 */
#ifndef MOULT_SERVER_HTTP_THREAD_H
#define MOULT_SERVER_HTTP_THREAD_H

#include "server/http/http_core.h"

/* Prepares a thread whose acceptors (fd and place) are set. Takes the acceptors' sockets:
 * closes them on failure too. MOULT_OK; MOULT_E_NOMEM, MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status
http_thread_init(struct http_thread *thread, struct http_server *server, uint32_t index);

/* The thread's body: returns when the server is stopping and nothing waits any more.
 * context is the thread. */
void *http_thread_run(void *context);

/* Makes it look at the server's flags. */
void http_thread_wake(struct http_thread *thread);

/* After http_thread_run() has returned, or never ran. */
void http_thread_release(struct http_thread *thread);

#endif
