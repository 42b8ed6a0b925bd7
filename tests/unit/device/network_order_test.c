/* network_order_test.c - device/src/order.c, checkin.c, contact.c: what comes twice, late,
 * or in another order (F17): replies, assignments, requests and wakes.
 *
 * Every kind of order of the past is delivered again in every situation a device can be in:
 * nothing to do, half a transfer, a proven image that waits, a trial. It is refused as
 * E_NONCE and moves nothing: not the plan, not the slot, not the trial.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "device/src/session_states.h"
#include "formats/codes.h"
#include "formats/wake.h"
#include "tests/support/check.h"
#include "tests/support/update_server.h"
#include "tests/support/update_world.h"

enum { KEPT_MAX = 8, STEPS_MAX = 100000, SECTORS = SIM_FLASH_SIZE / MOULT_SECTOR_SIZE };

static struct world w, fresh;
static uint16_t erases[SECTORS];

/* --- a network that keeps answers and delivers one again --- */

static struct {
    struct {
        uint8_t data[MOULT_REPLY_SIZE_MAX];
        uint32_t size;
    } kept[KEPT_MAX];
    unsigned count;
    bool keeps, doubles;
    int again; /* of the kept ones, comes next instead of the fresh answer; -1: none */
} net;

static void keep_or_replace(void)
{
    if (net.keeps && net.count < KEPT_MAX) {
        memcpy(net.kept[net.count].data, w.http.data, w.http.size);
        net.kept[net.count++].size = w.http.size;
    }
    if (net.again < 0) { return; }
    w.http.data = net.kept[net.again].data;
    w.http.size = w.http.cut = w.http.reply.length = net.kept[net.again].size;
    net.again = -1;
}

static int32_t start(void *context, const struct moult_http_request *request)
{
    int32_t native = update_server_start(context, request);
    if (net.doubles) {
        update_server_cancel(context);
        native = update_server_start(context, request);
    }
    if (strcmp(request->path, "/device/v1/checkin") == 0) { keep_or_replace(); }
    return native;
}

static void rewire(struct world *world)
{
    world->port.http_start = start;
}

static void begin(void)
{
    static uint64_t runs;
    world_copy(&w, &fresh);
    w.random = ++runs; /* other nonces than any run before */
    memset(erases, 0, sizeof erases);
    w.device.chip.flash.erase_count = erases;
    w.rewire = rewire;
    net.keeps = net.doubles = false;
    net.again = -1;
}

static bool steps_until(bool (*holds)(void))
{
    for (unsigned i = 0; i < STEPS_MAX && !holds(); i++) {
        if (!world_step(&w)) { return false; }
    }
    return holds();
}

static bool is_at_rest(void)
{
    bool rests =
        w.session.state == MOULT_STATE_IDLE || w.session.state == MOULT_STATE_BACKOFF;
    return rests && !w.http.is_open && !w.device.port.reboot_wanted;
}

/* One check-in, answered and dealt with. */
static bool ask(void)
{
    unsigned before = w.checkins;
    moult_check_now(&w.session, w.now_ms);
    for (unsigned i = 0; i < STEPS_MAX && w.checkins == before; i++) {
        if (!world_step(&w)) { return false; }
    }
    return steps_until(is_at_rest);
}

/* --- orders of the past --- */

static bool collect(void)
{
    static const enum moult_action actions[] = {MOULT_ACTION_NONE, MOULT_ACTION_INSTALL,
                                                MOULT_ACTION_ABORT, MOULT_ACTION_KEYSET};
    begin();
    net.count = 0;
    net.keeps = true;
    w.answer = MOULT_ANSWER_LATER; /* nothing is begun meanwhile */
    if (!world_boot(&w, MOULT_RESET_POWER_ON)) { return false; }
    for (unsigned i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        w.action = actions[i];
        if (!ask()) { return false; }
    }
    return net.count >= sizeof actions / sizeof actions[0];
}

/* --- situations --- */

static bool with_nothing_to_do(void)
{
    w.action = MOULT_ACTION_NONE;
    return world_boot(&w, MOULT_RESET_POWER_ON) && world_settle(&w);
}

static bool in_half_a_transfer(void)
{
    if (!world_boot(&w, MOULT_RESET_POWER_ON) || !world_until(&w, "RECORD") ||
        !world_step(&w)) {
        return false;
    }
    moult_pause(&w.session);
    return steps_until(is_at_rest);
}

static bool with_a_proven_image(void)
{
    w.policy_keys = 1u << MOULT_POLICY_STAGE_ONLY;
    w.policy.stage_only = 1;
    return world_boot(&w, MOULT_RESET_POWER_ON) && world_until(&w, "GATE") &&
           steps_until(is_at_rest);
}

static bool is_on_trial(void)
{
    return moult_on_trial(&w.session);
}

static bool on_trial(void)
{
    w.health[2] = MOULT_HEALTH_WAIT;
    return world_boot(&w, MOULT_RESET_POWER_ON) && steps_until(is_on_trial);
}

static const struct {
    const char *name;
    bool (*reach)(void);
} situations[] = {
    {"nothing to do", with_nothing_to_do},
    {"half a transfer", in_half_a_transfer},
    {"a proven image", with_a_proven_image},
    {"a trial", on_trial},
};

/* What an order could move. */
struct picture {
    struct moult_plan plan;
    uint16_t erases[SECTORS];
    uint64_t counter;
    unsigned artifact_requests;
    bool is_trial, has_contact;
};

static struct picture picture(void)
{
    struct picture seen = {
        .plan = w.session.plan,
        .artifact_requests = w.artifact_requests,
        .is_trial = w.session.trial.is_on,
        .has_contact = w.session.trial.has_contact,
    };
    memcpy(seen.erases, erases, sizeof erases);
    memset(seen.erases, 0, sizeof seen.erases[0] * (SIM_SLOT_0_AT / MOULT_SECTOR_SIZE));
    for (unsigned i = 0; i < w.session.order_count; i++) {
        seen.counter += w.session.orders[i].counter;
    }
    return seen;
}

static void test_an_order_of_the_past_moves_nothing(void)
{
    check(collect());
    for (unsigned s = 0; s < sizeof situations / sizeof situations[0]; s++) {
        for (unsigned i = 0; i < net.count; i++) {
            check_row(situations[s].name);
            begin();
            check(situations[s].reach());
            net.again = (int)i;
            struct picture before = picture();
            check(ask());
            struct picture after = picture();
            check_bytes(&after, &before, sizeof before);
            check_equal(w.session.trouble.detail, MOULT_D_NONCE);
            check(ask()); /* it is told with the next contact */
            check(world_report_with(&w, MOULT_D_NONCE) != NULL);
        }
    }
}

/* The same, and then the real thing happens all the same. */
static void test_after_orders_of_the_past_the_update_goes_on(void)
{
    check(collect());
    for (unsigned i = 0; i < net.count; i++) {
        begin();
        check(in_half_a_transfer());
        net.again = (int)i;
        check(ask());
        moult_resume(&w.session);
        check(world_settle(&w));
        check(world_runs(&w, &w.new));
        check_equal(world_count(&w, MOULT_REPORT_CONFIRMED), 1);
    }
}

/* A server that was restored from a backup counts from lower numbers. */
static void count_down(struct world *world, struct moult_assignment *order)
{
    order->counter = 1000 - world->checkins;
}

static void test_a_fresh_order_with_an_old_counter_moves_nothing(void)
{
    begin();
    w.action = MOULT_ACTION_NONE;
    w.tweak_order = count_down;
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    check(ask());
    w.action = MOULT_ACTION_INSTALL;
    struct picture before = picture();
    check(ask());
    struct picture after = picture();
    check_bytes(&after, &before, sizeof before);
    check_equal(w.session.trouble.detail, MOULT_D_COUNTER);
    w.tweak_order = NULL;
    w.counter = 5000;
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
}

/* --- requests that arrive twice --- */

static void test_requests_that_arrive_twice_change_nothing(void)
{
    begin();
    net.doubles = true;
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    check(world_settle(&w));
    check(world_runs(&w, &w.new));
    check_equal(world_count(&w, MOULT_REPORT_CONFIRMED), 1);
    check(world_report_of(&w, MOULT_REPORT_CONFIRMED)->copies >= 2);
    check_equal(world_count(&w, MOULT_REPORT_EVENT), 0);
}

/* --- wakes --- */

static void wake(uint64_t seq)
{
    uint8_t bytes[64];
    struct moult_cbor_writer writer;
    struct moult_wake message = {.seq = seq};
    moult_cbor_writer_init(&writer, bytes, sizeof bytes);
    moult_wake_write(&writer, &message);
    moult_wake(&w.session, bytes, writer.size, w.now_ms);
}

static uint32_t draw(uint32_t bound)
{
    static uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(((state >> 32) * bound) >> 32);
}

static bool pass_time(uint32_t ms)
{
    uint64_t until = w.now_ms + ms;
    while (w.now_ms < until) {
        if (!world_step(&w)) { return false; }
        bool sleeps =
            w.session.state == MOULT_STATE_IDLE && until < w.session.contact.due_ms;
        if (sleeps) { w.now_ms = until; }
    }
    return true;
}

/* Any number of wakes in any order: as many check-ins as there were new highest numbers. */
static void test_wakes_count_only_when_they_are_new(void)
{
    enum { WAKES = 200, NUMBERS = 60 };
    begin();
    w.action = MOULT_ACTION_NONE;
    w.next_s = 86400;
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    check(world_settle(&w));
    unsigned before = w.checkins, expected = 0;
    uint64_t highest = 0;
    for (unsigned i = 0; i < WAKES; i++) {
        uint64_t seq = 1 + draw(NUMBERS);
        expected += seq > highest;
        if (seq > highest) { highest = seq; }
        wake(seq);
        check(pass_time(1500));
    }
    check_equal(w.checkins - before, expected);
}

static void test_a_wake_during_a_check_in_is_not_lost(void)
{
    begin();
    w.action = MOULT_ACTION_NONE;
    w.next_s = 86400;
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    check(world_settle(&w));
    moult_check_now(&w.session, w.now_ms);
    check(world_until(&w, "REPLY")); /* the server has answered already */
    w.action = MOULT_ACTION_INSTALL;
    wake(1);
    uint64_t begun = w.now_ms;
    check(world_until(&w, "PREPARE"));
    check(w.now_ms - begun < 5000);
}

static void test_a_flood_of_wakes_is_followed_at_the_shortest_interval(void)
{
    enum { MINUTES = 60, MIN_S = 30, FLOOD_MS = 50 };
    begin();
    w.action = MOULT_ACTION_NONE;
    w.next_s = 86400;
    w.config.interval_min_s = MIN_S;
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    check(world_settle(&w));
    unsigned before = w.checkins;
    for (unsigned i = 1; i <= MINUTES * 60000 / FLOOD_MS; i++) {
        wake(i);
        check(pass_time(FLOOD_MS));
    }
    check(w.checkins - before <= MINUTES * 60 / MIN_S + 1);
    check(w.checkins - before >= MINUTES * 60 / MIN_S / 2);
}

/* Who holds the assign key makes the device's time; it stands still, or runs back. */
static void stop_the_clock(struct world *world, struct moult_assignment *order)
{
    order->iat_s = world->unix_s + (world->checkins % 2) * 1000;
}

static void test_a_stolen_key_cannot_hide_that_it_is_revoked(void)
{
    enum { DAY_MS = 86400000, DAYS = 8 };
    begin();
    struct moult_keyset keyset = statements_keyset(&w.fleet, 2);
    w.keysets[0] = statements_sign(&w.fleet, statements_keyset_payload(&keyset),
                                   3u << STATEMENTS_ROOT);
    w.keyset_count = 1; /* on a mirror; no answer says so */
    w.action = MOULT_ACTION_NONE;
    w.next_s = 3600;
    w.tweak_order = stop_the_clock;
    check(world_boot(&w, MOULT_RESET_POWER_ON));
    for (unsigned day = 0; day < DAYS && w.session.trust.keyset.version < 2; day++) {
        check(pass_time(DAY_MS));
    }
    check_equal(w.session.trust.keyset.version, 2);
}

int main(void)
{
    world_make_as(&fresh, &(struct world_options){.is_fixed = true});
    check_run(test_an_order_of_the_past_moves_nothing);
    check_run(test_after_orders_of_the_past_the_update_goes_on);
    check_run(test_a_fresh_order_with_an_old_counter_moves_nothing);
    check_run(test_requests_that_arrive_twice_change_nothing);
    check_run(test_wakes_count_only_when_they_are_new);
    check_run(test_a_wake_during_a_check_in_is_not_lost);
    check_run(test_a_flood_of_wakes_is_followed_at_the_shortest_interval);
    check_run(test_a_stolen_key_cannot_hide_that_it_is_revoked);
    world_forget(&w);
    world_free(&fresh);
    return check_report();
}
