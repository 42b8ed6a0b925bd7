/* http_writer.c - see http_writer.h. */
#include "server/http/http_writer.h"
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "server/http/http_range.h"
#include "server/http/http_status.h"

enum { PAGE_SIZE = 4096 }; /* bytes; where pages are larger, alignment just helps less */

/* --- which part of the file --- */

/* Sets status, offset and body size of a file reply from the request's conditions, in the
 * order of RFC 9110 section 13.2.2. */
static void plan_file(struct http_writer *w, const struct http_request *request)
{
    const struct http_file *file = &w->reply->file;
    w->body_size = file->size;
    bool is_read = request->method == HTTP_GET || request->method == HTTP_HEAD;
    if (file->etag[0] == '\0' || !is_read) { return; }

    const char *match = http_request_header(request, "if-match");
    const char *none_match = http_request_header(request, "if-none-match");
    if (match && !http_etags_name(match, file->etag, false)) {
        w->status = 412;
    } else if (none_match && http_etags_name(none_match, file->etag, true)) {
        w->status = 304;
    }
    if (w->status != 200) {
        w->body_size = 0;
        return;
    }
    const char *range = http_request_header(request, "range");
    const char *if_range = http_request_header(request, "if-range");
    if (!range || !http_if_range_allows(if_range, file->etag)) { return; }
    switch (http_range_read(range, file->size, &w->file_offset, &w->body_size)) {
    case HTTP_RANGE_WHOLE:
        break;
    case HTTP_RANGE_PART:
        w->status = 206;
        break;
    case HTTP_RANGE_OUTSIDE:
        w->status = 416;
        break;
    }
}

static void plan_body(struct http_writer *w, const struct http_request *request)
{
    switch (w->reply->kind) {
    case HTTP_BODY_NONE:
        break;
    case HTTP_BODY_BYTES:
        w->body_size = w->reply->bytes.size;
        break;
    case HTTP_BODY_FILE:
        plan_file(w, request);
        break;
    }
}

/* --- the head --- */

/* Appends to the head; head_size goes beyond the array when it does not fit. */
static void put(struct http_writer *w, const char *format, ...) MOULT_PRINTF(2, 3);

static void put(struct http_writer *w, const char *format, ...)
{
    if (w->head_size >= sizeof w->head) { return; }
    size_t room = sizeof w->head - w->head_size;
    va_list args;
    va_start(args, format);
    int size = vsnprintf(w->head + w->head_size, room, format, args);
    va_end(args);
    assert(size >= 0);
    w->head_size += (size_t)size;
}

static bool has_length(uint16_t status)
{
    return status != 204 && status != 304;
}

static void put_file_fields(struct http_writer *w)
{
    const struct http_file *file = &w->reply->file;
    if (file->etag[0] == '\0') { return; }
    put(w, "ETag: %s\r\nAccept-Ranges: bytes\r\n", file->etag);
    if (w->status == 206) {
        put(w, "Content-Range: bytes %llu-%llu/%llu\r\n",
            (unsigned long long)w->file_offset,
            (unsigned long long)(w->file_offset + w->body_size - 1),
            (unsigned long long)file->size);
    } else if (w->status == 416) {
        put(w, "Content-Range: bytes */%llu\r\n", (unsigned long long)file->size);
    }
}

static void put_head(struct http_writer *w, const struct http_request *request,
                     const struct http_writer_context *context)
{
    put(w, "HTTP/1.1 %u %s\r\nDate: %s\r\n", w->status, http_status_words(w->status),
        context->date);
    bool has_body = w->body_size > 0 || w->reply->kind == HTTP_BODY_BYTES;
    if (w->reply->content_type && has_body) {
        put(w, "Content-Type: %s\r\n", w->reply->content_type);
    }
    if (has_length(w->status)) {
        put(w, "Content-Length: %llu\r\n", (unsigned long long)w->body_size);
    }
    if (w->reply->kind == HTTP_BODY_FILE) { put_file_fields(w); }
    for (size_t i = 0; i < w->reply->header_count; i++) {
        put(w, "%s: %s\r\n", w->reply->headers[i].name, w->reply->headers[i].value);
    }
    put(w, "Request-Id: %s\r\n%s\r\n", request->id,
        context->keep_alive ? "" : "Connection: close\r\n");
}

/* --- what must not be sent --- */

static bool is_field_text(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        if ((*p < 0x20 && *p != '\t') || *p == 0x7f) { return false; }
    }
    return true;
}

static bool is_field_name(const char *text)
{
    size_t size =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
    return size > 0 && text[size] == '\0';
}

static bool is_sound(const struct http_reply *reply)
{
    if (reply->status < 200 || reply->status > 599) { return false; }
    if (reply->content_type && !is_field_text(reply->content_type)) { return false; }
    for (size_t i = 0; i < reply->header_count; i++) {
        if (!is_field_name(reply->headers[i].name) ||
            !is_field_text(reply->headers[i].value)) {
            return false;
        }
    }
    return true;
}

static const struct http_reply bare_500 = {.status = 500, .file.fd = -1};

static void plan(struct http_writer *w, const struct http_request *request,
                 const struct http_reply *reply, const struct http_writer_context *context)
{
    w->reply = reply;
    w->status = reply->status;
    w->head_size = 0;
    w->body_size = w->file_offset = 0;
    plan_body(w, request);
    put_head(w, request, context);
    if (request->method == HTTP_HEAD || !has_length(w->status)) { w->body_size = 0; }
}

enum moult_status http_writer_plan(struct http_writer *w,
                                   const struct http_request *request,
                                   const struct http_reply *reply,
                                   const struct http_writer_context *context)
{
    enum moult_status st = MOULT_E_INTERNAL;
    if (is_sound(reply)) {
        plan(w, request, reply, context);
        if (w->head_size < sizeof w->head) { st = MOULT_OK; }
    }
    if (st != MOULT_OK) { plan(w, request, &bare_500, context); }
    return st;
}

/* --- pieces --- */

uint64_t http_writer_size(const struct http_writer *w)
{
    return w->head_size + w->body_size;
}

static enum moult_status read_file(const struct http_writer *w, uint64_t from, uint8_t *out,
                                   size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(w->reply->file.fd, out + done, size - done,
                            (off_t)(w->file_offset + from + done));
        if (got < 0 && errno == EINTR) { continue; }
        if (got <= 0) { return MOULT_E_IO; } /* 0: the file has become shorter */
        done += (size_t)got;
    }
    return MOULT_OK;
}

/* How many bytes of the file to read at body_from: up to room, and so that the next read
 * starts on a page, which makes every copy out of the page cache a straight one. */
static size_t file_share(const struct http_writer *w, uint64_t body_from, size_t room)
{
    size_t over = (size_t)((w->file_offset + body_from + room) % PAGE_SIZE);
    return over < room ? room - over : room;
}

enum moult_status http_writer_piece(const struct http_writer *w, uint64_t from,
                                    uint8_t *out, size_t size, size_t *done)
{
    size_t used = 0;
    if (from < w->head_size) {
        size_t left = w->head_size - (size_t)from;
        used = left < size ? left : size;
        memcpy(out, w->head + from, used);
    }
    uint64_t body_from = from + used - w->head_size; /* meaningful once the head is out */
    *done = used;
    if (from + used < w->head_size || used == size) { return MOULT_OK; }

    uint64_t left = w->body_size - body_from;
    size_t more = size - used;
    bool is_file = w->reply->kind == HTTP_BODY_FILE;
    if (is_file) { more = file_share(w, body_from, more); }
    if (more > left) { more = (size_t)left; }
    *done += more;
    if (more == 0) { return MOULT_OK; }
    if (is_file) { return read_file(w, body_from, out + used, more); }
    memcpy(out + used, w->reply->bytes.data + body_from, more);
    return MOULT_OK;
}
