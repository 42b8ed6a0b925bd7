/* contact_test.c - device/src/contact.c and checkin.c: when the device talks. */
#include <string.h>
#include "formats/codes.h"
#include "formats/wake.h"
#include "tests/support/check.h"
#include "tests/support/update_world.h"

static struct world w, fresh;

static void begin(void)
{
    world_copy(&w, &fresh);
}

static bool boots(void)
{
    return world_boot(&w, MOULT_RESET_POWER_ON);
}

/* --- when it talks --- */

static size_t wake_bytes(uint8_t *out, size_t size, uint64_t seq, uint32_t spread_s)
{
    struct moult_cbor_writer writer;
    struct moult_wake wake = {.seq = seq, .spread_s = spread_s};
    moult_cbor_writer_init(&writer, out, size);
    moult_wake_write(&writer, &wake);
    return writer.size;
}

static uint64_t next_checkin_after_wake(uint64_t seq, uint32_t spread_s)
{
    uint8_t payload[64];
    size_t size = wake_bytes(payload, sizeof payload, seq, spread_s);
    uint64_t now = w.now_ms;
    moult_wake(&w.session, payload, size, now);
    return world_until(&w, "CHECKIN") ? w.now_ms - now : UINT64_MAX;
}

static bool idle_with(enum moult_trigger trigger)
{
    begin();
    w.action = MOULT_ACTION_NONE;
    w.next_s = 3600;
    w.config.trigger = trigger;
    return boots() && world_until(&w, "ORDER") && world_until(&w, "IDLE");
}

static void test_hybrid_wakes_and_polls(void)
{
    check(idle_with(MOULT_TRIGGER_HYBRID));
    check(next_checkin_after_wake(10, 0) < 1100); /* the shortest interval is 1 s */
    check(world_until(&w, "IDLE"));
    check(next_checkin_after_wake(11, 60) <= 61100);
    check(world_until(&w, "IDLE"));
    uint64_t gap = next_checkin_after_wake(11, 0); /* seen: the poll comes instead */
    check(gap > 3200000 && gap < 4000000);
}

static void test_pull_ignores_wakes(void)
{
    check(idle_with(MOULT_TRIGGER_PULL));
    uint64_t gap = next_checkin_after_wake(10, 0);
    check(gap > 3200000 && gap < 4000000);
}

static void test_push_checks_in_once_a_day_and_on_wakes(void)
{
    check(idle_with(MOULT_TRIGGER_PUSH));
    uint64_t now = w.now_ms;
    check(world_until(&w, "CHECKIN"));
    check(w.now_ms - now > 77000000 && w.now_ms - now < 96000000);
    check(world_until(&w, "IDLE"));
    check(next_checkin_after_wake(10, 0) < 1100); /* the shortest interval is 1 s */
}

static void test_push_follows_the_server_while_there_is_an_update(void)
{
    begin();
    w.next_s = 600;
    w.config.trigger = MOULT_TRIGGER_PUSH;
    w.policy_keys = 1u << MOULT_POLICY_BATTERY;
    w.policy.battery_percent = 50;
    w.battery_percent = 10; /* not now */
    check(boots());
    check(world_until(&w, "ORDER"));
    for (unsigned i = 0; i < 3; i++) {
        check(world_until(&w, "IDLE"));
        uint64_t now = w.now_ms;
        check(world_until(&w, "CHECKIN"));
        check(w.now_ms - now < 700000);
        check(world_until(&w, "ORDER"));
    }
    check_equal(w.artifact_requests, 0);
}

static void test_a_malformed_wake_is_ignored(void)
{
    check(idle_with(MOULT_TRIGGER_HYBRID));
    uint8_t garbage[80] = {0xa1, 0x01};
    moult_wake(&w.session, garbage, sizeof garbage, w.now_ms);
    moult_wake(&w.session, garbage, 2, w.now_ms);
    moult_wake(&w.session, NULL, 0, w.now_ms);
    check_equal(moult_step(&w.session, w.now_ms), MOULT_STEP_WAIT);
    check(moult_wait_ms(&w.session, w.now_ms) > 3000000);
}

static void test_intervals_have_bounds(void)
{
    begin();
    w.action = MOULT_ACTION_NONE;
    w.next_s = 0;
    w.config.interval_min_s = 30;
    check(boots());
    check(world_until(&w, "ORDER"));
    check(world_until(&w, "IDLE"));
    uint64_t now = w.now_ms;
    check(world_until(&w, "CHECKIN"));
    check(w.now_ms - now >= 29900 && w.now_ms - now <= 33100);
    w.next_s = UINT32_MAX;
    check(world_until(&w, "ORDER"));
    check(world_until(&w, "IDLE"));
    now = w.now_ms;
    check(world_until(&w, "CHECKIN"));
    check(w.now_ms - now <= 2678400ull * 1100);
}

static void test_a_cold_boot_spreads_its_check_in(void)
{
    begin();
    w.config.cold_boot_wait_max_s = 300;
    w.config.interval_s = 3600;
    w.action = MOULT_ACTION_NONE;
    uint64_t total = 0;
    for (unsigned i = 0; i < 8; i++) {
        check(boots());
        uint64_t now = w.now_ms;
        check(world_until(&w, "CHECKIN"));
        check(w.now_ms - now < 301000);
        total += w.now_ms - now;
    }
    check(total > 8 * 30000);

    w.action = MOULT_ACTION_INSTALL; /* after its reboot the trial checks in at once */
    check(world_until(&w, "REBOOT"));
    check(world_boot(&w, MOULT_RESET_SOFTWARE));
    uint64_t now = w.now_ms;
    check(world_until(&w, "CHECKIN"));
    check(w.now_ms - now < 100);
}

int main(void)
{
    world_make(&fresh);
    check_run(test_hybrid_wakes_and_polls);
    check_run(test_pull_ignores_wakes);
    check_run(test_push_checks_in_once_a_day_and_on_wakes);
    check_run(test_push_follows_the_server_while_there_is_an_update);
    check_run(test_a_malformed_wake_is_ignored);
    check_run(test_intervals_have_bounds);
    check_run(test_a_cold_boot_spreads_its_check_in);
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
