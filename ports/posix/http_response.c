/* http_response.c - see http_response.h. */
#include "ports/posix/http_response.h"
#include <assert.h>
#include <string.h>

enum state {
    ST_STATUS_LINE,
    ST_HEADERS,
    ST_BODY_LENGTH,
    ST_BODY_CLOSE, /* until the peer closes */
    ST_CHUNK_SIZE,
    ST_CHUNK_DATA,
    ST_CHUNK_CRLF,
    ST_TRAILERS,
    ST_DONE, /* END is still to be said */
    ST_OVER,
};

static const char *const fault_words[] = {
    [MOULT_HTTP_FAULT_NONE] = "nothing is wrong",
    [MOULT_HTTP_FAULT_STATUS_LINE] = "the status line is not one of HTTP/1.1 or HTTP/1.0",
    [MOULT_HTTP_FAULT_HEADER] = "a header line is malformed",
    [MOULT_HTTP_FAULT_HEAD_SIZE] = "the head is larger than 8192 bytes",
    [MOULT_HTTP_FAULT_LENGTH] = "Content-Length is no number, too large or given twice",
    [MOULT_HTTP_FAULT_RANGE] = "Content-Range is malformed",
    [MOULT_HTTP_FAULT_ENCODING] = "a transfer encoding other than chunked alone",
    [MOULT_HTTP_FAULT_CHUNK] = "a chunk is malformed",
    [MOULT_HTTP_FAULT_INTERIM] = "too many informational responses, or a protocol switch",
    [MOULT_HTTP_FAULT_TRUNCATED] = "the connection closed before the end of the response",
};

const char *moult_http_fault_words(enum moult_http_fault fault)
{
    size_t count = sizeof fault_words / sizeof fault_words[0];
    return (size_t)fault < count ? fault_words[fault] : "?";
}

void moult_http_begin(struct moult_http_parser *parser)
{
    memset(parser, 0, sizeof *parser);
}

static enum moult_http_parse bad(struct moult_http_parser *parser,
                                 enum moult_http_fault fault)
{
    parser->fault = fault;
    parser->state = ST_OVER;
    parser->keep_alive = false;
    return MOULT_HTTP_PARSE_BAD;
}

/* --- Small texts --------------------------------------------------------------------- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_text(struct moult_bytes text, const char *expected)
{
    size_t size = strlen(expected);
    if (text.size != size) { return false; }
    for (size_t i = 0; i < size; i++) {
        if (lower((char)text.data[i]) != expected[i]) { return false; }
    }
    return true;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Digits from *text, which moves behind them. False: none, or over 32 bits. */
static bool take_number(struct moult_bytes *text, uint32_t *out)
{
    uint64_t number = 0;
    size_t count = 0;
    while (count < text->size && is_digit(text->data[count])) {
        number = number * 10 + (uint64_t)(text->data[count] - '0');
        if (number > UINT32_MAX) { return false; }
        count++;
    }
    text->data += count;
    text->size -= count;
    *out = (uint32_t)number;
    return count > 0;
}

static bool take_text(struct moult_bytes *text, const char *expected)
{
    size_t size = strlen(expected);
    if (text->size < size || !is_text((struct moult_bytes){text->data, size}, expected)) {
        return false;
    }
    text->data += size;
    text->size -= size;
    return true;
}

static struct moult_bytes trimmed(struct moult_bytes text)
{
    while (text.size && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.size--;
    }
    while (text.size &&
           (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t')) {
        text.size--;
    }
    return text;
}

/* RFC 9110 token. */
static bool is_token(struct moult_bytes name)
{
    for (size_t i = 0; i < name.size; i++) {
        char c = lower((char)name.data[i]);
        if (!(c >= 'a' && c <= 'z') && !is_digit((uint8_t)c) &&
            (c == 0 || !strchr("!#$%&'*+-.^_`|~", c))) {
            return false;
        }
    }
    return name.size > 0;
}

static bool is_field_value(struct moult_bytes value)
{
    for (size_t i = 0; i < value.size; i++) {
        uint8_t c = value.data[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) { return false; }
    }
    return true;
}

/* --- Headers that matter ------------------------------------------------------------- */

static enum moult_http_fault on_length(struct moult_http_parser *parser,
                                       struct moult_bytes value)
{
    uint32_t length;
    if (parser->reply.has_length || !take_number(&value, &length) || value.size) {
        return MOULT_HTTP_FAULT_LENGTH;
    }
    parser->reply.has_length = true;
    parser->reply.length = length;
    return MOULT_HTTP_FAULT_NONE;
}

static enum moult_http_fault on_encoding(struct moult_http_parser *parser,
                                         struct moult_bytes value)
{
    if (parser->is_chunked || !is_text(value, "chunked")) {
        return MOULT_HTTP_FAULT_ENCODING;
    }
    parser->is_chunked = true;
    return MOULT_HTTP_FAULT_NONE;
}

/* "bytes from-to/total", total may be "*"; or "bytes * /total" of a 416, which is no range.
 */
static enum moult_http_fault on_range(struct moult_http_parser *parser,
                                      struct moult_bytes value)
{
    struct moult_http_reply *reply = &parser->reply;
    uint32_t from, to, total = 0;
    if (reply->has_range || !take_text(&value, "bytes ")) { return MOULT_HTTP_FAULT_RANGE; }
    if (take_text(&value, "*/")) {
        bool is_good = take_number(&value, &total) && value.size == 0;
        return is_good ? MOULT_HTTP_FAULT_NONE : MOULT_HTTP_FAULT_RANGE;
    }
    if (!take_number(&value, &from) || !take_text(&value, "-") ||
        !take_number(&value, &to) || !take_text(&value, "/") || from > to) {
        return MOULT_HTTP_FAULT_RANGE;
    }
    bool is_open = take_text(&value, "*");
    if (!is_open && (!take_number(&value, &total) || to >= total)) {
        return MOULT_HTTP_FAULT_RANGE;
    }
    if (value.size) { return MOULT_HTTP_FAULT_RANGE; }
    reply->has_range = true;
    reply->range_from = from;
    reply->range_to = to;
    reply->range_total = total;
    return MOULT_HTTP_FAULT_NONE;
}

/* A weak, malformed or long ETag is as good as none. */
static enum moult_http_fault on_etag(struct moult_http_parser *parser,
                                     struct moult_bytes value)
{
    char *etag = parser->reply.etag;
    bool is_strong = value.size >= 2 && value.size < MOULT_ETAG_MAX &&
                     value.data[0] == '"' && value.data[value.size - 1] == '"' &&
                     !memchr(value.data + 1, '"', value.size - 2) &&
                     !memchr(value.data, ' ', value.size);
    etag[0] = 0;
    if (is_strong) {
        memcpy(etag, value.data, value.size);
        etag[value.size] = 0;
    }
    return MOULT_HTTP_FAULT_NONE;
}

/* Seconds; a date is as good as none, since a device has no clock to hold it against. */
static enum moult_http_fault on_retry_after(struct moult_http_parser *parser,
                                            struct moult_bytes value)
{
    uint32_t seconds;
    if (take_number(&value, &seconds) && value.size == 0) {
        parser->reply.retry_after_s = seconds;
    }
    return MOULT_HTTP_FAULT_NONE;
}

/* Only "close" says anything to a client that upgrades to nothing. */
static enum moult_http_fault on_connection(struct moult_http_parser *parser,
                                           struct moult_bytes value)
{
    while (value.size) {
        const uint8_t *comma = memchr(value.data, ',', value.size);
        size_t size = comma ? (size_t)(comma - value.data) : value.size;
        if (is_text(trimmed((struct moult_bytes){value.data, size}), "close")) {
            parser->has_connection_close = true;
        }
        size_t step = comma ? size + 1 : size;
        value.data += step;
        value.size -= step;
    }
    return MOULT_HTTP_FAULT_NONE;
}

static const struct {
    const char *name;
    enum moult_http_fault (*read)(struct moult_http_parser *parser,
                                  struct moult_bytes value);
} headers[] = {
    {"content-length", on_length},   {"transfer-encoding", on_encoding},
    {"content-range", on_range},     {"etag", on_etag},
    {"retry-after", on_retry_after}, {"connection", on_connection},
};

static enum moult_http_fault read_header(struct moult_http_parser *parser)
{
    struct moult_bytes line = {(const uint8_t *)parser->line, parser->line_size};
    const uint8_t *colon = memchr(line.data, ':', line.size);
    if (!colon) { return MOULT_HTTP_FAULT_HEADER; }
    struct moult_bytes name = {line.data, (size_t)(colon - line.data)};
    struct moult_bytes value = {colon + 1, line.size - name.size - 1};
    if (!is_token(name) || !is_field_value(value)) { return MOULT_HTTP_FAULT_HEADER; }
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        if (!is_text(name, headers[i].name)) { continue; }
        if (parser->is_long_line) { return MOULT_HTTP_FAULT_HEADER; }
        return headers[i].read(parser, trimmed(value));
    }
    return MOULT_HTTP_FAULT_NONE;
}

/* "HTTP/1.1 200 OK": the reason may be missing, as some servers leave it out. */
static enum moult_http_fault read_status_line(struct moult_http_parser *parser)
{
    struct moult_bytes line = {(const uint8_t *)parser->line, parser->line_size};
    uint32_t status;
    parser->is_old = line.size >= 9 && memcmp(line.data, "HTTP/1.0 ", 9) == 0;
    if (!parser->is_old && (line.size < 9 || memcmp(line.data, "HTTP/1.1 ", 9) != 0)) {
        return MOULT_HTTP_FAULT_STATUS_LINE;
    }
    line.data += 9;
    line.size -= 9;
    size_t before = line.size;
    if (!take_number(&line, &status) || before - line.size != 3 || status < 100 ||
        status > 599 || (line.size && line.data[0] != ' ') || !is_field_value(line) ||
        parser->is_long_line) {
        return MOULT_HTTP_FAULT_STATUS_LINE;
    }
    parser->reply.status = (uint16_t)status;
    return MOULT_HTTP_FAULT_NONE;
}

/* --- The machine --------------------------------------------------------------------- */

enum line_result { LINE_MORE, LINE_DONE, LINE_BAD };

/* Collect a line up to CRLF. A line longer than the buffer is cut, and marked so. */
static enum line_result take_line(struct moult_http_parser *parser, const uint8_t *data,
                                  size_t size, size_t *used)
{
    while (*used < size) {
        uint8_t c = data[(*used)++];
        if (parser->head_size++ >= MOULT_HTTP_HEAD_SIZE_MAX) { return LINE_BAD; }
        if (parser->saw_cr) {
            parser->saw_cr = false;
            return c == '\n' ? LINE_DONE : LINE_BAD;
        }
        if (c == '\n' || c == 0) { return LINE_BAD; }
        if (c == '\r') {
            parser->saw_cr = true;
        } else if (parser->line_size < sizeof parser->line) {
            parser->line[parser->line_size++] = (char)c;
        } else if (!is_field_value((struct moult_bytes){&c, 1})) {
            return LINE_BAD;
        } else {
            parser->is_long_line = true;
        }
    }
    return LINE_MORE;
}

static void next_line(struct moult_http_parser *parser)
{
    parser->line_size = 0;
    parser->is_long_line = false;
}

/* What a line that cannot be one means here. */
static enum moult_http_parse bad_line(struct moult_http_parser *parser,
                                      enum moult_http_fault fault)
{
    bool is_too_large = parser->head_size > MOULT_HTTP_HEAD_SIZE_MAX;
    return bad(parser, is_too_large ? MOULT_HTTP_FAULT_HEAD_SIZE : fault);
}

/* The empty line behind the headers: what follows is told by status and headers (RFC 9112
 * §6.3). */
static enum moult_http_parse end_head(struct moult_http_parser *parser)
{
    struct moult_http_reply *reply = &parser->reply;
    if (reply->status < 200) {
        if (reply->status == 101 || ++parser->interim_count > MOULT_HTTP_INTERIM_MAX) {
            return bad(parser, MOULT_HTTP_FAULT_INTERIM);
        }
        uint8_t count = parser->interim_count;
        moult_http_begin(parser);
        parser->interim_count = count;
        return MOULT_HTTP_PARSE_MORE;
    }
    if (parser->is_chunked && (reply->has_length || parser->is_old)) {
        return bad(parser, MOULT_HTTP_FAULT_ENCODING);
    }
    parser->keep_alive = !parser->has_connection_close && !parser->is_old;
    if (reply->status == 204 || reply->status == 304) {
        parser->state = ST_DONE;
    } else if (parser->is_chunked) {
        parser->state = ST_CHUNK_SIZE;
    } else if (reply->has_length) {
        parser->body_left = reply->length;
        parser->state = reply->length ? ST_BODY_LENGTH : ST_DONE;
    } else {
        parser->keep_alive = false;
        parser->state = ST_BODY_CLOSE;
    }
    return MOULT_HTTP_PARSE_HEAD;
}

static enum moult_http_parse parse_head(struct moult_http_parser *parser,
                                        const uint8_t *data, size_t size, size_t *used)
{
    bool is_first = parser->state == ST_STATUS_LINE;
    enum moult_http_fault fault =
        is_first ? MOULT_HTTP_FAULT_STATUS_LINE : MOULT_HTTP_FAULT_HEADER;
    enum line_result result = take_line(parser, data, size, used);
    if (result == LINE_MORE) { return MOULT_HTTP_PARSE_MORE; }
    if (result == LINE_BAD) { return bad_line(parser, fault); }
    if (!is_first && parser->line_size == 0) {
        next_line(parser);
        return end_head(parser);
    }
    fault = is_first ? read_status_line(parser) : read_header(parser);
    if (fault != MOULT_HTTP_FAULT_NONE) { return bad(parser, fault); }
    parser->state = ST_HEADERS;
    next_line(parser);
    return MOULT_HTTP_PARSE_MORE;
}

static enum moult_http_parse give_body(struct moult_http_parser *parser,
                                       const uint8_t *data, size_t size, size_t *used,
                                       struct moult_bytes *body)
{
    size_t part = size - *used;
    if (parser->state != ST_BODY_CLOSE) {
        if (part > parser->body_left) { part = parser->body_left; }
        parser->body_left -= (uint32_t)part;
        if (parser->body_left == 0) {
            parser->state = parser->state == ST_CHUNK_DATA ? ST_CHUNK_CRLF : ST_DONE;
        }
    }
    *body = (struct moult_bytes){data + *used, part};
    *used += part;
    return MOULT_HTTP_PARSE_BODY;
}

static int hex_value(char c)
{
    c = lower(c);
    if (c >= '0' && c <= '9') { return c - '0'; }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum moult_http_parse parse_chunk_size(struct moult_http_parser *parser,
                                              const uint8_t *data, size_t size,
                                              size_t *used)
{
    parser->head_size = parser->line_size; /* the head's limit, for this line alone */
    enum line_result result = take_line(parser, data, size, used);
    if (result == LINE_MORE && parser->line_size <= MOULT_HTTP_CHUNK_DIGITS_MAX) {
        return MOULT_HTTP_PARSE_MORE;
    }
    if (result != LINE_DONE || parser->line_size == 0 ||
        parser->line_size > MOULT_HTTP_CHUNK_DIGITS_MAX) {
        return bad(parser, MOULT_HTTP_FAULT_CHUNK);
    }
    uint32_t chunk = 0;
    for (uint32_t i = 0; i < parser->line_size; i++) {
        int digit = hex_value(parser->line[i]);
        if (digit < 0) { return bad(parser, MOULT_HTTP_FAULT_CHUNK); }
        chunk = chunk << 4 | (uint32_t)digit;
    }
    parser->body_left = chunk;
    parser->head_size = 0;
    parser->state = chunk ? ST_CHUNK_DATA : ST_TRAILERS;
    next_line(parser);
    return MOULT_HTTP_PARSE_MORE;
}

static enum moult_http_parse parse_chunk_end(struct moult_http_parser *parser,
                                             const uint8_t *data, size_t *used)
{
    uint8_t c = data[(*used)++];
    if (c != (parser->saw_cr ? '\n' : '\r')) { return bad(parser, MOULT_HTTP_FAULT_CHUNK); }
    if (parser->saw_cr) { parser->state = ST_CHUNK_SIZE; }
    parser->saw_cr = !parser->saw_cr;
    return MOULT_HTTP_PARSE_MORE;
}

/* Read for their shape and the head's size limit; nothing in them matters. */
static enum moult_http_parse parse_trailers(struct moult_http_parser *parser,
                                            const uint8_t *data, size_t size, size_t *used)
{
    enum line_result result = take_line(parser, data, size, used);
    if (result == LINE_MORE) { return MOULT_HTTP_PARSE_MORE; }
    if (result == LINE_BAD) { return bad_line(parser, MOULT_HTTP_FAULT_CHUNK); }
    if (parser->line_size == 0) { parser->state = ST_DONE; }
    next_line(parser);
    return MOULT_HTTP_PARSE_MORE;
}

static enum moult_http_parse parse_some(struct moult_http_parser *parser,
                                        const uint8_t *data, size_t size, size_t *used,
                                        struct moult_bytes *body)
{
    switch (parser->state) {
    case ST_STATUS_LINE:
    case ST_HEADERS:
        return parse_head(parser, data, size, used);
    case ST_BODY_LENGTH:
    case ST_BODY_CLOSE:
    case ST_CHUNK_DATA:
        return give_body(parser, data, size, used, body);
    case ST_CHUNK_SIZE:
        return parse_chunk_size(parser, data, size, used);
    case ST_CHUNK_CRLF:
        return parse_chunk_end(parser, data, used);
    default:
        return parse_trailers(parser, data, size, used);
    }
}

enum moult_http_parse moult_http_parse(struct moult_http_parser *parser,
                                       const uint8_t *data, size_t size, size_t *used,
                                       struct moult_bytes *body)
{
    assert(parser->state != ST_OVER);
    enum moult_http_parse result = MOULT_HTTP_PARSE_MORE;
    *used = 0;
    while (result == MOULT_HTTP_PARSE_MORE && parser->state != ST_DONE && *used < size) {
        result = parse_some(parser, data, size, used, body);
    }
    if (result == MOULT_HTTP_PARSE_MORE && parser->state == ST_DONE) {
        parser->state = ST_OVER;
        return MOULT_HTTP_PARSE_END;
    }
    return result;
}

enum moult_http_parse moult_http_finish(struct moult_http_parser *parser)
{
    if (parser->state != ST_BODY_CLOSE && parser->state != ST_DONE) {
        return bad(parser, MOULT_HTTP_FAULT_TRUNCATED);
    }
    parser->state = ST_OVER;
    parser->keep_alive = false;
    return MOULT_HTTP_PARSE_END;
}
