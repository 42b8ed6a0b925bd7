/* serve.c - see serve.h. */
#include "server/signer/serve.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "formats/bytes.h"
#include "formats/codes.h"
#include "server/base/mem.h"
#include "server/base/signer_protocol.h"

/* A client that does not read its replies is not read from either. */
enum { INPUT_SIZE = 16384, OUTPUT_SIZE = 65536, POLL_MS = 500 };
#define REPLY_SIZE_MAX (SIGNER_FRAME_HEAD + SIGNER_REPLY_OFFSET + MOULT_STATEMENT_SIZE_MAX)

struct client {
    int fd; /* -1: free */
    size_t input_size, output_size, output_sent;
    uint8_t input[INPUT_SIZE], output[OUTPUT_SIZE];
};

struct server {
    struct orders *orders;
    const struct serve_options *options;
    int listen_fd;
    struct client *clients; /* SERVE_CONNECTIONS_MAX, owned */
};

/* One reply, built behind the head that finish() fills in. */
struct reply {
    uint16_t detail;
    uint8_t body[MOULT_STATEMENT_SIZE_MAX];
    size_t size;
};

static void reply_refusal(struct reply *reply, const struct orders_refusal *refusal)
{
    reply->detail = refusal->detail ? refusal->detail : MOULT_D_API_INTERNAL;
    reply->size = strnlen(refusal->text, SIGNER_REFUSAL_MAX);
    memcpy(reply->body, refusal->text, reply->size);
}

static void do_hello(struct server *server, struct moult_bytes body, struct reply *reply)
{
    const struct orders *orders = server->orders;
    if (body.size != 2 || get_be16(body.data) != SIGNER_PROTOCOL_VERSION) {
        struct orders_refusal refusal = {.detail = MOULT_D_SIGN_PROTOCOL};
        snprintf(refusal.text, sizeof refusal.text, "expected protocol version %u",
                 SIGNER_PROTOCOL_VERSION);
        reply_refusal(reply, &refusal);
        return;
    }
    put_be16(reply->body, SIGNER_PROTOCOL_VERSION);
    memcpy(reply->body + 2, orders->keyset.fleet_id, 16);
    memcpy(reply->body + 18, orders->key.kid, MOULT_KID_SIZE);
    put_be32(reply->body + 26, orders->keyset.version);
    put_be64(reply->body + 30, orders->counters.stored);
    reply->size = SIGNER_HELLO_SIZE;
}

static void do_sign(struct server *server, struct moult_bytes body, struct reply *reply)
{
    struct orders_refusal refusal = {0};
    struct moult_cbor_writer writer;
    moult_cbor_writer_init(&writer, reply->body, sizeof reply->body);
    uint64_t now_ms = clock_realtime_ms(server->options->clock);
    enum moult_status st = orders_sign(server->orders, body, now_ms, &writer, &refusal);
    if (st == MOULT_OK) {
        reply->size = writer.size;
        return;
    }
    log_warn(&server->options->log, "order_refused", "detail", refusal.detail, "why",
             refusal.text);
    reply_refusal(reply, &refusal);
}

static void do_release(struct server *server, struct moult_bytes body, struct reply *reply)
{
    struct orders_refusal refusal = {0};
    enum moult_status st = orders_add_release(server->orders, body, reply->body, &refusal);
    if (st != MOULT_OK) {
        log_warn(&server->options->log, "release_refused", "detail", refusal.detail, "why",
                 refusal.text);
        reply_refusal(reply, &refusal);
        return;
    }
    char digest[2 * 32 + 1];
    moult_hex_encode(reply->body, 32, digest);
    log_info(&server->options->log, "release_listed", "payload", digest);
    reply->size = 32;
}

static void do_keyset(struct server *server, struct moult_bytes body, struct reply *reply)
{
    struct orders_refusal refusal = {0};
    uint32_t version = 0, before = server->orders->keyset.version;
    enum moult_status st = orders_adopt_keyset(server->orders, body, &version, &refusal);
    if (st != MOULT_OK) {
        log_warn(&server->options->log, "keyset_refused", "detail", refusal.detail, "why",
                 refusal.text);
        reply_refusal(reply, &refusal);
        return;
    }
    if (version != before) {
        log_info(&server->options->log, "keyset_adopted", "version", version);
    }
    put_be32(reply->body, version);
    reply->size = 4;
}

static void do_status(struct server *server, struct moult_bytes body, struct reply *reply)
{
    (void)body; /* no arguments */
    put_be64(reply->body, server->orders->signed_count);
    put_be64(reply->body + 8, server->orders->refused_count);
    put_be32(reply->body + 16, (uint32_t)server->orders->releases.count);
    reply->size = 20;
}

static void (*const operations[])(struct server *, struct moult_bytes, struct reply *) = {
    [SIGNER_HELLO] = do_hello,   [SIGNER_SIGN] = do_sign,     [SIGNER_RELEASE] = do_release,
    [SIGNER_KEYSET] = do_keyset, [SIGNER_STATUS] = do_status,
};
enum { OPERATION_COUNT = sizeof operations / sizeof operations[0] };

/* frame: what is behind the size field. False: the stream cannot be trusted any more. */
static bool serve_frame(struct server *server, struct client *client, const uint8_t *frame,
                        size_t size)
{
    uint8_t operation = frame[4];
    if (operation >= OPERATION_COUNT || !operations[operation]) { return false; }
    struct moult_bytes body = {frame + SIGNER_BODY_OFFSET, size - SIGNER_BODY_OFFSET};
    struct reply reply = {0};
    operations[operation](server, body, &reply);

    uint8_t *out = client->output + client->output_size;
    put_be32(out, (uint32_t)(SIGNER_REPLY_OFFSET + reply.size));
    memcpy(out + SIGNER_FRAME_HEAD, frame, 4);
    put_be16(out + SIGNER_FRAME_HEAD + 4, reply.detail);
    memcpy(out + SIGNER_FRAME_HEAD + SIGNER_REPLY_OFFSET, reply.body, reply.size);
    client->output_size += SIGNER_FRAME_HEAD + SIGNER_REPLY_OFFSET + reply.size;
    return true;
}

static bool serve_input(struct server *server, struct client *client)
{
    size_t at = 0;
    while (client->input_size - at >= SIGNER_FRAME_HEAD &&
           client->output_size + REPLY_SIZE_MAX <= OUTPUT_SIZE) {
        size_t size = get_be32(client->input + at);
        if (size < SIGNER_FRAME_MIN || size > SIGNER_FRAME_MAX) { return false; }
        if (client->input_size - at < SIGNER_FRAME_HEAD + size) { break; }
        if (!serve_frame(server, client, client->input + at + SIGNER_FRAME_HEAD, size)) {
            return false;
        }
        at += SIGNER_FRAME_HEAD + size;
    }
    memmove(client->input, client->input + at, client->input_size - at);
    client->input_size -= at;
    return true;
}

static void drop(struct server *server, struct client *client, const char *why)
{
    log_info(&server->options->log, "client_gone", "why", why);
    close(client->fd);
    client->fd = -1;
}

static bool flush_output(struct client *client)
{
    while (client->output_sent < client->output_size) {
        ssize_t n =
            send(client->fd, client->output + client->output_sent,
                 client->output_size - client->output_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) { return true; }
        if (n <= 0) { return false; }
        client->output_sent += (size_t)n;
    }
    client->output_size = client->output_sent = 0;
    return true;
}

static void serve_client(struct server *server, struct client *client)
{
    if (client->input_size < INPUT_SIZE) {
        ssize_t n = recv(client->fd, client->input + client->input_size,
                         INPUT_SIZE - client->input_size, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            drop(server, client, n == 0 ? "closed" : strerror(errno));
            return;
        }
        client->input_size += n > 0 ? (size_t)n : 0;
    }
    if (!serve_input(server, client)) {
        drop(server, client, "malformed frame");
        return;
    }
    if (!flush_output(client)) { drop(server, client, "write failed"); }
}

static void accept_client(struct server *server)
{
    int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) { return; }
    struct ucred peer = {0};
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
        peer.uid != server->options->allow_uid) {
        log_warn(&server->options->log, "client_refused", "uid", (unsigned)peer.uid,
                 "expected_uid", (unsigned)server->options->allow_uid);
        close(fd);
        return;
    }
    for (size_t i = 0; i < SERVE_CONNECTIONS_MAX; i++) {
        struct client *client = &server->clients[i];
        if (client->fd >= 0) { continue; }
        client->fd = fd;
        client->input_size = client->output_size = client->output_sent = 0;
        log_info(&server->options->log, "client_connected", "pid", (int)peer.pid);
        return;
    }
    log_warn(&server->options->log, "client_refused", "connections", SERVE_CONNECTIONS_MAX);
    close(fd);
}

static void serve_once(struct server *server)
{
    struct pollfd fds[SERVE_CONNECTIONS_MAX + 1] = {
        {.fd = server->listen_fd, .events = POLLIN}};
    for (size_t i = 0; i < SERVE_CONNECTIONS_MAX; i++) {
        const struct client *client = &server->clients[i];
        fds[i + 1].fd = client->fd; /* negative ones are skipped by poll */
        fds[i + 1].events = client->output_size > 0 ? POLLOUT : POLLIN;
    }
    if (poll(fds, SERVE_CONNECTIONS_MAX + 1, POLL_MS) <= 0) { return; }
    for (size_t i = 0; i < SERVE_CONNECTIONS_MAX; i++) {
        if (fds[i + 1].revents) { serve_client(server, &server->clients[i]); }
    }
    if (fds[0].revents) { accept_client(server); }
}

static bool someone_answers(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answers =
        fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;
    if (fd >= 0) { close(fd); }
    return answers;
}

static enum moult_status open_socket(struct server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n = snprintf(address.sun_path, sizeof address.sun_path, "%s",
                     server->options->socket_path);
    if (n < 0 || n >= (int)sizeof address.sun_path) { return MOULT_E_RANGE; }
    if (someone_answers(&address)) { return MOULT_E_EXISTS; }
    unlink(address.sun_path);

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) { return MOULT_E_IO; }
    /* The peer's uid is checked on every connection; the mode lets that uid reach it. */
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(address.sun_path, 0666) != 0 || listen(fd, SERVE_CONNECTIONS_MAX) != 0) {
        close(fd);
        return MOULT_E_IO;
    }
    server->listen_fd = fd;
    return MOULT_OK;
}

enum moult_status serve_run(struct orders *orders, const struct serve_options *options)
{
    struct server server = {.orders = orders, .options = options};
    server.clients = mem_alloc_array(SERVE_CONNECTIONS_MAX, sizeof server.clients[0]);
    if (!server.clients) { return MOULT_E_NOMEM; }
    for (size_t i = 0; i < SERVE_CONNECTIONS_MAX; i++) {
        server.clients[i].fd = -1;
    }

    enum moult_status st = open_socket(&server);
    if (st == MOULT_OK) {
        if (options->ready) { options->ready(options->context); }
        while (!*options->stop) {
            serve_once(&server);
        }
        for (size_t i = 0; i < SERVE_CONNECTIONS_MAX; i++) {
            if (server.clients[i].fd >= 0) { close(server.clients[i].fd); }
        }
        close(server.listen_fd);
        unlink(options->socket_path);
    }
    mem_free(server.clients);
    return st;
}
