/* device_move.h - what follows when a device changes; private to this folder.
 *
 * Layer    server/control.
 * Threads  writer, inside a job; rollouts_settle() is the caller's, once for all devices.
 */
#ifndef MOULT_SERVER_CONTROL_DEVICE_MOVE_H
#define MOULT_SERVER_CONTROL_DEVICE_MOVE_H

#include "server/control/checkin.h"
#include "server/store/store_device.h"

/* To another state: event "device.STATE" with this text, end of its assignment when it
 * leaves `accepted`; when it enters it, a place in the rollout that wants it, and a
 * wake. device->state is set. */
MOULT_MUST_CHECK enum moult_status device_move(const struct control_call *call,
                                               struct store_device *device,
                                               enum device_state to, const char *text);

/* Labels or attributes are others now, and saved: a rollout may want it. */
MOULT_MUST_CHECK enum moult_status device_relabelled(const struct control_call *call,
                                                     struct store_device *device);

#endif
