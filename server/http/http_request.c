/* http_request.c - see http_request.h. */
#include "server/http/http_request.h"
#include <assert.h>
#include <string.h>
#include "server/base/text.h"
#include "server/http/http_target.h"

const char *http_request_header(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (strcmp(request->headers[i].name, name) == 0) {
            return request->headers[i].value;
        }
    }
    return NULL;
}

const char *http_request_param(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->param_count; i++) {
        if (strcmp(request->params[i].name, name) == 0) { return request->params[i].value; }
    }
    assert(false); /* the route's pattern does not have this param: a bug of the handler */
    return "";
}

/* One pair of the query, still encoded. */
struct pair {
    const char *key, *value;
    size_t key_size, value_size;
};

/* The pair at *query, which is moved behind it. False: no more. */
static bool next_pair(const char **query, struct pair *out)
{
    const char *p = *query;
    if (*p == '\0') { return false; }
    size_t size = strcspn(p, "&");
    const char *equals = memchr(p, '=', size);
    out->key = p;
    out->key_size = equals ? (size_t)(equals - p) : size;
    out->value = equals ? equals + 1 : p + size;
    out->value_size = equals ? size - out->key_size - 1 : 0;
    *query = p + size + (p[size] == '&');
    return true;
}

/* Decoded into the arena and checked. NULL: broken, or no memory. */
static char *decode(struct http_request *request, const char *text, size_t size)
{
    char *out = arena_alloc(request->arena, size + 1);
    if (!out) { return NULL; }
    int decoded = http_percent_decode(text, size, true, out);
    if (decoded < 0 || !text_is_utf8(out, (size_t)decoded)) { return NULL; }
    out[decoded] = '\0';
    return out;
}

/* Whether the pair's key, decoded, is `key`. Keys are short words, so they are compared in
 * place unless they are encoded. */
static bool has_key(const struct pair *pair, const char *key)
{
    char decoded[64];
    if (pair->key_size > sizeof decoded) { return false; }
    int size = http_percent_decode(pair->key, pair->key_size, true, decoded);
    return size >= 0 && (size_t)size == strlen(key) &&
           memcmp(decoded, key, (size_t)size) == 0;
}

const char *http_request_query(struct http_request *request, const char *key)
{
    const char *query = request->query;
    struct pair pair, found;
    size_t count = 0;
    while (next_pair(&query, &pair)) {
        if (!has_key(&pair, key)) { continue; }
        found = pair;
        count++;
    }
    return count == 1 ? decode(request, found.value, found.value_size) : NULL;
}

static const char *find_known(const struct pair *pair, const char *const *known)
{
    for (; *known; known++) {
        if (has_key(pair, *known)) { return *known; }
    }
    return NULL;
}

/* Whether an earlier pair of the query has this key. */
static bool is_repeated(const struct http_request *request, const struct pair *pair,
                        const char *key)
{
    const char *query = request->query;
    struct pair other;
    while (next_pair(&query, &other) && other.key != pair->key) {
        if (has_key(&other, key)) { return true; }
    }
    return false;
}

bool http_query_check(struct http_request *request, const char *const *known,
                      const char **bad)
{
    const char *query = request->query;
    struct pair pair;
    for (size_t count = 0; next_pair(&query, &pair); count++) {
        *bad = "query";
        if (count == HTTP_QUERY_PAIRS_MAX) { return false; }
        const char *key = find_known(&pair, known);
        if (!key) {
            const char *shown = decode(request, pair.key, pair.key_size);
            if (shown) { *bad = shown; }
            return false;
        }
        *bad = key;
        if (is_repeated(request, &pair, key)) { return false; }
        if (!decode(request, pair.value, pair.value_size)) { return false; }
    }
    return true;
}
