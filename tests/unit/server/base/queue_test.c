/* queue_test.c - order, bounds, wake-ups, and many writers at once. */
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include "server/base/mem.h"
#include "server/base/queue.h"
#include "tests/support/unit.h"

static bool is_readable(const struct queue *queue)
{
    struct pollfd wait = {.fd = queue_fd(queue), .events = POLLIN};
    return poll(&wait, 1, 0) == 1;
}

static void test_items_come_out_in_order_and_a_full_queue_says_busy(void **state)
{
    (void)state; /* cmocka's signature */
    struct queue queue;
    assert_int_equal(queue_init(&queue, sizeof(int), 3), MOULT_OK);
    int out = -1;
    assert_int_equal(queue_pop(&queue, &out), MOULT_E_NOENT);
    for (int round = 0; round < 5; round++) { /* the ring turns over */
        for (int i = 0; i < 3; i++) {
            assert_int_equal(queue_push(&queue, &i), MOULT_OK);
        }
        int more = 9;
        assert_int_equal(queue_push(&queue, &more), MOULT_E_BUSY);
        assert_int_equal(queue_count(&queue), 3);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(queue_pop(&queue, &out), MOULT_OK);
            assert_int_equal(out, i);
        }
    }
    queue_release(&queue);
}

static void test_the_event_is_up_exactly_while_there_is_something(void **state)
{
    (void)state;
    struct queue queue;
    int item = 1, out;
    assert_int_equal(queue_init(&queue, sizeof(int), 4), MOULT_OK);
    assert_false(is_readable(&queue));
    assert_int_equal(queue_push(&queue, &item), MOULT_OK);
    assert_int_equal(queue_push(&queue, &item), MOULT_OK);
    assert_true(is_readable(&queue));
    assert_int_equal(queue_pop(&queue, &out), MOULT_OK);
    assert_true(is_readable(&queue));
    assert_int_equal(queue_pop(&queue, &out), MOULT_OK);
    assert_false(is_readable(&queue));
    queue_release(&queue);
}

static void test_a_closed_queue_can_be_emptied_but_not_filled(void **state)
{
    (void)state;
    struct queue queue;
    int item = 7, out = 0;
    assert_int_equal(queue_init(&queue, sizeof(int), 4), MOULT_OK);
    assert_int_equal(queue_push(&queue, &item), MOULT_OK);
    queue_close(&queue);
    assert_int_equal(queue_push(&queue, &item), MOULT_E_STATE);
    queue_wait(&queue, -1); /* returns at once, now and for ever */
    assert_int_equal(queue_pop(&queue, &out), MOULT_OK);
    assert_int_equal(out, 7);
    assert_int_equal(queue_pop(&queue, &out), MOULT_E_STATE);
    assert_true(is_readable(&queue));
    queue_release(&queue);
}

enum { WRITERS = 4, PER_WRITER = 2000 };

struct writer {
    struct queue *queue;
    uint32_t number;
    pthread_t thread;
};

static void *write_all(void *context)
{
    struct writer *writer = context;
    for (uint32_t i = 0; i < PER_WRITER;) {
        uint32_t item = writer->number * 65536u + i;
        if (queue_push(writer->queue, &item) == MOULT_OK) {
            i++;
        } else {
            poll(NULL, 0, 1); /* full: let the reader work */
        }
    }
    return NULL;
}

static void test_many_writers_lose_nothing_and_keep_their_own_order(void **state)
{
    (void)state;
    struct queue queue;
    struct writer writers[WRITERS];
    uint32_t next[WRITERS] = {0};
    assert_int_equal(queue_init(&queue, sizeof(uint32_t), 16), MOULT_OK);
    for (uint32_t i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.queue = &queue, .number = i};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_all, &writers[i]),
                         0);
    }
    for (int taken = 0; taken < WRITERS * PER_WRITER;) {
        queue_wait(&queue, -1);
        uint32_t item;
        while (queue_pop(&queue, &item) == MOULT_OK) {
            assert_int_equal(item % 65536u, next[item / 65536u]++);
            taken++;
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
    }
    queue_release(&queue);
}

static void test_no_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    struct mem_stats before, after;
    struct queue queue;
    mem_stats_get(&before);
    mem_fail_at(1);
    enum moult_status st = queue_init(&queue, 8, 8);
    mem_fail_at(0);
    assert_int_equal(st, MOULT_E_NOMEM);
    mem_stats_get(&after);
    assert_int_equal(after.live_bytes, before.live_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items_come_out_in_order_and_a_full_queue_says_busy),
        cmocka_unit_test(test_the_event_is_up_exactly_while_there_is_something),
        cmocka_unit_test(test_a_closed_queue_can_be_emptied_but_not_filled),
        cmocka_unit_test(test_many_writers_lose_nothing_and_keep_their_own_order),
        cmocka_unit_test(test_no_memory_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
