/* fuzz_session.c - device/src/: the update session under any sequence of events and faults.
 *
 * Input: pairs of bytes, what happens and how much. Then everything is well again, and the
 * device must come to run the offered release. Beyond no crash and no assert: never
 * anything but the old or the new image boots, the running slot is never written (the
 * simulated flash says so), and the end is reached within a bound of steps and boots.
 */
#include <stdlib.h>
#include <string.h>
#include "device/src/journal.h"
#include "device/src/session_states.h"
#include "tests/support/update_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { EVENTS_MAX = 48, STEPS_PER_EVENT = 4 };

static struct world w, fresh;

static void must(bool holds)
{
    if (!holds) { abort(); }
}

static void power_on(void)
{
    must(world_boot(&w, MOULT_RESET_POWER_ON));
}

static void steps(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (!world_step(&w)) { power_on(); }
    }
}

static void cut(uint8_t how)
{
    struct moult_sim_flash *flash = &w.device.chip.flash;
    flash->plans[0] = (struct moult_sim_plan){.fault = how & 1 ? MOULT_SIM_CUT_MIXED
                                                               : MOULT_SIM_CUT_AFTER,
                                              .at = flash->operation_count + 1 + (how >> 1),
                                              .seed = how};
}

static void order(uint8_t how)
{
    w.action = (enum moult_action)(how & 3);
    if (how & 4) { world_deployment(&w, (char)('A' + (how >> 3))); }
}

static void policy(uint8_t how)
{
    w.policy_keys = (uint32_t)how << 1 & ~(1u << MOULT_POLICY_WINDOWS);
    w.policy = (struct moult_policy){.give_up_s = 100u + how,
                                     .attempts = 2,
                                     .battery_percent = 10,
                                     .confirm_timeout_s = 30,
                                     .consent = 1,
                                     .stage_only = how >> 7};
}

static void damage(uint8_t how)
{
    /* A bit that rots between erase and program would look like the engine's own
     * mistake. */
    if (w.session.state == MOULT_STATE_PROGRAM || w.session.state == MOULT_STATE_ARM) {
        return;
    }
    /* Only where the image is not yet approved: a flash that rots later is another story.
     * */
    bool is_open =
        w.session.plan.stage < MOULT_STAGE_WRITTEN && w.device.port.boot.booted == 0;
    if (is_open) { w.device.bits[SIM_SLOT_1_AT + how * 40u] ^= 1; }
}

static void faults(uint8_t how)
{
    static const char *const keys[] = {NULL,     "plan",    "mark",  "orders",
                                       "report", "release", "floor", "blocks"};
    w.kv_fails = keys[how & 7];
    w.erase_fails = how >> 3 & 3;
    w.write_fails = how >> 5 & 1;
    w.write_noops = how >> 6 & 1;
}

static void wake(uint8_t how)
{
    const uint8_t payload[] = {
        0xa2, 0x01, 0x18, (uint8_t)(24 | how), 0x02, (uint8_t)(how & 15)};
    moult_wake(&w.session, payload, sizeof payload, w.now_ms);
}

static void server(uint8_t how)
{
    w.is_down = how & 1;
    w.checkin_status = how & 2 ? 503 : 0;
    w.retry_after_s = how >> 4;
    w.says_gone = how & 4;
    w.order_keys = how & 8 ? 1u << STATEMENTS_RELEASE : 0;
}

static void happen(uint8_t what, uint8_t how)
{
    switch (what % 16) {
    case 0:
        wake(how);
        break;
    case 1:
        how & 1 ? moult_pause(&w.session) : moult_resume(&w.session);
        break;
    case 2:
        moult_throttle(&w.session, how * 100u);
        break;
    case 3:
        w.transfer = (enum world_transfer)(how % (WORLD_REFUSE + 1));
        w.transfer_at = how * 50u;
        break;
    case 4:
        server(how);
        break;
    case 5:
        cut(how);
        break;
    case 6:
        must(world_boot(&w, how % 16));
        break;
    case 7:
        w.health[2] = (enum moult_health)(how % 3);
        break;
    case 8:
        order(how);
        break;
    case 9:
        w.now_ms += how * 10000u;
        break;
    case 10:
        damage(how);
        break;
    case 11:
        faults(how);
        break;
    case 12:
        w.crash_sequence = how & 1 ? 2 : 0;
        w.crash_after = w.crash_left = how >> 1;
        break;
    case 13:
        w.answer = (enum moult_answer)(how % 3);
        break;
    case 14:
        policy(how);
        break;
    default:
        if (moult_reject(&w.session) != MOULT_OK) { moult_check_now(&w.session, w.now_ms); }
        break;
    }
}

/* The world is good again, and the operator insists. */
static void heal(char deployment)
{
    server(0);
    faults(0);
    w.erase_fails = w.write_fails = w.write_noops = 0;
    w.transfer = WORLD_GOOD;
    w.crash_sequence = 0;
    w.answer = MOULT_ANSWER_YES;
    for (unsigned i = 0; i < 4; i++) {
        w.health[i] = MOULT_HEALTH_OK;
    }
    w.device.chip.flash.plans[0] = (struct moult_sim_plan){.fault = MOULT_SIM_FAULT_NONE};
    world_deployment(&w, deployment);
    w.action = MOULT_ACTION_INSTALL;
    w.policy_keys = 1u << MOULT_POLICY_LIFT_BLOCK;
    w.policy = (struct moult_policy){.lift_block = 1};
    moult_resume(&w.session);
    moult_throttle(&w.session, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_made;
    if (!is_made) { world_make(&fresh); }
    is_made = true;
    world_copy(&w, &fresh);
    w.config.confirm_timeout_s = 60;
    power_on();
    for (size_t i = 0; i + 1 < size && i < 2 * EVENTS_MAX; i += 2) {
        happen(data[i], data[i + 1]);
        steps(1u + (data[i] >> 4) * (unsigned)STEPS_PER_EVENT);
    }
    if (w.device.chip.flash.is_off) { power_on(); }
    /* A bit that rotted before is found at the end of one attempt; the next one writes
     * anew. */
    heal('!');
    must(world_settle(&w));
    if (!world_runs(&w, &w.new)) {
        heal('?');
        must(world_settle(&w));
    }
    must(w.foreign_boots == 0 && world_runs(&w, &w.new));
    world_forget(&w);
    return 0;
}
