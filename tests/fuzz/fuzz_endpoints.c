/* fuzz_endpoints.c - an endpoint list, from envelope to the order of a device. */
#include "formats/endpoints.h"
#include "tests/fuzz/oracle.h"

/* Every endpoint of a role comes exactly once. */
static void check_order(const struct moult_endpoints *list,
                        const struct moult_endpoint_query *query)
{
    unsigned seen = 0, count = 0, expected = 0;
    const struct moult_endpoint *one;
    while ((one = moult_endpoints_pick(list, query, count)) != NULL) {
        promise(one->role == MOULT_ENDPOINT_BOTH || one->role == query->role, "role");
        seen |= 1u << (one - list->list);
        count++;
    }
    for (unsigned i = 0; i < list->count; i++) {
        expected +=
            list->list[i].role == MOULT_ENDPOINT_BOTH || list->list[i].role == query->role;
    }
    promise(count == expected && (unsigned)__builtin_popcount(seen) == count,
            "each endpoint of the role once");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct moult_crypto crypto = oracle_crypto();
    struct moult_bytes envelope = {data, size};
    struct moult_endpoints list;
    struct moult_finding finding;
    enum moult_status st =
        moult_endpoints_verify(&crypto, envelope, oracle_keyset(), 0, &list, &finding);
    promise_finding(st, &finding);
    if (st != MOULT_OK) { return 0; }

    uint8_t again[MOULT_STATEMENT_SIZE_MAX];
    struct moult_cose cose;
    struct moult_cbor_writer writer;
    promise(moult_cose_parse(MOULT_STATEMENT_ENDPOINTS, envelope, &cose, NULL) == MOULT_OK,
            "an accepted envelope is an envelope");
    moult_cbor_writer_init(&writer, again, sizeof again);
    moult_endpoints_write(&writer, &list);
    promise_same(&writer, cose.payload);
    promise(list.version >= 1 && list.count >= 1 && list.count <= MOULT_ENDPOINTS_MAX,
            "version and count");

    struct moult_endpoint_query query = {MOULT_ENDPOINT_CHECKIN, "eu", list.fleet_id};
    promise(moult_endpoints_pick(&list, &query, 0) != NULL, "there is a place to check in");
    check_order(&list, &query);
    query.role = MOULT_ENDPOINT_ARTIFACT;
    query.region = NULL;
    check_order(&list, &query);
    promise(moult_endpoints_verify(&crypto, envelope, oracle_keyset(), list.version, &list,
                                   NULL) == MOULT_E_REPLAY,
            "no list follows itself");
    return 0;
}
