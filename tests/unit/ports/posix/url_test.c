/* url_test.c - https URLs and broker addresses are taken apart, or refused. */
#include "ports/posix/url.h"
#include <string.h>
#include "tests/support/check.h"

static void test_urls_of_https(void)
{
    static const struct {
        const char *text, *host, *path;
        uint16_t port;
        bool is_ipv6;
    } rows[] = {
        {"https://moult.example", "moult.example", "", 443, false},
        {"https://moult.example/", "moult.example", "/", 443, false},
        {"https://10.0.0.1:8443/a?b=c", "10.0.0.1", "/a?b=c", 8443, false},
        {"https://[::1]:1/x", "::1", "/x", 1, true},
        {"https://a_b-c.d:65535", "a_b-c.d", "", 65535, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct moult_url url;
        check_row(rows[i].text);
        check_equal(moult_url_parse(rows[i].text, &url), MOULT_OK);
        check(strcmp(url.host, rows[i].host) == 0);
        check(strcmp(url.path, rows[i].path) == 0);
        check_equal(url.port, rows[i].port);
        check_equal(url.is_ipv6, rows[i].is_ipv6);
    }
    check_row(NULL);
}

static void test_what_is_no_https_url(void)
{
    static const char *const rows[] = {
        "",
        "http://a",
        "HTTPS://a",
        "https:/a",
        "https://",
        "https://:443",
        "https://a:",
        "https://a:0",
        "https://a:65536",
        "https://a:1x",
        "https://user@a",
        "https://a b",
        "https://a/ b",
        "https://a/#b",
        "https://a/\x7f",
        "https://[::1",
        "https://[]/",
        "https://[::1]x",
        "https://a?b",
        "https://a:99999999999999999999",
    };
    struct moult_url url;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(rows[i]);
        check_equal(moult_url_parse(rows[i], &url), MOULT_E_FORMAT);
    }
    check_row(NULL);
    char text[8 + 300] = "https://";
    memset(text + 8, 'a', 253);
    check_equal(moult_url_parse(text, &url), MOULT_OK);
    memset(text + 8, 'a', 254);
    check_equal(moult_url_parse(text, &url), MOULT_E_FORMAT);
}

static void test_addresses_of_a_broker(void)
{
    struct moult_url url;
    check_equal(moult_host_parse("127.0.0.1:8883", &url), MOULT_OK);
    check(strcmp(url.host, "127.0.0.1") == 0);
    check_equal(url.port, 8883);
    check_equal(moult_host_parse("[::1]:8883", &url), MOULT_OK);
    check(strcmp(url.host, "::1") == 0);
    check_equal(moult_host_parse("broker", &url), MOULT_OK);
    check_equal(url.port, 0);
    check_equal(moult_host_parse("broker:1/x", &url), MOULT_E_FORMAT);
    check_equal(moult_host_parse("mqtts://broker", &url), MOULT_E_FORMAT);
    check_equal(moult_host_parse("", &url), MOULT_E_FORMAT);
}

int main(void)
{
    check_run(test_urls_of_https);
    check_run(test_what_is_no_https_url);
    check_run(test_addresses_of_a_broker);
    return check_report();
}
