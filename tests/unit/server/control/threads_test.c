/* threads_test.c - devices, operators and updates at the same time; meant for
 * ThreadSanitizer. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include "tests/support/unit.h"
#include "tests/unit/server/control/support_world.h"

enum { FLEET = 40, IDLE = 20, THREADS = 2 };

static struct world_release v100, v110;

struct crowd {
    struct world *w;
    unsigned first; /* of its own IDLE devices */
    _Atomic bool *is_over;
    unsigned checkins, lists;
};

static void *check_in(void *context)
{
    struct crowd *crowd = context;
    while (!atomic_load(crowd->is_over)) {
        struct toy *toy = &crowd->w->toys[crowd->first + crowd->checkins % IDLE];
        if (world_checkin(crowd->w, toy, NULL, 0).status == 200) { crowd->checkins++; }
    }
    return NULL;
}

struct reading {
    struct crowd *crowd;
    json_t *reply;
};

static enum moult_status read_all(struct store_db *db, void *context)
{
    struct reading *reading = context;
    struct control_problem problem;
    struct control_call call = {.control = reading->crowd->w->control,
                                .db = db,
                                .now_ms = world_now(reading->crowd->w),
                                .actor = {.name = "reader"},
                                .problem = &problem};
    struct control_device_filter filter = {.selector = "state = accepted"};
    struct control_page page = {0};
    json_t *rollouts = NULL, *why = NULL;
    enum moult_status st = control_device_list(&call, &filter, &page, &reading->reply);
    if (st == MOULT_OK) { st = control_rollout_list(&call, NULL, &page, &rollouts); }
    if (st == MOULT_OK) {
        st = control_why(&call, world_text(reading->reply, "items.0.id"), NULL, &why);
    }
    json_decref(rollouts);
    json_decref(why);
    return st;
}

static void *look(void *context)
{
    struct crowd *crowd = context;
    struct control_wake wakes[64];
    while (!atomic_load(crowd->is_over)) {
        struct reading reading = {.crowd = crowd};
        if (store_read_wait(crowd->w->store, "api", read_all, &reading) == MOULT_OK) {
            crowd->lists++;
        }
        json_decref(reading.reply);
        control_wakes_take(crowd->w->control, wakes, 64, crowd->lists * 1000u);
        control_wakes_again(crowd->w->control);
    }
    return NULL;
}

static void test_idle_devices_readers_and_a_rollout_at_once(void **state)
{
    (void)state;
    struct world *w = world_open(NULL);
    world_release(w, "1.0.0", 100, &v100);
    world_release(w, "1.1.0", 110, &v110);
    world_toys(w, FLEET + THREADS * IDLE, &v100);
    _Atomic bool is_over = false;
    struct crowd crowds[THREADS + 1];
    pthread_t threads[THREADS + 1];
    for (int i = 0; i <= THREADS; i++) {
        crowds[i] = (struct crowd){
            .w = w, .first = FLEET + IDLE * (unsigned)i, .is_over = &is_over};
        assert_int_equal(
            pthread_create(&threads[i], NULL, i < THREADS ? check_in : look, &crowds[i]),
            0);
    }
    for (int round = 0; round < 3; round++) {
        char body[200];
        snprintf(body, sizeof body,
                 "{\"name\":\"r%d\",\"release\":\"1.1.0\",\"phases\":[{\"percent\":30,"
                 "\"soak_s\":0},{\"rest\":true,\"soak_s\":0}]}",
                 round);
        json_decref(world_rollout(w, body, false));
        for (unsigned i = 0; i < FLEET; i++) {
            world_update(w, &w->toys[i], &v110, (i + (unsigned)round) % 7 != 0);
        }
        world_tick(w);
        char name[16];
        snprintf(name, sizeof name, "r%d", round);
        json_decref(world_verb(w, name, "abort"));
    }
    atomic_store(&is_over, true);
    for (int i = 0; i <= THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_true(crowds[0].checkins > 20 && crowds[THREADS].lists > 3);
    assert_true(world_recounts(w));
    world_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_devices_readers_and_a_rollout_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
