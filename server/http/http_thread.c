/* http_thread.c - see http_thread.h. */
#include "server/http/http_thread.h"
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "server/base/mem.h"
#include "server/http/http_conn.h"
#include "server/http/http_exchange.h"

enum {
    EVENTS_MAX = 128,       /* per round */
    WAIT_MS_MAX = 1000,     /* so that a clock turned by hand is looked at */
    ACCEPT_PAUSE_MS = 100,  /* after the process ran out of file descriptors */
    COMPLETIONS_MAX = 1024, /* per round */
    LAST_WAIT_MS = 10000,   /* for replies owed by others, when stopping */
};

/* --- accepting --- */

static bool watch_acceptor(struct http_thread *thread, struct http_acceptor *acceptor)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &acceptor->source};
    return epoll_ctl(thread->epoll_fd, EPOLL_CTL_ADD, acceptor->fd, &event) == 0;
}

static void pause_accepting(struct http_thread *thread)
{
    log_warn(&thread->server->options.log, "http_accept_paused", "errno", errno);
    for (size_t i = 0; i < thread->server->place_count; i++) {
        /* It is in the set: accepting was on. */
        (void)epoll_ctl(thread->epoll_fd, EPOLL_CTL_DEL, thread->acceptors[i].fd, NULL);
    }
    thread->resume_accept_ms = thread->now_ms + ACCEPT_PAUSE_MS;
}

static void resume_accepting(struct http_thread *thread)
{
    if (thread->resume_accept_ms == 0 || thread->now_ms < thread->resume_accept_ms) {
        return;
    }
    bool ok = true;
    for (size_t i = 0; i < thread->server->place_count; i++) {
        struct http_acceptor *acceptor = &thread->acceptors[i];
        if (acceptor->fd < 0) { continue; }
        ok = (watch_acceptor(thread, acceptor) || errno == EEXIST) && ok;
    }
    thread->resume_accept_ms = ok ? 0 : thread->now_ms + ACCEPT_PAUSE_MS;
}

static void admit_socket(struct http_thread *thread, struct http_place *place, int fd,
                         const struct sockaddr_storage *from)
{
    struct http_address address = http_address_of(from);
    switch (http_peers_add(thread->server->peers, &address)) {
    case HTTP_PEER_ADMITTED:
        if (!http_conn_open(thread, place, fd, &address)) {
            metrics_add(place->refused_busy, 1);
        }
        return;
    case HTTP_PEER_TOO_MANY:
        metrics_add(place->refused_all, 1);
        break;
    case HTTP_PEER_TOO_MANY_OF_IT:
        metrics_add(place->refused_address, 1);
        break;
    }
    close(fd);
}

static void accept_some(struct http_thread *thread, struct http_acceptor *acceptor)
{
    for (unsigned i = 0; i < HTTP_ACCEPTS_MAX && acceptor->fd >= 0; i++) {
        struct sockaddr_storage from;
        socklen_t size = sizeof from;
        int fd = accept4(acceptor->fd, (struct sockaddr *)&from, &size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            admit_socket(thread, acceptor->place, fd, &from);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
                   errno == ENOMEM) {
            pause_accepting(thread);
            return;
        } /* else that client is gone already, or the call was interrupted */
    }
}

static void stop_accepting(struct http_thread *thread)
{
    for (size_t i = 0; i < thread->server->place_count; i++) {
        if (thread->acceptors[i].fd >= 0) { close(thread->acceptors[i].fd); }
        thread->acceptors[i].fd = -1;
    }
}

/* --- completions and orders --- */

static void complete(struct http_thread *thread, struct http_handle handle)
{
    struct http_exchange *exchange = http_exchange_find(thread, handle);
    if (!exchange) {
        log_error(&thread->server->options.log, "http_completion_stale", "slot",
                  handle.slot);
        return;
    }
    exchange->state = HTTP_EXCHANGE_ACTIVE;
    thread->waiting_count--;
    if (exchange->conn) {
        http_conn_completed(exchange->conn);
    } else {
        http_exchange_give(exchange);
    }
}

static void for_all(struct http_thread *thread, void (*act)(struct http_conn *conn))
{
    for (struct http_conn *conn = thread->all, *next; conn; conn = next) {
        next = conn->next; /* act() may close conn, and only conn */
        act(conn);
    }
}

static void look_at_flags(struct http_thread *thread)
{
    struct http_server *server = thread->server;
    if (atomic_load(&server->is_draining) && !thread->is_draining) {
        thread->is_draining = true;
        stop_accepting(thread);
        for_all(thread, http_conn_drain);
    }
    if (atomic_load(&server->is_cut)) { for_all(thread, http_conn_close); }
}

static void take_messages(struct http_thread *thread)
{
    struct http_message message;
    for (int i = 0; i < COMPLETIONS_MAX; i++) { /* the rest: epoll says so again */
        if (queue_pop(&thread->queue, &message) != MOULT_OK) { return; }
        if (message.is_completion) {
            complete(thread, message.handle);
        } else {
            look_at_flags(thread);
        }
    }
}

void http_thread_wake(struct http_thread *thread)
{
    struct http_message message = {.is_completion = false};
    /* Full of completions: the flags are looked at every round anyway, just later. */
    (void)!queue_push(&thread->queue, &message);
}

/* --- rounds --- */

static void handle_event(struct http_thread *thread, const struct epoll_event *event)
{
    struct http_source *source = event->data.ptr;
    switch (source->kind) {
    case HTTP_SOURCE_ACCEPTOR:
        accept_some(thread, (struct http_acceptor *)source);
        break;
    case HTTP_SOURCE_QUEUE:
        take_messages(thread);
        break;
    case HTTP_SOURCE_CONN:
        http_conn_event((struct http_conn *)source, event->events);
        break;
    }
}

static struct http_conn *conn_of(struct http_timer *timer)
{
    uint8_t *inside = (uint8_t *)timer;
    return (struct http_conn *)(void *)(inside - offsetof(struct http_conn, timer));
}

static void expire_timers(struct http_thread *thread)
{
    enum http_timer_kind kind;
    struct http_timer *timer;
    while ((timer = http_timers_expired(&thread->timers, thread->now_ms, &kind))) {
        http_conn_timeout(conn_of(timer), kind);
    }
}

static void run_ready(struct http_thread *thread)
{
    struct http_conn *conn = thread->ready;
    thread->ready = NULL; /* those who are not done go into the next round's list */
    while (conn) {
        struct http_conn *next = conn->next_ready;
        http_conn_ready(conn);
        conn = next;
    }
}

static void run_round(struct http_thread *thread)
{
    struct epoll_event events[EVENTS_MAX];
    int wait_ms = http_timers_wait_ms(&thread->timers, thread->now_ms, WAIT_MS_MAX);
    if (thread->resume_accept_ms > 0 && wait_ms > ACCEPT_PAUSE_MS) {
        wait_ms = ACCEPT_PAUSE_MS;
    }
    if (thread->ready) { wait_ms = 0; }
    int count = epoll_wait(thread->epoll_fd, events, EVENTS_MAX, wait_ms);
    thread->now_ms = clock_monotonic_ms(thread->server->options.clock);
    for (int i = 0; i < count; i++) {
        handle_event(thread, &events[i]);
    }
    expire_timers(thread);
    look_at_flags(thread);
    resume_accepting(thread);
    run_ready(thread); /* last: after it no closed connection is in the ready list */
    http_conn_free_closed(thread);
}

/* Others may still write into exchanges that wait: they come home first. */
static void wait_for_the_last(struct http_thread *thread)
{
    uint64_t until_ms = thread->now_ms + LAST_WAIT_MS;
    while (thread->waiting_count > 0 && thread->now_ms < until_ms) {
        run_round(thread);
    }
    if (thread->waiting_count > 0) {
        log_error(&thread->server->options.log, "http_replies_never_came", "count",
                  thread->waiting_count);
    }
}

void *http_thread_run(void *context)
{
    struct http_thread *thread = context;
    while (!atomic_load(&thread->server->is_stopping)) {
        run_round(thread);
    }
    stop_accepting(thread);
    for_all(thread, http_conn_close);
    wait_for_the_last(thread);
    run_ready(thread);
    http_conn_free_closed(thread);
    return NULL;
}

/* --- beginning and end --- */

static void set_durations(struct http_thread *thread)
{
    const struct http_server_options *options = &thread->server->options;
    uint64_t *duration = thread->timers.duration_ms;
    duration[HTTP_TIMER_HANDSHAKE] = options->handshake_ms;
    duration[HTTP_TIMER_HEADER] = options->header_ms;
    duration[HTTP_TIMER_BODY] = options->body_ms;
    duration[HTTP_TIMER_WRITE] = options->write_ms;
    duration[HTTP_TIMER_IDLE] = options->idle_ms;
    duration[HTTP_TIMER_REPLY] = options->reply_ms;
    duration[HTTP_TIMER_LINGER] = options->linger_ms;
}

static enum moult_status watch_all(struct http_thread *thread)
{
    thread->queue_source.kind = HTTP_SOURCE_QUEUE;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &thread->queue_source};
    if (epoll_ctl(thread->epoll_fd, EPOLL_CTL_ADD, queue_fd(&thread->queue), &event) != 0) {
        return MOULT_E_IO;
    }
    for (size_t i = 0; i < thread->server->place_count; i++) {
        thread->acceptors[i].source.kind = HTTP_SOURCE_ACCEPTOR;
        if (!watch_acceptor(thread, &thread->acceptors[i])) { return MOULT_E_IO; }
    }
    return MOULT_OK;
}

enum moult_status http_thread_init(struct http_thread *thread, struct http_server *server,
                                   uint32_t index)
{
    thread->server = server;
    thread->index = index;
    thread->slot_max = server->options.requests_open_max;
    thread->now_ms = clock_monotonic_ms(server->options.clock);
    set_durations(thread);
    enum moult_status st = MOULT_E_INTERNAL;
    if (!random_fill(server->options.random, &thread->id_base, sizeof thread->id_base)) {
        goto out;
    }
    st = MOULT_E_NOMEM;
    thread->slots = mem_alloc_array(thread->slot_max, sizeof(struct http_exchange *));
    if (!thread->slots) { goto out; }
    st = MOULT_E_IO;
    thread->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (thread->epoll_fd < 0) { goto out_slots; }
    /* Every waiting exchange completes once; a few places more for orders. */
    st = queue_init(&thread->queue, sizeof(struct http_message), thread->slot_max + 16u);
    if (st != MOULT_OK) { goto out_epoll; }
    st = watch_all(thread);
    if (st == MOULT_OK) { return MOULT_OK; }
    queue_release(&thread->queue);
out_epoll:
    close(thread->epoll_fd);
out_slots:
    mem_free(thread->slots);
out:
    stop_accepting(thread);
    return st;
}

void http_thread_release(struct http_thread *thread)
{
    stop_accepting(thread);
    http_exchange_free_all(thread);
    queue_release(&thread->queue);
    close(thread->epoll_fd);
}
