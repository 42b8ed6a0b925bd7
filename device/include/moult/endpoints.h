/* endpoints.h - other server addresses than the compiled-in one, from a signed list.
 *
 * Layer    device, public. Format and rules: docs/spec/endpoints.md.
 * Optional a product that does not call moult_endpoints_enable() links nothing of this.
 * Memory   one struct moult_routes beside the session, owned by the caller, at most
 *          MOULT_ROUTES_SIZE bytes.
 * Power    two lists are kept, each a record of its own; a new one never replaces the one
 *          in use.
 *
 * Use it   moult_session_init(&session, &port, &config);
 *          moult_endpoints_enable(&session, &routes, "eu");   before the first step
 *
 * The base URL of the configuration stays the last address of every round: no list, however
 * wrong, takes it away.
 */
#ifndef MOULT_ENDPOINTS_H
#define MOULT_ENDPOINTS_H

#include "formats/endpoints.h"
#include "moult/session.h"

#define MOULT_ROUTES_SIZE 2048u

struct moult_route_hooks; /* what the engine calls: endpoints.c */

/* In the open for its size only. */
struct moult_routes {
    const struct moult_route_hooks *hooks;
    const char *region;

    /* --- as stored --- */
    uint8_t in_use;      /* bank of the list in use; 2: none yet */
    uint32_t home;       /* CRC-32 of the address that worked last; 0: the first */
    uint64_t away_s;     /* unix time since it is not the first */
    uint32_t version[2]; /* of the lists in both banks; 0: none */

    /* --- of this boot --- */
    bool is_loaded;
    bool is_open;      /* a check-in begun, no order believed yet */
    bool is_searching; /* the address that worked last does not */
    bool is_new;       /* a list was adopted: its first address comes next */
    bool is_tried;     /* a list was looked for in this contact */
    uint8_t place;     /* newer list, older list, compiled-in URL */
    uint8_t first;     /* place of the first address */
    uint8_t rank;      /* within the list */
    uint8_t failures;  /* of this address, in a row */
    uint8_t rounds;    /* through all addresses without success */
    uint8_t artifact;  /* rank of the artifact endpoint */
    uint32_t held;     /* version that a list must exceed */
    uint32_t trusted;  /* keyset version under which `held` was judged */
    uint32_t told;     /* version whose trouble was told */
    uint32_t refused;  /* version that was refused, and when */
    uint64_t refused_ms, failed_ms;

    uint8_t newer; /* bank of the list that comes first */
    uint8_t bank;  /* of the list in `frame`; 2: none */
    uint16_t size; /* of its envelope */
    struct moult_endpoints list;
    uint8_t frame[MOULT_STATEMENT_SIZE_MAX + MOULT_RECORD_HEADER + MOULT_RECORD_TRAILER];
    char base[MOULT_ENDPOINT_URL_MAX + 1];
};
_Static_assert(sizeof(struct moult_routes) <= MOULT_ROUTES_SIZE, "RAM budget");

/* From now on the session follows signed endpoint lists.
 *
 * routes  moved to the session until it ends.
 * region  of the device, 1..16 printable ASCII, borrowed as long; NULL: none.
 *
 * MOULT_OK; MOULT_E_ARG: such a region; MOULT_E_STATE: the session has begun already. */
MOULT_MUST_CHECK enum moult_status moult_endpoints_enable(struct moult_session *session,
                                                          struct moult_routes *routes,
                                                          const char *region);

#endif
