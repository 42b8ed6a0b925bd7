/* mqtt_test.c - wakes arrive through a real broker, and a broken one does no harm. */
#include "ports/posix/mqtt.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <arpa/inet.h>
#include "formats/bytes.h"
#include "ports/posix/clock.h"
#include "ports/posix/psa_crypto.h"
#include "tests/support/check.h"
#include "tests/support/test_certs.h"

static char folder[] = "/tmp/moult-mqtt-test-XXXXXX";
static struct test_cert ca, broker_cert, device_cert, server_cert;
static uint16_t port;
static pid_t broker;
static const uint8_t device_id[16] = {0xde, 0xad, 1, 2,  3,  4,  5,  6,
                                      7,    8,    9, 10, 11, 12, 13, 14};
static const char device_name[] = "dead0102030405060708090a0b0c0d0e";

static struct moult_mqtt *mqtt;
static unsigned wake_count;
static uint8_t last_wake[128];
static size_t last_size;

static void note_wake(void *context, const uint8_t *payload, size_t size)
{
    (void)context;
    wake_count++;
    last_size = size < sizeof last_wake ? size : sizeof last_wake;
    memcpy(last_wake, payload, last_size);
}

static const char *path_of(const char *name)
{
    static char path[4][128];
    static unsigned turn;
    char *out = path[turn++ % 4];
    snprintf(out, sizeof path[0], "%s/%s", folder, name);
    return out;
}

static void must(bool claim, const char *what)
{
    if (claim) { return; }
    fprintf(stderr, "mqtt_test: %s failed\n", what);
    abort();
}

static uint16_t free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    must(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
             getsockname(fd, (struct sockaddr *)&at, &size) == 0,
         "free port");
    close(fd);
    return ntohs(at.sin_port);
}

static void save_text(const char *name, const char *text)
{
    FILE *f = fopen(path_of(name), "w");
    must(f && fputs(text, f) >= 0 && fclose(f) == 0, name);
}

static void make_world(void)
{
    char config[2048];
    must(mkdtemp(folder) != NULL, "mkdtemp");
    chmod(folder, 0755); /* the broker gives its root rights up before it reads the ACL */
    port = free_port();
    test_cert_make(&ca, "test CA", NULL);
    test_cert_make(&broker_cert, "localhost", &ca);
    test_cert_make(&device_cert, device_name, &ca);
    test_cert_make(&server_cert, "moultd", &ca);
    test_cert_save(&ca, path_of("ca.pem"), NULL);
    test_cert_save(&broker_cert, path_of("broker.pem"), path_of("broker.key"));
    test_cert_save(&device_cert, path_of("device.pem"), path_of("device.key"));
    test_cert_save(&server_cert, path_of("server.pem"), path_of("server.key"));
    chmod(path_of("broker.key"), 0644);
    save_text("acl",
              "user moultd\ntopic write moult/1/+/wake\npattern read moult/1/%u/wake\n");
    snprintf(
        config, sizeof config,
        "listener %u 127.0.0.1\ncafile %s/ca.pem\ncertfile %s/broker.pem\n"
        "keyfile %s/broker.key\nrequire_certificate true\nuse_identity_as_username true\n"
        "acl_file %s/acl\nlog_dest none\n",
        (unsigned)port, folder, folder, folder, folder);
    save_text("broker.conf", config);
}

static void start_broker(void)
{
    broker = fork();
    must(broker >= 0, "fork");
    if (broker == 0) {
        execlp("mosquitto", "mosquitto", "-c", path_of("broker.conf"), (char *)NULL);
        execl("/usr/sbin/mosquitto", "mosquitto", "-c", path_of("broker.conf"),
              (char *)NULL);
        _exit(127);
    }
}

static void stop_broker(void)
{
    kill(broker, SIGKILL);
    waitpid(broker, NULL, 0);
}

/* A program with its output thrown away: its exit status; 127: cannot be run. */
static int run_program(const char *const argv[])
{
    int status = 0;
    pid_t child = fork();
    must(child >= 0, "fork");
    if (child == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 1);
        dup2(null, 2);
        execvp(argv[0], (char *const *)(uintptr_t)argv); /* which changes nothing there */
        _exit(127);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Publish as the server does, retained, QoS 1. */
static int publish(const char *topic, const char *payload)
{
    char number[16];
    snprintf(number, sizeof number, "%u", (unsigned)port);
    const char *const argv[] = {"mosquitto_pub",
                                "-h",
                                "127.0.0.1",
                                "-p",
                                number,
                                "--cafile",
                                path_of("ca.pem"),
                                "--cert",
                                path_of("server.pem"),
                                "--key",
                                path_of("server.key"),
                                "-q",
                                "1",
                                "-r",
                                "-t",
                                topic,
                                "-m",
                                payload,
                                NULL};
    for (int i = 0; i < 100; i++) { /* the broker may still be starting */
        if (run_program(argv) == 0) { return 0; }
        usleep(50000);
    }
    return -1;
}

static struct moult_bytes load(const char *name)
{
    static char text[8][4096];
    static unsigned turn;
    char *out = text[turn++ % 8];
    FILE *f = fopen(path_of(name), "r");
    must(f != NULL, name);
    size_t size = fread(out, 1, sizeof text[0] - 1, f);
    fclose(f);
    return (struct moult_bytes){(uint8_t *)out, size};
}

static enum moult_status make_client(const char *ca_name, uint16_t to_port)
{
    struct moult_mqtt_options options = {.host = "127.0.0.1",
                                         .port = to_port,
                                         .ca = load(ca_name),
                                         .certificate = load("device.pem"),
                                         .key = load("device.key"),
                                         .wake = note_wake};
    memcpy(options.device_id, device_id, sizeof device_id);
    wake_count = 0;
    return moult_mqtt_new(&options, &mqtt);
}

/* Run the client until the claim holds, or for `most_ms`. */
#define RUN_UNTIL(claim, most_ms)                                                          \
    for (uint64_t end_ = moult_clock_ms() + (most_ms);                                     \
         !(claim) && moult_clock_ms() < end_;) {                                           \
        run_once();                                                                        \
    }

static void run_once(void)
{
    struct pollfd wait = {.fd = -1};
    moult_mqtt_step(mqtt, moult_clock_ms());
    (void)moult_mqtt_wants(mqtt, &wait); /* without a socket just the pause */
    uint32_t most = moult_mqtt_wait_ms(mqtt, moult_clock_ms());
    poll(&wait, 1, most < 50 ? (int)most : 50);
}

static void test_wakes_arrive_kept_and_live(void)
{
    char topic[80];
    snprintf(topic, sizeof topic, "moult/1/%s/wake", device_name);
    start_broker();
    check_equal(publish(topic, "kept"), 0);
    check_equal(make_client("ca.pem", port), MOULT_OK);
    RUN_UNTIL(wake_count >= 1, 5000);
    check(moult_mqtt_is_listening(mqtt));
    check_equal(wake_count, 1);
    check_bytes(last_wake, "kept", 4);
    check_equal(publish(topic, "live"), 0);
    RUN_UNTIL(wake_count >= 2, 5000);
    check_equal(wake_count, 2);
    check_bytes(last_wake, "live", 4);
    moult_mqtt_free(mqtt);
    stop_broker();
}

static void test_what_is_no_wake_is_dropped(void)
{
    char topic[80], large[200];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = 0;
    snprintf(topic, sizeof topic, "moult/1/%s/wake", device_name);
    start_broker();
    check_equal(publish(topic, large), 0);
    check_equal(publish("moult/1/00000000000000000000000000000000/wake", "not mine"), 0);
    check_equal(make_client("ca.pem", port), MOULT_OK);
    RUN_UNTIL(moult_mqtt_is_listening(mqtt), 5000);
    RUN_UNTIL(false, 200);
    check_equal(wake_count, 0);
    check_equal(publish(topic, "small"), 0);
    RUN_UNTIL(wake_count >= 1, 5000);
    check_equal(wake_count, 1);
    moult_mqtt_free(mqtt);
    stop_broker();
}

static void test_a_broker_that_comes_back_is_found_again(void)
{
    char topic[80];
    snprintf(topic, sizeof topic, "moult/1/%s/wake", device_name);
    start_broker();
    check_equal(publish(topic, "first"), 0);
    check_equal(make_client("ca.pem", port), MOULT_OK);
    RUN_UNTIL(wake_count >= 1, 5000);
    stop_broker();
    RUN_UNTIL(!moult_mqtt_is_listening(mqtt), 5000);
    check(!moult_mqtt_is_listening(mqtt));
    start_broker();
    check_equal(publish(topic, "second"), 0);
    RUN_UNTIL(wake_count >= 2, 15000);
    check(moult_mqtt_is_listening(mqtt));
    check_bytes(last_wake, "second", 6);
    moult_mqtt_free(mqtt);
    stop_broker();
}

static void test_without_a_broker_it_tries_seldom_and_never_waits(void)
{
    check_equal(make_client("ca.pem", free_port()), MOULT_OK);
    uint64_t slowest = 0, begun = moult_clock_ms();
    while (moult_clock_ms() - begun < 4000) {
        uint64_t before = moult_clock_ms();
        moult_mqtt_step(mqtt, before);
        uint64_t took = moult_clock_ms() - before;
        if (took > slowest) { slowest = took; }
        usleep(5000);
    }
    check(moult_mqtt_tries(mqtt) >= 2 &&
          moult_mqtt_tries(mqtt) <= 5); /* 0, ~1 s, ~2 s more */
    check(slowest < 500);
    check(!moult_mqtt_is_listening(mqtt));
    check(moult_mqtt_last_error(mqtt) != 0);
    moult_mqtt_free(mqtt);
}

static void test_a_broker_of_another_ca_is_not_listened_to(void)
{
    struct test_cert other;
    test_cert_make(&other, "another CA", NULL);
    test_cert_save(&other, path_of("other.pem"), NULL);
    test_cert_free(&other);
    start_broker();
    check_equal(publish("moult/1/x/wake", "up"), 0); /* it is running */
    check_equal(make_client("other.pem", port), MOULT_OK);
    RUN_UNTIL(moult_mqtt_last_error(mqtt) != 0, 5000);
    check(moult_mqtt_last_error(mqtt) != 0);
    check(!moult_mqtt_is_listening(mqtt));
    moult_mqtt_free(mqtt);
    stop_broker();
}

static bool has_broker(void)
{
    const char *const broker_help[] = {"mosquitto", "-h", NULL};
    const char *const broker_there[] = {"/usr/sbin/mosquitto", "-h", NULL};
    const char *const client_help[] = {"mosquitto_pub", "--help", NULL};
    return (run_program(broker_help) != 127 || run_program(broker_there) != 127) &&
           run_program(client_help) != 127;
}

static void remove_world(void)
{
    static const char *const names[] = {
        "ca.pem",     "broker.pem", "broker.key", "device.pem",  "device.key",
        "server.pem", "server.key", "acl",        "broker.conf", "other.pem"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        unlink(path_of(names[i]));
    }
    rmdir(folder);
}

int main(void)
{
    if (!has_broker()) {
        printf("SKIP: no mosquitto here; apt install mosquitto mosquitto-clients\n");
        return 0;
    }
    must(moult_psa_start() == MOULT_OK, "PSA");
    make_world();
    check_run(test_wakes_arrive_kept_and_live);
    check_run(test_what_is_no_wake_is_dropped);
    check_run(test_a_broker_that_comes_back_is_found_again);
    check_run(test_without_a_broker_it_tries_seldom_and_never_waits);
    check_run(test_a_broker_of_another_ca_is_not_listened_to);
    remove_world();
    test_cert_free(&server_cert);
    test_cert_free(&device_cert);
    test_cert_free(&broker_cert);
    test_cert_free(&ca);
    return check_report();
}
