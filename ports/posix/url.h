/* url.h - takes apart the https URLs of a device's configuration and of assignments.
 *
 * Layer    ports/posix: pure.
 * Format   "https://" host [":" port] [path]; host is a name, an IPv4 address, or an IPv6
 *          address in brackets. No user, no fragment, printable ASCII without spaces.
 */
#ifndef MOULT_PORTS_POSIX_URL_H
#define MOULT_PORTS_POSIX_URL_H

#include <stdbool.h>
#include <stdint.h>
#include "formats/compiler.h"
#include "formats/status.h"

#define MOULT_URL_HOST_SIZE 254u /* DNS's limit of 253 and a NUL */

struct moult_url {
    char host[MOULT_URL_HOST_SIZE]; /* without brackets */
    uint16_t port;                  /* 443 when not given */
    const char *path;               /* borrowed from the text: "" or "/..." */
    bool is_ipv6;                   /* host stood in brackets */
};

/* MOULT_OK; MOULT_E_FORMAT: not such a URL, out undefined. */
MOULT_MUST_CHECK enum moult_status moult_url_parse(const char *text, struct moult_url *out);

/* "host:port", "[v6]:port" or "host" for the MQTT broker; port 0 when not given.
 * MOULT_OK; MOULT_E_FORMAT. */
MOULT_MUST_CHECK enum moult_status moult_host_parse(const char *text,
                                                    struct moult_url *out);

#endif
