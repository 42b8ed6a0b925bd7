/* wake.h - "look now": the only thing MQTT ever says to a device.
 *
 * Layer    formats: pure functions.
 * Format   {1: u64 seq, 2: u32 spread_s} on topic moult/1/<device id>/wake;
 *          docs/spec/wake.md.
 * Use it   server: moult_wake_write(), publish retained at QoS 1. Device:
 *          moult_wake_read(); ignore a seq <= the last one of this boot, else check in
 *          within [0, spread_s].
 */
#ifndef MOULT_FORMATS_WAKE_H
#define MOULT_FORMATS_WAKE_H

#include <stdint.h>
#include "formats/bytes.h"
#include "formats/cbor.h"

#define MOULT_WAKE_SIZE_MAX 64u   /* bytes of the payload */
#define MOULT_WAKE_TOPIC_SIZE 46u /* "moult/1/" + 32 hex digits + "/wake" + NUL */

struct moult_wake {
    uint64_t seq;
    uint32_t spread_s;
};

void moult_wake_write(struct moult_cbor_writer *writer, const struct moult_wake *wake);

/* MOULT_OK; MOULT_E_RANGE: over MOULT_WAKE_SIZE_MAX; MOULT_E_FORMAT: not a wake;
 * MOULT_E_UNSUPPORTED: an unknown critical key. out untouched on failure. */
MOULT_MUST_CHECK enum moult_status moult_wake_read(struct moult_bytes payload,
                                                   struct moult_wake *out);

/* The topic of a device, NUL-terminated. */
void moult_wake_topic(const uint8_t device_id[16], char out[MOULT_WAKE_TOPIC_SIZE]);

#endif
