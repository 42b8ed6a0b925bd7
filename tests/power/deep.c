/* deep.c - schedules of up to five cuts, mixed with everything else that goes wrong. */
#include <string.h>
#include "ports/sim/chip.h"
#include "tests/power/power.h"

/* --- making them --- */

struct dice {
    uint64_t state;
};

static uint64_t roll(struct dice *dice, uint64_t sides)
{
    uint64_t x = dice->state += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (x ^ (x >> 31)) % sides;
}

void power_deep_schedule(uint64_t seed, unsigned *config, unsigned *story,
                         struct power_schedule *out)
{
    enum { OPERATIONS = 180, STEPS = 500, CONFIGS_LEFT_OUT = 2 };
    struct dice dice = {seed};
    *out = (struct power_schedule){.is_deep = true, .seed = seed};
    do {
        *config = (unsigned)roll(&dice, power_config_count - CONFIGS_LEFT_OUT);
        *story = (unsigned)roll(&dice, power_story_count);
    } while (!power_applies(*config, *story));
    out->cut_count = (unsigned)roll(&dice, POWER_CUTS_MAX + 1);
    for (unsigned i = 0; i < out->cut_count; i++) {
        out->cuts[i].after = 1 + (uint32_t)roll(&dice, i == 0 ? OPERATIONS : 60);
        out->cuts[i].fault = (uint8_t)roll(&dice, power_fault_count);
    }
    /* Every fourth: cuts only (F10), where the strict end of the story is asked for. */
    unsigned most = seed % 4 == 0 ? 1 : 6;
    out->event_count = (unsigned)roll(&dice, most);
    for (unsigned i = 0; i < out->event_count; i++) {
        out->events[i] = (struct power_event){
            .kind = (uint8_t)roll(&dice, POWER_EVENT_KINDS),
            .at = 1 + (uint32_t)roll(&dice, STEPS),
            .value = roll(&dice, UINT64_MAX),
        };
    }
}

/* --- carrying them out --- */

static void plan_fault(struct power_run *run, enum moult_sim_fault fault, uint64_t value)
{
    struct moult_sim_flash *flash = &run->w.device.chip.flash;
    bool is_read = fault == MOULT_SIM_READ_FAIL;
    uint64_t now = is_read ? flash->read_count : flash->operation_count;
    for (unsigned i = 1; i < MOULT_SIM_PLANS_MAX; i++) { /* 0 is the cut's */
        if (flash->plans[i].fault != MOULT_SIM_FAULT_NONE) { continue; }
        flash->plans[i] = (struct moult_sim_plan){.fault = fault,
                                                  .at = now + 1 + value % 16,
                                                  .count = 1 + (uint32_t)(value >> 8) %
                                                                   (is_read ? 2 : 4)};
        return;
    }
}

/* One bit: in the slot that is written, in the otadata entry of it, or in the store. The
 * running image has no second copy anywhere. */
static void flip(struct power_run *run, uint64_t value)
{
    struct world *w = &run->w;
    uint32_t where = (uint32_t)(value >> 8);
    uint32_t at;
    bool is_running = w->device.port.boot.booted == w->target;
    switch (value % 4) {
    case 0:
        at = SIM_OTADATA_AT + MOULT_SECTOR_SIZE + where % MOULT_OTADATA_SIZE;
        break;
    case 1:
    case 2:
        at = sim_partition_at(w->target) + where % (w->new.size + MOULT_SECTOR_SIZE);
        break;
    default:
        at = SIM_NVS_AT + where % (SIM_OTADATA_AT - SIM_NVS_AT);
        break;
    }
    if (is_running && at >= SIM_SLOT_0_AT) { return; }
    w->device.bits[at] ^= (uint8_t)(1u << (value >> 40) % 8);
}

static uint8_t reset_class(uint64_t value)
{
    static const uint8_t classes[] = {
        MOULT_RESET_POWER_ON,      MOULT_RESET_SOFTWARE, MOULT_RESET_PANIC,
        MOULT_RESET_INT_WATCHDOG,  MOULT_RESET_WATCHDOG, MOULT_RESET_DEEP_SLEEP,
        MOULT_RESET_TASK_WATCHDOG, MOULT_RESET_BROWNOUT, MOULT_RESET_CPU_LOCKUP,
    };
    return classes[value % sizeof classes];
}

static void lose_network(struct power_run *run, uint64_t value)
{
    struct world *w = &run->w;
    if (value % 2 == 0 && w->transfer == WORLD_GOOD) {
        w->transfer = WORLD_CUT_ONCE;
        w->transfer_at = (uint32_t)(value >> 8) % 5000;
        return;
    }
    w->is_down = true;
    run->h.down_until = run->h.steps + 1 + (uint32_t)(value >> 8) % 60;
}

static void strike(struct power_run *run, const struct power_event *event)
{
    struct world *w = &run->w;
    uint64_t value = event->value;
    switch ((enum power_event_kind)event->kind) {
    case POWER_EVENT_FAIL:
        plan_fault(run, MOULT_SIM_FAIL, value);
        break;
    case POWER_EVENT_NOOP:
        plan_fault(run, MOULT_SIM_NOOP, value);
        break;
    case POWER_EVENT_READ:
        plan_fault(run, MOULT_SIM_READ_FAIL, value);
        break;
    case POWER_EVENT_FLIP:
        flip(run, value);
        break;
    case POWER_EVENT_RESET:
        run->h.forced_reset = reset_class(value);
        break;
    case POWER_EVENT_CLOCK:
        w->unix_s += value % 2 ? value % 864000 : 0u - value % 864000;
        break;
    case POWER_EVENT_FULL:
        w->kv_fails = "";
        run->h.full_until = run->h.steps + 1 + (uint32_t)value % 20;
        break;
    case POWER_EVENT_LIE:
        w->kv_noops += 1 + (unsigned)value % 3;
        break;
    case POWER_EVENT_NO_NVS:
        memset(w->device.bits + SIM_NVS_AT, 0xff, SIM_OTADATA_AT - SIM_NVS_AT);
        run->h.forced_reset = MOULT_RESET_POWER_ON;
        break;
    case POWER_EVENT_NETWORK:
        lose_network(run, value);
        break;
    case POWER_EVENT_KINDS:
        break;
    }
    run->h.events++;
    run->h.kinds |= 1u << event->kind;
}

void power_events(struct power_run *run)
{
    struct world *w = &run->w;
    bool is_on = run->h.is_started && !w->device.chip.flash.is_off;
    if (run->h.full_until && run->h.steps >= run->h.full_until) { w->kv_fails = NULL; }
    if (run->h.down_until && run->h.steps >= run->h.down_until) { w->is_down = false; }
    for (unsigned i = 0; i < run->schedule.event_count; i++) {
        struct power_event *event = &run->schedule.events[i];
        if (event->at == 0 || run->h.steps < event->at || !is_on || run->h.orders > 0) {
            continue;
        }
        event->at = 0; /* once */
        strike(run, event);
    }
}

void power_deep(uint64_t seed, const struct power_effort *effort,
                struct power_totals *totals)
{
    unsigned config, story;
    struct power_schedule schedule;
    power_deep_schedule(seed, &config, &story, &schedule);
    power_case_make(config, story);
    power_begin(&schedule);
    power_note(totals);
    power_finish(power_live());
    power_judge(effort, totals);
    totals->deep++;
}
