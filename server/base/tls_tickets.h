/* tls_tickets.h - between tls.c and tls_tickets.c; private to server/base.
 *
 * Layer    server/base.
 */
#ifndef MOULT_SERVER_BASE_TLS_TICKETS_H
#define MOULT_SERVER_BASE_TLS_TICKETS_H

#include <stdbool.h>
#include <openssl/ssl.h>
#include "server/base/tls.h"

/* Makes the context issue and open tickets with these keys. False: OpenSSL refused. */
bool tls_tickets_attach(struct tls_tickets *tickets, SSL_CTX *ssl);

#endif
