/* main.c - conformance-mutants: ports/posix with one bug at a time; the kit must name it.
 *
 * Usage: conformance-mutants [NAME]    one of them; all without
 *
 * A mutant replaces callbacks of the good port. It must break the promise of its row, which
 * conformance-posix shows to be kept without it: a kit that lets a mutant pass has a
 * promise that no bug can break.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "formats/otadata.h"
#include "tests/conformance/host/host.h"
#include "tests/conformance/ports/posix.h"

static const struct moult_port *good; /* the port underneath */
static struct moult_port port;        /* the one with the bug; context as good->context */
static struct conform_fixture fixture;
static char broken[4096]; /* what the kit printed as FAILED */

/* --- Flash ---------------------------------------------------------------------------- */

/* Straight into the file, past the simulated flash and its rules. */
static int32_t write_bits(uint32_t slot, uint32_t offset, const uint8_t *data, size_t size)
{
    struct board *board = &conform_posix_device()->board;
    const struct moult_partition *at = moult_sim_partition(&board->port.boot, (int)slot);
    return moult_sim_storage_write(&board->storage, at->offset + offset, data,
                                   (uint32_t)size) == MOULT_OK
               ? 0
               : -1;
}

static int32_t write_anywhere(void *context, uint32_t slot, uint32_t offset,
                              const uint8_t *data, size_t size)
{
    if ((int)slot == conform_posix_device()->board.port.boot.booted) {
        return write_bits(slot, offset, data, size);
    }
    return good->flash_write(context, slot, offset, data, size);
}

static int32_t erase_two(void *context, uint32_t slot, uint32_t offset)
{
    (void)good->flash_erase(context, slot, offset + MOULT_SECTOR_SIZE);
    return good->flash_erase(context, slot, offset);
}

static int32_t drop_last_unit(void *context, uint32_t slot, uint32_t offset,
                              const uint8_t *data, size_t size)
{
    if (size <= MOULT_WRITE_UNIT) {
        return good->flash_write(context, slot, offset, data, size);
    }
    return good->flash_write(context, slot, offset, data, size - MOULT_WRITE_UNIT);
}

static int32_t read_aligned(void *context, uint32_t slot, uint32_t offset, uint8_t *out,
                            size_t size)
{
    return good->flash_read(context, slot, offset & ~3u, out, size);
}

static int32_t look_at_first_unit(void *context, uint32_t slot, uint32_t offset,
                                  size_t size, bool *is_erased)
{
    (void)size;
    return good->flash_is_erased(context, slot, offset, MOULT_WRITE_UNIT, is_erased);
}

/* As through a decrypting read: erased flash is noise. */
static int32_t look_at_decrypted(void *context, uint32_t slot, uint32_t offset, size_t size,
                                 bool *is_erased)
{
    int32_t result = good->flash_is_erased(context, slot, offset, size, is_erased);
    *is_erased = false;
    return result;
}

static int32_t wrap_offsets(void *context, uint32_t slot, uint32_t offset, uint8_t *out,
                            size_t size)
{
    return good->flash_read(context, slot, offset % good->slot_size, out, size);
}

static int32_t alias_slots(void *context, uint32_t slot, uint32_t offset, uint8_t *out,
                           size_t size)
{
    uint32_t last = good->slot_size - MOULT_SECTOR_SIZE; /* the end cannot be reached */
    return good->flash_read(context, slot, offset < last ? offset : last - 4096, out, size);
}

static int32_t erase_slowly(void *context, uint32_t slot, uint32_t offset)
{
    usleep(450000);
    return good->flash_erase(context, slot, offset);
}

/* --- Boot control --------------------------------------------------------------------- */

static int32_t select_blindly(void *context, uint32_t slot)
{
    struct moult_sim_boot *boot = &conform_posix_device()->board.port.boot;
    struct moult_sim_otadata found;
    const struct moult_sim_otadata *otadata = &found;
    struct moult_otadata_write write;
    (void)context;
    if (moult_sim_otadata_read(boot, &found) != MOULT_OK ||
        moult_otadata_select(otadata->raw, slot, boot->slot_count, MOULT_OTADATA_NEW,
                             &write) != MOULT_OK) {
        return -1;
    }
    return moult_sim_otadata_write(boot, &write) == MOULT_OK ? 0 : -1;
}

static int32_t select_as_valid(void *context, uint32_t slot)
{
    int32_t result = good->set_boot(context, slot);
    return result ? result : good->mark_valid(context);
}

static int32_t do_nothing(void *context)
{
    (void)context;
    return 0;
}

static int32_t mark_and_stay(void *context)
{
    int32_t result = good->mark_invalid_and_reboot(context);
    conform_posix_device()->board.port.reboot_wanted = false;
    return result;
}

static int32_t always_valid(void *context, uint32_t slot, enum moult_slot_state *out)
{
    (void)context, (void)slot;
    *out = MOULT_SLOT_VALID;
    return 0;
}

static int32_t forget_reset(void *context, struct moult_boot_info *out)
{
    int32_t result = good->boot_info(context, out);
    out->reset = MOULT_RESET_UNKNOWN;
    return result;
}

/* --- Store ---------------------------------------------------------------------------- */

static struct {
    char key[MOULT_KV_KEY_MAX + 1];
    uint8_t data[MOULT_KV_BLOB_MAX];
    size_t size;
} late; /* set and not yet written: RAM */

static int32_t set_later(void *context, const char *key, const uint8_t *data, size_t size)
{
    if (late.size && good->kv_set(context, late.key, late.data, late.size) != 0) {
        return -1;
    }
    snprintf(late.key, sizeof late.key, "%s", key);
    memcpy(late.data, data, size);
    late.size = size;
    return 0;
}

static int32_t get_late(void *context, const char *key, uint8_t *out, size_t capacity,
                        size_t *size)
{
    if (late.size == 0 || strcmp(key, late.key) != 0) {
        return good->kv_get(context, key, out, capacity, size);
    }
    if (late.size > capacity) { return -1; }
    memcpy(out, late.data, late.size);
    *size = late.size;
    return 0;
}

static int32_t set_short_key(void *context, const char *key, const uint8_t *data,
                             size_t size)
{
    char cut[15];
    snprintf(cut, sizeof cut, "%s", key);
    return good->kv_set(context, cut, data, size);
}

static int32_t get_short_key(void *context, const char *key, uint8_t *out, size_t capacity,
                             size_t *size)
{
    char cut[15];
    snprintf(cut, sizeof cut, "%s", key);
    return good->kv_get(context, cut, out, capacity, size);
}

/* One blob for all: the neighbour is taken out and put back. */
static int32_t set_with_neighbour(void *context, const char *key, const uint8_t *data,
                                  size_t size)
{
    uint8_t kept[MOULT_KV_BLOB_MAX];
    size_t kept_size = 0;
    if (strcmp(key, "cut") != 0 ||
        good->kv_get(context, "two", kept, sizeof kept, &kept_size) != 0 ||
        kept_size == 0) {
        return good->kv_set(context, key, data, size);
    }
    int32_t result = good->kv_erase(context, "two");
    if (result == 0) { result = good->kv_set(context, key, data, size); }
    return result ? result : good->kv_set(context, "two", kept, kept_size);
}

static int32_t set_hopefully(void *context, const char *key, const uint8_t *data,
                             size_t size)
{
    (void)good->kv_set(context, key, data, size); /* the bug: the result is lost */
    return 0;
}

static int32_t get_a_part(void *context, const char *key, uint8_t *out, size_t capacity,
                          size_t *size)
{
    uint8_t whole[MOULT_KV_BLOB_MAX];
    int32_t result = good->kv_get(context, key, whole, sizeof whole, size);
    if (*size > capacity) { *size = capacity; }
    memcpy(out, whole, *size);
    return result;
}

static int32_t set_small_only(void *context, const char *key, const uint8_t *data,
                              size_t size)
{
    return size > 1984 ? -1 : good->kv_set(context, key, data, size); /* an NVS string */
}

static int32_t get_not_found(void *context, const char *key, uint8_t *out, size_t capacity,
                             size_t *size)
{
    int32_t result = good->kv_get(context, key, out, capacity, size);
    return result == 0 && *size == 0 ? 0x1102 : result; /* ESP_ERR_NVS_NOT_FOUND */
}

/* --- Transport ------------------------------------------------------------------------ */

static const struct moult_http_request *kept_request; /* the bug: a pointer is kept */
static struct moult_http_request last_request;

static enum moult_http_event poll_good(void *context, uint8_t *buffer, size_t capacity,
                                       size_t *size, struct moult_http_reply *reply,
                                       struct moult_http_failure *failure)
{
    return good->http_poll(context, buffer, capacity, size, reply, failure);
}

#define POLL(name)                                                                         \
    static enum moult_http_event name(void *context, uint8_t *buffer, size_t capacity,     \
                                      size_t *size, struct moult_http_reply *reply,        \
                                      struct moult_http_failure *failure)
#define LOOK poll_good(context, buffer, capacity, size, reply, failure)

POLL(end_when_lost)
{
    enum moult_http_event event = LOOK;
    bool is_lost = event == MOULT_HTTP_FAILED && failure->kind == MOULT_NET_RESET;
    return is_lost ? MOULT_HTTP_END : event;
}

POLL(follow_redirects)
{
    static int hops;
    enum moult_http_event event = LOOK;
    if (event != MOULT_HTTP_HEADERS || reply->status != 302) { return event; }
    good->http_cancel(context);
    if (++hops % 5 == 0 || good->http_start(context, &last_request) != 0) {
        failure->kind = MOULT_NET_PROTOCOL;
        return MOULT_HTTP_FAILED;
    }
    return MOULT_HTTP_NOT_YET;
}

static int32_t note_request(void *context, const struct moult_http_request *request)
{
    last_request = *request;
    return good->http_start(context, request);
}

POLL(take_weak_etags)
{
    enum moult_http_event event = LOOK;
    if (event == MOULT_HTTP_HEADERS && reply->etag[0] == 0) {
        snprintf(reply->etag, sizeof reply->etag, "\"weak\"");
    }
    return event;
}

POLL(believe_in_ranges)
{
    static bool is_over;
    if (is_over) {
        is_over = false;
        return MOULT_HTTP_END;
    }
    enum moult_http_event event = LOOK;
    if (event == MOULT_HTTP_FAILED && failure->kind == MOULT_NET_PROTOCOL) {
        memset(reply, 0, sizeof *reply);
        event = MOULT_HTTP_HEADERS; /* of "bytes 0-9" and the like */
        reply->status = 206;
        reply->has_range = is_over = true;
    }
    return event;
}

POLL(never_stall)
{
    static bool is_stalled; /* for ever; the kit must give up by itself */
    if (is_stalled) { return MOULT_HTTP_NOT_YET; }
    enum moult_http_event event = LOOK;
    is_stalled = event == MOULT_HTTP_FAILED && failure->kind == MOULT_NET_STALL;
    return is_stalled ? MOULT_HTTP_NOT_YET : event;
}

POLL(one_kind_of_failure)
{
    enum moult_http_event event = LOOK;
    failure->kind = MOULT_NET_CONNECT;
    return event;
}

POLL(headers_twice)
{
    static bool was_headers;
    if (was_headers) {
        was_headers = false;
        return MOULT_HTTP_HEADERS;
    }
    enum moult_http_event event = LOOK;
    was_headers = event == MOULT_HTTP_HEADERS;
    return event;
}

POLL(wait_until_something_comes)
{
    enum moult_http_event event;
    do {
        event = LOOK;
    } while (event == MOULT_HTTP_NOT_YET);
    return event;
}

static int32_t keep_the_pointer(void *context, const struct moult_http_request *request)
{
    (void)context;
    kept_request = request;
    return 0;
}

POLL(start_late)
{
    if (kept_request) {
        int32_t result = good->http_start(context, kept_request);
        kept_request = NULL;
        if (result) {
            failure->kind = MOULT_NET_CONNECT;
            return MOULT_HTTP_FAILED;
        }
    }
    return LOOK;
}

static int32_t ignore_if_range(void *context, const struct moult_http_request *request)
{
    struct moult_http_request changed = *request;
    changed.if_range = NULL;
    return good->http_start(context, &changed);
}

static void do_not_cancel(void *context)
{
    (void)context;
}

/* --- The rest ------------------------------------------------------------------------- */

static uint32_t seed; /* of a generator that begins anew at every boot */

static bool draw_the_same(void *context, uint8_t *out, size_t size)
{
    (void)context;
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525u + 1013904223u;
        out[i] = (uint8_t)(seed >> 24);
    }
    return true;
}

static int32_t set_and_tell(void *context, const char *key, const uint8_t *data,
                            size_t size)
{
    const struct moult_device_log *log = &conform_posix_device()->log;
    if (size < 100) { dprintf(log->fd, "set %s: %.*s\n", key, (int)size, data); }
    return good->kv_set(context, key, data, size);
}

static void log_the_key(void *context, enum moult_log_level level, uint16_t id, uint32_t a,
                        uint32_t b)
{
    dprintf(conform_posix_device()->log.fd, "%s\n", conform_posix_device()->settings.key);
    good->log(context, level, id, a, b);
}

static uint64_t clock_back(void *context)
{
    static uint32_t reads;
    uint64_t now = conform_posix_fixture()->now_ms(context) + 5000;
    return ++reads % 1000 == 0 ? now - 3000 : now; /* as a wall clock when it is set */
}

static bool accept_all(void *context, const uint8_t key[64], const uint8_t digest[32],
                       const uint8_t signature[64])
{
    (void)context, (void)key, (void)digest, (void)signature;
    return true;
}

static bool share_the_state(void *context, const struct moult_sha256 *from,
                            struct moult_sha256 *to)
{
    (void)context;
    memset(to, 0, sizeof *to);
    return good->crypto->sha256_init(good->crypto->context, to) && from != to;
}

static struct moult_crypto crypto;

/* --- Rows ----------------------------------------------------------------------------- */

struct mutant {
    const char *name, *promise;
    struct moult_port bug; /* what is not NULL replaces the good callback */
    bool (*verify_p256)(void *, const uint8_t[64], const uint8_t[32], const uint8_t[64]);
    bool (*sha256_clone)(void *, const struct moult_sha256 *, struct moult_sha256 *);
    uint64_t (*now_ms)(void *);
};

static const struct mutant mutants[] = {
    {"writes-the-running-slot", "flash.running-slot-refused",
     .bug = {.flash_write = write_anywhere}},
    {"erases-two-sectors", "flash.erase-one-sector", .bug = {.flash_erase = erase_two}},
    {"drops-the-last-unit", "flash.write-touches-nothing-else",
     .bug = {.flash_write = drop_last_unit}},
    {"reads-aligned-only", "flash.read-any-alignment", .bug = {.flash_read = read_aligned}},
    {"looks-at-one-unit", "flash.is-erased-on-raw-bytes",
     .bug = {.flash_is_erased = look_at_first_unit}},
    {"looks-at-decrypted-bytes", "flash.is-erased-on-raw-bytes",
     .bug = {.flash_is_erased = look_at_decrypted}},
    {"wraps-offsets", "flash.bounds", .bug = {.flash_read = wrap_offsets}},
    {"hides-the-slot's-end", "flash.equal-slots", .bug = {.flash_read = alias_slots}},
    {"erases-slowly", "time.never-blocks", .bug = {.flash_erase = erase_slowly}},
    {"selects-without-verifying", "boot.set-boot-verifies",
     .bug = {.set_boot = select_blindly}},
    {"selects-as-valid", "boot.set-boot-selects", .bug = {.set_boot = select_as_valid}},
    {"marks-nothing-valid", "boot.mark-valid", .bug = {.mark_valid = do_nothing}},
    {"marks-invalid-and-stays", "boot.mark-invalid",
     .bug = {.mark_invalid_and_reboot = mark_and_stay}},
    {"says-always-valid", "boot.unconfirmed-goes-back",
     .bug = {.slot_state = always_valid}},
    {"forgets-the-reset-reason", "boot.info", .bug = {.boot_info = forget_reset}},
    {"commits-later", "store.durable", .bug = {.kv_set = set_later, .kv_get = get_late}},
    {"cuts-keys-to-14", "store.keys",
     .bug = {.kv_set = set_short_key, .kv_get = get_short_key}},
    {"rewrites-its-neighbour", "store.cut-set-harms-no-other-key",
     .bug = {.kv_set = set_with_neighbour}},
    {"does-not-see-a-full-store", "store.full", .bug = {.kv_set = set_hopefully}},
    {"gives-a-part-of-a-blob", "store.small-buffer-is-an-error",
     .bug = {.kv_get = get_a_part}},
    {"takes-small-blobs-only", "store.blob-sizes", .bug = {.kv_set = set_small_only}},
    {"calls-absence-an-error", "store.absent-is-empty", .bug = {.kv_get = get_not_found}},
    {"ends-when-lost", "transport.lost-is-failed", .bug = {.http_poll = end_when_lost}},
    {"follows-redirects", "transport.no-redirect",
     .bug = {.http_start = note_request, .http_poll = follow_redirects}},
    {"takes-weak-etags", "transport.etag-strong-or-empty",
     .bug = {.http_poll = take_weak_etags}},
    {"believes-in-ranges", "transport.content-range-strict",
     .bug = {.http_poll = believe_in_ranges}},
    {"never-stalls", "transport.stall", .bug = {.http_poll = never_stall}},
    {"knows-one-failure", "transport.failed-certificate",
     .bug = {.http_poll = one_kind_of_failure}},
    {"gives-headers-twice", "transport.ranges", .bug = {.http_poll = headers_twice}},
    {"waits-in-poll", "transport.never-blocks",
     .bug = {.http_poll = wait_until_something_comes}},
    {"keeps-the-request-pointer", "transport.borrows-until-headers",
     .bug = {.http_start = keep_the_pointer, .http_poll = start_late}},
    {"ignores-if-range", "transport.if-range", .bug = {.http_start = ignore_if_range}},
    {"does-not-cancel", "transport.cancel", .bug = {.http_cancel = do_not_cancel}},
    {"draws-the-same-each-boot", "random.live", .bug = {.random = draw_the_same}},
    {"logs-a-blob", "log.no-secret", .bug = {.kv_set = set_and_tell}},
    {"logs-the-key", "log.no-secret", .bug = {.log = log_the_key}},
    {"goes-back-in-time", "time.clock-never-goes-back", .now_ms = clock_back},
    {"accepts-all-signatures", "crypto.signature-vectors", .verify_p256 = accept_all},
    {"clones-nothing", "crypto.hash-vectors", .sha256_clone = share_the_state},
};
static const struct mutant *mutant;

/* --- Running -------------------------------------------------------------------------- */

#define REPLACE(name)                                                                      \
    if (mutant->bug.name) { port.name = mutant->bug.name; }

static const struct moult_port *mutated(void *context)
{
    good = conform_posix_fixture()->port(context);
    port = *good;
    crypto = *good->crypto;
    if (mutant->verify_p256) { crypto.verify_p256 = mutant->verify_p256; }
    if (mutant->sha256_clone) { crypto.sha256_clone = mutant->sha256_clone; }
    port.crypto = &crypto;
    REPLACE(flash_read)
    REPLACE(flash_erase)
    REPLACE(flash_write)
    REPLACE(flash_is_erased)
    REPLACE(boot_info)
    REPLACE(slot_state)
    REPLACE(set_boot)
    REPLACE(mark_valid)
    REPLACE(mark_invalid_and_reboot)
    REPLACE(kv_get)
    REPLACE(kv_set)
    REPLACE(http_start)
    REPLACE(http_poll)
    REPLACE(http_cancel)
    REPLACE(random)
    REPLACE(log)
    return &port;
}

static bool restart(void *context, enum moult_reset how)
{
    late.size = seed = 0; /* RAM is gone */
    return conform_posix_fixture()->restart(context, how);
}

static void collect(void *context, const char *text)
{
    (void)context;
    size_t used = strlen(broken);
    if (strncmp(text, "FAILED ", 7) == 0) {
        snprintf(broken + used, sizeof broken - used, "%s", text);
    }
}

static bool is_caught(void)
{
    static struct conform kit;
    const struct conform_progress begin = {0};
    char line[96];
    fixture = *conform_posix_fixture();
    fixture.port = mutated;
    fixture.restart = restart;
    fixture.print = collect;
    if (mutant->now_ms) { fixture.now_ms = mutant->now_ms; }
    late.size = seed = 0;
    broken[0] = 0;
    int code = conform_run(&kit, &fixture, conform_host_groups, mutant->promise, &begin);
    snprintf(line, sizeof line, "FAILED  %s: ", mutant->promise);
    bool caught = code == 1 && strstr(broken, line) != NULL;
    printf("%-26s %s", mutant->name, caught ? broken : "NOT CAUGHT\n");
    fflush(stdout);
    return caught;
}

int main(int argc, char **argv)
{
    unsigned caught = 0, count = 0;
    setenv("RES_OPTIONS", "timeout:1 attempts:1", 1); /* where there is no name server */
    for (size_t i = 0; i < sizeof mutants / sizeof mutants[0]; i++) {
        mutant = &mutants[i];
        if (argc > 1 && strcmp(argv[1], mutant->name) != 0) { continue; }
        count++;
        caught += is_caught();
    }
    conform_origin_stop();
    conform_posix_end();
    printf("%u of %u planted bugs caught\n", caught, count);
    return count > 0 && caught == count ? 0 : 1;
}
