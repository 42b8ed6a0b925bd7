/* http_status.h - the words behind a status number.
 *
 * Layer    server/http: pure.
 */
#ifndef MOULT_SERVER_HTTP_STATUS_H
#define MOULT_SERVER_HTTP_STATUS_H

#include <stdint.h>

/* "Not Found"; "Unknown" for a number that this server never sends. Static. */
const char *http_status_words(uint16_t status);

#endif
