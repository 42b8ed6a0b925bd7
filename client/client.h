/* client.h - calls of the operator API (docs/spec/operator-api.md).
 *
 * Layer    client.
 * Memory   a client owns one connection and what client_open() copied; replies are the
 *          caller's until client_reply_free().
 * Threads  one client per thread. client_open() of the first client must not race another
 *          one: libcurl's global set-up happens there.
 * Use it   client_open(), client_call() or client_list_*(), client_close().
 *
 * Retries: a request that may be repeated (GET, PUT, and POST with the Idempotency-Key that
 * every POST gets) is tried CLIENT_TRIES_MAX times when the connection fails or the server
 * answers 429, 502, 503 or 504, with doubling, jittered pauses. Everything else is answered
 * at once.
 */
#ifndef MOULT_CLIENT_CLIENT_H
#define MOULT_CLIENT_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/codes.h"
#include "formats/compiler.h"
#include "formats/status.h"

#define CLIENT_TRIES_MAX 4u                 /* the first one included */
#define CLIENT_PAUSE_FIRST_MS 200u          /* doubled each time, +-50 % */
#define CLIENT_PAUSE_MAX_MS 5000u           /* also the longest Retry-After obeyed */
#define CLIENT_CONNECT_TIMEOUT_MS 5000u     /* TCP and TLS together */
#define CLIENT_CALL_TIMEOUT_MS 60000u       /* a call without a large body */
#define CLIENT_STALL_TIMEOUT_S 30u          /* no byte either way for so long ends a call */
#define CLIENT_REPLY_MAX (8u * 1024 * 1024) /* bytes of a reply body */
#define CLIENT_URL_MAX 8192u                /* bytes of a URL, query included */
#define CLIENT_WORDS_MAX 512u               /* bytes of an error's words or hint */

struct client;

struct client_config {
    const char *server;  /* "https://host:port"; copied */
    const char *token;   /* bearer token, or NULL; copied */
    const char *ca_file; /* PEM of what the server's certificate must chain to; NULL: the
                            system's CAs; copied */
    unsigned tries;      /* 0: CLIENT_TRIES_MAX; 1: no retries */
};

/* Why a call failed. Filled by every function that takes one when it does not return
 * MOULT_OK. */
struct client_error {
    enum moult_status status;
    int http;        /* of the reply; 0 when there was none */
    uint16_t detail; /* a row of api/codes.tsv: the server's own, or a CLI_* one */
    int exit_code;   /* what `moult` ends with */
    char words[CLIENT_WORDS_MAX]; /* complete: expected and found are in it */
    char hint[CLIENT_WORDS_MAX];  /* what to do next */
    char field[128];              /* which field of the request, or "" */
    char request_id[64];          /* to find it in the server's log, or "" */
};

struct client_pair { /* a query parameter; the list ends with name NULL; a NULL value is
                        left out */
    const char *name, *value;
};

struct client_request {
    const char *method;              /* "GET", "POST", "PUT" */
    const char *path;                /* below /api/v1, percent-encoded: "/devices/0a…" */
    const struct client_pair *query; /* or NULL */
    const json_t *json;              /* body; or */
    const void *bytes;               /* body with */
    size_t size;                     /* its size and */
    const char *type;                /* its media type */
    const char *if_match;            /* ETag, or NULL */
    /* Called while bytes are sent; total is size. NULL: not. */
    void (*progress)(void *context, uint64_t sent, uint64_t total);
    void *context;
};

struct client_reply {
    int http;
    json_t *json;   /* NULL when the body is not JSON */
    uint8_t *bytes; /* the body as it came, with a zero byte behind it */
    size_t size;
    char etag[96]; /* or "" */
};

/* MOULT_OK; MOULT_E_ARG: server is no https URL; MOULT_E_NOMEM; MOULT_E_INTERNAL: libcurl
 * does not start; MOULT_E_TLS: the CA file cannot be read. *out is NULL on failure. */
MOULT_MUST_CHECK enum moult_status client_open(const struct client_config *config,
                                               struct client **out,
                                               struct client_error *error);
void client_close(struct client *client); /* NULL is allowed */

/* The server as given to client_open(). */
const char *client_server(const struct client *client);

/* One request. MOULT_OK: 2xx and reply is the caller's. Otherwise error is filled and reply
 * is empty: MOULT_E_NET, _TLS, _TIMEOUT, _NOMEM, _FORMAT (reply not understood), _RANGE
 * (over a limit), or the status of the server's code. */
MOULT_MUST_CHECK enum moult_status client_call(struct client *client,
                                               const struct client_request *request,
                                               struct client_reply *reply,
                                               struct client_error *error);
void client_reply_free(struct client_reply *reply); /* leaves it empty; twice is allowed */

/* GET path and hand over the JSON object: *json is the caller's (json_decref). As
 * client_call(). */
MOULT_MUST_CHECK enum moult_status client_get(struct client *client, const char *path,
                                              const struct client_pair *query,
                                              json_t **json, struct client_error *error);

/* POST json (borrowed; NULL sends {}) and hand over the JSON reply. As client_call(). */
MOULT_MUST_CHECK enum moult_status client_post(struct client *client, const char *path,
                                               const struct client_pair *query,
                                               const json_t *body, json_t **json,
                                               struct client_error *error);

/* text percent-encoded for a path segment or a query value, to be freed with
 * client_mem_free(). */
MOULT_MUST_CHECK char *client_escape(const char *text);

/* --- lists: follows "next" until it is null --- */

struct client_list {
    struct client *client;
    const char *path;
    const struct client_pair *query; /* borrowed until the end of the walk */
    json_t *page;
    size_t index;
    bool is_last;
    uint32_t pages; /* fetched so far; CLIENT_PAGES_MAX ends a server that never ends */
};

#define CLIENT_PAGES_MAX 100000u /* of 500 items: fifty million */
#define CLIENT_PAGE_SIZE "500"
#define CLIENT_QUERY_MAX 16u /* parameters of one request */

void client_list_start(struct client_list *list, struct client *client, const char *path,
                       const struct client_pair *query);

/* *item is borrowed until the next call. MOULT_OK; MOULT_E_NOENT: the end, error untouched;
 * otherwise as client_call(). After anything but MOULT_OK: client_list_end(). */
MOULT_MUST_CHECK enum moult_status client_list_next(struct client_list *list, json_t **item,
                                                    struct client_error *error);
void client_list_end(struct client_list *list);

/* --- errors (error.c) --- */

/* Fill error from a row of the code table. */
void client_error_set(struct client_error *error, enum moult_detail detail,
                      const char *want, const char *have);

/* Fill error from a reply that is not 2xx: problem+json, or the bare status. */
void client_error_from_reply(struct client_error *error, int http, const json_t *problem);

#endif
