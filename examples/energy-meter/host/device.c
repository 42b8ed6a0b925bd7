/* device.c - see device.h. */
#include "examples/energy-meter/host/device.h"
#include <assert.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include "formats/bytes.h"
#include "ports/posix/clock.h"
#include "ports/posix/psa_crypto.h"
#include "ports/posix/url.h"

enum {
    STEPS_PER_TURN = 64,   /* of the engine, before the meter is looked after again */
    HTTP_SLEEP_MS = 500,   /* while a request is under way and its socket is silent */
    RESOLVE_SLEEP_MS = 20, /* while a name is looked up: nothing to poll */
    SENSOR_DEADLINE_MS = 30000,
    PANIC_AFTER_MS = 500,       /* before any trial can end */
    METER_PERIOD_MS = 10000,    /* between two turns of the meter; far above its own */
    FREE_HEAP_MIN = 32 * 1024,  /* a TLS session more */
    CHECK_HOLD_MS = 1000,       /* the trials of the demo are short */
    FREE_HEAP = 180 * 1024,     /* what an ESP32-C3 typically has left */
    LARGEST_BLOCK = 112 * 1024, /* likewise */
};

static struct device *device_of(void *context)
{
    return (struct device *)context; /* the board's port is at its start */
}
_Static_assert(offsetof(struct device, board) == 0 && offsetof(struct board, port) == 0,
               "one context for all callbacks");

static uint64_t uptime_ms(const struct device *device)
{
    return moult_clock_ms() - device->boot_ms;
}

/* The wall clock as of boot, going on evenly. */
static uint64_t unix_ms(const struct device *device)
{
    return device->boot_unix_ms + uptime_ms(device);
}

/* --- Callbacks of the update engine that the simulator does not have ------------------ */

static int32_t http_start(void *context, const struct moult_http_request *request)
{
    return moult_http_client_start(&device_of(context)->http, request);
}

static enum moult_http_event http_poll(void *context, uint8_t *buffer, size_t capacity,
                                       size_t *size, struct moult_http_reply *reply,
                                       struct moult_http_failure *failure)
{
    struct device *device = device_of(context);
    enum moult_http_event event =
        moult_http_client_poll(&device->http, buffer, capacity, size, reply, failure);
    device->is_waiting_for_http = event == MOULT_HTTP_NOT_YET;
    return event;
}

static void http_cancel(void *context)
{
    moult_http_client_cancel(&device_of(context)->http);
}

static bool draw_random(void *context, uint8_t *out, size_t size)
{
    (void)context;
    return getrandom(out, size, 0) == (ssize_t)size;
}

static void log_line(void *context, enum moult_log_level level, uint16_t id, uint32_t a,
                     uint32_t b)
{
    moult_device_log_engine(&device_of(context)->log, level, id, a, b);
}

static uint32_t free_heap(void *context)
{
    (void)context;
    return FREE_HEAP;
}

static uint32_t largest_block(void *context)
{
    (void)context;
    return LARGEST_BLOCK;
}

/* --- The application ------------------------------------------------------------------ */

static void take_sample(void *context, uint64_t time_ms, uint16_t *voltage,
                        uint16_t *current)
{
    waveform_sample(&device_of(context)->house, time_ms, voltage, current);
}

static bool store_reading(void *context, const struct meter_reading *reading)
{
    return reading_log_add(&device_of(context)->readings, reading) == MOULT_OK;
}

static void run_meter(struct device *device)
{
    if (device->meter_task) { moult_task_kick(device->meter_task); }
    while (!meter_run(&device->meter, unix_ms(device))) {}
}

/* All that was sampled is on flash before the reset comes. */
static void before_reboot(void *context)
{
    run_meter(device_of(context));
}

static enum moult_health check_sensor(void *context)
{
    switch (meter_health(&device_of(context)->meter)) {
    case METER_HEALTH_GOOD:
        return MOULT_HEALTH_OK;
    case METER_HEALTH_UNKNOWN:
        return MOULT_HEALTH_WAIT;
    default:
        return MOULT_HEALTH_FAILED;
    }
}

/* Something answered: the link is up. Whether it was our server is the engine's own check.
 */
static bool is_link_up(void *context)
{
    return device_of(context)->http.connection_count > 0;
}

static void on_wake(void *context, const uint8_t *payload, size_t size)
{
    struct device *device = context;
    moult_wake(&device->session, payload, size, uptime_ms(device));
}

/* --- Starting ------------------------------------------------------------------------- */

static void log_boot(const struct device *device, const struct boot_record *boot)
{
    const struct moult_log_field fields[] = {
        {"version", device->firmware.version, 0},
        {"slot", NULL, device->board.port.boot.booted},
        {"reset", NULL, boot->reset},
        {"boot", NULL, boot->number},
        {"sequence", NULL, (long long)boot->sequence},
    };
    moult_device_log(&device->log, MOULT_LOG_INFO, "started", fields, 5);
}

/* The front end keeps sampling and its buffer lasts while the processor restarts, but not
 * without power: after a restart the meter goes on where the last reading ended. */
static uint64_t meter_begins(const struct device *device, uint8_t reset)
{
    uint64_t now = device->boot_unix_ms;
    if (reset == MOULT_RESET_POWER_ON || !device->readings.has_reading) { return now; }
    uint64_t last = device->readings.last_reading.time_ms;
    return last <= now && now - last < METER_CATCH_UP_MS_MAX ? last : now;
}

static enum moult_status start_meter(struct device *device, uint8_t reset)
{
    const struct moult_partition *at =
        moult_partition_find_label(&device->board.port.boot.table, BOARD_METER_LABEL);
    if (!at) { return MOULT_E_FORMAT; }
    enum moult_status st = reading_log_open(&device->readings, &device->board.chip.flash,
                                            at->offset, at->size);
    if (st != MOULT_OK) { return st; }
    struct reading_log *log = &device->readings;
    const struct boot_record boot = {
        .number = log->last_boot.number + 1,
        .reset = reset,
        .sequence = device->firmware.info.sequence,
        .time_ms = device->boot_unix_ms,
        .after = log->has_reading ? log->last_reading.sequence : 0,
    };
    st = reading_log_add_boot(log, &boot);
    if (st != MOULT_OK) { return st; }
    log_boot(device, &boot);

    const struct meter_traits *traits = meter_traits_of(device->firmware.version);
    const struct meter_port port = {
        .context = device, .sample = take_sample, .store = store_reading};
    device->house.seed = get_le32(device->settings.device_id);
    meter_start(&device->meter, traits ? traits : &meter_version_1_1_0, &port,
                log->has_reading ? &log->last_reading : NULL, meter_begins(device, reset));
    return MOULT_OK;
}

static struct moult_bytes pem(const char *text)
{
    return (struct moult_bytes){(const uint8_t *)text, text[0] ? strlen(text) + 1 : 0};
}

static enum moult_status start_network(struct device *device)
{
    const struct settings *settings = &device->settings;
    const struct moult_tls_options options = {
        .ca = {pem(settings->ca), pem(settings->ca_backup)},
        .certificate = pem(settings->certificate),
        .key = pem(settings->key),
    };
    int32_t native;
    enum moult_status st = moult_tls_new(&options, &device->tls, &native);
    if (st != MOULT_OK) { return st; }
    moult_http_client_init(&device->http, device->tls);
    if (!settings->broker[0] || device->config.trigger == MOULT_TRIGGER_PULL) {
        return MOULT_OK;
    }
    struct moult_url url;
    if (moult_host_parse(settings->broker, &url) != MOULT_OK) { return MOULT_E_FORMAT; }
    struct moult_mqtt_options mqtt = {
        .host = url.host,
        .port = url.port,
        .ca = {(const uint8_t *)settings->ca, strlen(settings->ca)},
        .certificate = {(const uint8_t *)settings->certificate,
                        strlen(settings->certificate)},
        .key = {(const uint8_t *)settings->key, strlen(settings->key)},
        .wake = on_wake,
        .context = device,
    };
    memcpy(mqtt.device_id, settings->device_id, sizeof mqtt.device_id);
    return moult_mqtt_new(&mqtt, &device->mqtt);
}

static bool configure(struct device *device)
{
    const struct settings *settings = &device->settings;
    struct engine_numbers numbers;
    if (!engine_numbers_of(settings, &numbers)) { return false; }
    device->config = numbers.config;
    struct moult_config *config = &device->config;
    memcpy(config->device_id, settings->device_id, sizeof config->device_id);
    config->chip_id = device->board.chip.chip_id;
    config->chip_revision = device->board.chip.revision;
    config->flash_size = device->board.chip.flash.size;
    config->table_digest = settings->table_digest;
    config->serial = settings->name;
    config->base_url = settings->server;
    config->context = device;
    config->before_reboot = before_reboot;
    return trigger_parse(settings->trigger, &config->trigger);
}

/* What a new firmware must prove, besides the sensor and contact with the server. */
static enum moult_status add_checks(struct device *device)
{
    struct moult_session *session = &device->session;
    device->link = (struct moult_link_check){is_link_up, device};
    device->heap =
        (struct moult_heap_check){.free_min = FREE_HEAP_MIN, .hold_ms = CHECK_HOLD_MS};
    device->tasks = (struct moult_tasks_check){.hold_ms = CHECK_HOLD_MS};
    enum moult_status st =
        moult_task_add(&device->tasks, "meter", METER_PERIOD_MS, &device->meter_task);
    if (st == MOULT_OK) { st = moult_health_add_link(session, &device->link, 0); }
    if (st == MOULT_OK) { st = moult_health_add_heap(session, &device->heap, 0); }
    if (st == MOULT_OK) { st = moult_health_add_tasks(session, &device->tasks, 0); }
    return st;
}

/* The prices come with releases, as component 1. They wait at the end of the slot that is
 * written, which costs no partition, until the new firmware is confirmed. */
static enum moult_status add_tariff(struct device *device)
{
    enum moult_status st =
        moult_sim_region_find(&device->board.port.boot, BOARD_TARIFF_LABEL,
                              &device->tariff_part, &device->tariff_region);
    if (st == MOULT_E_NOENT) { return MOULT_OK; }
    device->tariff = (struct moult_data_component){
        .id = MOULT_COMPONENT_FILESYSTEM,
        .label = BOARD_TARIFF_LABEL,
        .live = &device->tariff_region,
        .slot_offset = device->port.slot_size - device->tariff_region.size,
    };
    return moult_component_add(&device->session, &device->tariff);
}

static enum moult_status start_engine(struct device *device)
{
    struct engine_numbers numbers;
    device->port = (struct moult_port){
        .http_start = http_start,
        .http_poll = http_poll,
        .http_cancel = http_cancel,
        .random = draw_random,
        .log = log_line,
        .free_heap = free_heap,
        .largest_block = largest_block,
    };
    moult_sim_port_callbacks(&device->board.port, &device->port);
    const struct moult_health_check sensor = {.name = "sensor",
                                              .run = check_sensor,
                                              .context = device,
                                              .deadline_ms = SENSOR_DEADLINE_MS};
    enum moult_status st =
        moult_session_init(&device->session, &device->port, &device->config);
    if (st == MOULT_OK) { st = moult_health_add(&device->session, &sensor); }
    if (st == MOULT_OK) { st = add_checks(device); }
    if (st == MOULT_OK) { st = add_tariff(device); }
    if (st == MOULT_OK) {
        st = moult_endpoints_enable(&device->session, &device->routes, NULL);
    }
    if (st == MOULT_OK && engine_numbers_of(&device->settings, &numbers)) {
        moult_throttle(&device->session, numbers.throttle_bps);
    }
    return st;
}

/* Everything behind the bootloader. *what names the part that failed. */
static enum moult_status start_parts(struct device *device, uint8_t reset,
                                     const char **what)
{
    *what = "settings";
    enum moult_status st = settings_load(&device->board.port.nvs, &device->settings);
    if (st != MOULT_OK) { return MOULT_E_FORMAT; }
    device->log.device = device->settings.name;
    if (!configure(device)) { return MOULT_E_FORMAT; }
    *what = "firmware";
    st = board_firmware(&device->board, device->board.port.boot.booted, false,
                        &device->firmware);
    if (st != MOULT_OK) { return st; }
    /* The code of an image cannot run here; one that is called so crashes as it would. */
    if (strstr(device->firmware.version, "crash")) { device->panic_ms = PANIC_AFTER_MS; }
    *what = "readings";
    st = start_meter(device, reset);
    if (st != MOULT_OK) { return st; }
    *what = "network";
    st = start_network(device);
    if (st != MOULT_OK) { return st; }
    *what = "engine";
    return start_engine(device);
}

enum moult_status device_start(struct device *device, const char *path, uint8_t reset,
                               const struct moult_device_log *log)
{
    struct timespec now;
    memset(device, 0, sizeof *device);
    device->log = *log;
    if (moult_psa_start() != MOULT_OK) { return MOULT_E_INTERNAL; }
    enum moult_status st = board_power_on(&device->board, path, reset);
    if (st != MOULT_OK) { return st; }
    clock_gettime(CLOCK_REALTIME, &now);
    device->boot_unix_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    device->boot_ms = moult_clock_ms();
    const char *what = "";
    st = start_parts(device, reset, &what);
    if (st != MOULT_OK) {
        const struct moult_log_field fields[] = {{"part", what, 0},
                                                 {"status", moult_status_name(st), 0}};
        moult_device_log(&device->log, MOULT_LOG_ERROR, "not_started", fields, 2);
        device_stop(device);
    }
    return st;
}

void device_stop(struct device *device)
{
    moult_mqtt_free(device->mqtt);
    device->mqtt = NULL;
    if (device->tls) {
        moult_http_client_cancel(&device->http); /* not _end(): it may wait for a name */
        moult_tls_free(device->tls);
        device->tls = NULL;
    }
    board_power_off(&device->board);
}

/* --- Running -------------------------------------------------------------------------- */

uint8_t device_wanted_reset(const struct device *device)
{
    if (device->panic_reset) { return device->panic_reset; }
    return device->board.port.reboot_wanted ? MOULT_RESET_SOFTWARE : MOULT_RESET_UNKNOWN;
}

/* Work of the engine until it wants to wait; how long it may. */
static uint32_t run_engine(struct device *device)
{
    for (int i = 0; i < STEPS_PER_TURN; i++) {
        device->is_waiting_for_http = false;
        enum moult_step step = moult_step(&device->session, uptime_ms(device));
        if (step == MOULT_STEP_REBOOT) { return 0; }
        if (step == MOULT_STEP_WAIT) {
            if (device->is_waiting_for_http) { return HTTP_SLEEP_MS; }
            return moult_wait_ms(&device->session, uptime_ms(device));
        }
    }
    return 0;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Until the interval that is being sampled ends. */
static uint32_t meter_wait_ms(const struct device *device)
{
    uint64_t now = unix_ms(device), end = device->meter.interval_end_ms;
    return end > now ? (uint32_t)least((uint32_t)(end - now) + 1, METER_INTERVAL_MS) : 0;
}

static void sleep_until_due(struct device *device, uint32_t most_ms, const sigset_t *awake)
{
    struct pollfd wait[2];
    nfds_t count = 0;
    bool is_idle_http = false;
    if (moult_http_client_wants(&device->http, &wait[count])) {
        is_idle_http = !device->is_waiting_for_http;
        if (wait[count].fd < 0) { most_ms = least(most_ms, RESOLVE_SLEEP_MS); }
        count++;
    }
    if (device->mqtt) {
        if (moult_mqtt_wants(device->mqtt, &wait[count])) { count++; }
        most_ms = least(most_ms, moult_mqtt_wait_ms(device->mqtt, uptime_ms(device)));
    }
    const struct timespec most = {.tv_sec = most_ms / 1000,
                                  .tv_nsec = (long)(most_ms % 1000) * 1000000};
    int ready = ppoll(wait, count, &most, awake);
    if (ready > 0 && is_idle_http) { moult_http_client_tend(&device->http); }
}

void device_turn(struct device *device, const sigset_t *awake)
{
    run_meter(device);
    if (device->mqtt) { moult_mqtt_step(device->mqtt, uptime_ms(device)); }
    uint32_t wait_ms = run_engine(device);
    if (device->panic_ms && uptime_ms(device) >= device->panic_ms) {
        device->panic_reset = MOULT_RESET_PANIC;
    }
    if (device_wanted_reset(device)) { return; }
    wait_ms = least(wait_ms, meter_wait_ms(device));
    sleep_until_due(device, wait_ms, awake);
}
