/* fuzz_release.c - a release, from envelope to rollback rules. */
#include "formats/release.h"
#include "tests/fuzz/oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct moult_crypto crypto = oracle_crypto();
    struct moult_bytes envelope = {data, size};
    struct moult_release_expect expect = {.keyset = oracle_keyset()};
    struct moult_release release;
    struct moult_finding finding;
    enum moult_status st =
        moult_release_verify(&crypto, envelope, &expect, &release, &finding);
    promise_finding(st, &finding);
    if (st != MOULT_OK) { return 0; }

    uint8_t again[MOULT_STATEMENT_SIZE_MAX];
    struct moult_cose cose;
    struct moult_cbor_writer writer;
    promise(moult_cose_parse(MOULT_STATEMENT_RELEASE, envelope, &cose, NULL) == MOULT_OK,
            "an accepted envelope is an envelope");
    moult_cbor_writer_init(&writer, again, sizeof again);
    moult_release_write(&writer, &release);
    promise_same(&writer, cose.payload);
    promise(release.rollback_floor <= release.sequence && release.sequence >= 1,
            "sequences");

    struct moult_rollback_facts facts = {.floor = release.sequence, .now_s = 1};
    st = moult_release_check_rollback(&release, &facts, &finding);
    promise_finding(st, &finding);
    facts.floor = release.sequence + 1;
    promise(facts.floor == 0 ||
                moult_release_check_rollback(&release, &facts, NULL) == MOULT_E_REPLAY,
            "nothing passes below the floor");
    return 0;
}
