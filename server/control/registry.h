/* registry.h - devices as operators see and change them.
 *
 * Layer    server/control. Replies are the objects of docs/spec/operator-api.md.
 * Threads  list, show and history read (any store thread); the others change (writer).
 */
#ifndef MOULT_SERVER_CONTROL_REGISTRY_H
#define MOULT_SERVER_CONTROL_REGISTRY_H

#include "server/base/buffer.h"
#include "server/control/control.h"

/* GET /devices: {"items":[device],"next":...}. Any filter may be NULL. q: prefix of id,
 * name or serial. */
struct control_device_filter {
    const char *selector, *state, *q;
};
MOULT_MUST_CHECK enum moult_status
control_device_list(const struct control_call *call,
                    const struct control_device_filter *filter,
                    const struct control_page *page, json_t **out);
/* GET /devices/{id}. id: 32 hex digits, or a name that one device has. */
MOULT_MUST_CHECK enum moult_status control_device_show(const struct control_call *call,
                                                       const char *id, json_t **out);
/* GET /devices/{id}/history: events of a device, newest first. */
MOULT_MUST_CHECK enum moult_status control_device_history(const struct control_call *call,
                                                          const char *id,
                                                          const struct control_page *page,
                                                          json_t **out);
/* POST /devices/{id}/{verb}: accept, reject, quarantine, release, retire. */
MOULT_MUST_CHECK enum moult_status control_device_verb(const struct control_call *call,
                                                       const char *id, const char *verb,
                                                       json_t **out);
/* POST /devices/actions: body {"verb","selector","expect_count"} -> {"matched","changed"}.
 */
MOULT_MUST_CHECK enum moult_status control_device_actions(const struct control_call *call,
                                                          const json_t *body, json_t **out);

/* CSV import, a thousand rows per transaction. begin (any thread), then one write job per
 * control_import_step() until *is_done, then result and end. */
struct control_import;
MOULT_MUST_CHECK enum moult_status
control_import_begin(struct control *control, struct moult_bytes csv, /* borrowed */
                     struct control_import **out, struct control_problem *problem);
MOULT_MUST_CHECK enum moult_status control_import_step(const struct control_call *call,
                                                       struct control_import *import,
                                                       bool *is_done);
/* {"created":n,"updated":n,"unchanged":n,"errors":[...]}; new reference, NULL: no memory.
 */
json_t *control_import_result(const struct control_import *import);
void control_import_end(struct control_import *import); /* NULL is allowed */

/* GET /devices?format=csv: appends header and all rows, the same columns as import takes.
 */
MOULT_MUST_CHECK enum moult_status control_device_export(const struct control_call *call,
                                                         struct buffer *out);
#endif
