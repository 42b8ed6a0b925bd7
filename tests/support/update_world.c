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

enum { DROM = 0x3c000020, UNIX_S = 1767225600 };
enum { REQUEST_NONE, REQUEST_STATEMENT, REQUEST_ARTIFACT };

static void must(bool claim, const char *what)
{
    if (claim) { return; }
    fprintf(stderr, "update_world.c: %s failed\n", what);
    abort();
}

static struct world *world_of(void *context)
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
    uint8_t *at = w->device.bits + (slot == 0 ? SIM_SLOT_0_AT : SIM_SLOT_1_AT);
    memset(at, 0xff, SIM_SLOT_SIZE);
    memcpy(at, image->data, image->size);
}

const uint8_t *world_slot(const struct world *w, uint32_t slot)
{
    return w->device.bits + (slot == 0 ? SIM_SLOT_0_AT : SIM_SLOT_1_AT);
}

/* --- the server's statements --- */

void world_deployment(struct world *w, char number)
{
    memcpy(w->deployment, "deployment-0000", 15);
    w->deployment[15] = (uint8_t)number;
}

void world_sign_release(struct world *w, unsigned keys)
{
    if (keys) {
        w->release_envelope =
            statements_sign(&w->fleet, statements_release_payload(&w->release), keys);
    } else {
        w->release_envelope = statements_signed_release(&w->fleet, &w->release);
    }
    statements_payload_digest(&w->fleet, &w->release_envelope, w->release_digest);
}

void world_offer(struct world *w, const struct world_image *image)
{
    w->release = statements_release(&w->fleet, image->sequence);
    w->release.rollback_floor = 1;
    w->release.present |= 1u << MOULT_RELEASE_ROLLBACK_FLOOR;
    w->release.components[0].size = image->size;
    w->release.components[0].digest = image->digest;
    world_sign_release(w, 0);
}

static uint64_t unix_now(const struct world *w)
{
    return w->unix_s + w->now_ms / 1000;
}

static void add_source(const struct world *w, struct moult_assignment *order,
                       const char *url)
{
    struct moult_source *source = &order->sources[order->source_count++];
    *source = (struct moult_source){
        .component = MOULT_COMPONENT_APP,
        .kind = MOULT_SOURCE_FULL,
        .size = w->release.components[0].size,
        .digest = w->release.components[0].digest,
        .url = {(const uint8_t *)url, strlen(url)},
    };
}

static struct statements_bytes make_order(struct world *w)
{
    struct moult_assignment order =
        w->action == MOULT_ACTION_INSTALL
            ? statements_install(&w->fleet, w->release_digest, 0)
            : statements_none(&w->fleet, 0);
    order.action = (uint8_t)w->action;
    order.nonce = w->served_nonce;
    order.counter = ++w->counter;
    order.iat_s = unix_now(w);
    if (w->action == MOULT_ACTION_INSTALL) {
        order.deployment_id = w->deployment;
        order.source_count = 0;
        if (w->second_url) { add_source(w, &order, w->second_url); }
        add_source(w, &order, "/device/v1/artifact/new");
        if (w->policy_keys) {
            order.policy = w->policy;
            order.policy.present = w->policy_keys;
            order.present |= 1u << MOULT_ASSIGNMENT_POLICY;
        }
    }
    if (w->tweak_order) { w->tweak_order(w, &order); }
    unsigned keys = w->order_keys ? w->order_keys : 1u << STATEMENTS_ASSIGN;
    struct statements_bytes payload = statements_assignment_payload(&order);
    if (w->spoil_payload) { w->spoil_payload(&payload); }
    struct statements_bytes envelope = statements_sign(&w->fleet, payload, keys);
    if (w->spoil_envelope) { w->spoil_envelope(&envelope); }
    return envelope;
}

/* --- what the server hears --- */

static struct world_report *stored(struct world *w, const struct moult_report *r)
{
    for (unsigned i = 0; i < w->report_count; i++) {
        if (w->reports[i].boot_id == r->boot_id && w->reports[i].sequence == r->sequence) {
            return &w->reports[i];
        }
    }
    must(w->report_count < WORLD_REPORTS_MAX, "room for reports");
    struct world_report *kept = &w->reports[w->report_count++];
    *kept = (struct world_report){
        .boot_id = r->boot_id,
        .sequence = r->sequence,
        .kind = r->kind,
        .reason = r->reason,
        .detail = r->detail,
        .native = r->native,
        .offset = r->offset,
        .reset = r->reset_reason,
        .has_reset = r->present >> MOULT_REPORT_RESET_REASON & 1,
    };
    memcpy(kept->deployment, r->deployment_id, 16);
    if (r->text.size > 0) { memcpy(kept->text, r->text.data, r->text.size); }
    return kept;
}

static void hear(struct world *w, struct moult_cbor_list list)
{
    struct moult_report report;
    while (moult_report_next(&list, &report)) {
        stored(w, &report)->copies++;
        bool is_final = report.kind == MOULT_REPORT_CONFIRMED ||
                        report.kind == MOULT_REPORT_ROLLED_BACK ||
                        report.kind == MOULT_REPORT_FAILED;
        bool is_done = is_final && !w->keeps_offering &&
                       memcmp(report.deployment_id, w->deployment, 16) == 0;
        if (is_done) { w->action = MOULT_ACTION_NONE; }
    }
}

static void say(struct world *w, const uint8_t *data, size_t size)
{
    must(size <= sizeof w->http.body, "room for the reply");
    if (size > 0) { memmove(w->http.body, data, size); }
    w->http.data = w->http.body;
    w->http.size = w->http.cut = (uint32_t)size;
    w->http.reply.status = 200;
    w->http.reply.has_length = true;
    w->http.reply.length = (uint32_t)size;
}

static void say_status(struct world *w, uint16_t status)
{
    say(w, NULL, 0);
    w->http.reply.status = status;
    w->http.reply.retry_after_s = w->retry_after_s;
}

static void answer_checkin(struct world *w, struct moult_bytes body)
{
    struct moult_checkin in;
    must(moult_checkin_read(body, &in, NULL) == MOULT_OK, "a check-in the server can read");
    w->checkins++;
    w->last_checkin = in;
    w->last_facts = in.facts.present;
    if (w->checkin_status) {
        say_status(w, w->checkin_status);
        return;
    }
    hear(w, in.reports);
    memcpy(w->served_nonce, in.nonce, 16);
    struct statements_bytes order = w->raw_order.size ? w->raw_order : make_order(w);
    memset(order.data + order.size, 0, w->order_padding);
    struct moult_checkin_reply reply = {.next_s = w->next_s};
    if (!w->is_pending) {
        reply.present |= 1u << MOULT_REPLY_ASSIGNMENT;
        reply.assignment = (struct moult_bytes){order.data, order.size + w->order_padding};
    }
    if (w->keyset_hint) {
        reply.present |= 1u << MOULT_REPLY_KEYSET;
        reply.keyset_version = w->keyset_hint;
    }
    uint8_t out[4096];
    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, out, sizeof out);
    moult_checkin_reply_write(&writer, &reply);
    must(writer.status == MOULT_OK, "reply");
    say(w, out, writer.size);
}

static void answer_report(struct world *w, struct moult_bytes body)
{
    struct moult_cbor_list list;
    must(moult_report_batch_read(body, &list, NULL) == MOULT_OK,
         "reports the server can read");
    w->posts++;
    hear(w, list);
    uint8_t out[256];
    struct moult_cbor_writer writer;
    struct moult_gone gone = {.count = w->says_gone};
    gone.deployment_id[0] = w->deployment;
    moult_cbor_writer_init(&writer, out, sizeof out);
    moult_report_reply_write(&writer, &gone);
    say(w, out, writer.size);
}

static void answer_keyset(struct world *w, const char *number)
{
    unsigned version = (unsigned)atoi(number);
    w->keyset_requests++;
    if (w->has_endless_keysets) {
        struct moult_keyset keyset = statements_keyset(&w->fleet, version);
        struct statements_bytes made = statements_sign(
            &w->fleet, statements_keyset_payload(&keyset), 3u << STATEMENTS_ROOT);
        say(w, made.data, made.size);
        return;
    }
    if (version < 2 || version - 2 >= w->keyset_count) {
        say_status(w, 404);
        return;
    }
    say(w, w->keysets[version - 2].data, w->keysets[version - 2].size);
}

static void answer_release(struct world *w)
{
    w->release_requests++;
    if (w->release_status) {
        say_status(w, w->release_status);
        return;
    }
    say(w, w->release_envelope.data, w->release_envelope.size);
}

/* --- the artifact, and everything that can be wrong with it --- */

static void say_range(struct world *w, uint32_t from, uint32_t to, uint32_t total)
{
    struct moult_http_reply *reply = &w->http.reply;
    reply->status = 206;
    reply->has_range = true;
    reply->range_from = from;
    reply->range_to = to;
    reply->range_total = total;
    reply->has_length = true;
    reply->length = to - from + 1;
    w->http.data = w->new.data + from;
    w->http.size = w->http.cut = to - from + 1;
}

static void say_whole(struct world *w)
{
    w->http.reply.status = 200;
    w->http.reply.has_length = true;
    w->http.reply.length = w->new.size;
    w->http.data = w->new.data;
    w->http.size = w->http.cut = w->new.size;
}

static void spoil(struct world *w)
{
    struct moult_http_reply *reply = &w->http.reply;
    static uint8_t spoiled[WORLD_IMAGE_MAX];
    switch (w->transfer) {
    case WORLD_NO_RANGES:
        say_whole(w);
        break;
    case WORLD_WRONG_RANGE:
        reply->range_from++, reply->range_to++;
        break;
    case WORLD_WRONG_TOTAL:
        reply->range_total++;
        break;
    case WORLD_WRONG_LENGTH:
        say_whole(w);
        reply->length++;
        break;
    case WORLD_TOO_LONG:
        reply->has_length = false;
        w->http.size = w->http.cut = w->http.size + 16;
        break;
    case WORLD_CUT:
    case WORLD_CUT_ONCE:
    case WORLD_SHORT:
        if (w->http.cut > w->transfer_at) { w->http.cut = w->transfer_at; }
        if (w->transfer == WORLD_CUT_ONCE) { w->transfer = WORLD_GOOD; }
        if (w->transfer == WORLD_SHORT) { w->http.size = w->http.cut; }
        break;
    case WORLD_CHANGED:
        if (w->artifact_bytes < w->transfer_at) { break; }
        memcpy(reply->etag, "\"other\"", 8);
        break;
    case WORLD_FLIPPED:
        memcpy(spoiled, w->new.data, w->new.size);
        spoiled[5000] ^= 1;
        w->http.data = spoiled + (w->http.data - w->new.data);
        break;
    case WORLD_STATUS:
        say_status(w, (uint16_t)w->transfer_at);
        break;
    default:
        break;
    }
}

static void answer_artifact(struct world *w, const struct moult_http_request *request)
{
    w->http.kind = REQUEST_ARTIFACT;
    w->artifact_requests++;
    memcpy(w->http.reply.etag, "\"new\"", 6);
    must(request->has_range && request->range_to < w->new.size, "a range of the file");
    if (request->if_range && strcmp(request->if_range, "\"new\"") != 0 &&
        w->transfer != WORLD_CHANGED) {
        say_whole(w);
    } else {
        say_range(w, request->range_from, request->range_to, w->new.size);
    }
    spoil(w);
}

/* --- transport --- */

static int32_t http_start(void *context, const struct moult_http_request *request)
{
    struct world *w = world_of(context);
    struct moult_bytes body = {request->body.data, request->body.size};
    const char *path = request->path;
    must(!w->http.is_open, "one request at a time");
    memset(&w->http, 0, sizeof w->http);
    w->http.is_open = true;
    w->http.kind = REQUEST_STATEMENT;
    w->http.begun_ms = w->http.next_ms = w->now_ms;
    w->http.timeout_ms = request->timeout_ms;
    bool is_artifact = strstr(path, "/artifact/") != NULL;
    bool is_refused = w->is_down || (is_artifact && w->transfer == WORLD_REFUSE);
    if (is_refused) {
        w->http.kind = REQUEST_NONE;
        return 0;
    }
    if (strcmp(path, "/device/v1/checkin") == 0) {
        answer_checkin(w, body);
    } else if (strcmp(path, "/device/v1/report") == 0) {
        answer_report(w, body);
    } else if (strncmp(path, "/device/v1/keyset/", 18) == 0) {
        answer_keyset(w, path + 18);
    } else if (strncmp(path, "/device/v1/release/", 19) == 0) {
        answer_release(w);
    } else if (strcmp(path, "/device/v1/artifact/new") == 0) {
        answer_artifact(w, request);
    } else {
        say_status(w, 404);
    }
    return 0;
}

static enum moult_http_event fail(struct world *w, struct moult_http_failure *failure,
                                  enum moult_net_failure kind)
{
    w->http.is_open = false;
    *failure = (struct moult_http_failure){kind, -1};
    return MOULT_HTTP_FAILED;
}

static enum moult_http_event body_piece(struct world *w, uint8_t *buffer, size_t capacity,
                                        size_t *size)
{
    bool is_dribbling = w->http.kind == REQUEST_ARTIFACT && w->transfer == WORLD_DRIBBLE;
    size_t most = is_dribbling ? 1 : 1460;
    if (capacity < most) { most = capacity; }
    if (w->http.cut - w->http.done < most) { most = w->http.cut - w->http.done; }
    memcpy(buffer, w->http.data + w->http.done, most);
    w->http.done += (uint32_t)most;
    if (is_dribbling) { w->http.next_ms = w->now_ms + 10000; }
    if (w->http.kind == REQUEST_ARTIFACT) { w->artifact_bytes += most; }
    *size = most;
    return MOULT_HTTP_BODY;
}

static enum moult_http_event http_poll(void *context, uint8_t *buffer, size_t capacity,
                                       size_t *size, struct moult_http_reply *reply,
                                       struct moult_http_failure *failure)
{
    struct world *w = world_of(context);
    if (!w->http.is_open) { return fail(w, failure, MOULT_NET_RESET); }
    if (w->http.kind == REQUEST_NONE) { return fail(w, failure, w->down_kind); }
    if (!w->http.has_headers) {
        w->http.has_headers = true;
        *reply = w->http.reply;
        return MOULT_HTTP_HEADERS;
    }
    bool is_stalled = w->http.kind == REQUEST_ARTIFACT && w->transfer == WORLD_STALL;
    if (is_stalled && w->now_ms - w->http.begun_ms > w->http.timeout_ms) {
        return fail(w, failure, MOULT_NET_STALL);
    }
    if (is_stalled || w->now_ms < w->http.next_ms) { return MOULT_HTTP_NOT_YET; }
    if (w->http.done < w->http.cut) { return body_piece(w, buffer, capacity, size); }
    if (w->http.cut < w->http.size) { return fail(w, failure, MOULT_NET_RESET); }
    w->http.is_open = false;
    return MOULT_HTTP_END;
}

static void http_cancel(void *context)
{
    world_of(context)->http.is_open = false;
}

/* --- the platform and the application --- */

static bool draw(void *context, uint8_t *out, size_t size)
{
    struct world *w = world_of(context);
    for (size_t i = 0; i < size; i++) {
        w->random = w->random * 6364136223846793005u + 1442695040888963407u;
        out[i] = (uint8_t)(w->random >> 56);
    }
    return w->has_entropy;
}

/* With MOULT_TRACE set: what the engine logs, in words. */
static void trace(void *context, enum moult_log_level level, uint16_t id, uint32_t a,
                  uint32_t b)
{
    struct world *w = world_of(context);
    const struct moult_log_words *words = moult_log_words(id);
    (void)level;
    if (!getenv("MOULT_TRACE")) { return; }
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

static bool is_in(const struct world *w, const char *state)
{
    struct moult_progress p;
    moult_progress(&w->session, &p);
    return strcmp(p.state, state) == 0;
}

/* A reset takes RAM with it; the host's crypto library keeps its heap, so give that back. */
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

static int32_t kv_set(void *context, const char *key, const uint8_t *data, size_t size)
{
    struct world *w = world_of(context);
    bool fails = w->kv_fails && strncmp(key, w->kv_fails, strlen(w->kv_fails)) == 0;
    return fails ? NATIVE_ERROR : w->sim.kv_set(context, key, data, size);
}

static bool strikes(unsigned *count)
{
    if (*count == 0) { return false; }
    (*count)--;
    return true;
}

static int32_t flash_erase(void *context, uint32_t slot, uint32_t offset)
{
    struct world *w = world_of(context);
    return strikes(&w->erase_fails) ? NATIVE_ERROR
                                    : w->sim.flash_erase(context, slot, offset);
}

static int32_t flash_write(void *context, uint32_t slot, uint32_t offset,
                           const uint8_t *data, size_t size)
{
    struct world *w = world_of(context);
    if (strikes(&w->write_fails)) { return NATIVE_ERROR; }
    if (strikes(&w->write_noops)) { return 0; }
    return w->sim.flash_write(context, slot, offset, data, size);
}

static int32_t set_boot(void *context, uint32_t slot)
{
    struct world *w = world_of(context);
    return w->set_boot_error ? w->set_boot_error : w->sim.set_boot(context, slot);
}

static int32_t mark_valid(void *context)
{
    struct world *w = world_of(context);
    return w->mark_valid_error ? w->mark_valid_error : w->sim.mark_valid(context);
}

static int32_t mark_invalid_and_reboot(void *context)
{
    struct world *w = world_of(context);
    return w->mark_invalid_error ? w->mark_invalid_error
                                 : w->sim.mark_invalid_and_reboot(context);
}

static uint8_t signal_dbm(void *context)
{
    return world_of(context)->signal_dbm;
}

static bool battery(void *context, uint8_t *percent, uint16_t *millivolt)
{
    *percent = world_of(context)->battery_percent;
    *millivolt = 3600;
    return *percent != 0;
}

static void plug_in(struct world *w)
{
    w->sim.context = NULL; /* whole before it is copied */
    moult_sim_port_callbacks(&w->device.port, &w->sim);
    w->port = w->sim;
    w->port.kv_set = kv_set;
    w->port.flash_erase = flash_erase;
    w->port.flash_write = flash_write;
    w->port.set_boot = set_boot;
    w->port.mark_valid = mark_valid;
    w->port.mark_invalid_and_reboot = mark_invalid_and_reboot;
    w->port.signal = signal_dbm;
    w->port.battery = battery;
    w->port.http_start = http_start;
    w->port.http_poll = http_poll;
    w->port.http_cancel = http_cancel;
    w->port.random = draw;
    w->port.log = trace;
}

bool world_boot(struct world *w, uint8_t reset)
{
    w->http.is_open = false;
    w->boots++;
    lose_ram(w);
    w->crash_left = w->crash_after;
    struct sim_device *d = &w->device;
    /* A reset leaves a planned cut planned; only a cut that has struck is over. */
    if (d->chip.flash.is_off) { moult_sim_flash_power_on(&d->chip.flash); }
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
    struct moult_health_check check = {"sensor", sensor, w, 20000};
    must(moult_health_add(&w->session, &check) == MOULT_OK, "health check");
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
    return world_boot(w, MOULT_RESET_PANIC);
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
    enum moult_step step = moult_step(&w->session, w->now_ms);
    if (w->device.chip.flash.is_off) { return false; }
    uint32_t wait = step == MOULT_STEP_WAIT ? moult_wait_ms(&w->session, w->now_ms) : 1;
    w->now_ms += wait ? wait : 1;
    return crash(w);
}

static bool is_quiet(const struct world *w)
{
    struct moult_progress p;
    moult_progress(&w->session, &p);
    return strcmp(p.state, "IDLE") == 0 && !p.on_trial && p.size == 0 && p.reports == 0 &&
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
        bool is_now = is_quiet(w);
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

/* --- looking at it --- */

bool world_runs(const struct world *w, const struct world_image *image)
{
    int slot = w->device.port.boot.booted;
    return slot >= 0 &&
           memcmp(world_slot(w, (uint32_t)slot), image->data, image->size) == 0;
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

static void put_otadata(struct world *w)
{
    moult_otadata_encode(1, MOULT_OTADATA_VALID, w->device.bits + SIM_OTADATA_AT);
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
    memset(w, 0, sizeof *w);
    sim_device_make(&w->device);
    statements_fleet_make(&w->fleet, NULL);
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
    world_image(w, &w->old,
                &(struct world_image_options){.sequence = 1, .version = "1.0.0"});
    world_image(w, &w->new,
                &(struct world_image_options){.sequence = 2, .version = "1.1.0"});
    world_put(w, 0, &w->old);
    put_otadata(w);
    world_offer(w, &w->new);
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
