/* upkeep.c - see upkeep.h and control_timer() in control.h. */
#include "server/control/upkeep.h"
#include <stdio.h>
#include "formats/codes.h"
#include "server/control/internal.h"
#include "server/control/rollout_sweep.h"
#include "server/control/rollout_work.h"
#include "server/store/store_admin.h"
#include "server/store/store_device.h"

#define SECOND ((uint64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

enum { FLUSH_ROWS = 2000 };
static const char alive_setting[] = "alive_ms";
#define IDEMPOTENCY_MS ((int64_t)DAY)
#define CLOCK_STEP_MS 60000 /* a jump larger than this is an outage, not the time */

/* --- configuration -------------------------------------------------------------------- */

void control_config_default(struct control_config *config)
{
    *config = (struct control_config){
        .product = "product",
        .interval_ms = HOUR,
        .interval_trial_ms = MINUTE,
        .interval_busy_ms = 5 * MINUTE,
        .interval_pending_ms = 15 * MINUTE,
        .interval_min_ms = 30 * SECOND,
        .expected_interval_ms = DAY,
        .device_soak_ms = HOUR,
        .soak_first_ms = DAY,
        .soak_ms = 4 * HOUR,
        .phase_max_ms = 14 * DAY,
        .min_devices = 3,
        .offer_ttl_ms = 7 * DAY,
        .stall_min_ms = HOUR,
        .total_min_ms = DAY,
        .silent_min_ms = 15 * MINUTE,
        .silent_max_ms = 30 * DAY,
        .silent_factor = 3,
        .retry_base_ms = MINUTE,
        .retry_cap_ms = DAY,
        .confirm_ms = 5 * MINUTE,
        .assignment_ttl_ms = 10 * MINUTE,
        .wake_spread_ms = 30 * SECOND,
        .wakes_per_s = 200,
        .offers_per_minute = 0,
        .trust_on_first_use = true,
        .pending_max = 10000,
        .pending_per_minute = 600,
        .devices_max = 1000000,
        .tick_ms = 5 * SECOND,
        .flush_ms = 2 * SECOND,
        .outage_min_ms = MINUTE,
    };
}

/* What the engine and the formats demand, whatever a configuration file allows. */
bool control_config_check(const struct control_config *c, struct control_error *error)
{
    const struct {
        bool is_right;
        const char *words;
    } rules[] = {
        {c->class_count >= 1 && c->class_count <= CONTROL_CLASSES_MAX,
         "1 to 16 classes of devices"},
        {c->interval_ms >= SECOND, "interval of 1 s or more"},
        {c->expected_interval_ms >= SECOND, "expected interval of 1 s or more"},
        {c->confirm_ms >= 30 * SECOND && c->confirm_ms <= DAY,
         "confirm timeout of 30 s to 24 h"},
        {c->assignment_ttl_ms >= SECOND && c->assignment_ttl_ms <= HOUR,
         "assignment ttl of 1 s to 1 h"},
        {c->retry_base_ms >= 1 && c->retry_cap_ms >= c->retry_base_ms,
         "retry base of 1 ms or more, and a cap not below it"},
        {c->silent_factor >= 1 && c->silent_factor <= 100, "silent factor of 1 to 100"},
        {c->wakes_per_s >= 1 && c->wakes_per_s <= 100000, "1 to 100000 wakes per second"},
        {c->devices_max >= 1 && c->devices_max <= ROLLOUT_DEVICES_MAX,
         "1 to 4000000 devices"},
        {c->min_devices <= ROLLOUT_DEVICES_MAX, "at most 4000000 devices at least"},
        {c->offers_per_minute <= ROLLOUT_RATE_TENTHS_MAX / 10,
         "at most 6000000 offers per minute"},
        {c->tick_ms >= 100 && c->flush_ms >= 100, "tick and flush of 100 ms or more"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i].is_right) { continue; }
        error->detail = MOULT_D_CONF_VALUE;
        snprintf(error->text, sizeof error->text, "expected %s", rules[i].words);
        return false;
    }
    return true;
}

/* --- outages -------------------------------------------------------------------------- */

static enum moult_status forgive(struct control *control, struct store_db *db,
                                 int64_t began_ms, int64_t ended_ms)
{
    enum moult_status st = store_outage_put(db, began_ms, ended_ms);
    if (st == MOULT_OK) { st = store_assignment_extend(db, ended_ms - began_ms); }
    log_warn(&control->parts.log, "outage_forgiven", "seconds",
             (long long)(ended_ms - began_ms) / 1000);
    return st;
}

enum moult_status upkeep_forgive_outage(struct control *control, struct store_db *db)
{
    int64_t now_ms = (int64_t)clock_realtime_ms(control->parts.clock);
    int64_t alive_ms = 0;
    enum moult_status st = store_setting_get(db, alive_setting, &alive_ms);
    if (st != MOULT_OK && st != MOULT_E_NOENT) { return st; }
    bool was_away =
        st == MOULT_OK && now_ms - alive_ms > (int64_t)control->config.outage_min_ms;
    st = was_away ? forgive(control, db, alive_ms, now_ms) : MOULT_OK;
    if (st == MOULT_OK) { st = store_setting_put(db, alive_setting, now_ms); }
    control->alive_ms = now_ms;
    return st;
}

/* --- the tick ------------------------------------------------------------------------- */

static enum moult_status stay_alive(struct control *control, struct store_db *db,
                                    int64_t now_ms)
{
    int64_t due_ms = control->alive_ms + (int64_t)control->config.outage_min_ms / 4;
    if (now_ms < due_ms && now_ms >= control->alive_ms) { return MOULT_OK; }
    enum moult_status st = store_setting_put(db, alive_setting, now_ms);
    if (st == MOULT_OK) { st = store_idempotency_purge(db, now_ms - IDEMPOTENCY_MS); }
    if (st == MOULT_OK) { control->alive_ms = now_ms; }
    return st;
}

static enum moult_status run_tick(struct store_db *db, void *context)
{
    struct control *control = context;
    int64_t now_ms = (int64_t)clock_realtime_ms(control->parts.clock);
    int64_t stepped_ms = atomic_exchange(&control->stepped_ms, 0);
    enum moult_status st = MOULT_OK;
    if (stepped_ms > 0) { st = forgive(control, db, now_ms - stepped_ms, now_ms); }
    if (st == MOULT_OK) { st = rollouts_tick(control, db, now_ms, &control->has_more_due); }
    if (st == MOULT_OK) {
        st = rollouts_sweep(control, db, now_ms, &control->has_more_due);
    }
    if (st == MOULT_OK) { st = stay_alive(control, db, now_ms); }
    if (st != MOULT_OK && stepped_ms > 0) {
        atomic_fetch_add(&control->stepped_ms, stepped_ms); /* the next tick forgives it */
    }
    return st;
}

static bool post_tick(struct control *control);

static void tick_done(void *context, enum moult_status status)
{
    struct control *control = context;
    if (status != MOULT_OK) {
        log_error(&control->parts.log, "tick_failed", "status", moult_status_name(status));
    }
    bool goes_on = status == MOULT_OK && control->has_more_due && post_tick(control);
    if (!goes_on) { atomic_store(&control->is_ticking, false); }
}

static bool post_tick(struct control *control)
{
    struct store_job job = {
        .kind = "tick", .run = run_tick, .done = tick_done, .context = control};
    return store_write(control->parts.store, &job) == MOULT_OK;
}

/* --- last_seen ------------------------------------------------------------------------ */

static enum moult_status flush_one(struct control *control, struct store_db *db,
                                   uint32_t index)
{
    struct device_durable device;
    struct device_live live;
    device_table_get(control->devices, index, &device, &live);
    if (device.num == 0) { return MOULT_OK; }
    struct store_seen seen = {
        .num = device.num,
        .last_seen_ms = live.last_seen_ms,
        .counter = live.counter,
        .next_s = live.next_s,
        .rhythm = live.rhythm.bins,
        .address = live.address,
    };
    return store_device_save_seen(db, &seen);
}

/* In order of num: neighbours in the table are neighbours on disk. */
static enum moult_status run_flush(struct store_db *db, void *context)
{
    struct control *control = context;
    uint32_t indexes[FLUSH_ROWS], next = control->flush_from;
    size_t count = device_table_collect(control->devices, next, indexes, FLUSH_ROWS, &next);
    enum moult_status st = MOULT_OK;
    for (size_t i = 0; i < count; i++) {
        if (st == MOULT_OK) { st = flush_one(control, db, indexes[i]); }
        if (st != MOULT_OK) { device_table_mark(control->devices, indexes[i]); }
    }
    bool is_end = next >= device_table_count(control->devices);
    control->flush_from = is_end || st != MOULT_OK ? 0 : next;
    return st;
}

static bool post_flush(struct control *control);

static void flush_done(void *context, enum moult_status status)
{
    struct control *control = context;
    if (status != MOULT_OK) {
        log_error(&control->parts.log, "flush_failed", "status", moult_status_name(status));
    }
    bool goes_on = status == MOULT_OK && control->flush_from != 0 && post_flush(control);
    if (!goes_on) { atomic_store(&control->is_flushing, false); }
}

static bool post_flush(struct control *control)
{
    struct store_job job = {
        .kind = "flush", .run = run_flush, .done = flush_done, .context = control};
    return store_write(control->parts.store, &job) == MOULT_OK;
}

/* --- the timer ------------------------------------------------------------------------ */

/* The clock jumping forward must not end anybody's time limit. */
static void watch_clock(struct control *control, uint64_t mono_ms, int64_t real_ms)
{
    int64_t offset_ms = real_ms - (int64_t)mono_ms;
    int64_t step_ms = offset_ms - control->clock_offset_ms;
    bool is_first = control->clock_offset_ms == 0;
    control->clock_offset_ms = offset_ms;
    if (is_first || (step_ms < CLOCK_STEP_MS && step_ms > -CLOCK_STEP_MS)) { return; }
    log_warn(&control->parts.log, "clock_stepped", "ms", (long long)step_ms);
    if (step_ms > 0) { atomic_fetch_add(&control->stepped_ms, step_ms); }
}

void control_timer(struct control *control)
{
    uint64_t now_ms = clock_monotonic_ms(control->parts.clock);
    watch_clock(control, now_ms, (int64_t)clock_realtime_ms(control->parts.clock));
    if (now_ms - control->minute_ms >= MINUTE) {
        control->minute_ms = now_ms;
        atomic_store(&control->pending_tokens,
                     (uint32_t)control->config.pending_per_minute);
    }
    if (now_ms - control->flushed_ms >= control->config.flush_ms &&
        !atomic_exchange(&control->is_flushing, true)) {
        control->flushed_ms = now_ms;
        if (!post_flush(control)) { atomic_store(&control->is_flushing, false); }
    }
    if (now_ms - control->ticked_ms >= control->config.tick_ms &&
        !atomic_exchange(&control->is_ticking, true)) {
        control->ticked_ms = now_ms;
        if (!post_tick(control)) { atomic_store(&control->is_ticking, false); }
    }
}
