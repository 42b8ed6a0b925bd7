/* http_writer_test.c - replies as bytes, whole and in pieces, and those that must not be
 * sent. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "formats/codes.h"
#include "server/http/http_writer.h"
#include "tests/support/unit.h"

static struct arena arena;
static struct http_request request;
static struct http_reply reply;
static struct http_writer writer;
static const struct http_writer_context context = {.date = "DATE", .keep_alive = true};

static int reset(void **state)
{
    (void)state; /* cmocka's signature */
    arena_init(&arena, 65536);
    request = (struct http_request){.arena = &arena, .id = "0123456789abcdef"};
    http_reply_init(&reply);
    return 0;
}

static int release(void **state)
{
    (void)state;
    http_reply_reset(&reply);
    arena_release(&arena);
    return 0;
}

/* The planned reply, put together from pieces of `step` bytes. */
static char *written(size_t step)
{
    size_t size = (size_t)http_writer_size(&writer), used = 0;
    char *out = arena_alloc(&arena, size + 1);
    assert_non_null(out);
    while (used < size) {
        size_t done = 0, room = size - used < step ? size - used : step;
        assert_int_equal(
            http_writer_piece(&writer, used, (uint8_t *)out + used, room, &done), MOULT_OK);
        assert_in_range(done, 1, room);
        used += done;
    }
    return out;
}

static void test_a_reply_is_the_same_in_pieces_of_any_size(void **state)
{
    (void)state;
    http_reply_bytes(&reply, 200, "text/plain", "some words", 10);
    http_reply_header(&reply, "X-One", "1");
    assert_int_equal(http_writer_plan(&writer, &request, &reply, &context), MOULT_OK);
    static const char expected[] =
        "HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Type: text/plain\r\nContent-Length: "
        "10\r\n"
        "X-One: 1\r\nRequest-Id: 0123456789abcdef\r\n\r\nsome words";
    for (size_t step = 1; step < 200; step++) {
        assert_string_equal(written(step), expected);
        arena_clear(&arena);
    }
}

static void test_a_file_is_the_same_in_pieces_of_any_size(void **state)
{
    (void)state;
    char path[] = "/tmp/moult-writer-XXXXXX";
    int fd = mkstemp(path);
    unlink(path);
    assert_int_equal(write(fd, "0123456789abcdefghij", 20), 20);
    http_reply_file(&reply, "x/y", fd, 20, "tag");
    static const struct http_header range = {"range", "bytes=3-17"};
    request.headers = &range;
    request.header_count = 1;
    assert_int_equal(http_writer_plan(&writer, &request, &reply, &context), MOULT_OK);
    static const char expected[] =
        "HTTP/1.1 206 Partial Content\r\nDate: DATE\r\nContent-Type: x/y\r\n"
        "Content-Length: 15\r\nETag: \"tag\"\r\nAccept-Ranges: bytes\r\n"
        "Content-Range: bytes 3-17/20\r\nRequest-Id: "
        "0123456789abcdef\r\n\r\n3456789abcdefgh";
    for (size_t step = 1; step < 300; step++) {
        assert_string_equal(written(step), expected);
        arena_clear(&arena);
    }
    assert_int_equal(ftruncate(fd, 10), 0); /* the file changes under us */
    uint8_t out[400];
    size_t done;
    assert_int_equal(http_writer_piece(&writer, 0, out, sizeof out, &done), MOULT_E_IO);
}

static void test_some_replies_have_no_body(void **state)
{
    (void)state;
    http_reply_empty(&reply);
    assert_int_equal(http_writer_plan(&writer, &request, &reply, &context), MOULT_OK);
    assert_string_equal(written(1000), "HTTP/1.1 204 No Content\r\nDate: DATE\r\n"
                                       "Request-Id: 0123456789abcdef\r\n\r\n");
    http_reply_reset(&reply);
    http_reply_bytes(&reply, 200, "text/plain", "words", 5);
    request.method = HTTP_HEAD;
    assert_int_equal(http_writer_plan(&writer, &request, &reply,
                                      &(struct http_writer_context){.date = "DATE",
                                                                    .keep_alive = false}),
                     MOULT_OK);
    assert_string_equal(written(1000),
                        "HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Type: text/plain\r\n"
                        "Content-Length: 5\r\nRequest-Id: 0123456789abcdef\r\n"
                        "Connection: close\r\n\r\n");
}

static void test_unsound_replies_become_a_bare_500(void **state)
{
    (void)state;
    static char longest[HTTP_REPLY_HEAD_SIZE_MAX + 1];
    memset(longest, 'x', sizeof longest - 1);
    static const struct {
        uint16_t status;
        const char *type, *name, *value;
    } rows[] = {
        {0, NULL, NULL, NULL},       {99, NULL, NULL, NULL},
        {100, NULL, NULL, NULL},     {600, NULL, NULL, NULL},
        {200, "a\r\nb", NULL, NULL}, {200, NULL, "X", "a\r\nb: c"},
        {200, NULL, "X", "a\nb"},    {200, NULL, "X\r\nY", "a"},
        {200, NULL, "X:", "a"},      {200, NULL, "", "a"},
        {200, NULL, "X", "\x01"},    {200, NULL, "X", longest},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        http_reply_reset(&reply);
        http_reply_bytes(&reply, rows[i].status, rows[i].type, "body", 4);
        if (rows[i].name) { http_reply_header(&reply, rows[i].name, rows[i].value); }
        assert_int_equal(http_writer_plan(&writer, &request, &reply, &context),
                         MOULT_E_INTERNAL);
        assert_string_equal(written(1000),
                            "HTTP/1.1 500 Internal Server Error\r\nDate: DATE\r\n"
                            "Content-Length: 0\r\nRequest-Id: 0123456789abcdef\r\n\r\n");
    }
}

static void test_a_problem_says_code_words_field_hint_and_request(void **state)
{
    (void)state;
    http_problem(&request, &reply,
                 &(struct http_problem){.code = MOULT_D_API_FIELD,
                                        .want = "a number",
                                        .have = "\"x\"",
                                        .field = "phases[1].percent",
                                        .hint = "write a number",
                                        .retry_after_s = 7});
    assert_int_equal(reply.status, 422);
    assert_string_equal(reply.content_type, HTTP_TYPE_PROBLEM);
    static const char expected[] =
        "{\"type\":\"about:blank\",\"title\":\"Unprocessable Content\",\"status\":422,"
        "\"code\":\"E2007\",\"detail\":\"field expects a number, found \\\"x\\\"\","
        "\"field\":\"phases[1].percent\",\"hint\":\"write a number\","
        "\"request_id\":\"0123456789abcdef\"}\n";
    assert_int_equal(reply.bytes.size, sizeof expected - 1);
    assert_memory_equal(reply.bytes.data, expected, sizeof expected - 1);
    assert_string_equal(reply.headers[0].name, "Retry-After");
    assert_string_equal(reply.headers[0].value, "7");
}

static void test_a_problem_replaces_what_was_set_and_closes_a_file(void **state)
{
    (void)state;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    http_reply_file(&reply, "x/y", fd, 0, NULL);
    http_fail(&request, &reply, MOULT_D_API_NOT_FOUND, "device", "abc");
    assert_int_equal(reply.status, 404);
    assert_int_equal(reply.file.fd, -1);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void test_a_problem_without_memory_keeps_its_status(void **state)
{
    (void)state;
    arena_release(&arena);
    arena_init(&arena, 0);
    http_fail(&request, &reply, MOULT_D_API_NOT_FOUND, "device", "abc");
    assert_int_equal(reply.status, 404);
    assert_int_equal(reply.kind, HTTP_BODY_NONE);
    arena_init(&arena, 65536);
    assert_int_equal(http_writer_plan(&writer, &request, &reply, &context), MOULT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_reply_is_the_same_in_pieces_of_any_size,
                                        reset, release),
        cmocka_unit_test_setup_teardown(test_a_file_is_the_same_in_pieces_of_any_size,
                                        reset, release),
        cmocka_unit_test_setup_teardown(test_some_replies_have_no_body, reset, release),
        cmocka_unit_test_setup_teardown(test_unsound_replies_become_a_bare_500, reset,
                                        release),
        cmocka_unit_test_setup_teardown(
            test_a_problem_says_code_words_field_hint_and_request, reset, release),
        cmocka_unit_test_setup_teardown(
            test_a_problem_replaces_what_was_set_and_closes_a_file, reset, release),
        cmocka_unit_test_setup_teardown(test_a_problem_without_memory_keeps_its_status,
                                        reset, release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
