/* client_test.c - calls against a scripted server: replies, refusals, retries, lists. */
#include "client/client.h"

#include <string.h>

#include "client/mem.h"
#include "tests/support/https_server.h"
#include "tests/support/test_certs.h"
#include "tests/support/unit.h"

struct setting {
    struct https_server *server;
    struct client *client;
    struct client_error error;
    struct https_reply script[8];
};

static void start(struct setting *setting, size_t count)
{
    setting->server = https_server_start(setting->script, count);
    struct client_config config = {.server = https_server_url(setting->server),
                                   .token = "moult_secret",
                                   .ca_file = https_server_ca(setting->server)};
    assert_int_equal(client_open(&config, &setting->client, &setting->error), MOULT_OK);
}

static void stop(struct setting *setting)
{
    client_close(setting->client);
    https_server_stop(setting->server);
}

static bool sent(struct setting *setting, size_t index, const char *text)
{
    return strstr(https_server_request(setting->server, index), text) != NULL;
}

static void test_a_get_sends_the_token_and_gives_the_object(void **state)
{
    struct setting s = {
        .script = {{https_text(200, "json", "ETag: \"e1\"\r\n", "{\"a\":7}"), 0}}};
    json_t *json = NULL;
    (void)state;
    start(&s, 1);
    const struct client_pair query[] = {{"q", "x y"}, {NULL, NULL}};
    assert_int_equal(client_get(s.client, "/devices", query, &json, &s.error), MOULT_OK);
    assert_int_equal(json_integer_value(json_object_get(json, "a")), 7);
    json_decref(json);
    assert_true(sent(&s, 0, "GET /api/v1/devices?q=x%20y HTTP/1.1\r\n"));
    assert_true(sent(&s, 0, "Authorization: Bearer moult_secret\r\n"));
    stop(&s);
}

static void test_a_problem_becomes_one_error_with_the_servers_words(void **state)
{
    struct setting s = {
        .script = {
            {https_text(422, "problem", "",
                        "{\"title\":\"no\",\"status\":422,\"code\":\"E2007\",\"detail\":"
                        "\"expected 1..100, found 0\",\"field\":\"phases[1].percent\","
                        "\"hint\":\"use rest\",\"request_id\":\"r1\"}"),
             0}}};
    json_t *json = NULL;
    (void)state;
    start(&s, 1);
    assert_int_equal(client_post(s.client, "/rollouts", NULL, NULL, &json, &s.error),
                     moult_detail_info(MOULT_D_API_FIELD)->status);
    assert_null(json);
    assert_int_equal(s.error.http, 422);
    assert_int_equal(s.error.detail, MOULT_D_API_FIELD);
    assert_int_equal(s.error.exit_code, moult_detail_info(MOULT_D_API_FIELD)->exit);
    assert_string_equal(s.error.words, "expected 1..100, found 0");
    assert_string_equal(s.error.field, "phases[1].percent");
    assert_string_equal(s.error.hint, "use rest");
    assert_string_equal(s.error.request_id, "r1");
    assert_int_equal(https_server_count(s.server), 1);
    stop(&s);
}

static void test_a_refusal_without_code_gets_the_exit_of_its_status(void **state)
{
    static const struct {
        int http, exit_code;
    } row[] = {{400, 2}, {403, 4}, {404, 3}, {409, 5}, {422, 6}, {500, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct setting s = {
            .script = {{https_text(row[i].http, "text/html", "", "<p>no"), 0}}};
        json_t *json = NULL;
        start(&s, 1);
        assert_int_not_equal(client_get(s.client, "/x", NULL, &json, &s.error), MOULT_OK);
        assert_int_equal(s.error.exit_code, row[i].exit_code);
        assert_int_equal(https_server_count(s.server), 1); /* asking again would not help */
        stop(&s);
    }
}

static void test_an_overloaded_server_is_asked_again_with_the_same_key(void **state)
{
    struct setting s = {
        .script = {{https_text(503, "problem", "", "{\"code\":\"E2014\"}"), 1},
                   {NULL, 1},
                   {https_text(200, "json", "", "{\"done\":true}"), 0}}};
    json_t *json = NULL;
    (void)state;
    start(&s, 3);
    assert_int_equal(
        client_post(s.client, "/rollouts/r/pause", NULL, NULL, &json, &s.error), MOULT_OK);
    json_decref(json);
    assert_true(https_server_count(s.server) >= 3); /* libcurl may repeat by itself, too */
    const char *key = strstr(https_server_request(s.server, 0), "Idempotency-Key: ");
    assert_non_null(key);
    char line[64];
    snprintf(line, sizeof line, "%.51s", key); /* name, key and line end */
    assert_true(sent(&s, 1, line));
    assert_true(sent(&s, 2, line));
    stop(&s);
}

static void test_tries_end(void **state)
{
    struct setting s = {
        .script = {{https_text(503, "problem", "", "{\"code\":\"E2014\"}"), 0}}};
    json_t *json = NULL;
    (void)state;
    start(&s, 1);
    assert_int_not_equal(client_get(s.client, "/status", NULL, &json, &s.error), MOULT_OK);
    assert_int_equal(s.error.exit_code, 10);
    assert_int_equal(https_server_count(s.server), CLIENT_TRIES_MAX);
    stop(&s);
}

static void test_a_refused_connection_is_unreachable(void **state)
{
    struct client_error error;
    struct client *client = NULL;
    json_t *json = NULL;
    (void)state;
    struct client_config config = {.server = "https://127.0.0.1:1", .tries = 1};
    assert_int_equal(client_open(&config, &client, &error), MOULT_OK);
    assert_int_equal(client_get(client, "/status", NULL, &json, &error), MOULT_E_NET);
    assert_int_equal(error.detail, MOULT_D_CLI_UNREACHABLE);
    assert_int_equal(error.exit_code, 10);
    client_close(client);
}

static void
test_a_certificate_of_another_ca_is_refused_before_the_token_is_sent(void **state)
{
    struct setting s = {.script = {{https_text(200, "json", "", "{}"), 0}}};
    json_t *json = NULL;
    struct test_cert other;
    (void)state;
    start(&s, 1);
    test_cert_make(&other, "another CA", NULL);
    test_cert_save(&other, "other-ca.pem", NULL);
    client_close(s.client);
    struct client_config config = {.server = https_server_url(s.server),
                                   .token = "moult_secret",
                                   .ca_file = "other-ca.pem"};
    assert_int_equal(client_open(&config, &s.client, &s.error), MOULT_OK);
    assert_int_equal(client_get(s.client, "/status", NULL, &json, &s.error), MOULT_E_TLS);
    assert_int_equal(s.error.detail, MOULT_D_CLI_TLS);
    assert_int_equal(https_server_count(s.server), 0);
    test_cert_free(&other);
    remove("other-ca.pem");
    stop(&s);
}

static void test_a_reply_that_is_no_object_is_said(void **state)
{
    static const char *const body[] = {"", "hello", "[1]", "{\"a\":1,\"a\":2}", "{\"a\":"};
    (void)state;
    for (size_t i = 0; i < sizeof body / sizeof body[0]; i++) {
        struct setting s = {.script = {{https_text(200, "json", "", body[i]), 0}}};
        json_t *json = NULL;
        start(&s, 1);
        assert_int_equal(client_get(s.client, "/x", NULL, &json, &s.error), MOULT_E_FORMAT);
        assert_int_equal(s.error.detail, MOULT_D_CLI_REPLY);
        assert_null(json);
        stop(&s);
    }
}

static void on_progress(void *context, uint64_t done, uint64_t total)
{
    uint64_t *last = context;
    assert_true(done <= total);
    *last = done;
}

static void test_an_upload_sends_every_byte_and_tells_progress(void **state)
{
    struct setting s = {.script = {{https_text(201, "json", "", "{}"), 0}}};
    static char body[200000];
    uint64_t last = 0;
    (void)state;
    memset(body, 'b', sizeof body);
    memcpy(body + sizeof body - 8, "the end!", 8);
    start(&s, 1);
    struct client_request request = {.method = "PUT",
                                     .path = "/artifacts/00",
                                     .bytes = body,
                                     .size = sizeof body,
                                     .type = "application/octet-stream",
                                     .progress = on_progress,
                                     .context = &last};
    struct client_reply reply;
    assert_int_equal(client_call(s.client, &request, &reply, &s.error), MOULT_OK);
    assert_int_equal(reply.http, 201);
    assert_int_equal(last, sizeof body);
    client_reply_free(&reply);
    assert_true(sent(&s, 0, "Content-Length: 200000\r\n"));
    assert_true(sent(&s, 0, "bbbbthe end!"));
    assert_false(sent(&s, 0, "Expect:"));
    stop(&s);
}

static void test_a_reply_over_the_limit_is_refused(void **state)
{
    static const char head[] = "HTTP/1.1 200 X\r\nContent-Length: 8388609\r\n\r\n{";
    static char big[sizeof head + CLIENT_REPLY_MAX + 1];
    json_t *json = NULL;
    (void)state; /* cmocka's signature */
    memset(big, ' ', sizeof big - 1);
    memcpy(big, head, sizeof head - 1);
    struct setting s = {.script = {{big, 1}}};
    start(&s, 1);
    assert_int_equal(client_get(s.client, "/x", NULL, &json, &s.error), MOULT_E_RANGE);
    assert_non_null(strstr(s.error.words, "8 MiB"));
    assert_null(json);
    stop(&s);
}

static void test_a_list_follows_its_cursor_over_empty_pages_to_the_end(void **state)
{
    struct setting s = {
        .script = {{https_text(200, "json", "", "{\"items\":[1,2],\"next\":\"c1\"}"), 0},
                   {https_text(200, "json", "", "{\"items\":[],\"next\":\"c 2\"}"), 0},
                   {https_text(200, "json", "", "{\"items\":[3],\"next\":null}"), 0}}};
    (void)state;
    start(&s, 3);
    const struct client_pair query[] = {{"state", "accepted"}, {NULL, NULL}};
    struct client_list list;
    json_t *item = NULL;
    client_list_start(&list, s.client, "/devices", query);
    for (int expected = 1; expected <= 3; expected++) {
        assert_int_equal(client_list_next(&list, &item, &s.error), MOULT_OK);
        assert_int_equal(json_integer_value(item), expected);
    }
    assert_int_equal(client_list_next(&list, &item, &s.error), MOULT_E_NOENT);
    client_list_end(&list);
    assert_true(sent(&s, 0, "GET /api/v1/devices?limit=500&state=accepted "));
    assert_true(sent(&s, 1, "?limit=500&cursor=c1&state=accepted "));
    assert_true(sent(&s, 2, "&cursor=c%202&"));
    stop(&s);
}

static void test_no_memory_is_a_status_wherever_it_happens(void **state)
{
    struct setting s = {
        .script = {{https_text(200, "json", "", "{\"items\":[1],\"next\":null}"), 0}}};
    unsigned long refused = 0;
    (void)state;
    client_mem_serve_json();
    start(&s, 1);
    for (unsigned long nth = 1;; nth++) {
        struct client_list list;
        json_t *item = NULL;
        client_list_start(&list, s.client, "/devices", NULL);
        client_mem_fail_from(nth);
        enum moult_status st = client_list_next(&list, &item, &s.error);
        client_mem_fail_from(0);
        client_list_end(&list);
        if (st == MOULT_OK) { break; }
        refused++;
        assert_true(nth < 40); /* one round has some twenty allocations */
    }
    assert_true(refused > 5);
    stop(&s);
}

static void test_a_server_that_is_no_https_url_is_refused_at_once(void **state)
{
    struct client_error error;
    struct client *client = NULL;
    (void)state;
    struct client_config config = {.server = "http://127.0.0.1:1", .token = "moult_secret"};
    assert_int_equal(client_open(&config, &client, &error), MOULT_E_ARG);
    assert_null(client);
    config = (struct client_config){.server = "https://h", .ca_file = "/no/such/file"};
    assert_int_equal(client_open(&config, &client, &error), MOULT_E_TLS);
    assert_non_null(strstr(error.words, "/no/such/file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_get_sends_the_token_and_gives_the_object),
        cmocka_unit_test(test_a_problem_becomes_one_error_with_the_servers_words),
        cmocka_unit_test(test_a_refusal_without_code_gets_the_exit_of_its_status),
        cmocka_unit_test(test_an_overloaded_server_is_asked_again_with_the_same_key),
        cmocka_unit_test(test_tries_end),
        cmocka_unit_test(test_a_refused_connection_is_unreachable),
        cmocka_unit_test(
            test_a_certificate_of_another_ca_is_refused_before_the_token_is_sent),
        cmocka_unit_test(test_a_reply_that_is_no_object_is_said),
        cmocka_unit_test(test_an_upload_sends_every_byte_and_tells_progress),
        cmocka_unit_test(test_a_reply_over_the_limit_is_refused),
        cmocka_unit_test(test_a_list_follows_its_cursor_over_empty_pages_to_the_end),
        cmocka_unit_test(test_no_memory_is_a_status_wherever_it_happens),
        cmocka_unit_test(test_a_server_that_is_no_https_url_is_refused_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
