/* bench_control.c - how store and control do with many devices. Prints a table; for
 * information.
 *
 * Use it   bench_control [devices] [folder]     default 100000, in a new folder under /tmp
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "formats/bytes.h"
#include "keys/openssl_crypto.h"
#include "server/base/mem.h"
#include "server/control/checkin.h"
#include "server/control/internal.h"
#include "server/control/rollout_sweep.h"
#include "server/control/rollouts.h"
#include "server/store/store_device.h"
#include "server/store/store_release.h"

enum { STEP = 5000 };

static uint32_t device_count = 100000;
static char folder[256];
static struct moult_crypto crypto;
static struct store *store;
static struct control *control;
static struct control_config config;

static uint64_t now_us(void)
{
    return clock_monotonic_us(clock_system());
}

static void row(const char *what, uint64_t us, uint64_t count)
{
    printf("%-44s %9.1f ms", what, (double)us / 1000.0);
    if (count > 1) {
        printf("  %10.0f/s  %7.2f us each", (double)count * 1e6 / (double)us,
               (double)us / (double)count);
    }
    printf("\n");
}

static void must(enum moult_status st, const char *what)
{
    if (st == MOULT_OK) { return; }
    fprintf(stderr, "%s: %s (%s)\n", what, moult_status_name(st),
            store ? store_db_failure(store_setup_db(store)) : "");
    exit(1);
}

static void keys_of(uint32_t n, uint8_t spki[32])
{
    put_be64(spki, (n + 1) * 0x9e3779b97f4a7c15u);
    put_be64(spki + 8, (n + 7) * 0xbf58476d1ce4e5b9u);
    put_be64(spki + 16, (n + 3) * 0x94d049bb133111ebu);
    put_be64(spki + 24, n);
}

/* --- devices -------------------------------------------------------------------------- */

static uint32_t inserted;

static enum moult_status insert_some(struct store_db *db, void *context)
{
    (void)context;
    enum moult_status st = MOULT_OK;
    for (int i = 0; i < STEP && inserted < device_count && st == MOULT_OK; i++) {
        struct store_device device = {.state = DEVICE_ACCEPTED,
                                      .first_seen_ms = 1800000000000,
                                      .last_seen_ms =
                                          (int64_t)clock_realtime_ms(clock_system()),
                                      .has_running = true,
                                      .running_sequence = 100,
                                      .running_version = "1.0.0",
                                      .keyset_version = 1,
                                      .next_s = 3600};
        keys_of(inserted, device.spki);
        memcpy(device.id, device.spki, 16);
        device.running_digest[0] = 1;
        snprintf(device.name, sizeof device.name, "meter-%07u", (unsigned)inserted);
        st = store_device_insert(db, &device);
        inserted++;
    }
    return st;
}

static enum moult_status mark_facts(struct store_db *db, void *context)
{
    (void)context;
    enum moult_status st = MOULT_OK;
    for (uint32_t n = 0; n < device_count && st == MOULT_OK; n++) {
        struct store_device device = {.num = (int64_t)n + 1, .running_version = "1.0.0"};
        st = store_device_save_facts(db, &device, "{\"chip\":\"esp32c3\"}");
    }
    return st;
}

static void add_devices(void)
{
    uint64_t start = now_us();
    while (inserted < device_count) {
        must(store_write_wait(store, "bench", insert_some, NULL), "insert");
    }
    row("insert devices, 5,000 a commit", now_us() - start, device_count);
    must(store_write_wait(store, "bench", mark_facts, NULL), "facts");
}

static enum moult_status add_release(struct store_db *db, void *context)
{
    (void)context;
    struct store_release release = {.sequence = 110,
                                    .version = "1.1.0",
                                    .state = STORE_RELEASE_PUBLISHED,
                                    .created_ms = 1800000000000,
                                    .component_count = 1};
    release.id[0] = 1;
    release.components[0].size = 1000000;
    release.components[0].sha256[0] = 2;
    enum moult_status st = store_artifact_put(db, release.components[0].sha256, 1000000, 1);
    return st == MOULT_OK ? store_release_insert(db, &release) : st;
}

/* --- opening -------------------------------------------------------------------------- */

static void open_store(void)
{
    char path[300];
    struct store_error error;
    snprintf(path, sizeof path, "%s/moult.db", folder);
    struct store_options options = {.path = path, .readers = 1};
    must(store_open(&options, &store, &error), "store_open");
}

static void open_all(void)
{
    static struct artifact_store *artifacts;
    char path[300];
    struct control_error error;
    snprintf(path, sizeof path, "%s/artifacts", folder);
    open_store();
    if (!artifacts) { must(artifact_store_open(path, &crypto, &artifacts), "artifacts"); }
    struct control_parts parts = {.store = store,
                                  .artifacts = artifacts,
                                  .crypto = &crypto,
                                  .clock = clock_system(),
                                  .random = random_system()};
    struct mem_stats before, after;
    mem_stats_get(&before);
    uint64_t start = now_us();
    must(control_open(&config, &parts, &control, &error), "control_open");
    row("start: load everything", now_us() - start, device_count);
    mem_stats_get(&after);
    printf("%-44s %9" PRIu64 " B\n", "memory per device",
           (after.live_bytes - before.live_bytes - 3500000) / device_count);
    must(store_start(store), "store_start");
}

static void close_all(void)
{
    store_stop(store);
    control_close(control);
    store_close(store);
}

/* --- work ----------------------------------------------------------------------------- */

static enum moult_status create_rollout(struct store_db *db, void *context)
{
    struct control_problem problem = {0};
    struct control_call call = {.control = control,
                                .db = db,
                                .now_ms = (int64_t)clock_realtime_ms(clock_system()),
                                .actor = {.name = "bench"},
                                .problem = &problem};
    json_t *reply = NULL;
    enum moult_status st = control_rollout_create(&call, context, &reply);
    if (st != MOULT_OK) { fprintf(stderr, "%s\n", problem.text); }
    json_decref(reply);
    return st;
}

static void bench_rollout(void)
{
    json_t *body =
        json_loads("{\"name\":\"spring\",\"release\":\"1.1.0\",\"phases\":[{\"percent\":1},"
                   "{\"percent\":25},{\"rest\":true}]}",
                   0, NULL);
    uint64_t start = now_us();
    must(store_write_wait(store, "bench", create_rollout, body), "rollout");
    row("create a rollout over all of them", now_us() - start, device_count);
    json_decref(body);
}

static enum moult_status run_verb(struct store_db *db, void *context)
{
    struct control_problem problem = {0};
    struct control_call call = {.control = control,
                                .db = db,
                                .now_ms = (int64_t)clock_realtime_ms(clock_system()),
                                .actor = {.name = "bench"},
                                .problem = &problem};
    struct control_rollout_change change = {.id = "spring", .verb = context};
    json_t *reply = NULL;
    enum moult_status st = control_rollout_verb(&call, &change, &reply);
    if (st != MOULT_OK) { fprintf(stderr, "%s\n", problem.text); }
    json_decref(reply);
    return st;
}

static enum moult_status run_batch(struct store_db *db, void *context)
{
    (void)context;
    bool has_more = false;
    return rollouts_sweep(control, db, (int64_t)clock_realtime_ms(clock_system()),
                          &has_more);
}

static void bench_abort(void)
{
    uint64_t start = now_us();
    must(store_write_wait(store, "bench", run_verb, (void *)(uintptr_t) "abort"), "abort");
    row("abort it: the job of the verb", now_us() - start, 1);
    start = now_us();
    uint64_t longest = 0;
    while (control->rollouts.slots[0].work->sweep.verb != SWEEP_NONE) {
        uint64_t began = now_us();
        must(store_write_wait(store, "bench", run_batch, NULL), "batch");
        uint64_t took = now_us() - began;
        longest = took > longest ? took : longest;
    }
    row("its devices, batch by batch", now_us() - start, device_count);
    row("longest of these jobs", longest, 1);
}

static void bench_checkins(void)
{
    uint8_t nonce[16] = {0}, digest[32] = {1};
    struct control_checkin_result result;
    uint64_t start = now_us(), fast = 0;
    uint32_t total = device_count < 200000 ? device_count : 200000;
    for (uint32_t n = 0; n < total; n++) {
        struct control_checkin_request request = {
            .address = "192.0.2.1", .now_ms = (int64_t)clock_realtime_ms(clock_system())};
        keys_of(n, request.spki_sha256);
        struct moult_checkin message = {.nonce = nonce,
                                        .device_id = request.spki_sha256,
                                        .running_digest = digest,
                                        .running_sequence = 100,
                                        .keyset_version = 1};
        request.message = &message;
        fast += control_checkin_fast(control, &request, &result) == CONTROL_DONE;
    }
    row("idle check-ins, one thread, without signing", now_us() - start, total);
    printf("%-44s %9" PRIu64 " of %u\n", "of them answered from memory", fast,
           (unsigned)total);
    start = now_us();
    control_timer(control);
    while (atomic_load(&control->is_flushing)) {
        usleep(1000);
    }
    row("flush of their last_seen", now_us() - start, total);
}

int main(int argc, char **argv)
{
    if (argc > 1) { device_count = (uint32_t)strtoul(argv[1], NULL, 10); }
    if (device_count == 0) {
        fprintf(stderr, "usage: bench_control [devices] [folder]\n");
        return 2;
    }
    snprintf(folder, sizeof folder, "%s", argc > 2 ? argv[2] : "/tmp/bench_control.XXXXXX");
    if (argc <= 2 && !mkdtemp(folder)) { return 1; }
    crypto = keys_openssl_crypto();
    control_config_default(&config);
    snprintf(config.classes[0].name, sizeof config.classes[0].name, "c3");
    config.class_count = 1;
    config.devices_max = device_count + 1;
    open_store();
    must(store_start(store), "store_start");
    add_devices();
    must(store_write_wait(store, "bench", add_release, NULL), "release");
    store_stop(store);
    store_close(store);
    open_all();
    bench_checkins();
    bench_rollout();
    close_all();
    open_all(); /* with a planned assignment each */
    bench_abort();
    close_all();
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%-44s %9ld KB\nfolder: %s\n", "peak memory of this process", usage.ru_maxrss,
           folder);
    return 0;
}
