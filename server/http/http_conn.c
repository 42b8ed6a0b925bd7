/* http_conn.c - see http_conn.h.
 *
 * Input goes through input(), one state's worth at a time; a reply is written by
 * send_more() as far as the socket takes it. No function here calls itself: pipelined
 * requests are taken by the loops of consume() and resume().
 */
#include "server/http/http_conn.h"
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "server/base/mem.h"
#include "server/http/http_dispatch.h"
#include "server/http/http_exchange.h"

enum {
    READS_MAX = 4,                 /* of TLS_RECORD_SIZE per wake-up */
    LINGER_SIZE_MAX = 1024 * 1024, /* bytes thrown away before the peer is cut */
    BODY_PROGRESS = 16384,         /* bytes that renew the body's deadline */
};

static struct http_timers *timers_of(struct http_conn *conn)
{
    return &conn->thread->timers;
}

static void arm(struct http_conn *conn, enum http_timer_kind kind)
{
    http_timer_arm(timers_of(conn), &conn->timer, kind, conn->thread->now_ms);
}

static bool takes_input(const struct http_conn *conn)
{
    return conn->state == HTTP_CONN_IDLE || conn->state == HTTP_CONN_HEAD ||
           conn->state == HTTP_CONN_BODY;
}

/* --- epoll interest --- */

static void watch(struct http_conn *conn, uint32_t events)
{
    if (!conn->is_watched || conn->events == events) { return; }
    struct epoll_event event = {.events = events, .data.ptr = &conn->source};
    int rc = epoll_ctl(conn->thread->epoll_fd, EPOLL_CTL_MOD, conn->fd, &event);
    assert(rc == 0); /* the fd is in the set, and MOD needs no memory */
    (void)rc;        /* unused where assert is compiled out */
    conn->events = events;
}

/* A hung-up socket is always reported; while a reply is awaited that would be a busy
 * loop. */
static void unwatch(struct http_conn *conn)
{
    if (!conn->is_watched) { return; }
    (void)epoll_ctl(conn->thread->epoll_fd, EPOLL_CTL_DEL, conn->fd,
                    NULL); /* it is in it */
    conn->is_watched = false;
}

/* --- bytes --- */

static enum tls_io plain_result(ssize_t got)
{
    if (got > 0) { return TLS_IO_OK; }
    if (got == 0) { return TLS_IO_CLOSED; }
    return errno == EAGAIN || errno == EINTR ? TLS_IO_WANT_READ : TLS_IO_FAILED;
}

static enum tls_io conn_read(struct http_conn *conn, void *data, size_t size, size_t *done)
{
    if (conn->tls) { return tls_read(conn->tls, data, size, done); }
    ssize_t got = recv(conn->fd, data, size, 0);
    *done = got > 0 ? (size_t)got : 0;
    return plain_result(got);
}

static enum tls_io conn_write(struct http_conn *conn, const void *data, size_t size,
                              size_t *done)
{
    if (conn->tls) { return tls_write(conn->tls, data, size, done); }
    ssize_t got = send(conn->fd, data, size, MSG_NOSIGNAL);
    *done = got > 0 ? (size_t)got : 0;
    enum tls_io io = plain_result(got);
    return io == TLS_IO_WANT_READ ? TLS_IO_WANT_WRITE : io;
}

/* --- life and death --- */

static void link_conn(struct http_conn *conn)
{
    conn->next = conn->thread->all;
    if (conn->next) { conn->next->previous = conn; }
    conn->thread->all = conn;
}

static void unlink_conn(struct http_conn *conn)
{
    if (conn->previous) {
        conn->previous->next = conn->next;
    } else {
        conn->thread->all = conn->next;
    }
    if (conn->next) { conn->next->previous = conn->previous; }
}

bool http_conn_open(struct http_thread *thread, struct http_place *place, int fd,
                    const struct http_address *address)
{
    struct http_conn *conn = mem_alloc(sizeof *conn);
    if (!conn) { goto out; }
    conn->source.kind = HTTP_SOURCE_CONN;
    conn->fd = fd;
    conn->thread = thread;
    conn->place = place;
    conn->address = *address;
    http_timer_init(&conn->timer);
    if (place->listener.tls) {
        conn->tls = tls_accept_on(place->listener.tls, fd);
        if (!conn->tls) { goto out_conn; }
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &conn->source};
    if (epoll_ctl(thread->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) { goto out_tls; }
    conn->events = EPOLLIN;
    conn->is_watched = true;
    conn->state = conn->tls ? HTTP_CONN_HANDSHAKE : HTTP_CONN_IDLE;
    arm(conn, conn->tls ? HTTP_TIMER_HANDSHAKE : HTTP_TIMER_IDLE);
    link_conn(conn);
    metrics_add(place->accepted, 1);
    metrics_add(place->connections, 1);
    return true;
out_tls:
    tls_free(conn->tls);
out_conn:
    mem_free(conn);
out:
    close(fd);
    http_peers_remove(thread->server->peers, address);
    return false;
}

/* The exchange goes back to the pool, unless somebody else still has it in hand. */
static void drop_exchange(struct http_conn *conn)
{
    struct http_exchange *exchange = conn->exchange;
    conn->exchange = NULL;
    if (!exchange) { return; }
    if (exchange->state == HTTP_EXCHANGE_WAITING) {
        exchange->conn = NULL;
    } else {
        http_exchange_give(exchange);
    }
}

void http_conn_close(struct http_conn *conn)
{
    if (conn->state == HTTP_CONN_CLOSED) { return; }
    conn->state = HTTP_CONN_CLOSED;
    http_timer_disarm(timers_of(conn), &conn->timer);
    drop_exchange(conn);
    tls_free(conn->tls);
    conn->tls = NULL;
    close(conn->fd); /* leaves the epoll set with it */
    conn->is_watched = false;
    unlink_conn(conn);
    conn->next_closed = conn->thread->closed;
    conn->thread->closed = conn;
    http_peers_remove(conn->thread->server->peers, &conn->address);
    metrics_add(conn->place->connections, -1);
}

void http_conn_free_closed(struct http_thread *thread)
{
    while (thread->closed) {
        struct http_conn *conn = thread->closed;
        assert(!conn->is_ready); /* the ready list was run before */
        thread->closed = conn->next_closed;
        mem_free(conn->rest);
        mem_free(conn);
    }
}

/* --- writing replies --- */

static void count_reply(struct http_conn *conn)
{
    struct http_exchange *exchange = conn->exchange;
    struct http_server *server = conn->thread->server;
    uint64_t us = clock_monotonic_us(server->options.clock) - exchange->started_us;
    metrics_add(conn->place->replies[exchange->writer.status / 100], 1);
    metrics_add(conn->place->sent_bytes, (int64_t)exchange->sent);
    metrics_observe_us(conn->place->seconds, us);
    log_debug(&server->options.log, "http_request", "listener", conn->place->listener.name,
              "method", http_method_name(exchange->request.method), "path",
              exchange->request.path, "status", exchange->writer.status, "bytes",
              exchange->sent, "us", us, "peer", exchange->request.peer, "request",
              exchange->request.id);
}

/* Says that nothing more will come from here, and waits a little for the peer to agree:
 * closing with bytes unread would be a reset, which can overtake the reply. */
static void start_lingering(struct http_conn *conn)
{
    if (conn->tls) { tls_close(conn->tls); }
    (void)shutdown(conn->fd,
                   SHUT_WR); /* the peer may be gone already: the read below says */
    conn->state = HTTP_CONN_LINGER;
    arm(conn, HTTP_TIMER_LINGER);
    watch(conn, EPOLLIN);
}

static void finish_reply(struct http_conn *conn)
{
    bool keep_alive = conn->exchange->keep_alive;
    count_reply(conn);
    drop_exchange(conn);
    if (!keep_alive) {
        start_lingering(conn);
        return;
    }
    conn->state = HTTP_CONN_IDLE;
    arm(conn, HTTP_TIMER_IDLE);
    watch(conn, EPOLLIN);
}

/* Takes the next bytes of the reply, at most a wake-up's share, into thread->out. False:
 * the file cannot be read; the connection is closed, since the length is promised already.
 * */
static bool load_share(struct http_conn *conn, size_t *size)
{
    struct http_exchange *exchange = conn->exchange;
    struct http_thread *thread = conn->thread;
    if (http_writer_piece(&exchange->writer, exchange->sent, thread->out,
                          sizeof thread->out, size) == MOULT_OK) {
        return true;
    }
    log_error(&thread->server->options.log, "http_file_unreadable", "path",
              exchange->request.path, "request", exchange->request.id);
    http_conn_close(conn);
    return false;
}

/* Writes thread->out; TLS takes a record at a time. False: the socket takes no more now, or
 * the connection is closed. What was loaded and not written is loaded again later. */
static bool write_share(struct http_conn *conn, size_t size)
{
    for (size_t from = 0, done = 0; from < size; from += done) {
        enum tls_io io = conn_write(conn, conn->thread->out + from, size - from, &done);
        if (io == TLS_IO_WANT_WRITE || io == TLS_IO_WANT_READ) {
            watch(conn, io == TLS_IO_WANT_WRITE ? EPOLLOUT : EPOLLIN);
            return false;
        }
        if (io != TLS_IO_OK) {
            http_conn_close(conn);
            return false;
        }
        conn->exchange->sent += done;
        arm(conn, HTTP_TIMER_WRITE);
    }
    return true;
}

static void send_more(struct http_conn *conn)
{
    struct http_exchange *exchange = conn->exchange;
    size_t size;
    if (!load_share(conn, &size) || !write_share(conn, size)) { return; }
    if (exchange->sent < http_writer_size(&exchange->writer)) {
        watch(conn, EPOLLOUT); /* others' turn; epoll calls again at once if it may */
    } else {
        finish_reply(conn);
    }
}

static const char *date_now(struct http_thread *thread)
{
    uint64_t now_ms = clock_realtime_ms(thread->server->options.clock);
    if (now_ms / 1000 != thread->date_second || thread->date[0] == '\0') {
        thread->date_second = now_ms / 1000;
        clock_http_date(now_ms, thread->date);
    }
    return thread->date;
}

/* The reply is set: plans it and sends what the socket takes. */
static void start_reply(struct http_conn *conn)
{
    struct http_exchange *exchange = conn->exchange;
    struct http_server *server = conn->thread->server;
    bool is_read = exchange->body_received == exchange->request.body_size;
    exchange->keep_alive = exchange->keep_alive && is_read && !exchange->reply.close &&
                           !conn->thread->is_draining &&
                           conn->request_count < server->options.requests_max;
    struct http_writer_context context = {.date = date_now(conn->thread),
                                          .keep_alive = exchange->keep_alive};
    if (http_writer_plan(&exchange->writer, &exchange->request, &exchange->reply,
                         &context) != MOULT_OK) {
        log_error(&server->options.log, "http_reply_unsound", "path",
                  exchange->request.path, "request", exchange->request.id);
    }
    conn->state = HTTP_CONN_WRITE;
    arm(conn, HTTP_TIMER_WRITE);
    send_more(conn);
}

/* --- requests --- */

/* Tells a client that waits for it to send the body. 25 bytes into a socket that owes
 * nothing: if they do not fit, the peer is broken. */
static void send_continue(struct http_conn *conn)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    size_t done = 0;
    if (conn_write(conn, text, sizeof text - 1, &done) != TLS_IO_OK ||
        done != sizeof text - 1) {
        http_conn_close(conn);
    }
}

static void start_body(struct http_conn *conn)
{
    conn->state = HTTP_CONN_BODY;
    arm(conn, HTTP_TIMER_BODY);
    if (conn->exchange->may_continue) { send_continue(conn); }
}

static void act(struct http_conn *conn, enum http_next next)
{
    if (next == HTTP_NEXT_RUN) { next = http_dispatch_run(conn->exchange); }
    switch (next) {
    case HTTP_NEXT_BODY:
        start_body(conn);
        break;
    case HTTP_NEXT_WAIT:
        conn->state = HTTP_CONN_WAIT;
        arm(conn, HTTP_TIMER_REPLY);
        break;
    case HTTP_NEXT_REPLY:
    case HTTP_NEXT_RUN:
        start_reply(conn);
        break;
    }
}

static bool begin_request(struct http_conn *conn)
{
    conn->exchange = http_exchange_take(conn->thread, conn);
    if (!conn->exchange) { /* too many requests at once: the cheapest answer is none */
        metrics_add(conn->place->refused_busy, 1);
        http_conn_close(conn);
        return false;
    }
    conn->exchange->started_us = clock_monotonic_us(conn->thread->server->options.clock);
    conn->request_count++;
    conn->state = HTTP_CONN_HEAD;
    arm(conn, HTTP_TIMER_HEADER);
    return true;
}

static size_t input_head(struct http_conn *conn, const uint8_t *data, size_t size)
{
    struct http_exchange *exchange = conn->exchange;
    size_t used = size;
    switch (http_parser_feed(&exchange->parser, data, size, &used)) {
    case HTTP_PARSE_MORE:
        return used;
    case HTTP_PARSE_BAD:
        http_dispatch_refuse(exchange);
        start_reply(conn);
        return size; /* nothing behind it can be trusted */
    case HTTP_PARSE_DONE:
        break;
    }
    exchange->keep_alive = exchange->parser.keep_alive;
    act(conn, http_dispatch_head(exchange));
    return used;
}

static size_t input_body(struct http_conn *conn, const uint8_t *data, size_t size)
{
    struct http_exchange *exchange = conn->exchange;
    uint64_t left = exchange->request.body_size - exchange->body_received;
    if (size > left) { size = (size_t)left; }
    if (!http_dispatch_body(exchange, data, size)) {
        exchange->keep_alive = false;
        start_reply(conn);
    } else if (exchange->body_received == exchange->request.body_size) {
        act(conn, HTTP_NEXT_RUN);
    } else if (exchange->body_received - exchange->body_at_arming >= BODY_PROGRESS) {
        exchange->body_at_arming = exchange->body_received;
        arm(conn, HTTP_TIMER_BODY);
    }
    return size;
}

/* Takes bytes in a state that takes input; returns how many (> 0). */
static size_t input(struct http_conn *conn, const uint8_t *data, size_t size)
{
    if (conn->state == HTTP_CONN_IDLE && !begin_request(conn)) { return size; }
    return conn->state == HTTP_CONN_BODY ? input_body(conn, data, size)
                                         : input_head(conn, data, size);
}

/* Keeps bytes that came before their turn. */
static void keep_rest(struct http_conn *conn, const uint8_t *data, size_t size)
{
    assert(!conn->rest);
    conn->rest = mem_copy(data, size);
    conn->rest_from = 0;
    conn->rest_size = size;
    if (!conn->rest) { http_conn_close(conn); }
}

static void consume(struct http_conn *conn, const uint8_t *data, size_t size)
{
    size_t from = 0;
    while (from < size && takes_input(conn)) {
        from += input(conn, data + from, size - from);
    }
    bool is_owed = conn->state == HTTP_CONN_WAIT || conn->state == HTTP_CONN_WRITE;
    if (from < size && is_owed) { keep_rest(conn, data + from, size - from); }
}

static void become_ready(struct http_conn *conn)
{
    if (conn->is_ready) { return; }
    conn->is_ready = true;
    conn->next_ready = conn->thread->ready;
    conn->thread->ready = conn;
}

/* Reads and takes what is there, up to a wake-up's share. */
static void read_some(struct http_conn *conn)
{
    struct http_thread *thread = conn->thread;
    for (int i = 0; i < READS_MAX; i++) {
        size_t size = 0;
        enum tls_io io = conn_read(conn, thread->in, sizeof thread->in, &size);
        if (io == TLS_IO_WANT_READ) { return; } /* watched for it already */
        if (io != TLS_IO_OK) { /* WANT_WRITE cannot be: renegotiation is off */
            http_conn_close(conn);
            return;
        }
        consume(conn, thread->in, size);
        if (!takes_input(conn)) { return; }
        bool has_more = conn->tls ? tls_has_pending(conn->tls) : size == sizeof thread->in;
        if (!has_more) { return; }
    }
    become_ready(conn);
}

/* After a reply: the requests that came meanwhile, then new ones. */
static void resume(struct http_conn *conn)
{
    while (conn->rest && takes_input(conn)) {
        conn->rest_from +=
            input(conn, conn->rest + conn->rest_from, conn->rest_size - conn->rest_from);
        if (conn->rest_from == conn->rest_size) {
            mem_free(conn->rest);
            conn->rest = NULL;
        }
    }
    /* TLS may hold decrypted or unread records that epoll does not know of. */
    if (takes_input(conn) && conn->tls && tls_has_pending(conn->tls)) {
        become_ready(conn);
    }
}

/* --- handshake and linger --- */

static void shake_hands(struct http_conn *conn)
{
    struct log *log = &conn->thread->server->options.log;
    switch (tls_handshake(conn->tls)) {
    case TLS_IO_WANT_READ:
        watch(conn, EPOLLIN);
        return;
    case TLS_IO_WANT_WRITE:
        watch(conn, EPOLLOUT);
        return;
    case TLS_IO_OK:
        break;
    case TLS_IO_CLOSED:
    case TLS_IO_FAILED:
        metrics_add(conn->place->handshakes_failed, 1);
        log_debug(log, "tls_handshake_failed", "listener", conn->place->listener.name,
                  "why", tls_failure());
        http_conn_close(conn);
        return;
    }
    bool is_resumed = tls_is_resumed(conn->tls);
    metrics_add(is_resumed ? conn->place->handshakes_resumed : conn->place->handshakes_full,
                1);
    conn->has_spki = tls_peer_spki(conn->tls, conn->spki_sha256);
    conn->state = HTTP_CONN_IDLE;
    arm(conn, HTTP_TIMER_IDLE);
    watch(conn, EPOLLIN);
    read_some(conn); /* the first request often came with the end of the handshake */
}

static void throw_away(struct http_conn *conn)
{
    ssize_t got = recv(conn->fd, conn->thread->in, sizeof conn->thread->in, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) { return; }
    if (got > 0) { conn->lingered += (uint32_t)got; }
    if (got <= 0 || conn->lingered > LINGER_SIZE_MAX) { http_conn_close(conn); }
}

/* --- what the thread calls --- */

/* While a reply is awaited nothing is read: more requests wait in the socket, a peer that
 * is gone is noticed when the reply is sent. */
static void look_away(struct http_conn *conn, uint32_t events)
{
    if (events & (EPOLLHUP | EPOLLERR)) {
        unwatch(conn);
    } else {
        watch(conn, 0);
    }
}

void http_conn_event(struct http_conn *conn, uint32_t events)
{
    switch (conn->state) {
    case HTTP_CONN_HANDSHAKE:
        shake_hands(conn);
        break;
    case HTTP_CONN_IDLE:
    case HTTP_CONN_HEAD:
    case HTTP_CONN_BODY:
        read_some(conn);
        break;
    case HTTP_CONN_WAIT:
        look_away(conn, events);
        break;
    case HTTP_CONN_WRITE:
        send_more(conn);
        resume(conn);
        break;
    case HTTP_CONN_LINGER:
        throw_away(conn);
        break;
    case HTTP_CONN_CLOSED:
        break; /* closed earlier in this batch */
    }
}

void http_conn_ready(struct http_conn *conn)
{
    conn->is_ready = false;
    if (takes_input(conn)) { read_some(conn); }
}

void http_conn_completed(struct http_conn *conn)
{
    assert(conn->state == HTTP_CONN_WAIT);
    start_reply(conn);
    resume(conn);
}

/* The handler is too slow: its exchange stays with it, the client gets an answer from
 * another. */
static void answer_instead(struct http_conn *conn)
{
    struct http_exchange *late = conn->exchange;
    struct http_exchange *instead = http_exchange_take(conn->thread, conn);
    log_error(&conn->thread->server->options.log, "http_reply_timeout", "path",
              late->request.path, "request", late->request.id);
    drop_exchange(conn);
    if (!instead) {
        http_conn_close(conn);
        return;
    }
    instead->started_us = late->started_us;
    instead->request.method = late->request.method;
    conn->exchange = instead;
    http_dispatch_timeout(instead, HTTP_TIMER_REPLY);
    start_reply(conn);
}

void http_conn_timeout(struct http_conn *conn, enum http_timer_kind kind)
{
    metrics_add(conn->place->timeouts[kind], 1);
    switch (kind) {
    case HTTP_TIMER_HEADER:
    case HTTP_TIMER_BODY:
        http_dispatch_timeout(conn->exchange, kind);
        conn->exchange->keep_alive = false;
        start_reply(conn);
        break;
    case HTTP_TIMER_REPLY:
        answer_instead(conn);
        break;
    case HTTP_TIMER_HANDSHAKE:
    case HTTP_TIMER_WRITE:
    case HTTP_TIMER_IDLE:
    case HTTP_TIMER_LINGER:
    case HTTP_TIMER_KINDS:
        http_conn_close(conn);
        break;
    }
}

void http_conn_drain(struct http_conn *conn)
{
    if (conn->state == HTTP_CONN_HANDSHAKE || conn->state == HTTP_CONN_IDLE) {
        http_conn_close(conn);
    }
}
