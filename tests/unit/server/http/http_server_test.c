/* http_server_test.c - a real server fed raw bytes: requests, bodies, replies in order,
 * ends. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "server/base/mem.h"
#include "server/http/http_server.h"
#include "tests/support/unit.h"
#include "tests/unit/server/http/requests.h"
#include "tests/unit/server/http/support_client.h"
#include "tests/unit/server/http/support_fixture.h"

static struct fixture fixture;
static struct raw_client client;
static struct raw_reply reply;
static char field[256];

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

/* One reply on the open connection. */
static void expect(int status, const char *body)
{
    assert_true(raw_reply(&client, &reply));
    if (reply.status != status) { print_error("%s%s\n", reply.head, reply.body); }
    assert_int_equal(reply.status, status);
    if (body) { assert_string_equal(reply.body, body); }
    raw_reply_free(&reply);
}

/* Sends on a connection of its own and expects one reply. */
static void ask(const char *request, int status, const char *body)
{
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(&client, request);
    expect(status, body);
    raw_close(&client);
}

static int start_default(void **state)
{
    (void)state; /* cmocka's signature */
    fixture_start(&fixture, &(struct fixture_options){0});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&fixture);
    return 0;
}

static void test_a_reply_has_what_a_reply_needs(void **state)
{
    (void)state;
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(&client, GET("/hello"));
    assert_true(raw_reply(&client, &reply));
    assert_int_equal(strncmp(reply.head, "HTTP/1.1 200 OK\r\n", 17), 0);
    assert_string_equal(raw_field(&reply, "Content-Length", field), "6");
    assert_string_equal(raw_field(&reply, "Content-Type", field), "text/plain");
    assert_int_equal(strlen(raw_field(&reply, "Date", field)), 29);
    assert_int_equal(strlen(raw_field(&reply, "Request-Id", field)), 16);
    assert_string_equal(raw_field(&reply, "Connection", field), "");
    assert_string_equal(reply.body, "hello\n");
    raw_reply_free(&reply);
    raw_close(&client);
}

static void test_request_ids_do_not_repeat(void **state)
{
    (void)state;
    char ids[50][17];
    raw_connect(&client, fixture.port, NULL);
    for (int i = 0; i < 50; i++) {
        raw_send_text(&client, GET("/hello"));
        assert_true(raw_reply(&client, &reply));
        snprintf(ids[i], sizeof ids[i], "%s", raw_field(&reply, "Request-Id", field));
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(ids[i], ids[k]);
        }
        raw_reply_free(&reply);
    }
    raw_close(&client);
}

static void test_a_request_may_come_byte_by_byte(void **state)
{
    (void)state;
    static const char request[] =
        "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
    raw_connect(&client, fixture.port, NULL);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof request - 1; i++) {
            assert_true(raw_send(&client, request + i, 1));
            if (i % 16 == 0) { poll(NULL, 0, 1); }
        }
        expect(200, "3 e71fa2190541574b memory\n");
    }
    raw_close(&client);
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(
        &client,
        GET("/echo/1/x") GET("/later/30") GET("/echo/2/x")
            GET("/reader") "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: "
                           "5\r\n\r\nhello" GET("/later/1") "HEAD /hello HTTP/1.1\r\nHost: "
                                                            "h\r\n\r\n" GET("/echo/3/x"));
    expect(200, "1\nx\n");
    expect(200, "later\n");
    expect(200, "2\nx\n");
    expect(200, "reader\n");
    expect(200, "5 a430d84680aabd0b memory\n");
    expect(200, "later\n");
    assert_true(raw_reply_head(&client, &reply));
    assert_string_equal(raw_field(&reply, "Content-Length", field), "6");
    raw_reply_free(&reply);
    expect(200, "3\nx\n");
    raw_close(&client);
}

static void test_a_flood_of_pipelined_requests_is_answered_to_the_last(void **state)
{
    (void)state;
    enum { COUNT = 4000 };
    size_t size = 0;
    char *flood = malloc(COUNT * 64);
    for (int i = 0; i < COUNT; i++) {
        const char *format = i % 100 == 7 ? "GET /reader?%d HTTP/1.1\r\nHost: h\r\n\r\n"
                                          : "GET /echo/%d/x HTTP/1.1\r\nHost: h\r\n\r\n";
        size += (size_t)snprintf(flood + size, 64, format, i);
    }
    raw_connect(&client, fixture.port, NULL);
    for (size_t done = 0, taken = 0; done < size || taken < COUNT;) {
        size_t step =
            size - done < 5000 ? size - done : 5000; /* never more than sockets hold */
        if (step > 0) { assert_true(raw_send(&client, flood + done, step)); }
        done += step;
        while (taken < COUNT && taken < done / 48) {
            char body[32];
            snprintf(body, sizeof body, "%zu\nx\n", taken);
            expect(200, taken % 100 == 7 ? "reader\n" : body);
            taken++;
        }
        if (step == 0) {
            while (taken < COUNT) {
                expect(200, NULL);
                taken++;
            }
        }
    }
    raw_close(&client);
    free(flood);
}

static void test_bodies_are_kept_in_memory_or_in_a_file(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 1000000, FIXTURE_BODY_MAX};
    static char body[FIXTURE_BODY_MAX];
    for (size_t i = 0; i < sizeof body; i++) {
        body[i] = (char)fixture_byte(i);
    }
    raw_connect(&client, fixture.port, NULL);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char text[128];
        snprintf(text, sizeof text,
                 "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n", sizes[i]);
        raw_send_text(&client, text);
        assert_true(raw_send(&client, body, sizes[i]));
        snprintf(text, sizeof text, "%zu %016llx %s\n", sizes[i],
                 (unsigned long long)fixture_sum(body, sizes[i]),
                 sizes[i] > 65536 ? "file" : "memory");
        expect(200, text);
    }
    raw_close(&client);
}

static void test_a_body_that_is_too_large_is_refused_unread(void **state)
{
    (void)state;
    static char body[300000];
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(&client,
                  "POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n");
    (void)raw_send(&client, body, sizeof body); /* the server may stop listening any time */
    expect(413, NULL);                          /* and yet the answer arrives */
    assert_true(raw_is_closed(&client, RAW_WAIT_MS));
    raw_close(&client);

    raw_connect(&client, fixture.port, NULL);
    raw_send_text(&client,
                  "POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n");
    expect(413, NULL);
    for (int i = 0; i < 10; i++) { /* who has not read it yet is not cut off at once */
        poll(NULL, 0, 5);
        assert_true(raw_send(&client, body, 10000));
    }
    assert_true(raw_is_ended(&client, RAW_WAIT_MS));
    raw_close(&client);
    ask("POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789", 200,
        NULL);
    ask("GET /hello HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n0", 413, NULL);
}

static void test_a_client_that_asks_is_told_to_continue(void **state)
{
    (void)state;
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(&client, "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
                           "Expect: 100-continue\r\n\r\n");
    expect(100, NULL);
    raw_send_text(&client, "abc");
    expect(200, "3 e71fa2190541574b memory\n");
    raw_send_text(&client, "POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n"
                           "Expect: 100-continue\r\n\r\n");
    expect(413, NULL);
    assert_true(raw_is_closed(&client, RAW_WAIT_MS));
    raw_close(&client);
}

static void test_admission_comes_before_the_body(void **state)
{
    (void)state;
    ask(GET("/private"), 401, NULL);
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(&client,
                  "POST /private HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
    expect(401, NULL); /* not a byte of the body was sent */
    assert_true(raw_is_closed(&client, RAW_WAIT_MS));
    raw_close(&client);
    raw_connect(&client, fixture.port, NULL); /* without a body the connection stays */
    raw_send_text(&client, GET("/private") GET("/hello"));
    expect(401, NULL);
    expect(200, "hello\n");
    raw_close(&client);
}

static void test_refusals_are_problems_with_a_code_and_close(void **state)
{
    (void)state;
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(&client, "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(raw_reply(&client, &reply));
    assert_int_equal(reply.status, 400);
    assert_string_equal(raw_field(&reply, "Content-Type", field),
                        "application/problem+json");
    assert_string_equal(raw_field(&reply, "Connection", field), "close");
    raw_field(&reply, "Request-Id", field);
    char expected[600];
    snprintf(expected, sizeof expected,
             "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,"
             "\"code\":\"E2001\",\"detail\":\"request is not strict HTTP/1.1: expects "
             "HTTP/1.1 and "
             "CR LF, found another character\",\"hint\":\"moult explain E2001\","
             "\"request_id\":\"%s\"}\n",
             field);
    assert_string_equal(reply.body, expected);
    raw_reply_free(&reply);
    assert_true(raw_is_closed(&client, RAW_WAIT_MS));
    raw_close(&client);
}

static void test_unknown_paths_and_methods(void **state)
{
    (void)state;
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(&client, GET("/nothing") GET("/echo/a") GET("/echo//") GET("/hello/"));
    expect(404, NULL);
    expect(404, NULL);
    expect(400, NULL); /* an empty segment */
    raw_close(&client);
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(&client, "DELETE /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(raw_reply(&client, &reply));
    assert_int_equal(reply.status, 405);
    assert_string_equal(raw_field(&reply, "Allow", field), "GET, HEAD");
    raw_reply_free(&reply);
    raw_send_text(&client, "HEAD /body HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(raw_reply_head(&client, &reply));
    assert_int_equal(reply.status, 405);
    assert_string_equal(raw_field(&reply, "Allow", field), "POST");
    raw_reply_free(&reply);
    raw_send_text(&client, GET("/echo/a%20b/%c3%a4"));
    expect(200, "a b\n\xc3\xa4\n");
    raw_close(&client);
}

static void test_the_first_request_of_every_row_gets_its_verdict(void **state)
{
    (void)state;
    for (size_t i = 0; i < REQUEST_ROW_COUNT; i++) {
        const struct request_row *row = &request_rows[i];
        raw_connect(&client, fixture.port, NULL);
        assert_true(raw_send(&client, row->bytes, row->size));
        shutdown(client.fd, SHUT_WR);
        int expected =
            row->accepted > 0 ? 404 : row->status; /* there is no such endpoint */
        int found = raw_reply(&client, &reply) ? reply.status : 0;
        raw_reply_free(&reply);
        raw_close(&client);
        if (found != expected) {
            fail_msg("%s: expected %d, found %d", row->name, expected, found);
        }
    }
}

static void test_failing_handlers_become_problems(void **state)
{
    (void)state;
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(&client, GET("/broken/io") GET("/broken/split") GET("/broken/silent")
                               GET("/lost") GET("/broken/busy") GET("/hello"));
    expect(500, NULL);
    assert_true(raw_reply(&client, &reply));
    assert_int_equal(reply.status, 500);
    assert_string_equal(raw_field(&reply, "X-Evil", field), "");
    assert_string_equal(raw_field(&reply, "X-Name", field), "");
    raw_reply_free(&reply);
    expect(500, NULL);
    expect(503, NULL); /* the commit failed: what the handler said does not count */
    assert_true(raw_reply(&client, &reply));
    assert_int_equal(reply.status, 503);
    assert_string_equal(raw_field(&reply, "Retry-After", field), "5");
    raw_reply_free(&reply);
    expect(200, "hello\n");
    raw_close(&client);
}

static void test_connection_close_is_obeyed(void **state)
{
    (void)state;
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(
        &client,
        "GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" GET("/hello"));
    assert_true(raw_reply(&client, &reply));
    assert_string_equal(raw_field(&reply, "Connection", field), "close");
    raw_reply_free(&reply);
    assert_true(
        raw_is_closed(&client, RAW_WAIT_MS)); /* the second request is not answered */
    raw_close(&client);
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(&client, "GET /hello HTTP/1.0\r\n\r\n");
    expect(200, "hello\n");
    assert_true(raw_is_closed(&client, RAW_WAIT_MS));
    raw_close(&client);
}

static void test_a_client_that_stops_sending_still_gets_its_reply(void **state)
{
    (void)state;
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(&client, GET("/later/50") GET("/echo/1/2"));
    shutdown(client.fd, SHUT_WR);
    expect(200, "later\n");
    expect(200, "1\n2\n");
    assert_true(raw_is_closed(&client, RAW_WAIT_MS));
    raw_close(&client);
}

static void test_the_peer_is_named(void **state)
{
    (void)state;
    ask(GET("/peer"), 200, "127.0.0.1");
    ask(GET("/spki"), 200, "none\n");
}

static void test_clients_that_leave_early_leave_nothing_behind(void **state)
{
    (void)state;
    static const char *const starts[] = {
        "",
        "GET",
        "GET / HTTP/1.1\r\nHost:",
        "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc",
        "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\nabc",
        GET("/later/20"),
        GET("/reader"),
        GET("/large"),
    };
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
            raw_connect(&client, fixture.port, NULL);
            raw_send_text(&client, starts[i]);
            if (i % 2) { /* half of them with a reset */
                struct linger linger = {.l_onoff = 1};
                setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
            }
            if (round) { poll(NULL, 0, 2); }
            raw_close(&client);
        }
    }
    ask(GET("/hello"), 200, "hello\n");
    for (int i = 0; i < 1000; i++) {
        if (fixture_metric(&fixture, "moult_http_connections{listener=\"test\"}") == 0) {
            return;
        }
        poll(NULL, 0, 10);
    }
    fail_msg("connections that are gone are still counted");
}

static void test_requests_are_counted(void **state)
{
    (void)state;
    static const char *const series[] = {
        "moult_http_requests_total{listener=\"test\",status=\"2xx\"}",
        "moult_http_requests_total{listener=\"test\",status=\"4xx\"}",
        "moult_http_accepted_total{listener=\"test\"}",
        "moult_http_request_seconds_count{listener=\"test\"}",
    };
    long long before[4];
    for (int i = 0; i < 4; i++) {
        before[i] = fixture_metric(&fixture, series[i]);
    }
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(&client, GET("/hello") GET("/hello") GET("/nothing") GET("/hello"));
    for (int i = 0; i < 4; i++) {
        expect(i == 2 ? 404 : 200, NULL);
    }
    raw_send_text(&client,
                  GET("/hello")); /* the fourth was counted when this is answered */
    expect(200, NULL);
    static const long long more[] = {4, 1, 1, 5};
    for (int i = 0; i < 4; i++) {
        long long now = fixture_metric(&fixture, series[i]);
        if (i != 2) { assert_in_range(now - before[i], more[i] - 1, more[i]); }
        if (i == 2) { assert_int_equal(now - before[i], more[i]); }
    }
    raw_close(&client);
}

static void test_idle_connections_hold_little_memory(void **state)
{
    (void)state;
    enum { COUNT = 100 };
    static struct raw_client many[COUNT];
    struct mem_stats before, after;
    ask(GET("/hello"), 200, NULL);
    mem_stats_get(&before);
    for (int i = 0; i < COUNT; i++) {
        raw_connect(&many[i], fixture.port, NULL);
        raw_send_text(&many[i], GET("/hello"));
        struct raw_client keep = client;
        client = many[i];
        expect(200, NULL);
        many[i] = client;
        client = keep;
    }
    mem_stats_get(&after);
    assert_in_range(after.live_bytes - before.live_bytes, 0, COUNT * 1024);
    for (int i = 0; i < COUNT; i++) {
        raw_close(&many[i]);
    }
}

static void test_allocation_failures_cost_a_connection_at_most(void **state)
{
    (void)state;
    static const char requests[] =
        GET("/echo/a/b") GET("/reader") GET("/nothing") GET("/file");
    for (uint64_t nth = 1; nth < 30; nth++) {
        if (!raw_try_connect(&client, fixture.port, NULL)) { continue; }
        mem_fail_at(nth);
        /* It may be cut off at any byte. */
        (void)raw_send(&client, requests, sizeof requests - 1);
        for (int i = 0; i < 4 && raw_reply(&client, &reply); i++) {
            raw_reply_free(&reply);
        }
        mem_fail_at(0);
        raw_close(&client);
        ask(GET("/hello"), 200, "hello\n");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reply_has_what_a_reply_needs),
        cmocka_unit_test(test_request_ids_do_not_repeat),
        cmocka_unit_test(test_a_request_may_come_byte_by_byte),
        cmocka_unit_test(test_pipelined_requests_are_answered_in_order),
        cmocka_unit_test(test_a_flood_of_pipelined_requests_is_answered_to_the_last),
        cmocka_unit_test(test_bodies_are_kept_in_memory_or_in_a_file),
        cmocka_unit_test(test_a_body_that_is_too_large_is_refused_unread),
        cmocka_unit_test(test_a_client_that_asks_is_told_to_continue),
        cmocka_unit_test(test_admission_comes_before_the_body),
        cmocka_unit_test(test_refusals_are_problems_with_a_code_and_close),
        cmocka_unit_test(test_unknown_paths_and_methods),
        cmocka_unit_test(test_the_first_request_of_every_row_gets_its_verdict),
        cmocka_unit_test(test_failing_handlers_become_problems),
        cmocka_unit_test(test_connection_close_is_obeyed),
        cmocka_unit_test(test_a_client_that_stops_sending_still_gets_its_reply),
        cmocka_unit_test(test_the_peer_is_named),
        cmocka_unit_test(test_clients_that_leave_early_leave_nothing_behind),
        cmocka_unit_test(test_requests_are_counted),
        cmocka_unit_test(test_idle_connections_hold_little_memory),
        cmocka_unit_test(test_allocation_failures_cost_a_connection_at_most),
    };
    return cmocka_run_group_tests(tests, start_default, stop);
}
