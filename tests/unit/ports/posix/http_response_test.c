/* http_response_test.c - the response parser takes what is well formed, in any pieces. */
#include "ports/posix/http_response.h"
#include <stdio.h>
#include <string.h>
#include "tests/support/check.h"

enum { BODY_MAX = 16384 };

/* What a whole response came to. */
struct outcome {
    enum moult_http_parse end; /* END, BAD or MORE (unfinished) */
    enum moult_http_fault fault;
    bool had_head, keep_alive;
    struct moult_http_reply reply;
    char body[BODY_MAX];
    size_t body_size, used;
};

/* Feed the response in pieces of `piece` bytes; closed: the peer closes behind it. */
static void run(const char *text, size_t size, size_t piece, bool closed,
                struct outcome *out)
{
    struct moult_http_parser parser;
    memset(out, 0, sizeof *out);
    moult_http_begin(&parser);
    enum moult_http_parse result = MOULT_HTTP_PARSE_MORE;
    bool is_over = false;
    while (!is_over) {
        size_t part = size - out->used < piece ? size - out->used : piece, used;
        struct moult_bytes body = {0};
        result = moult_http_parse(&parser, (const uint8_t *)text + out->used, part, &used,
                                  &body);
        out->used += used;
        if (result == MOULT_HTTP_PARSE_HEAD) {
            out->had_head = true;
            out->reply = parser.reply;
        } else if (result == MOULT_HTTP_PARSE_BODY) {
            memcpy(out->body + out->body_size, body.data, body.size);
            out->body_size += body.size;
        } else {
            is_over = result != MOULT_HTTP_PARSE_MORE || out->used == size;
        }
    }
    if (result == MOULT_HTTP_PARSE_MORE && closed) { result = moult_http_finish(&parser); }
    out->end = result;
    out->fault = parser.fault;
    out->keep_alive = parser.keep_alive;
}

static bool same(const struct outcome *a, const struct outcome *b)
{
    return a->end == b->end && a->fault == b->fault && a->had_head == b->had_head &&
           a->keep_alive == b->keep_alive &&
           (a->end == MOULT_HTTP_PARSE_BAD || a->used == b->used) &&
           a->body_size == b->body_size && memcmp(a->body, b->body, a->body_size) == 0 &&
           memcmp(&a->reply, &b->reply, sizeof a->reply) == 0;
}

#define OK "HTTP/1.1 200 OK\r\n"

static const struct {
    const char *name, *text, *body;
    bool closed;
    enum moult_http_parse end;
    enum moult_http_fault fault;
} rows[] = {
    {"length", OK "Content-Length: 5\r\n\r\nhello", "hello", 0, MOULT_HTTP_PARSE_END, 0},
    {"no reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "", 0, MOULT_HTTP_PARSE_END,
     0},
    {"odd case and space", OK "cOnTeNt-LeNgTh:\t 5 \r\n\r\nhello", "hello", 0,
     MOULT_HTTP_PARSE_END, 0},
    {"no body", "HTTP/1.1 204 No Content\r\n\r\n", "", 0, MOULT_HTTP_PARSE_END, 0},
    {"304 with a length", "HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n", "", 0,
     MOULT_HTTP_PARSE_END, 0},
    {"chunks",
     OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n00A\r\n, world ok\r\n0\r\n\r\n",
     "hello, world ok", 0, MOULT_HTTP_PARSE_END, 0},
    {"trailers", OK "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nA: b\r\n\r\n", "x", 0,
     MOULT_HTTP_PARSE_END, 0},
    {"until close", OK "\r\nhello", "hello", 1, MOULT_HTTP_PARSE_END, 0},
    {"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nhello", "hello", 1, MOULT_HTTP_PARSE_END, 0},
    {"interim", "HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 1\r\n\r\nx", "x", 0,
     MOULT_HTTP_PARSE_END, 0},

    {"not HTTP", "SSH-2.0-x\r\n\r\n", "", 0, MOULT_HTTP_PARSE_BAD,
     MOULT_HTTP_FAULT_STATUS_LINE},
    {"HTTP/2", "HTTP/2.0 200 OK\r\n\r\n", "", 0, MOULT_HTTP_PARSE_BAD,
     MOULT_HTTP_FAULT_STATUS_LINE},
    {"short status", "HTTP/1.1 20 OK\r\n\r\n", "", 0, MOULT_HTTP_PARSE_BAD,
     MOULT_HTTP_FAULT_STATUS_LINE},
    {"long status", "HTTP/1.1 2000 OK\r\n\r\n", "", 0, MOULT_HTTP_PARSE_BAD,
     MOULT_HTTP_FAULT_STATUS_LINE},
    {"status 999", "HTTP/1.1 999 OK\r\n\r\n", "", 0, MOULT_HTTP_PARSE_BAD,
     MOULT_HTTP_FAULT_STATUS_LINE},
    {"bare LF", "HTTP/1.1 200 OK\n\n", "", 0, MOULT_HTTP_PARSE_BAD,
     MOULT_HTTP_FAULT_STATUS_LINE},
    {"bare LF in headers", OK "A: b\n\r\n", "", 0, MOULT_HTTP_PARSE_BAD,
     MOULT_HTTP_FAULT_HEADER},
    {"CR alone", OK "A: b\rc\r\n\r\n", "", 0, MOULT_HTTP_PARSE_BAD,
     MOULT_HTTP_FAULT_HEADER},
    {"fold", OK "A: b\r\n c\r\n\r\n", "", 0, MOULT_HTTP_PARSE_BAD, MOULT_HTTP_FAULT_HEADER},
    {"space before colon", OK "Content-Length : 5\r\n\r\n", "", 0, MOULT_HTTP_PARSE_BAD,
     MOULT_HTTP_FAULT_HEADER},
    {"no colon", OK "Content-Length 5\r\n\r\n", "", 0, MOULT_HTTP_PARSE_BAD,
     MOULT_HTTP_FAULT_HEADER},
    {"control character", OK "A: \x01\r\n\r\n", "", 0, MOULT_HTTP_PARSE_BAD,
     MOULT_HTTP_FAULT_HEADER},
    {"two lengths", OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "", 0,
     MOULT_HTTP_PARSE_BAD, MOULT_HTTP_FAULT_LENGTH},
    {"length list", OK "Content-Length: 5, 5\r\n\r\nhello", "", 0, MOULT_HTTP_PARSE_BAD,
     MOULT_HTTP_FAULT_LENGTH},
    {"negative length", OK "Content-Length: -1\r\n\r\n", "", 0, MOULT_HTTP_PARSE_BAD,
     MOULT_HTTP_FAULT_LENGTH},
    {"length over 32 bits", OK "Content-Length: 4294967296\r\n\r\n", "", 0,
     MOULT_HTTP_PARSE_BAD, MOULT_HTTP_FAULT_LENGTH},
    {"empty length", OK "Content-Length:\r\n\r\n", "", 0, MOULT_HTTP_PARSE_BAD,
     MOULT_HTTP_FAULT_LENGTH},
    {"length and chunks", OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "",
     0, MOULT_HTTP_PARSE_BAD, MOULT_HTTP_FAULT_ENCODING},
    {"chunks in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "", 0,
     MOULT_HTTP_PARSE_BAD, MOULT_HTTP_FAULT_ENCODING},
    {"gzip", OK "Transfer-Encoding: gzip, chunked\r\n\r\n", "", 0, MOULT_HTTP_PARSE_BAD,
     MOULT_HTTP_FAULT_ENCODING},
    {"chunked twice", OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     "", 0, MOULT_HTTP_PARSE_BAD, MOULT_HTTP_FAULT_ENCODING},
    {"chunk without size", OK "Transfer-Encoding: chunked\r\n\r\n\r\nhello", "", 0,
     MOULT_HTTP_PARSE_BAD, MOULT_HTTP_FAULT_CHUNK},
    {"chunk extension", OK "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello", "", 0,
     MOULT_HTTP_PARSE_BAD, MOULT_HTTP_FAULT_CHUNK},
    {"chunk size over 32 bits", OK "Transfer-Encoding: chunked\r\n\r\n100000000\r\n", "", 0,
     MOULT_HTTP_PARSE_BAD, MOULT_HTTP_FAULT_CHUNK},
    {"chunk longer than said", OK "Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n", "x", 0,
     MOULT_HTTP_PARSE_BAD, MOULT_HTTP_FAULT_CHUNK},
    {"protocol switch", "HTTP/1.1 101 x\r\n\r\n", "", 0, MOULT_HTTP_PARSE_BAD,
     MOULT_HTTP_FAULT_INTERIM},
    {"closed in the head", OK "Content-Le", "", 1, MOULT_HTTP_PARSE_BAD,
     MOULT_HTTP_FAULT_TRUNCATED},
    {"closed in the body", OK "Content-Length: 5\r\n\r\nhell", "hell", 1,
     MOULT_HTTP_PARSE_BAD, MOULT_HTTP_FAULT_TRUNCATED},
    {"closed between chunks", OK "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", "x", 1,
     MOULT_HTTP_PARSE_BAD, MOULT_HTTP_FAULT_TRUNCATED},
    {"unfinished", OK "Content-Length: 5\r\n\r\nhell", "hell", 0, MOULT_HTTP_PARSE_MORE, 0},
};

static void test_responses_end_as_they_should_in_pieces_of_any_size(void)
{
    static struct outcome whole, pieces;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i].name);
        size_t size = strlen(rows[i].text);
        run(rows[i].text, size, size, rows[i].closed, &whole);
        check_equal(whole.end, rows[i].end);
        check_equal(whole.fault, rows[i].fault);
        check_equal(whole.body_size, strlen(rows[i].body));
        check_bytes(whole.body, rows[i].body, whole.body_size);
        for (size_t piece = 1; piece < 8; piece++) {
            run(rows[i].text, size, piece, rows[i].closed, &pieces);
            check(same(&whole, &pieces));
        }
    }
    check_row(NULL);
}

static void test_a_connection_is_kept_only_when_it_may_be(void)
{
    static const struct {
        const char *text;
        bool keep_alive;
    } kept[] = {
        {OK "Content-Length: 0\r\n\r\n", true},
        {OK "Content-Length: 0\r\nConnection: close\r\n\r\n", false},
        {OK "Content-Length: 0\r\nConnection: x, Close ,y\r\n\r\n", false},
        {OK "Content-Length: 0\r\nConnection: closed\r\n\r\n", true},
        {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false},
    };
    static struct outcome out;
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        check_row(kept[i].text);
        run(kept[i].text, strlen(kept[i].text), 1000, false, &out);
        check_equal(out.end, MOULT_HTTP_PARSE_END);
        check_equal(out.keep_alive, kept[i].keep_alive);
    }
    check_row(NULL);
}

static bool head_of(const char *headers, struct outcome *out)
{
    char text[600];
    snprintf(text, sizeof text,
             "HTTP/1.1 206 Partial Content\r\n%s\r\nContent-Length: 0\r\n\r\n", headers);
    run(text, strlen(text), 1000, false, out);
    return out->end == MOULT_HTTP_PARSE_END;
}

static void test_ranges_are_read_exactly(void)
{
    static struct outcome out;
    check(head_of("Content-Range: bytes 4096-8191/65536", &out));
    check(out.reply.has_range);
    check_equal(out.reply.range_from, 4096);
    check_equal(out.reply.range_to, 8191);
    check_equal(out.reply.range_total, 65536);
    check(head_of("Content-Range: bytes 0-0/*", &out));
    check(out.reply.has_range && out.reply.range_total == 0);
    check(head_of("Content-Range: bytes */1234", &out)); /* a 416 */
    check(!out.reply.has_range);

    static const char *const wrong[] = {
        "5-4/10",  "0-10/10",        "0-9", "0-9/", "-9/10", "0-/10",
        "0-9/10x", "0-9/4294967296", "*/*",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char header[64];
        check_row(wrong[i]);
        snprintf(header, sizeof header, "Content-Range: bytes %s", wrong[i]);
        check(!head_of(header, &out));
        check_equal(out.fault, MOULT_HTTP_FAULT_RANGE);
    }
    check_row(NULL);
    check(!head_of("Content-Range: items 0-9/10", &out));
    check(!head_of("Content-Range: bytes 0-9/10\r\nContent-Range: bytes 0-9/10", &out));
}

static void test_etag_and_retry_after(void)
{
    static struct outcome out;
    check(head_of("ETag: \"abc\"\r\nRetry-After: 120", &out));
    check(strcmp(out.reply.etag, "\"abc\"") == 0);
    check_equal(out.reply.retry_after_s, 120);
    check(head_of("ETag: W/\"abc\"\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT", &out));
    check(out.reply.etag[0] == 0);
    check_equal(out.reply.retry_after_s, 0);
    check(head_of("ETag: \"0123456789012345678901234567890123456789012345678901234567890123"
                  "456789\"",
                  &out));
    check(out.reply.etag[0] == 0); /* 72 characters: too long by one */
    check(head_of("ETag: \"0123456789012345678901234567890123456789012345678901234567890123"
                  "45678\"",
                  &out));
    check_equal(strlen(out.reply.etag), MOULT_ETAG_MAX - 1);
}

static void test_long_headers_are_passed_over_unless_they_matter(void)
{
    static struct outcome out;
    static char text[12000];
    char filler[3000];
    memset(filler, 'x', sizeof filler - 1);
    filler[sizeof filler - 1] = 0;
    snprintf(text, sizeof text, OK "Set-Cookie: %s\r\nContent-Length: 1\r\n\r\nx", filler);
    run(text, strlen(text), 700, false, &out);
    check_equal(out.end, MOULT_HTTP_PARSE_END);
    snprintf(text, sizeof text, OK "ETag: %s\r\nContent-Length: 1\r\n\r\nx", filler);
    run(text, strlen(text), 700, false, &out);
    check_equal(out.fault, MOULT_HTTP_FAULT_HEADER);
    snprintf(text, sizeof text, OK "A: %s\r\nB: %s\r\nC: %s\r\n\r\n", filler, filler,
             filler);
    run(text, strlen(text), 700, false, &out);
    check_equal(out.fault, MOULT_HTTP_FAULT_HEAD_SIZE);
}

static void test_interim_responses_have_a_limit(void)
{
    static struct outcome out;
    char text[400] = "";
    for (int i = 0; i < 5; i++) {
        size_t at = strlen(text);
        snprintf(text + at, sizeof text - at,
                 "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n");
    }
    run(text, strlen(text), 1000, false, &out);
    check_equal(out.fault, MOULT_HTTP_FAULT_INTERIM);
}

static void test_bytes_of_the_next_response_are_left_alone(void)
{
    static struct outcome out;
    const char *text = OK "Content-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n";
    run(text, strlen(text), 1000, false, &out);
    check_equal(out.end, MOULT_HTTP_PARSE_END);
    check_equal(out.used, strlen(text) - 17);
}

static void test_every_fault_has_words(void)
{
    for (int i = 0; i <= MOULT_HTTP_FAULT_TRUNCATED; i++) {
        check(strlen(moult_http_fault_words((enum moult_http_fault)i)) > 10);
    }
    check(strcmp(moult_http_fault_words((enum moult_http_fault)99), "?") == 0);
}

int main(void)
{
    check_run(test_responses_end_as_they_should_in_pieces_of_any_size);
    check_run(test_a_connection_is_kept_only_when_it_may_be);
    check_run(test_ranges_are_read_exactly);
    check_run(test_etag_and_retry_after);
    check_run(test_long_headers_are_passed_over_unless_they_matter);
    check_run(test_interim_responses_have_a_limit);
    check_run(test_bytes_of_the_next_response_are_left_alone);
    check_run(test_every_fault_has_words);
    return check_report();
}
