/* http_server.c - see http_server.h: options, start, drain, stop. */
#include "server/http/http_server.h"
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "server/base/mem.h"
#include "server/http/http_core.h"
#include "server/http/http_listen.h"
#include "server/http/http_thread.h"

enum {
    THREADS_DEFAULT_MAX = 8,
    DRAIN_STEP_MS = 10,
    CUT_WAIT_MS = 1000,
    DESCRIPTORS_BESIDE = 256, /* store, log, broker, listening sockets */
};

/* Bounds of the request histogram: 100 us to 10 s. */
static const uint64_t seconds_bounds_us[] = {100,    250,    500,     1000,    2500,
                                             5000,   10000,  25000,   50000,   100000,
                                             250000, 500000, 1000000, 2500000, 10000000};

static void fill(uint32_t *option, uint32_t value)
{
    if (*option == 0) { *option = value; }
}

static unsigned thread_count_default(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    if (cpus < 1) { return 1; }
    return cpus > THREADS_DEFAULT_MAX ? THREADS_DEFAULT_MAX : (unsigned)cpus;
}

static void fill_defaults(struct http_server_options *options)
{
    if (options->threads == 0) { options->threads = thread_count_default(); }
    fill(&options->connections_max, 12000);
    fill(&options->per_address_max, 256);
    fill(&options->handshake_ms, 10000);
    fill(&options->header_ms, 10000);
    fill(&options->body_ms, 15000);
    fill(&options->write_ms, 60000);
    fill(&options->idle_ms, 30000);
    fill(&options->reply_ms, 30000);
    fill(&options->linger_ms, 2000);
    fill(&options->requests_max, 100000);
    fill(&options->requests_open_max, 4096);
    if (!options->spool_folder) { options->spool_folder = "/tmp"; }
    if (!options->clock) { options->clock = clock_system(); }
    if (!options->random) { options->random = random_system(); }
}

/* --- metrics --- */

static struct metric *counter(struct metrics *metrics, const char *listener,
                              const char *name, const char *help, const char *label,
                              const char *value)
{
    return metrics_counter(metrics, &(struct metrics_name){.name = name,
                                                           .help = help,
                                                           .label = {"listener", label},
                                                           .value = {listener, value}});
}

static void add_metrics(struct http_place *place, struct metrics *m)
{
    const char *name = place->listener.name;
    place->connections = metrics_gauge(
        m, &(struct metrics_name){
               "moult_http_connections", "Open connections.", {"listener"}, {name}});
    place->accepted =
        counter(m, name, "moult_http_accepted_total", "Connections taken.", NULL, NULL);
    static const char refused[] = "moult_http_refused_total",
                      why[] = "Connections refused.";
    place->refused_all = counter(m, name, refused, why, "cause", "all");
    place->refused_address = counter(m, name, refused, why, "cause", "address");
    place->refused_busy = counter(m, name, refused, why, "cause", "busy");
    static const char shakes[] = "moult_tls_handshakes_total",
                      ends[] = "TLS handshakes by result.";
    place->handshakes_full = counter(m, name, shakes, ends, "result", "full");
    place->handshakes_resumed = counter(m, name, shakes, ends, "result", "resumed");
    place->handshakes_failed = counter(m, name, shakes, ends, "result", "failed");
    static const char *const classes[6] = {"0xx", "1xx", "2xx", "3xx", "4xx", "5xx"};
    for (int i = 2; i < 6; i++) {
        place->replies[i] = counter(m, name, "moult_http_requests_total",
                                    "Requests by class of status.", "status", classes[i]);
    }
    place->sent_bytes = counter(m, name, "moult_http_sent_bytes_total",
                                "Bytes of replies, before TLS.", NULL, NULL);
    for (int i = 0; i < HTTP_TIMER_KINDS; i++) {
        place->timeouts[i] =
            counter(m, name, "moult_http_timeouts_total", "Deadlines that passed.", "what",
                    http_timer_name((enum http_timer_kind)i));
    }
    place->seconds = metrics_histogram(
        m,
        &(struct metrics_name){"moult_http_request_seconds",
                               "First byte of a request to last byte of its reply.",
                               {"listener"},
                               {name}},
        seconds_bounds_us, sizeof seconds_bounds_us / sizeof seconds_bounds_us[0]);
}

static enum moult_status add_all_metrics(struct http_server *server)
{
    struct metrics *metrics = server->options.metrics;
    if (!metrics) {
        metrics = server->own_metrics = metrics_create();
        if (!metrics) { return MOULT_E_NOMEM; }
    }
    for (size_t i = 0; i < server->place_count; i++) {
        add_metrics(&server->places[i], metrics);
    }
    return MOULT_OK;
}

/* --- starting --- */

static enum moult_status fail(struct http_server_error *error, enum moult_status st,
                              const char *listener, const char *what, const char *why)
{
    snprintf(error->text, sizeof error->text, "%.40s: %.120s: %.80s", listener, what, why);
    return st;
}

/* Whether the routes are sound and their executors are there. */
static enum moult_status check_routes(const struct http_server_options *options,
                                      const struct http_listener *listener,
                                      struct http_server_error *error)
{
    size_t bad;
    if (!http_routes_check(&listener->routes, &bad)) {
        return fail(error, MOULT_E_ARG, listener->name, "route is not sound",
                    listener->routes.rows[bad].path);
    }
    for (size_t i = 0; i < listener->routes.count; i++) {
        const struct http_route *route = &listener->routes.rows[i];
        bool has_executor =
            (route->where != HTTP_ON_READER || options->readers.submit != NULL) &&
            (route->where != HTTP_ON_WRITER || options->writers.submit != NULL);
        if (!has_executor) {
            return fail(error, MOULT_E_ARG, listener->name, "route has no executor",
                        route->path);
        }
    }
    return MOULT_OK;
}

static enum moult_status listen_all(struct http_server *server,
                                    struct http_server_error *error)
{
    int fds[HTTP_THREADS_MAX];
    for (size_t i = 0; i < server->place_count; i++) {
        struct http_place *place = &server->places[i];
        enum moult_status st = check_routes(&server->options, &place->listener, error);
        if (st != MOULT_OK) { return st; }
        const char *why;
        st = http_listen(place->listener.address, fds, server->options.threads,
                         &place->port, &why);
        if (st != MOULT_OK) {
            char what[128];
            snprintf(what, sizeof what, "cannot listen on %.100s", place->listener.address);
            return fail(error, st, place->listener.name, what, why);
        }
        for (size_t k = 0; k < server->options.threads; k++) {
            server->threads[k].acceptors[i].fd = fds[k];
            server->threads[k].acceptors[i].place = place;
        }
    }
    return MOULT_OK;
}

/* Raises the process's soft limit of open files to what the connections need: a socket
 * each, a file or spooled body for every second one, and some for the rest of the program.
 * */
static void raise_descriptor_limit(const struct http_server *server)
{
    struct rlimit limit;
    rlim_t need = server->options.connections_max / 2u * 3u + DESCRIPTORS_BESIDE;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= need) { return; }
    limit.rlim_cur = need < limit.rlim_max ? need : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < need) {
        log_warn(&server->options.log, "http_few_descriptors", "needed", need, "limit",
                 limit.rlim_cur);
    }
}

/* Starts a thread that takes no signals: they are the main thread's. */
static bool start_thread(struct http_thread *thread)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&thread->id, NULL, http_thread_run, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0;
}

static enum moult_status start_threads(struct http_server *server)
{
    for (uint32_t i = 0; i < server->options.threads; i++) {
        struct http_thread *thread = &server->threads[i];
        enum moult_status st = http_thread_init(thread, server, i);
        if (st != MOULT_OK) { return st; }
        if (!start_thread(thread)) {
            http_thread_release(thread);
            return MOULT_E_IO;
        }
        server->thread_count = i + 1;
    }
    return MOULT_OK;
}

static struct http_server *create(const struct http_server_options *options)
{
    struct http_server *server = mem_alloc(sizeof *server);
    if (!server) { return NULL; }
    server->options = *options;
    fill_defaults(&server->options);
    server->place_count = options->listener_count;
    for (size_t i = 0; i < server->place_count; i++) {
        server->places[i].listener = options->listeners[i];
    }
    server->options.listeners = NULL; /* were borrowed for the call */
    server->threads = mem_alloc_array(server->options.threads, sizeof *server->threads);
    if (!server->threads) {
        mem_free(server);
        return NULL;
    }
    for (uint32_t i = 0; i < server->options.threads; i++) {
        for (size_t k = 0; k < HTTP_LISTENERS_MAX; k++) {
            server->threads[i].acceptors[k].fd = -1;
        }
    }
    return server;
}

/* Threads that were never initialised still hold listening sockets. */
static void close_unused(struct http_server *server)
{
    for (uint32_t i = server->thread_count; i < server->options.threads; i++) {
        for (size_t k = 0; k < HTTP_LISTENERS_MAX; k++) {
            int fd = server->threads[i].acceptors[k].fd;
            if (fd >= 0) { close(fd); }
        }
    }
}

enum moult_status http_server_start(const struct http_server_options *options,
                                    struct http_server **out,
                                    struct http_server_error *error)
{
    assert(options->listener_count >= 1 && options->listener_count <= HTTP_LISTENERS_MAX);
    assert(options->threads <= HTTP_THREADS_MAX);
    error->text[0] = '\0';
    struct http_server *server = create(options);
    enum moult_status st = server ? MOULT_OK : MOULT_E_NOMEM;
    if (st == MOULT_OK) { st = add_all_metrics(server); }
    if (st == MOULT_OK) {
        st = http_peers_create(server->options.connections_max,
                               server->options.per_address_max, &server->peers);
    }
    if (st == MOULT_OK) { st = listen_all(server, error); }
    if (st == MOULT_OK) {
        raise_descriptor_limit(server);
        *out = server;
        st = start_threads(server);
    }
    if (st == MOULT_OK) { return MOULT_OK; }
    *out = NULL;
    if (error->text[0] == '\0') {
        fail(error, st, "http", "cannot start", moult_status_name(st));
    }
    http_server_stop(server);
    return st;
}

uint16_t http_server_port(const struct http_server *server, size_t listener)
{
    assert(listener < server->place_count);
    return server->places[listener].port;
}

/* --- ending --- */

static void wake_all(struct http_server *server)
{
    for (uint32_t i = 0; i < server->thread_count; i++) {
        http_thread_wake(&server->threads[i]);
    }
}

/* Waits until no connection is left, or time is over. */
static bool wait_until_empty(struct http_server *server, uint32_t timeout_ms)
{
    uint32_t waited = 0;
    while (http_peers_count(server->peers) > 0) {
        if (waited >= timeout_ms) { return false; }
        poll(NULL, 0, DRAIN_STEP_MS);
        waited += DRAIN_STEP_MS;
    }
    return true;
}

void http_server_drain(struct http_server *server, uint32_t timeout_ms)
{
    atomic_store(&server->is_draining, true);
    wake_all(server);
    if (wait_until_empty(server, timeout_ms)) { return; }
    log_warn(&server->options.log, "http_drain_cut", "connections",
             http_peers_count(server->peers));
    atomic_store(&server->is_cut, true);
    wake_all(server);
    (void)wait_until_empty(server,
                           CUT_WAIT_MS); /* the threads need a round; no more to do */
}

void http_server_stop(struct http_server *server)
{
    if (!server) { return; }
    atomic_store(&server->is_stopping, true);
    wake_all(server);
    for (uint32_t i = 0; i < server->thread_count; i++) {
        pthread_join(server->threads[i].id, NULL);
        http_thread_release(&server->threads[i]);
    }
    close_unused(server);
    http_peers_destroy(server->peers);
    metrics_destroy(server->own_metrics);
    mem_free(server->threads);
    mem_free(server);
}
