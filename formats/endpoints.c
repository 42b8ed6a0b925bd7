/* endpoints.c - see endpoints.h. */
#include "formats/endpoints.h"
#include <stddef.h>
#include <string.h>
#include "formats/statement_read.h"

enum { ID_SIZE = 16 };

/* --- endpoint --- */

/* "https://", a host, and neither query, fragment, blank nor a slash at the end: a path is
 * to follow. */
static bool is_sound_endpoint(const void *record)
{
    static const char scheme[] = "https://";
    enum { SCHEME = sizeof scheme - 1 };
    const struct moult_endpoint *endpoint = record;
    const struct moult_bytes url = endpoint->url;
    if (url.size <= SCHEME || memcmp(url.data, scheme, SCHEME) != 0) { return false; }
    if (url.data[SCHEME] == '/' || url.data[url.size - 1] == '/') { return false; }
    for (size_t i = SCHEME; i < url.size; i++) {
        if (strchr(" ?#@\\", url.data[i])) { return false; }
    }
    return true;
}

#define AT(name) offsetof(struct moult_endpoint, name)
static const struct moult_field endpoint_fields[] = {
    {.key = 1,
     .kind = MOULT_KIND_TEXT,
     .offset = AT(url),
     .min = MOULT_ENDPOINT_URL_MIN,
     .max = MOULT_ENDPOINT_URL_MAX},
    {.key = 2, .kind = MOULT_KIND_U8, .offset = AT(role), .max = MOULT_ENDPOINT_ARTIFACT},
    {.key = 3, .kind = MOULT_KIND_U8, .offset = AT(weight), .max = UINT8_MAX},
    {.key = MOULT_ENDPOINT_REGION,
     .kind = MOULT_KIND_TEXT,
     .offset = AT(region),
     .min = 1,
     .max = MOULT_ENDPOINT_REGION_MAX},
};
static const struct moult_map endpoint_map = {
    .fields = endpoint_fields,
    .field_count = MOULT_COUNT_OF(endpoint_fields),
    .size = sizeof(struct moult_endpoint),
    .extensions = AT(extensions),
    .count = offsetof(struct moult_endpoints, count),
    .required = 0xe, /* 1..3 */
    .is_sound = is_sound_endpoint,
};
#undef AT

/* --- list --- */

/* A list with no place to check in would leave its devices nowhere to go, and an address
 * that stands twice has two weights. */
static bool is_sound_list(const void *record)
{
    const struct moult_endpoints *endpoints = record;
    bool has_checkin = false;
    for (unsigned i = 0; i < endpoints->count; i++) {
        const struct moult_endpoint *one = &endpoints->list[i];
        has_checkin |= one->role != MOULT_ENDPOINT_ARTIFACT;
        for (unsigned j = 0; j < i; j++) {
            struct moult_bytes other = endpoints->list[j].url;
            if (other.size == one->url.size &&
                memcmp(other.data, one->url.data, other.size) == 0) {
                return false;
            }
        }
    }
    return has_checkin;
}

#define AT(name) offsetof(struct moult_endpoints, name)
static const struct moult_field fields[] = {
    {.key = 1, .kind = MOULT_KIND_CONST, .min = MOULT_STATEMENT_ENDPOINTS},
    {.key = 2, .kind = MOULT_KIND_CONST, .min = MOULT_STATEMENT_FORMAT},
    MOULT_FIELD_FIXED(3, AT(fleet_id), ID_SIZE),
    {.key = 4, .kind = MOULT_KIND_U32, .offset = AT(version), .min = 1, .max = UINT32_MAX},
    {.key = 5,
     .kind = MOULT_KIND_MAPS,
     .offset = AT(list),
     .min = 1,
     .max = MOULT_ENDPOINTS_MAX,
     .map = &endpoint_map},
    {.key = MOULT_ENDPOINTS_FALLBACK,
     .kind = MOULT_KIND_U32,
     .offset = AT(fallback_after_s),
     .max = UINT32_MAX},
};
static const struct moult_map map = {
    .fields = fields,
    .field_count = MOULT_COUNT_OF(fields),
    .size = sizeof(struct moult_endpoints),
    .extensions = AT(extensions),
    .required = 0x3e, /* 1..5 */
    .is_sound = is_sound_list,
};
#undef AT

enum moult_status moult_endpoints_parse(struct moult_bytes payload,
                                        struct moult_endpoints *out,
                                        struct moult_finding *finding)
{
    return moult_statement_read(MOULT_STATEMENT_ENDPOINTS, payload, &map, out, finding);
}

void moult_endpoints_write(struct moult_cbor_writer *writer,
                           const struct moult_endpoints *endpoints)
{
    moult_record_write(writer, &map, endpoints);
}

enum moult_status moult_endpoints_verify(const struct moult_crypto *crypto,
                                         struct moult_bytes envelope,
                                         const struct moult_keyset *keyset, uint32_t held,
                                         struct moult_endpoints *out,
                                         struct moult_finding *finding)
{
    struct moult_cose cose;
    enum moult_status st =
        moult_cose_parse(MOULT_STATEMENT_ENDPOINTS, envelope, &cose, finding);
    if (st != MOULT_OK) { return st; }
    unsigned counted =
        moult_keyset_count_signatures(crypto, keyset, MOULT_ROLE_RELEASE, &cose, NULL);
    st = moult_keyset_judge(keyset, MOULT_ROLE_RELEASE, counted, MOULT_D_ENDPOINT_SIG,
                            finding);
    if (st != MOULT_OK) { return st; }
    st = moult_endpoints_parse(cose.payload, out, finding);
    if (st != MOULT_OK) { return st; }
    if (memcmp(out->fleet_id, keyset->fleet_id, ID_SIZE) != 0) {
        return moult_refuse(finding, MOULT_E_INCOMPATIBLE, MOULT_D_ENDPOINT_FLEET, 0, 0);
    }
    if (out->version <= held) {
        uint32_t least = held < UINT32_MAX ? held + 1 : held;
        return moult_refuse(finding, MOULT_E_REPLAY, MOULT_D_ENDPOINT_VERSION, least,
                            out->version);
    }
    return moult_accept(finding);
}

/* --- the order of a device --- */

static unsigned region_class(const struct moult_endpoint *endpoint, const char *region)
{
    enum { OWN, ANY, OTHER };
    size_t size = region ? strlen(region) : 0;
    if (endpoint->region.size == 0) { return ANY; }
    bool is_own =
        size == endpoint->region.size && memcmp(endpoint->region.data, region, size) == 0;
    return is_own ? OWN : OTHER;
}

/* Equal endpoints come in another order on each device, the same on every call. */
static uint32_t spread(const struct moult_endpoint *endpoint, const uint8_t *device_id)
{
    uint32_t crc = crc32_le(0, device_id, ID_SIZE);
    return crc32_le(crc, endpoint->url.data, endpoint->url.size);
}

static bool comes_before(const struct moult_endpoint *a, const struct moult_endpoint *b,
                         const struct moult_endpoint_query *query)
{
    unsigned class_a = region_class(a, query->region);
    unsigned class_b = region_class(b, query->region);
    if (class_a != class_b) { return class_a < class_b; }
    if (a->weight != b->weight) { return a->weight > b->weight; }
    uint32_t spread_a = spread(a, query->device_id);
    uint32_t spread_b = spread(b, query->device_id);
    return spread_a != spread_b ? spread_a < spread_b : a < b;
}

static bool serves(const struct moult_endpoint *endpoint,
                   const struct moult_endpoint_query *query)
{
    return endpoint->role == MOULT_ENDPOINT_BOTH || endpoint->role == query->role;
}

const struct moult_endpoint *moult_endpoints_pick(const struct moult_endpoints *endpoints,
                                                  const struct moult_endpoint_query *query,
                                                  unsigned rank)
{
    for (unsigned i = 0; i < endpoints->count; i++) {
        const struct moult_endpoint *one = &endpoints->list[i];
        unsigned before = 0;
        if (!serves(one, query)) { continue; }
        for (unsigned j = 0; j < endpoints->count; j++) {
            const struct moult_endpoint *other = &endpoints->list[j];
            before += j != i && serves(other, query) && comes_before(other, one, query);
        }
        if (before == rank) { return one; }
    }
    return NULL;
}

bool moult_endpoint_covers(struct moult_bytes base, struct moult_bytes url)
{
    return url.size > base.size && memcmp(url.data, base.data, base.size) == 0 &&
           url.data[base.size] == '/';
}
