/* update_server.c - the scripted server of update_world.h, and its transport. */
#include "tests/support/update_server.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/support/update_world.h"

enum { REQUEST_NONE, REQUEST_STATEMENT, REQUEST_ARTIFACT };

static void must(bool claim, const char *what)
{
    if (claim) { return; }
    fprintf(stderr, "update_server.c: %s failed\n", what);
    abort();
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

/* One source for each further component, behind the application's; url has room for all. */
static void add_parts(const struct world *w, struct moult_assignment *order,
                      char url[][MOULT_SOURCE_URL_MAX + 1])
{
    for (unsigned i = 0; i < w->part_count; i++) {
        const struct world_part *part = &w->parts[i];
        int size = snprintf(url[i], MOULT_SOURCE_URL_MAX + 1, "/device/v1/artifact/%s",
                            part->name);
        order->sources[order->source_count++] = (struct moult_source){
            .component = part->component,
            .kind = MOULT_SOURCE_FULL,
            .size = part->size,
            .digest = part->digest,
            .url = {(const uint8_t *)url[i], (size_t)size},
        };
    }
}

static struct statements_bytes make_order(struct world *w)
{
    char url[MOULT_RELEASE_COMPONENTS_MAX - 1][MOULT_SOURCE_URL_MAX + 1];
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
        add_parts(w, &order, url);
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
    bool is_first = w->first_order.size == 0 && w->action == MOULT_ACTION_INSTALL;
    if (is_first) { w->first_order = envelope; }
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
    if (w->report_count == WORLD_REPORTS_MAX) { /* a long story: the oldest goes */
        w->report_count--;
        memmove(w->reports, w->reports + 1, w->report_count * sizeof w->reports[0]);
    }
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
    if (w->endpoints_hint) {
        reply.present |= 1u << MOULT_REPLY_ENDPOINTS;
        reply.endpoints_version = w->endpoints_hint;
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
    unsigned long version = strtoul(number, NULL, 10);
    w->keyset_requests++;
    if (w->has_endless_keysets) {
        struct moult_keyset keyset = statements_keyset(&w->fleet, (uint32_t)version);
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

static void answer_endpoints(struct world *w)
{
    w->endpoints_requests++;
    if (w->endpoints.size == 0) {
        say_status(w, 404);
        return;
    }
    say(w, w->endpoints.data, w->endpoints.size);
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
    w->http.data = w->http.file + from;
    w->http.size = w->http.cut = to - from + 1;
}

static void say_whole(struct world *w)
{
    w->http.reply.status = 200;
    w->http.reply.has_length = true;
    w->http.reply.length = w->http.file_size;
    w->http.data = w->http.file;
    w->http.size = w->http.cut = w->http.file_size;
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
    case WORLD_CHANGING:
        reply->etag[1] = (char)('A' + w->artifact_requests % 26);
        break;
    case WORLD_SHORT_RANGE:
        if (reply->length <= w->transfer_at) { break; }
        reply->length = w->transfer_at;
        reply->range_to = reply->range_from + w->transfer_at - 1;
        w->http.size = w->http.cut = w->transfer_at;
        break;
    case WORLD_FLIPPED:
        memcpy(spoiled, w->http.file, w->http.file_size);
        spoiled[5000 % w->http.file_size] ^= 1;
        w->http.data = spoiled + (w->http.data - w->http.file);
        break;
    case WORLD_STATUS:
        say_status(w, (uint16_t)w->transfer_at);
        break;
    default:
        break;
    }
}

/* The file of that name into http.file. False: there is none. */
static bool find_file(struct world *w, const char *name)
{
    w->http.file = w->new.data;
    w->http.file_size = w->new.size;
    if (strcmp(name, "new") == 0) { return true; }
    for (unsigned i = 0; i < w->part_count; i++) {
        w->http.file = w->parts[i].data;
        w->http.file_size = w->parts[i].size;
        if (strcmp(name, w->parts[i].name) == 0) { return true; }
    }
    return false;
}

static void answer_artifact(struct world *w, const struct moult_http_request *request)
{
    if (!find_file(w, strrchr(request->path, '/') + 1)) {
        say_status(w, 404);
        return;
    }
    w->http.kind = REQUEST_ARTIFACT;
    w->artifact_requests++;
    memcpy(w->http.reply.etag, "\"new\"", 6);
    must(request->has_range && request->range_to < w->http.file_size,
         "a range of the file");
    if (request->if_range && strcmp(request->if_range, "\"new\"") != 0 &&
        w->transfer != WORLD_CHANGED) {
        say_whole(w);
    } else {
        say_range(w, request->range_from, request->range_to, w->http.file_size);
    }
    spoil(w);
}

/* --- transport --- */

int32_t update_server_start(void *context, const struct moult_http_request *request)
{
    struct world *w = update_world_of(context);
    struct moult_bytes body = {request->body.data, request->body.size};
    const char *path = request->path;
    must(!w->http.is_open, "one request at a time");
    memset(&w->http, 0, sizeof w->http);
    w->http.is_open = true;
    w->http.kind = REQUEST_STATEMENT;
    w->http.begun_ms = w->http.next_ms = w->now_ms;
    w->http.timeout_ms = request->timeout_ms;
    bool is_artifact = strstr(path, "/artifact/") != NULL;
    bool is_refused = w->is_down || (is_artifact && w->transfer == WORLD_REFUSE) ||
                      (w->away_url && strcmp(path, w->away_url) == 0);
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
    } else if (strncmp(path, "/device/v1/endpoints/", 21) == 0) {
        answer_endpoints(w);
    } else if (strncmp(path, "/device/v1/release/", 19) == 0) {
        answer_release(w);
    } else if (strncmp(path, "/device/v1/artifact/", 20) == 0) {
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

enum moult_http_event update_server_poll(void *context, uint8_t *buffer, size_t capacity,
                                         size_t *size, struct moult_http_reply *reply,
                                         struct moult_http_failure *failure)
{
    struct world *w = update_world_of(context);
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

void update_server_cancel(void *context)
{
    update_world_of(context)->http.is_open = false;
}
