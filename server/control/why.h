/* why.h - why a device has, or has not, what one expects it to have.
 *
 * Layer    server/control. The checks are the functions that grant offers, in their order.
 */
#ifndef MOULT_SERVER_CONTROL_WHY_H
#define MOULT_SERVER_CONTROL_WHY_H

#include "server/control/control.h"

/* GET /devices/{id}/why?rollout=:
 * {"device","summary","checks":[{"check","verdict","words"}]}. rollout: id or name; NULL:
 * the one the device is in, or the newest of its class. */
MOULT_MUST_CHECK enum moult_status control_why(const struct control_call *call,
                                               const char *id, const char *rollout,
                                               json_t **out);
#endif
