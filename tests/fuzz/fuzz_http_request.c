/* fuzz_http_request.c - any bytes as a stream of requests.
 *
 * Oracles: fed at once, byte by byte, and in pieces of sizes taken from the input, the
 * parser accepts the same requests with the same meaning, at the same offsets, and refuses
 * the rest with the same words; what it accepts keeps the promises of http_parser.h; the
 * query helpers and the range parser take whatever is in it.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "server/base/arena.h"
#include "server/base/text.h"
#include "server/http/http_parser.h"
#include "server/http/http_range.h"
#include "server/http/http_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "fuzz_http_request: %s\n", what);
        abort();
    }
}

/* A running digest (FNV-1a) of everything that a parse meant. */
struct meaning {
    uint64_t hash;
    unsigned accepted;
    uint16_t status;
};

static void mix(struct meaning *m, const void *data, size_t size)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < size; i++) {
        m->hash = (m->hash ^ p[i]) * 0x100000001b3u;
    }
}

static void mix_text(struct meaning *m, const char *text)
{
    mix(m, text, strlen(text) + 1);
}

static void check_promises(const struct http_parser *p)
{
    must(p->path[0] == '/' || strcmp(p->path, "*") == 0, "a path starts with /");
    must(text_is_utf8(p->path, strlen(p->path)), "a path is UTF-8");
    must(!strstr(p->path, "//") && !strstr(p->path, "/../") && !strstr(p->path, "/./"),
         "a path has no empty or dot segment");
    must(!strchr(p->path, '\\'), "a path has no backslash");
    must(!strchr(p->query, ' ') && !strchr(p->query, '#'), "a query has no space");
    must(p->header_count <= HTTP_HEADERS_MAX, "fields are limited");
    for (size_t i = 0; i < p->header_count; i++) {
        const char *name = p->headers[i].name, *value = p->headers[i].value;
        must(*name && !strpbrk(name, " \t:\r\n") && strspn(name, "ABCDEFGHIJ") == 0,
             "a field name is a lower-case word");
        must(!strpbrk(value, "\r\n"), "a field value has no line break");
        size_t length = strlen(value);
        must(length == 0 || (value[0] != ' ' && value[length - 1] != ' '),
             "a field value is trimmed");
        must(strcmp(name, "transfer-encoding") != 0, "no transfer coding passes");
    }
}

static void use(const struct http_parser *p)
{
    static const char *const known[] = {"limit", "cursor", "q", NULL};
    struct arena arena;
    arena_init(&arena, 65536);
    struct http_request request = {
        .method = p->method, .path = p->path, .query = p->query, .arena = &arena};
    const char *bad = NULL;
    bool good = http_query_check(&request, known, &bad);
    must(good || bad, "a refused query names its key");
    const char *limit = http_request_query(&request, "limit");
    must(!limit || text_is_utf8(limit, strlen(limit)), "a query value is UTF-8");
    for (size_t i = 0; i < p->header_count; i++) {
        uint64_t offset, part;
        enum http_range range = http_range_read(p->headers[i].value, 1000, &offset, &part);
        must(offset <= 1000 && part <= 1000 - offset, "a range is inside the file");
        must((range == HTTP_RANGE_OUTSIDE) == (part == 0), "a part is not empty");
        (void)http_etags_name(p->headers[i].value, "\"x\"", true); /* only must not crash */
    }
    arena_release(&arena);
}

static void mix_request(struct meaning *m, const struct http_parser *p, size_t at)
{
    mix(m, &p->method, sizeof p->method);
    mix_text(m, p->path);
    mix_text(m, p->query);
    for (size_t i = 0; i < p->header_count; i++) {
        mix_text(m, p->headers[i].name);
        mix_text(m, p->headers[i].value);
    }
    mix(m, &p->content_length, sizeof p->content_length);
    mix(m, &p->keep_alive, sizeof p->keep_alive);
    mix(m, &p->expects_continue, sizeof p->expects_continue);
    mix(m, &at, sizeof at);
}

/* How many bytes the next feed gets. */
enum split { ALL, ONE, PIECES };

static size_t piece(enum split split, const uint8_t *data, size_t size, size_t at)
{
    size_t left = size - at, step = left;
    if (split == ONE) { step = 1; }
    if (split == PIECES) { step = 1u + data[size - 1 - at % size] % 23u; }
    return step < left ? step : left;
}

static struct meaning parse_all(const uint8_t *data, size_t size, enum split split)
{
    struct meaning m = {.hash = 0xcbf29ce484222325u};
    struct http_parser *p = malloc(sizeof *p);
    must(p != NULL, "no memory");
    http_parser_init(p);
    for (size_t at = 0; at < size;) {
        size_t used;
        enum http_parse parse =
            http_parser_feed(p, data + at, piece(split, data, size, at), &used);
        if (parse == HTTP_PARSE_BAD) {
            m.status = p->error.status;
            mix_text(&m, p->error.want);
            mix_text(&m, p->error.have);
            break;
        }
        at += used;
        if (parse == HTTP_PARSE_MORE) { continue; }
        m.accepted++;
        mix_request(&m, p, at);
        if (split == ALL) {
            check_promises(p);
            use(p);
        }
        at += p->content_length < size - at ? (size_t)p->content_length : size - at;
        http_parser_init(p);
    }
    free(p);
    return m;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct meaning all = parse_all(data, size, ALL);
    struct meaning one = parse_all(data, size, ONE);
    struct meaning pieces = parse_all(data, size, PIECES);
    must(all.hash == one.hash && all.accepted == one.accepted && all.status == one.status,
         "byte by byte means something else");
    must(all.hash == pieces.hash && all.accepted == pieces.accepted &&
             all.status == pieces.status,
         "in pieces it means something else");
    return 0;
}
