/* run.c - one device lives through a story under a schedule of faults. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "device/src/flow.h"
#include "device/src/journal.h"
#include "device/src/outbox.h"
#include "device/src/session_states.h"
#include "formats/bytes.h"
#include "ports/sim/chip.h"
#include "tests/power/power.h"

/* The one that lives. Pointers inside it point into it, so it never moves: it is saved and
 * restored where it stands. */
static struct power_run live, fresh;

struct power_run *power_live(void)
{
    return &live;
}

const uint8_t *power_first_flash(void)
{
    return fresh.w.device.bits;
}

/* --- the beginning --- */

/* The product was updated before: the target holds an older image, larger than the new one,
 * and so does a third slot, but without its head: an attempt that was abandoned. (Whole,
 * the bootloader would take it for a fallback, and no invariant here knows it.) otadata
 * knows of one of them. */
static void put_older(struct world *w, const struct power_config *c, bool from_factory)
{
    static struct world_image older;
    world_image(w, &older,
                &(struct world_image_options){
                    .sequence = 1, .version = "0.9.0", .size = WORLD_IMAGE_SIZE * 3 / 2});
    for (uint32_t slot = 0; slot < c->slot_count; slot++) {
        if (slot != w->home || from_factory) { world_put(w, slot, &older); }
    }
    uint8_t *third = w->device.bits + sim_partition_at(1);
    if (c->slot_count == 3) { memset(third, 0xff, MOULT_ESP_HELD_BACK_SIZE); }
    if (from_factory) { return; } /* otadata is blank: a device as it leaves the factory */
    uint8_t *otadata = w->device.bits + SIM_OTADATA_AT;
    uint32_t seq = w->home + 1u + c->slot_count;
    moult_otadata_encode(seq, MOULT_OTADATA_VALID, otadata);
    moult_otadata_encode(seq - 1, MOULT_OTADATA_VALID, otadata + MOULT_SECTOR_SIZE);
}

void power_case_make(unsigned config, unsigned story)
{
    const struct power_config *c = &power_configs[config];
    const struct power_story *s = &power_stories[story];
    struct world *w = &live.w;
    memset(&live, 0, sizeof live);
    live.config = config;
    live.story = story;
    world_make_as(
        w, &(struct world_options){
               .layout = {.slot_count = c->slot_count, .has_factory = c->has_factory},
               .from_factory = s->needs_factory,
               .is_fixed = true,
               .image_size = c->image_size,
               .new_secure_version = 1,
               .new_floor = 2,
           });
    put_older(w, c, s->needs_factory);
    w->is_encrypted = c->unit != 0;
    w->unit = c->unit;
    w->device.build.has_rollback = c->has_rollback;
    w->device.build.has_anti_rollback = c->has_anti_rollback;
    w->device.chip.flash.erase_count = live.erases;
    w->device.chip.flash.panic = world_note_panic;
    w->device.chip.flash.context = w;
    s->prepare(w);
    fresh = live;
}

/* --- the schedule of cuts --- */

void power_plan_cut(struct power_run *run)
{
    struct moult_sim_flash *flash = &run->w.device.chip.flash;
    if (run->h.cuts >= run->schedule.cut_count) { return; }
    const struct power_cut *cut = &run->schedule.cuts[run->h.cuts];
    const struct power_fault *fault = &power_faults[cut->fault];
    uint64_t at = run->armed_at + cut->after;
    flash->plans[0] =
        (struct moult_sim_plan){.fault = fault->fault,
                                .at = at,
                                .torn_size = fault->torn_size,
                                .seed = at * 64 + fault->seed + (run->schedule.seed << 32)};
}

void power_arm(struct power_run *run)
{
    run->armed_at = (uint32_t)run->w.device.chip.flash.operation_count;
    power_plan_cut(run);
}

void power_begin(const struct power_schedule *schedule)
{
    live = fresh;
    live.schedule = *schedule;
    power_forgive();
    power_arm(&live);
}

void power_save(struct power_run *copy)
{
    *copy = live;
}

void power_restore(const struct power_run *copy)
{
    live = *copy;
}

/* --- remembering --- */

/* Bits of secure_version, also while power is off. */
uint32_t power_burnt(const struct world *w)
{
    enum { VERSION_AT = 32 }; /* ports/sim/chip.h */
    uint32_t word = get_le32(w->device.bits + SIM_FLASH_SIZE + VERSION_AT), count = 0;
    for (; word; word &= word - 1) {
        count++;
    }
    return count;
}

/* What the bootloader is about to see. */
static void look_before_boot(struct power_run *run)
{
    struct world *w = &run->w;
    const struct power_config *c = &power_configs[run->config];
    memcpy(run->h.otadata[0], w->device.bits + SIM_OTADATA_AT, MOULT_OTADATA_SIZE);
    memcpy(run->h.otadata[1], w->device.bits + SIM_OTADATA_AT + MOULT_SECTOR_SIZE,
           MOULT_OTADATA_SIZE);
    for (uint32_t slot = 0; slot < c->slot_count; slot++) {
        run->h.verified[slot] = world_slot_boots(w, slot);
    }
    run->h.burnt = power_burnt(w);
}

/* Reads that fail while the bootloader looks at a slot send it to another one. That may be
 * the image of two releases ago, which no invariant here knows. */
static void spare_reads(struct power_run *run)
{
    struct moult_sim_plan *plans = run->w.device.chip.flash.plans;
    for (unsigned i = 0; i < MOULT_SIM_PLANS_MAX; i++) {
        bool is_read = plans[i].fault == MOULT_SIM_READ_FAIL;
        if (is_read) { plans[i].fault = MOULT_SIM_FAULT_NONE; }
    }
}

static bool is_boot_near(const struct power_run *run)
{
    const struct world *w = &run->w;
    bool is_doomed =
        w->crash_sequence != 0 && w->session.running.info.sequence == w->crash_sequence;
    return !run->h.is_started || w->device.chip.flash.is_off ||
           w->device.port.reboot_wanted || run->h.forced_reset || is_doomed;
}

/* Whether otadata selects the new image and calls it confirmed. */
static bool is_new_valid(const struct world *w, uint32_t slot_count)
{
    uint8_t both[2][MOULT_OTADATA_SIZE];
    memcpy(both[0], w->device.bits + SIM_OTADATA_AT, sizeof both[0]);
    memcpy(both[1], w->device.bits + SIM_OTADATA_AT + MOULT_SECTOR_SIZE, sizeof both[1]);
    int active = moult_otadata_active((const uint8_t(*)[MOULT_OTADATA_SIZE])both);
    if (active < 0) { return false; }
    struct moult_otadata_entry entry = moult_otadata_decode(both[active]);
    return entry.state == MOULT_OTADATA_VALID &&
           moult_otadata_slot(entry.seq, slot_count) == w->target &&
           memcmp(world_slot(w, w->target), w->new.data, w->new.size) == 0;
}

static uint64_t mix(uint64_t digest, uint64_t value)
{
    return (digest ^ value) * 0x100000001b3u;
}

/* A verdict about the image, not about the power. */
static bool is_health(uint16_t detail)
{
    return detail == MOULT_D_SELFTEST || detail == MOULT_D_CONFIRM_TIMEOUT ||
           detail == MOULT_D_REVERTED;
}

static void remember(struct power_run *run)
{
    const struct world *w = &run->w;
    struct power_history *h = &run->h;
    const struct power_config *c = &power_configs[run->config];
    h->trace = mix(h->trace, w->now_ms);
    h->trace = mix(h->trace, w->session.state);
    h->trace = mix(h->trace, w->device.chip.flash.operation_count);
    h->trace = mix(h->trace, w->random);
    /* Without rollback there is nothing to confirm: selected is confirmed. */
    if (!h->was_confirmed) {
        h->was_confirmed =
            c->has_rollback ? is_new_valid(w, c->slot_count) : w->seen.marks_valid > 0;
    }
    h->was_adopted |= w->session.trust.is_good && w->session.trust.keyset.version > 1;
    bool is_loaded = w->session.state > MOULT_STATE_MEASURE;
    if (!is_loaded) { return; }
    h->was_proven |= w->stage >= MOULT_STAGE_VERIFIED;
    if (w->device.chip.flash.is_off) { return; } /* what RAM says was not stored */
    if (w->session.floor.stored > h->floor) { h->floor = w->session.floor.stored; }
    for (unsigned i = 0; i < w->session.order_count; i++) {
        uint64_t counter = w->session.orders[i].counter;
        if (counter > h->counter) { h->counter = counter; }
    }
    const struct world_report *back = world_report_of(w, MOULT_REPORT_ROLLED_BACK);
    bool is_lost = (w->session.plan.stage == MOULT_STAGE_FAILED &&
                    is_health(w->session.plan.verdict.detail)) ||
                   (back && is_health(back->detail));
    if (is_lost && h->requests_at_verdict == 0) {
        h->requests_at_verdict = w->artifact_requests;
    }
}

/* --- going on --- */

/* A transfer that no order asks for any more, or whose failure was told, is no work: its
 * plan waits for the next order. */
static bool is_working(struct world *w)
{
    struct moult_session *session = &w->session;
    uint8_t stage = w->session.plan.stage;
    bool is_over = memcmp(w->session.contact.ended, w->deployment, 16) == 0 ||
                   world_runs(w, &w->new); /* told so with every order */
    bool is_asked =
        w->action == MOULT_ACTION_INSTALL && stage != MOULT_STAGE_NONE && !is_over;
    return is_asked || stage >= MOULT_STAGE_ARMED || moult_on_trial(&w->session) ||
           w->device.port.reboot_wanted || moult_is_unconfirmed(session);
}

/* How a run ends: all is quiet, one more check-in brings nothing new, an old order is sent
 * once more and refused. True: it is over. */
static bool rest(struct power_run *run)
{
    enum { BUSY, QUIET, REPLAYED };
    struct world *w = &run->w;
    uint8_t *phase = &run->h.end.phase;
    bool is_quiet = strcmp(world_state(w), "IDLE") == 0 && !is_working(w) &&
                    w->session.outbox.next_number > 0 &&
                    moult_outbox_count(&w->session) == 0;
    bool is_answered = is_quiet && w->checkins > run->h.end.checkins;
    if (*phase != BUSY && is_working(w)) {
        *phase = BUSY;
        w->raw_order.size = 0;
    }
    if (*phase == BUSY && is_quiet) {
        *phase = QUIET;
        run->h.end.checkins = w->checkins;
    } else if (*phase == QUIET && is_answered) {
        *phase = REPLAYED;
        w->raw_order = w->first_order;
        run->h.end.checkins = w->checkins;
        run->h.end.requests = w->artifact_requests;
    } else if (*phase == REPLAYED && is_answered) {
        w->raw_order.size = 0;
        return true;
    }
    return false;
}

static void lose_power(struct power_run *run)
{
    run->h.cuts++;
    run->h.end.phase = 0;
    run->w.raw_order.size = 0;
    power_check(run, POWER_AT_LOSS);
    power_arm(run);
}

/* A boot that met a fault of the flash is tried again by the watchdog. */
static bool boot(struct power_run *run, uint8_t reset)
{
    enum { TRIES = 8 };
    bool is_up = world_boot(&run->w, reset);
    for (unsigned i = 0; i < TRIES && !is_up && run->h.events > 0; i++) {
        if (run->w.device.chip.flash.is_off) { return false; }
        is_up = world_boot(&run->w, MOULT_RESET_WATCHDOG);
    }
    return is_up;
}

static bool boot_or_step(struct power_run *run)
{
    struct world *w = &run->w;
    bool is_power_on = !run->h.is_started || w->device.chip.flash.is_off;
    uint8_t forced = run->h.forced_reset;
    run->h.is_started = true;
    run->h.forced_reset = 0;
    if (is_power_on) { return boot(run, MOULT_RESET_POWER_ON); }
    if (forced) { return boot(run, forced); }
    if (w->device.port.reboot_wanted) { return boot(run, MOULT_RESET_SOFTWARE); }
    bool is_up = world_step(w);
    bool is_stuck = !is_up && !w->device.chip.flash.is_off && run->h.events > 0;
    return is_stuck ? boot(run, MOULT_RESET_WATCHDOG) : is_up;
}

bool power_advance(struct power_run *run)
{
    struct world *w = &run->w;
    unsigned boots = w->boots;
    run->h.has_hung = ++run->h.steps > POWER_STEPS_MAX;
    if (run->h.has_hung) { return false; }
    power_events(run);
    if (is_boot_near(run)) {
        look_before_boot(run);
        spare_reads(run);
    }
    bool is_up = boot_or_step(run);
    if (w->device.chip.flash.is_off) {
        remember(run);
        lose_power(run);
        return !power_broken();
    }
    run->h.is_bricked = !is_up;
    run->h.boots += w->boots - boots;
    remember(run);
    if (w->boots != boots) { power_check(run, POWER_AT_BOOT); }
    if (is_up) { power_check(run, POWER_AT_STEP); }
    return is_up && !power_broken() && !rest(run);
}

/* All faults are over: whatever came of it, an operator's fresh order must bring the new
 * image. What a fault left in the slot or the store may cost one order, or two. */
static void renew(struct power_run *run)
{
    struct world *w = &run->w;
    run->h.orders++;
    run->h.end.phase = 0;
    run->schedule.cut_count = run->h.cuts;
    memset(w->device.chip.flash.plans, 0, sizeof w->device.chip.flash.plans);
    w->kv_fails = NULL;
    w->kv_noops = 0;
    w->is_down = false;
    run->h.steps = 0;
    world_deployment(w, (char)('1' + run->h.orders));
    w->action = MOULT_ACTION_INSTALL;
    w->keeps_offering = false;
    w->transfer = WORLD_GOOD;
    w->crash_sequence = 0;
    w->health[2] = MOULT_HEALTH_OK;
    w->policy.lift_block = 1;
    w->policy_keys = 1u << MOULT_POLICY_LIFT_BLOCK;
}

void power_finish(struct power_run *run)
{
    while (power_advance(run)) {}
    if (!power_broken()) { power_check(run, POWER_AT_END); }
    if (power_broken() || !run->schedule.is_deep) { return; }
    do {
        renew(run);
        while (power_advance(run)) {}
    } while (!power_broken() && !world_runs(&run->w, &run->w.new) &&
             run->h.orders < POWER_ORDERS_MAX);
    if (!power_broken()) { power_check(run, POWER_AT_END); }
}
