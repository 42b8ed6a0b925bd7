/* http_target.h - the target of a request line: which path, which query.
 *
 * Layer    server/http: pure.
 * Format   RFC 9112 section 3.2 and RFC 3986, narrowed: origin-form, absolute-form with
 *          http or https, and "*" for OPTIONS; only characters that RFC 3986 allows; in
 *          the path no
 *          encoded slash, no control character, no empty (but the last), "." or ".."
 * segment, and UTF-8 after decoding.
 */
#ifndef MOULT_SERVER_HTTP_TARGET_H
#define MOULT_SERVER_HTTP_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include "server/http/http_request.h"

struct http_target {
    const char *path;  /* decoded; starts with '/', or is "*" */
    const char *query; /* raw; "" if none */
};

/* Splits and decodes text in place; results point into it, or are literals. Returns NULL,
 * or words for what was expected (static), then text is spoilt. */
const char *http_target_read(char *text, enum http_method method, struct http_target *out);

/* Whether text is host[:port] as a Host field or an authority may have it. */
bool http_host_is_valid(const char *text, size_t size);

/* Decodes percent escapes of size bytes at text into out (size bytes are enough; no NUL is
 * added). plus: '+' is a space, as in queries. The decoded size, or -1: a broken escape or
 * a NUL byte. */
int http_percent_decode(const char *text, size_t size, bool plus, char *out);

#endif
