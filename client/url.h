/* url.h - URLs of the operator API, and the pauses between tries.
 *
 * Layer    client, private.
 */
#ifndef MOULT_CLIENT_URL_H
#define MOULT_CLIENT_URL_H

#include "client/client.h"

/* server + "/api/v1" + path + query, percent-encoded. NULL: no memory, or over
 * CLIENT_URL_MAX. */
MOULT_MUST_CHECK char *client_url(const char *server, const char *path,
                                  const struct client_pair *query);

/* "https://host[:port]" without path, user or spaces. */
bool client_server_is_valid(const char *server);

/* Milliseconds before try number `tries` + 1: CLIENT_PAUSE_FIRST_MS doubled, +-50 % by
 * chance (any u32), at least retry_after_s, at most CLIENT_PAUSE_MAX_MS. */
uint32_t client_pause_ms(unsigned tries, uint32_t chance, uint64_t retry_after_s);

#endif
