/* tls.h - TLS on the server's side: the only file that knows OpenSSL's SSL_*.
 *
 * Layer    server/base.
 * Why      architecture.md, section 3: TLS 1.3 and 1.2, X25519 then P-256, AEAD suites
 *          only, tickets with shared rotating keys, buffers released while idle.
 * Threads  contexts and tickets: any. A connection: one at a time.
 * Memory   a context, a ticket box and a connection are each owned by who created them.
 * Use it   tls_tickets_create(), tls_context_create(), per socket tls_accept_on(), then
 *          tls_handshake() until OK, tls_read()/tls_write(), tls_close().
 */
#ifndef MOULT_SERVER_BASE_TLS_H
#define MOULT_SERVER_BASE_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "formats/status.h"
#include "server/base/clock.h"
#include "server/base/random.h"

#define TLS_ERROR_SIZE 256u
#define TLS_SPKI_SIZE 32u              /* SHA-256 of the SubjectPublicKeyInfo */
#define TLS_TICKET_ROTATE_MS 43200000u /* a key issues tickets for 12 h ... */
#define TLS_TICKET_KEYS 3u             /* ... and opens them for 24 h more */
#define TLS_RECORD_SIZE                                                                    \
    16384u /* most bytes one read yields and one write takes at once                       \
            */

struct tls_context;
struct tls_tickets;
struct tls_conn;

/* What a listener does about client certificates. Authorisation is never a chain: it is the
 * list of SPKI fingerprints that the handlers keep. The handshake proves possession of the
 * key. */
enum tls_client_auth {
    TLS_CLIENT_NONE,    /* do not ask (operator listener) */
    TLS_CLIENT_REQUEST, /* ask; any well-formed certificate will do, and so will none */
    TLS_CLIENT_REQUIRE, /* ask; any well-formed certificate will do; none ends the handshake
                         */
};

struct tls_options {
    const char *cert_path; /* PEM: server certificate, then intermediates */
    const char *key_path;  /* PEM: its key */
    enum tls_client_auth client_auth;
    struct tls_tickets
        *tickets; /* borrowed until the context is destroyed; NULL: no resumption */
};

struct tls_error {
    char text[TLS_ERROR_SIZE];
};

/* Ticket keys, shared by all contexts and threads of the process. *out moved.
 * MOULT_OK; MOULT_E_NOMEM; MOULT_E_INTERNAL: no randomness. */
MOULT_MUST_CHECK enum moult_status tls_tickets_create(const struct random *random,
                                                      const struct clock *clock,
                                                      struct tls_tickets **out);
/* Makes a new key the issuing one now (rotation by time happens by itself). False: no
 * randomness, the old key goes on. */
bool tls_tickets_rotate(struct tls_tickets *tickets);
void tls_tickets_destroy(struct tls_tickets *tickets);

/* *out moved. MOULT_OK; MOULT_E_NOENT, MOULT_E_FORMAT: certificate or key file (error->text
 * names the file and what is wrong); MOULT_E_INCOMPATIBLE: key and certificate do not
 * belong together; MOULT_E_NOMEM. */
MOULT_MUST_CHECK enum moult_status tls_context_create(const struct tls_options *options,
                                                      struct tls_context **out,
                                                      struct tls_error *error);
void tls_context_destroy(struct tls_context *context);

/* A server connection on a non-blocking socket; fd is borrowed: close it after tls_free().
 * NULL: no memory. */
MOULT_MUST_CHECK struct tls_conn *tls_accept_on(struct tls_context *context, int fd);

enum tls_io {
    TLS_IO_OK,
    TLS_IO_WANT_READ,  /* call again when the socket is readable */
    TLS_IO_WANT_WRITE, /* call again, with the same bytes, when it is writable */
    TLS_IO_CLOSED,     /* the peer ended the stream properly (close_notify) */
    TLS_IO_FAILED,     /* broken: tls_failure() says why; only tls_free() is left to do */
};

MOULT_MUST_CHECK enum tls_io tls_handshake(struct tls_conn *conn);

/* Up to size bytes into data; *done is set on OK. */
MOULT_MUST_CHECK enum tls_io tls_read(struct tls_conn *conn, void *data, size_t size,
                                      size_t *done);

/* The first bytes of data, at most a record; *done <= size is set on OK. After WANT_*, the
 * next call must offer the same bytes (at any address) and may offer more. */
MOULT_MUST_CHECK enum tls_io tls_write(struct tls_conn *conn, const void *data, size_t size,
                                       size_t *done);

/* Whether bytes have been taken from the socket that tls_read() has not given out yet:
 * epoll does not know of them. They may turn out to be no data, or less than a record. */
bool tls_has_pending(const struct tls_conn *conn);

/* Sends close_notify when that is possible without waiting. */
void tls_close(struct tls_conn *conn);
void tls_free(struct tls_conn *conn);

/* SHA-256 of the SubjectPublicKeyInfo of the client's certificate, of resumed sessions too.
 * False, out untouched: the client showed none. */
MOULT_MUST_CHECK bool tls_peer_spki(const struct tls_conn *conn,
                                    uint8_t out[TLS_SPKI_SIZE]);

bool tls_is_resumed(const struct tls_conn *conn);
/* "TLSv1.3"; static. */
const char *tls_version(const struct tls_conn *conn);
/* Words about the last failure of this thread, static or per thread, never NULL; for logs.
 */
const char *tls_failure(void);

#endif
