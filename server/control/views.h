/* views.h - rows as the objects of docs/spec/operator-api.md; private to this folder.
 *
 * Layer    server/control. Each returns a new reference, NULL without memory or when the
 *          store fails (*status says).
 */
#ifndef MOULT_SERVER_CONTROL_VIEWS_H
#define MOULT_SERVER_CONTROL_VIEWS_H

#include "server/control/internal.h"
#include "server/store/store_device.h"

/* RFC 3339, or null for 0. */
json_t *view_time(int64_t time_ms);

json_t *view_device(struct control *control, struct store_db *db,
                    const struct store_device *device, enum moult_status *status);
json_t *view_release(struct control *control, struct store_db *db,
                     const struct store_release *release, enum moult_status *status);
json_t *view_rollout(struct control *control, struct store_db *db,
                     const struct control_rollout *rollout, enum moult_status *status);
/* device_id: 16 bytes. */
json_t *view_assignment(struct control *control, const struct store_assignment *row,
                        const struct control_rollout *rollout, const uint8_t *device_id);

/* The ETag of a rollout: its id and revision. */
#define ETAG_SIZE 48u
void rollout_etag(const struct control_rollout *rollout, char out[ETAG_SIZE]);

#endif
