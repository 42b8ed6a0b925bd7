/* http_listen.h - listening sockets.
 *
 * Layer    server/http, private.
 */
#ifndef MOULT_SERVER_HTTP_LISTEN_H
#define MOULT_SERVER_HTTP_LISTEN_H

#include <stddef.h>
#include <stdint.h>
#include "formats/status.h"

/* Opens count sockets that share "host:port" by SO_REUSEPORT, non-blocking, into fds
 * (moved). Another program on the address is noticed, although SO_REUSEPORT would let it
 * share. *port is the port, also when 0 was asked for. MOULT_OK; MOULT_E_ARG: the address;
 * MOULT_E_EXISTS: in use; MOULT_E_IO: why has words (static or by strerror) for anything
 * else. */
MOULT_MUST_CHECK enum moult_status http_listen(const char *address, int *fds, size_t count,
                                               uint16_t *port, const char **why);

#endif
