/* control.c - see control.h: opening, closing, the store's hooks, the timer. */
#include "server/control/control.h"
#include <stdio.h>
#include <string.h>
#include "formats/codes.h"
#include "server/base/mem.h"
#include "server/control/internal.h"
#include "server/control/rollout_work.h"
#include "server/control/upkeep.h"
#include "server/store/store_device.h"
#include "server/store/store_rollout.h"

uint8_t control_class_index(const struct control_config *config, const uint8_t id[16])
{
    for (size_t i = 0; i < config->class_count; i++) {
        if (memcmp(config->classes[i].id, id, 16) == 0) { return (uint8_t)i; }
    }
    return 0;
}

/* --- hooks: memory follows the database ----------------------------------------------- */

static void job_begins(void *context)
{
    struct control *control = context;
    control->is_live = true;
    effects_job_begins(&control->effects);
    rollout_cache_job_begins(&control->rollouts);
}

static void job_undone(void *context)
{
    struct control *control = context;
    effects_job_undone(&control->effects);
    rollout_cache_job_undone(&control->rollouts);
}

static enum moult_status committing(void *context, struct store_db *db)
{
    struct control *control = context;
    return rollout_cache_save(&control->rollouts, db);
}

static void push_wake(struct control *control, uint32_t index, bool is_clear)
{
    struct device_durable device;
    int64_t now_ms = (int64_t)clock_realtime_ms(control->parts.clock);
    device_table_get(control->devices, index, &device, NULL);
    struct control_wake wake = {
        .is_clear = is_clear,
        .seq = device_table_next_wake(control->devices, index, now_ms),
        .spread_s = (uint32_t)(control->config.wake_spread_ms / 1000)};
    memcpy(wake.device_id, device.id, sizeof wake.device_id);
    bool is_queued = wake_ring_push(&control->wakes, &wake);
    if (!is_queued && control->metrics.wakes_dropped) {
        metrics_add(control->metrics.wakes_dropped, 1);
    }
}

static void apply_phase(struct control *control, const struct effect *effect)
{
    uint32_t count = device_table_count(control->devices);
    for (uint32_t i = 0; i < count; i++) {
        struct device_durable device;
        device_table_get(control->devices, i, &device, NULL);
        if (device.assigned_rollout == effect->num &&
            device.assigned_phase == effect->phase && device.assigned_state != 0) {
            push_wake(control, i, false);
        }
    }
}

static void apply_plan(struct control *control, const struct effect *effect)
{
    const struct effect_plan_row *rows = effect->data;
    for (size_t i = 0; i < effect->count; i++) {
        struct device_durable device;
        device_table_get(control->devices, rows[i].device, &device, NULL);
        device.assigned_state = ASSIGNMENT_PLANNED;
        device.assigned_phase = rows[i].phase;
        device.assigned_rollout = effect->num;
        device.assigned_not_before_ms = 0;
        device.is_watched = false;
        /* The device is there already, so this cannot be refused for want of room. */
        if (!device_table_put(control->devices, &device, NULL)) { return; }
    }
}

bool control_has_room(const struct control *control)
{
    return device_table_count(control->devices) + control->effects.new_count <
           control->config.devices_max;
}

static void apply_device(struct control *control, const struct effect *effect)
{
    if (device_table_put(control->devices, &effect->device, NULL)) { return; }
    log_error(&control->parts.log, "device_table_full", "devices",
              device_table_count(control->devices), "limit", control->config.devices_max);
}

static void apply_token(struct control *control, const struct token_entry *token)
{
    if (token_table_set(&control->tokens, token)) { return; }
    log_error(&control->parts.log, "token_table_full", "limit", TOKENS_MAX);
}

static void apply(struct control *control, struct effect *effect)
{
    uint32_t index;
    bool ok = true;
    switch (effect->kind) {
    case EFFECT_DEVICE:
        apply_device(control, effect);
        return;
    case EFFECT_REMOVED:
        device_table_remove(control->devices, effect->num);
        return;
    case EFFECT_WAKE:
    case EFFECT_CLEAR:
        index = device_table_find_num(control->devices, effect->num);
        if (index != DEVICE_NONE) {
            push_wake(control, index, effect->kind == EFFECT_CLEAR);
        }
        return;
    case EFFECT_PHASE:
        apply_phase(control, effect);
        return;
    case EFFECT_PLANNED:
        apply_plan(control, effect);
        return;
    case EFFECT_RELEASE:
        ok = statement_cache_add_release(&control->statements, effect->data);
        break;
    case EFFECT_KEYSET:
        ok = statement_cache_add_keyset(&control->statements, effect->data);
        break;
    case EFFECT_TOKEN:
        apply_token(control, effect->data);
        return;
    }
    effect->data = NULL; /* moved into the cache */
    if (!ok) { log_error(&control->parts.log, "statement_cache_full"); }
}

static void committed(void *context)
{
    struct control *control = context;
    rollout_cache_committed(&control->rollouts); /* before devices: they refer to them */
    for (size_t i = 0; i < control->effects.count; i++) {
        apply(control, &control->effects.items[i]);
    }
    effects_clear(&control->effects);
}

static void group_lost(void *context, struct store_db *db)
{
    struct control *control = context;
    effects_clear(&control->effects);
    enum moult_status st = rollout_cache_load(&control->rollouts, db);
    if (st != MOULT_OK) {
        log_error(&control->parts.log, "rollouts_not_reloaded", "status",
                  moult_status_name(st));
    }
}

/* --- loading -------------------------------------------------------------------------- */

struct load {
    struct control *control;
    uint32_t index; /* where the next active assignment's device is looked for from */
    bool has_failed;
};

static bool load_device(void *context, const struct store_device *device)
{
    struct load *load = context;
    const struct control_config *config = &load->control->config;
    struct device_durable d = {
        .num = device->num,
        .class_index = control_class_index(config, device->class_id),
        .state = device->state < DEVICE_STATE_COUNT ? device->state : DEVICE_QUARANTINED,
        .running_state = device->running_state,
        .has_running = device->has_running,
        .has_facts = device->has_facts,
        .running_sequence = device->running_sequence,
        .keyset_version = device->keyset_version,
    };
    struct device_live live = {.last_seen_ms = device->last_seen_ms,
                               .counter = device->counter,
                               .next_s = device->next_s};
    memcpy(d.id, device->id, sizeof d.id);
    memcpy(d.spki, device->spki, sizeof d.spki);
    memcpy(d.running_digest, device->running_digest, sizeof d.running_digest);
    memcpy(live.rhythm.bins, device->rhythm, sizeof live.rhythm.bins);
    memcpy(live.address, device->last_address, sizeof live.address);
    load->has_failed = !device_table_put(load->control->devices, &d, &live);
    return !load->has_failed;
}

static bool load_assignment(void *context, const struct store_assignment *row)
{
    struct load *load = context;
    struct device_table *devices = load->control->devices;
    uint32_t index = device_table_find_num(devices, row->device);
    if (index == DEVICE_NONE) { return true; }
    struct device_durable d;
    device_table_get(devices, index, &d, NULL);
    if (row->state == ASSIGNMENT_SILENT) {
        d.is_watched = d.assigned_state == 0;
    } else {
        d.is_watched = false;
        d.assigned_state = row->state;
        d.assigned_phase = row->phase;
        d.assigned_rollout = row->rollout;
        d.assigned_not_before_ms = row->not_before_ms;
    }
    return device_table_put(devices, &d, NULL);
}

static bool load_silent(void *context, const struct store_assignment *row)
{
    return row->state != ASSIGNMENT_SILENT || load_assignment(context, row);
}

static enum moult_status load_all(struct control *control, struct store_db *db)
{
    struct load load = {.control = control};
    struct store_device_query all = {0};
    enum moult_status st = statement_cache_load(&control->statements, db);
    if (st == MOULT_OK) { st = rollout_cache_load(&control->rollouts, db); }
    if (st == MOULT_OK) { st = control_tokens_load(control, db); }
    if (st == MOULT_OK) { st = store_device_each(db, &all, load_device, &load); }
    if (st == MOULT_OK && load.has_failed) { st = MOULT_E_NOMEM; }
    for (size_t i = 0; st == MOULT_OK; i++) {
        struct rollout_slot *slot = rollout_cache_at(&control->rollouts, i);
        if (!slot) { break; }
        struct store_assignment_query silent = {.rollout = slot->work->num,
                                                .state = ASSIGNMENT_SILENT};
        st = store_assignment_each(db, &silent, load_silent, &load);
    }
    if (st == MOULT_OK) { st = store_assignment_each_active(db, load_assignment, &load); }
    return st;
}

/* --- open and close ------------------------------------------------------------------- */

static struct metric *counter(struct metrics *metrics, const char *name, const char *help)
{
    return metrics_counter(metrics, &(struct metrics_name){.name = name, .help = help});
}

static struct metric *checkins(struct metrics *metrics, const char *result)
{
    return metrics_counter(metrics,
                           &(struct metrics_name){.name = "moult_checkins_total",
                                                  .help = "Check-ins answered, by how.",
                                                  .label = {"result"},
                                                  .value = {result}});
}

static void make_metrics(struct control *control)
{
    struct metrics *metrics = control->parts.metrics;
    if (!metrics) { return; }
    control->metrics = (struct control_metrics){
        .offers = counter(metrics, "moult_offers_total", "Releases offered to devices."),
        .retries = counter(metrics, "moult_retries_total",
                           "Failed attempts that are tried again."),
        .silent = counter(metrics, "moult_silent_total",
                          "Devices not heard of after an update in time."),
        .rolled_back = counter(metrics, "moult_rollbacks_total",
                               "Devices that returned to their former image."),
        .wakes_dropped = counter(metrics, "moult_wakes_dropped_total",
                                 "Wakes that found their queue full; those devices poll."),
        .checkins_fast = checkins(metrics, "idle"),
        .checkins_write = checkins(metrics, "written"),
        .checkins_refused = checkins(metrics, "refused"),
    };
}

static enum moult_status make_parts(struct control *control)
{
    control->devices = device_table_create((uint32_t)control->config.devices_max);
    if (!control->devices) { return MOULT_E_NOMEM; }
    enum moult_status st = statement_cache_init(&control->statements);
    if (st == MOULT_OK) { st = rollout_cache_init(&control->rollouts); }
    if (st == MOULT_OK) { st = token_table_init(&control->tokens); }
    if (st == MOULT_OK) {
        st = wake_ring_init(&control->wakes, (uint32_t)control->config.wakes_per_s);
    }
    atomic_store(&control->pending_tokens, (uint32_t)control->config.pending_per_minute);
    make_metrics(control);
    return st;
}

static enum moult_status fail(struct control_error *error, enum moult_status status,
                              struct store_db *db, const char *what)
{
    error->detail = status == MOULT_E_ARG ? MOULT_D_CONF_VALUE : MOULT_D_STORE_READ;
    snprintf(error->text, sizeof error->text, "%s: %s (%s)", what, store_db_failure(db),
             moult_status_name(status));
    return status;
}

enum moult_status control_open(const struct control_config *config,
                               const struct control_parts *parts, struct control **out,
                               struct control_error *error)
{
    struct store_db *db = store_setup_db(parts->store);
    if (!control_config_check(config, error)) { return MOULT_E_ARG; }
    struct control *control = mem_alloc(sizeof *control);
    if (!control) { return fail(error, MOULT_E_NOMEM, db, "no memory"); }
    control->config = *config;
    control->parts = *parts;
    enum moult_status st = make_parts(control);
    if (st == MOULT_OK) { st = load_all(control, db); }
    if (st == MOULT_OK) { st = upkeep_forgive_outage(control, db); }
    if (st != MOULT_OK) {
        fail(error, st, db, "the database cannot be loaded");
        control_close(control);
        return st;
    }
    store_set_hooks(parts->store, &(struct store_hooks){.context = control,
                                                        .job_begins = job_begins,
                                                        .job_undone = job_undone,
                                                        .committing = committing,
                                                        .committed = committed,
                                                        .group_lost = group_lost});
    log_info(&control->parts.log, "control_open", "devices",
             device_table_count(control->devices), "rollouts", control->rollouts.count,
             "releases", control->statements.release_count);
    *out = control;
    return MOULT_OK;
}

void control_close(struct control *control)
{
    if (!control) { return; }
    effects_release(&control->effects);
    wake_ring_release(&control->wakes);
    token_table_release(&control->tokens);
    rollout_cache_release(&control->rollouts);
    statement_cache_release(&control->statements);
    device_table_destroy(control->devices);
    mem_free(control);
}

/* --- statements ----------------------------------------------------------------------- */

void control_counter_floor(struct control *control, uint64_t counter_floor)
{
    uint64_t floor = atomic_load(&control->counter_floor);
    while (floor < counter_floor &&
           !atomic_compare_exchange_weak(&control->counter_floor, &floor, counter_floor)) {}
}

uint32_t control_keyset_newest(struct control *control)
{
    return statement_cache_newest_keyset(&control->statements);
}

static enum moult_status copy_out(const uint8_t *from, size_t from_size, uint8_t *out,
                                  size_t capacity, size_t *size)
{
    if (from_size > capacity) { return MOULT_E_SPACE; }
    memcpy(out, from, from_size);
    *size = from_size;
    return MOULT_OK;
}

enum moult_status control_keyset_read(struct control *control, uint32_t version,
                                      uint8_t *out, size_t capacity, size_t *size)
{
    struct cached_keyset keyset;
    if (version == 0 || !statement_cache_keyset(&control->statements, version, &keyset)) {
        return MOULT_E_NOENT;
    }
    return copy_out(keyset.envelope, keyset.size, out, capacity, size);
}

enum moult_status control_release_read(struct control *control,
                                       const uint8_t payload_sha256[32], uint8_t *out,
                                       size_t capacity, size_t *size)
{
    struct store_release release;
    if (!statement_cache_by_payload(&control->statements, payload_sha256, &release)) {
        return MOULT_E_NOENT;
    }
    return copy_out(release.envelope, release.envelope_size, out, capacity, size);
}

struct visit_releases {
    bool (*each)(void *context, struct moult_bytes envelope);
    void *context;
};

static bool visit_release(void *context, const struct store_release *release)
{
    const struct visit_releases *visit = context;
    if (release->state != STORE_RELEASE_PUBLISHED) { return true; }
    return visit->each(visit->context,
                       (struct moult_bytes){release->envelope, release->envelope_size});
}

void control_releases_each(struct control *control,
                           bool (*each)(void *context, struct moult_bytes envelope),
                           void *context)
{
    struct visit_releases visit = {each, context};
    statement_cache_each(&control->statements, visit_release, &visit);
}
