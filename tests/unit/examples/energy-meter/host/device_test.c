/* device_test.c - a virtual device from its provisioning through updates, against a real
 * TLS server.
 *
 * The server is that of tests/support/update_world.h behind tests/support/faulty_origin.h:
 * its statements are really signed. Real time passes, a few seconds per story.
 */
#include "examples/energy-meter/host/device.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "examples/energy-meter/host/commands.h"
#include "examples/energy-meter/host/look.h"
#include "formats/codes.h"
#include "ports/posix/clock.h"
#include "tests/support/check.h"
#include "tests/support/faulty_origin.h"
#include "tests/support/update_server.h"
#include "tests/support/update_world.h"

static const char FLASH[] = "device_test.flash", IMAGE[] = "device_test.bin",
                  CA[] = "device_test.ca.pem", CA_KEY[] = "device_test.ca.key";

static struct world w;
static struct test_cert ca;
static struct faulty_origin *origin;
static struct device device;
static struct look seen;
static unsigned boots;

static void must(bool claim, const char *what)
{
    if (claim) { return; }
    fprintf(stderr, "device_test: %s failed\n", what);
    abort();
}

/* --- The server ----------------------------------------------------------------------- */

static void answer(void *context, const char *method, const char *path, const uint8_t *body,
                   size_t body_size, struct origin_answer *out)
{
    struct moult_http_request request = {
        .method = strcmp(method, "POST") == 0 ? MOULT_HTTP_POST : MOULT_HTTP_GET,
        .path = path,
        .body = {body, body_size}};
    struct moult_http_reply reply;
    struct moult_http_failure failure;
    (void)context;
    w.now_ms = moult_clock_ms();
    must(update_server_start(w.port.context, &request) == 0, "request");
    out->content_type = "application/cbor";
    for (;;) {
        size_t size = 0;
        switch (update_server_poll(w.port.context, out->body + out->body_size,
                                   sizeof out->body - out->body_size, &size, &reply,
                                   &failure)) {
        case MOULT_HTTP_HEADERS:
            out->status = reply.status;
            break;
        case MOULT_HTTP_BODY:
            out->body_size += size;
            break;
        case MOULT_HTTP_END:
            return;
        default:
            abort();
        }
    }
}

static void save(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    must(f && fwrite(data, 1, size, f) == size && fclose(f) == 0, path);
}

/* A fresh device with version 1.0.0, and a server that offers `version` (sequence 2). */
static void begin(const char *version, enum origin_fault fault)
{
    world_make(&w);
    world_image(&w, &w.new,
                &(struct world_image_options){.sequence = 2, .version = version});
    world_offer(&w, &w.new);
    w.release.version = (struct moult_bytes){(const uint8_t *)version, strlen(version)};
    world_sign_release(&w, 0);
    w.next_s = 1;
    must(world_boot(&w, MOULT_RESET_POWER_ON), "world"); /* for its server's context only */
    save(IMAGE, w.old.data, w.old.size);
    struct faulty_origin_config config = {.ca = &ca,
                                          .wants_client = true,
                                          .path = "/device/v1/artifact/new",
                                          .file = w.new.data,
                                          .file_size = w.new.size,
                                          .fault = fault,
                                          .good_first = 1,
                                          .fault_count = 1,
                                          .answer = answer};
    origin = faulty_origin_start(&config);
    struct arguments arguments = {
        .flash = FLASH,
        .image = IMAGE,
        .name = "meter-test",
        .server = faulty_origin_url(origin),
        .ca = CA,
        .ca_key = CA_KEY,
        .numbers = {"interval_s=1", "interval_min_s=1", "cold_boot_wait_max_s=none",
                    "trial_interval_s=1", "backoff_first_ms=200", "window=4096",
                    "confirm_timeout_s=30", "activations_max=30"},
        .number_count = 8,
        .is_json = true,
        .is_forced = true};
    must(command_provision(&arguments) == EXIT_GOOD, "provision");
    must(look_at(FLASH, &seen) == MOULT_OK, "look");
    memcpy(w.fleet.device_id, seen.settings.device_id, 16);
    boots = 0;
}

static void end(void)
{
    faulty_origin_stop(origin);
    world_forget(&w);
    world_free(&w);
    unlink(FLASH);
    unlink(IMAGE);
}

/* --- The device ----------------------------------------------------------------------- */

static bool switch_on(uint8_t reset)
{
    const struct moult_device_log log = {.fd = STDOUT_FILENO,
                                         .device = "",
                                         .most = getenv("MOULT_TRACE") ? MOULT_LOG_DEBUG
                                                                       : MOULT_LOG_ERROR};
    boots++;
    return device_start(&device, FLASH, reset, &log) == MOULT_OK;
}

/* Everything in RAM is gone, nothing was said goodbye to. */
static void pull_the_plug(void)
{
    moult_sim_storage_close(
        &device.board.storage); /* as the kernel does for a killed process */
    device_stop(&device);
}

/* Turns and resets until the claim holds. False: not within `most_ms`. */
static bool run_until(bool (*claim)(void), uint32_t most_ms)
{
    sigset_t awake;
    sigemptyset(&awake);
    for (uint64_t stop = moult_clock_ms() + most_ms; moult_clock_ms() < stop;) {
        if (claim()) { return true; }
        device_turn(&device, &awake);
        uint8_t reset = device_wanted_reset(&device);
        if (!reset) { continue; }
        device_stop(&device);
        if (!switch_on(reset)) { return false; }
    }
    return claim();
}

static bool is_confirmed(void)
{
    return world_report_of(&w, MOULT_REPORT_CONFIRMED) != NULL;
}

static bool is_back(void)
{
    return world_report_of(&w, MOULT_REPORT_ROLLED_BACK) != NULL;
}

static bool has_readings(void)
{
    return device.readings.has_reading && device.readings.last_reading.sequence >= 2;
}

static const struct slot_look *running_slot(void)
{
    must(look_at(FLASH, &seen) == MOULT_OK, "look");
    return seen.next >= 0 ? &seen.slots[seen.next] : &seen.slots[0];
}

/* --- Stories -------------------------------------------------------------------------- */

static void test_an_update_is_installed_and_no_reading_is_lost(void)
{
    begin("1.1.0", ORIGIN_GOOD);
    check(switch_on(MOULT_RESET_POWER_ON));
    check(strcmp(device.firmware.version, "1.0.0") == 0);
    check(run_until(is_confirmed, 30000));
    check(strcmp(device.firmware.version, "1.1.0") == 0);
    check(device.meter.traits == &meter_version_1_1_0);
    check_equal(boots, 2);
    check(run_until(has_readings, 5000));
    device_stop(&device);

    const struct slot_look *slot = running_slot();
    check_equal(seen.next, 1);
    check_equal(slot->state, MOULT_SLOT_VALID);
    check_bytes(slot->firmware.digest, w.new.digest, 32);
    check_equal(seen.progress.reports, 0);
    check_equal(seen.summary.missing, 0);
    check_equal(seen.summary.lost_ms, 0);
    check_equal(seen.summary.restarts, 1);
    check(seen.counter > 0);
    check(!seen.is_running);
    end();
}

static void test_a_version_whose_sensor_fails_goes_back_by_itself(void)
{
    begin("1.2.0", ORIGIN_GOOD);
    check(switch_on(MOULT_RESET_POWER_ON));
    check(run_until(is_back, 30000));
    check(strcmp(device.firmware.version, "1.0.0") == 0);
    const struct world_report *report = world_report_of(&w, MOULT_REPORT_ROLLED_BACK);
    check_equal(report->detail, MOULT_D_SELFTEST);
    check(strstr(report->text, "sensor") != NULL);
    device_stop(&device);
    running_slot();
    check_equal(seen.next, 0);
    check_equal(seen.slots[1].state, MOULT_SLOT_INVALID);
    check_equal(seen.summary.missing, 0);
    check_equal(seen.summary.lost_ms, 0);
    end();
}

static void test_firmware_that_crashes_goes_back_by_itself(void)
{
    begin("1.3.0-crash", ORIGIN_GOOD);
    check(switch_on(MOULT_RESET_POWER_ON));
    check(run_until(is_back, 30000));
    check(strcmp(device.firmware.version, "1.0.0") == 0);
    const struct world_report *report = world_report_of(&w, MOULT_REPORT_ROLLED_BACK);
    check_equal(report->reason, MOULT_R_TRIAL_PANIC);
    device_stop(&device);
    running_slot();
    check_equal(seen.next, 0);
    check_equal(seen.slots[1].state, MOULT_SLOT_ABORTED);
    end();
}

static void test_the_plug_may_be_pulled_at_any_time(void)
{
    begin("1.1.0", ORIGIN_RESETS);
    uint32_t seed = 12345;
    check(switch_on(MOULT_RESET_POWER_ON));
    for (int cut = 0; cut < 12 && !is_confirmed(); cut++) {
        seed = seed * 1664525 + 1013904223;
        (void)run_until(is_confirmed, 100 + (seed >> 16) % 700); /* or until the cut */
        pull_the_plug();
        check(switch_on(MOULT_RESET_POWER_ON));
    }
    check(run_until(is_confirmed, 40000));
    check(strcmp(device.firmware.version, "1.1.0") == 0);
    check(run_until(has_readings, 5000));
    device_stop(&device);
    running_slot();
    check_equal(seen.slots[1].state, MOULT_SLOT_VALID);
    check_equal(seen.summary.missing, 0);
    for (unsigned i = 0; i < w.report_count; i++) {
        check(w.reports[i].kind != MOULT_REPORT_FAILED);
    }
    end();
}

static void test_one_file_is_one_device(void)
{
    begin("1.1.0", ORIGIN_GOOD);
    check(switch_on(MOULT_RESET_POWER_ON));
    static struct device twin;
    const struct moult_device_log log = {.fd = STDOUT_FILENO, .device = "twin"};
    check_equal(device_start(&twin, FLASH, MOULT_RESET_POWER_ON, &log), MOULT_E_BUSY);
    check_equal(look_at(FLASH, &seen), MOULT_OK); /* looking is always allowed */
    check(seen.is_running);
    device_stop(&device);
    end();
}

static void test_settings_of_a_device_can_be_changed(void)
{
    begin("1.1.0", ORIGIN_GOOD);
    uint8_t id[16];
    memcpy(id, seen.settings.device_id, sizeof id);
    struct arguments arguments = {.flash = FLASH,
                                  .broker = "127.0.0.1:8883",
                                  .trigger = "push",
                                  .numbers = {"interval_s=9"},
                                  .number_count = 1,
                                  .is_json = true};
    check_equal(command_set(&arguments), EXIT_GOOD);
    check_equal(look_at(FLASH, &seen), MOULT_OK);
    check(strcmp(seen.settings.trigger, "push") == 0);
    check(strcmp(seen.settings.broker, "127.0.0.1:8883") == 0);
    check(strstr(seen.settings.engine, "interval_s=9\n") != NULL);
    check_bytes(seen.settings.device_id, id, sizeof id);
    arguments = (struct arguments){.flash = FLASH, .server = "http://plain"};
    check_equal(command_set(&arguments), EXIT_FAILED);
    end();
}

static void test_provisioning_refuses_what_would_not_work(void)
{
    begin("1.1.0", ORIGIN_GOOD);
    struct arguments good = {.flash = FLASH,
                             .image = IMAGE,
                             .server = "https://127.0.0.1:1",
                             .ca = CA,
                             .is_forced = true};
    struct arguments bad = good;
    bad.image = CA; /* not an image */
    check_equal(command_provision(&bad), EXIT_FAILED);
    bad = good;
    bad.trigger = "push"; /* without a broker */
    check_equal(command_provision(&bad), EXIT_FAILED);
    bad = good;
    bad.ca = IMAGE;
    bad.ca_key = CA_KEY;
    check_equal(command_provision(&bad), EXIT_FAILED);
    bad = good;
    bad.partitions = CA;
    check_equal(command_provision(&bad), EXIT_FAILED);
    bad = good;
    bad.is_forced = false; /* it exists */
    check_equal(command_provision(&bad), EXIT_FAILED);
    bad = good;
    bad.name = "two words";
    check_equal(command_provision(&bad), EXIT_FAILED);
    bad = good;
    bad.server = NULL;
    check_equal(command_provision(&bad), EXIT_USAGE);
    check_equal(command_provision(&good),
                EXIT_GOOD); /* with a key and certificate of its own */
    end();
}

static void test_what_is_no_device_file_is_refused(void)
{
    save(IMAGE, "short", 5);
    check_equal(look_at(IMAGE, &seen), MOULT_E_FORMAT);
    check_equal(look_at("no-such-file", &seen), MOULT_E_NOENT);
    const struct moult_device_log log = {.fd = STDOUT_FILENO, .device = "none"};
    check_equal(device_start(&device, IMAGE, 1, &log), MOULT_E_FORMAT);
    check_equal(device_start(&device, "no-such-file", 1, &log), MOULT_E_NOENT);
    unlink(IMAGE);
}

int main(void)
{
    test_cert_make(&ca, "test CA", NULL);
    test_cert_save(&ca, CA, CA_KEY);
    check_run(test_an_update_is_installed_and_no_reading_is_lost);
    check_run(test_a_version_whose_sensor_fails_goes_back_by_itself);
    check_run(test_firmware_that_crashes_goes_back_by_itself);
    check_run(test_the_plug_may_be_pulled_at_any_time);
    check_run(test_one_file_is_one_device);
    check_run(test_settings_of_a_device_can_be_changed);
    check_run(test_provisioning_refuses_what_would_not_work);
    check_run(test_what_is_no_device_file_is_refused);
    test_cert_free(&ca);
    unlink(CA);
    unlink(CA_KEY);
    return check_report();
}
