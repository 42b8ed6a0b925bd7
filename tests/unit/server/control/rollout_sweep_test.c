/* rollout_sweep_test.c - abort and retry over more devices than one job changes, cut off
 * and met half-way. */
#include "server/control/rollout_sweep.h"
#include <stdio.h>
#include <string.h>
#include "formats/bytes.h"
#include "formats/codes.h"
#include "tests/support/unit.h"
#include "tests/unit/server/control/support_world.h"

enum { MANY = 2 * SWEEP_BATCH_MAX + 200, TWO = SWEEP_BATCH_MAX + 20 };

static struct world *w;
static struct world_release v100, v110;

/* --- a fleet, by import: accepted, and never seen yet --------------------------------- */

static enum moult_status import_step(struct world_call *c)
{
    bool is_done = false;
    return control_import_step(&c->call, (struct control_import *)(uintptr_t)c->argument,
                               &is_done);
}

static void import_toys(unsigned count)
{
    char spki[65];
    struct buffer csv;
    struct control_import *import = NULL;
    buffer_init(&csv, count * 80 + 100);
    buffer_text(&csv, "spki_sha256\n");
    for (unsigned i = 0; i < count; i++) {
        moult_hex_encode(world_toy(w, i, &v100)->spki, 32, spki);
        buffer_text(&csv, spki);
        buffer_text(&csv, "\n");
    }
    struct moult_bytes bytes = {csv.data, csv.size};
    assert_int_equal(control_import_begin(w->control, bytes, &import, &w->problem),
                     MOULT_OK);
    for (unsigned i = 0; i <= count / 1000; i++) {
        struct world_call c = {.run = import_step, .argument = import};
        assert_int_equal(world_run(w, &c), MOULT_OK);
    }
    control_import_end(import);
    buffer_release(&csv);
}

/* One phase, and gates that let everything fail. */
static const char *const at_once =
    "{\"name\":\"r\",\"release\":\"1.1.0\",\"phases\":[{\"rest\":true}],"
    "\"gates\":{\"failure\":{\"pct\":0},\"failure_count\":null}}";

static void open_fleet(unsigned count)
{
    w = world_open(NULL);
    world_release(w, "1.0.0", 100, &v100);
    world_release(w, "1.1.0", 110, &v110);
    import_toys(count);
    json_t *rollout = world_rollout(w, at_once, false);
    assert_int_equal(world_number(rollout, "target"), count);
    json_decref(rollout);
}

static int close_fleet(void **state)
{
    (void)state; /* cmocka's signature */
    world_close(w);
    return 0;
}

static long long count_of(const char *state)
{
    char path[40];
    snprintf(path, sizeof path, "counts.%s", state);
    json_t *rollout = world_show_rollout(w, "r");
    long long count = world_number(rollout, path);
    json_decref(rollout);
    return count;
}

static bool is_under_way(const char *verb)
{
    json_t *rollout = world_show_rollout(w, "r");
    const char *now = json_string_value(world_at(rollout, "under_way"));
    bool is_so = verb ? now && strcmp(now, verb) == 0 : now == NULL;
    json_decref(rollout);
    return is_so;
}

static bool is_in(const char *state)
{
    json_t *rollout = world_show_rollout(w, "r");
    bool is_so = strcmp(world_text(rollout, "state"), state) == 0;
    json_decref(rollout);
    return is_so;
}

/* Until nothing is under way; how many ticks that took. Ticks that have more to do go on by
 * themselves, so this is at most the number of batches. */
static unsigned tick_to_the_end(void)
{
    unsigned ticks = 0;
    while (!is_under_way(NULL)) {
        world_tick(w);
        assert_true(++ticks < 10);
        assert_true(world_recounts(w));
    }
    return ticks;
}

/* --- abort ---------------------------------------------------------------------------- */

static void test_an_abort_changes_a_batch_a_job(void **state)
{
    (void)state;
    open_fleet(MANY);
    json_t *rollout = world_verb(w, "r", "abort");
    assert_string_equal(world_text(rollout, "state"), "aborted");
    assert_string_equal(world_text(rollout, "under_way"), "abort");
    assert_int_equal(world_number(rollout, "counts.cancelled"), SWEEP_BATCH_MAX);
    json_decref(rollout);
    assert_true(world_recounts(w));
    assert_true(tick_to_the_end() >= 1);
    assert_int_equal(count_of("cancelled"), MANY);
    assert_int_equal(count_of("planned"), 0);
    assert_true(is_in("aborted"));
}

static void test_an_abort_goes_on_after_a_restart(void **state)
{
    (void)state;
    open_fleet(MANY);
    json_decref(world_verb(w, "r", "abort"));
    world_restart(w, 1000);
    assert_true(is_under_way("abort"));
    assert_true(is_in("aborted"));
    assert_int_equal(count_of("cancelled"), SWEEP_BATCH_MAX);
    tick_to_the_end();
    world_restart(w, 1000);
    assert_true(is_under_way(NULL));
    assert_int_equal(count_of("cancelled"), MANY);
}

/* It waits neither for its batch nor for anything of the aborted rollout. */
static void test_a_device_that_comes_before_its_batch_is_free_at_once(void **state)
{
    (void)state;
    open_fleet(MANY);
    struct toy *last = &w->toys[MANY - 1];
    struct told told = world_checkin(w, last, NULL, 0); /* offered */
    assert_int_equal(told.order.action, MOULT_ACTION_INSTALL);
    struct toy *busy = &w->toys[MANY - 2];
    told = world_checkin(w, busy, NULL, 0);
    struct toy_report downloading = {
        .kind = MOULT_REPORT_DOWNLOADING, .deployment = told.deployment, .offset = 1000};
    assert_int_equal(world_report(w, busy, &downloading, 1).status, 200);
    /* Everything is planned but these two, which are met first; so one more, who is not. */
    json_decref(world_verb(w, "r", "abort"));
    assert_true(is_under_way("abort"));
    struct toy *planned = &w->toys[MANY - 3];
    told = world_checkin(w, planned, NULL, 0);
    assert_int_equal(told.order.action, MOULT_ACTION_NONE);
    assert_int_equal(world_sql(w, "SELECT state FROM assignment ORDER BY device DESC LIMIT "
                                  "1 OFFSET 2"),
                     ASSIGNMENT_CANCELLED);
    assert_int_equal(world_checkin(w, last, NULL, 0).order.action, MOULT_ACTION_NONE);
    assert_int_equal(world_checkin(w, busy, NULL, 0).order.action, MOULT_ACTION_ABORT);
    assert_true(world_recounts(w));
    tick_to_the_end();
    assert_int_equal(count_of("cancelled"), MANY);
}

static void test_the_same_release_may_be_rolled_out_again_at_once(void **state)
{
    (void)state;
    open_fleet(MANY);
    json_decref(world_verb(w, "r", "abort"));
    json_t *again = world_rollout(
        w, "{\"name\":\"s\",\"release\":\"1.1.0\",\"phases\":[{\"rest\":true}]}", false);
    assert_int_equal(world_number(again, "target"), MANY);
    json_decref(again);
    assert_true(world_recounts(w));
    tick_to_the_end();
    json_t *rollout = world_show_rollout(w, "s");
    assert_int_equal(world_number(rollout, "counts.planned"), MANY);
    json_decref(rollout);
}

static enum moult_status abort_dry(struct world_call *c)
{
    struct control_rollout_change change = {.id = "r", .verb = "abort"};
    return control_rollout_verb(&c->call, &change, &c->reply);
}

static void test_a_dry_run_starts_no_sweep(void **state)
{
    (void)state;
    open_fleet(TWO);
    struct world_call c = {.run = abort_dry, .call.dry_run = true};
    assert_int_equal(world_run(w, &c), MOULT_OK);
    assert_string_equal(world_text(c.reply, "under_way"), "abort");
    json_decref(c.reply);
    assert_true(is_under_way(NULL));
    assert_true(is_in("running"));
    world_tick(w);
    assert_int_equal(count_of("planned"), TWO);
}

/* --- retry ---------------------------------------------------------------------------- */

/* The device takes its offer and says that the image is too large for it. */
static void fail_one(struct toy *toy)
{
    struct told told = world_checkin(w, toy, NULL, 0);
    struct toy_report report = {.kind = MOULT_REPORT_FAILED,
                                .deployment = told.deployment,
                                .reason = MOULT_R_PRE_NO_SPACE};
    assert_int_equal(told.order.action, MOULT_ACTION_INSTALL);
    assert_int_equal(world_report(w, toy, &report, 1).status, 200);
}

static void fail_all(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        fail_one(&w->toys[i]);
    }
    world_tick(w);
    assert_int_equal(count_of("failed"), count);
    assert_true(is_in("paused")); /* all ended, none confirmed */
    world_wait(w, 1000);
}

static void test_a_retry_reopens_phases_when_all_are_planned(void **state)
{
    (void)state;
    open_fleet(TWO);
    fail_all(TWO);
    json_t *rollout = world_verb(w, "r", "retry");
    assert_string_equal(world_text(rollout, "under_way"), "retry");
    assert_int_equal(world_number(rollout, "counts.planned"), SWEEP_BATCH_MAX);
    assert_int_equal(world_number(rollout, "counts.failed"), TWO - SWEEP_BATCH_MAX);
    assert_string_equal(world_text(rollout, "phases.0.state"), "failed");
    json_decref(rollout);
    world_restart(w, 1000);
    tick_to_the_end();
    rollout = world_show_rollout(w, "r");
    assert_int_equal(world_number(rollout, "counts.planned"), TWO);
    assert_string_equal(world_text(rollout, "phases.0.state"), "open");
    json_decref(rollout);
    json_decref(world_verb(w, "r", "resume"));
    struct told told = world_checkin(w, &w->toys[TWO - 1], NULL, 0);
    assert_int_equal(told.order.action, MOULT_ACTION_INSTALL);
}

/* Who failed again while the rest was still being planned is not meant. */
static void test_a_retry_is_for_those_that_had_failed_when_it_was_asked(void **state)
{
    (void)state;
    open_fleet(TWO);
    fail_all(TWO);
    json_decref(world_verb(w, "r", "retry"));
    /* As if the last one had failed a second later than it was asked. */
    world_sql(w, "UPDATE assignment SET entered = entered + 1000000 WHERE device = (SELECT "
                 "max(device) FROM assignment)");
    tick_to_the_end();
    assert_int_equal(count_of("planned"), TWO - 1);
    assert_int_equal(count_of("failed"), 1);
}

static void test_an_abort_takes_the_place_of_a_retry(void **state)
{
    (void)state;
    open_fleet(TWO);
    fail_all(TWO);
    json_decref(world_verb(w, "r", "retry"));
    json_t *rollout = world_verb(w, "r", "abort");
    assert_string_equal(world_text(rollout, "state"), "aborted");
    json_decref(rollout);
    tick_to_the_end();
    assert_int_equal(count_of("cancelled"), SWEEP_BATCH_MAX);
    assert_int_equal(count_of("failed"), TWO - SWEEP_BATCH_MAX);
    assert_true(is_in("aborted"));
}

#define TEST(name) cmocka_unit_test_teardown(name, close_fleet)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_abort_changes_a_batch_a_job),
        TEST(test_an_abort_goes_on_after_a_restart),
        TEST(test_a_device_that_comes_before_its_batch_is_free_at_once),
        TEST(test_the_same_release_may_be_rolled_out_again_at_once),
        TEST(test_a_dry_run_starts_no_sweep),
        TEST(test_a_retry_reopens_phases_when_all_are_planned),
        TEST(test_a_retry_is_for_those_that_had_failed_when_it_was_asked),
        TEST(test_an_abort_takes_the_place_of_a_retry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
