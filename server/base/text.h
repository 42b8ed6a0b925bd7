/* text.h - UTF-8 and JSON escapes, for logs, replies and the checks of both.
 *
 * Layer    server/base: pure functions.
 */
#ifndef MOULT_SERVER_BASE_TEXT_H
#define MOULT_SERVER_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#define TEXT_JSON_SIZE 8u /* longest result of text_json_char() with its NUL */

/* Bytes of the UTF-8 character at text (1..4); 0 when there is none: a stray byte, an
 * overlong form, a surrogate, beyond U+10FFFF, cut off by size, or NUL. */
size_t text_utf8_char(const char *text, size_t size);

/* Whether all of it is UTF-8 without NUL. */
bool text_is_utf8(const char *text, size_t size);

/* The first character of text (NUL-terminated, not empty) as it is written inside a JSON
 * string, with a NUL, into out. Returns how many bytes of text it took. A bad byte becomes
 * U+FFFD. */
size_t text_json_char(const char *text, char out[TEXT_JSON_SIZE]);

#endif
