/* http_router.c - see http_router.h. Tables have some forty rows: a pass over them, which
 * mostly ends at the first differing byte, costs less than a tree that somebody must
 * understand. */
#include "server/http/http_router.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

static bool is_param(const char *segment, size_t size)
{
    return size > 2 && segment[0] == '{' && segment[size - 1] == '}';
}

/* Whether path fits pattern. *literals is a bit per literal segment, the first one highest:
 * the larger number is the more exact fit. */
static bool fits(const char *pattern, const char *path, uint32_t *literals)
{
    *literals = 0;
    while (*pattern == '/' && *path == '/') {
        size_t want = strcspn(++pattern, "/"), have = strcspn(++path, "/");
        bool is_literal = !is_param(pattern, want);
        if (is_literal && (want != have || memcmp(pattern, path, want) != 0)) {
            return false;
        }
        if (have == 0 && want != 0) { return false; }
        *literals = *literals << 1 | is_literal;
        pattern += want;
        path += have;
    }
    return *pattern == '\0' && *path == '\0';
}

static bool serves(const struct http_route *route, enum http_method method)
{
    return route->method == method || (route->method == HTTP_GET && method == HTTP_HEAD);
}

static unsigned allow_bits(const struct http_route *route)
{
    unsigned bits = 1u << route->method;
    return route->method == HTTP_GET ? bits | 1u << HTTP_HEAD : bits;
}

/* Copies what the {params} of pattern stand for. False: no memory in the arena. */
static bool take_params(struct http_request *request, const char *pattern)
{
    const char *path = request->path;
    request->param_count = 0;
    while (*pattern == '/' && *path == '/') {
        size_t want = strcspn(++pattern, "/"), have = strcspn(++path, "/");
        if (is_param(pattern, want)) {
            struct http_param *param = &request->params[request->param_count++];
            param->name = arena_text(request->arena, pattern + 1, want - 2);
            param->value = arena_text(request->arena, path, have);
            if (!param->name || !param->value) { return false; }
        }
        pattern += want;
        path += have;
    }
    return true;
}

enum http_match http_route_find(const struct http_routes *routes,
                                struct http_request *request, unsigned *allow)
{
    const struct http_route *best = NULL;
    uint32_t best_literals = 0;
    *allow = 0;
    for (size_t i = 0; i < routes->count; i++) {
        const struct http_route *route = &routes->rows[i];
        uint32_t literals;
        if (!fits(route->path, request->path, &literals)) { continue; }
        *allow |= allow_bits(route);
        if (serves(route, request->method) && (!best || literals > best_literals)) {
            best = route;
            best_literals = literals;
        }
    }
    if (!best) { return *allow ? HTTP_MATCH_NO_METHOD : HTTP_MATCH_NO_PATH; }
    request->route = best;
    return take_params(request, best->path) ? HTTP_MATCH_FOUND : HTTP_MATCH_NO_MEMORY;
}

/* "/a/{b}/c": every segment filled, braces around whole segments only. */
static bool is_pattern(const char *pattern)
{
    size_t params = 0, segments = 0;
    if (strcmp(pattern, "/") == 0) { return true; }
    while (*pattern == '/') {
        size_t size = strcspn(++pattern, "/");
        bool param = is_param(pattern, size);
        size_t plain = strcspn(pattern + param, "{}");
        if (size == 0 || plain < size - 2u * param) { return false; }
        params += param;
        segments++;
        pattern += size;
    }
    return *pattern == '\0' && segments >= 1 && segments <= HTTP_SEGMENTS_MAX &&
           params <= HTTP_PARAMS_MAX;
}

/* Whether two patterns fit the same paths: literals alike, params at the same places. */
static bool is_same_pattern(const char *a, const char *b)
{
    while (*a == '/' && *b == '/') {
        size_t size_a = strcspn(++a, "/"), size_b = strcspn(++b, "/");
        bool param_a = is_param(a, size_a), param_b = is_param(b, size_b);
        if (param_a != param_b) { return false; }
        if (!param_a && (size_a != size_b || memcmp(a, b, size_a) != 0)) { return false; }
        a += size_a;
        b += size_b;
    }
    return *a == *b;
}

static bool is_sound(const struct http_routes *routes, size_t index)
{
    const struct http_route *route = &routes->rows[index];
    if (!route->handle || !is_pattern(route->path)) { return false; }
    if (route->method == HTTP_HEAD || route->method >= HTTP_METHOD_COUNT) { return false; }
    for (size_t i = 0; i < index; i++) {
        const struct http_route *other = &routes->rows[i];
        if (other->method == route->method && is_same_pattern(other->path, route->path)) {
            return false;
        }
    }
    return true;
}

bool http_routes_check(const struct http_routes *routes, size_t *bad)
{
    for (size_t i = 0; i < routes->count; i++) {
        *bad = i;
        if (i == HTTP_ROUTES_MAX || !is_sound(routes, i)) { return false; }
    }
    return true;
}

void http_allow_text(unsigned allow, char out[HTTP_ALLOW_SIZE])
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < HTTP_METHOD_COUNT; i++) {
        if (!(allow & 1u << i)) { continue; }
        int size = snprintf(out + used, HTTP_ALLOW_SIZE - used, "%s%s", used ? ", " : "",
                            http_method_name((enum http_method)i));
        used += (size_t)size;
    }
    assert(used < HTTP_ALLOW_SIZE); /* all seven need 45 */
}
