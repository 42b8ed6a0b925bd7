/* reports.h - what devices say about their updates, applied once; private to this folder.
 *
 * Layer    server/control.
 * Threads  writer, inside a job.
 */
#ifndef MOULT_SERVER_CONTROL_REPORTS_H
#define MOULT_SERVER_CONTROL_REPORTS_H

#include "server/control/assigned.h"

/* Stores the reports of a device, oldest first, and moves its assignment by those that are
 * new. assigned: the device's active (or silent) assignment, opened; saved by the caller.
 * *went_rebooting: one of them moved it into rebooting, so a running digest in the same
 * message is from before the reboot. result: gone ids are added. */
MOULT_MUST_CHECK enum moult_status reports_apply(struct assigned *assigned,
                                                 struct moult_cbor_list reports,
                                                 struct control_checkin_result *result,
                                                 bool *went_rebooting);

#endif
