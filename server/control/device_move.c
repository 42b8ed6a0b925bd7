/* device_move.c - see device_move.h. */
#include "server/control/device_move.h"
#include <stdio.h>
#include "server/control/assigned.h"
#include "server/control/events.h"
#include "server/control/rollout_work.h"

/* Leaving `accepted` ends what the device is doing. */
static enum moult_status end_assignment(struct assigned *a)
{
    if (!a->is_there || !assignment_is_active(a->engine.state)) { return MOULT_OK; }
    struct assignment_event event = {.kind = ASSIGNMENT_EV_LOST, .now_ms = a->now_ms};
    struct assignment_effect effect;
    return assigned_step(a, &event, NULL, &effect);
}

static enum moult_status save(const struct control_call *call, struct store_device *device,
                              const char *text)
{
    char kind[40];
    snprintf(kind, sizeof kind, "device.%s", device_state_word(device->state));
    struct store_event event = {
        .time_ms = call->now_ms, .device = device->num, .kind = kind, .text = text};
    enum moult_status st = store_device_save_state(call->db, device);
    return st == MOULT_OK ? event_put(call->db, &event, NULL) : st;
}

enum moult_status device_move(const struct control_call *call, struct store_device *device,
                              enum device_state to, const char *text)
{
    struct assigned a;
    device->state = (uint8_t)to;
    assigned_init(&a, call->control, call->db, device, call->now_ms);
    enum moult_status st = save(call, device, text);
    if (st == MOULT_OK) { st = assigned_active(&a); }
    if (st == MOULT_OK && to != DEVICE_ACCEPTED) { st = end_assignment(&a); }
    if (st == MOULT_OK) { st = assigned_save(&a); }
    if (st == MOULT_OK) { st = rollouts_join(&a); }
    if (st == MOULT_OK) { assigned_publish(&a); }
    bool is_wanted = st == MOULT_OK && to == DEVICE_ACCEPTED;
    if (is_wanted) { effects_num(&call->control->effects, EFFECT_WAKE, device->num); }
    return st;
}

enum moult_status device_relabelled(const struct control_call *call,
                                    struct store_device *device)
{
    struct assigned a;
    assigned_init(&a, call->control, call->db, device, call->now_ms);
    enum moult_status st = assigned_active(&a);
    if (st == MOULT_OK) { st = rollouts_join(&a); }
    if (st == MOULT_OK) { assigned_publish(&a); }
    return st;
}
