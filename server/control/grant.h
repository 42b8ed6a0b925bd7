/* grant.h - may this device be offered this release now? In the same words to code and to
 * people.
 *
 * Layer    server/control, private to this folder.
 * Threads  any store thread: looks at copies.
 */
#ifndef MOULT_SERVER_CONTROL_GRANT_H
#define MOULT_SERVER_CONTROL_GRANT_H

#include "server/control/internal.h"
#include "server/store/store_device.h"

enum grant_verdict {
    GRANT_PASS,
    GRANT_WAIT, /* not now; time or others will change it */
    GRANT_NO,   /* not without somebody doing something */
    GRANT_INFO, /* only said, never asked */
};

/* Everything a grant depends on. */
struct grant {
    struct control *control;
    struct store_db *db;
    int64_t now_ms;
    const struct store_device *device;
    const struct control_rollout *rollout;
    const struct store_release *release;
    const struct assignment *assignment; /* NULL: the device is not in the rollout */
    bool takes_offer;     /* take one from the rate: only whoever will grant */
    struct rollout *rate; /* whose bucket; the working copy. NULL with !takes_offer */

    /* Out: the first check that did not pass. */
    const char *failed; /* its name; NULL: all passed */
    int64_t wait_ms;    /* with GRANT_WAIT: how long at least, 0 unknown */
};

/* Runs the checks in order. With `trace` all are run and told; without, it ends at the
 * first that does not pass. The verdict is that of the first that did not pass. *status: of
 * the store. */
enum grant_verdict grant_examine(struct grant *grant,
                                 void (*trace)(void *context, const char *check,
                                               enum grant_verdict verdict,
                                               const char *words),
                                 void *context, enum moult_status *status);

#endif
