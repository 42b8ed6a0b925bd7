/* env.h - what handlers work with. Sockets and globals are not in it.
 *
 * Layer    server/http.
 * Threads  one struct env per thread that runs handlers; what it points at is shared and
 *          says itself what it allows.
 */
#ifndef MOULT_SERVER_HTTP_ENV_H
#define MOULT_SERVER_HTTP_ENV_H

#include <stdbool.h>
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/base/random.h"
#include "server/base/signer_client.h"
#include "server/control/control.h"

struct http_server;

/* Counters of the device API, looked up once. Control counts the check-ins it has seen;
 * malformed
 * ones it never does. */
struct env_metrics {
    struct metric *checkin_refused;
    struct metrics_histogram *checkin_us;
};

struct env {
    struct control *control;
    struct store *store;
    struct store_db *db; /* of the job; NULL on I/O threads */
    struct artifact_store *artifacts;
    struct signer_client *signer;
    const struct moult_crypto *crypto;
    const struct clock *clock;
    const struct random *random;
    struct log log;
    struct metrics *metrics;
    struct env_metrics counts;
    struct http_server *server;              /* set before the first request is handled */
    bool metrics_open;                       /* GET /metrics needs no token from loopback */
    bool (*broker_connected)(void *context); /* NULL: no broker is configured */
    void *broker;
    uint64_t started_ms; /* monotonic */
};

#endif
