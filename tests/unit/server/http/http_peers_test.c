/* http_peers_test.c - counting connections by address. */
#include <arpa/inet.h>
#include <string.h>
#include "server/base/mem.h"
#include "server/http/http_peers.h"
#include "tests/support/unit.h"

static struct http_address at(const char *text)
{
    struct sockaddr_storage storage = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&storage;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        storage.ss_family = AF_INET;
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
        storage.ss_family = AF_INET6;
    }
    return http_address_of(&storage);
}

static void test_addresses_are_shown_as_people_write_them(void **state)
{
    (void)state; /* cmocka's signature */
    static const char *const rows[][2] = {{"192.0.2.1", "192.0.2.1"},
                                          {"::ffff:192.0.2.1", "192.0.2.1"},
                                          {"2001:db8::1", "2001:db8::1"}};
    for (int i = 0; i < 3; i++) {
        char text[HTTP_PEER_SIZE];
        struct http_address address = at(rows[i][0]);
        http_address_text(&address, text);
        assert_string_equal(text, rows[i][1]);
    }
}

static void test_one_address_is_an_ipv4_address_or_a_64(void **state)
{
    (void)state;
    struct http_peers *peers = NULL;
    assert_int_equal(http_peers_create(100, 2, &peers), MOULT_OK);
    static const struct {
        const char *address;
        enum http_admission admission;
    } rows[] = {
        {"192.0.2.1", HTTP_PEER_ADMITTED},
        {"::ffff:192.0.2.1", HTTP_PEER_ADMITTED},
        {"192.0.2.1", HTTP_PEER_TOO_MANY_OF_IT},
        {"192.0.2.2", HTTP_PEER_ADMITTED},
        {"2001:db8::1", HTTP_PEER_ADMITTED},
        {"2001:db8::2", HTTP_PEER_ADMITTED},
        {"2001:db8::ffff:0:0:3", HTTP_PEER_TOO_MANY_OF_IT},
        {"2001:db8:0:1::1", HTTP_PEER_ADMITTED},
        {"c000:201::", HTTP_PEER_ADMITTED}, /* the same first bytes as 192.0.2.1 */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_address address = at(rows[i].address);
        assert_int_equal(http_peers_add(peers, &address), rows[i].admission);
    }
    struct http_address again = at("192.0.2.1");
    http_peers_remove(peers, &again);
    assert_int_equal(http_peers_add(peers, &again), HTTP_PEER_ADMITTED);
    http_peers_destroy(peers);
}

static void test_entries_are_used_again(void **state)
{
    (void)state;
    enum { MOST = 50 };
    struct http_peers *peers = NULL;
    struct http_address address[MOST];
    assert_int_equal(http_peers_create(MOST, 10, &peers), MOULT_OK);
    for (uint32_t round = 0; round < 200; round++) {
        for (uint32_t i = 0; i < MOST; i++) {
            struct http_address a = {.family = 4};
            uint32_t number = htonl(round * 7919u + i * 65537u);
            memcpy(a.bytes, &number, 4);
            address[i] = a;
            assert_int_equal(http_peers_add(peers, &a), HTTP_PEER_ADMITTED);
        }
        struct http_address more = {.family = 4, .bytes = {255}};
        assert_int_equal(http_peers_add(peers, &more), HTTP_PEER_TOO_MANY);
        assert_int_equal(http_peers_count(peers), MOST);
        for (uint32_t i = 0; i < MOST; i++) { /* in another order */
            http_peers_remove(peers, &address[(i * 7 + round) % MOST]);
        }
        assert_int_equal(http_peers_count(peers), 0);
    }
    http_peers_destroy(peers);
}

static void test_no_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    struct mem_stats before, after;
    mem_stats_get(&before);
    for (uint64_t nth = 1; nth <= 3; nth++) {
        struct http_peers *peers = NULL;
        mem_fail_at(nth);
        enum moult_status st = http_peers_create(10, 10, &peers);
        mem_fail_at(0);
        assert_int_equal(st, MOULT_E_NOMEM);
    }
    mem_stats_get(&after);
    assert_int_equal(after.live_bytes, before.live_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_are_shown_as_people_write_them),
        cmocka_unit_test(test_one_address_is_an_ipv4_address_or_a_64),
        cmocka_unit_test(test_entries_are_used_again),
        cmocka_unit_test(test_no_memory_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
