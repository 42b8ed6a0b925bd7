/* executor.h - runs handlers of READER and WRITER routes as jobs of the store.
 *
 * Layer    server/http.
 * Use it   http_executor_of(env, true) for http_server_options.writers, false for readers.
 */
#ifndef MOULT_SERVER_HTTP_EXECUTOR_H
#define MOULT_SERVER_HTTP_EXECUTOR_H

#include "server/http/env.h"
#include "server/http/http_server.h"

/* env: borrowed as long as the server runs; copied for each job with the job's db. */
struct http_executor http_writers(const struct env *env);
struct http_executor http_readers(const struct env *env);

#endif
