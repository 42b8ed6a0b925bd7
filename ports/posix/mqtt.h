/* mqtt.h - hears wakes: one subscription of one topic at an MQTT 3.1.1 broker.
 *
 * Layer    ports/posix, over libmosquitto, which is named in mqtt.c only.
 * Format   topic moult/1/<device id>/wake, payload of formats/wake.h.
 * Memory   heap at moult_mqtt_new(), and libmosquitto's (with OpenSSL about 1 MB).
 * Threads  one; no thread of its own. A broker given by name is looked up by libmosquitto,
 *          which waits for it: give an address where that matters.
 * Use it   new; in the main loop step, and sleep in poll(2) on what _wants() names, at most
 *          _wait_ms(). Losing the broker costs latency only: it is tried again with
 *          back-off and jitter, for ever.
 */
#ifndef MOULT_PORTS_POSIX_MQTT_H
#define MOULT_PORTS_POSIX_MQTT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "formats/bytes.h"
#include "formats/compiler.h"
#include "formats/status.h"

#define MOULT_MQTT_RETRY_FIRST_MS 1000u /* before the second try; doubles, +- 50 % */
#define MOULT_MQTT_RETRY_MAX_MS 300000u /* longest between two tries */
#define MOULT_MQTT_KEEPALIVE_S 120u /* a dead connection is noticed within 1.5 times that */
#define MOULT_MQTT_CONNECT_MAX_MS 20000u /* for TCP, TLS and the broker's answer */

struct moult_mqtt;

struct moult_mqtt_options {
    const char *host; /* name or address, as the broker's certificate gives it */
    uint16_t port;
    uint8_t device_id[16];                   /* client id and topic */
    struct moult_bytes ca, certificate, key; /* PEM, without the final NUL */
    void (*wake)(void *context, const uint8_t *payload, size_t size); /* from step only */
    void *context;
};

/* MOULT_OK; MOULT_E_NOMEM; MOULT_E_FORMAT: CA, certificate or key are not taken. *out is
 * NULL on failure. Strings and bytes are copied. */
MOULT_MUST_CHECK enum moult_status moult_mqtt_new(const struct moult_mqtt_options *options,
                                                  struct moult_mqtt **out);
void moult_mqtt_free(struct moult_mqtt *mqtt); /* NULL is harmless; says goodbye */

/* Connect when it is time, read, write, keep alive. Never waits (but see Threads). */
void moult_mqtt_step(struct moult_mqtt *mqtt, uint64_t now_ms);

/* True: out is filled in. False: not connected, nothing to sleep on. */
bool moult_mqtt_wants(const struct moult_mqtt *mqtt, struct pollfd *out);

/* Longest sleep until the next step. */
uint32_t moult_mqtt_wait_ms(const struct moult_mqtt *mqtt, uint64_t now_ms);

/* Whether the subscription is in force. */
bool moult_mqtt_is_listening(const struct moult_mqtt *mqtt);

/* How often a connection was begun; libmosquitto's number for why the last one ended. */
uint32_t moult_mqtt_tries(const struct moult_mqtt *mqtt);
int moult_mqtt_last_error(const struct moult_mqtt *mqtt);

#endif
