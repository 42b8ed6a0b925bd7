/* http_dispatch.c - see http_dispatch.h. */
#include "server/http/http_dispatch.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "formats/codes.h"
#include "server/http/http_exchange.h"

enum { RETRY_S_MAX = 10, SIZE_TEXT = 24 }; /* a full queue is over within seconds */

/* An id that no other request of this server has: a counter, spread over 64 bits so that
 * ids of one burst do not look alike. */
static void write_id(struct http_thread *thread, char out[HTTP_REQUEST_ID_SIZE])
{
    uint64_t z = thread->id_base + ++thread->id_count * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) *
        0xbf58476d1ce4e5b9u; /* each step can be undone, so none repeats */
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    static const char digits[] = "0123456789abcdef";
    for (int i = 15; i >= 0; i--, z >>= 4) {
        out[i] = digits[z & 15u];
    }
    out[16] = '\0';
}

/* What every request has, refused ones too. */
static void fill_identity(struct http_exchange *exchange)
{
    struct http_request *request = &exchange->request;
    struct http_thread *thread = exchange->thread;
    if (request->id[0] != '\0') { return; }
    write_id(thread, request->id);
    request->realtime_ms = clock_realtime_ms(thread->server->options.clock);
    request->monotonic_ms = thread->now_ms;
    http_address_text(&exchange->conn->address, request->peer);
    request->has_spki = exchange->conn->has_spki;
    memcpy(request->spki_sha256, exchange->conn->spki_sha256, HTTP_SPKI_SIZE);
    if (!request->path) { request->path = request->query = ""; }
}

static void fill_request(struct http_exchange *exchange)
{
    struct http_request *request = &exchange->request;
    const struct http_parser *parser = &exchange->parser;
    request->method = parser->method;
    request->path = parser->path;
    request->query = parser->query;
    request->headers = parser->headers;
    request->header_count = parser->header_count;
    request->body_size = parser->content_length;
    fill_identity(exchange);
}

static enum http_next refuse_route(struct http_exchange *exchange, enum http_match match,
                                   unsigned allow)
{
    struct http_request *request = &exchange->request;
    struct http_reply *reply = &exchange->reply;
    if (match == HTTP_MATCH_NO_MEMORY) {
        http_fail(request, reply, MOULT_D_API_BUSY, "memory", "none");
    } else if (match == HTTP_MATCH_NO_PATH) {
        http_fail(request, reply, MOULT_D_API_ROUTE, NULL, request->path);
    } else {
        char methods[HTTP_ALLOW_SIZE];
        http_allow_text(allow, methods);
        http_fail(request, reply, MOULT_D_API_METHOD, methods,
                  http_method_name(request->method));
        char *copy = arena_text(request->arena, methods, strlen(methods));
        if (copy) { http_reply_header(reply, "Allow", copy); }
    }
    return HTTP_NEXT_REPLY;
}

static void refuse_size(struct http_exchange *exchange, uint64_t most)
{
    char want[SIZE_TEXT], have[SIZE_TEXT];
    snprintf(want, sizeof want, "%llu", (unsigned long long)most);
    snprintf(have, sizeof have, "%llu", (unsigned long long)exchange->request.body_size);
    http_fail(&exchange->request, &exchange->reply, MOULT_D_API_BODY_SIZE, want, have);
}

enum http_next http_dispatch_head(struct http_exchange *exchange)
{
    const struct http_server *server = exchange->thread->server;
    const struct http_listener *listener = &exchange->conn->place->listener;
    struct http_request *request = &exchange->request;
    fill_request(exchange);
    unsigned allow;
    enum http_match match = http_route_find(&listener->routes, request, &allow);
    if (match != HTTP_MATCH_FOUND) { return refuse_route(exchange, match, allow); }
    if (request->body_size > request->route->body_size_max) {
        refuse_size(exchange, request->route->body_size_max);
        return HTTP_NEXT_REPLY;
    }
    if (listener->admit &&
        !listener->admit(server->options.env, request, &exchange->reply)) {
        return HTTP_NEXT_REPLY;
    }
    exchange->may_continue = exchange->parser.expects_continue;
    return request->body_size > 0 ? HTTP_NEXT_BODY : HTTP_NEXT_RUN;
}

/* --- the body --- */

static bool refuse_spool(struct http_exchange *exchange)
{
    char have[SIZE_TEXT];
    snprintf(have, sizeof have, "errno %d", errno); /* strerror() is for one thread only */
    http_fail(&exchange->request, &exchange->reply,
              errno == ENOSPC ? MOULT_D_STORE_FULL : MOULT_D_STORE_WRITE, "the body's size",
              have);
    log_error(&exchange->thread->server->options.log, "http_spool_failed", "folder",
              exchange->thread->server->options.spool_folder, "errno", errno, "request",
              exchange->request.id);
    return false;
}

static bool spool(struct http_exchange *exchange, const uint8_t *data, size_t size)
{
    if (exchange->spool_fd < 0) {
        exchange->spool_fd = open(exchange->thread->server->options.spool_folder,
                                  O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (exchange->spool_fd < 0) { return refuse_spool(exchange); }
    }
    for (size_t done = 0; done < size;) {
        ssize_t got = write(exchange->spool_fd, data + done, size - done);
        if (got < 0 && errno == EINTR) { continue; }
        if (got < 0) { return refuse_spool(exchange); }
        done += (size_t)got;
    }
    return true;
}

bool http_dispatch_body(struct http_exchange *exchange, const uint8_t *data, size_t size)
{
    exchange->body_received += size;
    assert(exchange->body_received <= exchange->request.body_size);
    if (exchange->request.body_size > HTTP_BODY_MEMORY_MAX) {
        return spool(exchange, data, size);
    }
    buffer_append(&exchange->body, data, size);
    if (!exchange->body.failed) { return true; }
    http_fail(&exchange->request, &exchange->reply, MOULT_D_API_BUSY, "memory", "none");
    return false;
}

/* Shows the complete body to the handler. */
static void settle_body(struct http_exchange *exchange)
{
    struct http_request *request = &exchange->request;
    request->body_fd = exchange->spool_fd;
    if (exchange->spool_fd < 0) {
        request->body = (struct moult_bytes){exchange->body.data, exchange->body.size};
        return;
    }
    off_t start = lseek(exchange->spool_fd, 0, SEEK_SET);
    assert(start == 0); /* it is a regular file */
    (void)start;        /* unused where assert is compiled out */
}

/* --- the handler --- */

static void reply_busy(struct http_exchange *exchange)
{
    uint64_t more = 0;
    /* Without randomness all are told the same time: worse, not wrong. */
    (void)!random_below(exchange->thread->server->options.random, RETRY_S_MAX, &more);
    http_problem(&exchange->request, &exchange->reply,
                 &(struct http_problem){.code = MOULT_D_API_BUSY,
                                        .want = "queued requests",
                                        .have = "more",
                                        .retry_after_s = 1u + (uint32_t)more});
}

/* Turns a handler's failure into a reply, and says it. */
static void reply_failed(const struct http_server *server, struct http_request *request,
                         struct http_reply *reply, enum moult_status status)
{
    bool is_busy = status == MOULT_E_BUSY || status == MOULT_E_NOMEM;
    const char *name = moult_status_name(status);
    log_error(&server->options.log, "http_handler_failed", "status", name, "path",
              request->path, "request", request->id);
    http_problem(
        request, reply,
        &(struct http_problem){.code = is_busy ? MOULT_D_API_BUSY : MOULT_D_API_INTERNAL,
                               .want = "resources",
                               .have = name,
                               .retry_after_s = is_busy ? 5u : 0u});
}

static void run_handler(const struct http_server *server, struct http_request *request,
                        struct http_reply *reply, const struct env *env)
{
    enum moult_status st = request->route->handle(request, env, reply);
    if (st != MOULT_OK) { reply_failed(server, request, reply, st); }
}

static enum http_next wait_for(struct http_exchange *exchange)
{
    exchange->state = HTTP_EXCHANGE_WAITING;
    exchange->thread->waiting_count++;
    return HTTP_NEXT_WAIT;
}

static enum http_next run_here(struct http_exchange *exchange)
{
    const struct http_server *server = exchange->thread->server;
    struct http_request *request = &exchange->request;
    enum moult_status st =
        request->route->handle(request, server->options.env, &exchange->reply);
    /* After http_reply_later() the reply may already be somebody else's: do not look at
     * it. */
    if (exchange->state == HTTP_EXCHANGE_WAITING) { return HTTP_NEXT_WAIT; }
    if (st != MOULT_OK) { reply_failed(server, request, &exchange->reply, st); }
    return HTTP_NEXT_REPLY;
}

static enum http_next hand_over(struct http_exchange *exchange,
                                const struct http_executor *executor)
{
    struct http_job job = {.server = exchange->thread->server,
                           .handle = http_exchange_handle(exchange),
                           .request = &exchange->request,
                           .reply = &exchange->reply};
    (void)wait_for(exchange); /* before submit(): it may be finished before that returns */
    if (executor->submit(executor->context, &job) == MOULT_OK) { return HTTP_NEXT_WAIT; }
    exchange->state = HTTP_EXCHANGE_ACTIVE;
    exchange->thread->waiting_count--;
    reply_busy(exchange);
    return HTTP_NEXT_REPLY;
}

enum http_next http_dispatch_run(struct http_exchange *exchange)
{
    const struct http_server *server = exchange->thread->server;
    settle_body(exchange);
    switch (exchange->request.route->where) {
    case HTTP_ON_READER:
        return hand_over(exchange, &server->options.readers);
    case HTTP_ON_WRITER:
        return hand_over(exchange, &server->options.writers);
    case HTTP_ON_IO:
        break;
    }
    return run_here(exchange);
}

/* --- refusals --- */

void http_dispatch_refuse(struct http_exchange *exchange)
{
    const struct http_parse_error *error = &exchange->parser.error;
    fill_identity(exchange);
    http_problem(&exchange->request, &exchange->reply,
                 &(struct http_problem){.status = error->status,
                                        .code = error->code,
                                        .want = error->want,
                                        .have = error->have});
}

void http_dispatch_timeout(struct http_exchange *exchange, enum http_timer_kind kind)
{
    const struct http_timers *timers = &exchange->thread->timers;
    char seconds[SIZE_TEXT];
    snprintf(seconds, sizeof seconds, "%llu",
             (unsigned long long)(timers->duration_ms[kind] / 1000));
    fill_identity(exchange);
    http_reply_reset(&exchange->reply);
    if (kind == HTTP_TIMER_REPLY) {
        reply_busy(exchange);
    } else {
        http_fail(&exchange->request, &exchange->reply, MOULT_D_API_TIMEOUT, seconds, NULL);
    }
}

/* --- asynchronous replies --- */

/* The exchange around a request. */
static struct http_exchange *exchange_of(struct http_request *request)
{
    uint8_t *inside = (uint8_t *)request;
    return (struct http_exchange *)(void *)(inside -
                                            offsetof(struct http_exchange, request));
}

struct http_handle http_reply_later(struct http_request *request, struct http_reply *reply)
{
    struct http_exchange *exchange = exchange_of(request);
    assert(&exchange->reply == reply && exchange->state == HTTP_EXCHANGE_ACTIVE);
    (void)reply; /* it is there so that a call reads as what it does */
    (void)wait_for(exchange);
    return http_exchange_handle(exchange);
}

void http_complete(struct http_server *server, struct http_handle handle)
{
    struct http_message message = {.is_completion = true, .handle = handle};
    enum moult_status st = MOULT_E_ARG;
    if (handle.thread < server->options.threads) {
        st = queue_push(&server->threads[handle.thread].queue, &message);
    }
    if (st !=
        MOULT_OK) { /* the queue has room for every waiting exchange: a bug, or too late */
        log_error(&server->options.log, "http_completion_lost", "status",
                  moult_status_name(st));
    }
}

void http_job_run(const struct http_job *job, const struct env *env)
{
    run_handler(job->server, job->request, job->reply, env);
}

void http_job_finish(const struct http_job *job, enum moult_status status)
{
    struct http_job own = *job; /* it may live in the arena that the completion clears */
    if (status != MOULT_OK) {
        http_problem(own.request, own.reply,
                     &(struct http_problem){.code = MOULT_D_STORE_WRITE,
                                            .have = moult_status_name(status),
                                            .retry_after_s = 5});
    }
    http_complete(own.server, own.handle);
}
