/* support_client.h - an HTTP client that sends exactly the bytes it is told to, plain or
 * over TLS.
 *
 * Use it   raw_connect(&c, port, NULL); raw_send_text(&c, "GET / HTTP/1.1\r\n...");
 *          raw_reply(&c, &r); Waiting is bounded by RAW_WAIT_MS; running out of it, and
 *          anything that must not happen in a test, aborts with words.
 */
#ifndef MOULT_TESTS_HTTP_SUPPORT_CLIENT_H
#define MOULT_TESTS_HTTP_SUPPORT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/ssl.h>
#include "tests/support/test_certs.h"

#define RAW_WAIT_MS                                                                        \
    20000 /* for a reply or an end; sanitizers and a busy machine are slow */

struct raw_tls {
    const struct test_cert *ca;   /* borrowed; the server must be signed by it */
    const struct test_cert *cert; /* borrowed; shown to the server. NULL: none */
    SSL_SESSION *session;         /* borrowed; resumed when not NULL */
};

struct raw_client {
    int fd;
    SSL_CTX *context;
    SSL *ssl;
    char *data; /* owned: bytes read and not taken yet */
    size_t size;
};

struct raw_reply {
    int status;
    char head[4096];  /* status line and fields, NUL-terminated */
    char *body;       /* owned, NUL-terminated; raw_reply_free() */
    size_t body_size; /* bytes */
};

/* To 127.0.0.1. tls NULL: plain. */
void raw_connect(struct raw_client *client, uint16_t port, const struct raw_tls *tls);
/* The same, but false when the connection or the handshake is refused. */
bool raw_try_connect(struct raw_client *client, uint16_t port, const struct raw_tls *tls);

/* Sends everything. False: the peer has closed. */
bool raw_send(struct raw_client *client, const void *data, size_t size);
void raw_send_text(struct raw_client *client, const char *text);

/* Reads one reply, interim ones (1xx) included. No body is read after one to HEAD:
 * raw_reply_head(). False: the peer closed before the first byte of it. */
bool raw_reply(struct raw_client *client, struct raw_reply *reply);
bool raw_reply_head(struct raw_client *client, struct raw_reply *reply);
void raw_reply_free(struct raw_reply *reply);

/* The value of a field of the reply, or "" when it is not there; in a buffer of the
 * reply's. */
const char *raw_field(const struct raw_reply *reply, const char *name, char out[256]);

/* Whether the peer ends the stream, without a further byte, within wait_ms. */
bool raw_is_closed(struct raw_client *client, int wait_ms);

/* The same, and by a proper end, not by a reset (plain connections). */
bool raw_is_ended(struct raw_client *client, int wait_ms);

void raw_close(struct raw_client *client);

#endif
