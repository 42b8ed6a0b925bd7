/* http_limits_test.c - clients that are slow, greedy or many; handlers that are slow; the
 * end. */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include "tests/support/unit.h"
#include "tests/unit/server/http/support_client.h"
#include "tests/unit/server/http/support_fixture.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

static struct fixture fixture;
static struct raw_client client;
static struct raw_reply reply;
static char field[256];

static uint64_t now_ms(void)
{
    return clock_monotonic_ms(clock_system());
}

static void start(struct fixture_options options)
{
    fixture_start(&fixture, &options);
}

static void expect(int status, const char *body)
{
    assert_true(raw_reply(&client, &reply));
    assert_int_equal(reply.status, status);
    if (body) { assert_string_equal(reply.body, body); }
    raw_reply_free(&reply);
}

static long long timeouts(const char *what)
{
    char series[100];
    snprintf(series, sizeof series,
             "moult_http_timeouts_total{listener=\"test\",what=\"%s\"}", what);
    return fixture_metric(&fixture, series);
}

static void test_a_head_that_trickles_is_cut_off_with_408(void **state)
{
    (void)state; /* cmocka's signature */
    start((struct fixture_options){.server.header_ms = 300});
    raw_connect(&client, fixture.port, NULL);
    uint64_t began_ms = now_ms();
    static const char text[] =
        "GET /hello HTTP/1.1\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    for (size_t i = 0; i < sizeof text - 1; i++) { /* a byte every 20 ms never ends */
        if (!raw_send(&client, text + i, 1)) { break; }
        struct pollfd wait = {.fd = client.fd, .events = POLLIN};
        if (poll(&wait, 1, 20) == 1) { break; }
    }
    expect(408, NULL);
    assert_true(now_ms() - began_ms >= 300);
    assert_true(raw_is_closed(&client, RAW_WAIT_MS));
    assert_int_equal(timeouts("header"), 1);
    raw_close(&client);
    fixture_stop(&fixture);
}

static void test_a_body_that_trickles_is_cut_off_with_408(void **state)
{
    (void)state;
    start((struct fixture_options){.server.body_ms = 300});
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(&client,
                  "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
    for (size_t i = 0; i < 1000; i++) {
        if (!raw_send(&client, "abcdefghij", 10)) { break; }
        struct pollfd wait = {.fd = client.fd, .events = POLLIN};
        if (poll(&wait, 1, 20) == 1) { break; }
    }
    expect(408, NULL);
    assert_int_equal(timeouts("body"), 1);
    raw_close(&client);
    fixture_stop(&fixture);
}

static void test_a_slow_body_that_moves_is_let_through(void **state)
{
    (void)state;
    static char piece[20000];
    start((struct fixture_options){.server.body_ms = 400});
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(&client,
                  "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 120000\r\n\r\n");
    for (int i = 0; i < 6; i++) { /* 900 ms in all, but each 16 KB in time */
        assert_true(raw_send(&client, piece, sizeof piece));
        poll(NULL, 0, 150);
    }
    expect(200, NULL);
    raw_close(&client);
    fixture_stop(&fixture);
}

static void test_idle_connections_are_closed_without_a_word(void **state)
{
    (void)state;
    start((struct fixture_options){.server.idle_ms = 200});
    raw_connect(&client, fixture.port, NULL);
    uint64_t began_ms = now_ms();
    assert_true(raw_is_closed(&client, RAW_WAIT_MS));
    assert_in_range(now_ms() - began_ms, 190, 10000);
    raw_close(&client);
    raw_connect(&client, fixture.port, NULL);
    for (int i = 0; i < 4; i++) { /* requests keep it alive beyond idle_ms */
        poll(NULL, 0, 80);
        raw_send_text(&client, GET("/hello"));
        expect(200, "hello\n");
    }
    assert_true(raw_is_closed(&client, RAW_WAIT_MS));
    assert_int_equal(timeouts("idle"), 2);
    raw_close(&client);
    fixture_stop(&fixture);
}

static void test_a_client_that_does_not_read_is_cut_off(void **state)
{
    (void)state;
    start((struct fixture_options){.server.write_ms = 300});
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(&client, GET("/large"));
    for (int i = 0; i < 1000 && timeouts("write") == 0; i++) {
        poll(NULL, 0, 10);
    }
    assert_int_equal(timeouts("write"), 1);
    raw_close(&client);
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(&client, GET("/hello"));
    expect(200, "hello\n");
    raw_close(&client);
    fixture_stop(&fixture);
}

static void test_a_stalled_client_does_not_hold_up_the_others(void **state)
{
    (void)state;
    struct raw_client stalled[20];
    start((struct fixture_options){0});
    for (int i = 0; i < 20; i++) {
        raw_connect(&stalled[i], fixture.port, NULL);
        raw_send_text(&stalled[i], GET("/large"));
    }
    raw_connect(&client, fixture.port, NULL);
    for (int i = 0; i < 50; i++) {
        raw_send_text(&client, GET("/hello"));
        expect(200, "hello\n");
    }
    raw_close(&client);
    for (int i = 0; i < 20; i++) {
        raw_close(&stalled[i]);
    }
    fixture_stop(&fixture);
}

static void test_a_handler_that_is_too_late_costs_its_client_a_503_only(void **state)
{
    (void)state;
    start((struct fixture_options){.server.reply_ms = 200, .keep_later = true});
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(&client, GET("/later/0") GET("/hello"));
    assert_true(raw_reply(&client, &reply));
    assert_int_equal(reply.status, 503);
    long retry_s = strtol(raw_field(&reply, "Retry-After", field), NULL, 10);
    assert_in_range(retry_s, 1, 10);
    raw_reply_free(&reply);
    assert_true(raw_is_closed(&client, RAW_WAIT_MS));
    raw_close(&client);
    fixture_release(&fixture); /* now it answers: nobody listens, and nothing breaks */
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(&client, GET("/later/1"));
    expect(200, "later\n");
    raw_close(&client);
    fixture_stop(&fixture);
}

static void test_a_second_completion_does_not_reach_the_next_request(void **state)
{
    (void)state;
    start((struct fixture_options){0});
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(&client, GET("/twice/0") GET("/later/200"));
    expect(200, "later\n");
    expect(200, "later\n");
    raw_close(&client);
    fixture_stop(&fixture);
}

static void test_a_reply_whose_client_left_comes_home(void **state)
{
    (void)state;
    start((struct fixture_options){.keep_later = true});
    for (int i = 0; i < 3; i++) {
        raw_connect(&client, fixture.port, NULL);
        raw_send_text(&client, GET("/later/0"));
        poll(NULL, 0, 30);
        raw_close(&client);
        raw_connect(&client, fixture.port,
                    NULL); /* another exchange serves others meanwhile */
        raw_send_text(&client, GET("/echo/a/b"));
        expect(200, "a\nb\n");
        raw_close(&client);
    }
    fixture_stop(&fixture);
}

static void test_stopping_waits_for_replies_that_others_owe(void **state)
{
    (void)state;
    start((struct fixture_options){.stop_first = true});
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(&client, GET("/later/400"));
    poll(NULL, 0, 50);
    raw_close(&client);
    fixture_stop(&fixture); /* the completion comes while the server stops */
}

static void test_a_client_that_hung_up_costs_no_cpu(void **state)
{
    (void)state;
    start((struct fixture_options){.keep_later = true});
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(&client, GET("/later/0"));
    poll(NULL, 0, 50);
    struct linger linger = {.l_onoff = 1}; /* closing is a reset */
    setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    raw_close(&client);
    struct timespec before, after;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    poll(NULL, 0, 500);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    long used_ms =
        (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
    assert_in_range(used_ms, 0, 250); /* the worker polls; a busy loop would take 500 */
    fixture_stop(&fixture);
}

static void test_a_full_executor_is_said_at_once(void **state)
{
    (void)state;
    start((struct fixture_options){.writer_is_full = true});
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(
        &client,
        "POST /writer HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab" GET("/reader"));
    assert_true(raw_reply(&client, &reply));
    assert_int_equal(reply.status, 503);
    assert_in_range(strtol(raw_field(&reply, "Retry-After", field), NULL, 10), 1, 10);
    raw_reply_free(&reply);
    expect(200, "reader\n");
    raw_close(&client);
    fixture_stop(&fixture);
}

/* Opens connections until one is refused; how many held. */
static int fill_up(struct raw_client *many, int most)
{
    for (int i = 0; i < most; i++) {
        raw_connect(&many[i], fixture.port, NULL);
        if (!raw_send(&many[i], GET("/hello"), sizeof(GET("/hello")) - 1) ||
            !raw_reply(&many[i], &reply)) {
            raw_close(&many[i]);
            return i;
        }
        raw_reply_free(&reply);
    }
    return most;
}

static void test_connections_are_limited_per_address_and_in_all(void **state)
{
    (void)state;
    static const struct {
        uint32_t all, each;
        const char *cause;
    } limits[] = {{10, 100, "all"}, {100, 10, "address"}};
    for (int k = 0; k < 2; k++) {
        struct raw_client many[20];
        char series[100];
        start((struct fixture_options){.server.connections_max = limits[k].all,
                                       .server.per_address_max = limits[k].each,
                                       .server.threads = 2});
        assert_int_equal(fill_up(many, 20), 10);
        snprintf(series, sizeof series,
                 "moult_http_refused_total{listener=\"test\",cause=\"%s\"}",
                 limits[k].cause);
        assert_int_equal(fixture_metric(&fixture, series), 1);
        raw_close(&many[0]); /* one leaves, one may come */
        bool came = false;
        for (int i = 0; i < 500 && !came; i++) {
            came = fill_up(many, 1) == 1;
            if (!came) { poll(NULL, 0, 10); }
        }
        assert_true(came);
        for (int i = 0; i < 10; i++) {
            raw_close(&many[i]);
        }
        fixture_stop(&fixture);
    }
}

static void test_the_limit_of_open_files_is_raised_to_what_connections_need(void **state)
{
    (void)state;
    static struct raw_client many[150];
    struct rlimit before, low;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    if (before.rlim_max < 1000) {
        print_message("SKIP: this machine allows fewer than 1000 open files\n");
        skip();
    }
    low = before;
    low.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    start((struct fixture_options){.server.connections_max = 200});
    assert_int_equal(fill_up(many, 150), 150); /* each takes one here and one there */
    for (int i = 0; i < 150; i++) {
        raw_close(&many[i]);
    }
    fixture_stop(&fixture);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void test_open_requests_are_limited(void **state)
{
    (void)state;
    struct raw_client half[2];
    start((struct fixture_options){.server.requests_open_max = 2});
    for (int i = 0; i < 2; i++) {
        raw_connect(&half[i], fixture.port, NULL);
        raw_send_text(&half[i], "GET /hello HTT");
    }
    poll(NULL, 0, 50);
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(&client, GET("/hello"));
    assert_true(raw_is_closed(&client, RAW_WAIT_MS));
    raw_close(&client);
    raw_send_text(&half[0], "P/1.1\r\nHost: h\r\n\r\n");
    client = half[0];
    expect(200, "hello\n");
    raw_close(&client);
    raw_close(&half[1]);
    fixture_stop(&fixture);
}

static void test_a_connection_has_a_number_of_requests(void **state)
{
    (void)state;
    start((struct fixture_options){.server.requests_max = 3});
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(&client, GET("/hello") GET("/hello") GET("/hello") GET("/hello"));
    expect(200, NULL);
    expect(200, NULL);
    assert_true(raw_reply(&client, &reply));
    assert_string_equal(raw_field(&reply, "Connection", field), "close");
    raw_reply_free(&reply);
    assert_true(raw_is_closed(&client, RAW_WAIT_MS));
    raw_close(&client);
    fixture_stop(&fixture);
}

/* --- draining --- */

static void *drain(void *context)
{
    http_server_drain(fixture.server, *(uint32_t *)context);
    return NULL;
}

static void test_draining_ends_the_idle_and_lets_the_others_finish(void **state)
{
    (void)state;
    struct raw_client idle, busy, refused;
    pthread_t thread;
    uint32_t timeout_ms = 20000;
    start((struct fixture_options){.server.threads = 2, .keep_later = true});
    raw_connect(&idle, fixture.port, NULL);
    raw_connect(&busy, fixture.port, NULL);
    raw_send_text(&busy, GET("/later/0") GET("/hello"));
    poll(NULL, 0, 100);
    uint64_t began_ms = now_ms();
    assert_int_equal(pthread_create(&thread, NULL, drain, &timeout_ms), 0);
    assert_true(raw_is_closed(&idle, RAW_WAIT_MS));
    for (int i = 0; raw_try_connect(&refused, fixture.port, NULL); i++) {
        raw_close(&refused); /* the other thread has not closed its socket yet */
        assert_in_range(i, 0, 1000);
        poll(NULL, 0, 5);
    }
    fixture_release(&fixture);
    client = busy;
    assert_true(raw_reply(&client, &reply));
    assert_string_equal(reply.body, "later\n");
    assert_string_equal(raw_field(&reply, "Connection", field), "close");
    raw_reply_free(&reply);
    assert_true(raw_is_closed(&client, RAW_WAIT_MS));
    raw_close(&client);
    raw_close(&idle);
    pthread_join(thread, NULL);
    assert_true(now_ms() - began_ms < timeout_ms);
    fixture_stop(&fixture);
}

static void test_draining_cuts_off_who_does_not_end(void **state)
{
    (void)state;
    start((struct fixture_options){.keep_later = true});
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(&client, GET("/later/0"));
    poll(NULL, 0, 50);
    uint64_t began_ms = now_ms();
    http_server_drain(fixture.server, 200);
    assert_in_range(now_ms() - began_ms, 150, 10000);
    assert_true(raw_is_closed(&client, RAW_WAIT_MS));
    raw_close(&client);
    fixture_stop(&fixture); /* the late answer comes home first */
}

/* --- starting --- */

static enum moult_status try_start(const struct http_listener *listener,
                                   struct http_server_error *error)
{
    struct http_server *server = NULL;
    struct http_server_options options = {
        .listeners = listener, .listener_count = 1, .threads = 2};
    enum moult_status st = http_server_start(&options, &server, error);
    if (st == MOULT_OK) {
        http_server_stop(server);
    } else {
        assert_null(server);
    }
    return st;
}

static enum moult_status do_nothing(struct http_request *request, const struct env *env,
                                    struct http_reply *out)
{
    (void)request, (void)env;
    http_reply_empty(out);
    return MOULT_OK;
}

static void test_what_cannot_start_says_why(void **state)
{
    (void)state;
    struct http_server_error error;
    struct http_route route = {HTTP_GET, "/a", 0, HTTP_ON_IO, 0, do_nothing};
    struct http_listener listener = {
        .name = "device", .address = "127.0.0.1:0", .routes = {&route, 1}};
    assert_int_equal(try_start(&listener, &error), MOULT_OK);
    listener.address = "[::1]:0";
    (void)try_start(&listener,
                    &error); /* a machine without IPv6 may refuse; must not crash */
    listener.address = "*:0";
    assert_int_equal(try_start(&listener, &error), MOULT_OK);

    start((struct fixture_options){0});
    char taken[32];
    snprintf(taken, sizeof taken, "127.0.0.1:%u", fixture.port);
    listener.address = taken;
    assert_int_equal(try_start(&listener, &error), MOULT_E_EXISTS);
    char words[128];
    snprintf(words, sizeof words, "device: cannot listen on %s: address in use", taken);
    assert_string_equal(error.text, words);
    fixture_stop(&fixture);

    static const char *const bad[] = {"127.0.0.1", ":80", "127.0.0.1:x", "127.0.0.1:123456",
                                      ""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        listener.address = bad[i];
        assert_int_equal(try_start(&listener, &error), MOULT_E_ARG);
    }
    listener.address = "127.0.0.1:0";
    route.path = "a";
    assert_int_equal(try_start(&listener, &error), MOULT_E_ARG);
    route.path = "/a";
    route.where = HTTP_ON_WRITER;
    assert_int_equal(try_start(&listener, &error), MOULT_E_ARG);
    assert_string_equal(error.text, "device: route has no executor: /a");
}

/* --- many at once --- */

static void *many_requests(void *context)
{
    struct raw_client own;
    struct raw_reply got;
    unsigned seed = *(unsigned *)context;
    static const char *const requests[] = {
        GET("/hello"),    GET("/later/1"),
        GET("/reader"),   GET("/file"),
        GET("/nothing"),  "POST /writer HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab",
        GET("/echo/a/b"),
    };
    static const int statuses[] = {200, 200, 200, 200, 404, 200, 200};
    for (int round = 0; round < 10; round++) {
        raw_connect(&own, fixture.port, NULL);
        for (int i = 0; i < 20; i++) {
            unsigned which = (seed = seed * 1103515245u + 12345u) / 65536u % 7u;
            raw_send_text(&own, requests[which]);
            if (!raw_reply(&own, &got) || got.status != statuses[which]) { return "wrong"; }
            raw_reply_free(&got);
        }
        raw_close(&own);
    }
    return NULL;
}

static void test_many_clients_on_many_threads(void **state)
{
    (void)state;
    pthread_t threads[6];
    unsigned seeds[6];
    start((struct fixture_options){.server.threads = 3});
    for (unsigned i = 0; i < 6; i++) {
        seeds[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, many_requests, &seeds[i]), 0);
    }
    for (int i = 0; i < 6; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    fixture_stop(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_head_that_trickles_is_cut_off_with_408),
        cmocka_unit_test(test_a_body_that_trickles_is_cut_off_with_408),
        cmocka_unit_test(test_a_slow_body_that_moves_is_let_through),
        cmocka_unit_test(test_idle_connections_are_closed_without_a_word),
        cmocka_unit_test(test_a_client_that_does_not_read_is_cut_off),
        cmocka_unit_test(test_a_stalled_client_does_not_hold_up_the_others),
        cmocka_unit_test(test_a_handler_that_is_too_late_costs_its_client_a_503_only),
        cmocka_unit_test(test_a_second_completion_does_not_reach_the_next_request),
        cmocka_unit_test(test_a_reply_whose_client_left_comes_home),
        cmocka_unit_test(test_stopping_waits_for_replies_that_others_owe),
        cmocka_unit_test(test_a_client_that_hung_up_costs_no_cpu),
        cmocka_unit_test(test_a_full_executor_is_said_at_once),
        cmocka_unit_test(test_connections_are_limited_per_address_and_in_all),
        cmocka_unit_test(test_the_limit_of_open_files_is_raised_to_what_connections_need),
        cmocka_unit_test(test_open_requests_are_limited),
        cmocka_unit_test(test_a_connection_has_a_number_of_requests),
        cmocka_unit_test(test_draining_ends_the_idle_and_lets_the_others_finish),
        cmocka_unit_test(test_draining_cuts_off_who_does_not_end),
        cmocka_unit_test(test_what_cannot_start_says_why),
        cmocka_unit_test(test_many_clients_on_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
