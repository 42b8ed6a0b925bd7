/* http_writer.h - a reply as bytes: which part of which body, the head, and pieces to send.
 *
 * Layer    server/http. Reads files, sends nothing.
 * Memory   a plan borrows the reply it was made from.
 * Use it   http_writer_plan() once, then http_writer_piece() from where sending stands
 *          until sent == http_writer_size().
 */
#ifndef MOULT_SERVER_HTTP_WRITER_H
#define MOULT_SERVER_HTTP_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "formats/status.h"
#include "server/http/http_reply.h"
#include "server/http/http_request.h"

struct http_writer {
    uint16_t
        status; /* what is sent; may differ from the reply's (206, 304, 412, 416, 500) */
    size_t head_size;     /* bytes of `head` */
    uint64_t body_size;   /* bytes that follow it: 0 for HEAD, 204, 304 */
    uint64_t file_offset; /* where in the file the body starts */
    const struct http_reply *reply;
    char head[HTTP_REPLY_HEAD_SIZE_MAX];
};

/* What the server adds. */
struct http_writer_context {
    const char *date; /* of the Date field */
    bool keep_alive;  /* false: Connection: close */
};

/* Decides status, range and head. A reply that cannot be written (a field with a line
 * break, more fields than fit, no status) becomes a bare 500: a handler's bug must not
 * split replies. MOULT_OK; MOULT_E_INTERNAL: it became a 500, which is planned. */
enum moult_status http_writer_plan(struct http_writer *writer,
                                   const struct http_request *request,
                                   const struct http_reply *reply,
                                   const struct http_writer_context *context);

/* Bytes of head and body together. */
uint64_t http_writer_size(const struct http_writer *writer);

/* The bytes from `from` on, at most size, into out; *done is how many (> 0 while from is
 * below http_writer_size()). Bytes of one position are the same each time, unless the file
 * changes. MOULT_OK; MOULT_E_IO: the file cannot be read or is shorter than it was said to
 * be. */
MOULT_MUST_CHECK enum moult_status http_writer_piece(const struct http_writer *writer,
                                                     uint64_t from, uint8_t *out,
                                                     size_t size, size_t *done);

#endif
