/* health_test.c - device/src/health_*.c: the supplied checks, on a trial of their own. */
#include "moult/health.h"
#include <string.h>
#include "formats/codes.h"
#include "tests/support/check.h"
#include "tests/support/update_server.h"
#include "tests/support/update_world.h"

static struct world w, fresh;

static struct moult_link_check link_up;
static uint32_t link_deadline_ms;
static struct moult_heap_check heap;
static struct moult_tasks_check tasks;
static struct moult_task *meter, *radio;

/* What the checks look at. */
static struct {
    bool is_up;
    uint64_t up_ms; /* since boot; the link comes then */
    uint32_t free_heap, largest_block;
    uint32_t leak; /* bytes less at each look */
    uint64_t meter_every_ms, meter_ends_ms, next_ms;
    bool is_radio_dead;
} app;

static bool is_link_up(void *context)
{
    (void)context;
    return app.is_up;
}

static uint32_t free_heap(void *context)
{
    (void)context;
    app.free_heap -= app.leak;
    return app.free_heap;
}

static uint32_t largest_block(void *context)
{
    (void)context;
    return app.largest_block;
}

static void rewire(struct world *world)
{
    world->port.free_heap = free_heap;
    world->port.largest_block = largest_block;
}

static void add_link(struct world *world)
{
    link_up = (struct moult_link_check){is_link_up, NULL};
    check_equal(moult_health_add_link(&world->session, &link_up, link_deadline_ms),
                MOULT_OK);
}

static void add_heap(struct world *world)
{
    heap = (struct moult_heap_check){.free_min = 20000, .block_min = 8000};
    check_equal(moult_health_add_heap(&world->session, &heap, 0), MOULT_OK);
}

static void add_tasks(struct world *world)
{
    tasks = (struct moult_tasks_check){.hold_ms = 20000};
    check_equal(moult_task_add(&tasks, "meter", 2000, &meter), MOULT_OK);
    check_equal(moult_task_add(&tasks, "radio", 5000, &radio), MOULT_OK);
    check_equal(moult_health_add_tasks(&world->session, &tasks, 0), MOULT_OK);
    app.next_ms = 0;
}

static void begin(void (*add)(struct world *))
{
    world_copy(&w, &fresh);
    memset(&app, 0, sizeof app);
    app.is_up = true;
    link_deadline_ms = 30000;
    app.free_heap = 30000;
    app.largest_block = 10000;
    app.meter_every_ms = 1000;
    app.meter_ends_ms = UINT64_MAX;
    w.rewire = rewire;
    w.begun = add;
}

/* The application's tasks run beside the engine. */
static void run_tasks(void)
{
    if (!meter || !moult_on_trial(&w.session)) { return; }
    if (w.now_ms >= app.next_ms && w.now_ms < app.meter_ends_ms) {
        moult_task_kick(meter);
        app.next_ms = w.now_ms + app.meter_every_ms;
    }
    if (!app.is_radio_dead) { moult_task_kick(radio); }
}

static bool ends(void)
{
    if (!world_boot(&w, MOULT_RESET_POWER_ON)) { return false; }
    for (unsigned i = 0; i < WORLD_STEPS_MAX; i++) {
        bool is_over = world_count(&w, MOULT_REPORT_CONFIRMED) > 0 ||
                       world_count(&w, MOULT_REPORT_ROLLED_BACK) > 0;
        if (is_over) { return true; }
        run_tasks();
        if (app.up_ms != 0 && w.now_ms > app.up_ms) { app.is_up = true; }
        if (!world_step(&w)) { return false; }
    }
    return false;
}

static bool is_blamed(const char *text, uint16_t reason)
{
    const struct world_report *report = world_report_of(&w, MOULT_REPORT_ROLLED_BACK);
    return report && report->detail == MOULT_D_SELFTEST && report->reason == reason &&
           strcmp(report->text, text) == 0;
}

/* --- link --- */

static void test_a_link_that_comes_in_time_passes(void)
{
    begin(add_link);
    app.is_up = false;
    app.up_ms = 25000;
    check(ends());
    check_equal(world_count(&w, MOULT_REPORT_CONFIRMED), 1);
    check(w.now_ms >= app.up_ms);
}

static void test_no_link_by_its_deadline_goes_back(void)
{
    begin(add_link);
    app.is_up = false;
    check(ends());
    check(is_blamed("link: no answer", MOULT_R_TRIAL_NO_NETWORK));
}

static void test_no_link_at_the_confirm_timeout_says_so_too(void)
{
    begin(add_link);
    link_deadline_ms = 0;
    app.is_up = false;
    w.config.confirm_timeout_s = 60;
    check(ends());
    const struct world_report *report = world_report_of(&w, MOULT_REPORT_ROLLED_BACK);
    check_equal(report->detail, MOULT_D_CONFIRM_TIMEOUT);
    check_equal(report->reason, MOULT_R_TRIAL_NO_NETWORK);
    check(strcmp(report->text, "link: missing") == 0);
}

/* --- heap --- */

static void test_enough_heap_for_the_whole_hold_passes(void)
{
    begin(add_heap);
    app.free_heap = 20000; /* exactly the floor */
    app.largest_block = 8000;
    check(ends());
    check_equal(world_count(&w, MOULT_REPORT_CONFIRMED), 1);
}

static void test_one_byte_below_the_floor_fails(void)
{
    begin(add_heap);
    app.free_heap = 19999;
    check(ends());
    check(is_blamed("heap", MOULT_R_TRIAL_HEALTH));
    begin(add_heap);
    app.largest_block = 7999;
    check(ends());
    check(is_blamed("heap", MOULT_R_TRIAL_HEALTH));
}

static void test_a_leak_is_seen_within_the_hold(void)
{
    begin(add_heap);
    app.leak = 2000; /* at each look: the sixth is too much */
    check(ends());
    check(is_blamed("heap", MOULT_R_TRIAL_HEALTH));
}

static void test_a_heap_check_needs_a_port_that_knows(void)
{
    begin(NULL);
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    heap = (struct moult_heap_check){.free_min = 0};
    check_equal(moult_health_add_heap(&w.session, &heap, 0), MOULT_E_ARG);
    heap.free_min = 1;
    w.port.largest_block = NULL;
    heap.block_min = 1;
    check_equal(moult_health_add_heap(&w.session, &heap, 0), MOULT_E_ARG);
    w.port.free_heap = NULL;
    heap.block_min = 0;
    check_equal(moult_health_add_heap(&w.session, &heap, 0), MOULT_E_ARG);
    link_up = (struct moult_link_check){NULL, NULL};
    check_equal(moult_health_add_link(&w.session, &link_up, 0), MOULT_E_ARG);
}

/* --- tasks --- */

static void test_tasks_that_kick_pass_after_the_hold(void)
{
    begin(add_tasks);
    check(ends());
    check_equal(world_count(&w, MOULT_REPORT_CONFIRMED), 1);
}

static void test_a_task_that_stops_is_named(void)
{
    begin(add_tasks);
    app.meter_every_ms = 1000;
    app.meter_ends_ms = 15000;
    check(ends());
    check(is_blamed("task meter", MOULT_R_TRIAL_SELFTEST));
}

static void test_a_task_that_never_starts_is_named(void)
{
    begin(add_tasks);
    app.is_radio_dead = true;
    check(ends());
    check(is_blamed("task radio", MOULT_R_TRIAL_SELFTEST));
}

static void test_a_slow_task_is_a_dead_one(void)
{
    begin(add_tasks);
    app.meter_every_ms = 6000; /* its period is 2 s */
    check(ends());
    check(is_blamed("task meter", MOULT_R_TRIAL_SELFTEST));
}

static void test_tasks_have_names_periods_and_a_limit(void)
{
    begin(NULL);
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    struct moult_task *task;
    tasks = (struct moult_tasks_check){0};
    check_equal(moult_health_add_tasks(&w.session, &tasks, 0), MOULT_E_ARG);
    check_equal(moult_task_add(&tasks, "", 2000, &task), MOULT_E_ARG);
    check_equal(moult_task_add(&tasks, "sixteen-letters!", 2000, &task), MOULT_E_ARG);
    check_equal(moult_task_add(&tasks, "a", 1999, &task), MOULT_E_ARG);
    for (unsigned i = 0; i < MOULT_TASKS_MAX; i++) {
        check_equal(moult_task_add(&tasks, "fifteen-letters", 2000, &task), MOULT_OK);
    }
    check_equal(moult_task_add(&tasks, "a", 2000, &task), MOULT_E_SPACE);
    check_equal(moult_health_add_tasks(&w.session, &tasks, 0), MOULT_OK);
    meter = NULL;
}

int main(void)
{
    world_make(&fresh);
    check_run(test_a_link_that_comes_in_time_passes);
    check_run(test_no_link_by_its_deadline_goes_back);
    check_run(test_no_link_at_the_confirm_timeout_says_so_too);
    check_run(test_enough_heap_for_the_whole_hold_passes);
    check_run(test_one_byte_below_the_floor_fails);
    check_run(test_a_leak_is_seen_within_the_hold);
    check_run(test_a_heap_check_needs_a_port_that_knows);
    check_run(test_tasks_that_kick_pass_after_the_hold);
    check_run(test_a_task_that_stops_is_named);
    check_run(test_a_task_that_never_starts_is_named);
    check_run(test_a_slow_task_is_a_dead_one);
    check_run(test_tasks_have_names_periods_and_a_limit);
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
