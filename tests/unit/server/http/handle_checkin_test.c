/* handle_checkin_test.c - what devices are answered over mutual TLS: at once when nothing
 * is new, after COMMIT else, and never unsigned. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "formats/message_report.h"
#include "tests/support/unit.h"
#include "tests/unit/server/http/support_api.h"
#include "tests/unit/server/http/support_client.h"

static struct api api;
static struct world_release v100, v110;
static struct api_reply reply;
static struct moult_assignment order;

static int set_up(void **state)
{
    (void)state; /* cmocka's signature */
    api_open(&api, NULL);
    world_release(api.w, "1.0.0", 100, &v100);
    for (unsigned i = 0; i < API_DEVICES; i++) {
        api_toy(&api, i, &v100);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    api_close(&api);
    return 0;
}

/* Device n is registered, accepted, and has told what it is. */
static void accept(unsigned n)
{
    assert_int_equal(world_checkin(api.w, &api.w->toys[n], NULL, 0).status, 200);
    json_decref(world_device_verb(api.w, &api.w->toys[n], "accept"));
    api_checkin(&api, n, &reply);
    api_read_order(&api, n, &reply, &order);
    api_reply_free(&reply);
}

static uint8_t action_of(unsigned n)
{
    api_checkin(&api, n, &reply);
    api_read_order(&api, n, &reply, &order);
    uint8_t action = order.action;
    api_reply_free(&reply);
    return action;
}

static void test_a_device_goes_from_unknown_to_an_offer(void **state)
{
    (void)state;
    struct moult_checkin_reply answer;
    api_checkin(&api, 0, &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal(api_field(&reply, "Content-Type"), "application/cbor");
    struct moult_bytes body = {(const uint8_t *)reply.body, reply.body_size};
    assert_int_equal(moult_checkin_reply_read(body, &answer, NULL), MOULT_OK);
    assert_int_equal(answer.assignment.size, 0); /* pending: wait */
    assert_int_equal(answer.next_s, 900);
    api_reply_free(&reply);

    json_decref(world_device_verb(api.w, &api.w->toys[0], "accept"));
    assert_int_equal(action_of(0), MOULT_ACTION_NONE);

    world_release(api.w, "1.1.0", 110, &v110);
    api_stop_signer(&api); /* which is told of the release when it connects again */
    api_start_signer(&api);
    json_decref(world_rollout(api.w, "{\"release\":\"1.1.0\",\"phases\":[{\"rest\":true}]}",
                              false));
    api_checkin(&api, 0, &reply);
    api_read_order(&api, 0, &reply, &order);
    assert_int_equal(order.action, MOULT_ACTION_INSTALL);
    assert_int_equal(memcmp(order.release_digest, v110.payload_sha256, 32), 0);
    api_reply_free(&reply);
}

static void test_an_idle_check_in_does_not_wait_for_the_writer(void **state)
{
    (void)state;
    accept(0);
    uint64_t before = store_statement_count(api.w->store, NULL);
    api_hold_writer(&api);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(action_of(0), MOULT_ACTION_NONE);
    }
    assert_int_equal(store_statement_count(api.w->store, NULL), before);
    api_release_writer(&api);
}

/* A check-in of a device that is new, on a connection that stays open. */
static void send_first_contact(struct raw_client *client, unsigned n)
{
    uint8_t bytes[MOULT_REQUEST_SIZE_MAX];
    char head[160];
    struct moult_cbor_writer writer;
    const struct toy *toy = &api.w->toys[n];
    struct moult_checkin message = {.nonce = api.w->fleet.nonce,
                                    .device_id = toy->id,
                                    .running_digest = toy->digest,
                                    .running_sequence = toy->sequence,
                                    .keyset_version = 2};
    moult_cbor_writer_init(&writer, bytes, sizeof bytes);
    moult_checkin_write(&writer, &message);
    snprintf(head, sizeof head,
             "POST /device/v1/checkin HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n",
             writer.size);
    raw_connect(client, api.device_port,
                &(struct raw_tls){.ca = &api.ca, .cert = &api.device[n]});
    raw_send_text(client, head);
    assert_true(raw_send(client, bytes, writer.size));
}

/* TLS tickets may come at any time; they are no reply. */
static bool has_reply(struct raw_client *client)
{
    char byte;
    poll(NULL, 0, 100);
    fcntl(client->fd, F_SETFL, O_NONBLOCK);
    bool has = SSL_peek(client->ssl, &byte, 1) > 0;
    fcntl(client->fd, F_SETFL, 0);
    return has;
}

static void test_news_are_answered_after_their_commit(void **state)
{
    (void)state;
    struct raw_client client;
    struct raw_reply raw;
    accept(0);
    api_hold_writer(&api);
    send_first_contact(&client, 1);
    for (int i = 0; i < 5; i++) { /* others are not held up by it */
        assert_int_equal(action_of(0), MOULT_ACTION_NONE);
    }
    assert_false(has_reply(&client));
    api_release_writer(&api);
    assert_true(raw_reply(&client, &raw));
    assert_int_equal(raw.status, 200);
    raw_reply_free(&raw);
    raw_close(&client);
    assert_int_equal(world_sql(api.w, "SELECT count(*) FROM device"), 2);
}

static void test_without_the_signer_devices_are_told_to_come_again(void **state)
{
    (void)state;
    accept(0);
    api_stop_signer(&api);
    for (int i = 0; i < 5; i++) {
        api_checkin(&api, 0, &reply);
        long again_s = strtol(api_field(&reply, "Retry-After"), NULL, 10);
        assert_in_range(again_s, 5, 15);
        api_expect(&reply, 503, "E2024");
    }
    /* Who is pending needs no order. */
    api_checkin(&api, 1, &reply);
    api_expect(&reply, 200, NULL);
    api_start_signer(&api);
    assert_int_equal(action_of(0), MOULT_ACTION_NONE);
}

/* The row is committed although there was no order in the answer. */
static void test_what_came_with_a_check_in_is_kept_without_the_signer(void **state)
{
    (void)state;
    accept(0);
    api_stop_signer(&api);
    memcpy(api.w->toys[0].digest, (uint8_t[32]){7}, 32); /* it runs something else now */
    api_checkin(&api, 0, &reply);
    api_expect(&reply, 503, "E2024");
    assert_int_equal(
        world_sql(api.w,
                  "SELECT count(*) FROM event WHERE kind = 'device.running' AND text "
                  "LIKE '%unknown image%'"),
        1);
}

static void send_body(const char *path, const void *body, size_t size, unsigned n)
{
    struct api_request request = {
        .method = "POST", .path = path, .body = body, .body_size = size};
    api_device_ask(&api, n, &request, &reply);
}

static void test_what_is_no_message_is_refused(void **state)
{
    (void)state;
    static uint8_t long_body[MOULT_REQUEST_SIZE_MAX + 1];
    accept(0);
    send_body("/device/v1/checkin", "\xa1\x01\x01", 3, 0);
    api_expect(&reply, 400, "E2006");
    send_body("/device/v1/report", "x", 1, 0);
    api_expect(&reply, 400, "E2006");
    send_body("/device/v1/checkin", long_body, sizeof long_body, 0);
    api_expect(&reply, 413, "E2004");
    send_body("/device/v1/checkin", long_body, sizeof long_body - 1, 0);
    api_expect(&reply, 400, "E2006");
    struct api_request get = {.method = "GET", .path = "/device/v1/checkin"};
    api_device_ask(&api, 0, &get, &reply);
    assert_string_equal(api_field(&reply, "Allow"), "POST");
    api_expect(&reply, 405, "E2003");
    get.path = "/device/v1/nowhere";
    api_device_ask(&api, 0, &get, &reply);
    api_expect(&reply, 404, "E2002");
    get.path = "/api/v1/version"; /* operators have their own listener */
    api_device_ask(&api, 0, &get, &reply);
    api_expect(&reply, 404, "E2002");
}

static void test_a_device_cannot_speak_for_another(void **state)
{
    (void)state;
    accept(0);
    accept(1);
    memcpy(api.w->toys[1].id, api.w->toys[0].id, 16);
    api_checkin(&api, 1, &reply);
    api_expect(&reply, 403, "E2013");
    memcpy(api.w->toys[2].id, api.w->toys[0].id, 16); /* nor an unknown one */
    api_checkin(&api, 2, &reply);
    api_expect(&reply, 403, "E2013");
}

static void test_without_a_certificate_there_is_no_connection(void **state)
{
    (void)state;
    struct raw_client client;
    char byte;
    bool is_in =
        raw_try_connect(&client, api.device_port, &(struct raw_tls){.ca = &api.ca});
    if (!is_in) { return; }
    (void)raw_send(&client, "GET / HTTP/1.1\r\n", 16); /* TLS 1.3: refused a little later */
    assert_true(SSL_read(client.ssl, &byte, 1) <= 0);
    raw_close(&client);
}

/* What each state of a device may do: the table of the registry. */
static const struct {
    const char *verbs[3]; /* from accepted */
    int checkin;
    const char *checkin_code;
    int fetch; /* of a keyset, which stands for every other route */
    const char *fetch_code;
} lives[] = {
    {{NULL}, 200, NULL, 200, NULL},
    {{"quarantine"}, 200, NULL, 200, NULL},
    {{"retire"}, 410, "E2028", 410, "E2028"},
    {{"retire", "unretire"}, 200, NULL, 200, NULL},
};

static void test_each_state_of_a_device_may_do_its_share(void **state)
{
    (void)state;
    struct api_request get = {.method = "GET", .path = "/device/v1/keyset/2"};
    for (unsigned i = 0; i < sizeof lives / sizeof lives[0]; i++) {
        accept(i);
        for (unsigned k = 0; lives[i].verbs[k]; k++) {
            json_decref(world_device_verb(api.w, &api.w->toys[i], lives[i].verbs[k]));
        }
        api_checkin(&api, i, &reply);
        api_expect(&reply, lives[i].checkin, lives[i].checkin_code);
        api_device_ask(&api, i, &get, &reply);
        api_expect(&reply, lives[i].fetch, lives[i].fetch_code);
    }
    /* Unknown, pending, rejected. */
    api_device_ask(&api, 5, &get, &reply);
    api_expect(&reply, 403, "E2028");
    api_checkin(&api, 5, &reply);
    api_expect(&reply, 200, NULL);
    api_device_ask(&api, 5, &get, &reply);
    api_expect(&reply, 403, "E2028");
    json_decref(world_device_verb(api.w, &api.w->toys[5], "reject"));
    api_checkin(&api, 5, &reply);
    api_expect(&reply, 401, "E2012");
    api_device_ask(&api, 5, &get, &reply);
    api_expect(&reply, 401, "E2012");
}

static void test_a_quarantined_device_is_offered_nothing(void **state)
{
    (void)state;
    accept(0);
    world_release(api.w, "1.1.0", 110, &v110);
    json_decref(world_rollout(api.w, "{\"release\":\"1.1.0\",\"phases\":[{\"rest\":true}]}",
                              false));
    json_decref(world_device_verb(api.w, &api.w->toys[0], "quarantine"));
    assert_int_equal(action_of(0), MOULT_ACTION_NONE);
}

static size_t write_batch(const struct moult_report *report, uint8_t *out, size_t capacity)
{
    struct moult_cbor_writer one, all;
    uint8_t encoded[512];
    moult_cbor_writer_init(&one, encoded, sizeof encoded);
    moult_report_write(&one, report);
    struct moult_cbor_list list = {.encoded = moult_cbor_written(&one), .count = 1};
    moult_cbor_writer_init(&all, out, capacity);
    moult_report_batch_write(&all, &list);
    assert_int_equal(all.status, MOULT_OK);
    return all.size;
}

static void test_a_report_is_stored_once_before_it_is_answered(void **state)
{
    (void)state;
    uint8_t body[600];
    uint8_t none[16] = {0};
    struct moult_report report = {
        .boot_id = 77, .sequence = 1, .deployment_id = none, .kind = MOULT_REPORT_EVENT};
    size_t size = write_batch(&report, body, sizeof body);
    send_body("/device/v1/report", body, size, 0); /* unknown */
    api_expect(&reply, 403, "E2028");
    accept(0);
    for (int i = 0; i < 3; i++) {
        send_body("/device/v1/report", body, size, 0);
        assert_string_equal(api_field(&reply, "Content-Type"), "application/cbor");
        api_expect(&reply, 200, NULL);
    }
    assert_int_equal(world_sql(api.w, "SELECT count(*) FROM event WHERE boot_id = 77"), 1);
    json_decref(world_device_verb(api.w, &api.w->toys[0], "retire"));
    send_body("/device/v1/report", body, size, 0);
    api_expect(&reply, 410, "E2028");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_device_goes_from_unknown_to_an_offer),
        TEST(test_an_idle_check_in_does_not_wait_for_the_writer),
        TEST(test_news_are_answered_after_their_commit),
        TEST(test_without_the_signer_devices_are_told_to_come_again),
        TEST(test_what_came_with_a_check_in_is_kept_without_the_signer),
        TEST(test_what_is_no_message_is_refused),
        TEST(test_a_device_cannot_speak_for_another),
        TEST(test_without_a_certificate_there_is_no_connection),
        TEST(test_each_state_of_a_device_may_do_its_share),
        TEST(test_a_quarantined_device_is_offered_nothing),
        TEST(test_a_report_is_stored_once_before_it_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
