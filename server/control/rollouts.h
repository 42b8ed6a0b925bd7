/* rollouts.h - rollouts as operators see and change them.
 *
 * Layer    server/control. The decisions are in server/rollout; this stores and publishes
 *          them.
 */
#ifndef MOULT_SERVER_CONTROL_ROLLOUTS_H
#define MOULT_SERVER_CONTROL_ROLLOUTS_H

#include "server/control/control.h"

/* POST /rollouts, writer. body as in docs/spec/operator-api.md. A dry run adds "preview",
 * computed by the function that saves. */
MOULT_MUST_CHECK enum moult_status control_rollout_create(const struct control_call *call,
                                                          const json_t *body, json_t **out);
/* GET /rollouts?state=; GET /rollouts/{id or name} ("etag" is a member of the object). */
MOULT_MUST_CHECK enum moult_status control_rollout_list(const struct control_call *call,
                                                        const char *state,
                                                        const struct control_page *page,
                                                        json_t **out);
MOULT_MUST_CHECK enum moult_status control_rollout_show(const struct control_call *call,
                                                        const char *id, json_t **out);
/* POST /rollouts/{id}/{verb}, writer. remark: may be NULL; needed by advance. if_match: an
 * etag that must still be current (412), or NULL. */
struct control_rollout_change {
    const char *id, *verb, *remark, *if_match;
};
MOULT_MUST_CHECK enum moult_status
control_rollout_verb(const struct control_call *call,
                     const struct control_rollout_change *change, json_t **out);
/* GET /rollouts/{id}/devices?state=: list of assignment. */
MOULT_MUST_CHECK enum moult_status
control_rollout_devices(const struct control_call *call, const char *id, const char *state,
                        const struct control_page *page, json_t **out);
#endif
