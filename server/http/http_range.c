/* http_range.c - see http_range.h. */
#include "server/http/http_range.h"
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* Digits at *text as a number, which stays at UINT64_MAX when it does not fit; *text is
 * moved behind them. False: there is no digit. */
static bool read_digits(const char **text, uint64_t *out)
{
    const char *p = *text;
    uint64_t number = 0;
    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        bool fits = number <= (UINT64_MAX - digit) / 10;
        number = fits ? number * 10 + digit : UINT64_MAX;
    }
    bool any = p != *text;
    *text = p;
    *out = number;
    return any;
}

/* "-N": the last N bytes. */
static enum http_range suffix_range(const char *text, uint64_t file_size, uint64_t *offset,
                                    uint64_t *size)
{
    uint64_t last;
    if (!read_digits(&text, &last) || *text != '\0') { return HTTP_RANGE_WHOLE; }
    if (last == 0 || file_size == 0) { return HTTP_RANGE_OUTSIDE; }
    *size = last < file_size ? last : file_size;
    *offset = file_size - *size;
    return HTTP_RANGE_PART;
}

/* "A-B" or "A-". */
static enum http_range plain_range(const char *text, uint64_t file_size, uint64_t *offset,
                                   uint64_t *size)
{
    uint64_t first, last = UINT64_MAX;
    if (!read_digits(&text, &first) || *text++ != '-') { return HTTP_RANGE_WHOLE; }
    bool has_last = read_digits(&text, &last);
    if (!has_last) { last = UINT64_MAX; }
    if (*text != '\0' || last < first) { return HTTP_RANGE_WHOLE; }
    if (first >= file_size) { return HTTP_RANGE_OUTSIDE; }
    if (last > file_size - 1) { last = file_size - 1; }
    *offset = first;
    *size = last - first + 1;
    return HTTP_RANGE_PART;
}

enum http_range http_range_read(const char *value, uint64_t file_size, uint64_t *offset,
                                uint64_t *size)
{
    *offset = 0;
    *size = file_size;
    if (!value || strncasecmp(value, "bytes=", 6) != 0) { return HTTP_RANGE_WHOLE; }
    value += 6;
    enum http_range range = *value == '-' ? suffix_range(value + 1, file_size, offset, size)
                                          : plain_range(value, file_size, offset, size);
    if (range == HTTP_RANGE_OUTSIDE) { *offset = *size = 0; }
    return range;
}

bool http_if_range_allows(const char *value, const char *etag)
{
    return !value || (etag[0] == '"' && strcmp(value, etag) == 0);
}

/* One entity-tag at *list, which is moved behind it. *tag is set with its quotes. */
static bool next_etag(const char **list, const char **tag, size_t *size, bool *is_weak)
{
    const char *p = *list;
    *is_weak = p[0] == 'W' && p[1] == '/';
    if (*is_weak) { p += 2; }
    if (*p != '"') { return false; }
    const char *end = strchr(p + 1, '"');
    if (!end) { return false; }
    *tag = p;
    *size = (size_t)(end - p) + 1;
    *list = end + 1;
    return true;
}

bool http_etags_name(const char *list, const char *etag, bool weak)
{
    if (strcmp(list, "*") == 0) { return true; }
    bool found = false;
    while (*list != '\0') {
        const char *tag;
        size_t size;
        bool is_weak;
        if (!next_etag(&list, &tag, &size, &is_weak)) { return false; }
        bool is_same = size == strlen(etag) && memcmp(tag, etag, size) == 0;
        found = found || (is_same && (weak || !is_weak));
        list += strspn(list, " \t");
        if (*list == '\0') { break; }
        if (*list++ != ',') { return false; }
        list += strspn(list, " \t");
        if (*list == '\0') { return false; }
    }
    return found;
}
