/* http_reply.c - see http_reply.h. */
#include "server/http/http_reply.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "server/base/buffer.h"
#include "server/http/http_status.h"

enum {
    PROBLEM_SIZE_MAX = 2048,
    WORDS_SIZE_MAX = 512
}; /* bytes; our own words and a value */

void http_reply_init(struct http_reply *reply)
{
    *reply = (struct http_reply){.file.fd = -1};
}

void http_reply_reset(struct http_reply *reply)
{
    if (reply->file.fd >= 0) { close(reply->file.fd); }
    http_reply_init(reply);
}

void http_reply_bytes(struct http_reply *reply, uint16_t status, const char *content_type,
                      const void *data, size_t size)
{
    reply->status = status;
    reply->content_type = content_type;
    reply->kind = HTTP_BODY_BYTES;
    reply->bytes = (struct moult_bytes){data, size};
}

void http_reply_empty(struct http_reply *reply)
{
    reply->status = 204;
    reply->kind = HTTP_BODY_NONE;
}

void http_reply_file(struct http_reply *reply, const char *content_type, int fd,
                     uint64_t size, const char *etag)
{
    assert(fd >= 0 && reply->file.fd < 0);
    reply->status = 200;
    reply->content_type = content_type;
    reply->kind = HTTP_BODY_FILE;
    reply->file = (struct http_file){.fd = fd, .size = size};
    if (etag) {
        assert(strlen(etag) + 3 <= HTTP_ETAG_SIZE_MAX && !strchr(etag, '"'));
        snprintf(reply->file.etag, HTTP_ETAG_SIZE_MAX, "\"%s\"", etag);
    }
}

void http_reply_header(struct http_reply *reply, const char *name, const char *value)
{
    assert(reply->header_count < HTTP_REPLY_HEADERS_MAX);
    reply->headers[reply->header_count++] = (struct http_header){name, value};
}

static void add_member(struct buffer *out, const char *name, const char *value)
{
    if (!value) { return; }
    buffer_printf(out, ",\"%s\":", name);
    buffer_json_text(out, value);
}

static void write_body(struct buffer *out, const struct http_request *request,
                       const struct http_problem *problem, uint16_t status)
{
    const struct moult_code_info *info = moult_detail_info(problem->code);
    char words[WORDS_SIZE_MAX] = "", code[8];
    moult_code_format('E', problem->code, code);
    if (info) { moult_code_words(info, problem->want, problem->have, words, sizeof words); }
    buffer_printf(
        out, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,\"code\":\"%s\"",
        http_status_words(status), status, code);
    add_member(out, "detail", problem->text ? problem->text : words);
    add_member(out, "field", problem->field);
    add_member(out, "hint", problem->hint ? problem->hint : info ? info->next : NULL);
    add_member(out, "request_id", request->id);
    buffer_text(out, "}\n");
}

enum moult_status http_problem(struct http_request *request, struct http_reply *reply,
                               const struct http_problem *problem)
{
    const struct moult_code_info *info = moult_detail_info(problem->code);
    uint16_t status = problem->status ? problem->status : info ? info->http : 0;
    if (status == 0) { status = 500; } /* a code that is never a reply of its own */
    http_reply_reset(reply);
    reply->status = status;

    struct buffer out;
    buffer_init(&out, PROBLEM_SIZE_MAX);
    write_body(&out, request, problem, status);
    void *body = out.failed ? NULL : arena_copy(request->arena, out.data, out.size);
    if (body) { http_reply_bytes(reply, status, HTTP_TYPE_PROBLEM, body, out.size); }
    buffer_release(&out);

    if (problem->retry_after_s > 0) {
        char *seconds = arena_printf(request->arena, "%u", problem->retry_after_s);
        if (seconds) { http_reply_header(reply, "Retry-After", seconds); }
    }
    return MOULT_OK;
}

enum moult_status http_fail(struct http_request *request, struct http_reply *reply,
                            uint16_t code, const char *want, const char *have)
{
    return http_problem(request, reply,
                        &(struct http_problem){.code = code, .want = want, .have = have});
}
