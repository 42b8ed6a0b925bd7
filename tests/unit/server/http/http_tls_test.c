/* http_tls_test.c - the same server over TLS: fingerprints, resumption, files, broken
 * peers. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "formats/bytes.h"
#include "tests/support/unit.h"
#include "tests/unit/server/http/support_client.h"
#include "tests/unit/server/http/support_fixture.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

static struct fixture fixture;
static struct test_cert device;
static struct raw_client client;
static struct raw_reply reply;

static void expect(int status, const char *body)
{
    assert_true(raw_reply(&client, &reply));
    assert_int_equal(reply.status, status);
    if (body) { assert_string_equal(reply.body, body); }
    raw_reply_free(&reply);
}

static void test_handlers_know_the_client_by_its_key(void **state)
{
    (void)state; /* cmocka's signature */
    uint8_t spki[32];
    char hex[65];
    test_cert_spki(&device, spki);
    moult_hex_encode(spki, 32, hex);
    raw_connect(&client, fixture.port,
                &(struct raw_tls){.ca = &fixture.ca, .cert = &device});
    raw_send_text(&client, GET("/spki") GET("/hello") GET("/spki"));
    expect(200, hex);
    expect(200, "hello\n");
    expect(200, hex);
    SSL_SESSION *session = SSL_get1_session(client.ssl);
    raw_close(&client);

    for (int i = 0; i < 3;
         i++) { /* resumed: the client does not show its certificate again */
        raw_connect(&client, fixture.port,
                    &(struct raw_tls){.ca = &fixture.ca, .session = session});
        assert_int_equal(SSL_session_reused(client.ssl), 1);
        raw_send_text(&client, GET("/spki"));
        expect(200, hex);
        SSL_SESSION_free(session);
        session = SSL_get1_session(client.ssl);
        raw_close(&client);
    }
    SSL_SESSION_free(session);
    assert_int_equal(fixture_metric(&fixture,
                                    "moult_tls_handshakes_total{listener=\"test\","
                                    "result=\"resumed\"}"),
                     3);
    raw_connect(&client, fixture.port, &(struct raw_tls){.ca = &fixture.ca});
    raw_send_text(&client, GET("/spki"));
    expect(200, "none\n");
    raw_close(&client);
}

static void test_a_large_file_arrives_whole_beside_small_requests(void **state)
{
    (void)state;
    raw_connect(&client, fixture.port, &(struct raw_tls){.ca = &fixture.ca});
    raw_send_text(&client, GET("/hello") GET("/large") GET("/reader"));
    expect(200, "hello\n");
    assert_true(raw_reply(&client, &reply));
    assert_int_equal(reply.body_size, FIXTURE_LARGE_SIZE);
    for (size_t k = 0; k < reply.body_size; k++) {
        if ((uint8_t)reply.body[k] != fixture_byte(k)) { fail_msg("byte %zu differs", k); }
    }
    raw_reply_free(&reply);
    expect(200, "reader\n");
    raw_close(&client);
}

static void test_many_records_at_once_are_all_read(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    raw_connect(&client, fixture.port, &(struct raw_tls){.ca = &fixture.ca});
    for (int i = 0; i < COUNT; i++) { /* a TLS record each; some wait for a slow handler */
        raw_send_text(&client, i % 50 == 0 ? GET("/later/5") : GET("/hello"));
    }
    for (int i = 0; i < COUNT; i++) {
        expect(200, i % 50 == 0 ? "later\n" : "hello\n");
    }
    raw_close(&client);
}

static void test_bodies_come_through(void **state)
{
    (void)state;
    static char body[1000000];
    char text[128];
    for (size_t i = 0; i < sizeof body; i++) {
        body[i] = (char)fixture_byte(i);
    }
    raw_connect(&client, fixture.port, &(struct raw_tls){.ca = &fixture.ca});
    raw_send_text(&client, "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n"
                           "Expect: 100-continue\r\n\r\n");
    expect(100, NULL);
    assert_true(raw_send(&client, body, sizeof body));
    snprintf(text, sizeof text, "1000000 %016llx file\n",
             (unsigned long long)fixture_sum(body, sizeof body));
    expect(200, text);
    raw_close(&client);
}

static void test_the_end_is_said_properly(void **state)
{
    (void)state;
    raw_connect(&client, fixture.port, &(struct raw_tls){.ca = &fixture.ca});
    raw_send_text(&client, "GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    expect(200, "hello\n");
    char byte;
    int rc = SSL_read(client.ssl, &byte, 1);
    assert_int_equal(SSL_get_error(client.ssl, rc),
                     SSL_ERROR_ZERO_RETURN); /* close_notify */
    raw_close(&client);
}

static void test_plain_bytes_and_silence_end_the_connection(void **state)
{
    (void)state;
    raw_connect(&client, fixture.port, NULL);
    raw_send_text(&client, GET("/hello"));
    char bytes[64]; /* an alert, then the end */
    ssize_t got = recv(client.fd, bytes, sizeof bytes, 0);
    assert_true(got <= 7);
    raw_close(&client);
    uint64_t began_ms = clock_monotonic_ms(clock_system());
    raw_connect(&client, fixture.port, NULL);
    assert_true(raw_is_closed(&client, RAW_WAIT_MS)); /* handshake_ms is 500 here */
    assert_true(clock_monotonic_ms(clock_system()) - began_ms >= 450);
    raw_close(&client);
    assert_true(fixture_metric(&fixture, "moult_tls_handshakes_total{listener=\"test\","
                                         "result=\"failed\"}") >= 1);
}

static void test_clients_that_leave_in_the_middle_of_a_file(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        raw_connect(&client, fixture.port, &(struct raw_tls){.ca = &fixture.ca});
        raw_send_text(&client, GET("/large"));
        if (i % 2) { poll(NULL, 0, 10); }
        raw_close(&client);
    }
    raw_connect(&client, fixture.port, &(struct raw_tls){.ca = &fixture.ca});
    raw_send_text(&client, GET("/hello"));
    expect(200, "hello\n");
    raw_close(&client);
}

static int start(void **state)
{
    (void)state;
    test_cert_make(&device, "0123456789abcdef0123456789abcdef", NULL);
    fixture_start(&fixture, &(struct fixture_options){.with_tls = true,
                                                      .server.threads = 2,
                                                      .server.handshake_ms = 500});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&fixture);
    test_cert_free(&device);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handlers_know_the_client_by_its_key),
        cmocka_unit_test(test_a_large_file_arrives_whole_beside_small_requests),
        cmocka_unit_test(test_many_records_at_once_are_all_read),
        cmocka_unit_test(test_bodies_come_through),
        cmocka_unit_test(test_the_end_is_said_properly),
        cmocka_unit_test(test_plain_bytes_and_silence_end_the_connection),
        cmocka_unit_test(test_clients_that_leave_in_the_middle_of_a_file),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
