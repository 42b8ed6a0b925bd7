/* device_table_test.c - many devices, found by key and by name, from many threads. */
#include "server/control/device_table.h"
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include "formats/bytes.h"
#include "tests/support/unit.h"

enum { MANY = 20000, THREADS = 4 };

static struct device_durable device_of(uint32_t n)
{
    struct device_durable d = {.num = (int64_t)n + 1, .state = 2};
    put_be64(d.spki, n * 0x9e3779b97f4a7c15u);
    put_be32(d.spki + 28, n);
    put_be64(d.id, n * 0xbf58476d1ce4e5b9u);
    put_be32(d.id + 12, n);
    return d;
}

static void test_every_device_is_found_both_ways(void **state)
{
    (void)state;
    struct device_table *table = device_table_create(MANY);
    assert_non_null(table);
    for (uint32_t n = 0; n < MANY; n++) {
        struct device_durable d = device_of(n);
        assert_true(device_table_put(table, &d, NULL));
    }
    for (uint32_t n = 0; n < MANY; n++) {
        struct device_durable d = device_of(n), found;
        assert_int_equal(device_table_find_spki(table, d.spki), n);
        assert_int_equal(device_table_find_id(table, d.id), n);
        assert_int_equal(device_table_find_num(table, d.num), n);
        device_table_get(table, n, &found, NULL);
        assert_memory_equal(found.id, d.id, 16);
    }
    struct device_durable stranger = device_of(MANY);
    assert_int_equal(device_table_find_spki(table, stranger.spki), DEVICE_NONE);
    assert_int_equal(device_table_find_id(table, stranger.id), DEVICE_NONE);
    assert_int_equal(device_table_find_num(table, stranger.num), DEVICE_NONE);
    assert_false(device_table_put(table, &stranger, NULL)); /* full */
    assert_int_equal(device_table_state_count(table, 2), MANY);
    device_table_destroy(table);
}

static void test_a_new_key_moves_and_a_removed_device_is_gone(void **state)
{
    (void)state;
    struct device_table *table = device_table_create(10);
    struct device_durable a = device_of(1), b = device_of(2);
    assert_true(device_table_put(table, &a, NULL));
    assert_true(device_table_put(table, &b, NULL));
    struct device_durable renewed = a;
    renewed.spki[0] ^= 1;
    renewed.state = 4;
    assert_true(device_table_put(table, &renewed, NULL));
    assert_int_equal(device_table_find_spki(table, a.spki), DEVICE_NONE);
    assert_int_equal(device_table_find_spki(table, renewed.spki), 0);
    assert_int_equal(device_table_state_count(table, 2), 1);
    assert_int_equal(device_table_state_count(table, 4), 1);
    device_table_remove(table, b.num);
    assert_int_equal(device_table_find_spki(table, b.spki), DEVICE_NONE);
    assert_int_equal(device_table_find_id(table, b.id), DEVICE_NONE);
    assert_int_equal(device_table_state_count(table, 2), 0);
    assert_int_equal(device_table_find_id(table, a.id), 0);
    device_table_destroy(table);
}

static void test_only_changed_devices_are_collected_in_order(void **state)
{
    (void)state;
    struct device_table *table = device_table_create(100);
    uint32_t found[100], next = 0;
    for (uint32_t n = 0; n < 100; n++) {
        struct device_durable d = device_of(n);
        assert_true(device_table_put(table, &d, NULL));
    }
    struct device_seen seen = {.now_ms = 1000, .next_s = 60, .address = "192.0.2.1"};
    device_table_seen(table, 70, &seen);
    device_table_seen(table, 7, &seen);
    device_table_seen(table, 42, &seen);
    assert_int_equal(device_table_collect(table, 0, found, 2, &next), 2);
    assert_int_equal(found[0], 7);
    assert_int_equal(found[1], 42);
    assert_int_equal(device_table_collect(table, next, found, 2, &next), 1);
    assert_int_equal(found[0], 70);
    assert_int_equal(next, 100);
    assert_int_equal(device_table_collect(table, 0, found, 100, &next), 0);
    device_table_mark(table, 42);
    assert_int_equal(device_table_collect(table, 0, found, 100, &next), 1);
    device_table_destroy(table);
}

static void test_gaps_make_the_rhythm_unless_they_are_odd(void **state)
{
    (void)state;
    struct device_table *table = device_table_create(1);
    struct device_durable d = device_of(0);
    assert_true(device_table_put(table, &d, NULL));
    struct device_seen seen = {.now_ms = 1000000, .next_s = 1};
    device_table_seen(table, 0, &seen); /* the first: no gap */
    for (int i = 0; i < 8; i++) {
        seen.now_ms += 300000;
        device_table_seen(table, 0, &seen);
    }
    struct device_live live;
    device_table_get(table, 0, NULL, &live);
    assert_int_equal(rhythm_s(&live.rhythm, 1, 99999), 512);
    seen.is_gap_odd = true;
    for (int i = 0; i < 50; i++) {
        seen.now_ms += 3000000;
        device_table_seen(table, 0, &seen);
    }
    device_table_get(table, 0, NULL, &live);
    assert_int_equal(rhythm_s(&live.rhythm, 1, 99999), 512);
    seen.now_ms = 5; /* the clock was set back: no gap at all */
    seen.is_gap_odd = false;
    device_table_seen(table, 0, &seen);
    device_table_get(table, 0, NULL, &live);
    assert_int_equal(rhythm_s(&live.rhythm, 1, 99999), 512);
    device_table_destroy(table);
}

static void test_counters_only_rise(void **state)
{
    (void)state;
    struct device_table *table = device_table_create(1);
    struct device_durable d = device_of(0);
    assert_true(device_table_put(table, &d, NULL));
    assert_int_equal(device_table_next_counter(table, 0, 0, 0, 1000), 1000);
    assert_int_equal(device_table_next_counter(table, 0, 0, 0, 1000), 1001);
    assert_int_equal(device_table_next_counter(table, 0, 5000, 0, 1000), 5001);
    assert_int_equal(device_table_next_counter(table, 0, 0, 9000, 1000), 9001);
    assert_int_equal(device_table_next_counter(table, 0, 0, 0, -5), 9002);
    assert_int_equal(device_table_next_wake(table, 0, 100), 100);
    assert_int_equal(device_table_next_wake(table, 0, 50), 101);
    device_table_destroy(table);
}

/* --- threads -------------------------------------------------------------------------- */

struct hammer {
    struct device_table *table;
    _Atomic bool is_over;
    _Atomic uint64_t hits;
};

static void *read_all(void *context)
{
    struct hammer *h = context;
    uint32_t n = 0;
    while (!atomic_load(&h->is_over)) {
        struct device_durable d = device_of(n++ % 5000), found;
        uint32_t index = device_table_find_spki(h->table, d.spki);
        if (index == DEVICE_NONE) { continue; }
        device_table_get(h->table, index, &found, NULL);
        if (memcmp(found.spki, d.spki, 32) == 0) { atomic_fetch_add(&h->hits, 1); }
        struct device_seen seen = {.now_ms = n, .next_s = 1, .address = "192.0.2.1"};
        device_table_seen(h->table, index, &seen);
    }
    return NULL;
}

static void test_readers_and_the_writer_do_not_disturb_each_other(void **state)
{
    (void)state;
    struct hammer h = {.table = device_table_create(5000)};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, read_all, &h), 0);
    }
    for (uint32_t n = 0; n < 5000; n++) {
        struct device_durable d = device_of(n);
        assert_true(device_table_put(h.table, &d, NULL));
        d.state = 4;
        assert_true(device_table_put(h.table, &d, NULL));
    }
    while (atomic_load(&h.hits) < 1000) {}
    atomic_store(&h.is_over, true);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(device_table_state_count(h.table, 4), 5000);
    device_table_destroy(h.table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_device_is_found_both_ways),
        cmocka_unit_test(test_a_new_key_moves_and_a_removed_device_is_gone),
        cmocka_unit_test(test_only_changed_devices_are_collected_in_order),
        cmocka_unit_test(test_gaps_make_the_rhythm_unless_they_are_odd),
        cmocka_unit_test(test_counters_only_rise),
        cmocka_unit_test(test_readers_and_the_writer_do_not_disturb_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
