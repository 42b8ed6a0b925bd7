/* mqtt.c - see mqtt.h. */
#include "ports/posix/mqtt.h"
#include <assert.h>
#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "formats/wake.h"
#include "ports/posix/psa_crypto.h"

enum { HOST_SIZE = 254, ID_SIZE = 33, MISC_MS = 1000 };

struct moult_mqtt {
    struct mosquitto *client;
    char host[HOST_SIZE], id[ID_SIZE], topic[MOULT_WAKE_TOPIC_SIZE];
    uint16_t port;
    void (*wake)(void *context, const uint8_t *payload, size_t size);
    void *context;
    bool is_trying, is_listening, has_lib;
    int fd[3];            /* CA, certificate, key; read at every connection */
    uint64_t next_try_ms; /* while not trying */
    uint64_t begun_ms;    /* of the connection under way */
    uint64_t misc_ms;     /* next keep-alive check */
    uint32_t retry_ms, tries;
    int last_error;
};

/* --- libmosquitto's callbacks, called from moult_mqtt_step() ---------------------------
 */

static void on_connect(struct mosquitto *client, void *context, int code)
{
    struct moult_mqtt *mqtt = context;
    if (code == 0) { code = mosquitto_subscribe(client, NULL, mqtt->topic, 1); }
    if (code != 0) { mqtt->last_error = code; } /* the broker closes, or we time out */
}

static void on_subscribe(struct mosquitto *client, void *context, int id, int count,
                         const int *granted)
{
    struct moult_mqtt *mqtt = context;
    (void)client;
    (void)id;
    mqtt->is_listening = count == 1 && granted[0] <= 1;
    if (mqtt->is_listening) { mqtt->retry_ms = MOULT_MQTT_RETRY_FIRST_MS; }
}

static void on_message(struct mosquitto *client, void *context,
                       const struct mosquitto_message *message)
{
    struct moult_mqtt *mqtt = context;
    (void)client;
    bool is_wake =
        message->payloadlen > 0 && message->payloadlen <= (int)MOULT_WAKE_SIZE_MAX;
    if (is_wake && strcmp(message->topic, mqtt->topic) == 0) {
        mqtt->wake(mqtt->context, message->payload, (size_t)message->payloadlen);
    }
}

/* --- Life ------------------------------------------------------------------------------
 */

/* A file in memory, since libmosquitto takes keys by path only and they are nowhere on disk
 * but in flash. -1: cannot be made. */
static int file_of(struct moult_bytes bytes)
{
    int fd = memfd_create("moult", MFD_CLOEXEC);
    if (fd < 0) { return -1; }
    if (write(fd, bytes.data, bytes.size) == (ssize_t)bytes.size) { return fd; }
    close(fd);
    return -1;
}

static bool set_tls(struct moult_mqtt *mqtt, const struct moult_mqtt_options *options)
{
    const struct moult_bytes parts[3] = {options->ca, options->certificate, options->key};
    char path[3][32];
    for (int i = 0; i < 3; i++) {
        mqtt->fd[i] = file_of(parts[i]);
        if (mqtt->fd[i] < 0) { return false; }
        snprintf(path[i], sizeof path[i], "/proc/self/fd/%d", mqtt->fd[i]);
    }
    return mosquitto_tls_set(mqtt->client, path[0], NULL, path[1], path[2], NULL) == 0 &&
           mosquitto_tls_opts_set(mqtt->client, 1, NULL, NULL) == 0;
}

static bool make_client(struct moult_mqtt *mqtt)
{
    mqtt->has_lib = mosquitto_lib_init() == MOSQ_ERR_SUCCESS;
    if (mqtt->has_lib) { mqtt->client = mosquitto_new(mqtt->id, true, mqtt); }
    if (!mqtt->client) { return false; }
    mosquitto_connect_callback_set(mqtt->client, on_connect);
    mosquitto_subscribe_callback_set(mqtt->client, on_subscribe);
    mosquitto_message_callback_set(mqtt->client, on_message);
    return true;
}

enum moult_status moult_mqtt_new(const struct moult_mqtt_options *options,
                                 struct moult_mqtt **out)
{
    *out = NULL;
    if (strlen(options->host) >= HOST_SIZE) { return MOULT_E_FORMAT; }
    struct moult_mqtt *mqtt = calloc(1, sizeof *mqtt);
    if (!mqtt) { return MOULT_E_NOMEM; }
    memcpy(mqtt->host, options->host, strlen(options->host));
    mqtt->port = options->port;
    mqtt->wake = options->wake;
    mqtt->context = options->context;
    mqtt->retry_ms = MOULT_MQTT_RETRY_FIRST_MS;
    for (int i = 0; i < 3; i++) {
        mqtt->fd[i] = -1;
    }
    moult_hex_encode(options->device_id, 16, mqtt->id);
    moult_wake_topic(options->device_id, mqtt->topic);

    enum moult_status st = make_client(mqtt) ? MOULT_OK : MOULT_E_NOMEM;
    if (st == MOULT_OK && !set_tls(mqtt, options)) { st = MOULT_E_FORMAT; }
    if (st != MOULT_OK) {
        moult_mqtt_free(mqtt);
        return st;
    }
    *out = mqtt;
    return MOULT_OK;
}

void moult_mqtt_free(struct moult_mqtt *mqtt)
{
    if (!mqtt) { return; }
    if (mqtt->client) {
        (void)mosquitto_disconnect(
            mqtt->client); /* a broker that is gone needs no farewell */
        mosquitto_destroy(mqtt->client);
    }
    if (mqtt->has_lib) { mosquitto_lib_cleanup(); }
    for (int i = 0; i < 3; i++) {
        if (mqtt->fd[i] >= 0) { close(mqtt->fd[i]); }
    }
    free(mqtt);
}

/* --- The connection ---------------------------------------------------------------------
 */

/* +- 50 %; without randomness in the middle. */
static uint32_t jittered(uint32_t ms)
{
    uint8_t raw[4];
    if (moult_psa_random(raw, sizeof raw) != MOULT_OK) { return ms; }
    return ms / 2 + get_le32(raw) % (ms + 1);
}

static void drop(struct moult_mqtt *mqtt, uint64_t now_ms, int error)
{
    mqtt->last_error = error;
    mqtt->is_trying = mqtt->is_listening = false;
    mqtt->next_try_ms = now_ms + jittered(mqtt->retry_ms);
    mqtt->retry_ms = mqtt->retry_ms > MOULT_MQTT_RETRY_MAX_MS / 2 ? MOULT_MQTT_RETRY_MAX_MS
                                                                  : mqtt->retry_ms * 2;
    (void)mosquitto_disconnect(mqtt->client); /* forgets the socket, whatever its state */
}

static void try_now(struct moult_mqtt *mqtt, uint64_t now_ms)
{
    mqtt->tries++;
    mqtt->begun_ms = now_ms;
    mqtt->misc_ms = now_ms + MISC_MS;
    mqtt->is_trying = true;
    int rc = mosquitto_connect_async(mqtt->client, mqtt->host, mqtt->port,
                                     (int)MOULT_MQTT_KEEPALIVE_S);
    if (rc != MOSQ_ERR_SUCCESS) { drop(mqtt, now_ms, rc); }
}

/* Read, write and keep alive as far as the socket is ready. */
static int turn(struct moult_mqtt *mqtt, uint64_t now_ms)
{
    struct pollfd wait;
    if (!moult_mqtt_wants(mqtt, &wait)) { return MOSQ_ERR_NO_CONN; }
    int rc = MOSQ_ERR_SUCCESS;
    if (poll(&wait, 1, 0) > 0) {
        /* libmosquitto does not notice a refused connection: SSL_connect() has taken the
         * error from the socket already and asks to be called again, for ever. */
        bool is_refused = (wait.revents & POLLHUP) && !mqtt->is_listening;
        if (is_refused || (wait.revents & POLLERR)) { return MOSQ_ERR_CONN_LOST; }
        if (wait.revents & (POLLIN | POLLHUP)) {
            rc = mosquitto_loop_read(mqtt->client, 1);
        }
        if (rc == MOSQ_ERR_SUCCESS && (wait.revents & POLLOUT)) {
            rc = mosquitto_loop_write(mqtt->client, 1);
        }
    }
    if (rc == MOSQ_ERR_SUCCESS && now_ms >= mqtt->misc_ms) {
        mqtt->misc_ms = now_ms + MISC_MS;
        rc = mosquitto_loop_misc(mqtt->client);
    }
    return rc;
}

void moult_mqtt_step(struct moult_mqtt *mqtt, uint64_t now_ms)
{
    if (!mqtt->is_trying) {
        if (now_ms >= mqtt->next_try_ms) { try_now(mqtt, now_ms); }
        return;
    }
    int rc = turn(mqtt, now_ms);
    bool is_late =
        !mqtt->is_listening && now_ms - mqtt->begun_ms > MOULT_MQTT_CONNECT_MAX_MS;
    if (rc == MOSQ_ERR_SUCCESS && is_late) { rc = MOSQ_ERR_CONN_LOST; }
    if (rc != MOSQ_ERR_SUCCESS) { drop(mqtt, now_ms, rc); }
}

bool moult_mqtt_wants(const struct moult_mqtt *mqtt, struct pollfd *out)
{
    int fd = mqtt->is_trying ? mosquitto_socket(mqtt->client) : -1;
    if (fd < 0) { return false; }
    bool writes = mosquitto_want_write(mqtt->client);
    *out = (struct pollfd){.fd = fd, .events = (short)(POLLIN | (writes ? POLLOUT : 0))};
    return true;
}

uint32_t moult_mqtt_wait_ms(const struct moult_mqtt *mqtt, uint64_t now_ms)
{
    enum { KEEPALIVE_MS = 10000 }; /* how exactly the keep-alive is kept */
    if (!mqtt->is_trying) {
        return mqtt->next_try_ms > now_ms ? (uint32_t)(mqtt->next_try_ms - now_ms) : 0;
    }
    return mqtt->is_listening ? KEEPALIVE_MS : MISC_MS;
}

bool moult_mqtt_is_listening(const struct moult_mqtt *mqtt)
{
    return mqtt->is_listening;
}

uint32_t moult_mqtt_tries(const struct moult_mqtt *mqtt)
{
    return mqtt->tries;
}

int moult_mqtt_last_error(const struct moult_mqtt *mqtt)
{
    return mqtt->last_error;
}
