/* fuzz_http_response.c - the device's response parser: byte by byte equals all at once, and
 * what it lets through keeps its promises. The first input byte says whether the peer
 * closes. */
#include <stdlib.h>
#include <string.h>
#include "ports/posix/http_response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    enum moult_http_parse end;
    enum moult_http_fault fault;
    struct moult_http_reply reply;
    size_t body_size, used;
    uint32_t body_crc;
    bool had_head, keep_alive;
};

static void must(bool claim)
{
    if (!claim) { abort(); }
}

static void run(const uint8_t *data, size_t size, size_t piece, bool closed,
                struct outcome *out)
{
    struct moult_http_parser parser;
    memset(out, 0, sizeof *out);
    moult_http_begin(&parser);
    for (bool is_over = false; !is_over;) {
        size_t part = size - out->used < piece ? size - out->used : piece, used;
        struct moult_bytes body = {0};
        out->end = moult_http_parse(&parser, data + out->used, part, &used, &body);
        must(used <= part);
        if (out->end == MOULT_HTTP_PARSE_HEAD) {
            must(!out->had_head && parser.reply.status >= 200);
            out->had_head = true;
            out->reply = parser.reply;
        } else if (out->end == MOULT_HTTP_PARSE_BODY) {
            must(out->had_head && body.size > 0);
            must(body.data >= data && body.data + body.size <= data + size);
            out->body_crc = crc32_le(out->body_crc, body.data, body.size);
            out->body_size += body.size;
        }
        out->used += used;
        bool goes_on =
            out->end == MOULT_HTTP_PARSE_HEAD || out->end == MOULT_HTTP_PARSE_BODY;
        is_over = !goes_on && (out->end != MOULT_HTTP_PARSE_MORE || out->used == size);
    }
    if (out->end == MOULT_HTTP_PARSE_MORE && closed) {
        out->end = moult_http_finish(&parser);
    }
    must((out->end == MOULT_HTTP_PARSE_BAD) == (parser.fault != MOULT_HTTP_FAULT_NONE));
    out->fault = parser.fault;
    out->keep_alive = parser.keep_alive;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) { return 0; }
    struct outcome whole, bytes;
    run(data + 1, size - 1, size, data[0] & 1, &whole);
    run(data + 1, size - 1, 1, data[0] & 1, &bytes);
    must(memcmp(&whole.reply, &bytes.reply, sizeof whole.reply) == 0);
    must(whole.end == bytes.end && whole.fault == bytes.fault);
    must(whole.end != MOULT_HTTP_PARSE_END || whole.used == bytes.used);
    must(whole.body_size == bytes.body_size && whole.body_crc == bytes.body_crc);
    must(whole.had_head == bytes.had_head && whole.keep_alive == bytes.keep_alive);
    if (whole.end == MOULT_HTTP_PARSE_END && whole.reply.has_length && whole.body_size) {
        must(whole.body_size == whole.reply.length);
    }
    if (whole.reply.has_range) { must(whole.reply.range_from <= whole.reply.range_to); }
    return 0;
}
