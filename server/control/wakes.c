/* wakes.c - see wakes.h. */
#include "server/control/wakes.h"
#include <string.h>
#include "server/control/internal.h"
#include "server/rollout/assignment.h"

size_t control_wakes_take(struct control *control, struct control_wake *out, size_t max,
                          uint64_t monotonic_ms)
{
    return wake_ring_take(&control->wakes, out, max, monotonic_ms);
}

int control_wakes_fd(const struct control *control)
{
    return control->wakes.event_fd;
}

static bool waits_for_offer(struct control *control, const struct device_durable *device)
{
    bool is_waiting =
        device->state == DEVICE_ACCEPTED && (device->assigned_state == ASSIGNMENT_PLANNED ||
                                             device->assigned_state == ASSIGNMENT_OFFERED);
    return is_waiting &&
           rollout_cache_may_offer(&control->rollouts, device->assigned_rollout,
                                   device->assigned_phase);
}

void control_wakes_again(struct control *control)
{
    int64_t now_ms = (int64_t)clock_realtime_ms(control->parts.clock);
    uint32_t count = device_table_count(control->devices);
    for (uint32_t i = 0; i < count; i++) {
        struct device_durable device;
        device_table_get(control->devices, i, &device, NULL);
        if (!waits_for_offer(control, &device)) { continue; }
        struct control_wake wake = {
            .seq = device_table_next_wake(control->devices, i, now_ms),
            .spread_s = (uint32_t)(control->config.wake_spread_ms / 1000u)};
        memcpy(wake.device_id, device.id, sizeof wake.device_id);
        if (!wake_ring_push(&control->wakes, &wake)) { return; } /* counted; they poll */
    }
}
