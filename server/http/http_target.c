/* http_target.c - see http_target.h. */
#include "server/http/http_target.h"
#include <string.h>
#include <strings.h>
#include "server/base/text.h"

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_value(char c)
{
    if (is_digit(c)) { return c - '0'; }
    if (c >= 'a' && c <= 'f') { return c - 'a' + 10; }
    if (c >= 'A' && c <= 'F') { return c - 'A' + 10; }
    return -1;
}

/* pchar / "/" / "?" of RFC 3986; '%' is looked at when it is decoded. */
static bool is_target_char(char c)
{
    return is_alnum(c) || (c != '\0' && strchr("-._~%!$&'()*+,;=:@/?", c) != NULL);
}

int http_percent_decode(const char *text, size_t size, bool plus, char *out)
{
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (c == '%') {
            int high = i + 2 < size ? hex_value(text[i + 1]) : -1;
            int low = i + 2 < size ? hex_value(text[i + 2]) : -1;
            if (high < 0 || low < 0) { return -1; }
            c = (char)(high * 16 + low);
            i += 2;
        } else if (plus && c == '+') {
            c = ' ';
        }
        if (c == '\0') { return -1; }
        out[used++] = c;
    }
    return (int)used;
}

bool http_host_is_valid(const char *text, size_t size)
{
    size_t i = 0;
    if (size > 0 && text[0] == '[') {
        for (i = 1;
             i < size && (hex_value(text[i]) >= 0 || text[i] == ':' || text[i] == '.');) {
            i++;
        }
        if (i < 3 || i == size || text[i] != ']') { return false; }
        i++;
    } else {
        while (i < size && (is_alnum(text[i]) || strchr("-._~", text[i]))) {
            i++;
        }
    }
    if (i == 0) { return false; }
    if (i == size) { return true; }
    size_t digits = size - i - 1;
    if (text[i] != ':' || digits < 1 || digits > 5) { return false; }
    for (i++; i < size; i++) {
        if (!is_digit(text[i])) { return false; }
    }
    return true;
}

/* Cuts scheme and authority off an absolute target. The path, or NULL. */
static char *skip_authority(char *text)
{
    size_t scheme = 0;
    if (strncasecmp(text, "http://", 7) == 0) { scheme = 7; }
    if (strncasecmp(text, "https://", 8) == 0) { scheme = 8; }
    if (scheme == 0) { return NULL; }
    char *authority = text + scheme;
    size_t size = strcspn(authority, "/?");
    return http_host_is_valid(authority, size) ? authority + size : NULL;
}

/* One segment of text (size bytes), decoded to out. The new size, or -1. */
static int decode_segment(const char *text, size_t size, char *out)
{
    int decoded = http_percent_decode(text, size, false, out);
    if (decoded < 0) { return -1; }
    for (int i = 0; i < decoded; i++) {
        unsigned char c = (unsigned char)out[i];
        if (c < 0x20 || c == 0x7f || c == '/' || c == '\\') { return -1; }
    }
    bool is_dot = decoded == 1 && out[0] == '.';
    bool is_dots = decoded == 2 && out[0] == '.' && out[1] == '.';
    if (is_dot || is_dots) { return -1; }
    return text_is_utf8(out, (size_t)decoded) ? decoded : -1;
}

/* Decodes a path in place, segment by segment: it never grows. */
static bool decode_path(char *path)
{
    char *in = path, *out = path;
    size_t segments = 0;
    while (*in == '/') {
        in++;
        *out++ = '/';
        size_t size = strcspn(in, "/");
        bool is_last = in[size] == '\0';
        if (size == 0 && !is_last) { return false; }
        if (++segments > HTTP_SEGMENTS_MAX) { return false; }
        int decoded = decode_segment(in, size, out);
        if (decoded < 0) { return false; }
        in += size;
        out += decoded;
    }
    *out = '\0';
    return true;
}

const char *http_target_read(char *text, enum http_method method, struct http_target *out)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (!is_target_char(*p) && *p != '[' && *p != ']') {
            return "a target of characters that RFC 3986 allows";
        }
    }
    if (strcmp(text, "*") == 0) {
        *out = (struct http_target){.path = "*", .query = ""};
        return method == HTTP_OPTIONS ? NULL : "a path";
    }
    char *path = *text == '/' ? text : skip_authority(text);
    if (!path) { return "a target that starts with / or http:// or https://"; }
    if (strpbrk(path, "[]")) { return "a target of characters that RFC 3986 allows"; }
    char *query = strchr(path, '?');
    if (query) { *query++ = '\0'; }
    out->query = query ? query : "";
    out->path = *path ? path : "/";
    if (*path && !decode_path(path)) {
        return "a path without empty, dot or badly encoded segments";
    }
    return NULL;
}
