/* lossy_net.c - see lossy_net.h. */
#include "tests/support/lossy_net.h"
#include <string.h>
#include "tests/support/update_server.h"

enum { SILENT_STEP_MS = 1000 };

uint32_t lossy_net_draw(struct lossy_net *net, uint32_t bound)
{
    net->seed = net->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(((net->seed >> 32) * bound) >> 32);
}

static bool rolls(struct lossy_net *net, unsigned percent)
{
    return lossy_net_draw(net, 100) < percent;
}

static void lose(struct lossy_net *net, uint32_t after)
{
    net->how = LOST_RESET + lossy_net_draw(net, 3);
    net->left = after;
}

/* The newest answer is kept; or an older one comes in its place. */
static void mix_up(struct world *w, struct lossy_net *net)
{
    unsigned kept = net->reply_count < LOSSY_REPLIES ? net->reply_count : LOSSY_REPLIES;
    uint8_t fresh[MOULT_REPLY_SIZE_MAX];
    uint32_t size = w->http.size;
    if (size == 0 || size > sizeof fresh || w->http.reply.status != 200) { return; }
    memcpy(fresh, w->http.data, size);
    if (kept > 0 && rolls(net, net->stale_percent)) {
        unsigned which = lossy_net_draw(net, kept);
        net->stale++;
        w->http.data = net->replies[which].data;
        w->http.size = w->http.cut = net->replies[which].size;
        w->http.reply.length = w->http.size;
    }
    unsigned at = net->reply_count++ % LOSSY_REPLIES;
    if (w->http.data == net->replies[at].data) { return; } /* it is on its way */
    memcpy(net->replies[at].data, fresh, size);
    net->replies[at].size = size;
}

static int32_t start(void *context, const struct moult_http_request *request)
{
    struct world *w = update_world_of(context);
    struct lossy_net *net = w->own;
    net->requests++;
    net->how = LOST_NOTHING;
    net->silent_ms = 0;
    net->is_lost = rolls(net, net->lost_percent);
    if (net->is_lost) {
        net->lost_requests++;
        lose(net, 0);
        w->http.timeout_ms = request->timeout_ms;
        return 0;
    }
    int32_t native = update_server_start(context, request);
    if (rolls(net, net->double_percent)) {
        update_server_cancel(context);
        net->doubled++;
        native = update_server_start(context, request);
    }
    bool is_checkin = strcmp(request->path, "/device/v1/checkin") == 0;
    if (is_checkin) { mix_up(w, net); }
    if (rolls(net, net->lost_percent)) {
        net->lost_replies++;
        net->is_lost = true;
        lose(net, 0);
    } else if (w->http.size > 0 && rolls(net, net->lost_percent)) {
        net->lost_bodies++;
        lose(net, lossy_net_draw(net, w->http.size));
    }
    return native;
}

static enum moult_http_event end_lost(void *context, struct moult_http_failure *failure)
{
    struct world *w = update_world_of(context);
    struct lossy_net *net = w->own;
    bool is_silent = net->how == LOST_SILENT && net->silent_ms <= w->http.timeout_ms;
    if (is_silent) {
        w->now_ms += SILENT_STEP_MS;
        net->silent_ms += SILENT_STEP_MS;
        return MOULT_HTTP_NOT_YET;
    }
    update_server_cancel(context);
    bool is_orderly = net->how == LOST_SHORT && !net->is_lost;
    if (is_orderly) { return MOULT_HTTP_END; }
    enum moult_net_failure kind = net->how == LOST_SILENT ? MOULT_NET_STALL
                                  : net->is_lost          ? MOULT_NET_CONNECT
                                                          : MOULT_NET_RESET;
    *failure = (struct moult_http_failure){kind, -1};
    return MOULT_HTTP_FAILED;
}

static enum moult_http_event poll(void *context, uint8_t *buffer, size_t capacity,
                                  size_t *size, struct moult_http_reply *reply,
                                  struct moult_http_failure *failure)
{
    struct world *w = update_world_of(context);
    struct lossy_net *net = w->own;
    if (net->is_lost) { return end_lost(context, failure); }
    bool has_begun = w->http.is_open && w->http.has_headers;
    if (has_begun && net->how != LOST_NOTHING) {
        if (net->left == 0) { return end_lost(context, failure); }
        if (capacity > net->left) { capacity = net->left; }
    }
    enum moult_http_event event =
        update_server_poll(context, buffer, capacity, size, reply, failure);
    if (event == MOULT_HTTP_BODY) {
        net->bytes += (unsigned)*size;
        if (net->how != LOST_NOTHING) { net->left -= (uint32_t)*size; }
    }
    return event;
}

static void rewire(struct world *w)
{
    w->port.http_start = start;
    w->port.http_poll = poll;
}

void lossy_net_plug(struct world *w, struct lossy_net *net)
{
    w->own = net;
    w->rewire = rewire;
    rewire(w);
}
