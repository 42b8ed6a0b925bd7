/* route.h - where a request goes: the compiled-in base URL, or what a signed list says.
 *
 * Layer    device, private. The engine knows this table of functions and no more of
 *          endpoint lists, so that a product without them does not link them.
 */
#ifndef MOULT_DEVICE_ROUTE_H
#define MOULT_DEVICE_ROUTE_H

#include "device/src/session_states.h"
#include "moult/endpoints.h"

struct moult_route_hooks {
    /* A check-in begins. Returns the version of the list in use; 0: none. */
    uint32_t (*begin)(struct moult_session *s);
    /* Its order was believed: the address is good. */
    void (*believed)(struct moult_session *s);
    /* The contact failed. Returns how many failures the back-off is to be for. */
    uint32_t (*failed)(struct moult_session *s);
    /* Base URL of the next request; borrowed until the one after. */
    const char *(*base)(struct moult_session *s, bool is_artifact);
    /* Another artifact endpoint, if there is one that was not tried for this source. */
    bool (*next_artifact)(struct moult_session *s);
    /* Whether an absolute URL lies under an artifact endpoint. */
    bool (*covers)(const struct moult_session *s, struct moult_bytes url);
    /* Whether there is a newer list to be fetched; the state ENDPOINTS then does. */
    bool (*wants)(struct moult_session *s);
    enum moult_state (*work)(struct moult_session *s);
};

/* Base URL of a request (fetch.c). */
const char *moult_base(struct moult_session *s, bool is_artifact);

/* Behind the keyset: a newer endpoint list, the order, or nothing (refresh.c). */
enum moult_state moult_after_keyset(struct moult_session *s);

#endif
