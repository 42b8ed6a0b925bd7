/* pacing.h - when a device is to check in again; private to this folder.
 *
 * Layer    server/control: pure.
 */
#ifndef MOULT_SERVER_CONTROL_PACING_H
#define MOULT_SERVER_CONTROL_PACING_H

#include "server/control/control.h"

struct pacing {
    const uint8_t *device_id; /* 16 bytes */
    uint8_t state;            /* enum device_state */
    uint8_t assigned_state;   /* enum assignment_state; 0 none */
    bool may_be_offered;      /* planned, and its phase is open */
    int64_t wait_ms; /* planned or soaking: until something can change; 0 unknown */
    int64_t now_ms;
};

/* Seconds, within [interval_min, 31 d]. An idle device is placed on its own slot of the
 * interval's grid, so that a fleet polls evenly by construction. */
uint32_t pacing_next_s(const struct control_config *config, const struct pacing *pacing);

#endif
