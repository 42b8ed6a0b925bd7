/* http_response.h - reads one HTTP/1.1 response, strictly, in whatever pieces it arrives.
 *
 * Layer    ports/posix: pure, no I/O; fuzzed by tests/fuzz/fuzz_http_response.c.
 * Format   RFC 9112, less what a strict client need not accept: bare LF, obs-fold, space
 *          before a colon, two lengths, length and chunks, chunk extensions, encodings
 *          other than chunked. Each is refused rather than guessed at.
 * Memory   one struct of about 1.2 KB, the caller's. Body bytes are not copied: the parser
 *          points into what it was given.
 * Use it   begin; parse() with each piece until it has used it up; finish() when the peer
 *          has closed. Informational (1xx) responses are passed over.
 */
#ifndef MOULT_PORTS_POSIX_HTTP_RESPONSE_H
#define MOULT_PORTS_POSIX_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "formats/bytes.h"
#include "moult/port.h"

#define MOULT_HTTP_HEAD_SIZE_MAX 8192u /* status line and headers, as servers limit it */
#define MOULT_HTTP_LINE_SIZE_MAX                                                           \
    1024u /* of a header that is looked at; others may be longer */
#define MOULT_HTTP_CHUNK_DIGITS_MAX 8u /* hex digits of a chunk size: 4 GB */
#define MOULT_HTTP_INTERIM_MAX 4u      /* 1xx responses before the real one */

enum moult_http_parse {
    MOULT_HTTP_PARSE_MORE, /* used up; give it more */
    MOULT_HTTP_PARSE_HEAD, /* the head is complete: reply is filled in. Comes once */
    MOULT_HTTP_PARSE_BODY, /* body points at bytes of the body */
    MOULT_HTTP_PARSE_END,  /* the response is complete; what follows belongs to the next */
    MOULT_HTTP_PARSE_BAD,  /* not a response that is accepted; `fault` says why */
};

/* Written nowhere; for messages and tests. */
enum moult_http_fault {
    MOULT_HTTP_FAULT_NONE,
    MOULT_HTTP_FAULT_STATUS_LINE,
    MOULT_HTTP_FAULT_HEADER,
    MOULT_HTTP_FAULT_HEAD_SIZE,
    MOULT_HTTP_FAULT_LENGTH,   /* no number, too large, or given twice */
    MOULT_HTTP_FAULT_RANGE,    /* Content-Range is not a range */
    MOULT_HTTP_FAULT_ENCODING, /* other than chunked, or chunked and a length */
    MOULT_HTTP_FAULT_CHUNK,
    MOULT_HTTP_FAULT_INTERIM,   /* too many, or 101 */
    MOULT_HTTP_FAULT_TRUNCATED, /* the peer closed before the end */
};

struct moult_http_parser {
    struct moult_http_reply reply;
    enum moult_http_fault fault;
    bool keep_alive; /* meaningful at END: the connection may be used again */

    /* private */
    uint8_t state;
    uint8_t interim_count;
    bool is_chunked, is_long_line, saw_cr;
    bool has_connection_close, is_old; /* HTTP/1.0 */
    uint32_t head_size;
    uint32_t body_left; /* of the body, or of the chunk */
    uint32_t line_size;
    char line[MOULT_HTTP_LINE_SIZE_MAX];
};

void moult_http_begin(struct moult_http_parser *parser);

/* Read on from data.
 *
 * used   how many bytes were taken; the rest must be given again. Means nothing at BAD.
 * body   set at BODY: borrowed from data.
 *
 * All five results; after END and BAD it must not be called again. */
enum moult_http_parse moult_http_parse(struct moult_http_parser *parser,
                                       const uint8_t *data, size_t size, size_t *used,
                                       struct moult_bytes *body);

/* The peer closed in an orderly way. END when the body was to last until then; else BAD. */
enum moult_http_parse moult_http_finish(struct moult_http_parser *parser);

/* The fault in words: "Content-Length is no number, too large or given twice". Constant. */
const char *moult_http_fault_words(enum moult_http_fault fault);

#endif
