/* url.c - see url.h. */
#include "ports/posix/url.h"
#include <string.h>

static bool is_host_char(char c, bool is_ipv6)
{
    bool is_alnum =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return is_alnum || c == '.' || (is_ipv6 ? c == ':' : c == '-' || c == '_');
}

/* The host at *at, which moves behind it. */
static bool take_host(const char **at, struct moult_url *out)
{
    size_t size = 0;
    out->is_ipv6 = **at == '[';
    if (out->is_ipv6) { (*at)++; }
    for (; is_host_char(**at, out->is_ipv6); (*at)++) {
        if (size + 1 >= sizeof out->host) { return false; }
        out->host[size++] = **at;
    }
    out->host[size] = 0;
    if (out->is_ipv6 && *(*at)++ != ']') { return false; }
    return size > 0;
}

/* ":" and 1..65535. */
static bool take_port(const char **at, uint16_t *port)
{
    uint32_t number = 0;
    (*at)++;
    if (**at < '0' || **at > '9') { return false; }
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        number = number * 10 + (uint32_t)(**at - '0');
        if (number > UINT16_MAX) { return false; }
    }
    *port = (uint16_t)number;
    return number > 0;
}

static bool is_path(const char *path)
{
    if (*path != 0 && *path != '/') { return false; }
    for (; *path; path++) {
        if (*path <= ' ' || *path > '~' || *path == '#') { return false; }
    }
    return true;
}

enum moult_status moult_url_parse(const char *text, struct moult_url *out)
{
    static const char scheme[] = "https://";
    if (strncmp(text, scheme, sizeof scheme - 1) != 0) { return MOULT_E_FORMAT; }
    const char *at = text + sizeof scheme - 1;
    out->port = 443;
    if (!take_host(&at, out)) { return MOULT_E_FORMAT; }
    if (*at == ':' && !take_port(&at, &out->port)) { return MOULT_E_FORMAT; }
    out->path = at;
    return is_path(at) ? MOULT_OK : MOULT_E_FORMAT;
}

enum moult_status moult_host_parse(const char *text, struct moult_url *out)
{
    const char *at = text;
    out->port = 0;
    if (!take_host(&at, out)) { return MOULT_E_FORMAT; }
    if (*at == ':' && !take_port(&at, &out->port)) { return MOULT_E_FORMAT; }
    out->path = at;
    return *at == 0 ? MOULT_OK : MOULT_E_FORMAT;
}
