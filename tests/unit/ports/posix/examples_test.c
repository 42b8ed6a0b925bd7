/* examples_test.c - the signed examples of docs/spec, on the crypto of hosts and of
 * devices. */
#include <string.h>
#include "formats/assignment.h"
#include "formats/keyset.h"
#include "formats/release.h"
#include "keys/openssl_crypto.h"
#include "ports/posix/psa_crypto.h"
#include "tests/support/check.h"
#include "tests/support/spec.h"

static struct moult_crypto backends[2];

/* A byte string with its storage. */
struct example {
    uint8_t data[MOULT_KEYSET_SIZE_MAX];
    size_t size;
};

static struct moult_bytes view(const struct example *example)
{
    return (struct moult_bytes){example->data, example->size};
}

#define LOAD(page, name, example)                                                          \
    ((example)->size = spec_example(page, name, (example)->data, sizeof(example)->data))

static bool is_reproduced(const struct moult_cbor_writer *writer,
                          struct moult_bytes payload)
{
    return writer->status == MOULT_OK && writer->size == payload.size &&
           memcmp(writer->data, payload.data, payload.size) == 0;
}

static void load_keyset(const struct moult_crypto *crypto, struct example *example,
                        struct moult_keyset *keyset)
{
    LOAD("keyset.md", "keyset", example);
    check_equal(example->size, 703);
    check_equal(moult_keyset_verify_first(crypto, view(example),
                                          (const uint8_t *)"moult-fleet-0001", keyset,
                                          NULL),
                MOULT_OK);
}

static void test_the_keyset_of_the_page(void)
{
    for (unsigned i = 0; i < 2; i++) {
        struct example example;
        struct moult_keyset keyset;
        uint8_t again[MOULT_KEYSET_SIZE_MAX];
        load_keyset(&backends[i], &example, &keyset);
        check_equal(keyset.version, 1);
        check_equal(keyset.not_after, 1893456000);
        check_equal(keyset.roles.of[MOULT_ROLE_ROOT].threshold, 2);
        struct moult_cbor_writer writer;
        struct moult_cose cose;
        check_equal(moult_cose_parse(MOULT_STATEMENT_KEYSET, view(&example), &cose, NULL),
                    MOULT_OK);
        moult_cbor_writer_init(&writer, again, sizeof again);
        moult_keyset_write(&writer, &keyset);
        check(is_reproduced(&writer, cose.payload));
    }
}

static void test_the_release_of_the_page(void)
{
    for (unsigned i = 0; i < 2; i++) {
        struct example trusted, example;
        struct moult_keyset keyset;
        struct moult_release release;
        uint8_t digest[32], want[32], again[MOULT_STATEMENT_SIZE_MAX];
        load_keyset(&backends[i], &trusted, &keyset);
        check_equal(LOAD("release.md", "release", &example), 240);
        check_equal(spec_example("release.md", "release-digest", digest, sizeof digest),
                    32);
        struct moult_release_expect expect = {&keyset, digest,
                                              (const uint8_t *)"energy-meter-c3!"};
        check_equal(
            moult_release_verify(&backends[i], view(&example), &expect, &release, NULL),
            MOULT_OK);
        check_equal(release.sequence, 7);
        check_equal(release.rollback_floor, 6);
        check_equal(release.components[0].size, 183232);

        struct moult_cose cose;
        check_equal(moult_cose_parse(MOULT_STATEMENT_RELEASE, view(&example), &cose, NULL),
                    MOULT_OK);
        check_equal(spec_example("envelope.md", "release-tbs-digest", want, sizeof want),
                    32);
        check_equal(moult_cose_tbs_digest(&backends[i], moult_cose_kid(&cose, 0),
                                          moult_cose_alg(&cose, 0), cose.payload, digest),
                    MOULT_OK);
        check_bytes(digest, want, sizeof want);
        struct moult_cbor_writer writer;
        moult_cbor_writer_init(&writer, again, sizeof again);
        moult_release_write(&writer, &release);
        check(is_reproduced(&writer, cose.payload));
    }
}

static void judge_assignment(const struct moult_crypto *crypto, const char *name,
                             size_t size, struct moult_assignment *order)
{
    static struct example trusted, example;
    static uint8_t device[16], nonce[16], again[MOULT_STATEMENT_SIZE_MAX];
    struct moult_keyset keyset;
    load_keyset(crypto, &trusted, &keyset);
    check_equal(LOAD("assignment.md", name, &example), size);
    for (uint8_t i = 0; i < 16; i++) {
        device[i] = (uint8_t)(0xd0 + i);
        nonce[i] = (uint8_t)(0xa0 + i);
    }
    struct moult_assignment_expect expect = {
        .keyset = &keyset, .device_id = device, .nonce = nonce};
    struct moult_cose cose;
    check_equal(moult_cose_parse(MOULT_STATEMENT_ASSIGNMENT, view(&example), &cose, NULL),
                MOULT_OK);
    check_equal(moult_assignment_verify(crypto, &cose, &expect, order, NULL), MOULT_OK);
    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, again, sizeof again);
    moult_assignment_write(&writer, order);
    check(is_reproduced(&writer, cose.payload));
}

static void test_the_assignments_of_the_page(void)
{
    for (unsigned i = 0; i < 2; i++) {
        struct moult_assignment order = {0};
        uint8_t digest[32];
        judge_assignment(&backends[i], "none", 173, &order);
        check_equal(order.action, MOULT_ACTION_NONE);
        check_equal(order.counter, 1767225600123);
        order = (struct moult_assignment){0};
        judge_assignment(&backends[i], "install", 376, &order);
        check_equal(order.action, MOULT_ACTION_INSTALL);
        check_equal(spec_example("release.md", "release-digest", digest, sizeof digest),
                    32);
        check_bytes(order.release_digest, digest, sizeof digest);
        check_equal(order.policy.confirm_timeout_s, 600);
        check(moult_source_is_usable(&order.sources[0], NULL));
    }
}

int main(void)
{
    if (moult_psa_start() != MOULT_OK) { return 1; }
    backends[0] = keys_openssl_crypto();
    backends[1] = moult_psa_crypto();
    check_run(test_the_keyset_of_the_page);
    check_run(test_the_release_of_the_page);
    check_run(test_the_assignments_of_the_page);
    return check_report();
}
