/* sweep.c - a cut at every operation: walk through the story once, and let each cut branch
 * off from the step before. */
#include <stdio.h>
#include <string.h>
#include "tests/power/power.h"

enum { FAILURES_SHOWN = 20 }; /* by one worker; the rest is counted */

/* --- one run --- */

void power_note(struct power_totals *totals)
{
    const struct power_run *run = power_live();
    totals->config = run->config;
    totals->story = run->story;
    totals->schedule = run->schedule;
    totals->is_busy = true;
}

static void print_failure(const struct power_run *run, const char *name, const char *claim,
                          struct power_totals *totals)
{
    char id[POWER_ID_MAX];
    if (totals->failures++ >= FAILURES_SHOWN) { return; }
    power_id(run->config, run->story, &run->schedule, id);
    printf("%s %s: does not hold in step %u, state %s, %u cuts, %u boots%s%s\n"
           "  repeat: power --replay %s\n",
           name, claim, run->h.steps, world_state(&run->w), run->h.cuts, run->h.boots,
           run->w.seen.panic ? ", panic: " : "", run->w.seen.panic ? run->w.seen.panic : "",
           id);
    fflush(stdout);
}

/* I17: the same line, the same trace; and a branch is what a run from the start is. */
static void repeat(struct power_totals *totals)
{
    struct power_run *run = power_live();
    struct power_schedule schedule = run->schedule;
    uint64_t trace = run->h.trace;
    unsigned config, story;
    if (schedule.is_deep) {
        power_deep_schedule(schedule.seed, &config, &story, &schedule);
    }
    power_begin(&schedule);
    power_finish(run);
    totals->repeated++;
    if (power_broken() || run->h.trace != trace) {
        print_failure(run, "I17", "the same trace again", totals);
    }
}

static void count(const struct power_run *run, struct power_totals *totals)
{
    totals->runs++;
    totals->cuts += run->h.cuts;
    totals->by_config[run->config]++;
    totals->by_story[run->story]++;
    for (unsigned i = 0; i < run->h.cuts && i < run->schedule.cut_count; i++) {
        totals->by_fault[run->schedule.cuts[i].fault]++;
    }
    for (unsigned i = 0; i < POWER_EVENT_KINDS; i++) {
        totals->by_event[i] += run->h.kinds >> i & 1;
    }
}

void power_judge(const struct power_effort *effort, struct power_totals *totals)
{
    const struct power_run *run = power_live();
    count(run, totals);
    const struct power_invariant *broken = power_broken();
    bool is_missed = !run->schedule.is_deep && run->h.cuts != run->schedule.cut_count;
    if (broken) {
        print_failure(run, broken->name, broken->claim, totals);
    } else if (is_missed) {
        print_failure(run, "suite", "every planned cut strikes", totals);
    } else if (effort->repeat_every && totals->runs % effort->repeat_every == 0) {
        repeat(totals);
    }
    totals->is_busy = false;
}

/* --- branches --- */

/* From `before`, with one more cut at operation `at` (counted since the last one). */
static void branch(const struct power_run *before, uint32_t after, unsigned fault,
                   uint64_t seed)
{
    power_restore(before);
    power_forgive();
    struct power_run *run = power_live();
    run->schedule.seed = seed;
    run->schedule.cuts[run->schedule.cut_count++] =
        (struct power_cut){.after = after, .fault = (uint8_t)fault};
    power_plan_cut(run);
}

/* The n-th way to cut operation `at` when not all are taken: the first always, the others
 * in turn, so that neighbours and other products get the rest. */
static unsigned way(const struct power_effort *effort, uint64_t at, unsigned config,
                    unsigned n)
{
    if (effort->ways == 0 || n < 1) { return n; }
    uint64_t turn = (at * 5 + config * 2 + n * 11) % (power_fault_count - 1);
    return 1 + (unsigned)turn;
}

static void cut_here(const struct power_run *before, uint64_t at,
                     const struct power_effort *effort, struct power_totals *totals)
{
    unsigned ways = effort->ways ? effort->ways : power_fault_count;
    for (unsigned n = 0; n < ways * effort->seeds; n++) {
        unsigned fault = way(effort, at, before->config, n % ways);
        branch(before, (uint32_t)(at - before->armed_at), fault, n / ways);
        power_note(totals);
        power_finish(power_live());
        power_judge(effort, totals);
    }
}

static uint64_t operations_of(const struct power_run *run)
{
    return run->w.device.chip.flash.operation_count;
}

static void keep_most(unsigned *most, unsigned value)
{
    if (value > *most) { *most = value; }
}

/* The story without a fault has ended. */
static void judge_quiet_run(const struct power_effort *effort, struct power_totals *totals)
{
    const struct power_run *run = power_live();
    struct power_wear wear = power_wear_of(run);
    power_check(run, POWER_AT_END);
    totals->operations += operations_of(run);
    keep_most(&totals->wear.slot_first, wear.slot_first);
    keep_most(&totals->wear.slot_other, wear.slot_other);
    keep_most(&totals->wear.otadata, wear.otadata);
    keep_most(&totals->wear.nvs, wear.nvs);
    keep_most(&totals->wear.kv_sets, wear.kv_sets);
    power_judge(effort, totals);
}

void power_sweep(unsigned config, unsigned story, const struct power_effort *effort,
                 struct power_totals *totals)
{
    static struct power_run before, after;
    struct power_schedule none = {0};
    power_case_make(config, story);
    power_begin(&none);
    for (bool is_going = true; is_going;) {
        power_save(&before);
        is_going = power_advance(power_live());
        if (operations_of(power_live()) == operations_of(&before)) { continue; }
        const struct power_invariant *broken = power_broken();
        power_save(&after);
        for (uint64_t at = operations_of(&before) + 1; at <= operations_of(&after); at++) {
            cut_here(&before, at, effort, totals);
        }
        power_restore(&after);
        power_forgive();
        if (broken) { break; }
    }
    power_note(totals);
    judge_quiet_run(effort, totals);
}

/* --- two cuts --- */

/* Power went once: cut every operation of the recovery. */
static void sweep_recovery(const struct power_effort *effort, struct power_totals *totals)
{
    static struct power_run before, after;
    for (bool is_going = true; is_going;) {
        power_save(&before);
        is_going = power_advance(power_live());
        if (operations_of(power_live()) == operations_of(&before)) { continue; }
        if (power_broken()) { break; }
        power_save(&after);
        for (uint64_t at = operations_of(&before) + 1; at <= operations_of(&after); at++) {
            uint64_t runs = totals->runs;
            cut_here(&before, at, effort, totals);
            totals->nested += totals->runs - runs;
        }
        power_restore(&after);
        power_forgive();
    }
    if (!power_broken()) { power_check(power_live(), POWER_AT_END); }
    power_judge(effort, totals);
}

static void cut_and_sweep(const struct power_run *before, uint64_t at,
                          const struct power_effort *effort, struct power_totals *totals)
{
    unsigned fault = at % 2; /* mixed, before: the rest is in the simple sweep */
    branch(before, (uint32_t)(at - before->armed_at), fault, 0);
    power_note(totals);
    while (power_live()->h.cuts == 0 && power_advance(power_live())) {}
    if (power_broken()) {
        power_judge(effort, totals);
    } else {
        sweep_recovery(effort, totals);
    }
}

void power_sweep_twice(unsigned config, unsigned story, struct power_part part,
                       const struct power_effort *effort, struct power_totals *totals)
{
    static struct power_run before, after;
    struct power_schedule none = {0};
    power_case_make(config, story);
    power_begin(&none);
    for (bool is_going = true; is_going;) {
        power_save(&before);
        is_going = power_advance(power_live());
        power_save(&after);
        for (uint64_t at = operations_of(&before) + 1; at <= operations_of(&after); at++) {
            bool is_ours =
                at % part.parts == part.part && at / part.parts % effort->nested_every == 0;
            if (is_ours) { cut_and_sweep(&before, at, effort, totals); }
        }
        power_restore(&after);
        power_forgive();
    }
}
