/* audit_test.c - server/control/audit.c: the worked example of docs/spec/audit.md, and
 * whether
 * anything that somebody changes behind the chain's back is noticed. */
#include "server/control/audit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "formats/bytes.h"
#include "formats/codes.h"
#include "keys/openssl_crypto.h"
#include "server/control/admin.h"
#include "server/store/sql.h"
#include "server/store/store_admin.h"
#include "tests/support/unit.h"
#include "tests/unit/server/control/support_world.h"

static const uint8_t fleet_id[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static struct moult_crypto crypto;
static struct audit_chain chain = {.crypto = &crypto, .fleet_id = fleet_id};
static struct store *store;
static struct store_db *db;
static char path[64];

static int open_store(void **state)
{
    (void)state; /* cmocka's signature */
    static int number;
    char command[160];
    struct store_error error;
    snprintf(path, sizeof path, "audit_test.%d.%d.db", (int)getpid(), number++);
    snprintf(command, sizeof command, "rm -f %s*", path);
    if (system(command) != 0) { return -1; }
    crypto = keys_openssl_crypto();
    struct store_options options = {.path = path};
    if (store_open(&options, &store, &error) != MOULT_OK) { return -1; }
    db = store_setup_db(store);
    return 0;
}

static int close_store(void **state)
{
    (void)state;
    char command[160];
    store_stop(store);
    store_close(store);
    snprintf(command, sizeof command, "rm -f %s*", path);
    return system(command);
}

static void append(const struct audit_entry *entry)
{
    assert_int_equal(audit_append(db, &chain, 1700000000000, entry), MOULT_OK);
}

static void sql(const char *text)
{
    enum moult_status st = sql_run(sql_prepare(db, text));
    if (st != MOULT_OK) { fail_msg("%s: %s", text, moult_status_name(st)); }
}

/* The first row that does not continue the chain; 0: all do. */
static uint64_t first_bad(uint64_t *rows)
{
    uint64_t bad = 0, count = 0;
    enum moult_status st = audit_verify(db, &chain, &count, &bad);
    assert_int_equal(st, bad ? MOULT_E_DIGEST : MOULT_OK);
    if (rows) { *rows = count; }
    return bad;
}

static void test_the_worked_example_gives_its_hashes(void **state)
{
    (void)state;
    static const char h0_text[] =
        "12079e33ab6f93d87a63cbf6b8ef9706dc2bf12a775039241d8ae165e78d4951";
    static const char h1_text[] =
        "06d22940fd8435f3fb2545eb25dc9814f5022aa4ae5996cf76b3cd5502908f99";
    static const uint8_t row_bytes[] = {
        0xa5, 0x01, 0x01, 0x02, 0x1b, 0x00, 0x00, 0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x00,
        0x03, 0x65, 0x61, 0x6c, 0x69, 0x63, 0x65, 0x04, 0x6d, 0x64, 0x65, 0x76, 0x69,
        0x63, 0x65, 0x2e, 0x61, 0x63, 0x63, 0x65, 0x70, 0x74, 0x05, 0x62, 0x64, 0x31};
    uint8_t bytes[32 + sizeof row_bytes], h0[32], h1[32], want[32], hash[32];
    uint64_t index = 0;

    /* From the page's bytes alone ... */
    memcpy(bytes, "moult-audit-1", 13);
    memcpy(bytes + 13, fleet_id, 16);
    assert_int_equal(moult_sha256_once(&crypto, bytes, 29, h0), MOULT_OK);
    assert_true(moult_hex_decode(h0_text, want, 32));
    assert_memory_equal(h0, want, 32);
    memcpy(bytes, h0, 32);
    memcpy(bytes + 32, row_bytes, sizeof row_bytes);
    assert_int_equal(moult_sha256_once(&crypto, bytes, sizeof bytes, h1), MOULT_OK);
    assert_true(moult_hex_decode(h1_text, want, 32));
    assert_memory_equal(h1, want, 32);

    /* ... and from the code. */
    append(
        &(struct audit_entry){.actor = "alice", .action = "device.accept", .object = "d1"});
    assert_int_equal(store_audit_head(db, &index, hash), MOULT_OK);
    assert_int_equal(index, 1);
    assert_memory_equal(hash, want, 32);
}

static void test_an_empty_chain_is_whole(void **state)
{
    (void)state;
    uint64_t rows = 9;
    assert_int_equal(first_bad(&rows), 0);
    assert_int_equal(rows, 0);
}

/* --- what somebody may do to the table ------------------------------------------------ */

enum { ROWS = 8 };

static void append_rows(void)
{
    for (int i = 0; i < ROWS; i++) {
        char object[16];
        snprintf(object, sizeof object, "d%d", i);
        append(&(struct audit_entry){.actor = "alice",
                                     .action = i % 2 ? "device.accept" : "rollout.pause",
                                     .object = object,
                                     .detail = i % 3 ? "{\"request\":\"r\"}" : NULL,
                                     .peer = i % 4 ? "192.0.2.1" : NULL});
    }
    assert_int_equal(first_bad(NULL), 0);
}

/* One row, every column. */
static const char *const changes[] = {
    "time = time + 1",
    "actor = 'mallory'",
    "actor = ''",
    "action = 'device.reject'",
    "object = object || 'x'",
    "detail = '{}'",
    "detail = NULL",
    "peer = '192.0.2.2'",
    "peer = NULL",
    "hash = zeroblob(32)",
    "hash = x'00'",
    /* What is too long to be encoded, and what is no UTF-8. */
    "actor = printf('%5000c', 'x')",
    "object = CAST(x'ff' AS TEXT)",
};

static void test_every_changed_row_is_found(void **state)
{
    (void)state;
    append_rows();
    sql("CREATE TABLE kept AS SELECT * FROM audit");
    for (size_t c = 0; c < sizeof changes / sizeof changes[0]; c++) {
        for (unsigned i = 1; i <= ROWS; i++) {
            char text[200];
            snprintf(text, sizeof text, "UPDATE audit SET %s WHERE idx = %u", changes[c],
                     i);
            sql(text);
            /* NULL to NULL is no change. */
            struct sql_statement *s =
                sql_prepare(db, "SELECT * FROM audit EXCEPT SELECT * FROM kept");
            bool is_changed = sql_step(s) == MOULT_OK;
            sql_done(s);
            if (first_bad(NULL) != (is_changed ? i : 0)) {
                fail_msg("row %u, %s: row %u is reported", i, changes[c],
                         (unsigned)first_bad(NULL));
            }
            sql("DELETE FROM audit");
            sql("INSERT INTO audit SELECT * FROM kept");
        }
    }
}

static void test_every_removed_row_is_found(void **state)
{
    (void)state;
    append_rows();
    sql("CREATE TABLE kept AS SELECT * FROM audit");
    for (unsigned i = 1; i < ROWS; i++) {
        char text[100];
        snprintf(text, sizeof text, "DELETE FROM audit WHERE idx = %u", i);
        sql(text);
        assert_int_equal(first_bad(NULL), i);
        /* Also when the gap is closed. */
        snprintf(text, sizeof text, "UPDATE audit SET idx = idx - 1 WHERE idx > %u", i);
        sql(text);
        assert_int_equal(first_bad(NULL), i);
        sql("DELETE FROM audit");
        sql("INSERT INTO audit SELECT * FROM kept");
    }
}

static void test_every_inserted_or_exchanged_row_is_found(void **state)
{
    (void)state;
    append_rows();
    sql("CREATE TABLE kept AS SELECT * FROM audit");
    for (unsigned i = 1; i <= ROWS; i++) {
        char text[200];
        snprintf(text, sizeof text,
                 "INSERT INTO audit SELECT idx + (idx >= %u), time, actor, action, object, "
                 "detail, peer, hash FROM kept",
                 i);
        sql("DELETE FROM audit");
        sql(text);
        snprintf(text, sizeof text,
                 "INSERT INTO audit SELECT %u, time, actor, action, object, detail, peer, "
                 "hash FROM kept WHERE idx = %u",
                 i, i);
        sql(text);
        assert_int_equal(first_bad(NULL), i + 1); /* row i is a true copy, i + 1 is not */
    }
    for (unsigned i = 1; i < ROWS; i++) {
        char text[200];
        snprintf(text, sizeof text,
                 "INSERT INTO audit SELECT CASE idx WHEN %u THEN %u WHEN %u THEN %u ELSE "
                 "idx END, time, actor, action, object, detail, peer, hash FROM kept",
                 i, i + 1, i + 1, i);
        sql("DELETE FROM audit");
        sql(text);
        assert_int_equal(first_bad(NULL), i);
    }
}

/* Whoever inserts may also know how to continue the chain: then the numbers have a gap. */
static void test_a_gap_is_found_although_every_hash_continues(void **state)
{
    (void)state;
    append_rows();
    sql("INSERT INTO audit SELECT 9, time, actor, action, object, detail, peer, hash FROM "
        "audit WHERE idx = 8");
    append(&(struct audit_entry){.actor = "alice", .action = "x", .object = "d"});
    sql("DELETE FROM audit WHERE idx = 9");
    assert_int_equal(first_bad(NULL), 9);
}

static void hash_of_row(unsigned index, uint8_t out[32])
{
    char text[80];
    snprintf(text, sizeof text, "SELECT hash FROM audit WHERE idx = %u", index);
    struct sql_statement *s = sql_prepare(db, text);
    memset(out, 0, 32);
    if (sql_step(s) == MOULT_OK) { memcpy(out, sql_bytes(s, 0).data, 32); }
    sql_done(s);
}

/* Who may write the table can also compute hashes. What he cannot do is arrive at a hash
 * that
 * somebody noted down outside. */
static void test_a_rewritten_end_does_not_arrive_at_the_hash_that_was_noted(void **state)
{
    (void)state;
    uint8_t noted[32], found[32];
    uint64_t rows = 0;
    append_rows();
    hash_of_row(ROWS, noted);
    sql("DELETE FROM audit WHERE idx = 8");
    assert_int_equal(first_bad(&rows), 0); /* the rest is whole, and one row short */
    assert_int_equal(rows, ROWS - 1);
    append(&(struct audit_entry){.actor = "alice", .action = "x", .object = "d7"});
    assert_int_equal(first_bad(&rows), 0);
    assert_int_equal(rows, ROWS);
    hash_of_row(ROWS, found);
    assert_memory_not_equal(found, noted, 32);
}

static void test_another_fleet_has_another_chain(void **state)
{
    (void)state;
    static const uint8_t other[16] = {1};
    append_rows();
    chain.fleet_id = other;
    assert_int_equal(first_bad(NULL), 1);
    chain.fleet_id = fleet_id;
}

/* --- texts ---------------------------------------------------------------------------- */

static void check_text(unsigned index, const char *column, const char *want)
{
    char text[80];
    snprintf(text, sizeof text, "SELECT %s FROM audit WHERE idx = %u", column, index);
    struct sql_statement *s = sql_prepare(db, text);
    assert_int_equal(sql_step(s), MOULT_OK);
    assert_string_equal(sql_text(s, 0), want);
    sql_done(s);
}

static void test_texts_are_tidied_and_limited(void **state)
{
    (void)state;
    static char large[AUDIT_TEXT_MAX + 2], most[AUDIT_TEXT_MAX + 1], detail[1200];
    memset(large, 'x', sizeof large - 1);
    memset(most, 'y', sizeof most - 1);
    append(&(struct audit_entry){.actor = "",
                                 .action = "tab\tand\x7f",
                                 .object = "\xc3\xa4",
                                 .peer = "line\nbreak"});
    check_text(1, "actor", "-");
    check_text(1, "action", "tab?and?");
    check_text(1, "object", "??");
    check_text(1, "peer", "line?break");

    append(&(struct audit_entry){.actor = most, .action = large, .object = "o"});
    check_text(2, "actor", most);
    memcpy(large + AUDIT_TEXT_MAX - 3, "...", 4);
    check_text(2, "action", large);

    memset(detail, ' ', AUDIT_DETAIL_MAX);
    detail[0] = '{';
    detail[AUDIT_DETAIL_MAX - 1] = '}';
    append(&(struct audit_entry){
        .actor = most, .action = most, .object = most, .detail = detail, .peer = most});
    check_text(3, "detail", detail); /* the largest row there can be */
    detail[AUDIT_DETAIL_MAX - 1] = ' ';
    detail[AUDIT_DETAIL_MAX] = '}';
    append(&(struct audit_entry){
        .actor = "a", .action = "b", .object = "c", .detail = detail});
    check_text(4, "detail", "{\"cut\":true}");
    assert_int_equal(first_bad(NULL), 0);
}

/* --- as operators see it -------------------------------------------------------------- */

struct list_call {
    struct control_page page;
};

static enum moult_status list_audit(struct world_call *c)
{
    const struct list_call *list = c->argument;
    return control_audit_list(&c->call, &list->page, &c->reply);
}

static enum moult_status audit_one(struct world_call *c)
{
    return control_audit(&c->call, "test.change", c->argument,
                         json_pack("{s:s}", "note", "n"));
}

static void test_the_list_gives_rows_by_pages_and_their_hashes(void **state)
{
    (void)state;
    struct world *w = world_open(NULL);
    for (int i = 0; i < 23; i++) {
        char object[16];
        snprintf(object, sizeof object, "o%d", i);
        struct world_call change = {.run = audit_one, .argument = object};
        change.call.dry_run = i == 22;
        assert_int_equal(world_run(w, &change), MOULT_OK);
    }
    long long rows = world_sql(w, "SELECT count(*) FROM audit"), index = 0;
    char cursor[40] = "";
    json_t *last = NULL;
    do {
        struct list_call list = {
            .page = {.limit = 10, .cursor = cursor[0] ? cursor : NULL}};
        struct world_call c = {.run = list_audit, .argument = &list};
        assert_int_equal(world_run(w, &c), MOULT_OK);
        const json_t *items = world_at(c.reply, "items");
        for (size_t i = 0; i < json_array_size(items); i++) {
            const json_t *item = json_array_get(items, i);
            assert_int_equal(world_number(item, "index"), ++index);
            assert_int_equal(strlen(world_text(item, "hash")), 64);
            if (index == rows) { last = json_deep_copy(item); }
        }
        snprintf(cursor, sizeof cursor, "%s", world_text(c.reply, "next"));
        json_decref(c.reply);
    } while (cursor[0]);
    assert_int_equal(index, rows);
    assert_string_equal(world_text(last, "actor"), "anna");
    assert_string_equal(world_text(last, "action"), "test.change");
    assert_string_equal(world_text(last, "object"), "o22");
    assert_string_equal(world_text(last, "detail.note"), "n");
    assert_string_equal(world_text(last, "detail.request"), "r1");
    assert_true(json_is_true(world_at(last, "detail.dry_run")));
    assert_string_equal(world_text(last, "time"), "2027-01-15T08:00:00.000Z");
    json_decref(last);

    static const char *const bad[] = {"x", "1x", "-1", " 1", "9999999999999999999", ""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct list_call list = {.page = {.cursor = bad[i]}};
        struct world_call c = {.run = list_audit, .argument = &list};
        assert_int_not_equal(world_run(w, &c), MOULT_OK);
        assert_int_equal(w->problem.detail, MOULT_D_API_QUERY);
        assert_string_equal(w->problem.field, "cursor");
    }
    world_close(w);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_store, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_worked_example_gives_its_hashes),
        TEST(test_an_empty_chain_is_whole),
        TEST(test_every_changed_row_is_found),
        TEST(test_every_removed_row_is_found),
        TEST(test_every_inserted_or_exchanged_row_is_found),
        TEST(test_a_gap_is_found_although_every_hash_continues),
        TEST(test_a_rewritten_end_does_not_arrive_at_the_hash_that_was_noted),
        TEST(test_another_fleet_has_another_chain),
        TEST(test_texts_are_tidied_and_limited),
        cmocka_unit_test(test_the_list_gives_rows_by_pages_and_their_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
