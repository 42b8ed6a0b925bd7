/* rollout_draft.h - a rollout as it is asked for, understood and checked; private to this
 * folder.
 *
 * Layer    server/control.
 */
#ifndef MOULT_SERVER_CONTROL_ROLLOUT_DRAFT_H
#define MOULT_SERVER_CONTROL_ROLLOUT_DRAFT_H

#include "formats/selector.h"
#include "server/control/internal.h"

struct rollout_draft {
    struct store_release release;
    const char *selector_text; /* borrowed from the body */
    struct moult_selector selector;
    bool is_started;                /* at once */
    struct control_rollout rollout; /* everything but num, selector and counters */
};

/* Reads the body of POST /rollouts; members that this program does not know are refused.
 * MOULT_OK; otherwise problem names the member. */
MOULT_MUST_CHECK enum moult_status rollout_draft_read(const struct control_call *call,
                                                      const json_t *body,
                                                      struct rollout_draft *draft);

#endif
