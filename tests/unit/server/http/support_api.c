/* support_api.c - see support_api.h. */
#include "tests/unit/server/http/support_api.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "formats/bytes.h"
#include "keys/key_file.h"
#include "server/http/device_api.h"
#include "server/http/executor.h"
#include "server/http/operator_api.h"
#include "server/signer/durable.h"
#include "server/signer/serve.h"
#include "tests/support/unit.h"
#include "tests/unit/server/http/support_client.h"

enum { WAIT_MS = 20000, REQUEST_HEAD_SIZE = 16384 };

static void must(bool claim, const char *what)
{
    if (claim) { return; }
    fprintf(stderr, "support_api: %s\n", what);
    abort();
}

/* --- moult-signer --------------------------------------------------------------------- */

static void handed_over(void *context, uint16_t detail, struct moult_bytes body)
{
    (void)context, (void)body;
    must(detail == 0, "the signer takes a release");
}

static bool hand_over(void *context, struct moult_bytes envelope)
{
    struct api *api = context;
    return signer_client_ask(api->env.signer, SIGNER_RELEASE, envelope, handed_over,
                             NULL) == MOULT_OK;
}

static void signer_connected(void *context, const struct signer_hello *hello)
{
    struct api *api = context;
    control_counter_floor(api->w->control, hello->counter_bound);
    control_releases_each(api->w->control, hand_over, api);
}

/* Ended as the program is: by a signal on its own thread. */
static volatile sig_atomic_t signer_stop;

static void on_signal(int number)
{
    (void)number; /* the only one that is handled here */
    signer_stop = 1;
}

static void end_signer(struct api *api)
{
    if (!api->has_signer) { return; }
    pthread_kill(api->signer, SIGUSR1);
    pthread_join(api->signer, NULL);
    orders_close(&api->orders);
    api->has_signer = false;
}

static void *run_signer(void *context)
{
    struct api *api = context;
    struct serve_options options = {.socket_path = api->socket_path,
                                    .allow_uid = getuid(),
                                    .clock = &api->w->clock,
                                    .stop = &signer_stop};
    must(serve_run(&api->orders, &options) == MOULT_OK, "moult-signer serves");
    return NULL;
}

static void wait_signer(struct api *api, bool is_wanted)
{
    for (int i = 0; signer_client_is_connected(api->env.signer) != is_wanted; i++) {
        must(i < WAIT_MS / 5, "the signer's coming and going is noticed");
        poll(NULL, 0, 5);
    }
}

void api_start_signer(struct api *api)
{
    struct orders_refusal refusal = {0};
    struct orders_options options = {.key_path = api->key_path,
                                     .keyset_path = api->keyset_path,
                                     .data_folder = api->w->folder,
                                     .rate = {1000, 6000, 6000}};
    must(orders_open(&api->orders, &options, &refusal) == MOULT_OK, refusal.text);
    signer_stop = 0;
    struct sigaction action = {.sa_handler = on_signal};
    must(sigaction(SIGUSR1, &action, NULL) == 0, "a signal");
    must(pthread_create(&api->signer, NULL, run_signer, api) == 0, "thread");
    api->has_signer = true;
    wait_signer(api, true);
}

void api_stop_signer(struct api *api)
{
    end_signer(api);
    wait_signer(api, false);
}

static enum moult_status add_keyset(struct world_call *c)
{
    const struct statements_bytes *envelope = c->argument;
    return control_keyset_add(&c->call, statements_view(envelope));
}

/* The signer opens a file, so the fleet gets a second keyset that names a key in one. */
static void make_keyset(struct api *api)
{
    struct keys_signer key;
    struct statements_fleet *fleet = &api->w->fleet;
    const char *folder = api->w->folder;
    snprintf(api->socket_path, sizeof api->socket_path, "%s/signer.sock", folder);
    snprintf(api->key_path, sizeof api->key_path, "%s/assign.pem", folder);
    snprintf(api->keyset_path, sizeof api->keyset_path, "%s/keyset.cbor", folder);
    must(keys_file_generate(api->key_path, NULL) == MOULT_OK, "a key");
    must(keys_file_open(api->key_path, &key, NULL) == MOULT_OK, "the key");
    struct moult_keyset keyset = statements_keyset(fleet, 2);
    keyset.keys[STATEMENTS_ASSIGN] = key.public_key;
    api->keyset =
        statements_sign(fleet, statements_keyset_payload(&keyset), 3u << STATEMENTS_ROOT);
    keys_signer_close(&key);
    must(durable_replace(api->keyset_path, api->keyset.data, api->keyset.size) == MOULT_OK,
         "keyset file");
    struct world_call c = {.run = add_keyset, .argument = &api->keyset};
    must(world_run(api->w, &c) == MOULT_OK, api->w->problem.text);
}

static void start_client(struct api *api)
{
    struct signer_client_options options = {
        .socket_path = api->socket_path, .connected = signer_connected, .context = api};
    must(signer_client_start(&options, &api->env.signer) == MOULT_OK, "signer client");
}

/* --- listeners ------------------------------------------------------------------------ */

static enum moult_status add_token(struct world_call *c)
{
    struct api *api = (struct api *)(uintptr_t)c->argument; /* the fixture's own */
    enum moult_status st = MOULT_OK;
    for (unsigned i = 0; i < API_ROLES && st == MOULT_OK; i++) {
        char name[64];
        role_words(1u << i, name);
        must(token_generate(random_system(), api->token[i]), "a token");
        st = control_token_set(&c->call, name, api->token[i], 1u << i, 0);
    }
    return st;
}

static void make_tokens(struct api *api)
{
    struct world_call c = {.run = add_token, .argument = api};
    must(world_run(api->w, &c) == MOULT_OK, "tokens");
}

static void make_tls(struct api *api)
{
    char cert[96], key[96];
    snprintf(cert, sizeof cert, "%s/server.pem", api->w->folder);
    snprintf(key, sizeof key, "%s/server.key", api->w->folder);
    test_cert_make(&api->ca, "moult test CA", NULL);
    test_cert_make(&api->server_cert, "localhost", &api->ca);
    test_cert_save(&api->server_cert, cert, key);
    for (unsigned i = 0; i < API_DEVICES; i++) {
        test_cert_make(&api->device[i], "device", &api->ca);
    }
    must(tls_tickets_create(random_system(), clock_system(), &api->tickets) == MOULT_OK,
         "tickets");
    struct tls_options options = {cert, key, TLS_CLIENT_REQUIRE, api->tickets};
    struct tls_error error;
    must(tls_context_create(&options, &api->tls, &error) == MOULT_OK, error.text);
}

static void fill_env(struct api *api)
{
    static const uint64_t bounds[] = {1000, 1000000};
    struct world *w = api->w;
    api->env.control = w->control;
    api->env.store = w->store;
    api->env.artifacts = w->artifacts;
    api->env.crypto = &w->fleet.crypto;
    api->env.clock = &w->clock;
    api->env.random = random_system();
    api->env.metrics = w->metrics;
    api->env.counts = (struct env_metrics){
        .checkin_refused = metrics_counter(
            w->metrics, &(struct metrics_name){.name = "moult_checkins_total",
                                               .help = "-",
                                               .label = {"result"},
                                               .value = {"refused"}}),
        .checkin_us = metrics_histogram(
            w->metrics, &(struct metrics_name){.name = "checkin_s", .help = "-"}, bounds,
            2)};
}

static void start_http(struct api *api)
{
    struct http_listener listeners[] = {
        {"device", "127.0.0.1:0", api->tls, device_routes, device_admit},
        {"operator", "127.0.0.1:0", NULL, operator_routes, operator_admit},
    };
    struct http_server_options options = {.listeners = listeners,
                                          .listener_count = 2,
                                          .threads = 1,
                                          .env = &api->env,
                                          .readers = http_readers(&api->env),
                                          .writers = http_writers(&api->env),
                                          .clock = &api->w->clock,
                                          .spool_folder = api->w->folder};
    struct http_server_error error;
    must(http_server_start(&options, &api->env.server, &error) == MOULT_OK, error.text);
    api->device_port = http_server_port(api->env.server, 0);
    api->operator_port = http_server_port(api->env.server, 1);
}

void api_open(struct api *api, const struct api_options *options)
{
    static const struct api_options usual;
    if (!options) { options = &usual; }
    memset(api, 0, sizeof *api);
    sem_init(&api->writer_held, 0, 0);
    sem_init(&api->writer_go, 0, 0);
    api->w = world_open(options->change);
    make_keyset(api);
    make_tokens(api);
    make_tls(api);
    fill_env(api);
    start_client(api);
    start_http(api);
    if (!options->without_signer) { api_start_signer(api); }
}

void api_close(struct api *api)
{
    http_server_drain(api->env.server, 5000);
    store_stop(api->w->store); /* finishes the jobs of requests */
    signer_client_stop(api->env.signer);
    http_server_stop(api->env.server);
    end_signer(api);
    tls_context_destroy(api->tls);
    tls_tickets_destroy(api->tickets);
    for (unsigned i = 0; i < API_DEVICES; i++) {
        test_cert_free(&api->device[i]);
    }
    test_cert_free(&api->server_cert);
    test_cert_free(&api->ca);
    world_close(api->w);
    sem_destroy(&api->writer_held);
    sem_destroy(&api->writer_go);
}

struct toy *api_toy(struct api *api, unsigned n, const struct world_release *running)
{
    struct toy *toy = world_toy(api->w, n, running);
    test_cert_spki(&api->device[n], toy->spki);
    memcpy(toy->id, toy->spki, 16);
    return toy;
}

/* --- requests ------------------------------------------------------------------------- */

static void write_head(const struct api *api, const struct api_request *r, size_t body_size,
                       char out[REQUEST_HEAD_SIZE])
{
    char token[128] = "";
    bool has_token = r->role != API_NO_TOKEN && api != NULL;
    if (has_token) {
        snprintf(token, sizeof token, "Authorization: Bearer %s\r\n", api->token[r->role]);
    }
    int n = snprintf(out, REQUEST_HEAD_SIZE,
                     "%s %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
                     "Content-Length: %zu\r\n%s%s\r\n",
                     r->method, r->path, body_size, token, r->fields ? r->fields : "");
    must(n > 0 && n < REQUEST_HEAD_SIZE, "a head of at most 16 KB");
}

static void exchange(struct raw_client *client, const struct api *api,
                     const struct api_request *r, struct api_reply *out)
{
    static char head[REQUEST_HEAD_SIZE];
    struct raw_reply raw;
    size_t size = r->body_size;
    if (r->body && size == 0) { size = strlen(r->body); }
    write_head(api, r, size, head);
    /* A server that refuses may close before all is sent; its answer counts. */
    if (raw_send(client, head, strlen(head)) && size > 0) {
        (void)!raw_send(client, r->body, size);
    }
    bool ok = r->is_headless ? raw_reply_head(client, &raw) : raw_reply(client, &raw);
    must(ok, "a reply");
    *out = (struct api_reply){
        .status = raw.status, .body = raw.body, .body_size = raw.body_size}; /* moved */
    memcpy(out->head, raw.head, sizeof out->head);
    if (strstr(api_field(out, "Content-Type"), "json")) {
        out->json = json_loadb(out->body, out->body_size, 0, NULL);
        must(out->json || r->is_headless, "a JSON body is JSON");
    }
    raw_close(client);
}

void api_ask(struct api *api, const struct api_request *request, struct api_reply *reply)
{
    struct raw_client client;
    raw_connect(&client, api->operator_port, NULL);
    exchange(&client, api, request, reply);
}

void api_device_ask(struct api *api, unsigned n, const struct api_request *request,
                    struct api_reply *reply)
{
    struct raw_client client;
    raw_connect(&client, api->device_port,
                &(struct raw_tls){.ca = &api->ca, .cert = &api->device[n]});
    exchange(&client, NULL, request, reply);
}

void api_reply_free(struct api_reply *reply)
{
    json_decref(reply->json);
    free(reply->body);
    *reply = (struct api_reply){0};
}

const char *api_field(const struct api_reply *reply, const char *name)
{
    static char value[4][256];
    static unsigned turn;
    struct raw_reply raw;
    memcpy(raw.head, reply->head, sizeof raw.head);
    return raw_field(&raw, name, value[turn++ % 4]);
}

/* Every problem names its code, says what is wrong, and carries the request's id. */
static bool is_problem(const struct api_reply *reply, const char *code)
{
    return strcmp(world_text(reply->json, "code"), code) == 0 &&
           strcmp(api_field(reply, "Content-Type"), "application/problem+json") == 0 &&
           world_number(reply->json, "status") == reply->status &&
           world_text(reply->json, "title")[0] && world_text(reply->json, "detail")[0] &&
           strcmp(world_text(reply->json, "request_id"), api_field(reply, "Request-Id")) ==
               0;
}

void api_expect_at(struct api_reply *reply, int status, const char *code, const char *file,
                   int line)
{
    if (reply->status != status || (code && !is_problem(reply, code))) {
        print_error("expected %d %s, found %s%s\n", status, code ? code : "", reply->head,
                    reply->body ? reply->body : "");
        _fail(file, line);
    }
    api_reply_free(reply);
}

/* --- devices -------------------------------------------------------------------------- */

void api_checkin(struct api *api, unsigned n, struct api_reply *reply)
{
    const struct toy *toy = &api->w->toys[n];
    uint8_t bytes[MOULT_REQUEST_SIZE_MAX];
    struct moult_cbor_writer writer;
    struct moult_checkin message = {
        .nonce = api->w->fleet.nonce,
        .device_id = toy->id,
        .running_digest = toy->digest,
        .running_sequence = toy->sequence,
        .running_state = toy->running_state,
        .keyset_version = 2,
        .counter = toy->counter,
    };
    moult_cbor_writer_init(&writer, bytes, sizeof bytes);
    moult_checkin_write(&writer, &message);
    must(writer.status == MOULT_OK, "a check-in");
    struct api_request request = {.method = "POST",
                                  .path = "/device/v1/checkin",
                                  .body = bytes,
                                  .body_size = writer.size};
    api_device_ask(api, n, &request, reply);
}

void api_read_order(struct api *api, unsigned n, const struct api_reply *reply,
                    struct moult_assignment *out)
{
    struct moult_checkin_reply answer;
    struct moult_keyset keyset;
    struct moult_cose cose;
    struct world *w = api->w;
    struct moult_bytes body = {(const uint8_t *)reply->body, reply->body_size};
    must(reply->status == 200, "a check-in is answered 200");
    must(moult_checkin_reply_read(body, &answer, NULL) == MOULT_OK, "a check-in reply");
    must(moult_keyset_verify_first(&w->fleet.crypto, statements_view(&api->keyset),
                                   w->fleet.fleet_id, &keyset, NULL) == MOULT_OK,
         "the keyset");
    must(moult_cose_parse(MOULT_STATEMENT_ASSIGNMENT, answer.assignment, &cose, NULL) ==
             MOULT_OK,
         "an envelope");
    struct moult_assignment_expect expect = {
        .keyset = &keyset, .device_id = w->toys[n].id, .nonce = w->fleet.nonce};
    must(moult_assignment_verify(&w->fleet.crypto, &cose, &expect, out, NULL) == MOULT_OK,
         "a signed order");
}

/* --- the writer ----------------------------------------------------------------------- */

static enum moult_status hold(struct store_db *db, void *context)
{
    (void)db; /* it only takes the writer's time */
    struct api *api = context;
    sem_post(&api->writer_held);
    sem_wait(&api->writer_go);
    return MOULT_OK;
}

static void held(void *context, enum moult_status status)
{
    (void)context;
    must(status == MOULT_OK, "the writer goes on");
}

void api_hold_writer(struct api *api)
{
    struct store_job job = {.kind = "test", .run = hold, .done = held, .context = api};
    must(store_write(api->w->store, &job) == MOULT_OK, "a job");
    sem_wait(&api->writer_held);
}

void api_release_writer(struct api *api)
{
    sem_post(&api->writer_go);
}
