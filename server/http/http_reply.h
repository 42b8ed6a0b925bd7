/* http_reply.h - what a handler answers.
 *
 * Layer    server/http.
 * Memory   every pointer is borrowed until the reply is sent: use static texts or the
 *          request's arena. The file descriptor of a file reply is moved to the reply.
 * Threads  as its request.
 */
#ifndef MOULT_SERVER_HTTP_REPLY_H
#define MOULT_SERVER_HTTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "formats/bytes.h"
#include "formats/codes.h"
#include "server/http/http_limits.h"
#include "server/http/http_request.h"

/* Where the body comes from. A stream of events will be one more kind. */
enum http_body_kind {
    HTTP_BODY_NONE,
    HTTP_BODY_BYTES,
    HTTP_BODY_FILE, /* the server answers Range, If-Range, If-None-Match and HEAD from it */
};

struct http_file {
    int fd;        /* moved; -1 none. Read with pread(), its offset is not used */
    uint64_t size; /* bytes */
    char etag[HTTP_ETAG_SIZE_MAX]; /* strong, quotes included; "" none: then no ranges */
};

struct http_reply {
    uint16_t status; /* 200..599; 0 until the handler sets it */
    bool close;      /* close the connection after it */
    bool later;      /* set by http_reply_later() */
    const char *content_type;
    struct http_header headers[HTTP_REPLY_HEADERS_MAX];
    size_t header_count;
    enum http_body_kind kind;
    struct moult_bytes bytes;
    struct http_file file;
};

#define HTTP_TYPE_CBOR "application/cbor"
#define HTTP_TYPE_JSON "application/json"
#define HTTP_TYPE_PROBLEM "application/problem+json"
#define HTTP_TYPE_BINARY "application/octet-stream"
#define HTTP_TYPE_METRICS "text/plain; version=0.0.4"

/* An empty reply. */
void http_reply_init(struct http_reply *reply);

/* Forgets what was set; closes a file that was moved in. */
void http_reply_reset(struct http_reply *reply);

void http_reply_bytes(struct http_reply *reply, uint16_t status, const char *content_type,
                      const void *data, size_t size);
/* 204. */
void http_reply_empty(struct http_reply *reply);
/* 200, 206, 304 or 416, as the request's header fields ask. fd: moved. etag: copied,
 * without quotes; NULL: no ranges and no conditions. */
void http_reply_file(struct http_reply *reply, const char *content_type, int fd,
                     uint64_t size, const char *etag);

/* Adds a field. Names and values are checked when the reply is written: CR, LF or NUL in
 * one is a bug of the handler and makes the reply a 500. More than HTTP_REPLY_HEADERS_MAX:
 * assert. */
void http_reply_header(struct http_reply *reply, const char *name, const char *value);

/* What a problem+json body says (docs/spec/operator-api.md). Only code is required. */
struct http_problem {
    uint16_t status;   /* 0: the one that api/codes.tsv gives for the code */
    uint16_t code;     /* enum moult_detail; shown as "E2001" */
    const char *want;  /* for the words of the code: what was expected ... */
    const char *have;  /* ... and what was found */
    const char *text;  /* the whole sentence instead of those words; NULL: made of them */
    const char *field; /* the offending member, parameter or header field */
    const char *hint;  /* what to do next; NULL: the next command of the code's row */
    uint32_t retry_after_s; /* 0: no Retry-After */
};

/* Makes reply an application/problem+json one, in the request's arena; what was set before
 * is forgotten. When there is no memory for the body the status alone is sent. Returns
 * MOULT_OK, so that a handler can `return http_problem(...)`. */
enum moult_status http_problem(struct http_request *request, struct http_reply *reply,
                               const struct http_problem *problem);

/* The short form: http_fail(request, reply, MOULT_D_API_FIELD, "an integer", "\"x\""). */
enum moult_status http_fail(struct http_request *request, struct http_reply *reply,
                            uint16_t code, const char *want, const char *have);

#endif
