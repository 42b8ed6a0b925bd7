/* boot.c - see boot.h; and the state CLASSIFY, which acts on it. */
#include "device/src/boot.h"
#include <assert.h>
#include <string.h>
#include "device/src/contact.h"
#include "device/src/flow.h"
#include "device/src/outbox.h"
#include "device/src/store.h"

bool moult_reset_is_crash(uint8_t reset)
{
    switch (reset) {
    case MOULT_RESET_SOFTWARE:
    case MOULT_RESET_PANIC:
    case MOULT_RESET_INT_WATCHDOG:
    case MOULT_RESET_TASK_WATCHDOG:
    case MOULT_RESET_WATCHDOG:
    case MOULT_RESET_CPU_LOCKUP:
        return true;
    default:
        return false;
    }
}

static enum moult_boot_class classify_target(const struct moult_boot_facts *f)
{
    assert(f->is_target && f->stage >= MOULT_STAGE_ARMED);
    if (!f->is_digest) { return MOULT_BOOT_FOREIGN; }
    if (!f->is_selected) { return MOULT_BOOT_FALLBACK; }
    switch (f->stage) {
    case MOULT_STAGE_ARMED:
        return MOULT_BOOT_TRIAL;
    case MOULT_STAGE_TRIAL:
        return MOULT_BOOT_AGAIN;
    case MOULT_STAGE_PASSED:
        return MOULT_BOOT_PASSED;
    default:
        return MOULT_BOOT_CONDEMNED;
    }
}

static enum moult_boot_class classify_old(const struct moult_boot_facts *f)
{
    assert(!f->is_target && f->stage >= MOULT_STAGE_ARMED);
    if (f->stage == MOULT_STAGE_FAILED) { return MOULT_BOOT_ROLLED_BACK; }
    if (f->selects_target) { return MOULT_BOOT_REFUSED; }
    if (f->stage == MOULT_STAGE_PASSED) { return MOULT_BOOT_LOST; }
    if (f->stage == MOULT_STAGE_ARMED && !f->was_started) { return MOULT_BOOT_LOST; }
    return f->was_crash ? MOULT_BOOT_CRASHED : MOULT_BOOT_POWER_CUT;
}

enum moult_boot_class moult_boot_classify(const struct moult_boot_facts *f)
{
    if (f->stage == MOULT_STAGE_NONE) { return MOULT_BOOT_PLAIN; }
    if (f->stage < MOULT_STAGE_ARMED) {
        return f->is_target ? MOULT_BOOT_FOREIGN : MOULT_BOOT_PLAIN;
    }
    return f->is_target ? classify_target(f) : classify_old(f);
}

static struct moult_boot_facts look(struct moult_session *s)
{
    const struct moult_boot_info *boot = &s->running.boot;
    enum moult_slot_state state = MOULT_SLOT_NO_ENTRY;
    if (s->plan.slot < s->port->slot_count &&
        s->port->slot_state(s->port->context, s->plan.slot, &state) != 0) {
        state = MOULT_SLOT_NO_ENTRY; /* unreadable says as little as torn */
    }
    return (struct moult_boot_facts){
        .stage = s->plan.stage,
        .is_target = boot->running == s->plan.slot,
        .is_digest = memcmp(s->running.digest, s->plan.digest, 32) == 0,
        .is_selected = boot->selected == boot->running,
        .selects_target = boot->selected == s->plan.slot,
        .was_started = state == MOULT_SLOT_ABORTED || state == MOULT_SLOT_INVALID,
        .was_crash = moult_reset_is_crash(boot->reset),
    };
}

static bool tell(struct moult_session *s, enum moult_report_kind kind)
{
    struct moult_news news = {.kind = kind,
                              .deployment = s->plan.deployment,
                              .trouble = &s->trouble,
                              .with_reset = true,
                              .text = s->plan.verdict_text};
    return moult_outbox_add(s, &news);
}

/* The crash with which a release has used up its trials is a loop: never again. */
static void name_loop(struct moult_session *s)
{
    bool was_crash = s->trouble.reason == MOULT_R_TRIAL_PANIC ||
                     s->trouble.reason == MOULT_R_TRIAL_WATCHDOG;
    const struct moult_block *block = moult_blocks_find(s, s->plan.release);
    bool is_counted = block && memcmp(block->deployment, s->plan.deployment, 16) == 0;
    unsigned lost = (block ? block->failures : 0u) + (is_counted ? 0u : 1u);
    if (was_crash && lost >= s->config.failures_max) {
        s->trouble.reason = MOULT_R_TRIAL_CRASH_LOOP;
    }
}

/* The verdict as a report, and against the release. False: the store refused it. */
static bool tell_verdict(struct moult_session *s)
{
    s->trouble = s->plan.verdict;
    name_loop(s);
    uint16_t detail = s->trouble.detail;
    bool is_health = detail == MOULT_D_SELFTEST || detail == MOULT_D_CONFIRM_TIMEOUT ||
                     detail == MOULT_D_REVERTED;
    if (!tell(s, MOULT_REPORT_ROLLED_BACK)) { return false; }
    if (is_health) { moult_unstored(s, moult_blocks_count(s)); } /* the server counts too */
    /* Without a block it is only known in this boot: the server has heard by the next. */
    if (!is_health) { memcpy(s->contact.ended, s->plan.deployment, 16); }
    return true;
}

bool moult_verdict_settle(struct moult_session *s)
{
    return tell_verdict(s) && moult_plan_end(s);
}

enum { PHASE_LOOK, PHASE_END };
enum { RESETS_MAX = 8 }; /* in a row, each without any progress of the transfer */

/* The trial is over and lost. The verdict goes into the journal first: a power cut from
 * here on must not make another class of it. Then tell, remember, end the plan, each
 * harmless to repeat; the end erases a sector and has a step of its own. */
static enum moult_state give_up(struct moult_session *s)
{
    assert(s->plan.stage >= MOULT_STAGE_ARMED && s->trouble.detail != 0);
    if (s->plan.stage != MOULT_STAGE_FAILED) {
        s->plan.verdict = s->trouble;
        moult_unstored(s, moult_journal_stage(s, MOULT_STAGE_FAILED));
        s->plan.stage = MOULT_STAGE_FAILED; /* in this boot, whatever the store says */
    }
    /* Untold: the next order tries again before it is obeyed, or the next boot. */
    if (!tell_verdict(s)) { return MOULT_STATE_IDLE; }
    s->phase = PHASE_END;
    return MOULT_STATE_CLASSIFY;
}

/* The slot still holds the proven image: verify it again and set the boot slot again,
 * without a download and without asking the server, which takes the old digest for a
 * failure. */
static enum moult_state activate_again(struct moult_session *s)
{
    if (s->plan.activations >= s->config.activations_max || s->disabled) {
        return give_up(s);
    }
    tell(s, MOULT_REPORT_EVENT); /* lost it is no loss: the result is told all the same */
    return MOULT_STATE_VERIFY;
}

static enum moult_reason reason_of_crash(uint8_t reset)
{
    switch (reset) {
    case MOULT_RESET_INT_WATCHDOG:
    case MOULT_RESET_TASK_WATCHDOG:
    case MOULT_RESET_WATCHDOG:
        return MOULT_R_TRIAL_WATCHDOG;
    default:
        return MOULT_R_TRIAL_PANIC;
    }
}

static struct moult_trouble power_trouble(const struct moult_session *s)
{
    bool was_brownout = s->running.boot.reset == MOULT_RESET_BROWNOUT;
    return (struct moult_trouble){
        MOULT_D_POWER_REVERT, was_brownout ? MOULT_R_TRIAL_BROWNOUT : MOULT_R_POWER_LOSS,
        0};
}

static enum moult_state again(struct moult_session *s, bool was_crash)
{
    if (!was_crash && s->plan.activations < s->config.activations_max) {
        s->plan.activations++; /* no bootloader counts these boots */
        moult_trial_begin(s);
        return MOULT_STATE_IDLE;
    }
    s->plan.verdict = power_trouble(s);
    if (was_crash) {
        s->plan.verdict = (struct moult_trouble){
            MOULT_D_REVERTED, (uint16_t)reason_of_crash(s->running.boot.reset), 0};
    }
    return MOULT_STATE_ROLLBACK;
}

static enum moult_state mismatch(struct moult_session *s)
{
    moult_trouble(s, MOULT_D_SLOT_MISMATCH, s->running.boot.running);
    tell(s, MOULT_REPORT_EVENT); /* what the check-in says of what runs tells it as well */
    moult_plan_end(s);           /* does not touch the running slot */
    return MOULT_STATE_IDLE;
}

static enum moult_state power_cut(struct moult_session *s)
{
    struct moult_trouble trouble = power_trouble(s);
    moult_trouble_as(s, (enum moult_detail)trouble.detail,
                     (enum moult_reason)trouble.reason, 0);
    return activate_again(s);
}

/* Power, a crash or a watchdog ended the boot before, while an image was being fetched. As
 * long as each boot gets a sector further it is only slow; without that the update itself
 * may be what makes the device reset. Where it stood and how often are kept in members of
 * the plan that have no other use before it is armed. */
static enum moult_state interrupted(struct moult_session *s)
{
    uint8_t reset = s->running.boot.reset;
    bool was_power = reset == MOULT_RESET_POWER_ON || reset == MOULT_RESET_BROWNOUT ||
                     reset == MOULT_RESET_POWER_GLITCH || reset == MOULT_RESET_UNKNOWN;
    bool was_crash = moult_reset_is_crash(reset) && reset != MOULT_RESET_SOFTWARE;
    bool is_counted = was_power || was_crash;
    if (s->plan.stage != MOULT_STAGE_TRANSFER || !is_counted) { return MOULT_STATE_IDLE; }
    bool has_mark = moult_journal_load_mark(s, false) == MOULT_OK;
    int32_t offset = has_mark ? (int32_t)s->transfer.mark.offset : 0;
    bool is_stuck = offset == s->plan.verdict.native;
    s->plan.activations = is_stuck ? (uint8_t)(s->plan.activations + 1) : 0;
    s->plan.verdict.native = offset;
    if (s->plan.activations < RESETS_MAX) {
        moult_unstored(s, moult_journal_stage(s, MOULT_STAGE_TRANSFER));
        return MOULT_STATE_IDLE;
    }
    moult_trouble_as(s, MOULT_D_NONE, MOULT_R_POWER_LOSS, s->plan.activations);
    if (!tell(s, MOULT_REPORT_FAILED)) { return MOULT_STATE_IDLE; } /* the next boot does */
    memcpy(s->contact.ended, s->plan.deployment, sizeof s->contact.ended);
    s->phase = PHASE_END;
    return MOULT_STATE_CLASSIFY;
}

static enum moult_state act(struct moult_session *s, enum moult_boot_class class,
                            bool was_crash)
{
    switch (class) {
    case MOULT_BOOT_PLAIN:
        return interrupted(s);
    case MOULT_BOOT_TRIAL:
        moult_trial_begin(s);
        return MOULT_STATE_IDLE;
    case MOULT_BOOT_AGAIN:
        return again(s, was_crash);
    case MOULT_BOOT_PASSED:
        return MOULT_STATE_CONFIRM;
    case MOULT_BOOT_CONDEMNED:
        return MOULT_STATE_ROLLBACK;
    case MOULT_BOOT_ROLLED_BACK:
        s->trouble = s->plan.verdict;
        return give_up(s);
    case MOULT_BOOT_CRASHED:
        moult_trouble_as(s, MOULT_D_REVERTED, reason_of_crash(s->running.boot.reset), 0);
        return give_up(s);
    case MOULT_BOOT_POWER_CUT:
        return power_cut(s);
    case MOULT_BOOT_LOST:
        moult_trouble(s, MOULT_D_SLOT_MISMATCH, s->plan.slot);
        return activate_again(s);
    case MOULT_BOOT_REFUSED:
        moult_trouble_as(s, MOULT_D_REVERTED, MOULT_R_BOOT_REFUSED, 0);
        return give_up(s);
    case MOULT_BOOT_FALLBACK:
    case MOULT_BOOT_FOREIGN:
        return mismatch(s);
    }
    return MOULT_STATE_IDLE;
}

static enum moult_state settle(struct moult_session *s, enum moult_state next)
{
    s->contact.is_installing = s->plan.stage != MOULT_STAGE_NONE;
    moult_contact_boot(s);
    return next;
}

enum moult_state moult_state_CLASSIFY(struct moult_session *s)
{
    if (s->phase == PHASE_END) {
        moult_plan_end(s);
        return settle(s, MOULT_STATE_IDLE);
    }
    struct moult_boot_facts facts = look(s);
    enum moult_boot_class class = moult_boot_classify(&facts);
    moult_note(s, MOULT_LOG_INFO, MOULT_LOG_BOOT, class, s->running.boot.reset);
    memcpy(s->contact.deployment, s->plan.deployment, sizeof s->contact.deployment);
    return settle(s, act(s, class, facts.was_crash));
}
