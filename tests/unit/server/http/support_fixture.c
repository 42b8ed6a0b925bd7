/* support_fixture.c - see support_fixture.h. */
#include "tests/unit/server/http/support_fixture.h"
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "formats/bytes.h"
#include "formats/codes.h"
#include "server/base/buffer.h"

struct env {
    struct fixture *fixture;
};

/* What the worker thread does. */
struct order {
    bool is_job;
    struct http_job job;
    struct http_handle handle;
    struct http_reply *reply;
    unsigned delay_ms;
    bool is_twice; /* complete it a second time, which is a bug of a handler */
};

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "support_fixture: %s\n", what);
        abort();
    }
}

uint8_t fixture_byte(uint64_t index)
{
    return (uint8_t)((index * 2654435761u) >> 11);
}

uint64_t fixture_sum(const void *data, size_t size)
{
    const uint8_t *p = data;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ p[i]) * 0x100000001b3u;
    }
    return hash;
}

/* --- handlers --- */

static enum moult_status text(struct http_request *request, struct http_reply *reply,
                              const char *body)
{
    char *copy = arena_text(request->arena, body, strlen(body));
    if (!copy) { return MOULT_E_NOMEM; }
    http_reply_bytes(reply, 200, "text/plain", copy, strlen(copy));
    return MOULT_OK;
}

static enum moult_status handle_hello(struct http_request *request, const struct env *env,
                                      struct http_reply *reply)
{
    (void)env;
    return text(request, reply, "hello\n");
}

static enum moult_status handle_echo(struct http_request *request, const struct env *env,
                                     struct http_reply *reply)
{
    (void)env;
    char *body =
        arena_printf(request->arena, "%s\n%s\n", http_request_param(request, "first"),
                     http_request_param(request, "second"));
    return body ? text(request, reply, body) : MOULT_E_NOMEM;
}

static enum moult_status handle_file(struct http_request *request, const struct env *env,
                                     struct http_reply *reply)
{
    bool is_large = strcmp(request->path, "/large") == 0;
    int fd =
        open(is_large ? env->fixture->large : env->fixture->file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) { return MOULT_E_IO; }
    http_reply_file(reply, HTTP_TYPE_BINARY, fd,
                    is_large ? FIXTURE_LARGE_SIZE : FIXTURE_FILE_SIZE, FIXTURE_ETAG);
    return MOULT_OK;
}

static enum moult_status handle_body(struct http_request *request, const struct env *env,
                                     struct http_reply *reply)
{
    (void)env;
    uint64_t sum = fixture_sum(request->body.data, request->body.size);
    if (request->body_fd >= 0) {
        uint8_t *data = malloc(request->body_size);
        must(data && read(request->body_fd, data, request->body_size) ==
                         (ssize_t)request->body_size,
             "spooled body");
        sum = fixture_sum(data, request->body_size);
        free(data);
    } else if (request->body.size != request->body_size) {
        return MOULT_E_INTERNAL;
    }
    char *body = arena_printf(
        request->arena, "%llu %016llx %s\n", (unsigned long long)request->body_size,
        (unsigned long long)sum, request->body_fd >= 0 ? "file" : "memory");
    return body ? text(request, reply, body) : MOULT_E_NOMEM;
}

static enum moult_status handle_later(struct http_request *request, const struct env *env,
                                      struct http_reply *reply)
{
    struct order order = {
        .reply = reply,
        .delay_ms = (unsigned)strtoul(http_request_param(request, "ms"), NULL, 10)};
    order.is_twice = strncmp(request->path, "/twice/", 7) == 0;
    order.handle = http_reply_later(request, reply);
    must(queue_push(&env->fixture->jobs, &order) == MOULT_OK, "worker's queue is full");
    return MOULT_OK;
}

static enum moult_status handle_reader(struct http_request *request, const struct env *env,
                                       struct http_reply *reply)
{
    (void)env;
    return text(request, reply, "reader\n");
}

static enum moult_status handle_writer(struct http_request *request, const struct env *env,
                                       struct http_reply *reply)
{
    (void)env;
    return text(request, reply, "writer\n");
}

static enum moult_status handle_spki(struct http_request *request, const struct env *env,
                                     struct http_reply *reply)
{
    (void)env;
    char hex[2 * HTTP_SPKI_SIZE + 1] = "none\n";
    if (request->has_spki) { moult_hex_encode(request->spki_sha256, HTTP_SPKI_SIZE, hex); }
    return text(request, reply, hex);
}

static enum moult_status handle_peer(struct http_request *request, const struct env *env,
                                     struct http_reply *reply)
{
    (void)env;
    return text(request, reply, request->peer);
}

static enum moult_status handle_broken(struct http_request *request, const struct env *env,
                                       struct http_reply *reply)
{
    (void)env;
    const char *how = http_request_param(request, "how");
    if (strcmp(how, "io") == 0) { return MOULT_E_IO; }
    if (strcmp(how, "busy") == 0) { return MOULT_E_BUSY; }
    if (strcmp(how, "split") == 0) {
        http_reply_header(reply, "X-Name", "a\r\nX-Evil: b");
        return text(request, reply, "never sent\n");
    }
    return MOULT_OK; /* "silent": without a status */
}

static bool admit(const struct env *env, struct http_request *request,
                  struct http_reply *reply)
{
    (void)env;
    if (request->route->scope == 0) { return true; }
    http_fail(request, reply, MOULT_D_API_TOKEN, "a token", "none");
    return false;
}

static const struct http_route routes[] = {
    {HTTP_GET, "/hello", 0, HTTP_ON_IO, 0, handle_hello},
    {HTTP_GET, "/echo/{first}/{second}", 0, HTTP_ON_IO, 0, handle_echo},
    {HTTP_GET, "/file", 0, HTTP_ON_IO, 0, handle_file},
    {HTTP_GET, "/large", 0, HTTP_ON_IO, 0, handle_file},
    {HTTP_POST, "/body", 0, HTTP_ON_IO, FIXTURE_BODY_MAX, handle_body},
    {HTTP_POST, "/small", 0, HTTP_ON_IO, 10, handle_body},
    {HTTP_GET, "/later/{ms}", 0, HTTP_ON_IO, 0, handle_later},
    {HTTP_GET, "/twice/{ms}", 0, HTTP_ON_IO, 0, handle_later},
    {HTTP_GET, "/reader", 0, HTTP_ON_READER, 0, handle_reader},
    {HTTP_POST, "/writer", 0, HTTP_ON_WRITER, 1000, handle_writer},
    {HTTP_GET, "/lost", 0, HTTP_ON_READER, 0, handle_reader},
    {HTTP_GET, "/spki", 0, HTTP_ON_IO, 0, handle_spki},
    {HTTP_GET, "/peer", 0, HTTP_ON_IO, 0, handle_peer},
    {HTTP_GET, "/broken/{how}", 0, HTTP_ON_IO, 0, handle_broken},
    {HTTP_GET, "/private", 1, HTTP_ON_IO, 0, handle_hello},
    {HTTP_POST, "/private", 1, HTTP_ON_IO, 1u << 20, handle_hello},
};

/* --- the worker --- */

static void do_order(struct fixture *fixture, const struct order *order)
{
    if (order->is_job) {
        bool is_lost = strcmp(order->job.request->path, "/lost") == 0;
        struct env env = {fixture};
        http_job_run(&order->job, &env);
        http_job_finish(&order->job, is_lost ? MOULT_E_IO : MOULT_OK);
        return;
    }
    poll(NULL, 0, (int)order->delay_ms);
    while (fixture->options.keep_later && !atomic_load(&fixture->may_finish)) {
        poll(NULL, 0, 5);
    }
    http_reply_bytes(order->reply, 200, "text/plain", "later\n", 6);
    http_complete(fixture->server, order->handle);
    if (!order->is_twice) { return; }
    poll(NULL, 0, 100); /* meanwhile another request waits in the same slot */
    http_complete(fixture->server, order->handle);
}

static void *work(void *context)
{
    struct fixture *fixture = context;
    struct order order;
    for (;;) {
        queue_wait(&fixture->jobs, -1);
        enum moult_status st = queue_pop(&fixture->jobs, &order);
        if (st == MOULT_E_STATE) { return NULL; }
        if (st == MOULT_OK) { do_order(fixture, &order); }
    }
}

static enum moult_status submit(void *context, const struct http_job *job)
{
    struct fixture *fixture = context;
    struct order order = {.is_job = true, .job = *job};
    bool is_write = job->request->route->where == HTTP_ON_WRITER;
    if (is_write && fixture->options.writer_is_full) { return MOULT_E_BUSY; }
    return queue_push(&fixture->jobs, &order);
}

/* --- start and stop --- */

static void write_file(const char *path, uint64_t size)
{
    FILE *f = fopen(path, "w");
    must(f != NULL, path);
    for (uint64_t i = 0; i < size; i++) {
        putc(fixture_byte(i), f);
    }
    must(fclose(f) == 0, path);
}

static void make_files(struct fixture *fixture)
{
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/moult-http-XXXXXX");
    must(mkdtemp(fixture->folder) != NULL, "mkdtemp");
    snprintf(fixture->file, sizeof fixture->file, "%s/file", fixture->folder);
    snprintf(fixture->large, sizeof fixture->large, "%s/large", fixture->folder);
    snprintf(fixture->cert, sizeof fixture->cert, "%s/cert.pem", fixture->folder);
    snprintf(fixture->key, sizeof fixture->key, "%s/key.pem", fixture->folder);
    write_file(fixture->file, FIXTURE_FILE_SIZE);
    write_file(fixture->large, FIXTURE_LARGE_SIZE);
}

static void make_tls(struct fixture *fixture)
{
    test_cert_make(&fixture->ca, "moult test CA", NULL);
    test_cert_make(&fixture->server_cert, "localhost", &fixture->ca);
    test_cert_save(&fixture->server_cert, fixture->cert, fixture->key);
    must(tls_tickets_create(random_system(), clock_system(), &fixture->tickets) == MOULT_OK,
         "tickets");
    struct tls_options options = {fixture->cert, fixture->key, TLS_CLIENT_REQUEST,
                                  fixture->tickets};
    struct tls_error error;
    must(tls_context_create(&options, &fixture->tls, &error) == MOULT_OK, error.text);
}

void fixture_start(struct fixture *fixture, const struct fixture_options *options)
{
    *fixture = (struct fixture){.options = *options};
    static struct env env; /* one fixture at a time */
    env.fixture = fixture;
    make_files(fixture);
    if (options->with_tls) { make_tls(fixture); }
    fixture->metrics = metrics_create();
    must(fixture->metrics != NULL, "metrics");
    must(queue_init(&fixture->jobs, sizeof(struct order), 1024) == MOULT_OK, "queue");
    struct http_listener listener = {.name = "test",
                                     .address = "127.0.0.1:0",
                                     .tls = fixture->tls,
                                     .routes = {routes, sizeof routes / sizeof routes[0]},
                                     .admit = admit};
    struct http_server_options server = options->server;
    server.listeners = &listener;
    server.listener_count = 1;
    server.env = &env;
    server.readers = server.writers = (struct http_executor){submit, fixture};
    server.metrics = fixture->metrics;
    server.spool_folder = fixture->folder;
    if (server.threads == 0) { server.threads = 1; }
    struct http_server_error error;
    must(http_server_start(&server, &fixture->server, &error) == MOULT_OK, error.text);
    fixture->port = http_server_port(fixture->server, 0);
    must(pthread_create(&fixture->worker, NULL, work, fixture) == 0, "worker");
}

void fixture_release(struct fixture *fixture)
{
    atomic_store(&fixture->may_finish, true);
}

static void stop_worker(struct fixture *fixture)
{
    queue_close(&fixture->jobs);
    pthread_join(fixture->worker, NULL);
}

void fixture_stop(struct fixture *fixture)
{
    uint64_t began_ms = clock_monotonic_ms(clock_system());
    fixture_release(fixture);
    http_server_drain(fixture->server, 0); /* so that no new order comes */
    if (!fixture->options.stop_first) { stop_worker(fixture); }
    http_server_stop(fixture->server);
    if (fixture->options.stop_first) { stop_worker(fixture); }
    uint64_t took_ms = clock_monotonic_ms(clock_system()) - began_ms;
    must(took_ms < 8000, "a reply was awaited in vain");
    queue_release(&fixture->jobs);
    metrics_destroy(fixture->metrics);
    tls_context_destroy(fixture->tls);
    tls_tickets_destroy(fixture->tickets);
    if (fixture->options.with_tls) {
        test_cert_free(&fixture->ca);
        test_cert_free(&fixture->server_cert);
        unlink(fixture->cert);
        unlink(fixture->key);
    }
    unlink(fixture->file);
    unlink(fixture->large);
    must(rmdir(fixture->folder) == 0, "something was left in the spool folder");
}

long long fixture_metric(struct fixture *fixture, const char *series)
{
    struct buffer out;
    long long value = -1;
    buffer_init(&out, 1u << 20);
    metrics_render(fixture->metrics, &out);
    buffer_append(&out, "", 1);
    must(!out.failed, "metrics do not fit");
    size_t size = strlen(series);
    for (char *line = (char *)out.data; line; line = strchr(line, '\n')) {
        if (*line == '\n') { line++; }
        if (strncmp(line, series, size) == 0 && line[size] == ' ') {
            value = strtoll(line + size, NULL, 10);
            break;
        }
    }
    buffer_release(&out);
    return value;
}
