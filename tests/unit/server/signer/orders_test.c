/* orders_test.c - server/signer/orders.c: what it signs, and everything it does not. */
#include "server/signer/orders.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "formats/assignment.h"
#include "formats/codes.h"
#include "keys/key_file.h"
#include "server/signer/durable.h"
#include "tests/support/check.h"
#include "tests/support/statements.h"

#define NOW_S 1800000000u
static const uint64_t now_ms = NOW_S * (uint64_t)1000;

/* A signer in a folder of its own, holding the fleet's first assign key. */
static struct statements_fleet fleet;
static struct orders orders;
static struct orders_refusal refusal;
static const char folder[] = "orders_test.data";

/* The fleet's keys live in memory; the signer opens a file. So it gets a file key first,
 * and the
 * keyset is made to name that key as assign key. */
static struct keys_signer file_key;

static struct statements_bytes keyset_with(const uint8_t *assign_key, uint32_t version)
{
    struct moult_keyset keyset = statements_keyset(&fleet, version);
    keyset.keys[STATEMENTS_ASSIGN] = assign_key;
    return statements_sign(&fleet, statements_keyset_payload(&keyset),
                           3u << STATEMENTS_ROOT);
}

static void write_file(const char *path, const struct statements_bytes *bytes)
{
    if (durable_replace(path, bytes->data, bytes->size) != MOULT_OK) { abort(); }
}

static enum moult_status open_signer(void)
{
    struct orders_options options = {.key_path = "orders_test.pem",
                                     .keyset_path = "orders_test.cbor",
                                     .data_folder = folder,
                                     .rate = {1000, 6000, 6000}};
    refusal = (struct orders_refusal){0};
    return orders_open(&orders, &options, &refusal);
}

static void set_up(void)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s orders_test.pem orders_test.cbor", folder);
    if (system(command) != 0 || mkdir(folder, 0700) != 0) { abort(); }
    statements_fleet_make(&fleet, NULL);
    if (keys_file_generate("orders_test.pem", NULL) != MOULT_OK ||
        keys_file_open("orders_test.pem", &file_key, NULL) != MOULT_OK) {
        abort();
    }
    struct statements_bytes keyset = keyset_with(file_key.public_key, 1);
    write_file("orders_test.cbor", &keyset);
    if (open_signer() != MOULT_OK) {
        fprintf(stderr, "%s\n", refusal.text);
        abort();
    }
}

static void tear_down(void)
{
    orders_close(&orders);
    keys_signer_close(&file_key);
    statements_fleet_free(&fleet);
}

static struct moult_assignment good_none(uint64_t counter)
{
    struct moult_assignment order = statements_none(&fleet, counter);
    order.iat_s = NOW_S;
    order.ttl_s = 600;
    order.keyset_version = 1;
    return order;
}

static enum moult_status sign_bytes(struct moult_bytes payload,
                                    struct statements_bytes *out)
{
    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, out->data, sizeof out->data);
    refusal = (struct orders_refusal){0};
    enum moult_status st = orders_sign(&orders, payload, now_ms, &writer, &refusal);
    out->size = writer.size;
    return st;
}

static enum moult_status sign(const struct moult_assignment *order,
                              struct statements_bytes *out)
{
    struct statements_bytes payload = statements_assignment_payload(order);
    return sign_bytes(statements_view(&payload), out);
}

static void test_a_good_order_is_signed_and_a_device_accepts_it(void)
{
    set_up();
    struct moult_assignment order = good_none(10), seen;
    struct statements_bytes envelope;
    check_equal(sign(&order, &envelope), MOULT_OK);
    struct moult_cose cose;
    check_equal(moult_cose_parse(MOULT_STATEMENT_ASSIGNMENT, statements_view(&envelope),
                                 &cose, NULL),
                MOULT_OK);
    struct moult_assignment_expect expect = {
        .keyset = &orders.keyset, .device_id = fleet.device_id, .nonce = fleet.nonce};
    check_equal(moult_assignment_verify(&fleet.crypto, &cose, &expect, &seen, NULL),
                MOULT_OK);
    check_equal(seen.counter, 10);
    check_equal(orders.signed_count, 1);
    tear_down();
}

static void change_ttl(struct moult_assignment *order)
{
    order->ttl_s = 3601;
}
static void change_clock_ahead(struct moult_assignment *order)
{
    order->iat_s = NOW_S + 61;
}
static void change_clock_behind(struct moult_assignment *order)
{
    order->iat_s = NOW_S - 61;
}
static void change_fleet(struct moult_assignment *order)
{
    static const uint8_t other[16] = {9};
    order->fleet_id = other;
}
static void change_keyset(struct moult_assignment *order)
{
    order->keyset_version = 2;
}
static void change_counter(struct moult_assignment *order)
{
    order->counter = 10;
}
static void change_to_unlisted_release(struct moult_assignment *order)
{
    static const uint8_t digest[32] = {7};
    *order = statements_install(&fleet, digest, 11);
    order->iat_s = NOW_S;
    order->ttl_s = 600;
    order->keyset_version = 1;
}
static void change_to_offline_too_long(struct moult_assignment *order)
{
    order->nonce = NULL;
    order->present &= ~(1u << MOULT_ASSIGNMENT_NONCE);
    order->ttl_s = MOULT_ASSIGNMENT_TTL_MAX + 1;
}

static void test_each_rule_refuses_with_its_own_code(void)
{
    static const struct {
        const char *name;
        void (*change)(struct moult_assignment *order);
        uint16_t detail;
    } rows[] = {
        {"ttl over an hour", change_ttl, MOULT_D_SIGN_TTL},
        {"clock ahead", change_clock_ahead, MOULT_D_SIGN_CLOCK},
        {"clock behind", change_clock_behind, MOULT_D_SIGN_CLOCK},
        {"other fleet", change_fleet, MOULT_D_SIGN_REFUSED_TYPE},
        {"newer keyset", change_keyset, MOULT_D_SIGN_KEYSET},
        {"counter again", change_counter, MOULT_D_SIGN_COUNTER},
        {"unlisted release", change_to_unlisted_release, MOULT_D_SIGN_RELEASE},
        {"offline over 30 days", change_to_offline_too_long, MOULT_D_SIGN_REFUSED_TYPE},
    };
    set_up();
    struct statements_bytes envelope;
    struct moult_assignment order = good_none(10);
    check_equal(sign(&order, &envelope), MOULT_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].name);
        order = good_none(11);
        rows[i].change(&order);
        check(sign(&order, &envelope) != MOULT_OK);
        check_equal(refusal.detail, rows[i].detail);
        check(refusal.text[0] != '\0');
        check_equal(envelope.size, 0);
    }
    check_row(NULL);
    order = good_none(11); /* nothing above used the counter up */
    check_equal(sign(&order, &envelope), MOULT_OK);
    tear_down();
}

static void test_no_other_statement_is_signed(void)
{
    set_up();
    struct moult_release release = statements_release(&fleet, 3);
    struct moult_keyset keyset = statements_keyset(&fleet, 2);
    struct statements_bytes others[] = {statements_release_payload(&release),
                                        statements_keyset_payload(&keyset)};
    struct statements_bytes envelope;
    for (size_t i = 0; i < 2; i++) {
        check(sign_bytes(statements_view(&others[i]), &envelope) != MOULT_OK);
        check_equal(refusal.detail, MOULT_D_SIGN_REFUSED_TYPE);
    }
    uint8_t digest[32] = {1};
    check(sign_bytes((struct moult_bytes){digest, 32}, &envelope) != MOULT_OK);
    tear_down();
}

static void test_no_order_with_any_byte_changed_into_another_spelling_is_signed(void)
{
    set_up();
    struct moult_assignment order = good_none(1000);
    struct statements_bytes payload = statements_assignment_payload(&order), envelope;
    for (size_t i = 0; i < payload.size; i++) {
        for (int bit = 0; bit < 8; bit++) {
            struct statements_bytes bad = payload;
            bad.data[i] ^= (uint8_t)(1 << bit);
            if (sign_bytes(statements_view(&bad), &envelope) != MOULT_OK) { continue; }
            /* Signed: then it must be an order that reads and writes back the same. */
            struct moult_assignment seen;
            check_equal(moult_assignment_parse(statements_view(&bad), &seen, NULL),
                        MOULT_OK);
            struct statements_bytes again = statements_assignment_payload(&seen);
            check_equal(again.size, bad.size);
            check_bytes(again.data, bad.data, bad.size);
        }
    }
    payload.data[payload.size++] = 0; /* trailing byte */
    check(sign_bytes(statements_view(&payload), &envelope) != MOULT_OK);
    tear_down();
}

static void test_a_listed_release_may_be_named_also_after_a_restart(void)
{
    set_up();
    struct moult_release release = statements_release(&fleet, 3);
    struct statements_bytes good = statements_signed_release(&fleet, &release), envelope;
    struct statements_bytes forged = statements_sign(
        &fleet, statements_release_payload(&release), 1u << STATEMENTS_ASSIGN);
    uint8_t digest[32];
    check(orders_add_release(&orders, statements_view(&forged), digest, &refusal) !=
          MOULT_OK);
    check_equal(refusal.detail, MOULT_D_RELEASE_SIG);
    check_equal(orders_add_release(&orders, statements_view(&good), digest, &refusal),
                MOULT_OK);
    orders_close(&orders);
    check_equal(open_signer(), MOULT_OK);
    struct moult_assignment order = statements_install(&fleet, digest, 10);
    order.iat_s = NOW_S;
    order.ttl_s = 600;
    order.keyset_version = 1;
    check_equal(sign(&order, &envelope), MOULT_OK);
    tear_down();
}

static void test_a_key_without_the_role_does_not_start(void)
{
    set_up();
    orders_close(&orders);
    struct moult_keyset keyset =
        statements_keyset(&fleet, 1); /* does not name the file's key */
    struct statements_bytes bytes =
        statements_sign(&fleet, statements_keyset_payload(&keyset), 3u << STATEMENTS_ROOT);
    write_file("orders_test.cbor", &bytes);
    check(open_signer() != MOULT_OK);
    check_equal(refusal.detail, MOULT_D_KEY_ROLE);
    keys_signer_close(&file_key);
    statements_fleet_free(&fleet);
}

static void test_a_successor_keyset_is_adopted_and_kept(void)
{
    set_up();
    uint32_t version = 0;
    struct statements_bytes same = keyset_with(file_key.public_key, 1);
    struct statements_bytes next = keyset_with(file_key.public_key, 2);
    struct statements_bytes third = keyset_with(file_key.public_key, 4);
    struct moult_keyset without = statements_keyset(&fleet, 3);
    struct statements_bytes dropped =
        statements_sign(&fleet, statements_keyset_payload(&without), 3u << STATEMENTS_ROOT);
    /* Another signature over the same payload: not the same bytes, and no successor. */
    check(orders_adopt_keyset(&orders, statements_view(&same), &version, &refusal) !=
          MOULT_OK);
    check_equal(refusal.detail, MOULT_D_KEYSET_VERSION);
    check_equal(orders_adopt_keyset(&orders, statements_view(&next), &version, &refusal),
                MOULT_OK);
    check_equal(version, 2);
    check(orders_adopt_keyset(&orders, statements_view(&third), &version, &refusal) !=
          MOULT_OK);
    check_equal(refusal.detail, MOULT_D_KEYSET_VERSION);
    check(orders_adopt_keyset(&orders, statements_view(&dropped), &version, &refusal) !=
          MOULT_OK);
    check_equal(refusal.detail, MOULT_D_KEY_ROLE);
    orders_close(&orders);
    check_equal(open_signer(), MOULT_OK);
    check_equal(orders.keyset.version, 2);
    tear_down();
}

int main(void)
{
    check_run(test_a_good_order_is_signed_and_a_device_accepts_it);
    check_run(test_each_rule_refuses_with_its_own_code);
    check_run(test_no_other_statement_is_signed);
    check_run(test_no_order_with_any_byte_changed_into_another_spelling_is_signed);
    check_run(test_a_listed_release_may_be_named_also_after_a_restart);
    check_run(test_a_key_without_the_role_does_not_start);
    check_run(test_a_successor_keyset_is_adopted_and_kept);
    int failed = check_report();
    return system("rm -rf orders_test.data orders_test.pem orders_test.cbor") == 0 ? failed
                                                                                   : 1;
}
