/* audit_test.c - the hash chain of docs/spec/audit.md, byte by byte. */
#include <string.h>
#include "formats/bytes.h"
#include "keys/openssl_crypto.h"
#include "server/control/audit.h"
#include "server/store/store_admin.h"
#include "tests/support/unit.h"
#include "tests/unit/server/control/support_world.h"

static const uint8_t fleet_id[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/* SHA-256 of "moult-audit-1" and the fleet-id, and of that and the page's row(1); made with
 * sha256sum from the bytes of the page. */
static const char h0[] = "12079e33ab6f93d87a63cbf6b8ef9706dc2bf12a775039241d8ae165e78d4951";
static const char h1[] = "06d22940fd8435f3fb2545eb25dc9814f5022aa4ae5996cf76b3cd5502908f99";

struct heads {
    uint64_t rows;
    char hex[65];
    uint64_t bad;
    enum moult_status verdict;
};

static enum moult_status append_and_verify(struct world_call *c)
{
    struct heads *heads = (struct heads *)(uintptr_t)c->more; /* ours, written to */
    struct moult_crypto crypto = keys_openssl_crypto();
    struct audit_chain chain = {.crypto = &crypto, .fleet_id = fleet_id};
    enum moult_status st = audit_append(c->call.db, &chain, 1700000000000, c->argument);
    uint64_t index = 0;
    uint8_t hash[32] = {0};
    if (st == MOULT_OK) { st = store_audit_head(c->call.db, &index, hash); }
    moult_hex_encode(hash, 32, heads->hex);
    heads->verdict = audit_verify(c->call.db, &chain, &heads->rows, &heads->bad);
    return st;
}

static struct heads append(struct world *w, const struct audit_entry *entry)
{
    struct heads heads = {0};
    struct world_call c = {.run = append_and_verify, .argument = entry, .more = &heads};
    assert_int_equal(world_run(w, &c), MOULT_OK);
    return heads;
}

/* A world whose opening left no rows of its own fleet. */
static struct world *open_empty(void)
{
    struct world *w = world_open(NULL);
    world_sql(w, "DELETE FROM audit RETURNING 1");
    return w;
}

static void test_the_example_of_the_page(void **state)
{
    (void)state;
    struct moult_crypto crypto = keys_openssl_crypto();
    uint8_t bytes[13 + 16], hash[32];
    char hex[65];
    memcpy(bytes, "moult-audit-1", 13);
    memcpy(bytes + 13, fleet_id, 16);
    assert_int_equal(moult_sha256_once(&crypto, bytes, sizeof bytes, hash), MOULT_OK);
    moult_hex_encode(hash, 32, hex);
    assert_string_equal(hex, h0);

    struct world *w = open_empty();
    const struct audit_entry example = {
        .actor = "alice", .action = "device.accept", .object = "d1"};
    struct heads first = append(w, &example);
    assert_string_equal(first.hex, h1);
    assert_int_equal(first.verdict, MOULT_OK);
    assert_int_equal(first.rows, 1);
    world_close(w);
}

static void test_each_row_binds_the_ones_before_it(void **state)
{
    (void)state;
    struct world *w = open_empty();
    const struct audit_entry entry = {.actor = "alice",
                                      .action = "rollout.pause",
                                      .object = "r1",
                                      .detail = "{\"request\":\"1\"}",
                                      .peer = "127.0.0.1"};
    struct heads first = append(w, &entry);
    struct heads second = append(w, &entry);
    assert_string_not_equal(first.hex, second.hex);
    world_sql(w, "UPDATE audit SET object = 'r2' WHERE idx = 1 RETURNING 1");
    struct heads third = append(w, &entry);
    assert_int_equal(third.verdict, MOULT_E_DIGEST);
    assert_int_equal(third.bad, 1);
    world_close(w);
}

static void test_what_is_too_long_or_no_ascii_is_marked(void **state)
{
    (void)state;
    struct world *w = open_empty();
    char longer[AUDIT_TEXT_MAX + 2], detail[AUDIT_DETAIL_MAX + 2];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    memset(detail, 'b', sizeof detail - 1);
    detail[sizeof detail - 1] = '\0';
    const struct audit_entry entry = {
        .actor = longer, .action = "gr\xc3\xbc\xc3\x9f", .object = "", .detail = detail};
    assert_int_equal(append(w, &entry).verdict, MOULT_OK);
    assert_int_equal(
        world_sql(
            w,
            "SELECT count(*) FROM audit WHERE length(actor) = 256 AND "
            "actor LIKE '%a...' AND replace(action, char(63), '-') = 'gr----' AND object = "
            "'-' AND detail = '{\"cut\":true}'"),
        1);
    world_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_example_of_the_page),
        cmocka_unit_test(test_each_row_binds_the_ones_before_it),
        cmocka_unit_test(test_what_is_too_long_or_no_ascii_is_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
