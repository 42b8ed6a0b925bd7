/* rollout_rows.c - see rollout_rows.h. */
#include "server/control/rollout_rows.h"
#include <stdio.h>
#include <string.h>

_Static_assert(STORE_COUNTER_COUNT == PHASE_COUNTER_COUNT, "counters of a phase");
_Static_assert(sizeof(struct phase_counters) == PHASE_COUNTER_COUNT * sizeof(uint32_t),
               "counters are numbers only");
_Static_assert(STORE_PHASES_MAX == ROLLOUT_PHASES_MAX, "phases");
_Static_assert(STORE_REASON_SIZE == ROLLOUT_REASON_SIZE, "reason");
_Static_assert(STORE_TRY_COUNT == FAILURE_CLASS_COUNT + 1, "tries");
_Static_assert(STORE_ACTIVE_BELOW == ASSIGNMENT_ACTIVE_MAX + 1, "the slot's states");

/* Stored by position: append only. */
static void gates_from_row(const uint32_t numbers[STORE_GATE_COUNT],
                           struct gate_rules *gates)
{
    *gates = (struct gate_rules){
        .success_bp = numbers[0],
        .success_min_sample = numbers[1],
        .success_reached_bp = numbers[2],
        .failure_bp = numbers[3],
        .failure_min_sample = numbers[4],
        .failure_classes = numbers[5],
        .failure_count = numbers[6],
        .single_classes = numbers[7],
        .single_crash_loop = numbers[8] != 0,
        .delivery_bp = numbers[9],
        .delivery_min = numbers[10],
    };
}

static void gates_to_row(const struct gate_rules *gates, uint32_t numbers[STORE_GATE_COUNT])
{
    const uint32_t all[STORE_GATE_COUNT] = {
        gates->success_bp,    gates->success_min_sample, gates->success_reached_bp,
        gates->failure_bp,    gates->failure_min_sample, gates->failure_classes,
        gates->failure_count, gates->single_classes,     gates->single_crash_loop,
        gates->delivery_bp,   gates->delivery_min,
    };
    memcpy(numbers, all, sizeof all);
}

static void phase_from_row(const struct store_phase *row, struct phase *phase)
{
    *phase = (struct phase){
        .rule = {(enum cohort_kind)row->rule, row->value, row->min_devices},
        .state = (enum phase_state)row->state,
        .needs_approval = row->needs_approval,
        .by_hand = row->by_hand,
        .device_soak_ms = row->device_soak_ms,
        .soak_ms = row->soak_ms,
        .opened_ms = row->opened_ms,
        .success_since_ms = row->success_since_ms,
        .closed_ms = row->closed_ms,
        .acknowledged = row->acknowledged,
    };
    gates_from_row(row->gates, &phase->gates);
    memcpy(&phase->counters, row->counters, sizeof phase->counters);
    if (phase->state == PHASE_WAITING) { return; } /* nothing was judged yet */
    phase->last = gates_judge(&phase->gates, &phase->counters, phase->acknowledged);
    bool is_moot = phase->state == PHASE_PASSED && phase->last.kind == GATE_ALL_ENDED;
    if (is_moot) { phase->last.kind = GATE_SUCCESS; } /* it has passed once */
}

static void phase_to_row(const struct phase *phase, struct store_phase *row)
{
    *row = (struct store_phase){
        .rule = (uint8_t)phase->rule.kind,
        .state = (uint8_t)phase->state,
        .value = phase->rule.value,
        .min_devices = phase->rule.min_devices,
        .needs_approval = phase->needs_approval,
        .by_hand = phase->by_hand,
        .device_soak_ms = phase->device_soak_ms,
        .soak_ms = phase->soak_ms,
        .opened_ms = phase->opened_ms,
        .success_since_ms = phase->success_since_ms,
        .closed_ms = phase->closed_ms,
        .acknowledged = phase->acknowledged,
    };
    gates_to_row(&phase->gates, row->gates);
    memcpy(row->counters, &phase->counters, sizeof row->counters);
}

void rollout_from_row(const struct store_rollout *row, struct control_rollout *r)
{
    memset(r, 0, sizeof *r);
    r->num = row->num;
    memcpy(r->id, row->id, sizeof r->id);
    memcpy(r->name, row->name, sizeof r->name);
    r->release = row->release;
    r->grammar = row->grammar;
    memcpy(r->salt, row->salt, sizeof r->salt);
    r->created_ms = row->created_ms;
    memcpy(r->created_by, row->created_by, sizeof r->created_by);
    r->revision = row->revision;
    r->sweep = (struct rollout_sweep){.verb = (enum sweep_verb)row->sweep,
                                      .state = row->sweep_state,
                                      .asked_ms = row->sweep_asked_ms,
                                      .after = row->sweep_after};
    r->engine.state = (enum rollout_state)row->state;
    r->engine.mode = (enum rollout_mode)row->mode;
    r->engine.phase_count = row->phase_count;
    r->engine.state_since_ms = row->since_ms;
    r->engine.start_ms = row->start_ms;
    r->engine.phase_max_ms = row->phase_max_ms;
    r->engine.rate_tenths = row->rate_tenths;
    memcpy(r->engine.state_reason, row->reason, sizeof r->engine.state_reason);
    for (uint32_t i = 0; i < row->phase_count; i++) {
        phase_from_row(&row->phases[i], &r->engine.phases[i]);
    }
}

void rollout_to_row(const struct control_rollout *r, const char *selector,
                    struct store_rollout *row)
{
    memset(row, 0, sizeof *row);
    row->num = r->num;
    memcpy(row->id, r->id, sizeof row->id);
    memcpy(row->name, r->name, sizeof row->name);
    row->release = r->release;
    snprintf(row->selector, sizeof row->selector, "%s", selector); /* parsed: it fits */
    row->grammar = r->grammar;
    memcpy(row->salt, r->salt, sizeof row->salt);
    row->created_ms = r->created_ms;
    memcpy(row->created_by, r->created_by, sizeof row->created_by);
    row->revision = r->revision;
    row->sweep = (uint8_t)r->sweep.verb;
    row->sweep_state = r->sweep.state;
    row->sweep_asked_ms = r->sweep.asked_ms;
    row->sweep_after = r->sweep.after;
    row->state = (uint8_t)r->engine.state;
    row->mode = (uint8_t)r->engine.mode;
    row->phase_count = r->engine.phase_count;
    row->since_ms = r->engine.state_since_ms;
    row->start_ms = r->engine.start_ms;
    row->phase_max_ms = r->engine.phase_max_ms;
    row->rate_tenths = r->engine.rate_tenths;
    memcpy(row->reason, r->engine.state_reason, sizeof row->reason);
    for (uint32_t i = 0; i < row->phase_count; i++) {
        phase_to_row(&r->engine.phases[i], &row->phases[i]);
    }
}

void assignment_from_row(const struct store_assignment *row, struct assignment *a)
{
    *a = (struct assignment){
        .state = row->state,
        .phase = row->phase,
        .flags = row->flags,
        .generation = row->generation,
        .reason = row->reason,
        .detail = row->detail,
        .inferred = row->inferred,
        .soak_checkins = row->soak_checkins,
        .reboots = row->reboots,
        .offset = row->bytes,
        .tried_offset = row->tried_bytes,
        .entered_ms = row->entered_ms,
        .heard_ms = row->heard_ms,
        .progress_ms = row->progress_ms,
        .offered_ms = row->offered_ms,
        .started_ms = row->started_ms,
        .reboots_since_ms = row->reboots_since_ms,
        .not_before_ms = row->not_before_ms,
        .grace_ms = row->grace_ms,
    };
    for (unsigned i = 0; i < FAILURE_CLASS_COUNT; i++) {
        a->tries.by_class[i] = (uint8_t)row->tries[i];
    }
    a->tries.same_reason = (uint8_t)row->tries[FAILURE_CLASS_COUNT];
}

void assignment_to_row(const struct assignment *a, struct store_assignment *row)
{
    row->state = a->state;
    row->phase = a->phase;
    row->flags = a->flags;
    row->generation = a->generation;
    row->reason = a->reason;
    row->detail = a->detail;
    row->inferred = a->inferred;
    for (unsigned i = 0; i < FAILURE_CLASS_COUNT; i++) {
        row->tries[i] = a->tries.by_class[i];
    }
    row->tries[FAILURE_CLASS_COUNT] = a->tries.same_reason;
    row->soak_checkins = a->soak_checkins;
    row->reboots = a->reboots;
    row->bytes = a->offset;
    row->tried_bytes = a->tried_offset;
    row->entered_ms = a->entered_ms;
    row->heard_ms = a->heard_ms;
    row->progress_ms = a->progress_ms;
    row->offered_ms = a->offered_ms;
    row->started_ms = a->started_ms;
    row->reboots_since_ms = a->reboots_since_ms;
    row->not_before_ms = a->not_before_ms;
    row->grace_ms = a->grace_ms;
}
