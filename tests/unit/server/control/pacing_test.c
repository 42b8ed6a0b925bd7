/* pacing_test.c - when devices are told to come again; and the ids that they and people
 * use. */
#include "server/control/pacing.h"
#include <string.h>
#include "formats/bytes.h"
#include "server/control/checkin.h"
#include "server/control/ids.h"
#include "server/rollout/assignment.h"
#include "tests/support/unit.h"

static struct control_config config;

static uint32_t told(uint8_t state, uint8_t assigned, bool may_be_offered, int64_t wait_ms)
{
    static const uint8_t id[16] = {1};
    struct pacing pacing = {.device_id = id,
                            .state = state,
                            .assigned_state = assigned,
                            .may_be_offered = may_be_offered,
                            .wait_ms = wait_ms,
                            .now_ms = 1800000000000};
    return pacing_next_s(&config, &pacing);
}

static void test_states_have_their_intervals(void **state)
{
    (void)state;
    control_config_default(&config);
    assert_int_equal(told(DEVICE_PENDING, 0, false, 0), 900);
    assert_int_equal(told(DEVICE_QUARANTINED, 0, false, 0), 900);
    assert_int_equal(told(DEVICE_ACCEPTED, ASSIGNMENT_DOWNLOADING, false, 0), 300);
    assert_int_equal(told(DEVICE_ACCEPTED, ASSIGNMENT_TRIAL, false, 0), 60);
    assert_int_equal(told(DEVICE_ACCEPTED, ASSIGNMENT_SOAKING, false, 5000),
                     30); /* least */
    assert_int_equal(told(DEVICE_ACCEPTED, ASSIGNMENT_SOAKING, false, 900000), 60);
    assert_int_equal(told(DEVICE_ACCEPTED, ASSIGNMENT_PLANNED, false, 0), 300);
    assert_int_equal(told(DEVICE_ACCEPTED, ASSIGNMENT_PLANNED, true, 45000), 45);
    assert_int_equal(told(DEVICE_ACCEPTED, ASSIGNMENT_PLANNED, true, 9999999), 300);
    config.interval_min_ms = 0;
    assert_int_equal(told(DEVICE_ACCEPTED, ASSIGNMENT_SOAKING, false, 1), 1);
    config.interval_pending_ms = UINT64_MAX / 2;
    assert_int_equal(told(DEVICE_PENDING, 0, false, 0), 2678400); /* at most 31 days */
}

/* 6,000 idle devices that all come in the same second are spread over the hour to come. */
static void test_idle_devices_are_spread_over_the_interval(void **state)
{
    (void)state;
    control_config_default(&config);
    uint32_t per_minute[60] = {0};
    for (uint32_t n = 0; n < 6000; n++) {
        uint8_t id[16] = {0};
        put_be64(id, (n + 1) * 0x9e3779b97f4a7c15u);
        struct pacing pacing = {
            .device_id = id, .state = DEVICE_ACCEPTED, .now_ms = 1800000123456};
        uint32_t next_s = pacing_next_s(&config, &pacing);
        assert_true(next_s >= 1800 && next_s <= 5400);
        per_minute[next_s / 60 % 60]++;
        pacing.now_ms += (int64_t)next_s * 1000; /* and then it has its own slot */
        uint32_t again_s = pacing_next_s(&config, &pacing);
        assert_true(again_s >= 3599 && again_s <= 3601);
    }
    for (int i = 0; i < 60; i++) {
        assert_true(per_minute[i] > 50 && per_minute[i] < 160); /* 100 expected */
    }
}

static void test_ids_read_back_and_keep_their_order(void **state)
{
    (void)state;
    uint8_t id[ID_SIZE], read[ID_SIZE];
    char text[ID_TEXT_SIZE], later[ID_TEXT_SIZE];
    id_of_row(1800000000000, 0xffff, UINT64_MAX, id);
    id_write("rol", id, text);
    assert_int_equal(strlen(text), 30);
    assert_true(id_parse("rol", text, read));
    assert_memory_equal(read, id, ID_SIZE);
    assert_false(id_parse("rel", text, read));
    id_of_row(1800000000001, 0, 0, id);
    id_write("rol", id, later);
    assert_true(strcmp(text, later) < 0);

    assert_true(
        id_parse("rol", "rol_00000000000000000000000OIL", read)); /* as people write */
    assert_int_equal(read[15], 0x21);
    static const char *const bad[] = {"rol_",
                                      "rol_0000000000000000000000000",
                                      "",
                                      "rol_000000000000000000000000000",
                                      "rol_8zzzzzzzzzzzzzzzzzzzzzzzzz",
                                      "rol_0000000000000000000000000U",
                                      "rol"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(id_parse("rol", bad[i], read));
    }
    int64_t num = 0;
    event_id_write(1800000000000, 123456789, text);
    assert_true(event_id_parse(text, &num));
    assert_int_equal(num, 123456789);
    assert_false(event_id_parse("evt_7ZZZZZZZZZZZZZZZZZZZZZZZZZ", &num)); /* negative */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states_have_their_intervals),
        cmocka_unit_test(test_idle_devices_are_spread_over_the_interval),
        cmocka_unit_test(test_ids_read_back_and_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
