/* rollout_sweep.h - abort and retry on their way through a rollout's devices, batch by
 * batch; private to this folder.
 *
 * Layer    server/control.
 * Why      a million rows in one transaction would hold up the writer, and with it every
 *          check-in that has news, for half a minute.
 * Power    verb and place are columns of the rollout, written with each batch: after a kill
 *          the tick goes on where it stood.
 * Threads  writer, inside a job.
 *
 * Abort: the rollout is aborted first, so nothing is offered any more; then the rows. A
 * device that checks in before its batch is met there (checkin_write.c). The furthest
 * states come first: an offer that is taken back meanwhile is still met as planned.
 * Retry: the rows first, then phases reopen: gates that judged half-way would find all
 * devices ended.
 */
#ifndef MOULT_SERVER_CONTROL_ROLLOUT_SWEEP_H
#define MOULT_SERVER_CONTROL_ROLLOUT_SWEEP_H

#include "server/control/assigned.h"

#define SWEEP_BATCH_MAX 500u /* rows a job: about 15 ms of the writer */

struct sweeping {
    struct control *control;
    struct store_db *db;
    struct rollout_slot *slot;
    int64_t now_ms;
};

/* Begins, in place of one that is under way, and does the first batch: a rollout of at most
 * SWEEP_BATCH_MAX devices is done then. */
MOULT_MUST_CHECK enum moult_status rollout_sweep_begin(const struct sweeping *sweeping,
                                                       enum sweep_verb verb);

/* The tick's share: one batch of one rollout. *has_more is set when there is more to do,
 * and left alone else. */
MOULT_MUST_CHECK enum moult_status rollouts_sweep(struct control *control,
                                                  struct store_db *db, int64_t now_ms,
                                                  bool *has_more);

/* "abort", "retry"; NULL: none. */
const char *sweep_word(enum sweep_verb verb);

#endif
