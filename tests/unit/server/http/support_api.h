/* support_api.h - both listeners of moultd in the test's process: real handlers, executors,
 * store, signer and TLS around a world. Only the clock is turned by hand.
 *
 * Use it   struct api api; api_open(&api, NULL); api_ask(&api, &(struct api_request){...},
 *          &reply) as an operator, api_device_ask() as a device; api_reply_free(&reply);
 *          api_close(&api). What must not happen in a fixture aborts.
 */
#ifndef MOULT_TESTS_HTTP_SUPPORT_API_H
#define MOULT_TESTS_HTTP_SUPPORT_API_H

#include <pthread.h>
#include <semaphore.h>
#include "server/base/tls.h"
#include "server/http/env.h"
#include "server/signer/orders.h"
#include "tests/support/test_certs.h"
#include "tests/unit/server/control/support_world.h"

enum {
    API_DEVICES = 6,
    API_ROLES = 6,     /* viewer, operator, releaser, approver, auditor, admin */
    API_NO_TOKEN = -1, /* as api_request.role */
};

struct api_options {
    void (*change)(struct control_config *config); /* NULL: none */
    bool without_signer;
};

struct api {
    struct world *w;
    struct env env;
    uint16_t device_port, operator_port;
    char token[API_ROLES][TOKEN_TEXT_SIZE]; /* one for each role alone */
    struct statements_bytes keyset;         /* version 2: its assign key is the signer's */
    struct test_cert ca, server_cert, device[API_DEVICES];
    struct tls_tickets *tickets;
    struct tls_context *tls;
    /* moult-signer, on a thread of its own. */
    char socket_path[96], key_path[96], keyset_path[96];
    struct orders orders;
    pthread_t signer;
    bool has_signer;
    sem_t writer_held, writer_go; /* api_hold_writer() */
};

void api_open(struct api *api, const struct api_options *options);
void api_close(struct api *api);
void api_start_signer(struct api *api); /* and waits until it is connected */
void api_stop_signer(struct api *api);

/* The n-th device, with the key of its certificate; unknown to the server yet. */
struct toy *api_toy(struct api *api, unsigned n, const struct world_release *running);

struct api_request {
    const char *method, *path;
    int role;           /* index of its only role; API_NO_TOKEN. Not for devices */
    const char *fields; /* "Name: value\r\n..."; NULL: none */
    const void *body;
    size_t body_size; /* 0 with a body: strlen() */
    bool is_headless; /* the reply has no body whatever its head says (HEAD, 304) */
};

struct api_reply {
    int status;
    char head[4096];
    char *body;
    size_t body_size;
    json_t *json; /* of a JSON body; else NULL */
};

void api_ask(struct api *api, const struct api_request *request, struct api_reply *reply);
/* Device n, over mutual TLS. */
void api_device_ask(struct api *api, unsigned n, const struct api_request *request,
                    struct api_reply *reply);
void api_reply_free(struct api_reply *reply);

/* One header field of the reply; "" when it is not there. */
const char *api_field(const struct api_reply *reply, const char *name);
/* Status, and the code of its problem+json ("E2010"; NULL: not looked at); frees it. */
#define api_expect(reply, status, code)                                                    \
    api_expect_at(reply, status, code, __FILE__, __LINE__)
void api_expect_at(struct api_reply *reply, int status, const char *code, const char *file,
                   int line);

/* A check-in of device n as it stands. */
void api_checkin(struct api *api, unsigned n, struct api_reply *reply);
/* The order in a reply of 200, verified as its device does. */
void api_read_order(struct api *api, unsigned n, const struct api_reply *reply,
                    struct moult_assignment *out);

/* The writer does nothing from here ... to there. */
void api_hold_writer(struct api *api);
void api_release_writer(struct api *api);

#endif
