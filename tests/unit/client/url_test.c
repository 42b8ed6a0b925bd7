/* url_test.c - URLs of the API, and pauses between tries. */
#include "client/url.h"

#include <string.h>

#include "client/mem.h"
#include "tests/support/unit.h"

static void test_a_query_is_percent_encoded_and_empty_values_are_left_out(void **state)
{
    const struct client_pair query[] = {{"selector", "a = \"b&c\" and x~\xc3\xa9"},
                                        {"state", NULL},
                                        {"limit", "5"},
                                        {NULL, NULL}};
    char *url = client_url("https://h:1/", "/devices", query);
    (void)state;
    assert_string_equal(url, "https://h:1/api/v1/devices?selector="
                             "a%20%3D%20%22b%26c%22%20and%20x~%C3%A9&limit=5");
    client_mem_free(url);
}

static void test_a_url_over_the_limit_is_refused(void **state)
{
    char value[CLIENT_URL_MAX];
    (void)state;
    memset(value, 'a', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    const struct client_pair query[] = {{"q", value}, {NULL, NULL}};
    assert_null(client_url("https://h", "/x", query));
}

static void test_only_https_without_path_or_user_is_a_server(void **state)
{
    static const struct {
        const char *name, *server;
        bool valid;
    } row[] = {
        {"host", "https://moult.example.com", true},
        {"port", "https://127.0.0.1:8443", true},
        {"slash at the end", "https://[::1]:8443/", true},
        {"plain http would show the token", "http://host", false},
        {"path", "https://host/api", false},
        {"user", "https://user@host", false},
        {"no host", "https://", false},
        {"space", "https://a b", false},
        {"nothing", "", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        if (client_server_is_valid(row[i].server) != row[i].valid) {
            fail_msg("%s", row[i].name);
        }
    }
}

static void test_pauses_double_spread_and_end_at_the_limit(void **state)
{
    (void)state;
    assert_int_equal(client_pause_ms(1, 0, 0), 100);   /* half of the first */
    assert_int_equal(client_pause_ms(1, 199, 0), 299); /* one and a half times */
    assert_int_equal(client_pause_ms(2, 0, 0), 200);
    assert_int_equal(client_pause_ms(3, 0, 0), 400);
    assert_int_equal(client_pause_ms(1, 0, 3), 3000); /* Retry-After is obeyed */
    assert_int_equal(client_pause_ms(1, 0, 86400), CLIENT_PAUSE_MAX_MS); /* within reason */
    assert_int_equal(client_pause_ms(1000, UINT32_MAX, UINT64_MAX), CLIENT_PAUSE_MAX_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_query_is_percent_encoded_and_empty_values_are_left_out),
        cmocka_unit_test(test_a_url_over_the_limit_is_refused),
        cmocka_unit_test(test_only_https_without_path_or_user_is_a_server),
        cmocka_unit_test(test_pauses_double_spread_and_end_at_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
