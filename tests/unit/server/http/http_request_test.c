/* http_request_test.c - queries and fields as handlers ask for them. */
#include <string.h>
#include "server/http/http_request.h"
#include "tests/support/unit.h"

static struct arena arena;

static struct http_request with_query(const char *query)
{
    arena_clear(&arena);
    return (struct http_request){.query = query, .arena = &arena};
}

static void test_query_values_are_decoded(void **state)
{
    (void)state; /* cmocka's signature */
    static const struct {
        const char *query, *key, *value;
    } rows[] = {
        {"limit=5", "limit", "5"},
        {"a=b&limit=5", "limit", "5"},
        {"limit=", "limit", ""},
        {"limit", "limit", ""},
        {"q=a+b%20c%2B", "q", "a b c+"},
        {"%71=x", "q", "x"},
        {"q=%c3%a4", "q", "\xc3\xa4"},
        {"q=a=b", "q", "a=b"},
        {"", "q", NULL},
        {"qq=1", "q", NULL},
        {"q=1&q=2", "q", NULL},
        {"q=%00", "q", NULL},
        {"q=%zz", "q", NULL},
        {"q=%4", "q", NULL},
        {"q=%", "q", NULL},
        {"q=%ff", "q", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_request request = with_query(rows[i].query);
        const char *value = http_request_query(&request, rows[i].key);
        if (!rows[i].value) {
            if (value) { fail_msg("%s: found \"%s\"", rows[i].query, value); }
            continue;
        }
        if (!value) { fail_msg("%s: found nothing", rows[i].query); }
        assert_string_equal(value, rows[i].value);
    }
}

static void test_a_query_is_checked_as_a_whole(void **state)
{
    (void)state;
    static const char *const known[] = {"limit", "q", NULL};
    static const struct {
        const char *query, *bad;
    } rows[] = {
        {"", NULL},
        {"limit=5&q=a", NULL},
        {"q=a&", NULL},
        {"limti=5", "limti"},
        {"q=a&other=1", "other"},
        {"q=a&q=b", "q"},
        {"%71=a&q=b", "q"},
        {"q=%zz", "q"},
        {"q=%ff", "q"},
        {"=1", ""},
        {"&q=a", ""},
        {"%zz=1", "query"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_request request = with_query(rows[i].query);
        const char *bad = NULL;
        bool good = http_query_check(&request, known, &bad);
        if (good != (rows[i].bad == NULL)) { fail_msg("%s", rows[i].query); }
        if (!good) { assert_string_equal(bad, rows[i].bad); }
    }
    char many[400] = "q=1";
    const char *bad = NULL;
    for (int i = 0; i < 40; i++) {
        strncat(many, "&limit=1", sizeof many - strlen(many) - 1);
    }
    struct http_request request = with_query(many);
    assert_false(http_query_check(&request, known, &bad));
}

static void test_fields_are_found_by_lower_case_name(void **state)
{
    (void)state;
    static const struct http_header headers[] = {{"host", "h"}, {"x", "1"}, {"x", "2"}};
    struct http_request request = {.headers = headers, .header_count = 3};
    assert_string_equal(http_request_header(&request, "x"), "1");
    assert_null(http_request_header(&request, "y"));
}

static int start(void **state)
{
    (void)state;
    arena_init(&arena, 65536);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query_values_are_decoded),
        cmocka_unit_test(test_a_query_is_checked_as_a_whole),
        cmocka_unit_test(test_fields_are_found_by_lower_case_name),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
