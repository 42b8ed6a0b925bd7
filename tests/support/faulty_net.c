/* faulty_net.c - see faulty_net.h. */
#include "tests/support/faulty_net.h"
#include <string.h>
#include "tests/support/update_server.h"

enum { RETRY_AFTER_S = 7, SILENT_STEP_MS = 500, DRIP_MS = 10000 };

static const struct {
    const char *what;
    bool is_head;
} faults[] = {
#define X(name, head, what) [NET_##name] = {what, head},
    NET_FAULTS(X)
#undef X
};

const char *net_fault_what(enum net_fault fault)
{
    return fault < NET_FAULT_COUNT ? faults[fault].what : "?";
}

bool net_fault_is_head(enum net_fault fault)
{
    return fault < NET_FAULT_COUNT && faults[fault].is_head;
}

static void strike(struct faulty_net *net)
{
    net->strikes++;
    net->is_struck = true;
}

/* --- the request --- */

static void begin_file(struct faulty_net *net, struct moult_http_request *request)
{
    net->requests++;
    bool is_late = net->is_struck && net_fault_is_head(net->fault);
    if (is_late && (net->for_ever || net->strikes == 1)) {
        net->spoils = net->fault;
        strike(net);
    }
    if (net->spoils == NET_REPLACED) { request->if_range = NULL; } /* it is of that file */
    uint32_t again =
        net->furthest > request->range_from ? net->furthest - request->range_from : 0;
    if (again > net->refetched) { net->refetched = again; }
    net->furthest = request->range_from;
}

static int32_t start(void *context, const struct moult_http_request *request)
{
    struct world *w = update_world_of(context);
    struct faulty_net *net = w->own;
    struct moult_http_request asked = *request;
    bool is_file = strstr(request->path, net->path ? net->path : "/artifact/") != NULL;
    net->is_silent = false;
    net->spoils = NET_NOTHING;
    if (is_file) { begin_file(net, &asked); }
    int32_t native = update_server_start(context, &asked);
    net->is_open = native == 0 && is_file;
    return native;
}

/* --- the head of the answer --- */

static void say_status(struct world *w, struct moult_http_reply *reply, uint16_t status)
{
    bool asks_to_wait = status == 429 || status == 503;
    *reply = (struct moult_http_reply){
        .status = status,
        .has_length = true,
        .retry_after_s = asks_to_wait ? RETRY_AFTER_S : 0,
    };
    w->http.size = w->http.cut = w->http.done = 0;
}

static void say_whole(struct world *w, struct moult_http_reply *reply)
{
    reply->status = 200;
    reply->has_range = false;
    reply->length = w->new.size;
    w->http.data = w->new.data;
    w->http.size = w->http.cut = w->new.size;
}

static void spoil_head(struct world *w, struct moult_http_reply *reply)
{
    switch (((struct faulty_net *)w->own)->spoils) {
    case NET_WHOLE:
        say_whole(w, reply);
        break;
    case NET_WRONG_RANGE:
        reply->range_from++, reply->range_to++;
        break;
    case NET_NO_RANGE:
        reply->has_range = false;
        break;
    case NET_WRONG_TOTAL:
        reply->range_total++;
        break;
    case NET_WRONG_LENGTH:
        reply->length++;
        break;
    case NET_CHUNKED:
        reply->has_length = false;
        break;
    case NET_REDIRECT:
        say_status(w, reply, 302);
        break;
    case NET_NOT_FOUND:
        say_status(w, reply, 404);
        break;
    case NET_UNSATISFIABLE:
        say_status(w, reply, 416);
        break;
    case NET_TOO_MANY:
        say_status(w, reply, 429);
        break;
    case NET_UNAVAILABLE:
        say_status(w, reply, 503);
        break;
    case NET_REPLACED:
        memcpy(reply->etag, "\"other\"", 8);
        break;
    default:
        break;
    }
}

/* --- the body --- */

static enum moult_http_event lose(void *context, struct moult_http_failure *failure,
                                  enum moult_net_failure kind)
{
    struct faulty_net *net = update_world_of(context)->own;
    update_server_cancel(context);
    net->is_open = false;
    *failure = (struct moult_http_failure){kind, -1};
    return MOULT_HTTP_FAILED;
}

/* Time passes while nothing comes: the engine need not be asked 50 times a second. */
static enum moult_http_event keep_silent(void *context, struct moult_http_failure *failure)
{
    struct world *w = update_world_of(context);
    w->now_ms += SILENT_STEP_MS;
    bool is_over = w->now_ms - w->http.next_ms > w->http.timeout_ms;
    return is_over ? lose(context, failure, MOULT_NET_STALL) : MOULT_HTTP_NOT_YET;
}

/* What happens at the byte. MOULT_HTTP_BODY: nothing, go on. */
static enum moult_http_event strike_body(void *context, struct moult_http_failure *failure)
{
    struct world *w = update_world_of(context);
    struct faulty_net *net = w->own;
    strike(net);
    net->is_reset_due = net->resets_device && net->strikes == 1;
    switch (net->fault) {
    case NET_TLS:
        return lose(context, failure, MOULT_NET_TLS);
    case NET_BAD_CHUNK:
        return lose(context, failure, MOULT_NET_PROTOCOL);
    case NET_SHORT:
        update_server_cancel(context);
        net->is_open = false;
        return MOULT_HTTP_END;
    case NET_STALL:
        net->is_silent = true;
        w->http.next_ms = w->now_ms;
        return MOULT_HTTP_NOT_YET;
    case NET_DRIP:
    case NET_CORRUPT:
    case NET_LONGER:
        net->spoils = net->fault;
        return MOULT_HTTP_BODY;
    default: /* a reset, and the cut before a spoiled head */
        return lose(context, failure, MOULT_NET_RESET);
    }
}

static bool is_due(const struct faulty_net *net)
{
    bool is_armed = net_fault_is_head(net->fault) ? !net->is_struck
                                                  : net->for_ever || net->strikes == 0;
    bool is_spoiled =
        net->spoils == NET_DRIP || net->spoils == NET_LONGER || net->spoils == NET_CORRUPT;
    return net->fault != NET_NOTHING && is_armed && !is_spoiled && net->place == net->at;
}

static void count(struct faulty_net *net, size_t size)
{
    net->place += (uint32_t)size;
    net->bytes += size;
    if (net->place > net->furthest) { net->furthest = net->place; }
}

/* The next bytes as the server sends them, up to the place of the fault; then altered. */
static enum moult_http_event pass_on(void *context, uint8_t *buffer, size_t capacity,
                                     size_t *size, struct moult_http_failure *failure)
{
    struct world *w = update_world_of(context);
    struct faulty_net *net = w->own;
    struct moult_http_reply ignored;
    bool is_before = net->place < net->at;
    if (is_before && capacity > net->at - net->place) { capacity = net->at - net->place; }
    bool is_at = net->place == net->at;
    if (is_at && net->spoils == NET_LONGER) {
        net->spoils = NET_WHOLE; /* once in this answer */
        buffer[0] = 0xee;
        *size = 1;
        net->bytes++;
        return MOULT_HTTP_BODY;
    }
    bool is_single = net->spoils == NET_DRIP || (is_at && net->spoils == NET_CORRUPT);
    enum moult_http_event event = update_server_poll(
        context, buffer, is_single ? 1 : capacity, size, &ignored, failure);
    if (event != MOULT_HTTP_BODY) { return event; }
    if (net->spoils == NET_DRIP) { w->http.next_ms = w->now_ms + DRIP_MS; }
    if (is_at && net->spoils == NET_CORRUPT) { buffer[0] ^= 0x10; }
    bool is_other = net->spoils == NET_REPLACED || net->spoils == NET_REPLACED_UNSAID;
    for (size_t i = 0; is_other && i < *size; i++) {
        buffer[i] ^= 0x5a;
    }
    count(net, *size);
    return event;
}

static enum moult_http_event poll(void *context, uint8_t *buffer, size_t capacity,
                                  size_t *size, struct moult_http_reply *reply,
                                  struct moult_http_failure *failure)
{
    struct world *w = update_world_of(context);
    struct faulty_net *net = w->own;
    if (!net->is_open || !w->http.is_open) {
        return update_server_poll(context, buffer, capacity, size, reply, failure);
    }
    if (net->spoils == NET_NO_CONNECTION) {
        return lose(context, failure, MOULT_NET_CONNECT);
    }
    if (!w->http.has_headers) {
        enum moult_http_event event =
            update_server_poll(context, buffer, capacity, size, reply, failure);
        net->place = reply->has_range ? reply->range_from : 0;
        spoil_head(w, reply);
        if (reply->status == 200) { net->place = 0; }
        return event;
    }
    if (net->is_silent) { return keep_silent(context, failure); }
    if (net->spoils == NET_DRIP && w->now_ms < w->http.next_ms) {
        w->now_ms += SILENT_STEP_MS;
        return MOULT_HTTP_NOT_YET;
    }
    if (is_due(net)) {
        enum moult_http_event event = strike_body(context, failure);
        if (event != MOULT_HTTP_BODY) { return event; }
    }
    return pass_on(context, buffer, capacity, size, failure);
}

static void rewire(struct world *w)
{
    w->port.http_start = start;
    w->port.http_poll = poll;
}

void faulty_net_plug(struct world *w, struct faulty_net *net)
{
    w->own = net;
    w->rewire = rewire;
    rewire(w);
}
