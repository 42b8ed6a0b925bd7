/* hostile.c - see hostile.h. */
#include "tests/support/hostile.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "formats/codes.h"
#include "tests/support/cbor_edit.h"
#include "tests/support/fixed_crypto.h"
#include "tests/support/update_server.h"

enum { STEPS_MAX = 60000, BOOTS_MAX = 30, OWN_KEYS = STATEMENTS_KEYS, RUNS_PRESET = 30 };

struct world hostile_world;
struct statements_fleet hostile_own;
struct hostile_net hostile_net;

static struct world *const w = &hostile_world;
static struct world fresh[3]; /* by release threshold; made when first needed */
static bool is_made[3];
static uint8_t before[SIM_FLASH_SIZE];
static uint16_t erases[HOSTILE_SECTORS];

/* --- chance --- */

static uint64_t chance;

uint64_t hostile_draw64(void)
{
    chance += 0x9e3779b97f4a7c15u;
    uint64_t z = chance;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint32_t hostile_draw(uint32_t bound)
{
    return (uint32_t)(((hostile_draw64() >> 32) * bound) >> 32);
}

void hostile_bytes(uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        out[i] = (uint8_t)hostile_draw(256);
    }
}

/* --- the network --- */

static const char *open_path;

static bool is_of(const char *path, const char *part)
{
    return !part || strstr(path, part) != NULL;
}

static int32_t start(void *context, const struct moult_http_request *request)
{
    static char path[MOULT_SOURCE_URL_MAX + 1];
    struct moult_http_request asked = *request;
    hostile_net.requests++;
    hostile_net.is_plain |= !request->base || strcmp(request->base, w->config.base_url);
    snprintf(path, sizeof path, "%s", request->path);
    open_path = path;
    bool is_mirror = hostile_net.mirror && strcmp(path, hostile_net.mirror) == 0;
    if (is_mirror) { asked.path = "/device/v1/artifact/new"; }
    int32_t native = update_server_start(context, &asked);
    if (native == 0 && hostile_net.answer) { hostile_net.answer(path); }
    return native;
}

static enum moult_http_event pour(uint8_t *buffer, size_t capacity, size_t *size)
{
    memset(buffer, 0xaa, capacity);
    *size = capacity;
    hostile_net.bytes += capacity;
    return MOULT_HTTP_BODY;
}

static enum moult_http_event drip(void *context, uint8_t *buffer, size_t capacity,
                                  size_t *size, struct moult_http_failure *failure)
{
    struct moult_http_reply ignored;
    if (w->now_ms < w->http.next_ms) {
        w->now_ms = w->http.next_ms < w->now_ms + 1000 ? w->http.next_ms : w->now_ms + 1000;
        return MOULT_HTTP_NOT_YET;
    }
    size_t most = hostile_net.drip_bytes ? hostile_net.drip_bytes : 1;
    if (most > capacity) { most = capacity; }
    enum moult_http_event event =
        update_server_poll(context, buffer, most, size, &ignored, failure);
    w->http.next_ms = w->now_ms + hostile_net.drip_ms;
    return event;
}

static enum moult_http_event poll(void *context, uint8_t *buffer, size_t capacity,
                                  size_t *size, struct moult_http_reply *reply,
                                  struct moult_http_failure *failure)
{
    bool has_begun = w->http.is_open && w->http.has_headers;
    bool is_endless = hostile_net.is_endless && is_of(open_path, hostile_net.endless_of);
    if (has_begun && is_endless) { return pour(buffer, capacity, size); }
    bool is_slow = hostile_net.drip_ms && strstr(open_path, "/artifact/") &&
                   is_of(open_path, hostile_net.drip_of);
    if (has_begun && is_slow) { return drip(context, buffer, capacity, size, failure); }
    uint32_t place = (uint32_t)(w->http.data - w->new.data) + w->http.done;
    enum moult_http_event event =
        update_server_poll(context, buffer, capacity, size, reply, failure);
    if (event == MOULT_HTTP_HEADERS && is_endless) { reply->has_length = false; }
    if (event != MOULT_HTTP_BODY) { return event; }
    hostile_net.bytes += *size;
    bool is_spoiled =
        hostile_net.spoil &&
        is_of(open_path, hostile_net.mirror ? hostile_net.mirror : "artifact");
    if (is_spoiled) { hostile_net.spoil(buffer, (uint32_t)*size, place); }
    return event;
}

static void rewire(struct world *world)
{
    world->port.http_start = start;
    world->port.http_poll = poll;
}

/* --- what everybody may write into an order who may sign one --- */

static void (*order_tweak)(struct world *, struct moult_assignment *);

void hostile_order(void (*tweak)(struct world *, struct moult_assignment *))
{
    order_tweak = tweak;
}

static void decorate(struct world *world, struct moult_assignment *order)
{
    static uint64_t counter;
    if (world->checkins <= 1) { counter = 0; }
    counter += 1 + hostile_draw(1000);
    order->counter = counter;
    order->ttl_s = 1 + hostile_draw(MOULT_ASSIGNMENT_TTL_MAX);
    order->iat_s += hostile_draw(100000);
    order->newest_sequence = hostile_draw64() >> hostile_draw(64);
    order->present |= hostile_draw(2) << MOULT_ASSIGNMENT_NEWEST_SEQUENCE;
    if (order_tweak) { order_tweak(world, order); }
}

static void tweak_only(struct world *world, struct moult_assignment *order)
{
    if (order_tweak) { order_tweak(world, order); }
}

/* Extensions: skipped by everybody. */
static void extend(struct statements_bytes *payload)
{
    static const char *const values[] = {"00", "f5", "63616263", "8201a0", "44deadbeef"};
    char path[16];
    snprintf(path, sizeof path, "%u", 64 + hostile_draw(60000));
    cbor_edit(payload, path, values[hostile_draw(5)]);
}

static void decorate_world(const struct hostile_row *row)
{
    w->tweak_order = row->holds_assign_key ? decorate : tweak_only;
    if (row->holds_assign_key && hostile_draw(2)) { w->spoil_payload = extend; }
    if (hostile_draw(2)) { w->next_s = hostile_draw(3) ? hostile_draw(120) : UINT32_MAX; }
}

/* --- tools of the generators --- */

void hostile_release_by(const struct statements_fleet *fleet, unsigned keys)
{
    w->release_envelope =
        statements_sign(fleet, statements_release_payload(&w->release), keys);
    statements_payload_digest(&w->fleet, &w->release_envelope, w->release_digest);
}

void hostile_sign_release(unsigned keys)
{
    hostile_release_by(&w->fleet, keys);
}

void hostile_keyset(struct statements_bytes envelope, uint32_t version)
{
    w->keysets[version - 2] = envelope;
    w->keyset_count = version - 1;
    w->keyset_hint = version;
}

/* --- one run --- */

static const struct world *fresh_of(uint8_t threshold)
{
    if (is_made[threshold]) { return &fresh[threshold]; }
    is_made[threshold] = true;
    struct world_options options = {.is_fixed = true, .release_threshold = threshold};
    world_make_as(&fresh[threshold], &options);
    fresh[threshold].keeps_offering = true;
    if (hostile_own.signers[0].context) { return &fresh[threshold]; }
    hostile_own = fresh[threshold].fleet;
    for (unsigned i = 0; i < STATEMENTS_KEYS; i++) {
        fixed_signer(OWN_KEYS + i, &hostile_own.signers[i]);
    }
    return &fresh[threshold];
}

static bool begin(const struct hostile_row *row, uint64_t seed)
{
    chance = seed * 1000003 + row->number;
    world_copy(w, fresh_of(row->release_threshold ? row->release_threshold : 1));
    memset(&hostile_net, 0, sizeof hostile_net);
    order_tweak = NULL;
    w->rewire = rewire;
    w->random = hostile_draw64();
    w->config.backoff_max_ms = 8000;
    w->config.transfer_tries_max = 3;
    if (row->prepare && !row->prepare()) { return false; }
    decorate_world(row);
    return true;
}

static void picture(void)
{
    memcpy(before, w->device.bits, sizeof before);
    memset(erases, 0, sizeof erases);
    w->device.chip.flash.erase_count = erases;
}

static bool is_said(const struct hostile_attack *attack)
{
    for (unsigned i = 0; i < w->report_count; i++) {
        const struct world_report *r = &w->reports[i];
        bool is_native = attack->native == 0 || r->native == attack->native;
        if (r->detail == attack->code && is_native) { return true; }
    }
    return false;
}

static bool is_met(const struct hostile_attack *attack)
{
    bool is_told = attack->code == 0 || is_said(attack);
    bool is_new = attack->when != SURVIVED || world_report_of(w, MOULT_REPORT_CONFIRMED);
    return is_told && is_new;
}

/* The attack and the device, until the server has heard of it. */
static bool meet(const struct hostile_attack *attack)
{
    unsigned boots = w->boots;
    if (!world_boot(w, MOULT_RESET_POWER_ON)) { return false; }
    for (unsigned i = 0; i < STEPS_MAX && w->boots - boots < BOOTS_MAX; i++) {
        if (is_met(attack)) { return true; }
        if (hostile_net.before_step) { hostile_net.before_step(); }
        if (!world_step(w)) { return false; }
    }
    return is_met(attack);
}

/* Behind the store and otadata only the target slot may differ. */
static bool is_rest_untouched(void)
{
    const uint8_t *bits = w->device.bits;
    uint32_t slot = w->target == 0 ? SIM_SLOT_0_AT : SIM_SLOT_1_AT;
    return memcmp(bits, before, SIM_NVS_AT) == 0 &&
           memcmp(bits + SIM_SLOT_0_AT, before + SIM_SLOT_0_AT, slot - SIM_SLOT_0_AT) ==
               0 &&
           memcmp(bits + slot + SIM_SLOT_SIZE, before + slot + SIM_SLOT_SIZE,
                  SIM_FLASH_SIZE - slot - SIM_SLOT_SIZE) == 0;
}

static const char *fault_of(const struct hostile_attack *attack)
{
    enum { FIRST = SIM_SLOT_1_AT / MOULT_SECTOR_SIZE, COUNT = SIM_SLOT_SIZE / 4096 };
    unsigned slot_erases = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        slot_erases += erases[FIRST + i];
    }
    if (w->seen.panic) { return "the flash refused something"; }
    if (w->foreign_boots) { return "something foreign was booted"; }
    if (w->seen.wrong_marks) { return "a wrong image was confirmed"; }
    if (hostile_net.is_plain) { return "a request went to another host"; }
    if (attack->also && !attack->also()) { return "a further promise is broken"; }
    if (attack->when == SURVIVED) {
        return world_runs(w, &w->new) ? NULL : "the update did not happen";
    }
    if (!world_runs(w, &w->old)) { return "the old image does not run"; }
    if (world_slot_boots(w, 1)) { return "a bootloader would start the target slot"; }
    if (!is_rest_untouched()) { return "something outside the target slot has changed"; }
    if (attack->when == FOUND_LATER) { return NULL; }
    if (slot_erases) { return "a sector was erased though all was known before"; }
    if (w->artifact_requests) { return "bytes were fetched though all was known before"; }
    return NULL;
}

/* --- afterwards --- */

/* Counts as a server does: above what the device says it has seen. */
static void count_on(struct world *world, struct moult_assignment *order)
{
    order->counter = world->last_checkin.counter + 1;
}

static void make_honest(void)
{
    world_deployment(w, '9');
    memset(&hostile_net, 0, sizeof hostile_net);
    w->tweak_order = count_on;
    w->spoil_payload = w->spoil_envelope = NULL;
    w->raw_order.size = w->order_padding = 0;
    w->order_keys = 0;
    w->transfer = WORLD_GOOD;
    w->second_url = w->away_url = NULL;
    w->is_down = w->is_pending = w->has_endless_keysets = false;
    w->checkin_status = w->release_status = 0;
    w->next_s = 60;
    w->keyset_hint = 0;
    w->policy_keys = 0;
    w->action = MOULT_ACTION_INSTALL;
    w->keeps_offering = false;
    w->kv_fails = NULL;
    w->hook = NULL;
}

static bool takes_the_next_release(const struct hostile_row *row)
{
    uint32_t fused = w->port.secure_version(w->port.context);
    bool is_new = world_runs(w, &w->new);
    if (is_new) { w->old = w->new; }
    make_honest();
    world_image(
        w, &w->new,
        &(struct world_image_options){.sequence = w->session.running.info.sequence + 7,
                                      .version = "1.1.0",
                                      .secure_version = fused});
    world_offer(w, &w->new);
    w->release.components[0].secure_version = (uint8_t)fused;
    world_sign_release(w, 0);
    if (row->recover) { row->recover(); }
    moult_resume(&w->session);
    moult_check_now(&w->session, w->now_ms);
    for (unsigned i = 0; i < STEPS_MAX; i++) {
        if (world_runs(w, &w->new) && world_settle(w)) { return world_runs(w, &w->new); }
        if (!world_step(w)) { return false; }
    }
    return false;
}

static bool wrong(const struct hostile_row *row, const struct hostile_attack *attack,
                  uint64_t seed, const char *what)
{
    printf("  row %u (%s), %s: %s\n", row->number, row->attack, attack->what, what);
    printf(
        "    repeat: ROW=%u SEED=%llu; expected E%04u, device says E%04u R%u native %d\n",
        row->number, (unsigned long long)seed, attack->code, w->session.trouble.detail,
        w->session.trouble.reason, (int)w->session.trouble.native);
    for (unsigned i = 0; i < w->report_count; i++) {
        const struct world_report *r = &w->reports[i];
        printf("    heard kind %u E%04u R%u native %d %s\n", r->kind, r->detail, r->reason,
               (int)r->native, r->text);
    }
    return false;
}

/* The seed names the attack as well, so that it repeats alone. */
bool hostile_play(const struct hostile_row *row, uint64_t seed)
{
    const struct hostile_attack *attack = &row->attacks[seed % row->count];
    if (!begin(row, seed)) { return wrong(row, attack, seed, "could not be prepared"); }
    attack->arm();
    picture();
    w->artifact_requests = 0;
    bool is_heard = meet(attack);
    const char *fault = fault_of(attack);
    if (!is_heard) { return wrong(row, attack, seed, fault ? fault : "it was not told"); }
    if (fault) { return wrong(row, attack, seed, fault); }
    if (!takes_the_next_release(row)) {
        return wrong(row, attack, seed, "the next good release is not taken");
    }
    return true;
}

static uint64_t number_of(const char *name, uint64_t preset)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : preset;
}

static bool play_row(const struct hostile_row *row)
{
    uint64_t runs = number_of("HOSTILE_RUNS", RUNS_PRESET) * row->count;
    uint64_t seed = number_of("SEED", UINT64_MAX);
    if (seed != UINT64_MAX) { return hostile_play(row, seed); }
    unsigned failures = 0;
    for (uint64_t i = 0; i < runs && failures < 3; i++) {
        failures += !hostile_play(row, i);
    }
    printf("row %2u %-36s holds %-34s %2u attacks %5llu runs %s\n", row->number,
           row->attack, row->holds, row->count, (unsigned long long)runs,
           failures ? "FAILED" : "ok");
    return failures == 0;
}

bool hostile_play_all(const struct hostile_row *rows, unsigned count)
{
    bool is_good = true;
    uint64_t only = number_of("ROW", 0);
    for (unsigned i = 0; i < count; i++) {
        if (only != 0 && rows[i].number != only) { continue; }
        is_good &= play_row(&rows[i]);
    }
    return is_good;
}

void hostile_end(void)
{
    world_forget(w);
    for (unsigned i = 0; i < 3; i++) {
        if (is_made[i]) { world_free(&fresh[i]); }
    }
}
