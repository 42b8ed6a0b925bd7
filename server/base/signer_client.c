/* signer_client.c - see signer_client.h. */
#include "server/base/signer_client.h"
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "formats/codes.h"
#include "server/base/clock.h"
#include "server/base/mem.h"
#include "server/base/queue.h"

enum {
    RECONNECT_MS = 250, /* between two attempts, also when the last one got further */
    INPUT_SIZE = 2 * SIGNER_FRAME_MAX,
    OUTPUT_SIZE = 4 * SIGNER_FRAME_MAX,
};

struct ask {
    struct ask *next; /* in the list of the handover */
    enum signer_operation operation;
    signer_done done;
    void *context;
    size_t size;
    uint8_t body[];
};

struct signer_client {
    char socket_path[sizeof((struct sockaddr_un *)0)->sun_path];
    struct signer_client_options options;
    struct queue queue; /* of struct ask * */
    pthread_t thread;
    _Atomic bool is_connected;
    _Atomic bool is_stopping;
    int stop_fd; /* eventfd: the queue's cannot be waited for while the window is full */

    /* The thread's own. */
    int fd; /* -1: not connected */
    bool greeted;
    struct ask *handover, **handover_end; /* what it asked; goes before the queue. Owned */
    size_t handover_count;
    uint64_t attempt_ms;                    /* monotonic: no connection is tried before */
    uint64_t heard_ms;                      /* monotonic: since then an answer is awaited */
    struct ask *sent[SIGNER_CLIENT_WINDOW]; /* ring; owned */
    size_t sent_first, sent_count;
    uint32_t next_id, expected_id;
    size_t input_size, output_size, output_sent;
    uint8_t input[INPUT_SIZE], output[OUTPUT_SIZE];
};

/* The client whose options.connected() runs on this thread. */
static _Thread_local const struct signer_client *handing_over;

static void finish(struct ask *ask, uint16_t detail, struct moult_bytes body)
{
    ask->done(ask->context, detail, body);
    mem_free(ask);
}

static void fail(struct ask *ask, const char *why)
{
    struct moult_bytes text = {(const uint8_t *)why, strlen(why)};
    finish(ask, MOULT_D_API_SIGNER, text);
}

/* The oldest request of the handover. NULL: none is left. */
static struct ask *take_handover(struct signer_client *client)
{
    struct ask *ask = client->handover;
    if (!ask) { return NULL; }
    client->handover = ask->next;
    if (!client->handover) { client->handover_end = &client->handover; }
    client->handover_count--;
    return ask;
}

static enum moult_status put_handover(struct signer_client *client, struct ask *ask)
{
    if (client->handover_count == SIGNER_CLIENT_QUEUE_MAX) { return MOULT_E_BUSY; }
    *client->handover_end = ask;
    client->handover_end = &ask->next;
    client->handover_count++;
    return MOULT_OK;
}

static void fail_waiting(struct signer_client *client, const char *why)
{
    struct ask *ask;
    while ((ask = take_handover(client)) != NULL) {
        fail(ask, why);
    }
    for (size_t n = queue_count(&client->queue); n > 0; n--) {
        if (queue_pop(&client->queue, &ask) == MOULT_OK) { fail(ask, why); }
    }
}

/* Also what was not sent yet is answered: behind a signer that hangs it would wait for
 * ever. */
static void disconnect(struct signer_client *client, const char *why)
{
    if (client->fd >= 0) {
        log_warn(&client->options.log, "signer_lost", "why", why);
        close(client->fd);
    }
    client->fd = -1;
    client->greeted = false;
    atomic_store(&client->is_connected, false);
    while (client->sent_count > 0) {
        struct ask *ask = client->sent[client->sent_first];
        client->sent_first = (client->sent_first + 1) % SIGNER_CLIENT_WINDOW;
        client->sent_count--;
        fail(ask, why);
    }
    client->input_size = client->output_size = client->output_sent = 0;
    fail_waiting(client, why);
}

static void put_frame(struct signer_client *client, enum signer_operation operation,
                      struct moult_bytes body)
{
    uint8_t *out = client->output + client->output_size;
    put_be32(out, (uint32_t)(SIGNER_BODY_OFFSET + body.size));
    put_be32(out + 4, client->next_id++);
    out[8] = (uint8_t)operation;
    if (body.size > 0) { memcpy(out + 9, body.data, body.size); }
    client->output_size += SIGNER_FRAME_HEAD + SIGNER_BODY_OFFSET + body.size;
}

/* Does not wait: a signer that hangs with a full backlog counts as none. */
static void try_connect(struct signer_client *client, uint64_t now_ms)
{
    client->attempt_ms = now_ms + RECONNECT_MS;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, client->socket_path, sizeof address.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) { return; }
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return;
    }
    client->fd = fd;
    client->heard_ms = now_ms;
    client->next_id = client->expected_id = 1;
    uint8_t version[2];
    put_be16(version, SIGNER_PROTOCOL_VERSION);
    put_frame(client, SIGNER_HELLO, (struct moult_bytes){version, sizeof version});
}

static bool take_hello(struct signer_client *client, uint16_t detail,
                       struct moult_bytes body)
{
    if (detail != 0 || body.size != SIGNER_HELLO_SIZE) { return false; }
    struct signer_hello hello = {.keyset_version = get_be32(body.data + 26),
                                 .counter_bound = get_be64(body.data + 30)};
    memcpy(hello.fleet_id, body.data + 2, 16);
    memcpy(hello.kid, body.data + 18, 8);
    client->greeted = true;
    log_info(&client->options.log, "signer_connected", "keyset_version",
             hello.keyset_version);
    if (client->options.connected) {
        handing_over = client;
        client->options.connected(client->options.context, &hello);
        handing_over = NULL;
    }
    atomic_store(&client->is_connected, true);
    return true;
}

/* frame: what is behind the size field. */
static bool take_frame(struct signer_client *client, const uint8_t *frame, size_t size)
{
    if (get_be32(frame) != client->expected_id++) { return false; }
    client->heard_ms = clock_monotonic_ms(clock_system());
    uint16_t detail = get_be16(frame + 4);
    struct moult_bytes body = {frame + SIGNER_REPLY_OFFSET, size - SIGNER_REPLY_OFFSET};
    if (!client->greeted) { return take_hello(client, detail, body); }
    if (client->sent_count == 0) { return false; }
    struct ask *ask = client->sent[client->sent_first];
    client->sent_first = (client->sent_first + 1) % SIGNER_CLIENT_WINDOW;
    client->sent_count--;
    finish(ask, detail, body);
    return true;
}

static bool take_input(struct signer_client *client)
{
    ssize_t n = recv(client->fd, client->input + client->input_size,
                     INPUT_SIZE - client->input_size, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) { return false; }
    client->input_size += n > 0 ? (size_t)n : 0;
    size_t at = 0;
    while (client->input_size - at >= SIGNER_FRAME_HEAD) {
        size_t size = get_be32(client->input + at);
        if (size < SIGNER_REPLY_OFFSET || size > SIGNER_FRAME_MAX) { return false; }
        if (client->input_size - at < SIGNER_FRAME_HEAD + size) { break; }
        if (!take_frame(client, client->input + at + SIGNER_FRAME_HEAD, size)) {
            return false;
        }
        at += SIGNER_FRAME_HEAD + size;
    }
    memmove(client->input, client->input + at, client->input_size - at);
    client->input_size -= at;
    return true;
}

static bool flush_output(struct signer_client *client)
{
    while (client->output_sent < client->output_size) {
        ssize_t n =
            send(client->fd, client->output + client->output_sent,
                 client->output_size - client->output_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) { return true; }
        if (n <= 0) { return false; }
        client->output_sent += (size_t)n;
    }
    client->output_size = client->output_sent = 0;
    return true;
}

/* The next request to be sent: what was asked between connect and hello is in the queue
 * already, but the signer would refuse it before it knows keyset and releases. */
static bool take_next(struct signer_client *client, struct ask **ask)
{
    *ask = take_handover(client);
    return *ask || queue_pop(&client->queue, ask) == MOULT_OK;
}

/* Moves waiting requests into the output, as far as window and buffer go. */
static void send_waiting(struct signer_client *client)
{
    struct ask *ask;
    while (client->sent_count < SIGNER_CLIENT_WINDOW &&
           OUTPUT_SIZE - client->output_size >= SIGNER_FRAME_HEAD + SIGNER_FRAME_MAX &&
           take_next(client, &ask)) {
        if (client->sent_count == 0) {
            client->heard_ms = clock_monotonic_ms(clock_system());
        }
        put_frame(client, ask->operation, (struct moult_bytes){ask->body, ask->size});
        size_t last = (client->sent_first + client->sent_count) % SIGNER_CLIENT_WINDOW;
        client->sent[last] = ask;
        client->sent_count++;
    }
}

/* How long an answer may still take; -1: none is owed. */
static int patience_ms(const struct signer_client *client)
{
    if (client->greeted && client->sent_count == 0) { return -1; }
    uint64_t until_ms = client->heard_ms + client->options.answer_ms;
    uint64_t now_ms = clock_monotonic_ms(clock_system());
    return until_ms > now_ms ? (int)(until_ms - now_ms) : 0;
}

static void converse(struct signer_client *client)
{
    if (client->greeted) { send_waiting(client); }
    if (!flush_output(client)) {
        disconnect(client, "write failed");
        return;
    }
    bool full = client->sent_count == SIGNER_CLIENT_WINDOW || client->output_size > 0;
    struct pollfd fds[3] = {
        {.fd = client->fd, .events = client->output_size > 0 ? POLLIN | POLLOUT : POLLIN},
        {.fd = client->stop_fd, .events = POLLIN},
        {.fd = client->greeted && !full ? queue_fd(&client->queue) : -1, .events = POLLIN},
    };
    (void)poll(fds, 3, patience_ms(client)); /* interrupted: nothing is ready then */
    if ((fds[0].revents & (POLLIN | POLLHUP | POLLERR)) && !take_input(client)) {
        disconnect(client, "closed or malformed");
    } else if (patience_ms(client) == 0) {
        disconnect(client, "no answer");
    }
}

static void *run(void *argument)
{
    struct signer_client *client = argument;
    while (!atomic_load(&client->is_stopping)) {
        uint64_t now_ms = clock_monotonic_ms(clock_system());
        if (client->fd < 0 && now_ms >= client->attempt_ms) { try_connect(client, now_ms); }
        if (client->fd >= 0) {
            converse(client);
        } else {
            fail_waiting(client, "not connected");
            queue_wait(&client->queue, RECONNECT_MS);
        }
    }
    disconnect(client, "stopping");
    return NULL;
}

enum moult_status signer_client_start(const struct signer_client_options *options,
                                      struct signer_client **out)
{
    enum moult_status st = MOULT_E_NOMEM;
    struct signer_client *client = mem_alloc(sizeof *client);
    if (!client) { goto out; }
    client->options = *options;
    if (client->options.answer_ms == 0) {
        client->options.answer_ms = SIGNER_CLIENT_ANSWER_MS;
    }
    client->fd = -1;
    client->handover_end = &client->handover;

    st = MOULT_E_RANGE;
    int n = snprintf(client->socket_path, sizeof client->socket_path, "%s",
                     options->socket_path);
    if (n < 0 || n >= (int)sizeof client->socket_path) { goto out_client; }

    st = queue_init(&client->queue, sizeof(struct ask *), SIGNER_CLIENT_QUEUE_MAX);
    if (st != MOULT_OK) { goto out_client; }

    st = MOULT_E_IO;
    client->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (client->stop_fd < 0) { goto out_queue; }

    *out = client; /* before the thread: connected() may use it at once */
    if (pthread_create(&client->thread, NULL, run, client) == 0) { return MOULT_OK; }
    *out = NULL;
    close(client->stop_fd);
out_queue:
    queue_release(&client->queue);
out_client:
    mem_free(client);
out:
    return st;
}

void signer_client_stop(struct signer_client *client)
{
    if (!client) { return; }
    atomic_store(&client->is_stopping, true);
    queue_close(&client->queue); /* no more requests; wakes the thread if it waits there */
    uint64_t one = 1;
    ssize_t written = write(client->stop_fd, &one, sizeof one);
    assert(written == sizeof one); /* an eventfd at 0 takes it */
    (void)written;
    pthread_join(client->thread, NULL);
    close(client->stop_fd);
    queue_release(&client->queue);
    mem_free(client);
}

enum moult_status signer_client_ask(struct signer_client *client,
                                    enum signer_operation operation,
                                    struct moult_bytes body, signer_done done,
                                    void *context)
{
    if (body.size > SIGNER_FRAME_MAX - SIGNER_BODY_OFFSET) { return MOULT_E_RANGE; }
    struct ask *ask = mem_alloc(sizeof *ask + body.size);
    if (!ask) { return MOULT_E_NOMEM; }
    ask->operation = operation;
    ask->done = done;
    ask->context = context;
    ask->size = body.size;
    if (body.size > 0) { memcpy(ask->body, body.data, body.size); }
    enum moult_status st = handing_over == client ? put_handover(client, ask)
                                                  : queue_push(&client->queue, &ask);
    if (st != MOULT_OK) { mem_free(ask); }
    return st;
}

struct call {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done, fits;
    struct signer_answer *answer;
};

static void call_done(void *context, uint16_t detail, struct moult_bytes body)
{
    struct call *call = context;
    pthread_mutex_lock(&call->lock);
    call->answer->detail = detail;
    call->fits = body.size <= sizeof call->answer->body;
    call->answer->size = call->fits ? body.size : 0;
    if (call->answer->size > 0) { memcpy(call->answer->body, body.data, body.size); }
    call->is_done = true;
    pthread_cond_signal(&call->done);
    pthread_mutex_unlock(&call->lock);
}

enum moult_status signer_client_call(struct signer_client *client,
                                     enum signer_operation operation,
                                     struct moult_bytes body, struct signer_answer *answer)
{
    assert(!pthread_equal(pthread_self(), client->thread));
    struct call call = {.lock = PTHREAD_MUTEX_INITIALIZER,
                        .done = PTHREAD_COND_INITIALIZER,
                        .answer = answer};
    enum moult_status st = signer_client_ask(client, operation, body, call_done, &call);
    if (st != MOULT_OK) { return st; }
    pthread_mutex_lock(&call.lock);
    while (!call.is_done) {
        pthread_cond_wait(&call.done, &call.lock);
    }
    pthread_mutex_unlock(&call.lock);
    return call.fits ? MOULT_OK : MOULT_E_SPACE;
}

bool signer_client_is_connected(struct signer_client *client)
{
    return atomic_load(&client->is_connected);
}
