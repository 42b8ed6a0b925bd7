/* wake_publisher.c - see wake_publisher.h. */
#include "server/mqtt/wake_publisher.h"
#include <mosquitto.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "formats/bytes.h"
#include "formats/wake.h"
#include "server/base/mem.h"
#include "server/control/wakes.h"

enum {
    BATCH_MAX = 64,     /* wakes taken at once */
    INFLIGHT_MAX = 200, /* QoS 1 messages without PUBACK; then the ring waits */
    POLL_MS = 200,      /* also how often the rate lets more through */
    KEEPALIVE_S = 30,
    CONNECT_MS = 10000,   /* from a connection's first packet to the broker's welcome */
    PAUSE_MIN_MS = 1000,  /* between connection attempts, doubling ... */
    PAUSE_MAX_MS = 60000, /* ... up to this */
    HOST_SIZE = 256,
};

struct wake_publisher {
    struct wake_publisher_options options;
    char host[HOST_SIZE];
    int port;
    struct mosquitto *client;
    pthread_t thread;
    int stop_fd;
    _Atomic bool is_stopping, is_connected;
    _Atomic int inflight;
    uint64_t next_attempt_ms, give_up_ms; /* of the attempt under way, if there is one */
    uint32_t pause_ms;
    struct metric *published, *failed, *broker_up;
};

static void on_connect(struct mosquitto *client, void *context, int code)
{
    (void)client;
    struct wake_publisher *p = context;
    if (code != 0) {
        log_warn(&p->options.log, "broker_refused", "why", mosquitto_connack_string(code));
        return;
    }
    log_info(&p->options.log, "broker_connected", "broker", p->options.broker);
    atomic_store(&p->inflight, 0);
    atomic_store(&p->is_connected, true);
    metrics_set(p->broker_up, 1);
    p->pause_ms = PAUSE_MIN_MS;
    control_wakes_again(p->options.control);
}

static void on_disconnect(struct mosquitto *client, void *context, int code)
{
    (void)client;
    struct wake_publisher *p = context;
    bool was_connected = atomic_exchange(&p->is_connected, false);
    log_warn(&p->options.log, was_connected ? "broker_lost" : "broker_unreachable",
             "broker", p->options.broker, "why", mosquitto_strerror(code));
    metrics_set(p->broker_up, 0);
}

static void on_publish(struct mosquitto *client, void *context, int id)
{
    (void)client;
    (void)id; /* only their number matters */
    struct wake_publisher *p = context;
    if (atomic_load(&p->inflight) > 0) { atomic_fetch_sub(&p->inflight, 1); }
}

static void publish(struct wake_publisher *p, const struct control_wake *wake)
{
    char id[33], topic[MOULT_WAKE_TOPIC_SIZE];
    uint8_t payload[MOULT_WAKE_SIZE_MAX];
    struct moult_cbor_writer writer;
    moult_hex_encode(wake->device_id, 16, id);
    moult_wake_topic(wake->device_id, topic);
    moult_cbor_writer_init(&writer, payload, sizeof payload);
    struct moult_wake message = {.seq = wake->seq, .spread_s = wake->spread_s};
    if (!wake->is_clear) { moult_wake_write(&writer, &message); }
    int rc = mosquitto_publish(p->client, NULL, topic, (int)writer.size, payload, 1, true);
    if (rc != MOSQ_ERR_SUCCESS) {
        metrics_add(p->failed, 1); /* the device polls; a reconnect wakes again */
        return;
    }
    atomic_fetch_add(&p->inflight, 1);
    metrics_add(p->published, 1);
    log_debug(&p->options.log, "wake_published", "device", id, "clear", wake->is_clear,
              "seq", wake->seq);
}

static void publish_waiting(struct wake_publisher *p)
{
    struct control_wake batch[BATCH_MAX];
    while (atomic_load(&p->is_connected) && atomic_load(&p->inflight) < INFLIGHT_MAX) {
        size_t n = control_wakes_take(p->options.control, batch, BATCH_MAX,
                                      clock_monotonic_ms(p->options.clock));
        for (size_t i = 0; i < n; i++) {
            publish(p, &batch[i]);
        }
        if (n < BATCH_MAX) { return; }
    }
}

/* Begins only: a host that drops packets must not hold up the end of moultd, so the
 * connection, TLS and the welcome come about in work(). An attempt still under way is
 * closed by libmosquitto. */
static void try_connect(struct wake_publisher *p, uint64_t now_ms)
{
    uint64_t jitter = 0;
    if (!random_below(p->options.random, p->pause_ms / 2 + 1, &jitter)) { jitter = 0; }
    p->next_attempt_ms = now_ms + p->pause_ms + jitter;
    p->pause_ms = p->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : p->pause_ms * 2;
    p->give_up_ms = now_ms + CONNECT_MS;
    int rc = mosquitto_connect_async(p->client, p->host, p->port, KEEPALIVE_S);
    if (rc != MOSQ_ERR_SUCCESS) {
        log_warn(&p->options.log, "broker_unreachable", "broker", p->options.broker, "why",
                 rc == MOSQ_ERR_ERRNO ? "refused or unreachable" : mosquitto_strerror(rc));
    }
}

static bool is_attempt_due(const struct wake_publisher *p, uint64_t now_ms)
{
    if (atomic_load(&p->is_connected) || now_ms < p->next_attempt_ms) { return false; }
    return mosquitto_socket(p->client) < 0 || now_ms >= p->give_up_ms;
}

/* One round: wait for the broker, for wakes or for the end, then do what is due. */
static void work(struct wake_publisher *p)
{
    uint64_t now_ms = clock_monotonic_ms(p->options.clock);
    if (is_attempt_due(p, now_ms)) { try_connect(p, now_ms); }
    int fd = mosquitto_socket(p->client);
    bool may_send =
        atomic_load(&p->is_connected) && atomic_load(&p->inflight) < INFLIGHT_MAX;
    short events = mosquitto_want_write(p->client) ? POLLIN | POLLOUT : POLLIN;
    struct pollfd fds[3] = {
        {.fd = p->stop_fd, .events = POLLIN},
        {.fd = fd, .events = events},
        {.fd = may_send ? control_wakes_fd(p->options.control) : -1, .events = POLLIN},
    };
    if (poll(fds, 3, POLL_MS) < 0) { return; }
    if (fds[1].revents & (POLLIN | POLLHUP | POLLERR)) {
        mosquitto_loop_read(p->client, 32);
    }
    if (mosquitto_want_write(p->client)) { mosquitto_loop_write(p->client, 32); }
    mosquitto_loop_misc(p->client); /* keep-alive; its failure calls on_disconnect */
    publish_waiting(p);
    if ((fds[2].revents & POLLIN) && atomic_load(&p->is_connected)) {
        /* What the rate holds back keeps the eventfd readable: do not spin on it. */
        struct timespec pause = {.tv_nsec = 5000000};
        nanosleep(&pause, NULL);
    }
}

static void *run(void *argument)
{
    struct wake_publisher *p = argument;
    while (!atomic_load(&p->is_stopping)) {
        work(p);
    }
    if (atomic_load(&p->is_connected)) { mosquitto_disconnect(p->client); }
    return NULL;
}

static bool parse_broker(const char *text, char host[HOST_SIZE], int *port)
{
    const char *colon = strrchr(text, ':');
    size_t size = colon ? (size_t)(colon - text) : 0;
    char *end = NULL;
    long number = colon ? strtol(colon + 1, &end, 10) : 0;
    if (size == 0 || size >= HOST_SIZE || number < 1 || number > 65535 || *end) {
        return false;
    }
    if (text[0] == '[' && text[size - 1] == ']') { /* IPv6 */
        text++;
        size -= 2;
    }
    memcpy(host, text, size);
    host[size] = '\0';
    *port = (int)number;
    return true;
}

static enum moult_status make_client(struct wake_publisher *p)
{
    const struct wake_publisher_options *o = &p->options;
    p->client = mosquitto_new(NULL, true, p);
    if (!p->client) { return MOULT_E_NOMEM; }
    mosquitto_connect_callback_set(p->client, on_connect);
    mosquitto_disconnect_callback_set(p->client, on_disconnect);
    mosquitto_publish_callback_set(p->client, on_publish);
    int rc =
        mosquitto_tls_set(p->client, o->ca_path, NULL, o->cert_path, o->key_path, NULL);
    if (rc == MOSQ_ERR_SUCCESS) {
        rc = mosquitto_tls_opts_set(p->client, 1, "tlsv1.2", NULL);
    }
    if (rc == MOSQ_ERR_SUCCESS) {
        rc = mosquitto_int_option(p->client, MOSQ_OPT_TCP_NODELAY, 1);
    }
    if (rc != MOSQ_ERR_SUCCESS) {
        log_error(&o->log, "broker_setup_failed", "why", mosquitto_strerror(rc), "ca",
                  o->ca_path, "cert", o->cert_path);
        return MOULT_E_IO;
    }
    return MOULT_OK;
}

static void find_metrics(struct wake_publisher *p)
{
    struct metrics *m = p->options.metrics;
    struct metrics_name name = {.name = "moult_wake_published_total",
                                .help = "Wakes handed to the broker.",
                                .label = {"result"},
                                .value = {"ok"}};
    p->published = metrics_counter(m, &name);
    name.value[0] = "failed";
    p->failed = metrics_counter(m, &name);
    p->broker_up = metrics_gauge(
        m, &(struct metrics_name){.name = "moult_broker_up",
                                  .help = "1 while connected to the MQTT broker."});
}

static void release(struct wake_publisher *p)
{
    if (p->client) { mosquitto_destroy(p->client); }
    if (p->stop_fd >= 0) { close(p->stop_fd); }
    mem_free(p);
    mosquitto_lib_cleanup();
}

enum moult_status wake_publisher_start(const struct wake_publisher_options *options,
                                       struct wake_publisher **out)
{
    struct wake_publisher *p = mem_alloc(sizeof *p);
    if (!p) { return MOULT_E_NOMEM; }
    p->options = *options;
    p->pause_ms = PAUSE_MIN_MS;
    mosquitto_lib_init();
    find_metrics(p);
    p->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    enum moult_status st = p->stop_fd >= 0 ? MOULT_OK : MOULT_E_IO;
    if (st == MOULT_OK && !parse_broker(options->broker, p->host, &p->port)) {
        st = MOULT_E_ARG;
    }
    if (st == MOULT_OK) { st = make_client(p); }
    if (st == MOULT_OK && pthread_create(&p->thread, NULL, run, p) != 0) {
        st = MOULT_E_IO;
    }
    if (st != MOULT_OK) {
        release(p);
        return st;
    }
    *out = p;
    return MOULT_OK;
}

bool wake_publisher_is_connected(void *context)
{
    struct wake_publisher *p = context;
    return atomic_load(&p->is_connected);
}

void wake_publisher_stop(struct wake_publisher *publisher)
{
    if (!publisher) { return; }
    atomic_store(&publisher->is_stopping, true);
    uint64_t one = 1;
    ssize_t n = write(publisher->stop_fd, &one, sizeof one);
    (void)n; /* an eventfd at 0 takes it; if not, the poll's time limit ends the wait */
    pthread_join(publisher->thread, NULL);
    release(publisher);
}
