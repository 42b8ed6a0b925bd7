/* token.h - the text of an API token: a form that people, scanners and machines recognise.
 *
 * Layer    formats: pure.
 * Format   "moult_", 43 base62 digits (0-9 A-Z a-z) of 32 random bytes read as one
 *          big-endian
 *          number, 6 base62 digits of the CRC-32 of all before them. The server keeps
 *          SHA-256 of
 *          the whole text.
 */
#ifndef MOULT_FORMATS_TOKEN_H
#define MOULT_FORMATS_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#define MOULT_TOKEN_SECRET_SIZE 32u
#define MOULT_TOKEN_SIZE 56u /* characters and a NUL */

/* The token of these random bytes. */
void moult_token_write(const uint8_t secret[MOULT_TOKEN_SECRET_SIZE],
                       char out[MOULT_TOKEN_SIZE]);

/* Whether form and checksum are right: catches typing errors without asking anybody. */
bool moult_token_is_well_formed(const char *text);

#endif
