/* http_range.h - which part of a file a request asks for, and whether it is still the same
 * file.
 *
 * Layer    server/http: pure.
 * Format   RFC 9110, sections 13 and 14. One range per request; a field with several, with
 *          another unit or with broken syntax is ignored, as the RFC allows: the whole file
 *          is sent.
 */
#ifndef MOULT_SERVER_HTTP_RANGE_H
#define MOULT_SERVER_HTTP_RANGE_H

#include <stdbool.h>
#include <stdint.h>

enum http_range {
    HTTP_RANGE_WHOLE,   /* 200 */
    HTTP_RANGE_PART,    /* 206: *offset and *size */
    HTTP_RANGE_OUTSIDE, /* 416 */
};

/* What a Range field asks of a file of file_size bytes. value may be NULL: no field.
 * *offset and *size are always set to what is to be sent (0, 0 when OUTSIDE). */
enum http_range http_range_read(const char *value, uint64_t file_size, uint64_t *offset,
                                uint64_t *size);

/* Whether an If-Range field (NULL: none) allows a part: only the very same strong etag
 * does. A date never does: files here have no dates. etag with its quotes. */
bool http_if_range_allows(const char *value, const char *etag);

/* Whether a list of etags ("*" included) names etag. weak: W/ is ignored, as If-None-Match
 * asks; otherwise weak ones never match, as If-Match asks. A broken list names nothing. */
bool http_etags_name(const char *list, const char *etag, bool weak);

#endif
