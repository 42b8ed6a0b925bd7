/* update_world.c - see update_world.h. */
#include "tests/support/update_world.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "formats/app_desc.h"
#include "formats/chip.h"
#include "formats/image_build.h"
#include "formats/image_info.h"
#include "formats/otadata.h"
#include "moult/log.h"
#include "tests/support/update_server.h"

enum { DROM = 0x3c000020, UNIX_S = 1767225600 };

static void must(bool claim, const char *what)
{
    if (claim) { return; }
    fprintf(stderr, "update_world.c: %s failed\n", what);
    abort();
}

struct world *update_world_of(void *context)
{
    size_t at = offsetof(struct world, device) + offsetof(struct sim_device, port);
    return (struct world *)(void *)((uint8_t *)context - at);
}

/* --- images --- */

static enum moult_status collect(void *context, const uint8_t *data, uint32_t size)
{
    struct world_image *image = context;
    if (size > sizeof image->data - image->size) { return MOULT_E_SPACE; }
    memcpy(image->data + image->size, data, size);
    image->size += size;
    return MOULT_OK;
}

static void put_record(const struct world *w, const struct world_image_options *o,
                       uint8_t *segment)
{
    enum { AT = MOULT_IMAGE_INFO_OFFSET - MOULT_ESP_HELD_BACK_SIZE };
    struct moult_image_info info = {
        .sequence = o->sequence,
        .rollback_floor = o->rollback_floor ? o->rollback_floor : 1,
        .build_time_s = UNIX_S,
        .keyset_size = o->without_keyset ? 0 : (uint16_t)w->fleet.envelope.size,
    };
    memcpy(info.fleet_id, w->fleet.fleet_id, 16);
    memcpy(info.class_id, o->class_id ? o->class_id : w->fleet.class_id, 16);
    must(strlen(o->version) < sizeof info.version, "version");
    memcpy(info.version, o->version, strlen(o->version));
    must(moult_image_info_encode(&info, segment + AT) == MOULT_OK, "record");
    uint8_t *keyset = segment + AT + MOULT_IMAGE_INFO_SIZE;
    memset(keyset, 0, (w->fleet.envelope.size + 3) / 4 * 4);
    if (!o->without_keyset) {
        memcpy(keyset, w->fleet.envelope.data, w->fleet.envelope.size);
    }
}

void world_image(struct world *w, struct world_image *image,
                 const struct world_image_options *o)
{
    static uint8_t segment[WORLD_IMAGE_MAX];
    uint32_t size = o->size ? o->size : WORLD_IMAGE_SIZE;
    struct moult_app_desc desc = {.secure_version = o->secure_version, .project = "world"};
    memcpy(desc.version, o->version, strlen(o->version));
    for (uint32_t i = 0; i < size; i++) {
        segment[i] = (uint8_t)(i * 7 + o->sequence * 31 + (i >> 8));
    }
    moult_app_desc_encode(&desc, segment);
    if (!o->without_record) { put_record(w, o, segment); }
    struct moult_image_parts parts = {
        .chip_id = o->chip_id ? o->chip_id : MOULT_CHIP_ESP32C3,
        .max_revision = 199,
        .entry = 0x42000020,
        .spi_mode = 2,
        .spi_size = 2,
        .part_count = 1,
        .parts = {{DROM, {segment, size}}},
    };
    struct moult_image_plan plan;
    struct moult_writer writer = {image, collect};
    memset(image, 0, sizeof *image);
    image->sequence = o->sequence;
    must(moult_image_plan(&parts, &plan, NULL) == MOULT_OK, "image plan");
    must(moult_image_write(&parts, &plan, &w->fleet.crypto, &writer) == MOULT_OK, "image");
    must(moult_sha256_once(&w->fleet.crypto, image->data, image->size, image->digest) ==
             MOULT_OK,
         "image digest");
}

void world_put(struct world *w, uint32_t slot, const struct world_image *image)
{
    uint8_t *at = w->device.bits + sim_partition_at((int)slot);
    memset(at, 0xff, SIM_SLOT_SIZE);
    memcpy(at, image->data, image->size);
}

const uint8_t *world_slot(const struct world *w, uint32_t slot)
{
    return w->device.bits + sim_partition_at((int)slot);
}

/* --- the platform and the application --- */

static bool draw(void *context, uint8_t *out, size_t size)
{
    struct world *w = update_world_of(context);
    for (size_t i = 0; i < size; i++) {
        w->random = w->random * 6364136223846793005u + 1442695040888963407u;
        out[i] = (uint8_t)(w->random >> 56);
    }
    return w->has_entropy;
}

static bool is_traced(void)
{
    static int is_set = -1; /* looked at once: it is asked for every line */
    if (is_set < 0) { is_set = getenv("MOULT_TRACE") != NULL; }
    return is_set == 1;
}

/* With MOULT_TRACE set: what the engine logs, in words. */
static void trace(void *context, enum moult_log_level level, uint16_t id, uint32_t a,
                  uint32_t b)
{
    struct world *w = update_world_of(context);
    const struct moult_log_words *words = moult_log_words(id);
    (void)level;
    w->seen.unknown_logs += !words && id != MOULT_D_NONE && !moult_detail_info(id);
    if (!is_traced()) { return; }
    printf("%8llu ", (unsigned long long)w->now_ms);
    if (id == MOULT_LOG_STATE) {
        printf("%s -> %s\n", moult_state_name(a), moult_state_name(b));
    } else if (words) {
        printf("%s %s=%u %s=%u\n", words->event, words->a, a, words->b, b);
    } else {
        printf("E%04u R%u native=%d\n", id, a, (int)b);
    }
}

static enum moult_health sensor(void *context)
{
    struct world *w = context;
    w->health_asked++;
    return w->health[w->session.running.info.sequence & 3];
}

static void before_reboot(void *context)
{
    struct world *w = context;
    w->reboots_told++;
}

static enum moult_answer may_update(void *context, const struct moult_offer *offer)
{
    (void)offer;
    return ((struct world *)context)->answer;
}

static void encrypt_slots(struct world *w)
{
    struct moult_sim_flash *flash = &w->device.chip.flash;
    for (uint32_t i = 0; i < flash->allowed_count; i++) {
        bool is_slot = flash->allowed[i].offset >= SIM_SLOT_0_AT;
        flash->allowed[i].is_encrypted = is_slot && w->is_encrypted;
    }
}

const char *world_state(const struct world *w)
{
    return moult_state_name(w->session.state);
}

static bool is_in(const struct world *w, const char *state)
{
    return strcmp(world_state(w), state) == 0;
}

/* A reset takes RAM with it; the host's crypto library keeps its heap, so give that back.
 * */
static void lose_ram(struct world *w)
{
    const struct moult_crypto *crypto = &w->fleet.crypto;
    if (!w->session.port) { return; }
    crypto->sha256_abort(crypto->context, &w->session.hash);
    if (is_in(w, "IMAGE") && w->session.phase == 1) {
        moult_esp_check_abandon(&w->session.scratch.image.check);
    }
}

/* --- faults of the platform --- */

enum { NATIVE_ERROR = 0x1105 };

static bool strikes(unsigned *count)
{
    if (*count == 0) { return false; }
    (*count)--;
    return true;
}

static int32_t kv_set(void *context, const char *key, const uint8_t *data, size_t size)
{
    struct world *w = update_world_of(context);
    w->seen.kv_sets++;
    bool fails = w->kv_fails && strncmp(key, w->kv_fails, strlen(w->kv_fails)) == 0;
    if (!fails && strikes(&w->kv_noops)) { return 0; }
    return fails ? NATIVE_ERROR : w->sim.kv_set(context, key, data, size);
}

static int32_t flash_erase(void *context, uint32_t slot, uint32_t offset)
{
    struct world *w = update_world_of(context);
    return strikes(&w->erase_fails) ? NATIVE_ERROR
                                    : w->sim.flash_erase(context, slot, offset);
}

void world_note_panic(void *context, const char *what, uint32_t offset)
{
    struct world *w = context;
    if (w->seen.panic) { return; }
    w->seen.panic = what;
    w->seen.panic_at = offset;
}

static int32_t flash_write(void *context, uint32_t slot, uint32_t offset,
                           const uint8_t *data, size_t size)
{
    struct world *w = update_world_of(context);
    if (w->unit && (offset % w->unit || size % w->unit)) {
        world_note_panic(w, "encrypted program off the unit", offset);
    }
    if (strikes(&w->write_fails)) { return NATIVE_ERROR; }
    if (strikes(&w->write_noops)) { return 0; }
    return w->sim.flash_write(context, slot, offset, data, size);
}

static int32_t set_boot(void *context, uint32_t slot)
{
    struct world *w = update_world_of(context);
    return w->set_boot_error ? w->set_boot_error : w->sim.set_boot(context, slot);
}

static int32_t mark_valid(void *context)
{
    struct world *w = update_world_of(context);
    struct moult_boot_info boot;
    if (w->mark_valid_error) { return w->mark_valid_error; }
    bool is_known = w->sim.boot_info(context, &boot) == 0; /* or a planned read failed */
    bool is_right = boot.running == boot.selected && world_runs(w, &w->new);
    w->seen.marks_valid++;
    w->seen.wrong_marks += is_known && !is_right;
    return w->sim.mark_valid(context);
}

static int32_t mark_invalid_and_reboot(void *context)
{
    struct world *w = update_world_of(context);
    return w->mark_invalid_error ? w->mark_invalid_error
                                 : w->sim.mark_invalid_and_reboot(context);
}

/* A chip reads what runs through its cache, wherever it runs from. */
static int32_t running_read(void *context, uint32_t offset, uint8_t *out, size_t size)
{
    struct world *w = update_world_of(context);
    if (offset > SIM_SLOT_SIZE || size > SIM_SLOT_SIZE - offset) { return NATIVE_ERROR; }
    memcpy(out, w->device.bits + SIM_FACTORY_AT + offset, size);
    return 0;
}

static uint8_t signal_dbm(void *context)
{
    return update_world_of(context)->signal_dbm;
}

static bool battery(void *context, uint8_t *percent, uint16_t *millivolt)
{
    *percent = update_world_of(context)->battery_percent;
    *millivolt = 3600;
    return *percent != 0;
}

static void plug_in(struct world *w)
{
    w->sim.context = NULL; /* whole before it is copied */
    moult_sim_port_callbacks(&w->device.port, &w->sim);
    w->port = w->sim;
    if (w->device.port.boot.booted == MOULT_BOOT_FACTORY) {
        w->port.running_read = running_read;
    }
    w->port.kv_set = kv_set;
    w->port.flash_erase = flash_erase;
    w->port.flash_write = flash_write;
    w->port.set_boot = set_boot;
    w->port.mark_valid = mark_valid;
    w->port.mark_invalid_and_reboot = mark_invalid_and_reboot;
    w->port.signal = signal_dbm;
    w->port.battery = battery;
    w->port.http_start = update_server_start;
    w->port.http_poll = update_server_poll;
    w->port.http_cancel = update_server_cancel;
    w->port.random = draw;
    w->port.log = trace;
    if (w->rewire) { w->rewire(w); }
}

bool world_boot(struct world *w, uint8_t reset)
{
    w->http.is_open = false;
    w->boots++;
    lose_ram(w);
    w->crash_left = w->crash_after;
    struct sim_device *d = &w->device;
    /* A reset leaves a planned cut planned; only a cut that has struck is over. */
    if (d->chip.flash.is_off) {
        w->seen.power_cuts++;
        moult_sim_flash_power_on(&d->chip.flash);
    }
    if (moult_sim_port_power_on(&d->port, &d->chip, &d->crypto, &d->build, reset) !=
        MOULT_OK) {
        return false;
    }
    encrypt_slots(w);
    w->foreign_boots += !world_runs(w, &w->old) && !world_runs(w, &w->new);
    plug_in(w);
    w->config.context = w;
    w->config.before_reboot = before_reboot;
    w->config.may_update = may_update;
    must(moult_session_init(&w->session, &w->port, &w->config) == MOULT_OK, "session");
    struct moult_health_check check = {
        .name = "sensor", .run = sensor, .context = w, .deadline_ms = 20000};
    must(moult_health_add(&w->session, &check) == MOULT_OK, "health check");
    if (w->begun) { w->begun(w); }
    w->now_ms = (w->now_ms / 1000 + 1) *
                1000; /* a second passes; whole ones keep unix_now() right */
    return true;
}

/* The chip resets while w->crash_sequence runs on trial. */
static bool crash(struct world *w)
{
    bool is_doomed = w->crash_sequence != 0 && moult_on_trial(&w->session) &&
                     w->session.running.info.sequence == w->crash_sequence;
    if (!is_doomed) { return true; }
    if (w->crash_left-- > 0) { return true; }
    return world_boot(w, w->crash_reset ? w->crash_reset : MOULT_RESET_PANIC);
}

static void strike(struct world *w)
{
    void (*hook)(struct world *) = w->hook;
    if (!hook || !is_in(w, w->hook_state)) { return; }
    w->hook = NULL;
    hook(w);
}

bool world_step(struct world *w)
{
    if (w->device.port.reboot_wanted) { return world_boot(w, MOULT_RESET_SOFTWARE); }
    strike(w);
    w->stage = w->session.plan.stage;
    enum moult_step step = moult_step(&w->session, w->now_ms);
    if (w->device.chip.flash.is_off) { return false; }
    uint32_t wait = step == MOULT_STEP_WAIT ? moult_wait_ms(&w->session, w->now_ms) : 1;
    w->now_ms += wait ? wait : 1;
    return crash(w);
}

bool world_is_quiet(const struct world *w)
{
    struct moult_progress p;
    moult_progress(&w->session, &p);
    bool has_work = p.size != 0 && w->action == MOULT_ACTION_INSTALL;
    bool is_idle = is_in(w, "IDLE");
    return is_idle && !p.on_trial && !has_work && p.reports == 0 &&
           !w->device.port.reboot_wanted;
}

bool world_settle(struct world *w)
{
    enum { QUIET_CHECKINS = 2 }; /* answered while all is quiet */
    unsigned boots = w->boots, quiet_since = 0;
    bool was_quiet = false;
    for (unsigned i = 0; i < WORLD_STEPS_MAX; i++) {
        if (!world_step(w)) { return false; }
        if (w->boots - boots > WORLD_BOOTS_MAX) { return false; }
        bool is_now = world_is_quiet(w);
        if (is_now && !was_quiet && quiet_since == 0) { quiet_since = w->checkins + 1; }
        was_quiet = is_now;
        if (is_now && w->checkins + 1 >= quiet_since + QUIET_CHECKINS) { return true; }
    }
    return false;
}

bool world_until(struct world *w, const char *state)
{
    for (unsigned i = 0; i < WORLD_STEPS_MAX; i++) {
        if (is_in(w, state)) { return true; }
        if (!world_step(w)) { return false; }
    }
    return false;
}

bool world_hears(struct world *w, uint16_t detail)
{
    unsigned boots = w->boots;
    for (unsigned i = 0; i < WORLD_STEPS_MAX && w->boots - boots < WORLD_BOOTS_MAX; i++) {
        if (world_report_with(w, detail)) { return true; }
        if (!world_step(w)) { return false; }
    }
    return false;
}

/* --- refusals --- */

static bool is_refused_right(const struct world *w, const struct world_refusal *row)
{
    const struct world_report *report = world_report_with(w, row->detail);
    if (!report) { return false; }
    bool is_told_right = report->kind == row->kind &&
                         (row->fetches || w->artifact_requests == 0) &&
                         (report->reason != 0 || row->kind == MOULT_REPORT_EVENT);
    /* Where only a note was due the update may have gone through, and that is right. */
    bool is_note = row->kind == MOULT_REPORT_EVENT && row->fetches;
    bool is_old = world_runs(w, &w->old) && !world_slot_boots(w, 1);
    return is_told_right && w->foreign_boots == 0 &&
           (world_runs(w, &w->new) ? is_note : is_old);
}

bool world_refuses(struct world *w, const struct world_refusal *row)
{
    row->spoil();
    bool is_heard = world_boot(w, MOULT_RESET_POWER_ON) && world_hears(w, row->detail);
    if (is_heard && is_refused_right(w, row)) { return true; }
    printf("  %s: E%04u expected\n", row->name, row->detail);
    for (unsigned i = 0; i < w->report_count; i++) {
        const struct world_report *r = &w->reports[i];
        printf("    heard kind %u E%04u R%u native %u %s\n", r->kind, r->detail, r->reason,
               r->native, r->text);
    }
    return false;
}

/* --- looking at it --- */

bool world_runs(const struct world *w, const struct world_image *image)
{
    int booted = w->device.port.boot.booted;
    return booted >= MOULT_BOOT_FACTORY &&
           memcmp(w->device.bits + sim_partition_at(booted), image->data, image->size) == 0;
}

bool world_slot_boots(const struct world *w, uint32_t slot)
{
    struct moult_bytes bytes = {world_slot(w, slot), SIM_SLOT_SIZE};
    struct moult_reader reader = moult_reader_of_bytes(&bytes);
    struct moult_esp_image image;
    return moult_esp_image_parse(&reader, &image, NULL) == MOULT_OK &&
           moult_esp_image_verify(&reader, &w->fleet.crypto, &image, NULL) == MOULT_OK;
}

const struct world_report *world_report_of(const struct world *w,
                                           enum moult_report_kind kind)
{
    for (unsigned i = w->report_count; i > 0; i--) {
        if (w->reports[i - 1].kind == kind) { return &w->reports[i - 1]; }
    }
    return NULL;
}

const struct world_report *world_report_with(const struct world *w, uint16_t detail)
{
    for (unsigned i = w->report_count; i > 0; i--) {
        if (w->reports[i - 1].detail == detail) { return &w->reports[i - 1]; }
    }
    return NULL;
}

unsigned world_count(const struct world *w, enum moult_report_kind kind)
{
    unsigned count = 0;
    for (unsigned i = 0; i < w->report_count; i++) {
        count += w->reports[i].kind == kind;
    }
    return count;
}

/* --- beginning --- */

/* The old image where it runs, chosen and confirmed as often as it takes to get there. */
static void put_old(struct world *w, const struct world_options *o)
{
    uint32_t count = o->layout.slot_count;
    w->home = count == 3 ? 2 : 0;
    w->target = (uint8_t)((w->home + 1u) % count);
    if (o->layout.has_factory) {
        memcpy(w->device.bits + SIM_FACTORY_AT, w->old.data, w->old.size);
    }
    if (o->from_factory) {
        must(o->layout.has_factory, "a factory partition");
        memset(w->device.bits + sim_partition_at(0), 0xff, SIM_SLOT_SIZE);
        w->target = 0;
        return;
    }
    uint8_t *entry = w->device.bits + SIM_OTADATA_AT + (w->home % 2u) * MOULT_SECTOR_SIZE;
    world_put(w, w->home, &w->old);
    moult_otadata_encode(w->home + 1u, MOULT_OTADATA_VALID, entry);
}

static void configure(struct world *w)
{
    w->config = (struct moult_config){
        .chip_id = MOULT_CHIP_ESP32C3,
        .chip_revision = 4,
        .flash_size = SIM_FLASH_SIZE,
        .base_url = "https://moult.test",
        .interval_s = 60,
        .interval_min_s = 1,
        .cold_boot_wait_max_s = UINT32_MAX,
        .window = 8192,
    };
    memcpy(w->config.device_id, w->fleet.device_id, 16);
}

void world_make(struct world *w)
{
    world_make_as(w, &(struct world_options){0});
}

static void make_images(struct world *w, const struct world_options *o)
{
    world_image(w, &w->old,
                &(struct world_image_options){
                    .sequence = 1, .version = "1.0.0", .size = o->image_size});
    world_image(w, &w->new,
                &(struct world_image_options){.sequence = 2,
                                              .version = "1.1.0",
                                              .size = o->image_size,
                                              .secure_version = o->new_secure_version,
                                              .rollback_floor = o->new_floor});
}

static void offer_new(struct world *w, const struct world_options *o)
{
    world_offer(w, &w->new);
    if (o->new_floor == 0 && o->new_secure_version == 0) { return; }
    if (o->new_floor != 0) { w->release.rollback_floor = o->new_floor; }
    w->release.components[0].secure_version = (uint8_t)o->new_secure_version;
    world_sign_release(w, 0);
}

void world_make_as(struct world *w, const struct world_options *options)
{
    struct world_options o = *options;
    struct statements_options keys = {.is_fixed = o.is_fixed,
                                      .release_threshold = o.release_threshold};
    if (o.layout.slot_count == 0) { o.layout.slot_count = 2; }
    memset(w, 0, sizeof *w);
    sim_device_make_as(&w->device, &o.layout);
    statements_fleet_make(&w->fleet, &keys);
    if (o.is_fixed) { w->device.crypto = w->fleet.crypto; }
    configure(w);
    w->random = 1;
    w->has_entropy = true;
    w->down_kind = MOULT_NET_CONNECT;
    for (unsigned i = 0; i < 4; i++) {
        w->health[i] = MOULT_HEALTH_OK;
    }
    w->next_s = 60;
    w->action = MOULT_ACTION_INSTALL;
    w->unix_s = UNIX_S;
    world_deployment(w, '1');
    make_images(w, &o);
    put_old(w, &o);
    offer_new(w, &o);
}

void world_copy(struct world *w, const struct world *fresh)
{
    world_forget(w);
    *w = *fresh;
    moult_sim_storage_ram(&w->device.storage, w->device.bits, sizeof w->device.bits);
    w->device.chip.storage = &w->device.storage;
    w->device.chip.flash.storage = &w->device.storage;
    w->release.components[0].digest = w->new.digest;
    w->release.fleet_id = w->fleet.fleet_id;
    w->release.class_id = w->fleet.class_id;
}

void world_forget(struct world *w)
{
    lose_ram(w);
}

void world_free(struct world *w)
{
    lose_ram(w);
    statements_fleet_free(&w->fleet);
}
