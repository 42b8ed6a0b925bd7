/* activate.c - steps 15 and 16: the last checks, the first 32 bytes, the boot slot (states
 * RECHECK, GATE, ARM, SWITCH). */
#include <assert.h>
#include <string.h>
#include "device/src/component.h"
#include "device/src/contact.h"
#include "device/src/hash.h"
#include "device/src/outbox.h"

static void tell(struct moult_session *s, enum moult_report_kind kind)
{
    struct moult_news news = {.kind = kind, .deployment = s->plan.deployment};
    moult_outbox_add(s, &news);
}

static enum moult_state dropped(struct moult_session *s, enum moult_detail detail)
{
    moult_trouble(s, detail, s->trouble.native);
    return moult_flow_drop(s);
}

/* --- RECHECK --- */

enum moult_state moult_state_RECHECK(struct moult_session *s)
{
    if (!moult_has_target(s)) { return MOULT_STATE_IDLE; }
    if (s->parts.hooks && !s->parts.hooks->is_proven(s)) { return MOULT_STATE_COMPONENT; }
    s->trouble.native = 0;
    if (moult_recheck(s) != MOULT_RECHECK_PASS) { return dropped(s, MOULT_D_RECHECK); }
    if (s->plan.stage >= MOULT_STAGE_ARMED) {
        return MOULT_STATE_ARM;
    } /* a lost activation */
    if (s->plan.stage != MOULT_STAGE_VERIFIED) {
        if (moult_journal_stage(s, MOULT_STAGE_VERIFIED) != MOULT_OK) {
            moult_trouble(s, MOULT_D_PLAN_WRITE, s->trouble.native);
            return moult_flow_fail(s);
        }
        tell(s, MOULT_REPORT_VERIFIED);
    }
    return MOULT_STATE_GATE;
}

/* --- GATE --- */

static enum moult_state ask(struct moult_session *s)
{
    struct moult_offer offer = moult_policy_offer(s, &s->plan);
    enum moult_report_kind kind;
    switch (moult_policy_ask(s, &offer, &kind)) {
    case MOULT_GATE_OPEN:
        break;
    case MOULT_GATE_CLOSED:
        return moult_flow_tell(s, kind);
    case MOULT_GATE_ENDED:
        return moult_flow_drop(s);
    }
    tell(s, MOULT_REPORT_REBOOTING);
    s->contact.next_state = MOULT_STATE_ARM;
    /* Told now, if it can be: of a device that never returns this is the last word. */
    return MOULT_STATE_REPORT;
}

enum moult_state moult_state_GATE(struct moult_session *s)
{
    if (!moult_has_target(s) || s->is_paused) { return MOULT_STATE_IDLE; }
    if (s->policy.stage_only == 1) {
        s->trouble = (struct moult_trouble){0};
        return moult_flow_tell(s, MOULT_REPORT_STAGED);
    }
    switch (moult_policy_gate(s, MOULT_WINDOW_ACTIVATE)) {
    case MOULT_GATE_OPEN:
        return ask(s);
    case MOULT_GATE_CLOSED:
        return moult_flow_tell(s, MOULT_REPORT_DEFERRED);
    case MOULT_GATE_ENDED:
        break;
    }
    return moult_flow_drop(s);
}

/* --- ARM --- */

enum { ARM_LOOK, ARM_ERASE, ARM_REST, ARM_HEAD, ARM_PROVE };

static enum moult_state unwritten(struct moult_session *s, enum moult_status st)
{
    moult_trouble_as(s, MOULT_D_FLASH_WRITE,
                     st == MOULT_E_DIGEST ? MOULT_R_FLASH_READBACK : MOULT_R_FLASH_WRITE,
                     s->trouble.native);
    return moult_flow_drop(s);
}

/* What a cut left of an earlier attempt: nothing, all 32 bytes, or some of them. The last
 * needs the sector erased and written again; all of it but the head was proven in this
 * boot. */
static enum moult_status look(struct moult_session *s)
{
    uint8_t found[MOULT_ESP_HELD_BACK_SIZE];
    const struct moult_port *port = s->port;
    bool is_erased = false;
    int32_t native =
        port->flash_is_erased(port->context, s->plan.slot, 0, sizeof found, &is_erased);
    if (native == 0) {
        native = port->flash_read(port->context, s->plan.slot, 0, found, sizeof found);
    }
    s->trouble.native = native;
    if (native != 0) { return MOULT_E_IO; }
    bool is_there = memcmp(found, s->plan.head, sizeof found) == 0;
    s->phase = is_erased ? ARM_HEAD : is_there ? ARM_PROVE : ARM_ERASE;
    if (s->phase != ARM_ERASE) { return MOULT_OK; }
    struct moult_reader target = moult_target_reader(s);
    return moult_read(&target, 0, s->work, MOULT_SECTOR_SIZE);
}

static enum moult_status write_rest(struct moult_session *s)
{
    enum { HELD = MOULT_ESP_HELD_BACK_SIZE };
    _Static_assert(HELD % MOULT_WRITE_UNIT == 0, "the head is whole write units");
    return moult_target_program(s, HELD, s->work + HELD, MOULT_SECTOR_SIZE - HELD);
}

static enum moult_status prove(struct moult_session *s)
{
    uint8_t digest[MOULT_SHA256_SIZE];
    const struct moult_port *port = s->port;
    uint32_t size = s->plan.size < MOULT_SECTOR_SIZE ? s->plan.size : MOULT_SECTOR_SIZE;
    assert(size >= MOULT_ESP_HELD_BACK_SIZE);
    /* Past the overlay: what is on flash and nothing else. */
    int32_t native = port->flash_read(port->context, s->plan.slot, 0, s->work, size);
    s->trouble.native = native;
    if (native != 0) { return MOULT_E_IO; }
    bool is_right = moult_hash_begin(s) && moult_hash_add(s, s->work, size) &&
                    moult_hash_peek(s, digest) &&
                    memcmp(digest, s->transfer.first_digest, sizeof digest) == 0;
    return is_right ? MOULT_OK : MOULT_E_DIGEST;
}

enum moult_state moult_state_ARM(struct moult_session *s)
{
    enum moult_status st = MOULT_OK;
    if (!moult_has_target(s) || !s->plan.has_head) { return MOULT_STATE_IDLE; }
    /* Paused since GATE: nothing has begun. What was armed before a reset goes on. */
    bool is_held = s->is_paused && s->phase == ARM_LOOK;
    if (is_held && s->plan.stage < MOULT_STAGE_ARMED) { return MOULT_STATE_IDLE; }
    bool was_verified = s->is_verified_here;
    switch (s->phase) {
    case ARM_LOOK:
        st = was_verified ? look(s) : MOULT_E_STATE;
        break;
    case ARM_ERASE:
        st = moult_target_erase(s, 0);
        s->phase = ARM_REST;
        break;
    case ARM_REST:
        st = write_rest(s);
        s->phase = ARM_HEAD;
        break;
    case ARM_HEAD:
        st = moult_target_program(s, 0, s->plan.head, sizeof s->plan.head);
        s->phase = ARM_PROVE;
        break;
    default:
        st = prove(s);
        if (st == MOULT_OK) { return MOULT_STATE_SWITCH; }
        break;
    }
    return st == MOULT_OK ? MOULT_STATE_ARM : unwritten(s, st);
}

/* --- SWITCH --- */

enum moult_state moult_state_SWITCH(struct moult_session *s)
{
    const struct moult_port *port = s->port;
    if (!moult_has_target(s)) { return MOULT_STATE_IDLE; }
    if (s->phase == 0) {
        s->phase = 1;
        s->plan.activations++;
        bool has_passed =
            s->plan.stage == MOULT_STAGE_PASSED; /* and its confirmation was lost */
        if (moult_journal_stage(s, has_passed ? MOULT_STAGE_PASSED : MOULT_STAGE_ARMED) !=
            MOULT_OK) {
            return dropped(s, MOULT_D_PLAN_WRITE);
        }
        return MOULT_STATE_SWITCH;
    }
    if (s->config.before_reboot) { s->config.before_reboot(s->config.context); }
    moult_note(s, MOULT_LOG_INFO, MOULT_LOG_ACTIVATE, s->plan.slot, s->plan.activations);
    assert(s->plan.stage >= MOULT_STAGE_ARMED && s->plan.slot != s->running.boot.running);
    s->trouble.native = port->set_boot(port->context, s->plan.slot);
    return s->trouble.native == 0 ? MOULT_STATE_REBOOT : dropped(s, MOULT_D_SET_BOOT);
}
