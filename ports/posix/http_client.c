/* http_client.c - see http_client.h. */
#include "ports/posix/http_client.h"
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "ports/posix/clock.h"

#ifndef MOULT_VERSION
#error "MOULT_VERSION comes from CMake"
#endif

enum state { ST_IDLE, ST_RESOLVE, ST_CONNECT, ST_HANDSHAKE, ST_SEND, ST_RECEIVE };

/* What one move came to. */
enum move { MOVE_ON, MOVE_WAIT, MOVE_FAILED };

void moult_http_client_init(struct moult_http_client *client, struct moult_tls *tls)
{
    memset(client, 0, sizeof *client);
    client->tls = tls;
    client->fd = -1;
}

static void disconnect(struct moult_http_client *client)
{
    moult_tls_close(client->tls);
    if (client->fd >= 0) { close(client->fd); }
    client->fd = -1;
    client->is_connected = false;
}

void moult_http_client_end(struct moult_http_client *client)
{
    disconnect(client);
    moult_resolver_end(&client->resolver);
    client->state = ST_IDLE;
}

static void moved(struct moult_http_client *client)
{
    client->moved_ms = moult_clock_ms();
}

static enum move fail(struct moult_http_client *client, enum moult_net_failure kind,
                      int32_t native)
{
    client->failure = (struct moult_http_failure){.kind = kind, .native = native};
    return MOVE_FAILED;
}

/* --- The request -----------------------------------------------------------------------
 */

MOULT_PRINTF(2, 3)
static bool add(struct moult_http_client *client, const char *format, ...)
{
    size_t room = sizeof client->head - client->head_size;
    va_list args;
    va_start(args, format);
    int size = vsnprintf(client->head + client->head_size, room, format, args);
    va_end(args);
    if (size < 0 || (size_t)size >= room) { return false; }
    client->head_size += (size_t)size;
    return true;
}

static bool is_clean(const char *text)
{
    for (; text && *text; text++) {
        if (*text < ' ' || *text > '~') { return false; }
    }
    return true;
}

/* prefix: the path of the base URL. */
static bool write_head(struct moult_http_client *client,
                       const struct moult_http_request *request, const char *prefix,
                       const char *path)
{
    const struct moult_url *url = &client->url;
    const char *method = request->method == MOULT_HTTP_POST ? "POST" : "GET";
    size_t prefix_size = strlen(prefix);
    if (prefix_size && prefix[prefix_size - 1] == '/') { prefix_size--; } /* path has one */
    client->head_size = 0;
    bool fits =
        add(client, "%s %.*s%s HTTP/1.1\r\n", method, (int)prefix_size, prefix, path) &&
        add(client, url->is_ipv6 ? "Host: [%s]:%u\r\n" : "Host: %s:%u\r\n", url->host,
            url->port) &&
        add(client, "User-Agent: libmoult/" MOULT_VERSION "\r\n");
    if (fits && request->content_type) {
        fits = add(client, "Content-Type: %s\r\n", request->content_type);
    }
    if (fits && request->method == MOULT_HTTP_POST) {
        fits = add(client, "Content-Length: %zu\r\n", request->body.size);
    }
    if (fits && request->has_range) {
        fits = add(client, "Range: bytes=%u-%u\r\n", (unsigned)request->range_from,
                   (unsigned)request->range_to);
    }
    if (fits && request->if_range) {
        fits = add(client, "If-Range: %s\r\n", request->if_range);
    }
    return fits && add(client, "\r\n");
}

/* Whether the kept connection is for this host, and still alive. */
static bool may_reuse(struct moult_http_client *client, const struct moult_url *url)
{
    if (!client->is_connected || client->url.port != url->port ||
        strcmp(client->url.host, url->host) != 0) {
        return false;
    }
    moult_http_client_tend(client);
    return client->is_connected;
}

static void begin_response(struct moult_http_client *client)
{
    moult_http_begin(&client->parser);
    client->sent = client->in_at = client->in_size = 0;
    client->had_answer = client->in_body = client->peer_closed = false;
    moved(client);
}

int32_t moult_http_client_start(struct moult_http_client *client,
                                const struct moult_http_request *request)
{
    if (client->state != ST_IDLE) { return MOULT_HTTP_E_BUSY; }
    struct moult_url url;
    const char *text = request->base ? request->base : request->path;
    if (moult_url_parse(text, &url) != MOULT_OK) { return MOULT_HTTP_E_URL; }
    const char *prefix = request->base ? url.path : "";
    const char *path = request->base ? request->path : url.path;
    if ((request->base && path[0] != '/') ||
        request->body.size > MOULT_HTTP_BODY_SIZE_MAX || !is_clean(path) ||
        !is_clean(request->if_range) || !is_clean(request->content_type)) {
        return MOULT_HTTP_E_REQUEST;
    }
    if (path[0] == 0) { path = "/"; }
    client->is_reused = may_reuse(client, &url);
    if (!client->is_reused) { disconnect(client); }
    client->url = url;
    client->url.path = ""; /* the caller's text does not outlive this call */
    if (!write_head(client, request, prefix, path)) { return MOULT_HTTP_E_REQUEST; }
    client->body = (struct moult_bytes){request->body.data, request->body.size};
    client->timeout_ms = request->timeout_ms;
    client->state = client->is_reused ? ST_SEND : ST_RESOLVE;
    begin_response(client);
    return 0;
}

/* --- Connecting ------------------------------------------------------------------------
 */

static enum move resolve(struct moult_http_client *client)
{
    struct moult_resolver *resolver = &client->resolver;
    bool is_open = resolver->is_asking && !resolver->is_stale;
    switch (is_open ? moult_resolver_poll(resolver)
                    : moult_resolver_ask(resolver, client->url.host, client->url.port)) {
    case MOULT_RESOLVE_DONE:
        break;
    case MOULT_RESOLVE_BUSY:
        return MOVE_WAIT;
    default:
        return fail(client, MOULT_NET_DNS, resolver->native);
    }
    client->address = 0;
    client->state = ST_CONNECT;
    moved(client);
    return MOVE_ON;
}

/* The socket of the address that is tried. */
static enum move open_socket(struct moult_http_client *client)
{
    const struct moult_address *address = &client->resolver.addresses[client->address];
    const int on = 1;
    client->fd =
        socket(address->at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0) { return fail(client, MOULT_NET_CONNECT, errno); }
    /* Only speed is lost without it. */
    (void)setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(client->fd, (const struct sockaddr *)&address->at, address->size) == 0 ||
        errno == EINPROGRESS) {
        return MOVE_ON;
    }
    return fail(client, MOULT_NET_CONNECT, errno);
}

static enum move await_connection(struct moult_http_client *client)
{
    struct pollfd wait = {.fd = client->fd, .events = POLLOUT};
    int error = 0;
    socklen_t size = sizeof error;
    client->events = POLLOUT;
    if (poll(&wait, 1, 0) == 0) { return MOVE_WAIT; }
    if (getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) { error = errno; }
    return error ? fail(client, MOULT_NET_CONNECT, error) : MOVE_ON;
}

static enum move connect_some(struct moult_http_client *client)
{
    enum move move = client->fd < 0 ? open_socket(client) : MOVE_ON;
    if (move == MOVE_ON) { move = await_connection(client); }
    if (move == MOVE_WAIT) { return MOVE_WAIT; }
    if (move == MOVE_FAILED) {
        disconnect(client);
        return ++client->address < client->resolver.count ? MOVE_ON : MOVE_FAILED;
    }
    if (moult_tls_open(client->tls, client->fd, client->url.host) != MOULT_OK) {
        return fail(client, MOULT_NET_TLS, ENOMEM);
    }
    client->is_connected = true;
    client->connection_count++;
    client->state = ST_HANDSHAKE;
    moved(client);
    return MOVE_ON;
}

/* --- TLS and what goes through it -------------------------------------------------------
 */

static enum move judge(struct moult_http_client *client, enum moult_tls_result result)
{
    switch (result) {
    case MOULT_TLS_WANT_READ:
        client->events = POLLIN;
        return MOVE_WAIT;
    case MOULT_TLS_WANT_WRITE:
        client->events = POLLOUT;
        return MOVE_WAIT;
    case MOULT_TLS_DONE:
        moved(client);
        return MOVE_ON;
    case MOULT_TLS_CLOSED:
        return fail(client, MOULT_NET_RESET, 0);
    default:
        client->failure = moult_tls_failure(client->tls);
        return MOVE_FAILED;
    }
}

static enum move handshake(struct moult_http_client *client)
{
    enum move move = judge(client, moult_tls_handshake(client->tls));
    if (move == MOVE_ON) { client->state = ST_SEND; }
    if (move == MOVE_FAILED && client->failure.kind == MOULT_NET_RESET) {
        client->failure.kind = MOULT_NET_TLS; /* how a server turns a certificate away */
    }
    return move;
}

static enum move send_some(struct moult_http_client *client)
{
    size_t total = client->head_size + client->body.size, written = 0;
    bool is_head = client->sent < client->head_size;
    const uint8_t *data = is_head ? (const uint8_t *)client->head + client->sent
                                  : client->body.data + (client->sent - client->head_size);
    size_t size = is_head ? client->head_size - client->sent : total - client->sent;
    enum move move = judge(client, moult_tls_write(client->tls, data, size, &written));
    client->sent += written;
    if (move == MOVE_ON && client->sent == total) { client->state = ST_RECEIVE; }
    return move;
}

static enum move receive_some(struct moult_http_client *client)
{
    size_t size = 0;
    enum moult_tls_result result =
        moult_tls_read(client->tls, client->in, sizeof client->in, &size);
    if (result == MOULT_TLS_CLOSED) { /* which may be how the body ends */
        client->peer_closed = true;
        return MOVE_ON;
    }
    client->in_at = 0;
    client->in_size = size;
    if (size) { client->had_answer = true; }
    return judge(client, result);
}

static enum move move_on(struct moult_http_client *client)
{
    switch (client->state) {
    case ST_RESOLVE:
        return resolve(client);
    case ST_CONNECT:
        return connect_some(client);
    case ST_HANDSHAKE:
        return handshake(client);
    case ST_SEND:
        return send_some(client);
    default:
        return receive_some(client);
    }
}

/* --- Events ------------------------------------------------------------------------------
 */

static enum moult_http_event end_request(struct moult_http_client *client, bool keeps)
{
    client->state = ST_IDLE;
    client->body = (struct moult_bytes){0};
    moult_resolver_cancel(&client->resolver);
    if (!keeps || client->in_at < client->in_size) { disconnect(client); }
    return MOULT_HTTP_END;
}

static enum moult_http_event give_up(struct moult_http_client *client,
                                     struct moult_http_failure *failure)
{
    *failure = client->failure;
    (void)end_request(client, false); /* its END is not for the caller */
    return MOULT_HTTP_FAILED;
}

/* Bytes that have arrived, or the end of them, as an event; NOT_YET: they are used up. */
static enum moult_http_event read_buffered(struct moult_http_client *client,
                                           uint8_t *buffer, size_t capacity, size_t *size)
{
    size_t part = client->in_size - client->in_at, used = 0;
    struct moult_bytes body = {0};
    if (part == 0 && client->peer_closed) {
        bool is_end = moult_http_finish(&client->parser) == MOULT_HTTP_PARSE_END;
        (void)fail(client, MOULT_NET_RESET, 0); /* read only when it is not the end */
        return is_end ? end_request(client, false) : MOULT_HTTP_FAILED;
    }
    if (client->in_body && part > capacity) { part = capacity; }
    enum moult_http_parse result =
        moult_http_parse(&client->parser, client->in + client->in_at, part, &used, &body);
    client->in_at += used;
    switch (result) {
    case MOULT_HTTP_PARSE_HEAD:
        client->in_body = true;
        return MOULT_HTTP_HEADERS;
    case MOULT_HTTP_PARSE_BODY:
        memcpy(buffer, body.data, body.size);
        *size = body.size;
        return MOULT_HTTP_BODY;
    case MOULT_HTTP_PARSE_END:
        return end_request(client, client->parser.keep_alive);
    case MOULT_HTTP_PARSE_BAD:
        (void)fail(client, MOULT_NET_PROTOCOL, (int32_t)client->parser.fault); /* FAILED */
        return MOULT_HTTP_FAILED;
    default:
        return MOULT_HTTP_NOT_YET;
    }
}

/* Whether the failure only says that a kept connection had been closed meanwhile. */
static bool may_try_again(const struct moult_http_client *client)
{
    return client->is_reused && !client->had_answer &&
           client->failure.kind != MOULT_NET_STALL;
}

static void try_again(struct moult_http_client *client)
{
    disconnect(client);
    client->is_reused = false;
    client->state = ST_RESOLVE;
    begin_response(client);
}

/* Nothing came and nothing went for too long. */
static enum move check_stall(struct moult_http_client *client)
{
    if (moult_clock_ms() - client->moved_ms < client->timeout_ms) { return MOVE_WAIT; }
    switch (client->state) {
    case ST_RESOLVE:
        return fail(client, MOULT_NET_DNS, EAI_AGAIN);
    case ST_CONNECT:
        return fail(client, MOULT_NET_CONNECT, ETIMEDOUT);
    default:
        return fail(client, MOULT_NET_STALL, ETIMEDOUT);
    }
}

enum moult_http_event moult_http_client_poll(struct moult_http_client *client,
                                             uint8_t *buffer, size_t capacity, size_t *size,
                                             struct moult_http_reply *reply,
                                             struct moult_http_failure *failure)
{
    assert(client->state != ST_IDLE && capacity > 0);
    for (;;) {
        enum moult_http_event event = MOULT_HTTP_NOT_YET;
        if (client->state == ST_RECEIVE) {
            event = read_buffered(client, buffer, capacity, size);
        }
        if (event == MOULT_HTTP_HEADERS) { *reply = client->parser.reply; }
        if (event == MOULT_HTTP_NOT_YET) {
            enum move move = move_on(client);
            if (move == MOVE_WAIT) { move = check_stall(client); }
            if (move == MOVE_WAIT) { return MOULT_HTTP_NOT_YET; }
            event = move == MOVE_FAILED ? MOULT_HTTP_FAILED : MOULT_HTTP_NOT_YET;
        }
        if (event == MOULT_HTTP_FAILED && !may_try_again(client)) {
            return give_up(client, failure);
        }
        if (event == MOULT_HTTP_FAILED) {
            try_again(client);
        } else if (event != MOULT_HTTP_NOT_YET) {
            return event;
        }
    }
}

void moult_http_client_cancel(struct moult_http_client *client)
{
    if (client->state == ST_IDLE) { return; }
    (void)end_request(client, false); /* its END is not for the caller */
}

bool moult_http_client_wants(const struct moult_http_client *client, struct pollfd *out)
{
    if (client->state == ST_IDLE && !client->is_connected) { return false; }
    *out = (struct pollfd){.fd = client->fd, .events = client->events};
    if (client->state == ST_IDLE) { out->events = POLLIN; }
    return true;
}

void moult_http_client_tend(struct moult_http_client *client)
{
    uint8_t byte;
    size_t size;
    if (client->state != ST_IDLE || !client->is_connected) { return; }
    if (moult_tls_read(client->tls, &byte, 1, &size) != MOULT_TLS_WANT_READ) {
        disconnect(client); /* closed, or it says what nobody asked for */
    }
}
