/* serve.h - the unix socket of moult-signer: frames in, orders out.
 *
 * Layer    server/signer. Format: docs/spec/signer.md.
 * Memory   about 90 KB a connection, SERVE_CONNECTIONS_MAX of them, allocated once.
 * Threads  one.
 */
#ifndef MOULT_SERVER_SIGNER_SERVE_H
#define MOULT_SERVER_SIGNER_SERVE_H

#include <signal.h>
#include <sys/types.h>
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/signer/orders.h"

/* One moultd, one that is being replaced, and tools. */
#define SERVE_CONNECTIONS_MAX 8u

struct serve_options {
    const char *socket_path;
    uid_t allow_uid;
    const struct clock *clock;
    struct log log;
    const volatile sig_atomic_t *stop; /* set by a signal handler: leave the loop */
    /* Called once when connections are accepted. NULL: not needed. */
    void (*ready)(void *context);
    void *context;
};

/* Serves until *stop. A socket file left by a dead process is replaced; one that answers is
 * not. MOULT_OK; MOULT_E_EXISTS: another signer listens there; MOULT_E_IO; MOULT_E_NOMEM;
 * MOULT_E_RANGE: the path is too long. */
MOULT_MUST_CHECK enum moult_status serve_run(struct orders *orders,
                                             const struct serve_options *options);

#endif
