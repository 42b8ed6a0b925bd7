/* tls.h - one TLS client connection over a non-blocking socket.
 *
 * Layer    ports/posix, over mbedTLS 2.28, 3.6 or 4 (mbedtls_compat.h).
 * Memory   heap at moult_tls_new(), and about 40 KB of the library's for each connection
 *          while it is open.
 * Threads  one at a time; mbedTLS 2.28's PSA is not thread-safe (psa_crypto.h).
 * Use it   new once; for each connection: open, handshake until DONE, read and write,
 *          close. The session of the last connection to a host is offered at the next (RFC
 *          5077 ticket).
 *
 * TLS 1.2 or 1.3, ECDHE and AEAD only, records of at most 4 KB (RFC 6066). The server must
 * be named by its certificate (DNS or IP address) and be issued by one of the given CAs:
 * one and a backup. No update decision rests on TLS; it keeps secrets and proves to the
 * server who we are.
 */
#ifndef MOULT_PORTS_POSIX_TLS_H
#define MOULT_PORTS_POSIX_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "formats/compiler.h"
#include "formats/bytes.h"
#include "formats/status.h"
#include "moult/port.h"

struct moult_tls;

/* PEM with its final NUL counted in, or DER. Copied by new. */
struct moult_tls_options {
    struct moult_bytes ca[2];       /* the pinned CA and its backup, which may be empty */
    struct moult_bytes certificate; /* the device's own, with its chain; empty: none */
    struct moult_bytes key;         /* its private key */
    bool checks_dates; /* false as on a chip without trusted time: expired is accepted */
};

enum moult_tls_result {
    MOULT_TLS_DONE,
    MOULT_TLS_WANT_READ,  /* call again when the socket can be read */
    MOULT_TLS_WANT_WRITE, /* call again when it can be written */
    MOULT_TLS_CLOSED,     /* the peer ended the connection in an orderly way */
    MOULT_TLS_FAILED,     /* moult_tls_failure() says why */
};

/* MOULT_OK; MOULT_E_FORMAT: a CA, certificate or key cannot be read, *native says why;
 * MOULT_E_NOMEM; MOULT_E_INTERNAL: no randomness. *out is NULL on failure. */
MOULT_MUST_CHECK enum moult_status moult_tls_new(const struct moult_tls_options *options,
                                                 struct moult_tls **out, int32_t *native);
void moult_tls_free(struct moult_tls *tls); /* NULL is harmless */

/* Begin a connection over a connected socket, which stays the caller's. `host` is what the
 * certificate must name; copied. MOULT_OK; MOULT_E_NOMEM. */
MOULT_MUST_CHECK enum moult_status moult_tls_open(struct moult_tls *tls, int fd,
                                                  const char *host);

enum moult_tls_result moult_tls_handshake(struct moult_tls *tls);

/* *size bytes were read or written when DONE; never 0 then. */
enum moult_tls_result moult_tls_read(struct moult_tls *tls, uint8_t *out, size_t capacity,
                                     size_t *size);
enum moult_tls_result moult_tls_write(struct moult_tls *tls, const uint8_t *data,
                                      size_t size, size_t *written);

/* Whether bytes wait in the library, which poll() does not see. */
bool moult_tls_has_pending(const struct moult_tls *tls);

/* Say goodbye if that is possible at once, and give the connection's memory back. */
void moult_tls_close(struct moult_tls *tls);

/* Why the last call said FAILED: CERT with the X.509 flags, RESET with an errno or the
 * library's number, else TLS with the library's number. */
struct moult_http_failure moult_tls_failure(const struct moult_tls *tls);

#endif
