/* support_world.c - see support_world.h. */
#include "tests/unit/server/control/support_world.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "formats/app_desc.h"
#include "formats/bytes.h"
#include "formats/image_build.h"
#include "formats/image_info.h"
#include "server/control/internal.h"
#include "server/control/rollout_rows.h"
#include "server/store/sql.h"

static void need(bool claim, const char *what)
{
    if (claim) { return; }
    fprintf(stderr, "fixture: %s\n", what);
    abort();
}

/* --- life ----------------------------------------------------------------------------- */

static void usual_config(struct world *w)
{
    control_config_default(&w->config);
    snprintf(w->config.product, sizeof w->config.product, "meter");
    memcpy(w->config.fleet_id, w->fleet.fleet_id, 16);
    snprintf(w->config.classes[0].name, sizeof w->config.classes[0].name, "meter-c3");
    memcpy(w->config.classes[0].id, w->fleet.class_id, 16);
    w->config.classes[0].chip_id = 5;
    w->config.class_count = 1;
    w->config.interval_ms = 10000;
    w->config.interval_busy_ms = 2000;
    w->config.interval_trial_ms = 1000;
    w->config.interval_min_ms = 1000;
    w->config.expected_interval_ms = 10000;
    w->config.device_soak_ms = 0;
    w->config.soak_first_ms = w->config.soak_ms = 0;
    w->config.devices_max = 2000;
    w->config.outage_min_ms = 60000;
}

void world_start(struct world *w)
{
    char path[96], artifacts[96];
    struct store_error store_error;
    struct control_error error;
    snprintf(path, sizeof path, "%s/moult.db", w->folder);
    snprintf(artifacts, sizeof artifacts, "%s/artifacts", w->folder);
    struct store_options options = {.path = path, .readers = 1, .group_jobs = 1};
    need(store_open(&options, &w->store, &store_error) == MOULT_OK, store_error.text);
    need(artifact_store_open(artifacts, &w->fleet.crypto, &w->artifacts) == MOULT_OK,
         "artifacts");
    struct control_parts parts = {.store = w->store,
                                  .artifacts = w->artifacts,
                                  .crypto = &w->fleet.crypto,
                                  .clock = &w->clock,
                                  .random = &w->random,
                                  .metrics = w->metrics};
    enum moult_status st = control_open(&w->config, &parts, &w->control, &error);
    need(st == MOULT_OK, error.text);
    struct control_call call = {.control = w->control,
                                .db = store_setup_db(w->store),
                                .now_ms = world_now(w),
                                .actor = {.name = "test"},
                                .problem = &w->problem};
    st = control_keyset_add(&call, statements_view(&w->fleet.envelope));
    need(st == MOULT_OK, w->problem.text);
    need(store_start(w->store) == MOULT_OK, "store_start");
}

struct world *world_open(void (*change)(struct control_config *config))
{
    static int number;
    char command[192];
    struct world *w = calloc(1, sizeof *w);
    need(w != NULL, "memory");
    statements_fleet_make(&w->fleet, NULL);
    snprintf(w->folder, sizeof w->folder, "world.%d.%d", (int)getpid(), number++);
    snprintf(command, sizeof command, "rm -rf %s && mkdir %s", w->folder, w->folder);
    need(system(command) == 0, "folder");
    atomic_store(&w->time.real_ms, WORLD_T0);
    atomic_store(&w->time.mono_us, 1000000);
    w->clock = clock_manual(&w->time);
    w->random = random_seeded(&w->seed, 7);
    w->metrics = metrics_create();
    usual_config(w);
    if (change) { change(&w->config); }
    world_start(w);
    return w;
}

void world_stop(struct world *w)
{
    store_stop(w->store);
    control_close(w->control);
    store_close(w->store);
    artifact_store_close(w->artifacts);
}

void world_close(struct world *w)
{
    char command[192];
    world_stop(w);
    metrics_destroy(w->metrics);
    statements_fleet_free(&w->fleet);
    snprintf(command, sizeof command, "rm -rf %s", w->folder);
    need(system(command) == 0, "clean up");
    free(w);
}

void world_restart(struct world *w, uint64_t away_ms)
{
    world_stop(w);
    clock_manual_advance(&w->time, away_ms);
    world_start(w);
}

int64_t world_now(const struct world *w)
{
    return (int64_t)clock_realtime_ms(&w->clock);
}

void world_wait(struct world *w, uint64_t ms)
{
    clock_manual_advance(&w->time, ms);
}

static enum moult_status nothing(struct store_db *db, void *context)
{
    (void)db;
    (void)context;
    return MOULT_OK;
}

void world_tick(struct world *w)
{
    uint64_t step_ms =
        w->config.tick_ms > w->config.flush_ms ? w->config.tick_ms : w->config.flush_ms;
    world_wait(w, step_ms);
    control_timer(w->control);
    for (int i = 0; i < 3; i++) { /* jobs run in order: those before this one are done */
        need(store_write_wait(w->store, "test", nothing, NULL) == MOULT_OK, "tick");
    }
}

/* --- calls ---------------------------------------------------------------------------- */

static enum moult_status run_call(struct store_db *db, void *context)
{
    struct world_call *c = context;
    c->call.db = db;
    c->status = c->run(c);
    /* Like a handler: a refusal is an answer, and its audit entry stays. */
    return c->status == MOULT_E_IO || c->status == MOULT_E_NOMEM ? c->status : MOULT_OK;
}

enum moult_status world_run(struct world *w, struct world_call *c)
{
    c->call.control = w->control;
    c->call.now_ms = world_now(w);
    c->call.actor = (struct control_actor){.name = "anna", .request_id = "r1"};
    c->call.problem = &w->problem;
    w->problem = (struct control_problem){0};
    enum moult_status st = store_write_wait(w->store, "api", run_call, c);
    return st == MOULT_OK ? c->status : st;
}

static json_t *reply_of(struct world *w, struct world_call *c)
{
    enum moult_status st = world_run(w, c);
    need((st == MOULT_OK) == (c->reply != NULL), "a reply comes with OK and only then");
    need(st == MOULT_OK || w->problem.detail != 0, "a refusal says why");
    return c->reply;
}

static enum moult_status create_rollout(struct world_call *c)
{
    return control_rollout_create(&c->call, c->argument, &c->reply);
}

json_t *world_rollout(struct world *w, const char *body_json, bool dry_run)
{
    json_error_t error;
    json_t *body = json_loads(body_json, JSON_DECODE_ANY, &error);
    need(body != NULL, error.text);
    struct world_call c = {.run = create_rollout, .argument = body};
    c.call.dry_run = dry_run;
    json_t *reply = reply_of(w, &c);
    json_decref(body);
    return reply;
}

static enum moult_status rollout_verb_call(struct world_call *c)
{
    struct control_rollout_change change = {
        .id = c->argument, .verb = c->more, .remark = "because"};
    return control_rollout_verb(&c->call, &change, &c->reply);
}

json_t *world_verb(struct world *w, const char *rollout, const char *verb)
{
    struct world_call c = {.run = rollout_verb_call, .argument = rollout, .more = verb};
    return reply_of(w, &c);
}

static enum moult_status show_rollout(struct world_call *c)
{
    return control_rollout_show(&c->call, c->argument, &c->reply);
}

json_t *world_show_rollout(struct world *w, const char *rollout)
{
    struct world_call c = {.run = show_rollout, .argument = rollout};
    return reply_of(w, &c);
}

static enum moult_status show_device(struct world_call *c)
{
    return control_device_show(&c->call, c->argument, &c->reply);
}

json_t *world_show_device(struct world *w, const struct toy *toy)
{
    char id[33];
    moult_hex_encode(toy->id, 16, id);
    struct world_call c = {.run = show_device, .argument = id};
    return reply_of(w, &c);
}

static enum moult_status why_call(struct world_call *c)
{
    return control_why(&c->call, c->argument, NULL, &c->reply);
}

json_t *world_why(struct world *w, const struct toy *toy)
{
    char id[33];
    moult_hex_encode(toy->id, 16, id);
    struct world_call c = {.run = why_call, .argument = id};
    return reply_of(w, &c);
}

static enum moult_status device_verb(struct world_call *c)
{
    return control_device_verb(&c->call, c->argument, c->more, &c->reply);
}

json_t *world_device_verb(struct world *w, const struct toy *toy, const char *verb)
{
    char id[33];
    moult_hex_encode(toy->id, 16, id);
    struct world_call c = {.run = device_verb, .argument = id, .more = verb};
    return reply_of(w, &c);
}

const json_t *world_at(const json_t *object, const char *path)
{
    while (object && *path) {
        char name[40];
        size_t size = strcspn(path, ".");
        need(size < sizeof name, "short path");
        memcpy(name, path, size);
        name[size] = '\0';
        object = json_is_array(object) ? json_array_get(object, strtoul(name, NULL, 10))
                                       : json_object_get(object, name);
        path += size;
        path += *path == '.';
    }
    return object;
}

const char *world_text(const json_t *object, const char *path)
{
    const char *text = json_string_value(world_at(object, path));
    return text ? text : "";
}

long long world_number(const json_t *object, const char *path)
{
    return json_integer_value(world_at(object, path));
}

/* --- releases ------------------------------------------------------------------------- */

static enum moult_status append_image(void *context, const uint8_t *data, uint32_t size)
{
    struct world_release *release = context;
    need(release->size + size <= sizeof release->image, "image fits");
    memcpy(release->image + release->size, data, size);
    release->size += size;
    return MOULT_OK;
}

void world_make_image(struct world *w, const char *version, uint64_t sequence,
                      struct world_release *out)
{
    uint8_t rodata[MOULT_APP_DESC_SIZE + MOULT_IMAGE_INFO_SIZE + 32] = {0};
    struct moult_app_desc desc = {0};
    struct moult_image_info info = {
        .sequence = sequence, .rollback_floor = sequence, .build_time_s = 1700000000};
    struct moult_image_plan plan;
    memset(out, 0, sizeof *out);
    snprintf(out->version, sizeof out->version, "%s", version);
    out->sequence = sequence;
    snprintf(desc.version, sizeof desc.version, "%s", version);
    snprintf(desc.project, sizeof desc.project, "meter");
    snprintf(info.version, sizeof info.version, "%s", version);
    memcpy(info.fleet_id, w->fleet.fleet_id, 16);
    memcpy(info.class_id, w->fleet.class_id, 16);
    moult_app_desc_encode(&desc, rodata);
    need(moult_image_info_encode(&info, rodata + MOULT_APP_DESC_SIZE) == MOULT_OK, "info");
    struct moult_image_parts parts = {
        .chip_id = 5,
        .entry = 0x40380000,
        .part_count = 1,
        .parts = {{.load_address = 0x3c000020, .data = {rodata, sizeof rodata}}},
    };
    need(moult_image_plan(&parts, &plan, NULL) == MOULT_OK, "plan");
    struct moult_writer writer = {out, append_image};
    need(moult_image_write(&parts, &plan, &w->fleet.crypto, &writer) == MOULT_OK, "write");
    need(moult_sha256_once(&w->fleet.crypto, out->image, out->size, out->digest) ==
             MOULT_OK,
         "hash");
}

void world_sign(struct world *w, struct world_release *r)
{
    struct moult_release release = statements_release(&w->fleet, r->sequence);
    release.version = (struct moult_bytes){(const uint8_t *)r->version, strlen(r->version)};
    release.components[0].size = r->size;
    release.components[0].digest = r->digest;
    release.components[0].secure_version = 0;
    r->envelope = statements_signed_release(&w->fleet, &release);
    statements_payload_digest(&w->fleet, &r->envelope, r->payload_sha256);
}

bool world_put_artifact(struct world *w, const struct world_release *r)
{
    struct artifact_upload *upload = NULL;
    uint64_t size = 0;
    enum moult_status st = artifact_upload_begin(w->artifacts, r->digest, &upload);
    if (st == MOULT_E_EXISTS) { return true; }
    if (st == MOULT_OK) { st = artifact_upload_write(upload, r->image, r->size); }
    return st == MOULT_OK && artifact_upload_finish(upload, &size, NULL) == MOULT_OK;
}

static enum moult_status create_release(struct world_call *c)
{
    const struct statements_bytes *envelope = c->argument;
    return control_release_create(&c->call, statements_view(envelope), &c->is_new,
                                  &c->reply);
}

json_t *world_post_release(struct world *w, const struct statements_bytes *envelope)
{
    struct world_call c = {.run = create_release, .argument = envelope};
    return reply_of(w, &c);
}

void world_release(struct world *w, const char *version, uint64_t sequence,
                   struct world_release *out)
{
    world_make_image(w, version, sequence, out);
    world_sign(w, out);
    need(world_put_artifact(w, out), "artifact");
    json_t *reply = world_post_release(w, &out->envelope);
    need(reply != NULL, w->problem.text);
    json_decref(reply);
}

/* --- devices -------------------------------------------------------------------------- */

struct toy *world_toy(struct world *w, unsigned n, const struct world_release *running)
{
    struct toy *toy = &w->toys[n];
    uint8_t seed[4];
    memset(toy, 0, sizeof *toy);
    put_be32(seed, n + 1);
    need(moult_sha256_once(&w->fleet.crypto, seed, sizeof seed, toy->spki) == MOULT_OK,
         "hash");
    memcpy(toy->id, toy->spki, 16);
    memcpy(toy->digest, running->digest, 32);
    toy->sequence = running->sequence;
    toy->boot_id = n + 1;
    return toy;
}

void world_toys(struct world *w, unsigned count, const struct world_release *running)
{
    for (unsigned i = 0; i < count; i++) {
        struct toy *toy = world_toy(w, i, running);
        struct told told = world_checkin(w, toy, NULL, 0);
        need(told.status == 200, "enrolled");
        json_t *device = world_device_verb(w, toy, "accept");
        need(device != NULL, w->problem.text);
        json_decref(device);
        need(world_checkin(w, toy, NULL, 0).has_order, "an order");
    }
}

static struct moult_cbor_list write_reports(struct toy *toy,
                                            const struct toy_report *reports,
                                            unsigned count,
                                            struct moult_cbor_writer *writer)
{
    static const uint8_t none[16];
    for (unsigned i = 0; i < count; i++) {
        const struct toy_report *from = &reports[i];
        struct moult_report report = {
            .boot_id = toy->boot_id,
            .sequence =
                from->repeat_sequence ? from->repeat_sequence : ++toy->report_sequence,
            .deployment_id = from->deployment ? from->deployment : none,
            .kind = from->kind,
            .reason = from->reason,
            .detail = from->detail,
            .offset = from->offset,
        };
        if (from->reason) { report.present |= 1u << MOULT_REPORT_REASON; }
        if (from->detail) { report.present |= 1u << MOULT_REPORT_DETAIL; }
        if (from->offset) { report.present |= 1u << MOULT_REPORT_OFFSET; }
        if (from->text) {
            report.text =
                (struct moult_bytes){(const uint8_t *)from->text, strlen(from->text)};
            report.present |= 1u << MOULT_REPORT_TEXT;
        }
        moult_report_write(writer, &report);
    }
    need(writer->status == MOULT_OK, "reports fit");
    return (struct moult_cbor_list){.encoded = moult_cbor_written(writer),
                                    .count = (uint8_t)count};
}

struct visit {
    struct world *world;
    struct control_checkin_request request;
    const uint8_t *spki;
    const struct moult_cbor_list *reports;
    struct control_checkin_result *result;
};

static enum moult_status write_checkin(struct store_db *db, void *context)
{
    struct visit *visit = context;
    return control_checkin_write(visit->world->control, db, &visit->request, visit->result);
}

static enum moult_status write_report(struct store_db *db, void *context)
{
    struct visit *visit = context;
    return control_report_write(visit->world->control, db, visit->spki, visit->reports,
                                world_now(visit->world), visit->result);
}

/* What comes back is read as a device reads it. */
static void read_result(struct world *w, struct toy *toy, struct told *told)
{
    struct control_checkin_result *result = &told->result;
    told->status = result->status;
    told->detail = result->detail;
    told->next_s = result->next_s;
    told->has_order = result->is_order;
    told->gone_count = result->gone_count;
    told->send_facts = result->send_facts;
    if (!result->is_order) { return; }
    struct moult_bytes payload = {result->payload, result->payload_size};
    need(moult_assignment_parse(payload, &told->order, NULL) == MOULT_OK, "payload");
    need(memcmp(told->order.device_id, toy->id, 16) == 0, "addressed to the device");
    need(memcmp(told->order.nonce, w->fleet.nonce, 16) == 0, "nonce echo");
    need(told->order.counter > toy->counter, "the counter rises");
    toy->counter = told->order.counter;
    told->has_policy_stage_only = told->order.policy.stage_only == 1;
    if (told->order.deployment_id) {
        memcpy(told->deployment, told->order.deployment_id, 16);
    }
}

static void fill_facts(struct toy *toy, struct moult_checkin *message)
{
    if (toy->has_told_facts) { return; }
    toy->has_told_facts = true;
    message->present |= 1u << MOULT_CHECKIN_FACTS;
    message->facts =
        (struct moult_facts){.present = 1u << MOULT_FACTS_CHIP | 1u << MOULT_FACTS_REVISION,
                             .chip_id = 5,
                             .revision = 4,
                             .slot_size = toy->slot_size};
    if (toy->slot_size) { message->facts.present |= 1u << MOULT_FACTS_SLOT_SIZE; }
}

struct told world_checkin(struct world *w, struct toy *toy,
                          const struct toy_report *reports, unsigned count)
{
    uint8_t buffer[MOULT_REQUEST_SIZE_MAX];
    struct moult_cbor_writer writer;
    struct told told = {0};
    moult_cbor_writer_init(&writer, buffer, sizeof buffer);
    struct moult_checkin message = {
        .nonce = w->fleet.nonce,
        .device_id = toy->id,
        .running_digest = toy->digest,
        .running_sequence = toy->sequence,
        .running_state = toy->running_state,
        .keyset_version = 1,
        .counter = toy->counter,
    };
    fill_facts(toy, &message);
    if (count > 0) {
        message.present |= 1u << MOULT_CHECKIN_REPORTS;
        message.reports = write_reports(toy, reports, count, &writer);
    }
    struct visit visit = {.world = w, .result = &told.result};
    visit.request = (struct control_checkin_request){
        .address = "192.0.2.7", .message = &message, .now_ms = world_now(w)};
    memcpy(visit.request.spki_sha256, toy->spki, 32);
    if (control_checkin_fast(w->control, &visit.request, &told.result) ==
        CONTROL_NEEDS_WRITER) {
        told.went_to_writer = true;
        enum moult_status st = store_write_wait(w->store, "checkin", write_checkin, &visit);
        need(st == MOULT_OK, moult_status_name(st));
    }
    read_result(w, toy, &told);
    return told;
}

static enum moult_status write_and_fail(struct store_db *db, void *context)
{
    enum moult_status st = write_checkin(db, context);
    return st == MOULT_OK ? MOULT_E_SPACE : st;
}

void world_checkin_lost(struct world *w, struct toy *toy)
{
    struct control_checkin_result result;
    struct moult_checkin message = {
        .nonce = w->fleet.nonce,
        .device_id = toy->id,
        .running_digest = toy->digest,
        .running_sequence = toy->sequence,
        .running_state = toy->running_state,
        .keyset_version = 1,
        .counter = toy->counter,
    };
    struct visit visit = {.world = w, .result = &result};
    visit.request = (struct control_checkin_request){
        .address = "192.0.2.7", .message = &message, .now_ms = world_now(w)};
    memcpy(visit.request.spki_sha256, toy->spki, 32);
    need(store_write_wait(w->store, "checkin", write_and_fail, &visit) == MOULT_E_SPACE,
         "a lost check-in");
}

struct told world_report(struct world *w, struct toy *toy, const struct toy_report *reports,
                         unsigned count)
{
    uint8_t buffer[MOULT_REQUEST_SIZE_MAX];
    struct moult_cbor_writer writer;
    struct told told = {0};
    moult_cbor_writer_init(&writer, buffer, sizeof buffer);
    struct moult_cbor_list list = write_reports(toy, reports, count, &writer);
    struct visit visit = {
        .world = w, .spki = toy->spki, .reports = &list, .result = &told.result};
    need(store_write_wait(w->store, "report", write_report, &visit) == MOULT_OK,
         "report job");
    told.status = told.result.status;
    told.gone_count = told.result.gone_count;
    return told;
}

static void boot(struct toy *toy, const uint8_t digest[32], uint64_t sequence,
                 uint8_t state)
{
    memcpy(toy->digest, digest, 32);
    toy->sequence = sequence;
    toy->running_state = state;
    toy->boot_id += 1000;
    toy->report_sequence = 0;
}

bool world_update(struct world *w, struct toy *toy, const struct world_release *to,
                  bool works)
{
    struct told told = world_checkin(w, toy, NULL, 0);
    if (!told.has_order || told.order.action != MOULT_ACTION_INSTALL) { return false; }
    uint8_t old_digest[32];
    uint64_t old_sequence = toy->sequence;
    memcpy(old_digest, toy->digest, 32);
    struct toy_report done[] = {
        {.kind = MOULT_REPORT_DOWNLOADING, .deployment = told.deployment, .offset = 1000},
        {.kind = MOULT_REPORT_WRITTEN, .deployment = told.deployment},
        {.kind = MOULT_REPORT_VERIFIED, .deployment = told.deployment},
        {.kind = MOULT_REPORT_REBOOTING, .deployment = told.deployment},
    };
    need(world_report(w, toy, done, 4).status == 200, "reports");
    world_wait(w, 1000);
    boot(toy, to->digest, to->sequence, MOULT_RUNNING_TRIAL);
    need(world_checkin(w, toy, NULL, 0).status == 200, "trial");
    world_wait(w, 1000);
    if (works) {
        toy->running_state = MOULT_RUNNING_CONFIRMED;
        struct toy_report confirmed = {.kind = MOULT_REPORT_CONFIRMED,
                                       .deployment = told.deployment};
        need(world_checkin(w, toy, &confirmed, 1).status == 200, "confirmed");
        return true;
    }
    boot(toy, old_digest, old_sequence, MOULT_RUNNING_CONFIRMED);
    struct toy_report back = {.kind = MOULT_REPORT_ROLLED_BACK,
                              .deployment = told.deployment,
                              .reason = 806,
                              .detail = 1602,
                              .text = "sensor did not answer"};
    need(world_checkin(w, toy, &back, 1).status == 200, "rolled back");
    return true;
}

/* --- behind the curtain --------------------------------------------------------------- */

struct recount {
    struct phase_counters counters[ROLLOUT_PHASES_MAX];
};

static bool count_row(void *context, const struct store_assignment *row)
{
    struct recount *recount = context;
    struct assignment engine;
    assignment_from_row(row, &engine);
    gates_count(&recount->counters[engine.phase], &engine, 1);
    return true;
}

struct recount_job {
    struct world *world;
    bool is_equal;
};

static enum moult_status recount_all(struct store_db *db, void *context)
{
    struct recount_job *job = context;
    job->is_equal = true;
    for (size_t i = 0;; i++) {
        struct rollout_slot *slot = rollout_cache_at(&job->world->control->rollouts, i);
        if (!slot) { return MOULT_OK; }
        static struct recount recount;
        memset(&recount, 0, sizeof recount);
        struct store_assignment_query query = {.rollout = slot->work->num};
        enum moult_status st = store_assignment_each(db, &query, count_row, &recount);
        if (st != MOULT_OK) { return st; }
        for (uint32_t p = 0; p < slot->work->engine.phase_count; p++) {
            if (memcmp(&recount.counters[p], &slot->work->engine.phases[p].counters,
                       sizeof recount.counters[p]) != 0) {
                job->is_equal = false;
            }
        }
    }
}

bool world_recounts(struct world *w)
{
    struct recount_job job = {.world = w};
    need(store_write_wait(w->store, "test", recount_all, &job) == MOULT_OK, "recount");
    return job.is_equal;
}

struct sql_job {
    const char *sql;
    long long value;
};

static enum moult_status run_sql(struct store_db *db, void *context)
{
    struct sql_job *job = context;
    struct sql_statement *s = sql_prepare(db, job->sql);
    enum moult_status st = sql_step(s);
    job->value = st == MOULT_OK ? sql_int(s, 0) : -1;
    sql_done(s);
    return MOULT_OK;
}

long long world_sql(struct world *w, const char *sql)
{
    struct sql_job job = {.sql = sql};
    need(store_write_wait(w->store, "test", run_sql, &job) == MOULT_OK, sql);
    return job.value;
}
