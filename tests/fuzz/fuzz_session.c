/* fuzz_session.c - device/src/ as a whole: the network's bytes, the flash's faults, resets,
 * the key-value store's failures and the application's answers all come from the input.
 *
 * Input: one byte of configuration; then from the front events (what, how, how long), from
 * the back what the network does with each request: the honest answer when the bytes are
 * used up, else other bytes, other headers, a broken connection, a replay, or a statement
 * that is changed first and then signed by keys of the fleet.
 *
 * Then everything is well again, and the device must come to run the offered release. Along
 * the way, after every step (names as in docs/testing.md):
 *   I1   power on: something boots
 *   I2   what boots is the old image or the new one, byte for byte
 *   I3   no eFuse is burnt and no floor raised before an image was confirmed
 *   I4-6 the flash saw no write that it must never see: into the running slot, outside the
 *        slots, otadata and NVS, or onto programmed bits
 *   I7   the end is reached within a bound of steps and boots
 *   I12  the journal reads the same twice
 *   I14  nothing was marked valid but the image that runs and is selected
 * Where a changed statement was signed, its owner may have locked himself out: then all but
 * I7 still holds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "device/src/journal.h"
#include "device/src/session_states.h"
#include "tests/support/update_server.h"
#include "tests/support/update_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { EVENTS_MAX = 40, STEPS_PER_EVENT = 4, STEPS_AFTERWARDS = 200, BOOT_TRIES = 8 };

static struct world w;
static struct world fresh[2]; /* the second: anti-rollback, secure_version 1, floor 2 */

static struct {
    const uint8_t *front, *back; /* not yet used */
    bool is_calm;                /* the network is honest from now on */
    bool has_signed;             /* a statement was changed and signed */
    struct statements_bytes replay;
} in;

static uint8_t event_byte(void)
{
    return in.front < in.back ? *in.front++ : 0;
}

static uint8_t network_byte(void)
{
    return in.front < in.back && !in.is_calm ? *--in.back : 0;
}

static uint16_t network_word(void)
{
    uint8_t low = network_byte();
    return (uint16_t)(low | network_byte() << 8);
}

static void must(bool holds, const char *what)
{
    if (holds) { return; }
    fprintf(stderr, "fuzz_session: %s\n", what);
    abort();
}

/* --- what must hold after every step --- */

static void check_invariants(void)
{
    uint32_t burnt = 0;
    must(w.seen.panic == NULL, w.seen.panic ? w.seen.panic : "I4, I5, I6");
    must(w.foreign_boots == 0, "I2: neither the old nor the new image booted");
    must(w.seen.wrong_marks == 0, "I14: another image was marked valid");
    must(moult_sim_efuse_read(&w.device.chip, &burnt) == MOULT_OK, "eFuses");
    must(burnt == 0 || w.seen.marks_valid > 0, "I3: eFuses burnt by an unconfirmed image");
    bool is_raised = w.session.floor.stored > 1 && !in.has_signed;
    must(!is_raised || w.seen.marks_valid > 0, "I3: floor raised by an unconfirmed image");
}

/* A planned fault may strike in the bootloader; without one the next try succeeds. */
static void power_on(uint8_t reset)
{
    bool is_up = world_boot(&w, reset);
    for (unsigned i = 0; i < BOOT_TRIES && !is_up; i++) {
        is_up = world_boot(&w, MOULT_RESET_POWER_ON);
    }
    must(is_up, "I1: nothing boots");
    check_invariants();
}

static void steps(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (!world_step(&w)) { power_on(MOULT_RESET_POWER_ON); }
        check_invariants();
    }
}

/* --- the network --- */

static uint8_t body[MOULT_REPLY_SIZE_MAX + WORLD_IMAGE_MAX];

/* The answer that lies ready, as bytes that may be changed. */
static void take_body(void)
{
    must(w.http.size <= sizeof body, "room for the answer");
    if (w.http.size > 0) { memmove(body, w.http.data, w.http.size); }
    w.http.data = body;
}

static void change_bytes(void)
{
    take_body();
    for (unsigned count = network_byte() & 7u; count > 0 && w.http.size > 0; count--) {
        uint32_t at = network_word() % w.http.size;
        body[at] = (uint8_t)(body[at] ^ network_byte());
    }
}

static void change_size(void)
{
    take_body();
    uint32_t size = network_word() % sizeof body;
    if (size > w.http.size) { memset(body + w.http.size, 0x5a, size - w.http.size); }
    w.http.size = w.http.cut = size;
    if (network_byte() & 1) { w.http.reply.length = size; }
}

static void change_headers(void)
{
    static const uint16_t statuses[] = {200, 201, 204, 206, 301, 304, 307, 400,
                                        401, 403, 404, 408, 410, 416, 429, 500,
                                        503, 0,   99,  100, 199, 599, 999, 65535};
    struct moult_http_reply *reply = &w.http.reply;
    uint8_t what = network_byte();
    if (what & 1) { reply->status = statuses[network_byte() % 24]; }
    if (what & 2) { reply->has_length = !reply->has_length; }
    if (what & 4) { reply->length += (uint32_t)network_word() - 256; }
    if (what & 8) { reply->has_range = !reply->has_range; }
    if (what & 16) { reply->range_from += (uint32_t)network_word() - 256; }
    if (what & 32) { reply->range_to += (uint32_t)network_word() - 256; }
    if (what & 64) { reply->range_total += (uint32_t)network_byte() - 128; }
    if (what & 128) {
        memcpy(reply->etag, "\"x\"", 4);
        reply->etag[1] = (char)('a' + network_byte() % 16);
        reply->retry_after_s = network_word();
    }
}

static void raw_body(void)
{
    take_body();
    uint32_t size = network_byte();
    for (uint32_t i = 0; i < size; i++) {
        body[i] = network_byte();
    }
    w.http.size = w.http.cut = w.http.reply.length = size;
}

static void break_connection(void)
{
    w.down_kind = (enum moult_net_failure)(network_byte() % (MOULT_NET_PROTOCOL + 1));
    uint32_t at = network_word();
    if (at < w.http.cut) { w.http.cut = at; }
}

/* Which of the fleet's keys sign: one, some or all of a role; 0 the usual ones. */
static unsigned signers(unsigned usual)
{
    static const unsigned sets[] = {
        0,
        1u << STATEMENTS_ROOT,
        6u << STATEMENTS_ROOT,
        7u << STATEMENTS_ROOT,
        1u << STATEMENTS_RELEASE,
        3u << STATEMENTS_RELEASE,
        2u << STATEMENTS_ASSIGN,
        3u << STATEMENTS_ASSIGN,
    };
    unsigned keys = sets[network_byte() & 7u];
    return keys ? keys : usual;
}

/* What the server will say, before it says so. */
static void spoil_payload(struct statements_bytes *payload)
{
    in.has_signed = true;
    for (unsigned count = 1 + (network_byte() & 3u); count > 0; count--) {
        size_t at = network_word() % payload->size;
        payload->data[at] = (uint8_t)(payload->data[at] ^ network_byte());
    }
    if (network_byte() & 1) { payload->size -= network_byte() % payload->size; }
}

static struct statements_bytes any_payload(void)
{
    struct statements_bytes payload = {.size = 1u + network_byte()};
    in.has_signed = true;
    for (size_t i = 0; i < payload.size; i++) {
        payload.data[i] = network_byte();
    }
    return payload;
}

/* A release of any bytes, and the order of just that release. */
static void sign_any_release(void)
{
    const struct moult_crypto *crypto = &w.fleet.crypto;
    struct statements_bytes payload = any_payload();
    w.release_envelope = statements_sign(&w.fleet, payload, 1u << STATEMENTS_RELEASE);
    must(moult_sha256_once(crypto, payload.data, payload.size, w.release_digest) ==
             MOULT_OK,
         "SHA-256");
}

static void sign_release(void)
{
    struct moult_component *c = &w.release.components[0];
    uint32_t value = network_word();
    in.has_signed = true;
    switch (network_byte() & 7) {
    case 0:
        w.release.sequence = value;
        break;
    case 1:
        w.release.rollback_floor = value % (w.release.sequence + 1);
        break;
    case 2:
        c->size = 32 + value;
        break;
    case 3:
        c->secure_version = (uint8_t)value;
        break;
    case 4:
        c->chip_id = (uint16_t)value;
        break;
    case 5:
        c->digest = value & 1 ? w.old.digest : w.new.digest;
        break;
    default:
        sign_any_release();
        return;
    }
    world_sign_release(&w, 0);
}

static void sign_keyset(void)
{
    struct moult_keyset next = statements_keyset(&w.fleet, 2);
    struct statements_bytes payload = statements_keyset_payload(&next);
    if (network_byte() & 1) { spoil_payload(&payload); }
    w.keysets[0] = statements_sign(&w.fleet, payload, signers(3u << STATEMENTS_ROOT));
    w.keyset_count = 1;
    w.keyset_hint = network_byte() & 3u;
    in.has_signed = true; /* it may be good, and then orders name an older one */
}

/* Before the server makes its answer. */
static void whisper(uint8_t how)
{
    w.spoil_payload = NULL;
    w.order_keys = 0;
    w.raw_order.size = 0;
    switch (how) {
    case 9:
        w.spoil_payload = spoil_payload;
        break;
    case 10:
        w.order_keys = signers(1u << STATEMENTS_ASSIGN);
        break;
    case 11:
        w.raw_order =
            statements_sign(&w.fleet, any_payload(), signers(1u << STATEMENTS_ASSIGN));
        break;
    case 12:
        if (in.replay.size > 0) { w.raw_order = in.replay; }
        break;
    case 13:
        sign_release();
        break;
    case 14:
        sign_keyset();
        break;
    default:
        break;
    }
}

/* After it has. */
static void twist(uint8_t how)
{
    switch (how) {
    case 4:
        change_bytes();
        break;
    case 5:
        change_size();
        break;
    case 6:
        change_headers();
        break;
    case 7:
        raw_body();
        break;
    case 8:
        break_connection();
        break;
    default:
        break;
    }
}

static void remember_order(struct statements_bytes *envelope)
{
    if (in.replay.size == 0) { in.replay = *envelope; }
}

/* The scripted server insists on ranges of the file that it has. */
static bool is_beyond(const struct moult_http_request *request)
{
    return strstr(request->path, "/artifact/") && request->range_to >= w.new.size;
}

static int32_t start(void *context, const struct moult_http_request *request)
{
    uint8_t how = network_byte() & 15u;
    struct moult_http_request asked = *request;
    if (is_beyond(request)) { asked.path = "/not/there"; }
    whisper(how);
    w.spoil_envelope = remember_order;
    int32_t native = update_server_start(context, &asked);
    twist(how);
    if (how != 15) { return native; }
    w.http.is_open = false; /* could not even be started */
    return 1 + network_byte();
}

static void rewire(struct world *world)
{
    world->port.http_start = start;
}

/* --- events --- */

static void cut_or_fail(uint8_t how)
{
    static const enum moult_sim_fault faults[] = {
        MOULT_SIM_CUT_MIXED, MOULT_SIM_CUT_AFTER, MOULT_SIM_CUT_BEFORE,
        MOULT_SIM_CUT_TORN,  MOULT_SIM_CUT_WEAK,  MOULT_SIM_FAIL,
        MOULT_SIM_NOOP,      MOULT_SIM_READ_FAIL};
    struct moult_sim_flash *flash = &w.device.chip.flash;
    uint8_t when = event_byte();
    struct moult_sim_plan plan = {.fault = faults[how & 7],
                                  .torn_size = how >> 3,
                                  .seed = how * 256u + when,
                                  .count = 1u + (how >> 6)};
    bool is_read = plan.fault == MOULT_SIM_READ_FAIL;
    plan.at = (is_read ? flash->read_count : flash->operation_count) + 1 + when;
    flash->plans[when % MOULT_SIM_PLANS_MAX] = plan;
}

static bool may_damage(void)
{
    /* A bit that rots between erase and program would look like the engine's own mistake;
     * and only where the image is not yet approved: a flash that rots later is another
     * story (tests/unit/device/transfer_test.c). */
    return w.session.state != MOULT_STATE_PROGRAM && w.session.state != MOULT_STATE_ARM &&
           w.session.plan.stage < MOULT_STAGE_WRITTEN && w.device.port.boot.booted == 0;
}

static void damage(uint8_t how)
{
    if (may_damage()) { w.device.bits[SIM_SLOT_1_AT + how * 40u] ^= 1; }
}

static void break_flash(uint8_t how)
{
    struct moult_sim_defect *defect =
        &w.device.chip.flash.defects[how % MOULT_SIM_DEFECTS_MAX];
    uint8_t kind = event_byte();
    if (!may_damage()) { return; }
    *defect = (struct moult_sim_defect){
        .kind = (enum moult_sim_defect_kind)(kind % (MOULT_SIM_DEAD_PROGRAM + 1)),
        .offset = SIM_SLOT_1_AT + how * 64u,
        .mask = (uint8_t)(kind >> 3)};
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

static void platform(uint8_t how)
{
    static const char *const keys[] = {NULL,     "plan",    "mark",  "orders",
                                       "report", "release", "floor", "blocks"};
    w.kv_fails = keys[how & 7];
    w.erase_fails = how >> 3 & 3;
    w.write_fails = how >> 5 & 1;
    w.write_noops = how >> 6 & 1;
}

static void boot_control(uint8_t how)
{
    w.set_boot_error = how & 1 ? 0x1503 : 0;
    w.mark_valid_error = how & 2 ? 0x103 : 0;
    w.mark_invalid_error = how & 4 ? 0x103 : 0;
    w.has_entropy = !(how & 8);
}

static void wake(uint8_t how)
{
    uint8_t payload[16] = {
        0xa2, 0x01, 0x18, (uint8_t)(24 | how), 0x02, (uint8_t)(how & 15)};
    size_t size = 6;
    if (how & 1) {
        for (size = 0; size < (how >> 4); size++) {
            payload[size] = event_byte();
        }
    }
    moult_wake(&w.session, payload, size, w.now_ms);
}

static void server(uint8_t how)
{
    w.is_down = how & 1;
    w.checkin_status = how & 2 ? 503 : 0;
    w.retry_after_s = how >> 4;
    w.says_gone = how & 4;
    w.is_pending = how & 8;
}

static void transfer(uint8_t how)
{
    w.transfer = (enum world_transfer)(how % (WORLD_REFUSE + 1));
    w.transfer_at = how * 50u;
}

static void crash(uint8_t how)
{
    w.crash_sequence = how & 1 ? 2 : 0;
    w.crash_after = w.crash_left = how >> 3;
    w.crash_reset = how & 2 ? MOULT_RESET_TASK_WATCHDOG : 0;
}

static void reset(uint8_t how)
{
    power_on(how % 16);
}

static void pause(uint8_t how)
{
    how & 1 ? moult_pause(&w.session) : moult_resume(&w.session);
}

static void throttle(uint8_t how)
{
    moult_throttle(&w.session, how * 100u);
}

static void health(uint8_t how)
{
    w.health[2] = (enum moult_health)(how % 3);
}

static void pass_time(uint8_t how)
{
    w.now_ms += how * 10000u;
}

static void answer(uint8_t how)
{
    w.answer = (enum moult_answer)(how % 3);
    w.battery_percent = how >> 2;
    w.signal_dbm = how;
}

static void ask(uint8_t how)
{
    bool is_trial = how & 1 && moult_reject(&w.session) == MOULT_OK;
    if (!is_trial) { moult_check_now(&w.session, w.now_ms); }
}

static void (*const events[])(uint8_t how) = {
    wake,   pause, throttle,    transfer,    server,       cut_or_fail, reset,
    health, order, damage,      platform,    pass_time,    crash,       answer,
    policy, ask,   cut_or_fail, break_flash, boot_control,
};

/* --- the end --- */

/* The journal reads the same twice: two boots without faults, up to what they make of it.
 * Bits that an interrupted write left weak read otherwise each time, and so may the journal
 * until it is written again. */
static void check_recovery(void)
{
    static struct moult_plan plan;
    static struct moult_floor floor;
    static struct moult_block blocks[MOULT_BLOCKS_MAX];
    for (unsigned i = 0; i < 2; i++) {
        power_on(MOULT_RESET_POWER_ON);
        must(world_until(&w, "CLASSIFY"), "I12: the journal is not read");
        bool is_same = memcmp(&plan, &w.session.plan, sizeof plan) == 0 &&
                       memcmp(&floor, &w.session.floor, sizeof floor) == 0 &&
                       memcmp(blocks, w.session.blocks, sizeof blocks) == 0;
        must(i == 0 || is_same || w.device.chip.flash.weak_count > 0,
             "I12: the journal reads otherwise the second time");
        memcpy(&plan, &w.session.plan, sizeof plan);
        memcpy(&floor, &w.session.floor, sizeof floor);
        memcpy(blocks, w.session.blocks, sizeof blocks);
    }
}

/* The world is good again, and the operator insists. */
static void heal(char deployment)
{
    in.is_calm = true;
    server(0);
    platform(0);
    boot_control(0);
    whisper(0);
    transfer(WORLD_GOOD);
    crash(0);
    answer(MOULT_ANSWER_YES);
    w.keyset_hint = 0;
    w.keyset_count = 0;
    for (unsigned i = 0; i < 4; i++) {
        w.health[i] = MOULT_HEALTH_OK;
    }
    memset(w.device.chip.flash.plans, 0, sizeof w.device.chip.flash.plans);
    memset(w.device.chip.flash.defects, 0, sizeof w.device.chip.flash.defects);
    world_deployment(&w, deployment);
    w.action = MOULT_ACTION_INSTALL;
    w.policy_keys = 1u << MOULT_POLICY_LIFT_BLOCK;
    w.policy = (struct moult_policy){.lift_block = 1};
    moult_resume(&w.session);
    moult_throttle(&w.session, 0);
}

/* A bit that rotted before is found at the end of one attempt; the next one writes anew. */
static void converge(void)
{
    for (char deployment = '0'; deployment < '3'; deployment++) {
        power_on(MOULT_RESET_POWER_ON);
        heal(deployment);
        must(world_settle(&w), "I7: no rest");
        check_invariants();
        if (world_runs(&w, &w.new)) { return; }
    }
    must(false, "I7: the offered release does not run");
}

static void begin(uint8_t config)
{
    static bool is_made;
    if (!is_made) {
        world_make_as(&fresh[0], &(struct world_options){.is_fixed = true});
        world_make_as(&fresh[1], &(struct world_options){.is_fixed = true,
                                                         .new_secure_version = 1,
                                                         .new_floor = 2});
    }
    is_made = true;
    bool is_anti_rollback = config & 1;
    world_copy(&w, &fresh[is_anti_rollback]);
    w.device.chip.flash.context = &w;
    w.device.build.has_anti_rollback = is_anti_rollback;
    w.device.build.has_rollback = is_anti_rollback || !(config & 2);
    w.is_encrypted = config & 4;
    w.config.window = config & 8 ? 4096 : 8192;
    w.config.piece = config & 16 ? 1000 : 4096;
    w.config.confirm_timeout_s = 60;
    w.rewire = rewire;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memset(&in, 0, sizeof in);
    in.front = data;
    in.back = data + size;
    begin(event_byte());
    power_on(MOULT_RESET_POWER_ON);
    for (unsigned i = 0; i < EVENTS_MAX && in.front < in.back; i++) {
        uint8_t what = event_byte(), how = event_byte();
        events[what % (sizeof events / sizeof events[0])](how);
        steps(1u + (event_byte() & 15u) * STEPS_PER_EVENT);
    }
    if (w.device.chip.flash.is_off) { power_on(MOULT_RESET_POWER_ON); }
    heal('z');
    check_recovery();
    if (in.has_signed) {
        steps(STEPS_AFTERWARDS);
    } else {
        converge();
    }
    world_forget(&w);
    return 0;
}
