/* rollout_work.h - what rollouts do by themselves while jobs run; private to this folder.
 *
 * Layer    server/control.
 * Threads  writer, inside a job.
 */
#ifndef MOULT_SERVER_CONTROL_ROLLOUT_WORK_H
#define MOULT_SERVER_CONTROL_ROLLOUT_WORK_H

#include "server/control/assigned.h"

/* Judges the rollouts that this job has touched: gates, phases, pauses. Call once, at the
 * end of a job that changed assignments. */
MOULT_MUST_CHECK enum moult_status rollouts_settle(struct control *control,
                                                   struct store_db *db, int64_t now_ms);

/* Writes down what a tick or a verb of the engine did: events, wakes, the ETag. */
MOULT_MUST_CHECK enum moult_status
rollout_outcome_done(struct control *control, struct store_db *db,
                     struct rollout_slot *slot, const struct rollout_outcome *outcome,
                     int64_t now_ms);

/* Puts a device whose slot is free into the rollout that wants it: of its class, going on,
 * of a higher sequence than what it runs, selecting it, and not holding a row of it yet;
 * the highest sequence wins. *assigned is then that assignment. */
MOULT_MUST_CHECK enum moult_status rollouts_join(struct assigned *assigned);

/* The job of control_timer(): time limits and gates. *has_more: more limits have run out
 * than one job looks at; run it again soon. */
MOULT_MUST_CHECK enum moult_status
rollouts_tick(struct control *control, struct store_db *db, int64_t now_ms, bool *has_more);

#endif
