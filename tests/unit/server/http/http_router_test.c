/* http_router_test.c - which row a request belongs to, and which tables are refused. */
#include <string.h>
#include "server/http/http_router.h"
#include "tests/support/unit.h"

static enum moult_status handle(struct http_request *request, const struct env *env,
                                struct http_reply *reply)
{
    (void)request, (void)env, (void)reply;
    return MOULT_OK;
}

#define ROW(method, path)                                                                  \
    {                                                                                      \
        method, path, 0, HTTP_ON_IO, 0, handle                                             \
    }

static const struct http_route rows[] = {
    ROW(HTTP_GET, "/api/v1/devices/{id}"),         /* 0 */
    ROW(HTTP_POST, "/api/v1/devices/actions"),     /* 1 */
    ROW(HTTP_POST, "/api/v1/devices/{id}/{verb}"), /* 2 */
    ROW(HTTP_GET, "/api/v1/devices/{id}/why"),     /* 3 */
    ROW(HTTP_GET, "/api/v1/devices"),              /* 4 */
    ROW(HTTP_PUT, "/api/v1/artifacts/{sha256}"),   /* 5 */
    ROW(HTTP_GET, "/"),                            /* 6 */
    ROW(HTTP_GET, "/api/v1/devices/first"),        /* 7 */
    ROW(HTTP_GET, "/a/{x}/c"),                     /* 8 */
    ROW(HTTP_GET, "/a/b/{y}"),                     /* 9 */
};
static const struct http_routes table = {rows, sizeof rows / sizeof rows[0]};

static void test_paths_find_their_rows(void **state)
{
    (void)state; /* cmocka's signature */
    static const struct {
        enum http_method method;
        const char *path;
        int row; /* -404, -405 */
        const char *first, *second, *allow;
    } cases[] = {
        {HTTP_GET, "/api/v1/devices", 4, NULL, NULL, NULL},
        {HTTP_HEAD, "/api/v1/devices", 4, NULL, NULL, NULL},
        {HTTP_GET, "/api/v1/devices/abc", 0, "abc", NULL, NULL},
        {HTTP_GET, "/api/v1/devices/first", 7, NULL, NULL, NULL},
        {HTTP_GET, "/api/v1/devices/first2", 0, "first2", NULL, NULL},
        {HTTP_POST, "/api/v1/devices/actions", 1, NULL, NULL, NULL},
        {HTTP_GET, "/api/v1/devices/actions", 0, "actions", NULL, NULL},
        {HTTP_POST, "/api/v1/devices/a/accept", 2, "a", "accept", NULL},
        {HTTP_GET, "/api/v1/devices/a/why", 3, "a", NULL, NULL},
        {HTTP_POST, "/api/v1/devices/a/why", 2, "a", "why", NULL},
        {HTTP_PUT, "/api/v1/artifacts/00ff", 5, "00ff", NULL, NULL},
        {HTTP_GET, "/", 6, NULL, NULL, NULL},
        {HTTP_GET, "/a/b/c", 9, "c", NULL,
         NULL}, /* the first literal that differs decides */
        {HTTP_GET, "/a/z/c", 8, "z", NULL, NULL},
        {HTTP_GET, "/a/b/z", 9, "z", NULL, NULL},
        {HTTP_GET, "/api/v1", -404, NULL, NULL, NULL},
        {HTTP_GET, "/api/v1/devices/", -404, NULL, NULL, NULL},
        {HTTP_GET, "/api/v1/devices/a/", -404, NULL, NULL,
         NULL}, /* a param is never empty */
        {HTTP_GET, "/api/v1/devices/a/why/b", -404, NULL, NULL, NULL},
        {HTTP_GET, "/API/v1/devices", -404, NULL, NULL, NULL},
        {HTTP_GET, "*", -404, NULL, NULL, NULL},
        {HTTP_DELETE, "/api/v1/devices", -405, NULL, NULL, "GET, HEAD"},
        {HTTP_PATCH, "/api/v1/devices/a/why", -405, NULL, NULL, "GET, HEAD, POST"},
        {HTTP_HEAD, "/api/v1/artifacts/00ff", -405, NULL, NULL, "PUT"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena;
        arena_init(&arena, 4096);
        struct http_request request = {
            .method = cases[i].method, .path = cases[i].path, .arena = &arena};
        unsigned allow;
        enum http_match match = http_route_find(&table, &request, &allow);
        int row = match == HTTP_MATCH_FOUND       ? (int)(request.route - rows)
                  : match == HTTP_MATCH_NO_METHOD ? -405
                                                  : -404;
        if (row != cases[i].row) { fail_msg("%s: row %d", cases[i].path, row); }
        if (cases[i].allow) {
            char methods[HTTP_ALLOW_SIZE];
            http_allow_text(allow, methods);
            assert_string_equal(methods, cases[i].allow);
        }
        assert_int_equal(request.param_count,
                         (cases[i].first != NULL) + (cases[i].second != NULL));
        if (cases[i].first) {
            assert_string_equal(request.params[0].value, cases[i].first);
        }
        if (cases[i].second) {
            assert_string_equal(request.params[1].value, cases[i].second);
        }
        arena_release(&arena);
    }
}

static void test_params_are_found_by_name(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 4096);
    struct http_request request = {
        .method = HTTP_POST, .path = "/api/v1/devices/a/accept", .arena = &arena};
    unsigned allow;
    assert_int_equal(http_route_find(&table, &request, &allow), HTTP_MATCH_FOUND);
    assert_string_equal(http_request_param(&request, "id"), "a");
    assert_string_equal(http_request_param(&request, "verb"), "accept");
    arena_release(&arena);
}

static void test_without_memory_no_row_is_served(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 0);
    struct http_request request = {
        .method = HTTP_GET, .path = "/api/v1/devices/a", .arena = &arena};
    unsigned allow;
    assert_int_equal(http_route_find(&table, &request, &allow), HTTP_MATCH_NO_MEMORY);
    arena_release(&arena);
}

static void test_unsound_tables_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct http_route row;
    } bad[] = {
        {"no slash", ROW(HTTP_GET, "a")},
        {"empty", ROW(HTTP_GET, "")},
        {"empty segment", ROW(HTTP_GET, "/a//b")},
        {"slash at the end", ROW(HTTP_GET, "/a/")},
        {"param inside a segment", ROW(HTTP_GET, "/a/x{b}")},
        {"param with a tail", ROW(HTTP_GET, "/a/{b}x")},
        {"nameless param", ROW(HTTP_GET, "/a/{}")},
        {"open brace", ROW(HTTP_GET, "/a/{b")},
        {"five params", ROW(HTTP_GET, "/{a}/{b}/{c}/{d}/{e}")},
        {"HEAD", ROW(HTTP_HEAD, "/a")},
        {"no handler", {HTTP_GET, "/a", 0, HTTP_ON_IO, 0, NULL}},
        {"same as row 0", ROW(HTTP_GET, "/api/v1/devices/{name}")},
    };
    size_t index;
    assert_true(http_routes_check(&table, &index));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct http_route two[2] = {rows[0], bad[i].row};
        if (http_routes_check(&(struct http_routes){two, 2}, &index)) {
            fail_msg("%s was accepted", bad[i].name);
        }
        assert_int_equal(index, 1);
    }
    struct http_route same_path[2] = {rows[0], ROW(HTTP_POST, "/api/v1/devices/{id}")};
    assert_true(http_routes_check(&(struct http_routes){same_path, 2}, &index));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths_find_their_rows),
        cmocka_unit_test(test_params_are_found_by_name),
        cmocka_unit_test(test_without_memory_no_row_is_served),
        cmocka_unit_test(test_unsound_tables_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
