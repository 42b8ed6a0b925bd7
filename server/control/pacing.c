/* pacing.c - see pacing.h. */
#include "server/control/pacing.h"
#include "formats/bytes.h"
#include "server/control/checkin.h"
#include "server/rollout/assignment.h"

#define INTERVAL_MAX_MS 2678400000u /* 31 d: what a device obeys at most */
#define SLOTTED_MIN_MS 60000u       /* shorter intervals are not worth a grid */

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The next of the device's slots that is at least half an interval away. */
static uint64_t slotted_ms(uint64_t interval_ms, const struct pacing *p)
{
    if (interval_ms < SLOTTED_MIN_MS || p->now_ms < 0) { return interval_ms; }
    uint64_t slot_ms = get_be64(p->device_id) % interval_ms;
    uint64_t phase_ms = (uint64_t)p->now_ms % interval_ms;
    uint64_t delta_ms = (slot_ms + interval_ms - phase_ms) % interval_ms;
    return delta_ms < interval_ms / 2 ? delta_ms + interval_ms : delta_ms;
}

static uint64_t assigned_ms(const struct control_config *config, const struct pacing *p)
{
    uint64_t busy_ms = config->interval_busy_ms;
    uint64_t wait_ms = p->wait_ms > 0 ? (uint64_t)p->wait_ms : busy_ms;
    switch (p->assigned_state) {
    case ASSIGNMENT_PLANNED:
        return p->may_be_offered ? smaller(wait_ms, busy_ms) : busy_ms;
    case ASSIGNMENT_REBOOTING:
    case ASSIGNMENT_TRIAL:
        return config->interval_trial_ms;
    case ASSIGNMENT_SOAKING:
        return smaller(config->interval_trial_ms, wait_ms);
    default:
        return busy_ms;
    }
}

uint32_t pacing_next_s(const struct control_config *config, const struct pacing *p)
{
    uint64_t ms;
    if (p->state == DEVICE_PENDING || p->state == DEVICE_QUARANTINED) {
        ms = config->interval_pending_ms;
    } else if (p->assigned_state != 0) {
        ms = assigned_ms(config, p);
    } else {
        ms = slotted_ms(config->interval_ms, p);
    }
    if (ms < config->interval_min_ms) { ms = config->interval_min_ms; }
    uint64_t s = (smaller(ms, INTERVAL_MAX_MS) + 999) / 1000;
    return s > 0 ? (uint32_t)s : 1;
}
