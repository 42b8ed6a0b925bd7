/* checkin_test.c - what a device is answered, from first contact to confirm. */
#include <string.h>
#include "server/base/clock.h"
#include "server/control/checkin.h"
#include "tests/support/unit.h"
#include "tests/unit/server/control/support_world.h"

static struct world_release v100, v110;

static struct world *open_with_releases(void (*change)(struct control_config *config))
{
    struct world *w = world_open(change);
    world_release(w, "1.0.0", 100, &v100);
    world_release(w, "1.1.0", 110, &v110);
    return w;
}

static void test_an_unknown_key_waits_until_it_is_accepted(void **state)
{
    (void)state;
    struct world *w = open_with_releases(NULL);
    struct toy *toy = world_toy(w, 0, &v100);
    struct told told = world_checkin(w, toy, NULL, 0);
    assert_int_equal(told.status, 200);
    assert_true(told.went_to_writer);
    assert_false(told.has_order); /* wait */
    assert_int_equal(told.next_s, 900);

    told = world_checkin(w, toy, NULL, 0); /* the second time from memory */
    assert_false(told.went_to_writer);
    assert_false(told.has_order);

    json_t *device = world_device_verb(w, toy, "accept");
    assert_string_equal(world_text(device, "state"), "accepted");
    assert_string_equal(world_text(device, "running.version"), "1.0.0");
    assert_string_equal(world_text(device, "chip"), "esp32c3");
    json_decref(device);
    told = world_checkin(w, toy, NULL, 0);
    assert_false(told.went_to_writer);
    assert_true(told.has_order);
    assert_int_equal(told.order.action, MOULT_ACTION_NONE);
    assert_int_equal(told.order.newest_sequence, 110);
    assert_int_equal(told.order.keyset_version, 1);
    assert_int_equal(told.next_s, 10);
    world_close(w);
}

static void test_states_that_may_not_speak(void **state)
{
    (void)state;
    struct world *w = open_with_releases(NULL);
    world_toys(w, 2, &v100);
    json_decref(world_device_verb(w, &w->toys[0], "reject"));
    assert_int_equal(world_checkin(w, &w->toys[0], NULL, 0).status, 401);
    json_decref(world_device_verb(w, &w->toys[1], "retire"));
    struct told told = world_checkin(w, &w->toys[1], NULL, 0);
    assert_int_equal(told.status, 410);
    assert_int_equal(told.detail, MOULT_D_API_DEVICE_STATE);

    struct control_identity who;
    uint16_t detail = 0;
    assert_int_equal(control_admit(w->control, w->toys[0].spki, &who, &detail), 401);
    assert_int_equal(detail, MOULT_D_API_REVOKED);
    assert_true(who.is_known);
    uint8_t stranger[32] = {9};
    assert_int_equal(control_admit(w->control, stranger, &who, &detail), 0);
    assert_false(who.is_known);

    assert_null(world_device_verb(w, &w->toys[1], "accept")); /* retired stays retired */
    assert_int_equal(w->problem.detail, MOULT_D_DEVICE_STATE);
    assert_null(world_device_verb(w, &w->toys[1], "delete"));
    assert_string_equal(w->problem.field, "verb");
    world_close(w);
}

static void trust_nobody(struct control_config *config)
{
    config->trust_on_first_use = false;
}

static void test_without_trust_on_first_use_a_stranger_is_refused(void **state)
{
    (void)state;
    struct world *w = open_with_releases(trust_nobody);
    struct toy *toy = world_toy(w, 0, &v100);
    struct told told = world_checkin(w, toy, NULL, 0);
    assert_int_equal(told.status, 401);
    assert_false(told.went_to_writer);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM device"), 0);
    world_close(w);
}

static void two_pending(struct control_config *config)
{
    config->pending_max = 2;
}

static void test_pending_devices_are_limited(void **state)
{
    (void)state;
    struct world *w = open_with_releases(two_pending);
    for (unsigned i = 0; i < 4; i++) {
        struct told told = world_checkin(w, world_toy(w, i, &v100), NULL, 0);
        assert_int_equal(told.status, i < 2 ? 200 : 503);
    }
    assert_int_equal(world_sql(w, "SELECT count(*) FROM device"), 2);
    world_close(w);
}

static void test_another_devices_name_is_refused(void **state)
{
    (void)state;
    struct world *w = open_with_releases(NULL);
    world_toys(w, 2, &v100);
    struct toy liar = w->toys[0];
    memcpy(liar.id, w->toys[1].id, 16);
    struct told told = world_checkin(w, &liar, NULL, 0);
    assert_int_equal(told.status, 403);
    assert_int_equal(told.detail, MOULT_D_API_DEVICE_ID);
    liar = *world_toy(w, 7, &v100);
    memcpy(liar.id, w->toys[1].id, 16); /* an unknown key that claims a known name */
    assert_int_equal(world_checkin(w, &liar, NULL, 0).status, 403);
    world_close(w);
}

static void test_an_idle_checkin_runs_no_sql(void **state)
{
    (void)state;
    struct world *w = open_with_releases(NULL);
    world_toys(w, 20, &v100);
    uint64_t before = store_statement_count(w->store, NULL);
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 20; i++) {
            assert_false(world_checkin(w, &w->toys[i], NULL, 0).went_to_writer);
        }
        world_wait(w, 10000);
    }
    assert_int_equal(store_statement_count(w->store, NULL), before);
    world_close(w);
}

static void test_last_seen_is_flushed_and_survives_a_restart(void **state)
{
    (void)state;
    struct world *w = open_with_releases(NULL);
    world_toys(w, 5, &v100);
    world_wait(w, 100000);
    for (unsigned i = 0; i < 5; i++) {
        world_checkin(w, &w->toys[i], NULL, 0);
    }
    int64_t seen_ms = world_now(w);
    world_tick(w);
    assert_int_equal(world_sql(w, "SELECT min(last_seen) FROM device"), seen_ms);
    uint64_t counter = w->toys[0].counter;
    assert_int_equal(world_sql(w, "SELECT count(*) FROM device WHERE counter > 0"), 5);
    world_restart(w, 1000);
    struct told told = world_checkin(w, &w->toys[0], NULL, 0);
    assert_false(told.went_to_writer);
    assert_true(told.order.counter > counter);
    world_close(w);
}

static void test_counters_rise_even_when_the_clock_is_set_back(void **state)
{
    (void)state;
    struct world *w = open_with_releases(NULL);
    world_toys(w, 1, &v100);
    struct toy *toy = &w->toys[0]; /* world_checkin() checks that the counter rises */
    world_checkin(w, toy, NULL, 0);
    atomic_store(&w->time.real_ms, WORLD_T0 - 100000000);
    world_checkin(w, toy, NULL, 0);
    toy->counter += 1000000; /* it has orders of another server */
    world_checkin(w, toy, NULL, 0);
    control_counter_floor(w->control, toy->counter + 5000);
    uint64_t floor = toy->counter + 5000;
    world_checkin(w, toy, NULL, 0);
    assert_true(toy->counter > floor);
    world_close(w);
}

static const char everybody[] =
    "{\"name\":\"r\",\"release\":\"1.1.0\",\"phases\":[{\"rest\":true,\"soak_s\":0}]}";

static void test_an_offer_names_release_source_and_deployment(void **state)
{
    (void)state;
    struct world *w = open_with_releases(NULL);
    world_toys(w, 1, &v100);
    json_decref(world_rollout(w, everybody, false));
    struct told told = world_checkin(w, &w->toys[0], NULL, 0);
    assert_true(told.went_to_writer);
    assert_int_equal(told.order.action, MOULT_ACTION_INSTALL);
    assert_memory_equal(told.order.release_digest, v110.payload_sha256, 32);
    assert_int_equal(told.order.source_count, 1);
    assert_int_equal(told.order.sources[0].size, v110.size);
    assert_memory_equal(told.order.sources[0].digest, v110.digest, 32);
    assert_int_equal(told.order.sources[0].url.size, 84);
    assert_memory_equal(told.order.sources[0].url.data, "/device/v1/artifact/", 20);
    assert_int_equal(told.order.policy.confirm_timeout_s, 300);
    assert_false(told.has_policy_stage_only);

    uint8_t envelope[1024];
    size_t size = 0; /* what the device asks for next: key 11 */
    assert_int_equal(control_release_read(w->control, told.order.release_digest, envelope,
                                          sizeof envelope, &size),
                     MOULT_OK);
    assert_int_equal(size, v110.envelope.size);

    uint8_t deployment[16]; /* the same order again, until something changes */
    memcpy(deployment, told.deployment, 16);
    told = world_checkin(w, &w->toys[0], NULL, 0);
    assert_int_equal(told.order.action, MOULT_ACTION_INSTALL);
    assert_memory_equal(told.deployment, deployment, 16);
    world_close(w);
}

static void test_the_road_of_one_device(void **state)
{
    (void)state;
    struct world *w = open_with_releases(NULL);
    world_toys(w, 1, &v100);
    json_decref(world_rollout(w, everybody, false));
    assert_true(world_update(w, &w->toys[0], &v110, true));
    json_t *device = world_show_device(w, &w->toys[0]);
    assert_string_equal(world_text(device, "running.version"), "1.1.0");
    assert_string_equal(world_text(device, "running.slot_state"), "confirmed");
    assert_true(json_is_null(world_at(device, "assignment")));
    assert_true(json_is_null(world_at(device, "last_failure")));
    json_decref(device);
    json_t *rollout = world_show_rollout(w, "r");
    assert_string_equal(world_text(rollout, "state"), "completed");
    assert_int_equal(world_number(rollout, "counts.confirmed"), 1);
    json_decref(rollout);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM attempt WHERE state = 10"), 1);
    struct told told = world_checkin(w, &w->toys[0], NULL, 0);
    assert_false(told.went_to_writer);
    assert_int_equal(told.order.action, MOULT_ACTION_NONE);
    world_close(w);
}

static void test_a_rollback_is_shown_with_its_reason_and_words(void **state)
{
    (void)state;
    struct world *w = open_with_releases(NULL);
    world_toys(w, 1, &v100);
    json_decref(world_rollout(w, everybody, false));
    assert_true(world_update(w, &w->toys[0], &v110, false));
    json_t *device = world_show_device(w, &w->toys[0]);
    assert_string_equal(world_text(device, "running.version"), "1.0.0");
    assert_string_equal(world_text(device, "last_failure.reason"), "R806");
    assert_string_equal(world_text(device, "last_failure.detail"), "E1602");
    assert_string_equal(world_text(device, "last_failure.text"), "sensor did not answer");
    json_decref(device);
    json_t *rollout = world_show_rollout(w, "r");
    assert_string_equal(world_text(rollout, "failures.0.name"), "TRIAL_SELFTEST");
    assert_int_equal(world_number(rollout, "failures.0.count"), 1);
    json_decref(rollout);
    world_close(w);
}

static void test_a_word_of_success_without_the_digest_is_worth_nothing(void **state)
{
    (void)state;
    struct world *w = open_with_releases(NULL);
    world_toys(w, 1, &v100);
    json_decref(world_rollout(w, everybody, false));
    struct toy *toy = &w->toys[0];
    struct told told = world_checkin(w, toy, NULL, 0);
    struct toy_report words[] = {
        {.kind = MOULT_REPORT_TRIAL, .deployment = told.deployment},
        {.kind = MOULT_REPORT_CONFIRMED, .deployment = told.deployment}};
    world_report(w, toy, words, 2);
    world_checkin(w, toy, NULL, 0);
    json_t *device = world_show_device(w, toy);
    assert_string_equal(world_text(device, "assignment.state"), "offered");
    json_decref(device);
    world_close(w);
}

static void test_rebooting_said_with_the_old_digest_is_no_rollback(void **state)
{
    (void)state;
    struct world *w = open_with_releases(NULL);
    world_toys(w, 1, &v100);
    json_decref(world_rollout(w, everybody, false));
    struct toy *toy = &w->toys[0];
    struct told told = world_checkin(w, toy, NULL, 0);
    struct toy_report going = {.kind = MOULT_REPORT_REBOOTING,
                               .deployment = told.deployment};
    told = world_checkin(w, toy, &going, 1);
    json_t *device = world_show_device(w, toy);
    assert_string_equal(world_text(device, "assignment.state"), "rebooting");
    json_decref(device);
    told = world_checkin(w, toy, NULL, 0); /* but the next one with it is */
    device = world_show_device(w, toy);
    assert_string_equal(world_text(device, "assignment.reason"), "R702");
    assert_string_equal(world_text(device, "assignment.state"),
                        "planned"); /* tried again */
    assert_int_equal(world_number(device, "assignment.generation"), 2);
    json_decref(device);
    world_close(w);
}

static void test_an_enrolment_that_was_lost_is_made_again(void **state)
{
    (void)state;
    struct world *w = open_with_releases(NULL);
    struct toy *toy = world_toy(w, 0, &v100);
    toy->has_told_facts = true; /* a second check-in has no news for who knows the first */
    world_checkin_lost(w, toy);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM device"), 0);
    assert_true(world_checkin(w, toy, NULL, 0).went_to_writer);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM device"), 1);
    world_close(w);
}

/* Offered, "rebooting", and back with the old digest: the server can only guess why. */
static void come_back(struct world *w, struct toy *toy, uint8_t deployment[16])
{
    struct told told = world_checkin(w, toy, NULL, 0);
    assert_int_equal(told.order.action, MOULT_ACTION_INSTALL);
    memcpy(deployment, told.deployment, 16);
    struct toy_report going = {.kind = MOULT_REPORT_REBOOTING, .deployment = deployment};
    world_report(w, toy, &going, 1);
    world_checkin(w, toy, NULL, 0);
}

static void test_a_guessed_reason_gives_way_to_the_devices_own(void **state)
{
    (void)state;
    struct world *w = open_with_releases(NULL);
    world_toys(w, 1, &v100);
    json_decref(world_rollout(w, everybody, false));
    struct toy *toy = &w->toys[0];
    uint8_t deployment[16];
    come_back(w, toy, deployment); /* once more is allowed */
    world_wait(w, 200000);
    come_back(w, toy, deployment);
    json_t *rollout = world_show_rollout(w, "r");
    assert_string_equal(world_text(rollout, "failures.0.reason"), "R702");
    json_decref(rollout);
    struct toy_report own = {.kind = MOULT_REPORT_ROLLED_BACK,
                             .deployment = deployment,
                             .reason = 806,
                             .text = "sensor"};
    world_report(w, toy, &own, 1);
    rollout = world_show_rollout(w, "r");
    assert_string_equal(world_text(rollout, "failures.0.reason"), "R806");
    assert_int_equal(world_number(rollout, "phases.0.failed"), 1);
    json_decref(rollout);
    assert_true(world_recounts(w));
    world_close(w);
}

static void test_reports_count_once_however_often_they_come(void **state)
{
    (void)state;
    struct world *w = open_with_releases(NULL);
    world_toys(w, 1, &v100);
    json_decref(world_rollout(w, everybody, false));
    struct toy *toy = &w->toys[0];
    struct told told = world_checkin(w, toy, NULL, 0);
    long long events = world_sql(w, "SELECT count(*) FROM event WHERE boot_id NOT NULL");
    struct toy_report report = {
        .kind = MOULT_REPORT_FAILED, .reason = 806, .deployment = told.deployment};
    world_report(w, toy, &report, 1);
    report.repeat_sequence = toy->report_sequence;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(world_report(w, toy, &report, 1).status, 200);
        world_checkin(w, toy, &report, 1);
    }
    assert_int_equal(world_sql(w, "SELECT count(*) FROM event WHERE boot_id NOT NULL"),
                     events + 1);
    json_t *rollout = world_show_rollout(w, "r");
    assert_int_equal(world_number(rollout, "phases.0.failed"), 1);
    json_decref(rollout);
    assert_true(world_recounts(w));
    world_close(w);
}

static void test_reports_of_nobodys_deployment_are_gone(void **state)
{
    (void)state;
    struct world *w = open_with_releases(NULL);
    world_toys(w, 1, &v100);
    uint8_t unknown[16] = {1, 2, 3};
    struct toy_report reports[] = {
        {.kind = MOULT_REPORT_DOWNLOADING, .deployment = unknown},
        {.kind = MOULT_REPORT_WRITTEN, .deployment = unknown},
        {.kind = MOULT_REPORT_EVENT}};
    struct told told = world_report(w, &w->toys[0], reports, 3);
    assert_int_equal(told.status, 200);
    assert_int_equal(told.gone_count, 1);
    assert_memory_equal(told.result.gone[0], unknown, 16);
    assert_int_equal(world_sql(w, "SELECT count(*) FROM event WHERE boot_id NOT NULL"), 3);
    world_close(w);
}

static void test_facts_are_asked_for_until_they_are_told(void **state)
{
    (void)state;
    struct world *w = open_with_releases(NULL);
    struct toy *toy = world_toy(w, 0, &v100);
    toy->has_told_facts = true; /* it thinks */
    assert_true(world_checkin(w, toy, NULL, 0).send_facts);
    toy->has_told_facts = false;
    assert_false(world_checkin(w, toy, NULL, 0).send_facts);
    assert_false(world_checkin(w, toy, NULL, 0).send_facts);
    world_close(w);
}

static void test_the_reply_is_what_a_device_can_read(void **state)
{
    (void)state;
    struct control_checkin_result result = {.status = 200,
                                            .next_s = 77,
                                            .keyset_version = 3,
                                            .server_time_ms = WORLD_T0,
                                            .send_facts = true,
                                            .gone_count = 2};
    result.gone[0][0] = 1;
    result.gone[1][0] = 2;
    uint8_t buffer[MOULT_REPLY_SIZE_MAX], envelope[900] = {0xd8};
    struct moult_cbor_writer writer;
    struct moult_checkin_reply reply;
    moult_cbor_writer_init(&writer, buffer, sizeof buffer);
    control_checkin_reply(&result, (struct moult_bytes){envelope, sizeof envelope},
                          &writer);
    assert_int_equal(writer.status, MOULT_OK);
    assert_int_equal(moult_checkin_reply_read(moult_cbor_written(&writer), &reply, NULL),
                     MOULT_OK);
    assert_int_equal(reply.next_s, 77);
    assert_int_equal(reply.assignment.size, sizeof envelope);
    assert_int_equal(reply.keyset_version, 3);
    assert_int_equal(reply.server_time_ms, WORLD_T0);
    assert_int_equal(reply.send_facts, 1);
    assert_int_equal(reply.gone.count, 2);
    assert_int_equal(reply.gone.deployment_id[1][0], 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_unknown_key_waits_until_it_is_accepted),
        cmocka_unit_test(test_states_that_may_not_speak),
        cmocka_unit_test(test_without_trust_on_first_use_a_stranger_is_refused),
        cmocka_unit_test(test_pending_devices_are_limited),
        cmocka_unit_test(test_another_devices_name_is_refused),
        cmocka_unit_test(test_an_idle_checkin_runs_no_sql),
        cmocka_unit_test(test_last_seen_is_flushed_and_survives_a_restart),
        cmocka_unit_test(test_counters_rise_even_when_the_clock_is_set_back),
        cmocka_unit_test(test_an_offer_names_release_source_and_deployment),
        cmocka_unit_test(test_the_road_of_one_device),
        cmocka_unit_test(test_a_rollback_is_shown_with_its_reason_and_words),
        cmocka_unit_test(test_a_word_of_success_without_the_digest_is_worth_nothing),
        cmocka_unit_test(test_rebooting_said_with_the_old_digest_is_no_rollback),
        cmocka_unit_test(test_an_enrolment_that_was_lost_is_made_again),
        cmocka_unit_test(test_a_guessed_reason_gives_way_to_the_devices_own),
        cmocka_unit_test(test_reports_count_once_however_often_they_come),
        cmocka_unit_test(test_reports_of_nobodys_deployment_are_gone),
        cmocka_unit_test(test_facts_are_asked_for_until_they_are_told),
        cmocka_unit_test(test_the_reply_is_what_a_device_can_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
