/* wake_publisher.h - tells devices through the broker to look now.
 *
 * Layer    server/mqtt. Format: docs/spec/wake.md; topic moult/1/DEVICE_ID/wake, QoS 1,
 *          retained.
 * Why      a wake carries no state: losing every one of them costs time, never correctness.
 * Threads  one of its own, which is libmosquitto's too.
 * Use it   wake_publisher_start() after control_open(); stop before control_close().
 */
#ifndef MOULT_SERVER_MQTT_WAKE_PUBLISHER_H
#define MOULT_SERVER_MQTT_WAKE_PUBLISHER_H

#include "server/base/metrics.h"
#include "server/control/control.h"

#define WAKE_PUBLISHER_TEXT_MAX 400u /* bytes of a path or address, NUL included */

struct wake_publisher;

struct wake_publisher_options {
    const char *broker;                         /* "HOST:PORT" */
    const char *ca_path, *cert_path, *key_path; /* PEM */
    struct control *control;                    /* borrowed until stop */
    const struct clock *clock;                  /* borrowed */
    const struct random *random;                /* borrowed */
    struct log log;
    struct metrics *metrics; /* borrowed */
};

/* Starts; a broker that is not there is tried again for ever, with a pause of 1 s to 60 s.
 * *out moved. MOULT_OK; MOULT_E_ARG: the address; MOULT_E_IO: certificate files (logged);
 * MOULT_E_NOMEM. */
MOULT_MUST_CHECK enum moult_status
wake_publisher_start(const struct wake_publisher_options *options,
                     struct wake_publisher **out);

/* For status pages; any thread. context is the publisher. */
bool wake_publisher_is_connected(void *context);

void wake_publisher_stop(struct wake_publisher *publisher); /* NULL is allowed */

#endif
