/* orders.h - the assignment payload that moult-signer signs; private to this folder.
 *
 * Layer    server/control.
 * Format   formats/assignment.h.
 */
#ifndef MOULT_SERVER_CONTROL_ORDERS_H
#define MOULT_SERVER_CONTROL_ORDERS_H

#include "server/control/internal.h"

struct order {
    enum moult_action action;
    const uint8_t *device_id; /* 16 bytes */
    const uint8_t *nonce;     /* 16 bytes */
    uint64_t counter;
    int64_t now_ms;
    uint8_t class_index;

    /* INSTALL and ABORT. */
    const uint8_t *deployment;           /* 16 bytes; NULL: none */
    const struct store_release *release; /* NULL: none */
    enum rollout_mode mode;
    bool stage_only;   /* stop before the boot slot is set */
    bool lift_block;   /* the device's own ledger is to be overruled */
    uint8_t deferrals; /* OPTIONAL: how often the user may still say later */
};

/* MOULT_OK: result->payload and payload_size are set, is_order is true. MOULT_E_SPACE: it
 * does not fit (four long components); MOULT_E_INTERNAL: it does not read back. */
MOULT_MUST_CHECK enum moult_status order_write(struct control *control,
                                               const struct order *order,
                                               struct control_checkin_result *result);

#endif
