/* rollout_rows.h - between the engine's structs and rows of the store.
 *
 * Layer    server/control, private to this folder: the only place that knows both.
 */
#ifndef MOULT_SERVER_CONTROL_ROLLOUT_ROWS_H
#define MOULT_SERVER_CONTROL_ROLLOUT_ROWS_H

#include "server/control/rollout_cache.h"

/* selector of *rollout is left NULL. */
void rollout_from_row(const struct store_rollout *row, struct control_rollout *rollout);
void rollout_to_row(const struct control_rollout *rollout, const char *selector,
                    struct store_rollout *row);

void assignment_from_row(const struct store_assignment *row, struct assignment *assignment);
/* Only the engine's fields of *row are written. */
void assignment_to_row(const struct assignment *assignment, struct store_assignment *row);

#endif
