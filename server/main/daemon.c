/* daemon.c - see daemon.h. */
#include "server/main/daemon.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "formats/cose.h"
#include "keys/openssl_crypto.h"
#include "server/base/tls.h"
#include "server/control/admin.h"
#include "server/control/checkin.h"
#include "server/control/releases.h"
#include "server/http/device_api.h"
#include "server/http/executor.h"
#include "server/http/operator_api.h"
#include "server/mqtt/wake_publisher.h"

enum { TIMER_MS = 250, DRAIN_MS = 5000, PATH_SIZE = 512 };

struct daemon {
    const struct settings *settings;
    struct log_sink sink;
    struct log log;
    struct moult_crypto crypto;
    struct metrics *metrics;
    struct store *store;
    struct artifact_store *artifacts;
    struct control *control;
    struct signer_client *signer;
    struct wake_publisher *wakes;
    struct tls_tickets *tickets;
    struct tls_context *device_tls, *operator_tls;
    struct env env;
};

static bool fail(uint16_t code, const char *what, const char *why)
{
    fprintf(stderr, "moultd: MOULT-E%04u %s: %s (docs/errors/E%04u.md)\n", (unsigned)code,
            what, why, (unsigned)code);
    return false;
}

/* --- store, artifacts, control -------------------------------------------------------- */

static bool start_store(struct daemon *d)
{
    char path[PATH_SIZE];
    const char *data = d->settings->data;
    if (mkdir(data, 0700) != 0 && errno != EEXIST) {
        return fail(MOULT_D_CONF_DATA, data, strerror(errno));
    }
    snprintf(path, sizeof path, "%s/moult.db", data);
    struct store_options options = {.path = path,
                                    .clock = clock_system(),
                                    .log = log_open(&d->sink, "store"),
                                    .metrics = d->metrics};
    struct store_error error = {0};
    if (store_open(&options, &d->store, &error) != MOULT_OK) {
        return fail(error.detail, path, error.text);
    }
    snprintf(path, sizeof path, "%s/artifacts", data);
    enum moult_status st = artifact_store_open(path, &d->crypto, &d->artifacts);
    return st == MOULT_OK || fail(MOULT_D_CONF_DATA, path, moult_status_name(st));
}

static bool read_small_file(const char *path, uint8_t *out, size_t capacity, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (!f) { return false; }
    *size = fread(out, 1, capacity, f);
    bool ok = !ferror(f) && *size > 0 && (*size < capacity || fgetc(f) == EOF);
    fclose(f);
    return ok;
}

static struct control_call system_call(struct daemon *d, struct control_problem *problem)
{
    return (struct control_call){
        .control = d->control,
        .db = store_setup_db(d->store),
        .now_ms = (int64_t)clock_realtime_ms(clock_system()),
        .actor = {.name = "system"},
        .problem = problem,
    };
}

static bool add_keyset(struct daemon *d)
{
    uint8_t bytes[MOULT_KEYSET_SIZE_MAX];
    size_t size = 0;
    const char *path = d->settings->keyset;
    if (!read_small_file(path, bytes, sizeof bytes, &size)) {
        return fail(MOULT_D_CONF_KEYSET, path, "cannot be read, or is over 2,048 bytes");
    }
    struct control_problem problem = {0};
    struct control_call call = system_call(d, &problem);
    if (control_keyset_add(&call, (struct moult_bytes){bytes, size}) != MOULT_OK) {
        return fail(problem.detail, path, problem.text);
    }
    return true;
}

static bool add_endpoints(struct daemon *d)
{
    uint8_t bytes[MOULT_STATEMENT_SIZE_MAX];
    size_t size = 0;
    const char *path = d->settings->endpoints;
    if (path[0] == '\0') { return true; }
    if (!read_small_file(path, bytes, sizeof bytes, &size)) {
        return fail(MOULT_D_ENDPOINT_SIZE, path, "cannot be read, or is over 1,024 bytes");
    }
    struct control_problem problem = {0};
    struct control_call call = system_call(d, &problem);
    if (control_endpoints_set(&call, (struct moult_bytes){bytes, size}) != MOULT_OK) {
        return fail(problem.detail, path, problem.text);
    }
    return true;
}

static bool mode_is_private(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && (info.st_mode & 077) == 0;
}

static bool add_token(struct daemon *d)
{
    char text[TOKEN_TEXT_SIZE + 2] = {0};
    size_t size = 0;
    const char *path = d->settings->token_file;
    if (path[0] == '\0') { return true; }
    if (!read_small_file(path, (uint8_t *)text, sizeof text - 1, &size)) {
        return fail(MOULT_D_CLI_TOKEN, path, "cannot be read, or holds more than a token");
    }
    if (!mode_is_private(path)) {
        return fail(MOULT_D_KEY_MODE, path, "expected mode 0600, others can read it");
    }
    text[strcspn(text, "\r\n")] = '\0';
    struct control_problem problem = {0};
    struct control_call call = system_call(d, &problem);
    unsigned all = ROLE_VIEWER | ROLE_OPERATOR | ROLE_RELEASER | ROLE_APPROVER |
                   ROLE_AUDITOR | ROLE_ADMIN;
    if (control_token_set(&call, "bootstrap", text, all, 0) != MOULT_OK) {
        return fail(problem.detail, path, problem.text);
    }
    return true;
}

static bool start_control(struct daemon *d)
{
    struct control_parts parts = {.store = d->store,
                                  .artifacts = d->artifacts,
                                  .crypto = &d->crypto,
                                  .clock = clock_system(),
                                  .random = random_system(),
                                  .log = log_open(&d->sink, "control"),
                                  .metrics = d->metrics};
    struct control_error error = {0};
    if (control_open(&d->settings->control, &parts, &d->control, &error) != MOULT_OK) {
        return fail(error.detail, d->settings->data, error.text);
    }
    if (!add_keyset(d) || !add_endpoints(d) || !add_token(d)) { return false; }
    enum moult_status st = store_start(d->store);
    return st == MOULT_OK ||
           fail(MOULT_D_STORE_OPEN, "store threads", moult_status_name(st));
}

/* --- moult-signer --------------------------------------------------------------------- */

static void handed_over(void *context, uint16_t detail, struct moult_bytes body)
{
    struct daemon *d = context;
    if (detail != 0) {
        log_error(&d->log, "signer_refused_handover", "detail", detail, "bytes", body.size);
    }
}

static bool hand_over_release(void *context, struct moult_bytes envelope)
{
    struct daemon *d = context;
    return signer_client_ask(d->signer, SIGNER_RELEASE, envelope, handed_over, d) ==
           MOULT_OK;
}

/* Whatever the signer missed: the keysets it does not have, then every published release.
 * */
static void signer_connected(void *context, const struct signer_hello *hello)
{
    struct daemon *d = context;
    control_counter_floor(d->control, hello->counter_bound);
    uint8_t bytes[MOULT_KEYSET_SIZE_MAX];
    size_t size = 0;
    uint32_t newest = control_keyset_newest(d->control);
    for (uint32_t v = hello->keyset_version + 1; v <= newest; v++) {
        if (control_keyset_read(d->control, v, bytes, sizeof bytes, &size) != MOULT_OK ||
            signer_client_ask(d->signer, SIGNER_KEYSET, (struct moult_bytes){bytes, size},
                              handed_over, d) != MOULT_OK) {
            log_error(&d->log, "signer_handover_incomplete", "keyset", v);
            return;
        }
    }
    control_releases_each(d->control, hand_over_release, d);
}

static bool start_signer_client(struct daemon *d)
{
    struct signer_client_options options = {.socket_path = d->settings->signer_socket,
                                            .log = log_open(&d->sink, "signer"),
                                            .connected = signer_connected,
                                            .context = d};
    enum moult_status st = signer_client_start(&options, &d->signer);
    return st == MOULT_OK ||
           fail(MOULT_D_CONF_SIGNER, d->settings->signer_socket, moult_status_name(st));
}

/* --- broker --------------------------------------------------------------------------- */

static bool start_wakes(struct daemon *d)
{
    const struct settings *s = d->settings;
    if (s->mqtt_broker[0] == '\0') { return true; }
    struct wake_publisher_options options = {.broker = s->mqtt_broker,
                                             .ca_path = s->mqtt_ca,
                                             .cert_path = s->mqtt_cert,
                                             .key_path = s->mqtt_key,
                                             .control = d->control,
                                             .clock = clock_system(),
                                             .random = random_system(),
                                             .log = log_open(&d->sink, "mqtt"),
                                             .metrics = d->metrics};
    enum moult_status st = wake_publisher_start(&options, &d->wakes);
    return st == MOULT_OK ||
           fail(MOULT_D_CONF_BROKER, s->mqtt_broker, moult_status_name(st));
}

/* --- HTTP ----------------------------------------------------------------------------- */

static const uint64_t checkin_bounds_us[] = {100,   250,   500,   1000,   2500,   5000,
                                             10000, 25000, 50000, 100000, 250000, 1000000};

static struct metric *checkin_counter(struct daemon *d, const char *result)
{
    return metrics_counter(d->metrics,
                           &(struct metrics_name){.name = "moult_checkins_total",
                                                  .help = "Check-ins answered.",
                                                  .label = {"result"},
                                                  .value = {result}});
}

static void fill_env(struct daemon *d)
{
    d->env = (struct env){
        .control = d->control,
        .store = d->store,
        .artifacts = d->artifacts,
        .signer = d->signer,
        .crypto = &d->crypto,
        .clock = clock_system(),
        .random = random_system(),
        .log = log_open(&d->sink, "api"),
        .metrics = d->metrics,
        .metrics_open = d->settings->metrics_open,
        .broker_connected = d->wakes ? wake_publisher_is_connected : NULL,
        .broker = d->wakes,
        .started_ms = clock_monotonic_ms(clock_system()),
    };
    d->env.counts = (struct env_metrics){
        .checkin_refused = checkin_counter(d, "refused"),
        .checkin_us = metrics_histogram(
            d->metrics,
            &(struct metrics_name){.name = "moult_checkin_seconds",
                                   .help = "From the whole request to the signed answer."},
            checkin_bounds_us, sizeof checkin_bounds_us / sizeof checkin_bounds_us[0]),
    };
}

static bool make_tls(struct daemon *d, const char *cert, const char *key,
                     enum tls_client_auth auth, struct tls_context **out)
{
    struct tls_options options = {
        .cert_path = cert, .key_path = key, .client_auth = auth, .tickets = d->tickets};
    struct tls_error error = {0};
    return tls_context_create(&options, out, &error) == MOULT_OK ||
           fail(MOULT_D_CONF_TLS, cert, error.text);
}

static bool write_ports(struct daemon *d)
{
    const char *path = d->settings->port_file;
    if (path[0] == '\0') { return true; }
    char temporary[PATH_SIZE];
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    FILE *f = fopen(temporary, "w");
    bool ok =
        f && fprintf(f, "device %u\noperator %u\n", http_server_port(d->env.server, 0),
                     http_server_port(d->env.server, 1)) > 0;
    ok = f && fclose(f) == 0 && ok && rename(temporary, path) == 0;
    return ok || fail(MOULT_D_CONF_DATA, path, strerror(errno));
}

static bool start_http(struct daemon *d)
{
    const struct settings *s = d->settings;
    if (tls_tickets_create(random_system(), clock_system(), &d->tickets) != MOULT_OK) {
        return fail(MOULT_D_API_INTERNAL, "TLS tickets", "no randomness or memory");
    }
    if (!make_tls(d, s->device_cert, s->device_key, TLS_CLIENT_REQUIRE, &d->device_tls) ||
        !make_tls(d, s->operator_cert, s->operator_key, TLS_CLIENT_NONE,
                  &d->operator_tls)) {
        return false;
    }
    struct http_listener listeners[] = {
        {"device", s->device_listen, d->device_tls, device_routes, device_admit},
        {"operator", s->operator_listen, d->operator_tls, operator_routes, operator_admit},
    };
    struct http_server_options options = {
        .listeners = listeners,
        .listener_count = sizeof listeners / sizeof listeners[0],
        .threads = (unsigned)s->threads,
        .env = &d->env,
        .readers = http_readers(&d->env),
        .writers = http_writers(&d->env),
        .connections_max = (uint32_t)s->connections_max,
        .per_address_max = (uint32_t)s->per_address_max,
        .spool_folder = s->data,
        .log = log_open(&d->sink, "http"),
        .metrics = d->metrics,
    };
    struct http_server_error error = {0};
    if (http_server_start(&options, &d->env.server, &error) != MOULT_OK) {
        return fail(MOULT_D_CONF_LISTEN, "listeners", error.text);
    }
    return write_ports(d);
}

/* --- life ----------------------------------------------------------------------------- */

/* The part of sd_notify(3) that we need; without systemd there is no socket to tell. */
static void notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path || strlen(path) >= sizeof address.sun_path) { return; }
    memcpy(address.sun_path, path, strlen(path));
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (path[0] == '@') { address.sun_path[0] = '\0'; }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) { return; }
    ssize_t n = sendto(fd, state, strlen(state), MSG_NOSIGNAL,
                       (const struct sockaddr *)&address, size);
    (void)n; /* nobody listens: nothing to do about it */
    close(fd);
}

static void wait_for_signals(struct daemon *d)
{
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGINT);
    const struct timespec pause = {.tv_nsec = TIMER_MS * 1000000L};
    int number;
    while ((number = sigtimedwait(&wanted, NULL, &pause)) < 0) {
        control_timer(d->control);
    }
    log_info(&d->log, "stopping", "signal", number);
}

static void stop(struct daemon *d)
{
    notify("STOPPING=1");
    if (d->env.server) { http_server_drain(d->env.server, DRAIN_MS); }
    wake_publisher_stop(d->wakes);
    if (d->store) { store_stop(d->store); } /* finishes the jobs of requests */
    signer_client_stop(d->signer);          /* answers what waits for a signature */
    if (d->env.server) { http_server_stop(d->env.server); }
    control_close(d->control);
    store_close(d->store);
    artifact_store_close(d->artifacts);
    tls_context_destroy(d->device_tls);
    tls_context_destroy(d->operator_tls);
    tls_tickets_destroy(d->tickets);
    metrics_destroy(d->metrics);
}

static bool start(struct daemon *d)
{
    d->metrics = metrics_create();
    if (!d->metrics) { return fail(MOULT_D_API_INTERNAL, "metrics", "no memory"); }
    if (!start_store(d) || !start_control(d) || !start_signer_client(d) ||
        !start_wakes(d)) {
        return false;
    }
    fill_env(d);
    return start_http(d);
}

void daemon_block_signals(void)
{
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int daemon_run(const struct settings *settings)
{
    struct daemon d = {
        .settings = settings,
        .sink = {.level = (enum log_level)settings->log_level,
                 .format = (enum log_format)settings->log_format,
                 .trace = settings->log_trace[0] ? settings->log_trace : NULL,
                 .clock = clock_system(),
                 .fd = STDERR_FILENO},
        .crypto = keys_openssl_crypto(),
    };
    d.log = log_open(&d.sink, "moultd");
    bool started = start(&d);
    if (started) {
        log_info(&d.log, "ready", "version", MOULT_VERSION, "device_port",
                 http_server_port(d.env.server, 0), "operator_port",
                 http_server_port(d.env.server, 1));
        notify("READY=1");
        wait_for_signals(&d);
    }
    stop(&d);
    if (started) { log_info(&d.log, "stopped"); }
    return started ? 0 : 1;
}
