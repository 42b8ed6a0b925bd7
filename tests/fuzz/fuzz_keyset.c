/* fuzz_keyset.c - a keyset as a first one and as a next one. */
#include "tests/fuzz/oracle.h"

static void check_reproduction(struct moult_bytes envelope,
                               const struct moult_keyset *keyset)
{
    uint8_t again[MOULT_KEYSET_SIZE_MAX];
    struct moult_cose cose;
    struct moult_cbor_writer writer;
    promise(moult_cose_parse(MOULT_STATEMENT_KEYSET, envelope, &cose, NULL) == MOULT_OK,
            "an accepted envelope is an envelope");
    moult_cbor_writer_init(&writer, again, sizeof again);
    moult_keyset_write(&writer, keyset);
    promise_same(&writer, cose.payload);

    struct moult_cose_signature signatures[MOULT_COSE_SIGNATURES_MAX];
    unsigned count = moult_cose_signatures(&cose, signatures);
    moult_cbor_writer_init(&writer, again, sizeof again);
    promise(moult_cose_compose(MOULT_STATEMENT_KEYSET, cose.payload, signatures, count,
                               &writer) == MOULT_OK,
            "its parts can be put together");
    promise_same(&writer, envelope);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct moult_crypto crypto = oracle_crypto();
    struct moult_bytes envelope = {data, size};
    struct moult_keyset keyset, other;
    struct moult_finding finding;
    enum moult_status st =
        moult_keyset_verify_first(&crypto, envelope, NULL, &keyset, &finding);
    promise_finding(st, &finding);
    if (st == MOULT_OK) {
        check_reproduction(envelope, &keyset);
        promise(moult_keyset_verify_next(&crypto, envelope, &keyset, &other, NULL) ==
                    MOULT_E_REPLAY,
                "no keyset follows itself");
        struct moult_cbor_list rest = keyset.floors;
        struct moult_keyset_floor floor;
        unsigned floors = 0;
        while (moult_keyset_floor_next(&rest, &floor)) {
            floors++;
        }
        promise(floors == keyset.floors.count, "every floor can be read");
    }
    st = moult_keyset_verify_next(&crypto, envelope, oracle_keyset(), &other, &finding);
    promise_finding(st, &finding);
    promise(st != MOULT_OK || other.version == 2, "only the next version follows");
    return 0;
}
