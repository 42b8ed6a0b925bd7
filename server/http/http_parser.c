/* http_parser.c - see http_parser.h. A table of states: which bytes each simply collects,
 * and a function for the byte that ends the run. */
#include "server/http/http_parser.h"
#include <assert.h>
#include <string.h>
#include <strings.h>
#include "formats/codes.h"
#include "server/http/http_target.h"

enum state {
    ST_START, /* first byte of the method; one empty line may precede it */
    ST_START_LF,
    ST_METHOD,
    ST_TARGET,
    ST_VERSION,
    ST_LINE_LF,
    ST_FIELD, /* first byte of a field name, or of the empty line */
    ST_NAME,
    ST_BEFORE_VALUE,
    ST_VALUE,
    ST_VALUE_LF,
    ST_END_LF,
    ST_DONE,
    ST_BAD,
    STATE_COUNT,
};

/* Classes of bytes, as bits. */
enum { NONE = 0, TOKEN = 1, VISIBLE = 2, FIELD_TEXT = 4, BLANK = 8 };
enum { VERSION_SIZE = 8 }; /* "HTTP/1.1" */

/* The bytes a state collects without being asked. */
static const uint8_t collects[STATE_COUNT] = {
    [ST_METHOD] = TOKEN, [ST_TARGET] = VISIBLE,   [ST_VERSION] = VISIBLE,
    [ST_NAME] = TOKEN,   [ST_VALUE] = FIELD_TEXT,
};

#define T (TOKEN | VISIBLE | FIELD_TEXT)
#define V (VISIBLE | FIELD_TEXT)
#define F FIELD_TEXT
#define B (FIELD_TEXT | BLANK)
/* clang-format off */
static const uint8_t class_of[256] = {
    0,0,0,0,0,0,0,0,0,B,0,0,0,0,0,0, 0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,
    B,T,V,T,T,T,T,T,V,V,T,T,V,T,T,V, T,T,T,T,T,T,T,T,T,T,V,V,V,V,V,V, /* space to ? */
    V,T,T,T,T,T,T,T,T,T,T,T,T,T,T,T, T,T,T,T,T,T,T,T,T,T,T,V,V,V,T,T, /* @ to _ */
    T,T,T,T,T,T,T,T,T,T,T,T,T,T,T,T, T,T,T,T,T,T,T,T,T,T,T,V,T,V,T,0, /* ` to DEL */
    F,F,F,F,F,F,F,F,F,F,F,F,F,F,F,F, F,F,F,F,F,F,F,F,F,F,F,F,F,F,F,F,
    F,F,F,F,F,F,F,F,F,F,F,F,F,F,F,F, F,F,F,F,F,F,F,F,F,F,F,F,F,F,F,F,
    F,F,F,F,F,F,F,F,F,F,F,F,F,F,F,F, F,F,F,F,F,F,F,F,F,F,F,F,F,F,F,F,
    F,F,F,F,F,F,F,F,F,F,F,F,F,F,F,F, F,F,F,F,F,F,F,F,F,F,F,F,F,F,F,F,
};
/* clang-format on */
#undef T
#undef V
#undef F
#undef B

static enum state bad_status(struct http_parser *p, uint16_t status, uint16_t code,
                             const char *want, const char *have)
{
    p->error = (struct http_parse_error){status, code, want, have};
    return ST_BAD;
}

static enum state bad(struct http_parser *p, const char *want, const char *have)
{
    return bad_status(p, 400, MOULT_D_API_REQUEST, want, have);
}

/* --- the request line --- */

static enum state st_start(struct http_parser *p, uint8_t c)
{
    if (c == '\r' && !p->skipped_empty_line) { return ST_START_LF; }
    if (!(class_of[c] & TOKEN)) { return bad(p, "a method", "another character"); }
    p->taken = 1; /* an empty line before it does not count */
    p->token = p->used = 0;
    p->head[p->used++] = (char)c;
    return ST_METHOD;
}

static enum state st_start_lf(struct http_parser *p, uint8_t c)
{
    p->skipped_empty_line = true;
    return c == '\n' ? ST_START : bad(p, "LF after CR", "another character");
}

static const char *const method_names[HTTP_METHOD_COUNT] = {
    [HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",   [HTTP_POST] = "POST",
    [HTTP_PUT] = "PUT",         [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
    [HTTP_OPTIONS] = "OPTIONS",
};

const char *http_method_name(enum http_method method)
{
    return method_names[method];
}

static enum state st_method(struct http_parser *p, uint8_t c)
{
    if (c != ' ') { return bad(p, "a method and one space", "another character"); }
    p->head[p->used++] = '\0';
    p->target = p->used;
    for (int i = 0; i < HTTP_METHOD_COUNT; i++) {
        if (strcmp(p->head, method_names[i]) == 0) {
            p->method = (enum http_method)i;
            return ST_TARGET;
        }
    }
    return bad_status(p, 501, MOULT_D_API_METHOD,
                      "GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS", "another");
}

static enum state st_target(struct http_parser *p, uint8_t c)
{
    if (c != ' ') { return bad(p, "a target and one space", "another character"); }
    if (p->used == p->target) { return bad(p, "a target", "two spaces"); }
    p->head[p->used++] = '\0';
    p->token = p->used;
    return ST_VERSION;
}

static enum state st_version(struct http_parser *p, uint8_t c)
{
    if (c != '\r') { return bad(p, "HTTP/1.1 and CR LF", "another character"); }
    const char *text = p->head + p->token;
    size_t size = p->used - p->token;
    if (size != VERSION_SIZE || memcmp(text, "HTTP/", 5) != 0 || text[6] != '.' ||
        text[5] < '0' || text[5] > '9' || text[7] < '0' || text[7] > '9') {
        return bad(p, "HTTP/1.1", "another version");
    }
    if (text[5] != '1') {
        return bad_status(p, 505, MOULT_D_API_VERSION, "HTTP/1.1", "another version");
    }
    p->is_http_1_0 = text[7] == '0';
    p->used = p->token; /* the version's text is not needed */
    return ST_LINE_LF;
}

static enum state st_line_lf(struct http_parser *p, uint8_t c)
{
    return c == '\n' ? ST_FIELD : bad(p, "LF after CR", "another character");
}

/* --- fields --- */

static enum state st_field(struct http_parser *p, uint8_t c)
{
    if (c == '\r') { return ST_END_LF; }
    if (class_of[c] & BLANK) { return bad(p, "a field name", "a folded line"); }
    if (!(class_of[c] & TOKEN)) { return bad(p, "a field name", "another character"); }
    if (p->header_count == HTTP_HEADERS_MAX) {
        return bad_status(p, 431, MOULT_D_API_HEADERS, "48 fields", "more");
    }
    p->name = p->used;
    p->head[p->used++] = (char)c;
    return ST_NAME;
}

static enum state st_name(struct http_parser *p, uint8_t c)
{
    if (c != ':') {
        return bad(p, "a field name and a colon",
                   class_of[c] & BLANK ? "a space before the colon" : "another character");
    }
    for (char *s = p->head + p->name; s < p->head + p->used; s++) {
        if (*s >= 'A' && *s <= 'Z') { *s = (char)(*s - 'A' + 'a'); }
    }
    p->head[p->used++] = '\0';
    p->token = p->used;
    return ST_BEFORE_VALUE;
}

static enum state end_value(struct http_parser *p);

static enum state st_before_value(struct http_parser *p, uint8_t c)
{
    if (class_of[c] & BLANK) { return ST_BEFORE_VALUE; }
    if (c == '\r') { return end_value(p); }
    if (!(class_of[c] & FIELD_TEXT)) {
        return bad(p, "a field value", "a control character");
    }
    p->head[p->used++] = (char)c;
    return ST_VALUE;
}

static enum state st_value(struct http_parser *p, uint8_t c)
{
    if (c == '\r') { return end_value(p); }
    return bad(p, "a field value and CR LF",
               c == '\n' ? "a bare LF" : "a control character");
}

static enum state st_value_lf(struct http_parser *p, uint8_t c)
{
    return c == '\n' ? ST_FIELD : bad(p, "LF after CR", "another character");
}

/* --- fields that mean something to this layer --- */

static enum state read_host(struct http_parser *p, const char *value)
{
    if (!http_host_is_valid(value, strlen(value))) {
        return bad(p, "Host: name or name:port", "another value");
    }
    return ST_VALUE_LF;
}

static enum state read_content_length(struct http_parser *p, const char *value)
{
    uint64_t number = 0;
    size_t size = strlen(value);
    if (size < 1 || size > 18) {
        return bad(p, "Content-Length of 1 to 18 digits", "another");
    }
    for (size_t i = 0; i < size; i++) {
        if (value[i] < '0' || value[i] > '9') {
            return bad(p, "Content-Length of digits", "another character");
        }
        number = number * 10 + (uint64_t)(value[i] - '0');
    }
    p->content_length = number;
    p->has_content_length = true;
    return ST_VALUE_LF;
}

static enum state read_transfer_encoding(struct http_parser *p, const char *value)
{
    (void)value; /* none is accepted; which answer it gets depends on Content-Length */
    p->has_transfer_encoding = true;
    return ST_VALUE_LF;
}

static enum state read_connection(struct http_parser *p, const char *value)
{
    while (*value != '\0') {
        size_t blank = strspn(value, " \t,");
        size_t size = strcspn(value + blank, " \t,");
        if (size == 5 && strncasecmp(value + blank, "close", 5) == 0) {
            p->keep_alive = false;
        }
        value += blank + size;
    }
    return ST_VALUE_LF;
}

static enum state read_expect(struct http_parser *p, const char *value)
{
    if (strcasecmp(value, "100-continue") != 0) {
        return bad_status(p, 417, MOULT_D_API_REQUEST, "Expect: 100-continue", "another");
    }
    p->expects_continue = true;
    return ST_VALUE_LF;
}

static const struct field {
    const char *name;
    bool is_once;
    enum state (*read)(struct http_parser *p, const char *value);
} known_fields[] = {
    {"host", true, read_host},
    {"content-length", true, read_content_length},
    {"transfer-encoding", false, read_transfer_encoding},
    {"connection", false, read_connection},
    {"expect", true, read_expect},
    {"authorization", true, NULL},
    {"content-type", true, NULL},
    {"range", true, NULL},
    {"if-range", true, NULL},
    {"if-match", true, NULL},
    {"if-none-match", true, NULL},
    {"idempotency-key", true, NULL},
    {"last-event-id", true, NULL},
};
enum { FIELD_HOST = 0 };

static enum state look_at_field(struct http_parser *p, const struct http_header *header)
{
    for (size_t i = 0; i < sizeof known_fields / sizeof known_fields[0]; i++) {
        const struct field *known = &known_fields[i];
        if (strcmp(known->name, header->name) != 0) { continue; }
        uint32_t bit = 1u << i;
        if (known->is_once && (p->seen_once & bit)) {
            return bad(p, "a field once", known->name);
        }
        p->seen_once |= bit;
        return known->read ? known->read(p, header->value) : ST_VALUE_LF;
    }
    return ST_VALUE_LF;
}

static enum state end_value(struct http_parser *p)
{
    while (p->used > p->token && (class_of[(uint8_t)p->head[p->used - 1]] & BLANK)) {
        p->used--;
    }
    p->head[p->used++] = '\0';
    struct http_header *header = &p->headers[p->header_count++];
    header->name = p->head + p->name;
    header->value = p->head + p->token;
    return look_at_field(p, header);
}

/* --- the end of the head --- */

static enum state st_end_lf(struct http_parser *p, uint8_t c)
{
    if (c != '\n') { return bad(p, "LF after CR", "another character"); }
    if (p->has_transfer_encoding && (p->has_content_length || p->is_http_1_0)) {
        return bad(p, "one way to tell where the body ends",
                   "Transfer-Encoding beside another");
    }
    if (p->has_transfer_encoding) {
        return bad_status(p, 501, MOULT_D_API_TRANSFER, "Content-Length",
                          "Transfer-Encoding");
    }
    if (!p->is_http_1_0 && !(p->seen_once & 1u << FIELD_HOST)) {
        return bad(p, "a Host field", "none");
    }
    if (p->is_http_1_0) { p->keep_alive = p->expects_continue = false; }
    struct http_target target;
    const char *want = http_target_read(p->head + p->target, p->method, &target);
    if (want) { return bad(p, want, "another"); }
    p->path = target.path;
    p->query = target.query;
    return ST_DONE;
}

static enum state (*const step[STATE_COUNT])(struct http_parser *p, uint8_t c) = {
    [ST_START] = st_start,
    [ST_START_LF] = st_start_lf,
    [ST_METHOD] = st_method,
    [ST_TARGET] = st_target,
    [ST_VERSION] = st_version,
    [ST_LINE_LF] = st_line_lf,
    [ST_FIELD] = st_field,
    [ST_NAME] = st_name,
    [ST_BEFORE_VALUE] = st_before_value,
    [ST_VALUE] = st_value,
    [ST_VALUE_LF] = st_value_lf,
    [ST_END_LF] = st_end_lf,
};

/* --- feeding --- */

void http_parser_init(struct http_parser *p)
{
    memset(p, 0, offsetof(struct http_parser, head));
    p->state = ST_START;
    p->keep_alive = true;
}

bool http_parser_is_fresh(const struct http_parser *p)
{
    return p->state == ST_START && !p->skipped_empty_line;
}

/* How long the current token may still become: tokens have limits of their own. */
static size_t token_room(const struct http_parser *p)
{
    switch (p->state) {
    case ST_METHOD:
        return HTTP_METHOD_SIZE_MAX - (p->used - p->token);
    case ST_TARGET:
        return HTTP_TARGET_SIZE_MAX - (p->used - p->target);
    case ST_VERSION:
        return VERSION_SIZE - (p->used - p->token);
    default:
        return SIZE_MAX;
    }
}

static enum state token_is_full(struct http_parser *p)
{
    switch (p->state) {
    case ST_METHOD:
        return bad(p, "a method", "a longer word");
    case ST_TARGET:
        return bad_status(p, 414, MOULT_D_API_HEADERS, "2048", "a longer target");
    default:
        return bad(p, "HTTP/1.1", "a longer word");
    }
}

/* Collects the run of plain bytes at data. Returns its size, at most what limits allow. */
static size_t collect(struct http_parser *p, const uint8_t *data, size_t size)
{
    uint8_t wanted = collects[p->state];
    size_t room = token_room(p), n = 0;
    if (room > HTTP_HEAD_SIZE_MAX - p->taken) { room = HTTP_HEAD_SIZE_MAX - p->taken; }
    if (size > room) { size = room; }
    while (n < size && (class_of[data[n]] & wanted)) {
        n++;
    }
    memcpy(p->head + p->used, data, n);
    p->used += n;
    p->taken += n;
    return n;
}

enum http_parse http_parser_feed(struct http_parser *p, const uint8_t *data, size_t size,
                                 size_t *used)
{
    assert(p->state != ST_DONE && p->state != ST_BAD);
    size_t i = 0;
    while (i < size && p->state != ST_DONE && p->state != ST_BAD) {
        i += collect(p, data + i, size - i);
        if (i == size) { break; }
        if (p->taken >= HTTP_HEAD_SIZE_MAX) {
            p->state = (uint8_t)bad_status(p, 431, MOULT_D_API_HEADERS, "8192", "more");
        } else if (class_of[data[i]] & collects[p->state]) {
            p->state = (uint8_t)token_is_full(p);
        } else {
            p->taken++;
            p->state = (uint8_t)step[p->state](p, data[i++]);
        }
    }
    *used = i;
    if (p->state == ST_DONE) { return HTTP_PARSE_DONE; }
    return p->state == ST_BAD ? HTTP_PARSE_BAD : HTTP_PARSE_MORE;
}
