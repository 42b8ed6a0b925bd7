/* http_parser_test.c - every verdict of requests.h, whole and in all splits; results;
 * limits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "server/http/http_parser.h"
#include "tests/support/unit.h"
#include "tests/unit/server/http/requests.h"

struct outcome {
    unsigned accepted;
    uint16_t status;
    bool is_closed;
};

/* Parses heads and skips bodies, feeding at most `step` bytes at a time. */
static struct outcome parse_all(const char *bytes, size_t size, size_t step)
{
    struct outcome out = {0};
    struct http_parser *p = malloc(sizeof *p); /* so that ASan watches its end */
    http_parser_init(p);
    for (size_t at = 0; at < size;) {
        size_t used, offered = size - at < step ? size - at : step;
        enum http_parse parse =
            http_parser_feed(p, (const uint8_t *)bytes + at, offered, &used);
        if (parse == HTTP_PARSE_BAD) {
            out.status = p->error.status;
            assert_non_null(p->error.want);
            assert_non_null(p->error.have);
            break;
        }
        at += used;
        if (parse == HTTP_PARSE_MORE) { continue; }
        out.accepted++;
        if (!p->keep_alive) {
            out.is_closed = true;
            break;
        }
        at += p->content_length < size - at ? (size_t)p->content_length : size - at;
        http_parser_init(p);
    }
    free(p);
    return out;
}

static void test_every_request_gets_its_verdict_however_it_arrives(void **state)
{
    (void)state; /* cmocka's signature */
    static const size_t steps[] = {1u << 20, 1, 2, 3, 7, 64};
    for (size_t i = 0; i < REQUEST_ROW_COUNT; i++) {
        const struct request_row *row = &request_rows[i];
        for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
            struct outcome out = parse_all(row->bytes, row->size, steps[k]);
            if (out.accepted != row->accepted || out.status != row->status) {
                fail_msg("%s, %zu at a time: expected %u and %u, found %u and %u",
                         row->name, steps[k], row->accepted, row->status, out.accepted,
                         out.status);
            }
        }
    }
}

static struct http_parser parsed;

static void parse_good(const char *text)
{
    size_t used;
    http_parser_init(&parsed);
    assert_true(http_parser_is_fresh(&parsed));
    enum http_parse parse =
        http_parser_feed(&parsed, (const uint8_t *)text, strlen(text), &used);
    if (parse != HTTP_PARSE_DONE) { print_error("not accepted: %s\n", text); }
    assert_int_equal(parse, HTTP_PARSE_DONE);
    assert_false(http_parser_is_fresh(&parsed));
}

static void test_results_are_what_was_sent(void **state)
{
    (void)state;
    parse_good(
        "PUT /api/v1/a%20b?x=%31&y HTTP/1.1\r\nHost: example:1\r\nX-ONE:  two words \r\n"
        "x-empty:\r\nContent-Length: 12\r\nExpect: 100-Continue\r\n\r\n");
    assert_int_equal(parsed.method, HTTP_PUT);
    assert_string_equal(parsed.path, "/api/v1/a b");
    assert_string_equal(parsed.query, "x=%31&y");
    assert_int_equal(parsed.header_count, 5);
    assert_string_equal(parsed.headers[0].name, "host");
    assert_string_equal(parsed.headers[0].value, "example:1");
    assert_string_equal(parsed.headers[1].name, "x-one");
    assert_string_equal(parsed.headers[1].value, "two words");
    assert_string_equal(parsed.headers[2].value, "");
    assert_true(parsed.has_content_length);
    assert_int_equal(parsed.content_length, 12);
    assert_true(parsed.expects_continue);
    assert_true(parsed.keep_alive);
}

static void test_paths_are_decoded_once(void **state)
{
    (void)state;
    static const struct {
        const char *target, *path, *query;
    } rows[] = {
        {"/", "/", ""},
        {"/a", "/a", ""},
        {"/a?", "/a", ""},
        {"/?a/b?c", "/", "a/b?c"},
        {"/%61%2D%7e", "/a-~", ""},
        {"/%2561", "/%61", ""},
        {"/a+b", "/a+b", ""},
        {"/a?b=/../c", "/a", "b=/../c"},
        {"http://h:1/x/y?z", "/x/y", "z"},
        {"HTTPS://h", "/", ""},
        {"http://h?q", "/", "q"},
        {"http://[::1]:8/x", "/x", ""},
        {"/%f0%9f%98%80", "/\xf0\x9f\x98\x80", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[200];
        snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", rows[i].target);
        parse_good(text);
        assert_string_equal(parsed.path, rows[i].path);
        assert_string_equal(parsed.query, rows[i].query);
    }
}

static void test_keep_alive_follows_version_and_connection(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool keep_alive;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: h\r\nConnection: foo ,\tClose\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: h\r\nConnection: closed\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: h\r\nConnection: a\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        parse_good(rows[i].text);
        assert_int_equal(parsed.keep_alive, rows[i].keep_alive);
    }
}

/* A request whose head has exactly `size` bytes; the filler is a field value. */
static char *request_of_size(size_t size)
{
    static const char start[] = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
    char *text = malloc(size + 1);
    memset(text, 'x', size);
    memcpy(text, start, sizeof start - 1);
    memcpy(text + size - 4, "\r\n\r\n", 5);
    return text;
}

static void test_the_head_may_have_8192_bytes_and_no_more(void **state)
{
    (void)state;
    for (size_t step = 1; step <= 8193; step += 8192) {
        char *text = request_of_size(HTTP_HEAD_SIZE_MAX);
        assert_int_equal(parse_all(text, HTTP_HEAD_SIZE_MAX, step).accepted, 1);
        free(text);
        text = request_of_size(HTTP_HEAD_SIZE_MAX + 1);
        assert_int_equal(parse_all(text, HTTP_HEAD_SIZE_MAX + 1, step).status, 431);
        free(text);
    }
}

static void test_tokens_and_fields_have_limits(void **state)
{
    (void)state;
    char text[HTTP_HEAD_SIZE_MAX];
    char target[HTTP_TARGET_SIZE_MAX + 2] = "/";
    memset(target + 1, 'a', HTTP_TARGET_SIZE_MAX);
    snprintf(text, sizeof text, "GET %.*s HTTP/1.1\r\nHost: h\r\n\r\n",
             HTTP_TARGET_SIZE_MAX, target);
    assert_int_equal(parse_all(text, strlen(text), 1000).accepted, 1);
    snprintf(text, sizeof text, "GET %.*s HTTP/1.1\r\nHost: h\r\n\r\n",
             (int)HTTP_TARGET_SIZE_MAX + 1, target);
    assert_int_equal(parse_all(text, strlen(text), 1000).status, 414);
    assert_int_equal(parse_all(text, strlen(text), 1).status, 414);

    for (size_t extra = 0; extra < 2; extra++) {
        size_t used = (size_t)snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: h\r\n");
        for (size_t i = 1; i < HTTP_HEADERS_MAX + extra; i++) {
            used += (size_t)snprintf(text + used, sizeof text - used, "X%zu: y\r\n", i);
        }
        snprintf(text + used, sizeof text - used, "\r\n");
        assert_int_equal(parse_all(text, strlen(text), 100).status, extra ? 431 : 0);
    }
    snprintf(text, sizeof text, "GET /a/a/a/a/a/a/a/a/a/a/a/a HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(parse_all(text, strlen(text), 100).accepted, 1);
    snprintf(text, sizeof text,
             "GET /a/a/a/a/a/a/a/a/a/a/a/a/a HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(parse_all(text, strlen(text), 100).status, 400);
}

static void test_bytes_behind_the_head_are_left_alone(void **state)
{
    (void)state;
    static const char text[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\nrest";
    size_t used;
    http_parser_init(&parsed);
    assert_int_equal(
        http_parser_feed(&parsed, (const uint8_t *)text, sizeof text - 1, &used),
        HTTP_PARSE_DONE);
    assert_int_equal(used, sizeof text - 1 - 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_request_gets_its_verdict_however_it_arrives),
        cmocka_unit_test(test_results_are_what_was_sent),
        cmocka_unit_test(test_paths_are_decoded_once),
        cmocka_unit_test(test_keep_alive_follows_version_and_connection),
        cmocka_unit_test(test_the_head_may_have_8192_bytes_and_no_more),
        cmocka_unit_test(test_tokens_and_fields_have_limits),
        cmocka_unit_test(test_bytes_behind_the_head_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
