/* fuzz_assignment.c - an order, as an answer and as an offline file. */
#include "formats/assignment.h"
#include "tests/fuzz/oracle.h"

static void judge(const struct moult_cose *cose, const uint8_t *nonce)
{
    struct moult_crypto crypto = oracle_crypto();
    struct moult_order_record record = {.counter = 100, .iat_s = 100};
    memcpy(record.kid, oracle_keyset()->kids[5], sizeof record.kid);
    struct moult_assignment_expect expect = {
        .keyset = oracle_keyset(),
        .nonce = nonce,
        .records = &record,
        .record_count = 1,
        .now_lower_bound_s = 1000,
    };
    struct moult_assignment order;
    struct moult_finding finding;
    enum moult_status st =
        moult_assignment_verify(&crypto, cose, &expect, &order, &finding);
    promise_finding(st, &finding);
    if (st != MOULT_OK) { return; }
    promise((order.nonce != NULL) == (nonce != NULL), "answers have nonces, files do not");
    promise(order.action != MOULT_ACTION_INSTALL ||
                (order.release_digest && order.source_count > 0),
            "an install says what and from where");
    for (unsigned i = 0; i < order.source_count; i++) {
        (void)moult_source_is_usable(&order.sources[i],
                                     &finding); /* only that it answers */
    }
    uint8_t again[MOULT_STATEMENT_SIZE_MAX];
    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, again, sizeof again);
    moult_assignment_write(&writer, &order);
    promise_same(&writer, cose->payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t nonce[MOULT_NONCE_SIZE];
    struct moult_cose cose;
    struct moult_finding finding;
    memset(nonce, 0xa5, sizeof nonce);
    enum moult_status st = moult_cose_parse(
        MOULT_STATEMENT_ASSIGNMENT, (struct moult_bytes){data, size}, &cose, &finding);
    promise_finding(st, &finding);
    if (st != MOULT_OK) { return 0; }
    judge(&cose, nonce);
    judge(&cose, NULL);
    return 0;
}
