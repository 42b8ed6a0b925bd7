/* wake_publisher_test.c - wakes through a real broker, with the keys, the configuration and
 * the
 * access list that `moult dev init` writes. */
#include "server/mqtt/wake_publisher.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <libgen.h>
#include <mosquitto.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <openssl/pem.h>
#include "formats/wake.h"
#include "server/control/internal.h"
#include "tests/support/test_certs.h"
#include "tests/support/unit.h"
#include "tests/unit/server/control/support_world.h"

enum { WAIT_MS = 30000, DEVICES = 3, MESSAGES_MAX = 1200 };

static char folder[] = "/tmp/moult-wake-test-XXXXXX";
static uint16_t port;
static pid_t broker = -1;
static struct world *w;
static struct wake_publisher *publisher;

static void must(bool claim, const char *what)
{
    if (claim) { return; }
    fprintf(stderr, "wake_publisher_test: %s failed\n", what);
    abort();
}

static uint64_t now_ms(void)
{
    return clock_monotonic_ms(clock_system());
}

static const char *path_of(const char *name)
{
    static char path[8][160];
    static unsigned turn;
    char *out = path[turn++ % 8];
    snprintf(out, sizeof path[0], "%s/%s", folder, name);
    return out;
}

/* --- programs ------------------------------------------------------------------------- */

static pid_t spawn(const char *const argv[])
{
    pid_t child = fork();
    must(child >= 0, "fork");
    if (child == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 1);
        dup2(null, 2);
        execvp(argv[0], (char *const *)(uintptr_t)argv); /* which changes nothing there */
        _exit(127);
    }
    return child;
}

static int run_program(const char *const argv[])
{
    int status = 0;
    waitpid(spawn(argv), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const char *mosquitto_program(void)
{
    const char *const anywhere[] = {"mosquitto", "-h", NULL};
    const char *const debian[] = {"/usr/sbin/mosquitto", "-h", NULL};
    if (run_program(anywhere) != 127) { return anywhere[0]; }
    return run_program(debian) != 127 ? debian[0] : NULL;
}

/* The CLI that was built beside this test. */
static const char *moult_program(void)
{
    static char path[512];
    char self[400];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    must(n > 0, "/proc/self/exe");
    self[n] = '\0';
    snprintf(path, sizeof path, "%s/moult", dirname(self));
    return path;
}

static uint16_t free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
             getsockname(fd, (struct sockaddr *)&at, &size) == 0,
         "free port");
    close(fd);
    return ntohs(at.sin_port);
}

static bool port_answers(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answers = fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0;
    if (fd >= 0) { close(fd); }
    return answers;
}

static void start_broker(void)
{
    const char *const argv[] = {mosquitto_program(), "-c", path_of("mosquitto.conf"), NULL};
    broker = spawn(argv);
    uint64_t until_ms = now_ms() + WAIT_MS;
    while (!port_answers()) {
        must(now_ms() < until_ms, "mosquitto's start");
        poll(NULL, 0, 20);
    }
}

static void stop_broker(void)
{
    if (broker <= 0) { return; }
    kill(broker, SIGKILL);
    waitpid(broker, NULL, 0);
    broker = -1;
    unlink(
        path_of("mosquitto/mosquitto.db")); /* nothing is kept from one start to the next */
}

/* --- a client of the broker ----------------------------------------------------------- */

struct message {
    char topic[64];
    uint8_t payload[MOULT_WAKE_SIZE_MAX];
    int size;
    bool is_kept; /* it was there before we subscribed */
    int qos;
    uint64_t at_ms;
};

struct listener {
    struct mosquitto *client;
    bool is_connected, is_subscribed;
    unsigned count;
    struct message got[MESSAGES_MAX];
};

static void on_connect(struct mosquitto *client, void *context, int code)
{
    (void)client;
    ((struct listener *)context)->is_connected = code == 0;
}

static void on_subscribe(struct mosquitto *client, void *context, int id, int count,
                         const int *granted)
{
    (void)client, (void)id, (void)count, (void)granted; /* it came: that is all */
    ((struct listener *)context)->is_subscribed = true;
}

static void on_message(struct mosquitto *client, void *context,
                       const struct mosquitto_message *message)
{
    (void)client;
    struct listener *listener = context;
    must(listener->count < MESSAGES_MAX, "room for messages");
    struct message *got = &listener->got[listener->count++];
    snprintf(got->topic, sizeof got->topic, "%s", message->topic);
    got->size = message->payloadlen;
    must(got->size <= (int)sizeof got->payload, "a payload of at most 64 bytes");
    if (got->size > 0) { memcpy(got->payload, message->payload, (size_t)got->size); }
    got->is_kept = message->retain;
    got->qos = message->qos;
    got->at_ms = now_ms();
}

/* Runs the client until the claim holds, or for `most_ms`. */
#define LISTEN_UNTIL(listener, claim, most_ms)                                             \
    for (uint64_t end_ = now_ms() + (most_ms); !(claim) && now_ms() < end_;) {             \
        if (mosquitto_loop((listener)->client, 20, 1) != MOSQ_ERR_SUCCESS) {               \
            poll(NULL, 0, 20);                                                             \
        }                                                                                  \
    }

/* False: turned away at once. */
static bool listener_new(struct listener *listener, const char *identity)
{
    char cert[64], key[64];
    snprintf(cert, sizeof cert, "%s.pem", identity);
    snprintf(key, sizeof key, "%s.key", identity);
    memset(listener, 0, sizeof *listener);
    listener->client = mosquitto_new(NULL, true, listener);
    must(listener->client != NULL &&
             mosquitto_tls_set(listener->client, path_of("ca.pem"), NULL, path_of(cert),
                               path_of(key), NULL) == MOSQ_ERR_SUCCESS,
         "a client");
    mosquitto_connect_callback_set(listener->client, on_connect);
    mosquitto_subscribe_callback_set(listener->client, on_subscribe);
    mosquitto_message_callback_set(listener->client, on_message);
    return mosquitto_connect(listener->client, "127.0.0.1", port, 60) == MOSQ_ERR_SUCCESS;
}

static void listener_add(struct listener *listener, const char *topic)
{
    listener->is_subscribed = false;
    must(mosquitto_subscribe(listener->client, NULL, topic, 1) == MOSQ_ERR_SUCCESS, topic);
    LISTEN_UNTIL(listener, listener->is_subscribed, WAIT_MS);
    must(listener->is_subscribed, "subscription");
}

static void listener_open(struct listener *listener, const char *identity,
                          const char *topic)
{
    must(listener_new(listener, identity), "a connection");
    LISTEN_UNTIL(listener, listener->is_connected, WAIT_MS);
    must(listener->is_connected, "the broker's welcome");
    listener_add(listener, topic);
}

static void listener_close(struct listener *listener)
{
    mosquitto_disconnect(listener->client);
    mosquitto_destroy(listener->client);
}

/* --- the world ------------------------------------------------------------------------ */

/* The identities of `moult dev device`, as devices of the world. */
static void take_identity(struct toy *toy, unsigned n)
{
    char name[32], text[4096];
    snprintf(name, sizeof name, "dev-%u.pem", n);
    FILE *f = fopen(path_of(name), "r");
    must(f != NULL, name);
    size_t size = fread(text, 1, sizeof text - 1, f);
    text[size] = '\0';
    fclose(f);
    BIO *bio = BIO_new_mem_buf(text, (int)size);
    struct test_cert cert = {.cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)};
    must(cert.cert != NULL, "PEM");
    cert.key = X509_get_pubkey(cert.cert);
    test_cert_spki(&cert, toy->spki);
    memcpy(toy->id, toy->spki, 16);
    test_cert_free(&cert);
    BIO_free(bio);
}

static const char *topic_of(unsigned n)
{
    static char topic[DEVICES][MOULT_WAKE_TOPIC_SIZE];
    moult_wake_topic(w->toys[n].id, topic[n]);
    return topic[n];
}

static void slow_wakes(struct control_config *config)
{
    config->wakes_per_s = 20;
}

static void quick_wakes(struct control_config *config)
{
    config->wakes_per_s = 100000;
}

static struct wake_publisher_options usual_options(const char *address)
{
    return (struct wake_publisher_options){.broker = address,
                                           .ca_path = path_of("ca.pem"),
                                           .cert_path = path_of("moultd-mqtt.pem"),
                                           .key_path = path_of("moultd-mqtt.key"),
                                           .control = w->control,
                                           .clock = clock_system(),
                                           .random = random_system(),
                                           .metrics = w->metrics};
}

static void start_publisher(void)
{
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    struct wake_publisher_options options = usual_options(address);
    must(wake_publisher_start(&options, &publisher) == MOULT_OK, "publisher");
}

static void wait_connected(bool wanted)
{
    uint64_t until_ms = now_ms() + WAIT_MS;
    while (wake_publisher_is_connected(publisher) != wanted) {
        must(now_ms() < until_ms, wanted ? "connection" : "notice of the loss");
        poll(NULL, 0, 10);
    }
}

static void open_world(void (*change)(struct control_config *config))
{
    static const struct world_release nothing;
    w = world_open(change);
    for (unsigned i = 0; i < DEVICES; i++) {
        take_identity(world_toy(w, i, &nothing), i);
    }
    start_broker();
}

static int close_world(void **state)
{
    (void)state; /* cmocka's signature */
    wake_publisher_stop(publisher);
    publisher = NULL;
    stop_broker();
    if (w) { world_close(w); }
    w = NULL;
    return 0;
}

static void wake(unsigned n, uint64_t seq)
{
    struct control_wake wake = {.seq = seq, .spread_s = 300};
    memcpy(wake.device_id, w->toys[n].id, 16);
    must(wake_ring_push(&w->control->wakes, &wake), "room for a wake");
}

static void clear_wake(unsigned n)
{
    struct control_wake wake = {.is_clear = true};
    memcpy(wake.device_id, w->toys[n].id, 16);
    must(wake_ring_push(&w->control->wakes, &wake), "room for a wake");
}

static long long published(void)
{
    return metrics_get(metrics_counter(
        w->metrics, &(struct metrics_name){.name = "moult_wake_published_total",
                                           .label = {"result"},
                                           .value = {"ok"}}));
}

static void wait_published(long long count)
{
    uint64_t until_ms = now_ms() + WAIT_MS;
    while (published() < count) {
        must(now_ms() < until_ms, "publishing");
        poll(NULL, 0, 10);
    }
}

static struct moult_wake wake_in(const struct message *message)
{
    struct moult_wake wake = {0};
    struct moult_bytes payload = {message->payload, (size_t)message->size};
    assert_int_equal(moult_wake_read(payload, &wake), MOULT_OK);
    return wake;
}

/* --- tests ---------------------------------------------------------------------------- */

static struct listener listener, other;

static void test_a_wake_is_kept_for_its_device_until_it_is_cleared(void **state)
{
    (void)state;
    /* The example of docs/spec/wake.md. */
    static const uint8_t example[] = {0xa2, 0x01, 0x1b, 0x00, 0x00, 0x01, 0x9b, 0x76,
                                      0xda, 0xa8, 0x7b, 0x02, 0x19, 0x01, 0x2c};
    open_world(NULL);
    start_publisher();
    wait_connected(true);
    wake(0, 1767225600123);
    wait_published(1);
    poll(NULL, 0, 300); /* into the broker; what comes live is not what is asked here */

    listener_open(&listener, "dev-0", topic_of(0));
    LISTEN_UNTIL(&listener, listener.count >= 1, WAIT_MS);
    assert_int_equal(listener.count, 1);
    assert_string_equal(listener.got[0].topic, topic_of(0));
    assert_int_equal(listener.got[0].size, sizeof example);
    assert_memory_equal(listener.got[0].payload, example, sizeof example);
    assert_true(listener.got[0].is_kept);
    assert_int_equal(listener.got[0].qos, 1);

    clear_wake(0);
    LISTEN_UNTIL(&listener, listener.count >= 2, WAIT_MS);
    assert_int_equal(listener.count, 2);
    assert_int_equal(listener.got[1].size, 0);

    /* One who comes now sees nothing before the next wake. */
    listener_open(&other, "dev-0", topic_of(0));
    wake(0, 1767225600124);
    LISTEN_UNTIL(&other, other.count >= 1, WAIT_MS);
    assert_int_equal(other.count, 1);
    assert_false(other.got[0].is_kept);
    assert_int_equal(wake_in(&other.got[0]).seq, 1767225600124);
    listener_close(&listener);
    listener_close(&other);
}

static void test_a_device_reads_its_own_topic_and_writes_none(void **state)
{
    (void)state;
    static const char *const greedy[] = {"moult/1/+/wake", "#", "moult/#", "$SYS/#"};
    open_world(NULL);
    start_publisher();
    wait_connected(true);
    wake(1, 100); /* kept for device 1, before device 0 looks */
    wait_published(1);
    listener_open(&listener, "dev-0", topic_of(1));
    for (size_t i = 0; i < sizeof greedy / sizeof greedy[0]; i++) {
        listener_add(&listener, greedy[i]);
    }
    /* It also tries to wake its neighbour and itself. */
    for (unsigned n = 0; n < 2; n++) {
        assert_int_equal(
            mosquitto_publish(listener.client, NULL, topic_of(n), 4, "fake", 1, true),
            MOSQ_ERR_SUCCESS);
    }
    LISTEN_UNTIL(&listener, false, 300);
    wake(1, 101);
    wait_published(2);
    wake(0, 102);
    LISTEN_UNTIL(&listener, listener.count >= 1, WAIT_MS);
    LISTEN_UNTIL(&listener, false, 300);
    assert_true(listener.count >= 1); /* its own came, by whichever subscription */
    for (unsigned i = 0; i < listener.count; i++) {
        assert_string_equal(listener.got[i].topic, topic_of(0));
        assert_int_equal(wake_in(&listener.got[i]).seq, 102);
    }

    listener_open(&other, "dev-1", topic_of(1)); /* and nothing of it came to device 1 */
    LISTEN_UNTIL(&other, other.count >= 1, WAIT_MS);
    assert_int_equal(other.count, 1);
    assert_int_equal(wake_in(&other.got[0]).seq, 101);
    listener_close(&listener);
    listener_close(&other);
}

static void test_a_certificate_of_another_ca_is_not_let_in(void **state)
{
    (void)state;
    struct test_cert ca, cert;
    char id[33];
    open_world(NULL);
    moult_hex_encode(w->toys[0].id, 16, id);
    test_cert_make(&ca, "another CA", NULL);
    test_cert_make(&cert, id, &ca);
    test_cert_save(&cert, path_of("stranger.pem"), path_of("stranger.key"));
    if (listener_new(&listener, "stranger")) {
        LISTEN_UNTIL(&listener, listener.is_connected, 2000);
    }
    assert_false(listener.is_connected);
    mosquitto_destroy(listener.client);
    listener_open(&listener, "dev-0", topic_of(0)); /* the broker is well */
    listener_close(&listener);
    test_cert_free(&cert);
    test_cert_free(&ca);
}

static void test_after_a_restart_of_the_broker_waiting_devices_are_woken_again(void **state)
{
    (void)state;
    static struct world_release v1, v2;
    open_world(NULL);
    world_release(w, "1.0.0", 1, &v1);
    world_release(w, "1.1.0", 2, &v2);
    for (unsigned i = 0; i < DEVICES; i++) {
        take_identity(world_toy(w, i, &v1), i);
        assert_int_equal(world_checkin(w, &w->toys[i], NULL, 0).status, 200);
        json_decref(world_device_verb(w, &w->toys[i], "accept"));
        assert_true(world_checkin(w, &w->toys[i], NULL, 0).has_order);
    }
    struct control_wake accepted[DEVICES]; /* accepting a device wakes it */
    assert_int_equal(control_wakes_take(w->control, accepted, DEVICES, now_ms()), DEVICES);
    start_publisher();
    wait_connected(true);
    listener_open(&listener, "moultd-mqtt", "moult/1/+/wake");
    json_t *rollout = world_rollout(
        w, "{\"name\":\"r\",\"release\":\"1.1.0\",\"phases\":[{\"percent\":100}]}", false);
    assert_non_null(rollout);
    LISTEN_UNTIL(&listener, listener.count >= DEVICES, WAIT_MS);
    assert_int_equal(listener.count, DEVICES);
    assert_true(world_update(w, &w->toys[2], &v2, true)); /* waits for nothing any more */
    LISTEN_UNTIL(&listener, listener.count >= DEVICES + 1, WAIT_MS);
    assert_int_equal(listener.got[DEVICES].size, 0);
    assert_string_equal(listener.got[DEVICES].topic, topic_of(2));
    uint64_t first = 0;
    for (unsigned i = 0; i < DEVICES; i++) {
        uint64_t seq = wake_in(&listener.got[i]).seq;
        first = seq > first ? seq : first;
    }
    listener_close(&listener);

    stop_broker(); /* with all it had kept */
    wait_connected(false);
    assert_int_equal(metrics_get(metrics_gauge(
                         w->metrics, &(struct metrics_name){.name = "moult_broker_up"})),
                     0);
    start_broker();
    wait_connected(true);
    wait_published(DEVICES + 1 + 2);
    listener_open(&listener, "moultd-mqtt", "moult/1/+/wake");
    LISTEN_UNTIL(&listener, listener.count >= 2, WAIT_MS);
    LISTEN_UNTIL(&listener, false, 300);
    assert_int_equal(listener.count, 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(wake_in(&listener.got[i]).seq > first); /* or it would be ignored */
        assert_string_not_equal(listener.got[i].topic, topic_of(2));
    }
    assert_int_equal(metrics_get(metrics_gauge(
                         w->metrics, &(struct metrics_name){.name = "moult_broker_up"})),
                     1);
    listener_close(&listener);
    json_decref(rollout);
}

static void test_wakes_wait_for_a_broker_that_is_not_there_yet(void **state)
{
    (void)state;
    open_world(NULL);
    stop_broker();
    start_publisher();
    wake(0, 7);
    wake(1, 8);
    clear_wake(1); /* only the newest of a device */
    poll(NULL, 0, 500);
    assert_int_equal(published(), 0);
    start_broker();
    listener_open(&listener, "moultd-mqtt", "moult/1/+/wake");
    LISTEN_UNTIL(&listener, listener.count >= 2, WAIT_MS);
    assert_int_equal(listener.count, 2);
    assert_string_equal(listener.got[0].topic, topic_of(0));
    assert_int_equal(wake_in(&listener.got[0]).seq, 7);
    assert_string_equal(listener.got[1].topic, topic_of(1));
    assert_int_equal(listener.got[1].size, 0);
    listener_close(&listener);
}

static void push_numbered(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct control_wake wake = {.seq = i};
        put_le32(wake.device_id, i);
        must(wake_ring_push(&w->control->wakes, &wake), "room for a wake");
    }
}

static void test_the_rate_of_the_configuration_is_kept(void **state)
{
    (void)state;
    enum { COUNT = 60, RATE = 20 };
    open_world(slow_wakes);
    listener_open(&listener, "moultd-mqtt", "moult/1/+/wake");
    start_publisher();
    wait_connected(true);
    uint64_t began_ms = now_ms();
    push_numbered(COUNT);
    LISTEN_UNTIL(&listener, listener.count >= COUNT, WAIT_MS);
    assert_int_equal(listener.count, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(wake_in(&listener.got[i]).seq, i);
        /* A second's worth at once, then so many a second. */
        uint64_t at_ms = listener.got[i].at_ms - began_ms;
        assert_true(i < RATE + at_ms * RATE / 1000 + 1);
    }
    assert_true(listener.got[COUNT - 1].at_ms - began_ms < 10000);
    listener_close(&listener);
}

/* Five times what may be unacknowledged at a time. */
static void test_many_wakes_pass_in_order(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    open_world(quick_wakes);
    listener_open(&listener, "moultd-mqtt", "moult/1/+/wake");
    start_publisher();
    wait_connected(true);
    push_numbered(COUNT);
    LISTEN_UNTIL(&listener, listener.count >= COUNT, WAIT_MS);
    assert_int_equal(listener.count, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(wake_in(&listener.got[i]).seq, i);
    }
    assert_int_equal(published(), COUNT);
    listener_close(&listener);
}

static void test_what_cannot_work_is_said_at_the_start(void **state)
{
    (void)state;
    static const char *const addresses[] = {
        "localhost",       ":8883",           "localhost:",   "localhost:0",
        "localhost:65536", "localhost:8883x", "localhost:-1", ""};
    struct wake_publisher *out = NULL;
    open_world(NULL);
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct wake_publisher_options options = usual_options(addresses[i]);
        if (wake_publisher_start(&options, &out) != MOULT_E_ARG) {
            fail_msg("\"%s\" was taken", addresses[i]);
        }
    }
    struct wake_publisher_options options = usual_options("127.0.0.1:1");
    options.ca_path = path_of("no-such-file.pem");
    assert_int_equal(wake_publisher_start(&options, &out), MOULT_E_IO);
    assert_null(out);
}

/* A port of ours that nobody serves. */
static int silent_port(struct sockaddr_in *at, int backlog)
{
    socklen_t size = sizeof *at;
    *at = (struct sockaddr_in){.sin_family = AF_INET};
    at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(bind(fd, (struct sockaddr *)at, size) == 0 && listen(fd, backlog) == 0 &&
             getsockname(fd, (struct sockaddr *)at, &size) == 0,
         "listen");
    return fd;
}

static void start_towards(const struct sockaddr_in *at)
{
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(at->sin_port));
    struct wake_publisher_options options = usual_options(address);
    assert_int_equal(wake_publisher_start(&options, &publisher), MOULT_OK);
}

static void expect_quick_stop(void)
{
    uint64_t began_ms = now_ms();
    wake_publisher_stop(publisher);
    publisher = NULL;
    assert_true(now_ms() - began_ms < 5000);
}

/* Something listens there but never speaks: a wrong port, a frozen broker. */
static void test_stop_does_not_wait_for_a_broker_that_is_silent(void **state)
{
    (void)state;
    struct sockaddr_in at;
    open_world(NULL);
    int fd = silent_port(&at, 4);
    start_towards(&at);
    struct pollfd called = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&called, 1, WAIT_MS), 1);
    poll(NULL, 0, 300);
    expect_quick_stop();
    close(fd);
}

/* With a full backlog the kernel drops the first packet, as a firewall does: connecting
 * would take two minutes to fail. */
static void test_stop_does_not_wait_for_a_host_that_drops_packets(void **state)
{
    (void)state;
    enum { FILLERS = 4 };
    struct sockaddr_in at;
    int filler[FILLERS];
    open_world(NULL);
    int fd = silent_port(&at, 0);
    for (int i = 0; i < FILLERS; i++) {
        filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(filler[i], (struct sockaddr *)&at, sizeof at); /* or is on its way */
    }
    struct pollfd last = {.fd = filler[FILLERS - 1], .events = POLLOUT};
    must(poll(&last, 1, 300) == 0, "a full backlog");
    start_towards(&at);
    poll(NULL, 0, 500); /* it is connecting now */
    assert_false(wake_publisher_is_connected(publisher));
    expect_quick_stop();
    for (int i = 0; i < FILLERS; i++) {
        close(filler[i]);
    }
    close(fd);
}

/* --- start and end -------------------------------------------------------------------- */

static void make_keys(void)
{
    char number[8];
    port = free_port();
    snprintf(number, sizeof number, "%u", port);
    must(mkdtemp(folder) != NULL, "mkdtemp");
    const char *const init[] = {moult_program(), "dev",           "init", "--dir",
                                folder,          "--broker-port", number, NULL};
    must(run_program(init) == 0, "moult dev init");
    const char *const devices[] = {moult_program(), "dev",   "device", "dev-0",
                                   "dev-1",         "dev-2", "--dir",  folder,
                                   "--out",         folder,  NULL};
    must(run_program(devices) == 0, "moult dev device");
}

#define TEST(name) cmocka_unit_test_teardown(name, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_wake_is_kept_for_its_device_until_it_is_cleared),
        TEST(test_a_device_reads_its_own_topic_and_writes_none),
        TEST(test_a_certificate_of_another_ca_is_not_let_in),
        TEST(test_after_a_restart_of_the_broker_waiting_devices_are_woken_again),
        TEST(test_wakes_wait_for_a_broker_that_is_not_there_yet),
        TEST(test_the_rate_of_the_configuration_is_kept),
        TEST(test_many_wakes_pass_in_order),
        TEST(test_what_cannot_work_is_said_at_the_start),
        TEST(test_stop_does_not_wait_for_a_broker_that_is_silent),
        TEST(test_stop_does_not_wait_for_a_host_that_drops_packets),
    };
    if (!mosquitto_program()) {
        printf("SKIP: no mosquitto here; apt install mosquitto\n");
        return 0;
    }
    mosquitto_lib_init();
    make_keys();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    const char *const clean[] = {"rm", "-rf", folder, NULL};
    run_program(clean);
    mosquitto_lib_cleanup();
    return failed;
}
