/* http_peers.h - how many connections each address has, for all I/O threads together.
 *
 * Layer    server/http.
 * Memory   one table, allocated once; it has room for every allowed connection.
 * Threads  any.
 */
#ifndef MOULT_SERVER_HTTP_PEERS_H
#define MOULT_SERVER_HTTP_PEERS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include "formats/status.h"
#include "server/http/http_request.h"

/* An address without port. IPv4 inside IPv6 is IPv4. */
struct http_address {
    uint8_t family; /* 4 or 6 */
    uint8_t bytes[16];
};

/* Of an accepted socket. */
struct http_address http_address_of(const struct sockaddr_storage *address);
void http_address_text(const struct http_address *address, char out[HTTP_PEER_SIZE]);

struct http_peers;

/* Room for connections_max connections; more than per_address_max from one IPv4 address or
 * one IPv6 /64 are refused (UINT32_MAX: never). *out moved. MOULT_OK; MOULT_E_NOMEM. */
MOULT_MUST_CHECK enum moult_status http_peers_create(uint32_t connections_max,
                                                     uint32_t per_address_max,
                                                     struct http_peers **out);
void http_peers_destroy(struct http_peers *peers);

enum http_admission {
    HTTP_PEER_ADMITTED,       /* counted; http_peers_remove() when it is gone */
    HTTP_PEER_TOO_MANY,       /* all together */
    HTTP_PEER_TOO_MANY_OF_IT, /* of this address */
};
MOULT_MUST_CHECK enum http_admission http_peers_add(struct http_peers *peers,
                                                    const struct http_address *address);
void http_peers_remove(struct http_peers *peers, const struct http_address *address);

/* Connections counted now. */
uint32_t http_peers_count(struct http_peers *peers);

#endif
