/* utf8.h - whether bytes are well-formed UTF-8.
 *
 * Layer    formats: pure.
 * Format   RFC 3629: shortest form, no surrogates, at most U+10FFFF.
 */
#ifndef MOULT_FORMATS_UTF8_H
#define MOULT_FORMATS_UTF8_H

#include <stdbool.h>
#include "formats/bytes.h"

/* A NUL is a character like any other; an empty string is well-formed. */
bool moult_utf8_is_valid(struct moult_bytes text);

#endif
