/* http_parser.h - the head of an HTTP/1.1 request, byte by byte, strictly.
 *
 * Layer    server/http: pure. No I/O, clock, allocation or globals.
 * Format   RFC 9112, narrowed: CRLF only, single spaces in the request line, no obs-fold,
 *          no space before a colon, no control characters, Host needed and well formed,
 *          Content-Length at most once and never beside Transfer-Encoding, no transfer
 *          coding at all (501), fields that mean one thing at most once, a path without
 *          empty, "." or ".." segments. Page: docs/design/http.md; what nginx takes and
 *          we refuse: tests/unit/server/http/.
 * Memory   everything is kept in the struct; results point into it and live as long as it
 *          is not used for another request.
 * Use it   http_parser_init(), http_parser_feed() until it is not MORE. The bytes after
 *          *used belong to the body, then to the next request. Feeding one byte at a time
 *          and all at once give the same result.
 */
#ifndef MOULT_SERVER_HTTP_PARSER_H
#define MOULT_SERVER_HTTP_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "server/http/http_limits.h"
#include "server/http/http_request.h"

enum http_parse {
    HTTP_PARSE_MORE, /* give it more bytes */
    HTTP_PARSE_DONE, /* the head is complete and good */
    HTTP_PARSE_BAD,  /* answer with `error` and close: what follows cannot be trusted */
};

/* Why a request was refused. Texts are static. */
struct http_parse_error {
    uint16_t status; /* 400, 414, 417, 431, 501, 505 */
    uint16_t code;   /* enum moult_detail */
    const char *want, *have;
};

struct http_parser {
    /* After DONE. */
    enum http_method method;
    const char *path;  /* decoded; "*" for OPTIONS * */
    const char *query; /* raw, "" if none */
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
    uint64_t content_length; /* 0 when the field is not there */
    bool has_content_length;
    bool keep_alive;       /* HTTP/1.1 and no "Connection: close" */
    bool expects_continue; /* the client waits for 100 before it sends the body */

    /* After BAD. */
    struct http_parse_error error;

    /* Private. */
    uint8_t state;
    bool is_http_1_0, has_transfer_encoding, skipped_empty_line;
    uint32_t seen_once; /* bit per row of the table of fields that may come once */
    size_t taken;       /* bytes of this head so far */
    size_t used;        /* bytes of `head` in use */
    size_t token;       /* where in `head` the current token starts */
    size_t target;      /* where the target starts */
    size_t name;        /* where the current field name starts */
    char head[HTTP_HEAD_SIZE_MAX + 1];
};

/* Ready for a new request. Leaves `head` as it is: 8 KB need no clearing. */
void http_parser_init(struct http_parser *parser);

/* Takes bytes up to the end of the head. *used <= size is set except on BAD. Must not be
 * called again after DONE or BAD. */
enum http_parse http_parser_feed(struct http_parser *parser, const uint8_t *data,
                                 size_t size, size_t *used);

/* Whether not a byte of a request has come yet (idle rather than slow). */
bool http_parser_is_fresh(const struct http_parser *parser);

#endif
