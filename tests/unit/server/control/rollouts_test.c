/* rollouts_test.c - rollouts over a fleet: phases, gates, verbs, and the answers to why. */
#include <stdio.h>
#include <string.h>
#include "tests/support/unit.h"
#include "tests/unit/server/control/support_world.h"

static struct world_release v100, v110, v120;

static struct world *open_fleet(unsigned count, void (*change)(struct control_config *))
{
    struct world *w = world_open(change);
    world_release(w, "1.0.0", 100, &v100);
    world_release(w, "1.1.0", 110, &v110);
    world_release(w, "1.2.0", 120, &v120);
    world_toys(w, count, &v100);
    return w;
}

static const char classic[] = "{\"name\":\"spring\",\"release\":\"1.1.0\",\"phases\":["
                              "{\"percent\":5,\"soak_s\":5},{\"percent\":25,\"soak_s\":5},"
                              "{\"percent\":100,\"soak_s\":5}]}";

static const char at_once[] = "{\"name\":\"r\",\"release\":\"1.1.0\",\"phases\":"
                              "[{\"rest\":true,\"soak_s\":0}]}";

/* Every device checks in once; those that are offered the release install it. Returns how
 * many. */
static unsigned go_round(struct world *w, unsigned count, const struct world_release *to,
                         bool works)
{
    unsigned updated = 0;
    for (unsigned i = 0; i < count; i++) {
        updated += world_update(w, &w->toys[i], to, works);
    }
    return updated;
}

/* Time for soaks, with devices that go on checking in. */
static void soak(struct world *w, unsigned count, unsigned seconds)
{
    for (unsigned s = 0; s < seconds; s += 5) {
        world_tick(w);
        for (unsigned i = 0; i < count; i++) {
            world_checkin(w, &w->toys[i], NULL, 0);
        }
    }
}

static void assert_rollout(struct world *w, const char *name, const char *path,
                           const char *text)
{
    json_t *rollout = world_show_rollout(w, name);
    assert_non_null(rollout);
    assert_string_equal(world_text(rollout, path), text);
    json_decref(rollout);
}

static void test_fifty_devices_in_three_phases(void **state)
{
    (void)state;
    struct world *w = open_fleet(50, NULL);
    json_t *rollout = world_rollout(w, classic, false);
    assert_non_null(rollout);
    assert_string_equal(world_text(rollout, "state"), "running");
    assert_string_equal(world_text(rollout, "phases.0.state"), "open");
    assert_string_equal(world_text(rollout, "phases.1.state"), "waiting");
    long long first = world_number(rollout, "phases.0.target");
    assert_true(first >= 3);
    assert_int_equal(world_number(rollout, "target"), 50);
    json_decref(rollout);

    unsigned total = go_round(w, 50, &v110, true);
    assert_int_equal(total, first); /* only the first phase is offered anything */
    assert_rollout(w, "spring", "phases.1.state", "waiting");
    for (unsigned round = 0; round < 12 && total < 50; round++) {
        soak(w, 50, 15);
        total += go_round(w, 50, &v110, true);
    }
    soak(w, 50, 30);
    assert_int_equal(total, 50);
    rollout = world_show_rollout(w, "spring");
    assert_string_equal(world_text(rollout, "state"), "completed");
    assert_int_equal(world_number(rollout, "counts.confirmed"), 50);
    for (int i = 0; i < 3; i++) {
        char path[32];
        snprintf(path, sizeof path, "phases.%d.state", i);
        assert_string_equal(world_text(rollout, path), "passed");
    }
    json_decref(rollout);
    assert_true(world_recounts(w));
    assert_int_equal(world_sql(w, "SELECT count(*) FROM attempt"), 50);
    world_close(w);
}

static void test_a_bad_release_is_stopped_in_the_first_phase_and_says_why(void **state)
{
    (void)state;
    struct world *w = open_fleet(30, NULL);
    json_decref(world_rollout(w, classic, false));
    unsigned failed = go_round(w, 30, &v110, false);
    assert_true(failed >= 3 && failed < 15);
    json_t *rollout = world_show_rollout(w, "spring");
    assert_string_equal(world_text(rollout, "state"), "paused");
    assert_string_equal(world_text(rollout, "phases.0.state"), "failed");
    assert_non_null(
        strstr(world_text(rollout, "state_reason"), "gate failure_count of phase 1"));
    assert_non_null(strstr(world_text(rollout, "state_reason"), "R806 TRIAL_SELFTEST"));
    assert_string_equal(world_text(rollout, "phases.0.gate.verdict"), "fail");
    json_decref(rollout);
    assert_int_equal(go_round(w, 30, &v110, true), 0); /* nobody is offered it any more */
    assert_true(world_recounts(w));

    struct toy *healthy = NULL; /* one of a later phase */
    for (unsigned i = 0; i < 30 && !healthy; i++) {
        if (w->toys[i].boot_id < 1000) { healthy = &w->toys[i]; }
    }
    assert_non_null(healthy);
    json_t *why = world_why(w, healthy);
    assert_non_null(strstr(world_text(why, "summary"), "rollout spring is paused"));
    json_decref(why);
    world_close(w);
}

static void test_why_gives_the_first_reason(void **state)
{
    (void)state;
    struct world *w = open_fleet(30, NULL);
    json_t *why = world_why(w, &w->toys[0]);
    assert_string_equal(world_text(why, "summary"), "there is no rollout");
    json_decref(why);
    json_decref(world_rollout(w, classic, false));
    bool has_wait = false, has_grant = false;
    for (unsigned i = 0; i < 30; i++) {
        why = world_why(w, &w->toys[i]);
        const char *summary = world_text(why, "summary");
        has_wait = has_wait || strstr(summary, "waits for phase 1, which is open") != NULL;
        has_grant = has_grant || strstr(summary, "everything is granted") != NULL;
        assert_true(json_array_size(world_at(why, "checks")) >= 10);
        json_decref(why);
    }
    assert_true(has_wait && has_grant);
    json_decref(world_device_verb(w, &w->toys[0], "quarantine"));
    why = world_why(w, &w->toys[0]);
    assert_non_null(strstr(world_text(why, "summary"), "device is quarantined"));
    json_decref(why);
    struct toy *stranger = world_toy(w, 40, &v100);
    world_checkin(w, stranger, NULL, 0);
    why = world_why(w, stranger);
    assert_non_null(strstr(world_text(why, "summary"), "device is pending"));
    json_decref(why);
    world_close(w);
}

static void test_preview_is_what_is_saved(void **state)
{
    (void)state;
    struct world *w = open_fleet(40, NULL);
    static const char body[] =
        "{\"name\":\"spring\",\"release\":\"1.1.0\",\"salt\":"
        "\"000102030405060708090a0b0c0d0e0f\",\"phases\":[{\"percent\":10},{\"count\":12},"
        "{\"rest\":true}]}";
    json_t *dry = world_rollout(w, body, true);
    assert_non_null(dry);
    assert_true(json_is_true(world_at(dry, "dry_run")));
    assert_int_equal(world_number(dry, "preview.target"), 40);
    assert_int_equal(
        world_number(dry, "preview.versions.1.0.0") +
            json_integer_value(json_object_get(world_at(dry, "preview.versions"), "1.0.0")),
        40);
    assert_int_equal(json_array_size(world_at(dry, "preview.first")), 10);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM rollout"), 0);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM assignment"), 0);
    assert_null(world_show_rollout(w, "spring"));
    assert_int_equal(
        world_sql(w, "SELECT count(*) FROM audit WHERE action = 'rollout.create'"), 1);
    world_checkin(w, &w->toys[0], NULL, 0); /* nothing is offered after a dry run */

    json_t *real = world_rollout(w, body, false);
    for (int i = 0; i < 3; i++) {
        char path[40], preview[40];
        snprintf(path, sizeof path, "phases.%d.target", i);
        snprintf(preview, sizeof preview, "preview.phases.%d.devices", i);
        assert_int_equal(world_number(real, path), world_number(dry, preview));
    }
    assert_null(world_at(real, "preview"));
    json_decref(dry);
    json_decref(real);
    world_close(w);
}

static void test_a_device_that_has_not_been_seen_is_no_canary(void **state)
{
    (void)state;
    struct world *w = open_fleet(6, NULL);
    world_wait(w, 3600000);
    for (unsigned i = 1; i < 6; i++) {
        world_checkin(w, &w->toys[i], NULL, 0);
    }
    json_t *rollout = world_rollout(
        w,
        "{\"name\":\"r\",\"release\":\"1.1.0\",\"phases\":[{\"count\":5},{\"rest\":true}]}",
        false);
    assert_int_equal(world_number(rollout, "phases.0.target"), 5);
    json_decref(rollout);
    json_t *device = world_show_device(w, &w->toys[0]);
    assert_int_equal(world_number(device, "assignment.phase"), 1);
    json_decref(device);
    world_close(w);
}

static void test_bodies_that_are_refused_name_the_member(void **state)
{
    (void)state;
    static const struct {
        const char *body, *field;
        uint16_t detail;
    } rows[] = {
        {"[]", "", MOULT_D_API_BODY},
        {"{}", "release", MOULT_D_API_FIELD},
        {"{\"release\":7}", "release", MOULT_D_API_FIELD},
        {"{\"release\":\"9.9.9\"}", "release", MOULT_D_API_NOT_FOUND},
        {"{\"release\":\"1.1.0\"}", "phases", MOULT_D_ROLLOUT_PHASES},
        {"{\"release\":\"1.1.0\",\"phases\":[]}", "phases", MOULT_D_ROLLOUT_PHASES},
        {"{\"release\":\"1.1.0\",\"phases\":[7]}", "phases[0].", MOULT_D_ROLLOUT_PHASES},
        {"{\"release\":\"1.1.0\",\"phases\":[{}]}", "phases[0].percent",
         MOULT_D_ROLLOUT_PHASES},
        {"{\"release\":\"1.1.0\",\"phases\":[{\"percent\":50}]}", "phases[0]",
         MOULT_D_ROLLOUT_PHASES},
        {"{\"release\":\"1.1.0\",\"phases\":[{\"percent\":50,\"count\":3}]}",
         "phases[0].percent", MOULT_D_ROLLOUT_PHASES},
        {"{\"release\":\"1.1.0\",\"phases\":[{\"percent\":101}]}", "phases[0].percent",
         MOULT_D_API_FIELD},
        {"{\"release\":\"1.1.0\",\"phases\":[{\"percent\":0.001}]}", "phases[0].percent",
         MOULT_D_API_FIELD},
        {"{\"release\":\"1.1.0\",\"phases\":[{\"count\":0},{\"rest\":true}]}",
         "phases[0].count", MOULT_D_API_FIELD},
        {"{\"release\":\"1.1.0\",\"phases\":[{\"rest\":true,\"soak\":1}]}",
         "phases[0].soak", MOULT_D_API_FIELD},
        {"{\"release\":\"1.1.0\",\"phases\":[{\"rest\":true,\"soak_s\":-1}]}",
         "phases[0].soak_s", MOULT_D_API_FIELD},
        {"{\"release\":\"1.1.0\",\"phases\":[{\"percent\":25},{\"percent\":5},"
         "{\"rest\":true}]}",
         "phases[1]", MOULT_D_ROLLOUT_PHASES},
        {"{\"release\":\"1.1.0\",\"phases\":[{\"rest\":true}],\"selector\":\"wheel = 4\"}",
         "selector", MOULT_D_ROLLOUT_SELECTOR},
        {"{\"release\":\"1.1.0\",\"phases\":[{\"rest\":true}],\"selector\":\"name = zz\"}",
         "selector", MOULT_D_ROLLOUT_EMPTY},
        {"{\"release\":\"1.1.0\",\"phases\":[{\"rest\":true}],\"mode\":\"maybe\"}", "mode",
         MOULT_D_API_FIELD},
        {"{\"release\":\"1.1.0\",\"phases\":[{\"rest\":true}],\"salt\":\"00\"}", "salt",
         MOULT_D_API_FIELD},
        {"{\"release\":\"1.1.0\",\"phases\":[{\"rest\":true}],\"name\":\"a b\"}", "name",
         MOULT_D_API_FIELD},
        {"{\"release\":\"1.1.0\",\"phases\":[{\"rest\":true}],\"gates\":{\"success\":"
         "{\"pct\":\"x\"}}}",
         "gates.success.pct", MOULT_D_API_FIELD},
        {"{\"release\":\"1.1.0\",\"phases\":[{\"rest\":true}],\"gates\":{\"hope\":1}}",
         "gates.hope", MOULT_D_API_FIELD},
        {"{\"release\":\"1.1.0\",\"phases\":[{\"rest\":true}],\"start\":\"yes\"}", "start",
         MOULT_D_API_FIELD},
        {"{\"release\":\"1.1.0\",\"phases\":[{\"rest\":true}],\"rate_per_minute\":0}",
         "rate_per_minute", MOULT_D_API_FIELD},
    };
    struct world *w = open_fleet(3, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_null(world_rollout(w, rows[i].body, false));
        assert_string_equal(w->problem.field, rows[i].field);
        assert_int_equal(w->problem.detail, rows[i].detail);
        assert_true(w->problem.text[0] && w->problem.hint[0]);
    }
    assert_int_equal(world_sql(w, "SELECT count(*) FROM rollout"), 0);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM audit WHERE detail LIKE "
                                  "'%refused%'"),
                     (int)(sizeof rows / sizeof rows[0]));
    world_close(w);
}

static void test_names_are_unique_and_made_when_missing(void **state)
{
    (void)state;
    struct world *w = open_fleet(2, NULL);
    static const char nameless[] =
        "{\"release\":\"1.1.0\",\"start\":false,\"phases\":[{\"rest\":true}]}";
    json_t *first = world_rollout(w, nameless, false);
    assert_string_equal(world_text(first, "name"), "1.1.0");
    assert_string_equal(world_text(first, "state"), "draft");
    json_decref(first);
    json_decref(world_verb(w, "1.1.0", "abort"));
    json_t *second = world_rollout(w, nameless, false);
    assert_string_equal(world_text(second, "name"), "1.1.0-2");
    json_decref(second);
    json_decref(world_verb(w, "1.1.0-2", "abort"));
    assert_null(world_rollout(w,
                              "{\"name\":\"1.1.0\",\"release\":\"1.1.0\","
                              "\"phases\":[{\"rest\":true}]}",
                              false));
    assert_int_equal(w->problem.detail, MOULT_D_ROLLOUT_NAME);
    world_close(w);
}

static void test_pause_takes_offers_back_and_holds_what_is_verified(void **state)
{
    (void)state;
    struct world *w = open_fleet(2, NULL);
    json_decref(world_rollout(w, at_once, false));
    struct toy *busy = &w->toys[0], *idle = &w->toys[1];
    struct told told = world_checkin(w, busy, NULL, 0);
    struct toy_report loading = {
        .kind = MOULT_REPORT_DOWNLOADING, .deployment = told.deployment, .offset = 10};
    world_report(w, busy, &loading, 1);
    assert_int_equal(world_checkin(w, idle, NULL, 0).order.action, MOULT_ACTION_INSTALL);

    json_t *rollout = world_verb(w, "r", "pause");
    assert_string_equal(world_text(rollout, "state"), "paused");
    assert_string_equal(world_text(rollout, "state_reason"), "pause by anna: because");
    json_decref(rollout);
    assert_int_equal(world_checkin(w, idle, NULL, 0).order.action, MOULT_ACTION_NONE);
    told = world_checkin(w, busy, NULL, 0);
    assert_int_equal(told.order.action, MOULT_ACTION_INSTALL);
    assert_true(told.has_policy_stage_only); /* may go on to verified, no further */
    struct toy_report staged = {.kind = MOULT_REPORT_STAGED, .deployment = told.deployment};
    told = world_checkin(w, busy, &staged, 1);
    assert_true(told.has_policy_stage_only);
    json_t *device = world_show_device(w, busy);
    assert_string_equal(world_text(device, "assignment.state"), "verified");
    json_decref(device);

    json_decref(world_verb(w, "r", "resume"));
    told = world_checkin(w, busy, NULL, 0);
    assert_false(told.has_policy_stage_only);
    assert_int_equal(world_checkin(w, idle, NULL, 0).order.action, MOULT_ACTION_INSTALL);
    assert_true(world_recounts(w));
    world_close(w);
}

static void test_abort_cancels_tells_and_lets_trials_finish(void **state)
{
    (void)state;
    struct world *w = open_fleet(3, NULL);
    json_decref(world_rollout(w, at_once, false));
    struct toy *loading = &w->toys[0], *on_trial = &w->toys[1], *waiting = &w->toys[2];
    struct told told = world_checkin(w, loading, NULL, 0);
    struct toy_report report = {
        .kind = MOULT_REPORT_DOWNLOADING, .deployment = told.deployment, .offset = 10};
    world_report(w, loading, &report, 1);
    uint8_t deployment[16];
    memcpy(deployment, told.deployment, 16);
    told = world_checkin(w, on_trial, NULL, 0);
    memcpy(on_trial->digest, v110.digest, 32);
    on_trial->sequence = 110;
    on_trial->running_state = MOULT_RUNNING_TRIAL;
    world_checkin(w, on_trial, NULL, 0);

    json_t *rollout = world_verb(w, "r", "abort");
    assert_string_equal(world_text(rollout, "state"), "aborted");
    assert_int_equal(world_number(rollout, "counts.cancelled"), 1);
    assert_int_equal(world_number(rollout, "counts.downloading"), 1);
    assert_int_equal(world_number(rollout, "counts.trial"), 1);
    json_decref(rollout);
    told = world_checkin(w, loading, NULL, 0);
    assert_int_equal(told.order.action, MOULT_ACTION_ABORT);
    assert_memory_equal(told.deployment, deployment, 16);
    told = world_checkin(w, loading, NULL, 0);
    assert_int_equal(told.order.action, MOULT_ACTION_NONE);
    report.kind = MOULT_REPORT_WRITTEN; /* it goes on reporting: gone */
    report.deployment = deployment;
    assert_int_equal(world_report(w, loading, &report, 1).gone_count, 1);
    assert_int_equal(world_checkin(w, waiting, NULL, 0).order.action, MOULT_ACTION_NONE);
    on_trial->running_state = MOULT_RUNNING_CONFIRMED;
    world_checkin(w, on_trial, NULL, 0);
    rollout = world_show_rollout(w, "r");
    assert_int_equal(world_number(rollout, "counts.confirmed"), 1);
    assert_int_equal(world_number(rollout, "counts.cancelled"), 2);
    json_decref(rollout);
    assert_true(world_recounts(w));
    assert_null(world_verb(w, "r", "resume"));
    assert_int_equal(w->problem.detail, MOULT_D_ROLLOUT_STATE);
    world_close(w);
}

static void test_retry_gives_failed_devices_another_generation(void **state)
{
    (void)state;
    struct world *w = open_fleet(3, NULL);
    json_decref(world_rollout(w, at_once, false));
    assert_int_equal(go_round(w, 3, &v110, false), 3);
    assert_rollout(w, "r", "state", "paused");
    json_t *rollout = world_verb(w, "r", "retry");
    assert_int_equal(world_number(rollout, "counts.planned"), 3);
    json_decref(rollout);
    json_decref(world_verb(w, "r", "resume"));
    assert_int_equal(go_round(w, 3, &v110, true), 3);
    rollout = world_show_rollout(w, "r");
    assert_string_equal(world_text(rollout, "state"), "completed");
    json_decref(rollout);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM attempt"), 6);
    assert_true(world_recounts(w));
    world_close(w);
}

static void test_two_failures_poison_the_pair(void **state)
{
    (void)state;
    struct world *w = open_fleet(1, NULL);
    json_decref(world_rollout(w, at_once, false));
    for (int i = 0; i < 2; i++) {
        assert_true(world_update(w, &w->toys[0], &v110, false));
        json_decref(world_verb(w, "r", "retry"));
        json_decref(world_verb(w, "r", "resume"));
    }
    assert_int_equal(world_checkin(w, &w->toys[0], NULL, 0).order.action,
                     MOULT_ACTION_NONE);
    json_t *why = world_why(w, &w->toys[0]);
    assert_non_null(strstr(world_text(why, "summary"), "has failed on it 2 times"));
    json_decref(why);
    world_close(w);
}

static void quick_silence(struct control_config *config)
{
    config->silent_min_ms = 60000;
    config->expected_interval_ms = 5000;
    config->interval_trial_ms = 5000;
    config->interval_busy_ms = 5000;
    config->confirm_ms = 30000;
}

static void test_silence_after_the_reboot_stops_the_rollout(void **state)
{
    (void)state;
    struct world *w = open_fleet(3, quick_silence);
    json_decref(world_rollout(w, at_once, false));
    for (unsigned i = 0; i < 3; i++) {
        struct told told = world_checkin(w, &w->toys[i], NULL, 0);
        struct toy_report report = {.kind = MOULT_REPORT_REBOOTING,
                                    .deployment = told.deployment};
        world_report(w, &w->toys[i], &report, 1); /* and never heard of again */
    }
    world_tick(w);
    assert_rollout(w, "r", "state", "running");
    world_wait(w, 59000);
    world_tick(w);
    json_t *rollout = world_show_rollout(w, "r");
    assert_string_equal(world_text(rollout, "state"), "paused");
    assert_int_equal(world_number(rollout, "phases.0.silent"), 3);
    assert_string_equal(world_text(rollout, "failures.0.reason"), "R901");
    json_decref(rollout);

    struct toy *late = &w->toys[0]; /* one was only slow */
    memcpy(late->digest, v110.digest, 32);
    late->sequence = 110;
    struct told told = world_checkin(w, late, NULL, 0);
    assert_true(told.went_to_writer);
    rollout = world_show_rollout(w, "r");
    assert_int_equal(world_number(rollout, "counts.confirmed"), 1);
    assert_int_equal(world_number(rollout, "phases.0.failed"), 3); /* closed: it stands */
    json_decref(rollout);
    assert_true(world_recounts(w));
    world_close(w);
}

static void test_the_servers_own_absence_is_not_the_devices_silence(void **state)
{
    (void)state;
    struct world *w = open_fleet(1, quick_silence);
    json_decref(world_rollout(w, at_once, false));
    struct told told = world_checkin(w, &w->toys[0], NULL, 0);
    struct toy_report report = {.kind = MOULT_REPORT_REBOOTING,
                                .deployment = told.deployment};
    world_report(w, &w->toys[0], &report, 1);
    world_tick(w);
    world_restart(w, 3600000);
    world_tick(w);
    assert_rollout(w, "r", "state", "running");
    assert_int_equal(world_sql(w, "SELECT count(*) FROM outage"), 1);
    world_wait(w, 120000); /* now it has had its time */
    world_tick(w);
    assert_rollout(w, "r", "state", "paused");
    world_close(w);
}

static void test_a_clock_set_forward_is_forgiven_too(void **state)
{
    (void)state;
    struct world *w = open_fleet(1, quick_silence);
    json_decref(world_rollout(w, at_once, false));
    struct told told = world_checkin(w, &w->toys[0], NULL, 0);
    struct toy_report report = {.kind = MOULT_REPORT_REBOOTING,
                                .deployment = told.deployment};
    world_report(w, &w->toys[0], &report, 1);
    world_tick(w);
    atomic_fetch_add(&w->time.real_ms, 86400000);
    world_tick(w);
    assert_rollout(w, "r", "state", "running");
    world_close(w);
}

static void test_a_job_that_fails_leaves_no_trace_in_memory(void **state)
{
    (void)state;
    struct world *w = open_fleet(3, NULL);
    json_decref(world_rollout(w, at_once, false));
    json_t *before = world_show_rollout(w, "r");
    for (unsigned i = 0; i < 3; i++) {
        world_checkin_lost(w, &w->toys[i]); /* each was granted an offer, in vain */
    }
    json_t *after = world_show_rollout(w, "r");
    assert_true(json_equal(before, after));
    json_decref(before);
    json_decref(after);
    assert_true(world_recounts(w));
    assert_int_equal(world_sql(w, "SELECT count(*) FROM attempt"), 0);
    struct control_wake wakes[8];
    while (control_wakes_take(w->control, wakes, 8, 9000000) > 0) {
        assert_false(wakes[0].is_clear);
    }
    assert_int_equal(go_round(w, 3, &v110, true), 3);
    assert_rollout(w, "r", "state", "completed");
    world_close(w);
}

static void test_everything_is_as_before_after_a_restart(void **state)
{
    (void)state;
    struct world *w = open_fleet(20, NULL);
    json_decref(world_rollout(w, classic, false));
    go_round(w, 20, &v110, true);
    json_t *before = world_show_rollout(w, "spring");
    world_restart(w, 1000);
    json_t *after = world_show_rollout(w, "spring");
    if (!json_equal(before, after)) {
        json_dumpf(before, stderr, JSON_INDENT(1) | JSON_SORT_KEYS);
        json_dumpf(after, stderr, JSON_INDENT(1) | JSON_SORT_KEYS);
    }
    assert_true(json_equal(before, after));
    json_decref(before);
    json_decref(after);
    assert_true(world_recounts(w));
    unsigned total = 3;
    for (unsigned round = 0; round < 12 && total < 20; round++) {
        soak(w, 20, 15);
        total += go_round(w, 20, &v110, true);
        world_restart(w, 500);
    }
    soak(w, 20, 30);
    assert_rollout(w, "spring", "state", "completed");
    world_close(w);
}

static void test_a_newer_release_takes_over_devices_that_wait(void **state)
{
    (void)state;
    struct world *w = open_fleet(10, NULL);
    json_decref(world_rollout(w, classic, false));
    json_t *next = world_rollout(w,
                                 "{\"name\":\"next\",\"release\":\"1.2.0\",\"phases\":"
                                 "[{\"rest\":true}]}",
                                 false);
    assert_non_null(next);
    assert_int_equal(world_number(next, "target"), 10);
    json_decref(next);
    json_t *old = world_show_rollout(w, "spring");
    assert_int_equal(world_number(old, "counts.superseded"), 10);
    json_decref(old);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM assignment WHERE state < 10"), 10);
    assert_null(world_rollout(w,
                              "{\"name\":\"older\",\"release\":\"1.1.0\",\"phases\":"
                              "[{\"rest\":true}]}",
                              false));
    assert_int_equal(w->problem.detail, MOULT_D_ROLLOUT_OVERLAP);
    assert_int_equal(go_round(w, 10, &v120, true), 10);
    assert_true(world_recounts(w));
    world_close(w);
}

static void test_a_new_device_joins_what_is_going_on(void **state)
{
    (void)state;
    struct world *w = open_fleet(5, NULL);
    json_decref(world_rollout(w, at_once, false));
    struct toy *late = world_toy(w, 60, &v100);
    world_checkin(w, late, NULL, 0);
    json_t *device = world_device_verb(w, late, "accept");
    assert_string_equal(world_text(device, "assignment.state"), "planned");
    json_decref(device);
    assert_true(world_update(w, late, &v110, true));
    struct toy *newer = world_toy(w, 61, &v120); /* runs something newer: not touched */
    world_checkin(w, newer, NULL, 0);
    device = world_device_verb(w, newer, "accept");
    assert_true(json_is_null(world_at(device, "assignment")));
    json_decref(device);
    assert_true(world_recounts(w));
    world_close(w);
}

static void test_devices_that_run_it_already_are_covered_not_counted(void **state)
{
    (void)state;
    struct world *w = open_fleet(4, NULL);
    struct toy *done = world_toy(w, 20, &v110);
    world_checkin(w, done, NULL, 0);
    json_decref(world_device_verb(w, done, "accept"));
    json_t *rollout = world_rollout(w, at_once, false);
    assert_int_equal(world_number(rollout, "target"), 5);
    assert_int_equal(world_number(rollout, "phases.0.covered"), 1);
    assert_int_equal(world_number(rollout, "phases.0.confirmed"), 0);
    json_decref(rollout);
    assert_int_equal(world_checkin(w, done, NULL, 0).order.action, MOULT_ACTION_NONE);
    world_close(w);
}

static void test_quarantine_ends_an_assignment(void **state)
{
    (void)state;
    struct world *w = open_fleet(2, NULL);
    json_decref(world_rollout(w, at_once, false));
    world_checkin(w, &w->toys[0], NULL, 0);
    json_decref(world_device_verb(w, &w->toys[0], "quarantine"));
    struct told told = world_checkin(w, &w->toys[0], NULL, 0);
    assert_int_equal(told.order.action, MOULT_ACTION_NONE);
    assert_int_equal(told.next_s, 900);
    json_t *rollout = world_show_rollout(w, "r");
    assert_int_equal(world_number(rollout, "counts.cancelled"), 1);
    json_decref(rollout);
    assert_true(world_recounts(w));
    world_close(w);
}

static void slow_rate(struct control_config *config)
{
    config->offers_per_minute = 6;
}

static void test_the_rate_limits_offers(void **state)
{
    (void)state;
    struct world *w = open_fleet(20, slow_rate);
    json_decref(world_rollout(w, at_once, false));
    unsigned offered = 0;
    for (unsigned i = 0; i < 20; i++) {
        struct told told = world_checkin(w, &w->toys[i], NULL, 0);
        offered += told.order.action == MOULT_ACTION_INSTALL;
    }
    assert_int_equal(offered, 6);
    world_wait(w, 30000);
    for (unsigned i = 0; i < 20; i++) {
        struct told told = world_checkin(w, &w->toys[i], NULL, 0);
        offered += told.order.action == MOULT_ACTION_INSTALL;
    }
    assert_int_equal(offered, 6 + 6 + 3); /* the six again, and three more */
    world_close(w);
}

/* Whose check-in has been heard before, so that nothing else touches the rollout first. */
static void test_a_check_in_that_is_lost_gives_its_offer_back(void **state)
{
    (void)state;
    struct world *w = open_fleet(10, slow_rate);
    json_decref(world_rollout(w, at_once, false));
    for (unsigned i = 0; i < 10; i++) {
        world_checkin(w, &w->toys[i], NULL, 0);
    }
    struct toy *late = &w->toys[9];
    assert_int_equal(world_checkin(w, late, NULL, 0).order.action, MOULT_ACTION_NONE);
    world_wait(w, 10000); /* one offer more */
    world_checkin_lost(w, late);
    struct told told = world_checkin(w, late, NULL, 0);
    assert_int_equal(told.order.action, MOULT_ACTION_INSTALL);
    told = world_checkin(w, &w->toys[8], NULL, 0);
    assert_int_equal(told.order.action, MOULT_ACTION_NONE);
    world_close(w);
}

static void test_wakes_follow_phases_and_end_with_assignments(void **state)
{
    (void)state;
    struct world *w = open_fleet(30, NULL);
    struct control_wake wakes[100];
    while (control_wakes_take(w->control, wakes, 100, 1000000) > 0) {}
    json_t *rollout = world_rollout(w, classic, false);
    long long first = world_number(rollout, "phases.0.target");
    json_decref(rollout);
    size_t count = control_wakes_take(w->control, wakes, 100, 2000000);
    assert_int_equal(count, first);
    for (size_t i = 0; i < count; i++) {
        assert_false(wakes[i].is_clear);
        assert_true(wakes[i].seq >= WORLD_T0);
        assert_int_equal(wakes[i].spread_s, 30);
    }
    go_round(w, 30, &v110, true);
    count = control_wakes_take(w->control, wakes, 100, 3000000);
    soak(w, 30, 10);
    count += control_wakes_take(w->control, wakes + count, 100 - count, 4000000);
    unsigned cleared = 0;
    for (size_t i = 0; i < count; i++) {
        cleared += wakes[i].is_clear;
    }
    assert_int_equal(cleared, first);
    world_close(w);
}

static void test_an_etag_that_is_stale_is_refused(void **state)
{
    (void)state;
    struct world *w = open_fleet(3, NULL);
    json_t *rollout = world_rollout(w, at_once, false);
    char etag[64];
    snprintf(etag, sizeof etag, "%s", world_text(rollout, "etag"));
    json_decref(rollout);
    json_decref(world_verb(w, "r", "pause"));
    rollout = world_show_rollout(w, "r");
    assert_string_not_equal(world_text(rollout, "etag"), etag);
    json_decref(rollout);
    world_close(w);
}

static void test_selectors_choose_the_target(void **state)
{
    (void)state;
    struct world *w = open_fleet(10, NULL);
    struct toy *other = world_toy(w, 50, &v120);
    world_checkin(w, other, NULL, 0);
    json_decref(world_device_verb(w, other, "accept"));
    json_t *rollout = world_rollout(
        w,
        "{\"name\":\"sel\",\"release\":\"1.2.0\",\"selector\":"
        "\"version = 1.0.0 and chip = esp32c3\",\"phases\":[{\"rest\":true}]}",
        true);
    assert_int_equal(world_number(rollout, "preview.target"), 10);
    json_decref(rollout);
    world_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fifty_devices_in_three_phases),
        cmocka_unit_test(test_a_bad_release_is_stopped_in_the_first_phase_and_says_why),
        cmocka_unit_test(test_why_gives_the_first_reason),
        cmocka_unit_test(test_preview_is_what_is_saved),
        cmocka_unit_test(test_a_device_that_has_not_been_seen_is_no_canary),
        cmocka_unit_test(test_bodies_that_are_refused_name_the_member),
        cmocka_unit_test(test_names_are_unique_and_made_when_missing),
        cmocka_unit_test(test_pause_takes_offers_back_and_holds_what_is_verified),
        cmocka_unit_test(test_abort_cancels_tells_and_lets_trials_finish),
        cmocka_unit_test(test_retry_gives_failed_devices_another_generation),
        cmocka_unit_test(test_two_failures_poison_the_pair),
        cmocka_unit_test(test_silence_after_the_reboot_stops_the_rollout),
        cmocka_unit_test(test_the_servers_own_absence_is_not_the_devices_silence),
        cmocka_unit_test(test_a_clock_set_forward_is_forgiven_too),
        cmocka_unit_test(test_a_job_that_fails_leaves_no_trace_in_memory),
        cmocka_unit_test(test_everything_is_as_before_after_a_restart),
        cmocka_unit_test(test_a_newer_release_takes_over_devices_that_wait),
        cmocka_unit_test(test_a_new_device_joins_what_is_going_on),
        cmocka_unit_test(test_devices_that_run_it_already_are_covered_not_counted),
        cmocka_unit_test(test_quarantine_ends_an_assignment),
        cmocka_unit_test(test_the_rate_limits_offers),
        cmocka_unit_test(test_a_check_in_that_is_lost_gives_its_offer_back),
        cmocka_unit_test(test_wakes_follow_phases_and_end_with_assignments),
        cmocka_unit_test(test_an_etag_that_is_stale_is_refused),
        cmocka_unit_test(test_selectors_choose_the_target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
