/* endpoints.h - the fleet's statement: at which addresses its servers are found.
 *
 * Layer    formats: pure functions.
 * Format   docs/spec/endpoints.md.
 * Memory   a list borrows the envelope it was read from.
 * Use it   moult_endpoints_verify(), then moult_endpoints_pick() for the first, the second,
 *          ... address that a device should try.
 */
#ifndef MOULT_FORMATS_ENDPOINTS_H
#define MOULT_FORMATS_ENDPOINTS_H

#include "formats/cose.h"
#include "formats/keyset.h"

#define MOULT_ENDPOINTS_MAX 6u
#define MOULT_ENDPOINT_URL_MIN 8u
#define MOULT_ENDPOINT_URL_MAX 128u   /* characters; a source's path is appended */
#define MOULT_ENDPOINT_REGION_MAX 16u /* characters */

/* Keys of the maps, also bit numbers in `present`. */
enum { MOULT_ENDPOINTS_FALLBACK = 6, MOULT_ENDPOINT_REGION = 4 };

enum moult_endpoint_role {
    MOULT_ENDPOINT_BOTH = 0,
    MOULT_ENDPOINT_CHECKIN = 1,  /* check-ins, reports and statements */
    MOULT_ENDPOINT_ARTIFACT = 2, /* images and patches */
};

struct moult_endpoint {
    uint32_t present;
    struct moult_bytes url;    /* "https://host[:port][/prefix]": /device/v1 follows */
    uint8_t role;              /* enum moult_endpoint_role */
    uint8_t weight;            /* the higher, the earlier */
    struct moult_bytes region; /* text; empty when absent: for all */
    struct moult_cbor_list extensions;
};

struct moult_endpoints {
    uint32_t present;
    const uint8_t *fleet_id; /* 16 bytes */
    uint32_t version;        /* >= 1; must rise */
    uint8_t count;           /* 1..6 */
    struct moult_endpoint list[MOULT_ENDPOINTS_MAX];
    uint32_t fallback_after_s; /* failures for so long before the next endpoint is tried;
                                  absent (bit 6 of present): three failures in a row */
    struct moult_cbor_list extensions;
};

/* Reads a payload: TYPE, FORMAT, UNKNOWN, FIELD. For what was verified before, for tools,
 * and for writers that prove their output. MOULT_OK; MOULT_E_FORMAT,
 * MOULT_E_UNSUPPORTED: out undefined. */
MOULT_MUST_CHECK enum moult_status moult_endpoints_parse(struct moult_bytes payload,
                                                         struct moult_endpoints *out,
                                                         struct moult_finding *finding);

/* Envelope, threshold of the release role, contents, the keyset's fleet, and the version.
 *
 * held     version that is held already: the new one must be higher. 0: any.
 * out      undefined on failure.
 * finding  may be NULL; else its detail is the first failed check: ENDPOINT_ SIZE, CBOR,
 *          COSE, SIG, TYPE, FORMAT, UNKNOWN, FIELD, FLEET, VERSION; 0 when OK.
 *
 * The status of the detail in api/codes.tsv, or MOULT_OK. */
MOULT_MUST_CHECK enum moult_status
moult_endpoints_verify(const struct moult_crypto *crypto, struct moult_bytes envelope,
                       const struct moult_keyset *keyset, uint32_t held,
                       struct moult_endpoints *out, struct moult_finding *finding);

/* Who asks, and for what. */
struct moult_endpoint_query {
    enum moult_endpoint_role role; /* CHECKIN or ARTIFACT */
    const char *region;            /* of the device; NULL or "": none */
    const uint8_t *device_id;      /* 16 bytes: spreads devices over equal endpoints */
};

/* The endpoint to be tried as number `rank` (from 0): those of the device's region first,
 * then those of none, then the others; within each the higher weight first; among equals
 * in an order of the device's own. NULL: no more. */
const struct moult_endpoint *moult_endpoints_pick(const struct moult_endpoints *endpoints,
                                                  const struct moult_endpoint_query *query,
                                                  unsigned rank);

/* Whether `url` is `base` or lies under it: "https://a.test/x" under "https://a.test". */
bool moult_endpoint_covers(struct moult_bytes base, struct moult_bytes url);

/* Writes the payload. Contents are the caller's business: read the result back.
 * writer->status says whether it fitted. */
void moult_endpoints_write(struct moult_cbor_writer *writer,
                           const struct moult_endpoints *endpoints);

#endif
