/* requests.h - requests, good and nasty, with the verdict they must get.
 *
 * Use it   the parser's test runs them whole and byte by byte; the nginx test asks nginx
 *          about the same bytes. Where nginx takes what we refuse, the row says so: those
 *          are the intended differences, all on the strict side.
 */
#ifndef MOULT_TESTS_HTTP_REQUESTS_H
#define MOULT_TESTS_HTTP_REQUESTS_H

#include <stddef.h>
#include <stdint.h>

enum nginx_verdict {
    NGINX_SAME,    /* accepts what we accept, refuses what we refuse */
    NGINX_TAKES,   /* we refuse, nginx 1.22 accepts */
    NGINX_REFUSES, /* we accept, nginx 1.22 refuses */
};

struct request_row {
    const char *name;
    const char *bytes;
    size_t size;
    unsigned accepted; /* how many requests of the bytes are accepted */
    uint16_t status;   /* what the one after them is refused with; 0: nothing is refused */
    enum nginx_verdict nginx;
};

/* clang-format off */
#define SAME NGINX_SAME
#define TAKES NGINX_TAKES
#define REFUSES NGINX_REFUSES
#define H "Host: a\r\n"
#define GET(target) "GET " target " HTTP/1.1\r\n" H "\r\n"
#define WITH(fields) "GET / HTTP/1.1\r\n" H fields "\r\n"
#define POST(fields, body) "POST / HTTP/1.1\r\n" H fields "\r\n" body
#define ROW(name, text, accepted, status, nginx) \
    {name, text, sizeof(text) - 1, accepted, status, nginx}

static const struct request_row request_rows[] = {
    /* good */
    ROW("smallest", GET("/"), 1, 0, SAME),
    ROW("host with port", "GET / HTTP/1.1\r\nHost: a.example:8443\r\n\r\n", 1, 0, SAME),
    ROW("host is IPv6", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 1, 0, SAME),
    ROW("HTTP/1.0 without host", "GET / HTTP/1.0\r\n\r\n", 1, 0, SAME),
    ROW("an empty line before", "\r\n" GET("/"), 1, 0, SAME),
    ROW("no space after colon", "GET / HTTP/1.1\r\nHost:a\r\n\r\n", 1, 0, SAME),
    ROW("tabs around a value", WITH("X: \t b \t\r\n"), 1, 0, SAME),
    ROW("an empty value", WITH("X:\r\n"), 1, 0, SAME),
    ROW("obs-text in a value", WITH("X: \xe4\r\n"), 1, 0, SAME),
    ROW("query", GET("/a?b=c&d"), 1, 0, SAME),
    ROW("encoded space", GET("/a%20b"), 1, 0, SAME),
    ROW("absolute form", GET("http://a/x"), 1, 0, SAME),
    ROW("absolute form without path", GET("http://a"), 1, 0, SAME),
    ROW("body by length", POST("Content-Length: 5\r\n", "hello"), 1, 0, SAME),
    ROW("empty body", POST("Content-Length: 0\r\n", ""), 1, 0, SAME),
    ROW("no length is no body", POST("", ""), 1, 0, SAME),
    ROW("leading zeros of a length", POST("Content-Length: 005\r\n", "hello"), 1, 0, SAME),
    ROW("pipelined", GET("/1") GET("/2") GET("/3"), 3, 0, SAME),
    ROW("pipelined after a body",
        POST("Content-Length: 3\r\n", "abc") GET("/2"), 2, 0, SAME),
    ROW("closes in between", WITH("Connection: close\r\n") GET("/2"), 1, 0, SAME),
    ROW("close among tokens", WITH("Connection: x, CLOSE\r\n") GET("/2"), 1, 0, SAME),
    ROW("a body that looks like a request",
        POST("Content-Length: 27\r\n", GET("/")), 1, 0, SAME),
    ROW("OPTIONS *", "OPTIONS * HTTP/1.1\r\n" H "\r\n", 1, 0, REFUSES),
    ROW("delete", "DELETE /a HTTP/1.1\r\n" H "\r\n", 1, 0, SAME),

    /* where one body ends and the next request starts */
    ROW("length and chunked",
        POST("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
             "0\r\n\r\n"), 0, 400, SAME),
    ROW("chunked and length",
        POST("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
             "0\r\n\r\n"), 0, 400, SAME),
    ROW("two lengths",
        POST("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), 0, 400, SAME),
    ROW("two equal lengths",
        POST("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), 0, 400, SAME),
    ROW("length list", POST("Content-Length: 5, 5\r\n", "hello"), 0, 400, SAME),
    ROW("negative length", POST("Content-Length: -5\r\n", "hello"), 0, 400, SAME),
    ROW("signed length", POST("Content-Length: +5\r\n", "hello"), 0, 400, SAME),
    ROW("hex length", POST("Content-Length: 0x5\r\n", "hello"), 0, 400, SAME),
    ROW("spaced length", POST("Content-Length: 1 2\r\n", "hello"), 0, 400, SAME),
    ROW("empty length", POST("Content-Length:\r\n", ""), 0, 400, SAME),
    ROW("length that overflows",
        POST("Content-Length: 99999999999999999999\r\n", ""), 0, 400, SAME),
    ROW("chunked", POST("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), 0, 501, TAKES),
    ROW("another coding", POST("Transfer-Encoding: gzip\r\n", ""), 0, 501, SAME),
    ROW("chunked twice",
        POST("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), 0, 501, SAME),
    ROW("chunked in HTTP/1.0",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, 400, SAME),
    ROW("space before the length's colon",
        POST("Content-Length : 5\r\n", "hello"), 0, 400, SAME),
    ROW("tab before a colon", WITH("X\t: 5\r\n"), 0, 400, SAME),
    ROW("folded length", POST("Content-Length:\r\n 5\r\n", "hello"), 0, 400, SAME),
    ROW("folded line", WITH("X: a\r\n b\r\n"), 0, 400, SAME),
    ROW("a first field that is folded", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 0, 400, SAME),

    /* line ends */
    ROW("bare LF after the request line", "GET / HTTP/1.1\n" H "\r\n", 0, 400, TAKES),
    ROW("bare LF after a field", "GET / HTTP/1.1\r\nHost: a\n\r\n", 0, 400, TAKES),
    ROW("bare LF at the end", "GET / HTTP/1.1\r\n" H "\n", 0, 400, TAKES),
    ROW("bare CR in a value", WITH("X: a\rb\r\n"), 0, 400, SAME),
    ROW("CR CR LF", "GET / HTTP/1.1\r\r\n" H "\r\n", 0, 400, SAME),
    ROW("two empty lines before", "\r\n\r\n" GET("/"), 0, 400, TAKES),
    ROW("bare LF before", "\n" GET("/"), 0, 400, TAKES),

    /* the request line */
    ROW("HTTP/0.9", "GET /\r\n", 0, 400, SAME),
    ROW("HTTP/2.0", "GET / HTTP/2.0\r\n" H "\r\n", 0, 505, SAME),
    ROW("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, 501, SAME),
    ROW("HTTP/1.2", "GET / HTTP/1.2\r\n" H "\r\n", 1, 0, SAME),
    ROW("HTTP/1.10", "GET / HTTP/1.10\r\n" H "\r\n", 0, 400, TAKES),
    ROW("HTTP/01.1", "GET / HTTP/01.1\r\n" H "\r\n", 0, 400, SAME),
    ROW("lower-case http", "GET / http/1.1\r\n" H "\r\n", 0, 400, SAME),
    ROW("no version", "GET / \r\n" H "\r\n", 0, 400, SAME),
    ROW("two spaces before the target", "GET  / HTTP/1.1\r\n" H "\r\n", 0, 400, TAKES),
    ROW("two spaces before the version", "GET /  HTTP/1.1\r\n" H "\r\n", 0, 400, TAKES),
    ROW("space at the end of the line", "GET / HTTP/1.1 \r\n" H "\r\n", 0, 400, TAKES),
    ROW("tab between", "GET\t/\tHTTP/1.1\r\n" H "\r\n", 0, 400, SAME),
    ROW("space before the method", " GET / HTTP/1.1\r\n" H "\r\n", 0, 400, SAME),
    ROW("lower-case method", "get / HTTP/1.1\r\n" H "\r\n", 0, 501, SAME),
    ROW("unknown method", "BREW / HTTP/1.1\r\n" H "\r\n", 0, 501, TAKES),
    ROW("TRACE", "TRACE / HTTP/1.1\r\n" H "\r\n", 0, 501, SAME),
    ROW("CONNECT", "CONNECT a:1 HTTP/1.1\r\n" H "\r\n", 0, 501, SAME),
    ROW("method with a bracket", "GE(T / HTTP/1.1\r\n" H "\r\n", 0, 400, SAME),
    ROW("method too long", "GETGETGETGETGETGET / HTTP/1.1\r\n" H "\r\n", 0, 400, TAKES),
    ROW("TLS hello to a plain port",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 0, 400, SAME),

    /* targets */
    ROW("NUL in a target", "GET /a\0b HTTP/1.1\r\n" H "\r\n", 0, 400, SAME),
    ROW("encoded NUL", GET("/a%00b"), 0, 400, SAME),
    ROW("control character", GET("/a\x01"), 0, 400, SAME),
    ROW("encoded line break", GET("/a%0ab"), 0, 400, TAKES),
    ROW("byte above 127", GET("/\xe4"), 0, 400, TAKES),
    ROW("encoded UTF-8", GET("/%c3%a4"), 1, 0, SAME),
    ROW("encoded broken UTF-8", GET("/%c3"), 0, 400, TAKES),
    ROW("overlong slash", GET("/%c0%af"), 0, 400, TAKES),
    ROW("broken escape", GET("/a%zz"), 0, 400, SAME),
    ROW("cut escape", GET("/a%4"), 0, 400, SAME),
    ROW("encoded slash", GET("/a%2fb"), 0, 400, TAKES),
    ROW("encoded backslash", GET("/a%5cb"), 0, 400, TAKES),
    ROW("dot segment", GET("/a/./b"), 0, 400, TAKES),
    ROW("two dots", GET("/a/../b"), 0, 400, TAKES),
    ROW("above the root", GET("/../b"), 0, 400, SAME),
    ROW("encoded dots", GET("/a/%2e%2e/b"), 0, 400, TAKES),
    ROW("dots at the end", GET("/a/.."), 0, 400, TAKES),
    ROW("three dots are a name", GET("/a/.../b"), 1, 0, SAME),
    ROW("empty segment", GET("//a"), 0, 400, TAKES),
    ROW("slash at the end", GET("/a/"), 1, 0, SAME),
    ROW("fragment", GET("/a#b"), 0, 400, TAKES),
    ROW("backslash", GET("/a\\b"), 0, 400, TAKES),
    ROW("curly brackets", GET("/{a}"), 0, 400, TAKES),
    ROW("no slash", GET("a"), 0, 400, SAME),
    ROW("star for GET", GET("*"), 0, 400, SAME),
    ROW("ftp", GET("ftp://a/"), 0, 400, TAKES),
    ROW("absolute without host", GET("http:///a"), 0, 400, SAME),
    ROW("absolute with user", GET("http://u:p@a/"), 0, 400, SAME),

    /* host */
    ROW("no host", "GET / HTTP/1.1\r\n\r\n", 0, 400, SAME),
    ROW("two hosts", "GET / HTTP/1.1\r\n" H H "\r\n", 0, 400, SAME),
    ROW("empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 0, 400, SAME),
    ROW("host with a slash", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 0, 400, SAME),
    ROW("host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 0, 400, SAME),
    ROW("host with user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 0, 400, TAKES),
    ROW("host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 0, 400, SAME),
    ROW("host with an empty port", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n", 0, 400, TAKES),
    ROW("host with a word as port",
        "GET / HTTP/1.1\r\nHost: a:http\r\n\r\n", 0, 400, TAKES),

    /* fields */
    ROW("no colon", WITH("X\r\n"), 0, 400, TAKES),
    ROW("no name", WITH(": a\r\n"), 0, 400, SAME),
    ROW("space in a name", WITH("X Y: a\r\n"), 0, 400, SAME),
    ROW("bracket in a name", WITH("X(: a\r\n"), 0, 400, TAKES),
    ROW("control character in a name", WITH("X\x01: a\r\n"), 0, 400, SAME),
    ROW("NUL in a value", WITH("X: a\0b\r\n"), 0, 400, SAME),
    ROW("control character in a value", WITH("X: a\x01\r\n"), 0, 400, TAKES),
    ROW("escape character in a value", WITH("X: \x1b[31m\r\n"), 0, 400, TAKES),
    ROW("DEL in a value", WITH("X: \x7f\r\n"), 0, 400, TAKES),
    ROW("two authorizations",
        WITH("Authorization: a\r\nAuthorization: b\r\n"), 0, 400, SAME),
    ROW("two ranges", WITH("Range: bytes=0-1\r\nRange: bytes=2-3\r\n"), 0, 400, TAKES),
    ROW("two idempotency keys",
        WITH("Idempotency-Key: a\r\nidempotency-key: b\r\n"), 0, 400, TAKES),
    ROW("an unknown expectation", WITH("Expect: tea\r\n"), 0, 417, TAKES),
    ROW("good, then bad", GET("/1") "GET  /2 HTTP/1.1\r\n" H "\r\n", 1, 400, TAKES),
};
/* clang-format on */
#define REQUEST_ROW_COUNT (sizeof request_rows / sizeof request_rows[0])

#undef SAME
#undef TAKES
#undef REFUSES
#undef H
#undef GET
#undef WITH
#undef POST
#undef ROW

#endif
