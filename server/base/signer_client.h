/* signer_client.h - moultd's side of the unix socket to moult-signer.
 *
 * Layer    server/base. Format: docs/spec/signer.md.
 * Memory   a waiting request is on the heap, at most SIGNER_CLIENT_QUEUE_MAX of them.
 * Threads  one of its own; calls from any. Answers come on that thread.
 * Use it   signer_client_start(), signer_client_ask() ..., signer_client_stop(). It
 *          connects, and connects again, by itself; while there is no signer every
 *          request is answered at once with MOULT_D_API_SIGNER.
 */
#ifndef MOULT_SERVER_BASE_SIGNER_CLIENT_H
#define MOULT_SERVER_BASE_SIGNER_CLIENT_H

#include <stdbool.h>
#include "formats/bytes.h"
#include "formats/status.h"
#include "server/base/log.h"
#include "server/base/signer_protocol.h"

/* Requests that wait to be sent. Beyond it check-ins are shed: 4,096 signatures take a
 * quarter of a second. */
#define SIGNER_CLIENT_QUEUE_MAX 4096u
/* A signer that owes an answer and is silent for so long is taken for dead. */
#define SIGNER_CLIENT_ANSWER_MS 10000u
/* Requests sent and not yet answered. */
#define SIGNER_CLIENT_WINDOW 64u

struct signer_client;

/* What the signer said when it was connected. */
struct signer_hello {
    uint8_t fleet_id[16];
    uint8_t kid[8]; /* of the assign key */
    uint32_t keyset_version;
    uint64_t counter_bound; /* sign with counters above it */
};

/* An answer: detail 0 and the reply's body, or a code and its text. body is borrowed for
 * the call. Runs on the client's thread: must not block and must not ask synchronously. */
typedef void (*signer_done)(void *context, uint16_t detail, struct moult_bytes body);

struct signer_client_options {
    const char *socket_path; /* copied */
    unsigned answer_ms;      /* 0: SIGNER_CLIENT_ANSWER_MS */
    struct log log;
    /* Each time a signer answers the hello, before any request is sent to it: hand over the
     * keyset, then the releases, with signer_client_ask(). What is asked in here is sent
     * before anything that waits already. On the client's thread. NULL: not needed. */
    void (*connected)(void *context, const struct signer_hello *hello);
    void *context; /* borrowed */
};

/* MOULT_OK, *out moved; MOULT_E_RANGE: the path is too long; MOULT_E_NOMEM; MOULT_E_IO. */
MOULT_MUST_CHECK enum moult_status
signer_client_start(const struct signer_client_options *options,
                    struct signer_client **out);

/* Answers what waits with MOULT_D_API_SIGNER, ends the thread, frees. NULL is allowed. */
void signer_client_stop(struct signer_client *client);

/* One request; body is copied. done is called once if, and only if, this returns MOULT_OK.
 * MOULT_E_BUSY: the queue is full; MOULT_E_RANGE: the body is too large; MOULT_E_NOMEM;
 * MOULT_E_STATE: stopping. */
MOULT_MUST_CHECK enum moult_status signer_client_ask(struct signer_client *client,
                                                     enum signer_operation operation,
                                                     struct moult_bytes body,
                                                     signer_done done, void *context);

/* The same, waiting for the answer; for threads that may wait. *detail and the reply's body
 * (at most capacity bytes) are set on MOULT_OK. As signer_client_ask() otherwise, and
 * MOULT_E_SPACE: the body does not fit. */
struct signer_answer {
    uint16_t detail;
    uint8_t body[SIGNER_FRAME_MAX];
    size_t size;
};
MOULT_MUST_CHECK enum moult_status signer_client_call(struct signer_client *client,
                                                      enum signer_operation operation,
                                                      struct moult_bytes body,
                                                      struct signer_answer *answer);

bool signer_client_is_connected(struct signer_client *client);

#endif
