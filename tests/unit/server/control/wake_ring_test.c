/* wake_ring_test.c - server/control/wake_ring.c: order, one wake per device, bounds, rate.
 * */
#include "server/control/wake_ring.h"
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include "formats/bytes.h"
#include "tests/support/unit.h"

static struct wake_ring ring;

static void open_ring(uint32_t per_s)
{
    assert_int_equal(wake_ring_init(&ring, per_s), MOULT_OK);
}

/* Four devices each begin alike: they meet in the same places of the index. */
static struct control_wake wake_of(uint32_t device, uint64_t seq)
{
    struct control_wake wake = {.seq = seq, .spread_s = device};
    put_le32(wake.device_id, device / 4u * 2654435761u);
    put_le32(wake.device_id + 12, device);
    return wake;
}

static bool push(uint32_t device, uint64_t seq)
{
    struct control_wake wake = wake_of(device, seq);
    return wake_ring_push(&ring, &wake);
}

/* Takes up to `max` with a full second of credit. */
static size_t take(struct control_wake *out, size_t max)
{
    static uint64_t now_ms = 1000;
    now_ms += 1000;
    return wake_ring_take(&ring, out, max, now_ms);
}

static bool is_readable(void)
{
    struct pollfd wait = {.fd = ring.event_fd, .events = POLLIN};
    return poll(&wait, 1, 0) == 1;
}

static void test_wakes_come_out_oldest_first(void **state)
{
    (void)state; /* cmocka's signature */
    struct control_wake out[10];
    open_ring(1000);
    for (uint32_t i = 0; i < 7; i++) {
        assert_true(push(i, 100 + i));
    }
    assert_int_equal(take(out, 5), 5);
    assert_int_equal(take(out + 5, 5), 2);
    for (uint32_t i = 0; i < 7; i++) {
        assert_int_equal(out[i].spread_s, i);
        assert_int_equal(out[i].seq, 100 + i);
    }
    assert_int_equal(take(out, 5), 0);
    wake_ring_release(&ring);
}

static void
test_the_newest_wake_of_a_device_takes_the_place_of_the_one_that_waits(void **state)
{
    (void)state;
    struct control_wake out[10];
    open_ring(1000);
    push(1, 10);
    push(2, 20);
    push(3, 30);
    struct control_wake clear = wake_of(2, 21);
    clear.is_clear = true;
    assert_true(wake_ring_push(&ring, &clear));
    push(1, 11);
    assert_int_equal(take(out, 10), 3);
    assert_int_equal(out[0].seq, 11);
    assert_int_equal(out[1].seq, 21);
    assert_true(out[1].is_clear);
    assert_int_equal(out[2].seq, 30);

    push(1, 12); /* what was taken is taken: this one is new, and last */
    assert_int_equal(take(out, 10), 1);
    assert_int_equal(out[0].seq, 12);
    assert_int_equal(ring.dropped, 0);
    wake_ring_release(&ring);
}

static void test_a_full_ring_drops_counts_and_still_replaces(void **state)
{
    (void)state;
    struct control_wake out[2];
    open_ring(WAKES_MAX);
    for (uint32_t i = 0; i < WAKES_MAX; i++) {
        struct control_wake wake = {.seq = i, .spread_s = i};
        put_le32(wake.device_id, i);
        assert_true(wake_ring_push(&ring, &wake));
    }
    struct control_wake wake = {.seq = 1};
    put_le32(wake.device_id, WAKES_MAX);
    assert_false(wake_ring_push(&ring, &wake));
    assert_false(wake_ring_push(&ring, &wake));
    assert_int_equal(ring.dropped, 2);
    put_le32(wake.device_id, WAKES_MAX - 1); /* one that waits */
    assert_true(wake_ring_push(&ring, &wake));
    assert_int_equal(take(out, 2), 2);
    assert_int_equal(out[0].spread_s, 0);
    put_le32(wake.device_id, WAKES_MAX); /* there is room again */
    assert_true(wake_ring_push(&ring, &wake));
    assert_int_equal(ring.dropped, 2);
    wake_ring_release(&ring);
}

static void test_no_more_than_the_rate_is_taken(void **state)
{
    (void)state;
    static struct control_wake out[100];
    open_ring(20);
    for (uint32_t i = 0; i < 100; i++) {
        push(i, i);
    }
    uint64_t now_ms = 500000;
    assert_int_equal(wake_ring_take(&ring, out, 100, now_ms), 20); /* a second's worth */
    assert_int_equal(wake_ring_take(&ring, out, 100, now_ms), 0);
    assert_int_equal(wake_ring_take(&ring, out, 100, now_ms + 49), 0);
    assert_int_equal(wake_ring_take(&ring, out, 100, now_ms + 50), 1);
    assert_int_equal(wake_ring_take(&ring, out, 100, now_ms + 500), 9);
    now_ms += 100000;
    assert_int_equal(wake_ring_take(&ring, out, 5, now_ms), 5);
    now_ms += 100000;
    assert_int_equal(wake_ring_take(&ring, out, 100, now_ms), 20); /* no saving up */
    size_t count = 0;
    for (unsigned i = 1; i <= 250; i++) { /* asked often, it is as many */
        count += wake_ring_take(&ring, out, 100, now_ms + i * 7);
    }
    assert_int_equal(count, 35);
    wake_ring_release(&ring);
}

static void test_the_event_is_up_while_something_waits(void **state)
{
    (void)state;
    struct control_wake out[10];
    open_ring(2);
    assert_false(is_readable());
    push(1, 1);
    push(2, 2);
    push(3, 3);
    assert_true(is_readable());
    assert_int_equal(take(out, 10), 2); /* the rate holds one back */
    assert_true(is_readable());
    assert_int_equal(take(out, 10), 1);
    assert_false(is_readable());
    push(1, 4);
    assert_true(is_readable());
    assert_int_equal(take(out, 10), 1);
    assert_false(is_readable());
    wake_ring_release(&ring);
}

static void test_an_index_that_was_swept_still_finds_what_waits(void **state)
{
    (void)state;
    static struct control_wake out[100];
    open_ring(1000);
    for (uint32_t i = 0; i < 50; i++) {
        push(i, i);
    }
    ring.used =
        2 * WAKES_MAX; /* as after that many wakes without a pause: swept next time */
    push(50, 50);
    assert_int_equal(ring.used, 51);
    for (uint32_t i = 0; i <= 50; i++) {
        push(i, 100 + i);
    }
    assert_int_equal(take(out, 100), 51);
    for (uint32_t i = 0; i <= 50; i++) {
        assert_int_equal(out[i].spread_s, i);
        assert_int_equal(out[i].seq, 100 + i);
    }
    wake_ring_release(&ring);
}

/* --- against a list ------------------------------------------------------------------- */

enum { MODEL_WAITING_MAX = 16 };

static struct {
    uint32_t device[MODEL_WAITING_MAX];
    uint64_t seq[MODEL_WAITING_MAX];
    size_t count;
} model;

static void model_push(uint32_t device, uint64_t seq)
{
    for (size_t i = 0; i < model.count; i++) {
        if (model.device[i] == device) {
            model.seq[i] = seq;
            return;
        }
    }
    assert_true(model.count < MODEL_WAITING_MAX);
    model.device[model.count] = device;
    model.seq[model.count++] = seq;
}

static void model_take(const struct control_wake *got, size_t count)
{
    assert_true(count <= model.count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(got[i].spread_s, model.device[i]);
        assert_int_equal(got[i].seq, model.seq[i]);
    }
    model.count -= count;
    memmove(model.device, model.device + count, model.count * sizeof model.device[0]);
    memmove(model.seq, model.seq + count, model.count * sizeof model.seq[0]);
}

/* Long enough for the index to fill up twice, if it were not swept, and never empty. */
static void test_it_does_what_a_list_would_do(void **state)
{
    (void)state;
    struct control_wake out[8];
    uint32_t random = 12345;
    open_ring(1000000);
    model.count = 0;
    for (uint64_t step = 0; step < 600000; step++) {
        random = random * 1664525u + 1013904223u;
        uint32_t device = (random >> 8) % 5000u;
        if (random >> 30 == 0 && model.count > 0) { /* once more one that waits */
            device = model.device[device % model.count];
        }
        assert_true(push(device, step));
        model_push(device, step);
        if (model.count < 10) { continue; }
        size_t most = (random >> 20) % 8u + 1u;
        assert_int_equal(wake_ring_take(&ring, out, most, 1000 + step), most);
        model_take(out, most);
    }
    assert_int_equal(ring.dropped, 0);
    wake_ring_release(&ring);
}

/* --- from two threads ----------------------------------------------------------------- */

enum { PUSHED = 1000 };
static _Atomic unsigned taken;

/* Each push meets an empty ring and a reader who is just looking. */
static void *push_many(void *context)
{
    (void)context;
    for (uint32_t i = 0; i < PUSHED; i++) {
        while (atomic_load(&taken) < i) {
            sched_yield();
        }
        push(i % 5u, i);
    }
    return NULL;
}

static void test_the_event_is_never_left_up_by_a_race(void **state)
{
    (void)state;
    pthread_t thread;
    struct control_wake out;
    uint64_t now_ms = 1000;
    open_ring(1000000);
    atomic_store(&taken, 0);
    assert_int_equal(pthread_create(&thread, NULL, push_many, NULL), 0);
    unsigned left_up = 0, wrong = 0;
    while (atomic_load(&taken) < PUSHED) {
        if (wake_ring_take(&ring, &out, 1, now_ms++) == 0) { continue; }
        /* Up although nothing waits: the publisher would turn round and round. */
        pthread_mutex_lock(&ring.lock);
        left_up += is_readable();
        pthread_mutex_unlock(&ring.lock);
        wrong += out.seq != atomic_load(&taken);
        atomic_fetch_add(&taken, 1);
    }
    pthread_join(thread, NULL);
    assert_int_equal(left_up, 0);
    assert_int_equal(wrong, 0);
    wake_ring_release(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wakes_come_out_oldest_first),
        cmocka_unit_test(
            test_the_newest_wake_of_a_device_takes_the_place_of_the_one_that_waits),
        cmocka_unit_test(test_a_full_ring_drops_counts_and_still_replaces),
        cmocka_unit_test(test_no_more_than_the_rate_is_taken),
        cmocka_unit_test(test_the_event_is_up_while_something_waits),
        cmocka_unit_test(test_an_index_that_was_swept_still_finds_what_waits),
        cmocka_unit_test(test_it_does_what_a_list_would_do),
        cmocka_unit_test(test_the_event_is_never_left_up_by_a_race),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
